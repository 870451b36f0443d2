//! The tags of keys and roles: the manifest's, and the reserved ones that prove whose they are.

use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_ROLE, TAG_STACK};
use crate::desired::{DesiredKey, DesiredRole, DesiredState};
use std::collections::BTreeMap;

/// Returns the tags that a key must carry, without the claim.
pub fn key_tags(state: &DesiredState, key: &DesiredKey) -> BTreeMap<String, String> {
    with_reserved(state, &key.tags, (TAG_KEY, key.name.as_str()))
}

/// Returns the tags that a role must carry.
pub fn role_tags(state: &DesiredState, role: &DesiredRole) -> BTreeMap<String, String> {
    with_reserved(state, &role.tags, (TAG_ROLE, role.name.as_str()))
}

fn with_reserved(
    state: &DesiredState,
    tags: &BTreeMap<String, String>,
    name: (&str, &str),
) -> BTreeMap<String, String> {
    let mut all = tags.clone();
    for (tag, value) in [(TAG_STACK, state.stack.as_str()), (TAG_OWNER, state.owner.as_str()), name] {
        all.insert(tag.to_owned(), value.to_owned());
    }
    all
}
