//! The command line as data. The doc comments are the manual.

mod access;
mod diff;
mod inventory;
mod life;
mod material;
mod verify;

pub use access::{
    AccessOptions, CallOptions, CanOptions, LintFloor, LintOptions, MatrixOptions, Question, SimulateOptions,
    TargetOptions, WhoCanOptions, WorldOptions,
};
pub use diff::{DiffFormat, DiffOptions, Operand, SchemaName, SchemaOptions, SnapshotOptions};
pub use inventory::InventoryOptions;
pub use life::{LifeOptions, RotateOptions};
pub use material::{CustodyOptions, ImportParametersOptions, MaterialOptions, PrewrappedFolder};
pub use verify::VerifyOptions;

use super::clock::RunClock;
use super::environment;
use super::printer::Talk;
use crate::ids::{AccountId, ClassName, KeyName, Region, RoleArn, StackName, TargetName};
use clap::builder::{NonEmptyStringValueParser, PossibleValue, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use std::ffi::{OsStr, OsString};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where `--sandbox` keeps its state unless told otherwise.
pub const SANDBOX_DIR: &str = ".keywright/sandbox";

/// Declare AWS KMS keys and who may use them, see changes as access, apply them safely, prove that they work
///
/// The manifest (`keywright.toml`) is the only input and live KMS the only state. Standard output is the answer,
/// standard error is the talk.
#[derive(Debug, Parser)]
#[command(name = "keywright", version, arg_required_else_help = true, after_long_help = EXIT_CODES)]
pub struct Cli {
    /// The options of every command.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done; `plan`: nothing to change, or changes without --check; `verify`: all passed
  1  failed: an error of AWS or of the system, before anything was written
  2  wrong use of the command line
  3  the manifest is invalid
  4  `plan --check`, `diff --check`: there are changes; `inventory --check`: imported material expires
  5  blocked: a guard, a class floor, an immutable property, a lock-out, an unreadable state, a stale plan, a gain or finding that `--fail-on` forbids
  6  partial apply: some steps done, the rest named; running again continues
  7  unconfirmed: written, not yet visible within --wait; running again confirms
  8  `verify`: a probe failed; `access simulate --check`: a case differs";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first manifest for data classes and the services that hold their data
    Init(InitOptions),
    /// Parse, validate and lint the manifest, and report every error at once
    Check(CheckOptions),
    /// Show what would change, and who would gain or lose which access
    Plan(PlanOptions),
    /// Make the keys, roles and policies what the manifest says
    Apply(ApplyOptions),
    /// Give keys new key material now, whatever their age
    Rotate(RotateOptions),
    /// Get the public key and the token with which key material is encrypted elsewhere, as in a hardware module
    ImportParameters(ImportParametersOptions),
    /// Prove that every key works for those who may use it, and for nobody else
    Verify(VerifyOptions),
    /// Answer who may do what with a key, and why
    Access(AccessOptions),
    /// Show who gains and loses access between any two states: manifests, revisions, snapshots, live
    Diff(DiffOptions),
    /// Write down what is live now, for `diff` to compare later
    Snapshot(SnapshotOptions),
    /// Show every key of the targets, whoever made it: state, rotation, expiry, findings, cost
    Inventory(InventoryOptions),
    /// Explain a diagnostic code and how to mend what it reports
    Explain(ExplainOptions),
    /// Print a JSON Schema: that of the manifest, or of what a command prints
    Schema(SchemaOptions),
    /// Run the embedded AWS endpoint
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxOptions),
    /// Print a completion script for a shell
    Completions(CompletionsOptions),
    /// Print the manual page, or write those of all commands
    Man(ManOptions),
}

/// Options of every command.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct GlobalOptions {
    /// Print answers, warnings and errors alone
    #[arg(long, short, global = true, help_heading = "Output")]
    pub quiet: bool,
    /// Print each call and decision too; wins over --quiet
    #[arg(long, short, global = true, help_heading = "Output")]
    pub verbose: bool,
    /// Colour the output: on a terminal (unless `NO_COLOR` is set), always, or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub color: Color,
}

