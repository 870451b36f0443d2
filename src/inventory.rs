//! Every key of a target and whose it is: what it can do, whether it rotates, when its material expires, what is wrong
//! with its policy, what it costs; as data. What could not be read is said, and never taken for "none".

mod entry;
mod material;
#[cfg(test)]
pub(crate) mod tests;

pub use entry::{KeyEntry, RotationStanding};
pub use material::{Expiring, ImportedItem, ImportedMaterial, WARN_DAYS, days_left};

use crate::desired::{DesiredState, DesiredTarget};
use crate::ids::{AccountId, KeyArn, KeyName, Region, StackName, TargetName};
use crate::live::{AwsManagedKey, Backend, Caller, LiveKeys, LiveTarget, Observed, Unreadable};
use crate::plan::{AbsentKey, Belongings, Claims, KeyPrice, PlanInput, PlanOptions, Whose, belongings};
use crate::source::SourceMap;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// What was read of a target.
#[derive(Debug, Clone)]
pub struct LiveStock {
    /// What answered.
    pub backend: Backend,
    /// Who read it.
    pub caller: Caller,
    /// Every key of its account and Region.
    pub keys: LiveKeys,
}

/// Everything that an inventory is made from.
#[derive(Debug, Clone, Copy)]
pub struct InventoryInput<'a> {
    /// What is declared.
    pub desired: &'a DesiredState,
    /// Where it was written.
    pub sources: &'a SourceMap,
    /// The claim records of this machine.
    pub claims: &'a BTreeMap<TargetName, Claims>,
    /// What the targets hold; a target that is not here is left out.
    pub targets: &'a BTreeMap<TargetName, LiveStock>,
    /// The day, in UTC.
    pub today: Date,
}

/// The keys of all targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The stack.
    pub stack: StackName,
    /// The day, from which days are counted.
    pub today: Date,
    /// Within how many days the material of the keys here expires, where the others were left out.
    pub expiring: Option<u16>,
    /// The targets, in the order of the manifest.
    pub targets: Vec<TargetInventory>,
}

/// The keys of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetInventory {
    /// The target.
    pub name: TargetName,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// What answered.
    pub backend: Backend,
    /// Who read it.
    pub caller: String,
    /// The keys that customers manage, class by class, in each by name.
    pub keys: Vec<KeyEntry>,
    /// The keys that AWS manages.
    pub aws_managed: Vec<AwsManagedKey>,
    /// Declared keys that are not there.
    pub absent: Vec<AbsentKey>,
    /// Reads that were denied and that no key is to blame for.
    pub unreadable: Vec<Unreadable>,
}

/// Whose a key is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyClass {
    /// Ours, and declared.
    Ours,
    /// Perhaps ours.
    Unclear,
    /// It lost the race for the name of a key of ours.
    Stray,
    /// Ours, and not declared.
    Orphan,
    /// Of another stack of keywright.
    OtherStack,
    /// Of nobody that keywright knows.
    Foreign,
}

impl KeyClass {
    /// Every class, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Ours, Self::Unclear, Self::Stray, Self::Orphan, Self::OtherStack, Self::Foreign];

    /// Returns the word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Unclear => "unclear",
            Self::Stray => "stray",
            Self::Orphan => "orphan",
            Self::OtherStack => "other-stack",
            Self::Foreign => "foreign",
        }
    }

    /// Returns the class of a key.
    pub fn of(whose: &Whose) -> Self {
        match whose {
            Whose::Declared { .. } => Self::Ours,
            Whose::Unclear { .. } => Self::Unclear,
            Whose::Stray { .. } => Self::Stray,
            Whose::Orphan { .. } => Self::Orphan,
            Whose::OtherStack { .. } => Self::OtherStack,
            Whose::Foreign => Self::Foreign,
        }
    }
}

/// Makes the inventory of what was read.
pub fn inventory(input: InventoryInput<'_>) -> Inventory {
    let live: BTreeMap<TargetName, LiveTarget> =
        input.targets.iter().map(|(name, stock)| (name.clone(), as_target(stock))).collect();
    let whose = belongings(PlanInput {
        desired: input.desired,
        sources: input.sources,
        accounts: &BTreeMap::new(),
        targets: &live,
        claims: input.claims,
        options: &PlanOptions::default(),
        today: input.today,
    });
    let read = input.desired.targets.iter().filter_map(|target| Some((target, input.targets.get(&target.name)?)));
    let targets = read.map(|(target, stock)| {
        let belongings = whose.get(&target.name).cloned().unwrap_or_default();
        let unreadable = live.get(&target.name).map(|live| live.unreadable.clone()).unwrap_or_default();
        TargetInventory { unreadable, ..of_target(target, stock, belongings) }
    });
    Inventory { stack: input.desired.stack.clone(), today: input.today, expiring: None, targets: targets.collect() }
}

