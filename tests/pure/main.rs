//! Tests of what needs no server and no process: the rules of the house, and properties of pure code.
#![expect(unreachable_pub, reason = "the modules of a test executable have no outside")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod architecture;
mod classes;
mod equivalence;
mod fuzz;
mod generated;
mod licences;
mod links;
mod rust_source;
