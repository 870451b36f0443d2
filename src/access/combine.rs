//! Puts the layers together: in which ways a call can be allowed, and which of them hold.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
//! <https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html>

use super::context::Call;
use super::facts::{Guardrails, Knowledge};
use super::grant::{self, Retiring};
use super::layer::{Held, Need, Part, Place, ResourceSaid, Said, judge};
use super::statement::Kind;
use super::truth::{Open, Truth};
use super::verdict::{Decision, Layer};
use crate::kms::{ActionScope, Reach};

/// One way in which a call can be allowed; all its parts must hold.
pub(super) type Way<P = Held> = [P; 6];

/// Returns whether a way is open.
pub(super) fn way_holds<P: Part>(way: &Way<P>) -> Truth {
    Truth::all(way.iter().map(P::truth))
}

/// Makes a way of its parts.
fn way<P: Part>(parts: impl IntoIterator<Item = P>) -> Way<P> {
    let mut parts = parts.into_iter();
    std::array::from_fn(|_| parts.next().unwrap_or_else(P::nothing))
}

/// What was found out about a call.
pub(super) struct Findings<P = Held> {
    pub(super) deny: P,
    pub(super) ways: Vec<Way<P>>,
    /// Why an answer is open although no way is.
    pub(super) open: Option<Open>,
}

impl<P: Part> Findings<P> {
    fn denied(deny: P) -> Self {
        Self { deny, ways: Vec::new(), open: None }
    }

    /// Returns the surest way.
    pub(super) fn best(&self) -> Option<&Way<P>> {
        self.ways.iter().rev().max_by_key(|way| way_holds(way).rank())
    }

    /// Returns whether the call is allowed, `None` where that is open.
    pub(super) fn allowed(&self) -> Option<bool> {
        let best = self.best().map_or(Truth::False, way_holds);
        match (self.deny.truth(), best, self.open) {
            (Truth::True, _, _) | (_, Truth::False, None) => Some(false),
            (Truth::False, Truth::True, _) => Some(true),
            (Truth::Unknown(_) | Truth::False, _, _) => None,
        }
    }

    pub(super) fn decision(&self) -> Decision {
        let best = self.best().map_or(Truth::False, way_holds);
        match (self.deny.truth(), best, self.open) {
            (Truth::True, _, _) => Decision::ExplicitDeny,
            (Truth::False, Truth::True, _) => Decision::Allow,
            (_, Truth::False, None) => Decision::ImplicitDeny,
            (_, Truth::False, Some(open))
            | (Truth::Unknown(open), Truth::True | Truth::Unknown(_), _)
            | (Truth::False, Truth::Unknown(open), _) => Decision::Undetermined(open.reason().to_owned()),
        }
    }
}

/// What the caller's side says: the policies of its account.
pub(super) struct CallerSide<P> {
    pub(super) deny: P,
    identity: P,
    boundary: P,
    session: P,
    scp: P,
}

impl<P: Part> CallerSide<P> {
    pub(super) fn judge(call: &Call<'_>, guardrails: &Guardrails) -> Self {
        let facts = call.caller.facts;
        let identity = judge((Layer::Identity, 0), &facts.identity_policies, Need::Identity, call);
        let boundary: Said<P> = judge((Layer::Boundary, 0), &facts.permissions_boundary, Need::Boundary, call);
        let session: Said<P> = judge((Layer::Session, 0), &facts.session_policy, Need::Session, call);
        let scp = judge_scps(call, guardrails);
        let if_any = |any: bool, said: Said<P>| if any { said.allow } else { P::nothing() };
        let denies = [boundary.deny.clone(), session.deny.clone(), scp.deny];
        Self {
            deny: denies.into_iter().fold(identity.deny, P::either),
            identity: own_allow(call, identity.allow),
            boundary: if_any(facts.permissions_boundary.is_some(), boundary),
            session: if_any(facts.session_policy.is_some(), session),
            scp: scp.allow,
        }
    }

    /// The caller's own policies all allow.
    pub(super) fn own_way<const N: usize>(&self, parts: [P; N]) -> Way<P> {
        way(parts.into_iter().chain([self.identity.clone()]).chain(self.limits()))
    }

    /// The caller's policies only limit what others allow.
    pub(super) fn limited_way(&self, part: P) -> Way<P> {
        way([part].into_iter().chain(self.limits()))
    }

