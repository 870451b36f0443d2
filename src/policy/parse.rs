//! Reads a policy document from JSON, and keeps what AWS would ignore as inert statements with the reason.

use super::json::Json;
use super::model::{
    Actions, Condition, ConditionOperator, ConditionValue, Effect, Inert, PolicyDocument, PolicyVersion,
    PrincipalEntry, Principals, Resources, Statement,
};
use serde_json::Value;

/// Why a text is no policy document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (line {line}, column {column})")]
pub struct PolicyParseError {
    /// What is wrong, in words.
    pub reason: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
}

impl PolicyParseError {
    fn at_start(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), line: 1, column: 1 }
    }

    fn json(error: &serde_json::Error) -> Self {
        let full = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = full.strip_suffix(&place).unwrap_or(&full);
        Self { reason: format!("not JSON: {reason}"), line: error.line().max(1), column: error.column().max(1) }
    }
}

impl PolicyDocument {
    /// Reads a document from JSON text.
    ///
    /// Fails only where there is no document to speak of: the text is not JSON, not an object, or has no
    /// `Statement`, or has a top-level element twice. Unknown top-level elements have no effect and are not kept.
    pub fn parse(text: &str) -> Result<Self, PolicyParseError> {
        let json = serde_json::from_str(text).map_err(|error| PolicyParseError::json(&error))?;
        document(json)
    }

    /// Reads a document from JSON that is already parsed; the rules are those of [`PolicyDocument::parse`].
    pub fn from_value(value: &Value) -> Result<Self, PolicyParseError> {
        document(Json::from(value))
    }
}

fn document(json: Json) -> Result<PolicyDocument, PolicyParseError> {
    let Json::Object(members) = json else {
        return Err(PolicyParseError::at_start(format!("a policy document is an object, this is {}", json.kind())));
    };
    if let Some(name) = repeated(&members) {
        return Err(PolicyParseError::at_start(format!("the policy document has {name:?} twice")));
    }
    let mut version = PolicyVersion::V2008;
    let mut id = None;
    let mut statements = None;
    for (name, value) in members {
        match name.as_str() {
            "Version" => version = read_version(value),
            "Id" => id = read_id(value),
            "Statement" => statements = Some(read_statements(value)?),
            _ => {}
        }
    }
    let statements =
        statements.ok_or_else(|| PolicyParseError::at_start("the policy document has no \"Statement\""))?;
    Ok(PolicyDocument { version, id, statements })
}

fn read_version(json: Json) -> PolicyVersion {
    match json {
        Json::Text(text) if text == "2012-10-17" => PolicyVersion::V2012,
        Json::Text(text) if text == "2008-10-17" => PolicyVersion::V2008,
        Json::Text(text) => PolicyVersion::Other(text),
        other @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_)) => {
            PolicyVersion::Other(other.compact())
        }
    }
}

fn read_id(json: Json) -> Option<String> {
    match json {
        Json::Null => None,
        Json::Text(text) => Some(text),
        other @ (Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_)) => Some(other.compact()),
    }
}

fn read_statements(json: Json) -> Result<Vec<Statement>, PolicyParseError> {
    match json {
        Json::List(items) => Ok(items.iter().map(read_statement).collect()),
        Json::Object(_) => Ok(vec![read_statement(&json)]),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => Err(PolicyParseError::at_start(format!(
            "\"Statement\" is a list of statements or one statement, this is {}",
            json.kind()
        ))),
    }
}

/// Reads one statement; what is malformed makes it inert.
fn read_statement(json: &Json) -> Statement {
    let read = match json {
        Json::Object(members) => effective_statement(members),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
            Err(format!("a statement is an object, this is {}", json.kind()))
        }
    };
    read.unwrap_or_else(|reason| inert_statement(json, reason))
}

