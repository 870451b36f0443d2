//! The difference as data.

use crate::ids::{AccountId, KeyName, MaterialName, Region, RoleName, StackName, TargetName};
use crate::live::{Backend, Unreadable};
use crate::review::{AccessChange, AccessLine, Risk, Witness};
use crate::snapshot::Origin;
use crate::source::Position;
use std::collections::BTreeSet;

/// What differs between two snapshots of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The old side.
    pub old: Side,
    /// The new side.
    pub new: Side,
    /// The targets in which something differs, sorted by name.
    pub targets: Vec<TargetDifference>,
    /// The accounts in which a role differs, sorted.
    pub accounts: Vec<AccountDifference>,
}

/// One of the two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The operand, as the caller named it.
    pub label: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The stack.
    pub stack: StackName,
    /// What answered, for live state.
    pub backends: BTreeSet<Backend>,
}

/// On which sides something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// On both.
    Both,
    /// On the new side alone.
    Added,
    /// On the old side alone.
    Removed,
    /// On both, but in another target before.
    MovedFrom(TargetName),
}

/// What differs in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetDifference {
    /// The target's name.
    pub name: TargetName,
    /// On which sides it is.
    pub presence: Presence,
    /// The account and Region on the old side.
    pub before: Option<(AccountId, Region)>,
    /// The account and Region on the new side.
    pub after: Option<(AccountId, Region)>,
    /// The keys that differ, sorted by name.
    pub keys: Vec<KeyDifference>,
    /// What could not be read on either side.
    pub unreadable: Vec<Unreadable>,
}

impl TargetDifference {
    /// Returns whether the account or the Region is another one.
    pub fn has_moved(&self) -> bool {
        self.presence == Presence::Both && self.before != self.after
    }

    pub(super) fn is_empty(&self) -> bool {
        self.presence == Presence::Both && !self.has_moved() && self.keys.is_empty() && self.unreadable.is_empty()
    }
}

/// What differs on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDifference {
    /// The key.
    pub key: KeyName,
    /// On which sides it is.
    pub presence: Presence,
    /// Access gained and lost.
    pub access: AccessChange,
    /// What a declaration gave that is gone; the key itself keeps its policy, so that nobody loses anything yet.
    pub gave: Vec<AccessLine>,
    /// Whether the policies or grants differ at all.
    pub policy: PolicyRelation,
    /// What else differs, in the order in which it is shown.
    pub properties: Vec<PropertyDifference>,
    /// What becomes of a change of its imported material, of which `properties` say what it is.
    pub material: Vec<MaterialChange>,
    /// What could not be compared, in words: the difference may be larger than shown.
    pub undecided: Vec<String>,
    /// Where the manifest declares it, on the new side, else on the old one.
    pub position: Option<Position>,
}

/// How the policies and grants of the two sides of a key relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRelation {
    /// They allow the same, maybe in other words.
    Same,
    /// They differ.
    Differs,
}

impl KeyDifference {
    pub(super) fn is_empty(&self) -> bool {
        self.presence == Presence::Both
            && self.policy == PolicyRelation::Same
            && self.properties.is_empty()
            && self.undecided.is_empty()
    }
}

/// What becomes of a change between two manifests of the material that a key imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaterialChange {
    /// The key rotates to a new material.
    Rotates {
        /// The material.
        material: MaterialName,
    },
    /// A new material is not the last one, so that the key would have to rotate to it and back: it is not imported.
    NotLast {
        /// The material.
        material: MaterialName,
    },
    /// The key keeps its first material for good, and another name stands for it now.
    Refused {
        /// The name that it had.
        before: MaterialName,
        /// The name that stands there now.
        after: MaterialName,
        /// The key's spec, which has no other material.
        spec: String,
    },
    /// A material is declared no more; the key keeps it, and nobody imports it again.
    Undeclared {
        /// The material.
        material: MaterialName,
    },
    /// All material is deleted.
    Deletes,
}

