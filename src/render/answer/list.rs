//! Who can, and the matrix: a table for people, in lines that fit a terminal.

use super::words::{asked, few, place, positions};
use super::{Page, Setting, WIDTH, wrap};
use crate::access::TraceEntry;
use crate::render::style::{Painter, Style};
use crate::review::{HeldAction, Holder, MatrixRow, Verdict, Wanted};
use crate::text::{and_list, escape, plural};
use crate::world::WorldKey;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The widest column of names; a longer one has a line to itself.
const NAMES: usize = 32;

/// Returns everybody who may do something with a key, with conditions and statements.
pub fn render_holders(
    (holders, wanted): (&[Holder], Wanted),
    key: &WorldKey,
    known: usize,
    setting: Setting<'_>,
    painter: Painter,
) -> String {
    let mut page = Page { out: String::new(), painter };
    page.wrapped(0, 2, &format!("Who may {}?", asked(wanted, key)));
    page.out.push('\n');
    let all = wanted.actions(&key.facts).len();
    let (able, open): (Vec<&Holder>, Vec<&Holder>) = holders.iter().partition(|holder| is_able(holder));
    let width = name_width(able.iter().map(|holder| holder.principal.as_str()));
    for holder in &able {
        for (at, (actions, ways)) in by_ways(holder).into_iter().enumerate() {
            let mut lines = vec![(way_words(&actions, &ways, all), Style::Heading)];
            lines.extend(sources(&actions, holder, key, setting).map(|source| (source, Style::Dim)));
            page.entry(if at == 0 { &holder.principal } else { "" }, width, &lines);
        }
    }
    if able.is_empty() {
        page.wrapped(2, 4, "nobody, for sure");
    }
    for (reason, names) in by_reason(&open) {
        page.out.push('\n');
        page.wrapped(2, 4, &format!("open for {}: {}", few(&names), escape(&reason)));
    }
    page.out.push('\n');
    let able = plural(able.len(), "principal");
    page.wrapped(0, 2, &format!("{able} of those that the key names and {known} more that are known"));
    page.gaps(setting.gaps);
    page.out
}

/// Whether something is allowed for sure, at least under conditions.
fn is_able(holder: &Holder) -> bool {
    holder.actions.iter().any(|held| matches!(held.answer.verdict, Verdict::Always | Verdict::Sometimes))
}

fn name_width<'n>(names: impl Iterator<Item = &'n str>) -> usize {
    names.map(|name| escape(name).chars().count()).filter(|width| *width <= NAMES).max().unwrap_or_default()
}

/// Returns the actions of somebody with the same ways together.
fn by_ways(holder: &Holder) -> Vec<(Vec<&HeldAction>, Vec<Vec<String>>)> {
    let mut groups: Vec<(Vec<&HeldAction>, Vec<Vec<String>>)> = Vec::new();
    for held in &holder.actions {
        match groups.iter_mut().find(|(_, ways)| *ways == held.conditions) {
            Some((actions, _)) => actions.push(held),
            None => groups.push((vec![held], held.conditions.clone())),
        }
    }
    groups
}

fn way_words(actions: &[&HeldAction], ways: &[Vec<String>], all: usize) -> String {
    let mut ways: Vec<String> = ways.iter().map(|way| conditions(way)).filter(|way| !way.is_empty()).collect();
    ways.dedup();
    let ways = if ways.is_empty() { "without conditions".to_owned() } else { ways.join("; or ") };
    if actions.len() == all {
        return ways;
    }
    let names: Vec<&str> = actions.iter().map(|held| held.action.name).collect();
    format!("{}: {ways}", names.join(", "))
}

/// Returns conditions that must all hold, in words.
fn conditions(way: &[String]) -> String {
    let words = way.iter().map(|condition| match condition.strip_suffix(" = *") {
        // A pattern that any value matches asks for a value, and for no particular one.
        Some(key) => format!("{key} given"),
        None => condition.clone(),
    });
    let words: Vec<String> = words.map(|words| escape(&words).into_owned()).collect();
    words.join(", ")
}

