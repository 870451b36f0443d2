//! What binds an approval to a plan: a digest over everything that was decided and compared.

use super::{Digest, Plan, PlanInput, PlanPurpose, data};
use crate::desired::tags::{TAG_CLAIM, TAG_STACK};
use crate::desired::{Adoption, DesiredState, DesiredTarget, Rotation, TagReach, Takeover, Topology};
use crate::ids::{AliasName, KeyId};
use crate::live::{Expiry, LiveKey, LiveMaterials, LivePresence, LiveRotation, LiveTarget, Observed};
use crate::synth;
use aws_lc_rs::digest::{SHA256, digest as sha};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the digest of a plan: the tool's version, the resolved desired state, the live state that was compared, the
/// callers, the steps and blockers. Dates, foreign keys and aliases, how full quotas are, the run's own claim and the
/// wording of denials, which names the session, are left out.
pub(in crate::plan) fn digest(plan: &Plan, input: PlanInput<'_>) -> Digest {
    let covered = json!({
        "tool": env!("CARGO_PKG_VERSION"),
        "plan": without_wording(data::plan_to_json(plan)),
        "owner": input.desired.owner,
        "desired": desired(input),
        "consent": consent(input),
    });
    of(&covered)
}

/// Returns the digest of the live state, as far as it was compared.
pub(in crate::plan) fn live(input: PlanInput<'_>) -> Digest {
    let wanted = input.desired.targets.iter();
    let read = wanted.filter_map(|target| input.targets.get(&target.name).map(|live| (target, live)));
    of(&read
        .map(|(wanted, live)| json!({"target": wanted.name, "state": target(input.desired, wanted, live)}))
        .collect())
}

fn of(covered: &Value) -> Digest {
    Digest(hex::encode(sha(&SHA256, covered.to_string().as_bytes())))
}

/// AWS's words for a denial name the session of the caller, which differs from run to run.
fn without_wording(mut plan: Value) -> Value {
    let targets = plan.get_mut("targets").and_then(Value::as_array_mut).into_iter().flatten();
    for target in targets.filter_map(Value::as_object_mut) {
        // Others make and delete keys of the Region while a plan waits for its approval.
        target.remove("quotas");
        // The days that are left change by themselves.
        let findings = target.get_mut("findings").and_then(Value::as_array_mut);
        if let Some(findings) = findings {
            findings.retain(|finding| !finding["code"].as_str().is_some_and(|code| COUNTS_DAYS.contains(&code)));
        }
        let unreadable = target.get_mut("unreadable").and_then(Value::as_array_mut).into_iter().flatten();
        for item in unreadable.filter_map(Value::as_object_mut) {
            item.remove("message");
        }
    }
    plan
}

/// What the operator licenses by name: a plan that was approved without it is another plan.
fn consent(input: PlanInput<'_>) -> Value {
    let options = input.options;
    json!({
        "purpose": match options.purpose { PlanPurpose::Rotate => "rotate", PlanPurpose::Apply | PlanPurpose::Review => "apply" },
        "allow_retire": options.allow_retire,
        "cancel_deletion": options.cancel_deletion,
        "rotate": options.rotate,
        "delete_material": options.delete_material,
        "reimport": options.reimport,
        "prewrapped": options.prewrapped,
    })
}

/// The findings that say how many days are left.
const COUNTS_DAYS: [&str; 3] = ["material-expires", "material-expired", "material-awaited"];

fn desired(input: PlanInput<'_>) -> Value {
    let keys = input.desired.targets.iter().flat_map(|target| target.keys.iter().map(move |key| (target, key)));
    keys.map(|(target, key)| {
        json!({
            "target": target.name, "key": key.name, "description": key.description,
            "aliases": key.aliases.iter().map(|alias| alias.value.as_str()).collect::<Vec<_>>(),
            "tags": synth::key_tags(input.desired, key),
            "lifecycle": format!("{:?}", key.lifecycle),
            "remove_aliases": key.remove_aliases,
            "takeover": key.takeover == Takeover::Asked,
            "tags_exclusive": key.tag_reach == TagReach::All,
            "moved_from": key.moved_from.as_ref().map(|old| &old.value),
            "adopt": key.adopt.as_ref().map(|adopt| adopted(&adopt.value)),
            "topology": topology(&key.topology),
            "soak_days": key.soak_days,
            "deletion_wait_days": key.deletion_window.days(),
            "material": format!("{:?}", key.material),
            "rotation": match key.rotation() { Rotation::Off => None, Rotation::Every(period) => Some(period.days()) },
            "policy": synth::key_policy(target, key).to_json_value(),
        })
    })
    .collect()
}

fn adopted(adoption: &Adoption) -> &str {
    match adoption {
        Adoption::Alias(alias) => alias.as_str(),
        Adoption::Key(arn) => arn.as_str(),
    }
}

