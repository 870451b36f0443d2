//! The one object that prints: answers to standard output, talk to standard error.
//!
//! Printing never fails a command half-way: a reader that went away (`| head`) is quiet success, and any other
//! failure is kept until [`Printer::finish`], so that `apply` is not cut off between two writes to AWS.

use super::args::{Color, GlobalOptions};
use crate::exit::Exit;
pub use crate::render::style::{Painter, Style};
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Warnings and errors alone.
    Quiet,
    /// Progress and notes too.
    Normal,
    /// Each detail.
    Verbose,
}

/// What a stream leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A person's terminal.
    Terminal,
    /// A file, a pipe, or memory.
    Other,
}

/// One of the two streams.
struct Stream {
    sink: Box<dyn Write + Send>,
    painter: Painter,
    device: Device,
    failure: Option<io::Error>,
}

impl Stream {
    fn write(&mut self, text: &str) {
        if self.failure.is_some() {
            return;
        }
        let result = self.sink.write_all(text.as_bytes()).and_then(|()| self.sink.flush());
        self.failure = result.err();
    }

    fn write_line(&mut self, text: &str) {
        self.write(text);
        if !text.ends_with('\n') {
            self.write("\n");
        }
    }

    /// Returns why the stream failed, other than by a reader that went away.
    fn real_failure(&self) -> Option<&io::Error> {
        self.failure.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }
}

/// Where words go.
pub struct Printer {
    out: Stream,
    err: Stream,
    talk: Talk,
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("talk", &self.talk).finish_non_exhaustive()
    }
}

impl Printer {
    /// Returns the printer of this process's two streams.
    pub fn for_process(options: &GlobalOptions) -> Self {
        // The convention of https://no-color.org: set and not empty.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let stream = |sink: Box<dyn Write + Send>, is_terminal: bool| {
            let device = if is_terminal { Device::Terminal } else { Device::Other };
            let wish = if no_color && options.color == Color::Auto { Color::Never } else { options.color };
            Stream { sink, painter: painter(wish, device), device, failure: None }
        };
        Self {
            out: stream(Box::new(io::stdout()), io::stdout().is_terminal()),
            err: stream(Box::new(io::stderr()), io::stderr().is_terminal()),
            talk: options.talk(),
        }
    }

    /// Returns a printer that writes to other sinks, which are no terminals.
    pub fn to_sinks(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, talk: Talk, color: Color) -> Self {
        let stream =
            |sink| Stream { sink, painter: painter(color, Device::Other), device: Device::Other, failure: None };
        Self { out: stream(out), err: stream(err), talk }
    }

    /// Returns a printer into memory, and what it will have printed.
    pub fn in_memory(talk: Talk) -> (Self, Printed) {
        let seen = Printed::default();
        let [out, err] = [&seen.out, &seen.err].map(|bytes| Box::new(Memory(Arc::clone(bytes))));
        (Self::to_sinks(out, err, talk, Color::Never), seen)
    }

    /// Prints an answer: standard output, whole lines.
    pub fn answer(&mut self, text: &str) {
        self.out.write_line(text);
    }

    /// Prints progress or a note, unless `--quiet`.
    pub fn status(&mut self, text: &str) {
        if self.talk >= Talk::Normal {
            self.err.write_line(text);
        }
    }

    /// Prints a detail, with `--verbose` only.
    pub fn detail(&mut self, text: &str) {
        if self.talk >= Talk::Verbose {
            self.err.write_line(text);
        }
    }

    /// Prints a warning: one sentence, without a full stop.
    pub fn warning(&mut self, text: &str) {
        let word = self.err.painter.paint(Style::Warning, "warning");
        self.err.write_line(&format!("{word}: {text}"));
    }

    /// Prints an error: what failed, where, and the next step.
    pub fn error(&mut self, text: &str) {
        let word = self.err.painter.paint(Style::Error, "error");
        self.err.write_line(&format!("{word}: {text}"));
    }

    /// Prints a finished block of errors or a table of talk, even with `--quiet`.
    pub fn block(&mut self, text: &str) {
        self.err.write_line(text);
    }

    /// Asks, without a line end; the answer is read elsewhere.
    pub fn prompt(&mut self, question: &str) {
        self.err.write(question);
    }

    /// Returns how much is said.
    pub fn talk(&self) -> Talk {
        self.talk
    }

    /// Returns how labels are painted on standard output.
    pub fn answer_painter(&self) -> Painter {
        self.out.painter
    }

    /// Returns how labels are painted on standard error.
    pub fn talk_painter(&self) -> Painter {
        self.err.painter
    }

    /// Returns what standard error leads to.
    pub fn talk_device(&self) -> Device {
        self.err.device
    }

    /// Returns the end of the process: that of the command, unless its answer could not be written.
    pub fn finish(&mut self, exit: Exit) -> Exit {
        let Some(failure) = self.out.real_failure().map(ToString::to_string) else { return exit };
        self.error(&format!("cannot write to standard output: {failure}"));
        exit.gravest(Exit::Failed)
    }
}