    fn limits(&self) -> [P; 3] {
        [self.boundary.clone(), self.session.clone(), self.scp.clone()]
    }

    /// What names the caller itself is limited by nothing but service control policies.
    pub(super) fn direct_way(&self, part: P) -> Way<P> {
        way([part, self.scp.clone()])
    }

    /// What a grant gives to the caller; AWS does not say what happens where a limit of the caller lacks it.
    fn grant_way(&self, part: P) -> Way<P> {
        let [boundary, session, scp] = self.limits();
        way([
            part,
            boundary.or_open(Open::GrantAndBoundary),
            session.or_open(Open::GrantAndSessionPolicy),
            scp.or_open(Open::GrantAndScp),
        ])
    }
}

/// Returns what the identity policies allow: a root user needs none, and those of others may not be known.
fn own_allow<P: Part>(call: &Call<'_>, read: P) -> P {
    match call.caller.facts.knowledge {
        _ if call.caller.is_root() => P::yes(Need::Identity),
        Knowledge::Whole | Knowledge::AccountOnly => read,
        Knowledge::NameOnly => read.or_open(Open::IdentityNotRead),
    }
}

/// Service control policies: every level must allow; services, service-linked roles and the management account
/// are exempt.
///
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html>
fn judge_scps<P: Part>(call: &Call<'_>, guardrails: &Guardrails) -> Said<P> {
    let facts = call.caller.facts;
    let mut all = Said { deny: P::no(Need::Deny), allow: P::nothing() };
    if call.caller.is_service() || facts.service_linked_role || facts.management_account {
        return all;
    }
    let mut first = 0;
    for level in &guardrails.scps {
        let said = judge((Layer::Scp, first), level, Need::Scp, call);
        first += level.len();
        all = Said { deny: all.deny.either(said.deny), allow: all.allow.both(said.allow) };
    }
    all
}

/// Resource control policies can only deny, as the full-access one is always attached; AWS managed keys and
/// service-linked roles are exempt, and so is `RetireGrant`.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-control-policies.html>
fn judge_rcps<P: Part>(call: &Call<'_>, guardrails: &Guardrails) -> P {
    let exempt = call.key.is_none_or(|key| key.aws_managed)
        || call.caller.facts.service_linked_role
        || call.is_action("RetireGrant");
    let documents = guardrails.rcps.iter().flatten().filter(|_| !exempt);
    judge((Layer::Rcp, 0), documents, Need::Nothing, call).deny
}

/// What everybody says to a call: the caller's side, the key's, and the guard rails of the key's account.
pub(super) struct Sides<P> {
    caller: CallerSide<P>,
    key: ResourceSaid<P>,
    rcps: P,
}

impl<P: Part> Sides<P> {
    pub(super) fn judge(call: &Call<'_>, guardrails: &Guardrails) -> Self {
        let mut key_side = ResourceSaid::nothing();
        if let Some(key) = call.key {
            key_side.judge(Layer::KeyPolicy, &key.policy, Kind::WithResources, call);
            if let Some(policy) = &key.ram_policy {
                key_side.judge(Layer::RamPolicy, policy, Kind::WithResources, call);
            }
        }
        Self { caller: CallerSide::judge(call, guardrails), key: key_side, rcps: judge_rcps(call, guardrails) }
    }

    /// Returns what denies.
    pub(super) fn deny(&self) -> P {
        self.key.deny.clone().either(self.caller.deny.clone()).either(self.rcps.clone())
    }

    /// Returns the ways in which the call can be allowed where nothing denies it.
    pub(super) fn ways(&self, call: &Call<'_>) -> Vec<Way<P>> {
        match call.key {
            Some(_) if call.is_action("RetireGrant") => ways_to_retire(call, &self.caller),
            Some(_) => ways_on_key(call, &self.key, &self.caller),
            None => vec![way_by_iam(call, &self.caller)],
        }
    }
}

/// Judges a call by everything that is known.
pub(super) fn find<P: Part>(call: &Call<'_>, guardrails: &Guardrails) -> Findings<P> {
    let sides = Sides::<P>::judge(call, guardrails);
    let (deny, open) = (sides.deny(), unknown_key(call));
    if deny.truth() == Truth::True {
        return Findings::denied(deny);
    }
    let ways = if open.is_some() { Vec::new() } else { sides.ways(call) };
    Findings { deny, ways, open }
}

