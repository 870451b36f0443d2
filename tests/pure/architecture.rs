//! The rules of the house that no compiler checks: which module may use which, what pure code may name, how big
//! things grow. The table of modules is the one in `docs/architecture.md`, so that it cannot be out of date.

use crate::rust_source::{RustFile, root};
use std::collections::{BTreeMap, BTreeSet};

/// Words that pure code does not contain: waiting, clocks, chance, logs, the network.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "futures",
    "tracing",
    "SystemTime",
    "Instant",
    "rand",
    "SystemRandom",
    "getrandom",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
];

/// The same for parts of the standard library: the environment, files, other processes.
const IMPURE_STD: &[&str] = &["env", "fs", "process", "thread"];

/// The same for stretches of code: the present, printing, the process's streams.
const IMPURE_CODE: &[&str] = &["::now(", "print!(", "println!(", "dbg!(", "io::std"];

/// What a pure file names all the same. RSA-OAEP draws randomness inside the library whoever calls it; the key that it
/// encrypts where material is long is drawn beside it, so that no caller can use one twice.
const IMPURE_IN: &[(&str, &str)] = &[("src/import/wrap.rs", "rand")];

/// Names that belong to one place each.
const AT_HOME: &[(&str, &str)] = &[
    ("toml", "src/manifest"),
    ("miette", "src/cli/report"),
    ("clap", "src/cli"),
    ("axum", "src/sandbox"),
    ("redb", "src/sandbox"),
];

/// A row of the module table.
struct Module {
    pure: bool,
    may_use: BTreeSet<String>,
}

/// Returns the module table of `docs/architecture.md`.
fn table() -> BTreeMap<String, Module> {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let pure: BTreeSet<String> = rows.iter().filter(|row| row[1] == "pure").map(|row| name(row[0])).collect();
    let module = |row: &Vec<&str>| {
        let may_use = match row[3] {
            "all" => rows.iter().map(|row| name(row[0])).collect(),
            "all pure modules" => pure.clone(),
            "nothing" => BTreeSet::new(),
            list => list.split(", ").map(name).collect(),
        };
        (name(row[0]), Module { pure: row[1] == "pure", may_use })
    };
    rows.iter().map(module).collect()
}

fn name(cell: &str) -> String {
    assert!(cell.starts_with('`') && cell.ends_with('`'), "{cell}");
    cell.trim_matches('`').to_owned()
}

