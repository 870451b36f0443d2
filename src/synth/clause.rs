//! How a statement names principals: by ARN where one is known, else by conditions of fixed value.

use crate::desired::{DesiredTarget, Principal};
use crate::ids::{AccountId, Partition, PrincipalArn, PrincipalKind, Region};
use crate::kms::KmsAction;
use crate::policy::{Actions, PrincipalEntry, Statement};
use crate::services::{ServicePin, service_pin};
use crate::source::Loc;
use std::collections::{BTreeMap, BTreeSet};

/// Where a policy stands: in it names are resolved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The partition.
    pub(super) partition: Partition,
    /// The account of the key or role.
    pub(super) account: &'a AccountId,
    /// The Region of the key; `None` for roles, which have none.
    pub(super) region: Option<&'a Region>,
}

impl<'a> Place<'a> {
    /// Returns the place of the keys of a target.
    pub(super) fn of(target: &'a DesiredTarget) -> Self {
        Self { partition: target.region.partition(), account: &target.account, region: Some(&target.region) }
    }
}

/// A statement, and the places of the manifest that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// The statement.
    pub(super) statement: Statement,
    /// The places, in order; empty where none is to be changed.
    pub(super) places: BTreeSet<Loc>,
}

/// Principals, each with the places where it is written.
pub(super) type Named<'p> = BTreeMap<&'p Principal, BTreeSet<Loc>>;

/// Returns principals with their places; those without one, of states that nobody wrote, have none.
pub(super) fn named<'p>(principals: impl IntoIterator<Item = &'p Principal>, places: &[Loc]) -> Named<'p> {
    let mut named = Named::new();
    add(&mut named, principals, places);
    named
}

/// Adds principals with their places.
pub(super) fn add<'p>(named: &mut Named<'p>, principals: impl IntoIterator<Item = &'p Principal>, places: &[Loc]) {
    let mut places = places.iter();
    for principal in principals {
        named.entry(principal).or_default().extend(places.next());
    }
}

/// Returns the statement once for each way in which its principals have to be named, none without principals.
pub(super) fn about<'p>(
    statement: &Statement,
    principals: impl IntoIterator<Item = &'p Principal>,
    place: Place<'_>,
) -> Vec<Statement> {
    written(statement, &named(principals, &[]), place).into_iter().map(|written| written.statement).collect()
}

/// Returns the statement once for each way in which its principals have to be named, with the places of these.
///
/// KMS and IAM take no wildcard inside a principal's ARN, so Identity Center's roles are named by a condition,
/// with their account fixed.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
pub(super) fn written(statement: &Statement, principals: &Named<'_>, place: Place<'_>) -> Vec<Written> {
    let ways = Ways::new(principals, place);
    let mut statements = Vec::new();
    if !ways.arns.names.is_empty() {
        let entries = ways.arns.names.into_iter().map(PrincipalEntry::Aws).collect();
        statements.push(Written { statement: statement.clone().principals(entries), places: ways.arns.places });
    }
    if !ways.patterns.names.is_empty() {
        let everyone = everyone(statement, "Sso");
        let pinned = everyone.when("ArnLike", "aws:PrincipalArn", ways.patterns.names);
        let pinned = pinned.when("StringEquals", "aws:PrincipalAccount", ways.accounts);
        statements.push(Written { statement: pinned, places: ways.patterns.places });
    }
    if !ways.organizations.names.is_empty() {
        let members = everyone(statement, "Organization");
        let members = members.when("StringEquals", "aws:PrincipalOrgID", ways.organizations.names);
        let members = members.when("StringNotEquals", "aws:PrincipalAccount", [place.account.as_str()]);
        statements.push(Written { statement: members, places: ways.organizations.places });
    }
    for (name, (pin, places)) in ways.services.into_iter().filter(|(_, (pin, _))| can_be_pinned(statement, pin)) {
        let by_service = suffixed(statement, &camel(&name)).principals(vec![PrincipalEntry::Service(pin.principal)]);
        statements.push(Written { statement: by_service.when(pin.operator, pin.key, [pin.value]), places });
    }
    statements
}

