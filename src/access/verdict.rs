//! The answer to a request: the decision, what decided it, and what stayed open.

/// What KMS answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The call is allowed.
    Allow,
    /// A deny statement matches.
    ExplicitDeny,
    /// Nothing allows the call.
    ImplicitDeny,
    /// AWS's documentation leaves it open, or a fact is missing; with the reason.
    Undetermined(String),
}

/// Which layer a trace entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The key policy.
    KeyPolicy,
    /// The second, read-only key policy of a resource share.
    RamPolicy,
    /// An identity policy of the caller.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// The session policy.
    Session,
    /// A service control policy.
    Scp,
    /// A resource control policy.
    Rcp,
    /// A grant.
    Grant,
    /// A role's trust policy.
    Trust,
}

/// One statement, grant or missing layer that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// Where it stands.
    pub layer: Layer,
    /// Which policy of the layer, from 0, and which statement in it; `None` for grants and for a layer as a whole.
    pub statement: Option<(usize, usize)>,
    /// The Sid or grant id, if there is one.
    pub id: Option<String>,
    /// What it did, in words: `allows role/app by its ARN`, `no identity policy allows kms:Decrypt`.
    pub text: String,
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The answer.
    pub decision: Decision,
    /// What decided it; never empty.
    pub trace: Vec<TraceEntry>,
}

impl Evaluation {
    /// Returns whether the call is certainly allowed.
    pub fn is_allowed(&self) -> bool {
        self.decision == Decision::Allow
    }
}