impl GlobalOptions {
    /// Returns how much is said.
    pub fn talk(self) -> Talk {
        match (self.verbose, self.quiet) {
            (true, _) => Talk::Verbose,
            (false, true) => Talk::Quiet,
            (false, false) => Talk::Normal,
        }
    }
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Which manifest.
#[derive(Debug, Clone, Args)]
pub struct ManifestOptions {
    /// Read a manifest file, or every `*.toml` of a folder; may be repeated
    #[arg(short = 'f', long = "file", value_name = "PATH", default_value = "keywright.toml")]
    pub files: Vec<PathBuf>,
}

/// Which part of the manifest.
#[derive(Debug, Clone, Default, Args)]
pub struct ScopeOptions {
    /// Look at this target alone; may be repeated
    #[arg(long = "target", value_name = "NAME", value_delimiter = ',')]
    pub targets: Vec<TargetName>,
    /// Look at this key alone; may be repeated
    #[arg(long = "key", value_name = "NAME", value_delimiter = ',')]
    pub keys: Vec<KeyName>,
}

/// Which endpoint, and what the manifest may reach through it.
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectionOptions {
    /// Work against the embedded AWS endpoint, whose state is kept in DIR, in place of AWS
    #[cfg(feature = "sandbox")]
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = SANDBOX_DIR
    )]
    pub sandbox: Option<PathBuf>,
    /// Rehearse at another time, such as `+180d`, `+36h` or `2030-01-01T00:00:00Z`; with --sandbox
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "TIME", requires = "sandbox")]
    pub clock: Option<RunClock>,
    /// Send every call to this endpoint; the sandbox wins over it
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub endpoint_url: Option<String>,
    /// Refuse targets of any other account than this one; may be repeated
    #[arg(long = "allow-account", value_name = "ACCOUNT", value_delimiter = ',')]
    pub allow_accounts: Vec<AccountId>,
    /// Refuse to assume any other role than this one; may be repeated
    #[arg(long = "allow-role", value_name = "ARN", value_delimiter = ',')]
    pub allow_roles: Vec<RoleArn>,
}

impl ConnectionOptions {
    /// Returns the folder of the sandbox's state, if the run is against the sandbox.
    pub fn sandbox_dir(&self) -> Option<&Path> {
        #[cfg(feature = "sandbox")]
        return self.sandbox.as_deref();
        #[cfg(not(feature = "sandbox"))]
        return None;
    }

    /// Returns what time it is for the run: another than the machine's in a rehearsal alone.
    pub fn run_clock(&self) -> RunClock {
        #[cfg(feature = "sandbox")]
        return self.clock.unwrap_or_default();
        #[cfg(not(feature = "sandbox"))]
        return RunClock::default();
    }
}

/// In which form the answer is printed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct FormatOptions {
    /// Print the answer for people or for machines
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = FormatParser::<Format>::NEW)]
    pub format: Format,
}

/// How fast, and how long to wait.
#[derive(Debug, Clone, Copy, Args)]
pub struct PaceOptions {
    /// Keep up to N calls under way at once
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub parallel: u8,
    /// Wait this long, such as `90s` or `5m`, for a change to become visible
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    pub wait: Duration,
}

/// Options of `keywright init`.
#[derive(Debug, Clone, Args)]
pub struct InitOptions {
    /// Name the stack, the namespace that its keys are owned by
    #[arg(long, value_name = "NAME")]
    pub stack: StackName,
    /// Put the keys into this account
    #[arg(long, value_name = "ACCOUNT")]
    pub account: AccountId,
    /// Put the keys into this Region
    #[arg(long, value_name = "REGION")]
    pub region: Region,
    /// Declare a data class and the services that hold its data; may be repeated
    #[arg(long = "class", value_name = "NAME=SERVICE,…", required = true)]
    pub classes: Vec<ClassRequest>,
    /// Write the manifest to this file
    #[arg(long, value_name = "FILE", default_value = "keywright.toml")]
    pub out: PathBuf,
    /// Print the manifest in place of writing it
    #[arg(long)]
    pub stdout: bool,
    /// Overwrite a file that exists
    #[arg(long)]
    pub force: bool,
}

/// A data class that `init` is asked for: `restricted=s3,dynamodb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRequest {
    /// The name of the class.
    pub name: ClassName,
    /// The services, as typed.
    pub services: Vec<String>,
}

impl std::str::FromStr for ClassRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "write NAME=SERVICE,SERVICE…, such as restricted=s3,dynamodb";
        let (name, services) = text.split_once('=').ok_or(form)?;
        let services: Vec<String> = services.split(',').map(|service| service.trim().to_owned()).collect();
        if services.iter().any(String::is_empty) {
            return Err(form.to_owned());
        }
        Ok(Self { name: name.trim().parse().map_err(|error: crate::ids::IdError| error.to_string())?, services })
    }
}

