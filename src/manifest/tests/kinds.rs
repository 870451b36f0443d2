//! Every kind of key: which combinations resolve, to what, and that their policies fit them.

use super::{BASE, fixture, root, sources};
use crate::desired::{
    Adoption, DataKeyUse, DesiredKey, DesiredState, KeyLifecycle, KeyMaterial, Rotation, TagReach, Takeover, Topology,
};
use crate::diag::{Code, Diagnostics};
use crate::kms::{KeyShape, KeySpec, KeyUsage, KmsAction, Origin};
use crate::manifest::load;
use crate::manifest::words::origin_word;
use crate::policy::{Actions, Effect, PolicyDocument};
use crate::synth;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A manifest's head with a target in China, which has every spec.
const CHINA: &str = "version = 1\nstack = \"s\"\nid = \"12345678\"\n[target.t]\naccount = \"111122223333\"\nregion = \"cn-north-1\"\ndeployers = [\"arn:aws-cn:iam::111122223333:role/d\"]\n";

fn every_shape() -> Vec<KeyShape> {
    let mut shapes = Vec::new();
    for spec in KeySpec::ALL {
        for usage in KeyUsage::ALL {
            for origin in Origin::ALL {
                let shape = KeyShape::new(*spec, *usage).with_origin(*origin);
                shapes.extend([shape, shape.in_many_regions()]);
            }
        }
    }
    shapes
}

/// Writes a key of a shape, with all that its origin asks for.
fn declaration(name: &str, shape: KeyShape) -> String {
    let mut text = format!(
        "[key.{name}]\niam_delegation = \"root-user\"\nadmins = [\"sso:Ops\"]\nspec = \"{}\"\nusage = \"{}\"\norigin = \"{}\"\nmulti_region = {}\n",
        shape.spec,
        shape.usage,
        origin_word(shape.origin),
        shape.multi_region
    );
    if matches!(shape.origin, Origin::AwsCloudHsm | Origin::ExternalKeyStore) {
        text += "key_store = \"cks-1234567890abcdef0\"\n";
    }
    if shape.origin == Origin::ExternalKeyStore {
        text += "xks_key_id = \"a\"\n";
    }
    write!(text, "[[key.{name}.user]]\nprincipal = \"sso:Dev\"\n").unwrap();
    text
}

/// Returns the keys in whose tables errors were found, with their codes.
pub(super) fn blamed(text: &str, found: Diagnostics) -> BTreeMap<String, BTreeSet<Code>> {
    let mut blamed: BTreeMap<String, BTreeSet<Code>> = BTreeMap::new();
    for one in found.into_sorted() {
        let before = &text[..one.labels[0].loc.start];
        let header = before.rfind("[key.").unwrap();
        // The label may be the name in the header itself.
        let name = text[header + 5..].split(']').next().unwrap().split('.').next().unwrap();
        blamed.entry(name.to_owned()).or_default().insert(one.code);
    }
    blamed
}

#[test]
fn exactly_the_legal_shapes_resolve() {
    let (mut legal, mut illegal) = (CHINA.to_owned(), CHINA.to_owned());
    let named: Vec<(String, KeyShape)> =
        every_shape().into_iter().enumerate().map(|(at, shape)| (format!("k{at:03}"), shape)).collect();
    for (name, shape) in &named {
        if shape.is_legal() { &mut legal } else { &mut illegal }.push_str(&declaration(name, *shape));
    }
    let loaded = load(&sources(&[("a", &legal)]));
    let state = loaded.state.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let resolved: BTreeMap<&str, KeyShape> =
        state.targets[0].keys.iter().map(|key| (key.name.as_str(), key.shape())).collect();
    let wanted: BTreeMap<&str, KeyShape> =
        named.iter().filter(|(_, shape)| shape.is_legal()).map(|(name, shape)| (name.as_str(), *shape)).collect();
    assert_eq!(resolved, wanted);
    let blamed = blamed(&illegal, load(&sources(&[("a", &illegal)])).diagnostics);
    assert_eq!(resolved.len() + blamed.len(), named.len());
    for (name, shape) in named.iter().filter(|(_, shape)| !shape.is_legal()) {
        let unfit = !shape.spec.allows(shape.usage);
        assert_eq!(blamed[name].contains(&Code::UsageUnfit), unfit, "{shape:?}");
        assert!(unfit || blamed[name] == BTreeSet::from([Code::OriginUnfit]), "{shape:?}: {:?}", blamed[name]);
    }
}