/// Returns what was read in the form from which ownership is decided.
fn as_target(stock: &LiveStock) -> LiveTarget {
    let keys = &stock.keys;
    let (aliases, unreadable) = match &keys.aliases {
        Observed::Known(aliases) => (aliases.clone(), Vec::new()),
        Observed::Denied { action, message } => {
            let what = "the aliases of the Region".to_owned();
            (BTreeMap::new(), vec![Unreadable { what, action: action.clone(), message: message.clone() }])
        }
    };
    LiveTarget {
        backend: stock.backend,
        account: keys.account.clone(),
        region: keys.region.clone(),
        caller: stock.caller.clone(),
        caller_policies: None,
        keys: keys.keys.clone(),
        aliases,
        unreadable,
        stores: BTreeMap::new(),
        key_count: Some(keys.keys.len() + keys.aws_managed.len()),
    }
}

fn of_target(target: &DesiredTarget, stock: &LiveStock, mut whose: Belongings) -> TargetInventory {
    let keys = &stock.keys;
    let mut entries: Vec<KeyEntry> = keys
        .keys
        .iter()
        .map(|key| {
            let whose = whose.keys.remove(&key.arn).unwrap_or(Whose::Foreign);
            let declared = match &whose {
                Whose::Declared { key: name, .. } => target.keys.iter().find(|key| key.name == *name),
                Whose::Unclear { .. }
                | Whose::Stray { .. }
                | Whose::Orphan { .. }
                | Whose::OtherStack { .. }
                | Whose::Foreign => None,
            };
            KeyEntry::of(keys, key, (whose, declared))
        })
        .collect();
    entries.sort_by_cached_key(|entry| (entry.class(), entry.name(), entry.arn.clone()));
    TargetInventory {
        name: target.name.clone(),
        account: keys.account.clone(),
        region: keys.region.clone(),
        backend: stock.backend,
        caller: stock.caller.principal.to_string(),
        keys: entries,
        aws_managed: keys.aws_managed.clone(),
        absent: whose.absent,
        unreadable: Vec::new(),
    }
}

impl Inventory {
    /// Leaves out all but the keys that have, or claim, one of these names.
    pub fn only_named(&mut self, names: &[KeyName]) {
        for target in &mut self.targets {
            target.keys.retain(|entry| {
                let name = entry.claimed_name();
                entry.class() != KeyClass::OtherStack
                    && name.is_some_and(|name| names.iter().any(|wanted| wanted.as_str() == name))
            });
            target.absent.retain(|absent| names.contains(&absent.key));
            target.aws_managed.clear();
        }
    }

    /// Leaves out all but the keys whose imported material expires within so many days, is gone already, or of which
    /// that cannot be told.
    pub fn only_expiring(&mut self, days: u16) {
        let today = self.today;
        self.expiring = Some(days);
        for target in &mut self.targets {
            target.keys.retain(|entry| entry.expiring(days, today) != Expiring::No);
            target.absent.clear();
            target.aws_managed.clear();
        }
    }

    /// Returns of how many keys the imported material expires within so many days, or is gone already, and of how many
    /// that cannot be told.
    pub fn expiring_counts(&self, days: u16) -> (usize, usize) {
        let count = |wanted| self.distinct().filter(|entry| entry.expiring(days, self.today) == wanted).count();
        (count(Expiring::Within), count(Expiring::Untold))
    }

    /// Returns every key, target by target.
    pub fn entries(&self) -> impl Iterator<Item = &KeyEntry> {
        self.targets.iter().flat_map(|target| &target.keys)
    }

    /// Returns every key once: two targets may be the same account and Region.
    fn distinct(&self) -> impl Iterator<Item = &KeyEntry> {
        let mut seen: BTreeSet<&KeyArn> = BTreeSet::new();
        self.entries().filter(move |entry| seen.insert(&entry.arn))
    }

    /// Returns what all keys cost a month.
    pub fn cost(&self) -> KeyPrice {
        total(self.distinct())
    }
}

/// Returns what some keys cost a month.
pub fn total<'a>(entries: impl Iterator<Item = &'a KeyEntry>) -> KeyPrice {
    entries.fold(KeyPrice::Exactly(0), |sum, entry| {
        let dollars = sum.dollars().saturating_add(entry.price.dollars());
        match (sum, entry.price) {
            (KeyPrice::Exactly(_), KeyPrice::Exactly(_)) => KeyPrice::Exactly(dollars),
            (KeyPrice::AtLeast(_), _) | (_, KeyPrice::AtLeast(_)) => KeyPrice::AtLeast(dollars),
        }
    })
}
