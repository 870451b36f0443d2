//! `keywright access`: who may do what with a key, and why.

mod simulate;

use super::args::{AccessOptions, Question};
use super::printer::Printer;
use crate::exit::Exit;

/// Runs the command.
pub async fn run(options: &AccessOptions, printer: &mut Printer) -> Exit {
    match &options.question {
        Question::Simulate(options) => simulate::run(options, printer),
        Question::Can(_) | Question::WhoCan(_) | Question::Matrix(_) => Exit::Failed,
    }
}
