//! Every operation in every key state, against the table in `tests/data/kms/key-states.md`.

use super::import::{Given, given, wrapped};
use super::stores;
use super::*;
use crate::kms::KeyState;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{ExpirationModelType, MacAlgorithmSpec, SigningAlgorithmSpec, Tag};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

const HERE: &str = "eu-west-1";
const THERE: &str = "us-east-1";
/// How long a key stays Creating or Updating on the slow bench, in seconds.
const SLOW: i64 = 3600;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Encrypts,
    Signs,
    Authenticates,
}

/// Where its material comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Kms,
    Imported,
    Store,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    purpose: Purpose,
    source: Source,
    multi_region: bool,
}

impl Kind {
    /// Returns every kind of key for a purpose.
    fn all(purpose: Purpose) -> Vec<Self> {
        let kind = |source, multi_region| Self { purpose, source, multi_region };
        let mut kinds = Vec::new();
        for multi_region in [false, true] {
            kinds.extend([kind(Source::Kms, multi_region), kind(Source::Imported, multi_region)]);
        }
        if purpose == Purpose::Encrypts {
            kinds.push(kind(Source::Store, false));
        }
        kinds
    }

    /// Returns the kinds on which an operation is driven in a state: all that there are, where the kind matters to it,
    /// otherwise the first.
    fn driven(operation: &str, state: KeyState) -> Vec<Self> {
        let mut kinds = Self::all(purpose(operation));
        let matters = kinds.iter().any(|kind| !kind.has(operation));
        kinds.retain(|kind| kind.reaches(state));
        kinds.truncate(if matters { kinds.len() } else { 1 });
        kinds
    }

    /// Returns whether such a key can be in a state.
    fn reaches(self, state: KeyState) -> bool {
        match state {
            KeyState::Enabled | KeyState::Disabled | KeyState::PendingDeletion => true,
            KeyState::PendingImport => self.source == Source::Imported,
            KeyState::Unavailable => self.source == Source::Store,
            KeyState::PendingReplicaDeletion | KeyState::Creating | KeyState::Updating => self.multi_region,
        }
    }

    /// Returns whether such a key has an operation at all.
    fn has(self, operation: &str) -> bool {
        match operation {
            "EnableKeyRotation" | "DisableKeyRotation" | "GetKeyRotationStatus" => self.source == Source::Kms,
            "RotateKeyOnDemand"
            | "ListKeyRotations"
            | "GenerateDataKeyPair"
            | "GenerateDataKeyPairWithoutPlaintext" => self.source != Source::Store,
            "GetParametersForImport" | "ImportKeyMaterial" | "DeleteImportedKeyMaterial" => {
                self.source == Source::Imported
            }
            "ReplicateKey" | "UpdatePrimaryRegion" => self.multi_region,
            _ => true,
        }
    }

    fn material(self) -> Vec<u8> {
        static SIGNER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        if self.purpose != Purpose::Signs {
            return vec![5; 32];
        }
        let new = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap();
        SIGNER.get_or_init(|| new().as_ref().to_vec()).clone()
    }
}

/// Returns what an operation is driven on.
fn purpose(operation: &str) -> Purpose {
    match operation {
        "Sign" | "Verify" | "GetPublicKey" => Purpose::Signs,
        "GenerateMac" | "VerifyMac" => Purpose::Authenticates,
        _ => Purpose::Encrypts,
    }
}

/// Returns the code with which a note of the table answers.
fn note(number: u32) -> &'static str {
    match number {
        1 => "DisabledException",
        3..=5 | 8 | 11 | 14 | 15 => "KMSInvalidStateException",
        6 | 7 | 9 => "UnsupportedOperationException",
        _ => panic!("note {number} is no refusal"),
    }
}

/// Returns what a cell says to a kind of key: OK or a code. `None` where it says that there is no such key.
fn expected(cell: &str, operation: &str, kind: Kind) -> Option<String> {
    if !kind.has(operation) {
        return Some("UnsupportedOperationException".to_owned());
    }
    let mut notes: Vec<u32> = cell.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    // These two are about kinds of keys that do not have the operation; the sandbox answers 3 where AWS may answer 2.
    notes.retain(|note| ![2, 7, 9].contains(note));
    let answer = match cell.trim().chars().next() {
        Some('O' | '?') => "OK",
        Some('X') => note(*notes.first().unwrap_or_else(|| panic!("{operation} {kind:?}: {cell}"))),
        Some('N') if kind.source == Source::Imported => note(5),
        _ => return None,
    };
    Some(answer.to_owned())
}

