//! A connection to the account in memory that fails, dies or lags where a test says so.

use super::world::TestMachine;
use crate::ids::{AccountId, AliasName, KeyArn, KeyId, KeyMaterialId, KeyStoreId, Region, RoleName};
use crate::kms::{WrappingAlgorithm, WrappingKeySpec};
use crate::live::{
    KeyMetadata, LiveGrant, LiveKeyStore, LiveMaterials, LiveRole, LiveRotation, LiveRotations, LiveUsage,
};
use crate::policy::PolicyDocument;
use crate::ports::fake::FakeAws;
use crate::ports::{
    Clock as _, IdentityReader, IdentityWriter, ImportParameters, KeyReader, KeyWriter, LockoutCheck, MaterialImport,
    NewKey, NewReplica, NewRole, PortError, PortErrorKind, PortResult,
};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused, and has no effect.
    Refused(PortErrorKind),
    /// It takes effect, and the answer is lost.
    Lost(PortErrorKind),
    /// The process dies before it is sent.
    DiesBefore,
    /// The process dies before the answer comes.
    DiesAfter,
}

/// What does not show new things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lagging {
    /// Reads.
    Reads,
    /// Reads, and writes to what is new.
    Everything,
}

/// Clones share everything: they are one connection.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) aws: Arc<FakeAws>,
    pub(crate) machine: Arc<TestMachine>,
    pub(crate) fault: Option<(usize, Fault)>,
    pub(crate) lag: Option<(Duration, Lagging)>,
    pub(crate) writes: Arc<AtomicUsize>,
    pub(crate) died: Arc<AtomicBool>,
    pub(crate) born: Arc<Mutex<BTreeMap<String, jiff::Timestamp>>>,
}

impl Wire {
    pub(crate) fn new(aws: &Arc<FakeAws>, machine: &Arc<TestMachine>) -> Self {
        Self {
            aws: aws.clone(),
            machine: machine.clone(),
            fault: None,
            lag: None,
            writes: Arc::default(),
            died: Arc::default(),
            born: Arc::default(),
        }
    }

    /// Returns the same machine's connection to another Region of the account.
    pub(crate) fn to(&self, aws: Arc<FakeAws>) -> Self {
        Self { aws, ..self.clone() }
    }

    /// What is new is new in one Region.
    fn place(&self, subject: &str) -> String {
        format!("{} {subject}", self.aws.name())
    }

    async fn die<T>(&self) -> T {
        self.died.store(true, Ordering::SeqCst);
        std::future::pending().await
    }

    fn bear(&self, subject: &str) {
        self.born.lock().unwrap().entry(self.place(subject)).or_insert_with(|| self.machine.now());
    }

    fn shows(&self, subject: &str) -> bool {
        let Some((lag, _)) = self.lag else { return true };
        let born = self.born.lock().unwrap().get(&self.place(subject)).copied();
        born.is_none_or(|born| super::super::elapsed(&*self.machine, born) >= lag)
    }

    fn seen(&self, subject: &str) -> PortResult<()> {
        let lost = || PortError::new(PortErrorKind::NotFound, "lag", format!("{subject} is not visible yet"));
        if self.shows(subject) { Ok(()) } else { Err(lost()) }
    }

    /// Lets another run go on, as a network does. Time passes there as it does here.
    async fn pause(&self) {
        self.aws.passes_to(self.machine.now());
        tokio::task::yield_now().await;
    }

    async fn write<T: Send>(&self, subject: &str, send: impl Future<Output = PortResult<T>> + Send) -> PortResult<T> {
        self.pause().await;
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let fault = self.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            Some(Fault::Refused(kind)) => return Err(PortError::new(kind, "write", "injected")),
            Some(Fault::DiesBefore) => self.die().await,
            Some(Fault::Lost(_) | Fault::DiesAfter) | None => {}
        }
        if matches!(self.lag, Some((_, Lagging::Everything))) {
            self.seen(subject)?;
        }
        let result = send.await;
        self.pause().await;
        match fault {
            Some(Fault::Lost(kind)) => Err(PortError::new(kind, "write", "injected: the answer is lost")),
            Some(Fault::DiesAfter) => self.die().await,
            Some(Fault::Refused(_) | Fault::DiesBefore) | None => result,
        }
    }
}

