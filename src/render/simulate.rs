//! Worked cases and their decisions: a line each, for people and for machines.

use super::json;
use super::style::{Painter, Style};
use crate::access::{Agreement, ContextDifference, ContextValue, Decision, Expected, Layer, Simulation, TraceEntry};
use crate::text::escape;
use serde::Serialize;
use std::fmt::Write as _;

/// Returns the cases as people read them: a line each, the reasons where there is something to explain, and the sum.
pub fn render_simulations(simulations: &[Simulation<'_>], painter: Painter) -> String {
    let width = simulations.iter().map(|one| escape(&one.case.id).chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for simulation in simulations {
        line(simulation, width, painter, &mut out);
    }
    out.push_str(&sum(simulations));
    out
}

fn line(simulation: &Simulation<'_>, width: usize, painter: Painter, out: &mut String) {
    let case = simulation.case;
    let found = decision_name(&simulation.evaluation.decision);
    let (symbol, style, decision) = match simulation.agreement {
        Agreement::Agrees if simulation.context.is_empty() => ("✓", Style::Added, found.to_owned()),
        Agreement::Agrees => ("✗", Style::Error, found.to_owned()),
        Agreement::Differs(expected) => ("✗", Style::Error, format!("{found}, not {}", expected_name(expected))),
        Agreement::Contested => ("–", Style::Dim, found.to_owned()),
        Agreement::NotStated => (" ", Style::Dim, found.to_owned()),
    };
    let symbol = painter.paint(style, symbol);
    // Writing to a string cannot fail.
    let _ok = writeln!(out, "{symbol} {:width$}  {decision:<13}  {}", escape(&case.id), escape(&case.title));
    if let Decision::Undetermined(reason) = &simulation.evaluation.decision {
        let _ok = writeln!(out, "    {}", escape(reason));
    } else if matches!(simulation.agreement, Agreement::Differs(_) | Agreement::NotStated) {
        for entry in &simulation.evaluation.trace {
            let _ok = writeln!(out, "    {}", trace_words(entry));
        }
    }
    for difference in &simulation.context {
        let _ok = writeln!(out, "    {}", difference_words(difference));
    }
}

/// Returns an entry of a trace as people read it: the place, and what it did.
fn trace_words(entry: &TraceEntry) -> String {
    let place = match (&entry.id, entry.statement) {
        (Some(id), _) if entry.layer == Layer::Grant => format!("grant {}", escape(id)),
        (Some(id), _) => format!("{}, statement `{}`", layer_words(entry.layer), escape(id)),
        (None, Some((_, statement))) => format!("{}, statement {}", layer_words(entry.layer), statement + 1),
        (None, None) => return escape(&entry.text).into_owned(),
    };
    format!("{place}: {}", escape(&entry.text))
}

fn difference_words(difference: &ContextDifference) -> String {
    let shown = |value: &Option<ContextValue>| match value {
        None => "absent".to_owned(),
        Some(ContextValue::One(text)) => format!("`{}`", escape(text)),
        Some(ContextValue::Many(texts)) => {
            let texts: Vec<String> = texts.iter().map(|text| format!("`{}`", escape(text))).collect();
            format!("[{}]", texts.join(", "))
        }
    };
    let (given, derived) = (shown(&difference.given), shown(&difference.derived));
    format!("context {}: {given} in resolved_context, {derived} as derived", escape(&difference.key))
}

fn sum(simulations: &[Simulation<'_>]) -> String {
    let of = |wanted| simulations.iter().filter(move |one| one.agreement == wanted);
    let differ = simulations.iter().filter(|one| one.differs()).count();
    let agree = of(Agreement::Agrees).filter(|one| !one.differs()).count();
    let mut parts = vec![format!("{agree} agree"), format!("{differ} differ")];
    let (contested, silent) = (of(Agreement::Contested).count(), of(Agreement::NotStated).count());
    parts.extend((contested > 0).then(|| format!("{contested} contested and not scored")));
    parts.extend((silent > 0).then(|| format!("{silent} without an expected decision")));
    format!("\nSimulate: {}\n", parts.join(", "))
}

/// One line of JSON, in the order of the manual.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    trace: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    context_differences: Vec<serde_json::Value>,
}

/// Returns a decided case as one line of JSON, without a newline.
pub fn simulation_to_json(simulation: &Simulation<'_>) -> String {
    let reason = match &simulation.evaluation.decision {
        Decision::Undetermined(reason) => Some(reason.as_str()),
        Decision::Allow | Decision::ExplicitDeny | Decision::ImplicitDeny => None,
    };
    json::to_line(&Line {
        id: &simulation.case.id,
        decision: decision_name(&simulation.evaluation.decision),
        reason,
        trace: simulation.evaluation.trace.iter().map(trace_to_json).collect(),
        context_differences: simulation.context.iter().map(difference_to_json).collect(),
    })
}

/// Returns an entry of a trace as JSON.
pub(super) fn trace_to_json(entry: &TraceEntry) -> serde_json::Value {
    serde_json::json!({
        "layer": layer_name(entry.layer),
        "statement": entry.statement.map(|(policy, statement)| [policy, statement]),
        "id": entry.id,
        "text": entry.text,
    })
}

fn difference_to_json(difference: &ContextDifference) -> serde_json::Value {
    let value = |value: &Option<ContextValue>| match value {
        None => serde_json::Value::Null,
        Some(ContextValue::One(text)) => text.as_str().into(),
        Some(ContextValue::Many(texts)) => texts.iter().map(String::as_str).collect(),
    };
    serde_json::json!({
        "key": difference.key, "given": value(&difference.given), "derived": value(&difference.derived),
    })
}

/// Returns the name of a decision in JSON and in case files.
pub(super) fn decision_name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::ExplicitDeny => "explicit_deny",
        Decision::ImplicitDeny => "implicit_deny",
        Decision::Undetermined(_) => "undetermined",
    }
}

