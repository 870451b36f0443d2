//! Whose duties are not separate: principals that can change a key and use it themselves.

use super::rule::{Rule, Rules};
use super::witness::{Attempt, attempts};
use crate::access::{Guardrails, KeyFacts, PrincipalFacts, Request, evaluate};
use crate::kms::{ACTIONS, KmsAction};
use std::collections::BTreeSet;

/// Somebody who can both change a key and use it directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BothDuties {
    /// The principal's ARN.
    pub principal: String,
    /// The actions by which it can change who uses the key, or destroy it.
    pub administers: BTreeSet<String>,
    /// The cryptographic actions that it can call itself, under some encryption context or other.
    pub uses: BTreeSet<String>,
}

const ADMINISTERING: [&str; 5] =
    ["kms:CreateGrant", "kms:DisableKey", "kms:PutKeyPolicy", "kms:ReplicateKey", "kms:ScheduleKeyDeletion"];

/// Returns those of some principals that can both administer a key and use it directly, under the key's policy
/// and grants and the principals' own policies. Use through a service is not direct.
pub fn separation(key: &KeyFacts, principals: &[PrincipalFacts]) -> Vec<BothDuties> {
    let rules = Rules::of(key).allows;
    let both = principals.iter().filter_map(|principal| {
        let administers = can(ADMINISTERING, &rules, key, principal);
        let crypto = ACTIONS.iter().filter(|action| action.is_cryptographic()).map(|action: &KmsAction| action.full);
        let uses = can(crypto, &rules, key, principal);
        let duties = BothDuties { principal: principal.arn.clone(), administers, uses };
        (!duties.administers.is_empty() && !duties.uses.is_empty()).then_some(duties)
    });
    both.collect()
}

fn can(
    actions: impl IntoIterator<Item = &'static str>,
    rules: &[Rule],
    key: &KeyFacts,
    principal: &PrincipalFacts,
) -> BTreeSet<String> {
    let can = |action: &&str| {
        requests(action, rules, key)
            .iter()
            .any(|request| evaluate(request, principal, Some(key), &Guardrails::default()).is_allowed())
    };
    actions.into_iter().filter(can).map(str::to_owned).collect()
}

/// Returns the direct calls of an action that some rule is meant to allow, and the plain one.
fn requests(action: &str, rules: &[Rule], key: &KeyFacts) -> Vec<Request> {
    let fitting = rules.iter().filter(|rule| rule.has(action));
    let direct = |attempt: Attempt| Some(attempt.request).filter(|request| request.via_service.is_none());
    let mut requests: Vec<Request> = fitting.flat_map(|rule| attempts(action, rule, key)).filter_map(direct).collect();
    requests.push(Request::new(action, key.arn.clone(), key.region.clone()));
    requests
}
