//! What `apply` does and did, for people and machines.

use super::style::{Painter, Style};
use crate::plan::{Action, Owner, Step};
use crate::report::{ApplyReport, Event, Scope, ScopeReport, StepOutcome, StepResult};
use crate::text::{escape, plural};
use serde_json::{Value, json};

/// Returns a line of progress; `None` for an event that needs no line.
pub fn render_event(event: Event<'_>, painter: Painter) -> Option<String> {
    match event {
        Event::Started(_) => None,
        Event::Finished(outcome) => Some(outcome_line(outcome, painter)),
        Event::Waiting(what) => Some(painter.paint(Style::Dim, format!("  … {}", escape(what))).to_string()),
    }
}

fn outcome_line(outcome: &StepOutcome, painter: Painter) -> String {
    let what = describe(&outcome.step);
    let id = outcome.created.as_ref().map(|arn| format!(" → {}", arn.key_id())).unwrap_or_default();
    match &outcome.result {
        StepResult::Done => format!("  {} {what}{id}", painter.paint(Style::Added, "done")),
        StepResult::Unconfirmed => format!("  {} {what}: written, not yet seen", painter.paint(Style::Warning, "open")),
        StepResult::Unknown { message } => {
            format!("  {} {what}: {}", painter.paint(Style::Warning, "open"), escape(message))
        }
        StepResult::Failed { message, .. } => {
            format!("  {} {what}: {}", painter.paint(Style::Error, "failed"), escape(message))
        }
        StepResult::Skipped { because } => {
            format!("  {} {what}: it needs {because}, which was not done", painter.paint(Style::Dim, "skipped"))
        }
    }
}

/// Returns what a step does, in a few words.
fn describe(step: &Step) -> String {
    let owner = match &step.owner {
        Owner::Key(name) => format!("key {name}"),
        Owner::Role(name) => format!("role {name}"),
    };
    let what = match &step.action {
        Action::CreateRole { .. } | Action::CreateKey { .. } => "create".to_owned(),
        Action::UpdateRole { .. } => "update description and session length".to_owned(),
        Action::UpdateAssumeRolePolicy { .. } => "update the trust policy".to_owned(),
        Action::PutRolePermissionsBoundary { .. } => "set the permissions boundary".to_owned(),
        Action::DeleteRolePermissionsBoundary { .. } => "remove the permissions boundary".to_owned(),
        Action::TagRole { .. } | Action::TagKey { .. } => "tag".to_owned(),
        Action::PutRolePolicy { name, .. } => format!("write identity policy {}", escape(name)),
        Action::DeleteRolePolicy { name, .. } => format!("remove identity policy {}", escape(name)),
        Action::PutKeyPolicy { .. } => "write the key policy".to_owned(),
        Action::UpdateKeyDescription { .. } => "update the description".to_owned(),
        Action::EnableKey { .. } => "enable".to_owned(),
        Action::DisableKey { .. } => "disable".to_owned(),
        Action::UntagKey { .. } => "untag".to_owned(),
        Action::CreateAlias { alias, .. } => format!("create {alias}"),
        Action::UpdateAlias { alias, .. } => format!("point {alias} at it"),
        Action::EnableKeyRotation { days, .. } => format!("rotate every {days} days"),
        Action::DisableKeyRotation { .. } => "stop rotating".to_owned(),
    };
    format!("{owner}: {what}")
}

/// Returns the final report: what went wrong and what was recovered, then the count.
pub fn render_apply(report: &ApplyReport, painter: Painter) -> String {
    let mut lines = Vec::new();
    for scope in &report.scopes {
        for recovery in &scope.recoveries {
            lines.push(format!(
                "{} {}: {}",
                painter.paint(Style::Heading, "recovered"),
                scope_name(scope),
                escape(&recovery.message)
            ));
        }
        for outcome in scope.steps.iter().filter(|outcome| outcome.result != StepResult::Done) {
            lines.push(format!("{}{}", scope_name(scope), outcome_line(outcome, painter)));
            if let StepResult::Failed { help, .. } = &outcome.result {
                lines.push(format!("    help: {help}"));
            }
        }
    }
    lines.push(summary(report));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn scope_name(scope: &ScopeReport) -> String {
    match &scope.scope {
        Scope::Account(account) => format!("account {account}"),
        Scope::Target(target) => format!("target {target}"),
    }
}

fn summary(report: &ApplyReport) -> String {
    let count = |wanted: fn(&StepResult) -> bool| {
        report.scopes.iter().flat_map(|scope| &scope.steps).filter(|outcome| wanted(&outcome.result)).count()
    };
    let done = count(|result| matches!(result, StepResult::Done));
    let open = count(|result| matches!(result, StepResult::Unconfirmed | StepResult::Unknown { .. }));
    let failed = count(|result| matches!(result, StepResult::Failed { .. }));
    let skipped = count(|result| matches!(result, StepResult::Skipped { .. }));
    if done + open + failed + skipped == 0 {
        return "Apply: nothing to do".to_owned();
    }
    let mut text = format!("Apply: {} done", plural(done, "step"));
    for (number, word) in [(open, "not confirmed"), (failed, "failed"), (skipped, "skipped")] {
        if number > 0 {
            text = format!("{text}, {number} {word}");
        }
    }
    if open + failed + skipped > 0 {
        text.push_str("; run apply again to continue");
    }
    text
}

/// Returns the report as JSON.
pub fn apply_to_json(report: &ApplyReport) -> Value {
    let scopes: Vec<Value> = report
        .scopes
        .iter()
        .map(|scope| {
            let (kind, name) = match &scope.scope {
                Scope::Account(account) => ("account", account.to_string()),
                Scope::Target(target) => ("target", target.to_string()),
            };
            json!({
                kind: name,
                "steps": scope.steps.iter().map(outcome_to_json).collect::<Vec<_>>(),
                "recoveries": scope.recoveries.iter().map(|item| json!({"step": item.step, "message": item.message})).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({"scopes": scopes, "exit_code": report.exit().code()})
}

fn outcome_to_json(outcome: &StepOutcome) -> Value {
    let (result, message) = match &outcome.result {
        StepResult::Done => ("done", None),
        StepResult::Unconfirmed => ("unconfirmed", None),
        StepResult::Unknown { message } => ("unknown", Some(message.clone())),
        StepResult::Failed { message, .. } => ("failed", Some(message.clone())),
        StepResult::Skipped { because } => ("skipped", Some(format!("needs {because}"))),
    };
    json!({"id": outcome.step.id, "call": outcome.step.action.call(), "result": result, "message": message, "created": outcome.created})
}
