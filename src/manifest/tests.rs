//! Fixtures, generated files and properties of the manifest module.

mod imported;
mod kinds;

use super::*;
use crate::diag::{Code, Diagnostic, Severity};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/data/manifests").join(kind);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn sources(texts: &[(&str, &str)]) -> SourceMap {
    let mut map = SourceMap::default();
    for (name, text) in texts {
        map.add(*name, *text);
    }
    map
}

/// Reads a fixture; a line `#--- next file` begins another file.
fn fixture(path: &Path) -> SourceMap {
    let text = fs::read_to_string(path).unwrap();
    let mut map = SourceMap::default();
    for (index, part) in text.split("#--- next file\n").enumerate() {
        map.add(["a.toml", "b.toml", "c.toml"][index], part);
    }
    map
}

fn as_json(sources: &SourceMap, diagnostic: &Diagnostic) -> serde_json::Value {
    let labels: Vec<String> = diagnostic
        .labels
        .iter()
        .map(|label| {
            format!(
                "{} `{}`: {}",
                sources.position(label.loc).unwrap(),
                crate::text::escape(sources.text(label.loc)),
                label.text
            )
        })
        .collect();
    json!({
        "code": diagnostic.code.name(),
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "labels": labels,
        "help": diagnostic.help,
    })
}

#[test]
fn valid_fixtures_load_without_errors() {
    for path in fixtures("valid") {
        let map = fixture(&path);
        let loaded = load(&map);
        let found: Vec<_> = loaded.diagnostics.into_sorted().iter().map(|one| as_json(&map, one)).collect();
        assert!(found.is_empty(), "{}: {found:#?}", path.display());
        assert!(loaded.state.is_some(), "{}", path.display());
    }
}

#[test]
fn invalid_fixtures_are_refused_with_the_code_of_their_name() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/data/manifests/invalid"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in fixtures("invalid") {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let code = stem.split("--").next().unwrap();
            let map = fixture(&path);
            let loaded = load(&map);
            let sorted = loaded.diagnostics.into_sorted();
            let wanted = sorted.iter().find(|one| one.code.name() == code);
            assert!(wanted.is_some(), "{stem}: {sorted:#?}");
            let errors = sorted.iter().any(|one| one.severity == Severity::Error);
            assert_eq!(loaded.state.is_none(), errors, "{stem}");
            let found: Vec<_> = sorted.iter().map(|one| as_json(&map, one)).collect();
            insta::assert_json_snapshot!(stem, found);
        }
    });
}

/// Codes that no manifest text can show: they come from reading files, or from policies.
const NOT_OF_TEXTS: &[Code] =
    &[Code::FileUnreadable, Code::FileTooLarge, Code::InvalidUtf8, Code::PolicyTooLarge, Code::PolicyNearLimit];

#[test]
fn every_code_of_manifests_has_a_fixture() {
    let named: BTreeSet<String> = fixtures("invalid")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().split("--").next().unwrap().to_owned())
        .collect();
    let of_manifests = Code::ALL.iter().take_while(|code| **code != Code::UnusedRole).chain([&Code::UnusedRole]);
    for code in of_manifests.filter(|code| !NOT_OF_TEXTS.contains(code)) {
        assert!(named.contains(code.name()), "no fixture for {}", code.name());
    }
}

#[test]
fn the_whole_language_resolves() {
    let path = root().join("tests/data/manifests/valid/whole-language.toml");
    let state = load(&fixture(&path)).state.unwrap();
    assert_eq!(state.targets.len(), 2);
    let account = state.accounts.first().unwrap();
    let roles: Vec<&str> = account.roles.iter().map(|role| role.arn.as_str()).collect();
    assert_eq!(
        roles,
        [
            "arn:aws:iam::111122223333:role/deploy-signer",
            "arn:aws:iam::111122223333:role/payments-api",
            "arn:aws:iam::111122223333:role/keys/payments-key-admin",
        ]
    );
    assert!(account.roles[1].trust.verifier.is_some());
    assert_eq!(account.roles[2].max_session_seconds, 7_200);
    assert_eq!(account.known_roles.len(), 8);
    let prod = &state.targets[0];
    let ledger = &prod.keys[0];
    assert_eq!((prod.keys.len(), state.targets[1].keys.len()), (2, 1));
    assert_eq!(ledger.aliases[0].value.as_str(), "alias/payments/ledger");
    assert_eq!(prod.keys[1].aliases[0].value.as_str(), "alias/payments/sessions");
    assert_eq!(ledger.tags.len(), 2);
    assert_eq!(ledger.users.len(), 3);
}

