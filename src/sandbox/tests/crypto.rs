//! Encryption as callers see it.

use super::*;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, DryRunModifierType, RotationType};

async fn encrypted(client: &Client, key: &str) -> Blob {
    let request = client.kms().encrypt().key_id(key).plaintext(Blob::new("secret"));
    let request = request.encryption_context("b", "2").encryption_context("a", "1");
    request.send().await.unwrap().ciphertext_blob.unwrap()
}

#[tokio::test]
async fn ciphertext_is_bound_to_key_and_context() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, key, other) = (admin.kms(), admin.key().await, admin.key().await);
    let blob = encrypted(&admin, &key).await;
    let decrypt = |blob: &Blob| kms.decrypt().ciphertext_blob(blob.clone());
    let opened = decrypt(&blob).encryption_context("a", "1").encryption_context("b", "2").send().await.unwrap();
    assert_eq!(opened.plaintext.unwrap().as_ref(), b"secret");
    assert_eq!(opened.key_id.unwrap(), format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}"));
    assert_eq!(opened.key_material_id.unwrap().len(), 64);
    assert_eq!(code(decrypt(&blob).send().await), "InvalidCiphertextException");
    let wrong = decrypt(&blob).encryption_context("a", "1").encryption_context("b", "3");
    assert_eq!(code(wrong.send().await), "InvalidCiphertextException");
    assert_eq!(code(decrypt(&blob).key_id(&other).send().await), "IncorrectKeyException");
    let mut bytes = blob.into_inner();
    *bytes.last_mut().unwrap() ^= 1;
    let tampered = decrypt(&Blob::new(bytes)).encryption_context("a", "1").encryption_context("b", "2");
    assert_eq!(code(tampered.send().await), "InvalidCiphertextException");
    assert_eq!(code(decrypt(&Blob::new("nonsense")).send().await), "InvalidCiphertextException");
    let long = kms.encrypt().key_id(&key).plaintext(Blob::new(vec![0; 4097]));
    assert_eq!(code(long.send().await), "ValidationException");
}

#[tokio::test]
async fn re_encryption_moves_between_keys_and_contexts() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, key, other) = (admin.kms(), admin.key().await, admin.key().await);
    let blob = encrypted(&admin, &key).await;
    let move_it = kms.re_encrypt().ciphertext_blob(blob).destination_key_id(&other);
    assert_eq!(code(move_it.clone().send().await), "InvalidCiphertextException");
    let move_it = move_it.source_encryption_context("a", "1").source_encryption_context("b", "2");
    let moved = move_it.destination_encryption_context("c", "3").send().await.unwrap();
    assert!(moved.source_key_id.unwrap().ends_with(&key) && moved.key_id.unwrap().ends_with(&other));
    let open = kms.decrypt().ciphertext_blob(moved.ciphertext_blob.unwrap()).encryption_context("c", "3");
    assert_eq!(open.send().await.unwrap().plaintext.unwrap().as_ref(), b"secret");
}

#[tokio::test]
async fn data_keys_have_the_length_that_was_asked_for() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let made = kms.generate_data_key().key_id(&key).key_spec(DataKeySpec::Aes256).send().await.unwrap();
    let plaintext = made.plaintext.unwrap();
    assert_eq!((plaintext.as_ref().len(), made.key_material_id.unwrap().len()), (32, 64));
    let opened = kms.decrypt().ciphertext_blob(made.ciphertext_blob.unwrap()).send().await.unwrap();
    assert_eq!(opened.plaintext.unwrap(), plaintext);
    let made = kms.generate_data_key().key_id(&key).number_of_bytes(7).send().await.unwrap();
    assert_eq!(made.plaintext.unwrap().as_ref().len(), 7);
    assert_eq!(code(kms.generate_data_key().key_id(&key).send().await), "ValidationException");
    let hidden = kms.generate_data_key_without_plaintext().key_id(&key).key_spec(DataKeySpec::Aes128);
    let opened = kms.decrypt().ciphertext_blob(hidden.send().await.unwrap().ciphertext_blob.unwrap());
    assert_eq!(opened.send().await.unwrap().plaintext.unwrap().as_ref().len(), 16);
    assert_eq!(kms.generate_random().number_of_bytes(9).send().await.unwrap().plaintext.unwrap().as_ref().len(), 9);
    assert_eq!(code(kms.generate_random().number_of_bytes(1025).send().await), "ValidationException");
}

