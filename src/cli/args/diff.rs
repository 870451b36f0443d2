//! The command lines of `diff`, `snapshot` and `schema`.

use super::{ConnectionOptions, FormatParser, ManifestOptions, PaceOptions, ScopeOptions};
use crate::review::Risk;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Options of `keywright diff`.
///
/// A state is a manifest (a file or folder), a manifest at a revision of git (`git:REV`, or `git:REV:PATH`; PATH is
/// that of `-f` unless given), `live` (what the targets of the manifest of `-f` hold now), or a file that
/// `keywright snapshot` wrote (`*.json`). Only `live` needs credentials.
#[derive(Debug, Clone, Args)]
pub struct DiffOptions {
    /// The old state: a manifest, `git:REV[:PATH]`, `live`, or a snapshot (`*.json`)
    #[arg(value_name = "OLD")]
    pub old: Operand,
    /// The new state, likewise
    #[arg(value_name = "NEW")]
    pub new: Operand,
    /// Which manifest `live` and `git:REV` mean.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Which part of both.
    #[command(flatten)]
    pub scope: ScopeOptions,
    /// Which endpoint, for `live`.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// How fast, for `live`.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// Print the answer for people, for machines, or as the comment on a pull request
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = FormatParser::<DiffFormat>::NEW)]
    pub format: DiffFormat,
    /// End with exit code 4 if anything differs
    #[arg(long)]
    pub check: bool,
    /// End with exit code 5 if anybody gains access at least as grave as this, or if that cannot be told
    #[arg(long, value_name = "RISK", value_parser = RiskParser)]
    pub fail_on: Option<Risk>,
}

/// Options of `keywright snapshot`.
#[derive(Debug, Clone, Args)]
pub struct SnapshotOptions {
    /// Which manifest names the targets.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Which part of it.
    #[command(flatten)]
    pub scope: ScopeOptions,
    /// Which endpoint.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// Write to this file, whose name ends in `.json`, in place of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `keywright schema`.
#[derive(Debug, Clone, Copy, Args)]
pub struct SchemaOptions {
    /// Print the schema of this
    #[arg(value_name = "NAME", default_value = "manifest")]
    pub name: SchemaName,
}

/// What has a JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// The manifest.
    Manifest,
    /// What `plan --format json` prints.
    Plan,
    /// What `apply --format json` prints.
    Apply,
    /// What `verify --format json` prints.
    Verify,
    /// The file that `verify --canary` keeps.
    Canary,
    /// What `diff --format json` prints.
    Diff,
    /// What `snapshot` writes.
    Snapshot,
    /// What `inventory --format json` prints.
    Inventory,
    /// What `access can`, `who-can` and `matrix` print with `--format json`.
    Access,
}

/// One of the two states that `diff` compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A manifest: a file or folder.
    Manifest(PathBuf),
    /// A manifest at a revision.
    Revision {
        /// The revision, as typed; harmless as an argument.
        revision: String,
        /// The file or folder; `None`: those of `-f`.
        path: Option<PathBuf>,
    },
    /// What is live now.
    Live,
    /// A file that `keywright snapshot` wrote.
    Snapshot(PathBuf),
}

impl FromStr for Operand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("name a manifest, `git:REV`, `live`, or a snapshot".to_owned());
        }
        if text == "live" {
            return Ok(Self::Live);
        }
        if let Some(rest) = text.strip_prefix("git:") {
            let (revision, path) = rest.split_once(':').map_or((rest, None), |(revision, path)| (revision, Some(path)));
            check_revision(revision)?;
            if path == Some("") {
                return Err("the path after the revision is missing: write git:REV:PATH, or git:REV".to_owned());
            }
            return Ok(Self::Revision { revision: revision.to_owned(), path: path.map(PathBuf::from) });
        }
        let path = PathBuf::from(text);
        let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        Ok(if json { Self::Snapshot(path) } else { Self::Manifest(path) })
    }
}

/// Lets pass what names one commit and cannot be taken for an option, a range, or a search through the history.
fn check_revision(revision: &str) -> Result<(), String> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "._/-@{}^~+#=".contains(c);
    let form = "a revision is a branch, a tag, a commit, or such as HEAD~1 or main@{upstream}";
    if revision.is_empty() || revision.len() > 256 {
        return Err(form.to_owned());
    }
    if revision.starts_with('-')
        || revision.contains("..")
        || revision.contains("{/")
        || !revision.chars().all(harmless)
    {
        return Err(format!("`{}` is no revision: {form}", crate::text::escape(revision)));
    }
    Ok(())
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(path) | Self::Snapshot(path) => write!(f, "{}", path.display()),
            Self::Revision { revision, path: None } => write!(f, "git:{revision}"),
            Self::Revision { revision, path: Some(path) } => write!(f, "git:{revision}:{}", path.display()),
            Self::Live => f.write_str("live"),
        }
    }
}

/// The form of a difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON document with a `format_version`.
    Json,
    /// For the comment on a pull request.
    Markdown,
}

/// Parses a [`Risk`] by its name.
#[derive(Debug, Clone, Copy)]
struct RiskParser;

/// What a risk is, from harmless to grave.
const RISKS: [(Risk, &str); 7] = [
    (Risk::Routine, "Any gain at all"),
    (Risk::Administer, "Administration"),
    (Risk::CrossAccount, "Access from another account"),
    (Risk::Public, "Access by everybody"),
    (Risk::Destroy, "Disabling or deleting a key"),
    (Risk::Decrypt, "Reading data"),
    (Risk::Escalation, "A way to give oneself more: policies, grants, the trust of a role"),
];

impl TypedValueParser for RiskParser {
    type Value = Risk;

    fn parse_ref(
        &self,
        command: &clap::Command,
        option: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Risk, clap::Error> {
        let names = clap::builder::PossibleValuesParser::new(RISKS.map(|(risk, _)| risk.name()));
        let text = names.parse_ref(command, option, value)?;
        let found = RISKS.iter().find(|(risk, _)| risk.name() == text).map(|(risk, _)| *risk);
        found.ok_or_else(|| clap::Error::new(ErrorKind::InvalidValue).with_cmd(command))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(RISKS.iter().map(|(risk, help)| PossibleValue::new(risk.name()).help(*help))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_told_apart_and_a_path_can_name_anything() {
        let revision = |revision: &str, path: Option<&str>| Operand::Revision {
            revision: revision.to_owned(),
            path: path.map(PathBuf::from),
        };
        for (text, operand) in [
            ("live", Operand::Live),
            ("./live", Operand::Manifest("./live".into())),
            ("infra", Operand::Manifest("infra".into())),
            ("monday.json", Operand::Snapshot("monday.json".into())),
            ("git:main", revision("main", None)),
            ("git:origin/main~2:infra/keys.toml", revision("origin/main~2", Some("infra/keys.toml"))),
            ("git:HEAD@{1}:a:b.toml", revision("HEAD@{1}", Some("a:b.toml"))),
        ] {
            assert_eq!(text.parse::<Operand>().as_ref(), Ok(&operand), "{text}");
            assert_eq!(operand.to_string(), text);
        }
    }

    #[test]
    fn what_git_could_misread_is_no_revision() {
        for bad in ["", "--upload-pack=x", "a..b", "a b", "a\nb", "HEAD^{/fix}", "$(x)", "a;b", &"a".repeat(257)] {
            assert!(format!("git:{bad}").parse::<Operand>().is_err(), "{bad}");
        }
        assert!("git:main:".parse::<Operand>().is_err());
        assert!("".parse::<Operand>().is_err());
    }

    #[test]
    fn risks_are_listed_from_harmless_to_grave() {
        assert!(RISKS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
