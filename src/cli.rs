//! The command line: one file per command, one printer, one place where an end becomes an exit code.

pub mod access;
pub mod apply;
pub mod args;
pub mod check;
pub mod clock;
pub mod completions;
pub mod custody;
pub mod diff;
pub mod docs;
pub mod environment;
pub mod explain;
pub mod git;
pub mod import_parameters;
pub mod init;
pub mod inventory;
pub mod life;
pub mod load;
pub mod log;
pub mod machine;
pub mod man;
pub mod observe;
pub mod operand;
pub mod plan;
pub mod printer;
pub mod report;
pub mod rotate;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod schema;
pub mod session;
pub mod snapshot;
pub mod verify;

use crate::exit::Exit;
use crate::text;
use args::{Cli, Command, GlobalOptions};
use printer::{Painter, Printer};
use std::ffi::OsString;
use std::io::Write as _;

/// Parses the process's arguments, runs the command, and returns how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let hostile = arguments.iter().any(|argument| argument.to_string_lossy().contains(text::is_hostile));
    match args::parse(arguments) {
        Ok(cli) => {
            log::start(cli.global.talk());
            let mut printer = Printer::for_process(&cli.global);
            let exit = run(cli, &mut printer);
            printer.finish(exit)
        }
        Err(error) => {
            let mut printer = Printer::for_process(&GlobalOptions::default());
            let form = if hostile { Painter::Plain } else { printer.talk_painter() };
            let exit = refuse(&error, form, &mut printer);
            printer.finish(exit)
        }
    }
}

/// Runs a parsed command line.
pub fn run(cli: Cli, printer: &mut Printer) -> Exit {
    match cli.command {
        Command::Access(options) => wait_for(access::run(&options, printer)),
        Command::Explain(options) => explain::run(&options, printer),
        Command::Completions(options) => completions::run(&options, printer),
        Command::Man(options) => man::run(&options, printer),
        Command::Init(options) => init::run(&options, printer),
        Command::Check(options) => check::run(&options, printer),
        Command::Plan(options) => wait_for(plan::run(&options, printer)),
        Command::Apply(options) => wait_for(apply::run(&options, printer)),
        Command::Rotate(options) => wait_for(rotate::run(&options, printer)),
        Command::ImportParameters(options) => wait_for(import_parameters::run(&options, printer)),
        Command::Diff(options) => wait_for(diff::run(&options, printer)),
        Command::Snapshot(options) => wait_for(snapshot::run(&options, printer)),
        Command::Inventory(options) => wait_for(inventory::run(&options, printer)),
        Command::Verify(options) => wait_for(verify::run(&options, printer)),
        Command::Schema(options) => schema::run(&options, printer),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(options) => wait_for(sandbox::run(&options, printer)),
    }
}

/// Runs an asynchronous command to its end.
fn wait_for(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        // The system gives neither threads nor a poller: nothing was read, nothing written.
        Err(_) => Exit::Failed,
    }
}

/// Prints what the command-line parser has to say: help and version are answers, everything else is an error.
///
/// The parser repeats arguments as they were given, so that plain text is escaped.
fn refuse(error: &clap::Error, form: Painter, printer: &mut Printer) -> Exit {
    let styled = error.render();
    if !error.use_stderr() {
        printer.answer(&match printer.answer_painter() {
            Painter::Ansi => styled.ansi().to_string(),
            Painter::Plain => styled.to_string(),
        });
        return Exit::Done;
    }
    printer.block(&match form {
        Painter::Ansi => styled.ansi().to_string(),
        Painter::Plain => text::escape_block(&styled.to_string()).into_owned(),
    });
    Exit::Usage
}

/// Makes a panic say where it happened and nothing of what was being handled: the message could hold a secret.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        // Nowhere is left to report that standard error is gone.
        let _ignored = writeln!(
            std::io::stderr(),
            "error: keywright stopped on a fault of its own{place}\n  What was written so far stays valid. Run \
             `keywright plan` to see what is left to do, and please report this."
        );
    }));
}
