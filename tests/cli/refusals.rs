//! Bad input: each is refused with its place and the next step, and nothing is changed.

use crate::harness::Place;
use crate::live::SMALL;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Refuses a manifest in every command that reads one: exit 3, the words, no answer, no terminal code, no file.
#[track_caller]
fn refused(content: &[u8], words: &[&str]) {
    let place = Place::new();
    place.write("keywright.toml", content);
    let before = place.files();
    for command in ["check --color=always", "plan --sandbox", "apply --sandbox --yes", "verify --sandbox"] {
        let run = place.line(command).ends(3);
        assert_eq!(run.stdout, "", "{run}");
        let plain = uncoloured(&run.stderr);
        for word in words {
            assert!(plain.contains(word), "no `{word}` in {command}: {run}");
        }
        assert!(!plain.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{command}: {:?}", run.stderr);
        assert!(run.stderr.len() < 200_000, "{command}: {} bytes of talk", run.stderr.len());
        assert_eq!(place.files(), before, "{command} left something behind");
    }
}

/// Takes keywright's own colours away; what is left is text.
fn uncoloured(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, code) = rest.split_at(at);
        let end = code[2..].find(|c: char| !c.is_ascii_digit() && c != ';').unwrap() + 2;
        assert!(code[end..].starts_with('m'), "{code:?} is no colour");
        out.push_str(before);
        rest = &code[end + 1..];
    }
    out + rest
}

fn edited(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(SMALL.matches(from).count(), 1, "{from}");
    SMALL.replace(from, to).into_bytes()
}

#[test]
fn an_unknown_field_has_its_line_and_a_guess() {
    let manifest = edited("[key.orders]", "[key.orders]\ndescripton = 'x'");
    refused(&manifest, &["unknown-field", "keywright.toml:37", "descripton", "description"]);
}

#[test]
fn a_wrong_type_is_named() {
    refused(&edited("version = 1", "version = \"1\""), &["wrong-type", "keywright.toml:1"]);
}

#[test]
fn a_duplicate_shows_both_places() {
    refused(&edited("[key.notes]", "[key.orders]"), &["keywright.toml", "orders", "duplicate"]);
}

#[test]
fn a_field_of_a_later_version_is_refused_by_name() {
    let manifest = edited("[key.orders]", "[key.orders]\nopen_to_account = ['s3']");
    refused(&manifest, &["not-yet-supported", "open_to_account", "keywright.toml:37"]);
}

#[test]
fn a_key_that_kms_cannot_make_is_refused_before_any_call() {
    let cases = [
        ("spec = 'RSA_2048'", ["usage-missing", "set `usage` to ENCRYPT_DECRYPT or SIGN_VERIFY"]),
        ("spec = 'HMAC_256'\nusage = 'SIGN_VERIFY'", ["usage-unfit", "no key of HMAC_256 is for SIGN_VERIFY"]),
        ("spec = 'SM2'\nusage = 'SIGN_VERIFY'", ["spec-region", "KMS has no SM2 keys in eu-west-1"]),
        ("origin = 'aws-cloudhsm'", ["key-store-fields", "`key_store`"]),
        ("replicas = ['prod']\ntargets = ['prod']", ["multi-region-targets", "has the key twice"]),
        ("adopt = 'arn:aws:kms:eu-west-1:444455556666:key/k'", ["adoption-unfit", "444455556666"]),
        ("moved_from = 'notes'", ["succession-conflict", "remove `[key.notes]`"]),
    ];
    for (lines, words) in cases {
        refused(&edited("[key.orders]", &format!("[key.orders]\n{lines}")), &words);
    }
}

#[test]
fn ten_megabytes_of_nonsense_are_refused_at_once() {
    let start = Instant::now();
    refused("]=[\u{1b}\"{\n".repeat(1_300_000).as_bytes(), &["file-too-large", "keywright.toml", "more than 1048576"]);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_megabyte_of_nonsense_is_refused_with_a_count() {
    refused("x = = \u{7}\n".repeat(100_000).as_bytes(), &["syntax", "keywright.toml:1", "the first 100 are shown"]);
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let lists = format!("{SMALL}\n[tags]\nx = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    refused(lists.as_bytes(), &["syntax", "keywright.toml:56"]);
    let tables = format!("{SMALL}\nx{} = 1", ".x".repeat(100_000));
    refused(tables.as_bytes(), &["keywright.toml"]);
}

#[test]
fn bytes_that_are_not_text_have_their_offset() {
    let mut manifest = SMALL.as_bytes().to_vec();
    manifest.insert(20, 0xff);
    refused(&manifest, &["invalid-utf8", "20", "keywright.toml"]);
}

#[test]
fn a_hostile_name_is_shown_and_not_obeyed() {
    let key =
        edited("[key.orders]", "[key.\"\\u001b]52;c;ZXZpbA==\\u0007\\u202e\\r\"]\nadmins = ['admin']\n[key.orders]");
    refused(&key, &["keywright.toml:36"]);
    let raw =
        edited("admins = [\"admin\"]\n\n[[key.orders.user]]\nprincipal = \"app\"", "admins = [\"\u{202e}admin\"]");
    refused(&raw, &["keywright.toml"]);
}

#[test]
fn a_policy_that_is_too_large_is_refused_before_any_call() {
    let mut manifest = SMALL.to_owned();
    for user in 0..400 {
        write!(
            manifest,
            "[[key.notes.user]]\nprincipal = \"arn:aws:iam::111122223333:role/a-service-with-a-rather-long-name-{user:03}\"\n\
             can = [\"encrypt\"]\n"
        )
        .unwrap();
    }
    refused(manifest.as_bytes(), &["policy-too-large", "notes", "keywright.toml", "32768"]);
}

#[test]
fn files_that_are_not_there_are_named() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    let cases = [
        ("plan --sandbox", "keywright.toml"),
        ("apply --sandbox --yes -f missing.toml", "missing.toml"),
        ("check -f empty", "the folder `empty` has no *.toml file"),
        ("verify --sandbox -f missing", "missing"),
    ];
    for (words, why) in cases {
        let run = place.line(words).ends(3).talks_of(why).talks_of("file-unreadable").talks_of("keywright init");
        assert_eq!(run.stdout, "");
    }
    assert!(place.files().is_empty());
}

#[test]
fn errors_as_json_are_one_document() {
    let place = Place::new();
    place.write("keywright.toml", edited("[key.orders]", "[key.orders]\ndescripton = 'x'"));
    for command in ["check", "plan --sandbox", "apply --sandbox --yes", "verify --sandbox"] {
        let run = place.line(&format!("{command} --format json")).ends(3);
        let report = run.json();
        assert_eq!(report["errors"], 1, "{run}");
        assert_eq!(report["diagnostics"][0]["code"], "unknown-field");
        assert_eq!(report["diagnostics"][0]["line"], 37);
    }
}
