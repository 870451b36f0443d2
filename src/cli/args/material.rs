//! The options about imported key material, and those of `keywright import-parameters`.

use super::{ConnectionOptions, FormatOptions, ManifestOptions, PaceOptions};
use crate::ids::{KeyName, MaterialName, TargetName};
use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;

/// Which material is imported or deleted beside what is due.
#[derive(Debug, Clone, Default, Args)]
pub struct MaterialOptions {
    /// Import this material as it was encrypted elsewhere, with what `import-parameters` wrote into DIR; may be repeated
    #[arg(long, value_name = "KEY/MATERIAL=DIR")]
    pub prewrapped: Vec<PrewrappedFolder>,
    /// Import the material of this key again, however long it is still valid; may be repeated
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub reimport: Vec<KeyName>,
    /// Delete the imported material of this key, whose `material_state` is "deleted"; may be repeated
    #[arg(long, value_name = "KEY", help_heading = "Consent")]
    pub delete_material: Vec<KeyName>,
}

/// Consent to where key material comes from.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct CustodyOptions {
    /// Run the commands of the manifest that print key material
    #[arg(long, help_heading = "Consent")]
    pub allow_command: bool,
    /// Open files of key material that others than their owner can read
    #[arg(long, help_heading = "Consent")]
    pub allow_readable: bool,
}

/// Material that was encrypted elsewhere, and the folder in which it lies: `vault-root/2027=DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrewrappedFolder {
    /// The key.
    pub key: KeyName,
    /// The material.
    pub material: MaterialName,
    /// The folder that `import-parameters` wrote.
    pub folder: PathBuf,
}

impl FromStr for PrewrappedFolder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || "write KEY/MATERIAL=DIR, such as vault-root/2027=wrapped".to_owned();
        let (named, folder) = text.split_once('=').filter(|(_, folder)| !folder.is_empty()).ok_or_else(form)?;
        let (key, material) = named.split_once('/').ok_or_else(form)?;
        let wrong = |error: crate::ids::IdError| error.to_string();
        Ok(Self {
            key: key.parse().map_err(wrong)?,
            material: material.parse().map_err(wrong)?,
            folder: PathBuf::from(folder),
        })
    }
}

/// Options of `keywright import-parameters`.
#[derive(Debug, Clone, Args)]
pub struct ImportParametersOptions {
    /// Get what encrypts material for this key
    #[arg(value_name = "KEY")]
    pub key: KeyName,
    /// Write into this folder, a folder for each target of the key in it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Get it for this material; without it, for the one that is due, or the only one
    #[arg(long, value_name = "NAME")]
    pub material: Option<MaterialName>,
    /// Overwrite parameters that are still valid
    #[arg(long)]
    pub force: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Get it for this target alone; may be repeated
    #[arg(long = "target", value_name = "NAME", value_delimiter = ',')]
    pub targets: Vec<TargetName>,
    /// Which endpoint.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// In which form.
    #[command(flatten)]
    pub format: FormatOptions,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceOptions,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prewrapped_material_is_a_key_a_material_and_a_folder() {
        let given: PrewrappedFolder = "vault-root/2027=out/a=b".parse().unwrap();
        assert_eq!((given.key.as_str(), given.material.as_str()), ("vault-root", "2027"));
        assert_eq!(given.folder, PathBuf::from("out/a=b"));
        for bad in ["vault-root=out", "vault-root/2027", "vault-root/2027=", "/2027=out", "vault root/2027=out", "k/=x"]
        {
            assert!(bad.parse::<PrewrappedFolder>().is_err(), "{bad}");
        }
    }
}