impl KeyReader for Wire {
    async fn list_aliases(&self) -> PortResult<BTreeMap<AliasName, Option<KeyId>>> {
        self.pause().await;
        let mut aliases = self.aws.list_aliases().await?;
        aliases.retain(|alias, _| self.shows(alias.as_str()));
        Ok(aliases)
    }

    async fn keys_tagged(&self, tag: &str, value: &str) -> PortResult<BTreeMap<KeyArn, BTreeMap<String, String>>> {
        self.pause().await;
        let mut keys = self.aws.keys_tagged(tag, value).await?;
        keys.retain(|arn, _| self.shows(arn.key_id().as_str()));
        Ok(keys)
    }

    async fn list_keys(&self) -> PortResult<Vec<KeyArn>> {
        self.pause().await;
        let keys = self.aws.list_keys().await?;
        Ok(keys.into_iter().filter(|arn| self.shows(arn.key_id().as_str())).collect())
    }

    async fn key_tags(&self, key: &KeyId) -> PortResult<BTreeMap<String, String>> {
        self.seen(key.as_str())?;
        self.aws.key_tags(key).await
    }

    async fn describe_key(&self, key: &KeyId) -> PortResult<(KeyArn, KeyMetadata)> {
        self.seen(key.as_str())?;
        self.aws.describe_key(key).await
    }

    async fn key_policy(&self, key: &KeyId) -> PortResult<String> {
        self.seen(key.as_str())?;
        self.aws.key_policy(key).await
    }

    async fn rotation(&self, key: &KeyId) -> PortResult<LiveRotation> {
        self.seen(key.as_str())?;
        self.aws.rotation(key).await
    }

    async fn grants(&self, key: &KeyId) -> PortResult<Vec<LiveGrant>> {
        self.aws.grants(key).await
    }

    async fn rotations(&self, key: &KeyId) -> PortResult<LiveRotations> {
        self.seen(key.as_str())?;
        self.aws.rotations(key).await
    }

    async fn materials(&self, key: &KeyId) -> PortResult<LiveMaterials> {
        self.seen(key.as_str())?;
        self.aws.materials(key).await
    }

    async fn last_usage(&self, key: &KeyId) -> PortResult<LiveUsage> {
        self.seen(key.as_str())?;
        self.aws.last_usage(key).await
    }

    async fn key_store(&self, store: &KeyStoreId) -> PortResult<Option<LiveKeyStore>> {
        self.aws.key_store(store).await
    }
}

impl KeyWriter for Wire {
    async fn create_key(&self, key: &NewKey) -> PortResult<KeyArn> {
        let send = async {
            let made = self.aws.create_key(key).await?;
            self.bear(made.key_id().as_str());
            Ok(made)
        };
        self.write("", send).await
    }

    async fn replicate_key(&self, key: &KeyId, replica: &NewReplica) -> PortResult<KeyArn> {
        let send = async {
            let made = self.aws.replicate_key(key, replica).await?;
            self.to(self.aws.clone().region(&replica.region)).bear(key.as_str());
            Ok(made)
        };
        self.write(key.as_str(), send).await
    }

    async fn update_primary_region(&self, key: &KeyId, region: &Region) -> PortResult<()> {
        self.write(key.as_str(), self.aws.update_primary_region(key, region)).await
    }

    async fn schedule_deletion(&self, key: &KeyId, days: u8) -> PortResult<()> {
        self.write(key.as_str(), self.aws.schedule_deletion(key, days)).await
    }

    async fn cancel_deletion(&self, key: &KeyId) -> PortResult<()> {
        self.write(key.as_str(), self.aws.cancel_deletion(key)).await
    }

    async fn rotate_on_demand(&self, key: &KeyId) -> PortResult<()> {
        self.write(key.as_str(), self.aws.rotate_on_demand(key)).await
    }

    async fn import_parameters(
        &self,
        key: &KeyId,
        algorithm: WrappingAlgorithm,
        wrapping_key: WrappingKeySpec,
    ) -> PortResult<ImportParameters> {
        // It is struck like a write: nothing is imported without it.
        self.write(key.as_str(), self.aws.import_parameters(key, algorithm, wrapping_key)).await
    }

    async fn import_material(&self, key: &KeyId, import: &MaterialImport) -> PortResult<Option<KeyMaterialId>> {
        self.write(key.as_str(), self.aws.import_material(key, import)).await
    }

    async fn delete_material(&self, key: &KeyId, material: Option<&KeyMaterialId>) -> PortResult<()> {
        self.write(key.as_str(), self.aws.delete_material(key, material)).await
    }

