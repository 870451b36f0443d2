//! Checks a parsed file against the JSON Schema: every unknown field, wrong type and unsupported field at once,
//! where serde would stop at the first.
//!
//! Unknown fields are taken out after they are reported, so that the rest of their table is still checked; a
//! value of a wrong type takes the table that a name stands for with it, so that nothing is blamed for what is
//! missing only because of it.

use super::day::{Day, FORMAT};
use super::schema::{LATER, follow, strings};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::source::{Loc, SourceId};
use crate::text;
use serde_json::Value;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

/// What became of a file's tables.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// Named tables that are too broken to read: section, name, place of the name.
    pub(super) broken: Vec<(String, String, Loc)>,
    /// Fields of the top level that are too broken to read.
    pub(super) broken_fields: BTreeSet<String>,
    /// Tables out of which an unknown or unsupported field was taken: section and name.
    pub(super) suspect: BTreeSet<(String, String)>,
}

/// Checks a file's table and takes out what cannot be read.
pub(super) fn check_file(root: &Value, source: SourceId, table: &mut DeTable<'_>, found: &mut Diagnostics) -> Pruned {
    let mut walk = Walk { root, source, found, path: Vec::new(), dropped: 0 };
    let mut pruned = Pruned::default();
    let whole = Loc::new(source, 0..0);
    walk.check_fields(table, root, whole);
    let mut unreadable = Vec::new();
    for (name, value) in table.iter_mut() {
        let name: &str = name.get_ref();
        let schema = root.get("properties").and_then(|fields| fields.get(name));
        if let Some(schema) = schema
            && walk.check_top(name, value, schema, &mut pruned) == Verdict::Broken
        {
            unreadable.push(name.to_owned());
        }
    }
    for name in unreadable {
        table.remove(name.as_str());
        pruned.broken_fields.insert(name);
    }
    pruned
}

/// Whether a value can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Readable,
    Broken,
}

impl Verdict {
    fn and(self, other: Self) -> Self {
        if self == Self::Broken { self } else { other }
    }
}

struct Walk<'a> {
    root: &'a Value,
    source: SourceId,
    found: &'a mut Diagnostics,
    /// The path of the table being checked, for messages.
    path: Vec<String>,
    /// How many fields were taken out so far.
    dropped: usize,
}