#[test]
fn defaults_are_those_of_the_documentation() {
    use crate::desired::{Delegation, Rotation, Separation};
    let text = format!(
        "{BASE}[class.c]\nmax_rotation_days = 100\niam_delegation = \"root-user\"\n[key.a]\nadmins = [\"arn:aws:iam::111122223333:role/a\"]\n[[key.a.user]]\nprincipal = \"sso:Dev\"\n[key.b]\nclass = \"c\"\nadmins = [\"sso:Ops\"]\n"
    );
    let state = load(&sources(&[("a", &text)])).state.unwrap();
    let (a, b) = (&state.targets[0].keys[0], &state.targets[0].keys[1]);
    let days = |key: &crate::desired::DesiredKey| match key.rotation() {
        Rotation::Every(period) => period.days(),
        Rotation::Off => 0,
    };
    assert_eq!((days(a), days(b)), (365, 100));
    assert_eq!((a.delegation, b.delegation), (Delegation::Account, Delegation::RootUser));
    assert_eq!((a.separation, a.deletion_window.days()), (Separation::Advised, 30));
    let can: Vec<&str> = a.users[0].capabilities.iter().map(|capability| capability.name()).collect();
    assert_eq!(can, ["encrypt", "decrypt", "reencrypt", "generate-data-key", "describe"]);
}

const BASE: &str = "version = 1\nstack = \"s\"\nid = \"12345678\"\n[target.t]\naccount = \"111122223333\"\nregion = \"eu-west-1\"\ndeployers = [\"arn:aws:iam::111122223333:role/d\"]\n";

#[test]
fn hostile_sizes_and_bytes_are_refused_before_parsing() {
    let codes = |files: &[(String, Vec<u8>)]| -> Vec<&str> {
        check_limits(files)
            .err()
            .map_or(Vec::new(), |found| found.into_sorted().iter().map(|one| one.code.name()).collect())
    };
    let file = |size: usize| ("a.toml".to_owned(), vec![b'a'; size]);
    assert_eq!(codes(&[]), ["file-unreadable"]);
    assert!(codes(&[file(FILE_BYTES)]).is_empty());
    assert_eq!(codes(&[file(10_000_000)]), ["file-too-large"]);
    assert_eq!(codes(&vec![file(0); FILES + 1]), ["file-too-large"]);
    assert_eq!(codes(&vec![file(FILE_BYTES); 17]), ["file-too-large"]);
    let error = check_limits(&[("a\u{1b}.toml".to_owned(), b"abc\xffdef".to_vec())]).unwrap_err().into_sorted();
    assert_eq!(error[0].code, Code::InvalidUtf8);
    assert!(error[0].message.contains("offset 3") && !error[0].message.contains('\u{1b}'));
}

#[test]
fn deep_nesting_is_an_error() {
    for text in [
        "a = ".to_owned() + &"[".repeat(100_000),
        "a.".repeat(100_000) + "b = 1",
        format!("[{}b]", "a.".repeat(100_000)),
    ] {
        let found = load(&sources(&[("a", &text)])).diagnostics.into_sorted();
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("nested deeper"));
    }
}

#[test]
fn a_megabyte_of_nonsense_keeps_a_bounded_number_of_errors() {
    let text = "= \u{1b}[31m x\n".repeat(50_000);
    let found = load(&sources(&[("a", &text)])).diagnostics;
    assert!(found.len() <= 1_001, "{}", found.len());
}

/// Compares a generated file with what is committed, or rewrites it.
fn generated(path: &str, wanted: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == wanted, "{} is stale: run the test with UPDATE_GENERATED=1", path.display());
}

#[test]
fn the_committed_schema_is_current() {
    generated("schemas/manifest.schema.json", &(serde_json::to_string_pretty(&json_schema()).unwrap() + "\n"));
}

#[test]
fn the_field_table_of_the_documentation_is_current() {
    const BEGIN: &str = "<!-- fields: generated -->\n";
    const END: &str = "<!-- fields: end -->";
    let text = fs::read_to_string(root().join("docs/manifest.md")).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    generated("docs/manifest.md", &format!("{before}{BEGIN}{}{END}{after}", field_table()));
}