/// Options of `keywright check`.
#[derive(Debug, Clone, Args)]
pub struct CheckOptions {
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// In which form.
    #[command(flatten)]
    pub format: FormatOptions,
}

/// Options of `keywright plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanOptions {
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
    /// Save the plan, for `apply FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "refresh_only")]
    pub out: Option<PathBuf>,
    /// End with exit code 4 if anything would change; with --refresh-only, if anything differs, declared or not
    #[arg(long)]
    pub check: bool,
    /// What was changed outside.
    #[command(flatten)]
    pub drift: DriftOptions,
    /// Show the final policies as JSON too
    #[arg(long)]
    pub policy_text: bool,
    /// Plan changes of wording and order that change no access
    #[arg(long)]
    pub normalize: bool,
    /// What becomes of keys at their end.
    #[command(flatten)]
    pub life: LifeOptions,
    /// What becomes of imported material.
    #[command(flatten)]
    pub material: MaterialOptions,
}

/// How drift is told.
#[derive(Debug, Clone, Args)]
pub struct DriftOptions {
    /// Show where live state and the manifest differ, and plan nothing
    #[arg(long)]
    pub refresh_only: bool,
    /// Tell what was changed outside from what the manifest changes since OLD: a manifest, or `git:REV[:PATH]`
    #[arg(long, value_name = "OLD", conflicts_with = "refresh_only")]
    pub since: Option<Operand>,
}

/// Options of `keywright apply`.
#[derive(Debug, Clone, Args)]
pub struct ApplyOptions {
    /// Apply this saved plan: it is planned anew from the manifest, and must come out the same
    #[arg(value_name = "FILE")]
    pub plan: Option<PathBuf>,
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
    /// Apply without asking
    #[arg(long, short, help_heading = "Consent")]
    pub yes: bool,
    /// Refuse any plan but the one with this digest
    #[arg(long, value_name = "DIGEST", value_parser = NonEmptyStringValueParser::new())]
    pub expect_digest: Option<String>,
    /// Refuse to create any key but these; without a name, any key at all
    #[arg(long, value_name = "NAME", num_args = 0.., value_delimiter = ',')]
    pub expect_creates: Option<Vec<KeyName>>,
    /// Apply changes of wording and order that change no access
    #[arg(long)]
    pub normalize: bool,
    /// Write a policy of this key under which the caller can no longer change it; may be repeated
    #[arg(long, value_name = "KEY", help_heading = "Consent")]
    pub bypass_lockout_check: Vec<KeyName>,
    /// What becomes of keys at their end.
    #[command(flatten)]
    pub life: LifeOptions,
    /// What becomes of imported material.
    #[command(flatten)]
    pub material: MaterialOptions,
    /// Where material may come from.
    #[command(flatten)]
    pub custody: CustodyOptions,
}

/// Options of `keywright explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainOptions {
    /// Explain this code; without one, list them all
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// Options of `keywright sandbox`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Clone, Args)]
pub struct SandboxOptions {
    /// What to do.
    #[command(subcommand)]
    pub command: SandboxCommand,
}

/// What to do with the sandbox.
#[cfg(feature = "sandbox")]
#[derive(Debug, Clone, Subcommand)]
pub enum SandboxCommand {
    /// Serve KMS, IAM, STS and tagging on loopback, to any SDK or CLI
    Serve(ServeOptions),
}

/// Options of `keywright sandbox serve`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// Listen on this port of the loopback interface; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value = "4599")]
    pub port: u16,
    /// Keep the state in this folder
    #[arg(long, value_name = "DIR", default_value = SANDBOX_DIR)]
    pub state: PathBuf,
    /// Answer each request only after this long, such as `20ms`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub latency: Option<Duration>,
    /// Fail on purpose, such as `throttle:PutKeyPolicy*3,drop-reply:CreateKey@1`
    #[arg(long, value_name = "FAULT,…")]
    pub faults: Option<String>,
    /// Start the sandbox's clock at another time, such as `+180d`, `+36h` or `2030-01-01T00:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub clock: Option<RunClock>,
}

