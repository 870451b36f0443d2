//! What a report says of what was not tried, and that nothing is passed over in silence.

use super::world::{World, single, usual};
use crate::apply::{ApplyOptions, Job, apply};
use crate::exit::Exit;
use crate::report::{Event, Scope, StepResult};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

#[test]
fn without_a_connection_every_step_has_failed() {
    let world = World::new(usual());
    let plan = world.plan();
    let connections: BTreeMap<_, super::wire::Wire> = BTreeMap::new();
    let options = ApplyOptions { wait: Duration::ZERO, bypass_lockout_check: BTreeSet::new() };
    let job = Job {
        plan: &plan,
        connections: &connections,
        machine: &*world.machine,
        options: &options,
        progress: &|_, _| {},
    };
    let report = super::world::block_on(apply(job));
    assert_eq!(report.exit(), Exit::Failed);
    assert_eq!(report.scopes.len(), 2);
    assert!(
        report
            .scopes
            .iter()
            .flat_map(|scope| &scope.steps)
            .all(|step| matches!(step.result, StepResult::Failed { .. }))
    );
}

#[test]
fn progress_tells_of_each_step_twice() {
    let world = World::new(single());
    let plan = world.plan();
    let told = Mutex::new(Vec::new());
    let progress = |_: &Scope, event: Event<'_>| {
        let line = match event {
            Event::Started(step) => format!("{} started", step.id),
            Event::Finished(outcome) => format!("{} finished", outcome.step.id),
            Event::Waiting(_) => "waiting".to_owned(),
        };
        told.lock().unwrap().push(line);
    };
    let wire = super::wire::Wire::new(&world.aws, &world.machine);
    let connections = BTreeMap::from([(Scope::Target("prod".parse().unwrap()), wire)]);
    let options = ApplyOptions { wait: Duration::ZERO, bypass_lockout_check: BTreeSet::new() };
    let job = Job {
        plan: &plan,
        connections: &connections,
        machine: &*world.machine,
        options: &options,
        progress: &progress,
    };
    assert_eq!(super::world::block_on(apply(job)).exit(), Exit::Done);
    assert_eq!(
        *told.lock().unwrap(),
        ["s1 started", "s1 finished", "s2 started", "s2 finished", "s3 started", "s3 finished"]
    );
}
