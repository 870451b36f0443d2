//! Renders diagnostics: for people with their place in the source, for machines as JSON.
//!
//! The only file that names miette, which prints what it is given: sources reach it as a page, in which
//! nothing can move the cursor, set the clipboard or reverse the reading order; names and messages are escaped.

use super::args::Format;
use super::printer::{Device, Painter, Printer, Style};
use crate::diag::{Diagnostic, Severity};
use crate::render::json;
use crate::source::{Loc, SourceFile, SourceId, SourceMap};
use crate::text::{and_list, escape, escape_block, is_hostile, plural};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How many diagnostics are shown; the count names all of them.
const SHOWN: usize = 100;
/// How much of a source line is shown, in bytes.
const LINE: usize = 300;
/// How wide a report is where no terminal says how wide it is, so that it is the same on every machine.
const WIDTH: usize = 80;

/// What a report is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether it is coloured.
    pub painter: Painter,
    /// Where it goes: a terminal gives its width and its characters.
    pub device: Device,
}

/// Prints sorted diagnostics: as text to standard error, as JSON to standard output.
pub fn print(diagnostics: &[Diagnostic], sources: &SourceMap, format: Format, printer: &mut Printer) {
    match format {
        Format::Text if diagnostics.is_empty() => {}
        Format::Text => {
            let look = Look { painter: printer.talk_painter(), device: printer.talk_device() };
            printer.block(&render_text(diagnostics, sources, look));
        }
        Format::Json => printer.answer(&render_json(diagnostics, sources)),
    }
}

/// Returns sorted diagnostics as text, with the lines that they blame and a count at the end.
pub fn render_text(diagnostics: &[Diagnostic], sources: &SourceMap, look: Look) -> String {
    let handler = handler(look);
    let mut pages = Pages { sources, pages: BTreeMap::new() };
    let mut out = String::new();
    for diagnostic in shown(diagnostics) {
        let entry = Entry::of(diagnostic, &mut pages);
        out.push_str(&Rendered { handler: &handler, entry: &entry }.to_string());
        out.push('\n');
    }
    out.push_str(&summary(diagnostics, look.painter));
    out
}

/// Returns sorted diagnostics as the text of a JSON document, names and messages as they are.
pub fn render_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    json::to_text(&to_json(diagnostics, sources))
}

/// Returns sorted diagnostics as a JSON document, names and messages as they are.
pub fn to_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> serde_json::Value {
    let entries: Vec<serde_json::Value> = shown(diagnostics)
        .map(|diagnostic| {
            let position = diagnostic.labels.first().and_then(|label| sources.position(label.loc));
            serde_json::json!({
                "code": diagnostic.code.name(),
                "severity": diagnostic.severity,
                "message": diagnostic.message,
                "file": position.as_ref().map(|position| &position.file),
                "line": position.as_ref().map(|position| position.line),
                "column": position.as_ref().map(|position| position.column),
                "help": diagnostic.help,
            })
        })
        .collect();
    serde_json::json!({
        "format_version": json::FORMAT_VERSION,
        "errors": count(diagnostics, Severity::Error),
        "warnings": count(diagnostics, Severity::Warning),
        "diagnostics": entries,
    })
}

fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}

/// Returns the diagnostics that are shown, in their order. Warnings give way to errors.
fn shown(diagnostics: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    let mut errors = SHOWN;
    let mut warnings = SHOWN.saturating_sub(count(diagnostics, Severity::Error));
    diagnostics.iter().filter(move |diagnostic| {
        let room = match diagnostic.severity {
            Severity::Error => &mut errors,
            Severity::Warning => &mut warnings,
        };
        let fits = *room > 0;
        *room = room.saturating_sub(1);
        fits
    })
}

fn summary(diagnostics: &[Diagnostic], painter: Painter) -> String {
    let (errors, warnings) = (count(diagnostics, Severity::Error), count(diagnostics, Severity::Warning));
    let counts: Vec<String> = [(errors, "error", Style::Error), (warnings, "warning", Style::Warning)]
        .into_iter()
        .filter(|(count, _, _)| *count > 0)
        .map(|(count, noun, style)| painter.paint(style, plural(count, noun)).to_string())
        .collect();
    let hidden = if diagnostics.len() > SHOWN { format!("; the first {SHOWN} are shown") } else { String::new() };
    let worst = diagnostics.iter().max_by_key(|diagnostic| diagnostic.severity).map(|diagnostic| diagnostic.code);
    let next = worst.map_or_else(String::new, |code| format!("; see `keywright explain {}`", code.name()));
    format!("{}{hidden}{next}\n", and_list(&counts))
}

