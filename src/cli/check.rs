//! `keywright check`: parses and validates the manifest, every error at once.

use super::args::{CheckOptions, Format};
use super::load;
use super::printer::Printer;
use super::report;
use crate::exit::Exit;
use crate::text::plural;
use std::collections::BTreeSet;

/// Runs the command.
pub fn run(options: &CheckOptions, printer: &mut Printer) -> Exit {
    let manifest = match load::validate(&options.manifest, options.format.format, printer) {
        Ok(manifest) => manifest,
        Err(exit) => return exit,
    };
    report::print(&manifest.remarks, &manifest.sources, options.format.format, printer);
    if options.format.format == Format::Text {
        let keys: BTreeSet<_> =
            manifest.desired.targets.iter().flat_map(|target| &target.keys).map(|key| &key.name).collect();
        let roles: BTreeSet<_> =
            manifest.desired.accounts.iter().flat_map(|account| &account.roles).map(|role| &role.name).collect();
        printer.answer(&format!(
            "The manifest of stack `{}` is valid: {} and {} in {}",
            manifest.desired.stack,
            plural(keys.len(), "key"),
            plural(roles.len(), "managed role"),
            plural(manifest.desired.targets.len(), "target"),
        ));
    }
    Exit::Done
}
