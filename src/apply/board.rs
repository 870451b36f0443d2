//! What targets that run side by side know of each other: which steps have ended, and which replicas there are.

use crate::ids::{KeyArn, KeyId, KeyName, TargetName};
use crate::plan::{Step, StepId};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// How a step ended, for those that wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is done.
    Done,
    /// It is not, or not surely.
    Undone,
}

#[derive(Debug, Default)]
struct Notes {
    ended: BTreeMap<StepId, Ended>,
    replicas: BTreeMap<(TargetName, KeyName), KeyArn>,
}

/// The notes of a run, which all of its targets read and write.
#[derive(Debug)]
pub(super) struct Board {
    notes: watch::Sender<Notes>,
    permits: Semaphore,
    /// Every step that will end: to wait for any other would be to wait for ever.
    awaited: BTreeSet<StepId>,
}

impl Board {
    /// Returns a board for steps that will end, of which so many may be under way at once.
    pub(super) fn new(awaited: BTreeSet<StepId>, parallel: usize) -> Self {
        Self { notes: watch::Sender::new(Notes::default()), permits: Semaphore::new(parallel.max(1)), awaited }
    }

    /// Notes how a step ended.
    pub(super) fn end(&self, step: &StepId, ended: Ended) {
        self.notes.send_modify(|notes| notes.ended.extend([(step.clone(), ended)]));
    }

    /// Waits until all that a step depends on has ended, in whatever target; returns the first of it that is not done.
    pub(super) async fn undone(&self, step: &Step) -> Option<StepId> {
        let (known, lost): (Vec<&StepId>, Vec<_>) =
            step.depends_on.iter().partition(|needed| self.awaited.contains(*needed));
        let mut notes = self.notes.subscribe();
        // The sender lives as long as the board.
        let ended = notes.wait_for(|notes| known.iter().all(|needed| notes.ended.contains_key(*needed))).await.ok()?;
        let undone = |needed: &&&StepId| ended.ended.get(**needed) != Some(&Ended::Done);
        known.iter().find(undone).or_else(|| lost.first()).map(|needed| (*needed).clone())
    }

    /// Waits for leave to write: to keep it over a wait for other steps would be to wait for ever.
    pub(super) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; without a permit the step would merely not be held back.
        self.permits.acquire().await.ok()
    }

    /// Notes the replica that is another target's key.
    pub(super) fn bind(&self, target: &TargetName, key: &KeyName, arn: KeyArn) {
        self.notes.send_modify(|notes| notes.replicas.extend([((target.clone(), key.clone()), arn)]));
    }

    /// Returns the replica that was made for a target's key in this run.
    pub(super) fn replica(&self, target: &TargetName, key: &KeyName) -> Option<KeyArn> {
        self.notes.borrow().replicas.get(&(target.clone(), key.clone())).cloned()
    }

    /// Whether a target's key is a replica that was made in this run.
    pub(super) fn is_replica(&self, target: &TargetName, id: &KeyId) -> bool {
        self.notes.borrow().replicas.iter().any(|((at, _), arn)| at == target && arn.key_id() == *id)
    }
}
