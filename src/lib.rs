//! `lvslab` stands up, verifies and explains Linux Virtual Server labs.
//!
//! A topology file is turned into desired state per host ([`plan`]); an [`agent`] on each host makes it
//! true and says what it changed; evidence from all hosts is turned into verdicts ([`verify`]). Those
//! three steps are pure; applying and observing are the only two that touch a machine.
//!
//! Dependencies point down: `commands` → `orchestrate`, `verify`, `sandbox`, `report` →
//! `agent::protocol`, `plan` → `resource`, `topology` → `model`. `tests/structure.rs` keeps it so.

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
