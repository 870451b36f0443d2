//! Judges the text of a policy as strictly as the API call that would store it.
//!
//! Whether principals exist, and whether the caller would lock itself out, is for whoever knows the account.

use super::canonical::is_account_id;
use super::inclusion::is_wildcard;
use super::json::Json;
use super::limits::{PolicyLimit, TRUST_POLICY_CHARACTERS, has_principal, key_policy_text_limits};
use super::model::{
    Actions, Condition, Effect, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Resources, Statement,
};
use crate::ids::Arn;
use std::collections::BTreeSet;

/// Why a policy is rejected. Its `Display` is the message of the service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRejection {
    /// The text has characters that the service does not accept.
    #[error("Value at 'policy' failed to satisfy constraint: character {character:?} at byte {offset} is not allowed")]
    IllegalCharacter {
        /// The character.
        character: char,
        /// Where it stands, in bytes.
        offset: usize,
    },
    /// The text is too long.
    #[error("Policy is {length} long; the limit is {limit}.")]
    TooLong {
        /// Its length: bytes of a key policy, characters of others.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The text is not a policy document.
    #[error("Syntax errors in policy: {0}")]
    Syntax(String),
    /// A statement is malformed.
    #[error("Syntax errors in policy: statement {} {reason}", statement + 1)]
    MalformedStatement {
        /// The statement's place, from 0.
        statement: usize,
        /// What is wrong.
        reason: String,
    },
    /// The version is neither `2012-10-17` nor `2008-10-17`.
    #[error("The policy must contain a valid version string")]
    InvalidVersion,
    /// There is no statement.
    #[error("Policy must contain at least one statement.")]
    NoStatement,
    /// A statement has no principal.
    #[error("Policy contains a statement with no principal.")]
    NoPrincipal,
    /// A principal cannot be one.
    #[error("Policy contains a statement with one or more invalid principals.")]
    InvalidPrincipal(String),
    /// A statement has a principal where none may stand.
    #[error("Policy document should not specify a principal.")]
    UnexpectedPrincipal,
    /// A statement has a resource where none may stand.
    #[error("Has prohibited field Resource")]
    UnexpectedResource,
    /// A statement has no action.
    #[error("Policy statement must contain actions.")]
    NoAction,
    /// A statement has no resource.
    #[error("Policy statement must contain resources.")]
    NoResource,
    /// An action has no service before it.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    ActionWithoutService(String),
    /// A trust policy speaks of another service.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    NotAssumeRole(String),
    /// A resource is neither an ARN nor `*`.
    #[error("Resource {0} must be in ARN format or \"*\".")]
    InvalidResource(String),
    /// A condition operator that does not exist.
    #[error("Invalid Condition type : {0}.")]
    UnknownOperator(String),
    /// `ForAllValues` on a key with one value holds also where the key is missing.
    #[error("OverlyPermissiveCondition: ForAllValues must not be used with the single-valued key {0}.")]
    OverlyPermissiveCondition(String),
    /// A statement id that IAM does not accept.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    InvalidSid(String),
    /// Two statements have the same id.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    RepeatedSid(String),
}

/// The error by which a service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// `ValidationException`.
    Validation,
    /// `LimitExceededException`; IAM's `LimitExceeded`.
    LimitExceeded,
    /// `MalformedPolicyDocumentException`; IAM's `MalformedPolicyDocument`.
    Malformed,
}

impl PolicyRejection {
    /// Returns the error by which the service answers.
    pub fn kind(&self) -> RejectionKind {
        match self {
            Self::IllegalCharacter { .. } => RejectionKind::Validation,
            Self::TooLong { .. } => RejectionKind::LimitExceeded,
            Self::Syntax(_)
            | Self::MalformedStatement { .. }
            | Self::InvalidVersion
            | Self::NoStatement
            | Self::NoPrincipal
            | Self::InvalidPrincipal(_)
            | Self::UnexpectedPrincipal
            | Self::UnexpectedResource
            | Self::NoAction
            | Self::NoResource
            | Self::ActionWithoutService(_)
            | Self::NotAssumeRole(_)
            | Self::InvalidResource(_)
            | Self::UnknownOperator(_)
            | Self::OverlyPermissiveCondition(_)
            | Self::InvalidSid(_)
            | Self::RepeatedSid(_) => RejectionKind::Malformed,
        }
    }
}