/// A call on a key of which nothing is known can be denied for sure, never allowed for sure.
pub(super) fn unknown_key(call: &Call<'_>) -> Option<Open> {
    let on_key = call.action.is_some_and(|action| match action.scope {
        ActionScope::Key | ActionScope::Grant => true,
        ActionScope::KeyAndAlias => !call.request.resource.contains(":alias/"),
        ActionScope::Iam => false,
    });
    (on_key && call.key.is_none()).then_some(Open::KeyUnknown)
}

/// Actions that only IAM policies allow, and the alias side of those on aliases.
fn way_by_iam<P: Part>(call: &Call<'_>, caller_side: &CallerSide<P>) -> Way<P> {
    let resource = call.request.resource.as_str();
    let alias = resource.split_once(":alias/").filter(|_| call.action.is_some());
    let Some((place, name)) = alias else { return caller_side.own_way([]) };
    let own_account = place.rsplit(':').next() == call.caller.account;
    let own_alias = P::known(Need::OwnAlias, !name.starts_with("aws/"));
    caller_side.own_way([P::known(Need::Reach, own_account), own_alias])
}

/// The ways in which a key's policy, IAM and grants can allow a call on the key.
fn ways_on_key<P: Part>(call: &Call<'_>, key_side: &ResourceSaid<P>, caller_side: &CallerSide<P>) -> Vec<Way<P>> {
    let mut ways = if call.caller.is_service() {
        vec![way([key_side.direct.clone()])]
    } else if is_foreign(call) {
        let anywhere = call.action.is_some_and(|action| action.reach == Reach::AnyAccount);
        let reach = if anywhere { P::nothing() } else { P::no(Need::Reach) };
        vec![caller_side.own_way([key_side.admitted(), reach])]
    } else {
        same_account_ways(key_side, caller_side)
    };
    ways.extend(ways_by_grant(call, caller_side));
    ways
}

/// The ways for a caller of the resource's own account.
pub(super) fn same_account_ways<P: Part>(resource: &ResourceSaid<P>, caller_side: &CallerSide<P>) -> Vec<Way<P>> {
    vec![
        caller_side.direct_way(resource.direct.clone()),
        caller_side.limited_way(resource.via_role.clone()),
        caller_side.own_way([resource.account.clone()]),
    ]
}

fn is_foreign(call: &Call<'_>) -> bool {
    call.key.is_some_and(|key| call.caller.account != Some(key.account.as_str()))
}

/// The ways by the key's grants.
fn ways_by_grant<P: Part>(call: &Call<'_>, caller_side: &CallerSide<P>) -> Vec<Way<P>> {
    let grants = call.key.map_or(&[][..], |key| &key.grants);
    let mut ways = Vec::new();
    for (at, grant) in grants.iter().enumerate() {
        let truth = grant::allows(grant, call);
        if truth.is_false() {
            continue;
        }
        let part = P::from(Held::new(Need::Grant, truth, Some(Place::Grant(at))));
        let issued_here =
            call.caller.is_service() || !is_foreign(call) || call.caller.is_of_account(&grant.issuing_account);
        if issued_here {
            ways.push(caller_side.grant_way(part));
        } else {
            ways.push(foreign_grant_way(part.clone(), at, caller_side));
            ways.push(caller_side.own_way([part]));
        }
    }
    if ways.is_empty() && !grants.is_empty() {
        ways.push(way([P::no(Need::Grant)]));
    }
    ways
}

/// A grant by the key's owner to another account counts for sure only with that account's IAM.
fn foreign_grant_way<P: Part>(part: P, at: usize, caller_side: &CallerSide<P>) -> Way<P> {
    let open = Truth::Unknown(Open::ForeignGrantee);
    let open = P::from(Held::new(Need::OwnGrant, open, Some(Place::Grant(at))));
    way([open].into_iter().chain(caller_side.grant_way(part)))
}