fn expected_name(expected: Expected) -> &'static str {
    match expected {
        Expected::Allow => "allow",
        Expected::ExplicitDeny => "explicit_deny",
        Expected::ImplicitDeny => "implicit_deny",
    }
}

/// Returns the name of a layer in JSON.
pub(super) fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::KeyPolicy => "key_policy",
        Layer::RamPolicy => "ram_policy",
        Layer::Identity => "identity_policy",
        Layer::Boundary => "permissions_boundary",
        Layer::Session => "session_policy",
        Layer::Scp => "service_control_policy",
        Layer::Rcp => "resource_control_policy",
        Layer::Grant => "grant",
        Layer::Trust => "trust_policy",
    }
}

/// Returns a layer as people call it.
pub(super) fn layer_words(layer: Layer) -> &'static str {
    match layer {
        Layer::KeyPolicy => "key policy",
        Layer::RamPolicy => "policy AWS_RAM",
        Layer::Identity => "identity policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
        Layer::Scp => "service control policy",
        Layer::Rcp => "resource control policy",
        Layer::Grant => "grant",
        Layer::Trust => "trust policy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::CaseFile;

    fn hostile() -> CaseFile {
        let text = include_str!("../../tests/data/access/cases.json");
        let mut file: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut case = file["cases"][0].take();
        case["title"] = "\u{1b}]52;c;eA==\u{7}".into();
        case["expected"]["decision"] = "explicit_deny".into();
        case["key"]["policy"]["Statement"][0]["Sid"] = "a\u{202e}b".into();
        case["resolved_context"]["aws:evil\u{1b}"] = serde_json::json!(["\u{9b}", "x"]);
        CaseFile::parse(&case.to_string()).unwrap()
    }

    #[test]
    fn what_a_case_says_cannot_forge_output() {
        let file = hostile();
        let simulations: Vec<Simulation<'_>> = file.cases.iter().map(crate::access::Case::simulate).collect();
        let text = render_simulations(&simulations, Painter::Plain);
        let json = simulation_to_json(&simulations[0]);
        for shown in [&text, &json] {
            assert!(!shown.chars().any(|c| c != '\n' && crate::text::is_hostile(c)), "{shown:?}");
        }
        assert!(text.starts_with("✗ abac-001  allow, not explicit_deny  \\u{1b}]52"), "{text}");
        assert!(text.contains("key policy, statement `a\\u{202e}b`: "), "{text}");
        assert!(
            text.contains("context aws:evil\\u{1b}: [`\\u{9b}`, `x`] in resolved_context, absent as derived"),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["trace"][0]["id"], "a\u{202e}b");
        assert_eq!(json["context_differences"][0]["derived"], serde_json::Value::Null);
    }

    #[test]
    fn a_line_of_json_has_the_order_of_the_manual() {
        let file = CaseFile::parse(include_str!("../../tests/data/access/cases.json")).unwrap();
        let line = simulation_to_json(&file.cases[0].simulate());
        assert!(line.starts_with(r#"{"id":"abac-001","decision":"allow","trace":[{"#), "{line}");
        assert!(!line.contains('\n'));
    }
}
