//! The reference pages that are generated: `docs/cli.md` from the command line, `docs/codes.md` from the table of
//! codes. A test compares them with the files.

use super::args;
use crate::diag::Code;
use std::fmt::Write as _;

/// Returns `docs/cli.md`.
pub fn command_line() -> String {
    let mut page = "# The command line\n\nGenerated from the program: `UPDATE=1 cargo test --test pure`.\n".to_owned();
    let mut command = args::command().term_width(100);
    command.build();
    section(&command, &mut page);
    page
}

fn section(command: &clap::Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let help = command.clone().render_long_help().to_string();
    // Trailing blanks come from the parser's layout.
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing to a string cannot fail.
    let _ok = write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    let subcommands = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    subcommands.for_each(|subcommand| section(subcommand, page));
}

/// Returns `docs/codes.md`.
pub fn codes() -> String {
    let mut page =
        "# Diagnostic codes\n\nCodes are stable: never renamed, never reused. `keywright explain CODE` prints \
                    the same text.\nGenerated from the program: `UPDATE=1 cargo test --test pure`.\n"
            .to_owned();
    for code in Code::ALL {
        let _ok = write!(page, "\n## {}\n\n{}\n", code.name(), code.explanation());
    }
    page
}
