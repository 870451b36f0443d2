//! Whose keys and aliases are: adopted, renamed, taken over, taken off, and tags that nobody declared.

use crate::harness::Place;
use crate::live::{applied, behind_its_back, key_id};
use aws_sdk_kms::types::Tag;

/// Adds to the end of the manifest.
fn add(place: &Place, more: &str) {
    let text = std::fs::read_to_string(place.path("keywright.toml")).unwrap();
    place.write("keywright.toml", format!("{text}{more}"));
}

fn settled(place: &Place) {
    place.line("apply --sandbox --yes").ends(0);
    place.line("plan --sandbox --check").ends(0);
}

const LEGACY: &str = r#"
[key.legacy]
adopt = "alias/legacy"
aliases = ["legacy"]
iam_delegation = "root-user"
admins = ["admin"]
tags_exclusive = true
"#;

#[test]
fn a_key_that_exists_is_adopted_and_never_made_anew() {
    let place = applied();
    let made = std::sync::Mutex::new(String::new());
    behind_its_back(&place, async |kms| {
        let tag = Tag::builder().tag_key("by").tag_value("hand").build().unwrap();
        let key = kms.create_key().tags(tag).send().await.unwrap().key_metadata.unwrap().key_id;
        kms.create_alias().alias_name("alias/legacy").target_key_id(&key).send().await.unwrap();
        *made.lock().unwrap() = key;
    });
    add(&place, LEGACY);
    insta::assert_snapshot!("an_adoption", place.line("plan --sandbox").ends(0));
    settled(&place);
    behind_its_back(&place, async |kms| {
        assert_eq!(key_id(kms, "legacy").await, *made.lock().unwrap());
        let id = made.lock().unwrap().clone();
        let tags = kms.list_resource_tags().key_id(id).send().await.unwrap();
        assert!(tags.tags().iter().all(|tag| tag.tag_key != "by"), "{tags:?}");
    });
    place.line("verify --sandbox --as-roles --key legacy").ends(0);

    add(
        &place,
        &LEGACY
            .replace("key.legacy", "key.other")
            .replace("alias/legacy", "alias/ghost")
            .replace("\"legacy\"", "\"other\""),
    );
    place.line("plan --sandbox").ends(5).answers("(adopt-refused)");
}

#[test]
fn a_key_is_renamed_and_stays_what_it_is() {
    let place = applied();
    let before = std::sync::Mutex::new(String::new());
    behind_its_back(&place, async |kms| *before.lock().unwrap() = key_id(kms, "orders").await);
    let text = std::fs::read_to_string(place.path("keywright.toml")).unwrap().replace("key.orders", "key.sales");
    place.write(
        "keywright.toml",
        text.replace("[key.sales]", "[key.sales]\nmoved_from = \"orders\"\naliases = [\"shop/orders\"]"),
    );
    insta::assert_snapshot!("a_renaming", place.line("plan --sandbox").ends(0));
    settled(&place);
    behind_its_back(&place, async |kms| assert_eq!(key_id(kms, "sales").await, *before.lock().unwrap()));
    place.replace("keywright.toml", "moved_from = \"orders\"\n", "");
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn aliases_of_others_are_taken_over_only_when_asked_and_ours_are_taken_off() {
    let place = applied();
    behind_its_back(&place, async |kms| {
        let theirs = kms.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
        kms.create_alias().alias_name("alias/shared").target_key_id(theirs).send().await.unwrap();
        let ours = key_id(kms, "orders").await;
        kms.create_alias().alias_name("alias/old").target_key_id(ours).send().await.unwrap();
    });
    place.replace(
        "keywright.toml",
        "[key.orders]",
        "[key.orders]\naliases = [\"shop/orders\", \"shared\"]\nremove_aliases = [\"old\"]",
    );
    place.line("plan --sandbox").ends(5).answers("(alias-foreign)");
    place.replace("keywright.toml", "[key.orders]", "[key.orders]\ntakeover = true");
    insta::assert_snapshot!("a_takeover", place.line("plan --sandbox").ends(0));
    settled(&place);
}
