//! `keywright access simulate`: decides worked cases, and compares.

use crate::access::{Case, CaseFile, Simulation};
use crate::cli::args::{Format, SimulateOptions};
use crate::cli::printer::Printer;
use crate::exit::Exit;
use crate::render::{render_simulations, simulation_to_json};
use crate::text::escape;
use std::io::{self, Read as _};
use std::path::Path;

/// The largest file of cases: hundreds of times the size of the fixed cases.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Runs the command.
pub(super) fn run(options: &SimulateOptions, printer: &mut Printer) -> Exit {
    let file = match read(&options.file).map_err(|error| error.to_string()).and_then(|text| parse(&text)) {
        Ok(file) => file,
        Err(error) => {
            printer.error(&format!("{}: {}", escape(&options.file.to_string_lossy()), escape(&error)));
            return Exit::Failed;
        }
    };
    let simulations: Vec<Simulation<'_>> = file.cases.iter().map(Case::simulate).collect();
    match options.format.format {
        Format::Text => printer.answer(&render_simulations(&simulations, printer.answer_painter())),
        Format::Json => simulations.iter().for_each(|one| printer.answer(&simulation_to_json(one))),
    }
    if options.check && simulations.iter().any(Simulation::differs) { Exit::ProbeFailed } else { Exit::Done }
}

fn parse(text: &str) -> Result<CaseFile, String> {
    CaseFile::parse(text).map_err(|error| format!("{error}; the format is described in docs/asking.md"))
}

fn read(path: &Path) -> io::Result<String> {
    let source: Box<dyn io::Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(std::fs::File::open(path)?) };
    let mut text = String::new();
    source.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MOST_BYTES} bytes")));
    }
    Ok(text)
}