#[test]
fn a_usage_is_asked_for_exactly_where_the_spec_leaves_a_choice() {
    let mut text = CHINA.to_owned();
    for spec in KeySpec::ALL {
        let name = spec.name();
        write!(text, "[key.{name}]\niam_delegation = \"none\"\nadmins = [\"sso:A\", \"sso:B\"]\nspec = \"{name}\"\n")
            .unwrap();
    }
    let blamed = blamed(&text, load(&sources(&[("a", &text)])).diagnostics);
    for spec in KeySpec::ALL {
        let codes = blamed.get(spec.name());
        let asked = codes.is_some_and(|codes| *codes == BTreeSet::from([Code::UsageMissing]));
        assert_eq!(asked, spec.only_usage().is_none(), "{spec}: {codes:?}");
        assert!(asked || codes.is_none(), "{spec}: {codes:?}");
    }
}

#[test]
fn only_sm2_is_bound_to_a_partition() {
    for spec in KeySpec::ALL {
        let shape = KeyShape::new(*spec, spec.usages()[0]);
        let text = format!("{BASE}{}", declaration("k", shape));
        let codes: Vec<Code> =
            load(&sources(&[("a", &text)])).diagnostics.into_sorted().iter().map(|one| one.code).collect();
        let wanted = if *spec == KeySpec::Sm2 { vec![Code::SpecRegion] } else { Vec::new() };
        assert_eq!(codes, wanted, "{spec}");
    }
}

fn every_kind() -> DesiredState {
    load(&fixture(&root().join("tests/data/manifests/valid/every-kind.toml"))).state.unwrap()
}

fn key<'s>(state: &'s DesiredState, target: &str, name: &str) -> &'s DesiredKey {
    let target = state.targets.iter().find(|known| known.name.as_str() == target).unwrap();
    target.keys.iter().find(|key| key.name.as_str() == name).unwrap()
}

#[test]
fn replicas_have_terms_of_their_own_region() {
    let state = every_kind();
    let (primary, replica) = (key(&state, "prod", "sessions"), key(&state, "prod-us", "sessions"));
    let replicas = [("prod-us".parse().unwrap(), "us-east-1".parse().unwrap())].into();
    assert_eq!(primary.topology, Topology::Primary { replicas });
    let (target, region) = ("prod".parse().unwrap(), "eu-west-1".parse().unwrap());
    assert_eq!(replica.topology, Topology::Replica { primary: target, region });
    assert_eq!(replica.description.as_deref(), Some("Sessions in us-east-1"));
    assert_eq!(replica.aliases[0].value.as_str(), "alias/kinds/sessions/prod-us");
    assert_eq!((primary.tags["region"].as_str(), replica.tags["region"].as_str()), ("eu-west-1", "us-east-1"));
    let policies: Vec<String> = state
        .targets
        .iter()
        .flat_map(|target| target.keys.iter().map(move |key| (target, key)))
        .filter(|(_, key)| key.name.as_str() == "sessions")
        .map(|(target, key)| synth::key_policy(target, key).to_text().split_whitespace().collect())
        .collect();
    assert_eq!(policies.len(), 2);
    let fence = "\"Action\":\"kms:ReplicateKey\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"kms:ReplicaRegion\":[\"eu-west-1\",\"us-east-1\"]}}";
    for (policy, own, other) in [(&policies[0], "eu-west-1", "us-east-1"), (&policies[1], "us-east-1", "eu-west-1")] {
        let via = |region: &str| format!("s3.{region}.amazonaws.com");
        assert!(policy.contains(&via(own)) && !policy.contains(&via(other)), "{policy}");
        // Deployers and administrators, in the family's Regions alone; each of the family may become the primary.
        assert_eq!((policy.matches(fence).count(), policy.matches("kms:ReplicateKey").count()), (2, 2), "{policy}");
        assert!(policy.contains("kms:UpdatePrimaryRegion"), "{policy}");
    }
}

