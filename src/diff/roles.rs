//! Compares the roles of two snapshots that the manifest makes: who may become them, and what else differs.

use super::keys::{Lacking, change, comparable, property_changes, tag_changes};
use super::model::{AccountDifference, PolicyRelation, Presence, PropertyDifference, RoleDifference};
use super::trust::{Trust, gained};
use crate::ids::{AccountId, RoleName};
use crate::policy::{PolicyDocument, Statement, StatementChange, statement_changes};
use crate::snapshot::{AccountSnapshot, Origin, RoleSnapshot, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the accounts in which a role differs.
pub(super) fn accounts(old: &Snapshot, new: &Snapshot) -> Vec<AccountDifference> {
    let accounts: BTreeSet<&AccountId> =
        old.accounts.iter().chain(&new.accounts).map(|account| &account.account).collect();
    let mut found = Vec::new();
    for account in accounts {
        let (before, after) = (old.account(account), new.account(account));
        let unreadable = before.into_iter().chain(after).flat_map(|account| account.unreadable.clone());
        let unreadable: Vec<_> = unreadable.collect::<BTreeSet<_>>().into_iter().collect();
        let roles = Accounts { before, after, origins: (old.origin, new.origin) }.roles();
        if !roles.is_empty() || !unreadable.is_empty() {
            found.push(AccountDifference { account: account.clone(), roles, unreadable });
        }
    }
    found
}

/// One account on both sides.
struct Accounts<'a> {
    before: Option<&'a AccountSnapshot>,
    after: Option<&'a AccountSnapshot>,
    origins: (Origin, Origin),
}

impl Accounts<'_> {
    fn roles(&self) -> Vec<RoleDifference> {
        let before = by_name(self.before);
        let after = by_name(self.after);
        let names: BTreeSet<&RoleName> = before.keys().chain(after.keys()).copied().collect();
        let compared = names.into_iter().map(|name| self.role(before.get(name).copied(), after.get(name).copied()));
        compared.flatten().collect()
    }

    fn role(&self, old: Option<&RoleSnapshot>, new: Option<&RoleSnapshot>) -> Option<RoleDifference> {
        let shown = new.or(old)?;
        let names = self.names();
        let trust = |role: &RoleSnapshot| role.trust.clone();
        let nobody = PolicyDocument::new(Vec::new());
        let (before, after) = (old.map_or_else(|| nobody.clone(), trust), new.map_or(nobody, trust));
        let sides = Trust { role: &shown.arn, names: &names };
        let lost = || gained(&after, &before, &sides);
        let (presence, gains, losses, gave) = match (old, new, self.origins.1) {
            (None, _, _) => (Presence::Added, gained(&before, &after, &sides), Vec::new(), Vec::new()),
            (Some(_), None, Origin::Manifest) => (Presence::Removed, Vec::new(), Vec::new(), lost()),
            (Some(_), None, Origin::Live) => (Presence::Removed, Vec::new(), lost(), Vec::new()),
            (Some(_), Some(_), _) => (Presence::Both, gained(&before, &after, &sides), lost(), Vec::new()),
        };
        let same = before.same_permissions(&after);
        let found = RoleDifference {
            role: shown.name.clone(),
            presence,
            gains,
            losses: losses.into_iter().map(|line| super::TrustLine { witness: None, ..line }).collect(),
            gave: gave.into_iter().map(|line| super::TrustLine { witness: None, ..line }).collect(),
            trust: if same { PolicyRelation::Same } else { PolicyRelation::Differs },
            properties: old.zip(new).map(|(old, new)| self.properties(old, new)).unwrap_or_default(),
            position: shown.position.clone(),
        };
        let empty = found.presence == Presence::Both && same && found.properties.is_empty();
        (!empty).then_some(found)
    }

    fn names(&self) -> BTreeMap<String, String> {
        let sides = self.before.into_iter().chain(self.after);
        sides.flat_map(|account| account.names.clone()).collect()
    }

    fn properties(&self, old: &RoleSnapshot, new: &RoleSnapshot) -> Vec<PropertyDifference> {
        let lacking: Lacking = comparable(self.origins.0, self.origins.1);
        let mut found = Vec::new();
        if old.arn != new.arn {
            found.push(change("ARN", Some(old.arn.to_string()), Some(new.arn.to_string())));
        }
        found.extend(property_changes(&old.properties, &new.properties, lacking));
        found.extend(tag_changes(&old.tags, &new.tags));
        found.extend(policy_changes(&old.policies, &new.policies));
        found
    }
}

fn by_name(account: Option<&AccountSnapshot>) -> BTreeMap<&RoleName, &RoleSnapshot> {
    account.into_iter().flat_map(|account| &account.roles).map(|role| (&role.name, role)).collect()
}

/// Inline policies by name: which statements are new, gone or others, where they do not mean the same.
fn policy_changes(
    before: &BTreeMap<String, PolicyDocument>,
    after: &BTreeMap<String, PolicyDocument>,
) -> Vec<PropertyDifference> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let size = |policy: &PolicyDocument| crate::text::plural(policy.statements.len(), "statement");
    let mut found = Vec::new();
    for name in names {
        let property = format!("identity policy {name}");
        match (before.get(name), after.get(name)) {
            (Some(one), Some(other)) if one.same_permissions(other) => {}
            (Some(one), Some(other)) => found.push(change(&property, Some(size(one)), Some(statements(one, other)))),
            (one, other) => found.push(change(&property, one.map(size), other.map(size))),
        }
    }
    found
}

/// Returns what became of the statements: `2 statements (~ ManageAliases)`.
fn statements(before: &PolicyDocument, after: &PolicyDocument) -> String {
    let name = |statement: &Statement| statement.sid.clone().unwrap_or_else(|| "(no Sid)".to_owned());
    let word = |change: &StatementChange| match change {
        StatementChange::Added(statement) => format!("+ {}", name(statement)),
        StatementChange::Removed(statement) => format!("- {}", name(statement)),
        StatementChange::Changed { after, .. } => format!("~ {}", name(after)),
    };
    let changes: Vec<String> = statement_changes(before, after).iter().map(word).collect();
    format!("{} ({})", crate::text::plural(after.statements.len(), "statement"), changes.join(", "))
}
