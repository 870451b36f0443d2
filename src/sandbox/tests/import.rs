//! Imported key material.

use super::*;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair};
use aws_sdk_kms::operation::get_parameters_for_import::GetParametersForImportOutput;
use aws_sdk_kms::operation::import_key_material::ImportKeyMaterialOutput;
use aws_sdk_kms::operation::import_key_material::builders::ImportKeyMaterialFluentBuilder as Import;
use aws_sdk_kms::primitives::{Blob, DateTime};
use aws_sdk_kms::types::{ExpirationModelType, ImportType, IncludeKeyMaterial, KeyMetadata, RotationsListEntry};

const OAEP: &str = "RSAES_OAEP_SHA_256";
const THERE: &str = "us-east-1";

/// Encrypts for RSA with the hash that the name of an algorithm ends in.
fn oaep(public: &[u8], algorithm: &str, plaintext: &[u8]) -> Vec<u8> {
    let hash = if algorithm.ends_with("SHA_1") { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 };
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(public).unwrap()).unwrap();
    let mut out = vec![0; key.ciphertext_size()];
    key.encrypt(hash, plaintext, &mut out, None).unwrap().to_vec()
}

/// Encrypts key material as its owner would.
pub(super) fn wrapped(public: &[u8], algorithm: &str, material: &[u8]) -> Blob {
    if !algorithm.starts_with("RSA_AES_KEY_WRAP") {
        return Blob::new(oaep(public, algorithm, material));
    }
    let key = [9; 32];
    let mut out = vec![0; material.len() + 15];
    let wrapped = AesKek::new(&AES_256, &key).unwrap().wrap_with_padding(material, &mut out).unwrap();
    Blob::new([oaep(public, algorithm, &key), wrapped.to_vec()].concat())
}

async fn parameters(client: &Client, key: &str, algorithm: &str, size: &str) -> GetParametersForImportOutput {
    let get = client.kms().get_parameters_for_import().key_id(key);
    get.wrapping_algorithm(algorithm.into()).wrapping_key_spec(size.into()).send().await.unwrap()
}

/// What was given to import with.
pub(super) struct Given {
    pub(super) token: Blob,
    pub(super) public: Vec<u8>,
}

/// Returns what is needed to import material with the shortest wrapping key.
pub(super) async fn given(client: &Client, key: &str) -> Given {
    let given = parameters(client, key, OAEP, "RSA_2048").await;
    Given { token: given.import_token.unwrap(), public: given.public_key.unwrap().into_inner() }
}

/// Returns a request that imports material for ever.
async fn request(client: &Client, key: &str, material: &[u8], algorithm: &str) -> Import {
    let given = parameters(client, key, algorithm, "RSA_3072").await;
    let encrypted = wrapped(given.public_key.unwrap().as_ref(), algorithm, material);
    let import = client.kms().import_key_material().key_id(key).import_token(given.import_token.unwrap());
    import.encrypted_key_material(encrypted).expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire)
}

/// Returns a request that imports material of a symmetric or HMAC key for ever.
async fn bringing(client: &Client, key: &str, material: &[u8]) -> Import {
    request(client, key, material, OAEP).await
}

async fn bring(client: &Client, key: &str, material: &[u8]) -> ImportKeyMaterialOutput {
    bringing(client, key, material).await.send().await.unwrap()
}

async fn external(client: &Client, spec: &str, usage: &str) -> String {
    let create = client.kms().create_key().origin("EXTERNAL".into()).key_spec(spec.into()).key_usage(usage.into());
    create.send().await.unwrap().key_metadata.unwrap().key_id
}

