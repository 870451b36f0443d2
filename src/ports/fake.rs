//! KMS, IAM and the tagging API of an account's Regions in memory, for tests: a simple, honest model with faults that
//! strike before or after a call takes effect.

mod identity;
pub(crate) mod import;
mod reads;
mod regions;
mod rules;

pub(crate) use regions::Delay;

use super::{
    ImportParameters, KeyWriter, LockoutCheck, MaterialImport, NewKey, NewReplica, NewRole, PortError, PortErrorKind,
    PortResult,
};
use crate::ids::{AliasName, KeyArn, KeyId, KeyMaterialId, KeyStoreId, PrincipalArn, Region, RoleArn, RoleName};
use crate::kms::{KeySpec, KeyState, KeyUsage, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{
    Caller, CallerPolicies, KeyManager, KeyMetadata, LiveGrant, LiveIdentity, LiveKeyStore, LiveMaterial, LiveRole,
    LiveRotation, LiveRotationEvent, LiveRotations, LiveUsage, MultiRegionType,
};
use crate::policy::PolicyDocument;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// Before the call takes effect.
    Before,
    /// After it: the answer is lost.
    After,
}

/// Which calls a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The n-th of its name, from 1.
    Nth(u64),
    /// All of its name.
    Every,
    /// All of its name on one subject are struck: see [`FakeAws::fail_on`].
    OnSubject,
}

#[derive(Debug)]
struct Fault {
    call: String,
    which: Which,
    subject: Option<String>,
    strike: Strike,
    kind: PortErrorKind,
}

/// A key of the fake.
#[derive(Debug, Clone)]
pub(crate) struct FakeKey {
    pub(crate) metadata: KeyMetadata,
    pub(crate) policy: String,
    /// The policy `AWS_RAM`.
    pub(crate) ram_policy: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) rotation: LiveRotation,
    pub(crate) grants: Vec<LiveGrant>,
    /// The history of its rotations.
    pub(crate) rotations: LiveRotations,
    /// Its imported materials, oldest first.
    pub(crate) materials: Vec<LiveMaterial>,
    /// Its last use.
    pub(crate) last_usage: LiveUsage,
    /// Whether the tagging API knows the key yet.
    pub(crate) indexed: bool,
}

/// What the fake holds; tests look at it, and change it behind keywright's back.
#[derive(Debug)]
pub(crate) struct FakeState {
    pub(crate) keys: BTreeMap<KeyId, FakeKey>,
    pub(crate) aliases: BTreeMap<AliasName, KeyId>,
    pub(crate) roles: BTreeMap<RoleName, LiveRole>,
    /// Users; roles are in `roles`.
    pub(crate) users: Vec<LiveIdentity>,
    /// Managed policies by ARN; what is attached and not here cannot be read.
    pub(crate) managed: BTreeMap<String, PolicyDocument>,
    pub(crate) providers: BTreeSet<String>,
    /// Custom key stores.
    pub(crate) stores: BTreeMap<KeyStoreId, LiveKeyStore>,
    /// What the caller's own policies say.
    pub(crate) caller_policies: CallerPolicies,
    /// Every call that was sent, in order: its name and its subject (key id, alias, role).
    pub(crate) log: Vec<(String, String)>,
    /// Principals that policies may name besides the roles here; `None`: any.
    pub(crate) known_principals: Option<BTreeSet<String>>,
    /// Whether new keys are known to the tagging API at once.
    pub(crate) index_at_once: bool,
    /// How long new replicas, and moves of primaries, take here.
    pub(crate) delay: Delay,
    progress: BTreeMap<KeyId, regions::Progress>,
    /// Whether the server does not tell the materials of symmetric keys either.
    pub(crate) lists_no_materials: bool,
    /// What time it is there: when keys are made and rotated, and when material expires.
    pub(crate) now: jiff::Timestamp,
    faults: Vec<Fault>,
    made: u32,
}

/// One account and Region in memory.
pub(crate) struct FakeAws {
    caller: Caller,
    region: Region,
    state: Mutex<FakeState>,
    regions: regions::Regions,
}

/// Without the other Regions, which hold each other.
impl std::fmt::Debug for FakeAws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeAws").field("region", &self.region).field("state", &self.state).finish_non_exhaustive()
    }
}

impl FakeAws {
    /// Returns an empty account whose caller is a principal of it.
    pub(crate) fn new(region: &str, caller: &str) -> Self {
        let principal: PrincipalArn = caller.parse().unwrap();
        Self {
            caller: Caller { account: principal.account(), arn: principal.clone(), principal },
            region: region.parse().unwrap(),
            state: Mutex::new(FakeState::new()),
            regions: regions::Regions::default(),
        }
    }

