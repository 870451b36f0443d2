//! Who an identity is for the evaluator: its ARN, tags, policies and boundary, from what IAM has of it.

use super::state::{ADMINISTRATOR, Entity, EntityKind, SessionOf, State, entity};
use crate::access::{PrincipalFacts, PrincipalType};
use crate::ids::AccountId;
use crate::policy::PolicyDocument;

/// The one AWS managed policy that the sandbox has.
pub(super) const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Returns the facts and the unique id of the identity behind credentials, `None` if it is gone.
pub(super) fn of_session(state: &State, account: &AccountId, of: &SessionOf) -> Option<(PrincipalFacts, String)> {
    match of {
        SessionOf::User { name } => {
            let user = state.users.get(&entity(account, name))?;
            Some((facts(state, user, EntityKind::User), user.id.clone()))
        }
        SessionOf::Role { name, id, session, policy } => {
            let role = state.roles.get(&entity(account, name)).filter(|role| role.id == *id)?;
            let mut facts = facts(state, role, EntityKind::Role);
            facts.kind = PrincipalType::RoleSession;
            facts.arn = session_arn(role, session);
            facts.session_policy = policy.as_deref().map(parse);
            Some((facts, format!("{id}:{session}")))
        }
    }
}

/// Returns the ARN of a session of a role.
pub(super) fn session_arn(role: &Entity, session: &str) -> String {
    let partition = role.arn.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:sts::{}:assumed-role/{}/{session}", role.account, role.name)
}

/// Returns the facts of a role, user or group.
pub(super) fn facts(state: &State, entity: &Entity, kind: EntityKind) -> PrincipalFacts {
    let principal_type = match kind {
        EntityKind::Role => PrincipalType::Role,
        // A group is no principal: nobody is one.
        EntityKind::User | EntityKind::Group => PrincipalType::User,
    };
    let mut facts = PrincipalFacts::new(principal_type, entity.arn.clone(), Some(entity.account.clone()));
    if kind == EntityKind::Role {
        facts.role_arn = Some(entity.arn.clone());
        facts.service_linked_role = entity.path.starts_with("/aws-service-role/");
    }
    facts.unique_id = Some(entity.id.clone());
    facts.tags.clone_from(&entity.tags);
    let groups = entity.groups.iter().filter_map(|name| state.groups.get(&self::entity(&entity.account, name)));
    facts.identity_policies =
        std::iter::once(entity).chain(groups).flat_map(|entity| policies(state, entity)).collect();
    facts.permissions_boundary = entity.boundary.as_deref().and_then(|arn| document(state, arn)).map(parse);
    facts
}

/// Returns the policies of a role, user or group itself.
fn policies(state: &State, entity: &Entity) -> Vec<PolicyDocument> {
    let attached = entity.attached.iter().filter_map(|arn| document(state, arn));
    entity.inline.values().map(String::as_str).chain(attached).map(parse).collect()
}

/// Returns the text of a managed policy.
pub(super) fn document<'a>(state: &'a State, arn: &str) -> Option<&'a str> {
    if arn == ADMINISTRATOR_ACCESS {
        return Some(ADMINISTRATOR);
    }
    state.policies.get(arn).map(|policy| policy.document.as_str())
}

/// Returns a stored policy; it was checked when it was stored, and one that is none allows nothing.
pub(super) fn parse(text: &str) -> PolicyDocument {
    PolicyDocument::parse(text).unwrap_or_else(|_| PolicyDocument::new(Vec::new()))
}
