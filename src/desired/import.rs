//! How a key gets its imported material: from where, how it travels, and how long it stays.

use crate::ids::MaterialName;
use crate::kms::{WrappingAlgorithm, WrappingKeySpec};

/// How a key gets its imported material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// How long each import is valid.
    pub validity: Validity,
    /// How the material is encrypted on its way.
    pub algorithm: WrappingAlgorithm,
    /// The key under which it is encrypted.
    pub wrapping_key: WrappingKeySpec,
    /// The materials, oldest first: the last one is current. Never empty; exactly one for all but symmetric encryption
    /// keys, whose material cannot change.
    pub materials: Vec<DesiredMaterial>,
    /// Whether the material is to be there at all.
    pub presence: MaterialPresence,
}

/// How long imported material is valid, counted from each import.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-import-key-material.html#importing-keys-expiration>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It does not expire.
    Never,
    /// So many days.
    Days {
        /// The days, 1 to 365.
        days: u16,
        /// How many days before it expires it is imported again; less than `days`.
        reimport_before: u16,
    },
}

impl Validity {
    /// Returns the days from an import until the material expires; `None` where it does not.
    pub fn days(self) -> Option<u16> {
        match self {
            Self::Never => None,
            Self::Days { days, .. } => Some(days),
        }
    }
}

/// Whether material is to be there (`material_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaterialPresence {
    /// It is imported, and again whenever it is gone.
    Imported,
    /// It is deleted, with consent: the key cannot be used until it is imported again.
    Deleted,
}

/// One material of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredMaterial {
    /// Its name, which KMS keeps as its description where it keeps one.
    pub name: MaterialName,
    /// Where it comes from.
    pub source: MaterialSource,
}

/// Where material comes from. Never the material itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaterialSource {
    /// What a program prints; there is no shell.
    Command {
        /// The program and its arguments; never empty.
        argv: Vec<String>,
        /// How it prints the material.
        encoding: MaterialEncoding,
    },
    /// A file.
    File {
        /// The path as written: from the folder of the manifest file that names it.
        path: String,
        /// How the material is written in it.
        encoding: MaterialEncoding,
    },
    /// An environment variable.
    Env {
        /// The variable's name.
        variable: String,
        /// How the material is written in it.
        encoding: MaterialEncoding,
    },
    /// Standard input.
    Stdin {
        /// How the material is written there.
        encoding: MaterialEncoding,
    },
    /// It is encrypted elsewhere, as in a hardware module: keywright never sees it (`apply --prewrapped`).
    Prewrapped,
}

/// How material is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaterialEncoding {
    /// The bytes of a secret themselves.
    Raw,
    /// Hexadecimal digits.
    Hex,
    /// Base64 with padding.
    Base64,
    /// A private key in PEM.
    Pem,
    /// A private key in DER (PKCS#8).
    Der,
}

impl MaterialEncoding {
    /// Every encoding.
    pub const ALL: &'static [Self] = &[Self::Raw, Self::Hex, Self::Base64, Self::Pem, Self::Der];

    /// Returns the word of the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Pem => "pem",
            Self::Der => "der",
        }
    }
}
