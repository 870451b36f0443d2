//! The log: keywright's own notes on standard error, and never what the SDK would print of a request.

use super::printer::Talk;
use tracing_subscriber::EnvFilter;

/// Starts the log. Libraries are held at warnings, whatever the environment says: their details can hold secrets.
pub fn start(talk: Talk) {
    let own = match talk {
        Talk::Quiet | Talk::Normal => "warn",
        Talk::Verbose => "debug",
    };
    let filter = EnvFilter::new(format!("off,keywright={own}"));
    // A second start, in tests, changes nothing.
    let _second =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().try_init();
}
