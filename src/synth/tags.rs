//! The tags of keys and roles: the manifest's, and the reserved ones that prove whose they are.

use crate::desired::{DesiredKey, DesiredRole, DesiredState};
use std::collections::BTreeMap;

/// What every reserved tag begins with.
pub const TAG_PREFIX: &str = "keywright:";

/// The tag that holds the stack's name.
pub const TAG_STACK: &str = "keywright:stack";

/// The tag that holds the key's name in the manifest.
pub const TAG_KEY: &str = "keywright:key";

/// The tag that holds the role's name in the manifest.
pub const TAG_ROLE: &str = "keywright:role";

/// The tag that holds the manifest's owner id.
pub const TAG_OWNER: &str = "keywright:owner";

/// The tag that holds the id of the run that made a key, so that a lost reply can be looked up. It is chosen
/// when a key is made and is no part of what is wanted.
pub const TAG_CLAIM: &str = "keywright:claim";

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
