//! Claims a key's name with its claim alias: at most one key holds it, and whoever loses steps back.

use super::{Connection, Ending, Machine, Run, elapsed, until};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK, TAG_STRAY};
use crate::ids::{AliasName, KeyId};
use crate::plan::{Owner, Step};
use crate::ports::{PortError, PortErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many reads must agree on who holds an alias.
const AGREEING_READS: usize = 3;

impl<C: Connection, M: Machine> Run<'_, C, M> {
    /// Creates the claim alias of a key, or finds out who holds it.
    pub(super) async fn claim(&mut self, step: &Step, alias: &AliasName, id: &KeyId) -> Ending {
        let sent = self.settled(id, || self.connection.create_alias(alias, id)).await;
        let result = match sent {
            Err(error) if error.kind == PortErrorKind::AlreadyExists => self.resolve(step, alias, id, error).await,
            result => result,
        };
        match result.and_then(|()| self.forget_claim(step)) {
            Ok(()) => Ending::Done,
            Err(error) => Ending::Failed(error),
        }
    }

    /// The name is claimed, by whomever: nothing remains to be looked for.
    fn forget_claim(&self, step: &Step) -> Result<(), PortError> {
        match &step.owner {
            Owner::Key(key) => self.job.machine.remove(&self.slot(key)),
            Owner::Role(_) => Ok(()),
        }
    }

    /// The alias exists: it is ours (a lost reply), or another run of this stack won, or it is somebody else's.
    async fn resolve(&mut self, step: &Step, alias: &AliasName, id: &KeyId, error: PortError) -> Result<(), PortError> {
        let Some(holder) = self.holder(alias).await? else { return Err(error) };
        if holder == *id {
            self.recovered(step, format!("`{alias}` already names `{id}`: the answer of an earlier call was lost"));
            return Ok(());
        }
        let tags = until(
            self.job.machine,
            self.job.options.wait,
            |error| error.kind == PortErrorKind::NotFound,
            || self.connection.key_tags(&holder),
        )
        .await?;
        if !self.is_twin(step, &tags) {
            return Err(error);
        }
        self.step_back(step, id, &holder).await
    }

    fn is_twin(&self, step: &Step, tags: &BTreeMap<String, String>) -> bool {
        let Owner::Key(name) = &step.owner else { return false };
        let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
        let owner = self.job.plan.owner.as_str();
        is(TAG_STACK, self.stack.as_str()) && is(TAG_KEY, name.as_str()) && is(TAG_OWNER, owner)
    }

    /// Reads until several reads in a row agree on who holds an alias; `None` if no alias is seen within the wait.
    async fn holder(&self, alias: &AliasName) -> Result<Option<KeyId>, PortError> {
        let clock = self.job.machine;
        let started = clock.now();
        let mut agreed = 0;
        let mut reads = 0;
        let mut last = None;
        while reads < AGREEING_READS * 4 || elapsed(clock, started) < self.job.options.wait {
            reads += 1;
            let now = self.connection.list_aliases().await?.get(alias).cloned().flatten();
            agreed = if now.is_some() && now == last { agreed + 1 } else { 1 };
            last = now;
            if agreed == AGREEING_READS && last.is_some() {
                return Ok(last);
            }
            clock.sleep(Duration::from_millis(200)).await;
        }
        Ok(None)
    }

    /// Another run of the same stack won. Only a key that this process made is ever disabled here.
    async fn step_back(&mut self, step: &Step, loser: &KeyId, winner: &KeyId) -> Result<(), PortError> {
        if !self.made_here.contains(loser) {
            self.forget_claim(step)?;
            return Err(PortError::new(
                PortErrorKind::AlreadyExists,
                "kms:CreateAlias",
                format!(
                    "the claim alias names `{winner}`, and `{loser}` was not made by this run, so it is left alone"
                ),
            ));
        }
        let stray = BTreeMap::from([(TAG_STRAY.to_owned(), winner.to_string())]);
        let name_tag = BTreeSet::from([TAG_KEY.to_owned()]);
        self.settled(loser, || self.connection.tag_key(loser, &stray)).await?;
        self.settled(loser, || self.connection.untag_key(loser, &name_tag)).await?;
        self.settled(loser, || self.connection.disable_key(loser)).await?;
        // The winner is as new as the loser.
        self.found_here.insert(winner.clone());
        let (arn, _) = self.settled(winner, || self.connection.describe_key(winner)).await?;
        if let Owner::Key(name) = &step.owner {
            self.bindings.insert(name.clone(), arn);
        }
        self.recovered(
            step,
            format!("another run claimed the name first with `{winner}`; this run's `{loser}` is disabled, tagged as stray and not used"),
        );
        Ok(())
    }
}
