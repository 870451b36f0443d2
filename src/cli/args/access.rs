//! The questions of `keywright access`, as data. The doc comments are the manual.

use super::{ConnectionOptions, FormatOptions, ManifestOptions, PaceOptions, ScopeOptions};
use crate::ids::TargetName;
use crate::lint::LintSeverity;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Options of `keywright access`.
#[derive(Debug, Clone, Args)]
pub struct AccessOptions {
    /// Which question.
    #[command(subcommand)]
    pub question: Question,
}

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
pub enum Question {
    /// Say whether a principal may do something with a key, under which conditions, and why
    Can(CanOptions),
    /// List everybody who may do something with a key
    WhoCan(WhoCanOptions),
    /// Show what everybody may do with each key
    Matrix(MatrixOptions),
    /// Find what in policies, grants and settings is vain, too wide or dangerous
    Lint(LintOptions),
    /// Decide worked cases from a file, without a manifest
    Simulate(SimulateOptions),
}

/// From where the answer is taken.
#[derive(Debug, Clone, Args)]
pub struct WorldOptions {
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Ask about what is live, in place of what the manifest says: reads keys, grants and the account's identities
    #[arg(long)]
    pub live: bool,
    /// Which endpoint.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// In which form.
    #[command(flatten)]
    pub format: FormatOptions,
}

/// In which target the key is.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetOptions {
    /// Look for the key in this target alone; needed where several have it
    #[arg(long = "target", value_name = "NAME", value_delimiter = ',')]
    pub targets: Vec<TargetName>,
}

/// What is known of the call that is asked about; everything else stays open.
#[derive(Debug, Clone, Default, Args)]
pub struct CallOptions {
    /// Suppose this pair of the encryption context; may be repeated, and is then the whole context
    #[arg(long = "context", value_name = "KEY=VALUE", value_parser = NonEmptyStringValueParser::new())]
    pub context: Vec<String>,
    /// Suppose that this service, such as `s3`, forwards the call, or `none` for a direct call
    #[arg(long, value_name = "SERVICE", value_parser = NonEmptyStringValueParser::new())]
    pub via: Option<String>,
    /// Suppose that a condition key, such as `aws:SourceVpce`, has this value; may be repeated
    #[arg(long = "condition", value_name = "KEY=VALUE", value_parser = NonEmptyStringValueParser::new())]
    pub conditions: Vec<String>,
}

/// Options of `keywright access can`.
///
/// Answers with exit code 0 whatever the answer is.
#[derive(Debug, Clone, Args)]
pub struct CanOptions {
    /// A role of the manifest, an ARN (user, role, session, root), sso:NAME, account:ID or service:NAME
    #[arg(value_name = "PRINCIPAL", value_parser = NonEmptyStringValueParser::new())]
    pub principal: String,
    /// A capability such as `decrypt` or `administer`, or an API action such as `Decrypt` or `kms:Decrypt`
    #[arg(value_name = "ACTION", value_parser = NonEmptyStringValueParser::new())]
    pub action: String,
    /// A key of the manifest, an alias, a key id or a key ARN
    #[arg(value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub key: String,
    /// Which target.
    #[command(flatten)]
    pub target: TargetOptions,
    /// What is known of the call.
    #[command(flatten)]
    pub call: CallOptions,
    /// From where.
    #[command(flatten)]
    pub world: WorldOptions,
}

/// Options of `keywright access who-can`.
#[derive(Debug, Clone, Args)]
pub struct WhoCanOptions {
    /// A capability such as `decrypt` or `administer`, or an API action such as `Decrypt` or `kms:Decrypt`
    #[arg(value_name = "ACTION", value_parser = NonEmptyStringValueParser::new())]
    pub action: String,
    /// A key of the manifest, an alias, a key id or a key ARN
    #[arg(value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub key: String,
    /// Which target.
    #[command(flatten)]
    pub target: TargetOptions,
    /// What is known of the call.
    #[command(flatten)]
    pub call: CallOptions,
    /// From where.
    #[command(flatten)]
    pub world: WorldOptions,
}

/// Options of `keywright access matrix`.
#[derive(Debug, Clone, Args)]
pub struct MatrixOptions {
    /// Which part of the manifest.
    #[command(flatten)]
    pub scope: ScopeOptions,
    /// From where.
    #[command(flatten)]
    pub world: WorldOptions,
}

/// Options of `keywright access simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateOptions {
    /// A file of cases, or `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// In which form.
    #[command(flatten)]
    pub format: FormatOptions,
    /// End with exit code 8 if a case that is scored has another decision, or context, than it expects
    #[arg(long)]
    pub check: bool,
}

/// Options of `keywright access lint`.
#[derive(Debug, Clone, Args)]
pub struct LintOptions {
    /// Look at this policy document alone (JSON, of a key or of an identity), or at `-`, standard input
    #[arg(value_name = "POLICY", conflicts_with = "live")]
    pub policy: Option<PathBuf>,
    /// Which targets: with --live, every key of their accounts and Regions, and everybody in the accounts.
    #[command(flatten)]
    pub target: TargetOptions,
    /// From where.
    #[command(flatten)]
    pub world: WorldOptions,
    /// End with exit code 5 if anything at least as grave is found
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<LintFloor>,
}

/// The least severity that ends with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFloor {
    /// Anything at all
    Info,
    /// Untidy, or less than it says
    Low,
    /// Not what it says, or more than it needs
    Medium,
    /// Somebody can take what it was not given
    High,
    /// Strangers can
    Critical,
}

impl From<LintFloor> for LintSeverity {
    fn from(floor: LintFloor) -> Self {
        match floor {
            LintFloor::Info => Self::Info,
            LintFloor::Low => Self::Low,
            LintFloor::Medium => Self::Medium,
            LintFloor::High => Self::High,
            LintFloor::Critical => Self::Critical,
        }
    }
}
