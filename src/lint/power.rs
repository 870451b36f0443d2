//! Lints of escalation: statements by which somebody can take more than it was given.

use super::model::{KnownPlace, LintFinding, LintPlace, LintSeverity};
use super::principal::what;
use super::rule::{self, Rule};
use super::subject::{Subject, Who};
use super::view::{ConditionView, StatementView};
use crate::access::{CreateGrantRequest, Decision, Guardrails, PrincipalFacts, Request, can_put_key_policy, decide};
use crate::ids::{PrincipalArn, PrincipalKind};
use crate::kms::{Access, ActionScope, KmsAction};
use crate::policy::{Effect, PolicyDocument, Statement};

/// Finds what a statement of a key policy gives that leads to more.
pub(super) fn find(subject: &Subject<'_>, view: &StatementView<'_>) -> Vec<LintFinding> {
    let holders = holders(subject, view);
    if !view.allows() || holders.is_empty() {
        return Vec::new();
    }
    let found = |rule: &'static Rule, message: String| LintFinding::of(rule, view.place.clone(), message);
    if escalates(view, &holders) {
        return vec![found(&rule::POLICY_ESCALATION, format!("{} may change the key policy", words(&holders)))];
    }
    if view.covers_everything() {
        return vec![found(&rule::FULL_CONTROL, format!("{} may do everything", words(&holders)))];
    }
    let mut all = Vec::new();
    if view.uses_the_key() && view.actions.iter().any(|action| is_administration(action)) {
        all.push(found(
            &rule::ADMINISTERS_AND_USES,
            format!("{} may change the key and use it: {}", words(&holders), what(view)),
        ));
    }
    all.extend(create_grant(subject, view, &holders));
    all.extend(replication(subject, view, &holders));
    all
}

/// Returns those that a statement gives its actions to by itself: not accounts' delegation, not entries without anybody.
fn holders<'v>(subject: &Subject<'_>, view: &StatementView<'v>) -> Vec<Who<'v>> {
    let real = |who: &Who<'_>| match who {
        Who::Everyone | Who::Own(..) | Who::OtherAccount(_) | Who::Other(..) | Who::Service(_) => true,
        Who::OwnAccount | Who::Dangling(_) | Who::Nobody(..) => false,
    };
    let root_alone = view.demands("aws:PrincipalType");
    subject.who(view).into_iter().filter(|who| real(who) && !root_alone).collect()
}

fn words(holders: &[Who<'_>]) -> String {
    let word = |who: &Who<'_>| match who {
        Who::Everyone => "everybody whom the conditions admit".to_owned(),
        Who::Own(text, _) | Who::Other(text, _) | Who::Service(text) | Who::Dangling(text) | Who::Nobody(text, _) => {
            format!("`{text}`")
        }
        Who::OtherAccount(account) => format!("account {account}"),
        Who::OwnAccount => "the account".to_owned(),
    };
    let names: Vec<String> = holders.iter().take(3).map(word).collect();
    if holders.len() > names.len() {
        return format!("{} and {} more", names.join(", "), holders.len() - names.len());
    }
    crate::text::and_list(&names)
}

/// Returns whether somebody gets hold of the policy who is no administrator: a user of the key, a service, or a crowd.
fn escalates(view: &StatementView<'_>, holders: &[Who<'_>]) -> bool {
    let narrowed = view.demands("aws:PrincipalArn") || view.demands("aws:userid");
    let crowd = holders.iter().any(|who| match who {
        Who::Everyone => !narrowed,
        Who::Service(_) => true,
        Who::OwnAccount | Who::Own(..) | Who::OtherAccount(_) | Who::Other(..) | Who::Dangling(_) | Who::Nobody(..) => {
            false
        }
    });
    view.covers("kms:PutKeyPolicy") && (crowd || (view.uses_the_key() && !view.covers_everything()))
}

/// Returns whether an action changes the key; grants belong to use where they are fenced, and are judged by themselves.
fn is_administration(action: &KmsAction) -> bool {
    let on_key = matches!(action.scope, ActionScope::Key | ActionScope::KeyAndAlias);
    on_key && (matches!(action.access, Access::Write | Access::Tagging) || action.full == "kms:PutKeyPolicy")
}

/// `CreateGrant` by a policy is as much as every operation that a grant can contain.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html>
fn create_grant(subject: &Subject<'_>, view: &StatementView<'_>, holders: &[Who<'_>]) -> Option<LintFinding> {
    if !view.covers("kms:CreateGrant") || view.conditions.iter().any(fences_grants) {
        return None;
    }
    if taken_back(subject, holders) {
        return None;
    }
    let message = format!("{} may give anybody any use of the key by a grant", words(holders));
    let finding = LintFinding::of(&rule::UNCONDITIONED_CREATE_GRANT, view.place.clone(), message);
    let via = view.demands("kms:ViaService");
    Some(if via { finding.severity(LintSeverity::Low) } else { finding })
}

fn fences_grants(condition: &ConditionView<'_>) -> bool {
    let valued = !condition.is_negated() && condition.values().next().is_some();
    let for_resources =
        condition.is_about("kms:GrantIsForAWSResource") && condition.values().all(|value| value == "true");
    let to_whom = condition.is_about("kms:GranteePrincipal") || condition.is_about("kms:GranteeServicePrincipal");
    // Each CreateGrant names its operations, so that `ForAllValues` is a fence here; `ForAnyValue` is none.
    let of_what = condition.is_about("kms:GrantOperations") && condition.set() != "ForAnyValue:";
    valued
        && condition.base() != "Null"
        && (of_what || ((for_resources || to_whom) && condition.demands_fixed_values()))
}

/// Returns whether denies keep every holder from granting a use to a person.
fn taken_back(subject: &Subject<'_>, holders: &[Who<'_>]) -> bool {
    let facts = subject.key.facts;
    let mut request = Request::new("kms:CreateGrant", facts.arn.clone(), facts.region.clone());
    let grantee = format!("arn:{}:iam::{}:user/unnamed", facts.region.partition(), facts.account);
    request.grant_is_for_aws_resource = Some(false);
    request.grant = Some(CreateGrantRequest {
        operations: vec!["Decrypt".to_owned()],
        grantee_principal: Some(grantee),
        ..CreateGrantRequest::default()
    });
    let denied = |who: &Who<'_>| {
        let (Who::Own(arn, _) | Who::Other(arn, _)) = who else { return false };
        powerful(arn).is_some_and(|caller| {
            decide(&request, &caller, Some(facts), &Guardrails::default()) == Decision::ExplicitDeny
        })
    };
    holders.iter().all(denied)
}

