//! Who may do what: decides requests exactly as KMS does, and says why.
//!
//! The inputs are neutral: a [`Request`], the caller ([`PrincipalFacts`]), the key ([`KeyFacts`]) and the
//! account's guard rails ([`Guardrails`]). The manifest and live state are turned into them elsewhere, so that
//! the planner, the sandbox and `access simulate` share one evaluator.

mod alternatives;
mod caller;
mod case;
mod combine;
mod compare;
mod context;
mod facts;
mod grant;
mod layer;
mod near;
mod operator;
mod residual;
mod simulation;
mod statement;
mod trace;
mod trust;
mod truth;
mod variable;
mod verdict;

pub use case::{Case, CaseError, CaseFile, Expected};
pub use context::derive_context;
pub use facts::{
    ContextValue, CreateGrantRequest, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, Knowledge,
    PrincipalFacts, PrincipalType, Request, RequestContext, Unknown,
};
pub use near::{Failing, NearMiss, near_misses};
pub use residual::{Residual, ResidualTerm, ResidualWay, residual};
pub use simulation::{Agreement, ContextDifference, Simulation};
pub use verdict::{Decision, Evaluation, Layer, TraceEntry};

use crate::policy::PolicyDocument;
use context::Call;
use layer::Held;
use trace::Sources;

