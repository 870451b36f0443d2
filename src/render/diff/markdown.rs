//! A difference as the comment on a pull request: what is gravest first, details folded, never longer than GitHub takes.
//!
//! Everything from outside stands in `<code>`, each of its special characters as an entity: it can neither become
//! markup nor mention anybody.

use super::super::access::{Group, groups_of};
use super::words::{Words, material, operand, summary, witness};
use crate::diff::{
    Difference, KeyDifference, MaterialChange, PolicyRelation, Presence, RoleDifference, Summary, TrustLine,
};
use crate::review::{AccessLine, Risk};
use crate::source::Position;
use crate::text::{and_list, escape, plural};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most characters; GitHub takes 65,536.
const MOST: usize = 65_000;
/// What is kept free for the notice that something was left out.
const RESERVE: usize = 400;
/// How many of the gravest gains the banner names.
const NAMED: usize = 5;
/// How much of one value is shown.
const VALUE: usize = 240;

/// Returns a difference as Markdown, at most 65,000 characters, with a newline at its end. Its first line is a hidden
/// marker, the same for each run on the same stack, by which a comment is found again.
pub fn diff_to_markdown(difference: &Difference) -> String {
    let summed = Summary::of(difference);
    let mut page = Page { out: String::new(), used: 0, left_out: 0 };
    page.push(&format!("<!-- keywright-diff stack={} -->\n", difference.new.stack));
    page.push("## keywright: what changes in access\n\n");
    page.push(&format!(
        "Stack {} · {} → {}\n\n",
        code(difference.new.stack.as_str()),
        code(&operand(&difference.old)),
        code(&operand(&difference.new))
    ));
    page.push(&places(difference));
    page.push(&banner(difference, &summed));
    page.push(&format!("**{}**\n", summary(&summed).trim_start_matches("Diff: ")));
    if let Some(risk) = summed.gravest {
        page.push(&format!("\nSuggested label: `keywright/{}`\n", risk.name()));
    }
    for section in sections(difference) {
        page.section(&section);
    }
    page.close();
    page.out
}

/// The text as it grows.
struct Page {
    out: String,
    used: usize,
    left_out: usize,
}

impl Page {
    fn push(&mut self, text: &str) {
        self.used += text.chars().count();
        self.out.push_str(text);
    }

    fn fits(&self, texts: &[&str]) -> bool {
        let more: usize = texts.iter().map(|text| text.chars().count()).sum();
        self.used + more + RESERVE <= MOST
    }

    /// Adds a section with as many of its lines as fit.
    fn section(&mut self, section: &Section) {
        let head = format!("\n<details><summary>{}</summary>\n\n", section.title);
        let foot = "\n</details>\n";
        // Once something is left out, nothing that follows is shown: the notice stands at the end.
        if self.left_out > 0 || !self.fits(&[&head, foot]) {
            self.left_out += 1;
            return;
        }
        self.push(&head);
        let mut missing = 0;
        for line in &section.lines {
            if missing > 0 || !self.fits(&[line, foot]) {
                missing += 1;
            } else {
                self.push(line);
            }
        }
        if missing > 0 {
            self.left_out += 1;
        }
        self.push(foot);
    }

    fn close(&mut self) {
        if self.left_out > 0 {
            let count = self.left_out;
            self.push(&format!(
                "\n> [!IMPORTANT]\n> **Cut here**: a comment holds no more. {} not shown, or not in full. Run \
                 `keywright diff` to see everything.\n",
                if count == 1 { "1 key or role is".to_owned() } else { format!("{count} keys and roles are") }
            ));
        }
    }
}

/// What is folded: a title in HTML, and lines of Markdown, each with its end.
struct Section {
    title: String,
    lines: Vec<String>,
}

/// Says where targets are that changed their place; keys are compared as if they had stayed.
fn places(difference: &Difference) -> String {
    let words = Words::of(difference);
    let moved = difference.targets.iter().filter(|target| target.has_moved());
    let mut out = String::new();
    for target in moved {
        let _written = writeln!(
            out,
            "Target {} changes its place, {}: its keys are other keys, compared as if they had stayed.\n",
            code(target.name.as_str()),
            code(&words.place(target))
        );
    }
    out
}

/// A gain for the banner. The gravest come first, then those on what exists already.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Headline {
    risk: std::cmp::Reverse<Risk>,
    is_new: bool,
    what: String,
    place: String,
}