#[test]
fn material_rotates_where_it_can_and_the_primary_alone_on_demand() {
    let state = every_kind();
    let ninety = Rotation::Every(crate::desired::RotationPeriod::from_days(90).unwrap());
    let day = jiff::civil::date(2026, 11, 1);
    let symmetric = |newer_than| KeyMaterial::Symmetric { rotation: ninety, newer_than };
    assert_eq!(key(&state, "prod", "sessions").material, symmetric(Some(day)));
    assert_eq!(key(&state, "prod-us", "sessions").material, symmetric(None));
    for name in ["signing", "sealing", "agreement", "mac", "encapsulation", "imported", "hsm", "outside", "lonely"] {
        assert_eq!(key(&state, "prod", name).rotation(), Rotation::Off, "{name}");
    }
    let outside = key(&state, "prod", "outside");
    assert_eq!(outside.key_store().unwrap().xks_key_id(), Some("bb8562717f809024.a_b-c"));
    assert_eq!(key(&state, "prod", "hsm").key_store().unwrap().id().as_str(), "cks-1234567890abcdef0");
    assert_eq!(key(&state, "prod", "lonely").topology, Topology::Primary { replicas: BTreeMap::new() });
}

#[test]
fn lifecycle_and_ownership_are_as_written() {
    let state = every_kind();
    let mac = key(&state, "prod", "mac");
    assert_eq!((mac.lifecycle, mac.soak_days, mac.deleters.len()), (KeyLifecycle::Retired, 7, 1));
    let (legacy, too) = (key(&state, "prod-us", "legacy"), key(&state, "prod-us", "legacy-too"));
    assert_eq!(legacy.adopt.as_ref().unwrap().value, Adoption::Alias("alias/legacy".parse().unwrap()));
    let arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    assert_eq!(too.adopt.as_ref().unwrap().value, Adoption::Key(arn.parse().unwrap()));
    let whole = load(&fixture(&root().join("tests/data/manifests/valid/whole-language.toml"))).state.unwrap();
    let ledger = &whole.targets[0].keys[0];
    assert_eq!(ledger.moved_from.as_ref().unwrap().value.as_str(), "old-ledger");
    assert_eq!(ledger.remove_aliases.first().unwrap().as_str(), "alias/payments/old-ledger");
    assert_eq!((ledger.takeover, ledger.tag_reach, ledger.soak_days), (Takeover::Asked, TagReach::All, 120));
    let sessions = &whole.targets[0].keys[1];
    assert_eq!((sessions.takeover, sessions.tag_reach), (Takeover::Never, TagReach::Declared));
    assert_eq!((sessions.soak_days, &sessions.adopt, &sessions.moved_from), (30, &None, &None));
    let reach: Vec<TagReach> = whole.accounts[0].roles.iter().map(|role| role.tag_reach).collect();
    assert_eq!(reach, [TagReach::Declared, TagReach::Declared, TagReach::All]);
}

#[test]
fn what_a_class_asks_of_symmetric_keys_does_not_bind_others() {
    let state = every_kind();
    for target in &state.targets {
        for key in &target.keys {
            let symmetric = key.spec() == KeySpec::SymmetricDefault;
            assert_eq!(!key.required_context.is_empty(), symmetric, "{}", key.name);
            let policy = synth::key_policy(target, key);
            let backstop = policy.to_text().contains("RequireContextTenant");
            assert_eq!(backstop, symmetric, "{}", key.name);
        }
    }
}

// ---- what holds for whatever resolves ---------------------------------------------------------------------

/// Asserts that a key's shape can exist and that its policy allows nothing that such a key does not take.
fn fits(policy: &PolicyDocument, key: &DesiredKey) {
    let shape = key.shape();
    assert!(shape.is_legal(), "{shape:?}");
    for statement in policy.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
        let sid = statement.sid.as_deref().unwrap();
        let Some(Actions::Is(actions)) = &statement.actions else { panic!("{sid}") };
        for action in actions.iter().filter(|action| *action != "kms:*") {
            let known = KmsAction::find(action).unwrap_or_else(|| panic!("{action}"));
            assert!(shape.takes(known.name), "{sid} {action}: {shape:?}");
        }
        let context = |condition: &crate::policy::Condition| condition.key.starts_with("kms:EncryptionContext");
        assert!(shape.encrypts_symmetrically() || !statement.conditions.iter().any(context), "{sid}");
    }
    let named = |wanted: &str| policy.statements.iter().any(|s| s.sid.as_deref() == Some(wanted));
    assert!(shape.encrypts_symmetrically() || !named("RequireContextTenant"));
}

