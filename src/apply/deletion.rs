//! Schedules and cancels deletions. KMS refuses to do either twice, so a refusal may be the lost reply of our own call.

use super::{Connection, Machine, Run};
use crate::ids::KeyId;
use crate::kms::KeyState;
use crate::plan::{Action, Step};
use crate::ports::{PortError, PortErrorKind};

impl<C: Connection, M: Machine> Run<'_, C, M> {
    /// Schedules the deletion of a key that still rests: one that somebody enabled meanwhile is needed.
    pub(super) async fn schedule_deletion(&self, id: &KeyId, days: u8) -> Result<(), PortError> {
        let (_, found) = self.connection.describe_key(id).await?;
        if matches!(found.state, KeyState::Enabled | KeyState::Creating | KeyState::Updating) {
            let message = format!("the key is in state {} by now, so its deletion is not scheduled", found.state);
            return Err(PortError::new(PortErrorKind::InvalidState, "kms:ScheduleKeyDeletion", message));
        }
        match self.connection.schedule_deletion(id, days).await {
            Err(error) if error.kind == PortErrorKind::InvalidState => {
                let (_, now) = self.connection.describe_key(id).await?;
                if now.state.is_pending_deletion() { Ok(()) } else { Err(error) }
            }
            result => result,
        }
    }

    /// Cancels a deletion.
    pub(super) async fn cancel_deletion(&self, id: &KeyId) -> Result<(), PortError> {
        match self.connection.cancel_deletion(id).await {
            Err(error) if error.kind == PortErrorKind::InvalidState => {
                let (_, now) = self.connection.describe_key(id).await?;
                if now.state.is_pending_deletion() { Err(error) } else { Ok(()) }
            }
            result => result,
        }
    }

    /// Returns whether a refusal may come of a state that an earlier step has ended: KMS is eventually consistent.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency>
    pub(super) fn lags_behind(&self, step: &Step, refusal: PortErrorKind) -> bool {
        let deletes = matches!(step.action, Action::ScheduleKeyDeletion { .. } | Action::CancelKeyDeletion { .. });
        if deletes || !matches!(refusal, PortErrorKind::InvalidState | PortErrorKind::Disabled) {
            return false;
        }
        let imports = matches!(step.action, Action::ImportKeyMaterial { .. });
        let ends = |action: &Action| {
            if refusal == PortErrorKind::Disabled {
                return matches!(action, Action::EnableKey { .. });
            }
            // New material has no place while a rotation to the one before it is under way.
            (imports && matches!(action, Action::RotateKeyOnDemand { .. }))
                || matches!(action, Action::CancelKeyDeletion { .. } | Action::ImportKeyMaterial { .. })
        };
        let steps = || self.job.plan.targets.iter().flat_map(|target| target.outcome.steps());
        let awaited = steps().filter(|other| step.depends_on.contains(&other.id));
        let mut before = steps().take_while(|other| other.id != step.id).chain(awaited);
        before.any(|other| other.owner == step.owner && ends(&other.action))
    }
}
