//! Each way in which duties can meet, and that brute force over small worlds finds the same.

use super::*;
use crate::access::{GrantConstraints, GrantFacts, Grantee, KeyFacts, Knowledge, PrincipalFacts};
use crate::policy::{Actions, PolicyDocument, PrincipalEntry, Statement};
use crate::synth::VERIFY_SESSION_NAME;
use crate::synth::sample::{ACCOUNT, account, role_arn};
use crate::world::WorldPrincipal;
use proptest::prelude::*;

const KEY_ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const FAR: &str = "arn:aws:iam::444455556666:role/far";

fn arn(name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { role_arn(name).to_string() }
}

fn to(name: &str) -> Vec<PrincipalEntry> {
    vec![PrincipalEntry::Aws(arn(name))]
}

fn root() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}

fn allow(name: &str, actions: &[&str]) -> Statement {
    Statement::allow(&format!("To{}", name.rsplit(['/', ':']).next().unwrap()), actions.iter().copied())
        .principals(to(name))
}

fn delegation() -> Statement {
    allow(&root(), &["kms:*"])
}

/// A role with what it may do by IAM, and who may assume it.
struct Role(&'static str, Vec<Statement>, Vec<Statement>);

fn trusts(names: &[&str]) -> Vec<Statement> {
    let entries = names.iter().flat_map(|name| to(name)).collect();
    vec![Statement { resources: None, ..Statement::allow("Trust", ["sts:AssumeRole"]).principals(entries) }]
}

fn iam(actions: &[&str]) -> Vec<Statement> {
    vec![Statement::allow("Iam", actions.iter().copied())]
}

fn grant(grantee: &str, operations: &[&str]) -> GrantFacts {
    GrantFacts {
        grant_id: "g1".to_owned(),
        issuing_account: ACCOUNT.to_owned(),
        operations: operations.iter().map(|name| (*name).to_owned()).collect(),
        grantee: Grantee::Principal(arn(grantee)),
        retiring: None,
        constraints: GrantConstraints::default(),
    }
}

fn world(statements: Vec<Statement>, grants: Vec<GrantFacts>, roles: Vec<Role>) -> World {
    let mut facts = KeyFacts::new(KEY_ARN, account(), "eu-west-1".parse().unwrap(), PolicyDocument::new(statements));
    facts.grants = grants;
    let key =
        WorldKey { name: "ledger".to_owned(), target: "prod".parse().unwrap(), facts, loc: None, origins: Vec::new() };
    let principal = |Role(name, identity, trust): Role| {
        let mut facts = PrincipalFacts::from_arn(&arn(name).parse().unwrap());
        facts.identity_policies = (!identity.is_empty()).then(|| PolicyDocument::new(identity)).into_iter().collect();
        let trust = Some(PolicyDocument::new(trust));
        WorldPrincipal { name: name.to_owned(), facts, trust, loc: None }
    };
    World { keys: vec![key], principals: roles.into_iter().map(principal).collect(), gaps: Vec::new() }
}

fn said(world: &World) -> Vec<String> {
    duties(world)
        .iter()
        .map(|conflict| conflict.message().replace("both manage the key `ledger` and use it", "do both"))
        .collect()
}

fn plain(names: &[&'static str]) -> Vec<Role> {
    names.iter().map(|name| Role(name, Vec::new(), Vec::new())).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_way_is_found_and_told() {
    let put = || allow("admin", &["kms:PutKeyPolicy"]);
    let use_it = || allow("app", &["kms:Decrypt"]);
    let chain = || {
        vec![
            Role("app", vec![], vec![]),
            Role("build", vec![], trusts(&["app"])),
            Role("deploy", vec![], trusts(&["build"])),
            Role("admin", vec![], trusts(&["deploy"])),
        ]
    };
    let not_action = Statement { actions: Some(Actions::IsNot(vec!["kms:PutKeyPolicy".to_owned()])), ..use_it() };
    let external = || vec![trusts(&["app"]).remove(0).when("StringEquals", "sts:ExternalId", ["x"])];
    let cases: Vec<(&str, World, Vec<&str>)> = vec![
        (
            "one principal in two statements",
            world(vec![put(), allow("admin", &["kms:Decrypt"])], vec![], plain(&["admin"])),
            vec![
                "`admin` can do both: admin → PutKeyPolicy by the statement `Toadmin` of the key policy; \
                  admin → Decrypt by the statement `Toadmin` of the key policy",
            ],
        ),
        ("two principals", world(vec![put(), use_it()], vec![], plain(&["admin", "app"])), vec![]),
        (
            "a wildcard",
            world(vec![allow("app", &["kms:*"])], vec![], plain(&["app"])),
            vec![
                "`app` can do both: app → CreateGrant, DisableKey, PutKeyPolicy, ReplicateKey, ScheduleKeyDeletion by",
            ],
        ),
        (
            "all but one action",
            world(vec![not_action], vec![], plain(&["app"])),
            vec!["`app` can do both: app → CreateGrant, DisableKey, ReplicateKey, ScheduleKeyDeletion by"],
        ),
        (
            "delegation and IAM",
            world(vec![delegation(), use_it()], vec![], vec![Role("app", iam(&["kms:ScheduleKeyDeletion"]), vec![])]),
            vec![
                "`app` can do both: app → ScheduleKeyDeletion by the statement `Toroot` of the key policy and \
                  the statement `Iam` of its identity policies",
            ],
        ),
        ("delegation without IAM", world(vec![delegation(), use_it()], vec![], plain(&["app"])), vec![]),
        (
            "a grant to an administrator",
            world(vec![put()], vec![grant("admin", &["Decrypt"])], plain(&["admin"])),
            vec!["admin → Decrypt by the grant `g1`"],
        ),
        (
            "a grant passes on what it gives, and is not managing",
            world(vec![use_it()], vec![grant("app", &["CreateGrant", "Decrypt"])], plain(&["app"])),
            vec![],
        ),
        (
            "an administrator that may grant to itself",
            world(vec![put(), allow("admin", &["kms:CreateGrant"])], vec![], plain(&["admin"])),
            vec!["by the statement `Toadmin` of the key policy and a grant that it may make itself"],
        ),
        (
            "a grant for services alone",
            world(
                vec![put(), allow("admin", &["kms:CreateGrant"]).when("Bool", "kms:GrantIsForAWSResource", ["true"])],
                vec![],
                plain(&["admin"]),
            ),
            vec![],
        ),
        (
            "a grant to somebody in particular",
            world(
                vec![
                    put(),
                    allow("admin", &["kms:CreateGrant"]).when("StringEquals", "kms:GranteePrincipal", [arn("app")]),
                ],
                vec![],
                plain(&["admin", "app"]),
            ),
            vec![],
        ),
        (
            "a chain of three",
            world(vec![put(), use_it()], vec![], chain()),
            vec![
                "`app` can do both: app → assumes build → assumes deploy → assumes admin → PutKeyPolicy by \
                  the statement `Toadmin` of the key policy; app → Decrypt",
            ],
        ),
        (
            "a third who may become both",
            world(
                vec![put(), use_it()],
                vec![],
                vec![Role("admin", vec![], trusts(&["ci"])), Role("app", vec![], trusts(&["ci"]))],
            ),
            vec!["ci` can do both: arn:aws:iam::111122223333:role/ci → assumes admin → PutKeyPolicy"],
        ),
        (
            "trust in the account, with IAM",
            world(
                vec![put(), use_it()],
                vec![],
                vec![Role("admin", vec![], trusts(&[&root()])), Role("app", iam(&["sts:AssumeRole"]), vec![])],
            ),
            vec!["`app` can do both: app → assumes admin → PutKeyPolicy"],
        ),
        (
            "trust in the account, without IAM",
            world(
                vec![put(), use_it()],
                vec![],
                vec![Role("admin", vec![], trusts(&[&root()])), Role("app", vec![], vec![])],
            ),
            vec![],
        ),
        (
            "trust under a condition",
            world(vec![put(), use_it()], vec![], vec![Role("admin", vec![], external()), Role("app", vec![], vec![])]),
            vec![
                "app → assumes admin → PutKeyPolicy by the statement `Toadmin` of the key policy, under a condition \
                  (in a trust policy, or in the IAM of another account)",
            ],
        ),
        (
            "a principal of another account",
            world(
                vec![put(), use_it()],
                vec![],
                vec![Role("admin", vec![], trusts(&[FAR])), Role("app", vec![], trusts(&[FAR]))],
            ),
            vec![
                "role/far → assumes admin → PutKeyPolicy by the statement `Toadmin` of the key policy, under a condition",
            ],
        ),
        (
            "a session of the role",
            world(
                vec![put(), allow("arn:aws:sts::111122223333:assumed-role/admin/s1", &["kms:Decrypt"])],
                vec![],
                plain(&["admin"]),
            ),
            vec![
                "`admin` can do both: admin → PutKeyPolicy by the statement `Toadmin` of the key policy; \
                  admin → assumes arn:aws:sts::111122223333:assumed-role/admin/s1 → Decrypt",
            ],
        ),
        (
            "use that hangs on where the call comes from",
            world(
                vec![put(), allow("admin", &["kms:Decrypt"]).when("IpAddress", "aws:SourceIp", ["10.0.0.0/8"])],
                vec![],
                plain(&["admin"]),
            ),
            vec![
                "admin → Decrypt by the statement `Toadmin` of the key policy, under a condition (it depends on condition keys",
            ],
        ),
        (
            "use through a service",
            world(
                vec![
                    put(),
                    allow("admin", &["kms:Decrypt"]).when(
                        "StringEquals",
                        "kms:ViaService",
                        ["s3.eu-west-1.amazonaws.com"],
                    ),
                ],
                vec![],
                plain(&["admin"]),
            ),
            vec![],
        ),
        (
            "an explicit denial",
            world(
                vec![
                    allow("admin", &["kms:*"]),
                    Statement::deny(
                        "No",
                        ["kms:CreateGrant"].into_iter().chain(crate::kms::CRYPTOGRAPHIC_ACTIONS.iter().copied()),
                    )
                    .principals(vec![PrincipalEntry::Everyone])
                    .when("ArnEquals", "aws:PrincipalArn", [arn("admin")]),
                ],
                vec![],
                plain(&["admin"]),
            ),
            vec![],
        ),
    ];
    for (name, world, expected) in cases {
        let found = said(&world);
        assert_eq!(found.len(), expected.len(), "{name}: {found:#?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.contains(expected), "{name}: no `{expected}` in {found}");
        }
    }
}

#[test]
fn the_context_is_the_callers_choice_and_demanded_ones_are_given() {
    let decrypt =
        |value: &str| allow("admin", &["kms:Decrypt"]).when("StringEquals", "kms:EncryptionContext:app", [value]);
    let demand = Statement::deny("Require", ["kms:Decrypt"]).principals(vec![PrincipalEntry::Everyone]).when(
        "Null",
        "kms:EncryptionContext:tenant",
        ["true"],
    );
    for statements in [vec![decrypt("x")], vec![decrypt("x"), demand]] {
        let found = duties(&world(
            [vec![allow("admin", &["kms:PutKeyPolicy"])], statements].concat(),
            vec![],
            plain(&["admin"]),
        ));
        assert_eq!(found.iter().map(|conflict| conflict.certainty).collect::<Vec<_>>(), [DutyCertainty::Certain]);
    }
}

#[test]
fn the_self_test_is_no_conflict_and_other_names_are() {
    let trusting =
        |name: &str| vec![trusts(&["verifier"]).remove(0).when("StringEquals", "sts:RoleSessionName", [name])];
    let found = |name: &str| {
        let roles = vec![
            Role("admin", vec![], trusting(name)),
            Role("app", vec![], trusting(name)),
            Role("verifier", vec![], vec![]),
        ];
        let statements = vec![allow("admin", &["kms:PutKeyPolicy"]), allow("app", &["kms:Decrypt"])];
        duties(&world(statements, vec![], roles)).len()
    };
    assert_eq!((found(VERIFY_SESSION_NAME), found("deploy")), (0, 1));
}

#[test]
fn principals_known_by_name_alone_are_judged_by_what_names_them() {
    let mut world = world(vec![delegation(), allow("app", &["kms:Decrypt"])], vec![], plain(&["app"]));
    world.principals[0].facts.knowledge = Knowledge::NameOnly;
    assert!(duties(&world).is_empty(), "what its IAM policies may say is not counted");
    world.keys[0].facts.policy.statements.push(allow("app", &["kms:PutKeyPolicy"]));
    assert_eq!(duties(&world).len(), 1);
}

#[test]
fn only_those_in_whom_the_duties_meet_are_named() {
    let roles = || {
        vec![
            Role("admin", vec![], trusts(&["app"])),
            Role("app", vec![], trusts(&["ci"])),
            Role("ci", vec![], trusts(&["person"])),
            Role("person", vec![], vec![]),
        ]
    };
    let statements = vec![allow("admin", &["kms:PutKeyPolicy"]), allow("app", &["kms:Decrypt"])];
    let found = duties(&world(statements, vec![], roles()));
    assert_eq!(found.iter().map(|conflict| conflict.principal.as_str()).collect::<Vec<_>>(), ["app"]);
    assert_eq!(found[0].remedy(), "take `app` out of the trust of `admin`");
    assert_eq!(found[0].administers.path, ["app", "admin"]);
}

#[test]
fn the_example_has_separate_duties() {
    let mut sources = crate::source::SourceMap::default();
    for entry in std::fs::read_dir("examples/data-classes").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            sources.add(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap());
        }
    }
    let state = crate::manifest::load(&sources).state.unwrap();
    assert!(duty_diagnostics(&state).is_empty(), "{:#?}", duties(&crate::world::of_manifest(&state)));
}

#[test]
fn what_is_enforced_is_an_error() {
    use crate::desired::{Delegation, DesiredKey, RoleKind, Separation, Trust};
    use crate::diag::Severity;
    use crate::kms::Capability;
    use crate::synth::sample::{self, direct, managed, user};
    let state = |separation| {
        let key = DesiredKey {
            users: vec![user(sample::role("api"), &[Capability::Decrypt], direct(&[]))],
            delegation: Delegation::None,
            separation,
            ..sample::key("ledger")
        };
        let both = || Trust { aws: vec![sample::sso("Platform")], ..Trust::default() };
        let roles = vec![managed("api", RoleKind::KeyUser, both()), managed("key-admin", RoleKind::KeyAdmin, both())];
        sample::state(vec![sample::target("prod", "eu-west-1", vec![key])], roles)
    };
    for (separation, severity) in [(Separation::Advised, Severity::Warning), (Separation::Enforced, Severity::Error)] {
        let found = duty_diagnostics(&state(separation)).into_sorted();
        let [only] = &found[..] else { panic!("{found:#?}") };
        assert_eq!(only.severity, severity);
        assert!(only.message.starts_with(
            "`sso:Platform` can both manage the key `ledger` and use it: sso:Platform → assumes key-admin"
        ));
        assert_eq!(
            only.help.as_deref(),
            Some(
                "take `sso:Platform` out of the trust of `api` or take `sso:Platform` out of the trust of `key-admin`"
            )
        );
    }
}

// ---- brute force -----------------------------------------------------------------------------------------------

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trusted {
    No,
    ByName,
    UnderCondition,
}

/// A small world as it was drawn.
#[derive(Debug, Clone)]
struct Drawn {
    /// Who is trusted by whom.
    trust: Vec<Vec<Trusted>>,
    trusts_account: Vec<bool>,
    may_assume: Vec<bool>,
    may_kms: Vec<bool>,
    admin: Vec<bool>,
    user: Vec<bool>,
    granted: Vec<bool>,
    delegated: bool,
    denied: Vec<bool>,
}

impl Drawn {
    fn world(&self) -> World {
        let of = |yes: &[bool], action: &'static str| {
            let named = NAMES.iter().zip(yes).filter(|(_, yes)| **yes);
            named.map(move |(name, _)| allow(name, &[action])).collect::<Vec<_>>()
        };
        let mut statements = of(&self.admin, "kms:PutKeyPolicy");
        statements.extend(of(&self.user, "kms:Decrypt"));
        statements.extend(self.delegated.then(delegation));
        let denied = NAMES.iter().zip(&self.denied).filter(|(_, yes)| **yes);
        statements.extend(denied.map(|(name, _)| {
            Statement::deny("No", crate::kms::CRYPTOGRAPHIC_ACTIONS.iter().copied()).principals(to(name))
        }));
        let granted = NAMES.iter().zip(&self.granted).filter(|(_, yes)| **yes);
        let grants = granted.map(|(name, _)| grant(name, &["Decrypt"])).collect();
        let role = |at: usize| {
            let mut identity = Vec::new();
            identity.extend(self.may_assume[at].then(|| iam(&["sts:AssumeRole"]).remove(0)));
            identity.extend(self.may_kms[at].then(|| iam(&["kms:*"]).remove(0)));
            let mut trust: Vec<Statement> = Vec::new();
            for (other, trusted) in self.trust[at].iter().enumerate() {
                let by_name = || trusts(&[NAMES[other]]).remove(0);
                trust.extend(match trusted {
                    Trusted::No => None,
                    Trusted::ByName => Some(by_name()),
                    Trusted::UnderCondition => Some(by_name().when("Bool", "aws:MultiFactorAuthPresent", ["true"])),
                });
            }
            trust.extend(self.trusts_account[at].then(|| trusts(&[&root()]).remove(0)));
            Role(NAMES[at], identity, trust)
        };
        world(statements, grants, (0..NAMES.len()).map(role).collect())
    }

    fn administers(&self, at: usize) -> bool {
        self.admin[at] || (self.delegated && self.may_kms[at])
    }

    fn uses(&self, at: usize) -> bool {
        !self.denied[at] && (self.user[at] || self.granted[at] || (self.delegated && self.may_kms[at]))
    }

    /// Whether one can become the other in one step.
    fn becomes(&self, from: usize, to: usize, certainty: DutyCertainty) -> bool {
        from == to
            || self.trust[to][from] == Trusted::ByName
            || (self.trusts_account[to] && self.may_assume[from])
            || (certainty == DutyCertainty::UnderCondition && self.trust[to][from] == Trusted::UnderCondition)
    }

    /// Whether one can become the other in the end.
    fn reaches(&self, certainty: DutyCertainty) -> Vec<Vec<bool>> {
        let all = 0..NAMES.len();
        let mut reaches: Vec<Vec<bool>> =
            all.clone().map(|from| all.clone().map(|to| self.becomes(from, to, certainty)).collect()).collect();
        for over in all.clone() {
            for from in all.clone() {
                for to in all.clone() {
                    reaches[from][to] |= reaches[from][over] && reaches[over][to];
                }
            }
        }
        reaches
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let trusted = prop_oneof![6 => Just(Trusted::No), 2 => Just(Trusted::ByName), 1 => Just(Trusted::UnderCondition)];
    let some = |weight: f64| prop::collection::vec(prop::bool::weighted(weight), NAMES.len());
    let trust = prop::collection::vec(prop::collection::vec(trusted, NAMES.len()), NAMES.len());
    let people = (some(0.2), some(0.3), some(0.2));
    let key = (some(0.3), some(0.3), some(0.1), prop::bool::weighted(0.3), some(0.2));
    (trust, people, key).prop_map(|(trust, (trusts_account, may_assume, may_kms), key)| {
        let (admin, user, granted, delegated, denied) = key;
        Drawn { trust, trusts_account, may_assume, may_kms, admin, user, granted, delegated, denied }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn brute_force_agrees(drawn in drawn()) {
        let found = duties(&drawn.world());
        let index = |name: &str| NAMES.iter().position(|known| *known == name).unwrap();
        let all = 0..NAMES.len();
        for certainty in [DutyCertainty::Certain, DutyCertainty::UnderCondition] {
            let reaches = drawn.reaches(certainty);
            let both = |from: usize| {
                let any = |acts: &dyn Fn(usize) -> bool| all.clone().any(|to| reaches[from][to] && acts(to));
                any(&|to| drawn.administers(to)) && any(&|to| drawn.uses(to))
            };
            // What is told is so.
            for conflict in found.iter().filter(|conflict| conflict.certainty == certainty) {
                prop_assert!(both(index(&conflict.principal)), "{}", conflict.message());
            }
            // What is so is told, of somebody whom it can become at least.
            let told: Vec<usize> = found
                .iter()
                .filter(|conflict| conflict.certainty <= certainty)
                .map(|conflict| index(&conflict.principal))
                .collect();
            for from in all.clone().filter(|from| both(*from)) {
                prop_assert!(told.iter().any(|to| reaches[from][*to]), "{} in {:?}", NAMES[from], found);
            }
        }
        for duty in found.iter().flat_map(|conflict| [&conflict.administers, &conflict.uses]) {
            let path: Vec<usize> = duty.path.iter().map(|name| index(name)).collect();
            prop_assert!(path.windows(2).all(|pair| drawn.becomes(pair[0], pair[1], DutyCertainty::UnderCondition)), "{}", duty);
        }
    }
}
