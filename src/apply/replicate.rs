//! Replicates keys and moves primaries: both are sent once, take minutes, and are looked for in both Regions.

use super::{Connection, Ending, Machine, Run, elapsed, tells_nothing, until};
use crate::ids::{KeyArn, KeyId, KeyName, Region, TargetName};
use crate::kms::KeyState;
use crate::live::{KeyMetadata, MultiRegionType};
use crate::plan::{KeyRef, Owner, Step};
use crate::policy::PolicyDocument;
use crate::ports::{NewReplica, PortError, PortErrorKind};
use crate::report::{Event, Scope};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long KMS may take to make a replica or to move a primary; AWS says minutes.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-replicate.html>
const PATIENCE: Duration = Duration::from_mins(15);

/// A replica to be made.
pub(super) struct Replica<'a> {
    pub(super) key: &'a KeyRef,
    pub(super) target: &'a TargetName,
    pub(super) region: &'a Region,
    pub(super) description: &'a str,
    pub(super) policy: &'a PolicyDocument,
    pub(super) tags: &'a BTreeMap<String, String>,
}

fn is_busy(key: &KeyMetadata) -> bool {
    matches!(key.state, KeyState::Creating | KeyState::Updating)
}

impl<'a, C: Connection, M: Machine> Run<'a, C, M> {
    fn patience(&self) -> Duration {
        self.job.options.wait.max(PATIENCE)
    }

