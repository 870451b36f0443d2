//! Imported key material: what counts is which material it is, so that encrypted material is the material itself here.
//! Relatives in several Regions share which materials they have, and each has its own copies.

use super::{FakeAws, FakeKey, FakeState, refused};
use crate::ids::{KeyId, KeyMaterialId, Region};
use crate::kms::{
    IMPORT_TOKEN_HOURS, IMPORT_VALID_DAYS_MAX, ImportKind, KeySpec, KeyState, Origin, WrappingAlgorithm,
    WrappingKeySpec,
};
use crate::live::{Expiry, LiveMaterial, LiveMaterials, LivePresence, MaterialStanding, MultiRegionType};
use crate::ports::{ImportParameters, MaterialImport, PortErrorKind, PortResult};
use crate::secret::SecretBytes;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Returns the id of a material of a key; relatives in other Regions have the same id.
pub(crate) fn material_id(key: &KeyId, material: &[u8]) -> KeyMaterialId {
    let text = [key.as_str().as_bytes(), b"/", material].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    hex::encode(digest.as_ref()).parse().unwrap()
}

fn is_there(material: &LiveMaterial) -> bool {
    material.presence != LivePresence::Missing
}

impl FakeKey {
    fn is_symmetric(&self) -> bool {
        self.metadata.spec == KeySpec::SymmetricDefault
    }

    fn waiting(&self) -> Option<&LiveMaterial> {
        self.materials.iter().find(|material| !material.standing.is_in_use())
    }

    /// Lets material expire; returns whether any did.
    fn expire(&mut self, now: Timestamp) -> bool {
        let expired =
            |found: &LiveMaterial| matches!(found.presence, LivePresence::Imported(Expiry::At(at)) if at <= now);
        let mut any = false;
        for material in self.materials.iter_mut().filter(|material| expired(material)) {
            material.presence = LivePresence::Missing;
            any = true;
        }
        any
    }

    /// The first expiry of the materials that the key needs.
    fn first_expiry(&self) -> Option<Expiry> {
        let needed = self.materials.iter().filter(|material| material.standing.is_in_use());
        let expiries = needed.filter_map(|material| match material.presence {
            LivePresence::Imported(expiry) => Some(expiry),
            LivePresence::Missing => None,
        });
        expiries.min()
    }

    /// Takes what its primary has; the copies and the descriptions are its own.
    fn follow(&mut self, primary: &[LiveMaterial]) {
        let own: BTreeMap<KeyMaterialId, LiveMaterial> =
            self.materials.drain(..).map(|material| (material.id.clone(), material)).collect();
        let mirrored = |material: &LiveMaterial| {
            let own = own.get(&material.id);
            let description = own.and_then(|own| own.description.clone());
            let presence = own.map_or(LivePresence::Missing, |own| own.presence);
            LiveMaterial { description, presence, ..material.clone() }
        };
        self.materials = primary.iter().map(mirrored).collect();
    }

    fn accept(&mut self, id: &KeyMaterialId, import: &MaterialImport) -> PortResult<()> {
        let incorrect = |why: &str| Err(refused(PortErrorKind::IncorrectMaterial, why));
        if !self.is_symmetric() && (import.kind.is_some() || import.description.is_some() || import.id.is_some()) {
            return Err(refused(PortErrorKind::Invalid, "type, description and id are for symmetric encryption keys"));
        }
        if import.id.is_some() && import.kind == Some(ImportKind::New) {
            return Err(refused(PortErrorKind::Invalid, "no id is for new material"));
        }
        if import.id.as_ref().is_some_and(|named| named != id) {
            return incorrect("it is not the material that is named");
        }
        let kind =
            import.kind.unwrap_or(if self.materials.is_empty() { ImportKind::New } else { ImportKind::Existing });
        match (kind, self.materials.iter_mut().find(|material| material.id == *id)) {
            (ImportKind::Existing, Some(material)) => {
                material.presence = LivePresence::Imported(import.expiry);
                material.description = import.description.clone().or(material.description.take());
                Ok(())
            }
            (ImportKind::Existing, None) => incorrect("the key never had it"),
            (ImportKind::New, Some(_)) => incorrect("the key has it already"),
            (ImportKind::New, None) => self.take_new(id, import),
        }
    }

