//! Callers that stand for everybody: who is named, and of everybody else one for each way in which policies tell
//! callers apart.

use super::pattern::{Resolved, resolve, spelled};
use crate::access::{Grantee, KeyFacts, PrincipalFacts, PrincipalType};
use crate::policy::{
    Condition, PatternToken, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Statement, StepBudget,
    TextTest, text_classes,
};
use std::collections::BTreeSet;

/// Callers that stand for all.
#[derive(Debug, Clone, Default)]
pub(in crate::review) struct Callers {
    pub(super) all: Vec<PrincipalFacts>,
    /// Why there may be more than these; `None` if they are complete.
    pub(super) missing: Option<&'static str>,
}

/// How many steps the walk through the patterns of callers' ARNs may take.
const STEPS: u64 = 100_000;

/// Accounts that nobody has; the first that is not named stands for all others.
const STRANGERS: [&str; 4] = ["999999999999", "888888888888", "777777777777", "666666666666"];

impl Callers {
    /// Returns the callers for some states of a key.
    pub(in crate::review) fn of(states: &[&KeyFacts]) -> Self {
        let Some(first) = states.first() else { return Self::default() };
        let mut named = Named::default();
        for key in states {
            named.read(key);
        }
        let organization = states.iter().find_map(|key| key.org_id.clone());
        let mut found = Found { named, key: first, organization, callers: Self::default() };
        found.gather();
        found.callers
    }
}

/// What two states of a key name.
#[derive(Default)]
struct Named {
    arns: BTreeSet<String>,
    grantees: BTreeSet<String>,
    accounts: BTreeSet<String>,
    unique_ids: BTreeSet<String>,
    services: BTreeSet<String>,
    /// Conditions on who calls, with the version of their document.
    conditions: Vec<(Condition, PolicyVersion)>,
}

impl Named {
    fn read(&mut self, key: &KeyFacts) {
        self.accounts.insert(key.account.as_str().to_owned());
        for policy in std::iter::once(&key.policy).chain(&key.ram_policy) {
            for statement in &policy.statements {
                self.read_statement(statement, &policy.version);
            }
        }
        for grant in &key.grants {
            for grantee in std::iter::once(&grant.grantee).chain(&grant.retiring) {
                match grantee {
                    Grantee::Principal(arn) => {
                        self.read_aws(arn);
                        self.grantees.insert(arn.clone());
                    }
                    Grantee::Service(name) => drop(self.services.insert(name.clone())),
                }
            }
        }
    }

    fn read_statement(&mut self, statement: &Statement, version: &PolicyVersion) {
        if let Some(Principals::Is(entries) | Principals::IsNot(entries)) = &statement.principals {
            for entry in entries {
                match entry {
                    PrincipalEntry::Aws(text) => self.read_aws(text),
                    PrincipalEntry::Service(name) => drop(self.services.insert(name.clone())),
                    PrincipalEntry::Everyone | PrincipalEntry::Federated(_) | PrincipalEntry::Other { .. } => {}
                }
            }
        }
        let about_callers = |condition: &&Condition| {
            let key = condition.key.to_ascii_lowercase();
            let names = ["aws:principalarn", "aws:principalaccount", "kms:calleraccount", "aws:username"];
            names.contains(&key.as_str()) || key == "aws:principalservicename"
        };
        let conditions = statement.conditions.iter().filter(about_callers).cloned();
        self.conditions.extend(conditions.map(|condition| (condition, version.clone())));
    }

    fn read_aws(&mut self, text: &str) {
        if !text.starts_with("arn:") {
            let account = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
            let place = if account { &mut self.accounts } else { &mut self.unique_ids };
            place.insert(text.to_owned());
            return;
        }
        self.accounts.extend(account_of(text).filter(|account| is_account(account)).map(str::to_owned));
        if !text.ends_with(":root") {
            self.arns.insert(text.to_owned());
        }
    }

    /// Returns the values of conditions on one of some keys, with their versions.
    fn values<'a>(&'a self, keys: &'a [&'a str]) -> impl Iterator<Item = (&'a Condition, &'a str, &'a PolicyVersion)> {
        let asked = |condition: &Condition| keys.iter().any(|key| condition.key.eq_ignore_ascii_case(key));
        self.conditions.iter().filter(move |(condition, _)| asked(condition)).flat_map(|(condition, version)| {
            condition.values.iter().map(move |value| (condition, value.as_text(), version))
        })
    }
}

fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

struct Found<'a> {
    named: Named,
    key: &'a KeyFacts,
    /// That of the key's account.
    organization: Option<String>,
    callers: Callers,
}

impl Found<'_> {
    fn gather(&mut self) {
        let accounts = self.accounts();
        for account in &accounts {
            self.people_of(account);
        }
        self.sessions();
        for account in &accounts {
            let root = PrincipalFacts::new(PrincipalType::Root, self.arn("iam", account, "root"), account.parse().ok());
            self.add(root);
        }
        for id in self.named.unique_ids.clone() {
            let kind = if id.starts_with("AIDA") { "user/renamed" } else { "role/renamed" };
            let mut somebody = caller_of(&self.arn("iam", self.key.account.as_str(), kind));
            somebody.unique_id = Some(id);
            self.add(somebody);
        }
        self.services();
    }

    fn partition(&self) -> &str {
        self.key.arn.split(':').nth(1).unwrap_or("aws")
    }

    fn arn(&self, service: &str, account: &str, resource: &str) -> String {
        format!("arn:{}:{service}::{account}:{resource}", self.partition())
    }

    /// Returns the accounts that are told apart, the key's own first, and one of which nobody speaks.
    fn accounts(&mut self) -> Vec<String> {
        let own = self.key.account.as_str().to_owned();
        let mut accounts = self.named.accounts.clone();
        let mut partial = false;
        let of_arns = self.named.values(&["aws:PrincipalArn"]).filter_map(|(_, value, _)| account_of(value));
        let direct = self.named.values(&["aws:PrincipalAccount", "kms:CallerAccount"]).map(|(_, value, _)| value);
        for text in of_arns.chain(direct) {
            if is_account(text) {
                accounts.insert(text.to_owned());
            } else if text.contains(['*', '?']) && text.bytes().any(|b| b.is_ascii_digit()) && !text.contains("${") {
                partial = true;
                accounts.extend(digits(text));
            }
        }
        if partial {
            self.callers.missing = Some("conditions tell accounts apart by parts of their numbers");
        }
        let stranger = STRANGERS.iter().find(|account| !accounts.contains(**account)).map(|text| (*text).to_owned());
        accounts.remove(&own);
        std::iter::once(own).chain(accounts).chain(stranger).collect()
    }

    /// Adds roles, users and federated users of an account, one for each way in which they are told apart.
    fn people_of(&mut self, account: &str) {
        let mut tests: Vec<TextTest> = self.named.arns.iter().map(|arn| TextTest::literal(arn)).collect();
        tests.extend(self.tests_of_arns(account));
        for (service, resource) in [("iam", "role/?*"), ("iam", "user/?*"), ("sts", "federated-user/?*")] {
            let domain = TextTest::glob(&PatternToken::of_glob(&self.arn(service, account, resource)));
            let classes = text_classes(&tests, Some(&domain), &mut StepBudget::new(STEPS));
            if !classes.complete {
                self.callers.missing = Some("the patterns of callers' ARNs have too many combinations");
            }
            for arn in classes.texts {
                self.add(caller_of(&arn));
            }
        }
    }

    fn tests_of_arns(&mut self, account: &str) -> Vec<TextTest> {
        let (owner, mut unknown, mut tests) = (self.key.account.as_str(), false, Vec::new());
        let known = |name: &str| match name.to_ascii_lowercase().as_str() {
            "aws:principalaccount" | "kms:calleraccount" => Some(account.to_owned()),
            "aws:resourceaccount" => Some(owner.to_owned()),
            _ => None,
        };
        for (condition, value, version) in self.named.values(&["aws:PrincipalArn", "aws:username"]) {
            let Resolved::Known(mut tokens) = resolve(value, version, &known) else {
                unknown = true;
                continue;
            };
            if condition.key.eq_ignore_ascii_case("aws:username") {
                tokens = PatternToken::of_glob("*/").into_iter().chain(tokens).collect();
            }
            tests.extend(test_of(&condition.operator.0, &tokens));
        }
        if unknown {
            self.callers.missing = Some("a policy variable stands for a part of a caller's ARN");
        }
        tests
    }

    fn sessions(&mut self) {
        let sessions: Vec<String> =
            self.named.arns.iter().filter(|arn| arn.contains(":assumed-role/")).cloned().collect();
        for session in sessions {
            let name = session.split('/').nth(1).unwrap_or_default();
            let is_its = |role: &PrincipalFacts| {
                role.kind == PrincipalType::Role
                    && role.arn.rsplit('/').next() == Some(name)
                    && account_of(&role.arn) == account_of(&session)
            };
            let mut roles: Vec<Option<String>> =
                self.callers.all.iter().filter(|role| is_its(role)).map(|role| Some(role.arn.clone())).collect();
            roles.dedup();
            if roles.is_empty() {
                roles.push(None);
            }
            for role_arn in roles {
                self.add(PrincipalFacts { role_arn, ..caller_of(&session) });
            }
        }
    }

    fn services(&mut self) {
        let mut services = self.named.services.clone();
        let named = self.named.values(&["aws:PrincipalServiceName"]).map(|(_, value, _)| value);
        services.extend(named.filter(|value| !value.contains("${")).map(|value| value.replace(['*', '?'], "x")));
        services.insert("x.amazonaws.com".to_owned());
        for name in services {
            self.callers.all.push(PrincipalFacts::new(PrincipalType::Service, name, None));
        }
    }

    /// Adds a caller: of the key's account without and with IAM policies that allow everything, of another account
    /// with them, and without them where a grant might do.
    fn add(&mut self, mut caller: PrincipalFacts) {
        let own = caller.account.as_ref() == Some(&self.key.account);
        if own {
            caller.org_id.clone_from(&self.organization);
        }
        let by_iam = PrincipalFacts { identity_policies: vec![everything()], ..caller.clone() };
        if own || self.named.grantees.contains(&caller.arn) {
            self.callers.all.push(caller.clone());
        }
        if caller.kind != PrincipalType::Root || !own {
            self.callers.all.push(by_iam);
        }
    }
}