    /// Returns the connection of another target: what is written there is looked at there.
    fn other(&self, target: &TargetName, call: &str) -> Result<&'a C, PortError> {
        let connections: &'a BTreeMap<Scope, C> = self.job.connections;
        connections.get(&Scope::Target(target.clone())).ok_or_else(|| {
            let message = format!("there is no connection to target `{target}`, so that nobody could see the outcome");
            PortError::new(PortErrorKind::Unreachable, call, message)
        })
    }

    /// Replicates a key, or finds the replica that a call made whose answer was lost.
    pub(super) async fn replicate(&mut self, step: &Step, wanted: &Replica<'_>) -> Ending {
        let Owner::Key(name) = &step.owner else {
            return Ending::Failed(PortError::new(PortErrorKind::Protocol, "kms:ReplicateKey", "this step has no key"));
        };
        let (id, there) = match (self.key(wanted.key), self.other(wanted.target, "kms:ReplicateKey")) {
            (Ok(id), Ok(there)) => (id, there),
            (Err(error), _) | (_, Err(error)) => return Ending::Failed(error),
        };
        let started = self.job.machine.now();
        let lost = match self.send_replicate(step, name, &id, wanted).await {
            Ok(_) => None,
            Err(error) if tells_nothing(&error) || error.kind == PortErrorKind::AlreadyExists => Some(error),
            Err(error) => return Ending::Failed(error),
        };
        if let Some(error) = &lost {
            match self.look_for(there, &id, wanted, error).await {
                Ok(true) => {}
                Ok(false) if tells_nothing(error) => return self.not_found(&id, wanted.region, error).await,
                Ok(false) => return Ending::Failed(error.clone()),
                Err(error) => return Ending::Failed(error),
            }
            let message = format!("the replica in {} is there: the answer of an earlier call was lost", wanted.region);
            self.recovered(step, message);
        }
        let left = self.patience().saturating_sub(elapsed(self.job.machine, started));
        let Some(arn) = self.watch(there, &id, left, |key| !is_busy(key)).await else { return Ending::Unconfirmed };
        self.board.bind(wanted.target, name, arn.clone());
        Ending::Created(arn)
    }

    /// Sends `ReplicateKey`: again only after an answer that says that nothing was made.
    async fn send_replicate(
        &self,
        step: &Step,
        name: &KeyName,
        id: &KeyId,
        wanted: &Replica<'_>,
    ) -> Result<KeyArn, PortError> {
        let replica = NewReplica {
            region: wanted.region.clone(),
            description: wanted.description.to_owned(),
            policy: wanted.policy.clone(),
            tags: wanted.tags.clone(),
            lockout_check: self.lockout_check(name),
        };
        let (new_key, new_role) = (self.is_new(id), self.names_new_role(&step.action));
        let passes = |error: &PortError| {
            error.kind == PortErrorKind::Throttled
                || (new_key && error.kind == PortErrorKind::NotFound)
                || (new_role && error.kind == PortErrorKind::InvalidPrincipal)
                || self.lags_behind(step, error.kind)
        };
        let send =
            || until(self.job.machine, self.job.options.wait, passes, || self.connection.replicate_key(id, &replica));
        match send().await {
            Err(error) if error.kind == PortErrorKind::InvalidState && self.becomes_idle(id).await => send().await,
            result => result,
        }
    }

    /// Whether the replica is there, and has the tags that this run gives it.
    async fn look_for(
        &self,
        there: &C,
        id: &KeyId,
        wanted: &Replica<'_>,
        error: &PortError,
    ) -> Result<bool, PortError> {
        self.tell(Event::Waiting("ReplicateKey did not tell: looking for the replica"));
        if self.watch(there, id, self.job.options.wait, |_| true).await.is_none() {
            return Ok(false);
        }
        let passes = |error: &PortError| error.kind == PortErrorKind::NotFound;
        let tags = until(self.job.machine, self.job.options.wait, passes, || there.key_tags(id)).await?;
        if wanted.tags.iter().all(|(tag, value)| tags.get(tag) == Some(value)) {
            return Ok(true);
        }
        let message =
            format!("{} has a replica of `{id}` that this run did not make: {}", wanted.region, error.message);
        Err(PortError { kind: PortErrorKind::AlreadyExists, message, ..error.clone() })
    }

    /// No replica is seen in its Region: the primary may know of it already.
    async fn not_found(&self, id: &KeyId, region: &Region, error: &PortError) -> Ending {
        let primary = self.connection.describe_key(id).await;
        if primary.is_ok_and(|(_, primary)| primary.replica_regions.contains(region)) {
            return Ending::Unconfirmed;
        }
        Ending::Unknown(format!("{error}; no replica was seen in {region} within the wait, and none is made in doubt"))
    }

    /// Makes a replica the primary, and waits until both Regions say so.
    pub(super) async fn move_primary(
        &mut self,
        step: &Step,
        key: &KeyRef,
        (target, region): (&TargetName, &Region),
    ) -> Ending {
        let (id, there) = match (self.key(key), self.other(target, "kms:UpdatePrimaryRegion")) {
            (Ok(id), Ok(there)) => (id, there),
            (Err(error), _) | (_, Err(error)) => return Ending::Failed(error),
        };
        let moved = |key: &KeyMetadata| key.primary_region.as_ref() == Some(region);
        if let Err(error) = self.send_move(&id, region).await {
            let limit = if tells_nothing(&error) { self.job.options.wait } else { Duration::ZERO };
            if self.watch(self.connection, &id, limit, moved).await.is_none() {
                return Ending::Failed(error);
            }
            self.recovered(step, format!("the primary is in {region}: the answer of an earlier call was lost"));
        }
        let started = self.job.machine.now();
        // Some servers do not tell where the primary is.
        let left = |key: &KeyMetadata| !is_busy(key) && key.primary_region.as_ref().is_none_or(|at| at == region);
        let arrived =
            |key: &KeyMetadata| left(key) && key.multi_region_type.is_none_or(|kind| kind == MultiRegionType::Primary);
        let here = self.watch(self.connection, &id, self.patience(), left).await.is_some();
        let rest = self.patience().saturating_sub(elapsed(self.job.machine, started));
        if here && self.watch(there, &id, rest, arrived).await.is_some() { Ending::Done } else { Ending::Unconfirmed }
    }

    async fn send_move(&self, id: &KeyId, region: &Region) -> Result<(), PortError> {
        let new_key = self.is_new(id);
        let passes = |error: &PortError| {
            error.kind == PortErrorKind::Throttled || (new_key && error.kind == PortErrorKind::NotFound)
        };
        let send = || {
            until(self.job.machine, self.job.options.wait, passes, || self.connection.update_primary_region(id, region))
        };
        match send().await {
            Err(error) if error.kind == PortErrorKind::InvalidState && self.becomes_idle(id).await => send().await,
            result => result,
        }
    }

    /// Whether KMS was at work on a key, and has finished.
    pub(super) async fn becomes_idle(&self, id: &KeyId) -> bool {
        let busy = self.connection.describe_key(id).await.is_ok_and(|(_, key)| is_busy(&key));
        busy && self.watch(self.connection, id, self.patience(), |key| !is_busy(key)).await.is_some()
    }

    /// Looks at a key until it is as it should be; `None` if that is not seen within the limit.
    async fn watch(
        &self,
        port: &C,
        id: &KeyId,
        limit: Duration,
        is_right: impl Fn(&KeyMetadata) -> bool,
    ) -> Option<KeyArn> {
        let clock = self.job.machine;
        let started = clock.now();
        let mut delay = Duration::from_millis(500);
        let mut told = false;
        loop {
            match port.describe_key(id).await {
                Ok((arn, key)) if is_right(&key) => return Some(arn),
                Ok(_) => {}
                Err(error) if error.is_transient() || error.kind == PortErrorKind::NotFound => {}
                Err(_) => return None,
            }
            if elapsed(clock, started) + delay > limit {
                return None;
            }
            if !told && delay > Duration::from_secs(1) {
                self.tell(Event::Waiting("KMS is still working on the multi-Region key"));
                told = true;
            }
            clock.sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(10));
        }
    }
}
