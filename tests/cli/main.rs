//! Tests of the executable as people use it: arguments in; exit code, answer and talk out.
#![expect(unreachable_pub, reason = "the modules of a test executable have no outside")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod harness;
mod surface;