/// Returns the Rust files of the library, and of the modules that the table calls pure.
fn files(pure_only: bool) -> Vec<RustFile> {
    let table = table();
    let mut files = RustFile::below("src");
    files.retain(|file| !pure_only || table.get(file.module()[0]).is_some_and(|module| module.pure));
    files
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let table = table();
    let mut offences = Vec::new();
    for file in files(false) {
        let module = file.module()[0].to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(row) = table.get(&module) else {
            offences.push(format!("{}: the module `{module}` is not in docs/architecture.md", file.path));
            continue;
        };
        for used in file.uses() {
            if used != module && !row.may_use.contains(&used) {
                offences.push(format!("{}: `{module}` may not use `{used}`", file.path));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn the_table_has_no_cycle_and_pure_modules_use_only_pure_ones() {
    let table = table();
    assert!(table.len() > 20);
    let mut settled = BTreeSet::new();
    while settled.len() < table.len() {
        let ready: Vec<&String> = table
            .iter()
            .filter(|(name, _)| !settled.contains(*name))
            .filter(|(name, module)| module.may_use.iter().all(|used| used == *name || settled.contains(used)))
            .map(|(name, _)| name)
            .collect();
        assert!(
            !ready.is_empty(),
            "a cycle among {:?}",
            table.keys().filter(|name| !settled.contains(*name)).collect::<Vec<_>>()
        );
        settled.extend(ready.into_iter().cloned());
    }
    for (name, module) in table.iter().filter(|(_, module)| module.pure) {
        for used in &module.may_use {
            assert!(table.get(used).is_some_and(|used| used.pure), "pure `{name}` may use `{used}`");
        }
    }
}

#[test]
fn pure_modules_neither_wait_nor_look_nor_print() {
    let mut offences = Vec::new();
    for file in files(true) {
        let words = file.words().filter(|word| IMPURE.contains(word) || is_sdk(word)).map(str::to_owned);
        let parts = file.names_after("std::").into_iter().filter(|name| IMPURE_STD.contains(&name.as_str()));
        let code = IMPURE_CODE.iter().filter(|code| file.code.contains(**code)).map(|code| (*code).to_owned());
        let mut named: BTreeSet<String> = words.chain(parts).chain(code).collect();
        named.retain(|word| !IMPURE_IN.contains(&(file.path.as_str(), word.as_str())));
        offences.extend(named.iter().map(|word| format!("{}: names `{word}`", file.path)));
    }
    assert_none(&offences);
}

/// Returns whether a word names a crate of the AWS SDK; aws-lc-rs is cryptography, and pure.
fn is_sdk(word: &str) -> bool {
    ["aws_sdk_", "aws_config", "aws_credential_types", "aws_smithy_", "aws_types"]
        .iter()
        .any(|sdk| word.starts_with(sdk))
}

#[test]
fn each_library_has_one_home() {
    let mut offences = Vec::new();
    for file in files(false) {
        for word in file.words().collect::<BTreeSet<_>>() {
            if let Some(home) = home(word).filter(|home| !is_below(&file.path, home)) {
                offences.push(format!("{}: names `{word}`, which belongs to {home}", file.path));
            }
        }
    }
    assert_none(&offences);
}

fn home(word: &str) -> Option<&'static str> {
    if word.starts_with("aws_sdk_") || word == "aws_config" {
        return Some("src/aws");
    }
    AT_HOME.iter().find(|(library, _)| *library == word).map(|(_, home)| *home)
}

fn is_below(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

#[test]
fn every_file_says_what_it_answers_for() {
    let files = RustFile::below("src").into_iter().chain(RustFile::below("tests"));
    let silent: Vec<String> = files.filter(|file| !file.text.starts_with("//! ")).map(|file| file.path).collect();
    assert_none(&silent);
}

#[test]
fn files_and_functions_stay_small() {
    let mut offences = Vec::new();
    for file in files(false) {
        let lines = file.code.trim_end().lines().count();
        if lines > 500 {
            offences.push(format!("{}: {lines} lines without tests; split it", file.path));
        }
        let long = file.functions().into_iter().filter(|(_, lines)| *lines > 80);
        offences.extend(long.map(|(name, lines)| format!("{}: `{name}` has {lines} lines", file.path)));
    }
    assert_none(&offences);
}

#[test]
fn types_are_nouns_of_the_domain() {
    let mut offences = Vec::new();
    for file in files(false) {
        let words: Vec<&str> = file.words().collect();
        for pair in words.windows(2).filter(|pair| ["struct", "enum", "trait", "type"].contains(&pair[0])) {
            // `KeyManager` is KMS's own word for who manages a key: AWS or the customer.
            if pair[1] != "KeyManager" && ["Manager", "Helper", "Util"].iter().any(|empty| pair[1].contains(empty)) {
                offences.push(format!("{}: `{}` names nothing of the domain", file.path, pair[1]));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn no_file_is_orphaned() {
    let cargo = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let files: Vec<RustFile> = RustFile::below("src").into_iter().chain(RustFile::below("tests")).collect();
    let declared: BTreeSet<String> =
        files.iter().flat_map(|file| file.declares().into_iter().flat_map(|name| places(&file.path, name))).collect();
    let is_root =
        |path: &str| path == "src/lib.rs" || path == "src/main.rs" || cargo.contains(&format!("path = \"{path}\""));
    let orphans: Vec<String> =
        files.iter().map(|file| file.path.clone()).filter(|path| !is_root(path) && !declared.contains(path)).collect();
    assert_none(&orphans);
}

/// Returns where a module that a file declares may live.
fn places(declaring: &str, name: &str) -> [String; 2] {
    let (folder, file) = declaring.rsplit_once('/').unwrap();
    let folder = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => declaring.trim_end_matches(".rs").to_owned(),
    };
    [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]
}