fn inert_statement(json: &Json, reason: String) -> Statement {
    let text = |name| match json {
        Json::Object(members) => member(members, name).and_then(|value| match value {
            Json::Text(text) => Some(text.as_str()),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => None,
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => None,
    };
    Statement {
        sid: text("Sid").map(str::to_owned),
        effect: if text("Effect") == Some("Deny") { Effect::Deny } else { Effect::Allow },
        principals: None,
        actions: None,
        resources: None,
        conditions: Vec::new(),
        inert: Some(Inert { reason, raw: json.compact() }),
    }
}

/// The elements of a statement.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>
const ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

type Members = [(String, Json)];

fn effective_statement(members: &Members) -> Result<Statement, String> {
    if let Some(name) = repeated(members) {
        return Err(format!("has {name:?} twice"));
    }
    if let Some((name, _)) = members.iter().find(|(name, _)| !ELEMENTS.contains(&name.as_str())) {
        return Err(format!("has the unknown element {name:?}"));
    }
    Ok(Statement {
        sid: member(members, "Sid").map(|json| read_text("Sid", json)).transpose()?,
        effect: read_effect(member(members, "Effect"))?,
        principals: either(members, "Principal", "NotPrincipal", read_principals)?.map(|either| match either {
            Either::Is(entries) => Principals::Is(entries),
            Either::IsNot(entries) => Principals::IsNot(entries),
        }),
        actions: either(members, "Action", "NotAction", read_texts)?.map(|either| match either {
            Either::Is(patterns) => Actions::Is(patterns),
            Either::IsNot(patterns) => Actions::IsNot(patterns),
        }),
        resources: either(members, "Resource", "NotResource", read_texts)?.map(|either| match either {
            Either::Is(patterns) => Resources::Is(patterns),
            Either::IsNot(patterns) => Resources::IsNot(patterns),
        }),
        conditions: member(members, "Condition").map_or(Ok(Vec::new()), read_conditions)?,
        inert: None,
    })
}

enum Either<T> {
    Is(T),
    IsNot(T),
}

/// Reads an element that may stand in its positive or its negated form, not in both.
fn either<T>(
    members: &Members,
    positive: &str,
    negated: &str,
    read: impl Fn(&str, &Json) -> Result<T, String>,
) -> Result<Option<Either<T>>, String> {
    match (member(members, positive), member(members, negated)) {
        (Some(_), Some(_)) => Err(format!("has both {positive:?} and {negated:?}")),
        (Some(json), None) => read(positive, json).map(|value| Some(Either::Is(value))),
        (None, Some(json)) => read(negated, json).map(|value| Some(Either::IsNot(value))),
        (None, None) => Ok(None),
    }
}

fn read_effect(json: Option<&Json>) -> Result<Effect, String> {
    let Some(json) = json else {
        return Err("has no \"Effect\"".to_owned());
    };
    match read_text("Effect", json)?.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(format!("\"Effect\" is \"Allow\" or \"Deny\", this is {other:?}")),
    }
}

fn read_principals(element: &str, json: &Json) -> Result<Vec<PrincipalEntry>, String> {
    let kinds = match json {
        Json::Text(text) if text == "*" => return Ok(vec![PrincipalEntry::Everyone]),
        Json::Object(kinds) => kinds,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
            return Err(format!("{element:?} is \"*\" or an object, this is {}", json.kind()));
        }
    };
    if let Some(kind) = repeated(kinds) {
        return Err(format!("{element:?} has {kind:?} twice"));
    }
    let mut entries = Vec::new();
    for (kind, values) in kinds {
        entries.extend(read_texts(kind, values)?.into_iter().map(|value| principal_entry(kind, value)));
    }
    Ok(entries)
}

fn principal_entry(kind: &str, value: String) -> PrincipalEntry {
    match kind {
        "AWS" if value == "*" => PrincipalEntry::Everyone,
        "AWS" => PrincipalEntry::Aws(value),
        "Service" => PrincipalEntry::Service(value),
        "Federated" => PrincipalEntry::Federated(value),
        _ => PrincipalEntry::Other { kind: kind.to_owned(), value },
    }
}

fn read_conditions(json: &Json) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for (operator, keys) in read_object("Condition", json)? {
        for (key, values) in read_object(operator, keys)? {
            conditions.push(Condition {
                operator: ConditionOperator(operator.clone()),
                key: key.clone(),
                values: read_values(key, values)?,
            });
        }
    }
    Ok(conditions)
}

fn read_object<'a>(name: &str, json: &'a Json) -> Result<&'a Members, String> {
    let Json::Object(members) = json else {
        return Err(format!("{name:?} is an object, this is {}", json.kind()));
    };
    match repeated(members) {
        Some(twice) => Err(format!("{name:?} has {twice:?} twice")),
        None => Ok(members),
    }
}

fn read_values(key: &str, json: &Json) -> Result<Vec<ConditionValue>, String> {
    one_or_many(json).iter().map(|json| read_value(key, json)).collect()
}

fn read_value(key: &str, json: &Json) -> Result<ConditionValue, String> {
    match json {
        Json::Text(text) => Ok(ConditionValue::Text(text.clone())),
        Json::Bool(flag) => Ok(ConditionValue::Bool(*flag)),
        Json::Number(number) => Ok(ConditionValue::Number(number.to_string())),
        Json::Null | Json::List(_) | Json::Object(_) => {
            Err(format!("a value of the condition key {key:?} is {}", json.kind()))
        }
    }
}

fn read_texts(name: &str, json: &Json) -> Result<Vec<String>, String> {
    one_or_many(json).iter().map(|json| read_text(name, json)).collect()
}

fn read_text(name: &str, json: &Json) -> Result<String, String> {
    match json {
        Json::Text(text) => Ok(text.clone()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => {
            Err(format!("a value of {name:?} is {}, not a string", json.kind()))
        }
    }
}

fn one_or_many(json: &Json) -> &[Json] {
    match json {
        Json::List(items) => items,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Object(_) => std::slice::from_ref(json),
    }
}

fn member<'a>(members: &'a Members, name: &str) -> Option<&'a Json> {
    members.iter().find(|(candidate, _)| candidate == name).map(|(_, json)| json)
}

