//! The plan as JSON: what `plan --format json` prints, what a saved plan holds, and what the digest covers.

use super::cost::{Dollars, PRICING};
use super::{
    AccountPlan, Action, Blocker, Drift, Finding, KeyRef, NearQuota, Orphan, Outcome, Owner, Plan, Quotas, Step,
    TargetPlan, Wrapping,
};
use crate::desired::KeyStore;
use crate::kms::KEYS_PER_REGION;
use crate::policy::PolicyDocument;
use crate::review::{AccessChange, AccessLine, Certainty};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The version of the JSON form.
pub const PLAN_FORMAT_VERSION: u32 = 1;

/// Returns the plan as JSON. The same plan gives the same bytes; no secret is in it.
pub fn plan_to_json(plan: &Plan) -> Value {
    json!({
        "format_version": PLAN_FORMAT_VERSION,
        "kind": plan.kind,
        "stack": plan.stack,
        "digest": plan.digest,
        "live_digest": plan.live_digest,
        "accounts": plan.accounts.iter().map(account).collect::<Vec<_>>(),
        "targets": plan.targets.iter().map(target).collect::<Vec<_>>(),
        "summary": summary(plan),
    })
}

fn account(plan: &AccountPlan) -> Value {
    let policies: Map<String, Value> =
        plan.identity_policies.iter().map(|(role, policies)| (role.to_string(), documents(policies))).collect();
    json!({
        "account": plan.account,
        "status": status(&plan.outcome),
        "blockers": plan.outcome.blockers().iter().map(blocker).collect::<Vec<_>>(),
        "steps": plan.outcome.steps().iter().map(step).collect::<Vec<_>>(),
        "trust_policies": documents(&plan.trust_policies),
        "identity_policies": policies,
        "drift": plan.drift.iter().map(drift).collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn target(plan: &TargetPlan) -> Value {
    json!({
        "name": plan.name,
        "account": plan.account,
        "region": plan.region,
        "backend": plan.backend,
        "caller": plan.caller,
        "status": status(&plan.outcome),
        "blockers": plan.outcome.blockers().iter().map(blocker).collect::<Vec<_>>(),
        "steps": plan.outcome.steps().iter().map(step).collect::<Vec<_>>(),
        "policies": documents(&plan.policies),
        "access": access(&plan.access),
        "drift": plan.drift.iter().map(drift).collect::<Vec<_>>(),
        "orphans": plan.orphans.iter().map(orphan).collect::<Vec<_>>(),
        "unreadable": plan.unreadable.iter()
            .map(|item| json!({"what": item.what, "action": item.action, "message": item.message})).collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(finding).collect::<Vec<_>>(),
        "cost_per_month_delta": plan.cost_per_month_delta,
        "quotas": quotas(&plan.quotas),
    })
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::InSync => "in_sync",
        Outcome::Ready(_) => "ready",
        Outcome::Blocked { .. } => "blocked",
    }
}

fn documents<K: ToString>(policies: &BTreeMap<K, PolicyDocument>) -> Value {
    Value::Object(policies.iter().map(|(name, policy)| (name.to_string(), policy.to_json_value())).collect())
}

fn owner(owner: &Owner) -> (&'static str, String) {
    match owner {
        Owner::Key(name) => ("key", name.to_string()),
        Owner::Role(name) => ("role", name.to_string()),
    }
}

fn optional_owner(object: &mut Map<String, Value>, found: Option<&Owner>) {
    if let Some((kind, name)) = found.map(owner) {
        object.insert(kind.to_owned(), name.into());
    }
}

fn blocker(blocker: &Blocker) -> Value {
    let mut object = Map::new();
    object.insert("code".to_owned(), blocker.kind.0.name().into());
    optional_owner(&mut object, blocker.owner.as_ref());
    object.insert("message".to_owned(), blocker.message.clone().into());
    object.insert("help".to_owned(), blocker.help.clone().into());
    object.insert("location".to_owned(), json!(blocker.position));
    Value::Object(object)
}

fn finding(finding: &Finding) -> Value {
    let mut object = Map::new();
    object.insert("code".to_owned(), finding.code.name().into());
    object.insert("severity".to_owned(), json!(finding.severity));
    optional_owner(&mut object, finding.owner.as_ref());
    object.insert("message".to_owned(), finding.message.clone().into());
    object.insert("remedy".to_owned(), finding.remedy.clone().into());
    object.insert("location".to_owned(), json!(finding.position));
    Value::Object(object)
}

fn drift(drift: &Drift) -> Value {
    let mut object = Map::new();
    optional_owner(&mut object, Some(&drift.owner));
    let change = drift.change.as_ref();
    object.insert("kind".to_owned(), json!(drift.kind));
    object.insert("what".to_owned(), drift.what.clone().into());
    object.insert("property".to_owned(), json!(change.map(|change| &change.property)));
    object.insert("live".to_owned(), json!(change.and_then(|change| change.before.as_ref())));
    object.insert("declared".to_owned(), json!(change.and_then(|change| change.after.as_ref())));
    Value::Object(object)
}

fn orphan(orphan: &Orphan) -> Value {
    json!({"arn": orphan.arn, "key": orphan.key, "note": orphan.note, "next": orphan.next})
}

fn quotas(quotas: &Quotas) -> Value {
    let near = |near: &NearQuota| json!({"key": near.key, "what": near.what, "used": near.used, "limit": near.limit});
    json!({
        "keys": quotas.keys.map(|used| json!({"used": used, "limit": KEYS_PER_REGION})),
        "near": quotas.near.iter().map(near).collect::<Vec<_>>(),
    })
}

fn access(change: &AccessChange) -> Value {
    json!({
        "gains": change.gains.iter().map(access_line_to_json).collect::<Vec<_>>(),
        "losses": change.losses.iter().map(access_line_to_json).collect::<Vec<_>>(),
    })
}

/// Returns one gain or loss as JSON, wherever it is printed.
pub fn access_line_to_json(line: &AccessLine) -> Value {
    let (certainty, reason) = match &line.certainty {
        Certainty::Certain => ("certain", None),
        Certainty::Undetermined { reason } => ("undetermined", Some(reason)),
    };
    json!({
        "key": line.key,
        "principal": line.principal,
        "capability": line.capability,
        "actions": line.actions,
        "conditions": line.conditions,
        "risk": line.risk,
        "certainty": certainty,
        "reason": reason,
        "witness": line.witness,
    })
}

fn step(step: &Step) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(step.id));
    optional_owner(&mut object, Some(&step.owner));
    object.insert("action".to_owned(), action(&step.action));
    object.insert("why".to_owned(), json!(step.why));
    if let Some(cause) = step.cause {
        object.insert("cause".to_owned(), json!(cause));
    }
    object.insert("risk".to_owned(), json!(step.risk));
    let change = step.change.as_ref();
    object.insert("property".to_owned(), json!(change.map(|change| &change.property)));
    object.insert("before".to_owned(), json!(change.and_then(|change| change.before.as_ref())));
    object.insert("after".to_owned(), json!(change.and_then(|change| change.after.as_ref())));
    object.insert("location".to_owned(), json!(step.position));
    object.insert("depends_on".to_owned(), json!(step.depends_on));
    Value::Object(object)
}

