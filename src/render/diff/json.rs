//! A difference as JSON: what `diff --format json` prints; `schemas/diff.schema.json` describes it.

use crate::diff::{
    AccountDifference, Difference, KeyDifference, MaterialChange, PolicyRelation, Presence, PropertyDifference,
    RoleDifference, Side, Summary, TargetDifference, TrustLine,
};
use crate::ids::{AccountId, Region};
use crate::live::Unreadable;
use crate::plan::access_line_to_json;
use crate::review::AccessLine;
use serde_json::{Value, json};

/// The version of the JSON form.
pub const DIFF_FORMAT_VERSION: u32 = 1;

/// Returns a difference as JSON. The same difference gives the same bytes; no secret is in it.
pub fn diff_to_json(difference: &Difference) -> Value {
    json!({
        "format_version": DIFF_FORMAT_VERSION,
        "old": side(&difference.old),
        "new": side(&difference.new),
        "targets": difference.targets.iter().map(target).collect::<Vec<_>>(),
        "accounts": difference.accounts.iter().map(account).collect::<Vec<_>>(),
        "summary": summary(&Summary::of(difference)),
    })
}

fn side(side: &Side) -> Value {
    json!({"operand": side.label, "origin": side.origin.name(), "stack": side.stack, "backends": side.backends})
}

fn target(target: &TargetDifference) -> Value {
    json!({
        "name": target.name,
        "status": status(&target.presence),
        "before": target.before.as_ref().map(place),
        "after": target.after.as_ref().map(place),
        "keys": target.keys.iter().map(key).collect::<Vec<_>>(),
        "unreadable": target.unreadable.iter().map(unreadable).collect::<Vec<_>>(),
    })
}

fn place((account, region): &(AccountId, Region)) -> Value {
    json!({"account": account, "region": region})
}

fn unreadable(item: &Unreadable) -> Value {
    json!({"what": item.what, "action": item.action, "message": item.message})
}

fn status(presence: &Presence) -> &'static str {
    match presence {
        Presence::Both => "changed",
        Presence::Added => "added",
        Presence::Removed => "removed",
        Presence::MovedFrom(_) => "moved",
    }
}

fn key(key: &KeyDifference) -> Value {
    let from = if let Presence::MovedFrom(target) = &key.presence { Some(target) } else { None };
    json!({
        "key": key.key,
        "status": status(&key.presence),
        "moved_from": from,
        "policy_differs": key.policy == PolicyRelation::Differs,
        "access": {"gains": access(&key.access.gains), "losses": access(&key.access.losses)},
        "gave": access(&key.gave),
        "properties": key.properties.iter().map(property).collect::<Vec<_>>(),
        "materials": key.material.iter().map(material).collect::<Vec<_>>(),
        "not_compared": key.undecided,
        "location": key.position,
    })
}

fn access(lines: &[AccessLine]) -> Vec<Value> {
    lines.iter().map(access_line_to_json).collect()
}

fn property(change: &PropertyDifference) -> Value {
    json!({"property": change.property, "before": change.before, "after": change.after})
}

fn material(change: &MaterialChange) -> Value {
    let effect = match change {
        MaterialChange::Rotates { .. } => "rotates",
        MaterialChange::NotLast { .. } => "not-imported",
        MaterialChange::Refused { .. } => "refused",
        MaterialChange::Undeclared { .. } => "undeclared",
        MaterialChange::Deletes => "deletes",
    };
    json!({"effect": effect, "material": change.material(), "reason": super::words::material(change).1})
}

fn account(account: &AccountDifference) -> Value {
    json!({
        "account": account.account,
        "roles": account.roles.iter().map(role).collect::<Vec<_>>(),
        "unreadable": account.unreadable.iter().map(unreadable).collect::<Vec<_>>(),
    })
}

fn role(role: &RoleDifference) -> Value {
    let lines = |lines: &[TrustLine]| lines.iter().map(trust).collect::<Vec<_>>();
    json!({
        "role": role.role,
        "status": status(&role.presence),
        "trust_differs": role.trust == PolicyRelation::Differs,
        "trust": {"gains": lines(&role.gains), "losses": lines(&role.losses)},
        "gave": lines(&role.gave),
        "properties": role.properties.iter().map(property).collect::<Vec<_>>(),
        "location": role.position,
    })
}

fn trust(line: &TrustLine) -> Value {
    json!({
        "principal": line.principal,
        "actions": line.actions,
        "conditions": line.conditions,
        "risk": TrustLine::RISK,
        "witness": line.witness,
    })
}

fn summary(summary: &Summary) -> Value {
    json!({
        "changed": summary.changed, "added": summary.added, "removed": summary.removed, "moved": summary.moved,
        "gains": summary.gains, "losses": summary.losses, "not_compared": summary.undecided,
        "gravest_gain": summary.gravest,
    })
}