    /// Returns what it holds, to look at or to change. A lock: keep it over no `await` and no other call of the fake,
    /// not even within one statement.
    pub(crate) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap()
    }

    /// Makes calls of a name fail.
    pub(crate) fn fail(&self, call: &str, which: Which, strike: Strike, kind: PortErrorKind) {
        self.state().faults.push(Fault { call: call.to_owned(), which, subject: None, strike, kind });
    }

    /// Makes calls of a name fail before their effect, on one subject.
    pub(crate) fn fail_on(&self, call: &str, subject: &str, kind: PortErrorKind) {
        let (which, strike, subject) = (Which::OnSubject, Strike::Before, Some(subject.to_owned()));
        self.state().faults.push(Fault { call: call.to_owned(), which, subject, strike, kind });
    }

    /// Lets time pass, and material expire.
    pub(crate) fn passes_to(&self, now: jiff::Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(now);
        for expired in state.expire() {
            self.review_material(&mut state, &expired);
        }
    }

    /// Makes no call fail any more.
    pub(crate) fn heal(&self) {
        self.state().faults.clear();
    }

    /// Returns how often a call was sent.
    pub(crate) fn count(&self, call: &str) -> u64 {
        self.state().count(call)
    }

    /// Returns how often each call was sent.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (call, _) in &self.state().log {
            *counts.entry(call.clone()).or_default() += 1;
        }
        counts
    }

    /// Makes a key as if somebody had made it long ago.
    pub(crate) fn add_key(&self, policy: &str, tags: &[(&str, &str)], aliases: &[&str]) -> KeyArn {
        let mut state = self.state();
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let id = state.make_key(policy.to_owned(), tags, "");
        for alias in aliases {
            state.aliases.insert(alias.parse().unwrap(), id.clone());
        }
        self.arn(&id)
    }

    fn arn(&self, id: &KeyId) -> KeyArn {
        KeyArn::new(self.region.partition(), &self.region, &self.caller.account, id)
    }

    fn run<T>(
        &self,
        call: &str,
        subject: &dyn ToString,
        effect: impl FnOnce(&mut FakeState) -> PortResult<T>,
    ) -> PortResult<T> {
        let subject = subject.to_string();
        self.passes_to(jiff::Timestamp::MIN);
        let mut state = self.state();
        state.log.push((call.to_owned(), subject.clone()));
        let struck = state.struck(call, &subject);
        let failure = |kind| PortError::new(kind, call, format!("injected {kind:?}"));
        match struck {
            Some((Strike::Before, kind)) => Err(failure(kind)),
            Some((Strike::After, kind)) => effect(&mut state).and(Err(failure(kind))),
            None => effect(&mut state).map_err(|error| PortError { call: call.to_owned(), ..error }),
        }
    }

    fn role_arn(&self, role: &NewRole) -> RoleArn {
        RoleArn::new(self.region.partition(), &self.caller.account, &role.path, &role.name).unwrap()
    }
}

fn refused(kind: PortErrorKind, message: impl Into<String>) -> PortError {
    PortError::new(kind, "", message)
}

impl FakeState {
    fn new() -> Self {
        Self {
            keys: BTreeMap::new(),
            aliases: BTreeMap::new(),
            roles: BTreeMap::new(),
            users: Vec::new(),
            managed: BTreeMap::new(),
            providers: BTreeSet::new(),
            stores: BTreeMap::new(),
            caller_policies: CallerPolicies::default(),
            log: Vec::new(),
            known_principals: None,
            index_at_once: true,
            delay: Delay::default(),
            progress: BTreeMap::new(),
            lists_no_materials: false,
            now: "2026-11-24T06:00:00Z".parse().unwrap(),
            faults: Vec::new(),
            made: 0,
        }
    }

    fn count(&self, call: &str) -> u64 {
        self.log.iter().filter(|(name, _)| name == call).count() as u64
    }

    fn struck(&self, call: &str, subject: &str) -> Option<(Strike, PortErrorKind)> {
        let sent = self.count(call);
        let hits = |fault: &&Fault| {
            fault.call == call
                && match fault.which {
                    Which::Nth(n) => n == sent,
                    Which::Every => true,
                    Which::OnSubject => fault.subject.as_deref() == Some(subject),
                }
        };
        self.faults.iter().find(hits).map(|fault| (fault.strike, fault.kind))
    }

