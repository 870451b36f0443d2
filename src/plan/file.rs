//! The saved plan: what was approved, to be compared with a new plan and never executed itself.

use super::{Digest, Plan, data};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fmt;

/// How long a saved plan may be applied.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// A saved plan, as far as `apply` believes it: when it was made, and the digest to meet.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFile {
    /// When it was saved.
    pub created: Timestamp,
    /// The digest that a new plan must have.
    pub digest: Digest,
    /// The plan as it was shown, to say what changed since.
    pub plan: Value,
}

/// Why a file is not a saved plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFileError(pub String);

impl fmt::Display for PlanFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlanFileError {}

/// Why a saved plan is not applied any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StalePlan {
    /// It is older than 24 hours, or from the future.
    Expired {
        /// When it was saved.
        created: Timestamp,
    },
    /// A new plan differs.
    Changed {
        /// What differs, a line each; never empty.
        differences: Vec<String>,
    },
}

impl PlanFile {
    /// Returns a plan as the text of a file.
    pub fn write(plan: &Plan, created: Timestamp) -> String {
        let file = json!({"keywright_plan": data::PLAN_FORMAT_VERSION, "created": created.to_string(), "plan": data::plan_to_json(plan)});
        format!("{file:#}\n")
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it is no saved plan of this format version.
    pub fn parse(text: &str) -> Result<Self, PlanFileError> {
        let fail = |what: &str| PlanFileError(what.to_owned());
        let file: Value =
            serde_json::from_str(text).map_err(|error| PlanFileError(format!("the file is not JSON: {error}")))?;
        let version = file
            .get("keywright_plan")
            .and_then(Value::as_u64)
            .ok_or_else(|| fail("the file is not a plan saved with --out"))?;
        if version != u64::from(data::PLAN_FORMAT_VERSION) {
            return Err(PlanFileError(format!(
                "the file has format version {version}, this keywright reads {}",
                data::PLAN_FORMAT_VERSION
            )));
        }
        let created = file.get("created").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let plan = file.get("plan").cloned().ok_or_else(|| fail("the file has no plan"))?;
        let digest =
            plan.get("digest").and_then(Value::as_str).ok_or_else(|| fail("the plan has no digest"))?.to_owned();
        Ok(Self {
            created: created.ok_or_else(|| fail("the file has no valid time of creation"))?,
            digest: Digest(digest),
            plan,
        })
    }

    /// Checks the file against a new plan: nothing in the file is ever executed.
    ///
    /// # Errors
    /// If the file expired or the new plan differs, with what differs.
    pub fn compare(&self, plan: &Plan, now: Timestamp) -> Result<(), StalePlan> {
        let age = now.duration_since(self.created);
        if age > LIFETIME || age < SignedDuration::from_mins(-5) {
            return Err(StalePlan::Expired { created: self.created });
        }
        if self.digest == plan.digest {
            return Ok(());
        }
        let mut differences = Vec::new();
        difference("", &self.plan, &data::plan_to_json(plan), &mut differences);
        differences.retain(|line| !line.starts_with("digest"));
        if differences.is_empty() {
            differences
                .push("the live state, the manifest, or the version of keywright: the steps are the same".to_owned());
        }
        Err(StalePlan::Changed { differences })
    }
}

/// Lists where two plans differ, by path; values stay out, since policies are long.
fn difference(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                difference(&below(name), value, new.get(name).unwrap_or(&Value::Null), found);
            }
            for name in new.keys().filter(|name| !old.contains_key(*name)) {
                found.push(format!("{} is new", below(name)));
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                difference(&format!("{path}{}", label(new, index)), old, new, found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            found.push(format!("{path}: {} before, {} now", old.len(), new.len()))
        }
        (old, new) if old == new => {}
        (_, Value::Null) => found.push(format!("{path} is gone")),
        _ => found.push(format!("{path} changed")),
    }
}

/// A list's element by its name where it has one.
fn label(value: &Value, index: usize) -> String {
    let named = ["name", "account", "id", "key"].iter().find_map(|field| value.get(field).and_then(Value::as_str));
    named.map_or_else(|| format!("[{index}]"), |name| format!("[{name}]"))
}
