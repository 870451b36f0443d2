//! The reference pages that are generated: `docs/cli.md` from the command line, `docs/codes.md` from the table of
//! codes, `docs/lints.md` from the table of lints. A test compares them with the files.

use super::args;
use crate::diag::Code;
use crate::lint::{RULES, Rule};
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

const LINTS: &str = "\
# Lints

What keywright says of policies, grants and settings beside \"valid\". `keywright check` lints the policy and the settings \
of each declared key, on the key's line of the manifest; `keywright plan` the live policy, grants and settings of each key \
that is ours, where the plan does not mend what it finds. Findings of severity `info` are shown with `--verbose` alone; \
JSON has them always.

Scanners look at syntax. Here the facts of KMS decide (which actions carry which condition key, which keys can rotate), \
and where access decides, the evaluator is asked:

* **Public** is an allow that admits a caller whom nothing names. Callers of an unnamed account, with every right there, \
and services that call for it are tried against the statement and every deny, with each value that the conditions ask for. \
So a deny can fence an allow, and a condition that does not say who calls fences nothing.
* **Every key** is a key that nothing names, in the account and Region of the Resource: if the identity may decrypt under \
it, and no deny takes that back, the statement is too wide. Tags and aliases of the key fence, because that key has none.
* **Rotation** is missed only where KMS could rotate.
* AWS's default key policy is not vulnerable. It is delegated: IAM decides.

The severity is the gravest that a rule gives. Security Hub rates KMS.1, KMS.2 and KMS.4 medium, KMS.3 and KMS.5 critical.

Generated from the program: `UPDATE=1 cargo test --test pure`.
";

/// Returns `docs/lints.md`.
pub fn lints() -> String {
    let mut page = LINTS.to_owned();
    page.push_str("\n| code | severity | asked for by |\n|---|---|---|\n");
    for rule in RULES {
        let code = rule.code.name();
        let _ok = writeln!(page, "| [{code}](#{code}) | {} | {} |", rule.severity, rule.controls.join(", "));
    }
    for rule in RULES {
        lint(rule, &mut page);
    }
    page
}

fn lint(rule: &Rule, page: &mut String) {
    let _ok = write!(page, "\n## {}\n\n{}\n\n*Remedy*: {}.\n", rule.code.name(), rule.code.explanation(), rule.remedy);
    if !rule.exempt.is_empty() {
        let _ok = write!(page, "\n*Not reported, or less gravely*: {}\n", rule.exempt);
    }
}