#[tokio::test]
async fn dry_runs_can_do_without_a_ciphertext() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let ignore = DryRunModifierType::IgnoreCiphertext;
    let run = kms.decrypt().key_id(&key).dry_run(true).dry_run_modifiers(ignore.clone());
    assert_eq!(code(run.clone().send().await), "DryRunOperationException");
    assert_eq!(code(run.ciphertext_blob(Blob::new("x")).send().await), "DryRunOperationException");
    let run = kms.decrypt().key_id(&key).dry_run(true).ciphertext_blob(Blob::new("x"));
    assert_eq!(code(run.send().await), "InvalidCiphertextException");
    let run = kms.re_encrypt().source_key_id(&key).destination_key_id(&key).dry_run(true).dry_run_modifiers(ignore);
    assert_eq!(code(run.send().await), "DryRunOperationException");
}

#[tokio::test]
async fn rotation_keeps_what_was_encrypted_readable() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, key) = (admin.kms(), admin.key().await);
    let blob = encrypted(&admin, &key).await;
    let material = || async {
        kms.describe_key().key_id(&key).send().await.unwrap().key_metadata.unwrap().current_key_material_id.unwrap()
    };
    let first = material().await;
    kms.rotate_key_on_demand().key_id(&key).send().await.unwrap();
    assert_ne!(material().await, first);
    kms.enable_key_rotation().key_id(&key).rotation_period_in_days(90).send().await.unwrap();
    let status = kms.get_key_rotation_status().key_id(&key).send().await.unwrap();
    let next = bench.clock.now() + SignedDuration::from_hours(90 * 24);
    assert_eq!((status.key_rotation_enabled, status.rotation_period_in_days), (true, Some(90)));
    assert_eq!(status.next_rotation_date.unwrap().secs(), next.as_second());
    bench.clock.pass(SignedDuration::from_hours(91 * 24));
    let list = kms.list_key_rotations().key_id(&key).send().await.unwrap().rotations.unwrap();
    let kinds: Vec<_> = list.iter().map(|rotation| rotation.rotation_type.clone().unwrap()).collect();
    assert_eq!(kinds, [RotationType::OnDemand, RotationType::Automatic]);
    let open = kms.decrypt().ciphertext_blob(blob).encryption_context("a", "1").encryption_context("b", "2");
    assert_eq!(open.send().await.unwrap().key_material_id.unwrap(), first);
    for wrong in [89, 2561] {
        let enable = kms.enable_key_rotation().key_id(&key).rotation_period_in_days(wrong);
        assert_eq!(code(enable.send().await), "ValidationException");
    }
    kms.disable_key_rotation().key_id(&key).send().await.unwrap();
    let status = kms.get_key_rotation_status().key_id(&key).send().await.unwrap();
    assert_eq!((status.key_rotation_enabled, status.next_rotation_date), (false, None));
}

#[tokio::test]
async fn on_demand_rotations_are_limited() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    for _ in 0..25 {
        kms.rotate_key_on_demand().key_id(&key).send().await.unwrap();
    }
    assert_eq!(code(kms.rotate_key_on_demand().key_id(&key).send().await), "LimitExceededException");
}

#[tokio::test]
async fn the_last_use_is_remembered() {
    let bench = Bench::new().await;
    let admin = bench.admin();
    let (kms, key) = (admin.kms(), admin.key().await);
    let usage = || async { kms.get_key_last_usage().key_id(&key).send().await.unwrap().key_last_usage.unwrap() };
    assert!(usage().await.operation.is_none());
    encrypted(&admin, &key).await;
    assert_eq!(usage().await.operation.unwrap().as_str(), "Encrypt");
}

#[tokio::test]
async fn keys_that_aws_manages_appear_on_first_use_and_serve_their_service_alone() {
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    let described = kms.describe_key().key_id("alias/aws/s3").send().await.unwrap().key_metadata.unwrap();
    assert_eq!(described.key_manager.unwrap().as_str(), "AWS");
    assert_eq!(code(kms.describe_key().key_id("alias/aws/nonsense").send().await), "NotFoundException");
    let direct = kms.encrypt().key_id("alias/aws/s3").plaintext(Blob::new("x"));
    assert_eq!(code(direct.clone().send().await), "AccessDeniedException");
    let via = direct.customize().mutate_request(|request| {
        request.headers_mut().insert("x-keywright-via", "s3");
    });
    assert!(via.send().await.is_ok());
    assert_eq!(code(kms.disable_key().key_id(described.key_id).send().await), "AccessDeniedException");
}