impl Walk<'_> {
    fn loc<T>(&self, value: &Spanned<T>) -> Loc {
        Loc::new(self.source, value.span())
    }

    /// Checks one field of the top level; a section's tables are judged one by one.
    fn check_top(
        &mut self,
        name: &str,
        value: &mut Spanned<DeValue<'_>>,
        schema: &Value,
        pruned: &mut Pruned,
    ) -> Verdict {
        self.path.push(name.to_owned());
        let verdict = match (section_schema(self.root, schema), value.get_mut()) {
            (Some(entries), DeValue::Table(table)) => {
                self.check_section(table, entries, pruned);
                Verdict::Readable
            }
            _ => self.check(value, schema),
        };
        self.path.pop();
        verdict
    }

    fn check_section(&mut self, table: &mut DeTable<'_>, entries: &Value, pruned: &mut Pruned) {
        let section = self.path.first().cloned().unwrap_or_default();
        let mut broken = Vec::new();
        for (name, value) in table.iter_mut() {
            let text = name.get_ref().to_string();
            self.path.push(text.clone());
            let before = self.dropped;
            let verdict = self.check(value, entries);
            self.path.pop();
            if verdict == Verdict::Broken {
                broken.push((text, Loc::new(self.source, name.span())));
            } else if self.dropped > before {
                pruned.suspect.insert((section.clone(), text));
            }
        }
        for (name, loc) in broken {
            table.remove(name.as_str());
            pruned.broken.push((section.clone(), name, loc));
        }
    }

    fn check(&mut self, value: &mut Spanned<DeValue<'_>>, schema: &Value) -> Verdict {
        let schema = follow(self.root, schema);
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let is_array = value.get_ref().is_array();
            let fits = |choice: &&Value| (kind(follow(self.root, choice)) == "array") == is_array;
            return match choices.iter().find(fits) {
                Some(choice) => self.check(value, choice),
                None => Verdict::Readable,
            };
        }
        let loc = self.loc(value);
        match (kind(schema), value.get_mut()) {
            ("object", DeValue::Table(table)) => self.check_table(table, schema, loc),
            ("array", DeValue::Array(items)) => {
                let item = schema.get("items").unwrap_or(&Value::Null);
                items.iter_mut().fold(Verdict::Readable, |verdict, value| verdict.and(self.check(value, item)))
            }
            ("string", DeValue::Datetime(value)) if is_day(schema) => self.check_day(value, loc),
            ("string", DeValue::String(word)) if !is_day(schema) => self.check_word(word, schema, loc),
            ("integer", DeValue::Integer(digits)) => self.check_integer(digits, loc),
            ("boolean", DeValue::Boolean(_)) => Verdict::Readable,
            (wanted, found) => {
                let found = found.type_str();
                self.wrong_type(wanted, found, schema, loc)
            }
        }
    }

    fn check_table(&mut self, table: &mut DeTable<'_>, schema: &Value, loc: Loc) -> Verdict {
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            return table.iter_mut().fold(Verdict::Readable, |verdict, (name, value)| {
                self.path.push(name.get_ref().to_string());
                let verdict = verdict.and(self.check(value, values));
                self.path.pop();
                verdict
            });
        }
        let mut verdict = self.check_fields(table, schema, loc);
        let properties = schema.get("properties");
        for (name, value) in table.iter_mut() {
            if let Some(field) = properties.and_then(|fields| fields.get(name.get_ref().as_ref())) {
                self.path.push(name.get_ref().to_string());
                verdict = verdict.and(self.check(value, field));
                self.path.pop();
            }
        }
        verdict
    }

    /// Reports and takes out the fields that a table does not have, and reports those that it lacks.
    fn check_fields(&mut self, table: &mut DeTable<'_>, schema: &Value, loc: Loc) -> Verdict {
        let known: Vec<&str> = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        let later = strings(schema, LATER);
        let mut meant = BTreeSet::new();
        let mut refused = Vec::new();
        for name in table.keys() {
            let word: &str = name.get_ref();
            if known.contains(&word) {
                continue;
            }
            let loc = Loc::new(self.source, name.span());
            if later.contains(&word) {
                self.not_yet(word, loc);
            } else {
                meant.extend(self.unknown_field(word, &known, &later, loc));
            }
            refused.push(word.to_owned());
        }
        for word in refused {
            table.remove(word.as_str());
            self.dropped += 1;
        }
        let mut verdict = Verdict::Readable;
        for name in strings(schema, "required") {
            if !table.contains_key(name) {
                verdict = Verdict::Broken;
                if !meant.contains(name) {
                    self.missing_field(name, loc);
                }
            }
        }
        verdict
    }

    /// Returns the path of the current table as its header would be written.
    fn header(&self) -> String {
        match self.path.as_slice() {
            [] => "the manifest".to_owned(),
            path => format!("`{}`", text::escape(&path.join("."))),
        }
    }

    fn not_yet(&mut self, field: &str, loc: Loc) {
        let message = format!("`{field}` in {} is not supported yet", self.header());
        self.found.push(
            Diagnostic::error(Code::NotYetSupported, message)
                .label(loc, "this version does not act on it")
                .help("leave the field out"),
        );
    }

    /// Reports an unknown field and returns the field that was probably meant.
    fn unknown_field(&mut self, word: &str, known: &[&str], later: &[&str], loc: Loc) -> Option<String> {
        let all = known.iter().chain(later).copied();
        let meant = text::did_you_mean(word, all);
        let message = format!("unknown field `{}` in {}", text::escape(word), self.header());
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known fields are {}", text::and_list(known)),
        };
        self.found.push(Diagnostic::error(Code::UnknownField, message).label(loc, "no such field").help(help));
        meant.map(str::to_owned)
    }

    fn missing_field(&mut self, name: &str, loc: Loc) {
        let message = format!("{} needs the field `{name}`", self.header());
        let label = format!("`{name}` is missing here");
        self.found.push(Diagnostic::error(Code::MissingField, message).label(loc, label));
    }

    fn wrong_type(&mut self, wanted: &str, found: &str, schema: &Value, loc: Loc) -> Verdict {
        let wanted_text = describe(self.root, wanted, schema);
        let message = format!("{} takes {wanted_text}, not {} {found}", self.header(), article(found));
        let mut diagnostic = Diagnostic::error(Code::WrongType, message).label(loc, format!("expected {wanted_text}"));
        if wanted == "array" && found == "table" {
            let header = text::escape(&self.path.join(".")).into_owned();
            diagnostic = diagnostic.help(format!("write `[[{header}]]`, once for each"));
        } else if wanted == "array" && found == "string" {
            diagnostic = diagnostic.help("put the value in brackets");
        } else if is_day(schema) {
            diagnostic = diagnostic.help("write the day without quotes, like 2026-11-01");
        }
        self.found.push(diagnostic);
        Verdict::Broken
    }

    fn check_integer(&mut self, digits: &toml::de::DeInteger<'_>, loc: Loc) -> Verdict {
        if i64::from_str_radix(digits.as_str(), digits.radix()).is_ok() {
            return Verdict::Readable;
        }
        let message = format!("the number of {} is out of range", self.header());
        self.found.push(Diagnostic::error(Code::InvalidValue, message).label(loc, "too large"));
        Verdict::Broken
    }

    fn check_day(&mut self, value: &Datetime, loc: Loc) -> Verdict {
        if Day::of(value).is_some() {
            return Verdict::Readable;
        }
        let message = format!("{} takes a day, without a time", self.header());
        let diagnostic = Diagnostic::error(Code::InvalidValue, message).label(loc, "not a day alone");
        self.found.push(diagnostic.help("write it like 2026-11-01"));
        Verdict::Broken
    }

    fn check_word(&mut self, word: &str, schema: &Value, loc: Loc) -> Verdict {
        let words = strings(schema, "enum");
        if words.is_empty() || words.contains(&word) {
            return Verdict::Readable;
        }
        let later = strings(schema, LATER);
        if later.contains(&word) {
            let message = format!("`{word}` for {} is not supported yet", self.header());
            let help = format!("this version acts on {}", text::and_list(&words));
            let label = "this version does not act on it";
            self.found.push(Diagnostic::error(Code::NotYetSupported, message).label(loc, label).help(help));
            return Verdict::Broken;
        }
        let message = format!("`{}` is no value of {}", text::escape(word), self.header());
        let help = match text::did_you_mean(word, words.iter().chain(&later).copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", text::or_list(&words)),
        };
        self.found.push(Diagnostic::error(Code::InvalidValue, message).label(loc, "not one of the words").help(help));
        Verdict::Broken
    }
}

/// Returns the schema of a section's tables, if a field of the top level is a section of named tables.
fn section_schema<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let entries = schema.get("additionalProperties").filter(|entries| entries.is_object())?;
    follow(root, entries).get("properties").map(|_| entries)
}

fn kind(schema: &Value) -> &str {
    schema.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// Returns whether a schema's text is a day, which TOML writes without quotes.
fn is_day(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some(FORMAT)
}

fn describe(root: &Value, wanted: &str, schema: &Value) -> String {
    let items = schema.get("items").map(|items| kind(follow(root, items)));
    match (wanted, items) {
        ("array", Some("object")) => "a list of tables".to_owned(),
        ("array", Some("string")) => "a list of strings".to_owned(),
        ("object", _) => "a table".to_owned(),
        ("string", _) if is_day(schema) => "a day".to_owned(),
        (other, _) => format!("{} {other}", article(other)),
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