fn headlines(difference: &Difference) -> BTreeMap<Headline, Vec<String>> {
    let mut found: BTreeMap<Headline, Vec<String>> = BTreeMap::new();
    for target in &difference.targets {
        for key in &target.keys {
            let is_new = key.presence == Presence::Added;
            let new = if is_new { "new " } else { "" };
            let place = format!("{new}{} ({})", code(key.key.as_str()), code(target.name.as_str()));
            for group in groups_of(&key.access.gains, key.key.as_str()) {
                let risk = std::cmp::Reverse(group.risk);
                let headline = Headline { risk, is_new, what: code(&group.what()), place: place.clone() };
                found.entry(headline).or_default().push(code(group.principal));
            }
        }
    }
    for role in difference.accounts.iter().flat_map(|account| &account.roles) {
        let risk = std::cmp::Reverse(TrustLine::RISK);
        let is_new = role.presence == Presence::Added;
        let (what, place) = ("leave to assume".to_owned(), code(role.role.as_str()));
        for line in &role.gains {
            let headline = Headline { risk, is_new, what: what.clone(), place: place.clone() };
            found.entry(headline).or_default().push(code(&line.principal));
        }
    }
    found
}

/// Names the gravest gains.
fn banner(difference: &Difference, summed: &Summary) -> String {
    let gains = headlines(difference);
    let mut out = match summed.gravest {
        None => "> [!NOTE]\n> Nobody gains access.\n".to_owned(),
        Some(Risk::Routine) => "> [!NOTE]\n> All gains are routine.\n".to_owned(),
        Some(risk) => format!("> [!{}]\n> **Gravest gain: {}**\n", alert(risk), risk.name()),
    };
    for (gain, principals) in gains.iter().take(NAMED) {
        let preposition = if gain.what.starts_with('<') { " on" } else { "" };
        let named: Vec<&String> = principals.iter().take(NAMED).collect();
        let more = principals.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (who, verb) = (and_list(&named), if principals.len() == 1 { "gains" } else { "gain" });
        let risk = gain.risk.0.name();
        let _written = writeln!(out, "> - {risk}: {who}{more} {verb} {}{preposition} {}", gain.what, gain.place);
    }
    if let Some(more) = gains.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _written = writeln!(out, "> - and {more} more below");
    }
    let keys = difference.targets.iter().flat_map(|target| &target.keys);
    let impossible = keys.flat_map(|key| &key.material).filter(|change| change.is_impossible()).count();
    if impossible > 0 {
        let changes = plural(impossible, "change");
        let _written = writeln!(out, "\n> [!WARNING]\n> {changes} of imported material cannot be made: see below why.");
    }
    if summed.undecided > 0 {
        let parts = plural(summed.undecided, "part");
        let _written =
            writeln!(out, "\n> [!WARNING]\n> {parts} could not be compared: there may be more gains than shown.");
    }
    out.push('\n');
    out
}

fn alert(risk: Risk) -> &'static str {
    match risk {
        Risk::Escalation | Risk::Decrypt | Risk::Destroy | Risk::Public => "CAUTION",
        Risk::CrossAccount | Risk::Administer => "WARNING",
        Risk::Routine => "NOTE",
    }
}

fn sections(difference: &Difference) -> Vec<Section> {
    let words = Words::of(difference);
    let mut sections: Vec<(Option<Risk>, Section)> = Vec::new();
    for target in &difference.targets {
        let place = format!("target {}", code(target.name.as_str()));
        for key in &target.keys {
            sections.push((key.access.gains.iter().map(|line| line.risk).max(), key_section(key, &place, words)));
        }
        let unread: Vec<String> =
            target.unreadable.iter().map(|item| not_compared(&format!("{}: {}", item.what, item.action))).collect();
        if !unread.is_empty() {
            sections.push((None, Section { title: format!("not readable in {place}"), lines: unread }));
        }
    }
    for account in &difference.accounts {
        let place = format!("account {}", code(account.account.as_str()));
        for role in &account.roles {
            let risk = (!role.gains.is_empty()).then_some(TrustLine::RISK);
            sections.push((risk, role_section(role, &place, words)));
        }
        let unread: Vec<String> =
            account.unreadable.iter().map(|item| not_compared(&format!("{}: {}", item.what, item.action))).collect();
        if !unread.is_empty() {
            sections.push((None, Section { title: format!("not readable in {place}"), lines: unread }));
        }
    }
    // The gravest first, so that a cut takes what matters least.
    sections.sort_by_key(|(risk, _)| std::cmp::Reverse(*risk));
    sections.into_iter().map(|(_, section)| section).collect()
}