/// A key in a state, and what belongs to it.
struct Subject {
    client: Client,
    key: String,
    alias: String,
    /// Another key of the same kind of use in the Region.
    other: String,
    /// A ciphertext, a signature or a MAC.
    proof: Blob,
    grant: Option<String>,
    given: Option<Given>,
}

/// Two sandboxes: in one of them transitions take long.
struct World {
    quick: Bench,
    slow: Bench,
    stores: [String; 2],
    count: u32,
}

impl World {
    async fn new() -> Self {
        let quick = Bench::new().await;
        let slow = Bench::with(StateLocation::Memory, &format!("settle:{SLOW}")).await;
        let admin = quick.admin();
        let stores = [stores::connected(&admin, "one").await, stores::connected(&admin, "two").await];
        Self { quick, slow, stores, count: 0 }
    }

    fn number(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// Creates a key of a kind, with material.
    async fn created(&mut self, client: &Client, kind: Kind, state: KeyState) -> (String, Option<Given>) {
        let (spec, usage) = match kind.purpose {
            Purpose::Encrypts => ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            Purpose::Signs => ("ECC_NIST_P256", "SIGN_VERIFY"),
            Purpose::Authenticates => ("HMAC_256", "GENERATE_VERIFY_MAC"),
        };
        let create = client.kms().create_key().key_spec(spec.into()).key_usage(usage.into());
        let create = match kind.source {
            Source::Kms => create,
            Source::Imported => create.origin("EXTERNAL".into()),
            Source::Store => {
                let store = &self.stores[usize::from(state == KeyState::Unavailable)];
                client.kms().connect_custom_key_store().custom_key_store_id(store).send().await.unwrap();
                let create = create.origin("EXTERNAL_KEY_STORE".into()).custom_key_store_id(store);
                create.xks_key_id(self.number().to_string())
            }
        };
        let create = create.multi_region(kind.multi_region);
        let key = create.send().await.unwrap().key_metadata.unwrap().key_id;
        let given = bring(client, kind, &key).await;
        (key, given)
    }

    /// Makes a key of a kind in a state.
    async fn subject(&mut self, kind: Kind, state: KeyState) -> Subject {
        let slow = matches!(state, KeyState::Creating | KeyState::Updating);
        let here = if slow { self.slow.admin() } else { self.quick.admin() };
        let (key, mut given) = self.created(&here, kind, state).await;
        let mut client = here.clone();
        let proof = proof(&here, kind, &key).await;
        if slow || (kind.multi_region && [KeyState::Enabled, KeyState::PendingReplicaDeletion].contains(&state)) {
            here.kms().replicate_key().key_id(&key).replica_region(THERE).send().await.unwrap();
        }
        if slow {
            client = here.region(THERE);
        }
        if state == KeyState::Updating {
            self.slow.clock.pass(SignedDuration::from_secs(SLOW));
        }
        if state == KeyState::Updating || (state == KeyState::Enabled && kind.multi_region) {
            let brought = bring(&here.region(THERE), kind, &key).await;
            given = if slow { brought } else { given };
        }
        let alias = format!("alias/{}", self.number());
        let target = client.kms().create_alias().alias_name(&alias).target_key_id(&key);
        target.send().await.unwrap();
        let grant = if state == KeyState::Creating { None } else { Some(granted(&client, &key).await) };
        let subject = Subject { other: client.key().await, client, key, alias, proof, grant, given };
        self.bring_into(&subject, state).await;
        subject
    }

    async fn bring_into(&self, subject: &Subject, state: KeyState) {
        let (kms, key) = (subject.client.kms(), &subject.key);
        match state {
            KeyState::Enabled | KeyState::Creating => {}
            KeyState::Disabled => drop(kms.disable_key().key_id(key).send().await.unwrap()),
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {
                kms.schedule_key_deletion().key_id(key).send().await.unwrap();
            }
            KeyState::PendingImport => {
                kms.delete_imported_key_material().key_id(key).send().await.unwrap();
            }
            KeyState::Unavailable => {
                let disconnect = kms.disconnect_custom_key_store().custom_key_store_id(&self.stores[1]);
                disconnect.send().await.unwrap();
            }
            KeyState::Updating => {
                let update = subject.client.region(HERE).kms().update_primary_region();
                update.key_id(key).primary_region(THERE).send().await.unwrap();
            }
        }
    }
}

/// Imports the material of a key that has none of KMS's.
async fn bring(client: &Client, kind: Kind, key: &str) -> Option<Given> {
    if kind.source != Source::Imported {
        return None;
    }
    let given = given(client, key).await;
    import(client, key, &given, &kind.material()).await.unwrap();
    Some(given)
}

async fn import(
    client: &Client,
    key: &str,
    given: &Given,
    material: &[u8],
) -> Result<(), SdkError<aws_sdk_kms::operation::import_key_material::ImportKeyMaterialError>> {
    let import = client.kms().import_key_material().key_id(key).import_token(given.token.clone());
    let import = import.encrypted_key_material(wrapped(&given.public, "RSAES_OAEP_SHA_256", material));
    import.expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire).send().await.map(drop)
}

