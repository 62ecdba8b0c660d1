//! Synchronous netlink: one socket, sequence checks, dumps to the end; used by the agent and by PID 1 of the sandbox.

pub mod route;
