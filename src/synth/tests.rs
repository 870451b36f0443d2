//! What synthesis writes for representative wishes, and what holds for all of them.

use super::sample::*;
use super::*;
use crate::desired::tags::{TAG_KEY, TAG_ROLE, TAG_STACK};
use crate::desired::{
    DataKeyUse, Delegation, DesiredKey, DesiredTarget, DesiredUser, KeyAdmin, KeyKind, KeyMaterial, KeyStore,
    OidcTrust, Principal, RoleKind, Separation, Topology, Trust,
};
use crate::kms::{Capability, KeySpec, KeyUsage, KmsAction};
use crate::policy::{Actions, Effect, PrincipalEntry, Principals, Statement};
use crate::services::Service;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn actions(statement: &Statement) -> &[String] {
    match statement.actions.as_ref().unwrap() {
        Actions::Is(actions) => actions,
        Actions::IsNot(_) => panic!("synthesis names actions"),
    }
}

fn sids(policy: &PolicyDocument) -> Vec<&str> {
    policy.statements.iter().map(|statement| statement.sid.as_deref().unwrap()).collect()
}

fn by_sid<'p>(policy: &'p PolicyDocument, sid: &str) -> &'p Statement {
    policy.statements.iter().find(|statement| statement.sid.as_deref() == Some(sid)).unwrap()
}

fn policy_of(key: DesiredKey) -> PolicyDocument {
    let target = target("prod", "eu-west-1", vec![key]);
    key_policy(&target, &target.keys[0])
}

#[test]
fn a_restricted_key_has_this_policy() {
    insta::assert_json_snapshot!(policy_of(restricted()).to_json_value());
}

#[test]
fn a_public_key_has_this_policy() {
    let public = DesiredKey {
        users: vec![
            user(role("web"), &[Capability::Encrypt, Capability::Decrypt], via(&[Service::S3, Service::Ebs])),
            user(role("batch"), Capability::defaults(crate::kms::KeyUsage::EncryptDecrypt), direct(&[])),
        ],
        ..key("assets")
    };
    insta::assert_json_snapshot!(policy_of(public).to_json_value());
}

#[test]
fn every_way_to_name_a_principal_has_this_policy() {
    let decrypt = |principal| user(principal, &[Capability::Decrypt], direct(&[]));
    let many = DesiredKey {
        admins: vec![KeyAdmin(sso("PlatformEngineer"))],
        users: vec![
            decrypt(sso("Analyst")),
            decrypt(foreign("arn:aws:iam::444455556666:role/etl")),
            decrypt(Principal::Account("777788889999".parse().unwrap())),
            decrypt(Principal::Organization("o-a1b2c3d4e5".to_owned())),
            decrypt(Principal::Service("logs".to_owned())),
        ],
        separation: Separation::Enforced,
        delegation: Delegation::RootUser,
        ..key("shared")
    };
    insta::assert_json_snapshot!(policy_of(many).to_json_value());
}

/// Keys of every usage, origin and family, each with a user of the usual set.
fn of_every_kind() -> Vec<(&'static str, DesiredKey)> {
    let kind = |spec, usage| KeyKind::new(spec, usage).unwrap();
    let signing = kind(KeySpec::EccNistP256, KeyUsage::SignVerify);
    let store = "cks-1234567890abcdef0".parse().unwrap();
    let of = |name: &'static str, material: KeyMaterial, topology: Topology| {
        let mut key = DesiredKey {
            material,
            topology,
            deleters: vec![role("key-deleter")],
            auditors: vec![role("compliance")],
            // Those of a class that holds symmetric keys too.
            required_context: BTreeSet::from(["tenant".to_owned()]),
            ..key(name)
        };
        if let Topology::Primary { replicas } = &key.topology {
            key.family = replicas.values().cloned().chain(["eu-west-1".parse().unwrap()]).collect();
        }
        let can = Capability::defaults_for(key.shape());
        key.users = vec![user(role("api"), &can, direct(&[]))];
        (name, key)
    };
    let there = ("prod-us".parse().unwrap(), "us-east-1".parse().unwrap());
    let primary = Topology::Primary { replicas: BTreeMap::from([there]) };
    let generated = |spec, usage| KeyMaterial::Generated(kind(spec, usage));
    vec![
        of("signing", KeyMaterial::Generated(signing), primary),
        of("sealing", generated(KeySpec::Rsa4096, KeyUsage::EncryptDecrypt), Topology::Single),
        of("agreement", generated(KeySpec::EccNistP384, KeyUsage::KeyAgreement), Topology::Single),
        of("encapsulation", generated(KeySpec::MlKem768, KeyUsage::EncapsulateDecapsulate), Topology::Single),
        of(
            "imported-mac",
            KeyMaterial::Imported { kind: kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac), import: None },
            Topology::Single,
        ),
        of("imported", KeyMaterial::Imported { kind: KeyKind::SYMMETRIC, import: None }, Topology::Single),
        of("stored", KeyMaterial::Stored(KeyStore::CloudHsm { id: store }), Topology::Single),
    ]
}

