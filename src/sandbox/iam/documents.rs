//! Which policy documents IAM takes.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use crate::policy::{PolicyDocument, PolicyVersion, Statement};
use crate::sandbox::error::ApiError;
use crate::sandbox::principals;
use crate::sandbox::state::State;

/// Sizes of policies in characters, white space not counted.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub(super) const ROLE_INLINE: usize = 10_240;
pub(super) const USER_INLINE: usize = 2_048;
pub(super) const GROUP_INLINE: usize = 5_120;
const MANAGED: usize = 6_144;
const TRUST: usize = 2_048;

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new("MalformedPolicyDocument", message)
}

/// Returns how long IAM finds a document.
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

fn read(text: &str) -> Result<PolicyDocument, ApiError> {
    let document = PolicyDocument::parse(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    if let PolicyVersion::Other(version) = &document.version {
        return Err(malformed(format!("The policy version {version} is not valid.")));
    }
    if document.statements.is_empty() {
        return Err(malformed("Syntax errors in policy."));
    }
    for statement in &document.statements {
        if let Some(inert) = &statement.inert {
            return Err(malformed(format!("Syntax errors in policy: {}.", inert.reason)));
        }
        if statement.actions.is_none() {
            return Err(malformed("Policy statement must contain actions."));
        }
    }
    Ok(document)
}

/// Checks a policy of an identity: it names resources and no principals.
pub(super) fn check_identity(text: &str) -> Result<(), ApiError> {
    let document = read(text)?;
    let problem = |statement: &Statement| {
        if statement.principals.is_some() {
            return Some("Policy document should not specify a principal.");
        }
        statement.resources.is_none().then_some("Policy statement must contain resources.")
    };
    document.statements.iter().find_map(problem).map_or(Ok(()), |message| Err(malformed(message)))
}

/// Checks a managed policy.
pub(super) fn check_managed(text: &str) -> Result<(), ApiError> {
    check_identity(text)?;
    if size(text) > MANAGED {
        let message = format!("Cannot exceed quota for PolicySize: {MANAGED}");
        return Err(ApiError::new("LimitExceeded", message).status(409));
    }
    Ok(())
}

/// Checks a session policy.
pub(in crate::sandbox) fn check_session_policy(text: &str) -> Result<(), ApiError> {
    check_identity(text)
}

/// Checks a trust policy: it names principals that exist, and no resources.
pub(super) fn check_trust(state: &State, text: &str) -> Result<(), ApiError> {
    let document = read(text)?;
    for statement in &document.statements {
        if statement.principals.is_none() {
            return Err(malformed("AssumeRole policy must contain principals."));
        }
        if statement.resources.is_some() {
            return Err(malformed("Has prohibited field Resource"));
        }
    }
    principals::check_exist(state, &document).map_err(|_| malformed("Invalid principal in policy"))?;
    if size(text) > TRUST {
        let message = format!("Cannot exceed quota for ACLSizePerRole: {TRUST}");
        return Err(ApiError::new("LimitExceeded", message).status(409));
    }
    Ok(())
}
