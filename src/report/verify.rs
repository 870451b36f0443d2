//! What `verify` found.

use super::Canary;
use crate::exit::Exit;
use crate::ids::{KeyName, TargetName};

/// What a probe should see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// The call succeeds.
    Allowed,
    /// The call is denied.
    Denied,
    /// What was altered does not pass: the ciphertext, message, signature or code is refused, or another secret comes
    /// out than the one.
    Refused,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeResult {
    /// As expected, by a real call or a real computation.
    Passed,
    /// Not as expected.
    Failed {
        /// What was seen instead.
        observed: String,
    },
    /// Judged by the evaluator as expected, not called.
    Evaluated {
        /// Why it was not called.
        reason: String,
    },
    /// Not checked.
    NotChecked {
        /// Why not.
        reason: String,
    },
}

/// The scenario that stands, not checked, for all calls in the name of somebody who could not be called for.
pub const REAL_CALLS: &str = "real calls in its name";

/// One check of the self-test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The target.
    pub target: TargetName,
    /// The key.
    pub key: KeyName,
    /// In whose name, as people read it: `caller`, or a role's name.
    pub identity: String,
    /// What is checked: `envelope: round trip`, `deny: kms:Decrypt`.
    pub scenario: String,
    /// What should be seen.
    pub expected: Expectation,
    /// What came of it.
    pub result: ProbeResult,
    /// How long the calls took, in milliseconds; `None` where nothing was called.
    pub latency_ms: Option<u64>,
}

/// Imported key material that expires soon: no failure yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryWarning {
    /// The target.
    pub target: TargetName,
    /// The key.
    pub key: KeyName,
    /// The material's name, where the server tells it.
    pub material: Option<String>,
    /// When it expires.
    pub expires: jiff::Timestamp,
    /// How many days that is from today, by date; fewer than none where it has expired.
    pub days_left: i64,
    /// The same in words.
    pub text: String,
}

/// All probes, in order of target, key and identity.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// The probes.
    pub probes: Vec<Probe>,
    /// What will fail soon, by target and key.
    pub warnings: Vec<ExpiryWarning>,
    /// The canaries that were made, to be kept: none is printed.
    pub canaries: Vec<Canary>,
}

/// Whether probes that were not checked count as failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// They do: `--require-complete`.
    Required,
    /// They do not.
    BestEffort,
}

impl VerifyReport {
    /// Returns the exit code: 8 if a probe failed, or if one was not checked and completeness is required.
    pub fn exit(&self, completeness: Completeness) -> Exit {
        let bad = self.probes.iter().any(|probe| match probe.result {
            ProbeResult::Failed { .. } => true,
            ProbeResult::NotChecked { .. } => completeness == Completeness::Required,
            ProbeResult::Passed | ProbeResult::Evaluated { .. } => false,
        });
        if bad { Exit::ProbeFailed } else { Exit::Done }
    }
}
