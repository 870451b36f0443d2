//! Accounts: the roles that each has, which of them are used, and which keywright makes.

use super::placeholder::Values;
use super::principal::{Home, Position};
use super::role::{AccountRoles, Presence, Roles, roles_in};
use super::trust::{Made, Shared, make_role};
use crate::desired::{DesiredAccount, DesiredTarget, KnownRole, Principal, RoleOrigin};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{AccountId, Partition, RoleName};
use crate::manifest::read::Merged;
use crate::source::Located;
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// An account's roles.
#[derive(Debug)]
pub(super) struct AccountBook {
    /// The partition.
    pub(super) partition: Partition,
    /// The declared roles as they exist here.
    pub(super) roles: AccountRoles,
    /// The roles that keywright would make here, if a key uses them.
    pub(super) made: Made,
    /// Who runs the self-test here.
    pub(super) verifier: Option<Located<Principal>>,
}

/// Accounts by id.
pub(super) type Accounts = BTreeMap<AccountId, AccountBook>;

/// Resolves the roles of an account.
pub(super) fn resolve_account(
    merged: &Merged,
    roles: &Roles<'_>,
    values: &Values,
    found: &mut Diagnostics,
) -> AccountBook {
    let values = Values { target: None, ..values.clone() };
    let here = roles_in(roles, &merged.roles, &values, found);
    let home = Home { values: &values, roles: &here };
    let verifier = merged.verify.as_ref().and_then(|verify| {
        let written = Located::new(verify.value.principal.get().as_str(), verify.loc);
        Some(Located::new(home.resolve(&written, Position::Verifier, found)?, verify.loc))
    });
    let tags = merged.tags.as_ref().map(|tags| &tags.value);
    let shared = Shared { home, tags, verifier: verifier.as_ref().map(|verifier| &verifier.value) };
    let made = make_roles(roles, &here, shared);
    AccountBook { partition: values.partition, roles: here, made, verifier }
}

fn make_roles(roles: &Roles<'_>, here: &AccountRoles, shared: Shared<'_>) -> Made {
    let mut made = Made::new();
    for (name, role) in roles {
        if let (Some(role), Some(Presence::Here(present))) = (role, here.get(name)) {
            let mut found = Diagnostics::default();
            let desired = make_role(role, present, shared, &mut found);
            made.insert(name.clone(), (desired, found));
        }
    }
    made
}

/// Returns the names of the roles that a target's keys use, directly or as somebody's trust.
fn used_roles(targets: &[&DesiredTarget], made: &Made) -> BTreeSet<RoleName> {
    let keys = targets.iter().flat_map(|target| &target.keys);
    let of_keys = keys.flat_map(|key| {
        let admins = key.admins.iter().map(|admin| &admin.0);
        let users = key.users.iter().map(|user| &user.principal);
        admins.chain(&key.deleters).chain(&key.auditors).chain(users)
    });
    let of_targets =
        targets.iter().flat_map(|target| target.deployers.iter().chain(&target.planners).chain(&target.verifier));
    let mut open: Vec<RoleName> = of_keys.chain(of_targets).filter_map(role_name).collect();
    let mut used = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some((Some(role), _)) = made.get(name.as_str()) {
            open.extend(role.trust.aws.iter().filter_map(role_name).filter(|name| !used.contains(name)));
        }
        used.insert(name);
    }
    used
}

fn role_name(principal: &Principal) -> Option<RoleName> {
    match principal {
        Principal::Role { name, .. } => Some(name.clone()),
        Principal::Arn(_)
        | Principal::IdentityCenter { .. }
        | Principal::Account(_)
        | Principal::Organization(_)
        | Principal::Service(_) => None,
    }
}

/// Returns what is wanted in each account, and reports what is wrong with roles: those in use, and once those
/// that no key uses, which are not made.
pub(super) fn desired_accounts(
    accounts: Accounts,
    targets: &[DesiredTarget],
    merged: &Merged,
    found: &mut Diagnostics,
) -> Vec<DesiredAccount> {
    let mut unused: BTreeMap<String, Diagnostics> = BTreeMap::new();
    let mut used_somewhere = BTreeSet::new();
    let mut desired = Vec::with_capacity(accounts.len());
    for (account, mut book) in accounts {
        let here: Vec<&DesiredTarget> = targets.iter().filter(|target| target.account == account).collect();
        let used = used_roles(&here, &book.made);
        let mut roles = Vec::new();
        for (name, (role, diagnostics)) in std::mem::take(&mut book.made) {
            if used.iter().any(|used| used.as_str() == name) {
                found.extend(diagnostics);
                roles.extend(role);
                used_somewhere.insert(name);
            } else {
                unused.entry(name).or_insert(diagnostics);
            }
        }
        let known_roles = known_roles(&account, &book, &used);
        desired.push(DesiredAccount { account, partition: book.partition, roles, known_roles });
    }
    for (name, diagnostics) in unused.into_iter().filter(|(name, _)| !used_somewhere.contains(name)) {
        found.extend(diagnostics);
        // A use that could not be resolved is not shown as none.
        if !found.has_errors() {
            report_unused(&name, merged, found);
        }
    }
    desired
}

fn known_roles(account: &AccountId, book: &AccountBook, used: &BTreeSet<RoleName>) -> BTreeMap<RoleName, KnownRole> {
    let mut known = BTreeMap::new();
    for presence in book.roles.values() {
        if let Presence::Here(role) = presence
            && role.known.arn.account() == *account
            && (role.known.origin == RoleOrigin::Referred || used.contains(&role.name))
        {
            known.insert(role.name.clone(), role.known.clone());
        }
    }
    known
}

/// Warns of a managed role that no key uses.
fn report_unused(name: &str, merged: &Merged, found: &mut Diagnostics) {
    let Some(declared) = merged.roles.get(name) else { return };
    if declared.raw.as_ref().is_some_and(|raw| raw.trust.is_some()) {
        let message = format!("no key uses role `{}`, so it is not made", text::escape(name));
        found.push(
            Diagnostic::warning(Code::UnusedRole, message)
                .label(declared.loc, "declared here")
                .help("name it at a key, or remove it"),
        );
    }
}
