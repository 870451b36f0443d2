//! Lints of identities: IAM policies that open every key, or control what access depends on.

use super::model::{IdentityPolicyKind, LintFinding, LintIdentity, LintSeverity};
use super::trial::{Outcome, Trial};
use super::view::{StatementView, identity_statements, of_kms};
use super::{condition, power, principal, rule, statement};
use crate::access::{KeyFacts, PrincipalFacts, PrincipalType};
use crate::ids::{AccountId, PrincipalArn, Region};
use crate::kms::KmsAction;
use crate::policy::{PolicyDocument, PolicyVersion, PrincipalEntry, Resources, Statement, glob_matches};

/// The actions by which a key opens what was encrypted under it.
///
/// <https://docs.aws.amazon.com/config/latest/developerguide/iam-customer-policy-blocked-kms-actions.html>
const OPENING: [&str; 2] = ["kms:Decrypt", "kms:ReEncryptFrom"];

/// Conditions on how the key is used, which leave every key open to whoever meets them.
const BY_USE: [&str; 3] = ["kms:EncryptionContext:", "kms:EncryptionContextKeys", "kms:ViaService"];

/// A key that nothing names.
const UNNAMED_KEY: &str = "key/0badc0de-0000-4000-8000-000000000000";

/// Finds what is noteworthy about an identity's policies. Those of AWS count, and are not reported.
pub(super) fn find(identity: &LintIdentity<'_>) -> Vec<LintFinding> {
    let own = |policy: &&super::IdentityPolicy<'_>| policy.kind != IdentityPolicyKind::AwsManaged;
    let views: Vec<(IdentityPolicyKind, &PolicyVersion, Vec<StatementView<'_>>)> = identity
        .policies
        .iter()
        .filter(own)
        .map(|policy| (policy.kind, &policy.document.version, identity_statements(policy.name, policy.document)))
        .collect();
    let mut found = Vec::new();
    for (kind, version, statements) in &views {
        for view in statements.iter().filter(|view| speaks_of_kms(view)) {
            found.extend(statement::find(view, version));
            found.extend(condition::find(view, None));
            found.extend(mfa(identity, view));
            found.extend(every_key(identity, *kind, version, view));
        }
    }
    let all: Vec<StatementView<'_>> = views.into_iter().flat_map(|(_, _, statements)| statements).collect();
    found.extend(power::abac(&all, |_| true));
    found
}

/// Returns whether a statement names an action of KMS, or could not be read.
fn speaks_of_kms(view: &StatementView<'_>) -> bool {
    view.statement.inert.is_some() || view.patterns().iter().any(|pattern| of_kms(pattern) || pattern == "*")
}

fn mfa(identity: &LintIdentity<'_>, view: &StatementView<'_>) -> Option<LintFinding> {
    let role = identity.arn.contains(":role/");
    let message = "a role's sessions never meet the condition on multi-factor authentication".to_owned();
    let never = role && view.allows() && principal::asks_for_mfa(view);
    never.then(|| LintFinding::of(&rule::MFA_CONDITION, view.place.clone(), message))
}

/// Decryption under every key: `Resource` takes in a key that nothing names, and nothing takes it back.
fn every_key(
    identity: &LintIdentity<'_>,
    kind: IdentityPolicyKind,
    version: &PolicyVersion,
    view: &StatementView<'_>,
) -> Option<LintFinding> {
    let actions: Vec<&'static KmsAction> =
        view.actions.iter().copied().filter(|action| OPENING.contains(&action.full)).collect();
    if !view.allows() || actions.is_empty() {
        return None;
    }
    let key = unnamed_key(identity, view)?;
    let caller = caller(identity, version, view);
    let by_use = super::trial::is_one_of;
    let any_use = view.conditions.iter().all(|condition| !by_use(condition, &BY_USE));
    let statements = [view];
    let outcome =
        |except: &[&str]| Trial::new(&key, vec![caller.clone()], &actions).choosing(&statements, except).run();
    let never = ["kms:RequestAlias"];
    let directly = outcome(&[&never[..], &BY_USE[..]].concat());
    let (severity, how) = match (directly, any_use) {
        (Outcome::Allowed { .. }, _) => (LintSeverity::Medium, ""),
        (Outcome::Denied | Outcome::Refused, true) => return None,
        (Outcome::Denied | Outcome::Refused, false) => match outcome(&never) {
            Outcome::Allowed { .. } => (LintSeverity::Low, ", in the way that its conditions say"),
            Outcome::Denied | Outcome::Refused => return None,
        },
    };
    let names: Vec<String> = actions.iter().map(|action| format!("`{}`", action.full)).collect();
    let resources = view.resources().join(", ");
    let message = format!(
        "it allows {} under every key that delegates to IAM (`{resources}`){how}",
        crate::text::and_list(&names)
    );
    let finding = LintFinding::of(&rule::DECRYPT_ALL_KEYS, view.place.clone(), message);
    Some(finding.severity(severity).controls(controls(kind)))
}

/// <https://docs.aws.amazon.com/securityhub/latest/userguide/kms-controls.html>
fn controls(kind: IdentityPolicyKind) -> &'static [&'static str] {
    match kind {
        IdentityPolicyKind::CustomerManaged => {
            &["Security Hub KMS.1", "AWS Config iam-customer-policy-blocked-kms-actions"]
        }
        IdentityPolicyKind::Inline => &["Security Hub KMS.2", "AWS Config iam-inline-policy-blocked-kms-actions"],
        IdentityPolicyKind::AwsManaged => &[],
    }
}