/// Judges a key policy as `PutKeyPolicy` does. Statements without action or resource are rejected, as KMS does
/// since 2025-08-18.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
pub fn validate_key_policy(text: &str) -> Result<(), PolicyRejection> {
    for limit in key_policy_text_limits(text) {
        match limit {
            PolicyLimit::TooLong { bytes, limit } => return Err(PolicyRejection::TooLong { length: bytes, limit }),
            PolicyLimit::IllegalCharacter { character, offset } => {
                return Err(PolicyRejection::IllegalCharacter { character, offset });
            }
            PolicyLimit::NearlyTooLong { .. }
            | PolicyLimit::NoPrincipal { .. }
            | PolicyLimit::RepeatedCondition { .. } => {}
        }
    }
    for statement in &strict_document(text)?.statements {
        require_principal(statement)?;
        require_action(statement)?;
        require_resource(statement)?;
        check_conditions(&statement.conditions)?;
        statement.conditions.iter().try_for_each(check_set_operator)?;
    }
    Ok(())
}

/// Judges a trust policy as `CreateRole` and `UpdateAssumeRolePolicy` do.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html>
pub fn validate_trust_policy(text: &str) -> Result<(), PolicyRejection> {
    let document = strict_document(text)?;
    let (length, limit) = (document.iam_length(), TRUST_POLICY_CHARACTERS);
    if length > limit {
        return Err(PolicyRejection::TooLong { length, limit });
    }
    check_sids(&document)?;
    for statement in &document.statements {
        if statement.resources.is_some() {
            return Err(PolicyRejection::UnexpectedResource);
        }
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
        if let Some(Principals::IsNot(_)) = statement.principals {
            return Err(PolicyRejection::InvalidPrincipal("NotPrincipal".to_owned()));
        }
        require_principal(statement)?;
        require_action(statement)?;
        check_assume_role(statement)?;
        check_conditions(&statement.conditions)?;
    }
    Ok(())
}

/// Judges an identity policy, boundary or session policy as `PutRolePolicy` and `CreatePolicy` do. Sums over
/// several policies are for the caller.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
pub fn validate_identity_policy(text: &str) -> Result<(), PolicyRejection> {
    let document = strict_document(text)?;
    check_sids(&document)?;
    for statement in &document.statements {
        if statement.principals.is_some() {
            return Err(PolicyRejection::UnexpectedPrincipal);
        }
        require_action(statement)?;
        require_resource(statement)?;
        check_conditions(&statement.conditions)?;
    }
    Ok(())
}

/// Reads a document in which nothing is ignored.
fn strict_document(text: &str) -> Result<PolicyDocument, PolicyRejection> {
    let document = PolicyDocument::parse(text).map_err(|error| PolicyRejection::Syntax(error.to_string()))?;
    if let Some(name) = unknown_element(text) {
        return Err(PolicyRejection::Syntax(format!("unknown element {name:?}")));
    }
    if let PolicyVersion::Other(_) = document.version {
        return Err(PolicyRejection::InvalidVersion);
    }
    if document.statements.is_empty() {
        return Err(PolicyRejection::NoStatement);
    }
    for (at, statement) in document.statements.iter().enumerate() {
        if let Some(inert) = &statement.inert {
            return Err(PolicyRejection::MalformedStatement { statement: at, reason: inert.reason.clone() });
        }
    }
    Ok(document)
}

fn unknown_element(text: &str) -> Option<String> {
    let Ok(Json::Object(members)) = serde_json::from_str(text) else { return None };
    members.into_iter().map(|(name, _)| name).find(|name| !matches!(name.as_str(), "Version" | "Id" | "Statement"))
}

fn require_principal(statement: &Statement) -> Result<(), PolicyRejection> {
    if !has_principal(statement) {
        return Err(PolicyRejection::NoPrincipal);
    }
    let (Some(Principals::Is(entries) | Principals::IsNot(entries)), effect) =
        (&statement.principals, statement.effect)
    else {
        return Ok(());
    };
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
    if effect == Effect::Allow && matches!(statement.principals, Some(Principals::IsNot(_))) {
        return Err(PolicyRejection::InvalidPrincipal("NotPrincipal".to_owned()));
    }
    match entries.iter().find(|entry| !is_possible(entry)) {
        Some(entry) => Err(PolicyRejection::InvalidPrincipal(entry.kind_and_value().1.to_owned())),
        None => Ok(()),
    }
}

