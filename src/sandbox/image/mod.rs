//! The kernel and the root file system of the sandbox: built once per recipe, kept in the cache.