/// The ways in which the grant of a `RetireGrant` (any grant, if none is named) may be retired.
fn ways_to_retire<P: Part>(call: &Call<'_>, caller_side: &CallerSide<P>) -> Vec<Way<P>> {
    let grants = call.key.map_or(&[][..], |key| &key.grants).iter().enumerate();
    let named =
        grants.filter(|(_, grant)| call.request.retire_grant_id.as_ref().is_none_or(|id| *id == grant.grant_id));
    let ways = named.filter_map(|(at, grant)| {
        let held = |need| P::from(Held::new(need, Truth::True, Some(Place::Grant(at))));
        Some(match grant::retiring(grant, call)? {
            Retiring::Named => caller_side.grant_way(held(Need::Retirer)),
            Retiring::OfAccount => caller_side.own_way([held(Need::RetiringAccount)]),
        })
    });
    let ways: Vec<Way<P>> = ways.collect();
    if ways.is_empty() { vec![way([P::no(Need::Retirer)])] } else { ways }
}

#[cfg(test)]
mod tests {
    use super::super::{GrantFacts, Grantee, KeyFacts, PrincipalFacts, Request, decide, evaluate};
    use super::*;
    use crate::policy::{PolicyDocument, PrincipalEntry, Statement};

    const ACCOUNT: &str = "111122223333";
    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
    const ROLE: &str = "arn:aws:iam::111122223333:role/App";
    const FAR_ROLE: &str = "arn:aws:iam::444455556666:role/Ext";

    fn caller(arn: &str) -> PrincipalFacts {
        PrincipalFacts::from_arn(&arn.parse().unwrap())
    }

    fn with_iam(arn: &str, statement: Statement) -> PrincipalFacts {
        let mut facts = caller(arn);
        facts.identity_policies.push(PolicyDocument::new(vec![statement]));
        facts
    }

    fn key(statements: Vec<Statement>) -> KeyFacts {
        KeyFacts::new(KEY, ACCOUNT.parse().unwrap(), "eu-west-1".parse().unwrap(), PolicyDocument::new(statements))
    }

    fn grant(grantee: &str, operations: &[&str]) -> GrantFacts {
        GrantFacts {
            grant_id: "g1".to_owned(),
            issuing_account: ACCOUNT.to_owned(),
            operations: operations.iter().map(|operation| (*operation).to_owned()).collect(),
            grantee: Grantee::Principal(grantee.to_owned()),
            retiring: None,
            constraints: super::super::GrantConstraints::default(),
        }
    }

    fn aws(text: &str) -> Vec<PrincipalEntry> {
        vec![PrincipalEntry::Aws(text.to_owned())]
    }

    fn on_key(action: &str) -> Request {
        Request::new(action, KEY, "eu-west-1".parse().unwrap())
    }

    fn decided(action: &str, caller: &PrincipalFacts, key: &KeyFacts) -> Decision {
        decide(&on_key(action), caller, Some(key), &Guardrails::default())
    }

    #[test]
    fn the_root_user_needs_delegation() {
        let root = caller("arn:aws:iam::111122223333:root");
        assert_eq!(decided("kms:Decrypt", &root, &key(vec![])), Decision::ImplicitDeny);
        let delegated = key(vec![Statement::allow("Iam", ["kms:*"]).principals(aws(ACCOUNT))]);
        assert_eq!(decided("kms:Decrypt", &root, &delegated), Decision::Allow);
        assert_eq!(decided("kms:Decrypt", &caller(ROLE), &delegated), Decision::ImplicitDeny);
    }

    #[test]
    fn callers_of_other_accounts_need_both_sides_and_an_action_that_reaches_them() {
        let admits = key(vec![Statement::allow("Ext", ["kms:*"]).principals(aws(FAR_ROLE))]);
        assert_eq!(decided("kms:Decrypt", &caller(FAR_ROLE), &admits), Decision::ImplicitDeny);
        let allowed = with_iam(FAR_ROLE, Statement::allow("Use", ["kms:*"]));
        assert_eq!(decided("kms:Decrypt", &allowed, &admits), Decision::Allow);
        assert_eq!(decided("kms:DisableKey", &allowed, &admits), Decision::ImplicitDeny);
        let found = evaluate(&on_key("kms:DisableKey"), &allowed, Some(&admits), &Guardrails::default());
        assert_eq!(found.trace[0].text, "kms:DisableKey never works from another account");
    }