/// What the statements of each kind allow and deny: nothing that such a key does not take, but for the denies.
#[test]
fn each_kind_of_key_has_a_policy_of_its_own() {
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, key) in of_every_kind() {
        let shape = key.shape();
        let policy = policy_of(key);
        let allowed = policy.statements.iter().filter(|s| s.effect == Effect::Allow).flat_map(actions);
        for action in allowed.filter(|action| *action != "kms:*") {
            assert!(shape.takes(KmsAction::find(action).unwrap().name), "{name} {action}");
        }
        let line = |s: &Statement| {
            let actions: Vec<&str> = actions(s).iter().map(|action| action.trim_start_matches("kms:")).collect();
            let keys: Vec<&str> = s.conditions.iter().map(|condition| condition.key.as_str()).collect();
            format!("{}: {} [{}]", s.sid.as_deref().unwrap(), actions.join(" "), keys.join(" "))
        };
        seen.insert(name, policy.statements.iter().map(line).collect());
    }
    insta::assert_json_snapshot!(seen);
}

#[test]
fn the_statements_stand_in_the_agreed_order() {
    assert_eq!(
        sids(&policy_of(restricted())),
        [
            "Deployers",
            "Administrators",
            "Deleters",
            "Auditors",
            "UsersDescribe",
            "UsersDescribeThroughDynamodb",
            "UsersDecryptWhereTenant",
            "UsersEncryptDecryptReencryptGenerateDataKeyThroughDynamodb",
            "UsersGrantThroughDynamodb",
            "SeparationOfDuties",
            "RequireContextTenant",
            "ReservedTags",
        ]
    );
}

#[test]
fn users_with_the_same_access_share_a_statement() {
    let decrypt = |name| user(role(name), &[Capability::Decrypt], direct(&[]));
    let policy = policy_of(DesiredKey { users: vec![decrypt("b"), decrypt("a")], ..key("shared") });
    let Some(Principals::Is(entries)) = &by_sid(&policy, "UsersDecrypt").principals else { panic!() };
    let arns = ["a", "b"].map(|name| PrincipalEntry::Aws(role_arn(name).to_string()));
    assert_eq!(entries[..], arns);
}

#[test]
fn two_tables_about_one_user_add_up() {
    let can = |capability| user(role("api"), &[capability], direct(&[]));
    let policy = policy_of(DesiredKey { users: vec![can(Capability::Encrypt), can(Capability::Decrypt)], ..key("k") });
    assert_eq!(actions(by_sid(&policy, "UsersEncryptDecrypt")), ["kms:Decrypt", "kms:Encrypt"]);
}

#[test]
fn users_that_differ_in_values_alone_get_numbered_statements() {
    let tenant = |name, pattern| user(role(name), &[Capability::Decrypt], direct(&[("tenant", &[pattern])]));
    let policy = policy_of(DesiredKey { users: vec![tenant("a", "acme"), tenant("b", "blue")], ..key("k") });
    assert!(sids(&policy).contains(&"UsersDecryptWhereTenant2"));
}