/// Returns a key that a statement takes in although nothing names it, with a policy that leaves it to IAM.
fn unnamed_key(identity: &LintIdentity<'_>, view: &StatementView<'_>) -> Option<KeyFacts> {
    let account: AccountId = identity.arn.split(':').nth(4)?.parse().ok()?;
    let partition = identity.arn.split(':').nth(1)?;
    let (patterns, named): (&[String], bool) = match view.statement.resources.as_ref()? {
        Resources::Is(patterns) => (patterns, true),
        Resources::IsNot(patterns) => (patterns, false),
    };
    let arns = if named {
        patterns.iter().map(|pattern| likeness(pattern, partition, &account)).collect()
    } else {
        vec![None]
    };
    let plain = || format!("arn:{partition}:kms:eu-west-1:{account}:{UNNAMED_KEY}");
    let arn = arns
        .into_iter()
        .map(|arn| arn.unwrap_or_else(plain))
        .find(|arn| patterns.iter().any(|pattern| glob_matches(pattern, arn)) == named)?;
    let parts: Vec<&str> = arn.split(':').collect();
    let [_, _, _, region, owner, _] = parts.as_slice() else { return None };
    let (region, owner): (Region, AccountId) = (region.parse().ok()?, owner.parse().ok()?);
    let delegation = [account, owner.clone()].map(|account| PrincipalEntry::Aws(account.to_string()));
    let policy = Statement::allow("EnableIamPolicies", ["kms:*"]).principals(delegation.to_vec());
    Some(KeyFacts::new(arn.clone(), owner, region, PolicyDocument::new(vec![policy])))
}

/// Returns the ARN of an unnamed key of the Region and account that a pattern names, `None` if it is no key's.
fn likeness(pattern: &str, partition: &str, account: &AccountId) -> Option<String> {
    let parts: Vec<&str> = pattern.split(':').collect();
    let [_, _, "kms", region, owner, _] = parts.as_slice() else { return None };
    let region = if region.contains(['*', '?', '$']) { "eu-west-1" } else { region };
    let owner = if owner.contains(['*', '?', '$']) { account.as_str() } else { owner };
    Some(format!("arn:{partition}:kms:{region}:{owner}:{UNNAMED_KEY}"))
}

/// Returns the identity with the statement and every deny of its policies, which alone can take it back.
fn caller(identity: &LintIdentity<'_>, version: &PolicyVersion, view: &StatementView<'_>) -> PrincipalFacts {
    let only = |document: &PolicyDocument| {
        let mut denies = document.clone();
        denies.statements.retain(|statement| statement.effect == crate::policy::Effect::Deny);
        denies
    };
    let mut policies: Vec<PolicyDocument> = identity.policies.iter().map(|policy| only(policy.document)).collect();
    let allow = PolicyDocument { version: version.clone(), id: None, statements: vec![view.statement.clone()] };
    policies.push(allow);
    let arn = identity.arn.parse::<PrincipalArn>();
    let account = identity.arn.split(':').nth(4).and_then(|account| account.parse().ok());
    let mut facts = arn.map_or_else(
        // A group is no caller; its members are.
        |_| PrincipalFacts::new(PrincipalType::User, identity.arn.replace(":group/", ":user/"), account),
        |arn| PrincipalFacts::from_arn(&arn),
    );
    facts.identity_policies = policies;
    facts
}
