//! Creates keys, never twice: `CreateKey` has no client token, so a claim is written down before it is sent, and an
//! unknown outcome is searched for, not repeated.

use super::{Connection, Ending, Machine, PARALLEL, Run, elapsed, tells_nothing};
use crate::desired::KeyStore;
use crate::desired::tags::{TAG_CLAIM, TAG_KEY, TAG_STACK, TAG_STRAY};
use crate::ids::{KeyArn, KeyName};
use crate::kms::KeyShape;
use crate::plan::{KeyRef, Step};
use crate::policy::PolicyDocument;
use crate::ports::{ClaimRecord, NewKey, PortError, PortErrorKind, claim_slot};
use crate::report::Event;
use futures::stream::StreamExt as _;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::time::Duration;

/// A key to be created.
pub(super) struct Wanted<'a> {
    pub(super) key: &'a KeyName,
    pub(super) shape: KeyShape,
    pub(super) store: Option<&'a KeyStore>,
    pub(super) description: &'a str,
    pub(super) policy: &'a PolicyDocument,
    pub(super) tags: &'a BTreeMap<String, String>,
}

/// How long KMS may take to show a new key in lists: a claim older than this that is found nowhere made no key.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency>
const SURELY_VISIBLE: SignedDuration = SignedDuration::from_mins(5);

/// How long a new role's principal may be unknown to KMS.
const PRINCIPAL_PROPAGATION: Duration = Duration::from_mins(2);