async fn granted(client: &Client, key: &str) -> String {
    let user = format!("arn:aws:iam::{ACCOUNT}:user/sandbox");
    let grant = client.kms().create_grant().key_id(key).grantee_principal(&user).retiring_principal(&user);
    grant.operations("DescribeKey".into()).send().await.unwrap().grant_id.unwrap()
}

/// Returns what a key of a kind makes while it can be used.
async fn proof(client: &Client, kind: Kind, key: &str) -> Blob {
    let (kms, text) = (client.kms(), Blob::new("x"));
    match kind.purpose {
        Purpose::Encrypts => kms.encrypt().key_id(key).plaintext(text).send().await.unwrap().ciphertext_blob,
        Purpose::Signs => {
            let sign = kms.sign().key_id(key).message(text).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
            sign.send().await.unwrap().signature
        }
        Purpose::Authenticates => {
            let mac = kms.generate_mac().key_id(key).message(text).mac_algorithm(MacAlgorithmSpec::HmacSha256);
            mac.send().await.unwrap().mac
        }
    }
    .unwrap()
}

/// Returns OK or the code of a refusal.
fn told<T, E: ProvideErrorMetadata + Debug, R: Debug>(result: Result<T, SdkError<E, R>>) -> String {
    match result {
        Ok(_) => "OK".to_owned(),
        Err(error) => code::<T, E, R>(Err(error)),
    }
}

impl Subject {
    async fn state(&self) -> String {
        let described = self.client.kms().describe_key().key_id(&self.key).send().await;
        described.unwrap().key_metadata.unwrap().key_state.unwrap().as_str().to_owned()
    }

    /// Calls an operation of the table; the two sides of `UpdateAlias` are told apart.
    async fn call(&self, operation: &str) -> String {
        if let Some(answer) = self.use_material(operation).await {
            return answer;
        }
        if let Some(answer) = self.change(operation).await {
            return answer;
        }
        let (kms, key) = (self.client.kms(), &self.key);
        let tag = Tag::builder().tag_key("a").tag_value("b").build().unwrap();
        let grant = self.grant.clone().unwrap_or_else(|| "0".repeat(64));
        match operation {
            "CreateGrant" => {
                let user = format!("arn:aws:iam::{ACCOUNT}:user/sandbox");
                let grant = kms.create_grant().key_id(key).grantee_principal(user).operations("DescribeKey".into());
                told(grant.send().await)
            }
            "DeleteAlias" => told(kms.delete_alias().alias_name(&self.alias).send().await),
            "CreateAlias" => {
                let alias = format!("{}-more", self.alias);
                told(kms.create_alias().alias_name(alias).target_key_id(key).send().await)
            }
            "UpdateAlias (from)" => {
                told(kms.update_alias().alias_name(&self.alias).target_key_id(&self.other).send().await)
            }
            "UpdateAlias (to)" => {
                let alias = format!("{}-other", self.alias);
                kms.create_alias().alias_name(&alias).target_key_id(&self.other).send().await.unwrap();
                told(kms.update_alias().alias_name(alias).target_key_id(key).send().await)
            }
            "DescribeKey" => told(kms.describe_key().key_id(key).send().await),
            "GetKeyPolicy" => told(kms.get_key_policy().key_id(key).send().await),
            "GetKeyLastUsage" => told(kms.get_key_last_usage().key_id(key).send().await),
            "ListAliases" => told(kms.list_aliases().key_id(key).send().await),
            "ListGrants" => told(kms.list_grants().key_id(key).send().await),
            "ListKeyPolicies" => told(kms.list_key_policies().key_id(key).send().await),
            "ListResourceTags" => told(kms.list_resource_tags().key_id(key).send().await),
            "PutKeyPolicy" => {
                told(kms.put_key_policy().key_id(key).policy(key_policy(Vec::new()).to_string()).send().await)
            }
            "RetireGrant" => {
                let arn = format!("arn:aws:kms:{}:{ACCOUNT}:key/{key}", self.client.region);
                told(kms.retire_grant().key_id(arn).grant_id(grant).send().await)
            }
            "RevokeGrant" => told(kms.revoke_grant().key_id(key).grant_id(grant).send().await),
            "TagResource" => told(kms.tag_resource().key_id(key).tags(tag).send().await),
            "UntagResource" => told(kms.untag_resource().key_id(key).tag_keys("a").send().await),
            "UpdateKeyDescription" => told(kms.update_key_description().key_id(key).description("d").send().await),
            other => panic!("{other} is in the table and not driven"),
        }
    }

