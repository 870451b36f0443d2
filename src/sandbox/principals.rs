//! Principals in policies: which exist, how KMS stores them, and what becomes of them when they are deleted.

use super::state::State;
use crate::ids::{AccountId, PrincipalArn, PrincipalKind};
use crate::policy::{PolicyDocument, PrincipalEntry, Principals, Statement};
use serde_json::Value;

/// KMS's words for a policy that names somebody unknown.
pub(super) const INVALID_PRINCIPALS: &str = "Policy contains a statement with one or more invalid principals.";

/// Returns the entries of a statement's principal element.
fn entries(statement: &Statement) -> &[PrincipalEntry] {
    match &statement.principals {
        Some(Principals::Is(entries) | Principals::IsNot(entries)) => entries,
        None => &[],
    }
}

/// Returns why KMS would not take the form of a key policy.
pub(super) fn problem_of_key_policy(document: &PolicyDocument) -> Option<String> {
    if let crate::policy::PolicyVersion::Other(version) = &document.version {
        return Some(format!("Policy contains the unknown version {version}."));
    }
    if document.statements.is_empty() {
        return Some("Policy contains no statement.".to_owned());
    }
    document.statements.iter().find_map(|statement| {
        if let Some(inert) = &statement.inert {
            return Some(format!("Policy contains a malformed statement: {}.", inert.reason));
        }
        if entries(statement).is_empty() {
            return Some("Policy contains a statement with no principal.".to_owned());
        }
        if statement.actions.is_none() || statement.resources.is_none() {
            return Some("Policy contains a statement without an action or a resource.".to_owned());
        }
        None
    })
}

/// Checks that every principal exists, as far as this sandbox can know.
pub(super) fn check_exist(state: &State, document: &PolicyDocument) -> Result<(), &'static str> {
    let all = document.statements.iter().flat_map(entries);
    let known = |entry: &PrincipalEntry| match entry {
        PrincipalEntry::Everyone | PrincipalEntry::Federated(_) => true,
        PrincipalEntry::Service(name) => name.contains('.'),
        PrincipalEntry::Aws(text) => exists(state, text),
        PrincipalEntry::Other { .. } => false,
    };
    if all.into_iter().all(known) { Ok(()) } else { Err(INVALID_PRINCIPALS) }
}

/// Returns whether a principal exists; what is in accounts that were never seen counts as existing.
pub(super) fn exists(state: &State, text: &str) -> bool {
    if text == "*" || text.parse::<AccountId>().is_ok() {
        return true;
    }
    let Ok(arn) = text.parse::<PrincipalArn>() else {
        let id = |(_, entity): (&String, &super::state::Entity)| entity.id == text;
        return state.roles.iter().any(id) || state.users.iter().any(id);
    };
    let account = arn.account();
    if !state.knows_account(&account) {
        return true;
    }
    match arn.kind() {
        PrincipalKind::Root | PrincipalKind::FederatedUser => true,
        PrincipalKind::Role => state.roles.iter().any(|(_, role)| role.arn == text),
        PrincipalKind::User => state.users.iter().any(|(_, user)| user.arn == text),
        PrincipalKind::Session => {
            let name = arn.role_name().unwrap_or_default();
            state.roles.get(&super::state::entity(&account, name)).is_some()
        }
    }
}

/// Returns a policy as KMS gives it back: an account's id has become its root, a unique id an ARN.
pub(super) fn as_stored(text: &str, partition: &str) -> String {
    rewrite(text, |principal| {
        let account: AccountId = principal.parse().ok()?;
        Some(format!("arn:{partition}:iam::{account}:root"))
    })
}

/// Replaces principals by a rule; the text stays as it is where the rule applies to none.
pub(super) fn rewrite(text: &str, rule: impl Fn(&str) -> Option<String>) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let mut changed = false;
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.as_mut_slice(),
        Some(statement) => std::slice::from_mut(statement),
        None => &mut [],
    };
    for statement in statements {
        for element in ["Principal", "NotPrincipal"] {
            let values = match statement.get_mut(element).and_then(|element| element.get_mut("AWS")) {
                Some(Value::Array(values)) => values.as_mut_slice(),
                Some(value) => std::slice::from_mut(value),
                None => continue,
            };
            for value in values {
                if let Some(new) = value.as_str().and_then(&rule) {
                    *value = Value::String(new);
                    changed = true;
                }
            }
        }
    }
    if changed { format!("{document:#}") } else { text.to_owned() }
}

/// Lets a principal that is being deleted appear by its unique id, in key policies and trust policies.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
pub(super) fn forget(state: &mut State, arn: &str, id: &str) {
    let rule = |principal: &str| (principal == arn).then(|| id.to_owned());
    for name in state.keys.names_where(|key| key.policy.contains(arn)) {
        if let Some(key) = state.keys.get_mut(&name) {
            key.policy = rewrite(&key.policy, rule);
        }
    }
    for name in state.roles.names_where(|role| role.trust.contains(arn)) {
        if let Some(role) = state.roles.get_mut(&name) {
            role.trust = rewrite(&role.trust, rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_become_roots_and_other_text_is_untouched() {
        let text = r#"{"Statement":{"Principal":{"AWS":["111122223333","arn:aws:iam::1:x"]}}}"#;
        assert!(as_stored(text, "aws").contains("arn:aws:iam::111122223333:root"));
        let text = r#"{ "Statement" : [{"Principal":"*"}] }"#;
        assert_eq!(as_stored(text, "aws"), text);
    }
}
