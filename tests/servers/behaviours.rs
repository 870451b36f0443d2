//! How much of what AWS does our sandbox does: `behaviours.py` counts, and this holds it to the count.
//!
//! What does not hold is listed in `behaviours-missing.txt` with its reason, so that a regression shows, and that what
//! begins to hold is taken off the list.

use crate::process::{Outcome, Place, Sandbox, demand};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// What `behaviours.py` needs: cryptography 50 has ML-DSA and ML-KEM, kyber-py has ML-KEM-512.
pub(crate) const PACKAGES: &[&str] = &["boto3==1.44.8", "cryptography==50.0.2", "kyber-py==1.2.0"];

const ALL: usize = 169;
const AT_LEAST: usize = 150;
const MISSING: &str = include_str!("behaviours-missing.txt");

/// What one check found.
#[derive(Deserialize)]
struct Verdict {
    id: String,
    reason: Option<String>,
}

/// What the suite prints.
#[derive(Deserialize)]
struct Report {
    ok: usize,
    checks: Vec<Verdict>,
}

/// Returns the behaviours that are known not to hold.
fn missing() -> Outcome<BTreeMap<&'static str, &'static str>> {
    let entries = MISSING.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = entries.map(|line| line.split_once(' ').ok_or_else(|| format!("`{line}` has no reason").into()));
    pairs.collect()
}

/// Runs the suite on the sandbox.
fn measure(python: &Path) -> Outcome<Report> {
    let place = Place::new("", "", "")?;
    let sandbox = Sandbox::start(&place)?;
    let endpoint = sandbox.exports().get("AWS_ENDPOINT_URL").ok_or("no endpoint")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/behaviours.py");
    let mut command = Command::new(python);
    command.args([script, "--json", "--endpoint", endpoint]).env_clear().envs(sandbox.exports());
    command.env("HOME", place.path()).env("AWS_EC2_METADATA_DISABLED", "true");
    let output = command.output()?;
    let talk = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).map_err(|error| format!("no report ({error}): {talk}").into())
}

pub(crate) fn of_the_sandbox(python: &Path) -> Outcome<()> {
    let report = measure(python)?;
    let known = missing()?;
    let mut wrong = Vec::new();
    for verdict in &report.checks {
        match (&verdict.reason, known.contains_key(verdict.id.as_str())) {
            (Some(reason), false) => wrong.push(format!("{} does not hold: {reason}", verdict.id)),
            (None, true) => wrong.push(format!("{} holds now: take it off the list", verdict.id)),
            (Some(_), true) | (None, false) => {}
        }
    }
    for id in known.keys().filter(|id| !report.checks.iter().any(|verdict| verdict.id == **id)) {
        wrong.push(format!("{id} is listed as missing, but there is no such check"));
    }
    demand(wrong.is_empty(), || format!("the list of what is missing is not right:\n{}", wrong.join("\n")))?;
    let count = report.checks.len();
    demand(count == ALL, || format!("{count} behaviours were checked, not {ALL}"))?;
    demand(report.ok >= AT_LEAST, || format!("{} of {ALL} behaviours hold, not {AT_LEAST}", report.ok))
}