impl MaterialChange {
    /// Returns the material that it is about; `None` where it is about all of them.
    pub fn material(&self) -> Option<&MaterialName> {
        match self {
            Self::Rotates { material } | Self::NotLast { material } | Self::Undeclared { material } => Some(material),
            Self::Refused { after, .. } => Some(after),
            Self::Deletes => None,
        }
    }

    /// Returns whether it cannot be made.
    pub fn is_impossible(&self) -> bool {
        match self {
            Self::NotLast { .. } | Self::Refused { .. } => true,
            Self::Rotates { .. } | Self::Undeclared { .. } | Self::Deletes => false,
        }
    }
}

/// A property before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyDifference {
    /// The property's name.
    pub property: String,
    /// Its value before; `None` where there was none.
    pub before: Option<String>,
    /// Its value after; `None` where there is none.
    pub after: Option<String>,
}

/// What differs on the roles of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDifference {
    /// The account, on the new side where it is on both.
    pub account: AccountId,
    /// The roles that differ, sorted by name.
    pub roles: Vec<RoleDifference>,
    /// What could not be read on either side.
    pub unreadable: Vec<Unreadable>,
}

/// What differs on one role that the manifest makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDifference {
    /// The role.
    pub role: RoleName,
    /// On which sides it is.
    pub presence: Presence,
    /// Who may newly become it.
    pub gains: Vec<TrustLine>,
    /// Who may not become it any more.
    pub losses: Vec<TrustLine>,
    /// Who could become a role that is not declared any more; it keeps its trust policy.
    pub gave: Vec<TrustLine>,
    /// Whether the trust policies differ.
    pub trust: PolicyRelation,
    /// What else differs.
    pub properties: Vec<PropertyDifference>,
    /// Where the manifest declares it, on the new side, else on the old one.
    pub position: Option<Position>,
}

/// One principal that may, or may not any more, become a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustLine {
    /// Who, as people read it.
    pub principal: String,
    /// Under which conditions; empty: none.
    pub conditions: Vec<String>,
    /// The exact actions.
    pub actions: BTreeSet<String>,
    /// For gains: a concrete request that the old trust policy refuses and the new one allows, confirmed by the
    /// evaluator; the caller's own side is taken to allow it.
    pub witness: Option<Witness>,
}

impl TrustLine {
    /// What trust risks: whoever becomes a role has all that it has.
    pub const RISK: Risk = Risk::Escalation;
}

/// A difference in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Keys and roles that are on both sides and differ.
    pub changed: usize,
    /// Keys and roles that are new.
    pub added: usize,
    /// Keys and roles that are gone.
    pub removed: usize,
    /// Keys that are in another target.
    pub moved: usize,
    /// Gains, those of trust included.
    pub gains: usize,
    /// Losses, those of trust included.
    pub losses: usize,
    /// Parts that could not be compared.
    pub undecided: usize,
    /// The gravest gain.
    pub gravest: Option<Risk>,
}

impl Summary {
    /// Counts a difference.
    pub fn of(difference: &Difference) -> Self {
        let mut summary = Self::default();
        for target in &difference.targets {
            summary.undecided += target.unreadable.len();
            for key in &target.keys {
                summary.count(&key.presence);
                summary.gains += key.access.gains.len();
                summary.losses += key.access.losses.len();
                summary.undecided += key.undecided.len();
                let gravest = key.access.gains.iter().map(|line| line.risk).max();
                summary.gravest = summary.gravest.max(gravest);
            }
        }
        for account in &difference.accounts {
            summary.undecided += account.unreadable.len();
            for role in &account.roles {
                summary.count(&role.presence);
                summary.gains += role.gains.len();
                summary.losses += role.losses.len();
                summary.gravest = summary.gravest.max((!role.gains.is_empty()).then_some(TrustLine::RISK));
            }
        }
        summary
    }

    fn count(&mut self, presence: &Presence) {
        match presence {
            Presence::Both => self.changed += 1,
            Presence::Added => self.added += 1,
            Presence::Removed => self.removed += 1,
            Presence::MovedFrom(_) => self.moved += 1,
        }
    }
}

impl Difference {
    /// Returns whether anything differs, or may differ since it could not be read.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.accounts.is_empty()
    }
}
