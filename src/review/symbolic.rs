//! Whom a key's policy and grants name, besides the principals of a world: others by ARN, services, root users,
//! accounts through their IAM policies, and everybody.

use super::who_can::{Answer, Verdict, WhoCan};
use super::words::{Named, value_among};
use crate::access::{Decision, Grantee, KeyFacts, Layer, PrincipalFacts, PrincipalType, Residual, ResidualWay};
use crate::ids::{AccountId, Partition, PrincipalArn};
use crate::kms::ActionScope;
use crate::policy::{Condition, ConditionOperator, PolicyDocument, PrincipalEntry, Principals, Statement};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody whom a key names.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) facts: PrincipalFacts,
    kind: Kind,
}

/// How it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// By a name of its own.
    Named(String),
    /// All of an account whom nothing names.
    Account(AccountId),
    /// All of other accounts whom nothing names.
    Elsewhere,
}

/// Whom a key names, each once.
#[derive(Debug, Default)]
struct Mentioned<'k> {
    arns: BTreeSet<&'k str>,
    services: BTreeSet<&'k str>,
    accounts: BTreeSet<&'k str>,
    everyone: bool,
}

impl<'k> Mentioned<'k> {
    fn by(key: &'k KeyFacts) -> Self {
        let mut found = Self { accounts: [key.account.as_str()].into(), ..Self::default() };
        let policies = std::iter::once(&key.policy).chain(&key.ram_policy);
        for principals in policies.flat_map(|policy| &policy.statements).filter_map(|s| s.principals.as_ref()) {
            found.everyone |= matches!(principals, Principals::IsNot(_));
            let (Principals::Is(entries) | Principals::IsNot(entries)) = principals;
            for entry in entries {
                found.add(entry);
            }
        }
        for grant in &key.grants {
            for grantee in std::iter::once(&grant.grantee).chain(&grant.retiring) {
                match grantee {
                    Grantee::Principal(arn) => found.add_aws(arn),
                    Grantee::Service(name) => {
                        found.services.insert(name);
                    }
                }
            }
        }
        found
    }

    fn add(&mut self, entry: &'k PrincipalEntry) {
        match entry {
            PrincipalEntry::Everyone => self.everyone = true,
            PrincipalEntry::Aws(text) => self.add_aws(text),
            PrincipalEntry::Service(name) => {
                self.services.insert(name);
            }
            // KMS knows neither.
            PrincipalEntry::Federated(_) | PrincipalEntry::Other { .. } => {}
        }
    }

    fn add_aws(&mut self, text: &'k str) {
        let bare = text.parse::<AccountId>().is_ok();
        match text.strip_suffix(":root").and_then(|head| head.rsplit(':').next()) {
            Some(account) => self.accounts.insert(account),
            None if bare => self.accounts.insert(text),
            None => self.arns.insert(text),
        };
    }
}

/// Returns whom a key's policy and grants name and a world does not know. Ids of deleted principals are nobody's.
pub(super) fn subjects(asked: &WhoCan<'_>, key: &KeyFacts) -> Vec<Subject> {
    let mentioned = Mentioned::by(key);
    let partition = key.region.partition();
    let arns = mentioned.arns.iter().filter(|arn| !asked.knows(arn)).filter_map(|arn| by_arn(arn));
    let services = mentioned.services.iter().filter(|name| !asked.knows(name)).map(|name| Subject {
        facts: PrincipalFacts::new(PrincipalType::Service, *name, None),
        kind: Kind::Named((*name).to_owned()),
    });
    let accounts: Vec<AccountId> = mentioned.accounts.iter().filter_map(|account| account.parse().ok()).collect();
    let of_accounts = accounts.iter().flat_map(|account| [root(account, partition), anybody(account, partition)]);
    let elsewhere = mentioned.everyone.then(|| Subject { facts: allowed(partition, None), kind: Kind::Elsewhere });
    arns.chain(services).chain(of_accounts).chain(elsewhere).collect()
}

fn by_arn(text: &str) -> Option<Subject> {
    let arn: PrincipalArn = text.parse().ok()?;
    let facts = PrincipalFacts { knowledge: crate::access::Knowledge::NameOnly, ..PrincipalFacts::from_arn(&arn) };
    Some(Subject { facts, kind: Kind::Named(text.to_owned()) })
}

fn root(account: &AccountId, partition: Partition) -> Subject {
    let arn = root_arn(account, partition);
    let facts = PrincipalFacts::new(PrincipalType::Root, arn, Some(account.clone()));
    let facts = PrincipalFacts { knowledge: crate::access::Knowledge::NameOnly, ..facts };
    Subject { facts, kind: Kind::Named(format!("root user of {account}")) }
}

fn root_arn(account: &AccountId, partition: Partition) -> String {
    format!("arn:{partition}:iam::{account}:root")
}

fn anybody(account: &AccountId, partition: Partition) -> Subject {
    Subject { facts: allowed(partition, Some(account.clone())), kind: Kind::Account(account.clone()) }
}

/// Returns somebody whom the own account's IAM allows everything: what it needs of that is left to the account.
fn allowed(partition: Partition, account: Option<AccountId>) -> PrincipalFacts {
    let everything = PolicyDocument::new(vec![Statement::allow("Everything", ["*"])]);
    PrincipalFacts { identity_policies: vec![everything], ..PrincipalFacts::anybody(partition, account) }
}

