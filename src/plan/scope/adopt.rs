//! Adoption: whether the key that a declared one takes over (`adopt`) may become ours. It never leads to a new key.
//!
//! The claim alias is created first, then the tags: a run that was interrupted in between is continued, since the
//! manifest names the same key still. Once the claim alias and the tags agree, `adopt` says nothing any more.

use super::{ClaimAlias, Ownership, Refusal, Unfit, Wanted, pending};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK, TAG_STRAY};
use crate::desired::{Adoption, DesiredKey, DesiredTarget};
use crate::diag::Code;
use crate::ids::{AliasName, KeyArn};
use crate::live::{KeyManager, KeyMetadata, LiveKey, LiveTarget};
use crate::text::{and_list, escape};
use std::collections::BTreeMap;

/// Decides which key it is, after it was looked for by its name.
pub(super) fn resolve<'a>(
    wanted: Wanted<'_>,
    (declared, adoption): (&DesiredKey, &Adoption),
    (target, live): (&DesiredTarget, &'a LiveTarget),
    found: Ownership<'a>,
) -> Ownership<'a> {
    let named = named(adoption, live);
    let is_named = |arn: &KeyArn| named.is_some_and(|key| key.arn == *arn);
    let goes_on = match &found {
        Ownership::Absent => true,
        // An earlier run was interrupted, or somebody undid a part.
        Ownership::Refused(Refusal::AliasWithoutTags { key: Some(arn) }) => is_named(arn),
        Ownership::Refused(Refusal::TagsWithoutAlias { keys }) => keys.iter().any(is_named),
        Ownership::Ours { .. } | Ownership::Refused(_) => false,
    };
    if !goes_on {
        return found;
    }
    let Some(key) = named else { return Ownership::Refused(missing(adoption, live)) };
    match shared(declared, key, target, live).or_else(|| refusal(wanted, declared, key, live)) {
        Some(refusal) => Ownership::Refused(refusal),
        None => Ownership::Ours { key, claim: ClaimAlias::Adopted },
    }
}

/// Returns the key that is named, as far as it was read.
fn named<'a>(adoption: &Adoption, live: &'a LiveTarget) -> Option<&'a LiveKey> {
    match adoption {
        Adoption::Alias(alias) => live.key(live.aliases.get(alias)?.as_ref()?),
        Adoption::Key(arn) => live.keys.iter().find(|key| key.arn == *arn),
    }
}

fn missing(adoption: &Adoption, live: &LiveTarget) -> Refusal {
    let what = match adoption {
        Adoption::Alias(alias) => format!("alias `{alias}`"),
        Adoption::Key(arn) => format!("key `{arn}`"),
    };
    let message = format!("`adopt` names the {what}, and account {} has no such key in {}", live.account, live.region);
    unfit(message, "correct `adopt`; to make a new key, leave it out")
}

/// Another declared key that adopts the same one, by another of its names: only what is live tells that.
fn shared(declared: &DesiredKey, key: &LiveKey, target: &DesiredTarget, live: &LiveTarget) -> Option<Refusal> {
    let same = |other: &&DesiredKey| {
        let adopted = other.adopt.as_ref().and_then(|adoption| named(&adoption.value, live));
        other.name != declared.name && adopted.is_some_and(|adopted| adopted.arn == key.arn)
    };
    let other = target.keys.iter().find(same)?;
    let message = format!("`{}` is adopted by the key `{}` of the manifest too", key.arn.key_id(), other.name);
    Some(unfit(message, "a key has one name in one stack: take `adopt` out of one of them"))
}

fn unfit(message: String, help: impl Into<String>) -> Refusal {
    Refusal::Unfit(Unfit { code: Code::AdoptRefused, message, help: help.into() })
}

fn refusal(wanted: Wanted<'_>, declared: &DesiredKey, key: &LiveKey, live: &LiveTarget) -> Option<Refusal> {
    let unreadable = |action: Option<&str>| {
        action.map(|action| Refusal::Unreadable { key: key.arn.clone(), action: action.to_owned() })
    };
    let (Some(tags), Some(metadata)) = (key.tags.known(), key.metadata.known()) else {
        return unreadable(key.tags.denied().or_else(|| key.metadata.denied()));
    };
    if metadata.manager == KeyManager::Aws {
        let message = format!("AWS manages the key `{}`", key.arn);
        return Some(unfit(message, "keys of AWS belong to its services: adopt a key of your own"));
    }
    belongs(wanted, key, tags)
        .or_else(|| claimed(wanted, key, live))
        .or_else(|| pending(key))
        .or_else(|| differs(declared, key, metadata))
}

/// Somebody else's tags on the key.
fn belongs(wanted: Wanted<'_>, key: &LiveKey, tags: &BTreeMap<String, String>) -> Option<Refusal> {
    let id = key.arn.key_id();
    let other = |tag: &str, own: &str| tags.get(tag).filter(|value| *value != own);
    if let Some(stack) = other(TAG_STACK, wanted.stack.as_str()) {
        let message = format!("`{id}` belongs to the stack `{}`", escape(stack));
        return Some(unfit(message, "a key belongs to one stack: let that one go of it first"));
    }
    if let Some(owner) = other(TAG_OWNER, wanted.owner.as_str()) {
        return Some(Refusal::ForeignOwner { key: key.arn.clone(), owner: owner.clone() });
    }
    if let Some(name) = other(TAG_KEY, wanted.key.as_str()) {
        let message = format!("`{id}` is the key `{}` of this stack already", escape(name));
        let help = format!("to rename it, write moved_from = \"{}\" in place of `adopt`", escape(name));
        return Some(unfit(message, help));
    }
    tags.contains_key(TAG_STRAY).then(|| {
        let message = format!("`{id}` lost the race for the name of another key, and is marked as a stray");
        unfit(message, format!("if it is the right one: aws kms untag-resource --key-id {id} --tag-keys {TAG_STRAY}"))
    })
}

/// A claim alias before the key that is not its own.
fn claimed(wanted: Wanted<'_>, key: &LiveKey, live: &LiveTarget) -> Option<Refusal> {
    let own = AliasName::claim(wanted.stack, wanted.key);
    let id = key.arn.key_id();
    let other = live.aliases_of(&id).find(|alias| alias.is_claim() && **alias != own)?;
    let message = format!("`{id}` is claimed by `{other}`");
    Some(unfit(message, "a key has one name in one stack: let that one go of it first"))
}

/// What cannot be changed on a key must be as the manifest says.
fn differs(declared: &DesiredKey, key: &LiveKey, live: &KeyMetadata) -> Option<Refusal> {
    let wanted = declared.shape();
    let regions = |many: bool| if many { "multi-Region" } else { "single-Region" };
    let properties = [
        ("spec", live.spec.name(), wanted.spec.name()),
        ("usage", live.usage.name(), wanted.usage.name()),
        ("origin", live.origin.name(), wanted.origin.name()),
        ("kind", regions(live.multi_region), regions(wanted.multi_region)),
    ];
    let differing = properties.iter().filter(|(_, is, wanted)| is != wanted);
    let words: Vec<String> =
        differing.map(|(what, is, wanted)| format!("its {what} is {is}, the manifest says {wanted}")).collect();
    (!words.is_empty()).then(|| {
        let message = format!("`{}` cannot be what the manifest declares: {}", key.arn.key_id(), and_list(&words));
        unfit(message, "correct the manifest: KMS cannot change this on a key")
    })
}
