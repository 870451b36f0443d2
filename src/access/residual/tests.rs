//! Residuals agree with the evaluator for every completion of what was not known, and refusals say what was near.

use super::super::operator::condition_holds;
use super::super::tests::{KEY, World, world};
use super::super::{
    ContextValue, CreateGrantRequest, Failing, GrantConstraints, GrantFacts, Grantee, Knowledge, NearMiss,
    PrincipalType, Unknown, near_misses,
};
use super::*;
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use proptest::prelude::*;
use proptest::sample::select;

/// What turns out of a call of which parts were not known.
#[derive(Debug, Clone)]
struct Completion {
    context: std::collections::BTreeMap<String, String>,
    via: bool,
    mfa: Option<&'static str>,
    grant: Option<CreateGrantRequest>,
    identity: bool,
}

fn completion() -> impl Strategy<Value = Completion> {
    let context = prop::collection::btree_map(select(vec!["app", "other"]), select(vec!["x", "y"]), 0..3);
    let mfa = prop::option::of(select(vec!["true", "false"]));
    let grant = prop::option::of(select(vec!["Decrypt", "Sign"]).prop_map(|operation| CreateGrantRequest {
        operations: vec![operation.to_owned()],
        ..CreateGrantRequest::default()
    }));
    (context, prop::bool::ANY, mfa, grant, prop::bool::ANY).prop_map(|(context, via, mfa, grant, identity)| {
        let context = context.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Completion { context, via, mfa, grant, identity }
    })
}

/// Makes a world one of which parts are not known: all that is not given, or some keys.
fn unknown(mut world: World, everything: bool, name_only: bool) -> World {
    world.request.unknown = if everything {
        Unknown::Everything
    } else {
        let keys =
            ["kms:encryptioncontext:", "kms:encryptioncontextkeys", "kms:viaservice", "aws:multifactorauthpresent"];
        Unknown::Keys(keys.map(str::to_owned).into())
    };
    if name_only && world.principal.kind != PrincipalType::Service {
        world.principal.knowledge = Knowledge::NameOnly;
    }
    world
}

impl Completion {
    /// Returns the world with everything known, in one of the ways that are possible.
    fn of(&self, world: &World) -> World {
        let mut full = world.clone();
        let everything = full.request.unknown == Unknown::Everything;
        let (service, creates) =
            (full.principal.kind == PrincipalType::Service, full.request.action == "kms:CreateGrant");
        if !everything || full.request.encryption_context.is_empty() {
            let given = std::mem::replace(&mut full.request.encryption_context, self.context.clone());
            full.request.encryption_context.extend(given);
        }
        if full.request.via_service.is_none() && !service {
            full.request.via_service = self.via.then(|| "s3.eu-west-1.amazonaws.com".to_owned());
        }
        if let Some(mfa) = self.mfa {
            full.request.context.insert("aws:MultiFactorAuthPresent".into(), Some(ContextValue::One(mfa.into())));
        }
        if everything && creates && full.request.grant.is_none() {
            full.request.grant.clone_from(&self.grant);
        }
        if full.principal.knowledge == Knowledge::NameOnly && self.identity {
            full.principal.identity_policies.push(PolicyDocument::new(vec![Statement::allow("All", ["*"])]));
        }
        full.request.unknown = Unknown::Nothing;
        full.principal.knowledge = Knowledge::Whole;
        full
    }
}

fn term_holds(term: &ResidualTerm, world: &World) -> Truth {
    let call = Call::new(&world.request, &world.principal, Some(&world.key));
    let conditions = term.conditions.iter().map(|condition| condition_holds(condition, &PolicyVersion::V2012, &call));
    let open = if term.open.is_some() { Truth::Unknown(Open::NotGiven) } else { Truth::True };
    Truth::all(conditions).and(open)
}

/// Returns what a residual says of a completion.
fn predicted(found: &Residual, full: &World) -> Truth {
    let way = |way: &ResidualWay| Truth::all(way.terms.iter().map(|term| term_holds(term, full)));
    let denied = Truth::any(found.denies.iter().map(|term| term_holds(term, full)));
    Truth::any(found.ways.iter().map(way)).and(denied.not())
}

