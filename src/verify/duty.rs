//! What the manifest allows one principal on one key, all its entries taken together.

use super::context;
use super::uses::takes_context;
use crate::desired::{DataKeyUse, DesiredKey, DesiredTarget, DesiredUser, Principal};
use crate::kms::{Capability, KmsAction};
use crate::policy::glob_matches;
use crate::ports::EncryptionContext;
use std::collections::BTreeSet;

/// One principal's part in one key.
#[derive(Debug, Clone)]
pub(super) struct Duty<'a> {
    /// How people call it.
    pub(super) identity: String,
    /// Who.
    pub(super) principal: &'a Principal,
    /// The tables that make it a user.
    pub(super) tables: Vec<&'a DesiredUser>,
    /// The actions, with prefix, that it has as staff: administering, deleting, reading, deploying.
    pub(super) staff: BTreeSet<&'static str>,
    /// Whether it deploys the target.
    pub(super) deploys: Deploys,
}

/// Whether a principal deploys the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deploys {
    Yes,
    No,
}

/// Returns the part of everybody whom the manifest names for a key: users by name, then staff.
pub(super) fn duties<'a>(target: &'a DesiredTarget, key: &'a DesiredKey) -> Vec<Duty<'a>> {
    let mut duties: Vec<Duty<'a>> = Vec::new();
    let mut users: Vec<&DesiredUser> = key.users.iter().collect();
    users.sort_by_key(|user| user.principal.name());
    for user in users {
        entry(&mut duties, &user.principal).tables.push(user);
    }
    let shape = key.shape();
    let mut staff = |principals: Vec<&'a Principal>, capability: Capability| {
        for principal in principals {
            let duty = entry(&mut duties, principal);
            duty.staff.extend(capability.actions(shape).into_iter().map(|action| action.full));
            if capability == Capability::Deploy {
                duty.deploys = Deploys::Yes;
            }
        }
    };
    staff(key.admins.iter().map(|admin| &admin.0).collect(), Capability::Administer);
    staff(key.deleters.iter().collect(), Capability::Delete);
    staff(key.auditors.iter().chain(&target.planners).chain(&target.verifier).collect(), Capability::Audit);
    staff(target.deployers.iter().collect(), Capability::Deploy);
    duties
}

fn entry<'a, 'd>(duties: &'d mut Vec<Duty<'a>>, principal: &'a Principal) -> &'d mut Duty<'a> {
    let at = duties.iter().position(|duty| duty.principal == principal).unwrap_or(duties.len());
    if at == duties.len() {
        let (tables, staff) = (Vec::new(), BTreeSet::new());
        duties.push(Duty { identity: principal.name(), principal, tables, staff, deploys: Deploys::No });
    }
    #[expect(clippy::expect_used, reason = "the place was found, or made just now")]
    duties.get_mut(at).expect("a duty is there")
}

impl Duty<'_> {
    /// Returns whether the manifest allows a direct call of an action, with prefix, under a context.
    pub(super) fn allows(&self, key: &DesiredKey, action: &str, context: &EncryptionContext) -> bool {
        if self.staff.contains(action) {
            return true;
        }
        let takes_context =
            takes_context(key) && KmsAction::find(action).is_some_and(|action| action.takes_encryption_context);
        let complete = key.required_context.iter().all(|required| context.contains_key(required));
        (complete || !takes_context)
            && self.tables.iter().any(|user| {
                has_action(key, user, action)
                    && match &user.access {
                        DataKeyUse::Direct { context: patterns } => !takes_context || matches_all(patterns, context),
                        DataKeyUse::Via { .. } => false,
                    }
            })
    }

    /// Returns the tables that allow some direct calls, each with a context that satisfies it.
    pub(super) fn direct_contexts(&self, key: &DesiredKey) -> Vec<(&DesiredUser, EncryptionContext)> {
        self.tables.iter().filter_map(|user| Some((*user, context::direct(key, user)?))).collect()
    }

    /// Returns whether a table allows an action directly under some context or other.
    pub(super) fn has_direct(&self, key: &DesiredKey, action: &str) -> bool {
        let direct = |user: &&&DesiredUser| matches!(user.access, DataKeyUse::Direct { .. });
        self.tables.iter().filter(direct).any(|user| has_action(key, user, action))
    }

    /// Returns whether it uses the key at all.
    pub(super) fn is_user(&self) -> bool {
        !self.tables.is_empty()
    }
}

fn has_action(key: &DesiredKey, user: &DesiredUser, action: &str) -> bool {
    user.capabilities.iter().any(|capability| capability.actions(key.shape()).iter().any(|known| known.full == action))
}

fn matches_all(patterns: &std::collections::BTreeMap<String, Vec<String>>, context: &EncryptionContext) -> bool {
    patterns.iter().all(|(name, patterns)| {
        context.get(name).is_some_and(|value| patterns.iter().any(|pattern| glob_matches(pattern, value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::sample::{direct, key, restricted, role, target, user};

    #[test]
    fn everybody_has_one_part() {
        let mut ledger = restricted();
        ledger.auditors.push(role("key-admin"));
        let target = target("prod", "eu-west-1", vec![ledger.clone()]);
        let duties = duties(&target, &ledger);
        let names: Vec<&str> = duties.iter().map(|duty| duty.identity.as_str()).collect();
        let all = ["api", "reporting", "key-admin", "security-admin", "key-deleter", "compliance", "pr-planner"];
        assert_eq!(names, [&all[..], &["keywright-deployer"]].concat());
        assert!(duties[2].staff.contains("kms:PutKeyPolicy") && !duties[5].staff.contains("kms:PutKeyPolicy"));
    }

    #[test]
    fn a_direct_use_takes_the_declared_context_and_the_required_keys() {
        let mut ledger = key("ledger");
        ledger.required_context.insert("app".to_owned());
        ledger.users = vec![user(
            role("reporting"),
            &[Capability::Decrypt, Capability::Describe],
            direct(&[("tenant", &["a-*"])]),
        )];
        let target = target("prod", "eu-west-1", vec![ledger.clone()]);
        let duty = &duties(&target, &ledger)[0];
        let context = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<EncryptionContext>()
        };
        let allows = |action, pairs: &[(&str, &str)]| duty.allows(&ledger, action, &context(pairs));
        assert!(allows("kms:Decrypt", &[("tenant", "a-1"), ("app", "x")]));
        assert!(!allows("kms:Decrypt", &[("tenant", "b-1"), ("app", "x")]));
        assert!(!allows("kms:Decrypt", &[("tenant", "a-1")]));
        assert!(!allows("kms:Decrypt", &[]) && allows("kms:DescribeKey", &[]));
        assert!(!allows("kms:Encrypt", &[("tenant", "a-1"), ("app", "x")]));
        let (_, picked) = &duty.direct_contexts(&ledger)[0];
        assert!(duty.allows(&ledger, "kms:Decrypt", picked), "{picked:?}");
    }
}
