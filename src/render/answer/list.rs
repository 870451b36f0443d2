//! Who can, and the matrix: a table for people, in lines that fit a terminal.

use super::words::{asked, few, place};
use super::{Page, Setting, WIDTH, wrap};
use crate::kms::{Capability, KmsAction};
use crate::render::style::{Painter, Style};
use crate::review::{HeldAction, Holder, MatrixRow, Supposed, Verdict, Wanted, shape_of};
use crate::text::{and_list, escape, plural};
use crate::world::WorldKey;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The widest column of names; a longer one has a line to itself.
const NAMES: usize = 32;

/// A line beside a name, and whether it matters less.
type Beside = (String, Option<Style>);

/// Returns everybody who may do something with a key, with conditions and statements.
pub fn render_holders(
    (holders, wanted): (&[Holder], Wanted),
    (key, supposed): (&WorldKey, &Supposed),
    known: usize,
    setting: Setting<'_>,
    painter: Painter,
) -> String {
    let mut page = Page { out: String::new(), painter };
    page.wrapped(0, 2, &format!("Who may {}?", asked(wanted, key)));
    page.out.push('\n');
    let all = wanted.actions_in(&key.facts, supposed).len();
    let (able, open): (Vec<&Holder>, Vec<&Holder>) = holders.iter().partition(|holder| is_able(holder));
    let (whole, part): (Vec<&Holder>, Vec<&Holder>) = able.iter().partition(|holder| holder.actions.len() == all);
    let width = name_width(able.iter().map(|holder| holder.principal.as_str()));
    page.holders(&whole, (width, all), key, setting);
    if whole.is_empty() {
        page.wrapped(2, 4, if part.is_empty() { "nobody" } else { "nobody all of it" });
    }
    if !part.is_empty() {
        page.out.push_str("\nA part of it:\n\n");
        page.holders(&part, (width, all), key, setting);
    }
    for ((reason, places), names) in by_reason(&open, key, setting) {
        page.out.push('\n');
        page.wrapped(2, 4, &format!("open for {}: {}", few(&names), escape(&reason)));
        for place in places {
            page.wrapped(4, 6, &format!("by {place}"));
        }
    }
    page.out.push('\n');
    let asked = plural(known, "known principal");
    page.wrapped(0, 2, &format!("Asked about {asked}, and about everybody whom the key's policy and grants name."));
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

impl Page {
    fn holders(&mut self, holders: &[&Holder], (width, all): (usize, usize), key: &WorldKey, setting: Setting<'_>) {
        for holder in holders {
            let mut lines: Vec<Beside> = Vec::new();
            for (at, (actions, ways)) in by_ways(holder).into_iter().enumerate() {
                // Of somebody who may do all of it only the exceptions are named.
                let names = (at > 0 || holder.actions.len() < all).then(|| action_names(&actions));
                let names = names.map(|names| format!("{names}: ")).unwrap_or_default();
                lines.push((format!("{names}{}", ways_words(&ways, holder)), None));
                let placed = sources(&actions, holder, key, setting);
                let news = placed.filter(|place| lines.iter().all(|(known, _)| known != place));
                let news: Vec<Beside> = news.map(|place| (place, Some(Style::Dim))).collect();
                lines.extend(news);
            }
            self.entry(&holder.principal, width, &lines);
        }
    }

    /// Writes somebody's name, and lines beside it, or below it where it is long.
    fn entry(&mut self, name: &str, width: usize, lines: &[Beside]) {
        let name = escape(name);
        let indent = (4 + width).min(WIDTH / 2);
        let mut lead = format!("  {name:width$}  ");
        if name.chars().count() > width {
            let _ok = writeln!(self.out, "  {name}");
            lead = " ".repeat(indent);
        }
        for (line, style) in lines {
            let text = wrap(line, indent, indent + 2);
            let body = text.get(indent..).unwrap_or_default();
            let body = style.map_or_else(|| body.to_owned(), |style| self.painter.paint(style, body).to_string());
            let _ok = writeln!(self.out, "{lead}{body}");
            lead = " ".repeat(indent);
        }
    }
}

/// Returns the actions of somebody with the same ways together, the largest group first.
fn by_ways(holder: &Holder) -> Vec<(Vec<&HeldAction>, Vec<Vec<String>>)> {
    let mut groups: Vec<(Vec<&HeldAction>, Vec<Vec<String>>)> = Vec::new();
    for held in &holder.actions {
        match groups.iter_mut().find(|(_, ways)| *ways == held.conditions) {
            Some((actions, _)) => actions.push(held),
            None => groups.push((vec![held], held.conditions.clone())),
        }
    }
    groups.sort_by_key(|(actions, _)| std::cmp::Reverse(actions.len()));
    groups
}

fn action_names(actions: &[&HeldAction]) -> String {
    and_list(&actions.iter().map(|held| held.action.name).collect::<Vec<_>>())
}

fn ways_words(ways: &[Vec<String>], holder: &Holder) -> String {
    let mut ways: Vec<String> = ways.iter().map(|way| conditions(way)).filter(|way| !way.is_empty()).collect();
    ways.dedup();
    if !ways.is_empty() {
        return ways.join("; or ");
    }
    let through_iam = holder.principal.starts_with("account:");
    if through_iam { "as far as its IAM policies allow it" } else { "without conditions" }.to_owned()
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
    let who = (holder.principal.as_str(), holder.arn.as_str());
    let places: BTreeSet<String> = written.map(|source| place(source, key, who, setting)).collect();
    places.into_iter()
}

/// Why an answer is open, and by which statements and grants it may be yes.
type OpenBy = (String, Vec<String>);

/// Returns for whom an answer is open, by reason.
fn by_reason(open: &[&Holder], key: &WorldKey, setting: Setting<'_>) -> BTreeMap<OpenBy, Vec<String>> {
    let mut reasons: BTreeMap<OpenBy, Vec<String>> = BTreeMap::new();
    for holder in open {
        let reason = holder.actions.iter().find_map(|held| match &held.answer.verdict {
            Verdict::Undetermined(reason) => Some(reason.clone()),
            Verdict::Always | Verdict::Sometimes | Verdict::Never => None,
        });
        let actions: Vec<&HeldAction> = holder.actions.iter().collect();
        let places: Vec<String> = sources(&actions, holder, key, setting).collect();
        let names = reasons.entry((reason.unwrap_or_default(), places)).or_default();
        names.push(escape(&holder.principal).into_owned());
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
        page.rows(&own, key);
        page.out.push('\n');
    }
    let people: BTreeSet<&str> = rows.iter().map(|row| row.arn.as_str()).collect();
    page.wrapped(0, 2, &format!("{}, {}", plural(keys.len(), "key"), plural(people.len(), "principal")));
    page.gaps(setting.gaps);
    page.out
}

impl Page {
    fn rows(&mut self, rows: &[&MatrixRow], key: &WorldKey) {
        let (open, sure): (Vec<&MatrixRow>, Vec<&MatrixRow>) =
            rows.iter().partition(|row| matches!(row.verdict, Verdict::Undetermined(_)));
        let width = name_width(sure.iter().map(|row| row.principal.as_str()));
        for principal in sure.chunk_by(|a, b| (&a.principal, &a.arn) == (&b.principal, &b.arn)) {
            let lines: Vec<Beside> = Held::of(principal, key).lines().into_iter().map(|line| (line, None)).collect();
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
}

/// What somebody may do with a key: each action with its conditions, of which one list must hold.
struct Held<'a> {
    actions: BTreeMap<&'a str, BTreeSet<String>>,
    capabilities: Vec<(&'static str, BTreeSet<&'static str>)>,
}

impl<'a> Held<'a> {
    fn of(rows: &[&'a MatrixRow], key: &WorldKey) -> Self {
        let mut actions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for row in rows {
            for action in &row.actions {
                actions.entry(action).or_default().insert(conditions(&row.conditions));
            }
        }
        let shape = shape_of(&key.facts);
        let of = |capability: &Capability| {
            let actions: BTreeSet<&'static str> = capability.actions(shape).iter().map(|action| action.full).collect();
            (capability.name(), actions)
        };
        let mut capabilities: Vec<_> = Capability::ALL.iter().map(of).filter(|(_, all)| !all.is_empty()).collect();
        // What keywright's deployers have is what administrators have.
        capabilities.retain(|(name, _)| *name != Capability::Deploy.name());
        let mut everything: BTreeSet<&'static str> = capabilities.iter().flat_map(|(_, all)| all).copied().collect();
        everything.extend(KmsAction::find("kms:CreateGrant").map(|action| action.full));
        capabilities.push(("everything", everything));
        // A capability that contains another one is named instead of it.
        capabilities.sort_by_key(|(_, all)| std::cmp::Reverse(all.len()));
        Self { actions, capabilities }
    }

    /// Returns what is held in few words: capabilities that are whole, the other actions, and for each its conditions.
    fn lines(&self) -> Vec<String> {
        let mut left: BTreeSet<&str> = self.actions.keys().copied().collect();
        let mut lines: Vec<(String, Vec<String>, String)> = Vec::new();
        for (name, all) in &self.capabilities {
            let whole = all.iter().all(|action| self.actions.contains_key(action));
            if !whole || !all.iter().any(|action| left.contains(action)) {
                continue;
            }
            left.retain(|action| !all.contains(action));
            if *name == "everything" {
                // Whatever the key cannot do is nothing.
                left.clear();
            }
            let (usual, exceptions) = self.usual(all);
            merge(&mut lines, (usual, (*name).to_owned(), exceptions));
        }
        for action in left {
            let usual = self.words(action);
            merge(&mut lines, (usual, action.to_owned(), String::new()));
        }
        let line = |(usual, names, exceptions): (String, Vec<String>, String)| {
            let usual = if usual.is_empty() { usual } else { format!(", {usual}") };
            format!("{}{usual}{exceptions}", and_list(&names))
        };
        lines.into_iter().map(line).collect()
    }

    /// Returns the conditions of most of some actions, and those of the others.
    fn usual(&self, all: &BTreeSet<&'static str>) -> (String, String) {
        let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for action in all {
            groups.entry(self.words(action)).or_default().push(action.strip_prefix("kms:").unwrap_or(action));
        }
        let usual = groups.iter().max_by_key(|(_, actions)| actions.len()).map(|(words, _)| words.clone());
        let usual = usual.unwrap_or_default();
        let others = groups.iter().filter(|(words, _)| **words != usual);
        let others = others.map(|(words, actions)| format!("; {} {words}", and_list(actions)));
        (usual.clone(), others.collect())
    }

    fn words(&self, action: &str) -> String {
        let ways: Vec<&str> = self.actions.get(action).into_iter().flatten().map(String::as_str).collect();
        if ways.contains(&"") { String::new() } else { ways.join("; or ") }
    }
}

/// Adds a name to those with the same conditions and exceptions.
fn merge(lines: &mut Vec<(String, Vec<String>, String)>, (usual, name, exceptions): (String, String, String)) {
    match lines.iter_mut().find(|(known, _, others)| *known == usual && *others == exceptions) {
        Some((_, names, _)) => names.push(name),
        None => lines.push((usual, vec![name], exceptions)),
    }
}
