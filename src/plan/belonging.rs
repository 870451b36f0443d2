//! Whose each live key is, decided as a plan decides it: for an inventory, which changes nothing.

use super::draft::Sheet;
use super::family::{self, Families};
use super::orphans::{self, Unclaimed};
use super::scope::{ClaimAlias, Ownership, Refusal};
use super::{Owner, PlanInput, keys};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredKey, DesiredTarget, KeyLifecycle};
use crate::ids::{KeyArn, KeyName, TargetName};
use crate::live::{LiveKey, LiveTarget};
use std::collections::{BTreeMap, BTreeSet};

/// Whose a live key is. Texts that come from tags are as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Ours: a key that the manifest declares for the target.
    Declared {
        /// Its name.
        key: KeyName,
        /// What its ownership still lacks, where it does.
        lacks: Option<String>,
    },
    /// It carries some proof of being ours and lacks another, or that could not be read.
    Unclear {
        /// The name that it claims.
        key: Option<String>,
        /// What is unclear.
        why: String,
        /// The next thing to do.
        next: String,
    },
    /// It lost the race for the name of a key of ours: it is never used.
    Stray {
        /// What is so.
        why: String,
        /// The next thing to do.
        next: String,
    },
    /// It carries our tags, and the target does not declare it.
    Orphan {
        /// The name that it had.
        key: Option<String>,
        /// Whether anything declares it.
        why: String,
        /// The next thing to do.
        next: String,
    },
    /// It carries the tags of another stack, or of another manifest of the same stack name.
    OtherStack {
        /// The stack.
        stack: String,
        /// The name there.
        key: Option<String>,
        /// The manifest's id.
        owner: Option<String>,
    },
    /// Nothing of keywright is on it.
    Foreign,
}

/// A declared key that the target does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentKey {
    /// Its name.
    pub key: KeyName,
    /// Why it cannot be made either, where something is in its way.
    pub why: Option<String>,
}

/// Whose the keys of a target are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Belongings {
    /// Every key that was read.
    pub keys: BTreeMap<KeyArn, Whose>,
    /// Declared keys that are not there, retired ones left out.
    pub absent: Vec<AbsentKey>,
}

/// Decides whose each key is of the targets that were read. What was read must be every key of each: what is not read is
/// taken for absent.
pub fn belongings(input: PlanInput<'_>) -> BTreeMap<TargetName, Belongings> {
    let found = family::find(input);
    match family::with_dropped(input, &found) {
        Some(desired) => in_families(PlanInput { desired: &desired, ..input }, &found),
        None => in_families(input, &found),
    }
}

fn in_families<'a>(input: PlanInput<'a>, families: &Families<'a>) -> BTreeMap<TargetName, Belongings> {
    let read = input.desired.targets.iter().filter_map(|target| Some((target, input.targets.get(&target.name)?)));
    read.map(|(target, live)| (target.name.clone(), of_target(input, families, (target, live)))).collect()
}

fn of_target<'a>(
    input: PlanInput<'a>,
    families: &Families<'a>,
    (target, live): (&'a DesiredTarget, &'a LiveTarget),
) -> Belongings {
    let mut found = Belongings::default();
    let aliases_read = !live.unreadable.iter().any(|item| item.action == "kms:ListAliases");
    // Without the aliases every declared key would look absent.
    for key in target.keys.iter().filter(|_| aliases_read) {
        let ownership = families.ownership(input, target, key, live);
        settle(input, families, (target, key), &ownership, &mut found);
    }
    let owned: BTreeSet<KeyName> = found.keys.values().filter_map(declared).cloned().collect();
    for key in &live.keys {
        if !found.keys.contains_key(&key.arn) {
            let whose = by_tags(input, target, key, if aliases_read { Some(&owned) } else { None });
            found.keys.insert(key.arn.clone(), whose);
        }
    }
    found
}

fn declared(whose: &Whose) -> Option<&KeyName> {
    if let Whose::Declared { key, .. } = whose { Some(key) } else { None }
}

/// Takes note of which live keys a declared key is, or may be.
fn settle<'a>(
    input: PlanInput<'a>,
    families: &Families<'a>,
    (target, key): (&DesiredTarget, &DesiredKey),
    ownership: &Ownership<'a>,
    found: &mut Belongings,
) {
    let mut sheet = Sheet::new(Owner::Key(key.name.clone()), key.loc, input.sources);
    match ownership {
        Ownership::Ours { key: live, .. } if families.is_stranger((target, key), live, &mut sheet) => {
            found.keys.insert(live.arn.clone(), unclear(key, &sheet));
        }
        Ownership::Ours { key: live, claim } => {
            let whose = Whose::Declared { key: key.name.clone(), lacks: lacks(*claim) };
            found.keys.insert(live.arn.clone(), whose);
        }
        Ownership::Absent if key.lifecycle == KeyLifecycle::Retired => {}
        Ownership::Absent => found.absent.push(AbsentKey { key: key.name.clone(), why: None }),
        Ownership::Refused(Refusal::PendingDeletion { key: arn, .. }) if key.lifecycle == KeyLifecycle::Retired => {
            found
                .keys
                .insert(arn.clone(), Whose::Declared { key: key.name.clone(), lacks: lacks(ClaimAlias::Missing) });
        }
        Ownership::Refused(refusal) => {
            keys::say_refusal((&input.desired.stack, key), refusal, &mut sheet);
            refuse(input, key, refusal, &sheet, found);
        }
    }
}

