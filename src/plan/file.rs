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
        let mut paths = Vec::new();
        difference("", &self.plan, &data::plan_to_json(plan), &mut paths);
        let counts_only = |line: &String| line.starts_with("digest") || line.starts_with("summary");
        let mut differences = self.in_words(plan);
        differences.extend(paths.into_iter().filter(|line| !counts_only(line)));
        if differences.is_empty() {
            differences
                .push("the live state, the manifest, or the version of keywright: the steps are the same".to_owned());
        }
        Err(StalePlan::Changed { differences })
    }

    /// The two ends of a plan that people meet: it was carried out already, or it was somebody else's.
    fn in_words(&self, plan: &Plan) -> Vec<String> {
        let mut words = Vec::new();
        let planned = |plan: &Value| plan.pointer("/summary/steps").and_then(Value::as_u64).unwrap_or(0);
        if planned(&self.plan) > 0 && planned(&data::plan_to_json(plan)) == 0 {
            words.push("nothing is left to do: what was planned is there already".to_owned());
        }
        let saved = self.plan.get("targets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for target in &plan.targets {
            let before =
                saved.iter().find(|saved| saved.get("name").and_then(Value::as_str) == Some(target.name.as_str()));
            let caller = before.and_then(|saved| saved.get("caller")).and_then(Value::as_str);
            if let Some(caller) = caller.filter(|caller| *caller != target.caller) {
                let now = &target.caller;
                words.push(format!(
                    "target {} was planned as {caller}, and this is {now}: a plan is applied by who made it",
                    target.name
                ));
            }
        }
        words
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
            found.push(format!("{path}: {} before, {} now", old.len(), new.len()));
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
