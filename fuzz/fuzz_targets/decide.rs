//! Feeds any bytes to the evaluator, as a file of cases and as a call made of them.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target uses its own body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::decide(data));
