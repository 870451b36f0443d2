//! Answers to questions about access, for people and for machines: the verdict, what decides it, and its place in the
//! manifest.

mod json;
mod list;
mod words;

pub use json::{About, explanation_to_json, holders_to_json, rows_to_json};
pub use list::{render_holders, render_matrix};

use super::style::{Painter, Style};
use crate::access::{Decision, NearMiss, ResidualTerm, ResidualWay};
use crate::review::{Coming, ExplainedAction, Explanation, Extent, Supposed};
use crate::source::SourceMap;
use crate::text::{escape, plural};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use words::Words;

/// The longest line.
const WIDTH: usize = 100;

/// What the words of an answer need besides it.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The files of the manifest.
    pub sources: &'a SourceMap,
    /// The names by which people know ARNs.
    pub names: &'a BTreeMap<String, String>,
    /// The names of the identity policies of each principal, by its ARN.
    pub policy_names: &'a BTreeMap<String, Vec<String>>,
    /// What was not read, in words.
    pub gaps: &'a [String],
}

/// Returns an answer with everything that explains it.
pub fn render_explanation(answer: &Explanation<'_>, setting: Setting<'_>, painter: Painter) -> String {
    let words = Words { setting, key: answer.key, principal: answer.principal };
    let mut page = Page { out: String::new(), painter };
    page.headline(answer, &words);
    page.through(answer);
    for (actions, lines) in grouped(answer, &words) {
        page.out.push('\n');
        let all = actions.len() == answer.actions.len() && actions.len() > 1;
        let list = if all {
            format!("all {}: {}", plural(actions.len(), "action"), actions.join(", "))
        } else {
            actions.join(", ")
        };
        page.wrapped(2, 4, &list);
        for (indent, line) in lines {
            page.wrapped(indent, indent + 2, &line);
        }
    }
    page.gaps(setting.gaps);
    page.out
}

/// A line of an explanation, and how far it is indented.
type Line = (usize, String);

/// Returns the actions with the same explanation together, in the order of the first of each.
fn grouped(answer: &Explanation<'_>, words: &Words<'_>) -> Vec<(Vec<String>, Vec<Line>)> {
    let mut groups: Vec<(Vec<String>, Vec<Line>)> = Vec::new();
    for action in &answer.actions {
        let lines = explained(action, answer.extent(), words);
        match groups.iter_mut().find(|(_, known)| *known == lines) {
            Some((actions, _)) => actions.push(action.action.full.to_owned()),
            None => groups.push((vec![action.action.full.to_owned()], lines)),
        }
    }
    groups
}

fn explained(answer: &ExplainedAction, extent: Extent, words: &Words<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    match &answer.answer.residual.decision {
        Decision::Allow | Decision::Undetermined(_) => {
            for way in &answer.answer.residual.ways {
                lines.extend(allowing(way, words));
            }
            if let (Decision::Undetermined(reason), [], []) = (
                &answer.answer.residual.decision,
                answer.answer.residual.ways.as_slice(),
                answer.answer.residual.denies.as_slice(),
            ) {
                lines.push((4, format!("open: {}", escape(reason))));
            }
            for deny in &answer.answer.residual.denies {
                lines.extend(denying(deny, words));
            }
        }
        Decision::ExplicitDeny | Decision::ImplicitDeny => lines.extend(refusing(answer, extent, words)),
    }
    lines
}

fn allowing(way: &ResidualWay, words: &Words<'_>) -> Vec<Line> {
    let conditions = words.conditions(way.conditions());
    let mut lines = vec![match way.open() {
        Some(reason) => (4, format!("open{conditions}: {}", escape(reason))),
        None => (4, format!("allowed{conditions}")),
    }];
    let several = way.terms.len() > 1;
    let written = |term: &&ResidualTerm| term.source.statement.is_some() || term.source.id.is_some();
    for term in way.terms.iter().filter(written).filter(|term| !words.is_made_up(&term.source)) {
        let text = if several { format!(": {}", words.sentence(&term.source.text)) } else { String::new() };
        lines.push((6, format!("by {}{text}", words.place(&term.source))));
    }
    lines
}