async fn symmetric(client: &Client) -> String {
    external(client, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await
}

async fn described(client: &Client, key: &str) -> KeyMetadata {
    client.kms().describe_key().key_id(key).send().await.unwrap().key_metadata.unwrap()
}

async fn state(client: &Client, key: &str) -> String {
    described(client, key).await.key_state.unwrap().as_str().to_owned()
}

async fn materials(client: &Client, key: &str) -> Vec<RotationsListEntry> {
    let list = client.kms().list_key_rotations().key_id(key).include_key_material(IncludeKeyMaterial::AllKeyMaterial);
    list.send().await.unwrap().rotations.unwrap()
}

/// Returns what is said of each material: what it is for, and whether it is there.
async fn standings(client: &Client, key: &str) -> Vec<(String, String)> {
    let materials = materials(client, key).await.into_iter();
    let pair = |entry: RotationsListEntry| {
        (entry.key_material_state.unwrap().as_str().to_owned(), entry.import_state.unwrap().as_str().to_owned())
    };
    materials.map(pair).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(one, two)| ((*one).to_owned(), (*two).to_owned())).collect()
}

async fn encrypted(client: &Client, key: &str) -> Blob {
    client.kms().encrypt().key_id(key).plaintext(Blob::new("x")).send().await.unwrap().ciphertext_blob.unwrap()
}

#[tokio::test]
async fn every_way_of_wrapping_brings_material_in() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let rsa = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap().as_ref().to_vec();
    let p521 = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    let kinds: [(&str, &str, &[u8], &[&str]); 4] = [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", &[1; 32], &["RSAES_OAEP_SHA_1", OAEP]),
        ("HMAC_384", "GENERATE_VERIFY_MAC", &[2; 48], &[OAEP]),
        ("RSA_2048", "SIGN_VERIFY", &rsa, &["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]),
        ("ECC_NIST_P521", "SIGN_VERIFY", &p521, &[OAEP, "RSA_AES_KEY_WRAP_SHA_256"]),
    ];
    for (spec, usage, material, algorithms) in kinds {
        for algorithm in algorithms {
            let key = external(&admin, spec, usage).await;
            let imported = request(&admin, &key, material, algorithm).await.send().await.unwrap();
            let metadata = described(&admin, &key).await;
            assert_eq!(
                (metadata.key_state.unwrap().as_str(), metadata.enabled),
                ("Enabled", true),
                "{spec} {algorithm}"
            );
            assert_eq!(metadata.expiration_model.unwrap().as_str(), "KEY_MATERIAL_DOES_NOT_EXPIRE");
            assert_eq!(metadata.valid_to, None);
            let id = imported.key_material_id;
            assert_eq!(id.as_ref().map(String::len), (spec == "SYMMETRIC_DEFAULT").then_some(64));
            assert_eq!(metadata.current_key_material_id, id);
        }
    }
}

#[tokio::test]
async fn parameters_are_valid_for_a_day_and_fit_the_key() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, key) = (admin.kms(), symmetric(&admin).await);
    for (size, bytes) in [("RSA_2048", 256), ("RSA_3072", 384), ("RSA_4096", 512)] {
        let given = parameters(&admin, &key, OAEP, size).await;
        let public = PublicEncryptingKey::from_der(given.public_key.unwrap().as_ref()).unwrap();
        assert_eq!(public.key_size_bytes(), bytes);
        let valid = given.parameters_valid_to.unwrap().secs() - bench.clock.now().as_second();
        assert_eq!(valid, 24 * 3600);
        assert!(given.import_token.unwrap().as_ref().len() <= 6144);
    }
    let get = |key: &str, algorithm: &str, size: &str| {
        let get = kms.get_parameters_for_import().key_id(key);
        get.wrapping_algorithm(algorithm.into()).wrapping_key_spec(size.into()).send()
    };
    let p521 = external(&admin, "ECC_NIST_P521", "SIGN_VERIFY").await;
    let rsa = external(&admin, "RSA_2048", "SIGN_VERIFY").await;
    let own = admin.key().await;
    let unsupported = [
        (&key, "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096"),
        (&key, "RSAES_PKCS1_V1_5", "RSA_2048"),
        (&key, "SM2PKE", "SM2"),
        (&key, OAEP, "SM2"),
        (&p521, OAEP, "RSA_2048"),
        (&rsa, OAEP, "RSA_4096"),
        (&own, OAEP, "RSA_2048"),
    ];
    for (key, algorithm, size) in unsupported {
        assert_eq!(code(get(key, algorithm, size).await), "UnsupportedOperationException", "{algorithm} {size}");
    }
    assert_eq!(code(get(&key, "ROT13", "RSA_2048").await), "ValidationException");
    assert_eq!(code(get(&key, OAEP, "RSA_1024").await), "ValidationException");
}