    fn make_key(&mut self, policy: String, tags: BTreeMap<String, String>, description: &str) -> KeyId {
        self.made += 1;
        let id: KeyId = format!("00000000-0000-4000-8000-{:012}", self.made).parse().unwrap();
        let metadata = KeyMetadata {
            state: KeyState::Enabled,
            description: description.to_owned(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            manager: KeyManager::Customer,
            multi_region: false,
            multi_region_type: None,
            primary_region: None,
            replica_regions: BTreeSet::new(),
            store: None,
            xks_key_id: None,
            created: Some(self.now),
            deletion: None,
            deletion_window: None,
            expiry: None,
        };
        let indexed = self.index_at_once;
        let (rotation, grants) = (LiveRotation::Off, Vec::new());
        let (rotations, last_usage) = (LiveRotations::default(), LiveUsage::default());
        let (materials, ram_policy) = (Vec::new(), None);
        let key =
            FakeKey { metadata, policy, ram_policy, tags, rotation, grants, rotations, materials, last_usage, indexed };
        self.keys.insert(id.clone(), key);
        id
    }

    /// Returns a key that exists.
    pub(crate) fn key(&mut self, id: &KeyId) -> PortResult<&mut FakeKey> {
        self.keys.get_mut(id).ok_or_else(|| refused(PortErrorKind::NotFound, format!("key {id} does not exist")))
    }

    fn check_room_for_alias(&self, key: &KeyId) -> PortResult<()> {
        let held = self.aliases.values().filter(|named| *named == key).count();
        if held < crate::kms::ALIASES_PER_KEY {
            return Ok(());
        }
        Err(refused(PortErrorKind::LimitExceeded, format!("key {key} has {held} aliases")))
    }

    fn role(&mut self, name: &RoleName) -> PortResult<&mut LiveRole> {
        self.roles.get_mut(name).ok_or_else(|| refused(PortErrorKind::NotFound, format!("no role {name}")))
    }
}

impl KeyWriter for FakeAws {
    async fn create_key(&self, key: &NewKey) -> PortResult<KeyArn> {
        self.run("kms:CreateKey", &"", |state| {
            state.check_principals(&key.policy)?;
            let id = state.make_key(key.policy.to_text(), key.tags.clone(), &key.description);
            let metadata = &mut state.key(&id)?.metadata;
            (metadata.spec, metadata.usage, metadata.origin) = (key.shape.spec, key.shape.usage, key.shape.origin);
            metadata.store.clone_from(&key.store);
            metadata.xks_key_id.clone_from(&key.xks_key_id);
            if key.shape.origin == Origin::External {
                metadata.state = KeyState::PendingImport;
            }
            if key.shape.multi_region {
                metadata.multi_region = true;
                metadata.multi_region_type = Some(MultiRegionType::Primary);
                metadata.primary_region = Some(self.region.clone());
            }
            Ok(self.arn(&id))
        })
    }

    async fn replicate_key(&self, key: &KeyId, replica: &NewReplica) -> PortResult<KeyArn> {
        self.run("kms:ReplicateKey", &key, |state| self.replicate(state, key, replica))
    }

    async fn update_primary_region(&self, key: &KeyId, region: &Region) -> PortResult<()> {
        self.run("kms:UpdatePrimaryRegion", &key, |state| self.move_primary(state, key, region))
    }

    async fn schedule_deletion(&self, key: &KeyId, days: u8) -> PortResult<()> {
        self.run("kms:ScheduleKeyDeletion", &key, |state| {
            let now = state.now;
            let metadata = &mut state.key_for("ScheduleKeyDeletion", key)?.metadata;
            if metadata.multi_region_type == Some(MultiRegionType::Primary) && !metadata.replica_regions.is_empty() {
                metadata.state = KeyState::PendingReplicaDeletion;
                metadata.deletion_window = Some(days.into());
            } else {
                metadata.state = KeyState::PendingDeletion;
                metadata.deletion = Some(now + jiff::SignedDuration::from_hours(24 * i64::from(days)));
            }
            Ok(())
        })
    }

    async fn cancel_deletion(&self, key: &KeyId) -> PortResult<()> {
        self.run("kms:CancelKeyDeletion", &key, |state| {
            let metadata = &mut state.key_for("CancelKeyDeletion", key)?.metadata;
            metadata.state = KeyState::Disabled;
            (metadata.deletion, metadata.deletion_window) = (None, None);
            Ok(())
        })
    }

