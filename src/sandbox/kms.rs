//! KMS: the table of operations, and what the passing of time does to keys.

mod agreement;
mod aliases;
mod cipher;
mod crypto;
mod data_keys;
mod der;
mod find;
mod fit;
mod grants;
mod kem;
mod keys;
mod mac;
mod managed;
mod material;
mod metadata;
mod mu;
mod oaep;
mod paging;
mod pairs;
mod policies;
mod private;
mod public_key;
mod rotation;
mod sign;
mod signature;
mod tags;

pub(super) use paging::{after, page};
pub(super) use tags::{Change as TagChange, key_tag_change};

use super::call::Handler;
use super::state::{Deletion, Key, MaterialOrigin, State, StoreLink};
use crate::kms::KeyState;
use jiff::{SignedDuration, Timestamp};

/// Every operation, by name.
pub(super) const OPERATIONS: &[(&str, Handler)] = &[
    ("CreateKey", keys::create),
    ("DescribeKey", keys::describe),
    ("ListKeys", keys::list),
    ("UpdateKeyDescription", keys::update_description),
    ("EnableKey", keys::enable),
    ("DisableKey", keys::disable),
    ("ScheduleKeyDeletion", keys::schedule_deletion),
    ("CancelKeyDeletion", keys::cancel_deletion),
    ("GetKeyLastUsage", keys::last_usage),
    ("GetKeyPolicy", policies::get),
    ("PutKeyPolicy", policies::put),
    ("ListKeyPolicies", policies::list),
    ("CreateAlias", aliases::create),
    ("UpdateAlias", aliases::update),
    ("DeleteAlias", aliases::delete),
    ("ListAliases", aliases::list),
    ("TagResource", tags::tag),
    ("UntagResource", tags::untag),
    ("ListResourceTags", tags::list),
    ("EnableKeyRotation", rotation::enable),
    ("DisableKeyRotation", rotation::disable),
    ("GetKeyRotationStatus", rotation::status),
    ("RotateKeyOnDemand", rotation::on_demand),
    ("ListKeyRotations", rotation::list),
    ("CreateGrant", grants::create),
    ("ListGrants", grants::list),
    ("RevokeGrant", grants::revoke),
    ("RetireGrant", grants::retire),
    ("ListRetirableGrants", grants::list_retirable),
    ("Encrypt", crypto::encrypt),
    ("Decrypt", crypto::decrypt),
    ("ReEncrypt", crypto::re_encrypt),
    ("GenerateDataKey", data_keys::generate),
    ("GenerateDataKeyWithoutPlaintext", data_keys::generate_without_plaintext),
    ("GenerateDataKeyPair", pairs::generate),
    ("GenerateDataKeyPairWithoutPlaintext", pairs::generate_without_plaintext),
    ("GenerateRandom", data_keys::random),
    ("GetPublicKey", public_key::get),
    ("Sign", sign::sign),
    ("Verify", sign::verify),
    ("GenerateMac", mac::generate),
    ("VerifyMac", mac::verify),
    ("DeriveSharedSecret", agreement::derive),
    ("Encapsulate", kem::encapsulate),
    ("Decapsulate", kem::decapsulate),
];

/// Returns so many days.
pub(super) fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count.saturating_mul(24))
}

/// Lets time pass: deletes keys whose window ended, rotates those that are due, forgets old sessions.
pub(super) fn pass_time(state: &mut State, now: Timestamp) {
    for arn in state.keys.names_where(|key| matches!(key.deletion, Some(Deletion::At(date)) if date <= now)) {
        for alias in state.aliases.names_where(|alias| alias.target.as_str() == arn) {
            state.aliases.remove(&alias);
        }
        state.keys.remove(&arn);
    }
    // No key in a custom key store rotates.
    let enabled = |key: &Key| key.state(now, StoreLink::Connected) == KeyState::Enabled;
    let due = |key: &Key| enabled(key) && key.rotation.as_ref().is_some_and(|rotation| rotation.next <= now);
    for arn in state.keys.names_where(due) {
        let Some(key) = state.keys.get_mut(&arn) else { continue };
        while let Some(rotation) = &mut key.rotation
            && rotation.next <= now
        {
            let at = rotation.next;
            rotation.next = at.saturating_add(days(rotation.period_days.max(1))).unwrap_or(Timestamp::MAX);
            key.materials.push(material::symmetric(at, MaterialOrigin::Automatic));
        }
    }
    // Expired credentials are told apart from unknown ones for a while.
    let forgotten = |expires: Timestamp| now.duration_since(expires) > days(7);
    for id in state.sessions.names_where(|session| forgotten(session.expires)) {
        state.sessions.remove(&id);
    }
}