#[tokio::test]
async fn what_is_not_the_material_of_the_key_stays_out() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (key, other) = (symmetric(&admin).await, symmetric(&admin).await);
    let request = bringing(&admin, &key, &[1; 32]).await;
    let garbage = request.clone().encrypted_key_material(Blob::new(vec![7; 384]));
    assert_eq!(code(garbage.send().await), "InvalidCiphertextException");
    assert_eq!(code(request.clone().key_id(&other).send().await), "InvalidImportTokenException");
    assert_eq!(code(request.clone().import_token(Blob::new("x")).send().await), "InvalidImportTokenException");
    let short = bringing(&admin, &key, &[1; 16]).await;
    assert_eq!(code(short.send().await), "IncorrectKeyMaterialException");
    assert_eq!(state(&admin, &key).await, "PendingImport");
    bench.clock.pass(SignedDuration::from_hours(24));
    assert_eq!(code(request.clone().send().await), "ExpiredImportTokenException");
    bench.clock.pass(SignedDuration::from_hours(24 * 8));
    assert_eq!(code(request.send().await), "InvalidImportTokenException");
    // PKCS#8 of another curve, and no PKCS#8 at all.
    let p521 = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    let p384 = external(&admin, "ECC_NIST_P384", "SIGN_VERIFY").await;
    for material in [p521, vec![1; 48]] {
        let import = bringing(&admin, &p384, &material).await;
        assert_eq!(code(import.send().await), "IncorrectKeyMaterialException");
    }
}

#[tokio::test]
async fn material_expires_only_as_was_said() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = symmetric(&admin).await;
    let request = bringing(&admin, &key, &[1; 32]).await;
    let at = |hours: i64| DateTime::from_secs(bench.clock.now().as_second() + hours * 3600);
    let expires = request.clone().expiration_model(ExpirationModelType::KeyMaterialExpires);
    assert_eq!(code(request.clone().set_expiration_model(None).send().await), "ValidationException");
    assert_eq!(code(expires.clone().send().await), "ValidationException");
    assert_eq!(code(expires.clone().valid_to(at(0)).send().await), "ValidationException");
    assert_eq!(code(expires.clone().valid_to(at(365 * 24 + 1)).send().await), "ValidationException");
    assert_eq!(code(request.clone().valid_to(at(1)).send().await), "ValidationException");
    let until = at(365 * 24);
    expires.valid_to(until).send().await.unwrap();
    let metadata = described(&admin, &key).await;
    assert_eq!(metadata.expiration_model.unwrap().as_str(), "KEY_MATERIAL_EXPIRES");
    assert_eq!(metadata.valid_to.unwrap().secs(), until.secs());
    let blob = encrypted(&admin, &key).await;
    bench.clock.pass(SignedDuration::from_hours(365 * 24));
    assert_eq!(state(&admin, &key).await, "PendingImport");
    let decrypt = || admin.kms().decrypt().ciphertext_blob(blob.clone()).send();
    assert_eq!(code(decrypt().await), "KMSInvalidStateException");
    assert_eq!(materials(&admin, &key).await[0].valid_to, None);
    bring(&admin, &key, &[1; 32]).await;
    assert_eq!(decrypt().await.unwrap().plaintext.unwrap().as_ref(), b"x");
}