    async fn delete_alias(&self, alias: &AliasName) -> PortResult<()> {
        self.write(alias.as_str(), self.aws.delete_alias(alias)).await
    }

    async fn put_key_policy(&self, key: &KeyId, policy: &PolicyDocument, check: LockoutCheck) -> PortResult<()> {
        self.write(key.as_str(), self.aws.put_key_policy(key, policy, check)).await
    }

    async fn update_description(&self, key: &KeyId, description: &str) -> PortResult<()> {
        self.write(key.as_str(), self.aws.update_description(key, description)).await
    }

    async fn enable_key(&self, key: &KeyId) -> PortResult<()> {
        self.write(key.as_str(), self.aws.enable_key(key)).await
    }

    async fn disable_key(&self, key: &KeyId) -> PortResult<()> {
        self.write(key.as_str(), self.aws.disable_key(key)).await
    }

    async fn tag_key(&self, key: &KeyId, tags: &BTreeMap<String, String>) -> PortResult<()> {
        self.write(key.as_str(), self.aws.tag_key(key, tags)).await
    }

    async fn untag_key(&self, key: &KeyId, tag_keys: &BTreeSet<String>) -> PortResult<()> {
        self.write(key.as_str(), self.aws.untag_key(key, tag_keys)).await
    }

    async fn create_alias(&self, alias: &AliasName, key: &KeyId) -> PortResult<()> {
        let send = async {
            self.aws.create_alias(alias, key).await?;
            self.bear(alias.as_str());
            Ok(())
        };
        self.write(key.as_str(), send).await
    }

    async fn update_alias(&self, alias: &AliasName, key: &KeyId) -> PortResult<()> {
        self.write(key.as_str(), self.aws.update_alias(alias, key)).await
    }

    async fn enable_rotation(&self, key: &KeyId, days: u16) -> PortResult<()> {
        self.write(key.as_str(), self.aws.enable_rotation(key, days)).await
    }

    async fn disable_rotation(&self, key: &KeyId) -> PortResult<()> {
        self.write(key.as_str(), self.aws.disable_rotation(key)).await
    }
}

impl IdentityReader for Wire {
    async fn role(&self, name: &RoleName) -> PortResult<Option<LiveRole>> {
        self.pause().await;
        if self.shows(name.as_str()) { self.aws.role(name).await } else { Ok(None) }
    }

    async fn oidc_provider_exists(&self, account: &AccountId, provider: &str) -> PortResult<bool> {
        self.aws.oidc_provider_exists(account, provider).await
    }
}

impl IdentityWriter for Wire {
    async fn create_role(&self, role: &NewRole) -> PortResult<()> {
        let send = async {
            self.aws.create_role(role).await?;
            self.bear(role.name.as_str());
            Ok(())
        };
        self.write("", send).await
    }

    async fn update_role(&self, role: &RoleName, description: &str, max_session_seconds: u32) -> PortResult<()> {
        self.write(role.as_str(), self.aws.update_role(role, description, max_session_seconds)).await
    }

    async fn update_trust(&self, role: &RoleName, trust: &PolicyDocument) -> PortResult<()> {
        self.write(role.as_str(), self.aws.update_trust(role, trust)).await
    }

    async fn put_boundary(&self, role: &RoleName, boundary: &str) -> PortResult<()> {
        self.write(role.as_str(), self.aws.put_boundary(role, boundary)).await
    }

    async fn delete_boundary(&self, role: &RoleName) -> PortResult<()> {
        self.write(role.as_str(), self.aws.delete_boundary(role)).await
    }

    async fn tag_role(&self, role: &RoleName, tags: &BTreeMap<String, String>) -> PortResult<()> {
        self.write(role.as_str(), self.aws.tag_role(role, tags)).await
    }

    async fn untag_role(&self, role: &RoleName, tag_keys: &BTreeSet<String>) -> PortResult<()> {
        self.write(role.as_str(), self.aws.untag_role(role, tag_keys)).await
    }

    async fn put_role_policy(&self, role: &RoleName, name: &str, policy: &PolicyDocument) -> PortResult<()> {
        self.write(role.as_str(), self.aws.put_role_policy(role, name, policy)).await
    }

    async fn delete_role_policy(&self, role: &RoleName, name: &str) -> PortResult<()> {
        self.write(role.as_str(), self.aws.delete_role_policy(role, name)).await
    }
}
