//! Tests of the engine as a whole, on an account in memory: plan, apply with faults, and plan again.

mod any_key;
mod byok;
pub(crate) mod families;
mod fixed_point;
mod import;
mod life;
mod naming;
mod outcomes;
mod race;
mod recovery;
mod roles;
mod waiting;
pub(crate) mod wire;
pub(crate) mod world;
