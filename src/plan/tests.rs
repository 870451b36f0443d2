//! Tests of planning: every rule of comparison, every guard, the digest, the independent check, the JSON form.

mod approval;
mod broken;
mod compare;
mod duties;
mod guards;
mod import;
pub(crate) mod json;
mod life;
mod lints;
mod lockout;
mod naming;
mod tagged;

use super::{Plan, TargetPlan};
use crate::apply::tests::world::{World, rotating};
use crate::desired::{DesiredKey, DesiredState};
use crate::ids::KeyId;
use crate::ports::fake::FakeKey;
use crate::synth::sample;

/// A key with a description, a tag, an alias and rotation, and nothing managed besides.
fn ledger() -> DesiredKey {
    DesiredKey { description: Some("Cardholder records".to_owned()), ..rotating("ledger", 180) }
}

/// The text of a policy that allows nothing.
const EMPTY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

fn wanting(keys: Vec<DesiredKey>) -> DesiredState {
    sample::state(vec![sample::target("prod", "eu-west-1", keys)], Vec::new())
}

/// A world that is as the manifest wants it.
fn settled(keys: Vec<DesiredKey>) -> World {
    let world = World::new(wanting(keys));
    assert_eq!(world.converge().exit(), crate::exit::Exit::Done);
    world
}

/// Changes the world's first key behind keywright's back.
fn touch(world: &World, change: impl FnOnce(&mut FakeKey)) {
    let mut state = world.aws.state();
    change(state.keys.values_mut().next().unwrap());
}

fn first_key(world: &World) -> KeyId {
    world.aws.state().keys.keys().next().unwrap().clone()
}

fn target(plan: &Plan) -> &TargetPlan {
    &plan.targets[0]
}

fn calls(plan: &Plan) -> Vec<&str> {
    target(plan).outcome.steps().iter().map(|step| step.action.call().trim_start_matches("kms:")).collect()
}

fn blocked_by(plan: &Plan) -> Vec<&str> {
    target(plan).outcome.blockers().iter().map(|blocker| blocker.kind.0.name()).collect()
}

fn findings(plan: &Plan) -> Vec<&str> {
    target(plan).findings.iter().map(|finding| finding.code.name()).collect()
}
