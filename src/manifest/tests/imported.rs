//! Imported key material: which wrapping, encoding, validity and source resolve, to what, and where they stand.

use super::kinds::blamed;
use super::{BASE, fixture, root, sources};
use crate::desired::{
    DesiredKey, DesiredState, Import, KeyMaterial, MaterialEncoding, MaterialPresence, MaterialSource, Rotation,
    Validity,
};
use crate::diag::Code;
use crate::kms::{KeySpec, WrappingAlgorithm, WrappingKeySpec};
use crate::manifest::load;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Writes a key of a spec with an import, of the given lines and one material.
fn declaration(name: &str, spec: KeySpec, import: &str, material: &str) -> String {
    format!(
        "[key.{name}]\niam_delegation = \"root-user\"\nadmins = [\"sso:Ops\"]\norigin = \"external\"\nspec = \"{spec}\"\n\
         usage = \"{}\"\n[key.{name}.import]\n{import}\n[[key.{name}.import.material]]\nname = \"a\"\n{material}\n",
        spec.usages()[0]
    )
}

/// Returns the keys that resolve and those that are blamed, each with its codes, of declarations by name.
fn settled(
    declarations: &BTreeMap<String, String>,
) -> (BTreeMap<String, DesiredKey>, BTreeMap<String, BTreeSet<Code>>) {
    let all = |wanted: &dyn Fn(&String) -> bool| {
        let chosen = declarations.iter().filter(|(name, _)| wanted(name));
        chosen.fold(BASE.to_owned(), |text, (_, declaration)| text + declaration)
    };
    let text = all(&|_| true);
    let blamed = blamed(&text, load(&sources(&[("a", &text)])).diagnostics);
    let sound = all(&|name| !blamed.contains_key(name));
    let loaded = load(&sources(&[("a", &sound)]));
    let state = loaded.state.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let keys = state.targets[0].keys.iter().map(|key| (key.name.to_string(), key.clone())).collect();
    (keys, blamed)
}

#[test]
fn exactly_the_wrappings_that_fit_resolve() {
    let mut declarations = BTreeMap::new();
    let mut cases = BTreeMap::new();
    for spec in KeySpec::ALL {
        for algorithm in WrappingAlgorithm::ALL {
            for key in WrappingKeySpec::ALL {
                let name = format!("k{:03}", cases.len());
                let import = format!("never = true\nwrapping = \"{algorithm}\"\nwrapping_key = \"{key}\"");
                declarations.insert(name.clone(), declaration(&name, *spec, &import, "prewrapped = true"));
                cases.insert(name, (*spec, *algorithm, *key));
            }
        }
    }
    let (resolved, blamed) = settled(&declarations);
    assert_eq!(resolved.len() + blamed.len(), cases.len());
    for (name, (spec, algorithm, key)) in cases {
        let import = resolved.get(&name).and_then(DesiredKey::import);
        let found = import.map(|import| (import.algorithm, import.wrapping_key));
        assert_eq!(found, algorithm.fits(spec, key).then_some((algorithm, key)), "{spec} {algorithm} {key}");
        assert!(found.is_some() || blamed[&name].contains(&Code::ImportUnfit), "{spec} {algorithm} {key}");
    }
}

#[test]
fn the_default_wrapping_is_that_of_the_spec_under_the_longest_key() {
    let importable = KeySpec::ALL.iter().filter_map(|spec| Some((*spec, WrappingAlgorithm::default_for(*spec)?)));
    let cases: BTreeMap<String, _> = importable.map(|case| (case.0.to_string(), case)).collect();
    let declarations = cases
        .iter()
        .map(|(name, (spec, _))| (name.clone(), declaration(name, *spec, "never = true", "prewrapped = true")));
    let (resolved, blamed) = settled(&declarations.collect());
    assert!(blamed.is_empty(), "{blamed:?}");
    for (name, (_, algorithm)) in cases {
        let import = resolved[&name].import().unwrap();
        assert_eq!((import.algorithm, import.wrapping_key), (algorithm, WrappingKeySpec::Rsa4096), "{name}");
        assert_eq!((import.validity, import.presence), (Validity::Never, MaterialPresence::Imported));
    }
}

