//! No step of a plan shuts out who applies it, or every administrator; and what is missing is named.

use super::{blocked_by, findings, ledger, target, wanting};
use crate::access::{Guardrails, KeyFacts, PrincipalFacts, can_put_key_policy};
use crate::apply::tests::world::{World, block_on, task_role};
use crate::desired::{Delegation, DesiredKey, DesiredRole, DesiredState, KeyAdmin, RoleKind};
use crate::exit::Exit;
use crate::live::{CallerPolicies, LiveRole};
use crate::plan::{Action, Outcome, Plan, PlanPurpose, Step};
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::ports::PortErrorKind::{Denied, NotSupported};
use crate::ports::fake::{FakeAws, Strike, Which};
use crate::synth::sample;
use crate::world;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::sync::Arc;

const PASSER_BY: &str = "arn:aws:iam::111122223333:role/passer-by";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/limits";

fn document(statements: Vec<Statement>) -> PolicyDocument {
    PolicyDocument::new(statements)
}

fn allow(action: &str) -> PolicyDocument {
    document(vec![Statement::allow("A", [action])])
}

/// A world whose caller no manifest names, and what its own policies say.
fn delegated(keys: Vec<DesiredKey>, identity: PolicyDocument, boundary: Option<PolicyDocument>) -> World {
    let world = World { aws: Arc::new(FakeAws::new("eu-west-1", PASSER_BY)), ..World::new(wanting(keys)) };
    let identity = BTreeMap::from([("own".to_owned(), identity)]);
    world.aws.state().caller_policies = CallerPolicies { identity, boundary, ..CallerPolicies::default() };
    world
}

fn said(plan: &Plan) -> String {
    let blockers =
        target(plan).outcome.blockers().iter().map(|blocker| format!("{}\n{}", blocker.message, blocker.help));
    let findings = target(plan).findings.iter().map(|finding| format!("{}\n{}", finding.message, finding.remedy));
    blockers.chain(findings).collect::<Vec<_>>().join("\n")
}

// ---- the caller's own way, through the account's IAM ---------------------------------------------------------

#[test]
fn a_caller_whom_iam_lets_deploys_keys_that_leave_it_to_iam() {
    let world = delegated(vec![ledger()], allow("kms:*"), None);
    let plan = world.plan();
    assert_eq!((blocked_by(&plan), findings(&plan)), (vec![], vec!["delegated-deployer"]));
    assert_eq!(world.apply(&plan).exit(), Exit::Done);
    assert!(blocked_by(&world.plan()).is_empty());
}

#[test]
fn a_caller_whom_iam_does_not_let_is_told_what_is_missing() {
    let freeze = document(vec![Statement::allow("A", ["kms:*"]), Statement::deny("Freeze", ["kms:Put*"])]);
    let on = |resource: &str| document(vec![Statement::allow("A", ["kms:*"]).resources([resource])]);
    let when =
        |key: &str, value: &str| document(vec![Statement::allow("A", ["kms:*"]).when("StringEquals", key, [value])]);
    let lacks =
        r#"{"Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "arn:aws:kms:eu-west-1:111122223333:key/*"}"#;
    let cases: Vec<(PolicyDocument, Option<PolicyDocument>, &str)> = vec![
        (allow("kms:Decrypt"), None, "no identity policy of role/passer-by allows kms:PutKeyPolicy"),
        (allow("kms:Decrypt"), None, lacks),
        (freeze, None, "the statement `Freeze` of its identity policies denies `kms:PutKeyPolicy`"),
        (allow("kms:*"), Some(allow("s3:*")), "the permissions boundary of role/passer-by does not allow"),
        (on("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-*"), None, "no identity policy"),
        (when("kms:ViaService", "s3.eu-west-1.amazonaws.com"), None, "condition keys that were not given"),
        (when("aws:SourceVpce", "vpce-1"), None, "condition keys that were not given"),
    ];
    for (identity, boundary, expected) in cases {
        let world = delegated(vec![ledger()], identity, boundary);
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), ["not-a-deployer"], "{expected}");
        assert!(said(&plan).contains(expected), "no `{expected}` in {}", said(&plan));
        assert!(said(&plan).contains("in `deployers` of target `prod`"), "{}", said(&plan));
        assert_eq!(world.writes(), 0);
    }
    let stack = when("aws:ResourceTag/keywright:stack", "payments");
    assert!(blocked_by(&delegated(vec![ledger()], stack, None).plan()).is_empty(), "a new key has its tags at once");
}

