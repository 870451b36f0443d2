//! Every key of an account, whoever made it: what was made behind keywright's back is told apart, and nothing is written.

use crate::harness::Place;
use crate::live::{ACCOUNT, Serving, applied, behind_its_back};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_sdk_kms::primitives::{Blob, DateTime};
use aws_sdk_kms::types::{AlgorithmSpec, ExpirationModelType, OriginType, Tag, WrappingKeySpec};
use keywright::sandbox::{StateLocation, credentials};
use std::time::{Duration, SystemTime};

const OWNER: &str = "0b5c1f1e-6a43-4a5e-9d0f-2f6b8f1a7c55";

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().tag_key(key).tag_value(value).build().unwrap()
}

/// Imports material into a new key that expires in so many days.
async fn imported(kms: &aws_sdk_kms::Client, days: u64) -> String {
    let created = kms.create_key().origin(OriginType::External).send().await.unwrap();
    let id = created.key_metadata.unwrap().key_id;
    let ask = kms.get_parameters_for_import().key_id(&id).wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256);
    let given = ask.wrapping_key_spec(WrappingKeySpec::Rsa2048).send().await.unwrap();
    let public = PublicEncryptingKey::from_der(given.public_key.unwrap().as_ref()).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut encrypted = vec![0; public.ciphertext_size()];
    let encrypted = public.encrypt(&OAEP_SHA256_MGF1SHA256, &[7; 32], &mut encrypted, None).unwrap();
    let valid_to = SystemTime::now() + Duration::from_secs(days * 24 * 60 * 60);
    kms.import_key_material()
        .key_id(&id)
        .import_token(given.import_token.unwrap())
        .encrypted_key_material(Blob::new(encrypted))
        .expiration_model(ExpirationModelType::KeyMaterialExpires)
        .valid_to(DateTime::from(valid_to))
        .key_material_description("by hand")
        .send()
        .await
        .unwrap();
    id
}

/// The keys of [`applied`], and one of every other class.
fn crowded() -> Place {
    let place = applied();
    behind_its_back(&place, async |kms| {
        let tags = [("keywright:stack", "shop"), ("keywright:key", "gone"), ("keywright:owner", OWNER)];
        let orphan = kms.create_key().set_tags(Some(tags.map(|(key, value)| tag(key, value)).to_vec()));
        let orphan = orphan.send().await.unwrap().key_metadata.unwrap().key_id;
        let foreign = kms.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
        let other = kms.create_key().tags(tag("keywright:stack", "website")).tags(tag("keywright:key", "assets"));
        let other = other.send().await.unwrap().key_metadata.unwrap().key_id;
        let vault = imported(kms, 12).await;
        for (alias, id) in
            [("shop/gone", orphan), ("by-hand", foreign), ("keywright/website/assets", other), ("vault", vault)]
        {
            kms.create_alias().alias_name(format!("alias/{alias}")).target_key_id(id).send().await.unwrap();
        }
        kms.describe_key().key_id("alias/aws/s3").send().await.unwrap();
    });
    place
}

#[test]
fn every_key_is_shown_with_what_is_to_be_known_of_it() {
    let place = crowded();
    insta::assert_snapshot!("every_key", place.line("inventory --sandbox").ends(0).answer());
    let one = place.line("inventory --sandbox --key orders --last-use --findings --verbose").ends(0);
    let one = one.answers("orders").answers("no use is known");
    assert!(!one.stdout.contains("notes") && !one.stdout.contains("vault"), "{one}");
    place.line("inventory --sandbox --key order").ends(2).talks_of("did you mean `orders`?");
    let json = place.line("inventory --sandbox --format json").ends(0).json();
    assert_eq!(json["summary"]["keys"]["orphan"], 1);
    assert_eq!(json["summary"]["keys"]["aws-managed"], 1);
    // Nothing that it did is a change.
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn an_alarm_sounds_before_material_expires() {
    let place = crowded();
    let alarm = |days: u64| format!("inventory --sandbox --check --expiring {days}");
    let run = place.line(&alarm(12)).ends(4).answers("material `by hand` expires in 12 days");
    assert!(!run.stdout.contains("orders"), "{run}");
    place.line(&alarm(11)).ends(0).answers("No imported material that can be told of expires within 11 days");
    place.line("inventory --sandbox --expiring 12").ends(0);
    place.line("inventory --sandbox --check").ends(2);
}

#[test]
fn who_may_read_little_is_told_what_is_missing() {
    let place = crowded();
    place.replace(
        "keywright.toml",
        "deployers = [\"deployer\"]",
        "deployers = [\"deployer\"]\nassume_role = \"arn:aws:iam::111122223333:role/verifier\"",
    );
    let (access_key, secret) = credentials(&ACCOUNT.parse().unwrap());
    let serving = Serving::start(StateLocation::Folder(place.path(".keywright/sandbox")));
    let place = place.with("AWS_ACCESS_KEY_ID", &access_key).with("AWS_SECRET_ACCESS_KEY", secret.expose_secret());
    let at = format!("--endpoint-url {}", serving.endpoint());
    let run = place.line(&format!("inventory {at}")).ends(0);
    let run = run.answers("Unclear whose").answers("not read: its settings and state (kms:DescribeKey");
    assert!(!run.stdout.contains("Foreign"), "{run}");
    // An alarm that cannot see is not silent.
    place.line(&format!("inventory --check --expiring 1 {at}")).ends(5).answers("cannot be told");
}
