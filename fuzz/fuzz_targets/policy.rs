//! Feeds any bytes to the reader of policies.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target uses its own body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::policy(data));
