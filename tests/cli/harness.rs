//! Runs the real executable in an empty folder with an empty environment, and makes what it says comparable.

use base64::Engine as _;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder to run commands in; nothing of the machine's environment reaches them.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    /// Returns a new, empty place.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// Sets an environment variable for the commands that follow.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the path of a file of the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it needs.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Replaces text in a file, where it must stand exactly once.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {name}");
        self.write(name, text.replace(from, to));
    }

    /// Copies a folder of the repository to a folder of the place.
    pub fn copy(&self, from: &str, to: &str) {
        let entries: Vec<_> = std::fs::read_dir(repository(from)).unwrap().map(|entry| entry.unwrap()).collect();
        for entry in entries.iter().filter(|entry| entry.path().is_file()) {
            let name = entry.file_name().into_string().unwrap();
            self.write(&format!("{to}/{name}"), std::fs::read(entry.path()).unwrap());
        }
    }

    /// Returns every file of the place with its bytes: what a command that must change nothing leaves as it was.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn visit(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    visit(&path, found);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    found.insert(path, bytes);
                }
            }
        }
        let mut found = BTreeMap::new();
        visit(self.folder.path(), &mut found);
        found
    }

    /// Runs `keywright` with the words of a line.
    pub fn line(&self, words: &str) -> Run {
        self.run(&words.split(' ').collect::<Vec<_>>())
    }

    /// Runs `keywright` with arguments.
    pub fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            folder: self.folder.path().to_owned(),
        }
    }

    /// Returns the command that [`Place::run`] runs, for tests that treat its streams in another way.
    pub fn command<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywright"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            // No test may reach the instance's role, nor wait for it.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }
}

/// Returns a private key in PEM.
pub fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// Returns the path of a file or folder of the repository.
pub fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// Standard output, as it was.
    pub stdout: String,
    /// Standard error, as it was.
    pub stderr: String,
    folder: PathBuf,
}

impl Run {
    /// Demands an exit code; everything that was said is in the failure.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Demands that standard error has a text.
    #[track_caller]
    pub fn talks_of(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in: {self}");
        self
    }

    /// Demands that standard output has a text.
    #[track_caller]
    pub fn answers(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in: {self}");
        self
    }

    /// Returns standard output with what differs from run to run replaced: for runs over several targets, whose talk
    /// comes in any order.
    pub fn answer(&self) -> String {
        comparable(&self.stdout, &self.folder)
    }

    /// Returns standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Run {
    /// Writes all three with what differs from run to run replaced, for snapshots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr);
        f.write_str(&comparable(&all, &self.folder))
    }
}

/// Replaces the temporary folder by `<TMP>`, the executable by its name, key ids by `<KEY_ID_1>` and so on (the same id by the same number),
/// times and dates (but that of the policy language), latencies, loopback ports and digests.
pub fn comparable(text: &str, folder: &Path) -> String {
    let text = text.replace(&*folder.to_string_lossy(), "<TMP>").replace(env!("CARGO_BIN_EXE_keywright"), "keywright");
    let mut seen = Vec::new();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let at_word = !out.ends_with(|c: char| c.is_ascii_alphanumeric());
        let length = if let Some((placeholder, length)) = at_word.then(|| changing(rest, &mut seen)).flatten() {
            out.push_str(&placeholder);
            length
        } else {
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    out
}

const KEY_ID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
const TIME: &str = "dddd-dd-ddTdd:dd:dd";
const DATE: &str = "dddd-dd-dd";

/// Returns what stands for the changing value that a text begins with, and how long that is.
fn changing(text: &str, seen: &mut Vec<String>) -> Option<(String, usize)> {
    if has_shape(text, KEY_ID) {
        let id = text[..KEY_ID.len()].to_owned();
        let number = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        return Some((format!("<KEY_ID_{}>", number + 1), KEY_ID.len()));
    }
    if has_shape(text, TIME) {
        let fraction = text[TIME.len()..].find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let zone = usize::from(text[TIME.len() + fraction..].starts_with('Z'));
        return Some(("<TIME>".into(), TIME.len() + fraction + zone));
    }
    if has_shape(text, DATE) && !text.starts_with("2012-10-17") {
        return Some(("<DATE>".into(), DATE.len()));
    }
    if let Some(port) = text.strip_prefix("127.0.0.1:") {
        let digits = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
        return (digits > 0).then(|| ("127.0.0.1:<PORT>".into(), text.len() - port.len() + digits));
    }
    let number = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if number > 0 && text[number..].starts_with(" ms") {
        return Some(("<N>".into(), number));
    }
    let digits = text.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).unwrap_or(text.len());
    let shortened = digits >= 8 && text[digits..].starts_with('…');
    (digits >= 32 || shortened).then(|| ("<DIGEST>".into(), digits))
}

/// Returns whether a text begins with a shape, in which `h` is a hexadecimal and `d` a decimal digit.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && shape.bytes().zip(text.bytes()).all(|(shape, byte)| match shape {
            b'h' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            b'd' => byte.is_ascii_digit(),
            _ => shape == byte,
        })
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let a = "0a1b2c3d-1111-2222-3333-444455556666";
    let b = "ffffffff-1111-2222-3333-444455556666";
    let text = format!(
        "/tmp/x/y {a} {b} key/{a} mrk 2026-11-24T06:00:00.5Z until 2026-12-01 at 127.0.0.1:4599, 17 ms, digest 5f1c5f1c… of {} 111122223333",
        "0123456789abcdef".repeat(4)
    );
    assert_eq!(
        comparable(&text, Path::new("/tmp/x")),
        "<TMP>/y <KEY_ID_1> <KEY_ID_2> key/<KEY_ID_1> mrk <TIME> until <DATE> at 127.0.0.1:<PORT>, <N> ms, digest <DIGEST>… of <DIGEST> \
         111122223333"
    );
}