impl<C: Connection, M: Machine> Run<'_, C, M> {
    /// Returns where a key's claim is kept.
    pub(super) fn slot(&self, key: &KeyName) -> String {
        claim_slot(self.account, self.region, self.stack, key)
    }

    /// Creates a key, or finds the one that an interrupted run made.
    pub(super) async fn create_key(&mut self, step: &Step, wanted: &Wanted<'_>) -> Ending {
        match self.earlier_claim(step, wanted.key).await {
            Ok(None) => {}
            Ok(Some(ending)) => return ending,
            Err(error) => return Ending::Failed(error),
        }
        let claim = match self.write_claim(wanted.key) {
            Ok(claim) => claim,
            Err(error) => return Ending::Failed(error),
        };
        match self.send_create(step, wanted, &claim).await {
            Ok(arn) => {
                self.made_here.insert(arn.key_id());
                self.bind(&KeyRef::Planned(wanted.key.clone()), arn.clone());
                Ending::Created(arn)
            }
            Err(error) if tells_nothing(&error) => self.search_lost(step, wanted.key, &claim, &error).await,
            Err(error) => {
                let forgotten = self.job.machine.remove(&self.slot(wanted.key));
                Ending::Failed(forgotten.err().unwrap_or(error))
            }
        }
    }

    /// Looks for the key of an earlier run that was interrupted between writing its claim and the claim alias.
    async fn earlier_claim(&mut self, step: &Step, key: &KeyName) -> Result<Option<Ending>, PortError> {
        let slot = self.slot(key);
        let Some(record) = self.job.machine.load(&slot)? else { return Ok(None) };
        let is_recent = |now: jiff::Timestamp| now.duration_since(record.at) < SURELY_VISIBLE;
        let limit = if is_recent(self.job.machine.now()) { self.job.options.wait } else { Duration::ZERO };
        if let Some(arn) = self.search(key, &record.claim, limit).await? {
            self.found(step, key, &arn);
            return Ok(Some(Ending::Created(arn)));
        }
        if is_recent(self.job.machine.now()) {
            let message = format!(
                "a run at {} may have created the key; it is not visible yet, so none is created now",
                record.at
            );
            return Ok(Some(Ending::Unknown(message)));
        }
        self.job.machine.remove(&slot)?;
        self.recovered(step, format!("a run at {} created no key `{key}`: nothing with its claim exists", record.at));
        Ok(None)
    }

    fn found(&mut self, step: &Step, key: &KeyName, arn: &KeyArn) {
        self.found_here.insert(arn.key_id());
        self.recovered(step, format!("an interrupted run had created `{}`: going on with it", arn.key_id()));
        self.bind(&KeyRef::Planned(key.clone()), arn.clone());
    }

    fn write_claim(&self, key: &KeyName) -> Result<String, PortError> {
        let mut bytes = [0_u8; 16];
        self.job.machine.fill(&mut bytes)?;
        let claim = hex::encode(bytes);
        self.job.machine.save(&self.slot(key), &ClaimRecord { claim: claim.clone(), at: self.job.machine.now() })?;
        Ok(claim)
    }

    /// Sends `CreateKey`: again only after an answer that says that nothing was made.
    async fn send_create(&self, step: &Step, wanted: &Wanted<'_>, claim: &str) -> Result<KeyArn, PortError> {
        let mut tags = wanted.tags.clone();
        tags.insert(TAG_CLAIM.to_owned(), claim.to_owned());
        let new = NewKey {
            shape: wanted.shape,
            store: wanted.store.map(|store| store.id().clone()),
            xks_key_id: wanted.store.and_then(KeyStore::xks_key_id).map(str::to_owned),
            description: wanted.description.to_owned(),
            policy: wanted.policy.clone(),
            tags,
            lockout_check: self.lockout_check(wanted.key),
        };
        let new_role = self.names_new_role(&step.action);
        let passes = |error: &PortError| {
            error.kind == PortErrorKind::Throttled || (new_role && error.kind == PortErrorKind::InvalidPrincipal)
        };
        let limit = self.job.options.wait.min(PRINCIPAL_PROPAGATION);
        super::until(self.job.machine, limit, passes, || self.connection.create_key(&new)).await
    }

    /// The answer was lost: the key may exist. It is searched for, and never created again in doubt.
    async fn search_lost(&mut self, step: &Step, key: &KeyName, claim: &str, error: &PortError) -> Ending {
        self.tell(Event::Waiting("CreateKey got no answer: looking for the key"));
        match self.search(key, claim, self.job.options.wait).await {
            Ok(Some(arn)) => {
                self.made_here.insert(arn.key_id());
                self.recovered(
                    step,
                    format!(
                        "the answer of CreateKey was lost ({error}); the key `{}` was found by its claim",
                        arn.key_id()
                    ),
                );
                self.bind(&KeyRef::Planned(key.clone()), arn.clone());
                Ending::Created(arn)
            }
            Ok(None) => Ending::Unknown(format!(
                "{error}; no key with the claim was found within the wait, and none is created in doubt"
            )),
            Err(search) => Ending::Unknown(format!("{error}; the search for the key failed too: {search}")),
        }
    }

    /// Searches for a key by its claim tag, several times, reading keys one by one since the tagging API lags.
    async fn search(&self, key: &KeyName, claim: &str, limit: Duration) -> Result<Option<KeyArn>, PortError> {
        let clock = self.job.machine;
        let started = clock.now();
        let mut delay = Duration::from_millis(500);
        loop {
            if let Some(arn) = self.search_once(key, claim).await? {
                return Ok(Some(arn));
            }
            if elapsed(clock, started) + delay > limit {
                return Ok(None);
            }
            clock.sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(10));
        }
    }

    async fn search_once(&self, key: &KeyName, claim: &str) -> Result<Option<KeyArn>, PortError> {
        let carries = |tags: &BTreeMap<String, String>| {
            let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
            let named = is(TAG_STACK, self.stack.as_str()) && is(TAG_KEY, key.as_str());
            is(TAG_CLAIM, claim) && named && !tags.contains_key(TAG_STRAY)
        };
        if let Ok(tagged) = self.connection.keys_tagged(TAG_STACK, self.stack.as_str()).await
            && let Some((arn, _)) = tagged.into_iter().find(|(_, tags)| carries(tags))
        {
            return Ok(Some(arn));
        }
        let keys = self.connection.list_keys().await?;
        // Keys of others may refuse to show their tags; ours, made by this caller, does not.
        let reads = keys.iter().map(|arn| async move { (arn, self.connection.key_tags(&arn.key_id()).await) });
        let mut read = futures::stream::iter(reads).buffer_unordered(PARALLEL);
        while let Some((arn, tags)) = read.next().await {
            if tags.is_ok_and(|tags| carries(&tags)) {
                return Ok(Some(arn.clone()));
            }
        }
        Ok(None)
    }
}
