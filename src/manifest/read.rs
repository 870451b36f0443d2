//! Reads files: text to tables, with every error of syntax and shape, and the files put together into one manifest.

use super::nesting;
use super::raw::{List, RawClass, RawKey, RawManifest, RawRole, RawTarget, RawVerify, Section, Strings};
use super::shape::{self, Pruned};
use super::spanned::Sp;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::source::{Loc, Located, SourceFile, SourceId, SourceMap};
use crate::text;
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// What the parser says of a key that its table has already.
const DUPLICATE_KEY: &str = "duplicate key";

/// The most syntax errors of one file that are kept.
const SYNTAX_ERRORS: usize = 1_000;

/// A named table as declared.
#[derive(Debug)]
pub(super) struct Declared<T> {
    /// Where the name stands.
    pub(super) loc: Loc,
    /// The table; `None` if it is too broken to read, which is reported already.
    pub(super) raw: Option<T>,
    /// Whether a field was refused and taken out, so that something else may seem to be missing.
    pub(super) suspect: bool,
}

impl<T> Declared<T> {
    /// Returns the place of a value of this table.
    pub(super) fn at<U>(&self, value: &Sp<U>) -> Loc {
        Loc::new(self.loc.source, value.span())
    }

    /// Returns a string of this table with its place.
    pub(super) fn text<'a>(&self, value: &'a Sp<String>) -> Located<&'a str> {
        Located::new(value.get().as_str(), self.at(value))
    }

    /// Returns a list of strings of this table with their places.
    pub(super) fn texts<'a>(&self, list: &'a List<String>) -> Located<Vec<Located<&'a str>>> {
        Located::new(list.get().iter().map(|value| self.text(value)).collect(), self.at(list))
    }
}

/// Declared tables by name.
pub(super) type Declarations<T> = BTreeMap<String, Declared<T>>;

/// The files of a manifest put together.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The stack's name.
    pub(super) stack: Option<Located<String>>,
    /// The owner id.
    pub(super) id: Option<Located<String>>,
    /// The tags of every resource, each with the place of its value.
    pub(super) tags: Option<Located<BTreeMap<String, TagPlace>>>,
    /// The self-test.
    pub(super) verify: Option<Located<RawVerify>>,
    /// The targets.
    pub(super) targets: Declarations<RawTarget>,
    /// The classes.
    pub(super) classes: Declarations<RawClass>,
    /// The roles.
    pub(super) roles: Declarations<RawRole>,
    /// The keys.
    pub(super) keys: Declarations<RawKey>,
    /// Fields of the top level that are broken in some file, so that they are not reported as missing.
    pub(super) broken_fields: BTreeSet<String>,
    /// Whether every file could be read.
    pub(super) complete: Complete,
}

/// Whether every file could be read, so that what a manifest does not declare is really missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Complete {
    /// Each is TOML.
    #[default]
    Yes,
    /// One of them is not.
    No,
}

/// A tag's value and where the tag is written.
#[derive(Debug, Clone)]
pub(super) struct TagPlace {
    /// The place of the key.
    pub(super) key: Loc,
    /// The value and its place.
    pub(super) value: Located<String>,
}

/// Returns a table of tags with the places of its entries.
pub(super) fn tag_places(source: SourceId, tags: &Strings) -> BTreeMap<String, TagPlace> {
    let place = |(key, value): (&Sp<String>, &Sp<String>)| {
        let value_loc = Loc::new(source, value.span());
        let place = TagPlace { key: Loc::new(source, key.span()), value: Located::new(value.get().clone(), value_loc) };
        (key.get().clone(), place)
    };
    tags.iter().map(place).collect()
}

/// Reads every file.
pub(super) fn read(sources: &SourceMap, found: &mut Diagnostics) -> Merged {
    let root = super::json_schema();
    let mut merged = Merged::default();
    for (id, file) in sources.iter() {
        match read_file(&root, id, file, found) {
            Some((raw, pruned)) => merged.add(id, raw, pruned, found),
            None => merged.complete = Complete::No,
        }
    }
    merged
}

