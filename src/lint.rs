//! Lints: what in a key's policy, grants and settings, or in an identity's policies, does not do what it says, gives
//! more than it needs to, or lets somebody take more.
//!
//! Findings are data, in a fixed order, each with a stable code, a severity and a remedy. Where a fact decides it comes
//! from [`crate::kms`]; where access decides the evaluator is asked, not the syntax. `docs/lints.md` lists the rules.

mod condition;
mod grant;
mod identity;
mod model;
mod power;
mod principal;
mod public;
mod rule;
mod settings;
mod statement;
mod subject;
mod trial;
mod view;

#[cfg(test)]
mod tests;

pub use model::{
    IdentityPolicy, IdentityPolicyKind, KnownPlace, LintFinding, LintIdentity, LintKey, LintPlace, LintSeverity,
};
pub use rule::{RULES, Rule};

use crate::access::KeyFacts;
use crate::ids::{AccountId, KeyArn, KeyId, Partition, Region};
use crate::policy::{PolicyDocument, PolicyParseError, PrincipalEntry, Principals};
use std::collections::BTreeSet;
use subject::Subject;

/// Returns what is noteworthy about a key: its policy, its grants, its settings.
pub fn lint_key(key: LintKey<'_>) -> Vec<LintFinding> {
    let subject = Subject::new(key);
    let document = &key.facts.policy;
    let mut found = statement::find_in_document(document, &subject.statements);
    for view in &subject.statements {
        found.extend(statement::find(view, &document.version));
        found.extend(statement::find_vain(&subject, view));
        found.extend(condition::find(view, Some(&key)));
        found.extend(principal::find(&subject, view));
        found.extend(power::find(&subject, view));
    }
    found.extend(public::find(&subject));
    found.extend(power::abac_of_key(&subject));
    found.extend(power::no_administrator(&subject));
    found.extend(grant::find(&subject));
    found.extend(settings::find(&subject));
    model::sorted(found)
}

/// Returns what is noteworthy about an identity's policies, as far as they are about KMS.
pub fn lint_identity(identity: &LintIdentity<'_>) -> Vec<LintFinding> {
    model::sorted(identity::find(identity))
}

/// Returns what is noteworthy about a policy that stands alone, as in a file: a key policy, or one of an identity if no
/// statement has a principal.
///
/// `key` tells which key a key policy is for. Without it nothing is said that depends on its Region, and what depends on
/// its account only if principals of a single one may change the policy.
pub fn lint_document(text: &str, key: Option<&KeyArn>) -> Result<Vec<LintFinding>, PolicyParseError> {
    let document = PolicyDocument::parse(text)?;
    let without = |statement: &crate::policy::Statement| statement.principals.is_none() && statement.inert.is_none();
    if !document.statements.is_empty() && document.statements.iter().all(without) {
        let (name, kind) = ("document", IdentityPolicyKind::CustomerManaged);
        let policies = vec![IdentityPolicy { name, kind, document: &document }];
        return Ok(lint_identity(&LintIdentity { arn: "arn:aws:iam::000000000000:user/unnamed", policies }));
    }
    let (arn, place) = match key {
        Some(arn) => (arn.clone(), KnownPlace::Arn),
        None => guessed_key(&document),
    };
    let facts = KeyFacts::new(arn.as_str(), arn.account(), arn.region(), document);
    Ok(lint_key(LintKey { place, policy_bytes: Some(text.len()), ..LintKey::new(&facts) }))
}

/// Returns a stand-in for the key of a policy, in the only account whose principals may change the policy: those of
/// other accounts never can.
fn guessed_key(document: &PolicyDocument) -> (KeyArn, KnownPlace) {
    let changing =
        view::key_statements(document).into_iter().filter(|view| view.allows() && view.covers("kms:PutKeyPolicy"));
    let entries = changing.filter_map(|view| match &view.statement.principals {
        Some(Principals::Is(entries)) => Some(entries),
        Some(Principals::IsNot(_)) | None => None,
    });
    let accounts: BTreeSet<AccountId> = entries.flatten().filter_map(account_of).collect();
    let mut accounts = accounts.into_iter();
    let (account, place) = match (accounts.next(), accounts.next()) {
        (Some(only), None) => (only, KnownPlace::Account),
        (None | Some(_), _) => (unknown_account(), KnownPlace::Nothing),
    };
    #[expect(clippy::expect_used, reason = "constants of the right form")]
    let (region, id): (Region, KeyId) = (
        "eu-west-1".parse().expect("a Region"),
        "00000000-0000-0000-0000-000000000000".parse().expect("zeros are a key id"),
    );
    (KeyArn::new(Partition::Aws, &region, &account, &id), place)
}

fn unknown_account() -> AccountId {
    #[expect(clippy::expect_used, reason = "a constant of the right form")]
    "000000000000".parse().expect("twelve zeros are an account id")
}

fn account_of(entry: &PrincipalEntry) -> Option<AccountId> {
    let PrincipalEntry::Aws(text) = entry else { return None };
    text.split(':').nth(4).unwrap_or(text).parse().ok()
}