fn not_compared(what: &str) -> String {
    format!("- **not compared**: {}\n", code(what))
}

fn title(kind: &str, name: &str, (place, note): (&str, &str), counts: (usize, usize, Option<Risk>)) -> String {
    let (gains, losses, risk) = counts;
    let risk = risk.map(|risk| format!(" (<b>{}</b>)", risk.name())).unwrap_or_default();
    let mut parts = Vec::new();
    if gains > 0 {
        parts.push(format!("{}{risk}", plural(gains, "gain")));
    }
    if losses > 0 {
        parts.push(plural(losses, "loss"));
    }
    let note = note.split(':').next().unwrap_or_default();
    if !note.is_empty() {
        parts.push(note.to_owned());
    }
    let parts = if parts.is_empty() { "no change of access".to_owned() } else { parts.join(", ") };
    format!("<b>{kind} {}</b> · {parts} · {place}", code(name))
}

/// Whether a table has a column for requests that show gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    Shown,
    Absent,
}

/// Returns the two lines that a table begins with.
fn table_head(columns: &[&str], requests: Requests) -> String {
    let proof = "a request that only the new state allows";
    let columns: Vec<&str> = columns.iter().copied().chain((requests == Requests::Shown).then_some(proof)).collect();
    format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()))
}

/// Returns a row of a table.
fn table_row(mut cells: Vec<String>, request: Option<&String>, requests: Requests) -> String {
    if requests == Requests::Shown {
        cells.push(request.cloned().unwrap_or_default());
    }
    format!("| {} |\n", cells.join(" | "))
}

fn shown_if(any: bool) -> Requests {
    if any { Requests::Shown } else { Requests::Absent }
}

fn key_section(key: &KeyDifference, place: &str, words: Words) -> Section {
    let note = words.presence(&key.presence);
    let risk = key.access.gains.iter().map(|line| line.risk).max();
    let counts = (key.access.gains.len(), key.access.losses.len(), risk);
    let mut lines = notes(&note, !key.gave.is_empty());
    let mut rows: Vec<(Vec<String>, Option<String>)> = Vec::new();
    for (sign, access) in [("+", &key.access.gains), ("−", &key.access.losses), ("", &key.gave)] {
        let of_new = key.presence == Presence::Added;
        let groups = groups_of(access, key.key.as_str());
        rows.extend(groups.iter().map(|group| row(sign, group, if of_new { &[] } else { access.as_slice() })));
    }
    let requests = shown_if(rows.iter().any(|(_, request)| request.is_some()));
    if !rows.is_empty() {
        lines.push(table_head(&["", "who", "what", "when", "risk"], requests));
    } else if key.policy == PolicyRelation::Differs {
        lines.push("- The policy reads differently and allows the same.\n".to_owned());
    }
    lines.extend(rows.into_iter().map(|(cells, request)| table_row(cells, request.as_ref(), requests)));
    let mut rest: Vec<String> =
        key.properties.iter().map(|change| property(&change.property, &words.change(change))).collect();
    rest.extend(key.material.iter().map(becomes));
    rest.extend(key.undecided.iter().map(|what| not_compared(what)));
    rest.extend(key.position.as_ref().map(declared));
    apart(&mut lines, rest);
    Section { title: title("key", key.key.as_str(), (place, &note), counts), lines }
}

/// Adds a list, apart from a table before it.
fn apart(lines: &mut Vec<String>, list: Vec<String>) {
    if !lines.is_empty() && !list.is_empty() {
        lines.push("\n".to_owned());
    }
    lines.extend(list);
}