/// Principals that are named in one way.
#[derive(Debug, Default)]
struct Way {
    names: BTreeSet<String>,
    places: BTreeSet<Loc>,
}

impl Way {
    fn add(&mut self, names: impl IntoIterator<Item = String>, places: &BTreeSet<Loc>) {
        self.names.extend(names);
        self.places.extend(places);
    }
}

/// Returns whether calls of a statement's actions can carry what pins a service: `DescribeKey` has no encryption
/// context, so that a statement about it alone would never match.
fn can_be_pinned(statement: &Statement, pin: &ServicePin) -> bool {
    let Some(Actions::Is(actions)) = &statement.actions else { return true };
    let carried = |name: &String| KmsAction::find(name).is_none_or(|action| action.knows_condition_key(pin.key));
    !pin.key.starts_with("kms:") || actions.iter().any(carried)
}

/// The principals of a statement, by the way in which they are named.
#[derive(Debug, Default)]
struct Ways {
    arns: Way,
    patterns: Way,
    accounts: BTreeSet<String>,
    organizations: Way,
    services: BTreeMap<String, (ServicePin, BTreeSet<Loc>)>,
}

impl Ways {
    fn new(principals: &Named<'_>, place: Place<'_>) -> Self {
        let mut ways = Self::default();
        for (principal, places) in principals {
            ways.add(principal, places, place);
        }
        ways
    }

    fn add(&mut self, principal: &Principal, places: &BTreeSet<Loc>, place: Place<'_>) {
        match principal {
            Principal::Role { arn, .. } | Principal::Arn(arn) => self.arns.add([arn.to_string()], places),
            Principal::Account(account) => {
                self.arns.add([PrincipalArn::root(place.partition, account).to_string()], places);
            }
            Principal::IdentityCenter { account, .. } => {
                self.patterns.add(principal.arn_patterns(place.partition), places);
                self.accounts.insert(account.to_string());
            }
            Principal::Organization(id) => self.organizations.add([id.clone()], places),
            Principal::Service(name) => {
                if let Some(region) = place.region {
                    let pin = service_pin(name, region, place.account);
                    self.services.insert(name.clone(), (pin, places.clone()));
                }
            }
        }
    }
}

fn everyone(statement: &Statement, suffix: &str) -> Statement {
    suffixed(statement, suffix).principals(vec![PrincipalEntry::Everyone])
}

fn suffixed(statement: &Statement, suffix: &str) -> Statement {
    let mut copy = statement.clone();
    copy.sid = copy.sid.map(|sid| format!("{sid}{suffix}"));
    copy
}

/// Returns the `aws:PrincipalArn` patterns that match the calls of principals: for a session, its role's, since
/// the key holds the role's ARN, whose path a session's ARN does not tell.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn>
pub(super) fn caller_patterns<'p>(
    principals: impl IntoIterator<Item = &'p Principal>,
    partition: Partition,
) -> BTreeSet<String> {
    principals.into_iter().flat_map(|principal| patterns_of(principal, partition)).collect()
}

fn patterns_of(principal: &Principal, partition: Partition) -> Vec<String> {
    if let Principal::Account(account) = principal {
        return vec![format!("arn:{partition}:iam::{account}:*")];
    }
    let session = principal.arn().filter(|arn| arn.kind() == PrincipalKind::Session);
    let Some((arn, role)) = session.and_then(|arn| Some((arn, arn.role_name()?))) else {
        return principal.arn_patterns(partition);
    };
    let root = format!("arn:{partition}:iam::{}:role", arn.account());
    vec![format!("{root}/{role}"), format!("{root}/*/{role}")]
}

/// Returns the account from which a principal calls, where that is one.
pub(super) fn caller_account(principal: &Principal) -> Option<AccountId> {
    match principal {
        Principal::Role { arn, .. } | Principal::Arn(arn) => Some(arn.account()),
        Principal::IdentityCenter { account, .. } | Principal::Account(account) => Some(account.clone()),
        Principal::Organization(_) | Principal::Service(_) => None,
    }
}

/// Returns a name's words run together, each with a capital: `aws:dynamodb:tableName` is `AwsDynamodbTableName`.
pub(super) fn camel(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