#[tokio::test]
async fn only_the_same_material_comes_back() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = symmetric(&admin).await;
    let request = bringing(&admin, &key, &[1; 32]).await;
    let first = request.clone().send().await.unwrap().key_material_id.unwrap();
    let blob = encrypted(&admin, &key).await;
    let other = bringing(&admin, &key, &[2; 32]).await;
    assert_eq!(code(other.clone().send().await), "IncorrectKeyMaterialException");
    let deleted = admin.kms().delete_imported_key_material().key_id(&key).send().await.unwrap();
    assert_eq!(deleted.key_material_id.as_ref(), Some(&first));
    assert_eq!((state(&admin, &key).await, described(&admin, &key).await.enabled), ("PendingImport".to_owned(), false));
    assert_eq!(code(other.send().await), "IncorrectKeyMaterialException");
    // Deleting again has no effect; a token serves as often as it is valid.
    admin.kms().delete_imported_key_material().key_id(&key).send().await.unwrap();
    let wrong = request.clone().key_material_id("0".repeat(64));
    assert_eq!(code(wrong.send().await), "IncorrectKeyMaterialException");
    let named = request.clone().import_type(ImportType::ExistingKeyMaterial).key_material_id(&first);
    assert_eq!(named.send().await.unwrap().key_material_id.unwrap(), first);
    assert_eq!(state(&admin, &key).await, "Enabled");
    let opened = admin.kms().decrypt().ciphertext_blob(blob).send().await.unwrap();
    assert_eq!(opened.key_material_id.unwrap(), first);
    // The id is a function of key and material.
    assert_ne!(bring(&admin, &symmetric(&admin).await, &[1; 32]).await.key_material_id.unwrap(), first);
    let unknown = admin.kms().delete_imported_key_material().key_id(&key).key_material_id("0".repeat(64));
    assert_eq!(code(unknown.send().await), "NotFoundException");
}

#[tokio::test]
async fn hmac_keys_have_one_material_and_no_types_of_import() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = external(&admin, "HMAC_256", "GENERATE_VERIFY_MAC").await;
    let request = bringing(&admin, &key, &[1; 32]).await;
    let new = request.clone().import_type(ImportType::NewKeyMaterial);
    assert_eq!(code(new.send().await), "ValidationException");
    assert_eq!(code(request.clone().key_material_description("a").send().await), "ValidationException");
    request.clone().send().await.unwrap();
    assert_eq!(code(bringing(&admin, &key, &[2; 32]).await.send().await), "IncorrectKeyMaterialException");
    request.send().await.unwrap();
}