/// Decides a request of a caller on a key; `key` is `None` for actions that have none (`kms:ListKeys`, `iam:*`).
pub fn evaluate(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Evaluation {
    let call = Call::new(request, principal, key);
    let findings = combine::find(&call, guardrails);
    Sources { call: &call, guardrails: Some(guardrails), trust: None }.evaluation(&findings)
}

/// Decides as [`evaluate`] does, without the reasons: for questions over many callers and keys.
pub fn decide(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Decision {
    combine::find::<Held>(&Call::new(request, principal, key), guardrails).decision()
}

/// Returns whether a call is allowed; `None` where that is open: a condition key is [`Unknown`], or AWS's
/// documentation leaves it open. The cheapest of the questions, for searches over many requests.
pub fn is_allowed(
    request: &Request,
    principal: &PrincipalFacts,
    key: Option<&KeyFacts>,
    guardrails: &Guardrails,
) -> Option<bool> {
    combine::find::<Held>(&Call::new(request, principal, key), guardrails).allowed()
}

/// Decides whether a caller may assume a role: its trust policy, and for the caller's own side its identity policies.
///
/// The request's resource is the role's ARN; `sts:ExternalId` and other keys of STS stand in its context. Guard
/// rails are left aside.
pub fn evaluate_trust(request: &Request, principal: &PrincipalFacts, trust: &PolicyDocument) -> Evaluation {
    let call = Call::new(request, principal, None);
    let findings = trust::find(&call, trust);
    Sources { call: &call, guardrails: None, trust: Some(trust) }.evaluation(&findings)
}

/// Decides whether a caller may change a key's policy under the policy that it has: KMS's lock-out check, with
/// the new policy as the key's.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
pub fn can_put_key_policy(key: &KeyFacts, principal: &PrincipalFacts, guardrails: &Guardrails) -> Evaluation {
    let request = Request::new("kms:PutKeyPolicy", key.arn.clone(), key.region.clone());
    evaluate(&request, principal, Some(key), guardrails)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{
        Actions, Condition, ConditionOperator, Effect, PrincipalEntry, Principals, Resources, Statement,
    };
    use proptest::prelude::*;
    use proptest::sample::select;

    pub(super) const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";

    /// A call with everything that it depends on.
    #[derive(Debug, Clone)]
    pub(super) struct World {
        pub(super) request: Request,
        pub(super) principal: PrincipalFacts,
        pub(super) key: KeyFacts,
        pub(super) guardrails: Guardrails,
    }

    impl World {
        /// Returns the decision, and how much it allows: 0 for nothing, 1 if open, 2 if allowed.
        pub(super) fn decide(&self) -> (Decision, u8) {
            let decision = decide(&self.request, &self.principal, Some(&self.key), &self.guardrails);
            let rank = match decision {
                Decision::ExplicitDeny | Decision::ImplicitDeny => 0,
                Decision::Undetermined(_) => 1,
                Decision::Allow => 2,
            };
            (decision, rank)
        }

        /// Adds a statement to one of the layers; answers whether it can have an effect there.
        fn add(&mut self, layer: usize, statement: Statement) {
            let document = |statement| PolicyDocument::new(vec![statement]);
            match layer {
                0 => self.key.policy.statements.push(statement),
                1 => self.principal.identity_policies.push(document(statement)),
                2 => self.principal.permissions_boundary.iter_mut().for_each(|d| d.statements.push(statement.clone())),
                3 => self.principal.session_policy.iter_mut().for_each(|d| d.statements.push(statement.clone())),
                4 => self.guardrails.scps.iter_mut().flatten().for_each(|d| d.statements.push(statement.clone())),
                _ => self.guardrails.rcps.push(vec![document(statement)]),
            }
        }
    }

    fn entry() -> impl Strategy<Value = PrincipalEntry> {
        let aws = select(vec![
            "arn:aws:iam::111122223333:role/App",
            "arn:aws:sts::111122223333:assumed-role/App/s1",
            "arn:aws:iam::111122223333:user/Alice",
            "arn:aws:iam::111122223333:root",
            "111122223333",
            "444455556666",
            "arn:aws:iam::444455556666:role/Ext",
            "AROAEXAMPLE",
        ]);
        prop_oneof![
            4 => aws.prop_map(|text| PrincipalEntry::Aws(text.to_owned())),
            1 => Just(PrincipalEntry::Everyone),
            1 => Just(PrincipalEntry::Service("s3.amazonaws.com".to_owned())),
        ]
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let operator = select(vec![
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "ForAllValues:StringEquals",
            "ForAnyValue:StringLike",
            "StringEqualsIfExists",
            "Bool",
            "Null",
            "ArnLike",
            "NumericLessThan",
            "BinaryEquals",
            "Nonsense",
        ]);
        let key = select(vec![
            "kms:EncryptionContext:app",
            "kms:EncryptionContextKeys",
            "aws:PrincipalArn",
            "kms:ViaService",
            "aws:PrincipalAccount",
            "aws:MultiFactorAuthPresent",
            "kms:GrantOperations",
        ]);
        let value = select(vec![
            "x",
            "true",
            "false",
            "*",
            "111122223333",
            "app",
            "Decrypt",
            "arn:aws:iam::*:role/*",
            "arn:aws:iam::${aws:PrincipalAccount}:role/App",
            "${aws:none}",
            "s3.eu-west-1.amazonaws.com",
        ]);
        (operator, key, prop::collection::vec(value, 0..3)).prop_map(|(operator, key, values)| Condition {
            operator: ConditionOperator(operator.to_owned()),
            key: key.to_owned(),
            values: values.into_iter().map(Into::into).collect(),
        })
    }

    fn statement() -> impl Strategy<Value = Statement> {
        let actions = select(vec!["*", "kms:*", "kms:Decrypt", "kms:*Grant*", "kms:D*", "s3:*"]);
        let resources = select(vec!["*", KEY, "arn:aws:kms:*:111122223333:key/*", "arn:aws:s3:::b"]);
        let effect = prop_oneof![3 => Just(Effect::Allow), 1 => Just(Effect::Deny)];
        let not = || prop::bool::weighted(0.1);
        let elements = (prop::collection::vec(entry(), 1..3), not(), actions, not(), resources, not());
        (effect, elements, prop::collection::vec(condition(), 0..2)).prop_map(|(effect, elements, conditions)| {
            let (entries, not_principal, actions, not_action, resource, not_resource) = elements;
            let (actions, resource) = (vec![actions.to_owned()], vec![resource.to_owned()]);
            Statement {
                sid: None,
                effect,
                principals: Some(if not_principal { Principals::IsNot(entries) } else { Principals::Is(entries) }),
                actions: Some(if not_action { Actions::IsNot(actions) } else { Actions::Is(actions) }),
                resources: Some(if not_resource { Resources::IsNot(resource) } else { Resources::Is(resource) }),
                conditions,
                inert: None,
            }
        })
    }

    fn document() -> impl Strategy<Value = PolicyDocument> {
        prop::collection::vec(statement(), 0..4).prop_map(PolicyDocument::new)
    }

    fn caller() -> impl Strategy<Value = PrincipalFacts> {
        let arns = select(vec![
            "arn:aws:iam::111122223333:role/App",
            "arn:aws:sts::111122223333:assumed-role/App/s1",
            "arn:aws:iam::111122223333:user/Alice",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::444455556666:role/Ext",
        ]);
        let known = arns.prop_map(|arn| {
            let mut facts = PrincipalFacts::from_arn(&arn.parse().unwrap());
            facts.unique_id = Some("AROAEXAMPLE".to_owned());
            facts
        });
        let service = Just(PrincipalFacts::new(PrincipalType::Service, "s3.amazonaws.com", None));
        let policies =
            (prop::collection::vec(document(), 0..2), prop::option::of(document()), prop::option::of(document()));
        (prop_oneof![6 => known, 1 => service], policies).prop_map(|(mut facts, (identity, boundary, session))| {
            if facts.kind != PrincipalType::Service {
                (facts.identity_policies, facts.permissions_boundary, facts.session_policy) =
                    (identity, boundary, session);
            }
            facts
        })
    }

    fn grant() -> impl Strategy<Value = GrantFacts> {
        let operations =
            select(vec![vec!["Decrypt"], vec!["CreateGrant", "Decrypt"], vec!["RetireGrant", "DescribeKey"]]);
        let constraint = prop::option::of(Just([("app".to_owned(), "x".to_owned())].into()));
        (entry(), operations, constraint, prop::bool::ANY).prop_map(|(entry, operations, constraint, near)| {
            GrantFacts {
                grant_id: "g".to_owned(),
                issuing_account: if near { "111122223333" } else { "444455556666" }.to_owned(),
                operations: operations.into_iter().map(str::to_owned).collect(),
                grantee: match entry {
                    PrincipalEntry::Aws(arn) => Grantee::Principal(arn),
                    PrincipalEntry::Service(name) => Grantee::Service(name),
                    PrincipalEntry::Everyone | PrincipalEntry::Federated(_) | PrincipalEntry::Other { .. } => {
                        Grantee::Principal("arn:aws:iam::111122223333:role/App".to_owned())
                    }
                },
                retiring: None,
                constraints: GrantConstraints { encryption_context_subset: constraint, ..GrantConstraints::default() },
            }
        })
    }

    fn request() -> impl Strategy<Value = Request> {
        let actions = select(vec![
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:CreateGrant",
            "kms:RetireGrant",
            "kms:DisableKey",
            "kms:ListKeys",
            "kms:Future",
        ]);
        let context = prop::collection::btree_map(select(vec!["app", "App"]), select(vec!["x", "y"]), 0..2);
        (actions, context, prop::bool::weighted(0.2)).prop_map(|(action, context, via)| {
            let mut request = Request::new(action, KEY, "eu-west-1".parse().unwrap());
            request.encryption_context =
                context.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            request.via_service = via.then(|| "s3.eu-west-1.amazonaws.com".to_owned());
            request
        })
    }

    pub(super) fn world() -> impl Strategy<Value = World> {
        let rails = (
            prop::collection::vec(prop::collection::vec(document(), 1..2), 0..2),
            prop::collection::vec(prop::collection::vec(document(), 0..2), 0..2),
        );
        let key = (document(), prop::collection::vec(grant(), 0..2));
        (request(), caller(), key, rails).prop_map(|(request, principal, (policy, grants), (scps, rcps))| {
            let mut key = KeyFacts::new(KEY, "111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), policy);
            key.grants = grants;
            World { request, principal, key, guardrails: Guardrails { scps, rcps } }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn an_explicit_deny_always_wins(mut world in world(), layer in 0_usize..6) {
            let reached = match layer {
                0 => world.request.action != "kms:ListKeys",
                1 => world.principal.kind != PrincipalType::Service,
                2 => world.principal.permissions_boundary.is_some(),
                3 => world.principal.session_policy.is_some(),
                4 => world.principal.kind != PrincipalType::Service && !world.guardrails.scps.is_empty(),
                _ => !matches!(world.request.action.as_str(), "kms:ListKeys" | "kms:RetireGrant"),
            };
            prop_assume!(reached);
            world.add(layer, Statement::deny("No", ["*"]).principals(vec![PrincipalEntry::Everyone]));
            prop_assert_eq!(world.decide().0, Decision::ExplicitDeny);
        }

        #[test]
        fn an_allow_never_takes_away(mut world in world(), mut more in statement(), layer in 0_usize..6) {
            let before = world.decide();
            more.effect = Effect::Allow;
            world.add(layer, more);
            prop_assert!(world.decide().1 >= before.1, "{:?}", before.0);
        }

        #[test]
        fn a_deny_never_gives(mut world in world(), mut more in statement(), layer in 0_usize..6) {
            let before = world.decide();
            more.effect = Effect::Deny;
            world.add(layer, more);
            prop_assert!(world.decide().1 <= before.1, "{:?}", before.0);
        }

        #[test]
        fn limits_never_widen(world in world(), limit in document()) {
            let limited = world.decide().1;
            let mut boundless = world.clone();
            boundless.principal.permissions_boundary = None;
            prop_assert!(boundless.decide().1 >= limited);
            let mut full = world.clone();
            full.principal.session_policy = None;
            prop_assert!(full.decide().1 >= limited);
            let mut narrowed = world.clone();
            narrowed.guardrails.scps.push(vec![limit]);
            prop_assert!(narrowed.decide().1 <= limited);
        }

        #[test]
        fn a_grant_never_takes_away(mut world in world(), more in grant()) {
            let before = world.decide().1;
            world.key.grants.push(more);
            prop_assert!(world.decide().1 >= before);
        }

        #[test]
        fn what_is_decided_without_a_key_is_so_for_every_value_of_it(world in world(), all in prop::bool::ANY) {
            // What is forwarded is judged as the principal's call: a service in its own name comes through none.
            prop_assume!(world.principal.kind != PrincipalType::Service || world.request.via_service.is_none());
            let ask = |request: &Request| is_allowed(request, &world.principal, Some(&world.key), &world.guardrails);
            let mut open = Request { via_service: None, encryption_context: [].into(), ..world.request.clone() };
            let keys = ["kms:encryptioncontext:", "kms:encryptioncontextkeys", "kms:viaservice", "kms:grantoperations"];
            open.unknown =
                if all { Unknown::Everything } else { Unknown::Keys(keys.map(str::to_owned).into()) };
            let decided = ask(&open);
            prop_assert!(decided.is_none() || decided == ask(&world.request), "{:?}", decided);
        }

        #[test]
        fn what_is_decided_by_name_alone_is_so_with_its_policies(world in world()) {
            let mut allows = world.principal.clone();
            for document in &mut allows.identity_policies {
                document.statements.retain(|statement| statement.effect == Effect::Allow);
            }
            let name = PrincipalFacts { identity_policies: Vec::new(), knowledge: Knowledge::NameOnly, ..allows.clone() };
            let ask = |who: &PrincipalFacts| is_allowed(&world.request, who, Some(&world.key), &world.guardrails);
            let decided = ask(&name);
            prop_assert!(decided.is_none() || decided == ask(&allows), "{:?}", decided);
        }

        #[test]
        fn order_does_not_matter(mut world in world()) {
            let before = world.decide().0;
            world.key.policy.statements.reverse();
            world.principal.identity_policies.reverse();
            world.key.grants.reverse();
            let after = world.decide().0;
            let open = |decision: &Decision| matches!(decision, Decision::Undetermined(_));
            prop_assert!(before == after || (open(&before) && open(&after)));
        }

        #[test]
        fn the_reasons_belong_to_the_decision(world in world()) {
            let found = evaluate(&world.request, &world.principal, Some(&world.key), &world.guardrails);
            prop_assert_eq!(&found.decision, &world.decide().0);
            prop_assert!(!found.trace.is_empty());
            prop_assert!(found.trace.iter().all(|entry| !entry.text.is_empty()));
        }
    }

    #[test]
    fn conditions_on_keys_that_are_not_known_stay_open() {
        let role = PrincipalFacts::from_arn(&"arn:aws:iam::111122223333:role/App".parse().unwrap());
        let policy = PolicyDocument::new(vec![
            Statement::allow("A", ["kms:Decrypt", "kms:DescribeKey"])
                .principals(vec![PrincipalEntry::Aws(role.arn.clone())])
                .when("StringEquals", "kms:EncryptionContext:app", ["x"]),
        ]);
        let key = KeyFacts::new(KEY, "111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), policy);
        let ask = |action: &str, unknown: Unknown, context: &[(&str, &str)]| {
            let mut request = Request::new(action, KEY, "eu-west-1".parse().unwrap());
            request.unknown = unknown;
            request.encryption_context =
                context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            is_allowed(&request, &role, Some(&key), &Guardrails::default())
        };
        assert_eq!(ask("kms:Decrypt", Unknown::Nothing, &[]), Some(false));
        assert_eq!(ask("kms:Decrypt", Unknown::Everything, &[]), None);
        assert_eq!(ask("kms:Decrypt", Unknown::Everything, &[("app", "x")]), Some(true));
        assert_eq!(ask("kms:Decrypt", Unknown::Everything, &[("app", "y")]), Some(false));
        // Calls of DescribeKey carry no encryption context.
        assert_eq!(ask("kms:DescribeKey", Unknown::Everything, &[]), Some(false));
        let listed = |key: &str| Unknown::Keys([key.to_owned()].into());
        assert_eq!(ask("kms:Decrypt", listed("kms:encryptioncontext:app"), &[]), None);
        assert_eq!(ask("kms:Decrypt", listed("kms:encryptioncontext:"), &[]), None);
        assert_eq!(ask("kms:Decrypt", listed("kms:encryptioncontext:other"), &[]), Some(false));
        assert_eq!(ask("kms:Decrypt", listed("kms:encryptioncontext:other"), &[("app", "x")]), Some(true));
    }

    #[test]
    fn random_worlds_are_of_every_kind() {
        use proptest::strategy::ValueTree as _;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut seen = [0; 3];
        for _ in 0..2_000 {
            let world = world().new_tree(&mut runner).unwrap().current();
            seen[usize::from(world.decide().1)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 40), "{seen:?}");
    }

    #[test]
    fn the_lock_out_check_asks_for_put_key_policy() {
        let role = PrincipalFacts::from_arn(&"arn:aws:iam::111122223333:role/App".parse().unwrap());
        let key = |action: &str| {
            let entry = PrincipalEntry::Aws(role.arn.clone());
            let policy = PolicyDocument::new(vec![Statement::allow("A", [action]).principals(vec![entry])]);
            KeyFacts::new(KEY, "111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), policy)
        };
        assert!(can_put_key_policy(&key("kms:Put*"), &role, &Guardrails::default()).is_allowed());
        assert!(!can_put_key_policy(&key("kms:Decrypt"), &role, &Guardrails::default()).is_allowed());
    }
}