fn lacks(claim: ClaimAlias) -> Option<String> {
    let lacks = match claim {
        ClaimAlias::Stands => return None,
        ClaimAlias::Missing => "its claim alias",
        ClaimAlias::Adopted => "what adopting it writes: its claim alias and tags",
        ClaimAlias::Renamed => "its claim alias and tags under the new name",
    };
    Some(lacks.to_owned())
}

fn refuse(input: PlanInput<'_>, key: &DesiredKey, refusal: &Refusal, sheet: &Sheet<'_>, found: &mut Belongings) {
    let arns = match refusal {
        Refusal::ForeignOwner { key: arn, owner } => {
            let (stack, name) = (input.desired.stack.to_string(), Some(key.name.to_string()));
            found.keys.insert(arn.clone(), Whose::OtherStack { stack, key: name, owner: Some(owner.clone()) });
            return;
        }
        Refusal::AliasWithoutTags { key: Some(arn) }
        | Refusal::Unreadable { key: arn, .. }
        | Refusal::PendingDeletion { key: arn, .. } => vec![arn.clone()],
        Refusal::TagsWithoutAlias { keys } => keys.clone(),
        Refusal::AliasWithoutTags { key: None } | Refusal::Unfit(_) => Vec::new(),
    };
    if arns.is_empty() {
        let why = sheet.blockers.first().map(|blocker| blocker.message.clone());
        found.absent.push(AbsentKey { key: key.name.clone(), why });
    }
    found.keys.extend(arns.into_iter().map(|arn| (arn, unclear(key, sheet))));
}

fn unclear(key: &DesiredKey, sheet: &Sheet<'_>) -> Whose {
    let said = sheet.blockers.first();
    Whose::Unclear {
        key: Some(key.name.to_string()),
        why: said.map(|blocker| blocker.message.clone()).unwrap_or_default(),
        next: said.map(|blocker| blocker.help.clone()).unwrap_or_default(),
    }
}

/// Decides by its tags whose a key is that no declared key is. `owned` are the declared keys that there are; `None`
/// where the aliases could not be read.
fn by_tags(input: PlanInput<'_>, target: &DesiredTarget, key: &LiveKey, owned: Option<&BTreeSet<KeyName>>) -> Whose {
    let tags = match &key.tags {
        crate::live::Observed::Known(tags) => tags,
        crate::live::Observed::Denied { action, .. } => return unread(action, "its tags", None),
    };
    let Some(stack) = tags.get(TAG_STACK) else { return Whose::Foreign };
    let name = tags.get(TAG_KEY).cloned();
    let other = || Whose::OtherStack { stack: stack.clone(), key: name.clone(), owner: tags.get(TAG_OWNER).cloned() };
    let stray = || {
        let said = orphans::stray(key);
        Whose::Stray { why: said.message, next: said.remedy }
    };
    match (orphans::unclaimed(input, target, key), owned) {
        (None, _) | (Some(Unclaimed::Orphan(_, orphans::Whose::AnotherManifest)), _) => other(),
        (Some(Unclaimed::Stray), _) => stray(),
        (Some(Unclaimed::Named(declared)), Some(owned)) if owned.contains(declared) => stray(),
        (Some(Unclaimed::Named(_)), Some(_)) => Whose::Unclear {
            key: name,
            why: "it carries the tags of this key, but is not that key".to_owned(),
            next: "`keywright plan` says what is in the way of the declared key".to_owned(),
        },
        (Some(Unclaimed::Named(_)), None) => unread("kms:ListAliases", "the claim aliases", name),
        (Some(Unclaimed::Orphan(name, whose)), _) => Whose::Orphan {
            key: name.cloned(),
            why: match whose {
                orphans::Whose::OtherTargets => "the manifest declares it in other targets alone",
                orphans::Whose::Nobody | orphans::Whose::AnotherManifest => "the manifest does not declare it",
            }
            .to_owned(),
            next: orphans::next_step(key, name, whose),
        },
    }
}

fn unread(action: &str, what: &str, key: Option<String>) -> Whose {
    Whose::Unclear {
        key,
        why: format!("`{action}` was denied: without {what} it cannot be told whose it is"),
        next: format!("allow the caller {action}"),
    }
}
