//! The plan as data: outcomes, steps, blockers, access gained and lost.

use super::action::Action;
use crate::diag::{Code, Severity};
use crate::ids::{AccountId, KeyArn, KeyName, OwnerId, Region, RoleName, StackName, TargetName};
use crate::live::{Backend, Unreadable};
use crate::policy::PolicyDocument;
use crate::review::{AccessChange, Risk};
use crate::source::{Loc, Position};
use std::collections::BTreeMap;
use std::fmt;

/// What would change, everywhere.
#[must_use]
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is about.
    pub kind: PlanKind,
    /// The stack.
    pub stack: StackName,
    /// The owner id of the manifest.
    pub owner: OwnerId,
    /// Binds the plan to the desired state, to what was compared, to the tool's version, the targets and their callers.
    pub digest: Digest,
    /// Of the live state alone, as far as it was compared: tells a changed manifest from a changed account.
    pub live_digest: Digest,
    /// Roles, an account at a time: they come before the targets' keys.
    pub accounts: Vec<AccountPlan>,
    /// Keys, a target at a time.
    pub targets: Vec<TargetPlan>,
}

/// What a plan is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanKind {
    /// What would be done.
    #[default]
    Changes,
    /// Where live state and manifest differ; nothing would be done (`--refresh-only`).
    Drift,
}

impl Plan {
    /// Returns whether live state and manifest differ anywhere, declared or not.
    pub fn has_drift(&self) -> bool {
        self.accounts.iter().any(|account| !account.drift.is_empty())
            || self.targets.iter().any(|target| !target.drift.is_empty())
    }

    /// Returns whether an account's roles are to be written: they are ready, and wanted by a target that is not blocked.
    /// Roles of keys that will not come would be access without a purpose.
    pub fn writes_roles(&self, account: &AccountPlan) -> bool {
        let mut targets = self.targets.iter().filter(|target| target.account == account.account);
        let blocked = |target: &TargetPlan| matches!(target.outcome, Outcome::Blocked { .. });
        matches!(account.outcome, Outcome::Ready(_)) && targets.any(|target| !blocked(target))
    }

    /// Returns whether anything is to be written at all.
    pub fn writes_anything(&self) -> bool {
        self.accounts.iter().any(|account| self.writes_roles(account))
            || self.targets.iter().any(|target| matches!(target.outcome, Outcome::Ready(_)))
    }
}

/// A digest: 64 hexadecimal digits of SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether there is anything to do, and whether it may be done.
#[must_use]
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Live and desired agree.
    InSync,
    /// These steps make them agree.
    Ready(Applyable),
    /// Something forbids it; the steps are shown and cannot be executed.
    Blocked {
        /// Why; never empty.
        blockers: Vec<Blocker>,
        /// What would be done otherwise.
        would_do: Vec<Step>,
    },
}

/// Steps that may be executed, in order. Comes from planning alone: nothing else can make one.
///
/// ```compile_fail
/// let forged = keywright::plan::Applyable { steps: Vec::new() };
/// ```
#[must_use]
#[derive(Debug, Clone)]
pub struct Applyable {
    pub(in crate::plan) steps: Vec<Step>,
}

impl Applyable {
    /// Returns the steps in order; never empty.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns steps that no plan has, to see what becomes of them.
    #[cfg(test)]
    pub(crate) fn of(steps: Vec<Step>) -> Self {
        Self { steps }
    }
}

impl Outcome {
    /// Returns the steps, executable or not.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::InSync => &[],
            Self::Ready(applyable) => applyable.steps(),
            Self::Blocked { would_do, .. } => would_do,
        }
    }

    /// Returns the steps, to link them with those of other targets.
    pub(in crate::plan) fn steps_mut(&mut self) -> &mut [Step] {
        match self {
            Self::InSync => &mut [],
            Self::Ready(applyable) => &mut applyable.steps,
            Self::Blocked { would_do, .. } => would_do,
        }
    }

    /// Forbids what was to be done, for some reasons more.
    pub(in crate::plan) fn block(&mut self, mut more: Vec<Blocker>) {
        match self {
            Self::InSync => {}
            Self::Ready(_) if more.is_empty() => {}
            Self::Ready(Applyable { steps }) => {
                *self = Self::Blocked { blockers: more, would_do: std::mem::take(steps) };
            }
            Self::Blocked { blockers, .. } => blockers.append(&mut more),
        }
    }

    /// Returns the blockers.
    pub fn blockers(&self) -> &[Blocker] {
        match self {
            Self::InSync | Self::Ready(_) => &[],
            Self::Blocked { blockers, .. } => blockers,
        }
    }
}

/// What would change in one account's IAM.
#[derive(Debug, Clone)]
pub struct AccountPlan {
    /// The account.
    pub account: AccountId,
    /// Whether there is anything to do.
    pub outcome: Outcome,
    /// The final trust policy of every managed role.
    pub trust_policies: BTreeMap<RoleName, PolicyDocument>,
    /// The final identity policies of every managed role, by policy name.
    pub identity_policies: BTreeMap<RoleName, BTreeMap<String, PolicyDocument>>,
    /// Where live roles differ, in a plan of drift.
    pub drift: Vec<Drift>,
    /// Things to know.
    pub findings: Vec<Finding>,
}

