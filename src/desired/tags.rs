//! The reserved tags: how keywright knows its own keys and roles again.

/// The stack, on every key and role.
pub const TAG_STACK: &str = "keywright:stack";
/// The key's name in the manifest.
pub const TAG_KEY: &str = "keywright:key";
/// The role's name in the manifest.
pub const TAG_ROLE: &str = "keywright:role";
/// The owner id of the manifest.
pub const TAG_OWNER: &str = "keywright:owner";
/// The id of the run that created a key.
pub const TAG_CLAIM: &str = "keywright:claim";
/// On a key that lost the race for its claim alias: the id of the winner.
pub const TAG_STRAY: &str = "keywright:stray";
/// On a retired key: the day on which it was retired, such as `2026-11-24`; its soak counts from it.
pub const TAG_RETIRED: &str = "keywright:retired-at";
/// On a key with imported material: the validity with which it was imported, such as `180 days` or `never`, so that a
/// changed one is noticed.
pub const TAG_VALIDITY: &str = "keywright:valid-for";
/// What all reserved tags begin with.
pub const RESERVED_PREFIX: &str = "keywright:";
