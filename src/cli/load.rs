//! Finds and reads the manifest's files, and turns them into desired state or into every error at once.

use super::args::{Format, ManifestOptions, ScopeOptions};
use super::printer::Printer;
use super::report;
use crate::desired::DesiredState;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::exit::Exit;
use crate::manifest;
use crate::review;
use crate::source::SourceMap;
use crate::text::{did_you_mean, escape};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A manifest that was read and found valid.
#[derive(Debug)]
pub struct Manifest {
    /// Its files.
    pub sources: SourceMap,
    /// What it wants.
    pub desired: DesiredState,
    /// What is worth saying about it, sorted.
    pub remarks: Vec<Diagnostic>,
}

/// Reads and validates the manifest; prints what is wrong with it. What is worth saying about a valid one is talk, in
/// whatever form the answer is.
///
/// # Errors
/// With the exit code, when everything has been printed.
pub fn load(options: &ManifestOptions, format: Format, printer: &mut Printer) -> Result<Manifest, Exit> {
    let manifest = validate(options, format, printer)?;
    report::print(&manifest.remarks, &manifest.sources, Format::Text, printer);
    Ok(manifest)
}

/// Reads and validates the manifest; prints what is wrong with an invalid one.
///
/// # Errors
/// With the exit code, when everything has been printed.
pub fn validate(options: &ManifestOptions, format: Format, printer: &mut Printer) -> Result<Manifest, Exit> {
    from_files(read_files(&options.files)).map_err(|invalid| invalid.refuse(format, printer))
}

/// A manifest that could not be read, or is not valid.
#[derive(Debug)]
pub struct InvalidManifest {
    diagnostics: Diagnostics,
    sources: SourceMap,
}

impl InvalidManifest {
    /// Prints what is wrong.
    pub fn refuse(self, format: Format, printer: &mut Printer) -> Exit {
        report::print(&self.diagnostics.into_sorted(), &self.sources, format, printer);
        Exit::InvalidManifest
    }
}

/// Names and bytes of a manifest's files, in the order in which they are read; or why there are none.
pub type Files = Result<Vec<(String, Vec<u8>)>, Diagnostics>;

/// Validates a manifest whose files have been read.
///
/// # Errors
/// With everything that is wrong with it.
pub fn from_files(files: Files) -> Result<Manifest, InvalidManifest> {
    let sources = match files.and_then(|files| manifest::check_limits(&files)) {
        Ok(sources) => sources,
        Err(diagnostics) => return Err(InvalidManifest { diagnostics, sources: SourceMap::default() }),
    };
    let loaded = manifest::load(&sources);
    let mut diagnostics = loaded.diagnostics;
    let desired = loaded.state.inspect(|state| {
        diagnostics.extend(review::policy_sizes(state));
        diagnostics.extend(review::duty_diagnostics(state));
    });
    match desired {
        Some(desired) if !diagnostics.has_errors() => {
            Ok(Manifest { sources, desired, remarks: diagnostics.into_sorted() })
        }
        _ => Err(InvalidManifest { diagnostics, sources }),
    }
}

/// Reads the named files, and the `*.toml` of named folders, sorted. Names are relative to what was named, so that
/// output does not depend on the machine.
pub fn read_files(paths: &[PathBuf]) -> Files {
    let mut files = Vec::new();
    let mut wrong = Diagnostics::default();
    for path in paths {
        if path.is_dir() {
            match folder(path) {
                Ok(found) if found.is_empty() => wrong.push(
                    Diagnostic::error(
                        Code::FileUnreadable,
                        format!("the folder `{}` has no *.toml file", escape(&path.to_string_lossy())),
                    )
                    .help("name the manifest with -f, or write one with `keywright init`"),
                ),
                Ok(found) => found.iter().for_each(|file| read_into(file, &mut files, &mut wrong)),
                Err(error) => wrong.push(unreadable(path, &error)),
            }
        } else {
            read_into(path, &mut files, &mut wrong);
        }
    }
    if wrong.has_errors() { Err(wrong) } else { Ok(files) }
}

fn folder(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "toml") && file.is_file() {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

fn read_into(path: &Path, files: &mut Vec<(String, Vec<u8>)>, wrong: &mut Diagnostics) {
    // One byte more than is allowed is enough to know that a file is too large.
    let most = u64::try_from(manifest::FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    match read {
        Ok(_) => files.push((path.to_string_lossy().into_owned(), bytes)),
        Err(error) => wrong.push(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(Code::FileUnreadable, format!("cannot read `{}`: {error}", escape(&path.to_string_lossy())))
        .help("name the manifest with -f, or write one with `keywright init`")
}

impl Manifest {
    /// Narrows the manifest to the targets of the command line, and checks that it has the keys that are named there.
    ///
    /// # Errors
    /// With exit code 2 if the manifest does not have them.
    pub fn narrow(mut self, scope: &ScopeOptions, printer: &mut Printer) -> Result<Self, Exit> {
        let targets: BTreeSet<&str> = self.desired.targets.iter().map(|target| target.name.as_str()).collect();
        let keys: BTreeSet<&str> =
            self.desired.targets.iter().flat_map(|target| &target.keys).map(|key| key.name.as_str()).collect();
        let missing_target = scope
            .targets
            .iter()
            .find(|name| !targets.contains(name.as_str()))
            .map(|name| ("target", name.as_str(), &targets));
        let missing_key =
            scope.keys.iter().find(|name| !keys.contains(name.as_str())).map(|name| ("key", name.as_str(), &keys));
        if let Some((what, name, known)) = missing_target.or(missing_key) {
            let hint = did_you_mean(name, known.iter().copied()).map(|known| format!("; did you mean `{known}`?"));
            printer.error(&format!("the manifest has no {what} `{name}`{}", hint.unwrap_or_default()));
            return Err(Exit::Usage);
        }
        if !scope.targets.is_empty() {
            let all = std::mem::take(&mut self.desired.targets);
            (self.desired.targets, self.desired.left_out) =
                all.into_iter().partition(|target| scope.targets.contains(&target.name));
            let accounts: BTreeSet<_> = self.desired.targets.iter().map(|target| target.account.clone()).collect();
            self.desired.accounts.retain(|account| accounts.contains(&account.account));
        }
        Ok(self)
    }
}