    #[test]
    fn retiring_follows_the_grant_and_the_issuing_account_not_the_key_policy() {
        let mut granted = key(vec![Statement::allow("All", ["kms:*"]).principals(aws(ROLE))]);
        granted.grants = vec![grant("arn:aws:iam::111122223333:role/Other", &["Decrypt", "RetireGrant"])];
        let retire = |caller: &PrincipalFacts, key: &KeyFacts| decided("kms:RetireGrant", caller, key);
        assert_eq!(retire(&caller(ROLE), &granted), Decision::ImplicitDeny);
        assert_eq!(retire(&caller("arn:aws:iam::111122223333:role/Other"), &granted), Decision::Allow);
        assert_eq!(retire(&with_iam(ROLE, Statement::allow("R", ["kms:RetireGrant"])), &granted), Decision::Allow);
        assert_eq!(retire(&caller("arn:aws:iam::111122223333:root"), &granted), Decision::Allow);
        let mut other = on_key("kms:RetireGrant");
        other.retire_grant_id = Some("g2".to_owned());
        let root = caller("arn:aws:iam::111122223333:root");
        assert_eq!(decide(&other, &root, Some(&granted), &Guardrails::default()), Decision::ImplicitDeny);
        granted
            .policy
            .statements
            .push(Statement::deny("No", ["kms:RetireGrant"]).principals(vec![PrincipalEntry::Everyone]));
        assert_eq!(retire(&root, &granted), Decision::ExplicitDeny);
    }

    #[test]
    fn what_names_the_caller_itself_is_limited_by_service_control_policies_alone() {
        let user = "arn:aws:iam::111122223333:user/Alice";
        let admits = key(vec![Statement::allow("Alice", ["kms:*"]).principals(aws(user))]);
        let elsewhere = || PolicyDocument::new(vec![Statement::allow("S3", ["s3:*"])]);
        let mut alice = caller(user);
        alice.permissions_boundary = Some(elsewhere());
        assert_eq!(decided("kms:Decrypt", &alice, &admits), Decision::Allow);
        let rails = Guardrails { scps: vec![vec![elsewhere()]], rcps: vec![] };
        assert_eq!(decide(&on_key("kms:Decrypt"), &alice, Some(&admits), &rails), Decision::ImplicitDeny);
    }

