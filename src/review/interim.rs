//! interim
use super::AccessChange;
use crate::access::{KeyFacts, PrincipalFacts};
use crate::ids::KeyName;
use std::collections::BTreeMap;
/// x
#[derive(Debug)]
pub struct ReviewInput<'a> {
    /// x
    pub key: &'a KeyName,
    /// x
    pub before: Option<&'a KeyFacts>,
    /// x
    pub after: &'a KeyFacts,
    /// x
    pub names: &'a BTreeMap<String, String>,
}
/// x
pub fn access_change(_: &ReviewInput<'_>) -> AccessChange {
    AccessChange::default()
}
/// x
#[derive(Debug)]
pub struct LockedOut {
    /// x
    pub missing: Vec<String>,
}
/// x
pub fn keeps_a_way_in(_: &KeyFacts, _: &PrincipalFacts, _: &[PrincipalFacts]) -> Result<(), LockedOut> {
    Ok(())
}