/// Returns the policy that allows everything.
pub(in crate::review) fn everything() -> PolicyDocument {
    PolicyDocument::new(vec![Statement::allow("Everything", ["*"])])
}

/// Returns the caller of an ARN.
pub(in crate::review) fn caller_of(arn: &str) -> PrincipalFacts {
    let kind = match arn {
        _ if arn.contains(":user/") => PrincipalType::User,
        _ if arn.contains(":assumed-role/") => PrincipalType::RoleSession,
        _ if arn.contains(":federated-user/") => PrincipalType::FederatedUser,
        _ if arn.ends_with(":root") => PrincipalType::Root,
        _ => PrincipalType::Role,
    };
    let mut facts = PrincipalFacts::new(kind, arn, account_of(arn).and_then(|account| account.parse().ok()));
    facts.role_arn = (kind == PrincipalType::Role).then(|| arn.to_owned());
    facts
}

/// Returns what an operator on strings or ARNs asks of a value.
pub(super) fn test_of(operator: &str, tokens: &[PatternToken]) -> Option<TextTest> {
    let base = operator.split_once(':').map_or(operator, |(_, base)| base);
    match base.strip_suffix("IfExists").unwrap_or(base) {
        "StringEquals" | "StringNotEquals" => Some(TextTest::literal(&spelled(tokens, "*", '?'))),
        "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => {
            Some(TextTest::ignoring_case(&spelled(tokens, "*", '?')))
        }
        "StringLike" | "StringNotLike" => Some(TextTest::glob(tokens)),
        "ArnEquals" | "ArnLike" | "ArnNotEquals" | "ArnNotLike" => TextTest::arn(tokens),
        _ => None,
    }
}

/// Returns an account's number that a pattern matches.
fn digits(pattern: &str) -> Option<String> {
    let fixed = pattern.chars().filter(|c| *c != '*').count();
    let mut fill = "0".repeat(12_usize.checked_sub(fixed)?);
    let text = pattern.chars().fold(String::new(), |mut text, c| {
        match c {
            '*' => text.push_str(&std::mem::take(&mut fill)),
            '?' => text.push('0'),
            c => text.push(c),
        }
        text
    });
    is_account(&text).then_some(text)
}