fn residual_of(world: &World) -> Residual {
    residual(&world.request, &world.principal, Some(&world.key), &world.guardrails)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn residuals_agree_with_every_completion(
        world in world(), everything in prop::bool::ANY, name_only in prop::bool::ANY,
        completions in prop::collection::vec(completion(), 4),
    ) {
        let world = unknown(world, everything, name_only);
        let found = residual_of(&world);
        for completion in completions {
            let full = completion.of(&world);
            let actual = full.decide().0;
            match (predicted(&found, &full), &actual) {
                (Truth::True, Decision::ImplicitDeny | Decision::ExplicitDeny) | (Truth::False, Decision::Allow) => {
                    prop_assert!(false, "{actual:?} {found:#?} {full:#?}");
                }
                _ => {}
            }
            match &found.decision {
                Decision::Allow | Decision::ExplicitDeny => prop_assert_eq!(&found.decision, &actual),
                Decision::ImplicitDeny => {
                    let denied = matches!(actual, Decision::ImplicitDeny | Decision::ExplicitDeny);
                    prop_assert!(denied, "{:?} {:#?} {:#?}", actual, found, full);
                }
                Decision::Undetermined(_) => {}
            }
        }
    }

    #[test]
    fn where_everything_is_known_a_residual_is_the_decision(world in world()) {
        let found = residual_of(&world);
        prop_assert_eq!(&found.decision, &world.decide().0);
        let terms = found.ways.iter().flat_map(|way| &way.terms).chain(&found.denies);
        prop_assert!(terms.into_iter().all(|term| term.conditions.is_empty()));
        prop_assert_eq!(found.decision == Decision::Allow, found.denies.is_empty()
            && found.ways.iter().any(|way| way.open().is_none()));
    }

    #[test]
    fn no_way_demands_more_than_another(world in world(), name_only in prop::bool::ANY) {
        let found = residual_of(&unknown(world, true, name_only));
        for (at, way) in found.ways.iter().enumerate() {
            let conditions = way.conditions();
            let implied = found.ways.iter().enumerate().any(|(other, fewer)| {
                at != other && fewer.terms.iter().all(|term| term.open.is_none())
                    && fewer.conditions().iter().all(|condition| conditions.contains(condition))
            });
            prop_assert!(!implied, "{:#?}", found);
        }
    }

    #[test]
    fn refusals_name_what_fails_and_allowed_calls_nothing(
        world in world(), open in prop::bool::ANY, name_only in prop::bool::ANY,
    ) {
        let world = if open { unknown(world, true, name_only) } else { world };
        let near = near_misses(&world.request, &world.principal, Some(&world.key), &world.guardrails);
        prop_assert_eq!(near.is_empty(), world.decide().0 == Decision::Allow);
        prop_assert!(near.iter().all(|miss| !miss.failing.is_empty()), "{:#?}", near);
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/App";

fn aws(text: &str) -> Vec<PrincipalEntry> {
    vec![PrincipalEntry::Aws(text.to_owned())]
}

fn world_of(action: &str, statements: Vec<Statement>) -> World {
    let (account, region) = ("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap());
    World {
        request: Request { unknown: Unknown::Everything, ..Request::new(action, KEY, "eu-west-1".parse().unwrap()) },
        principal: PrincipalFacts::from_arn(&ROLE.parse().unwrap()),
        key: KeyFacts::new(KEY, account, region, PolicyDocument::new(statements)),
        guardrails: Guardrails::default(),
    }
}

fn condition_texts(way: &ResidualWay) -> Vec<String> {
    let text = |c: &&Condition| {
        let values: Vec<&str> = c.values.iter().map(crate::policy::ConditionValue::as_text).collect();
        format!("{} {} {}", c.operator.0, c.key, values.join("|"))
    };
    way.conditions().iter().map(text).collect()
}

#[test]
fn alternatives_become_ways_with_what_is_not_decided() {
    let via = |service: &str| {
        Statement::allow(service, ["kms:Decrypt"])
            .principals(aws(ROLE))
            .when("StringEquals", "kms:ViaService", [format!("{service}.eu-west-1.amazonaws.com")])
            .when("StringEquals", "aws:PrincipalAccount", ["111122223333"])
    };
    let tenant = via("s3").when("StringEquals", "kms:EncryptionContext:tenant", ["a"]);
    let found = residual_of(&world_of("kms:Decrypt", vec![via("s3"), via("ec2"), tenant]));
    let texts: Vec<Vec<String>> = found.ways.iter().map(condition_texts).collect();
    assert_eq!(
        texts,
        [
            ["StringEquals kms:ViaService s3.eu-west-1.amazonaws.com"],
            ["StringEquals kms:ViaService ec2.eu-west-1.amazonaws.com"]
        ]
    );
    assert_eq!(found.ways[1].terms[0].source.statement, Some((0, 1)));
    assert_eq!(found.ways[1].terms[0].source.text, "allows kms:Decrypt to the role or user behind role/App");
    assert!(matches!(found.decision, Decision::Undetermined(_)));
}

#[test]
fn delegation_and_iam_demand_together_and_denies_stand_apart() {
    let delegation = Statement::allow("Iam", ["kms:*"]).principals(aws("111122223333"));
    let mut deny = Statement::deny("Tls", ["*"]).principals(vec![PrincipalEntry::Everyone]);
    deny = deny.when("Bool", "aws:MultiFactorAuthPresent", ["false"]);
    let mut world = world_of("kms:Decrypt", vec![delegation, deny]);
    let iam = Statement::allow("Use", ["kms:Decrypt"]).when("StringLike", "kms:EncryptionContext:app", ["x*"]);
    world.principal.identity_policies = vec![PolicyDocument::new(vec![iam])];
    let found = residual_of(&world);
    let layers: Vec<Layer> = found.ways[0].terms.iter().map(|term| term.source.layer).collect();
    assert_eq!(layers, [Layer::KeyPolicy, Layer::Identity]);
    assert_eq!(condition_texts(&found.ways[0]), ["StringLike kms:EncryptionContext:app x*"]);
    assert_eq!(found.denies[0].source.id.as_deref(), Some("Tls"));
    assert_eq!(found.denies[0].conditions.len(), 1);
}

#[test]
fn a_way_that_a_deny_always_closes_is_none() {
    let pair = |statement: Statement| statement.when("StringEquals", "kms:EncryptionContext:app", ["x"]);
    let allow = pair(Statement::allow("Use", ["kms:Decrypt"]).principals(aws(ROLE)));
    let deny = pair(Statement::deny("No", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]));
    let found = residual_of(&world_of("kms:Decrypt", vec![allow, deny]));
    assert_eq!((found.decision, found.ways.len()), (Decision::ImplicitDeny, 0));
}

#[test]
fn constraints_of_grants_are_conditions() {
    let mut world = world_of("kms:Decrypt", Vec::new());
    let constraints = GrantConstraints {
        encryption_context_equals: Some([("app".to_owned(), "x${y".to_owned())].into()),
        ..GrantConstraints::default()
    };
    world.key.grants = vec![GrantFacts {
        grant_id: "g1".to_owned(),
        issuing_account: "111122223333".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        grantee: Grantee::Principal(ROLE.to_owned()),
        retiring: None,
        constraints,
    }];
    let found = residual_of(&world);
    assert_eq!(found.ways[0].terms[0].source.id.as_deref(), Some("g1"));
    assert_eq!(
        condition_texts(&found.ways[0]),
        ["StringEquals kms:EncryptionContext:app x${$}{y", "ForAllValues:StringEquals kms:EncryptionContextKeys app"]
    );
}

#[test]
fn too_many_ways_are_counted() {
    let use_with = |n: usize| {
        let key = format!("kms:EncryptionContext:k{n}");
        Statement::allow("Use", ["kms:Decrypt"]).principals(aws(ROLE)).when("StringEquals", &key, ["x"])
    };
    let found = residual_of(&world_of("kms:Decrypt", (0..70).map(use_with).collect()));
    assert_eq!(found.ways.len(), 65);
    assert_eq!(found.ways[64].open(), Some("6 more ways, not listed"));
}

fn near(world: &World) -> Vec<NearMiss> {
    near_misses(&world.request, &world.principal, Some(&world.key), &world.guardrails)
}

#[test]
fn the_nearest_is_told_first() {
    let other = Statement::allow("Other", ["kms:Decrypt"]).principals(aws("arn:aws:iam::111122223333:role/Other"));
    let far = Statement::allow("Far", ["kms:Encrypt"]).principals(aws("arn:aws:iam::111122223333:role/Other"));
    let via = Statement::allow("Via", ["kms:Decrypt"]).principals(aws(ROLE));
    let via = via.when("StringEquals", "kms:ViaService", ["s3.eu-west-1.amazonaws.com"]);
    let delegation = Statement::allow("Iam", ["kms:*"]).principals(aws("111122223333"));
    let mut world = world_of("kms:Decrypt", vec![far, other, delegation, via]);
    world.request.unknown = Unknown::Nothing;
    world.request.via_service = Some("ec2.eu-west-1.amazonaws.com".to_owned());
    let found = near(&world);
    let ids: Vec<Option<&str>> = found.iter().map(|miss| miss.source.id.as_deref()).collect();
    assert_eq!(ids, [Some("Via"), None, Some("Other")]);
    let given = Some(ContextValue::One("ec2.eu-west-1.amazonaws.com".to_owned()));
    assert!(matches!(&found[0].failing[..], [Failing::Condition { given: g, .. }] if *g == given));
    assert_eq!(found[0].source.text, "would allow kms:Decrypt to role/App if it were not for its conditions");
    let text = format!("no identity policy of role/App allows kms:Decrypt on {KEY}");
    assert_eq!(found[1].failing, [Failing::Layer(text)]);
    assert_eq!(found[2].failing, [Failing::Principal]);
}

#[test]
fn random_residuals_are_of_every_kind() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = std::collections::BTreeSet::new();
    for _ in 0..4_000 {
        let world = unknown(world().new_tree(&mut runner).unwrap().current(), true, true);
        let completion = completion().new_tree(&mut runner).unwrap().current();
        let found = residual_of(&world);
        let depends = found.ways.iter().any(|way| !way.conditions().is_empty() && way.open().is_none());
        let full = completion.of(&world);
        kinds.insert((depends, found.denies.is_empty(), full.decide().1, predicted(&found, &full).rank()));
    }
    for kind in [(true, true, 0, 0), (true, true, 2, 2), (true, false, 0, 0), (false, false, 2, 2)] {
        assert!(kinds.contains(&kind), "{kind:?} {kinds:?}");
    }
}

#[test]
fn a_deny_is_what_stands_in_the_way() {
    let allow = Statement::allow("Use", ["kms:Decrypt"]).principals(aws(ROLE));
    let deny = Statement::deny("Direct", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]);
    let deny = deny.when("Null", "kms:ViaService", ["true"]);
    let mut world = world_of("kms:Decrypt", vec![allow, deny]);
    world.request.unknown = Unknown::Nothing;
    let found = near(&world);
    assert_eq!((found.len(), found[0].source.id.as_deref()), (1, Some("Direct")));
    assert!(matches!(&found[0].failing[..], [Failing::Condition { given: None, .. }, Failing::Layer(_)]));
}

#[test]
fn actions_that_never_work_from_elsewhere_say_so() {
    let far = "arn:aws:iam::444455556666:role/Ext";
    let mut world = world_of("kms:DisableKey", vec![Statement::allow("Ext", ["kms:*"]).principals(aws(far))]);
    world.principal = PrincipalFacts::from_arn(&far.parse().unwrap());
    world.principal.identity_policies = vec![PolicyDocument::new(vec![Statement::allow("All", ["*"])])];
    let found = near(&world);
    assert_eq!(found[0].failing, [Failing::Layer("kms:DisableKey never works from another account".to_owned())]);
}

#[test]
fn existence_is_open_where_the_key_is() {
    let only_via = |word: &str| {
        let allow = Statement::allow("Use", ["kms:Decrypt"]).principals(aws(ROLE));
        world_of("kms:Decrypt", vec![allow.when("Null", "kms:ViaService", [word])])
    };
    for word in ["true", "false"] {
        let found = residual_of(&only_via(word));
        assert_eq!(condition_texts(&found.ways[0]), [format!("Null kms:ViaService {word}")]);
    }
}