    async fn rotate_on_demand(&self, key: &KeyId) -> PortResult<()> {
        self.run("kms:RotateKeyOnDemand", &key, |state| {
            let event = LiveRotationEvent { at: state.now, on_demand: true };
            let rotations = &state.rotating_key("RotateKeyOnDemand", key)?.rotations;
            if rotations.on_demand() >= crate::kms::ON_DEMAND_ROTATIONS {
                return Err(refused(PortErrorKind::LimitExceeded, format!("key {key} was rotated 25 times")));
            }
            state.take_new_material(key)?;
            state.key(key)?.rotations.done.push(event);
            if state.key(key)?.metadata.origin == Origin::External {
                self.review_material(state, key);
            }
            Ok(())
        })
    }

    async fn import_parameters(
        &self,
        key: &KeyId,
        algorithm: WrappingAlgorithm,
        wrapping_key: WrappingKeySpec,
    ) -> PortResult<ImportParameters> {
        self.run("kms:GetParametersForImport", &key, |state| state.import_parameters(key, algorithm, wrapping_key))
    }

    async fn import_material(&self, key: &KeyId, import: &MaterialImport) -> PortResult<Option<KeyMaterialId>> {
        self.run("kms:ImportKeyMaterial", &key, |state| self.take_import(state, key, import))
    }

    async fn delete_material(&self, key: &KeyId, material: Option<&KeyMaterialId>) -> PortResult<()> {
        self.run("kms:DeleteImportedKeyMaterial", &key, |state| self.drop_material(state, key, material))
    }

    async fn delete_alias(&self, alias: &AliasName) -> PortResult<()> {
        self.run("kms:DeleteAlias", &alias, |state| {
            state.aliases.remove(alias);
            Ok(())
        })
    }

    async fn put_key_policy(&self, key: &KeyId, policy: &PolicyDocument, _: LockoutCheck) -> PortResult<()> {
        self.run("kms:PutKeyPolicy", &key, |state| {
            state.check_principals(policy)?;
            state.key(key)?.policy = policy.to_text();
            Ok(())
        })
    }

    async fn update_description(&self, key: &KeyId, description: &str) -> PortResult<()> {
        self.run("kms:UpdateKeyDescription", &key, |state| {
            description.clone_into(&mut state.key_for("UpdateKeyDescription", key)?.metadata.description);
            Ok(())
        })
    }

    async fn enable_key(&self, key: &KeyId) -> PortResult<()> {
        self.run("kms:EnableKey", &key, |state| state.switch("EnableKey", key, KeyState::Enabled))
    }

    async fn disable_key(&self, key: &KeyId) -> PortResult<()> {
        self.run("kms:DisableKey", &key, |state| state.switch("DisableKey", key, KeyState::Disabled))
    }

    async fn tag_key(&self, key: &KeyId, tags: &BTreeMap<String, String>) -> PortResult<()> {
        self.run("kms:TagResource", &key, |state| {
            let held = &mut state.key_for("TagResource", key)?.tags;
            let all = held.keys().chain(tags.keys()).filter(|tag| !tag.starts_with("aws:")).collect::<BTreeSet<_>>();
            if all.len() > crate::kms::TAGS_PER_KEY {
                return Err(refused(PortErrorKind::LimitExceeded, format!("key {key} has too many tags")));
            }
            held.extend(tags.clone());
            Ok(())
        })
    }

    async fn untag_key(&self, key: &KeyId, tag_keys: &BTreeSet<String>) -> PortResult<()> {
        self.run("kms:UntagResource", &key, |state| {
            state.key_for("UntagResource", key)?.tags.retain(|tag, _| !tag_keys.contains(tag));
            Ok(())
        })
    }

    async fn create_alias(&self, alias: &AliasName, key: &KeyId) -> PortResult<()> {
        self.run("kms:CreateAlias", &alias, |state| {
            state.key_for("CreateAlias", key)?;
            if state.aliases.contains_key(alias) {
                return Err(refused(PortErrorKind::AlreadyExists, format!("{alias} exists already")));
            }
            state.check_room_for_alias(key)?;
            state.aliases.insert(alias.clone(), key.clone());
            Ok(())
        })
    }

