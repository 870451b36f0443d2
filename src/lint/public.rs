//! Public access: does an allow to everybody admit callers whom nothing names? The evaluator is asked, not the syntax.

use super::model::{LintFinding, LintSeverity};
use super::rule;
use super::subject::Subject;
use super::trial::{HOSTS, OF_SERVICES, Outcome, Trial, instance};
use super::view::{ConditionView, StatementView};
use crate::access::{ContextValue, KeyFacts, PrincipalFacts, PrincipalType};
use crate::ids::{AccountId, PrincipalArn};
use crate::kms::ActionScope;
use crate::policy::{PolicyDocument, PrincipalEntry, Principals, Statement, glob_matches};

/// Condition keys that tell who calls, or for whom a service does. A value of one of them is fixed if its part before
/// the separator is.
const WHO: &[(&str, Option<char>)] = &[
    ("aws:PrincipalAccount", None),
    ("aws:PrincipalArn", None),
    ("aws:PrincipalOrgID", None),
    ("aws:PrincipalOrgPaths", Some('/')),
    ("aws:SourceAccount", None),
    ("aws:SourceArn", None),
    ("aws:SourceOrgID", None),
    ("aws:SourceOrgPaths", Some('/')),
    ("aws:SourceOwner", None),
    ("aws:userid", Some(':')),
    ("kms:CallerAccount", None),
];

/// Condition keys that tell from where a call comes.
const WHERE: &[&str] = &[
    "aws:SourceIp",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
];

/// The organization of a caller whom nothing names.
const UNNAMED_ORG: &str = "o-0unnamed00";

/// Where the stranger calls from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    /// From anywhere else than the policy names.
    Elsewhere,
    /// From where the policy says.
    AsNamed,
}

/// Returns whether a statement names everybody.
pub(super) fn names_everyone(statement: &Statement) -> bool {
    matches!(&statement.principals, Some(Principals::Is(entries)) if entries.contains(&PrincipalEntry::Everyone))
}

/// Returns whether a condition of fixed value tells who calls.
pub(super) fn is_fenced(view: &StatementView<'_>) -> bool {
    view.conditions
        .iter()
        .any(|condition| WHO.iter().any(|(key, end)| condition.is_about(key) && fixes(condition, *end)))
}

fn fixes(condition: &ConditionView<'_>, end: Option<char>) -> bool {
    let Some(end) = end else { return condition.demands_fixed_values() };
    let fixed = |value: &str| value.split(end).next().is_some_and(|head| !head.contains(['*', '?', '$']));
    condition.demands_values() && condition.values().all(fixed)
}

/// Finds the allows that admit callers whom nothing names.
///
/// <https://docs.aws.amazon.com/config/latest/developerguide/kms-key-policy-no-public-access.html>
pub(super) fn find(subject: &Subject<'_>) -> Vec<LintFinding> {
    let open = |view: &&StatementView<'_>| view.allows() && names_everyone(view.statement) && !is_fenced(view);
    subject.statements.iter().filter(open).filter_map(|view| judge(subject, view)).collect()
}

fn judge(subject: &Subject<'_>, view: &StatementView<'_>) -> Option<LintFinding> {
    let found = |message: String| LintFinding::of(&rule::PUBLIC_ACCESS, view.place.clone(), message);
    match try_calls(subject, view, Network::Elsewhere) {
        Outcome::Allowed { action, caller } => {
            Some(found(format!("anybody may call {action}: `{caller}`, which nothing names, is allowed")))
        }
        Outcome::Denied => None,
        Outcome::Refused => match try_calls(subject, view, Network::AsNamed) {
            Outcome::Allowed { action, .. } => Some(
                found(format!(
                    "every account may call {action} from the network that is named; a place is not a caller"
                ))
                .severity(LintSeverity::Medium)
                .controls(&[]),
            ),
            Outcome::Denied => None,
            Outcome::Refused => Some(
                found(
                    "`*` is allowed without a condition of fixed value on who calls, though no caller was found whom \
                       the conditions admit; Security Hub calls this public"
                        .to_owned(),
                )
                .severity(LintSeverity::Medium),
            ),
        },
    }
}

/// Tries the calls of strangers on a key whose policy is the statement and every deny.
fn try_calls(subject: &Subject<'_>, view: &StatementView<'_>, network: Network) -> Outcome {
    let denies: Vec<&StatementView<'_>> = subject.statements.iter().filter(|other| other.denies()).collect();
    let relevant: Vec<&StatementView<'_>> = denies.into_iter().chain([view]).collect();
    let mut facts = subject.key.facts.clone();
    facts.policy =
        PolicyDocument { statements: relevant.iter().map(|view| view.statement.clone()).collect(), ..facts.policy };
    (facts.grants, facts.ram_policy) = (Vec::new(), None);
    let stranger = unnamed_account(subject.key.facts);
    let callers = strangers(&relevant, &facts, &stranger);
    // Key policies have no say in actions without a key, nor in retiring grants.
    let actions: Vec<_> = view.actions.iter().copied().filter(|action| action.scope == ActionScope::Key).collect();
    let trial = Trial::new(&facts, callers, &actions);
    let elsewhere: Vec<&str> = OF_SERVICES.iter().chain(WHERE).copied().collect();
    let trial = match network {
        Network::Elsewhere => trial.choosing(&relevant, &elsewhere),
        Network::AsNamed => trial.choosing(&relevant, OF_SERVICES),
    };
    let trial = for_whom(trial, &relevant, &stranger);
    if network == Network::Elsewhere { from_where(trial, &relevant) } else { trial }.run()
}