    /// Calls an operation that uses key material.
    async fn use_material(&self, operation: &str) -> Option<String> {
        let (kms, key, text, proof) = (self.client.kms(), &self.key, Blob::new("x"), self.proof.clone());
        let (ecdsa, hmac) = (SigningAlgorithmSpec::EcdsaSha256, MacAlgorithmSpec::HmacSha256);
        Some(match operation {
            "Decrypt" => told(kms.decrypt().ciphertext_blob(proof).send().await),
            "Encrypt" => told(kms.encrypt().key_id(key).plaintext(text).send().await),
            "ReEncrypt" => {
                let from = kms.re_encrypt().ciphertext_blob(proof.clone()).destination_key_id(&self.other);
                let to_self = kms.encrypt().key_id(&self.other).plaintext(text).send().await.unwrap();
                let to = kms.re_encrypt().ciphertext_blob(to_self.ciphertext_blob.unwrap()).destination_key_id(key);
                let both = BTreeSet::from([told(from.send().await), told(to.send().await)]);
                both.into_iter().collect::<Vec<_>>().join(" and ")
            }
            "GenerateDataKey" => told(kms.generate_data_key().key_id(key).number_of_bytes(8).send().await),
            "GenerateDataKeyWithoutPlaintext" => {
                told(kms.generate_data_key_without_plaintext().key_id(key).number_of_bytes(8).send().await)
            }
            "GenerateDataKeyPair" => {
                told(kms.generate_data_key_pair().key_id(key).key_pair_spec("ECC_NIST_P256".into()).send().await)
            }
            "GenerateDataKeyPairWithoutPlaintext" => {
                let generate = kms.generate_data_key_pair_without_plaintext().key_id(key);
                told(generate.key_pair_spec("ECC_NIST_P256".into()).send().await)
            }
            "GenerateMac" => told(kms.generate_mac().key_id(key).message(text).mac_algorithm(hmac).send().await),
            "VerifyMac" => told(kms.verify_mac().key_id(key).message(text).mac_algorithm(hmac).mac(proof).send().await),
            "Sign" => told(kms.sign().key_id(key).message(text).signing_algorithm(ecdsa).send().await),
            "Verify" => {
                told(kms.verify().key_id(key).message(text).signing_algorithm(ecdsa).signature(proof).send().await)
            }
            "GetPublicKey" => told(kms.get_public_key().key_id(key).send().await),
            _ => return None,
        })
    }

    /// Calls an operation that changes what a key is or has.
    async fn change(&self, operation: &str) -> Option<String> {
        let (kms, key) = (self.client.kms(), &self.key);
        Some(match operation {
            "CancelKeyDeletion" => told(kms.cancel_key_deletion().key_id(key).send().await),
            "ScheduleKeyDeletion" => told(kms.schedule_key_deletion().key_id(key).send().await),
            "DisableKey" => told(kms.disable_key().key_id(key).send().await),
            "EnableKey" => told(kms.enable_key().key_id(key).send().await),
            "DisableKeyRotation" => told(kms.disable_key_rotation().key_id(key).send().await),
            "EnableKeyRotation" => told(kms.enable_key_rotation().key_id(key).send().await),
            "GetKeyRotationStatus" => told(kms.get_key_rotation_status().key_id(key).send().await),
            "ListKeyRotations" => told(kms.list_key_rotations().key_id(key).send().await),
            "RotateKeyOnDemand" => told(kms.rotate_key_on_demand().key_id(key).send().await),
            "DeleteImportedKeyMaterial" => told(kms.delete_imported_key_material().key_id(key).send().await),
            "GetParametersForImport" => {
                let get = kms.get_parameters_for_import().key_id(key);
                told(
                    get.wrapping_algorithm("RSAES_OAEP_SHA_256".into())
                        .wrapping_key_spec("RSA_2048".into())
                        .send()
                        .await,
                )
            }
            "ImportKeyMaterial" => {
                if let Some(given) = &self.given {
                    return Some(told(import(&self.client, key, given, &[5; 32]).await));
                }
                let import = kms.import_key_material().key_id(key).import_token(Blob::new("x"));
                let import = import.expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire);
                told(import.encrypted_key_material(Blob::new("x")).send().await)
            }
            "ReplicateKey" => told(kms.replicate_key().key_id(key).replica_region("eu-central-1").send().await),
            "UpdatePrimaryRegion" => {
                let region = if self.client.region == HERE { THERE } else { HERE };
                told(kms.update_primary_region().key_id(key).primary_region(region).send().await)
            }
            _ => return None,
        })
    }
}

