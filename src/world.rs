//! The facts that questions about access look at, from desired and live state, built in one place.

mod find;
mod live;
mod manifest;

pub use find::NameError;
pub use live::{Identities, LiveWorld, of_live};
pub use manifest::{key_under, of_manifest};

use crate::access::{KeyFacts, PrincipalFacts};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget, Principal, Topology};
use crate::ids::{AccountId, KeyArn, KeyId, PrincipalKind, Region, TargetName};
use crate::live::{Caller, LiveKey, MultiRegionType};
use crate::policy::PolicyDocument;
use crate::source::Loc;
use std::collections::BTreeMap;

/// Keys and principals, as a manifest declares them or as they were read.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The keys, in order of target and name.
    pub keys: Vec<WorldKey>,
    /// Everybody who is known by name, in order of ARN, each only once.
    pub principals: Vec<WorldPrincipal>,
    /// What nobody has read and what could make an answer wrong, in words: `service control policies`.
    pub gaps: Vec<String>,
}

/// A key.
#[derive(Debug, Clone)]
pub struct WorldKey {
    /// How people call it: its name in the manifest, else an alias, else its id.
    pub name: String,
    /// The target that it is in.
    pub target: TargetName,
    /// The key's facts.
    pub facts: KeyFacts,
    /// Where the manifest declares it.
    pub loc: Option<Loc>,
    /// For each statement of the policy the places of the manifest that it comes from; empty where there is none.
    pub origins: Vec<Vec<Loc>>,
}

/// Somebody.
#[derive(Debug, Clone)]
pub struct WorldPrincipal {
    /// How people call it: the role's name in the manifest, else the ARN.
    pub name: String,
    /// The principal's facts.
    pub facts: PrincipalFacts,
    /// Who may become it, for roles whose trust is known.
    pub trust: Option<PolicyDocument>,
    /// Where the manifest declares it.
    pub loc: Option<Loc>,
}

/// Returns a key's facts under a policy; a key that does not exist yet gets an id of zeros.
pub fn key_facts(
    target: &DesiredTarget,
    key: &DesiredKey,
    tags: &BTreeMap<String, String>,
    live: Option<&LiveKey>,
    policy: PolicyDocument,
) -> KeyFacts {
    let arn = live.map_or_else(|| planned_arn(&target.account, &target.region), |key| key.arn.clone());
    let mut facts = KeyFacts::new(arn.to_string(), target.account.clone(), target.region.clone(), policy);
    facts.aliases = key.aliases.iter().map(|alias| alias.value.to_string()).collect();
    facts.tags.clone_from(tags);
    key.spec().name().clone_into(&mut facts.key_spec);
    key.usage().name().clone_into(&mut facts.key_usage);
    key.origin().name().clone_into(&mut facts.key_origin);
    facts.multi_region = key.shape().multi_region;
    facts.multi_region_key_type = multi_region_key_type(&key.topology).map(str::to_owned);
    facts.grants = live
        .and_then(|key| key.grants.known())
        .map(|grants| grants.iter().map(|grant| grant.facts.clone()).collect())
        .unwrap_or_default();
    facts
}

/// Returns what `kms:MultiRegionKeyType` says of a key.
fn multi_region_key_type(topology: &Topology) -> Option<&'static str> {
    match topology {
        Topology::Single => None,
        Topology::Primary { .. } => Some(MultiRegionType::Primary.name()),
        Topology::Replica { .. } => Some(MultiRegionType::Replica.name()),
    }
}

/// Returns what stands for the ARN of a key that does not exist yet: its id is of zeros.
pub fn planned_arn(account: &AccountId, region: &Region) -> KeyArn {
    #[expect(clippy::expect_used, reason = "a constant of the right form")]
    let id: KeyId = "00000000-0000-0000-0000-000000000000".parse().expect("zeros are a key id");
    KeyArn::new(region.partition(), region, account, &id)
}

/// Returns the caller as decisions see it. Its identity policies are not read: what they add is not counted.
pub fn caller(caller: &Caller) -> PrincipalFacts {
    let mut facts = PrincipalFacts::from_arn(&caller.arn);
    if caller.principal.kind() == PrincipalKind::Role {
        facts.role_arn = Some(caller.principal.to_string());
    }
    facts
}

/// Returns somebody who stands for a principal: the role itself, or for Identity Center a role of the right name.
/// `None` for principals that are many.
pub fn stand_in(principal: &Principal, target: &DesiredTarget) -> Option<PrincipalFacts> {
    principal.stand_in(target.region.partition()).map(|arn| PrincipalFacts::from_arn(&arn))
}

/// Returns the names by which people know ARNs.
pub fn names(desired: &DesiredState, target: &DesiredTarget) -> BTreeMap<String, String> {
    desired
        .account(&target.account)
        .map(|account| {
            account.known_roles.iter().map(|(name, role)| (role.arn.to_string(), name.to_string())).collect()
        })
        .unwrap_or_default()
}