#[test]
fn exactly_the_encodings_of_secrets_and_of_private_keys_resolve() {
    let sources = [("file", "file = \"x\""), ("command", "command = [\"x\"]"), ("env", "env = \"X\"")];
    let (mut declarations, mut cases) = (BTreeMap::new(), BTreeMap::new());
    let importable = KeySpec::ALL.iter().filter(|spec| WrappingAlgorithm::default_for(**spec).is_some());
    for spec in importable {
        for encoding in MaterialEncoding::ALL {
            for (source, line) in sources {
                let name = format!("k{:03}", cases.len());
                let material = format!("{line}\nencoding = \"{}\"", encoding.name());
                declarations.insert(name.clone(), declaration(&name, *spec, "never = true", &material));
                cases.insert(name, (*spec, *encoding, source));
            }
        }
    }
    let (resolved, blamed) = settled(&declarations);
    assert_eq!(resolved.len() + blamed.len(), cases.len());
    for (name, (spec, encoding, source)) in cases {
        let secret = spec == KeySpec::SymmetricDefault || spec.name().starts_with("HMAC");
        let wanted = match encoding.name() {
            "raw" => secret && source != "env",
            "pem" => !secret,
            "der" => !secret && source != "env",
            _ => true,
        };
        assert_eq!(resolved.contains_key(&name), wanted, "{spec} {encoding:?} {source}");
        assert!(wanted || blamed[&name] == BTreeSet::from([Code::MaterialEncoding]), "{spec} {encoding:?} {source}");
    }
}

#[test]
fn exactly_the_legal_validities_resolve() {
    let (mut declarations, mut cases) = (BTreeMap::new(), BTreeMap::new());
    let edges = [i64::MIN, -1, 0, 1, 2, 30, 31, 59, 60, 61, 364, 365, 366, i64::MAX];
    for days in edges {
        for before in edges.map(Some).into_iter().chain([None]) {
            let name = format!("k{:03}", cases.len());
            let mut import = format!("valid_for_days = {days}");
            if let Some(before) = before {
                write!(import, "\nreimport_before_days = {before}").unwrap();
            }
            declarations.insert(name.clone(), declaration(&name, KeySpec::Hmac256, &import, "prewrapped = true"));
            cases.insert(name, (days, before));
        }
    }
    let (resolved, blamed) = settled(&declarations);
    for (name, (days, before)) in cases {
        let legal = (1..=365).contains(&days) && before.is_none_or(|before| before >= 1 && before < days);
        let Some(key) = resolved.get(&name) else {
            assert!(!legal && blamed[&name] == BTreeSet::from([Code::ImportValidity]), "{days} {before:?}");
            continue;
        };
        assert!(legal, "{days} {before:?}");
        let Validity::Days { days: found, reimport_before } = key.import().unwrap().validity else { panic!("{name}") };
        let usual = if days < 60 { days / 2 } else { 30 };
        assert_eq!((i64::from(found), i64::from(reimport_before)), (days, before.unwrap_or(usual)));
        assert!(reimport_before < found);
    }
}

fn imports() -> DesiredState {
    load(&fixture(&root().join("tests/data/manifests/valid/imported.toml"))).state.unwrap()
}

fn key<'s>(state: &'s DesiredState, target: &str, name: &str) -> &'s DesiredKey {
    let target = state.targets.iter().find(|known| known.name.as_str() == target).unwrap();
    target.keys.iter().find(|key| key.name.as_str() == name).unwrap()
}

fn sources_of(key: &DesiredKey) -> Vec<&MaterialSource> {
    key.import().unwrap().materials.iter().map(|material| &material.source).collect()
}

