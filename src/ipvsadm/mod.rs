//! ipvsadm: to be described.
