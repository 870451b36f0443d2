//! One key of an inventory.

use super::KeyClass;
use super::material::{Expiring, ImportedMaterial};
use crate::desired::DesiredKey;
use crate::ids::{AliasName, KeyArn, PrincipalArn};
use crate::kms::{KeyShape, Origin};
use crate::lint::{LintFinding, LintKey, lint_key};
use crate::live::{KeyMetadata, LiveKey, LiveKeys, LiveRotation, LiveRotations, LiveUsage, Observed, Unreadable};
use crate::plan::{KeyPrice, Whose};
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use jiff::civil::Date;

/// One key. Texts from outside are as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// The ARN.
    pub arn: KeyArn,
    /// Whose it is, and how that is known.
    pub whose: Whose,
    /// Its aliases, the claim alias included; `None` where they could not be read.
    pub aliases: Option<Vec<AliasName>>,
    /// What `DescribeKey` said; `None` where that was denied.
    pub metadata: Option<KeyMetadata>,
    /// Whether it rotates.
    pub rotation: RotationStanding,
    /// The history of its rotations, where KMS keeps one for it.
    pub rotations: Option<LiveRotations>,
    /// Its last use: `None` where that was not asked for, or could not be read.
    pub last_usage: Option<LiveUsage>,
    /// Its imported material, if its material is imported.
    pub material: Option<ImportedMaterial>,
    /// Whether its policy is the one that KMS writes where nobody gives one; `None` where it could not be read.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
    pub default_policy: Option<bool>,
    /// What is wrong with its policy, grants and settings, the gravest first; `None` where the policy could not be read.
    pub findings: Option<Vec<LintFinding>>,
    /// What it costs a month.
    pub price: KeyPrice,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// Whether a key rotates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationStanding {
    /// By itself, every so many days where the server tells.
    Every(Option<u16>),
    /// It could, and does not.
    Off,
    /// Never by itself: somebody imports new material.
    ByImport,
    /// KMS rotates no such key.
    Impossible,
    /// It could not be read.
    Unknown,
}

impl KeyEntry {
    pub(super) fn of(all: &LiveKeys, key: &LiveKey, (whose, declared): (Whose, Option<&DesiredKey>)) -> Self {
        let id = key.arn.key_id();
        let own = |aliases: &std::collections::BTreeMap<AliasName, Option<crate::ids::KeyId>>| {
            let own = aliases.iter().filter(|(_, behind)| behind.as_ref() == Some(&id));
            own.map(|(alias, _)| alias.clone()).collect()
        };
        let facts = all.facts(key).ok();
        Self {
            arn: key.arn.clone(),
            whose,
            aliases: all.aliases.known().map(own),
            metadata: key.metadata.known().cloned(),
            rotation: RotationStanding::of(key),
            rotations: key.rotations.as_ref().and_then(Observed::known).cloned(),
            last_usage: key.last_usage.as_ref().and_then(Observed::known).cloned(),
            material: ImportedMaterial::of(key, declared),
            default_policy: key.policy.known().map(|policy| is_default(&policy.document, &key.arn)),
            findings: facts.map(|facts| lint_key(LintKey::live(&facts.facts, key))),
            price: KeyPrice::of(key),
            unreadable: unreadable(key),
        }
    }

    /// Returns whose it is, in one word.
    pub fn class(&self) -> KeyClass {
        KeyClass::of(&self.whose)
    }

    /// Returns the name that the manifest or its tags give it.
    pub fn claimed_name(&self) -> Option<&str> {
        match &self.whose {
            Whose::Declared { key, .. } => Some(key.as_str()),
            Whose::Unclear { key, .. } | Whose::Orphan { key, .. } | Whose::OtherStack { key, .. } => key.as_deref(),
            Whose::Stray { .. } | Whose::Foreign => None,
        }
    }

    /// Returns how people call it: by its name, else by an alias, else by its id.
    pub fn name(&self) -> String {
        let alias = || self.aliases.as_ref().and_then(|aliases| aliases.first()).map(ToString::to_string);
        let name = self.claimed_name().map(str::to_owned).or_else(alias);
        name.unwrap_or_else(|| self.arn.key_id().to_string())
    }

    /// Returns whether its imported material expires within some days. Material of a key that waits to be deleted cannot
    /// be imported again, and is nobody's concern.
    pub fn expiring(&self, days: u16, today: Date) -> Expiring {
        match (&self.metadata, &self.material) {
            (None, _) => Expiring::Untold,
            (Some(metadata), _) if metadata.state.is_pending_deletion() => Expiring::No,
            (Some(_), None) => Expiring::No,
            (Some(_), Some(material)) => material.expiring(i64::from(days), today),
        }
    }

    /// Returns whether somebody should be warned about its material today.
    pub fn is_urgent(&self, today: Date) -> bool {
        let stays = self.metadata.as_ref().is_some_and(|metadata| !metadata.state.is_pending_deletion());
        stays && self.material.as_ref().is_some_and(|material| material.is_urgent(today))
    }
}

impl RotationStanding {
    fn of(key: &LiveKey) -> Self {
        let Some(metadata) = key.metadata.known() else { return Self::Unknown };
        let shape = KeyShape::new(metadata.spec, metadata.usage).with_origin(metadata.origin);
        if shape.rotates_on_demand() && metadata.origin == Origin::External {
            return Self::ByImport;
        }
        if !shape.rotates_automatically() {
            return Self::Impossible;
        }
        match &key.rotation {
            Observed::Known(LiveRotation::On { days }) => Self::Every(*days),
            Observed::Known(LiveRotation::Off) => Self::Off,
            Observed::Denied { .. } => Self::Unknown,
        }
    }
}

/// Whether a policy leaves everything to the account's IAM, as the one that `CreateKey` writes by itself.
fn is_default(policy: &PolicyDocument, key: &KeyArn) -> bool {
    let root = PrincipalArn::root(key.region().partition(), &key.account());
    let statement = Statement::allow("Enable IAM User Permissions", ["kms:*"]);
    let default = PolicyDocument::new(vec![statement.principals(vec![PrincipalEntry::Aws(root.to_string())])]);
    policy.same_permissions(&default)
}

/// Returns the parts of a key that could not be read.
fn unreadable(key: &LiveKey) -> Vec<Unreadable> {
    let parts = [
        part("its settings and state", Some(&key.metadata)),
        part("the key policy", Some(&key.policy)),
        part("the policy of its resource share", key.ram_policy.as_ref()),
        part("the tags", Some(&key.tags)),
        part("the rotation", Some(&key.rotation)),
        part("the grants", Some(&key.grants)),
        part("the history of rotations", key.rotations.as_ref()),
        part("the imported materials", key.materials.as_ref()),
        part("the last use", key.last_usage.as_ref()),
    ];
    parts.into_iter().flatten().collect()
}

fn part<T>(what: &str, observed: Option<&Observed<T>>) -> Option<Unreadable> {
    match observed? {
        Observed::Known(_) => None,
        Observed::Denied { action, message } => {
            Some(Unreadable { what: what.to_owned(), action: action.clone(), message: message.clone() })
        }
    }
}
