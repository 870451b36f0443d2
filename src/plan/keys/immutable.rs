//! What cannot be changed on a key: a difference blocks, and a key is never replaced.

use super::super::draft::Sheet;
use super::KeyGoal;
use crate::desired::Topology;
use crate::diag::Code;
use crate::ids::KeyStoreId;
use crate::kms::KeyUsage;
use crate::live::{KeyManager, KeyMetadata};
use crate::services::Service;
use crate::text::and_list;

/// Returns whether the key can become what is wanted; blocks where it cannot.
pub(super) fn changeable(goal: &KeyGoal<'_>, live: &KeyMetadata, sheet: &mut Sheet<'_>) -> bool {
    let differences = differences(goal, live);
    if !differences.is_empty() {
        let recipe = recipe(goal);
        for (property, is, wanted) in &differences {
            let message = format!("the key's {property} is {is}, the manifest wants {wanted}");
            sheet.block(Code::ImmutableProperty, message, &recipe);
        }
    }
    differences.is_empty()
}

/// Each property that differs: what it is called, what it is, what is wanted.
fn differences(goal: &KeyGoal<'_>, live: &KeyMetadata) -> Vec<(&'static str, String, String)> {
    let key = goal.key;
    let text = |value: Option<&str>| value.unwrap_or("none").to_owned();
    let manager = if live.manager == KeyManager::Aws { "AWS" } else { "customer" };
    let multi_region = key.topology != Topology::Single;
    let mut all = vec![
        ("spec", live.spec.name().to_owned(), key.spec().name().to_owned()),
        ("usage", live.usage.name().to_owned(), key.usage().name().to_owned()),
        ("origin", live.origin.name().to_owned(), key.origin().name().to_owned()),
        ("multi-Region setting", live.multi_region.to_string(), multi_region.to_string()),
        ("manager", manager.to_owned(), "customer".to_owned()),
    ];
    if let Some(store) = key.key_store().filter(|_| live.origin == key.origin()) {
        all.push(("key store", text(live.store.as_ref().map(KeyStoreId::as_str)), store.id().to_string()));
        // Some servers do not tell it.
        let external = live.xks_key_id.as_deref().zip(store.xks_key_id());
        all.extend(external.map(|(is, wanted)| ("key id in the external store", is.to_owned(), wanted.to_owned())));
    }
    all.retain(|(_, is, wanted)| is != wanted);
    all
}

/// Returns the way to a key that is what the manifest wants, with the names of this one.
fn recipe(goal: &KeyGoal<'_>) -> String {
    let name = &goal.key.name;
    let aliases: Vec<String> = goal.key.aliases.iter().map(|alias| format!("`{}`", alias.value.as_str())).collect();
    let (aliases, them) = (and_list(&aliases), if aliases.len() == 1 { "it" } else { "them" });
    [
        "a key is never replaced; the way to another one:".to_owned(),
        format!("1. undo the change of `{name}`, and declare `[key.{name}-2]` as it is wanted, with another alias"),
        "2. apply: the new key is made, and nothing uses it yet".to_owned(),
        format!("3. move {aliases} from `{name}` to `{name}-2`, and apply: whoever goes by {them} uses the new key"),
        format!("4. {}", migrate(goal)),
        format!("5. set state = \"retired\" on `{name}`, and apply: it rests, and is deleted only with --allow-retire"),
    ]
    .join("\n")
}

/// Returns what becomes of what the old key protects.
fn migrate(goal: &KeyGoal<'_>) -> String {
    match goal.key.usage() {
        KeyUsage::EncryptDecrypt => {
            let services: Vec<&str> = goal.key.services.iter().map(|service| by_service(*service)).collect();
            let own = "re-encrypt what applications keep themselves (kms:ReEncrypt, or decrypt and encrypt)";
            services.into_iter().chain([own]).collect::<Vec<_>>().join("; ")
        }
        KeyUsage::SignVerify => {
            "hand out the new public key, sign with the new key, and keep the old public key for old signatures".into()
        }
        KeyUsage::GenerateVerifyMac => "make new codes with the new key, and verify old ones until they expire".into(),
        KeyUsage::KeyAgreement => "hand out the new public key, and agree on new secrets with it".into(),
        KeyUsage::EncapsulateDecapsulate => {
            "hand out the new public key, and decapsulate with the old one what is still under way".into()
        }
    }
}

/// Returns how what a service holds comes under another key.
fn by_service(service: Service) -> &'static str {
    match service {
        Service::S3 => "S3: change the bucket's default key, then copy each object onto itself (S3 Batch Operations)",
        Service::Ebs => "EBS: copy each snapshot under the new key, and make new volumes of the copies",
        Service::Efs => "EFS: replicate the file system to one under the new key (DataSync or EFS replication)",
        Service::Rds => "RDS: copy a snapshot under the new key, and restore the database from the copy",
        Service::Dynamodb => "DynamoDB: name the new key on the table, which re-encrypts it by itself",
    }
}
