//! keywright declares AWS KMS keys, and who may do what with them, in TOML; plans changes as access gained and
//! lost; applies them without ever losing, duplicating or locking out a key; and proves that each key works.
//!
//! `docs/architecture.md` draws the flow; `tests/pure/architecture.rs` enforces which module may use which.

pub mod access;
pub mod apply;
pub mod aws;
pub mod cli;
pub mod desired;
pub mod diag;
pub mod diff;
pub mod envelope;
pub mod exit;
pub mod ids;
pub mod import;
pub mod kms;
pub mod lint;
pub mod live;
pub mod manifest;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod read;
pub mod render;
pub mod report;
pub mod review;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod secret;
pub mod services;
pub mod snapshot;
pub mod source;
pub mod synth;
pub mod text;
pub mod verify;
pub mod world;