#[test]
fn each_region_of_a_family_imports_the_same_for_itself() {
    let state = imports();
    let (primary, replica) = (key(&state, "prod", "root"), key(&state, "prod-us", "root"));
    let (one, other) = (primary.import().unwrap(), replica.import().unwrap());
    let terms = |import: &Import| {
        let names: Vec<String> = import.materials.iter().map(|material| material.name.to_string()).collect();
        (import.validity, import.algorithm, import.wrapping_key, import.presence, names)
    };
    assert_eq!(terms(one), terms(other));
    let validity = Validity::Days { days: 180, reimport_before: 20 };
    let wrapping = (WrappingAlgorithm::OaepSha1, WrappingKeySpec::Rsa3072);
    assert_eq!((one.validity, (one.algorithm, one.wrapping_key)), (validity, wrapping));
    assert_eq!(terms(one).4, ["2026", "2027"]);
    for (key, region) in [(primary, "eu-west-1"), (replica, "us-east-1")] {
        let argv = ["vault", "read", &format!("-field={region}"), "secret/kms/root-2026"].map(str::to_owned).to_vec();
        let command = MaterialSource::Command { argv, encoding: MaterialEncoding::Base64 };
        assert_eq!(sources_of(key), [&command, &MaterialSource::Prewrapped]);
        assert_eq!(key.rotation(), Rotation::Off);
    }
}

#[test]
fn sources_are_as_written_with_their_placeholders_replaced() {
    let state = imports();
    let file = |path: &str, encoding| MaterialSource::File { path: path.to_owned(), encoding };
    let mac = key(&state, "prod", "webhooks");
    assert_eq!(sources_of(mac), [&file("/run/keys/imports/webhooks.hex", MaterialEncoding::Hex)]);
    assert_eq!(mac.import().unwrap().validity, Validity::Days { days: 20, reimport_before: 10 });
    let stdin = MaterialSource::Stdin { encoding: MaterialEncoding::Der };
    assert_eq!(sources_of(key(&state, "prod", "sealing")), [&stdin]);
    let variable = "SIGNING_111122223333".to_owned();
    let env = MaterialSource::Env { variable, encoding: MaterialEncoding::Pem };
    assert_eq!(sources_of(key(&state, "prod-us", "signing")), [&env]);
    let broken = key(&state, "prod-us", "broken-glass").import().unwrap();
    assert_eq!(broken.presence, MaterialPresence::Deleted);
    assert_eq!(broken.materials[0].source, file("keys/broken-glass.key", MaterialEncoding::Raw));
    let by_hand = key(&state, "prod-us", "by-hand");
    assert!(matches!(by_hand.material, KeyMaterial::Imported { import: None, .. }) && by_hand.places.import.is_none());
}

#[test]
fn every_material_has_the_place_of_its_name() {
    let path = root().join("tests/data/manifests/valid/imported.toml");
    let map = fixture(&path);
    let state = load(&map).state.unwrap();
    let mut imported = 0;
    for key in state.targets.iter().flat_map(|target| &target.keys) {
        let Some(import) = key.import() else {
            assert!(key.places.materials.is_empty());
            continue;
        };
        imported += 1;
        assert!(key.places.import.is_some(), "{}", key.name);
        let names: Vec<&str> = key.places.materials.keys().map(crate::ids::MaterialName::as_str).collect();
        let wanted: BTreeSet<&str> = import.materials.iter().map(|material| material.name.as_str()).collect();
        assert_eq!(names, wanted.into_iter().collect::<Vec<_>>());
        for (name, loc) in &key.places.materials {
            assert_eq!(map.text(*loc), format!("\"{name}\""));
        }
    }
    assert_eq!(imported, 7);
}

#[test]
fn errors_of_one_table_are_found_at_once() {
    let text = format!(
        "{BASE}[key.k]\niam_delegation = \"root-user\"\nadmins = [\"sso:Ops\"]\nspec = \"HMAC_256\"\n\
         [key.k.import]\nwrapping = \"RSA_AES_KEY_WRAP_SHA_1\"\n\
         [[key.k.import.material]]\nname = \"a\"\nencoding = \"pem\"\n\
         [[key.k.import.material]]\nname = \"a\"\nfile = \"x\"\nenv = \"X\"\n"
    );
    let codes: BTreeSet<Code> =
        load(&sources(&[("a", &text)])).diagnostics.into_sorted().iter().map(|one| one.code).collect();
    let wanted = [
        Code::ImportUnfit,
        Code::ImportValidity,
        Code::MaterialFixed,
        Code::MaterialDuplicate,
        Code::MaterialSource,
        Code::MaterialEncoding,
    ];
    assert_eq!(codes, wanted.into());
}
