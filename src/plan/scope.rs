//! Whose is what: decides for each declared key which live key is it, before anything is compared.
//!
//! A key is ours when its tags and its claim alias agree. Everything else is left alone: "hands off" is settled
//! here, so that comparing stays naive.

mod adopt;
mod rename;

use crate::desired::tags::{TAG_CLAIM, TAG_KEY, TAG_OWNER, TAG_STACK, TAG_STRAY};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget};
use crate::diag::Code;
use crate::ids::{AliasName, KeyArn, KeyName, OwnerId, StackName};
use crate::live::{LiveKey, LiveTarget};
use std::collections::BTreeMap;

/// Claim records of this machine for one target: key name to the claim id that was written before `CreateKey`.
pub type Claims = BTreeMap<KeyName, String>;

/// Which live key a declared key is.
#[derive(Debug, Clone)]
pub(in crate::plan) enum Ownership<'a> {
    /// None: it will be created.
    Absent,
    /// This one.
    Ours {
        /// The key.
        key: &'a LiveKey,
        /// Whether its claim alias stands.
        claim: ClaimAlias,
    },
    /// It cannot be told, or it may not be touched.
    Refused(Refusal),
}

/// Whether a key's claim alias stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum ClaimAlias {
    /// It does.
    Stands,
    /// An interrupted run of this machine made the key and not the alias.
    Missing,
    /// The manifest adopts the key: its claim alias and tags are written now, as far as they are not there.
    Adopted,
    /// The key was another's name in the manifest: its claim alias and tags change, as far as they have not.
    Renamed,
}

/// Why a key is neither ours nor absent.
#[derive(Debug, Clone)]
pub(in crate::plan) enum Refusal {
    /// The claim alias stands, the tags say something else or nothing.
    AliasWithoutTags {
        /// The key behind the alias, if there is one.
        key: Option<KeyArn>,
    },
    /// The tags are there, the claim alias is not.
    TagsWithoutAlias {
        /// The keys with the tags.
        keys: Vec<KeyArn>,
    },
    /// The tags name another owner.
    ForeignOwner {
        /// The key.
        key: KeyArn,
        /// The owner that its tag names.
        owner: String,
    },
    /// The key behind the claim alias could not be read.
    Unreadable {
        /// The key.
        key: KeyArn,
        /// The action that is missing.
        action: String,
    },
    /// A key with the tags and without the claim alias waits to be deleted.
    PendingDeletion {
        /// The key.
        key: KeyArn,
        /// When it will be deleted, as far as known.
        when: Option<jiff::Timestamp>,
    },
    /// It cannot be adopted, or cannot be the key that had another name.
    Unfit(Unfit),
}

/// Why a key cannot become ours, or cannot be renamed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct Unfit {
    /// Which rule.
    pub(in crate::plan) code: Code,
    /// What is wrong.
    pub(in crate::plan) message: String,
    /// The next thing to do.
    pub(in crate::plan) help: String,
}

/// The tags that prove ownership of one key.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    stack: &'a StackName,
    owner: &'a OwnerId,
    key: &'a KeyName,
}

impl Wanted<'_> {
    fn names(&self, tags: &BTreeMap<String, String>) -> bool {
        let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
        is(TAG_STACK, self.stack.as_str()) && is(TAG_KEY, self.key.as_str())
    }
}

/// Decides which live key a declared key is: by its name, else by the name that it had, else the one that it adopts.
pub(in crate::plan) fn ownership<'a>(
    desired: &DesiredState,
    target: &DesiredTarget,
    key: &DesiredKey,
    live: &'a LiveTarget,
    claims: &Claims,
) -> Ownership<'a> {
    let wanted = Wanted { stack: &desired.stack, owner: &desired.owner, key: &key.name };
    let found = by_name(wanted, live, claims);
    let found = match &key.moved_from {
        Some(old) => rename::resolve(wanted, &old.value, target, live, found),
        None => found,
    };
    match &key.adopt {
        Some(adoption) => adopt::resolve(wanted, (key, &adoption.value), (target, live), found),
        None => found,
    }
}

