//! From a topology file (and an inventory) to a [`Lab`](crate::model::Lab), or an error that points at the place.
