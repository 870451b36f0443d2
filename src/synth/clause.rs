//! How a statement names principals: by ARN where one is known, else by conditions of fixed value.

use crate::desired::{DesiredTarget, Principal};
use crate::ids::{AccountId, Partition, PrincipalArn, PrincipalKind, Region};
use crate::policy::{PrincipalEntry, Statement};
use crate::services::{ServicePin, service_pin};
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

/// Returns the statement once for each way in which its principals have to be named, none without principals.
///
/// KMS and IAM take no wildcard inside a principal's ARN, so Identity Center's roles are named by a condition,
/// with their account fixed.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
pub(super) fn about<'p>(
    statement: &Statement,
    principals: impl IntoIterator<Item = &'p Principal>,
    place: Place<'_>,
) -> Vec<Statement> {
    let named = Named::new(principals, place);
    let mut statements = Vec::new();
    if !named.arns.is_empty() {
        let entries = named.arns.into_iter().map(PrincipalEntry::Aws).collect();
        statements.push(statement.clone().principals(entries));
    }
    if !named.patterns.is_empty() {
        let everyone = everyone(statement, "Sso");
        let pinned = everyone.when("ArnLike", "aws:PrincipalArn", named.patterns);
        statements.push(pinned.when("StringEquals", "aws:PrincipalAccount", named.accounts));
    }
    if !named.organizations.is_empty() {
        let members =
            everyone(statement, "Organization").when("StringEquals", "aws:PrincipalOrgID", named.organizations);
        statements.push(members.when("StringNotEquals", "aws:PrincipalAccount", [place.account.as_str()]));
    }
    for (name, pin) in named.services {
        let by_service = suffixed(statement, &camel(&name)).principals(vec![PrincipalEntry::Service(pin.principal)]);
        statements.push(by_service.when(pin.operator, pin.key, [pin.value]));
    }
    statements
}

/// The principals of a statement, by the way in which they are named.
#[derive(Debug, Default)]
struct Named {
    arns: BTreeSet<String>,
    patterns: BTreeSet<String>,
    accounts: BTreeSet<String>,
    organizations: BTreeSet<String>,
    services: BTreeMap<String, ServicePin>,
}

impl Named {
    fn new<'p>(principals: impl IntoIterator<Item = &'p Principal>, place: Place<'_>) -> Self {
        let mut named = Self::default();
        for principal in principals {
            named.add(principal, place);
        }
        named
    }

    fn add(&mut self, principal: &Principal, place: Place<'_>) {
        match principal {
            Principal::Role { arn, .. } | Principal::Arn(arn) => {
                self.arns.insert(arn.to_string());
            }
            Principal::Account(account) => {
                self.arns.insert(PrincipalArn::root(place.partition, account).to_string());
            }
            Principal::IdentityCenter { account, .. } => {
                self.patterns.extend(principal.arn_patterns(place.partition));
                self.accounts.insert(account.to_string());
            }
            Principal::Organization(id) => {
                self.organizations.insert(id.clone());
            }
            Principal::Service(name) => {
                if let Some(region) = place.region {
                    self.services.insert(name.clone(), service_pin(name, region, place.account));
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