    fn take_new(&mut self, id: &KeyMaterialId, import: &MaterialImport) -> PortResult<()> {
        if self.metadata.multi_region_type == Some(MultiRegionType::Replica) {
            return Err(refused(PortErrorKind::NotSupported, "a replica gets what its primary has"));
        }
        let first = self.materials.is_empty();
        if !first && !self.is_symmetric() {
            return Err(refused(PortErrorKind::IncorrectMaterial, "its material cannot change"));
        }
        if self.waiting().is_some_and(is_there) {
            return Err(refused(PortErrorKind::InvalidState, "material waits for its rotation already"));
        }
        self.materials.retain(|material| material.standing.is_in_use());
        let standing = if first { MaterialStanding::Current } else { MaterialStanding::PendingRotation };
        let presence = LivePresence::Imported(import.expiry);
        self.materials.push(LiveMaterial {
            id: id.clone(),
            description: import.description.clone(),
            standing,
            presence,
        });
        Ok(())
    }
}

impl FakeState {
    /// The key's state and its first expiry follow from the materials that it needs.
    fn review(&mut self, id: &KeyId) {
        let Some(key) = self.keys.get_mut(id) else { return };
        key.metadata.expiry = key.first_expiry();
        let mut needed = key.materials.iter().filter(|material| material.standing.is_in_use()).peekable();
        let missing = needed.peek().is_none() || !needed.all(is_there);
        // While KMS is at work on a key, this is what the key will be afterwards.
        let state = self.progress.get_mut(id).map_or(&mut key.metadata.state, |progress| &mut progress.then);
        match (missing, *state) {
            (true, KeyState::Enabled | KeyState::Disabled) => *state = KeyState::PendingImport,
            (false, KeyState::PendingImport) => *state = KeyState::Enabled,
            _ => {}
        }
    }

    /// Lets material expire as time passes; returns the keys of which some did.
    pub(super) fn expire(&mut self) -> Vec<KeyId> {
        let now = self.now;
        let external = self.keys.iter_mut().filter(|(_, key)| key.metadata.origin == Origin::External);
        external.filter_map(|(id, key)| key.expire(now).then(|| id.clone())).collect()
    }

    pub(super) fn listed_materials(&mut self, key: &KeyId) -> PortResult<LiveMaterials> {
        let silent = self.lists_no_materials;
        let key = self.key(key)?;
        let listed = key.is_symmetric() && !silent;
        Ok(if listed { LiveMaterials::Listed(key.materials.clone()) } else { LiveMaterials::Untold })
    }

    pub(super) fn import_parameters(
        &mut self,
        id: &KeyId,
        algorithm: WrappingAlgorithm,
        wrapping_key: WrappingKeySpec,
    ) -> PortResult<ImportParameters> {
        let now = self.now;
        let key = self.key_for("GetParametersForImport", id)?;
        if key.metadata.origin != Origin::External || !algorithm.fits(key.metadata.spec, wrapping_key) {
            return Err(refused(PortErrorKind::NotSupported, format!("key {id} takes no material so wrapped")));
        }
        Ok(ImportParameters {
            public_key: id.as_str().into(),
            token: SecretBytes::new(format!("{id} {now}").into_bytes()),
            valid_to: Some(now + SignedDuration::from_hours(IMPORT_TOKEN_HOURS.into())),
        })
    }

    /// Refuses a token that is not one of the key in the last hours.
    fn check_token(&self, id: &KeyId, token: &SecretBytes) -> PortResult<()> {
        let text = std::str::from_utf8(token.expose_secret()).unwrap();
        let (key, given) = text.split_once(' ').unwrap_or((text, ""));
        let given = given.parse::<Timestamp>().ok().filter(|_| key == id.as_str());
        let Some(given) = given else {
            return Err(refused(PortErrorKind::ImportToken, "the token is of another key"));
        };
        if self.now.duration_since(given) >= SignedDuration::from_hours(IMPORT_TOKEN_HOURS.into()) {
            return Err(refused(PortErrorKind::ImportToken, "the token has expired"));
        }
        Ok(())
    }