/// Returns a caller of an ARN whose own policies allow it everything.
fn powerful(arn: &str) -> Option<PrincipalFacts> {
    let mut facts = PrincipalFacts::from_arn(&arn.parse().ok()?);
    facts.identity_policies.push(PolicyDocument::new(vec![Statement::allow("All", ["*"])]));
    Some(facts)
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-auth.html>
fn replication(subject: &Subject<'_>, view: &StatementView<'_>, holders: &[Who<'_>]) -> Option<LintFinding> {
    let named = view.patterns().iter().any(|pattern| pattern.eq_ignore_ascii_case("kms:ReplicateKey"));
    let possible = subject.key.facts.multi_region || (subject.key.place < KnownPlace::Arn && named);
    let open = view.covers("kms:ReplicateKey") && !view.demands("kms:ReplicaRegion");
    let message = format!("{} may make a replica in any Region, with a policy of its own", words(holders));
    (possible && open).then(|| LintFinding::of(&rule::UNFENCED_REPLICATION, view.place.clone(), message))
}

const TAG_ACTIONS: [&str; 2] = ["kms:TagResource", "kms:UntagResource"];
const ALIAS_ACTIONS: [&str; 3] = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"];

/// Finds, among statements of one policy or of one identity, those that control the tags or aliases on which others
/// depend.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/abac.html>
pub(super) fn abac(views: &[StatementView<'_>], is_holder: impl Fn(&StatementView<'_>) -> bool) -> Vec<LintFinding> {
    let depends = |key: &str| {
        let allows = views.iter().filter(|view| view.allows());
        allows.flat_map(|view| &view.conditions).any(|condition| condition.is_about(key))
    };
    let (by_tags, by_aliases) = (depends("aws:ResourceTag/"), depends("kms:ResourceAliases"));
    let judge = |view: &StatementView<'_>| {
        let fenced = view.demands("aws:RequestTag/") || view.conditions.iter().any(|one| one.is_about("aws:TagKeys"));
        let tags = by_tags && !fenced && TAG_ACTIONS.iter().any(|action| view.covers(action));
        let aliases = by_aliases && ALIAS_ACTIONS.iter().any(|action| view.covers(action));
        let what = match (tags, aliases) {
            (true, true) => "tags and aliases",
            (true, false) => "tags",
            (false, true) => "aliases",
            (false, false) => return None,
        };
        let message = format!("it lets change the {what} by which access is decided");
        Some(LintFinding::of(&rule::ABAC_CONTROL, view.place.clone(), message))
    };
    let holds = |view: &&StatementView<'_>| view.allows() && !view.covers("kms:PutKeyPolicy") && is_holder(view);
    views.iter().filter(holds).filter_map(judge).collect()
}

/// Finds control of the tags or aliases on which a key policy depends.
pub(super) fn abac_of_key(subject: &Subject<'_>) -> Vec<LintFinding> {
    abac(&subject.statements, |view| !holders(subject, view).is_empty())
}

/// Finds a key whose policy nobody may change.
pub(super) fn no_administrator(subject: &Subject<'_>) -> Option<LintFinding> {
    let allows = subject.statements.iter().filter(|view| view.statement.effect == Effect::Allow);
    let kept = allows.filter(|view| view.covers("kms:PutKeyPolicy")).any(|view| keeps_a_way_in(subject, view));
    let message = "no principal is left that may change the key policy".to_owned();
    let lost = !kept && !subject.key.facts.aws_managed && subject.key.place > KnownPlace::Nothing;
    lost.then(|| LintFinding::of(&rule::NO_POLICY_ADMINISTRATOR, LintPlace::Policy, message))
}

/// Conditions count as satisfied; only a deny for sure takes the way back in away.
fn keeps_a_way_in(subject: &Subject<'_>, view: &StatementView<'_>) -> bool {
    let facts = subject.key.facts;
    let undenied = |arn: &str| {
        let denied = |caller: PrincipalFacts| {
            can_put_key_policy(facts, &caller, &Guardrails::default()).decision == Decision::ExplicitDeny
        };
        powerful(arn).is_some_and(|caller| !denied(caller))
    };
    let root = PrincipalArn::root(facts.region.partition(), &facts.account);
    let anybody = format!("arn:{}:iam::{}:role/unnamed", facts.region.partition(), facts.account);
    subject.who(view).iter().any(|who| match who {
        Who::Own(arn, kind) => *kind != PrincipalKind::Root && undenied(arn),
        Who::OwnAccount => undenied(root.as_str()) || undenied(&anybody),
        Who::Everyone => true,
        Who::OtherAccount(_) | Who::Other(..) | Who::Service(_) | Who::Dangling(_) | Who::Nobody(..) => false,
    })
}
