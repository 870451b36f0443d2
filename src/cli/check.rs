//! `keywright check`: parses and validates the manifest, every error at once, and lints the policies that it makes.

use super::args::{CheckOptions, Format};
use super::load::{self, Manifest};
use super::printer::Printer;
use super::report;
use crate::diag::Diagnostics;
use crate::exit::Exit;
use crate::lint::LintSeverity;
use crate::render::{json, lint_to_json};
use crate::review::{self, KeyLints};
use crate::text::{escape, plural};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Runs the command.
pub fn run(options: &CheckOptions, printer: &mut Printer) -> Exit {
    let manifest = match load::validate(&options.manifest, options.format.format, printer) {
        Ok(manifest) => manifest,
        Err(exit) => return exit,
    };
    let lints = review::key_lints(&manifest.desired);
    let mut remarks = Diagnostics::default();
    let warnings = lints.iter().flat_map(KeyLints::warnings);
    manifest.remarks.iter().cloned().chain(warnings).for_each(|remark| remarks.push(remark));
    let remarks = remarks.into_sorted();
    match options.format.format {
        Format::Text => {
            report::print(&remarks, &manifest.sources, Format::Text, printer);
            information(&lints, printer);
            printer.answer(&verdict(&manifest));
        }
        Format::Json => {
            let mut document = report::to_json(&remarks, &manifest.sources);
            if let Some(members) = document.as_object_mut() {
                members.insert("lints".to_owned(), lints_as_json(&lints, &manifest));
            }
            printer.answer(&json::to_text(&document));
        }
    }
    Exit::Done
}

/// What is worth knowing without being wrong is a detail.
fn information(lints: &[KeyLints], printer: &mut Printer) {
    let mut said = BTreeSet::new();
    for lint in lints {
        for finding in lint.findings.iter().filter(|finding| finding.severity == LintSeverity::Info) {
            let line = format!("key {}, {}: {} ({})", lint.key, finding.place, finding.message, finding.code.name());
            if said.insert(line.clone()) {
                printer.detail(&format!("info: {}", escape(&line)));
            }
        }
    }
}

fn verdict(manifest: &Manifest) -> String {
    let desired = &manifest.desired;
    let keys: BTreeSet<_> = desired.targets.iter().flat_map(|target| &target.keys).map(|key| &key.name).collect();
    let roles: BTreeSet<_> =
        desired.accounts.iter().flat_map(|account| &account.roles).map(|role| &role.name).collect();
    format!(
        "The manifest of stack `{}` is valid: {} and {} in {}",
        desired.stack,
        plural(keys.len(), "key"),
        plural(roles.len(), "managed role"),
        plural(desired.targets.len(), "target"),
    )
}

fn lints_as_json(lints: &[KeyLints], manifest: &Manifest) -> Value {
    let entry = |lint: &KeyLints| {
        let position = manifest.sources.position(lint.loc);
        json!({
            "target": lint.target,
            "key": lint.key,
            "file": position.as_ref().map(|position| &position.file),
            "line": position.as_ref().map(|position| position.line),
            "findings": lint.findings.iter().map(lint_to_json).collect::<Vec<_>>(),
        })
    };
    lints.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{FormatOptions, ManifestOptions};
    use crate::cli::printer::Talk;
    use std::path::PathBuf;

    /// Returns what a check of a folder of the repository answers and says.
    fn check(path: &str, format: Format, talk: Talk) -> (String, String) {
        let files = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)];
        let options = CheckOptions { manifest: ManifestOptions { files }, format: FormatOptions { format } };
        let (mut printer, seen) = Printer::in_memory(talk);
        assert_eq!(run(&options, &mut printer), Exit::Done);
        (seen.answers(), seen.talk())
    }

    #[test]
    fn the_example_has_nothing_to_warn_about() {
        assert_eq!(check("examples/data-classes", Format::Text, Talk::Normal).1, "");
        let (_, talk) = check("examples/data-classes", Format::Text, Talk::Verbose);
        assert!(talk.contains("info: key public-objects, statement 1 `EnableIamPolicies`: "), "{talk}");
        assert!(talk.lines().all(|line| line.starts_with("info: ")), "{talk}");
    }

    #[test]
    fn json_has_the_lints_of_every_severity() {
        let (answer, _) = check("examples/data-classes", Format::Json, Talk::Normal);
        let value: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&value["warnings"], &value["diagnostics"]), (&json!(0), &json!([])));
        let lints = value["lints"].as_array().unwrap();
        let public = lints.iter().find(|lint| lint["key"] == "public-objects").unwrap();
        assert_eq!(public["findings"][0]["code"], "iam-delegated");
        assert!(public["line"].as_u64().unwrap() > 1);
    }
}