fn handler(look: Look) -> miette::MietteHandler {
    let options = miette::MietteHandlerOpts::new()
        .color(look.painter == Painter::Ansi)
        .rgb_colors(miette::RgbColors::Never)
        .without_syntax_highlighting()
        .terminal_links(false)
        .force_graphical(true)
        .tab_width(4);
    match look.device {
        // miette asks the terminal for its width, and the locale whether it knows more than ASCII.
        Device::Terminal => options.build(),
        Device::Other => options.width(WIDTH).unicode(false).build(),
    }
}

/// One source as it is shown: hostile characters replaced one for one by visible ones of the same length in
/// bytes, lines cut where they are too long to read.
#[derive(Debug)]
struct Page {
    name: String,
    text: String,
    /// Per line, where it begins in the source and where in `text`.
    lines: Vec<(usize, usize)>,
}

impl Page {
    fn of(file: &SourceFile) -> Self {
        let mut page = Self { name: escape(&file.name).into_owned(), text: String::new(), lines: Vec::new() };
        let mut start = 0;
        for line in file.text.split_inclusive('\n') {
            page.lines.push((start, page.text.len()));
            page.push_line(line);
            start += line.len();
        }
        page.lines.push((start, page.text.len()));
        page
    }

    fn push_line(&mut self, line: &str) {
        let body = line.strip_suffix('\n').unwrap_or(line);
        let body = body.strip_suffix('\r').unwrap_or(body);
        let kept = body.get(..floor(body, LINE)).unwrap_or(body);
        self.text.extend(kept.chars().map(visible));
        if kept.len() < body.len() {
            self.text.push('…');
        }
        self.text.push('\n');
    }

    /// Returns where a place of the source is shown: on its first line, at the cut if it is beyond that.
    fn span(&self, loc: Loc) -> (usize, usize) {
        let after = self.lines.partition_point(|(start, _)| *start <= loc.start);
        let Some((start, shown)) = after.checked_sub(1).and_then(|line| self.lines.get(line)).copied() else {
            return (0, 0);
        };
        let next = self.lines.get(after).map_or(self.text.len() + 1, |(_, shown)| *shown);
        // The line's end mark is never underlined.
        let last = next.saturating_sub(1).clamp(shown, self.text.len());
        let place = |offset: usize| floor(&self.text, (shown + offset.saturating_sub(start)).min(last));
        let (from, to) = (place(loc.start), place(loc.end));
        (from, to.saturating_sub(from))
    }
}

/// Returns the nearest character boundary at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// Returns the character, or in place of a hostile one a visible one that is as long in UTF-8.
fn visible(c: char) -> char {
    match (c, c.len_utf8()) {
        ('\t', _) => c,
        _ if !is_hostile(c) => c,
        (_, 1) => '?',
        (_, 2) => '¿',
        (_, 3) => '\u{fffd}',
        _ => '\u{1fbc4}',
    }
}

impl miette::SourceCode for Page {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let found = self.text.read_span(span, before, after)?;
        let (line, column, lines) = (found.line(), found.column(), found.line_count());
        let name = self.name.clone();
        Ok(Box::new(miette::MietteSpanContents::new_named(name, found.data(), *found.span(), line, column, lines)))
    }
}

/// The pages of the sources that diagnostics blame, each made once.
struct Pages<'a> {
    sources: &'a SourceMap,
    pages: BTreeMap<SourceId, Arc<Page>>,
}

impl Pages<'_> {
    fn get(&mut self, id: SourceId) -> Option<Arc<Page>> {
        if let Some(page) = self.pages.get(&id) {
            return Some(Arc::clone(page));
        }
        let page = Arc::new(Page::of(self.sources.get(id)?));
        self.pages.insert(id, Arc::clone(&page));
        Some(page)
    }
}

/// A diagnostic in miette's terms, everything in it harmless.
#[derive(Debug)]
struct Entry {
    message: String,
    code: Option<&'static str>,
    severity: miette::Severity,
    help: Option<String>,
    page: Option<Arc<Page>>,
    labels: Vec<miette::LabeledSpan>,
    /// The labels in other files: miette shows one source per diagnostic.
    elsewhere: Vec<Self>,
}

