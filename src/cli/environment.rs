//! Every environment variable that stands for an option, in one table.
//!
//! Consent (`--yes`, `--force`, `--bypass-lockout-check`, `--allow-retire`, `--cancel-deletion`, `--delete-material`,
//! `--allow-command`, `--allow-readable`) and `--sandbox` have none: a variable left over in a shell must neither agree to a change nor turn a real run into a rehearsal. A variable that is set but empty is an
//! error, never "no limit": `KEYWRIGHT_ALLOW_ACCOUNT=$UNSET` must not allow every account.

use clap::ArgAction;
use clap::builder::FalseyValueParser;

/// The options of one command that have a variable; `""` is for options that mean the same in every command.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("", "quiet", "KEYWRIGHT_QUIET"),
    ("", "verbose", "KEYWRIGHT_VERBOSE"),
    ("", "color", "KEYWRIGHT_COLOR"),
    ("", "files", "KEYWRIGHT_FILE"),
    ("", "targets", "KEYWRIGHT_TARGET"),
    ("", "keys", "KEYWRIGHT_KEY"),
    ("", "format", "KEYWRIGHT_FORMAT"),
    ("", "endpoint_url", "KEYWRIGHT_ENDPOINT_URL"),
    ("", "parallel", "KEYWRIGHT_PARALLEL"),
    ("", "wait", "KEYWRIGHT_WAIT"),
    ("init", "stack", "KEYWRIGHT_INIT_STACK"),
    ("init", "account", "KEYWRIGHT_INIT_ACCOUNT"),
    ("init", "region", "KEYWRIGHT_INIT_REGION"),
    ("init", "classes", "KEYWRIGHT_INIT_CLASS"),
    ("init", "out", "KEYWRIGHT_INIT_OUT"),
    ("init", "stdout", "KEYWRIGHT_INIT_STDOUT"),
    ("plan", "out", "KEYWRIGHT_PLAN_OUT"),
    ("plan", "check", "KEYWRIGHT_PLAN_CHECK"),
    ("plan", "policy_text", "KEYWRIGHT_POLICY_TEXT"),
    ("plan", "normalize", "KEYWRIGHT_NORMALIZE"),
    ("plan", "refresh_only", "KEYWRIGHT_REFRESH_ONLY"),
    ("plan", "since", "KEYWRIGHT_PLAN_SINCE"),
    ("apply", "normalize", "KEYWRIGHT_NORMALIZE"),
    ("apply", "expect_digest", "KEYWRIGHT_EXPECT_DIGEST"),
    ("apply", "expect_creates", "KEYWRIGHT_EXPECT_CREATES"),
    ("", "allow_accounts", "KEYWRIGHT_ALLOW_ACCOUNT"),
    ("", "allow_roles", "KEYWRIGHT_ALLOW_ROLE"),
    ("", "prewrapped", "KEYWRIGHT_PREWRAPPED"),
    ("", "reimport", "KEYWRIGHT_REIMPORT"),
    ("import-parameters", "out", "KEYWRIGHT_IMPORT_PARAMETERS_OUT"),
    ("import-parameters", "material", "KEYWRIGHT_MATERIAL"),
    ("", "live", "KEYWRIGHT_LIVE"),
    ("", "context", "KEYWRIGHT_CONTEXT"),
    ("", "via", "KEYWRIGHT_VIA"),
    ("", "conditions", "KEYWRIGHT_CONDITION"),
    ("simulate", "check", "KEYWRIGHT_SIMULATE_CHECK"),
    ("verify", "as_roles", "KEYWRIGHT_AS_ROLES"),
    ("verify", "require_complete", "KEYWRIGHT_REQUIRE_COMPLETE"),
    ("verify", "with_material", "KEYWRIGHT_WITH_MATERIAL"),
    ("verify", "canary", "KEYWRIGHT_CANARY"),
    ("diff", "check", "KEYWRIGHT_DIFF_CHECK"),
    ("diff", "fail_on", "KEYWRIGHT_DIFF_FAIL_ON"),
    ("lint", "fail_on", "KEYWRIGHT_LINT_FAIL_ON"),
    ("snapshot", "out", "KEYWRIGHT_SNAPSHOT_OUT"),
    ("inventory", "last_use", "KEYWRIGHT_INVENTORY_LAST_USE"),
    ("inventory", "findings", "KEYWRIGHT_INVENTORY_FINDINGS"),
    ("inventory", "expiring", "KEYWRIGHT_INVENTORY_EXPIRING"),
    ("inventory", "check", "KEYWRIGHT_INVENTORY_CHECK"),
    ("man", "out", "KEYWRIGHT_MAN_OUT"),
    ("serve", "port", "KEYWRIGHT_SANDBOX_PORT"),
    ("serve", "state", "KEYWRIGHT_SANDBOX_STATE"),
    ("serve", "latency", "KEYWRIGHT_SANDBOX_LATENCY"),
    ("serve", "faults", "KEYWRIGHT_SANDBOX_FAULTS"),
    ("serve", "clock", "KEYWRIGHT_SANDBOX_CLOCK"),
    ("", "clock", "KEYWRIGHT_CLOCK"),
];

/// Returns the variable that stands for an option of a command.
pub fn variable(command: &str, option: &str) -> Option<&'static str> {
    VARIABLES
        .iter()
        .find(|(of, id, _)| (of.is_empty() || *of == command) && *id == option)
        .map(|(_, _, variable)| *variable)
}

/// Returns the command with every option's variable attached, its subcommands included.
pub(super) fn attach(command: clap::Command) -> clap::Command {
    let name = command.get_name().to_owned();
    command.mut_args(|option| attach_to(&name, option)).mut_subcommands(attach)
}

fn attach_to(command: &str, option: clap::Arg) -> clap::Arg {
    let Some(variable) = variable(command, option.get_id().as_str()) else { return option };
    // Values stay out of `--help`: they differ from machine to machine.
    let option = option.env(variable).hide_env_values(true);
    if matches!(option.get_action(), ArgAction::SetTrue) {
        option.value_parser(FalseyValueParser::new())
    } else {
        option
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    const WITHOUT: &[&str] = &[
        "help",
        "version",
        "yes",
        "force",
        "bypass_lockout_check",
        "allow_retire",
        "cancel_deletion",
        "delete_material",
        "allow_command",
        "allow_readable",
        "sandbox",
    ];

    fn visit(command: &clap::Command, found: &mut Vec<(String, String, Option<String>)>) {
        for option in command.get_arguments().filter(|option| !option.is_positional()) {
            let variable = option.get_env().map(|name| name.to_string_lossy().into_owned());
            found.push((command.get_name().to_owned(), option.get_id().to_string(), variable));
        }
        command.get_subcommands().for_each(|subcommand| visit(subcommand, found));
    }

    #[test]
    fn every_option_has_a_variable_but_consent_and_the_sandbox() {
        let mut found = Vec::new();
        visit(&args::command(), &mut found);
        assert!(found.len() > 30);
        for (command, option, variable) in found {
            assert_eq!(variable.is_none(), WITHOUT.contains(&option.as_str()), "{command} --{option}: {variable:?}");
        }
    }

    #[test]
    fn no_variable_of_the_table_is_left_over() {
        let mut found = Vec::new();
        visit(&args::command(), &mut found);
        for (command, option, variable) in VARIABLES {
            if (command == &"serve" || option == &"clock") && !cfg!(feature = "sandbox") {
                continue;
            }
            assert!(
                found.iter().any(|(of, id, _)| (command.is_empty() || command == of) && option == id),
                "{command} {option} {variable}"
            );
        }
    }
}
