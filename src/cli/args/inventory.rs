//! The command line of `inventory`.

use super::{ConnectionOptions, FormatOptions, ManifestOptions, PaceOptions, ScopeOptions};
use clap::Args;

/// Options of `keywright inventory`.
///
/// Looks at every key of the account and Region of each target, whoever made it, and changes nothing. What may not be
/// read is said of each key, and is no failure; only a target whose keys may not be listed is.
#[derive(Debug, Clone, Args)]
pub struct InventoryOptions {
    /// Which manifest names the targets, and declares keys.
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
    /// Ask when each key was used last, with a call a key
    #[arg(long)]
    pub last_use: bool,
    /// Tell in full what is wrong with policies, grants and settings; JSON always does
    #[arg(long)]
    pub findings: bool,
    /// Show only keys whose imported material expires within this many days, or is missing
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(0..=3650))]
    pub expiring: Option<u16>,
    /// End with exit code 4 if --expiring shows a key, with 5 if that cannot be told of one
    #[arg(long, requires = "expiring")]
    pub check: bool,
}
