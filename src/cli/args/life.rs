//! The options about the end of keys, and those of `keywright rotate`.

use super::{ConnectionOptions, FormatOptions, ManifestOptions, PaceOptions};
use crate::ids::{KeyName, TargetName};
use clap::Args;

/// Consent to the deletion of keys, and to its end.
#[derive(Debug, Clone, Default, Args)]
pub struct LifeOptions {
    /// Schedule the deletion of this key, which is retired and has rested for its soak; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Consent")]
    pub allow_retire: Vec<KeyName>,
    /// Cancel the deletion of this key, which keywright did not schedule; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Consent")]
    pub cancel_deletion: Vec<KeyName>,
}

/// Options of `keywright rotate`.
#[derive(Debug, Clone, Args)]
pub struct RotateOptions {
    /// Rotate this key
    #[arg(value_name = "KEY", required = true)]
    pub names: Vec<KeyName>,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Rotate in this target alone; may be repeated
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
    /// Rotate without asking
    #[arg(long, short, help_heading = "Consent")]
    pub yes: bool,
}