#[test]
fn policies_that_cannot_be_read_are_no_permission() {
    for kind in [Denied, NotSupported] {
        let mut world = delegated(vec![ledger()], allow("kms:*"), None);
        world.aws.fail("iam:ListAttachedRolePolicies", Which::Every, Strike::Before, kind);
        let plan = world.plan();
        assert_eq!(blocked_by(&plan), ["unreadable"]);
        assert!(said(&plan).contains("`iam:ListAttachedRolePolicies` was denied"), "{}", said(&plan));
        world.options.purpose = PlanPurpose::Review;
        let plan = world.plan();
        assert_eq!((blocked_by(&plan), findings(&plan)), (vec![], vec!["delegated-deployer"]));
    }
}

#[test]
fn one_key_that_does_not_leave_it_to_iam_is_enough_to_refuse() {
    let strict = DesiredKey { delegation: Delegation::RootUser, ..sample::key("archive") };
    let plan = delegated(vec![strict, ledger()], allow("*"), None).plan();
    assert_eq!(blocked_by(&plan), ["not-a-deployer"]);
    assert!(said(&plan).contains("it cannot change the policy of `archive`"), "{}", said(&plan));
}

#[test]
fn identity_policies_are_read_only_where_something_depends_on_them() {
    let asked = |world: &World| {
        drop(world.plan());
        world.aws.count("iam:ListAttachedRolePolicies")
    };
    assert_eq!(asked(&World::new(wanting(vec![ledger()]))), 0, "a deployer by name");
    let strict = DesiredKey { delegation: Delegation::RootUser, ..ledger() };
    assert_eq!(asked(&delegated(vec![strict], allow("*"), None)), 0, "IAM has no say");
    assert_eq!(asked(&delegated(vec![ledger()], allow("*"), None)), 1);
}

#[test]
fn who_reviews_and_who_applies_through_iam_approve_the_same_plan() {
    let mut world = delegated(vec![ledger()], allow("kms:*"), None);
    let applied = world.plan().digest;
    world.options.purpose = PlanPurpose::Review;
    assert_eq!(world.plan().digest, applied);
}

// ---- after every step ----------------------------------------------------------------------------------------

fn admin(name: &str, boundary: Option<&str>) -> DesiredRole {
    let role = task_role(name, RoleKind::KeyAdmin);
    DesiredRole { permissions_boundary: boundary.map(|arn| arn.parse().unwrap()), ..role }
}

fn administered(admins: &[&str], roles: Vec<DesiredRole>) -> DesiredState {
    let admins = admins.iter().map(|name| KeyAdmin(sample::role(name))).collect();
    let key = DesiredKey { admins, ..ledger() };
    sample::state(vec![sample::target("prod", "eu-west-1", vec![key])], roles)
}

fn limited(state: DesiredState, boundary: Option<PolicyDocument>) -> World {
    let world = World::new(state);
    world.aws.state().managed = boundary.map(|document| (BOUNDARY.to_owned(), document)).into_iter().collect();
    world
}

fn account_blockers(plan: &Plan) -> Vec<String> {
    let blockers = plan.accounts[0].outcome.blockers().iter();
    blockers.map(|blocker| format!("{}: {}; {}", blocker.kind.0.name(), blocker.message, blocker.help)).collect()
}