fn topology(topology: &Topology) -> Value {
    match topology {
        Topology::Single => Value::Null,
        Topology::Primary { replicas } => json!({"replicas": replicas}),
        Topology::Replica { primary, region } => json!({"primary": primary, "region": region}),
    }
}

fn target(desired: &DesiredState, wanted: &DesiredTarget, live: &LiveTarget) -> Value {
    let keys: Vec<&LiveKey> =
        live.keys.iter().filter(|key| is_of_the_stack(desired, live, key) || is_adopted(wanted, live, key)).collect();
    let prefix = format!("alias/keywright/{}/", desired.stack);
    let ours = |id: &KeyId| keys.iter().any(|key| key.arn.key_id() == *id);
    let declared = |alias: &AliasName| {
        let adopts = |adopt: &Adoption| matches!(adopt, Adoption::Alias(adopted) if adopted == alias);
        wanted.keys.iter().any(|key| {
            key.aliases.iter().any(|own| own.value == *alias)
                || key.remove_aliases.contains(alias)
                || key.adopt.as_ref().is_some_and(|adopt| adopts(&adopt.value))
        })
    };
    let compared = |alias: &AliasName, id: Option<&KeyId>| {
        alias.as_str().starts_with(&prefix) || declared(alias) || id.is_some_and(ours)
    };
    let aliases: BTreeMap<_, _> = live.aliases.iter().filter(|(alias, id)| compared(alias, id.as_ref())).collect();
    json!({
        "account": live.account,
        "region": live.region,
        "caller": live.caller.principal,
        "aliases": aliases,
        "keys": keys.into_iter().map(key).collect::<Vec<_>>(),
        "stores": live.stores.iter().map(|(id, store)| {
            json!({"id": id, "connection": store.known().map(|store| store.as_ref().map(|store| &store.connection))})
        }).collect::<Vec<_>>(),
    })
}

/// A key with our tag, or one behind a claim alias of ours, whatever its tags.
fn is_of_the_stack(desired: &DesiredState, live: &LiveTarget, key: &LiveKey) -> bool {
    let prefix = format!("alias/keywright/{}/", desired.stack);
    let tagged = key.tags.known().and_then(|tags| tags.get(TAG_STACK)).map(String::as_str);
    let id = key.arn.key_id();
    tagged == Some(desired.stack.as_str()) || live.aliases_of(&id).any(|alias| alias.as_str().starts_with(&prefix))
}

/// A key that the manifest adopts, or has adopted.
fn is_adopted(wanted: &DesiredTarget, live: &LiveTarget, key: &LiveKey) -> bool {
    let mut adoptions = wanted.keys.iter().filter_map(|key| key.adopt.as_ref());
    adoptions.any(|adoption| match &adoption.value {
        Adoption::Key(arn) => *arn == key.arn,
        Adoption::Alias(alias) => live.aliases.get(alias) == Some(&Some(key.arn.key_id())),
    })
}

fn key(key: &LiveKey) -> Value {
    json!({
        "arn": key.arn,
        "state": key.metadata.known().map(|metadata| metadata.state),
        "description": key.metadata.known().map(|metadata| &metadata.description),
        "regions": key.metadata.known().filter(|metadata| metadata.multi_region).map(|metadata| {
            json!({"primary": metadata.primary_region, "replicas": metadata.replica_regions})
        }),
        "policy": key.policy.known().map(|policy| policy.document.to_json_value()),
        "tags": key.tags.known().map(|tags| tags.iter().filter(|(tag, _)| *tag != TAG_CLAIM).collect::<BTreeMap<_, _>>()),
        "rotation": key.rotation.known().map(|rotation| match rotation {
            LiveRotation::Off => json!("off"),
            LiveRotation::On { days } => json!(days),
        }),
        "materials": key.materials.as_ref().and_then(Observed::known).map(materials),
        "expiry": key.metadata.known().and_then(|metadata| metadata.expiry).map(Expiry::in_words),
        "on_demand_rotations": key.rotations.as_ref().and_then(Observed::known).map(|history| {
            json!({"made": history.on_demand(), "under_way": history.under_way_since.is_some()})
        }),
    })
}

/// Imported materials, as far as they are compared: by the day on which they expire.
fn materials(materials: &LiveMaterials) -> Value {
    let LiveMaterials::Listed(all) = materials else { return json!("untold") };
    let one = |material: &crate::live::LiveMaterial| {
        json!({
            "id": material.id,
            "description": material.description,
            "standing": format!("{:?}", material.standing),
            "presence": match material.presence {
                LivePresence::Imported(expiry) => expiry.in_words(),
                LivePresence::Missing => "missing".to_owned(),
            },
        })
    };
    all.iter().map(one).collect()
}
