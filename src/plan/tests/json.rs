//! The plan as JSON: its bytes, and its schema.

use super::{EMPTY, ledger, settled, touch, wanting};
use crate::apply::tests::world::{World, usual};
use crate::desired::DesiredState;
use crate::plan::{Plan, plan_to_json};
use crate::source::SourceMap;
use serde_json::Value;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plan.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the schema uses the type {other}"),
    }
}

/// Checks a value against the part of JSON Schema that the plan's schema uses; panics on any other keyword.
pub(crate) fn faults(root: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => {}
            "$ref" => {
                let rule = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).expect("a definition");
                faults(root, rule, value, path, found);
            }
            "const" => found.extend((rule != value).then(|| format!("{path} is not {rule}"))),
            "enum" => {
                let known = rule.as_array().unwrap().contains(value);
                found.extend((!known).then(|| format!("{path}: {value} is none of {rule}")));
            }
            "type" => {
                let names = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !names.iter().any(|name| is_type(value, name.as_str().unwrap())) {
                    found.push(format!("{path} is not of type {rule}"));
                }
            }
            "required" => {
                let lacks = |name: &&Value| value.is_object() && value.get(name.as_str().unwrap()).is_none();
                found.extend(rule.as_array().unwrap().iter().filter(lacks).map(|name| format!("{path} lacks {name}")));
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    faults(root, rule, item, &format!("{path}[{index}]"), found);
                }
            }
            "properties" | "additionalProperties" => {
                let named = schema.get("properties");
                for (name, field) in value.as_object().into_iter().flatten() {
                    let own = named.and_then(|named| named.get(name));
                    let path = format!("{path}.{name}");
                    match (keyword.as_str(), own, rule) {
                        ("properties", Some(own), _) => faults(root, own, field, &path, found),
                        ("additionalProperties", None, Value::Bool(false)) => found.push(format!("{path} is unknown")),
                        ("additionalProperties", None, rule) => faults(root, rule, field, &path, found),
                        _ => {}
                    }
                }
            }
            other => panic!("the schema uses {other}, which this check does not know"),
        }
    }
}

#[track_caller]
fn assert_valid(plan: &Plan) {
    let (schema, mut found) = (schema(), Vec::new());
    faults(&schema, &schema, &plan_to_json(plan), "plan", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

fn example() -> DesiredState {
    let mut sources = SourceMap::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data-classes");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "toml")) {
        sources.add(file.display().to_string(), std::fs::read_to_string(file).unwrap());
    }
    crate::manifest::load(&sources).state.unwrap()
}

#[test]
fn the_examples_plan_is_valid_and_leads_to_a_plan_without_steps() {
    let world = World::new(example());
    let plan = world.plan();
    assert!(!plan.targets[0].access.gains.is_empty());
    assert_valid(&plan);
    assert_eq!(world.apply(&plan).exit(), crate::exit::Exit::Done);
    assert_valid(&world.plan());
    world.assert_whole();
}

#[test]
fn plans_of_every_kind_are_valid() {
    assert_valid(&World::new(usual()).plan());
    let world = settled(vec![ledger()]);
    touch(&world, |key| {
        key.metadata.description.clear();
        key.tags.insert("team".into(), "blue".into());
    });
    world.aws.add_key(EMPTY, &[("keywright:stack", "payments")], &[]);
    world.aws.add_key(EMPTY, &[("keywright:stack", "payments"), ("keywright:key", "old")], &[]);
    assert_valid(&world.plan());
    touch(&world, |key| key.metadata.state = crate::kms::KeyState::PendingDeletion);
    assert_valid(&world.plan());
    let strange = crate::ports::PortErrorKind::Denied;
    world.aws.fail("kms:ListAliases", crate::ports::fake::Which::Every, crate::ports::fake::Strike::Before, strange);
    assert_valid(&world.plan());
}

#[test]
fn a_plan_that_breaks_the_schema_is_noticed() {
    let plan = plan_to_json(&World::new(wanting(vec![ledger()])).plan());
    let damages: &[fn(&mut Value)] = &[
        |plan| drop(plan.as_object_mut().unwrap().shift_remove("digest")),
        |plan| plan["targets"][0]["status"] = "done".into(),
        |plan| plan["targets"][0]["steps"][0]["risk"] = Value::Null,
        |plan| plan["summary"]["extra"] = 1.into(),
        |plan| plan["targets"][0]["policies"]["ledger"] = "text".into(),
    ];
    for damage in damages {
        let (schema, mut found, mut broken) = (schema(), Vec::new(), plan.clone());
        damage(&mut broken);
        faults(&schema, &schema, &broken, "plan", &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

#[test]
fn a_plan_as_json() {
    let mut plan = plan_to_json(&World::new(wanting(vec![ledger()])).plan());
    // The digests cover the version of the tool.
    plan["digest"] = "[digest]".into();
    plan["live_digest"] = "[digest]".into();
    insta::assert_json_snapshot!(plan);
}