#[tokio::test]
async fn new_material_waits_for_its_rotation() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = symmetric(&admin).await;
    let first = bringing(&admin, &key, &[1; 32]).await.key_material_description("first").send().await.unwrap();
    let blob = encrypted(&admin, &key).await;
    let rotate = || admin.kms().rotate_key_on_demand().key_id(&key).send();
    assert_eq!(code(rotate().await), "KMSInvalidStateException");
    let again = bringing(&admin, &key, &[1; 32]).await.import_type(ImportType::NewKeyMaterial);
    assert_eq!(code(again.send().await), "IncorrectKeyMaterialException");
    let new = bringing(&admin, &key, &[2; 32]).await.import_type(ImportType::NewKeyMaterial);
    assert_eq!(code(new.clone().key_material_id("0".repeat(64)).send().await), "ValidationException");
    let second = new.key_material_description("second").send().await.unwrap().key_material_id.unwrap();
    let third = bringing(&admin, &key, &[3; 32]).await.import_type(ImportType::NewKeyMaterial);
    assert_eq!(code(third.clone().send().await), "KMSInvalidStateException");
    let imported = [("CURRENT", "IMPORTED"), ("PENDING_ROTATION", "IMPORTED")];
    assert_eq!(standings(&admin, &key).await, pairs(&imported));
    let entry = materials(&admin, &key).await.remove(1);
    assert_eq!((entry.rotation_date, entry.rotation_type), (None, None));
    assert_eq!(entry.key_material_description.as_deref(), Some("second"));
    assert!(admin.kms().list_key_rotations().key_id(&key).send().await.unwrap().rotations.unwrap().is_empty());
    rotate().await.unwrap();
    assert_eq!(standings(&admin, &key).await, pairs(&[("NON_CURRENT", "IMPORTED"), ("CURRENT", "IMPORTED")]));
    assert_eq!(described(&admin, &key).await.current_key_material_id.unwrap(), second);
    let opened = admin.kms().decrypt().ciphertext_blob(blob).send().await.unwrap();
    assert_eq!(opened.key_material_id, first.key_material_id);
    // Without one of its materials the key is of no use, whichever it is; what only waits may be missing.
    third.send().await.unwrap();
    let delete = |id: &str| admin.kms().delete_imported_key_material().key_id(&key).key_material_id(id).send();
    delete(&materials(&admin, &key).await[2].key_material_id.clone().unwrap()).await.unwrap();
    assert_eq!((materials(&admin, &key).await.len(), state(&admin, &key).await), (2, "Enabled".to_owned()));
    delete(&first.key_material_id.unwrap()).await.unwrap();
    assert_eq!(state(&admin, &key).await, "PendingImport");
    assert_eq!(standings(&admin, &key).await, pairs(&[("NON_CURRENT", "PENDING_IMPORT"), ("CURRENT", "IMPORTED")]));
    bring(&admin, &key, &[1; 32]).await;
    let entry = materials(&admin, &key).await.remove(0);
    assert_eq!(entry.key_material_description.as_deref(), Some("first"), "it is kept");
    assert_eq!(state(&admin, &key).await, "Enabled");
}

#[tokio::test]
async fn new_material_of_many_regions_goes_to_the_primary_first() {
    let bench = Bench::new().await;
    let (here, there) = (bench.admin(), bench.admin().region(THERE));
    let create = here.kms().create_key().origin("EXTERNAL".into()).multi_region(true);
    let key = create.send().await.unwrap().key_metadata.unwrap().key_id;
    let replicate = || here.kms().replicate_key().key_id(&key).replica_region(THERE).send();
    assert_eq!(code(replicate().await), "KMSInvalidStateException");
    let first = bring(&here, &key, &[1; 32]).await.key_material_id.unwrap();
    let replica = replicate().await.unwrap().replica_key_metadata.unwrap();
    assert_eq!((replica.key_state.unwrap().as_str(), replica.enabled), ("PendingImport", false));
    assert_eq!(code(bringing(&there, &key, &[2; 32]).await.send().await), "IncorrectKeyMaterialException");
    assert_eq!(bring(&there, &key, &[1; 32]).await.key_material_id.unwrap(), first);
    let blob = encrypted(&here, &key).await;
    let new = |import: Import| import.import_type(ImportType::NewKeyMaterial);
    let on_replica = new(bringing(&there, &key, &[2; 32]).await);
    assert_eq!(code(on_replica.send().await), "UnsupportedOperationException");
    let second = new(bringing(&here, &key, &[2; 32]).await).send().await.unwrap().key_material_id.unwrap();
    let waits = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION";
    assert_eq!(standings(&here, &key).await, pairs(&[("CURRENT", "IMPORTED"), (waits, "IMPORTED")]));
    assert_eq!(standings(&there, &key).await, pairs(&[("CURRENT", "IMPORTED"), (waits, "PENDING_IMPORT")]));
    let rotate = || here.kms().rotate_key_on_demand().key_id(&key).send();
    assert_eq!(code(rotate().await), "KMSInvalidStateException");
    bring(&there, &key, &[2; 32]).await;
    let ready = pairs(&[("CURRENT", "IMPORTED"), ("PENDING_ROTATION", "IMPORTED")]);
    assert_eq!((standings(&here, &key).await, standings(&there, &key).await), (ready.clone(), ready));
    rotate().await.unwrap();
    for client in [&here, &there] {
        let current = described(client, &key).await.current_key_material_id.unwrap();
        assert_eq!(current, second);
    }
    // Material is deleted and expires in each Region by itself.
    there.kms().delete_imported_key_material().key_id(&key).send().await.unwrap();
    assert_eq!(
        (state(&here, &key).await, state(&there, &key).await),
        ("Enabled".to_owned(), "PendingImport".to_owned())
    );
    bring(&there, &key, &[2; 32]).await;
    let opened = there.kms().decrypt().ciphertext_blob(blob).send().await.unwrap();
    assert_eq!(opened.key_material_id.unwrap(), first);
    // What waits is forgotten everywhere once it is deleted from the primary.
    let third = new(bringing(&here, &key, &[3; 32]).await).send().await.unwrap().key_material_id.unwrap();
    here.kms().delete_imported_key_material().key_id(&key).key_material_id(third).send().await.unwrap();
    assert_eq!((materials(&here, &key).await.len(), materials(&there, &key).await.len()), (2, 2));
}