/// Finds a key by its name alone.
fn by_name<'a>(wanted: Wanted<'_>, live: &'a LiveTarget, claims: &Claims) -> Ownership<'a> {
    match live.aliases.get(&AliasName::claim(wanted.stack, wanted.key)) {
        Some(Some(id)) => match live.key(id) {
            Some(found) => behind_alias(&wanted, found),
            None => Ownership::Refused(Refusal::AliasWithoutTags { key: None }),
        },
        Some(None) => Ownership::Refused(Refusal::AliasWithoutTags { key: None }),
        None => by_tags(&wanted, live, claims.get(wanted.key)),
    }
}

fn behind_alias<'a>(wanted: &Wanted<'_>, key: &'a LiveKey) -> Ownership<'a> {
    let Some(tags) = key.tags.known() else {
        let action = key.tags.denied().unwrap_or("kms:ListResourceTags").to_owned();
        return Ownership::Refused(Refusal::Unreadable { key: key.arn.clone(), action });
    };
    if !wanted.names(tags) {
        return Ownership::Refused(Refusal::AliasWithoutTags { key: Some(key.arn.clone()) });
    }
    let owner = tags.get(TAG_OWNER).map_or("", String::as_str);
    if owner != wanted.owner.as_str() {
        return Ownership::Refused(Refusal::ForeignOwner { key: key.arn.clone(), owner: owner.to_owned() });
    }
    // One that waits to be deleted is ours too: what becomes of it is the manifest's to say.
    Ownership::Ours { key, claim: ClaimAlias::Stands }
}

fn pending(key: &LiveKey) -> Option<Refusal> {
    let metadata = key.metadata.known()?;
    metadata
        .state
        .is_pending_deletion()
        .then(|| Refusal::PendingDeletion { key: key.arn.clone(), when: metadata.deletion })
}

/// No claim alias stands: only a key that this machine was creating when it was interrupted is ours. The claim tag
/// alone licenses nothing, since anybody who may tag can write it.
fn by_tags<'a>(wanted: &Wanted<'_>, live: &'a LiveTarget, claim: Option<&String>) -> Ownership<'a> {
    let tagged: Vec<(&LiveKey, &BTreeMap<String, String>)> = live
        .keys
        .iter()
        .filter_map(|key| key.tags.known().map(|tags| (key, tags)))
        .filter(|(_, tags)| wanted.names(tags) && !tags.contains_key(TAG_STRAY))
        .collect();
    let (resting, active): (Vec<_>, Vec<_>) = tagged.into_iter().partition(|(key, _)| pending(key).is_some());
    let own: Vec<_> = active
        .iter()
        .filter(|(_, tags)| {
            tags.get(TAG_OWNER).map(String::as_str) == Some(wanted.owner.as_str())
                && claim.is_some()
                && tags.get(TAG_CLAIM) == claim
        })
        .collect();
    match (own.as_slice(), active.as_slice(), resting.first()) {
        ([(key, _)], _, _) => Ownership::Ours { key, claim: ClaimAlias::Missing },
        (_, [], None) => Ownership::Absent,
        (_, [], Some((key, _))) => pending(key).map_or(Ownership::Absent, Ownership::Refused),
        (_, [(key, tags)], _) if tags.get(TAG_OWNER).is_some_and(|owner| owner != wanted.owner.as_str()) => {
            let owner = tags.get(TAG_OWNER).cloned().unwrap_or_default();
            Ownership::Refused(Refusal::ForeignOwner { key: key.arn.clone(), owner })
        }
        (_, keys, _) => Ownership::Refused(Refusal::TagsWithoutAlias {
            keys: keys.iter().map(|(key, _)| key.arn.clone()).collect(),
        }),
    }
}
