//! Who may assume a role: its trust policy, and the caller's own policies.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use super::combine::{CallerSide, Findings, same_account_ways};
use super::context::Call;
use super::facts::{Guardrails, PrincipalType};
use super::layer::{Held, Need, ResourceSaid};
use super::statement::Kind;
use super::truth::Truth;
use super::verdict::Layer;
use crate::policy::PolicyDocument;

/// Judges a call that assumes the role that the request names as its resource.
pub(super) fn find(call: &Call<'_>, trust: &PolicyDocument) -> Findings {
    let caller_side = CallerSide::judge(call, &Guardrails::default());
    let mut role_side = ResourceSaid::nothing();
    role_side.judge(Layer::Trust, trust, Kind::Trust, call);
    let deny = role_side.deny.surer(caller_side.deny);
    if deny.truth == Truth::True {
        return Findings { deny, ways: Vec::new(), open: None };
    }
    let role_account = call.request.resource.split(':').nth(4).unwrap_or_default();
    let ways = match call.caller.facts.kind {
        PrincipalType::Root => vec![caller_side.direct_way(Held::no(Need::NotRoot))],
        // Sessions of an identity provider have no account before they have a role.
        PrincipalType::Service | PrincipalType::FederatedUser if call.caller.account.is_none() => {
            vec![caller_side.direct_way(role_side.direct)]
        }
        PrincipalType::User
        | PrincipalType::Role
        | PrincipalType::RoleSession
        | PrincipalType::FederatedUser
        | PrincipalType::Service => {
            if call.caller.account == Some(role_account) {
                same_account_ways(&role_side, &caller_side)
            } else {
                vec![caller_side.own_way(&[role_side.admitted()])]
            }
        }
    };
    Findings { deny, ways, open: None }
}