fn denying(deny: &ResidualTerm, words: &Words<'_>) -> Vec<Line> {
    let when = words.circumstances(&deny.conditions);
    let open = deny.open.as_ref().map(|reason| format!(" (open: {})", escape(reason))).unwrap_or_default();
    vec![(4, format!("denied{when}{open}")), (6, format!("by {}", words.place(&deny.source)))]
}

/// Why something is not allowed, and what came nearest to allowing it.
fn refusing(answer: &ExplainedAction, extent: Extent, words: &Words<'_>) -> Vec<Line> {
    let (denies, allows): (Vec<&NearMiss>, Vec<&NearMiss>) =
        answer.near.iter().partition(|miss| words.is_deny(&miss.source));
    let mut lines = Vec::new();
    for deny in &denies {
        lines.push((4, format!("denied{}", words.circumstances(deny.conditions()))));
        lines.push((6, format!("by {}", words.place(&deny.source))));
    }
    // Of what is refused as a whole the headline says so.
    if denies.is_empty() && extent != Extent::Never {
        lines.push((4, "nothing allows it".to_owned()));
    }
    if let Some(nearest) = words.nearest(&allows) {
        let lead = if denies.is_empty() { "nearest" } else { "nothing allows it either; nearest" };
        lines.push((4, format!("{lead}: {}", words.near(nearest, answer.action))));
    }
    lines
}

struct Page {
    out: String,
    painter: Painter,
}

impl Page {
    fn headline(&mut self, answer: &Explanation<'_>, words: &Words<'_>) {
        let (verdict, rest) = words.verdict(answer);
        let style = match answer.extent() {
            Extent::Always | Extent::Conditional => Style::Added,
            Extent::Partly | Extent::Undetermined => Style::Warning,
            Extent::Never => Style::Removed,
        };
        let asked = words::asked(answer.wanted, answer.key);
        self.wrapped(0, 2, &format!("May {} {asked}?", escape(&answer.principal.name)));
        // The painted word is short: it is not what makes the line long.
        let line = wrap(&format!("{verdict}{rest}"), 0, 2);
        let painted = self.painter.paint(style, verdict);
        let _ok = writeln!(self.out, "{painted}{}", line.get(verdict.len()..).unwrap_or_default());
    }

    /// Says where the same capability takes other actions, and is allowed.
    fn through(&mut self, answer: &Explanation<'_>) {
        for service in &answer.through {
            let via = Coming::Through(service.via_service(&answer.key.facts.region));
            let within = Supposed { via: Some(via), ..Supposed::default() };
            let actions = answer.wanted.actions_in(&answer.key.facts, &within);
            let actions: Vec<&str> = actions.into_iter().map(|action| action.full).collect();
            let (name, actions) = (answer.wanted.name(), crate::text::and_list(&actions));
            self.wrapped(0, 2, &format!("Through {service}, yes: there, to {name} takes {actions} (--via {service})."));
        }
    }

    fn gaps(&mut self, gaps: &[String]) {
        if !gaps.is_empty() {
            let gaps: Vec<_> = gaps.iter().map(|gap| escape(gap)).collect();
            self.out.push('\n');
            self.wrapped(0, 2, &format!("Not read, and left out: {}", gaps.join("; ")));
        }
    }

    fn wrapped(&mut self, first: usize, rest: usize, text: &str) {
        self.out.push_str(&wrap(text, first, rest));
        self.out.push('\n');
    }
}

/// Breaks a text at blanks into lines of at most [`WIDTH`] characters, the first and the others indented.
pub(super) fn wrap(text: &str, first: usize, rest: usize) -> String {
    let mut out = " ".repeat(first);
    let mut column = first;
    for (at, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(rest));
            column = rest;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

trait Conditions {
    fn conditions(&self) -> Vec<&crate::policy::Condition>;
}

impl Conditions for NearMiss {
    /// Returns the conditions among what fails; of a deny, those by which it holds.
    fn conditions(&self) -> Vec<&crate::policy::Condition> {
        let conditions = self.failing.iter().filter_map(|failing| match failing {
            crate::access::Failing::Condition { condition, .. } => Some(condition),
            crate::access::Failing::Principal
            | crate::access::Failing::Action
            | crate::access::Failing::Resource
            | crate::access::Failing::Layer(_) => None,
        });
        conditions.collect()
    }
}
