//! The JSON Schema of the manifest language, generated from the types, and the field table made from it.

use super::raw::RawManifest;
use crate::text;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::fmt::Write as _;

/// The keyword with the fields or words that this version refuses by name.
pub(super) const LATER: &str = "x-not-yet-supported";

/// The keyword that says what an absent field means.
const DEFAULT: &str = "x-default";

/// Returns the JSON Schema of a manifest file.
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = Value::from(generator.into_root_schema_for::<RawManifest>());
    drop_null(&mut schema);
    schema
}

/// Removes what schemars says about `null`, which TOML does not have.
fn drop_null(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    fields.shift_remove("anyOf");
                    fields.extend(only);
                }
            }
            if fields.get("default").is_some_and(|default| default.is_null() || is_empty(default)) {
                fields.shift_remove("default");
            }
            fields.values_mut().for_each(drop_null);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Follows a schema's `$ref` to the definition.
pub(super) fn follow<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let definition = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix("#/$defs/"))
        .and_then(|name| root.get("$defs")?.get(name));
    definition.unwrap_or(schema)
}

/// Returns the strings of an array under a keyword.
pub(super) fn strings<'a>(schema: &'a Value, keyword: &str) -> Vec<&'a str> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns a Markdown table of every field: name, type, default, meaning.
pub fn field_table() -> String {
    let root = json_schema();
    let mut table = String::from("| field | type | default | meaning |\n|---|---|---|---|\n");
    write_fields(&root, &root, "", &mut table);
    table
}

fn write_fields(root: &Value, table: &Value, prefix: &str, out: &mut String) {
    let required = strings(table, "required");
    for (name, field) in table.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let default = match field.get(DEFAULT).and_then(Value::as_str) {
            Some(default) => default,
            None if required.contains(&name.as_str()) => "required",
            None => "",
        };
        let meaning = field.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        let _infallible = writeln!(out, "| `{path}` | {} | {default} | {meaning} |", type_name(root, field));
        let (inner, suffix) = inner_table(root, field);
        if inner.get("properties").is_some() {
            write_fields(root, inner, &format!("{path}{suffix}."), out);
        }
    }
}

/// Returns the table inside a field, and what the path adds to reach it.
fn inner_table<'a>(root: &'a Value, field: &'a Value) -> (&'a Value, &'static str) {
    let field = follow(root, field);
    if let Some(items) = field.get("items") {
        (follow(root, items), "[]")
    } else if let Some(values) = field.get("additionalProperties").filter(|values| values.is_object()) {
        (follow(root, values), ".*")
    } else {
        (field, "")
    }
}

fn type_name(root: &Value, field: &Value) -> String {
    let field = follow(root, field);
    let words = strings(field, "enum");
    if !words.is_empty() {
        return text::or_list(&words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>());
    }
    if let Some(choices) = field.get("anyOf").and_then(Value::as_array) {
        return choices.iter().map(|choice| type_name(root, choice)).collect::<Vec<_>>().join(" or ");
    }
    match field.get("type").and_then(Value::as_str).unwrap_or_default() {
        "array" => list_name(root, field.get("items").unwrap_or(&Value::Null)),
        "object" => table_name(root, field),
        "string" if field.get("format").is_some() => "date".to_owned(),
        scalar => scalar.to_owned(),
    }
}

fn list_name(root: &Value, items: &Value) -> String {
    if follow(root, items).get("properties").is_some() {
        "tables".to_owned()
    } else {
        format!("list of {}", plural_type(root, items))
    }
}

fn table_name(root: &Value, field: &Value) -> String {
    match field.get("additionalProperties").filter(|values| values.is_object()) {
        Some(values) if follow(root, values).get("properties").is_some() => "tables by name".to_owned(),
        Some(values) => format!("table of {}", plural_type(root, values)),
        None => "table".to_owned(),
    }
}

/// Returns a type's name for several: the words of a fixed list stay as they are.
fn plural_type(root: &Value, schema: &Value) -> String {
    let name = type_name(root, schema);
    if name == "string" { "strings".to_owned() } else { name }
}
