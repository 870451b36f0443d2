//! A difference for people: per target and key who gains and loses what, with a request that shows it; then roles.

mod json;
mod markdown;
mod words;

pub use json::{DIFF_FORMAT_VERSION, diff_to_json};
pub use markdown::diff_to_markdown;

use super::access::{Group, groups_of, shared_gains};
use super::style::{Painter, Style};
use crate::diff::{
    AccountDifference, Difference, KeyDifference, MaterialChange, PolicyRelation, Presence, PropertyDifference,
    RoleDifference, Summary, TargetDifference, TrustLine,
};
use crate::review::{AccessChange, AccessLine, Certainty, Risk};
use crate::source::Position;
use crate::text::escape;
use words::{Words, material, operand, summary, witness};

/// Returns a difference as people read it, with a newline at its end.
pub fn render_diff(difference: &Difference, painter: Painter) -> String {
    let mut page = Page { out: String::new(), painter, words: Words::of(difference) };
    page.head(difference);
    for target in &difference.targets {
        page.target(target);
    }
    for account in &difference.accounts {
        page.account(account);
    }
    page.blank();
    page.line(summary(&Summary::of(difference)));
    page.out
}

/// The text as it grows.
struct Page {
    out: String,
    painter: Painter,
    words: Words,
}

/// How lines of access begin.
#[derive(Debug, Clone, Copy)]
struct Sign {
    symbol: &'static str,
    verb: &'static str,
    style: Style,
}

