//! Answers as JSON: one document for every question.

use super::Setting;
use super::words::Words;
use crate::access::{ContextValue, Decision, Failing, NearMiss, ResidualTerm, ResidualWay, TraceEntry};
use crate::policy::Condition;
use crate::render::json::FORMAT_VERSION;
use crate::render::simulate::{decision_name, trace_to_json};
use crate::review::{ActionAnswer, Answer, Coming, Supposed, Verdict, condition_words};
use serde_json::{Value, json};

/// Which question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionKind {
    /// `access can`.
    Can,
    /// `access who-can`.
    WhoCan,
    /// `access matrix`.
    Matrix,
}

/// Returns the answers to a question as JSON. `live` is whether they are about what was read.
pub fn answers_to_json(
    kind: QuestionKind,
    live: bool,
    answers: &[Answer<'_>],
    supposed: &Supposed,
    setting: Setting<'_>,
) -> Value {
    let question = match kind {
        QuestionKind::Can => "can",
        QuestionKind::WhoCan => "who-can",
        QuestionKind::Matrix => "matrix",
    };
    json!({
        "format_version": FORMAT_VERSION,
        "question": question,
        "source": if live { "live" } else { "manifest" },
        "supposed": supposed_to_json(supposed),
        "answers": answers.iter().map(|answer| answer_to_json(answer, live, setting)).collect::<Vec<_>>(),
        "not_read": setting.gaps,
    })
}

fn supposed_to_json(supposed: &Supposed) -> Value {
    let via = match &supposed.via {
        None => Value::Null,
        Some(Coming::Directly) => "none".into(),
        Some(Coming::Through(service)) => service.as_str().into(),
    };
    let conditions = supposed.conditions.iter().map(|(key, value)| (key.clone(), context_value(value)));
    json!({
        "context": supposed.context, "via": via, "conditions": conditions.collect::<serde_json::Map<_, _>>(),
    })
}

fn context_value(value: &ContextValue) -> Value {
    match value {
        ContextValue::One(text) => text.as_str().into(),
        ContextValue::Many(texts) => texts.iter().map(String::as_str).collect(),
    }
}

fn answer_to_json(answer: &Answer<'_>, live: bool, setting: Setting<'_>) -> Value {
    let words = Words { setting, key: answer.key, principal: answer.principal };
    json!({
        "principal": { "name": answer.principal.name, "arn": answer.principal.facts.arn },
        "wanted": answer.wanted.name(),
        "key": {
            "name": answer.key.name,
            "target": answer.key.target,
            // A key of the manifest may not exist yet.
            "arn": live.then_some(&answer.key.facts.arn),
        },
        "verdict": verdict_name(answer.verdict()),
        "actions": answer.actions.iter().map(|action| action_to_json(action, words)).collect::<Vec<_>>(),
    })
}

/// Returns the name of a verdict in JSON.
pub(super) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Always => "always",
        Verdict::Conditional => "conditional",
        Verdict::Undetermined => "undetermined",
        Verdict::Never => "never",
        Verdict::Partly => "partly",
    }
}

fn action_to_json(answer: &ActionAnswer, words: Words<'_>) -> Value {
    let reason = match &answer.residual.decision {
        Decision::Undetermined(reason) => Some(reason),
        Decision::Allow | Decision::ExplicitDeny | Decision::ImplicitDeny => None,
    };
    json!({
        "action": answer.action.full,
        "verdict": verdict_name(answer.verdict()),
        "decision": decision_name(&answer.residual.decision),
        "reason": reason,
        "ways": answer.residual.ways.iter().map(|way| way_to_json(way, words)).collect::<Vec<_>>(),
        "denies": answer.residual.denies.iter().map(|deny| term_to_json(deny, words)).collect::<Vec<_>>(),
        "nearest": answer.near.iter().map(|miss| near_to_json(miss, words)).collect::<Vec<_>>(),
    })
}

fn way_to_json(way: &ResidualWay, words: Words<'_>) -> Value {
    json!({
        "conditions": way.conditions().into_iter().map(|condition| condition_to_json(condition, words)).collect::<Vec<_>>(),
        "open": way.open(),
        "terms": way.terms.iter().map(|term| term_to_json(term, words)).collect::<Vec<_>>(),
    })
}

fn term_to_json(term: &ResidualTerm, words: Words<'_>) -> Value {
    json!({
        "source": source_to_json(&term.source, words),
        "conditions": term.conditions.iter().map(|condition| condition_to_json(condition, words)).collect::<Vec<_>>(),
        "open": term.open,
    })
}

fn near_to_json(miss: &NearMiss, words: Words<'_>) -> Value {
    let lacks = miss.failing.iter().map(|failing| match failing {
        Failing::Principal => json!({ "lacks": "principal" }),
        Failing::Action => json!({ "lacks": "action" }),
        Failing::Resource => json!({ "lacks": "resource" }),
        Failing::Condition { condition, given } => json!({
            "lacks": "condition",
            "condition": condition_to_json(condition, words),
            "given": given.as_ref().map(context_value),
        }),
        Failing::Layer(text) => json!({ "lacks": "layer", "text": text }),
    });
    json!({ "source": source_to_json(&miss.source, words), "failing": lacks.collect::<Vec<_>>() })
}

fn condition_to_json(condition: &Condition, words: Words<'_>) -> Value {
    json!({
        "operator": condition.operator.0,
        "key": condition.key,
        "values": condition.values.iter().map(crate::policy::ConditionValue::as_text).collect::<Vec<_>>(),
        "text": condition_words(condition, words.setting.names),
    })
}

fn source_to_json(source: &TraceEntry, words: Words<'_>) -> Value {
    let mut value = trace_to_json(source);
    if let Some(object) = value.as_object_mut() {
        object.insert("manifest".to_owned(), json!(words.positions(source)));
    }
    value
}