impl Subject {
    /// Returns what a residual answers, under each of the names that its ways give to all whom nothing names.
    pub(super) fn answers(&self, asked: &WhoCan<'_>, found: Residual, key: &KeyFacts) -> Vec<Answer> {
        if let Kind::Named(name) = &self.kind {
            let verdict = Verdict::of(&found);
            return vec![Answer { principal: name.clone(), arn: self.facts.arn.clone(), verdict, residual: found }];
        }
        let mut ways: BTreeMap<(String, String), Vec<ResidualWay>> = BTreeMap::new();
        for way in &found.ways {
            if let Some(name) = self.name_of(way, asked, key) {
                let mut way = way.clone();
                // The policy that was made up for the account's IAM.
                way.terms.retain(|term| term.source.layer != Layer::Identity);
                ways.entry(name).or_default().push(way);
            }
        }
        let answer = |((principal, arn), ways): ((String, String), Vec<ResidualWay>)| {
            let residual = Residual { decision: found.decision.clone(), ways, denies: found.denies.clone() };
            let residual = decided(residual);
            Answer { principal, arn, verdict: Verdict::of(&residual), residual }
        };
        ways.into_iter().map(answer).collect()
    }

    /// Returns the name and ARN of those whom a way admits, `None` where others answer for them.
    fn name_of(&self, way: &ResidualWay, asked: &WhoCan<'_>, key: &KeyFacts) -> Option<(String, String)> {
        let mut conditions: Vec<Condition> = way.conditions().into_iter().cloned().collect();
        if value_among(&conditions, "aws:PrincipalType") == Some("Account") {
            return None;
        }
        match &self.kind {
            Kind::Named(name) => return Some((name.clone(), self.facts.arn.clone())),
            Kind::Account(account) if !admits_everyone(way, key) => {
                return Some((format!("account:{account} through IAM"), root_arn(account, key.region.partition())));
            }
            Kind::Account(account) => conditions.push(is_account(account)),
            Kind::Elsewhere if speaks_of_account(&conditions, &key.account) => return None,
            Kind::Elsewhere => {}
        }
        let named = asked.vocabulary(key).everyone_who(&conditions);
        (!asked.knows(&named.name)).then(|| (named.name, "*".to_owned()))
    }
}

/// Returns the decision anew, for those of the ways that are left.
fn decided(mut residual: Residual) -> Residual {
    let certain = |way: &ResidualWay| way.open().is_none() && way.conditions().is_empty();
    if residual.decision == Decision::Allow && !residual.ways.iter().any(certain) {
        residual.decision = Decision::Undetermined("it depends on conditions".to_owned());
    }
    residual
}

fn is_account(account: &AccountId) -> Condition {
    Condition {
        operator: ConditionOperator("StringEquals".to_owned()),
        key: "aws:PrincipalAccount".to_owned(),
        values: vec![account.as_str().into()],
    }
}

/// Returns whether conditions admit callers of one account alone.
fn speaks_of_account(conditions: &[Condition], account: &AccountId) -> bool {
    let of_account = ["aws:PrincipalAccount", "kms:CallerAccount"].map(|key| value_among(conditions, key));
    let of_arn = value_among(conditions, "aws:PrincipalArn").and_then(|arn| arn.split(':').nth(4));
    of_account.into_iter().chain([of_arn]).flatten().any(|named| named == account.as_str())
}

/// Returns whether the statement of the key's policy by which a way goes is about everybody.
fn admits_everyone(way: &ResidualWay, key: &KeyFacts) -> bool {
    way.terms.iter().any(|term| {
        let policy = match term.source.layer {
            Layer::KeyPolicy => Some(&key.policy),
            Layer::RamPolicy => key.ram_policy.as_ref(),
            Layer::Identity
            | Layer::Boundary
            | Layer::Session
            | Layer::Scp
            | Layer::Rcp
            | Layer::Grant
            | Layer::Trust => None,
        };
        let statement = policy.zip(term.source.statement).and_then(|(policy, (_, at))| policy.statements.get(at));
        match statement.and_then(|statement| statement.principals.as_ref()) {
            Some(Principals::Is(entries)) => entries.contains(&PrincipalEntry::Everyone),
            Some(Principals::IsNot(_)) => true,
            None => false,
        }
    })
}

/// Returns a name that says nothing of conditions, or for all of an account or organization the one that does.
pub(super) fn named(answer: &Answer, asked: &WhoCan<'_>, way: &ResidualWay, key: &KeyFacts) -> Named {
    if answer.arn != "*" {
        return Named::plain(answer.principal.clone());
    }
    let conditions: Vec<Condition> = way.conditions().into_iter().cloned().collect();
    let named = asked.vocabulary(key).everyone_who(&conditions);
    if named.name == answer.principal { named } else { Named::plain(answer.principal.clone()) }
}

/// Returns whether a key's policy can decide an action.
pub(super) fn is_decided_by_keys(scope: ActionScope) -> bool {
    matches!(scope, ActionScope::Key | ActionScope::KeyAndAlias)
}