#[tokio::test]
async fn imports_are_allowed_under_conditions() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = symmetric(&admin).await;
    let rule = |action: &str, operator: &str, condition: Value| {
        let condition = json!({ operator: condition });
        json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition })
    };
    let get = rule(
        "kms:GetParametersForImport",
        "StringEquals",
        json!({ "kms:WrappingAlgorithm": OAEP, "kms:WrappingKeySpec": "RSA_3072" }),
    );
    let import =
        rule("kms:ImportKeyMaterial", "StringEquals", json!({ "kms:ExpirationModel": "KEY_MATERIAL_EXPIRES" }));
    let importer = bench.role("importer", Some(statements(json!([get, import])))).await;
    let other = importer.kms().get_parameters_for_import().key_id(&key).wrapping_algorithm(OAEP.into());
    assert_eq!(code(other.wrapping_key_spec("RSA_2048".into()).send().await), "AccessDeniedException");
    let forever = bringing(&importer, &key, &[1; 32]).await;
    assert_eq!(code(forever.clone().send().await), "AccessDeniedException");
    let until = DateTime::from_secs(bench.clock.now().as_second() + 3600);
    forever.expiration_model(ExpirationModelType::KeyMaterialExpires).valid_to(until).send().await.unwrap();

    // A date of expiry that is too late.
    let limit = bench.clock.now() + SignedDuration::from_hours(24 * 30);
    let get = rule("kms:GetParametersForImport", "StringEquals", json!({ "kms:WrappingAlgorithm": OAEP }));
    let import = rule("kms:ImportKeyMaterial", "DateLessThan", json!({ "kms:ValidTo": limit.to_string() }));
    let importer = bench.role("short", Some(statements(json!([get, import])))).await;
    let at = |days: i64| DateTime::from_secs(bench.clock.now().as_second() + days * 24 * 3600);
    let expires = bringing(&importer, &key, &[1; 32]).await.expiration_model(ExpirationModelType::KeyMaterialExpires);
    assert_eq!(code(expires.clone().valid_to(at(31)).send().await), "AccessDeniedException");
    expires.valid_to(at(29)).send().await.unwrap();
    let forever = bringing(&importer, &key, &[1; 32]).await;
    assert_eq!(code(forever.send().await), "AccessDeniedException", "it has no date to be before another");
}

#[tokio::test]
async fn material_is_in_no_answer() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let key = symmetric(&admin).await;
    let import = bringing(&admin, &key, &[0xab; 32]).await.send().await.unwrap();
    let wrong = bringing(&admin, &key, &[0xab; 31]).await.send().await.unwrap_err();
    let (described, materials) = (described(&admin, &key).await, materials(&admin, &key).await);
    let text = format!("{import:?} {wrong:?} {described:?} {materials:?}").to_lowercase();
    for form in ["abababab", "q6urq6ur", "171, 171"] {
        assert!(!text.contains(form), "{form}");
    }
}
