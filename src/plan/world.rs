//! The facts that access decisions need, from desired and live state, built in one place.

use crate::access::{KeyFacts, PrincipalFacts};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget, Principal};
use crate::ids::{KeyArn, KeyId, PrincipalKind};
use crate::live::{Caller, LiveKey};
use crate::policy::PolicyDocument;
use std::collections::BTreeMap;

/// Returns a key's facts under a policy; a key that does not exist yet gets an id of zeros.
pub(in crate::plan) fn key_facts(
    target: &DesiredTarget,
    key: &DesiredKey,
    tags: &BTreeMap<String, String>,
    live: Option<&LiveKey>,
    policy: PolicyDocument,
) -> KeyFacts {
    let arn = live.map_or_else(|| placeholder(target), |key| key.arn.clone());
    let mut facts = KeyFacts::new(arn.to_string(), target.account.clone(), target.region.clone(), policy);
    facts.aliases = key.aliases.iter().map(|alias| alias.value.to_string()).collect();
    facts.tags.clone_from(tags);
    facts.grants = live
        .and_then(|key| key.grants.known())
        .map(|grants| grants.iter().map(|grant| grant.facts.clone()).collect())
        .unwrap_or_default();
    facts
}

fn placeholder(target: &DesiredTarget) -> KeyArn {
    #[expect(clippy::expect_used, reason = "a constant of the right form")]
    let id: KeyId = "00000000-0000-0000-0000-000000000000".parse().expect("zeros are a key id");
    KeyArn::new(target.region.partition(), &target.region, &target.account, &id)
}

/// Returns the caller as decisions see it. Its identity policies are not read: what they add is not counted.
pub(in crate::plan) fn caller(caller: &Caller) -> PrincipalFacts {
    let mut facts = PrincipalFacts::from_arn(&caller.arn);
    if caller.principal.kind() == PrincipalKind::Role {
        facts.role_arn = Some(caller.principal.to_string());
    }
    facts
}

/// Returns somebody who stands for a principal: the role itself, or for Identity Center a role of the right name.
/// `None` for principals that are many.
pub(in crate::plan) fn stand_in(principal: &Principal, target: &DesiredTarget) -> Option<PrincipalFacts> {
    principal.stand_in(target.region.partition()).map(|arn| PrincipalFacts::from_arn(&arn))
}

/// Returns the names by which people know ARNs.
pub(in crate::plan) fn names(desired: &DesiredState, target: &DesiredTarget) -> BTreeMap<String, String> {
    desired
        .account(&target.account)
        .map(|account| {
            account.known_roles.iter().map(|(name, role)| (role.arn.to_string(), name.to_string())).collect()
        })
        .unwrap_or_default()
}