/// Reads one file; `None` if it is not TOML, so that nothing more can be said of what it declares.
fn read_file(root: &Value, id: SourceId, file: &SourceFile, found: &mut Diagnostics) -> Option<(RawManifest, Pruned)> {
    if let Some(range) = nesting::too_deep(&file.text) {
        let message = format!("nested deeper than {} levels", nesting::DEEPEST);
        found.push(Diagnostic::error(Code::Syntax, message).label(Loc::new(id, range), "too deep from here"));
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    report_syntax(id, file, &errors, found);
    // The parser's guess at a broken line would only be blamed for what is missing in it.
    if errors.iter().any(|error| error.message() != DUPLICATE_KEY) {
        return None;
    }
    let span = table.span();
    let mut table = table.into_inner();
    let pruned = shape::check_file(root, id, &mut table, found);
    let value = Spanned::new(span, DeValue::Table(table));
    match RawManifest::deserialize(ValueDeserializer::from(value)) {
        Ok(raw) => Some((raw, pruned)),
        Err(error) => {
            let message = text::escape(error.message()).into_owned();
            let label = Loc::new(id, error.span().unwrap_or(0..0));
            found.push(Diagnostic::error(Code::WrongType, message).label(label, "cannot be read"));
            None
        }
    }
}

fn report_syntax(id: SourceId, file: &SourceFile, errors: &[toml::de::Error], found: &mut Diagnostics) {
    for error in errors.iter().take(SYNTAX_ERRORS) {
        let range = error.span().unwrap_or(0..0);
        let loc = Loc::new(id, range.clone());
        let message = text::escape(error.message()).into_owned();
        if message == DUPLICATE_KEY {
            found.push(duplicate_key(id, &file.text, loc));
        } else {
            found.push(Diagnostic::error(Code::Syntax, message).label(loc, "not TOML 1.1"));
        }
    }
    if errors.len() > SYNTAX_ERRORS {
        let message =
            format!("{} in this file; the first {SYNTAX_ERRORS} are shown", text::plural(errors.len(), "syntax error"));
        found.push(Diagnostic::error(Code::Syntax, message).label(Loc::new(id, 0..0), "is this a manifest?"));
    }
}

/// Returns the diagnostic of a key that its file has twice, with the first place if it can be found.
fn duplicate_key(id: SourceId, content: &str, second: Loc) -> Diagnostic {
    let name = content.get(second.start..second.end).unwrap_or_default();
    let message = format!("`{}` is declared twice", text::escape(name));
    let diagnostic = Diagnostic::error(Code::Duplicate, message).label(second, "declared again here");
    match first_place(content, second) {
        Some(start) => diagnostic.label(Loc::new(id, start..start + name.len()), "first declared here"),
        None => diagnostic,
    }
}

/// Finds the line that declares the same key or table header earlier, and the key in it.
fn first_place(content: &str, second: Loc) -> Option<usize> {
    let before = content.get(..second.start)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = content.get(line_start..)?.lines().next()?;
    let wanted = declared_by(line);
    let offset = second.start - line_start - (line.len() - line.trim_start().len());
    let mut end = line_start;
    for candidate in before.get(..line_start)?.split_inclusive('\n').rev() {
        end -= candidate.len();
        let indent = candidate.len() - candidate.trim_start().len();
        if declared_by(candidate) == wanted {
            return Some(end + indent + offset);
        }
        // A field repeats one of its own table: look no further than the table's header.
        if candidate.trim_start().starts_with('[') && !wanted.starts_with('[') {
            return None;
        }
    }
    None
}

/// Returns what a line declares: the header, or the key before the equals sign.
fn declared_by(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('[') {
        line.split_once('#').map_or(line, |(header, _)| header.trim_end())
    } else {
        line.split_once('=').map_or(line, |(key, _)| key.trim_end())
    }
}

impl Merged {
    fn add(&mut self, source: SourceId, raw: RawManifest, pruned: Pruned, found: &mut Diagnostics) {
        let Pruned { broken, broken_fields, suspect } = pruned;
        self.broken_fields.extend(broken_fields);
        for (section, name, loc) in broken {
            match section.as_str() {
                "target" => declare(&mut self.targets, &section, name, broken_table(loc), found),
                "class" => declare(&mut self.classes, &section, name, broken_table(loc), found),
                "role" => declare(&mut self.roles, &section, name, broken_table(loc), found),
                _ => declare(&mut self.keys, &section, name, broken_table(loc), found),
            }
        }
        check_version(source, raw.version.as_ref(), found);
        let text = |value: &Sp<String>| Located::new(value.get().clone(), Loc::new(source, value.span()));
        once(&mut self.stack, raw.stack.as_ref().map(text), "stack", found);
        once(&mut self.id, raw.id.as_ref().map(text), "id", found);
        let tags = raw.tags.as_ref();
        let tags = tags.map(|tags| Located::new(tag_places(source, tags.get()), Loc::new(source, tags.span())));
        once(&mut self.tags, tags, "[tags]", found);
        let verify = raw.verify.map(|verify| {
            let loc = Loc::new(source, verify.principal.span());
            Located::new(verify, loc)
        });
        once(&mut self.verify, verify, "[verify]", found);
        let mut from = Origin { source, suspect: &suspect, found };
        from.declare_all(&mut self.targets, "target", raw.target);
        from.declare_all(&mut self.classes, "class", raw.class);
        from.declare_all(&mut self.roles, "role", raw.role);
        from.declare_all(&mut self.keys, "key", raw.key);
    }
}

fn broken_table<T>(loc: Loc) -> Declared<T> {
    Declared { loc, raw: None, suspect: true }
}

fn check_version(source: SourceId, version: Option<&Sp<i64>>, found: &mut Diagnostics) {
    if let Some(version) = version.filter(|version| *version.get() != 1) {
        let message = format!("version {} of the manifest language is unknown", version.get());
        found.push(
            Diagnostic::error(Code::InvalidValue, message)
                .label(Loc::new(source, version.span()), "this keywright reads version 1")
                .help("write `version = 1`, or install a newer keywright"),
        );
    }
}

/// Takes a value that only one file may have.
fn once<T>(slot: &mut Option<Located<T>>, value: Option<Located<T>>, name: &str, found: &mut Diagnostics) {
    let Some(value) = value else { return };
    if let Some(first) = slot {
        let message = format!("`{name}` is declared in two files");
        found.push(
            Diagnostic::error(Code::Duplicate, message)
                .label(value.loc, "declared again here")
                .label(first.loc, "first declared here")
                .help("keep it in one file"),
        );
    } else {
        *slot = Some(value);
    }
}

/// The file that declarations come from.
struct Origin<'a> {
    source: SourceId,
    suspect: &'a BTreeSet<(String, String)>,
    found: &'a mut Diagnostics,
}

impl Origin<'_> {
    fn declare_all<T>(&mut self, into: &mut Declarations<T>, section: &str, tables: Section<T>) {
        for (name, raw) in tables {
            let loc = Loc::new(self.source, name.span());
            let name = name.get().clone();
            let suspect = self.suspect.contains(&(section.to_owned(), name.clone()));
            declare(into, section, name, Declared { loc, raw: Some(raw), suspect }, self.found);
        }
    }
}

fn declare<T>(into: &mut Declarations<T>, section: &str, name: String, declared: Declared<T>, found: &mut Diagnostics) {
    if let Some(first) = into.get(&name) {
        let message = format!("{section} `{}` is declared twice", text::escape(&name));
        found.push(
            Diagnostic::error(Code::Duplicate, message)
                .label(declared.loc, "declared again here")
                .label(first.loc, "first declared here")
                .help("keep one, or rename the other"),
        );
    } else {
        into.insert(name, declared);
    }
}
