//! Runs the real executable in an empty folder with an empty environment, and makes what it says comparable.

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

impl fmt::Display for Run {
    /// Writes all three with what differs from run to run replaced, for snapshots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr);
        f.write_str(&comparable(&all, &self.folder))
    }
}

/// Replaces the temporary folder by `<TMP>`, key ids by `<KEY_ID_1>` and so on (the same id by the same number),
/// times, loopback ports and digests.
pub fn comparable(text: &str, folder: &Path) -> String {
    let text = text.replace(&*folder.to_string_lossy(), "<TMP>");
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
    if let Some(port) = text.strip_prefix("127.0.0.1:") {
        let digits = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
        return (digits > 0).then(|| ("127.0.0.1:<PORT>".into(), text.len() - port.len() + digits));
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
        "/tmp/x/y {a} {b} key/{a} mrk 2026-11-24T06:00:00.5Z at 127.0.0.1:4599, digest 5f1c5f1c… of {} 111122223333",
        "0123456789abcdef".repeat(4)
    );
    assert_eq!(
        comparable(&text, Path::new("/tmp/x")),
        "<TMP>/y <KEY_ID_1> <KEY_ID_2> key/<KEY_ID_1> mrk <TIME> at 127.0.0.1:<PORT>, digest <DIGEST>… of <DIGEST> \
         111122223333"
    );
}