    async fn update_alias(&self, alias: &AliasName, key: &KeyId) -> PortResult<()> {
        self.run("kms:UpdateAlias", &alias, |state| {
            let kind =
                |key: &FakeKey| (key.metadata.spec.is_asymmetric(), key.metadata.spec.is_hmac(), key.metadata.usage);
            let wanted = kind(state.key_for("UpdateAlias", key)?);
            let from = state.aliases.get(alias).and_then(|from| state.keys.get(from));
            if from.is_some_and(|from| kind(from) != wanted) {
                return Err(refused(PortErrorKind::Invalid, format!("{alias} names a key of another type or usage")));
            }
            state.check_room_for_alias(key)?;
            let target = state.aliases.get_mut(alias);
            *target.ok_or_else(|| refused(PortErrorKind::NotFound, format!("no {alias}")))? = key.clone();
            Ok(())
        })
    }

    async fn enable_rotation(&self, key: &KeyId, days: u16) -> PortResult<()> {
        self.run("kms:EnableKeyRotation", &key, |state| {
            state.rotating_key("EnableKeyRotation", key)?.rotation = LiveRotation::On { days: Some(days) };
            self.share_rotation(key, LiveRotation::On { days: Some(days) });
            Ok(())
        })
    }

    async fn disable_rotation(&self, key: &KeyId) -> PortResult<()> {
        self.run("kms:DisableKeyRotation", &key, |state| {
            state.rotating_key("DisableKeyRotation", key)?.rotation = LiveRotation::Off;
            self.share_rotation(key, LiveRotation::Off);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::PortErrorKind::{AlreadyExists, InvalidPrincipal, Throttled, Unknown};

    fn new_key(principal: &str) -> NewKey {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},
                "Action":"kms:*","Resource":"*"}}]}}"#
        );
        NewKey {
            shape: crate::kms::KeyShape::default(),
            store: None,
            xks_key_id: None,
            description: String::new(),
            policy: PolicyDocument::parse(&text).unwrap(),
            tags: BTreeMap::new(),
            lockout_check: LockoutCheck::Keep,
        }
    }

    #[tokio::test]
    async fn faults_strike_before_or_after_the_effect() {
        let fake = FakeAws::new("eu-west-1", "arn:aws:iam::111122223333:role/a");
        let key = new_key("arn:aws:iam::111122223333:root");
        fake.fail("kms:CreateKey", Which::Nth(1), Strike::Before, Throttled);
        fake.fail("kms:CreateKey", Which::Nth(2), Strike::After, Unknown);
        assert_eq!(fake.create_key(&key).await.unwrap_err().kind, Throttled);
        assert_eq!(fake.state().keys.len(), 0);
        assert_eq!(fake.create_key(&key).await.unwrap_err().kind, Unknown);
        assert_eq!(fake.state().keys.len(), 1);
        fake.create_key(&key).await.unwrap();
        assert_eq!(fake.state().keys.len(), 2);
        assert_eq!(fake.count("kms:CreateKey"), 3);
    }

    #[tokio::test]
    async fn it_refuses_what_kms_refuses() {
        let fake = FakeAws::new("eu-west-1", "arn:aws:iam::111122223333:role/a");
        let id = fake.create_key(&new_key("arn:aws:iam::111122223333:role/ghost")).await.unwrap().key_id();
        fake.state().known_principals = Some(BTreeSet::new());
        let ghost = fake.create_key(&new_key("arn:aws:iam::111122223333:role/ghost")).await;
        assert_eq!(ghost.unwrap_err().kind, InvalidPrincipal);
        let alias = "alias/a".parse().unwrap();
        fake.create_alias(&alias, &id).await.unwrap();
        assert_eq!(fake.create_alias(&alias, &id).await.unwrap_err().kind, AlreadyExists);
        fake.disable_key(&id).await.unwrap();
        assert_eq!(fake.enable_rotation(&id, 365).await.unwrap_err().kind, PortErrorKind::Disabled);
        fake.state().key(&id).unwrap().metadata.state = KeyState::PendingDeletion;
        assert_eq!(fake.enable_key(&id).await.unwrap_err().kind, PortErrorKind::InvalidState);
        fake.state().key(&id).unwrap().metadata.spec = KeySpec::Rsa2048;
        fake.cancel_deletion(&id).await.unwrap();
        fake.enable_key(&id).await.unwrap();
        assert_eq!(fake.rotate_on_demand(&id).await.unwrap_err().kind, PortErrorKind::NotSupported);
        fake.schedule_deletion(&id, 7).await.unwrap();
        let deletion = fake.state().key(&id).unwrap().metadata.deletion;
        assert_eq!(deletion, Some("2026-12-01T06:00:00Z".parse().unwrap()));
    }
}
