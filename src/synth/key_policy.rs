//! The key policy: delegation, staff, users, denies, in this order.

use super::clause::{Place, about};
use super::{deny, user};
use crate::desired::{Delegation, DesiredKey, DesiredTarget, Principal};
use crate::ids::PrincipalArn;
use crate::kms::{Capability, KeyShape};
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use std::collections::BTreeSet;

/// Returns the policy that a key of a target must have.
///
/// Roles are named by ARN, which is predictable before they exist; the order of the manifest does not matter.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>
pub fn key_policy(target: &DesiredTarget, key: &DesiredKey) -> PolicyDocument {
    let mut statements: Vec<Statement> = delegation(target, key).into_iter().collect();
    statements.extend(staff(target, key));
    statements.extend(user::statements(target, key));
    statements.extend(deny::statements(target, key));
    number_repeated_sids(&mut statements);
    PolicyDocument::new(statements)
}

/// Returns the shape of a key, on which its legal actions depend.
pub(super) fn shape(key: &DesiredKey) -> KeyShape {
    KeyShape::new(key.spec(), key.usage())
}

/// Returns the statement that leaves a way in for the account, if one is wanted.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
fn delegation(target: &DesiredTarget, key: &DesiredKey) -> Option<Statement> {
    const RECOVERY: [&str; 6] = [
        "kms:CancelKeyDeletion",
        "kms:DescribeKey",
        "kms:EnableKey",
        "kms:GetKeyPolicy",
        "kms:ListKeyPolicies",
        "kms:PutKeyPolicy",
    ];
    let root = PrincipalArn::root(target.region.partition(), &target.account);
    let entry = vec![PrincipalEntry::Aws(root.to_string())];
    match key.delegation {
        Delegation::None => None,
        Delegation::RootUser => {
            let recovery = Statement::allow("RootUserRecovery", RECOVERY).principals(entry);
            Some(recovery.when("StringEquals", "aws:PrincipalType", ["Account"]))
        }
        Delegation::Account => Some(Statement::allow("EnableIamPolicies", ["kms:*"]).principals(entry)),
    }
}

/// Returns the statements of those who keep the key without using it.
fn staff(target: &DesiredTarget, key: &DesiredKey) -> Vec<Statement> {
    let deployers = target.deployers.iter().collect();
    let admins = key.admins.iter().map(|admin| &admin.0).collect();
    let deleters = key.deleters.iter().collect();
    // The self-test judges what it may not call, so its principal reads what planners read.
    let auditors = key.auditors.iter().chain(&target.planners).chain(&target.verifier).collect();
    let groups: [(&str, Capability, BTreeSet<&Principal>); 4] = [
        ("Deployers", Capability::Deploy, deployers),
        ("Administrators", Capability::Administer, admins),
        ("Deleters", Capability::Delete, deleters),
        ("Auditors", Capability::Audit, auditors),
    ];
    let group = |(sid, capability, principals): (&str, Capability, BTreeSet<&Principal>)| {
        let actions = capability.actions(shape(key)).into_iter().map(|action| action.full);
        about(&Statement::allow(sid, actions), principals, Place::of(target))
    };
    groups.into_iter().flat_map(group).collect()
}

/// Makes Sids unique: a repeated one gets a number.
fn number_repeated_sids(statements: &mut [Statement]) {
    let mut seen = BTreeSet::new();
    for sid in statements.iter_mut().filter_map(|statement| statement.sid.as_mut()) {
        let base = sid.clone();
        let mut number = 2;
        while !seen.insert(sid.clone()) {
            *sid = format!("{base}{number}");
            number += 1;
        }
    }
}