/// A reference to a key: its id, or `planned:` and its name.
fn key_ref(key: &KeyRef) -> String {
    match key {
        KeyRef::Live(id) => id.to_string(),
        KeyRef::Planned(name) => format!("planned:{name}"),
    }
}

fn action(action: &Action) -> Value {
    let mut parameters = parameters(action);
    if let Some(object) = parameters.as_object_mut() {
        object.shift_insert(0, "type".to_owned(), action.call().into());
    }
    parameters
}

fn parameters(action: &Action) -> Value {
    match action {
        Action::CreateRole { role, path, description, max_session_seconds, trust, permissions_boundary, tags } => {
            json!({
                "role": role, "path": path, "description": description, "max_session_seconds": max_session_seconds,
                "trust": trust.to_json_value(), "permissions_boundary": permissions_boundary, "tags": tags,
            })
        }
        Action::UpdateRole { role, description, max_session_seconds } => {
            json!({"role": role, "description": description, "max_session_seconds": max_session_seconds})
        }
        Action::UpdateAssumeRolePolicy { role, trust } => json!({"role": role, "trust": trust.to_json_value()}),
        Action::PutRolePermissionsBoundary { role, boundary } => json!({"role": role, "boundary": boundary}),
        Action::DeleteRolePermissionsBoundary { role } => json!({"role": role}),
        Action::TagRole { role, tags } => json!({"role": role, "tags": tags}),
        Action::UntagRole { role, tag_keys } => json!({"role": role, "tag_keys": tag_keys}),
        Action::PutRolePolicy { role, name, policy } => {
            json!({"role": role, "name": name, "policy": policy.to_json_value()})
        }
        Action::DeleteRolePolicy { role, name } => json!({"role": role, "name": name}),
        Action::CreateKey { key, shape, store, description, policy, tags } => {
            json!({
                "key": key, "spec": shape.spec, "usage": shape.usage, "origin": shape.origin,
                "multi_region": shape.multi_region, "key_store": store.as_ref().map(KeyStore::id),
                "xks_key_id": store.as_ref().and_then(KeyStore::xks_key_id), "description": description,
                "policy": policy.to_json_value(), "tags": tags,
            })
        }
        Action::ReplicateKey { key, target, region, description, policy, tags } => {
            json!({
                "key": key_ref(key), "target": target, "region": region, "description": description,
                "policy": policy.to_json_value(), "tags": tags,
            })
        }
        Action::UpdatePrimaryRegion { key, target, region } => {
            json!({"key": key_ref(key), "target": target, "region": region})
        }
        Action::ScheduleKeyDeletion { key, days } => json!({"key": key_ref(key), "days": days}),
        Action::RotateKeyOnDemand { key, before } => json!({"key": key_ref(key), "before": before}),
        Action::ImportKeyMaterial { key, spec, material, kind, id, valid_for_days, wrapping } => {
            json!({
                "key": key_ref(key), "spec": spec, "material": material, "import_type": kind, "key_material_id": id,
                "valid_for_days": valid_for_days, "wrapping": wrapping_to_json(*wrapping),
            })
        }
        Action::DeleteImportedKeyMaterial { key, material, id } => {
            json!({"key": key_ref(key), "material": material, "key_material_id": id})
        }
        Action::PutKeyPolicy { key, policy } => json!({"key": key_ref(key), "policy": policy.to_json_value()}),
        Action::UpdateKeyDescription { key, description } => json!({"key": key_ref(key), "description": description}),
        Action::EnableKey { key }
        | Action::DisableKey { key }
        | Action::DisableKeyRotation { key }
        | Action::CancelKeyDeletion { key } => {
            json!({"key": key_ref(key)})
        }
        Action::TagKey { key, tags } => json!({"key": key_ref(key), "tags": tags}),
        Action::UntagKey { key, tag_keys } => json!({"key": key_ref(key), "tag_keys": tag_keys}),
        Action::CreateAlias { alias, key } | Action::DeleteAlias { alias, key } => {
            json!({"alias": alias, "key": key_ref(key)})
        }
        Action::UpdateAlias { alias, from, key } => json!({"alias": alias, "from": from, "key": key_ref(key)}),
        Action::EnableKeyRotation { key, days } => json!({"key": key_ref(key), "days": days}),
    }
}

fn wrapping_to_json(wrapping: Wrapping) -> Value {
    match wrapping {
        Wrapping::Here { algorithm, key } => json!({"algorithm": algorithm, "key_spec": key}),
        Wrapping::Before => json!("prewrapped"),
    }
}

/// Counts for people and pipelines.
fn summary(plan: &Plan) -> Value {
    let summary = super::Summary::of(plan);
    json!({
        "create": summary.create, "change": summary.change, "retire": summary.retire, "blocked": summary.blocked,
        "gains": summary.gains, "losses": summary.losses, "findings": summary.findings, "steps": summary.steps,
        "drift": summary.drift, "cost_per_month_delta": Dollars(summary.dollars).to_string(), "cost_source": PRICING,
    })
}