/// Returns whether a key can be driven further after a call that succeeded.
fn leaves_no_trace(operation: &str) -> bool {
    let traces = [
        "CreateAlias",
        "DeleteAlias",
        "UpdateAlias (from)",
        "UpdateAlias (to)",
        "RetireGrant",
        "RevokeGrant",
        "DeleteImportedKeyMaterial",
        "ReplicateKey",
        "UpdatePrimaryRegion",
        "RotateKeyOnDemand",
    ];
    !traces.contains(&operation)
}

/// Returns the rows of the tables: an operation and its seven cells.
fn rows() -> Vec<(String, Vec<String>)> {
    let text = include_str!("../../../tests/data/kms/key-states.md");
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        if cells.len() == 8 && !["API", "---"].contains(&cells[0].as_str()) {
            rows.push((cells[0].clone(), cells[1..].to_vec()));
        }
    }
    rows
}

/// Returns the states that a column stands for.
fn states(column: usize) -> &'static [KeyState] {
    match column {
        0 => &[KeyState::Enabled],
        1 => &[KeyState::Disabled],
        2 => &[KeyState::PendingDeletion, KeyState::PendingReplicaDeletion],
        3 => &[KeyState::PendingImport],
        4 => &[KeyState::Unavailable],
        5 => &[KeyState::Creating],
        6 => &[KeyState::Updating],
        _ => panic!("the table has seven columns"),
    }
}

/// Returns the operations of a row, each with what the cell says to it, where it is not what the row says.
fn operations(row: &str, cell: &str, grantless: bool) -> Vec<(String, Option<String>)> {
    match row {
        "UpdateAlias" => {
            let onto = if cell.contains("[10]") { "KMSInvalidStateException" } else { "OK" };
            vec![
                ("UpdateAlias (from)".to_owned(), Some("OK".to_owned())),
                ("UpdateAlias (to)".to_owned(), Some(onto.to_owned())),
            ]
        }
        "RetireGrant" | "RevokeGrant" if grantless => vec![(row.to_owned(), Some("NotFoundException".to_owned()))],
        _ => vec![(row.to_owned(), None)],
    }
}

#[tokio::test]
async fn every_operation_in_every_state_answers_as_aws_says() {
    let mut world = World::new().await;
    let mut subjects: BTreeMap<(Kind, &str), Subject> = BTreeMap::new();
    let (mut wrong, mut driven, mut pairs) = (Vec::new(), 0, BTreeSet::new());
    let table = rows();
    assert_eq!(table.len(), 40 + 3, "the table has 40 rows, and three stand below it");
    for column in 0..7 {
        for state in states(column) {
            for (row, cells) in &table {
                let cell = &cells[column];
                for kind in Kind::driven(row, *state) {
                    // That imported material needs another one that waits is driven with the tests of imports.
                    if row == "RotateKeyOnDemand" && kind.source == Source::Imported && cell.starts_with('?') {
                        continue;
                    }
                    for (operation, other) in operations(row, cell, *state == KeyState::Creating) {
                        let Some(expected) = other.or_else(|| expected(cell, &operation, kind)) else { continue };
                        let fresh = match subjects.remove(&(kind, state.name())) {
                            Some(subject) if subject.state().await == state.name() => subject,
                            Some(_) | None => world.subject(kind, *state).await,
                        };
                        assert_eq!(fresh.state().await, state.name(), "{kind:?}");
                        let answer = fresh.call(&operation).await;
                        if answer != expected {
                            wrong.push(format!("{operation} {state} {kind:?}: {answer}, expected {expected} ({cell})"));
                        }
                        driven += 1;
                        pairs.insert((row.clone(), state.name()));
                        if answer != "OK" || leaves_no_trace(&operation) {
                            subjects.insert((kind, state.name()), fresh);
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {driven}:\n{}", wrong.len(), wrong.join("\n"));
    // All pairs but those of the five operations on asymmetric and HMAC keys with Unavailable.
    assert_eq!(pairs.len(), table.len() * 8 - 5, "{driven} calls");
}
