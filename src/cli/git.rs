//! Reads files at a revision of a git repository, without letting the repository run anything.
//!
//! The `git` executable is asked, since a library that reads objects would be 61 crates more. It is called without a
//! shell, with few variables of the environment (no `GIT_*`, and none that could hold a secret), and only for commands that read objects: no hook, no filter, no
//! monitor, no pager and no transport of the repository's configuration runs, whatever it says. Missing objects of a
//! partial clone are an error and are not fetched.

use crate::cli::load::Files;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::manifest;
use crate::text::escape;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// Why nothing was read: an error of the system, told apart from a manifest that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitError(pub String);

/// Reads manifests at a revision: files, and the `*.toml` of folders, sorted; of folders in folders nothing.
///
/// # Errors
/// If there is no git, no repository, or no such revision. What is wrong with single paths is in the answer.
pub fn read_manifest(revision: &str, paths: &[PathBuf]) -> Result<Files, GitError> {
    let mut files = Vec::new();
    let mut wrong = Diagnostics::default();
    for path in paths {
        let place = Place::find(revision, path)?;
        match place.files()? {
            Ok(found) => files.extend(found),
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    Ok(if wrong.has_errors() { Err(wrong) } else { Ok(files) })
}

/// A path in a commit.
struct Place<'a> {
    /// A folder that exists, from which git finds the repository.
    folder: PathBuf,
    /// The commit.
    commit: String,
    /// The path from the top of the repository, with slashes; empty for the top.
    inside: String,
    /// The revision and path, as the caller named them.
    revision: &'a str,
    path: &'a Path,
}

/// Names and bytes of files; or what is wrong with the path.
type Found = Result<Vec<(String, Vec<u8>)>, Diagnostic>;

/// An entry of a tree.
struct Entry {
    mode: String,
    object: String,
    size: u64,
    path: String,
}

impl<'a> Place<'a> {
    fn find(revision: &'a str, path: &'a Path) -> Result<Self, GitError> {
        let (folder, rest) = existing_folder(path);
        let prefix = text(&run(&folder, &["rev-parse", "--show-prefix"])?.map_err(|said| {
            let place = escape(&folder.to_string_lossy()).into_owned();
            GitError(format!("cannot read git:{revision}: `{place}` is in no git repository: {said}"))
        })?);
        let named = format!("{revision}^{{commit}}");
        let commit =
            text(&run(&folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &named])?.map_err(|_| {
                GitError(format!(
                    "the repository has no commit `{}`; a shallow clone has few: fetch it first",
                    escape(revision)
                ))
            })?);
        let inside = inside(prefix.trim_end_matches(['\n', '/']), &rest);
        let commit = commit.trim().to_owned();
        // The name of an object is all that is asked for from here on.
        if commit.len() < 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(GitError(format!("git answered `{}` for a commit", escape(&commit))));
        }
        Ok(Self { folder, commit, inside, revision, path })
    }

    /// Returns the manifest's files here, with their bytes.
    fn files(&self) -> Result<Found, GitError> {
        let top = self.inside.is_empty();
        let itself = if top { None } else { self.entries(&self.inside)?.into_iter().next() };
        let entries = match itself {
            Some(entry) if entry.mode == "040000" => self.entries(&format!("{}/", self.inside))?,
            Some(entry) => return self.read(vec![entry]),
            None if top => self.entries("")?,
            None => return Ok(Err(self.absent())),
        };
        let mut manifests: Vec<Entry> =
            entries.into_iter().filter(|entry| entry.is_toml() && entry.is_file()).collect();
        manifests.sort_by(|one, other| one.path.cmp(&other.path));
        if manifests.is_empty() {
            return Ok(Err(self.unreadable("the folder has no *.toml file")));
        }
        self.read(manifests)
    }

    fn read(&self, entries: Vec<Entry>) -> Result<Found, GitError> {
        if let Some(entry) = entries.iter().find(|entry| !entry.is_file()) {
            let what = if entry.mode == "120000" { "a symbolic link, which is not followed" } else { "no file" };
            return Ok(Err(self.unreadable(&format!("it is {what}"))));
        }
        if let Some(diagnostic) = self.too_much(&entries) {
            return Ok(Err(diagnostic));
        }
        let mut files = Vec::new();
        for entry in entries {
            let bytes = run(&self.folder, &["cat-file", "blob", &entry.object])?.map_err(|said| {
                GitError(format!("cannot read `{}` at {}: {said}", escape(&entry.path), self.revision))
            })?;
            files.push((format!("git:{}:{}", self.revision, entry.path), bytes));
        }
        Ok(Ok(files))
    }

    /// Refuses before reading what is too large, by the sizes that the tree tells.
    fn too_much(&self, entries: &[Entry]) -> Option<Diagnostic> {
        let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let total: u64 = entries.iter().map(|entry| entry.size).fold(0, u64::saturating_add);
        let large = entries.iter().find(|entry| entry.size > bytes(manifest::FILE_BYTES));
        let why = match large {
            Some(entry) => format!("`{}` has more than 1 MiB", escape(&entry.path)),
            None if entries.len() > manifest::FILES || total > bytes(manifest::MANIFEST_BYTES) => {
                format!("a manifest has at most {} files and 16 MiB", manifest::FILES)
            }
            None => return None,
        };
        let message = format!("cannot read `{}` at `{}`: {why}", self.shown(), self.revision);
        Some(Diagnostic::error(Code::FileTooLarge, message).help("name another path: git:REV:PATH"))
    }

    /// Returns the entries at a path: those of a folder where it ends in a slash.
    fn entries(&self, path: &str) -> Result<Vec<Entry>, GitError> {
        let mut arguments = vec!["ls-tree", "-z", "-l", "--full-tree", self.commit.as_str()];
        if !path.is_empty() {
            arguments.extend(["--", path]);
        }
        let listed = run(&self.folder, &arguments)?
            .map_err(|said| GitError(format!("cannot read the tree of `{}`: {said}", escape(self.revision))))?;
        let records = listed.split(|byte| *byte == 0).filter(|record| !record.is_empty());
        Ok(records.filter_map(|record| Entry::parse(&String::from_utf8_lossy(record))).collect())
    }

    fn shown(&self) -> String {
        escape(&self.path.to_string_lossy()).into_owned()
    }

    fn absent(&self) -> Diagnostic {
        self.unreadable("the revision does not have it")
    }

    fn unreadable(&self, why: &str) -> Diagnostic {
        let message = format!("cannot read `{}` at `{}`: {why}", self.shown(), self.revision);
        Diagnostic::error(Code::FileUnreadable, message).help("name the path in that revision: git:REV:PATH")
    }
}

