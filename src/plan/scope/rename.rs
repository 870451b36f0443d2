//! Renaming: which live key has the name that a declared key had before (`moved_from`).
//!
//! The new claim alias is created, then the tag is changed, then the old claim alias is deleted. After an interruption
//! between any two of these the key is found again, and what is left to do is done.

use super::{ClaimAlias, Claims, Ownership, Refusal, Unfit, Wanted, behind_alias, by_name};
use crate::desired::DesiredTarget;
use crate::diag::Code;
use crate::ids::{AliasName, KeyArn, KeyName};
use crate::live::LiveTarget;
use crate::text::and_list;

/// Decides which key it is, after it was looked for under its new name.
pub(super) fn resolve<'a>(
    wanted: Wanted<'_>,
    old: &KeyName,
    target: &DesiredTarget,
    live: &'a LiveTarget,
    found: Ownership<'a>,
) -> Ownership<'a> {
    if target.keys.iter().any(|key| key.name == *old) {
        return refused(
            format!("`moved_from` names `{old}`, which is declared too"),
            format!("take `[key.{old}]` out, or `moved_from` out of `[key.{}]`", wanted.key),
        );
    }
    let before = Wanted { key: old, ..wanted };
    match found {
        Ownership::Ours { key, claim: ClaimAlias::Stands } => {
            let left = live.aliases.get(&AliasName::claim(wanted.stack, old)) == Some(&Some(key.arn.key_id()));
            Ownership::Ours { key, claim: if left { ClaimAlias::Renamed } else { ClaimAlias::Stands } }
        }
        Ownership::Refused(Refusal::AliasWithoutTags { key: Some(arn) }) => interrupted(before, arn, live),
        Ownership::Absent => under_old_name(before, live),
        Ownership::Ours { .. } | Ownership::Refused(_) => found,
    }
}

/// The new claim alias stands before a key whose tags name something else: the old name, where a run was interrupted.
fn interrupted<'a>(before: Wanted<'_>, arn: KeyArn, live: &'a LiveTarget) -> Ownership<'a> {
    match live.key(&arn.key_id()).map(|key| behind_alias(&before, key)) {
        Some(Ownership::Ours { key, .. }) => Ownership::Ours { key, claim: ClaimAlias::Renamed },
        Some(Ownership::Refused(refusal @ Refusal::PendingDeletion { .. })) => Ownership::Refused(refusal),
        Some(Ownership::Absent | Ownership::Refused(_)) | None => {
            Ownership::Refused(Refusal::AliasWithoutTags { key: Some(arn) })
        }
    }
}

/// Nothing has the new name: the key that has the old one is it; where there is none, there is nothing to rename.
fn under_old_name<'a>(before: Wanted<'_>, live: &'a LiveTarget) -> Ownership<'a> {
    let old = before.key;
    match by_name(before, live, &Claims::new()) {
        Ownership::Ours { key, .. } => Ownership::Ours { key, claim: ClaimAlias::Renamed },
        Ownership::Absent => Ownership::Absent,
        Ownership::Refused(Refusal::AliasWithoutTags { key }) => {
            let names = key.map_or("no key".to_owned(), |key| format!("`{key}`, which does not carry its tags"));
            refused(
                format!("the claim alias of `{old}`, which `moved_from` names, names {names}"),
                "restore the tags keywright:stack, keywright:key and keywright:owner, or remove the alias".to_owned(),
            )
        }
        Ownership::Refused(Refusal::TagsWithoutAlias { keys }) => {
            let ids: Vec<String> = keys.iter().map(|key| format!("`{}`", key.key_id())).collect();
            let claim = AliasName::claim(before.stack, old);
            refused(
                format!(
                    "the tags of `{old}`, which `moved_from` names, are on {}, and its claim alias is missing",
                    and_list(&ids)
                ),
                format!(
                    "if the key is the one: aws kms create-alias --alias-name {claim} --target-key-id ID; if not, remove its tag keywright:key"
                ),
            )
        }
        Ownership::Refused(refusal) => Ownership::Refused(refusal),
    }
}

fn refused<'a>(message: String, help: String) -> Ownership<'a> {
    Ownership::Refused(Refusal::Unfit(Unfit { code: Code::RenameRefused, message, help }))
}