/// What would change in one target.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// The target's name.
    pub name: TargetName,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// What answered.
    pub backend: Backend,
    /// Who planned: the role for its sessions, so that two runs of one pipeline are the same caller.
    pub caller: String,
    /// Whether there is anything to do.
    pub outcome: Outcome,
    /// The final policy of every key.
    pub policies: BTreeMap<KeyName, PolicyDocument>,
    /// The live policy of every key that exists and could be read, for the difference.
    pub policies_before: BTreeMap<KeyName, PolicyDocument>,
    /// Live keys by manifest name, where they exist.
    pub keys: BTreeMap<KeyName, KeyArn>,
    /// Access gained and lost.
    pub access: AccessChange,
    /// What differs from the manifest on live keys that nothing will change (aliases that are not declared, …); in a
    /// plan of drift everything that differs.
    pub drift: Vec<Drift>,
    /// Keys with our stack tag and no manifest entry.
    pub orphans: Vec<Orphan>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Things to know.
    pub findings: Vec<Finding>,
    /// The change of the monthly cost in US dollars, as a decimal string.
    pub cost_per_month_delta: String,
    /// How near the plan comes to what KMS allows.
    pub quotas: Quotas,
}

/// A step's number in its plan, `s1`, `s2`, … unique over accounts and targets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a step belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A key of the manifest.
    Key(KeyName),
    /// A role of the manifest.
    Role(RoleName),
}

/// One API call with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The step's number.
    pub id: StepId,
    /// The key or role that it belongs to.
    pub owner: Owner,
    /// The call.
    pub action: Action,
    /// Why it is needed.
    pub why: Why,
    /// Who made the difference; `None` where no older manifest was given to tell.
    pub cause: Option<Cause>,
    /// What it risks.
    pub risk: Risk,
    /// The property that changes, before and after, where there is one.
    pub change: Option<PropertyChange>,
    /// The manifest's place.
    pub loc: Loc,
    /// The manifest's place as people count.
    pub position: Position,
    /// Steps that must be done before.
    pub depends_on: Vec<StepId>,
}

/// A property's value before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyChange {
    /// The property: `description`, `policy`, `tag owner`, `alias`.
    pub property: String,
    /// The value before; `None` where there was none.
    pub before: Option<String>,
    /// The value after; `None` where there will be none.
    pub after: Option<String>,
}

/// Why a step is needed. Worded by the renderer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The manifest declares it and it does not exist.
    Absent,
    /// It exists and differs from the manifest.
    Differs,
    /// It exists, the manifest does not want it, and it is ours.
    Unwanted,
    /// A key of ours lacks its claim alias: an earlier run was interrupted.
    Interrupted,
    /// Only the wording differs, and `--normalize` was asked for.
    Wording,
    /// An existing key becomes ours (`adopt`).
    Adopted,
    /// The key gets another name in the manifest (`moved_from`).
    Renamed,
    /// The command line asks for it by the key's name.
    Asked,
    /// Imported material expires soon.
    Expires,
    /// Imported material has expired or was deleted.
    Missing,
}

/// Who made a difference between live state and manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Somebody else: the older manifest would have it changed back too.
    Drift,
    /// The manifest: it says something else than the older one.
    Intended,
}

/// Why nothing may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Which rule.
    pub kind: BlockerKind,
    /// The key or role, if one is to blame.
    pub owner: Option<Owner>,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// The next thing to do.
    pub help: String,
    /// The manifest's place.
    pub loc: Option<Loc>,
    /// The manifest's place as people count.
    pub position: Option<Position>,
}

/// Which rule blocks. Each has a [`Code`] of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockerKind(pub Code);

/// A difference between live state and manifest that the plan will not change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// The key or role.
    pub owner: Owner,
    /// What kind of difference.
    pub kind: DriftKind,
    /// What, in words.
    pub what: String,
    /// The property with its live and its declared value, where there is one.
    pub change: Option<PropertyChange>,
}

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// It is there, and the manifest says nothing of it. It is left alone.
    Undeclared,
    /// It is otherwise than the manifest says.
    Differs,
    /// It is not there.
    Absent,
}

/// How near a target comes to what KMS allows, once the plan is applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quotas {
    /// How many keys the Region will hold, whoever made them; `None` where that was not read.
    pub keys: Option<usize>,
    /// What of single keys comes to four fifths of its quota, or above.
    pub near: Vec<NearQuota>,
}

/// Something of a key that comes near its quota.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearQuota {
    /// The key.
    pub key: KeyName,
    /// What is counted: `aliases`, `tags`, `grants`, `policy bytes`, `on-demand rotations`.
    pub what: &'static str,
    /// How many there will be.
    pub used: usize,
    /// How many KMS allows.
    pub limit: usize,
}

/// A key with our stack tag and no manifest entry. Never deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// The key.
    pub arn: KeyArn,
    /// The name in its tag.
    pub key: Option<String>,
    /// What is known of it, in words: its state, its aliases.
    pub note: String,
    /// What to do about it.
    pub next: String,
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its code.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// The key or role.
    pub owner: Option<Owner>,
    /// In words.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// The manifest's place.
    pub position: Option<Position>,
}
