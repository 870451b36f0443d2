//! Writes a policy document as JSON, always in the same order and shape.

use super::json::Json;
use super::model::{
    Actions, Condition, ConditionValue, Effect, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Resources,
    Statement,
};
use serde_json::Value;

impl PolicyDocument {
    /// Returns the document as indented JSON: what is shown, and what is sent to KMS.
    pub fn to_text(&self) -> String {
        self.to_json().pretty()
    }

    /// Returns the document as JSON without white space.
    pub fn to_compact(&self) -> String {
        self.to_json().compact()
    }

    /// Returns the document as a JSON value. Of a member that an inert statement has twice the last remains.
    pub fn to_json_value(&self) -> Value {
        self.to_json().into_value()
    }

    fn to_json(&self) -> Json {
        let mut members = vec![("Version".to_owned(), Json::Text(self.version.as_str().to_owned()))];
        members.extend(self.id.iter().map(|id| ("Id".to_owned(), Json::Text(id.clone()))));
        members.push(("Statement".to_owned(), Json::List(self.statements.iter().map(Statement::to_json).collect())));
        Json::Object(members)
    }
}

impl PolicyVersion {
    /// Returns the version as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::V2012 => "2012-10-17",
            Self::V2008 => "2008-10-17",
            Self::Other(text) => text,
        }
    }
}

impl Effect {
    /// Returns the effect as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

impl Statement {
    /// Returns the statement as indented JSON.
    pub fn to_text(&self) -> String {
        self.to_json().pretty()
    }

    pub(super) fn to_json(&self) -> Json {
        if let Some(inert) = &self.inert {
            return serde_json::from_str(&inert.raw).unwrap_or_else(|_| Json::Text(inert.raw.clone()));
        }
        let mut members = Vec::new();
        let mut put = |name: &str, json| members.push((name.to_owned(), json));
        if let Some(sid) = &self.sid {
            put("Sid", Json::Text(sid.clone()));
        }
        put("Effect", Json::Text(self.effect.as_str().to_owned()));
        match &self.principals {
            Some(Principals::Is(entries)) => put("Principal", principals_json(entries)),
            Some(Principals::IsNot(entries)) => put("NotPrincipal", principals_json(entries)),
            None => {}
        }
        match &self.actions {
            Some(Actions::Is(patterns)) => put("Action", texts_json(patterns)),
            Some(Actions::IsNot(patterns)) => put("NotAction", texts_json(patterns)),
            None => {}
        }
        match &self.resources {
            Some(Resources::Is(patterns)) => put("Resource", texts_json(patterns)),
            Some(Resources::IsNot(patterns)) => put("NotResource", texts_json(patterns)),
            None => {}
        }
        if !self.conditions.is_empty() {
            put("Condition", conditions_json(&self.conditions));
        }
        Json::Object(members)
    }
}

/// Returns the entries under their kinds, the kinds in the order in which they first occur.
fn principals_json(entries: &[PrincipalEntry]) -> Json {
    let mut kinds: Groups<Vec<Json>> = Vec::new();
    for entry in entries {
        let (kind, value) = entry.kind_and_value();
        group(&mut kinds, kind).push(Json::Text(value.to_owned()));
    }
    Json::Object(kinds.into_iter().map(|(kind, values)| (kind, scalar_or_list(values))).collect())
}

impl PrincipalEntry {
    /// Returns the entry's kind and value as they are written: `("AWS", "*")`.
    pub fn kind_and_value(&self) -> (&str, &str) {
        match self {
            Self::Everyone => ("AWS", "*"),
            Self::Aws(value) => ("AWS", value),
            Self::Service(value) => ("Service", value),
            Self::Federated(value) => ("Federated", value),
            Self::Other { kind, value } => (kind, value),
        }
    }
}

/// Returns the conditions under their operators. JSON cannot say two value lists of one operator and key: they
/// are joined, which is right for negated operators, and `limits` reports it for all.
fn conditions_json(conditions: &[Condition]) -> Json {
    let mut operators: Groups<Groups<Vec<Json>>> = Vec::new();
    for condition in conditions {
        let keys = group(&mut operators, &condition.operator.0);
        group(keys, &condition.key).extend(condition.values.iter().map(value_json));
    }
    let keys_json = |keys: Groups<Vec<Json>>| {
        Json::Object(keys.into_iter().map(|(key, values)| (key, scalar_or_list(values))).collect())
    };
    Json::Object(operators.into_iter().map(|(operator, keys)| (operator, keys_json(keys))).collect())
}

fn value_json(value: &ConditionValue) -> Json {
    match value {
        ConditionValue::Text(text) => Json::Text(text.clone()),
        ConditionValue::Bool(flag) => Json::Bool(*flag),
        ConditionValue::Number(text) => {
            serde_json::from_str(text).map_or_else(|_| Json::Text(text.clone()), Json::Number)
        }
    }
}

fn texts_json(texts: &[String]) -> Json {
    scalar_or_list(texts.iter().cloned().map(Json::Text).collect())
}

fn scalar_or_list(mut values: Vec<Json>) -> Json {
    match values.pop() {
        Some(only) if values.is_empty() => only,
        Some(last) => {
            values.push(last);
            Json::List(values)
        }
        None => Json::List(values),
    }
}

/// What stands under each name, in the order in which the names first occur.
type Groups<T> = Vec<(String, T)>;

/// Returns the group of that name, made at the end if there is none.
fn group<'a, T: Default>(groups: &'a mut Groups<T>, name: &str) -> &'a mut T {
    let at = groups.iter().position(|(candidate, _)| candidate == name).unwrap_or(groups.len());
    if at == groups.len() {
        groups.push((name.to_owned(), T::default()));
    }
    #[expect(clippy::indexing_slicing, reason = "the group was found at this place or has just been put there")]
    &mut groups[at].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stand_in_the_order_of_the_grammar() {
        let mut document = PolicyDocument::new(vec![
            Statement::allow("Use", ["kms:Decrypt", "kms:Encrypt"])
                .principals(vec![
                    PrincipalEntry::Aws("arn:aws:iam::111122223333:role/R".into()),
                    PrincipalEntry::Service("logs.eu-west-1.amazonaws.com".into()),
                ])
                .when("StringEquals", "kms:CallerAccount", ["111122223333"])
                .when("Bool", "kms:GrantIsForAWSResource", ["true"])
                .when("StringEquals", "kms:ViaService", ["a", "b"]),
        ]);
        document.id = Some("i".into());
        assert_eq!(
            document.to_compact(),
            concat!(
                r#"{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"Use","Effect":"Allow","#,
                r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/R","Service":"logs.eu-west-1.amazonaws.com"},"#,
                r#""Action":["kms:Decrypt","kms:Encrypt"],"Resource":"*","#,
                r#""Condition":{"StringEquals":{"kms:CallerAccount":"111122223333","kms:ViaService":["a","b"]},"#,
                r#""Bool":{"kms:GrantIsForAWSResource":"true"}}}]}"#
            )
        );
        assert!(document.to_text().starts_with("{\n  \"Version\": \"2012-10-17\",\n  \"Id\": \"i\",\n"));
        assert_eq!(PolicyDocument::from_value(&document.to_json_value()).unwrap().to_text(), document.to_text());
    }

    #[test]
    fn an_inert_statement_is_written_as_it_was_read() {
        let text = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"a","Action":"b"},7]}"#;
        assert_eq!(PolicyDocument::parse(text).unwrap().to_compact(), text);
    }
}