#[test]
fn an_administrator_within_a_boundary_counts_as_far_as_that_allows() {
    let state = || administered(&["key-admin"], vec![admin("key-admin", Some(BOUNDARY))]);
    assert_eq!(limited(state(), Some(allow("kms:*"))).converge().exit(), Exit::Done);
    for (boundary, why) in [(Some(allow("s3:*")), "does not allow kms:PutKeyPolicy"), (None, "does not allow")] {
        let plan = limited(state(), boundary).plan();
        assert_eq!(blocked_by(&plan), ["lockout"], "{why}");
        assert!(said(&plan).contains(why), "{}", said(&plan));
        assert!(said(&plan).contains("(kms:CreateKey) no administrator of `ledger` could change its policy"));
        assert!(said(&plan).contains("in `admins` of key `ledger`"));
    }
    let world = limited(state(), None);
    world.aws.fail("iam:GetPolicyVersion", Which::Every, Strike::Before, Denied);
    assert!(said(&world.plan()).contains("policy/limits` could not be read"), "{}", said(&world.plan()));
    // A second one without a boundary is enough.
    let both = administered(&["key-admin", "second"], vec![admin("key-admin", Some(BOUNDARY)), admin("second", None)]);
    assert_eq!(limited(both, None).converge().exit(), Exit::Done);
}

#[test]
fn a_step_of_a_role_that_shuts_out_the_only_administrator_blocks_the_roles() {
    let mut world = limited(administered(&["key-admin"], vec![admin("key-admin", None)]), Some(allow("s3:*")));
    assert_eq!(world.converge().exit(), Exit::Done);
    world.state = administered(&["key-admin"], vec![admin("key-admin", Some(BOUNDARY))]);
    let plan = world.plan();
    let [blocker] = &account_blockers(&plan)[..] else { panic!("{:?}", account_blockers(&plan)) };
    assert!(blocker.starts_with("lockout: after s1 (iam:PutRolePermissionsBoundary) no administrator"), "{blocker}");
    assert!(!plan.writes_anything());
}

#[test]
fn an_exchange_whose_end_is_fine_is_blocked_where_its_middle_is_not() {
    let roles = |old: Option<&str>| vec![admin("new", None), admin("old", old)];
    let mut world = limited(administered(&["old"], vec![admin("old", None)]), Some(allow("s3:*")));
    assert_eq!(world.converge().exit(), Exit::Done);
    let settled = world.state.clone();
    world.state = administered(&["new"], roles(Some(BOUNDARY)));
    let plan = world.plan();
    let [blocker] = &account_blockers(&plan)[..] else { panic!("{:?}", account_blockers(&plan)) };
    assert!(blocker.contains("(iam:PutRolePermissionsBoundary)") && blocker.contains("apply that first"), "{blocker}");
    assert_eq!(blocked_by(&plan), ["account-blocked"]);
    // In two runs it goes.
    world.state = administered(&["new"], roles(None));
    assert_eq!(world.converge().exit(), Exit::Done, "added, and the old one taken out, in one call");
    world.state = administered(&["new"], roles(Some(BOUNDARY)));
    assert_eq!(world.converge().exit(), Exit::Done);
    drop(settled);
}

#[test]
fn a_key_that_was_shut_before_may_be_mended() {
    let world = World::new(wanting(vec![ledger()]));
    assert_eq!(world.converge().exit(), Exit::Done);
    super::touch(&world, |key| key.policy = super::EMPTY.to_owned());
    let plan = world.plan();
    assert_eq!(blocked_by(&plan), Vec::<&str>::new());
    super::touch(&world, |key| key.tags.insert("data".to_owned(), "x".to_owned()).map_or((), drop));
    assert_eq!(world.converge().exit(), Exit::Done);
}

