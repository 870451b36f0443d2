//! Tests of the executable as people use it: arguments in; exit code, answer and talk out.
#![expect(unreachable_pub, reason = "the modules of a test executable have no outside")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod asking;
mod budget;
mod byok;
mod clock;
mod custody;
mod delegated;
mod diff;
mod drift;
mod endpoints;
mod every_key;
mod first_manifest;
mod folders;
mod harness;
mod inventory;
mod life;
mod live;
mod naming;
mod proof;
#[cfg(unix)]
mod proved_imports;
mod refusals;
mod road;
mod saved;
mod secrets;
mod surface;
