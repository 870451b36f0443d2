//! Imported key material: what counts is which material it is, so that encrypted material is the material itself here.

use super::{FakeKey, FakeState, refused};
use crate::ids::{KeyId, KeyMaterialId};
use crate::kms::{ImportKind, KeySpec, KeyState, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{Expiry, LiveMaterial, LiveMaterials, LivePresence, MaterialStanding, MultiRegionType};
use crate::ports::{ImportParameters, MaterialImport, PortErrorKind, PortResult};
use crate::secret::SecretBytes;

/// Returns the id of a material of a key; relatives in other Regions have the same id.
pub(crate) fn material_id(key: &KeyId, material: &[u8]) -> KeyMaterialId {
    let text = [key.as_str().as_bytes(), b"/", material].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    hex::encode(digest.as_ref()).parse().unwrap()
}

impl FakeKey {
    fn is_symmetric(&self) -> bool {
        self.metadata.spec == KeySpec::SymmetricDefault
    }

    /// The key's state and its first expiry follow from the materials that it needs.
    fn review(&mut self) {
        let needed = || self.materials.iter().filter(|material| material.standing.is_in_use());
        let missing = needed().any(|material| material.presence == LivePresence::Missing) || needed().next().is_none();
        let expiries = needed().filter_map(|material| match material.presence {
            LivePresence::Imported(expiry) => Some(expiry),
            LivePresence::Missing => None,
        });
        self.metadata.expiry = expiries.min();
        match (missing, self.metadata.state) {
            (true, KeyState::Enabled | KeyState::Disabled) => self.metadata.state = KeyState::PendingImport,
            (false, KeyState::PendingImport) => self.metadata.state = KeyState::Enabled,
            _ => {}
        }
    }
}

impl FakeState {
    pub(super) fn listed_materials(&mut self, key: &KeyId) -> PortResult<LiveMaterials> {
        let key = self.key(key)?;
        if key.is_symmetric() { Ok(LiveMaterials::Listed(key.materials.clone())) } else { Ok(LiveMaterials::Untold) }
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
            token: SecretBytes::new(id.as_str().into()),
            valid_to: Some(now + jiff::SignedDuration::from_hours(24)),
        })
    }

    pub(super) fn import_material(&mut self, id: &KeyId, import: &MaterialImport) -> PortResult<Option<KeyMaterialId>> {
        let key = self.key_for("ImportKeyMaterial", id)?;
        if import.token.expose_secret() != id.as_str().as_bytes() {
            return Err(refused(PortErrorKind::ImportToken, "the token is of another key"));
        }
        let material = material_id(id, &import.encrypted);
        key.accept(&material, import)?;
        key.review();
        let told = key.is_symmetric();
        Ok(told.then_some(material))
    }

    pub(super) fn delete_material(&mut self, id: &KeyId, material: Option<&KeyMaterialId>) -> PortResult<()> {
        let key = self.key_for("DeleteImportedKeyMaterial", id)?;
        let current = |found: &&mut LiveMaterial| found.standing == MaterialStanding::Current;
        let named = |found: &&mut LiveMaterial| material.is_none_or(|id| found.id == *id);
        let found =
            key.materials.iter_mut().find(|found| if material.is_some() { named(found) } else { current(found) });
        if let Some(found) = found {
            found.presence = LivePresence::Missing;
        }
        key.review();
        Ok(())
    }

    /// A rotation takes the material that was imported for it.
    pub(super) fn take_new_material(&mut self, id: &KeyId) -> PortResult<()> {
        let key = self.key(id)?;
        if key.metadata.origin != Origin::External {
            return Ok(());
        }
        let waits = |found: &LiveMaterial| {
            found.standing == MaterialStanding::PendingRotation && found.presence != LivePresence::Missing
        };
        let Some(at) = key.materials.iter().position(waits) else {
            return Err(refused(PortErrorKind::InvalidState, format!("key {id} has no new material")));
        };
        for (index, found) in key.materials.iter_mut().enumerate() {
            found.standing = if index == at { MaterialStanding::Current } else { MaterialStanding::NonCurrent };
        }
        key.review();
        Ok(())
    }

    /// Lets material expire.
    pub(crate) fn expire_material(&mut self) {
        let now = self.now;
        for key in self.keys.values_mut().filter(|key| key.metadata.origin == Origin::External) {
            for material in &mut key.materials {
                if matches!(material.presence, LivePresence::Imported(Expiry::At(at)) if at <= now) {
                    material.presence = LivePresence::Missing;
                }
            }
            key.review();
        }
    }
}

impl FakeKey {
    fn accept(&mut self, id: &KeyMaterialId, import: &MaterialImport) -> PortResult<()> {
        let incorrect = |why: &str| Err(refused(PortErrorKind::IncorrectMaterial, why));
        if !self.is_symmetric() && (import.kind.is_some() || import.description.is_some() || import.id.is_some()) {
            return Err(refused(PortErrorKind::Invalid, "type, description and id are for symmetric encryption keys"));
        }
        if import.id.as_ref().is_some_and(|named| named != id) {
            return incorrect("it is not the material that is named");
        }
        let first = self.materials.is_empty();
        let kind = import.kind.unwrap_or(if first { ImportKind::New } else { ImportKind::Existing });
        let is_replica = self.metadata.multi_region_type == Some(MultiRegionType::Replica);
        let known = self.materials.iter().position(|material| material.id == *id);
        let presence = LivePresence::Imported(import.expiry);
        match (kind, known) {
            (ImportKind::Existing, Some(at)) => {
                let material = &mut self.materials[at];
                material.presence = presence;
                material.description = import.description.clone().or(material.description.take());
            }
            (ImportKind::Existing, None) if is_replica && first => self.push(id, import, MaterialStanding::Current),
            (ImportKind::Existing, None) if is_replica && self.is_symmetric() => {
                self.push(id, import, MaterialStanding::PendingRotation);
            }
            (ImportKind::Existing, None) => return incorrect("the key never had it"),
            (ImportKind::New, Some(_)) => return incorrect("the key has it already"),
            (ImportKind::New, None) if is_replica => {
                return Err(refused(PortErrorKind::NotSupported, "a replica gets what its primary has"));
            }
            (ImportKind::New, None) if first => self.push(id, import, MaterialStanding::Current),
            (ImportKind::New, None) if !self.is_symmetric() => return incorrect("its material cannot change"),
            (ImportKind::New, None) => self.push(id, import, MaterialStanding::PendingRotation),
        }
        Ok(())
    }

    fn push(&mut self, id: &KeyMaterialId, import: &MaterialImport, standing: MaterialStanding) {
        let (id, description) = (id.clone(), import.description.clone());
        let presence = LivePresence::Imported(import.expiry);
        self.materials.push(LiveMaterial { id, description, standing, presence });
    }
}