/// Options of `keywright completions`.
#[derive(Debug, Clone, Copy, Args)]
pub struct CompletionsOptions {
    /// Write the script for this shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Options of `keywright man`.
#[derive(Debug, Clone, Args)]
pub struct ManOptions {
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON document with a `format_version`.
    Json,
}

/// Parses a form of answer; names the formats that a later version of the command brings.
#[derive(Debug, Clone, Copy)]
struct FormatParser<F>(PhantomData<F>);

impl<F> FormatParser<F> {
    const NEW: Self = Self(PhantomData);
}

impl<F: ValueEnum + Clone + Send + Sync + 'static> TypedValueParser for FormatParser<F> {
    type Value = F;

    fn parse_ref(&self, command: &clap::Command, option: Option<&clap::Arg>, value: &OsStr) -> Result<F, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, option, value)?;
        let here = F::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let here: Vec<String> = here.map(|format| format!("`{}`", format.get_name())).collect();
        let later = ["markdown", "sarif", "junit"].contains(&text.as_str());
        if later && !here.contains(&format!("`{text}`")) {
            let message = format!("the format `{text}` is not yet supported; use {}\n", crate::text::or_list(&here));
            return Err(clap::Error::raw(ErrorKind::InvalidValue, message).with_cmd(command));
        }
        clap::builder::EnumValueParser::<F>::new().parse_ref(command, option, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(F::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// Parses `90s`, `2m`, `1h 30m` or `500ms`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let form = "write a length of time with its unit, such as 90s, 5m or 500ms";
    let signed: jiff::SignedDuration = text.parse().map_err(|_| form)?;
    Duration::try_from(signed).map_err(|_| form.to_owned())
}

/// Returns the command-line parser, environment variables attached.
pub fn command() -> clap::Command {
    environment::attach(Cli::command())
}

/// Parses a command line, the program's name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        parse(line.split(' ').map(OsString::from)).map(|cli| cli.command)
    }

    #[test]
    fn clap_finds_no_fault_with_the_definition() {
        command().debug_assert();
    }

    #[test]
    #[cfg(feature = "sandbox")]
    fn the_sandbox_takes_its_folder_only_after_an_equals_sign() {
        let dir = |line| match parsed(line) {
            Ok(Command::Plan(options)) => options.connection.sandbox_dir().map(Path::to_owned),
            other => panic!("{other:?}"),
        };
        assert_eq!(dir("keywright plan"), None);
        assert_eq!(dir("keywright plan --sandbox"), Some(SANDBOX_DIR.into()));
        assert_eq!(dir("keywright plan --sandbox=x -f y"), Some("x".into()));
        assert!(parsed("keywright plan --sandbox x").is_err());
    }

    #[test]
    fn formats_of_later_versions_are_refused_by_name() {
        for format in ["markdown", "sarif", "junit"] {
            let error = parsed(&format!("keywright plan --format {format}")).unwrap_err();
            assert!(error.to_string().contains("is not yet supported"), "{error}");
        }
        let error = parsed("keywright plan --format jsn").unwrap_err();
        assert!(error.to_string().contains("possible values: text, json"), "{error}");
    }

    #[test]
    fn expected_creates_tell_none_at_all_from_no_expectation() {
        let expected = |line| match parsed(line) {
            Ok(Command::Apply(options)) => {
                options.expect_creates.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(expected("keywright apply"), None);
        assert_eq!(expected("keywright apply --expect-creates --yes"), Some(vec![]));
        assert_eq!(expected("keywright apply --expect-creates a,b c"), Some(vec!["a".into(), "b".into(), "c".into()]));
    }

    #[test]
    fn durations_need_a_unit_and_are_not_negative() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["", "90", "-5s", "soon"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn classes_are_a_name_and_services() {
        let class: ClassRequest = "restricted=s3, dynamodb".parse().unwrap();
        assert_eq!((class.name.as_str(), class.services), ("restricted", vec!["s3".to_owned(), "dynamodb".to_owned()]));
        for bad in ["restricted", "restricted=", "restricted=s3,,rds", "=s3", "a b=s3"] {
            assert!(bad.parse::<ClassRequest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_manual_entry_begins_with_an_imperative_and_has_no_full_stop() {
        fn visit(command: &clap::Command) {
            let texts = command.get_arguments().filter_map(clap::Arg::get_help).chain(command.get_about());
            for text in texts.map(ToString::to_string) {
                assert!(text.starts_with(char::is_uppercase) && !text.ends_with('.'), "{text}");
            }
            command.get_subcommands().for_each(visit);
        }
        visit(&command());
    }
}
