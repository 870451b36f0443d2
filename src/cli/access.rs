//! `keywright access`: who may do what with a key, and why.

mod asked;
mod can;
mod look;
mod simulate;

use super::args::{AccessOptions, Question};
use super::printer::Printer;
use crate::exit::Exit;

/// Runs the command.
pub async fn run(options: &AccessOptions, printer: &mut Printer) -> Exit {
    let answered = match &options.question {
        Question::Simulate(options) => Ok(simulate::run(options, printer)),
        Question::Can(options) => Box::pin(can::run(options, printer)).await,
        Question::WhoCan(_) | Question::Matrix(_) => Err(Exit::Failed),
    };
    match answered {
        Ok(exit) | Err(exit) => exit,
    }
}
