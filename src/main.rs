//! The executable: reads the command line, runs it, ends with its exit code.

use keywright::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::quiet_panics();
    ExitCode::from(cli::main(std::env::args_os()).code())
}
