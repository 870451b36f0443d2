//! Access gained and lost, as data.

use crate::ids::KeyName;
use std::collections::{BTreeMap, BTreeSet};

/// What a change risks, from harmless to grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Nothing of the below.
    Routine,
    /// Administration.
    Administer,
    /// Access from another account.
    CrossAccount,
    /// Access by everybody.
    Public,
    /// Disabling, deletion.
    Destroy,
    /// Reading data.
    Decrypt,
    /// A way to give oneself more.
    Escalation,
}

impl Risk {
    /// Returns the risk's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Administer => "administer",
            Self::CrossAccount => "cross-account",
            Self::Public => "public",
            Self::Destroy => "destroy",
            Self::Decrypt => "decrypt",
            Self::Escalation => "escalation",
        }
    }
}

/// What changes in access.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessChange {
    /// What principals gain, gravest first.
    pub gains: Vec<AccessLine>,
    /// What principals lose.
    pub losses: Vec<AccessLine>,
}

/// One principal's gain or loss of one capability on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLine {
    /// The key.
    pub key: KeyName,
    /// Who, as people read it.
    pub principal: String,
    /// What: a capability's name where the actions are one's, else the actions.
    pub capability: String,
    /// The exact actions.
    pub actions: BTreeSet<String>,
    /// Conditions in words; empty: none.
    pub conditions: Vec<String>,
    /// What it risks.
    pub risk: Risk,
    /// Whether it is decided; what is not counts like what is.
    pub certainty: Certainty,
    /// A concrete request that the old state refuses and the new one allows (of a loss: the other way round),
    /// confirmed by the evaluator; `None` only where it is not decided.
    pub witness: Option<Witness>,
}

/// Whether a gain or loss is decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// A request proves it.
    Certain,
    /// No request proves it, nor is it proved that there is none.
    Undetermined {
        /// Why: what AWS leaves open, what is outside of what can be decided, or that it took too long.
        reason: String,
    },
}

/// A concrete request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Witness {
    /// The caller's ARN, or service.
    pub principal: String,
    /// The action.
    pub action: String,
    /// The condition keys that the request carries.
    pub context: BTreeMap<String, String>,
}