/// What the title of a section does not say.
fn notes(note: &str, gave: bool) -> Vec<String> {
    let rest = note.split_once(": ").map(|(_, rest)| format!("{rest}.\n\n"));
    let gave = gave.then(|| "What the declaration gave:\n\n".to_owned());
    rest.map(|rest| upper(&rest)).into_iter().chain(gave).collect()
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn declared(position: &Position) -> String {
    format!("- declared at {}\n", code(&position.to_string()))
}

/// A row of the table of access, and a request that shows the gain.
fn row(sign: &str, group: &Group<'_>, lines: &[AccessLine]) -> (Vec<String>, Option<String>) {
    let of_group = |line: &&AccessLine| line.principal == group.principal && line.conditions == group.conditions;
    let proving = lines.iter().filter(of_group).filter(|line| line.witness.is_some()).max_by_key(|line| line.risk);
    let request = proving.and_then(|line| line.witness.as_ref()).map(|found| code(&witness(found)));
    let cells = vec![
        sign.to_owned(),
        code(group.principal),
        code(&and_list(&group.capabilities)),
        when(&group.when()),
        weighted(group.risk),
    ];
    (cells, request)
}

fn when(conditions: &[String]) -> String {
    if conditions.is_empty() { "always".to_owned() } else { code(&conditions.join(", ")) }
}

/// Risks that matter stand out.
fn weighted(risk: Risk) -> String {
    if risk == Risk::Routine { risk.name().to_owned() } else { format!("**{}**", risk.name()) }
}

fn property(name: &str, value: &str) -> String {
    format!("- {}: {}\n", code(name), code(value))
}

/// What becomes of a change of imported material.
fn becomes(change: &MaterialChange) -> String {
    let (word, reason) = material(change);
    format!("- **{word}**: {}\n", code(&reason))
}

fn role_section(role: &RoleDifference, place: &str, words: Words) -> Section {
    let note = words.presence(&role.presence);
    let risk = (!role.gains.is_empty()).then_some(TrustLine::RISK);
    let mut lines = notes(&note, !role.gave.is_empty());
    let all = [("+", &role.gains), ("−", &role.losses), ("", &role.gave)];
    let requests = shown_if(role.gains.iter().any(|line| line.witness.is_some()));
    if all.iter().any(|(_, lines)| !lines.is_empty()) {
        lines.push(table_head(&["", "who may assume it", "when"], requests));
    } else if role.trust == PolicyRelation::Differs {
        lines.push("- The trust policy reads differently and allows the same.\n".to_owned());
    }
    for (sign, trusts) in all {
        lines.extend(trusts.iter().map(|line| {
            let request = line.witness.as_ref().map(|found| code(&witness(found)));
            let cells = vec![sign.to_owned(), code(&line.principal), when(&line.conditions)];
            table_row(cells, request.as_ref(), requests)
        }));
    }
    let mut rest: Vec<String> =
        role.properties.iter().map(|change| property(&change.property, &words.change(change))).collect();
    rest.extend(role.position.as_ref().map(declared));
    apart(&mut lines, rest);
    let counts = (role.gains.len(), role.losses.len(), risk);
    let own = role.properties.iter().any(|change| change.property.starts_with("identity policy"));
    let note = if note.is_empty() && own { "its own policies change" } else { &note };
    Section { title: title("role", role.role.as_str(), (place, note), counts), lines }
}

/// Returns text from outside as code that neither Markdown nor HTML can read anything into.
fn code(text: &str) -> String {
    let escaped = escape(text);
    let mut out = "<code>".to_owned();
    for (index, c) in escaped.chars().enumerate() {
        if index == VALUE {
            out.push('…');
            break;
        }
        if c.is_ascii_alphanumeric() || !c.is_ascii() || " -,/=+%".contains(c) {
            out.push(c);
        } else {
            let _written = write!(out, "&#{};", u32::from(c));
        }
    }
    out.push_str("</code>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_is_anything_but_text(text in any::<String>()) {
            let shown = code(&text);
            let inner = shown.strip_prefix("<code>").unwrap().strip_suffix("</code>").unwrap();
            let plain = |c: char| c.is_alphanumeric() || !c.is_ascii() || " -,/=+%&#;".contains(c);
            prop_assert!(inner.chars().all(plain), "{}", inner);
            // What is left of the three characters of an entity is an entity.
            let rest = inner.split("&#").skip(1);
            prop_assert!(rest.into_iter().all(|part| part.split(';').next().unwrap().parse::<u32>().is_ok()), "{}", inner);
            prop_assert!(inner.chars().filter(|c| *c == '&').count() == inner.matches("&#").count());
        }
    }

    #[test]
    fn markup_mentions_and_links_become_text() {
        let hostile = "</details><img src=x>@octocat #1 https://x.example [a](b) `c` **d** | $e$ www.x.example\n";
        let shown = code(hostile);
        for bad in ["<img", "</details>", "@", " #1", "://", "](", "`", "**", "|", "$", "www.", "\n"] {
            assert!(!shown.contains(bad), "{bad} in {shown}");
        }
    }
}