#[test]
fn a_role_counts_only_from_the_step_that_makes_it() {
    let world = World::new(administered(&["key-admin"], vec![admin("key-admin", None)]));
    let read = block_on(world.read());
    let mut plan = world.plan_of(&read);
    assert!(matches!(target(&plan).outcome, Outcome::Ready(_)));
    // As if the roles came last.
    plan.accounts.clear();
    world.with_input(&read, |input| super::super::lockout::enforce(&mut plan, input, &BTreeMap::new()));
    assert_eq!(blocked_by(&plan), ["lockout"]);
    assert!(said(&plan).contains("`key-admin` (it does not exist at that point)"), "{}", said(&plan));
}

#[test]
fn consent_names_the_key_and_is_reported() {
    let mut world = limited(administered(&["key-admin"], vec![admin("key-admin", Some(BOUNDARY))]), None);
    world.options.bypass_lockout = ["other".parse().unwrap()].into();
    assert_eq!(blocked_by(&world.plan()), ["lockout"]);
    world.options.bypass_lockout = ["ledger".parse().unwrap()].into();
    let plan = world.plan();
    assert_eq!((blocked_by(&plan), findings(&plan)), (vec![], vec!["lockout"]));
    assert!(said(&plan).contains("as --bypass-lockout-check consents to"));
}

// ---- every plan that passes ----------------------------------------------------------------------------------

/// Roles and keys as they stand between two steps, found without the planner.
struct Replay {
    boundaries: BTreeMap<String, Option<String>>,
    policies: BTreeMap<String, PolicyDocument>,
}

impl Replay {
    fn new(roles: &BTreeMap<crate::ids::RoleName, LiveRole>) -> Self {
        let boundaries = roles.values().map(|role| (role.arn.to_string(), role.permissions_boundary.clone())).collect();
        Self { boundaries, policies: BTreeMap::new() }
    }

    fn take(&mut self, step: &Step) -> bool {
        let arn = |role: &crate::ids::RoleName| sample::role_arn(role.as_str()).to_string();
        match &step.action {
            Action::CreateRole { role, permissions_boundary, .. } => {
                self.boundaries.insert(arn(role), permissions_boundary.clone());
            }
            Action::PutRolePermissionsBoundary { role, boundary } => {
                self.boundaries.insert(arn(role), Some(boundary.clone()));
            }
            action => {
                let Some(policy) = action.key_policy() else { return false };
                self.policies.insert("ledger".to_owned(), policy.clone());
                return true;
            }
        }
        false
    }

    /// Whether somebody whom the manifest names as administrator, and who exists, could change the policy.
    fn admin_can(&self, world: &World, managed: &[String]) -> bool {
        let key = &world.state.targets[0].keys[0];
        let boundaries = world.aws.state().managed.clone();
        key.admins.iter().any(|KeyAdmin(admin)| {
            let Some(mut facts) = world::stand_in(admin, &world.state.targets[0]) else { return false };
            if managed.contains(&facts.arn) {
                let Some(boundary) = self.boundaries.get(&facts.arn) else { return false };
                facts.permissions_boundary =
                    boundary.as_ref().map(|arn| boundaries.get(arn).cloned().unwrap_or_else(|| document(Vec::new())));
            }
            self.can(world, &facts)
        })
    }

    fn can(&self, world: &World, who: &PrincipalFacts) -> bool {
        let wanted = &world.state.targets[0];
        let policy = self.policies["ledger"].clone();
        let facts: KeyFacts = world::key_facts(wanted, &wanted.keys[0], &BTreeMap::new(), None, policy);
        can_put_key_policy(&facts, who, &Guardrails::default()).is_allowed()
    }
}

fn any_document() -> impl Strategy<Value = PolicyDocument> {
    let statement = (select(vec!["kms:*", "*", "kms:Put*", "kms:Decrypt", "s3:*"]), 0..4_u8).prop_map(
        |(action, kind)| match kind {
            0 => Statement::deny("D", [action]),
            1 => Statement::allow("C", [action]).when("StringEquals", "kms:ViaService", ["s3.amazonaws.com"]),
            _ => Statement::allow("A", [action]),
        },
    );
    prop::collection::vec(statement, 0..3).prop_map(document)
}