/// Returns the statements and grants by which some actions are allowed, each with its place.
fn sources<'a>(
    actions: &[&HeldAction],
    holder: &Holder,
    key: &'a WorldKey,
    setting: Setting<'a>,
) -> impl Iterator<Item = String> + use<'a> {
    let terms = actions.iter().flat_map(|held| &held.answer.residual.ways).flat_map(|way| &way.terms);
    let written = terms.map(|term| &term.source).filter(|source| source.statement.is_some() || source.id.is_some());
    let places: BTreeSet<String> = written.map(|source| placed(source, key, &holder.principal, setting)).collect();
    places.into_iter()
}

fn placed(source: &TraceEntry, key: &WorldKey, who: &str, setting: Setting<'_>) -> String {
    place(source, &positions(source, key, who, setting))
}

/// Returns for whom an answer is open, by reason.
fn by_reason(open: &[&Holder]) -> BTreeMap<String, Vec<String>> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for holder in open {
        let reason = holder.actions.iter().find_map(|held| match &held.answer.verdict {
            Verdict::Undetermined(reason) => Some(reason.clone()),
            Verdict::Always | Verdict::Sometimes | Verdict::Never => None,
        });
        reasons.entry(reason.unwrap_or_default()).or_default().push(escape(&holder.principal).into_owned());
    }
    reasons
}

/// Returns what everybody may do with each key.
pub fn render_matrix(rows: &[MatrixRow], keys: &[WorldKey], setting: Setting<'_>, painter: Painter) -> String {
    let mut page = Page { out: String::new(), painter };
    for key in keys {
        let own: Vec<&MatrixRow> = rows.iter().filter(|row| row.key == key.name && row.target == key.target).collect();
        let heading = painter.paint(Style::Heading, format!("Key {}", escape(&key.name)));
        let _ok = writeln!(page.out, "{heading} · target {}", key.target);
        page.rows(&own);
        page.out.push('\n');
    }
    let people: BTreeSet<&str> = rows.iter().map(|row| row.arn.as_str()).collect();
    page.wrapped(0, 2, &format!("{}, {}", plural(keys.len(), "key"), plural(people.len(), "principal")));
    page.gaps(setting.gaps);
    page.out
}

impl Page {
    fn rows(&mut self, rows: &[&MatrixRow]) {
        let (open, sure): (Vec<&MatrixRow>, Vec<&MatrixRow>) =
            rows.iter().partition(|row| matches!(row.verdict, Verdict::Undetermined(_)));
        let width = name_width(sure.iter().map(|row| row.principal.as_str()));
        for principal in sure.chunk_by(|a, b| (&a.principal, &a.arn) == (&b.principal, &b.arn)) {
            let mut lines: Vec<(String, Style)> = Vec::new();
            for same in principal.chunk_by(|a, b| a.conditions == b.conditions) {
                let capabilities: Vec<&str> = same.iter().map(|row| row.capability.as_str()).collect();
                let when = same.first().map(|row| conditions(&row.conditions)).unwrap_or_default();
                let when = if when.is_empty() { when } else { format!(", {when}") };
                lines.push((format!("{}{when}", escape(&and_list(&capabilities))), Style::Heading));
            }
            self.entry(principal.first().map_or("", |row| row.principal.as_str()), width, &lines);
        }
        let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for row in open {
            if let Verdict::Undetermined(reason) = &row.verdict {
                let names = reasons.entry(reason).or_default();
                let name = escape(&row.principal).into_owned();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for (reason, names) in reasons {
            self.wrapped(2, 4, &format!("open for {}: {}", few(&names), escape(reason)));
        }
    }

    /// Writes somebody's name, and lines beside it, or below it where it is long.
    fn entry(&mut self, name: &str, width: usize, lines: &[(String, Style)]) {
        let name = escape(name);
        let indent = 4 + width;
        let mut lead = format!("  {name:width$}  ");
        if name.chars().count() > width {
            let _ok = writeln!(self.out, "  {name}");
            lead = " ".repeat(indent);
        }
        for (line, style) in lines {
            let text = wrap(line, indent.min(WIDTH / 2), indent.min(WIDTH / 2) + 2);
            let body = text.get(indent.min(WIDTH / 2)..).unwrap_or_default();
            let body = if *style == Style::Dim { self.painter.paint(*style, body).to_string() } else { body.to_owned() };
            let _ok = writeln!(self.out, "{lead}{body}");
            lead = " ".repeat(indent);
        }
    }
}
