//! What binds an approval to a plan: a digest over everything that was decided and compared.

use super::{Digest, Plan, PlanInput, data};
use crate::live::{LiveKey, LiveTarget};
use crate::synth;
use aws_lc_rs::digest::{SHA256, digest as sha};
use serde_json::{Value, json};

/// Returns the digest of a plan: the tool's version, the resolved desired state, the live state that was compared, the
/// callers, the steps and blockers. Dates, grants of services, foreign keys and the run's own claim are left out.
pub(in crate::plan) fn digest(plan: &Plan, input: PlanInput<'_>) -> Digest {
    let covered = json!({
        "tool": env!("CARGO_PKG_VERSION"),
        "plan": data::plan_to_json(plan),
        "owner": input.desired.owner,
        "desired": desired(input),
        "live": input.targets.iter().map(|(name, live)| json!({"target": name, "state": target(live)})).collect::<Vec<_>>(),
    });
    Digest(hex::encode(sha(&SHA256, covered.to_string().as_bytes())))
}

fn desired(input: PlanInput<'_>) -> Value {
    let keys = input.desired.targets.iter().flat_map(|target| target.keys.iter().map(move |key| (target, key)));
    keys.map(|(target, key)| {
        json!({
            "target": target.name, "key": key.name, "description": key.description,
            "aliases": key.aliases.iter().map(|alias| alias.value.as_str()).collect::<Vec<_>>(),
            "tags": synth::key_tags(input.desired, key),
            "enabled": key.lifecycle == crate::desired::KeyLifecycle::Enabled,
            "policy": synth::key_policy(target, key).to_json_value(),
        })
    })
    .collect()
}

fn target(live: &LiveTarget) -> Value {
    json!({
        "account": live.account,
        "region": live.region,
        "caller": live.caller.principal,
        "aliases": live.aliases,
        "keys": live.keys.iter().map(key).collect::<Vec<_>>(),
    })
}

fn key(key: &LiveKey) -> Value {
    json!({
        "arn": key.arn,
        "state": key.metadata.known().map(|metadata| metadata.state),
        "description": key.metadata.known().map(|metadata| &metadata.description),
        "policy": key.policy.known().map(|policy| policy.document.to_json_value()),
        "tags": key.tags.known(),
        "rotation": key.rotation.known().map(|rotation| match rotation {
            crate::live::LiveRotation::Off => None,
            crate::live::LiveRotation::On { days } => Some(*days),
        }),
    })
}