#[test]
fn required_context_binds_direct_users_who_name_none() {
    let plain = user(role("batch"), &[Capability::Encrypt, Capability::Describe], direct(&[]));
    let policy = policy_of(DesiredKey { users: vec![plain], ..restricted() });
    let condition = &by_sid(&policy, "UsersEncrypt").conditions[0];
    assert_eq!((condition.operator.0.as_str(), condition.key.as_str()), ("Null", "kms:EncryptionContext:tenant"));
    assert!(by_sid(&policy, "UsersDescribe").conditions.is_empty());
}

#[test]
fn a_session_is_denied_by_the_role_that_its_calls_show() {
    let session = foreign("arn:aws:sts::111122223333:assumed-role/ops/alice");
    let policy = policy_of(DesiredKey { admins: vec![KeyAdmin(session)], ..restricted() });
    let values = &by_sid(&policy, "SeparationOfDuties").conditions[0].values;
    let texts: Vec<&str> = values.iter().map(crate::policy::ConditionValue::as_text).collect();
    assert!(texts.contains(&"arn:aws:iam::111122223333:role/ops"));
    assert!(texts.contains(&"arn:aws:iam::111122223333:role/*/ops"));
}

fn trust() -> Trust {
    Trust {
        aws: vec![sso("PlatformEngineer"), role("platform-engineer")],
        services: vec!["ecs-tasks.amazonaws.com".to_owned(), "lambda.amazonaws.com".to_owned()],
        oidc: Some(OidcTrust {
            provider: "token.actions.githubusercontent.com".to_owned(),
            audience: "sts.amazonaws.com".to_owned(),
            subjects: vec!["repo:acme/infra:*".to_owned()],
        }),
        verifier: Some(role("keywright-verifier")),
    }
}

#[test]
fn a_role_trusts_whom_it_names() {
    let state = state(Vec::new(), vec![managed("api", RoleKind::KeyUser, trust())]);
    let account = &state.accounts[0];
    insta::assert_json_snapshot!(trust_policy(account, &account.roles[0]).to_json_value());
}

#[test]
fn roles_get_what_key_policies_cannot_give() {
    let roles = vec![
        managed("api", RoleKind::KeyUser, Trust::default()),
        managed("key-admin", RoleKind::KeyAdmin, Trust::default()),
        managed("keywright-verifier", RoleKind::Verifier, Trust::default()),
        managed("pr-planner", RoleKind::KeyAuditor, Trust::default()),
    ];
    let targets = vec![
        target("prod", "eu-west-1", vec![restricted(), key("assets")]),
        target("prod-us", "us-east-1", vec![key("assets")]),
    ];
    let state = state(targets, roles);
    let account = &state.accounts[0];
    let policies: BTreeMap<&str, Vec<serde_json::Value>> = account
        .roles
        .iter()
        .map(|role| {
            let policies = identity_policies(&state, account, role);
            assert!(policies.keys().all(|name| name == "keywright-payments"));
            (role.name.as_str(), policies.values().map(PolicyDocument::to_json_value).collect())
        })
        .collect();
    assert!(policies["api"].is_empty());
    insta::assert_json_snapshot!(policies);
}

#[test]
fn only_other_accounts_need_a_policy_of_their_own() {
    let etl = foreign("arn:aws:iam::444455556666:role/etl");
    let can = [Capability::Decrypt, Capability::Describe];
    let users = vec![user(etl.clone(), &can, direct(&[("tenant", &["acme"])])), user(role("api"), &can, direct(&[]))];
    let target = target("prod", "eu-west-1", vec![DesiredKey { users, ..key("shared") }]);
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd".parse().unwrap();
    let key = &target.keys[0];
    assert_eq!(far_side_policy(&target, key, &role("api"), &arn), None);
    insta::assert_json_snapshot!(far_side_policy(&target, key, &etl, &arn).unwrap().to_json_value());
}