    fn check_expiry(&self, expiry: Expiry) -> PortResult<()> {
        let Expiry::At(at) = expiry else { return Ok(()) };
        let left = at.duration_since(self.now);
        if left.is_positive() && left <= SignedDuration::from_hours(24 * i64::from(IMPORT_VALID_DAYS_MAX)) {
            return Ok(());
        }
        Err(refused(PortErrorKind::Invalid, format!("{at} is no date of expiry at {}", self.now)))
    }

    /// A rotation takes the material that was imported for it.
    pub(super) fn take_new_material(&mut self, id: &KeyId) -> PortResult<()> {
        let key = self.key(id)?;
        if key.metadata.origin != Origin::External {
            return Ok(());
        }
        let waits = |found: &LiveMaterial| found.standing == MaterialStanding::PendingRotation && is_there(found);
        let Some(at) = key.materials.iter().position(waits) else {
            let message = format!("key {id} has no new material that is ready to be rotated to");
            return Err(refused(PortErrorKind::InvalidState, message));
        };
        for (index, found) in key.materials.iter_mut().enumerate() {
            found.standing = if index == at { MaterialStanding::Current } else { MaterialStanding::NonCurrent };
        }
        Ok(())
    }
}

impl FakeAws {
    pub(super) fn take_import(
        &self,
        state: &mut FakeState,
        id: &KeyId,
        import: &MaterialImport,
    ) -> PortResult<Option<KeyMaterialId>> {
        state.key_for("ImportKeyMaterial", id)?;
        state.check_token(id, &import.token)?;
        state.check_expiry(import.expiry)?;
        let material = material_id(id, &import.encrypted);
        let key = state.key(id)?;
        key.accept(&material, import)?;
        let told = key.is_symmetric();
        self.review_material(state, id);
        Ok(told.then_some(material))
    }

    pub(super) fn drop_material(
        &self,
        state: &mut FakeState,
        id: &KeyId,
        material: Option<&KeyMaterialId>,
    ) -> PortResult<()> {
        let key = state.key_for("DeleteImportedKeyMaterial", id)?;
        let is = |found: &LiveMaterial| {
            material.map_or(found.standing == MaterialStanding::Current, |material| found.id == *material)
        };
        let Some(at) = key.materials.iter().position(is) else {
            let unknown = |_| Err(refused(PortErrorKind::NotFound, format!("key {id} has no such material")));
            return material.map_or(Ok(()), unknown);
        };
        let replica = key.metadata.multi_region_type == Some(MultiRegionType::Replica);
        key.materials[at].presence = LivePresence::Missing;
        // What waited for its rotation is forgotten, by all relatives.
        if !replica && !key.materials[at].standing.is_in_use() {
            key.materials.remove(at);
        }
        self.review_material(state, id);
        Ok(())
    }

    /// Lets all of a family know what its primary has, and what the replicas lack of it; `state` is that of this Region.
    pub(super) fn review_material(&self, state: &mut FakeState, id: &KeyId) {
        if let Some(primary) = self.primary_materials(state, id) {
            self.each_relative(state, id, |_, state| {
                let key = state.keys.get_mut(id).unwrap();
                if key.metadata.multi_region_type == Some(MultiRegionType::Replica) {
                    key.follow(&primary);
                } else {
                    key.materials.clone_from(&primary);
                }
            });
        }
        self.each_relative(state, id, |_, state| state.review(id));
    }