impl Entry {
    /// Parses `MODE TYPE OBJECT SIZE<tab>PATH`.
    fn parse(record: &str) -> Option<Self> {
        let (facts, path) = record.split_once('\t')?;
        let mut facts = facts.split_ascii_whitespace();
        let (mode, _, object) = (facts.next()?, facts.next()?, facts.next()?);
        let size = facts.next()?.parse().unwrap_or(0);
        Some(Self { mode: mode.to_owned(), object: object.to_owned(), size, path: path.to_owned() })
    }

    fn is_toml(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "toml")
    }

    fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }
}

/// Returns the nearest folder of a path that exists, and what follows it: the path may be gone since.
fn existing_folder(path: &Path) -> (PathBuf, PathBuf) {
    let mut folder = path.to_path_buf();
    let mut rest = Vec::new();
    while !folder.is_dir() {
        match (folder.file_name().map(ToOwned::to_owned), folder.parent().map(Path::to_path_buf)) {
            (Some(name), Some(parent)) => {
                rest.push(name);
                folder = parent;
            }
            _ => break,
        }
        if folder.as_os_str().is_empty() {
            folder = PathBuf::from(".");
        }
    }
    (folder, rest.iter().rev().collect())
}

/// Returns a path from the top of the repository, with slashes.
fn inside(prefix: &str, rest: &Path) -> String {
    let names = rest.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        // INVARIANT: what is not a name was part of a folder that exists.
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    });
    let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
    prefix.into_iter().chain(names).collect::<Vec<_>>().join("/")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Options before every command: nothing that the repository configures is run, no bare repository that lies in a