/// Returns whether an entry has the form of a principal.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn is_possible(entry: &PrincipalEntry) -> bool {
    match entry {
        PrincipalEntry::Everyone => true,
        PrincipalEntry::Aws(value) => !value.contains(is_wildcard) && is_possible_aws(value),
        PrincipalEntry::Service(name) => !name.contains(is_wildcard) && name.contains('.'),
        PrincipalEntry::Federated(provider) => !provider.contains(is_wildcard) && !provider.is_empty(),
        PrincipalEntry::Other { .. } => false,
    }
}

/// Accounts, the root, users, roles, their sessions, federated users, and the ids that deleted ones leave behind.
fn is_possible_aws(value: &str) -> bool {
    let Ok(arn) = value.parse::<Arn>() else {
        return is_account_id(value) || is_unique_id(value);
    };
    let kind = arn.resource().split_once('/').map_or(arn.resource(), |(kind, _)| kind);
    let named = arn.resource().split_once('/').is_some_and(|(_, name)| !name.is_empty() && !name.ends_with('/'));
    let fits = match (arn.service(), kind) {
        ("iam", "root") => !named,
        ("iam", "user" | "role") | ("sts", "assumed-role" | "federated-user") => named,
        _ => false,
    };
    fits && arn.region().is_empty() && is_account_id(arn.account())
}

