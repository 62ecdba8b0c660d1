//! `lvslab` stands up, verifies and explains Linux Virtual Server labs.
//!
//! A topology file becomes a [`model::Lab`]. [`requirement`] says what must hold on each of its hosts, [`keeper`] how a host
//! keeps it over a boot, and [`plan`] what to do on a host so that it holds. An [`agent`] on each host makes that true and
//! says what it changed. [`verify`] holds evidence from all hosts against the requirements, whoever built the lab. Only
//! the agent touches a machine; the rest is pure.
//!
//! `docs/design.md` is the tour. Modules depend only on lower ones; `tests/structure.rs` holds them to it.

pub mod agent;
pub mod cli;
pub mod commands;
pub mod context;
pub mod deployment;
pub mod exercise;
pub mod exit;
pub mod fault;
pub mod ipvs;
pub mod ipvsadm;
pub mod keeper;
pub mod labs;
pub mod model;
pub mod netlink;
pub mod orchestrate;
pub mod packet;
pub mod plan;
pub mod report;
pub mod requirement;
pub mod resource;
pub mod sandbox;
pub mod sys;
#[cfg(test)]
mod testing;
pub mod topology;
pub mod verify;
