//! Lints of grants, which no key policy shows.

use super::model::{KnownPlace, LintFinding, LintPlace, LintSeverity};
use super::principal::dangling;
use super::rule::{self, Rule};
use super::subject::{Subject, Who};
use crate::access::{GrantConstraints, GrantFacts, Grantee};
use crate::ids::PrincipalKind;
use crate::kms::{Access, GRANTS_PER_KEY, KeySpec, KeyUsage, KmsAction};
use crate::policy::PrincipalEntry;
use crate::text::and_list;
use std::collections::{BTreeMap, BTreeSet};

/// Finds what is noteworthy about the grants of a key.
pub(super) fn find(subject: &Subject<'_>) -> Vec<LintFinding> {
    let grants = &subject.key.facts.grants;
    let mut found: Vec<LintFinding> = grants.iter().flat_map(|grant| judge(subject, grant)).collect();
    found.extend(duplicates(grants));
    found.extend(near_limit(grants.len()));
    found
}

/// Returns the grantee, unless it is a service or a role of AWS's own, whose grants are theirs.
fn customer_grantee(grant: &GrantFacts) -> Option<&str> {
    match &grant.grantee {
        Grantee::Service(_) => None,
        Grantee::Principal(arn) if arn.contains(":role/aws-service-role/") || arn.contains(":role/aws:") => None,
        Grantee::Principal(arn) => Some(arn),
    }
}

fn judge(subject: &Subject<'_>, grant: &GrantFacts) -> Vec<LintFinding> {
    let Some(grantee) = customer_grantee(grant) else { return Vec::new() };
    let place = LintPlace::Grant { id: grant.grant_id.clone() };
    let found = |rule: &'static Rule, message: String| LintFinding::of(rule, place.clone(), message);
    let entry = PrincipalEntry::Aws(grantee.to_owned());
    let who = subject.who_is(&entry);
    let mut all = Vec::new();
    if let Who::Dangling(id) = who {
        let remedy = "create the grant again for the new role or user of that name, and revoke this one".to_owned();
        all.push(found(&rule::DANGLING_PRINCIPAL, dangling(id)).remedy(remedy));
        return all;
    }
    let operations = and_list(&grant.operations);
    all.extend(
        whose(who, grantee).map(|(rule, whose)| found(rule, format!("it lets {whose} `{grantee}` {operations}"))),
    );
    if grant.operations.iter().any(|operation| operation == "CreateGrant") {
        all.push(found(&rule::GRANTING_GRANT, format!("`{grantee}` may pass it on: {operations}")));
    }
    all.extend(impossible(subject, grant).map(|message| found(&rule::BROAD_GRANT, message)));
    all.extend(any_context(grant).map(|message| found(&rule::BROAD_GRANT, message).severity(LintSeverity::Info)));
    all
}

/// Returns how a grantee is noteworthy: a person, a whole account, or somebody else's.
fn whose(who: Who<'_>, grantee: &str) -> Option<(&'static Rule, &'static str)> {
    let person = grantee.contains("AWSReservedSSO_");
    match who {
        Who::Other(..) | Who::OtherAccount(_) => Some((&rule::FOREIGN_GRANT, "another account's")),
        Who::Own(_, PrincipalKind::User | PrincipalKind::FederatedUser) => Some((&rule::PERSON_GRANT, "a person,")),
        Who::Own(_, PrincipalKind::Session) if person => Some((&rule::PERSON_GRANT, "a person's session,")),
        Who::Own(_, PrincipalKind::Role) if person => Some((&rule::PERSON_GRANT, "persons,")),
        Who::OwnAccount => Some((&rule::PERSON_GRANT, "the whole account")),
        Who::Own(_, PrincipalKind::Role | PrincipalKind::Session | PrincipalKind::Root)
        | Who::Everyone
        | Who::Service(_)
        | Who::Dangling(_)
        | Who::Nobody(..) => None,
    }
}

