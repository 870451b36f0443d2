//! What is linted, and what a lint says: neutral inputs, findings with a code, a severity, a place and a remedy.

use super::rule::Rule;
use crate::access::KeyFacts;
use crate::diag::Code;
use crate::kms::KeyState;
use crate::live::{LiveKey, LiveRotation};
use crate::policy::PolicyDocument;
use std::cmp::Reverse;
use std::fmt;

/// A key to be linted: what access decisions need of it, and its settings.
#[derive(Debug, Clone, Copy)]
pub struct LintKey<'a> {
    /// The key's policy, grants, tags, aliases and attributes.
    pub facts: &'a KeyFacts,
    /// How much of the key's place is known; what depends on more is not said.
    pub place: KnownPlace,
    /// The state; `None` where it is not known.
    pub state: Option<KeyState>,
    /// Automatic rotation; `None` where it is not known.
    pub rotation: Option<LiveRotation>,
    /// The length of the policy's text as it was read; `None`: as it would be written.
    pub policy_bytes: Option<usize>,
}

/// How much is known of where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownPlace {
    /// Nothing: the policy stands alone.
    Nothing,
    /// The account, whose principals alone may change the policy.
    Account,
    /// Its ARN.
    Arn,
}

impl<'a> LintKey<'a> {
    /// Returns a key of which access facts alone are known.
    pub fn new(facts: &'a KeyFacts) -> Self {
        Self { facts, place: KnownPlace::Arn, state: None, rotation: None, policy_bytes: None }
    }

    /// Returns a key as read, with the facts that were made of it.
    pub fn live(facts: &'a KeyFacts, key: &LiveKey) -> Self {
        Self {
            facts,
            place: KnownPlace::Arn,
            state: key.metadata.known().map(|metadata| metadata.state),
            rotation: key.rotation.known().copied(),
            policy_bytes: key.policy.known().map(|policy| policy.text.len()),
        }
    }
}

/// An identity to be linted: a user, a role or a group with its policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintIdentity<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// Its policies, those of its groups included.
    pub policies: Vec<IdentityPolicy<'a>>,
}

/// One policy of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityPolicy<'a> {
    /// Its name, or its ARN.
    pub name: &'a str,
    /// Who keeps it.
    pub kind: IdentityPolicyKind,
    /// What it says.
    pub document: &'a PolicyDocument,
}

/// Who keeps an identity policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentityPolicyKind {
    /// It is part of the identity.
    Inline,
    /// It is a managed policy of the customer's.
    CustomerManaged,
    /// It is a managed policy of AWS's, which nobody but AWS can change.
    AwsManaged,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LintSeverity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Untidy, or less than it says.
    Low,
    /// Something does not do what it says, or gives more than it needs to.
    Medium,
    /// Somebody can take what it was not given.
    High,
    /// Anybody can, or data is about to be lost.
    Critical,
}

impl fmt::Display for LintSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintPlace {
    /// The key and its settings.
    Key,
    /// The policy as a whole.
    Policy,
    /// A statement of the policy.
    Statement {
        /// Its place, from 0.
        index: usize,
        /// Its `Sid`.
        sid: Option<String>,
    },
    /// A grant.
    Grant {
        /// Its id.
        id: String,
    },
    /// A policy of an identity.
    Identity {
        /// The policy's name.
        policy: String,
        /// The statement's place, from 0.
        index: usize,
        /// Its `Sid`.
        sid: Option<String>,
    },
}

impl fmt::Display for LintPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sid = |sid: &Option<String>| sid.as_ref().map(|sid| format!(" `{sid}`")).unwrap_or_default();
        match self {
            Self::Key => f.write_str("the key"),
            Self::Policy => f.write_str("the policy"),
            Self::Statement { index, sid: id } => write!(f, "statement {}{}", index + 1, sid(id)),
            Self::Grant { id } => write!(f, "grant `{id}`"),
            Self::Identity { policy, index, sid: id } => {
                write!(f, "policy `{policy}`, statement {}{}", index + 1, sid(id))
            }
        }
    }
}

/// One thing that a lint found. Texts from outside are not escaped here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFinding {
    /// The stable code.
    pub code: Code,
    /// How grave it is.
    pub severity: LintSeverity,
    /// What is so, in words, without the place.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// What it is about.
    pub place: LintPlace,
    /// The controls of Security Hub, AWS Config, CIS and others that ask for the same.
    pub controls: Vec<&'static str>,
}

impl LintFinding {
    /// Returns a finding of a rule, as grave as the rule is at most, with the rule's remedy and controls.
    pub(super) fn of(rule: &'static Rule, place: LintPlace, message: String) -> Self {
        Self {
            code: rule.code,
            severity: rule.severity,
            message,
            remedy: rule.remedy.to_owned(),
            place,
            controls: rule.controls.to_vec(),
        }
    }

    /// Sets how grave it is.
    #[must_use]
    pub(super) fn severity(mut self, severity: LintSeverity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets what to do about it.
    #[must_use]
    pub(super) fn remedy(mut self, remedy: String) -> Self {
        self.remedy = remedy;
        self
    }

    /// Sets the controls that ask for the same.
    #[must_use]
    pub(super) fn controls(mut self, controls: &[&'static str]) -> Self {
        self.controls = controls.to_vec();
        self
    }
}

/// Puts findings in order: the gravest first, then by place, code and words; each once.
pub(super) fn sorted(mut findings: Vec<LintFinding>) -> Vec<LintFinding> {
    findings.sort_by(|a, b| {
        let order = |one: &LintFinding| (Reverse(one.severity), one.place.clone(), one.code, one.message.clone());
        order(a).cmp(&order(b))
    });
    findings.dedup();
    findings
}
