//! Imported key material as read: which materials a key has, whether they are there, and when they expire.

use crate::ids::KeyMaterialId;

/// When imported material expires.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html#KMS-ImportKeyMaterial-request-ExpirationModel>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// At that moment.
    At(jiff::Timestamp),
    /// Never.
    Never,
}

/// The materials of a key, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveMaterials {
    /// All of them, oldest first.
    Listed(Vec<LiveMaterial>),
    /// KMS lists those of symmetric encryption keys alone, and some servers none.
    Untold,
}

/// One material of a symmetric encryption key.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMaterial {
    /// Its id.
    pub id: KeyMaterialId,
    /// What was said of it when it was imported.
    pub description: Option<String>,
    /// What it is used for.
    pub standing: MaterialStanding,
    /// Whether it is there.
    pub presence: LivePresence,
}

/// What a material is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaterialStanding {
    /// It encrypts and decrypts.
    Current,
    /// It decrypts what it once encrypted.
    NonCurrent,
    /// It waits for a rotation on demand.
    PendingRotation,
    /// The same, and not every replica has it yet.
    PendingReplicas,
}

impl MaterialStanding {
    /// Returns whether the key needs it to be usable: it encrypts, or once did.
    pub fn is_in_use(self) -> bool {
        match self {
            Self::Current | Self::NonCurrent => true,
            Self::PendingRotation | Self::PendingReplicas => false,
        }
    }
}

/// Whether a material is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LivePresence {
    /// It is, until then.
    Imported(Expiry),
    /// It has expired or was deleted: it can be imported again.
    Missing,
}
