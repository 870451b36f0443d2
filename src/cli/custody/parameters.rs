//! The folder of import parameters: what `import-parameters` writes, whoever encrypts adds to, and `apply` reads.

use crate::ids::{KeyArn, KeyName, MaterialName, StackName, TargetName};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the form of `parameters.json`.
pub(super) const FORMAT_VERSION: u32 = 1;

/// What `parameters.json` says: for which key and material the parameters are, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// The version of the form.
    pub format_version: u32,
    /// The stack.
    pub stack: StackName,
    /// The key's name in the manifest.
    pub key: KeyName,
    /// The material.
    pub material: MaterialName,
    /// The target.
    pub target: TargetName,
    /// The key: parameters are for one key alone, and a replica is another key than its primary.
    pub key_arn: KeyArn,
    /// The wrapping algorithm, by AWS's name.
    pub algorithm: String,
    /// The spec of the wrapping key, by AWS's name.
    pub wrapping_key: String,
    /// Until when they can be used.
    pub valid_to: jiff::Timestamp,
}

/// The files of one target.
#[derive(Debug, Clone)]
pub struct ParameterFolder(PathBuf);

impl Parameters {
    /// Returns the version that this keywright writes.
    pub fn format_version() -> u32 {
        FORMAT_VERSION
    }
}

impl ParameterFolder {
    /// Returns the folder of a target in that of a material.
    pub fn new(folder: &Path, target: &TargetName) -> Self {
        Self(folder.join(target.as_str()))
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the file of the public wrapping key, a subject's public key info in DER.
    pub fn wrapping_key_der(&self) -> PathBuf {
        self.0.join("wrapping-key.der")
    }

    /// Returns the same in PEM.
    pub fn wrapping_key_pem(&self) -> PathBuf {
        self.0.join("wrapping-key.pem")
    }

    /// Returns the file of the import token.
    pub fn token(&self) -> PathBuf {
        self.0.join("import-token.bin")
    }

    /// Returns the file that says what the others are for.
    pub fn parameters(&self) -> PathBuf {
        self.0.join("parameters.json")
    }

    /// Returns the file in which the encrypted material is expected.
    pub fn wrapped(&self) -> PathBuf {
        self.0.join("wrapped-material.bin")
    }
}
