//! The Regions of an account in memory: families of multi-Region keys, which take their time.

use super::{FakeAws, FakeState, refused};
use crate::ids::{KeyArn, KeyId, Region};
use crate::kms::{KeyState, Origin};
use crate::live::{KeyMetadata, LiveRotation, MultiRegionType};
use crate::ports::{NewReplica, PortErrorKind, PortResult};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The Regions of one account. They hold each other, and live as long as the tests.
pub(super) type Regions = Arc<Mutex<BTreeMap<Region, Arc<FakeAws>>>>;

/// How long KMS takes, in calls of `DescribeKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delay {
    /// How often a new replica is not found.
    pub(crate) hidden: u32,
    /// How often it is `Creating` then, or a key whose primary moves `Updating`.
    pub(crate) busy: u32,
}

/// What a key will be once KMS has finished.
#[derive(Debug)]
pub(super) struct Progress {
    delay: Delay,
    pub(super) then: KeyState,
}

impl FakeAws {
    /// Returns the account in a Region.
    pub(crate) fn region(self: &Arc<Self>, name: &Region) -> Arc<Self> {
        let mut regions = self.regions.lock().unwrap();
        regions.entry(self.region.clone()).or_insert_with(|| self.clone());
        let number = u32::try_from(regions.len()).unwrap();
        let new = || {
            let mut state = FakeState::new();
            // Ids of two Regions differ, but for those of families.
            state.made = 1_000 * number;
            let regions = self.regions.clone();
            Arc::new(Self { caller: self.caller.clone(), region: name.clone(), state: Mutex::new(state), regions })
        };
        regions.entry(name.clone()).or_insert_with(new).clone()
    }

    /// Returns the Region that is called.
    pub(crate) fn name(&self) -> &Region {
        &self.region
    }

    pub(super) fn others(&self) -> Vec<Arc<Self>> {
        let regions = self.regions.lock().unwrap();
        regions.iter().filter(|(name, _)| **name != self.region).map(|(_, region)| region.clone()).collect()
    }

    /// Makes a replica; `state` is that of this Region.
    pub(super) fn replicate(&self, state: &mut FakeState, id: &KeyId, replica: &NewReplica) -> PortResult<KeyArn> {
        state.check_principals(&replica.policy)?;
        let mut copy = active_primary(state, id)?.clone();
        let there = self.others().into_iter().find(|other| other.region == replica.region);
        let there = there.ok_or_else(|| refused(PortErrorKind::NotSupported, "there is no such Region"))?;
        {
            let mut other = there.state();
            if other.keys.contains_key(id) {
                let message = format!("{} has a replica of {id} already", replica.region);
                return Err(refused(PortErrorKind::AlreadyExists, message));
            }
            copy.metadata.multi_region_type = Some(MultiRegionType::Replica);
            copy.metadata.description.clone_from(&replica.description);
            copy.policy = replica.policy.to_text();
            copy.tags.clone_from(&replica.tags);
            copy.grants.clear();
            copy.indexed = other.index_at_once;
            // Of imported material it gets no copy.
            copy.materials.clear();
            let delay = other.delay;
            if delay != Delay::default() {
                copy.metadata.state = KeyState::Creating;
                other.progress.insert(id.clone(), Progress { delay, then: KeyState::Enabled });
            }
            other.keys.insert(id.clone(), copy);
        }
        let mut regions = state.key(id)?.metadata.replica_regions.clone();
        regions.insert(replica.region.clone());
        self.relate(state, id, &regions, &self.region)?;
        if state.key(id)?.metadata.origin == Origin::External {
            self.review_material(state, id);
        }
        Ok(KeyArn::new(there.region.partition(), &there.region, &self.caller.account, id))
    }

    /// Makes a replica the primary; `state` is that of this Region.
    pub(super) fn move_primary(&self, state: &mut FakeState, id: &KeyId, region: &Region) -> PortResult<()> {
        let mut regions = active_primary(state, id)?.metadata.replica_regions.clone();
        if !regions.remove(region) {
            return Err(refused(PortErrorKind::Invalid, format!("{region} has no replica of {id}")));
        }
        regions.insert(self.region.clone());
        self.relate(state, id, &regions, region)?;
        state.busy(id);
        for other in self.others().iter().filter(|other| other.region == *region) {
            other.state().busy(id);
        }
        Ok(())
    }

    /// Tells all of a family who the primary is, and where the replicas are.
    fn relate(
        &self,
        state: &mut FakeState,
        id: &KeyId,
        replicas: &BTreeSet<Region>,
        primary: &Region,
    ) -> PortResult<()> {
        let relate = |metadata: &mut KeyMetadata, at: &Region| {
            let kind = if at == primary { MultiRegionType::Primary } else { MultiRegionType::Replica };
            metadata.multi_region_type = Some(kind);
            metadata.primary_region = Some(primary.clone());
            metadata.replica_regions.clone_from(replicas);
        };
        relate(&mut state.key(id)?.metadata, &self.region);
        for other in self.others() {
            if let Some(key) = other.state().keys.get_mut(id) {
                relate(&mut key.metadata, &other.region);
            }
        }
        Ok(())
    }

    /// Gives all of a family the rotation that its primary has.
    pub(super) fn share_rotation(&self, id: &KeyId, rotation: LiveRotation) {
        for other in self.others() {
            if let Some(key) = other.state().keys.get_mut(id) {
                key.rotation = rotation;
            }
        }
    }
}

fn active_primary<'s>(state: &'s mut FakeState, id: &KeyId) -> PortResult<&'s mut super::FakeKey> {
    let key = state.key(id)?;
    if key.metadata.multi_region_type != Some(MultiRegionType::Primary) {
        return Err(refused(PortErrorKind::NotSupported, format!("{id} is no primary")));
    }
    let state = key.metadata.state;
    if state == KeyState::Enabled {
        return Ok(key);
    }
    let kind = if state == KeyState::Disabled { PortErrorKind::Disabled } else { PortErrorKind::InvalidState };
    Err(refused(kind, format!("{id} is {state}")))
}

impl FakeState {
    /// The key is `Updating` for a while, if KMS takes its time.
    fn busy(&mut self, id: &KeyId) {
        let delay = Delay { hidden: 0, ..self.delay };
        if let Some(key) = self.keys.get_mut(id).filter(|_| delay != Delay::default()) {
            let then = std::mem::replace(&mut key.metadata.state, KeyState::Updating);
            self.progress.insert(id.clone(), Progress { delay, then });
        }
    }

    /// Returns a key as `DescribeKey` shows it, which is how time passes.
    pub(super) fn described(&mut self, id: &KeyId) -> PortResult<KeyMetadata> {
        if let Some(progress) = self.progress.get_mut(id) {
            if progress.delay.hidden > 0 {
                progress.delay.hidden -= 1;
                return Err(refused(PortErrorKind::NotFound, format!("key {id} is not visible yet")));
            }
            if progress.delay.busy > 0 {
                progress.delay.busy -= 1;
            } else if let Some(finished) = self.progress.remove(id) {
                self.key(id)?.metadata.state = finished.then;
            }
        }
        Ok(self.key(id)?.metadata.clone())
    }
}
