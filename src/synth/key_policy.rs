//! The key policy: delegation, staff, users, denies, in this order.

use super::clause::{Named, Place, Written, add, named, written};
use super::{deny, user};
use crate::desired::{Delegation, DesiredKey, DesiredTarget};
use crate::ids::{PrincipalArn, Region};
use crate::kms::{Capability, KeyShape};
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::source::Loc;
use std::collections::BTreeSet;

/// Returns the policy that a key of a target must have.
///
/// Roles are named by ARN, which is predictable before they exist; the order of the manifest does not matter.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>
pub fn key_policy(target: &DesiredTarget, key: &DesiredKey) -> PolicyDocument {
    let mut statements: Vec<Statement> = all(target, key).into_iter().map(|written| written.statement).collect();
    number_repeated_sids(&mut statements);
    PolicyDocument::new(statements)
}

/// Returns for each statement of a key's policy the places of the manifest that it comes from, in order: those where
/// its principals are named, or what demands it. Empty for a statement that no place demands.
pub fn key_policy_origins(target: &DesiredTarget, key: &DesiredKey) -> Vec<Vec<Loc>> {
    all(target, key).into_iter().map(|written| written.places.into_iter().collect()).collect()
}

fn all(target: &DesiredTarget, key: &DesiredKey) -> Vec<Written> {
    let mut statements: Vec<Written> = delegation(target, key).into_iter().collect();
    statements.extend(staff(target, key));
    statements.extend(user::statements(target, key));
    statements.extend(deny::statements(target, key));
    statements
}

/// Returns the shape of a key, on which its legal actions depend.
pub(super) fn shape(key: &DesiredKey) -> KeyShape {
    key.shape()
}

/// Returns the statement that leaves a way in for the account, if one is wanted.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
fn delegation(target: &DesiredTarget, key: &DesiredKey) -> Option<Written> {
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
    let statement = match key.delegation {
        Delegation::None => return None,
        Delegation::RootUser => {
            let recovery = Statement::allow("RootUserRecovery", RECOVERY).principals(entry);
            recovery.when("StringEquals", "aws:PrincipalType", ["Account"])
        }
        Delegation::Account => Statement::allow("EnableIamPolicies", ["kms:*"]).principals(entry),
    };
    Some(Written { statement, places: [key.places.delegation.unwrap_or(key.loc)].into() })
}

/// Returns the statements of those who keep the key without using it.
fn staff(target: &DesiredTarget, key: &DesiredKey) -> Vec<Written> {
    let (common, own) = (&target.places, &key.places);
    let admins = key.admins.iter().map(|admin| &admin.0);
    let mut auditors = named(&key.auditors, &own.auditors);
    add(&mut auditors, &target.planners, &common.planners);
    // The self-test judges what it may not call, so its principal reads what planners read.
    add(&mut auditors, &target.verifier, common.verifier.as_slice());
    let groups: [(&str, Capability, Named<'_>); 4] = [
        ("Deployers", Capability::Deploy, named(&target.deployers, &common.deployers)),
        ("Administrators", Capability::Administer, named(admins, &own.admins)),
        ("Deleters", Capability::Delete, named(&key.deleters, &own.deleters)),
        ("Auditors", Capability::Audit, auditors),
    ];
    let group = |(sid, capability, principals): (&str, Capability, Named<'_>)| {
        let actions = capability.actions(shape(key)).into_iter().map(|action| action.full);
        let own = Some(Statement::allow(sid, actions));
        let replication = replication(sid, key).filter(|_| replicates(capability));
        let both = own.into_iter().chain(replication);
        both.flat_map(|statement| written(&statement, &principals, Place::of(target))).collect::<Vec<Written>>()
    };
    groups.into_iter().flat_map(group).collect()
}

/// Returns whether those who have a capability may replicate the key in its family.
fn replicates(capability: Capability) -> bool {
    matches!(capability, Capability::Deploy | Capability::Administer)
}

/// Returns the statement for replicating a key, if it has replicas: in the Regions of its family alone, because a
/// replica has a policy of its own. Each of the family has it, so that each may become the primary.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-auth.html>
fn replication(sid: &str, key: &DesiredKey) -> Option<Statement> {
    let regions: BTreeSet<&str> = key.family.iter().map(Region::as_str).collect();
    let statement = Statement::allow(&format!("{sid}Replicate"), ["kms:ReplicateKey"]);
    (!regions.is_empty()).then(|| statement.when("StringEquals", "kms:ReplicaRegion", regions))
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
