//! A difference as the comment on a pull request: what is gravest first, details folded, never longer than GitHub takes.
//!
//! Everything from outside stands in `<code>`, each of its special characters as an entity: it can neither become
//! markup nor mention anybody.

use super::super::access::{Group, groups_of};
use super::words::{Words, summary, witness};
use crate::diff::{Difference, KeyDifference, PolicyRelation, Presence, RoleDifference, Summary, TrustLine};
use crate::review::{AccessLine, Risk};
use crate::text::{and_list, escape, plural};
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
        code(&difference.old.label),
        code(&difference.new.label)
    ));
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

/// Names the gravest gains.
fn banner(difference: &Difference, summed: &Summary) -> String {
    let mut gains: Vec<(Risk, String)> = Vec::new();
    for target in &difference.targets {
        for key in &target.keys {
            let place = format!("{} ({})", code(key.key.as_str()), code(target.name.as_str()));
            let groups = groups_of(&key.access.gains, key.key.as_str());
            gains.extend(groups.iter().map(|group| {
                (group.risk, format!("{} gains {} on {place}", code(group.principal), code(&group.what())))
            }));
        }
    }
    for account in &difference.accounts {
        for role in &account.roles {
            let line = |line: &TrustLine| {
                (TrustLine::RISK, format!("{} may assume {}", code(&line.principal), code(role.role.as_str())))
            };
            gains.extend(role.gains.iter().map(line));
        }
    }
    gains.sort_by_key(|(risk, _)| std::cmp::Reverse(*risk));
    let mut out = match summed.gravest {
        None => "> [!NOTE]\n> Nobody gains access.\n".to_owned(),
        Some(risk) => format!("> [!{}]\n> **Gravest gain: {}**\n", alert(risk), risk.name()),
    };
    let shown = gains.iter().take(NAMED);
    out.extend(shown.map(|(risk, text)| format!("> - {}: {text}\n", risk.name())));
    if let Some(more) = gains.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _written = writeln!(out, "> - and {more} more below");
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
        let place = format!("target {} · {}", code(target.name.as_str()), code(&words.place(target)));
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

const ACCESS_HEAD: &str = "| | who | what | when | risk | a request that only the new state allows |\n\
                           |---|---|---|---|---|---|\n";

fn key_section(key: &KeyDifference, place: &str, words: Words) -> Section {
    let note = words.presence(&key.presence);
    let risk = key.access.gains.iter().map(|line| line.risk).max();
    let counts = (key.access.gains.len(), key.access.losses.len(), risk);
    let mut lines = Vec::new();
    if !note.is_empty() {
        lines.push(format!("{note}.\n\n"));
    }
    let rows = [("+", &key.access.gains), ("−", &key.access.losses), ("had", &key.gave)];
    if rows.iter().any(|(_, lines)| !lines.is_empty()) {
        lines.push(ACCESS_HEAD.to_owned());
    } else if key.policy == PolicyRelation::Differs {
        lines.push("- The policy reads differently and allows the same.\n".to_owned());
    }
    for (sign, access) in rows {
        let named = groups_of(access, key.key.as_str());
        let is_new = key.presence == Presence::Added;
        lines.extend(named.iter().map(|group| row(sign, group, if is_new { &[] } else { access.as_slice() })));
    }
    lines.push("\n".to_owned());
    lines.extend(key.properties.iter().map(|change| property(&change.property, &words.change(change))));
    lines.extend(key.undecided.iter().map(|what| not_compared(what)));
    Section { title: title("key", key.key.as_str(), (place, &note), counts), lines }
}

/// A row of the table of access.
fn row(sign: &str, group: &Group<'_>, lines: &[AccessLine]) -> String {
    let of_group = |line: &&AccessLine| line.principal == group.principal && line.conditions == group.conditions;
    let proving = lines.iter().filter(of_group).filter(|line| line.witness.is_some()).max_by_key(|line| line.risk);
    let example = proving.and_then(|line| line.witness.as_ref()).map(|found| code(&witness(found)));
    let when = if group.conditions.is_empty() { "always".to_owned() } else { code(&and_list(group.conditions)) };
    format!(
        "| {sign} | {} | {} | {when} | {} | {} |\n",
        code(group.principal),
        code(&and_list(&group.capabilities)),
        weighted(group.risk),
        example.unwrap_or_default()
    )
}

/// Risks that matter stand out.
fn weighted(risk: Risk) -> String {
    if risk == Risk::Routine { risk.name().to_owned() } else { format!("**{}**", risk.name()) }
}

fn property(name: &str, value: &str) -> String {
    format!("- {}: {}\n", code(name), code(value))
}

const TRUST_HEAD: &str =
    "| | who may assume it | when | a request that only the new state allows |\n|---|---|---|---|\n";

fn role_section(role: &RoleDifference, place: &str, words: Words) -> Section {
    let note = words.presence(&role.presence);
    let risk = (!role.gains.is_empty()).then_some(TrustLine::RISK);
    let mut lines = Vec::new();
    if !note.is_empty() {
        lines.push(format!("{note}.\n\n"));
    }
    let rows = [("+", &role.gains), ("−", &role.losses), ("had", &role.gave)];
    if rows.iter().any(|(_, lines)| !lines.is_empty()) {
        lines.push(TRUST_HEAD.to_owned());
    } else if role.trust == PolicyRelation::Differs {
        lines.push("- The trust policy reads differently and allows the same.\n".to_owned());
    }
    for (sign, trusts) in rows {
        lines.extend(trusts.iter().map(|line| trust_row(sign, line)));
    }
    lines.push("\n".to_owned());
    lines.extend(role.properties.iter().map(|change| property(&change.property, &words.change(change))));
    let counts = (role.gains.len(), role.losses.len(), risk);
    Section { title: title("role", role.role.as_str(), (place, &note), counts), lines }
}

fn trust_row(sign: &str, line: &TrustLine) -> String {
    let when = if line.conditions.is_empty() { "always".to_owned() } else { code(&and_list(&line.conditions)) };
    let example = line.witness.as_ref().map(|found| code(&witness(found))).unwrap_or_default();
    format!("| {sign} | {} | {when} | {example} |\n", code(&line.principal))
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
