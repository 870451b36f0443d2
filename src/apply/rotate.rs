//! Rotates keys on demand, never twice: KMS makes 25 such rotations of a key, and the call has no client token.

use super::{Connection, Ending, Machine, Run, elapsed, tells_nothing, until};
use crate::ids::KeyId;
use crate::live::LiveRotations;
use crate::plan::{Action, Step};
use crate::ports::{PortError, PortErrorKind};
use crate::report::Event;
use std::time::Duration;

impl<C: Connection, M: Machine> Run<'_, C, M> {
    /// Sends the call if KMS still counts as many rotations as the plan did. If the answer is lost, the history tells.
    pub(super) async fn rotate(&mut self, step: &Step, id: &KeyId, before: usize) -> Ending {
        if let Err(error) = self.is_as_planned(step, id, before).await {
            return Ending::Failed(error);
        }
        // An answer that says that nothing was done is no reason to look.
        let may_lag = self.is_new(id);
        let passes = |error: &PortError| {
            error.kind == PortErrorKind::Throttled
                || (may_lag && error.kind == PortErrorKind::NotFound)
                || self.lags_behind(step, error.kind)
        };
        let sent =
            until(self.job.machine, self.job.options.wait, passes, || self.connection.rotate_on_demand(id)).await;
        match sent {
            Ok(()) => Ending::Done,
            Err(error) if tells_nothing(&error) => self.look_for_rotation(step, id, before, &error).await,
            Err(error) => Ending::Failed(error),
        }
    }

    /// Compares the history with the plan. A rotation of this very run may take its time, and show late.
    async fn is_as_planned(&self, step: &Step, id: &KeyId, before: usize) -> Result<(), PortError> {
        let rotates = |other: &&Step| matches!(other.action, Action::RotateKeyOnDemand { .. });
        let steps = self.job.plan.targets.iter().flat_map(|target| target.outcome.steps());
        let earlier = steps.take_while(|other| other.id != step.id).filter(rotates);
        let may_show_late = earlier.into_iter().any(|other| other.owner == step.owner);
        let compare = || async {
            let history = self.settled(id, || self.connection.rotations(id)).await?;
            let changed = |why| PortError::new(PortErrorKind::InvalidState, "kms:RotateKeyOnDemand", why);
            rotated_meanwhile(&history, before).map_or(Ok(()), |why| Err(changed(why)))
        };
        let passes = |error: &PortError| may_show_late && error.kind == PortErrorKind::InvalidState;
        until(self.job.machine, self.job.options.wait, passes, compare).await
    }

    async fn look_for_rotation(&mut self, step: &Step, id: &KeyId, before: usize, error: &PortError) -> Ending {
        self.tell(Event::Waiting("RotateKeyOnDemand got no answer: looking whether the key is rotated"));
        let machine = self.job.machine;
        let started = machine.now();
        let mut delay = Duration::from_millis(200);
        loop {
            if self.connection.rotations(id).await.is_ok_and(|history| history.on_demand() > before) {
                let message =
                    format!("the answer of RotateKeyOnDemand was lost ({error}); the history has the rotation");
                self.recovered(step, message);
                return Ending::Done;
            }
            if elapsed(machine, started) + delay > self.job.options.wait {
                return Ending::Unknown(format!(
                    "{error}; the history does not show the rotation yet, so it is not asked for again"
                ));
            }
            machine.sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }
}

/// Returns why the history is not the one that the plan was made from.
fn rotated_meanwhile(history: &LiveRotations, before: usize) -> Option<String> {
    if history.under_way_since.is_some() {
        return Some("a rotation is under way by now".to_owned());
    }
    let now = history.on_demand();
    (now != before).then(|| format!("{now} on-demand rotations were made by now, and {before} when it was planned"))
}