#[test]
fn tags_carry_ownership() {
    let state = state(vec![target("prod", "eu-west-1", vec![key("assets")])], Vec::new());
    let tags = key_tags(&state, &state.targets[0].keys[0]);
    assert_eq!(tags[TAG_STACK], "payments");
    assert_eq!(tags[TAG_KEY], "assets");
    assert_eq!(tags["data"], "cardholder");
    assert_eq!(tags.len(), 4);
    let role = managed("api", RoleKind::KeyUser, Trust::default());
    assert_eq!(role_tags(&state, &role)[TAG_ROLE], "api");
}

// ---- what holds for every wish ---------------------------------------------------------------------------

fn any_access() -> impl Strategy<Value = DataKeyUse> {
    let pattern = prop::sample::select(vec!["acme", "acme-*", "blue"]);
    let direct_use = prop::collection::btree_map(
        prop::sample::select(vec!["tenant".to_owned(), "table".to_owned()]),
        prop::collection::vec(pattern.prop_map(str::to_owned), 1..3),
        0..3,
    )
    .prop_map(|context| DataKeyUse::Direct { context });
    let services = prop::collection::btree_set(prop::sample::select(Service::ALL), 1..4);
    let through = services.prop_map(|services| DataKeyUse::Via { services, context: BTreeMap::new() });
    prop_oneof![direct_use, through]
}

fn any_user() -> impl Strategy<Value = DesiredUser> {
    let capabilities = prop::collection::btree_set(
        prop::sample::select(vec![
            Capability::Encrypt,
            Capability::Decrypt,
            Capability::Reencrypt,
            Capability::GenerateDataKey,
            Capability::GenerateDataKeyPair,
            Capability::Describe,
        ]),
        1..5,
    );
    let name = prop::sample::select(vec!["api", "reporting", "batch", "sso"]);
    (name, capabilities, any_access()).prop_map(|(name, capabilities, access)| {
        let principal = if name == "sso" { sso("Analyst") } else { role(name) };
        DesiredUser { principal, capabilities, access, loc: loc() }
    })
}

/// Keys as the manifest's rules admit them.
pub(crate) fn any_key() -> impl Strategy<Value = DesiredKey> {
    let separation = prop::sample::select(vec![Separation::Advised, Separation::Enforced]);
    let delegation = prop::sample::select(vec![Delegation::None, Delegation::RootUser, Delegation::Account]);
    let required =
        prop::collection::btree_set(prop::sample::select(vec!["tenant".to_owned(), "table".to_owned()]), 0..3);
    (prop::collection::vec(any_user(), 0..5), separation, delegation, required).prop_map(
        |(users, separation, delegation, required_context)| DesiredKey {
            users,
            separation,
            delegation,
            required_context,
            deleters: vec![role("key-deleter")],
            ..key("any")
        },
    )
}

fn shuffled() -> impl Strategy<Value = (DesiredKey, DesiredKey)> {
    any_key().prop_flat_map(|key| {
        let users = Just(key.users.clone()).prop_shuffle();
        (Just(key), users).prop_map(|(key, users)| (key.clone(), DesiredKey { users, ..key }))
    })
}