/// Returns a name that occurs twice.
fn repeated(members: &Members) -> Option<&str> {
    let mut seen = std::collections::HashSet::new();
    members.iter().map(|(name, _)| name.as_str()).find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(statement: &str) -> Statement {
        let document = PolicyDocument::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#));
        let [statement] = <[Statement; 1]>::try_from(document.unwrap().statements).unwrap();
        statement
    }

    fn reason(statement: &str) -> String {
        one(statement).inert.unwrap().reason
    }

    #[test]
    fn scalars_and_lists_become_lists() {
        let scalar = one(
            r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*","Condition":{"Bool":{"k":true}}}"#,
        );
        let list = one(
            r#"[{"Effect":"Allow","Principal":{"AWS":["111122223333"]},"Action":["kms:*"],"Resource":["*"],"Condition":{"Bool":{"k":[true]}}}]"#,
        );
        assert_eq!(scalar, list);
        assert_eq!(scalar.principals, Some(Principals::Is(vec![PrincipalEntry::Aws("111122223333".into())])));
        assert_eq!(scalar.conditions[0].values, [ConditionValue::Bool(true)]);
    }

    #[test]
    fn missing_elements_are_missing_not_inert() {
        let statement = one(r#"{"Effect":"Deny"}"#);
        assert_eq!(statement.inert, None);
        assert_eq!((statement.principals, statement.actions, statement.resources), (None, None, None));
    }

    #[test]
    fn every_malformation_is_kept_with_its_reason() {
        for (statement, expected) in [
            (r#"["x"]"#, "a statement is an object, this is a string"),
            (r#"{"Action":"kms:*"}"#, "has no \"Effect\""),
            (r#"{"Effect":"allow"}"#, "\"Effect\" is \"Allow\" or \"Deny\", this is \"allow\""),
            (r#"{"Effect":"Allow","Effect":"Deny"}"#, "has \"Effect\" twice"),
            (r#"{"Effect":"Allow","Actions":"kms:*"}"#, "has the unknown element \"Actions\""),
            (r#"{"Effect":"Allow","Action":"a","NotAction":"b"}"#, "has both \"Action\" and \"NotAction\""),
            (r#"{"Effect":"Allow","Action":1}"#, "a value of \"Action\" is a number, not a string"),
            (
                r#"{"Effect":"Allow","Principal":"arn:aws:iam::1:root"}"#,
                "\"Principal\" is \"*\" or an object, this is a string",
            ),
            (r#"{"Effect":"Allow","Principal":{"AWS":"a","AWS":"b"}}"#, "\"Principal\" has \"AWS\" twice"),
            (r#"{"Effect":"Allow","Condition":[]}"#, "\"Condition\" is an object, this is a list"),
            (r#"{"Effect":"Allow","Condition":{"Bool":{"k":"a","k":"b"}}}"#, "\"Bool\" has \"k\" twice"),
            (r#"{"Effect":"Allow","Condition":{"Bool":{"k":[null]}}}"#, "a value of the condition key \"k\" is null"),
        ] {
            assert_eq!(reason(statement), expected);
        }
    }

    #[test]
    fn an_inert_statement_keeps_its_text_with_repeated_members() {
        let raw = r#"{"Sid":"s","Effect":"Deny","Action":"a","Action":"b"}"#;
        let statement = one(raw);
        assert_eq!(statement.inert.unwrap().raw, raw);
        assert_eq!((statement.sid.as_deref(), statement.effect), (Some("s"), Effect::Deny));
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_place() {
        for (text, line, column, expected) in [
            ("{\n \"Statement\": [,]}", 2, 16, "not JSON: expected value"),
            ("[]", 1, 1, "a policy document is an object, this is a list"),
            ("{}", 1, 1, "the policy document has no \"Statement\""),
            (r#"{"Statement":"x"}"#, 1, 1, "\"Statement\" is a list of statements or one statement, this is a string"),
            (r#"{"Statement":[],"Statement":[]}"#, 1, 1, "the policy document has \"Statement\" twice"),
        ] {
            let error = PolicyDocument::parse(text).unwrap_err();
            assert_eq!((error.reason.as_str(), error.line, error.column), (expected, line, column));
        }
        let deep = format!("{{\"Statement\":{}", "[".repeat(100_000));
        assert!(PolicyDocument::parse(&deep).is_err());
    }

    #[test]
    fn the_version_defaults_to_2008() {
        let version = |text| PolicyDocument::parse(text).unwrap().version;
        assert_eq!(version(r#"{"Statement":[]}"#), PolicyVersion::V2008);
        assert_eq!(version(r#"{"Version":"2012-10-17","Statement":[]}"#), PolicyVersion::V2012);
        assert_eq!(version(r#"{"Version":2012,"Statement":[]}"#), PolicyVersion::Other("2012".into()));
    }
}
