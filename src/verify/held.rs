//! The imported material that a run holds, for the proofs that KMS has the same.

use crate::ids::{KeyName, TargetName};
use crate::import::Material;
use std::collections::BTreeMap;

/// The material of each key, or why it is not held.
pub type HeldMaterials<'a> = BTreeMap<(TargetName, KeyName), Result<&'a Material, String>>;

/// The imported material that a run holds.
#[derive(Debug, Clone, Copy)]
pub enum Held<'a> {
    /// None: nobody asked for it.
    Nothing,
    /// That of these keys: `--with-material`.
    Materials(&'a HeldMaterials<'a>),
}

impl<'a> Held<'a> {
    /// Returns the material of a key of a target, or why it is not held.
    pub(super) fn of(self, target: &TargetName, key: &KeyName) -> Result<&'a Material, &'a str> {
        match self {
            Self::Nothing => Err("run verify --with-material"),
            Self::Materials(held) => match held.get(&(target.clone(), key.clone())) {
                Some(Ok(material)) => Ok(material),
                Some(Err(reason)) => Err(reason),
                None => Err("its material was not opened"),
            },
        }
    }
}