    #[test]
    fn a_deny_to_all_but_some_exempts_who_is_listed_unless_a_boundary_limits_it() {
        let user = "arn:aws:iam::111122223333:user/Alice";
        let mut but = Statement::deny("But", ["kms:*"]);
        but.principals = Some(crate::policy::Principals::IsNot(aws(user)));
        let guarded = key(vec![Statement::allow("All", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]), but]);
        let mut alice = caller(user);
        assert_eq!(decided("kms:Decrypt", &alice, &guarded), Decision::Allow);
        assert_eq!(decided("kms:Decrypt", &caller(ROLE), &guarded), Decision::ExplicitDeny);
        alice.permissions_boundary = Some(PolicyDocument::new(vec![Statement::allow("All", ["*"])]));
        assert_eq!(decided("kms:Decrypt", &alice, &guarded), Decision::ExplicitDeny);
    }

    #[test]
    fn guard_rails_have_their_exemptions() {
        let rails = |scps: Vec<Vec<PolicyDocument>>, rcps| Guardrails { scps, rcps };
        let nothing = rails(vec![vec![PolicyDocument::new(vec![Statement::allow("S3", ["s3:*"])])]], vec![]);
        let admits = key(vec![Statement::allow("App", ["kms:*"]).principals(aws(ROLE))]);
        let decided = |caller: &PrincipalFacts, key: &KeyFacts, rails: &Guardrails| {
            decide(&on_key("kms:Decrypt"), caller, Some(key), rails)
        };
        assert_eq!(decided(&caller(ROLE), &admits, &nothing), Decision::ImplicitDeny);
        for exempt in [
            |facts: &mut PrincipalFacts| facts.service_linked_role = true,
            |facts: &mut PrincipalFacts| facts.management_account = true,
        ] {
            let mut facts = caller(ROLE);
            exempt(&mut facts);
            assert_eq!(decided(&facts, &admits, &nothing), Decision::Allow);
        }
        let denies = rails(vec![], vec![vec![PolicyDocument::new(vec![Statement::deny("No", ["kms:*"])])]]);
        assert_eq!(decided(&caller(ROLE), &admits, &denies), Decision::ExplicitDeny);
        let mut managed = admits.clone();
        managed.aws_managed = true;
        assert_eq!(decided(&caller(ROLE), &managed, &denies), Decision::Allow);
    }

    #[test]
    fn a_call_on_an_unknown_key_can_only_be_denied_for_sure() {
        let rails = Guardrails::default();
        let allowed = with_iam(ROLE, Statement::allow("All", ["kms:*"]));
        assert!(matches!(decide(&on_key("kms:Decrypt"), &allowed, None, &rails), Decision::Undetermined(_)));
        let denied = with_iam(ROLE, Statement::deny("No", ["kms:*"]));
        assert_eq!(decide(&on_key("kms:Decrypt"), &denied, None, &rails), Decision::ExplicitDeny);
    }

    #[test]
    fn actions_without_a_key_are_iams_alone() {
        let region = || "eu-west-1".parse().unwrap();
        let rails = Guardrails::default();
        let admin = with_iam(ROLE, Statement::allow("All", ["iam:*", "sts:AssumeRole", "kms:List*"]));
        for action in ["iam:CreateRole", "sts:AssumeRole", "kms:ListKeys", "kms:ListAliases"] {
            let request = Request::new(action, "*", region());
            assert_eq!(decide(&request, &admin, None, &rails), Decision::Allow, "{action}");
            assert_eq!(decide(&request, &caller(ROLE), None, &rails), Decision::ImplicitDeny, "{action}");
        }
        let alias = |name: &str, account: &str| {
            let arn = format!("arn:aws:kms:eu-west-1:{account}:alias/{name}");
            let admin = with_iam(ROLE, Statement::allow("All", ["kms:*"]));
            decide(&Request::new("kms:CreateAlias", arn, region()), &admin, None, &rails)
        };
        assert_eq!(alias("app", ACCOUNT), Decision::Allow);
        assert_eq!(alias("aws/s3", ACCOUNT), Decision::ImplicitDeny);
        assert_eq!(alias("app", "444455556666"), Decision::ImplicitDeny);
    }

    #[test]
    fn an_allow_by_alias_fails_beyond_the_quota_of_aliases() {
        let by_alias = Statement::allow("A", ["kms:Decrypt"]).principals(aws(ROLE)).when(
            "ForAnyValue:StringLike",
            "kms:ResourceAliases",
            ["alias/*"],
        );
        let mut many = key(vec![by_alias]);
        many.aliases = (0..50).map(|n| format!("alias/{n}")).collect();
        assert_eq!(decided("kms:Decrypt", &caller(ROLE), &many), Decision::Allow);
        many.aliases.push("alias/more".to_owned());
        assert_eq!(decided("kms:Decrypt", &caller(ROLE), &many), Decision::ImplicitDeny);
    }

    #[test]
    fn the_trace_names_layer_statement_and_sid() {
        let delegated = key(vec![
            Statement::allow("Other", ["kms:*"]).principals(aws("arn:aws:iam::111122223333:role/Other")),
            Statement::allow("Iam", ["kms:*"]).principals(aws(ACCOUNT)),
        ]);
        let allowed = with_iam(ROLE, Statement::allow("Use", ["kms:Decrypt"]));
        let found = evaluate(&on_key("kms:Decrypt"), &allowed, Some(&delegated), &Guardrails::default());
        let lines: Vec<_> =
            found.trace.iter().map(|entry| (entry.layer, entry.statement, entry.id.as_deref())).collect();
        assert_eq!(
            lines,
            [(Layer::KeyPolicy, Some((0, 1)), Some("Iam")), (Layer::Identity, Some((0, 0)), Some("Use"))]
        );
        assert_eq!(found.trace[0].text, "lets the IAM policies of account 111122223333 allow kms:Decrypt");
    }

    #[test]
    fn a_second_policy_of_the_key_counts_like_the_first() {
        let mut shared = key(vec![]);
        shared.ram_policy =
            Some(PolicyDocument::new(vec![Statement::allow("Ram", ["kms:Decrypt"]).principals(aws(ROLE))]));
        let found = evaluate(&on_key("kms:Decrypt"), &caller(ROLE), Some(&shared), &Guardrails::default());
        assert_eq!((found.decision, found.trace[0].layer), (Decision::Allow, Layer::RamPolicy));
    }
}