fn lines() -> impl Strategy<Value = (Vec<&'static str>, Vec<&'static str>)> {
    let key = subsequence(
        vec![
            "state = \"retired\"\n",
            "multi_region = true\n",
            "replicas = [\"us\"]\n",
            "targets = [\"t\"]\n",
            "required_context = [\"tenant\"]\n",
            "class = \"c\"\n",
            "services = [\"s3\", \"ebs\"]\n",
            "separation = \"enforced\"\n",
            "rotation = { every_days = 90, newer_than = 2026-11-01 }\n",
            "adopt = \"x\"\n",
            "deleters = [\"sso:Deleter\"]\n",
            "auditors = [\"sso:Auditor\"]\n",
        ],
        0..7,
    );
    let user = subsequence(
        vec![
            "can = [\"decrypt\", \"describe\"]\n",
            "can = [\"sign\", \"get-public-key\"]\n",
            "via = [\"s3\", \"ebs\"]\n",
            "context = { tenant = \"a*\" }\n",
        ],
        0..3,
    );
    (key, user)
}

fn any_declaration() -> impl Strategy<Value = String> {
    let spec = select(KeySpec::ALL);
    let usage = prop_oneof![Just(None), select(KeyUsage::ALL).prop_map(Some)];
    let usual = prop_oneof![3 => Just(Origin::AwsKms), 1 => select(Origin::ALL)];
    let delegation = select(vec!["root-user", "account"]);
    (spec, usage, usual, delegation, lines()).prop_map(|(spec, usage, origin, delegation, (key, user))| {
        let usage = usage.filter(|usage| spec.allows(*usage)).or_else(|| spec.only_usage());
        let mut text = format!("[key.k]\nadmins = [\"sso:Ops\"]\nspec = \"{spec}\"\n");
        text += &usage.map_or(String::new(), |usage| format!("usage = \"{usage}\"\n"));
        write!(text, "iam_delegation = \"{delegation}\"\norigin = \"{}\"\n", origin_word(origin)).unwrap();
        if matches!(origin, Origin::AwsCloudHsm | Origin::ExternalKeyStore) {
            text += "key_store = \"cks-1234567890abcdef0\"\n";
        }
        if origin == Origin::ExternalKeyStore {
            text += "xks_key_id = \"a\"\n";
        }
        text.extend(key);
        text += "[[key.k.user]]\nprincipal = \"sso:Dev\"\n";
        text.extend(user);
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_resolves_can_exist_and_has_a_policy_that_fits(declaration in any_declaration()) {
        let more = "[target.us]\naccount = \"111122223333\"\nregion = \"us-east-1\"\ndeployers = [\"arn:aws:iam::111122223333:role/d\"]\n[class.c]\nrequired_context = [\"tenant\"]\nmax_rotation_days = 200\nsoak_days = 60\n";
        let text = format!("{BASE}{more}{declaration}");
        let Some(state) = load(&sources(&[("a", &text)])).state else { return Ok(()) };
        for target in &state.targets {
            for key in &target.keys {
                fits(&synth::key_policy(target, key), key);
                let symmetric = key.shape().encrypts_symmetrically();
                prop_assert!(symmetric || key.services.is_empty() && key.required_context.is_empty());
                for user in &key.users {
                    prop_assert!(!user.capabilities.is_empty());
                    prop_assert!(user.capabilities.iter().all(|can| !can.actions(key.shape()).is_empty()));
                    let (DataKeyUse::Direct { context } | DataKeyUse::Via { context, .. }) = &user.access;
                    prop_assert!(symmetric || context.is_empty());
                }
                prop_assert!(key.soak_days >= 30);
            }
        }
    }
}
