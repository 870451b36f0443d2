//! Servers and the real executable, as child processes on loopback.

use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Returns a port that is free now.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A script of this folder, running; one answer for each request.
pub(crate) struct Script {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Script {
    pub(crate) fn start(python: &Path, name: &str) -> Outcome<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name);
        let mut process = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().ok_or("the script has no standard input")?;
        let output = BufReader::new(process.stdout.take().ok_or("the script has no standard output")?);
        Ok(Self { process, input, output })
    }

    pub(crate) fn ask(&mut self, request: &Value) -> Outcome<Value> {
        writeln!(self.input, "{request}")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Ends it; an error if it failed.
    pub(crate) fn stop(self) -> Outcome<()> {
        let Self { mut process, input, output } = self;
        drop((input, output));
        if process.wait()?.success() { Ok(()) } else { Err("the script failed".into()) }
    }
}

/// A server that ends with its test.
pub(crate) struct Server(Child);

impl Server {
    /// Starts a program and waits until it listens.
    pub(crate) fn start(command: &mut Command, port: u16) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut server = Self(child);
        let patience = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = server.0.try_wait()? {
                let mut talk = String::new();
                server.0.stderr.take().ok_or("no standard error")?.read_to_string(&mut talk)?;
                return Err(format!("the server ended with {status}: {talk}").into());
            }
            if Instant::now() > patience {
                return Err("the server does not listen after a minute".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // What it logs is read away, so that it never waits for a reader.
        if let Some(mut talk) = server.0.stderr.take() {
            let _reader = std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A folder with a manifest, and credentials.
pub(crate) struct Place {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Place {
    pub(crate) fn new(manifest: &str, access_key: &str, secret: &str) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("keywright.toml"), manifest)?;
        let environment =
            vec![("AWS_ACCESS_KEY_ID", access_key.to_owned()), ("AWS_SECRET_ACCESS_KEY", secret.to_owned())];
        Ok(Self { folder, environment })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces text in the manifest, where it must stand exactly once.
    pub(crate) fn replace(&self, from: &str, to: &str) -> Outcome<()> {
        let path = self.path().join("keywright.toml");
        let text = std::fs::read_to_string(&path)?;
        demand(text.matches(from).count() == 1, || format!("`{from}` stands not once in the manifest"))?;
        Ok(std::fs::write(path, text.replace(from, to))?)
    }

    /// Returns a command with nothing of the machine's environment.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywright"));
        command.args(words.split(' ')).current_dir(self.path()).env_clear().env("HOME", self.path());
        command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs keywright, demands its exit code, and returns its answer.
    pub(crate) fn run(&self, words: &str, code: i32) -> Outcome<String> {
        let output = self.command(words).output()?;
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let ended = output.status.code();
        demand(ended == Some(code), || format!("`{words}` ended with {ended:?}, not {code}\n{out}\n{err}"))?;
        Ok(out)
    }
}

/// Our sandbox, serving, and what it told its clients to export.
pub(crate) struct Sandbox {
    process: Child,
    exports: BTreeMap<String, String>,
}

impl Sandbox {
    /// Serves the state that a place has, on a free port.
    pub(crate) fn start(place: &Place) -> Outcome<Self> {
        let mut command = place.command("sandbox serve --port 0 --state .keywright/sandbox");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take().ok_or("no standard output")?;
        let mut sandbox = Self { process, exports: BTreeMap::new() };
        for line in BufReader::new(output).lines().take(4) {
            let line = line?;
            let (name, value) =
                line.strip_prefix("export ").and_then(|line| line.split_once('=')).ok_or("no export")?;
            let value = value.split_whitespace().next().unwrap_or_default();
            sandbox.exports.insert(name.to_owned(), value.to_owned());
        }
        Ok(sandbox)
    }

    /// Returns the environment of a client.
    pub(crate) fn exports(&self) -> &BTreeMap<String, String> {
        &self.exports
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Fails a test with a message.
pub(crate) fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome<()> {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

/// Demands that a text has another.
pub(crate) fn demand_in(text: &str, part: &str) -> Outcome<()> {
    demand(text.contains(part), || format!("no `{part}` in:\n{text}"))
}