/// work tree is taken for one, and objects are what they say.
const SAFE: [&str; 13] = [
    "--no-pager",
    "--no-replace-objects",
    "--no-optional-locks",
    "--literal-pathspecs",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "safe.bareRepository=explicit",
    "-c",
    "core.quotePath=false",
    "-C",
];

/// Runs git in a folder. The inner error is what git said.
fn run(folder: &Path, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, GitError> {
    let mut command = Command::new("git");
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_needed(name)));
    // No protocol is allowed, so that no object of a partial clone is fetched, by whatever command.
    command.env("GIT_ALLOW_PROTOCOL", "none").env("GIT_NO_LAZY_FETCH", "1").env("GIT_TERMINAL_PROMPT", "0");
    command.env("LC_ALL", "C").args(SAFE).arg(folder).args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let what = if missing { "git:REV needs the `git` executable" } else { "cannot run git" };
        GitError(format!("{what}: {error}"))
    })?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("it said nothing").to_owned();
    Ok(Err(escape(said.trim_start_matches("fatal: ")).into_owned()))
}

/// What git needs of the environment: to be found, and to find its configuration, which says whose repositories it trusts.
const NEEDED: [&str; 18] = [
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "LOGNAME",
    "USER",
    "SUDO_UID",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "PATHEXT",
    "COMSPEC",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "PROGRAMDATA",
];

fn is_needed(name: &OsStr) -> bool {
    NEEDED.iter().any(|needed| name.eq_ignore_ascii_case(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_gone_is_found_from_the_folder_that_is_left() {
        let place = tempfile::tempdir().unwrap();
        let gone = place.path().join("infra/keys/a.toml");
        assert_eq!(existing_folder(&gone), (place.path().to_owned(), "infra/keys/a.toml".into()));
        assert_eq!(existing_folder(place.path()), (place.path().to_owned(), PathBuf::new()));
        assert_eq!(existing_folder(Path::new("no-such-file.toml")), (".".into(), "no-such-file.toml".into()));
    }

    #[test]
    fn paths_begin_at_the_top_of_the_repository() {
        assert_eq!(inside("", Path::new("a.toml")), "a.toml");
        assert_eq!(inside("infra", Path::new("keys/a.toml")), "infra/keys/a.toml");
        assert_eq!(inside("infra", Path::new("")), "infra");
        assert_eq!(inside("", Path::new("")), "");
    }

    #[test]
    fn git_gets_no_variable_that_could_hold_a_secret() {
        assert!(is_needed(OsStr::new("PATH")) && is_needed(OsStr::new("SystemRoot")));
        for name in ["GIT_DIR", "AWS_SECRET_ACCESS_KEY", "ROOT_KEY", "KEYWRIGHT_PREWRAPPED", "VAULT_TOKEN"] {
            assert!(!is_needed(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn records_of_a_tree_are_read() {
        let entry = Entry::parse("100644 blob 0a1b2c    1234\tinfra/a b.toml").unwrap();
        assert_eq!((entry.object.as_str(), entry.size, entry.path.as_str()), ("0a1b2c", 1234, "infra/a b.toml"));
        assert!(entry.is_file());
        assert!(!Entry::parse("120000 blob 0a1b2c 4\tlink.toml").unwrap().is_file());
        assert_eq!(Entry::parse("040000 tree 0a1b2c -\tinfra").unwrap().size, 0);
        assert!(Entry::parse("nonsense").is_none());
    }
}
