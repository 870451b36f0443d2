//! `keywright completions`: completion scripts for shells.

use super::args::{self, CompletionsOptions};
use super::printer::Printer;
use crate::exit::Exit;

/// Prints the completion script of a shell.
pub fn run(options: &CompletionsOptions, printer: &mut Printer) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut args::command(), "keywright", &mut script);
    printer.answer(&String::from_utf8_lossy(&script));
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printer::Talk;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        use clap_complete::Shell::{Bash, Elvish, Fish, PowerShell, Zsh};
        for shell in [Bash, Elvish, Fish, PowerShell, Zsh] {
            let (mut printer, seen) = Printer::in_memory(Talk::Normal);
            assert_eq!(run(&CompletionsOptions { shell }, &mut printer), Exit::Done);
            assert!(seen.answers().contains("explain"), "{shell}");
        }
    }
}
