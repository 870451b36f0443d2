//! Whether somebody keeps a way to change a key's policy, and what is missing where nobody does.

use crate::access::{
    ContextValue, Decision, Evaluation, Guardrails, KeyFacts, Layer, PrincipalFacts, Request, TraceEntry, Unknown,
    evaluate,
};
use std::fmt;

/// Somebody who should be able to change a key's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// How people call it.
    pub name: String,
    /// What is known of it.
    pub standing: Standing,
}

/// What is known of somebody at some point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It exists.
    Here(Box<PrincipalFacts>),
    /// It does not exist, or not yet.
    Absent,
    /// It exists, and what its permissions boundary says is not known.
    BoundaryUnread {
        /// The boundary's ARN.
        boundary: String,
    },
}

/// Nobody who should could change the policy afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedOut {
    /// The ways back in that are missing; never empty.
    pub missing: Vec<MissingWay>,
}

/// A way to change the policy that would be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingWay {
    /// The caller's own: KMS would refuse the policy.
    Caller(NoWay),
    /// That of every declared administrator.
    Administrators(Vec<NoWay>),
}

/// Somebody who could not change the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWay {
    /// How people call it.
    pub name: String,
    /// Why not.
    pub why: WhyNot,
}

/// Why somebody could not change a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNot {
    /// It does not exist at that point.
    Absent,
    /// Its permissions boundary could not be read.
    BoundaryUnread(String),
    /// A statement denies it; which one.
    Denied(String),
    /// The key policy neither names it nor leaves it to the account's IAM.
    NotNamed,
    /// The key policy would let it, if its own policies did: what they lack.
    NotAllowed(String),
    /// It depends on what nobody knows beforehand.
    Open(String),
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("it does not exist at that point"),
            Self::BoundaryUnread(boundary) => write!(f, "its permissions boundary `{boundary}` could not be read"),
            Self::Denied(place) => write!(f, "{place} denies `kms:PutKeyPolicy`"),
            Self::NotNamed => f.write_str("no statement of the key policy allows it `kms:PutKeyPolicy`"),
            Self::NotAllowed(lack) => f.write_str(lack),
            Self::Open(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.why)
    }
}

/// Checks that under a key's policy the caller, where one is given, and at least one declared administrator certainly
/// may change it again.
///
/// What hangs on a condition that nobody can answer beforehand (where a call comes from, whether a service forwards it)
/// is no certain way in. Neither is the account's root user: recovery does not satisfy KMS's own check of the caller.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
///
/// # Errors
/// With the ways that are missing.
pub fn keeps_a_way_in(key: &KeyFacts, caller: Option<&Candidate>, admins: &[Candidate]) -> Result<(), LockedOut> {
    let missing_caller = caller.and_then(|caller| no_way(key, caller)).map(MissingWay::Caller);
    let without: Vec<NoWay> = admins.iter().filter_map(|admin| no_way(key, admin)).collect();
    let missing_admins = (without.len() == admins.len()).then_some(MissingWay::Administrators(without));
    let missing: Vec<MissingWay> = missing_caller.into_iter().chain(missing_admins).collect();
    if missing.is_empty() { Ok(()) } else { Err(LockedOut { missing }) }
}

/// Returns why somebody could not change a key's policy; `None` if it certainly could.
pub fn no_way(key: &KeyFacts, candidate: &Candidate) -> Option<NoWay> {
    let why = match &candidate.standing {
        Standing::Absent => Some(WhyNot::Absent),
        Standing::BoundaryUnread { boundary } => Some(WhyNot::BoundaryUnread(boundary.clone())),
        Standing::Here(facts) => why_not(&evaluate(&put_key_policy(key), facts, Some(key), &Guardrails::default())),
    }?;
    Some(NoWay { name: candidate.name.clone(), why })
}

/// Returns the call as far as it is known beforehand: keywright keeps KMS's own lock-out check.
fn put_key_policy(key: &KeyFacts) -> Request {
    let mut request = Request::new("kms:PutKeyPolicy", key.arn.clone(), key.region.clone());
    let check_kept = ContextValue::One("false".to_owned());
    request.context.insert("kms:BypassPolicyLockoutSafetyCheck".to_owned(), Some(check_kept));
    request.unknown = Unknown::Everything;
    request
}

fn why_not(found: &Evaluation) -> Option<WhyNot> {
    match &found.decision {
        Decision::Allow => None,
        Decision::ExplicitDeny => Some(WhyNot::Denied(found.trace.first().map(place).unwrap_or_default())),
        Decision::ImplicitDeny => Some(lack(&found.trace)),
        Decision::Undetermined(reason) => Some(WhyNot::Open(reason.clone())),
    }
}

/// Returns what is missing for the nearest way: all three ways of the key policy, or what the caller's own side lacks.
fn lack(trace: &[TraceEntry]) -> WhyNot {
    let by_key = trace.iter().filter(|entry| entry.layer == Layer::KeyPolicy).count();
    let own: Vec<&str> = trace
        .iter()
        .filter(|entry| matches!(entry.layer, Layer::Identity | Layer::Boundary | Layer::Session | Layer::Scp))
        .map(|entry| entry.text.as_str())
        .collect();
    if by_key >= WAYS_BY_KEY_POLICY || own.is_empty() { WhyNot::NotNamed } else { WhyNot::NotAllowed(own.join("; ")) }
}

/// By itself, by its role or user, by its account.
const WAYS_BY_KEY_POLICY: usize = 3;

/// Returns which statement it is, in words.
pub(super) fn place(entry: &TraceEntry) -> String {
    let layer = match entry.layer {
        Layer::KeyPolicy => "the key policy",
        Layer::RamPolicy => "the policy of the resource share",
        Layer::Identity => "its identity policies",
        Layer::Boundary => "its permissions boundary",
        Layer::Session => "its session policy",
        Layer::Scp => "a service control policy",
        Layer::Rcp => "a resource control policy",
        Layer::Grant => "a grant",
        Layer::Trust => "the trust policy",
    };
    match (&entry.id, entry.statement) {
        (Some(id), _) => format!("the statement `{id}` of {layer}"),
        (None, Some((_, statement))) => format!("statement {} of {layer}", statement.saturating_add(1)),
        (None, None) => layer.to_owned(),
    }
}
