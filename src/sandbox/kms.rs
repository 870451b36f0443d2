//! KMS: the table of operations.

mod agreement;
mod aliases;
mod cipher;
mod crypto;
mod data_keys;
mod der;
mod find;
mod fit;
mod grants;
mod import;
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
mod replicas;
mod rotation;
mod sign;
mod signature;
mod stores;
mod tags;
mod time;
mod wrapping;

pub(super) use paging::{after, page};
pub(super) use tags::{Change as TagChange, key_tag_change};
pub(super) use time::pass_time;

use super::call::Handler;
use jiff::SignedDuration;

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
    ("ReplicateKey", replicas::replicate),
    ("UpdatePrimaryRegion", replicas::update_primary),
    ("GetParametersForImport", import::parameters),
    ("ImportKeyMaterial", import::import),
    ("DeleteImportedKeyMaterial", import::delete),
    ("CreateCustomKeyStore", stores::create),
    ("DescribeCustomKeyStores", stores::describe),
    ("ConnectCustomKeyStore", stores::connect),
    ("DisconnectCustomKeyStore", stores::disconnect),
    ("UpdateCustomKeyStore", stores::update),
    ("DeleteCustomKeyStore", stores::delete),
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