/// Operations that a key of its spec and usage cannot do.
fn impossible(subject: &Subject<'_>, grant: &GrantFacts) -> Option<String> {
    let facts = subject.key.facts;
    let (spec, usage) = (facts.key_spec.parse::<KeySpec>().ok()?, facts.key_usage.parse::<KeyUsage>().ok()?);
    let possible = |action: &KmsAction| action.access != Access::Crypto || can(action.name, spec, usage);
    let operations = grant.operations.iter().filter_map(|operation| KmsAction::find(operation));
    let vain =
        operations.filter(|action| !possible(action) || (action.name == "GetPublicKey" && !spec.is_asymmetric()));
    let vain: Vec<&str> = vain.map(|action| action.name).collect();
    let known = subject.key.place == KnownPlace::Arn;
    (known && !vain.is_empty()).then(|| format!("a key of spec {spec} and usage {usage} cannot {}", and_list(&vain)))
}

/// Returns whether keys of a spec and usage do an operation that uses key material.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-compare.html>
fn can(operation: &str, spec: KeySpec, usage: KeyUsage) -> bool {
    match operation {
        "Sign" | "Verify" => usage == KeyUsage::SignVerify,
        "GenerateMac" | "VerifyMac" => usage == KeyUsage::GenerateVerifyMac,
        "DeriveSharedSecret" => usage == KeyUsage::KeyAgreement,
        "Encapsulate" | "Decapsulate" => usage == KeyUsage::EncapsulateDecapsulate,
        "Encrypt" | "Decrypt" | "ReEncryptFrom" | "ReEncryptTo" => usage == KeyUsage::EncryptDecrypt,
        _ => spec == KeySpec::SymmetricDefault,
    }
}

fn any_context(grant: &GrantFacts) -> Option<String> {
    let takes = |operation: &&String| KmsAction::find(operation).is_some_and(|action| action.takes_encryption_context);
    let open: Vec<&String> = grant.operations.iter().filter(takes).collect();
    let fenced = grant.constraints != GrantConstraints::default();
    (!fenced && !open.is_empty()).then(|| format!("it allows {} with any encryption context", and_list(&open)))
}

/// What makes a grant the same as another.
type Sameness<'a> = (&'a str, BTreeSet<&'a String>, String);

fn duplicates(grants: &[GrantFacts]) -> Vec<LintFinding> {
    let mut groups: BTreeMap<Sameness<'_>, Vec<&GrantFacts>> = BTreeMap::new();
    for grant in grants {
        let Some(grantee) = customer_grantee(grant) else { continue };
        let constraints = constraint_text(&grant.constraints);
        groups.entry((grantee, grant.operations.iter().collect(), constraints)).or_default().push(grant);
    }
    let again = |same: Vec<&GrantFacts>| {
        let first = same.first().map(|grant| grant.grant_id.clone()).unwrap_or_default();
        let others: Vec<String> = same.iter().skip(1).map(|grant| grant.grant_id.clone()).collect();
        others.into_iter().map(move |id| {
            let message = format!("it gives the same as grant `{first}`");
            LintFinding::of(&rule::DUPLICATE_GRANT, LintPlace::Grant { id }, message)
        })
    };
    groups.into_values().flat_map(again).collect()
}

fn constraint_text(constraints: &GrantConstraints) -> String {
    let GrantConstraints { encryption_context_equals, encryption_context_subset, source_arn } = constraints;
    serde_json::json!([encryption_context_equals, encryption_context_subset, source_arn]).to_string()
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#grants-per-key>
fn near_limit(count: usize) -> Option<LintFinding> {
    let message = format!("it has {count} of {GRANTS_PER_KEY} grants");
    (count * 10 > GRANTS_PER_KEY * 9).then(|| LintFinding::of(&rule::GRANTS_NEAR_LIMIT, LintPlace::Key, message))
}