impl Entry {
    fn of(diagnostic: &Diagnostic, pages: &mut Pages<'_>) -> Self {
        let mut entry = Self {
            message: escape(&diagnostic.message).into_owned(),
            code: Some(diagnostic.code.name()),
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            help: diagnostic.help.as_deref().map(|help| escape_block(help).into_owned()),
            page: None,
            labels: Vec::new(),
            elsewhere: Vec::new(),
        };
        let home = diagnostic.labels.first().map(|label| label.loc.source);
        for label in &diagnostic.labels {
            let text = escape(&label.text).into_owned();
            let Some(page) = pages.get(label.loc.source) else { continue };
            let span = page.span(label.loc);
            if home == Some(label.loc.source) {
                entry.labels.push(miette::LabeledSpan::new(Some(text), span.0, span.1));
                entry.page = Some(page);
            } else {
                entry.elsewhere.push(Self::elsewhere(text, page, span));
            }
        }
        entry
    }

    fn elsewhere(message: String, page: Arc<Page>, span: (usize, usize)) -> Self {
        Self {
            message,
            code: None,
            severity: miette::Severity::Advice,
            help: None,
            page: Some(page),
            labels: vec![miette::LabeledSpan::new(None, span.0, span.1)],
            elsewhere: Vec::new(),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Entry {}

impl miette::Diagnostic for Entry {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.page.as_deref().map(|page| page as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = _>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = || self.elsewhere.iter().map(|entry| entry as &dyn miette::Diagnostic);
        (!self.elsewhere.is_empty()).then(|| Box::new(related()) as Box<dyn Iterator<Item = _>>)
    }
}

/// Makes miette's handler, which writes to a formatter, usable as text.
struct Rendered<'a> {
    handler: &'a miette::MietteHandler,
    entry: &'a Entry,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        miette::ReportHandler::debug(self.handler, self.entry, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;
    use proptest::prelude::*;

    const PLAIN: Look = Look { painter: Painter::Plain, device: Device::Other };

    fn one_file(name: &str, text: &str) -> (SourceMap, SourceId) {
        let mut sources = SourceMap::default();
        let id = sources.add(name, text);
        (sources, id)
    }

    /// Asserts that nothing in the report is obeyed by a terminal.
    #[track_caller]
    fn assert_harmless(report: &str) {
        assert!(!report.chars().any(|c| c != '\n' && is_hostile(c)), "{report:?}");
    }

    #[test]
    fn a_diagnostic_shows_its_line_its_code_and_the_next_step() {
        let (sources, id) = one_file("keywright.toml", "version = 1\nstak = \"payments\"\n");
        let diagnostic = Diagnostic::error(Code::UnknownField, "unknown field `stak`")
            .label(Loc::new(id, 12..16), "not a field of the manifest")
            .help("did you mean `stack`?");
        insta::assert_snapshot!(render_text(&[diagnostic], &sources, PLAIN));
    }

    #[test]
    fn a_label_in_another_file_is_shown_with_that_file() {
        let (mut sources, first) = one_file("a.toml", "[key.ledger]\n");
        let second = sources.add("b.toml", "# again\n[key.ledger]\n");
        let diagnostic = Diagnostic::error(Code::Duplicate, "the key `ledger` is declared twice")
            .label(Loc::new(second, 13..19), "declared again here")
            .label(Loc::new(first, 5..11), "first declared here");
        insta::assert_snapshot!(render_text(&[diagnostic], &sources, PLAIN));
    }

    #[test]
    fn a_diagnostic_without_a_place_is_a_sentence() {
        let diagnostic = Diagnostic::warning(Code::FileUnreadable, "cannot read `x`").help("check the path");
        insta::assert_snapshot!(render_text(&[diagnostic], &SourceMap::default(), PLAIN));
    }

    #[test]
    fn only_the_labels_and_words_are_coloured() {
        let (sources, id) = one_file("a.toml", "x = 1\n");
        let diagnostic = Diagnostic::error(Code::WrongType, "wrong").label(Loc::new(id, 4..5), "here");
        let colored = render_text(&[diagnostic], &sources, Look { painter: Painter::Ansi, ..PLAIN });
        assert!(colored.contains("\u{1b}[") && !colored.contains("\u{1b}]8"), "{colored:?}");
    }

    #[test]
    fn osc_52_does_not_reach_the_clipboard() {
        let attack = "\u{1b}]52;c;ZXZpbA==\u{7}";
        let (sources, id) = one_file(&format!("{attack}.toml"), &format!("name = \"{attack}\"\n"));
        let diagnostic = Diagnostic::error(Code::InvalidValue, format!("`{attack}` is no name"))
            .label(Loc::new(id, 7..25), attack)
            .help(attack);
        assert_harmless(&render_text(std::slice::from_ref(&diagnostic), &sources, PLAIN));
        assert_harmless(&render_json(&[diagnostic], &sources));
    }

    #[test]
    fn a_carriage_return_forges_no_line() {
        let (sources, id) = one_file("a.toml", "x = 1 # \r0 errors\r\ny = 2\r\n");
        let diagnostic =
            Diagnostic::error(Code::InvalidValue, "bad\r0 errors").label(Loc::new(id, 4..5), "here\r0 errors");
        let report = render_text(&[diagnostic], &sources, PLAIN);
        assert_harmless(&report);
        assert!(report.contains("x = 1 # ?0 errors\n"), "{report}");
    }

    #[test]
    fn trojan_source_shows_the_order_of_the_bytes() {
        // CVE-2021-42574: an override makes a comment look like code.
        let (sources, id) = one_file("a.toml", "can = [\"de\u{202e}scribe\"] # \u{2066}tag\u{e0041}\u{85}\n");
        let diagnostic = Diagnostic::error(Code::InvalidValue, "bad").label(Loc::new(id, 7..22), "here");
        let report = render_text(&[diagnostic], &sources, PLAIN);
        assert_harmless(&report);
        assert!(report.contains("can = [\"de\u{fffd}scribe\"] # \u{fffd}tag\u{1fbc4}¿"), "{report}");
    }

    #[test]
    fn the_first_hundred_are_shown_and_all_are_counted() {
        let (sources, id) = one_file("a.toml", "x\n");
        let warning = Diagnostic::warning(Code::PolicyNearLimit, "near").label(Loc::new(id, 0..1), "here");
        let error = Diagnostic::error(Code::Syntax, "broken").label(Loc::new(id, 0..1), "here");
        let many: Vec<Diagnostic> = std::iter::once(warning).chain(std::iter::repeat_n(error, 142)).collect();
        let report = render_text(&many, &sources, PLAIN);
        assert_eq!((report.matches("broken").count(), report.matches("near").count()), (100, 0));
        assert!(
            report.ends_with("142 errors and 1 warning; the first 100 are shown; see `keywright explain syntax`\n")
        );
    }

    #[test]
    fn a_megabyte_on_one_line_is_cut() {
        let (sources, id) = one_file("a.toml", &format!("x = 1\ny = \"{}\"\n", "ä".repeat(500_000)));
        let labels = [Loc::new(id, 4..5), Loc::new(id, 900_000..900_001)];
        for loc in labels {
            let diagnostic = Diagnostic::error(Code::Syntax, "broken").label(loc, "here");
            let report = render_text(&[diagnostic], &sources, PLAIN);
            assert!(report.len() < 2_000 && report.contains("ä…"), "{}", report.len());
        }
    }

    #[test]
    fn json_names_the_place_and_counts() {
        let (sources, id) = one_file("a.toml", "x = 1\ny = 2\n");
        let placed = Diagnostic::error(Code::WrongType, "wrong").label(Loc::new(id, 10..11), "here").help("mend it");
        let bare = Diagnostic::warning(Code::FileUnreadable, "unread");
        let value: serde_json::Value = serde_json::from_str(&render_json(&[bare, placed], &sources)).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"format_version": 1, "errors": 1, "warnings": 1, "diagnostics": [
                {"code": "file-unreadable", "severity": "warning", "message": "unread",
                 "file": null, "line": null, "column": null, "help": null},
                {"code": "wrong-type", "severity": "error", "message": "wrong",
                 "file": "a.toml", "line": 2, "column": 5, "help": "mend it"},
            ]})
        );
    }

    proptest! {
        #[test]
        fn hostile_characters_keep_their_length(c in any::<char>()) {
            prop_assert_eq!(visible(c).len_utf8(), c.len_utf8());
            prop_assert!(c == '\t' || !is_hostile(visible(c)));
        }

        #[test]
        fn any_text_and_any_place_give_a_harmless_report(
            text in "[a-c\u{1b}\r\n\tä\u{202e}\u{e0041}]{0,60}", start in 0_usize..200, length in 0_usize..200,
        ) {
            let (sources, id) = one_file("a.toml", &text);
            let diagnostic = Diagnostic::error(Code::Syntax, "broken").label(Loc::new(id, start..start + length), "here");
            let report = render_text(&[diagnostic], &sources, PLAIN);
            assert_harmless(&report);
            prop_assert!(report.contains("a.toml:"), "{}", report);
        }
    }
}
