//! What `apply` does and did, for people and machines.

use super::style::{Painter, Style};
use crate::ids::MaterialName;
use crate::plan::{Action, Owner, Step, Why};
use crate::report::{ApplyReport, Event, Scope, ScopeReport, StepOutcome, StepResult};
use crate::text::{escape, plural};
use serde_json::{Value, json};

/// Returns a line of progress; `None` for an event that needs no line. The place is named where several run at once.
pub fn render_event(place: Option<&Scope>, event: Event<'_>, painter: Painter) -> Option<String> {
    let line = match event {
        Event::Started(_) => return None,
        Event::Finished(outcome) => outcome_line(outcome, painter),
        Event::Waiting(what) => painter.paint(Style::Dim, format!("  … {}", escape(what))).to_string(),
    };
    Some(match place {
        Some(place) => format!("  {}{line}", place_name(place)),
        None => line,
    })
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
        Action::UntagKey { .. } | Action::UntagRole { .. } => "untag".to_owned(),
        Action::ReplicateKey { target, region, .. } => format!("replicate to {region} (target {target})"),
        Action::UpdatePrimaryRegion { region, .. } => format!("make the replica in {region} the primary"),
        Action::ScheduleKeyDeletion { days, .. } => format!("schedule deletion in {days} days"),
        Action::CancelKeyDeletion { .. } => "cancel deletion".to_owned(),
        Action::RotateKeyOnDemand { .. } => "rotate now".to_owned(),
        Action::ImportKeyMaterial { material, valid_for_days, .. } => import_words(material, *valid_for_days, step.why),
        Action::DeleteImportedKeyMaterial { material: Some(material), .. } => format!("delete material {material}"),
        Action::DeleteImportedKeyMaterial { material: None, .. } => "delete its material".to_owned(),
        Action::DeleteAlias { alias, .. } => format!("remove {alias}"),
        Action::CreateAlias { alias, .. } => format!("create {alias}"),
        Action::UpdateAlias { alias, .. } => format!("point {alias} at it"),
        Action::EnableKeyRotation { days, .. } => format!("rotate every {days} days"),
        Action::DisableKeyRotation { .. } => "stop rotating".to_owned(),
    };
    format!("{owner}: {what}")
}

fn import_words(material: &MaterialName, valid_for_days: Option<u16>, why: Why) -> String {
    let again = if why == Why::Absent { "" } else { " again" };
    let validity = valid_for_days
        .map_or_else(|| "never to expire".to_owned(), |days| format!("valid for {}", plural(usize::from(days), "day")));
    format!("import material {material}{again}, {validity}")
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
    place_name(&scope.scope)
}

fn place_name(scope: &Scope) -> String {
    match scope {
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
            let recoveries = scope.recoveries.iter().map(|item| json!({"step": item.step, "message": item.message}));
            json!({
                "kind": kind,
                "name": name,
                "steps": scope.steps.iter().map(outcome_to_json).collect::<Vec<_>>(),
                "recoveries": recoveries.collect::<Vec<_>>(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::KeyName;
    use crate::plan::{KeyRef, StepId};
    use crate::report::Recovery;
    use crate::review::Risk;
    use crate::source::{Loc, Position, SourceMap};

    fn outcome(number: usize, result: StepResult) -> StepOutcome {
        let key: KeyName = "ledger".parse().unwrap();
        let source = SourceMap::default().add("a.toml", "");
        let step = Step {
            id: StepId(format!("s{number}")),
            owner: Owner::Key(key.clone()),
            action: Action::DisableKey { key: KeyRef::Planned(key) },
            why: Why::Differs,
            cause: None,
            risk: Risk::Routine,
            change: None,
            loc: Loc::new(source, 0..0),
            position: Position { file: "a.toml".to_owned(), line: 1, column: 1 },
            depends_on: Vec::new(),
        };
        StepOutcome { step, result, created: None }
    }

    fn report() -> ApplyReport {
        let message = || "the\u{1b}[2J reason".to_owned();
        let steps = vec![
            outcome(1, StepResult::Done),
            outcome(2, StepResult::Unconfirmed),
            outcome(3, StepResult::Unknown { message: message() }),
            outcome(4, StepResult::Failed { message: message(), help: "do this".to_owned() }),
            outcome(5, StepResult::Skipped { because: StepId("s4".to_owned()) }),
        ];
        let recoveries = vec![Recovery { step: StepId("s1".to_owned()), message: "found".to_owned() }];
        ApplyReport { scopes: vec![ScopeReport { scope: Scope::Target("prod".parse().unwrap()), steps, recoveries }] }
    }

    #[test]
    fn what_is_not_done_is_named_with_its_reason_and_the_next_step() {
        let text = render_apply(&report(), Painter::Plain);
        let expected = "recovered target prod: found
target prod  open key ledger: disable: written, not yet seen
target prod  open key ledger: disable: the\\u{1b}[2J reason
target prod  failed key ledger: disable: the\\u{1b}[2J reason
    help: do this
target prod  skipped key ledger: disable: it needs s4, which was not done
Apply: 1 step done, 2 not confirmed, 1 failed, 1 skipped; run apply again to continue
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_import_says_whether_it_is_the_first_and_how_long_it_lasts() {
        let name: MaterialName = "2026".parse().unwrap();
        assert_eq!(import_words(&name, Some(180), Why::Absent), "import material 2026, valid for 180 days");
        assert_eq!(import_words(&name, Some(1), Why::Expires), "import material 2026 again, valid for 1 day");
        assert_eq!(import_words(&name, None, Why::Missing), "import material 2026 again, never to expire");
    }

    fn names(value: &Value) -> Vec<String> {
        let listed = value.as_array().map(|list| list.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
        let mut names: Vec<String> =
            listed.unwrap_or_else(|| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
        names.sort();
        names
    }

    #[test]
    fn the_schema_describes_exactly_what_is_printed() {
        let schema: Value = serde_json::from_str(include_str!("../../schemas/apply.schema.json")).unwrap();
        let printed = apply_to_json(&report());
        let (defs, scope) = (&schema["$defs"], &printed["scopes"][0]);
        let pairs = [
            (&printed, &defs["apply"]),
            (scope, &defs["scope"]),
            (&scope["steps"][0], &defs["step"]),
            (&scope["recoveries"][0], &defs["recovery"]),
        ];
        for (printed, described) in pairs {
            assert_eq!(names(printed), names(&described["properties"]));
            assert_eq!(names(printed), names(&described["required"]));
        }
        let results: Vec<Value> =
            scope["steps"].as_array().unwrap().iter().map(|step| step["result"].clone()).collect();
        assert_eq!(defs["step"]["properties"]["result"]["enum"], Value::Array(results));
    }
}
