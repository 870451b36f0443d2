//! The denies of a key policy: separation of duties, required encryption context, our tags.

use super::clause::{Written, caller_patterns, camel};
use crate::desired::tags::RESERVED_PREFIX;
use crate::desired::{DesiredKey, DesiredTarget, Separation};
use crate::kms::CRYPTOGRAPHIC_ACTIONS;
use crate::policy::{PrincipalEntry, Statement};
use crate::source::Loc;

/// Direct symmetric uses that carry an encryption context. Never `CreateGrant` nor `DescribeKey`, which services
/// call without one.
const USES_WITH_CONTEXT: [&str; 8] = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// Returns the denies that a key needs.
pub(super) fn statements(target: &DesiredTarget, key: &DesiredKey) -> Vec<Written> {
    let from = |statement, place: Option<Loc>| Written { statement, places: place.into_iter().collect() };
    let separation = separation(target, key).map(|statement| from(statement, key.places.separation));
    let contexts =
        key.required_context.iter().filter(|_| key.shape().encrypts_symmetrically()).map(|context_key| {
            from(required_context(context_key), key.places.required_context.get(context_key).copied())
        });
    let places = target.places.deployers.iter().copied().collect();
    let tags = Written { statement: reserved_tags(target), places };
    separation.into_iter().chain(contexts).chain([tags]).collect()
}

fn everyone(statement: Statement) -> Statement {
    statement.principals(vec![PrincipalEntry::Everyone])
}

/// Returns the deny that keeps those who can change the key from using it, whatever else allows it.
fn separation(target: &DesiredTarget, key: &DesiredKey) -> Option<Statement> {
    let admins = key.admins.iter().map(|admin| &admin.0);
    let staff = admins.chain(&target.deployers).chain(&key.deleters);
    let patterns = caller_patterns(staff, target.region.partition());
    let wanted = key.separation == Separation::Enforced && !patterns.is_empty();
    let actions = CRYPTOGRAPHIC_ACTIONS.iter().copied().chain(["kms:CreateGrant"]);
    wanted
        .then(|| everyone(Statement::deny("SeparationOfDuties", actions)).when("ArnLike", "aws:PrincipalArn", patterns))
}

/// Returns the backstop for one context key that each direct use must carry: callers that come through a
/// service, or as one, send the service's own context. A statement per key, because all entries of a `Null` must hold.
///
/// EBS decrypts as `role/aws:ec2-infrastructure`.
///
/// <https://docs.aws.amazon.com/ebs/latest/userguide/how-ebs-encryption-works.html>
fn required_context(context_key: &str) -> Statement {
    let key = format!("kms:EncryptionContext:{context_key}");
    everyone(Statement::deny(&format!("RequireContext{}", camel(context_key)), USES_WITH_CONTEXT))
        .when("Null", &key, ["true"])
        .when("Null", "kms:ViaService", ["true"])
        .when("Bool", "aws:PrincipalIsAWSService", ["false"])
        .when("ArnNotLike", "aws:PrincipalArn", ["arn:*:iam::*:role/aws:*"])
}

/// Returns the deny that leaves the tags which prove ownership to the deployers.
fn reserved_tags(target: &DesiredTarget) -> Statement {
    let deployers = caller_patterns(&target.deployers, target.region.partition());
    everyone(Statement::deny("ReservedTags", ["kms:TagResource", "kms:UntagResource"]))
        .when("ForAnyValue:StringLike", "aws:TagKeys", [format!("{RESERVED_PREFIX}*")])
        .when("ArnNotLike", "aws:PrincipalArn", deployers)
}