#[test]
fn the_example_of_the_documentation_loads() {
    let text = fs::read_to_string(root().join("docs/manifest.md")).unwrap();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let loaded = load(&sources(&[("docs", example)]));
    assert!(loaded.diagnostics.is_empty() && loaded.state.is_some(), "{:#?}", loaded.diagnostics);
}

#[test]
fn errors_of_three_files_come_in_file_order() {
    let map = sources(&[
        ("a", "version = 1\nbogus = 1\nstack = 5\n"),
        ("b", "version = 1\nid = \"12345678\"\nkey = 1\n= x\n"),
        ("c", "version = 2\n[key.a]\nadmin = []\n"),
    ]);
    let found = load(&map).diagnostics.into_sorted();
    let files: Vec<u32> = found.iter().map(|one| one.labels[0].loc.source.0).collect();
    assert_eq!(files, [0, 0, 1, 1, 2, 2], "{found:#?}");
}

/// Prints what a load costs; run with `--release` for the figure that counts.
#[test]
fn ten_keys_load_fast() {
    use std::fmt::Write as _;
    let mut text = BASE.to_owned();
    for key in 0..10 {
        write!(text, "[key.k{key}]\niam_delegation = \"account\"\nservices = [\"s3\"]\nadmins = [\"sso:Ops\"]\n")
            .unwrap();
        for user in 0..5 {
            write!(
                text,
                "[[key.k{key}.user]]\nprincipal = \"arn:aws:iam::111122223333:role/u{user}\"\nvia = [\"s3\"]\n"
            )
            .unwrap();
        }
    }
    let map = sources(&[("a", &text)]);
    let start = Instant::now();
    let loaded = load(&map);
    let took = start.elapsed();
    assert!(loaded.state.is_some(), "{:#?}", loaded.diagnostics);
    println!("10 keys, 50 users: {took:?}");
    assert!(took.as_millis() < 500, "{took:?}");
}

/// Changes one of two manifests here and there.
fn mutated() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["whole-language", "imported"]).prop_flat_map(mutation_of)
}

fn mutation_of(name: &str) -> impl Strategy<Value = String> + use<> {
    let text = fs::read_to_string(root().join(format!("tests/data/manifests/valid/{name}.toml"))).unwrap();
    let words = vec![
        "",
        "=",
        "\"",
        "[",
        "]",
        "{",
        "}",
        "\n",
        ".",
        "'",
        "\u{1b}",
        "${",
        "}",
        "1",
        "true",
        "[key.ledger]",
        "ä",
        "# ",
        "[[a]]",
        "[a]",
        "\"\"\"",
        ",",
        "*",
    ];
    let edit = (0..text.len(), 0..12usize, prop::sample::select(words));
    prop::collection::vec(edit, 1..6).prop_map(move |edits| {
        let mut text = text.clone();
        for (at, cut, word) in edits {
            let floor =
                |text: &str, at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let (start, end) = (floor(&text, at), floor(&text, at + cut));
            text.replace_range(start..end, word);
        }
        text
    })
}

/// Whatever comes in: no panic, errors in file order, a state exactly if there is no error, every place real.
fn loads_soundly(text: &str) {
    let map = sources(&[("a", text), ("b", "version = 1\n[key.ledger]\nadmins = []\n")]);
    let loaded = load(&map);
    let errors = loaded.diagnostics.has_errors();
    assert_eq!(loaded.state.is_none(), errors);
    let sorted = loaded.diagnostics.into_sorted();
    let places: Vec<_> = sorted.iter().map(|one| one.labels.first().map(|label| label.loc)).collect();
    assert!(places.is_sorted());
    for one in &sorted {
        assert!(!one.message.contains(crate::text::is_hostile), "{:?}", one.message);
        assert!(
            one.labels.iter().all(|label| map
                .get(label.loc.source)
                .unwrap()
                .text
                .get(label.loc.start..label.loc.end)
                .is_some()),
            "{one:#?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutated_manifests_load_soundly(text in mutated()) {
        loads_soundly(&text);
    }

    #[test]
    fn arbitrary_text_loads_soundly(text in "\\PC{0,200}") {
        loads_soundly(&text);
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_load(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(map) = check_limits(&[("a".to_owned(), bytes)]) {
            let _loaded = load(&map);
        }
    }
}
