//! `keywright access`: who may do what with a key, and why.

mod asked;
mod can;
mod look;
mod matrix;
mod simulate;
mod who_can;

use super::args::{AccessOptions, Question};
use super::printer::Printer;
use crate::exit::Exit;

/// Runs the command.
pub async fn run(options: &AccessOptions, printer: &mut Printer) -> Exit {
    let answered = match &options.question {
        Question::Simulate(options) => Ok(simulate::run(options, printer)),
        Question::Can(options) => Box::pin(can::run(options, printer)).await,
        Question::WhoCan(options) => Box::pin(who_can::run(options, printer)).await,
        Question::Matrix(options) => Box::pin(matrix::run(options, printer)).await,
    };
    match answered {
        Ok(exit) | Err(exit) => exit,
    }
}