fn is_unique_id(value: &str) -> bool {
    value.len() >= 16
        && value.starts_with('A')
        && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn require_action(statement: &Statement) -> Result<(), PolicyRejection> {
    let Some(Actions::Is(patterns) | Actions::IsNot(patterns)) = &statement.actions else {
        return Err(PolicyRejection::NoAction);
    };
    if patterns.is_empty() {
        return Err(PolicyRejection::NoAction);
    }
    let has_service = |pattern: &&String| {
        let parts = pattern.split_once(':');
        *pattern == "*" || parts.is_some_and(|(service, action)| !service.is_empty() && !action.is_empty())
    };
    match patterns.iter().find(|pattern| !has_service(pattern)) {
        Some(pattern) => Err(PolicyRejection::ActionWithoutService(pattern.clone())),
        None => Ok(()),
    }
}

fn require_resource(statement: &Statement) -> Result<(), PolicyRejection> {
    let Some(Resources::Is(patterns) | Resources::IsNot(patterns)) = &statement.resources else {
        return Err(PolicyRejection::NoResource);
    };
    if patterns.is_empty() {
        return Err(PolicyRejection::NoResource);
    }
    match patterns.iter().find(|pattern| *pattern != "*" && !pattern.starts_with("arn:")) {
        Some(pattern) => Err(PolicyRejection::InvalidResource(pattern.clone())),
        None => Ok(()),
    }
}

fn check_assume_role(statement: &Statement) -> Result<(), PolicyRejection> {
    let other = match &statement.actions {
        Some(Actions::Is(patterns)) => {
            patterns.iter().find(|pattern| !pattern.to_ascii_lowercase().starts_with("sts:")).cloned()
        }
        Some(Actions::IsNot(_)) => Some("NotAction".to_owned()),
        None => None,
    };
    other.map_or(Ok(()), |action| Err(PolicyRejection::NotAssumeRole(action)))
}

fn check_conditions(conditions: &[Condition]) -> Result<(), PolicyRejection> {
    match conditions.iter().find(|condition| condition.operator.known().is_none()) {
        Some(condition) => Err(PolicyRejection::UnknownOperator(condition.operator.0.clone())),
        None => Ok(()),
    }
}

/// KMS rejects `ForAllValues` on keys that have one value.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>
fn check_set_operator(condition: &Condition) -> Result<(), PolicyRejection> {
    let key = condition.key.to_ascii_lowercase();
    let single = key.starts_with("kms:encryptioncontext:") || key.starts_with("aws:requesttag/");
    let for_all = condition.operator.known().is_some_and(|known| known.set == "ForAllValues:");
    if single && for_all {
        return Err(PolicyRejection::OverlyPermissiveCondition(condition.key.clone()));
    }
    Ok(())
}

/// IAM, unlike KMS, takes only letters and digits, and each id once.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html>
fn check_sids(document: &PolicyDocument) -> Result<(), PolicyRejection> {
    let mut seen = BTreeSet::new();
    for sid in document.statements.iter().filter_map(|statement| statement.sid.as_deref()) {
        if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(PolicyRejection::InvalidSid(sid.to_owned()));
        }
        if !sid.is_empty() && !seen.insert(sid) {
            return Err(PolicyRejection::RepeatedSid(sid.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::limits::KEY_POLICY_BYTES;
    use super::*;
    use serde_json::{Value, json};

    const ROLE: &str = "arn:aws:iam::111122223333:role/R";

    /// Returns a document of one statement in which some elements are changed; `null` removes one.
    fn changed(base: &Value, changes: &Value) -> String {
        let mut statement = base.clone();
        for (name, value) in changes.as_object().unwrap() {
            let members = statement.as_object_mut().unwrap();
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }

    fn key(changes: &Value) -> Result<(), PolicyRejection> {
        let base = json!({ "Sid": "Allow use of the key", "Effect": "Allow", "Principal": { "AWS": ROLE },
            "Action": "kms:Decrypt", "Resource": "*" });
        validate_key_policy(&changed(&base, changes))
    }

    fn trust(changes: &Value) -> Result<(), PolicyRejection> {
        let base =
            json!({ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" });
        validate_trust_policy(&changed(&base, changes))
    }

    fn identity(changes: &Value) -> Result<(), PolicyRejection> {
        let base = json!({ "Sid": "A", "Effect": "Allow", "Action": "kms:Decrypt",
            "Resource": "arn:aws:kms:eu-west-1:111122223333:key/*" });
        validate_identity_policy(&changed(&base, changes))
    }

    #[test]
    fn key_policies_that_kms_takes_pass() {
        for principal in [
            json!("*"),
            json!({ "AWS": "*" }),
            json!({ "AWS": ["111122223333", "arn:aws:iam::111122223333:root", "AROAEXAMPLEID1234567"] }),
            json!({ "AWS": "arn:aws-cn:iam::111122223333:role/path/to/R" }),
            json!({ "AWS": "arn:aws:sts::111122223333:assumed-role/R/session" }),
            json!({ "Service": "logs.eu-west-1.amazonaws.com" }),
        ] {
            assert_eq!(key(&json!({ "Principal": principal })), Ok(()));
        }
        assert_eq!(key(&json!({ "Principal": null, "NotPrincipal": { "AWS": ROLE }, "Effect": "Deny" })), Ok(()));
        assert_eq!(key(&json!({ "Action": null, "NotAction": ["kms:ScheduleKeyDeletion"] })), Ok(()));
        assert_eq!(
            validate_key_policy(
                &changed(&json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" }), &json!({}))
                    .replace("2012", "2008")
            ),
            Ok(())
        );
    }

    #[test]
    fn key_policies_that_kms_rejects_are_malformed() {
        use PolicyRejection::{
            InvalidResource, NoAction, NoPrincipal, NoResource, OverlyPermissiveCondition, UnknownOperator,
        };
        for (changes, expected) in [
            (json!({ "Principal": null }), NoPrincipal),
            (json!({ "Principal": {} }), NoPrincipal),
            (json!({ "Principal": { "AWS": [] } }), NoPrincipal),
            (json!({ "Action": null }), NoAction),
            (json!({ "Action": [] }), NoAction),
            (json!({ "Resource": null }), NoResource),
            (json!({ "Resource": "key" }), InvalidResource("key".into())),
            (json!({ "Action": "Decrypt" }), PolicyRejection::ActionWithoutService("Decrypt".into())),
            (json!({ "Condition": { "StringMatches": { "k": "v" } } }), UnknownOperator("StringMatches".into())),
            (
                json!({ "Condition": { "ForAllValues:StringEquals": { "kms:EncryptionContext:a": "v" } } }),
                OverlyPermissiveCondition("kms:EncryptionContext:a".into()),
            ),
        ] {
            assert_eq!(key(&changes), Err(expected.clone()), "{changes}");
            assert_eq!(expected.kind(), RejectionKind::Malformed);
        }
        let effect = key(&json!({ "Effect": "Permit" })).unwrap_err();
        assert!(matches!(effect, PolicyRejection::MalformedStatement { statement: 0, .. }), "{effect}");
    }

    #[test]
    fn principals_that_cannot_be_are_rejected() {
        for principal in [
            json!({ "AWS": "arn:aws:iam::111122223333:role/*" }),
            json!({ "AWS": "arn:aws:iam::111122223333:group/G" }),
            json!({ "AWS": "arn:aws:iam::111122223333:role/" }),
            json!({ "AWS": "arn:aws:iam::1111:root" }),
            json!({ "AWS": "arn:aws:s3:::bucket" }),
            json!({ "AWS": [ROLE, "R"] }),
            json!({ "CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be" }),
            json!({ "Service": "*" }),
        ] {
            let rejected = key(&json!({ "Principal": principal })).unwrap_err();
            assert!(matches!(rejected, PolicyRejection::InvalidPrincipal(_)), "{principal} {rejected}");
            assert_eq!(rejected.to_string(), "Policy contains a statement with one or more invalid principals.");
        }
        let not = key(&json!({ "Principal": null, "NotPrincipal": { "AWS": ROLE } }));
        assert_eq!(not, Err(PolicyRejection::InvalidPrincipal("NotPrincipal".into())));
    }

    #[test]
    fn what_is_no_document_is_rejected_by_kind() {
        let kind = |text: &str| validate_key_policy(text).unwrap_err().kind();
        for text in ["", "{", "[]", "{}", r#"{"Statement":[]}"#, r#"{"Version":"2012-10-18","Statement":[{}]}"#] {
            assert_eq!(kind(text), RejectionKind::Malformed, "{text}");
        }
        let extra = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}],"Extra":1}"#;
        assert_eq!(
            validate_key_policy(extra).unwrap_err().to_string(),
            "Syntax errors in policy: unknown element \"Extra\""
        );
        assert_eq!(kind(&" ".repeat(KEY_POLICY_BYTES + 1)), RejectionKind::LimitExceeded);
        assert_eq!(kind("–"), RejectionKind::Validation);
    }

    #[test]
    fn trust_policies_name_who_may_assume_and_nothing_else() {
        assert_eq!(trust(&json!({})), Ok(()));
        assert_eq!(
            trust(&json!({ "Principal": { "Federated": "cognito-identity.amazonaws.com" },
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"] })),
            Ok(())
        );
        assert_eq!(trust(&json!({ "Resource": "*" })), Err(PolicyRejection::UnexpectedResource));
        assert_eq!(trust(&json!({ "Principal": null })), Err(PolicyRejection::NoPrincipal));
        assert_eq!(
            trust(&json!({ "Action": "kms:Decrypt" })),
            Err(PolicyRejection::NotAssumeRole("kms:Decrypt".into()))
        );
        let not = trust(&json!({ "Principal": null, "NotPrincipal": { "AWS": ROLE }, "Effect": "Deny" }));
        assert_eq!(not, Err(PolicyRejection::InvalidPrincipal("NotPrincipal".into())));
        let long = json!({ "Condition": { "StringEquals": { "aws:PrincipalTag/x": "v".repeat(2_048) } } });
        assert_eq!(trust(&long).unwrap_err().kind(), RejectionKind::LimitExceeded);
    }

    #[test]
    fn identity_policies_name_no_principal() {
        assert_eq!(identity(&json!({})), Ok(()));
        assert_eq!(identity(&json!({ "Principal": "*" })), Err(PolicyRejection::UnexpectedPrincipal));
        assert_eq!(identity(&json!({ "Resource": null })), Err(PolicyRejection::NoResource));
        assert_eq!(identity(&json!({ "Action": null })), Err(PolicyRejection::NoAction));
        assert_eq!(identity(&json!({ "Sid": "a b" })), Err(PolicyRejection::InvalidSid("a b".into())));
        let twice = PolicyDocument::new(vec![Statement::allow("A", ["kms:Decrypt"]), Statement::deny("A", ["kms:*"])]);
        assert_eq!(validate_identity_policy(&twice.to_text()), Err(PolicyRejection::RepeatedSid("A".into())));
    }
}