    /// Returns the materials of the primary: what waits for its rotation can be rotated to once every replica has it.
    fn primary_materials(&self, state: &mut FakeState, id: &KeyId) -> Option<Vec<LiveMaterial>> {
        let (mut primary, mut replicas) = (None, Vec::new());
        self.each_relative(state, id, |_, state| {
            let key = &state.keys[id];
            match key.metadata.multi_region_type {
                Some(MultiRegionType::Primary) => primary = Some(key.materials.clone()),
                Some(MultiRegionType::Replica) => replicas.push(key.materials.clone()),
                None => {}
            }
        });
        let mut primary = primary?;
        for material in primary.iter_mut().filter(|material| !material.standing.is_in_use()) {
            let has = |own: &Vec<LiveMaterial>| own.iter().any(|own| own.id == material.id && is_there(own));
            let all = replicas.iter().all(has);
            material.standing = if all { MaterialStanding::PendingRotation } else { MaterialStanding::PendingReplicas };
        }
        Some(primary)
    }

    /// Goes to a key in every Region that has it; `state` is that of this one.
    fn each_relative(&self, state: &mut FakeState, id: &KeyId, mut go: impl FnMut(&Region, &mut FakeState)) {
        if state.keys.contains_key(id) {
            go(&self.region, state);
        }
        for other in self.others() {
            let mut state = other.state();
            if state.keys.contains_key(id) {
                go(&other.region, &mut state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{KeyReader as _, KeyWriter as _, LockoutCheck, NewKey, NewReplica};
    use std::sync::Arc;

    const OAEP: (WrappingAlgorithm, WrappingKeySpec) = (WrappingAlgorithm::OaepSha256, WrappingKeySpec::Rsa4096);

    async fn external(fake: &FakeAws) -> KeyId {
        let shape = crate::kms::KeyShape::default().with_origin(Origin::External).in_many_regions();
        let policy = crate::policy::PolicyDocument::new(Vec::new());
        let (tags, lockout_check) = (BTreeMap::new(), LockoutCheck::Keep);
        let description = String::new();
        let new = NewKey { shape, store: None, xks_key_id: None, description, policy, tags, lockout_check };
        fake.create_key(&new).await.unwrap().key_id()
    }

    async fn import(fake: &FakeAws, key: &KeyId, kind: ImportKind, material: &str, hours: i64) -> PortResult<()> {
        let now = fake.state().now;
        let token = fake.import_parameters(key, OAEP.0, OAEP.1).await.unwrap().token;
        let given = MaterialImport {
            token,
            encrypted: material.into(),
            expiry: Expiry::At(now + SignedDuration::from_hours(hours)),
            kind: Some(kind),
            description: None,
            id: None,
        };
        fake.import_material(key, &given).await.map(drop)
    }

    fn kind(result: PortResult<()>) -> PortErrorKind {
        result.unwrap_err().kind
    }

    fn standings(fake: &FakeAws, key: &KeyId) -> Vec<(MaterialStanding, bool)> {
        fake.state().keys[key].materials.iter().map(|found| (found.standing, is_there(found))).collect()
    }

    #[tokio::test]
    async fn material_is_refused_as_kms_refuses_it() {
        use ImportKind::{Existing, New};
        use PortErrorKind::{ImportToken, IncorrectMaterial, Invalid, InvalidState};
        let fake = FakeAws::new("eu-west-1", "arn:aws:iam::111122223333:role/a");
        let key = external(&fake).await;
        assert_eq!(kind(import(&fake, &key, Existing, "a", 24).await), IncorrectMaterial);
        for hours in [0, 24 * 365 + 1] {
            assert_eq!(kind(import(&fake, &key, New, "a", hours).await), Invalid);
        }
        import(&fake, &key, New, "a", 24).await.unwrap();
        assert_eq!(fake.state().keys[&key].metadata.state, KeyState::Enabled);
        assert_eq!(kind(import(&fake, &key, New, "a", 24).await), IncorrectMaterial);
        assert_eq!(kind(fake.rotate_on_demand(&key).await), InvalidState);
        assert_eq!(fake.state().keys[&key].rotations.on_demand(), 0);
        import(&fake, &key, New, "b", 48).await.unwrap();
        assert_eq!(kind(import(&fake, &key, New, "c", 24).await), InvalidState, "one waits already");
        let token = fake.import_parameters(&key, OAEP.0, OAEP.1).await.unwrap().token;
        let now = fake.state().now;
        fake.state().now = now + SignedDuration::from_hours(24);
        let expiry = Expiry::Never;
        let late =
            MaterialImport { token, encrypted: "a".into(), expiry, kind: Some(Existing), description: None, id: None };
        assert_eq!(fake.import_material(&key, &late).await.unwrap_err().kind, ImportToken);
        assert_eq!(fake.describe_key(&key).await.unwrap().1.state, KeyState::PendingImport, "it has expired");
        import(&fake, &key, Existing, "a", 24).await.unwrap();
        fake.rotate_on_demand(&key).await.unwrap();
        assert_eq!(standings(&fake, &key), [(MaterialStanding::NonCurrent, true), (MaterialStanding::Current, true)]);
    }

    #[tokio::test]
    async fn relatives_share_which_materials_they_have_and_not_the_material() {
        use ImportKind::{Existing, New};
        use MaterialStanding::{Current, NonCurrent, PendingReplicas, PendingRotation};
        let eu = Arc::new(FakeAws::new("eu-west-1", "arn:aws:iam::111122223333:role/a"));
        let us = eu.region(&"us-east-1".parse().unwrap());
        let key = external(&eu).await;
        let replica = NewReplica {
            region: us.name().clone(),
            description: String::new(),
            policy: crate::policy::PolicyDocument::new(Vec::new()),
            tags: BTreeMap::new(),
            lockout_check: LockoutCheck::Keep,
        };
        assert_eq!(eu.replicate_key(&key, &replica).await.unwrap_err().kind, PortErrorKind::InvalidState);
        import(&eu, &key, New, "a", 24).await.unwrap();
        eu.replicate_key(&key, &replica).await.unwrap();
        assert_eq!(us.state().keys[&key].metadata.state, KeyState::PendingImport);
        assert_eq!(kind(import(&us, &key, New, "b", 24).await), PortErrorKind::NotSupported);
        assert_eq!(kind(import(&us, &key, Existing, "b", 24).await), PortErrorKind::IncorrectMaterial);
        import(&us, &key, Existing, "a", 24).await.unwrap();
        assert_eq!(us.state().keys[&key].metadata.state, KeyState::Enabled);
        import(&eu, &key, New, "b", 24).await.unwrap();
        assert_eq!(standings(&eu, &key), [(Current, true), (PendingReplicas, true)]);
        assert_eq!(standings(&us, &key), [(Current, true), (PendingReplicas, false)]);
        assert_eq!(kind(eu.rotate_on_demand(&key).await), PortErrorKind::InvalidState);
        import(&us, &key, Existing, "b", 24).await.unwrap();
        assert_eq!(standings(&eu, &key), [(Current, true), (PendingRotation, true)]);
        eu.rotate_on_demand(&key).await.unwrap();
        assert_eq!(standings(&us, &key), [(NonCurrent, true), (Current, true)]);
        // To delete in one Region is to delete there alone; what waits goes everywhere.
        let of = |material: &str| material_id(&key, material.as_bytes());
        us.delete_material(&key, Some(&of("a"))).await.unwrap();
        assert_eq!(standings(&us, &key), [(NonCurrent, false), (Current, true)]);
        assert_eq!(standings(&eu, &key), [(NonCurrent, true), (Current, true)]);
        let state = |fake: &FakeAws| fake.state().keys[&key].metadata.state;
        assert_eq!((state(&eu), state(&us)), (KeyState::Enabled, KeyState::PendingImport));
        import(&eu, &key, New, "c", 24).await.unwrap();
        eu.delete_material(&key, Some(&of("c"))).await.unwrap();
        assert_eq!((standings(&eu, &key).len(), standings(&us, &key).len()), (2, 2));
        assert_eq!(kind(eu.delete_material(&key, Some(&of("c"))).await), PortErrorKind::NotFound);
    }
}