proptest! {
    #[test]
    fn the_order_of_users_does_not_matter((one, other) in shuffled()) {
        prop_assert_eq!(policy_of(one), policy_of(other));
    }

    #[test]
    fn sids_are_unique_and_plain(key in any_key()) {
        let policy = policy_of(key);
        let distinct: BTreeSet<&str> = sids(&policy).into_iter().collect();
        prop_assert_eq!(distinct.len(), policy.statements.len());
        prop_assert!(distinct.iter().all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric())));
    }

    #[test]
    fn allowed_actions_are_exact_and_fit_the_key(key in any_key()) {
        let possible: BTreeSet<&str> = Capability::ALL
            .iter()
            .flat_map(|capability| capability.actions(super::key_policy::shape(&key)))
            .map(|action| action.full)
            .chain(["kms:CreateGrant"])
            .collect();
        let delegated = key.delegation == Delegation::Account;
        for statement in policy_of(key).statements.iter().filter(|s| s.effect == Effect::Allow) {
            if statement.sid.as_deref() == Some("EnableIamPolicies") {
                prop_assert!(delegated);
                continue;
            }
            for action in actions(statement) {
                prop_assert!(possible.contains(action.as_str()), "{action}");
            }
        }
    }

    #[test]
    fn users_use_and_staff_keeps(key in any_key()) {
        let staff = ["Deployers", "Administrators", "Deleters", "Auditors"];
        for statement in policy_of(key).statements.iter().filter(|s| s.effect == Effect::Allow) {
            let sid = statement.sid.as_deref().unwrap();
            for action in actions(statement) {
                let uses = KmsAction::find(action).is_some_and(KmsAction::is_cryptographic) || action == "kms:CreateGrant";
                prop_assert!(!(uses && staff.contains(&sid)), "{sid} {action}");
                prop_assert!(!sid.starts_with("Users") || uses || action == "kms:DescribeKey", "{sid} {action}");
            }
        }
    }

    #[test]
    fn grants_are_for_services_alone(key in any_key()) {
        for statement in policy_of(key).statements.iter().filter(|s| s.effect == Effect::Allow) {
            if actions(statement).iter().any(|action| action == "kms:CreateGrant") {
                let keys: Vec<&str> = statement.conditions.iter().map(|c| c.key.as_str()).collect();
                prop_assert!(keys.contains(&"kms:GrantIsForAWSResource") && keys.contains(&"kms:ViaService"));
            }
        }
    }

    #[test]
    fn everybody_is_admitted_under_a_fixed_value_only(key in any_key()) {
        for statement in policy_of(key).statements.iter().filter(|s| s.effect == Effect::Allow) {
            if matches!(&statement.principals, Some(Principals::Is(entries)) if entries.contains(&PrincipalEntry::Everyone)) {
                let fixed = |c: &crate::policy::Condition| {
                    c.operator.0 == "StringEquals" && c.key == "aws:PrincipalAccount" && c.values.len() == 1
                };
                prop_assert!(statement.conditions.iter().any(fixed));
            }
        }
    }

    #[test]
    fn policies_read_back_as_written(key in any_key()) {
        let policy = policy_of(key);
        prop_assert_eq!(PolicyDocument::parse(&policy.to_text()).unwrap().to_text(), policy.to_text());
        prop_assert_eq!(rendered_size(&policy), policy.to_text().len());
    }
}

#[test]
fn replicas_are_bound_to_their_own_region() {
    let key = DesiredKey { users: vec![user(role("web"), &[Capability::Decrypt], via(&[Service::S3]))], ..key("a") };
    let targets: [DesiredTarget; 2] = ["eu-west-1", "us-east-1"].map(|region| target("t", region, vec![key.clone()]));
    let [europe, america] = targets.each_ref().map(|target| key_policy(target, &target.keys[0]).to_text());
    assert!(europe.contains("s3.eu-west-1.amazonaws.com") && !europe.contains("us-east-1"));
    assert!(america.contains("s3.us-east-1.amazonaws.com") && !america.contains("eu-west-1"));
}

#[test]
fn no_statement_waits_for_a_context_that_its_calls_do_not_carry() {
    let statements = |service: &str| {
        let principal = Principal::Service(service.to_owned());
        let can = [Capability::Decrypt, Capability::Describe];
        let policy = policy_of(DesiredKey { users: vec![user(principal, &can, direct(&[]))], ..key("ledger") });
        let of_service = |entries: &[PrincipalEntry]| entries.iter().any(|e| matches!(e, PrincipalEntry::Service(_)));
        let named = policy.statements.into_iter().filter(|statement| match statement.principals.as_ref().unwrap() {
            Principals::Is(entries) | Principals::IsNot(entries) => of_service(entries),
        });
        named.map(|statement| actions(&statement).to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(statements("backup"), [vec!["kms:DescribeKey"], vec!["kms:Decrypt"]]);
    assert_eq!(statements("logs"), [vec!["kms:Decrypt"]], "CloudWatch Logs is pinned by its encryption context");
}