/// Returns how labels are painted on a stream. Only a terminal is coloured without being asked.
fn painter(color: Color, device: Device) -> Painter {
    match (color, device) {
        (Color::Always, _) | (Color::Auto, Device::Terminal) => Painter::Ansi,
        (Color::Never, _) | (Color::Auto, Device::Other) => Painter::Plain,
    }
}

/// What a printer made by [`Printer::in_memory`] has printed.
#[derive(Debug, Clone, Default)]
pub struct Printed {
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
}

impl Printed {
    /// Returns what went to standard output.
    pub fn answers(&self) -> String {
        text_of(&self.out)
    }

    /// Returns what went to standard error.
    pub fn talk(&self) -> String {
        text_of(&self.err)
    }
}

fn text_of(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn everything(talk: Talk) -> (String, String) {
        let (mut printer, seen) = Printer::in_memory(talk);
        printer.answer("answer");
        printer.status("status");
        printer.detail("detail");
        printer.warning("careful");
        printer.error("broken");
        (seen.answers(), seen.talk())
    }

    #[test]
    fn answers_and_talk_go_to_different_streams_and_quiet_silences_only_talk() {
        let warnings = "warning: careful\nerror: broken\n";
        assert_eq!(everything(Talk::Quiet), ("answer\n".into(), warnings.into()));
        assert_eq!(everything(Talk::Normal), ("answer\n".into(), format!("status\n{warnings}")));
        assert_eq!(everything(Talk::Verbose), ("answer\n".into(), format!("status\ndetail\n{warnings}")));
    }

    #[test]
    fn only_a_terminal_is_coloured_without_being_asked() {
        assert_eq!(painter(Color::Auto, Device::Terminal), Painter::Ansi);
        assert_eq!(painter(Color::Auto, Device::Other), Painter::Plain);
        assert_eq!(painter(Color::Always, Device::Other), Painter::Ansi);
        assert_eq!(painter(Color::Never, Device::Terminal), Painter::Plain);
    }

    #[test]
    fn a_reader_that_went_away_is_quiet_success() {
        let err = Printed::default();
        let mut printer = Printer::to_sinks(
            Box::new(Failing(io::ErrorKind::BrokenPipe)),
            Box::new(Memory(Arc::clone(&err.err))),
            Talk::Normal,
            Color::Never,
        );
        printer.answer("answer");
        printer.status("status");
        assert_eq!(printer.finish(Exit::Changes), Exit::Changes);
        assert_eq!(err.talk(), "status\n");
    }

    #[test]
    fn a_full_disk_fails_a_command_that_was_done_and_never_hides_a_graver_end() {
        let ends = |exit| {
            let sink = || Box::new(Failing(io::ErrorKind::StorageFull));
            let mut printer = Printer::to_sinks(sink(), sink(), Talk::Normal, Color::Never);
            printer.answer("answer");
            printer.finish(exit)
        };
        assert_eq!(ends(Exit::Done), Exit::Failed);
        assert_eq!(ends(Exit::Partial), Exit::Partial);
    }
}