/// Returns an account that stands nowhere in a key's policy.
fn unnamed_account(key: &KeyFacts) -> AccountId {
    let text = key.policy.to_compact();
    let mut unnamed = (1_u64..).map(|step| format!("{:012}", 1_000_000_000_000 - step * 111));
    #[expect(clippy::expect_used, reason = "a policy is finite, and names finitely many accounts")]
    let id = unnamed.find(|id| !text.contains(id.as_str()) && key.account.as_str() != id).expect("some id is free");
    #[expect(clippy::expect_used, reason = "twelve digits by its format")]
    id.parse().expect("twelve digits are an account id")
}

/// Returns callers of an account that nothing names, whose own policies allow them everything, and services that call
/// for it.
fn strangers(views: &[&StatementView<'_>], key: &KeyFacts, account: &AccountId) -> Vec<PrincipalFacts> {
    let partition = key.region.partition();
    let own = ["role/unnamed", "user/unnamed"].map(|name| format!("arn:{partition}:iam::{account}:{name}"));
    let asked = views.iter().flat_map(|view| &view.conditions);
    let likenesses = asked
        .clone()
        .filter(|condition| condition.is_about("aws:PrincipalArn"))
        .flat_map(|condition| condition.values().filter_map(|value| likeness(value, account)).collect::<Vec<_>>());
    let arns: Vec<PrincipalArn> = own.into_iter().chain(likenesses).filter_map(|arn| arn.parse().ok()).collect();
    let services = asked
        .filter(|condition| condition.is_about("aws:PrincipalServiceName"))
        .flat_map(|condition| condition.values().map(instance).collect::<Vec<_>>());
    let services = services.chain(["s3.amazonaws.com".to_owned()]);
    let service = |name: String| PrincipalFacts::new(PrincipalType::Service, name, None);
    let members = [None, Some(UNNAMED_ORG)];
    let callers = arns.iter().flat_map(|arn| members.map(|org| powerful(arn, org)));
    callers.chain(services.map(service)).collect()
}

fn powerful(arn: &PrincipalArn, org: Option<&str>) -> PrincipalFacts {
    let mut facts = PrincipalFacts::from_arn(arn);
    facts.org_id = org.map(str::to_owned);
    facts.identity_policies.push(PolicyDocument::new(vec![Statement::allow("All", ["*"])]));
    facts
}

/// Returns the ARN that a pattern would match in another account, if it leaves the account open.
fn likeness(pattern: &str, account: &AccountId) -> Option<String> {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let [arn, partition, service, _, owner, resource] = parts.as_slice() else {
        return (pattern == "*").then(|| format!("arn:aws:iam::{account}:role/unnamed"));
    };
    let resource = if *resource == "*" { "role/unnamed".to_owned() } else { instance(resource) };
    let partition = if partition.contains(['*', '?']) { "aws" } else { partition };
    let service = if service.contains('*') { "iam" } else { service };
    glob_matches(owner, account.as_str()).then(|| format!("{arn}:{partition}:{service}::{account}:{resource}"))
}

/// Adds whom a service calls for: nobody that is told, or a resource of the stranger's.
fn for_whom<'a>(trial: Trial<'a>, views: &[&StatementView<'_>], account: &AccountId) -> Trial<'a> {
    let one = |text: String| Some(ContextValue::One(text));
    let conditions = views.iter().flat_map(|view| &view.conditions);
    let sources = conditions
        .filter(|condition| condition.is_about("aws:SourceArn") && condition.has_wildcards())
        .flat_map(|condition| condition.values().filter_map(|value| source(value, account)).collect::<Vec<_>>());
    let arns = sources.chain([format!("arn:aws:s3:::unnamed-{account}")]).map(one).chain([None]).collect();
    let own = || vec![one(account.to_string()), None];
    let values = [
        ("aws:SourceAccount", own()),
        ("aws:SourceOwner", own()),
        ("aws:SourceOrgID", vec![None, one(UNNAMED_ORG.to_owned())]),
        ("aws:SourceArn", arns),
    ];
    let asked = |key: &str| views.iter().flat_map(|view| &view.conditions).any(|condition| condition.is_about(key));
    values.into_iter().filter(|(key, _)| asked(key)).fold(trial, |trial, (key, values)| trial.with(key, values))
}

/// Returns a resource of another account that a pattern matches, if it leaves the account open.
fn source(pattern: &str, account: &AccountId) -> Option<String> {
    let mut parts: Vec<String> = pattern.splitn(6, ':').map(str::to_owned).collect();
    let [.., owner, resource] = parts.as_mut_slice() else {
        return pattern.starts_with('*').then(|| format!("arn:aws:sns:eu-west-1:{account}:unnamed"));
    };
    if owner.is_empty() && !resource.contains(['*', '?']) || !glob_matches(owner, account.as_str()) && !owner.is_empty()
    {
        return None;
    }
    if !owner.is_empty() {
        *owner = account.to_string();
    }
    Some(instance(&parts.join(":")))
}

/// Adds places that are nobody's in particular.
fn from_where<'a>(trial: Trial<'a>, views: &[&StatementView<'_>]) -> Trial<'a> {
    let one = |text: &str| Some(ContextValue::One(text.to_owned()));
    let conditions = || views.iter().flat_map(|view| &view.conditions);
    let mut trial = trial;
    for key in WHERE.iter().filter(|key| conditions().any(|condition| condition.is_about(key))) {
        let values =
            if key.ends_with("Ip") { HOSTS.iter().map(|host| one(host)).collect() } else { vec![one("vpc-0unnamed")] };
        trial = trial.with(key, values.into_iter().chain([None]).collect());
    }
    trial
}
