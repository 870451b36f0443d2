//! Why a key may not be touched, in words.

use super::super::draft::Sheet;
use super::super::scope::Refusal;
use super::KeyGoal;
use crate::desired::{DesiredKey, KeyLifecycle};
use crate::diag::Code;
use crate::ids::{AliasName, StackName};

pub(super) fn refuse(goal: &KeyGoal<'_>, refusal: &Refusal, sheet: &mut Sheet<'_>) {
    say_refusal((goal.stack, goal.key), refusal, sheet);
}

/// Says of a key, which belongs to a stack, why it may not be touched.
pub(in crate::plan) fn say_refusal((stack, key): (&StackName, &DesiredKey), refusal: &Refusal, sheet: &mut Sheet<'_>) {
    let claim = AliasName::claim(stack, &key.name);
    let lifecycle = key.lifecycle;
    match refusal {
        Refusal::AliasWithoutTags { key: None } => sheet.block(
            Code::OwnershipUnclear,
            format!("the claim alias `{claim}` stands, but names no key"),
            format!("if nothing uses it, remove it: aws kms delete-alias --alias-name {claim}"),
        ),
        Refusal::AliasWithoutTags { key: Some(key) } => sheet.block(
            Code::OwnershipUnclear,
            format!("the claim alias `{claim}` names `{key}`, which does not carry the tags of this key"),
            "restore the tags keywright:stack, keywright:key and keywright:owner, or remove the alias",
        ),
        Refusal::TagsWithoutAlias { keys } => {
            let ids: Vec<String> = keys.iter().map(|key| format!("`{}`", key.key_id())).collect();
            sheet.block(
                Code::OwnershipUnclear,
                format!("{} the tags of this key, but the claim alias `{claim}` is missing",
                    if ids.len() == 1 { format!("{} carries", ids.concat()) } else { format!("{} carry", crate::text::and_list(&ids)) }),
                format!("if the key is this one: aws kms create-alias --alias-name {claim} --target-key-id ID; if not, remove its tag keywright:key"),
            );
        }
        Refusal::ForeignOwner { key, owner } => sheet.block(
            Code::ForeignOwner,
            format!("`{}` belongs to another manifest, whose id is `{}`", key.key_id(), crate::text::escape(owner)),
            "choose another `stack`, or use the manifest that owns the key",
        ),
        Refusal::Unreadable { key, action } => sheet.block(
            Code::Unreadable,
            format!("`{action}` was denied on `{key}`"),
            format!("allow the caller {action} on the key"),
        ),
        Refusal::Unfit(unfit) => sheet.block(unfit.code, unfit.message.clone(), unfit.help.clone()),
        Refusal::PendingDeletion { .. } if lifecycle == KeyLifecycle::Retired => {}
        Refusal::PendingDeletion { key, when } => {
            let id = key.key_id();
            let when = when.map(|at| format!(" at {at}")).unwrap_or_default();
            sheet.block(
                Code::PendingDeletion,
                format!("`{id}` carries the tags of this key and waits to be deleted{when}; the claim alias `{claim}` is missing"),
                format!(
                    "to keep it: aws kms cancel-key-deletion --key-id {id}, then aws kms create-alias --alias-name \
                     {claim} --target-key-id {id}; to let it go, remove the key from the manifest, or set state = \"retired\""
                ),
            );
        }
    }
}
