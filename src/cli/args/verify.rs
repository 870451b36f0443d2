//! The command line of `verify`.

use super::{ConnectionOptions, CustodyOptions, FormatOptions, ManifestOptions, PaceOptions, ScopeOptions};
use clap::Args;
use std::path::PathBuf;

/// Options of `keywright verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyOptions {
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Which part of it.
    #[command(flatten)]
    pub scope: ScopeOptions,
    /// Which endpoint.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// In which form.
    #[command(flatten)]
    pub format: FormatOptions,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// Assume each verifiable role, and probe in its name
    #[arg(long)]
    pub as_roles: bool,
    /// Fail if anything could not be checked
    #[arg(long)]
    pub require_complete: bool,
    /// Open the imported material of HMAC and asymmetric keys, and prove that KMS has the same
    #[arg(long)]
    pub with_material: bool,
    /// Where material may come from.
    #[command(flatten)]
    pub custody: CustodyOptions,
    /// Keep a ciphertext of each symmetric encryption key in FILE, and decrypt those of all earlier runs
    #[arg(long, value_name = "FILE")]
    pub canary: Option<PathBuf>,
}
