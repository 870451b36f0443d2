//! Runs the command that prints a material: without a shell, with no input, and with an end.

use super::Trouble;
use super::read::{MOST, bounded};
use crate::secret::SecretBytes;
use crate::text::escape;
use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a command may take: time enough for a person to touch a token.
pub(super) const LIMIT: Duration = Duration::from_mins(2);

/// How often a command that has closed its output is asked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// Runs a command and returns what it prints. What it says on standard error is not shown: a tool that fails may well
/// print what it was given.
pub(super) fn run(argv: &[String], hidden: &BTreeSet<String>, limit: Duration) -> Result<SecretBytes, Trouble> {
    let deadline = Instant::now() + limit;
    let mut child = start(argv, hidden)?;
    let outcome = read_output(&mut child, deadline).and_then(|bytes| {
        let status = ended(&mut child, deadline)?;
        Ok((bytes, status))
    });
    if outcome.is_err() {
        // It may have ended meanwhile.
        drop(child.kill());
        drop(child.wait());
    }
    let (bytes, status) = outcome?;
    if status.success() {
        return Ok(bytes);
    }
    let help = "run it by hand: what it says of errors is not shown here, since it could hold key material";
    Err(Trouble::unreadable(format!("it ended with {status}"), help))
}

fn start(argv: &[String], hidden: &BTreeSet<String>) -> Result<Child, Trouble> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Trouble::unreadable("the command is empty", "name the program and its arguments"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    hidden.iter().for_each(|variable| {
        command.env_remove(variable);
    });
    command.spawn().map_err(|error| {
        let help = match error.kind() {
            io::ErrorKind::NotFound => format!("install `{}`, or add its folder to PATH", escape(program)),
            _ => "look whether it can be run by hand".to_owned(),
        };
        Trouble::unreadable(format!("it cannot be run: {error}"), help)
    })
}

/// Reads in a thread of its own, since a pipe cannot be waited for with an end.
fn read_output(child: &mut Child, deadline: Instant) -> Result<SecretBytes, Trouble> {
    let mut output = child.stdout.take().ok_or_else(|| Trouble::unreadable("it has no output", "report this"))?;
    let (sender, receiver) = mpsc::sync_channel(1);
    let _reader = std::thread::spawn(move || {
        // Nobody waits any more once the time is up.
        drop(sender.send(bounded(&mut output)));
    });
    let read = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).map_err(|_| too_slow())?;
    let bytes =
        read.map_err(|error| Trouble::unreadable(format!("its output cannot be read: {error}"), "run it by hand"))?;
    if bytes.len() > MOST {
        return Err(Trouble::unreadable(
            "it prints more than 64 KiB, which no key material has",
            "have it print the material alone",
        ));
    }
    Ok(bytes)
}

fn ended(child: &mut Child, deadline: Instant) -> Result<ExitStatus, Trouble> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            Ok(None) => return Err(too_slow()),
            Err(error) => {
                return Err(Trouble::unreadable(format!("nothing is known of its end: {error}"), "run apply again"));
            }
        }
    }
}

fn too_slow() -> Trouble {
    Trouble::unreadable(
        "it did not end within 2 minutes and was stopped",
        "run it by hand: it gets no input, and may be waiting for an answer",
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, hidden: &[&str], limit: Duration) -> Result<SecretBytes, Trouble> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        run(&argv, &hidden.iter().map(|name| (*name).to_owned()).collect(), limit)
    }

    #[test]
    fn what_a_command_prints_is_read_whole() {
        assert_eq!(shell("printf abc; sleep 0.1; printf def", &[], LIMIT).unwrap().expose_secret(), b"abcdef");
        // Nothing is read into a word: there is no shell of ours between.
        let argv = ["printf", "%s", "$HOME `id` *"].map(str::to_owned);
        assert_eq!(run(&argv, &BTreeSet::new(), LIMIT).unwrap().expose_secret(), b"$HOME `id` *");
    }

    #[test]
    fn a_command_has_no_input_and_none_of_the_hidden_variables() {
        assert_eq!(shell("cat; printf end", &[], LIMIT).unwrap().expose_secret(), b"end");
        assert!(std::env::var_os("PATH").is_some());
        let seen = shell("env", &["CARGO_PKG_NAME"], LIMIT).unwrap();
        let seen = String::from_utf8_lossy(seen.expose_secret()).into_owned();
        assert!(seen.contains("PATH=") && !seen.contains("CARGO_PKG_NAME="), "{seen}");
    }

    #[test]
    fn how_a_command_failed_is_told_and_nothing_of_what_it_said() {
        let failed = shell("echo SECRET; echo SECRET >&2; exit 3", &[], LIMIT).unwrap_err();
        assert!(failed.what.contains("exit status: 3"), "{failed:?}");
        assert!(!format!("{failed:?}").contains("SECRET"), "{failed:?}");
        let missing = run(&["keywright-no-such-program".to_owned()], &BTreeSet::new(), LIMIT).unwrap_err();
        assert!(missing.help.contains("PATH"), "{missing:?}");
        assert!(run(&[], &BTreeSet::new(), LIMIT).is_err());
    }

    #[test]
    fn a_command_that_never_ends_is_stopped_and_one_that_prints_for_ever_too() {
        let start = Instant::now();
        let limit = Duration::from_millis(300);
        for script in ["exec sleep 60", "exec >&-; exec sleep 60"] {
            assert!(shell(script, &[], limit).unwrap_err().what.contains("2 minutes"), "{script}");
        }
        assert!(shell("yes", &[], LIMIT).unwrap_err().what.contains("64 KiB"));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