fn any_admins() -> impl Strategy<Value = Vec<KeyAdmin>> {
    let principals =
        vec![sample::role("key-admin"), sample::role("second"), sample::role("referred"), sample::sso("Admin")];
    prop::collection::btree_set(select(principals), 1..3).prop_map(|found| found.into_iter().map(KeyAdmin).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_plan_that_passes_rests_where_both_are_shut_out(
        (admins, delegation) in (any_admins(), select(vec![Delegation::None, Delegation::RootUser, Delegation::Account])),
        bounded in prop::collection::vec(any::<bool>(), 2),
        limits in prop::option::of(any_document()),
        (named, identity, boundary) in (any::<bool>(), any_document(), prop::option::of(any_document())),
        before in prop::option::of((any::<bool>(), any_document())),
    ) {
        let limit = |yes: bool| yes.then_some(BOUNDARY);
        let key = DesiredKey { admins, delegation, ..ledger() };
        let wanted = |first, second| {
            let roles = vec![admin("key-admin", first), admin("second", second)];
            sample::state(vec![sample::target("prod", "eu-west-1", vec![key.clone()])], roles)
        };
        let caller = if named { crate::apply::tests::world::CALLER } else { PASSER_BY };
        let mut world = World { aws: Arc::new(FakeAws::new("eu-west-1", caller)), ..World::new(wanted(None, None)) };
        {
            let mut state = world.aws.state();
            state.managed = limits.map(|document| (BOUNDARY.to_owned(), document)).into_iter().collect();
            let identity = BTreeMap::from([("own".to_owned(), identity.clone())]);
            state.caller_policies = CallerPolicies { identity, boundary: boundary.clone(), ..CallerPolicies::default() };
        }
        // Live before, or not; with the wanted policy, or with another.
        if let Some((drifted, policy)) = before {
            world.options.bypass_lockout = ["ledger".parse().unwrap()].into();
            let report = world.apply(&world.plan());
            prop_assert!(report.exit() == Exit::Done || report.scopes.is_empty());
            if drifted && !world.aws.state().keys.is_empty() {
                let mut policy = policy;
                for statement in &mut policy.statements {
                    statement.principals = Some(crate::policy::Principals::Is(vec![PrincipalEntry::Everyone]));
                }
                super::touch(&world, |key| key.policy = policy.to_text());
            }
            world.options.bypass_lockout.clear();
        }
        world.state = wanted(limit(bounded[0]), limit(bounded[1]));
        let plan = world.plan();
        let mut replay = Replay::new(&world.aws.state().roles);
        let first = world.aws.state().keys.values().next().map(|key| PolicyDocument::parse(&key.policy).unwrap());
        replay.policies.extend(first.map(|policy| ("ledger".to_owned(), policy)));
        let mut who = PrincipalFacts::from_arn(&caller.parse().unwrap());
        if !named {
            (who.identity_policies, who.permissions_boundary) = (vec![identity], boundary);
        }
        let managed = ["key-admin", "second"].map(|name| sample::role_arn(name).to_string());
        let state = |replay: &Replay| {
            (!replay.policies.is_empty()).then(|| (replay.can(&world, &who), replay.admin_can(&world, &managed)))
        };
        let roles = plan.accounts.iter().filter(|account| plan.writes_roles(account));
        let roles = roles.flat_map(|account| account.outcome.steps());
        let keys = plan.targets.iter().filter(|target| matches!(target.outcome, Outcome::Ready(_)));
        let mut then = state(&replay);
        for step in roles.chain(keys.flat_map(|target| target.outcome.steps())) {
            let written = replay.take(step);
            let now = state(&replay);
            if written {
                prop_assert_eq!(now, Some((true, true)), "after {} {}", step.id, step.action.call());
            }
            if now == Some((false, false)) {
                prop_assert_eq!(then, Some((false, false)), "after {} {}", step.id, step.action.call());
            }
            then = now;
        }
    }
}
