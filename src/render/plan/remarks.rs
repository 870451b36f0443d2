//! What stands below a plan's steps: drift, orphans, findings, what could not be read, cost and quotas.

use super::Page;
use crate::diag::Severity;
use crate::kms::KEYS_PER_REGION;
use crate::plan::{
    Cause, Drift, DriftKind, Finding, Outcome, Owner, PRICING, Plan, PropertyChange, Quotas, Step, Summary, TargetPlan,
};
use crate::render::style::Style;
use crate::text::{escape, plural};

impl Page {
    pub(super) fn remarks(&mut self, target: &TargetPlan) {
        self.differences_of(target);
        let undeclared = target.drift.iter().filter(|drift| drift.kind == DriftKind::Undeclared);
        let undeclared: Vec<String> =
            undeclared.map(|drift| format!("{}: {}", owner(&drift.owner), escape(&drift.what))).collect();
        self.list("Not declared, and left alone", &undeclared);
        self.orphans(target);
        let unreadable: Vec<String> = target
            .unreadable
            .iter()
            .map(|item| format!("{}: {} was denied", escape(&item.what), escape(&item.action)))
            .collect();
        self.list("Not readable", &unreadable);
        self.findings(&target.findings);
        self.blank();
        self.cost(target);
        self.quotas(&target.quotas);
    }

    fn list(&mut self, title: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.blank();
        let title = self.paint(Style::Heading, title);
        self.line(format!("  {title}"));
        for item in items {
            self.line(format!("    {item}"));
        }
    }

    pub(super) fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        self.blank();
        let title = self.paint(Style::Heading, "Findings");
        self.line(format!("  {title}"));
        for finding in findings {
            let word = match finding.severity {
                Severity::Warning => self.paint(Style::Warning, "warning"),
                Severity::Error => self.paint(Style::Error, "error"),
            };
            let owner = finding.owner.as_ref().map(|owner| match owner {
                Owner::Key(name) => format!("key {name}: "),
                Owner::Role(name) => format!("role {name}: "),
            });
            let code = self.paint(Style::Dim, format!("({})", finding.code.name()));
            self.line(format!("    {word}: {}{} {code}", owner.unwrap_or_default(), escape(&finding.message)));
            self.help("      ", &finding.remedy);
        }
    }

    /// Orphans, each with the next step.
    fn orphans(&mut self, target: &TargetPlan) {
        if target.orphans.is_empty() {
            return;
        }
        self.blank();
        let title = self.paint(Style::Heading, "Orphans: ours, and no longer in the manifest (never deleted)");
        self.line(format!("  {title}"));
        for orphan in &target.orphans {
            let key = escape(orphan.key.as_deref().unwrap_or("without a name"));
            self.line(format!("    {} ({}), tagged {key}", orphan.arn, escape(&orphan.note)));
            self.line(format!("      help: {}", escape(&orphan.next)));
        }
    }

    /// Differences of keys, with the statements that differ where it is the policy.
    fn differences_of(&mut self, target: &TargetPlan) {
        self.differences(&target.drift);
        for (key, before) in &target.policies_before {
            let differs = |drift: &Drift| {
                let policy = drift.change.as_ref().is_some_and(|change| change.property == "policy");
                policy && drift.owner == Owner::Key(key.clone())
            };
            let Some(declared) = target.policies.get(key).filter(|_| target.drift.iter().any(differs)) else {
                continue;
            };
            self.line(format!("    policy of {key}: live against declared"));
            for change in crate::policy::statement_changes(declared, before) {
                self.statement(&change);
            }
        }
    }

    /// What differs from the manifest, in a plan of drift.
    pub(super) fn differences(&mut self, drift: &[Drift]) {
        let differing = drift.iter().filter(|drift| drift.kind != DriftKind::Undeclared);
        let lines: Vec<String> = differing.map(difference).collect();
        self.list("Differs from the manifest", &lines);
    }

    fn cost(&mut self, target: &TargetPlan) {
        let cost = &target.cost_per_month_delta;
        match cost.strip_prefix('-') {
            Some(less) => self.line(format!("  Cost: -${less} a month ({PRICING})")),
            None if cost != "0.00" => self.line(format!("  Cost: +${cost} a month ({PRICING})")),
            None => {}
        }
    }

    fn quotas(&mut self, quotas: &Quotas) {
        let keys = match quotas.keys {
            Some(used) => format!("{used} of {} keys in the Region", grouped(KEYS_PER_REGION)),
            None => "keys of the Region not counted (kms:ListKeys)".to_owned(),
        };
        let near = quotas.near.iter().map(|near| {
            let words = format!("{}: {} of {} {}", near.key, grouped(near.used), grouped(near.limit), near.what);
            self.paint(Style::Warning, words)
        });
        let parts: Vec<String> = std::iter::once(keys).chain(near).collect();
        self.line(format!("  Quotas: {}", parts.join(" · ")));
    }

    /// The last line of a plan of drift.
    pub(super) fn drift_summary(&mut self, plan: &Plan, summary: Summary) {
        let blocked = if summary.blocked > 0 {
            format!(", {}", self.paint(Style::Blocked, format!("{} blocked", summary.blocked)))
        } else {
            String::new()
        };
        let digest = plan.live_digest.0.get(..12).unwrap_or(&plan.live_digest.0);
        let found = plural(summary.drift, "difference");
        let findings = plural(summary.findings, "finding");
        self.line(format!("Drift: {found}{blocked}; nothing is planned · {findings} · live digest {digest}…"));
    }

    /// How many steps somebody else is the cause of, where that was asked for.
    pub(super) fn causes(&mut self, plan: &Plan) {
        let outcomes = plan.accounts.iter().map(|account| &account.outcome);
        let outcomes = outcomes.chain(plan.targets.iter().map(|target| &target.outcome));
        let steps: Vec<&Step> = outcomes.flat_map(Outcome::steps).collect();
        let count = |cause| steps.iter().filter(|step| step.cause == Some(cause)).count();
        let (drift, intended) = (count(Cause::Drift), count(Cause::Intended));
        if drift + intended > 0 {
            self.line(format!("{} changed outside, {intended} intended", plural(drift, "step")));
        }
    }
}

fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Key(name) => name.to_string(),
        Owner::Role(name) => format!("role {name}"),
    }
}

/// One difference, live value first. Policies are too long for a line.
fn difference(drift: &Drift) -> String {
    let value = |value: Option<&String>| value.map_or("none".to_owned(), |value| format!("`{}`", escape(value)));
    let values = drift.change.as_ref().filter(|change| !change.property.contains("policy"));
    let values = values.map(|PropertyChange { before, after, .. }| {
        format!(": live {}, declared {}", value(before.as_ref()), value(after.as_ref()))
    });
    format!("{}: {}{}", owner(&drift.owner), escape(&drift.what), values.unwrap_or_default())
}

/// Returns a number with a comma before each group of three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
