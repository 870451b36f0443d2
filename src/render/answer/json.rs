//! Answers as JSON: one document for every question.

use super::Setting;
use super::words::{Words, positions};
use crate::access::{
    ContextValue, Failing, NearMiss, PrincipalFacts, PrincipalType, ResidualTerm, ResidualWay, TraceEntry,
};
use crate::kms::KmsAction;
use crate::policy::Condition;
use crate::render::json::FORMAT_VERSION;
use crate::render::simulate::trace_to_json;
use crate::review::{
    Answer, Coming, ExplainedAction, Explanation, Extent, HeldAction, Holder, MatrixRow, Supposed, Verdict, Wanted,
    condition_words,
};
use crate::source::Position;
use crate::world::{WorldKey, WorldPrincipal};
use serde_json::{Value, json};

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// What the manifest says.
    Manifest,
    /// What was read.
    Live,
}

/// Returns the answer to `access can` as JSON.
pub fn explanation_to_json(answer: &Explanation<'_>, about: About, supposed: &Supposed, setting: Setting<'_>) -> Value {
    let words = Words { setting, key: answer.key, principal: answer.principal };
    let of = |action: &ExplainedAction| action_to_json(action.action, &action.answer, &action.near, words);
    let answers = vec![json!({
        "principal": principal_to_json(&answer.principal.name, &answer.principal.facts.arn),
        "wanted": answer.wanted.name(),
        "key": key_to_json(answer.key, about),
        "extent": extent_name(answer.extent()),
        "actions": answer.actions.iter().map(of).collect::<Vec<_>>(),
    })];
    document("can", about, supposed, "answers", answers, setting)
}

/// Returns the answer to `access who-can` as JSON.
pub fn holders_to_json(
    (holders, wanted): (&[Holder], Wanted),
    key: &WorldKey,
    about: About,
    supposed: &Supposed,
    setting: Setting<'_>,
) -> Value {
    let answers = holders.iter().map(|holder| {
        let principal = nobody(holder);
        let words = Words { setting, key, principal: &principal };
        let of = |held: &HeldAction| action_to_json(held.action, &held.answer, &[], words);
        let whole = holder.actions.len() == wanted.actions_in(&key.facts, supposed).len();
        let extent = Extent::of(holder.actions.iter().map(|held| &held.answer.verdict));
        json!({
            "principal": principal_to_json(&holder.principal, &holder.arn),
            "wanted": wanted.name(),
            "key": key_to_json(key, about),
            "extent": extent_name(if whole { extent } else { Extent::Partly }),
            "actions": holder.actions.iter().map(of).collect::<Vec<_>>(),
        })
    });
    document("who-can", about, supposed, "answers", answers.collect(), setting)
}

/// Returns the answer to `access matrix` as JSON.
pub fn rows_to_json(rows: &[MatrixRow], keys: &[WorldKey], about: About, setting: Setting<'_>) -> Value {
    let row = |row: &MatrixRow| {
        let key = keys.iter().find(|key| key.name == row.key && key.target == row.target);
        let source = |source: &TraceEntry| {
            let positions = key.map(|key| positions(source, key, &row.principal, setting)).unwrap_or_default();
            source_to_json(source, &positions)
        };
        json!({
            "principal": principal_to_json(&row.principal, &row.arn),
            "key": key.map(|key| key_to_json(key, about)),
            "capability": row.capability,
            "actions": row.actions,
            "verdict": verdict_name(&row.verdict),
            "reason": reason(&row.verdict),
            "conditions": row.conditions,
            "sources": row.sources.iter().map(source).collect::<Vec<_>>(),
        })
    };
    document("matrix", about, &Supposed::default(), "rows", rows.iter().map(row).collect(), setting)
}

fn document(
    question: &str,
    about: About,
    supposed: &Supposed,
    name: &str,
    found: Vec<Value>,
    setting: Setting<'_>,
) -> Value {
    let mut document = json!({
        "format_version": FORMAT_VERSION,
        "question": question,
        "source": match about { About::Manifest => "manifest", About::Live => "live" },
        "supposed": supposed_to_json(supposed),
        "not_read": setting.gaps,
    });
    if let Some(object) = document.as_object_mut() {
        object.insert(name.to_owned(), Value::Array(found));
    }
    document
}

/// Returns a stand-in for somebody of whom only the name is needed.
fn nobody(holder: &Holder) -> WorldPrincipal {
    let facts = PrincipalFacts::new(PrincipalType::Role, holder.arn.clone(), None);
    WorldPrincipal { name: holder.principal.clone(), facts, trust: None, loc: None }
}

fn principal_to_json(name: &str, arn: &str) -> Value {
    json!({ "name": name, "arn": arn })
}

fn key_to_json(key: &WorldKey, about: About) -> Value {
    // A key of the manifest may not exist yet.
    let arn = (about == About::Live).then_some(&key.facts.arn);
    json!({ "name": key.name, "target": key.target, "arn": arn })
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

fn extent_name(extent: Extent) -> &'static str {
    match extent {
        Extent::Always => "always",
        Extent::Conditional => "conditional",
        Extent::Undetermined => "undetermined",
        Extent::Never => "never",
        Extent::Partly => "partly",
    }
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Always => "always",
        Verdict::Sometimes => "conditional",
        Verdict::Undetermined(_) => "undetermined",
        Verdict::Never => "never",
    }
}

fn reason(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Undetermined(reason) => Some(reason),
        Verdict::Always | Verdict::Sometimes | Verdict::Never => None,
    }
}

fn action_to_json(action: &KmsAction, answer: &Answer, near: &[NearMiss], words: Words<'_>) -> Value {
    json!({
        "action": action.full,
        "verdict": verdict_name(&answer.verdict),
        "reason": reason(&answer.verdict),
        "ways": answer.residual.ways.iter().map(|way| way_to_json(way, words)).collect::<Vec<_>>(),
        "denies": answer.residual.denies.iter().map(|deny| term_to_json(deny, words)).collect::<Vec<_>>(),
        "nearest": near.iter().map(|miss| near_to_json(miss, words)).collect::<Vec<_>>(),
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
        "source": source_to_json(&term.source, &words.positions(&term.source)),
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
    json!({ "source": source_to_json(&miss.source, &words.positions(&miss.source)), "failing": lacks.collect::<Vec<_>>() })
}

fn condition_to_json(condition: &Condition, words: Words<'_>) -> Value {
    json!({
        "operator": condition.operator.0,
        "key": condition.key,
        "values": condition.values.iter().map(crate::policy::ConditionValue::as_text).collect::<Vec<_>>(),
        "text": condition_words(condition, words.setting.names),
    })
}

fn source_to_json(source: &TraceEntry, positions: &[Position]) -> Value {
    let mut value = trace_to_json(source);
    if let Some(object) = value.as_object_mut() {
        object.insert("manifest".to_owned(), json!(positions));
    }
    value
}