const GAINS: Sign = Sign { symbol: "+", verb: "gains", style: Style::Added };
const LOSES: Sign = Sign { symbol: "-", verb: "loses", style: Style::Removed };
const GAVE: Sign = Sign { symbol: "·", verb: "has", style: Style::Dim };

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref().trim_end());
        self.out.push('\n');
    }

    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn paint(&self, style: Style, text: impl AsRef<str>) -> String {
        self.painter.paint(style, text.as_ref()).to_string()
    }

    fn head(&mut self, difference: &Difference) {
        let (old, new) = (&difference.old, &difference.new);
        let stacks =
            if old.stack == new.stack { old.stack.to_string() } else { format!("{} → {}", old.stack, new.stack) };
        let heading = self.paint(Style::Heading, format!("Stack {stacks}"));
        self.line(format!("{heading} · {} → {}", escape(&operand(old)), escape(&operand(new))));
    }

    fn target(&mut self, target: &TargetDifference) {
        self.blank();
        let heading = self.paint(Style::Heading, format!("Target {}", target.name));
        let place = self.words.place(target);
        self.line(format!("{heading} · {place}"));
        if target.has_moved() {
            self.line("  another account or Region: the keys are other keys, compared as if they had stayed");
        }
        for item in &target.unreadable {
            self.undecided(&format!("{}: {} was denied", item.what, item.action));
        }
        let shared = self.shared(target);
        for key in &target.keys {
            self.key(key, &shared);
        }
    }

    /// What every new key of a target gives alike is said once. Returns it.
    fn shared(&mut self, target: &TargetDifference) -> Vec<(String, String)> {
        let new = target.keys.iter().filter(|key| key.presence == Presence::Added);
        let gains: Vec<AccessLine> = new.flat_map(|key| key.access.gains.clone()).collect();
        let change = AccessChange { gains, losses: Vec::new() };
        let shared = shared_gains(&change);
        if !shared.is_empty() {
            self.blank();
            self.line("  on each new key below");
        }
        for group in &shared {
            self.group(GAINS, group);
        }
        shared.iter().map(|group| (group.principal.to_owned(), group.what())).collect()
    }

    fn title(&mut self, (kind, name): (&str, &str), presence: &Presence, position: Option<&Position>) {
        self.blank();
        let (symbol, style) = match presence {
            Presence::Both => ("~", Style::Changed),
            Presence::Added => ("+", Style::Added),
            Presence::Removed => ("-", Style::Removed),
            Presence::MovedFrom(_) => (">", Style::Changed),
        };
        let title = self.paint(style, format!("{symbol} {kind} {name}"));
        let place = self.paint(Style::Dim, position.map(ToString::to_string).unwrap_or_default());
        let reason = self.words.presence(presence);
        let gap = if reason.is_empty() { "" } else { "  " };
        self.line(format!("{title}  {reason}{gap}{place}"));
    }

    fn key(&mut self, key: &KeyDifference, shared: &[(String, String)]) {
        self.title(("key", key.key.as_str()), &key.presence, key.position.as_ref());
        self.properties(&key.properties);
        for change in &key.material {
            self.material(change);
        }
        for what in &key.undecided {
            self.undecided(what);
        }
        let is_shared = |group: &Group<'_>| {
            key.presence == Presence::Added
                && shared.iter().any(|(who, what)| who == group.principal && *what == group.what())
        };
        let named = key.key.as_str();
        let mut groups: Vec<(Sign, &[AccessLine], Group<'_>)> = Vec::new();
        for (sign, lines) in [(GAINS, &key.access.gains), (LOSES, &key.access.losses), (GAVE, &key.gave)] {
            let found = groups_of(lines, named).into_iter().filter(|group| !is_shared(group));
            groups.extend(found.map(|group| (sign, lines.as_slice(), group)));
        }
        if !groups.is_empty() {
            self.line(if key.gave.is_empty() { "    access" } else { "    access that the declaration gave" });
        } else if key.policy == PolicyRelation::Differs {
            self.line("    access       unchanged, though the policy reads differently");
        }
        for (sign, lines, group) in groups {
            self.group(sign, &group);
            if key.presence != Presence::Added && sign.verb != LOSES.verb {
                self.witness(lines, &group);
            }
        }
    }

    fn group(&mut self, sign: Sign, group: &Group<'_>) {
        let who = self.paint(sign.style, format!("{} {}", sign.symbol, escape(group.principal)));
        let risk = self.risk(group.risk);
        self.line(format!("      {who} {} {}{risk}", sign.verb, group.what()));
        if let Certainty::Undetermined { reason } = group.certainty {
            let note = self.paint(Style::Dim, format!("not decided: {}", escape(reason)));
            self.line(format!("          {note}"));
        }
    }

    fn risk(&self, risk: Risk) -> String {
        if risk == Risk::Routine { String::new() } else { self.paint(Style::Dim, format!("  [{}]", risk.name())) }
    }

    /// The request of the gravest of a group's gains that has one.
    fn witness(&mut self, lines: &[AccessLine], group: &Group<'_>) {
        let of_group = |line: &&AccessLine| {
            (line.principal.as_str(), line.conditions.as_slice(), &line.certainty)
                == (group.principal, group.conditions, group.certainty)
        };
        let gravest = lines.iter().filter(of_group).filter(|line| line.witness.is_some()).max_by_key(|line| line.risk);
        if let Some(found) = gravest.and_then(|line| line.witness.as_ref()) {
            let text = self.paint(Style::Dim, format!("now allowed: {}", escape(&witness(found))));
            self.line(format!("          {text}"));
        }
    }

    fn undecided(&mut self, what: &str) {
        let word = self.paint(Style::Warning, "not compared");
        self.line(format!("    {word}: {}", escape(what)));
    }

    fn properties(&mut self, properties: &[PropertyDifference]) {
        let longest = properties.iter().map(|change| change.property.len()).filter(|length| *length <= 24).max();
        let width = longest.unwrap_or_default().max(12);
        for change in properties {
            let value = self.words.change(change);
            self.line(format!("    {:<width$} {}", escape(&change.property), escape(&value)));
        }
    }

    /// What becomes of a change of imported material, below the properties that say what it is.
    fn material(&mut self, change: &MaterialChange) {
        let (word, reason) = material(change);
        let style = if change.is_impossible() { Style::Removed } else { Style::Warning };
        let word = self.paint(style, word);
        self.line(format!("    {word}: {}", escape(&reason)));
    }

    fn account(&mut self, account: &AccountDifference) {
        self.blank();
        let heading = self.paint(Style::Heading, format!("Account {}", account.account));
        self.line(format!("{heading} · roles"));
        for item in &account.unreadable {
            self.undecided(&format!("{}: {} was denied", item.what, item.action));
        }
        for role in &account.roles {
            self.role(role);
        }
    }

    fn role(&mut self, role: &RoleDifference) {
        self.title(("role", role.role.as_str()), &role.presence, role.position.as_ref());
        self.properties(&role.properties);
        let quiet = role.gains.is_empty() && role.losses.is_empty() && role.gave.is_empty();
        if !quiet {
            self.line("    who may assume it");
        } else if role.trust == PolicyRelation::Differs {
            self.line("    who may assume it  unchanged, though the trust policy reads differently");
        }
        for (sign, lines) in [(GAINS, &role.gains), (LOSES, &role.losses), (GAVE, &role.gave)] {
            for line in lines {
                self.trust(sign, line);
            }
        }
    }

    fn trust(&mut self, sign: Sign, line: &TrustLine) {
        let who = self.paint(sign.style, format!("{} {}", sign.symbol, escape(&line.principal)));
        let conditions = escape(&line.conditions.join(", ")).into_owned();
        let conditions = if conditions.is_empty() { conditions } else { format!(", {conditions}") };
        let risk = if sign.symbol == GAINS.symbol { self.risk(TrustLine::RISK) } else { String::new() };
        self.line(format!("      {who}{conditions}{risk}"));
        if let Some(found) = &line.witness {
            let text = self.paint(Style::Dim, format!("now allowed: {}", escape(&witness(found))));
            self.line(format!("          {text}"));
        }
    }
}

#[cfg(test)]
mod tests;
