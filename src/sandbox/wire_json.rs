//! The JSON 1.1 protocol, and typed access to the parameters of a call whatever its protocol.

use super::error::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// How the parameters arrived: numbers and Booleans are text in forms, and errors have other codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// AWS JSON 1.1.
    Json,
    /// The Query protocol.
    Query,
}

/// The parameters of one call.
pub(super) struct Params {
    fields: Map<String, Value>,
    wire: Wire,
}

impl Params {
    /// Reads the body of a JSON 1.1 request.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self { fields: Map::new(), wire: Wire::Json });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self { fields, wire: Wire::Json }),
            Ok(_) => Err(ApiError::new("SerializationException", "The request body is no JSON object")),
            Err(error) => Err(ApiError::new("SerializationException", format!("The request body is no JSON: {error}"))),
        }
    }

    /// Takes parameters that were decoded elsewhere.
    pub(super) fn new(fields: Map<String, Value>, wire: Wire) -> Self {
        Self { fields, wire }
    }

    /// Returns a parameter, absent if it is null.
    fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Returns the error of a parameter that breaks a rule.
    pub(super) fn invalid(&self, message: impl Into<String>) -> ApiError {
        let code = match self.wire {
            Wire::Json => "ValidationException",
            Wire::Query => "ValidationError",
        };
        ApiError::new(code, message)
    }

    fn wrong_type(&self, name: &str, wanted: &str) -> ApiError {
        match self.wire {
            Wire::Json => ApiError::new("SerializationException", format!("{name} must be {wanted}")),
            Wire::Query => ApiError::new("MalformedInput", format!("{name} must be {wanted}")),
        }
    }

    fn missing(&self, name: &str) -> ApiError {
        self.invalid(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
            lower_first(name)
        ))
    }

    /// Returns whether a parameter is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns an optional string.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| self.wrong_type(name, "a string"))).transpose()
    }

    /// Returns a string that must be given.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        match self.text(name)? {
            Some("") => Err(self.constraint(name, "", "Member must have length greater than or equal to 1")),
            Some(text) => Ok(text),
            None => Err(self.missing(name)),
        }
    }

    /// Returns the error of a value that breaks a constraint, in AWS's words.
    pub(super) fn constraint(&self, name: &str, value: &str, rule: &str) -> ApiError {
        self.invalid(format!(
            "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: {rule}",
            lower_first(name)
        ))
    }

    /// Returns an optional string of at most so many characters.
    pub(super) fn bounded(&self, name: &str, longest: usize) -> Result<Option<&str>, ApiError> {
        let text = self.text(name)?;
        match text {
            Some(text) if text.chars().count() > longest => {
                Err(self.constraint(name, text, &format!("Member must have length less than or equal to {longest}")))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// Returns an optional whole number.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = match self.wire {
            Wire::Json => value.as_i64(),
            Wire::Query => value.as_str().and_then(|text| text.parse().ok()),
        };
        number.map(Some).ok_or_else(|| self.wrong_type(name, "a whole number"))
    }

    /// Returns an optional whole number within a range.
    pub(super) fn within(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
        let number = self.integer(name)?;
        match number {
            Some(n) if n < *range.start() => {
                let rule = format!("Member must have value greater than or equal to {}", range.start());
                Err(self.constraint(name, &n.to_string(), &rule))
            }
            Some(n) if n > *range.end() => {
                let rule = format!("Member must have value less than or equal to {}", range.end());
                Err(self.constraint(name, &n.to_string(), &rule))
            }
            Some(_) | None => Ok(number),
        }
    }

    /// Returns a Boolean, false if absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if self.wire == Wire::Query && text == "true" => Ok(true),
            Some(Value::String(text)) if self.wire == Wire::Query && text == "false" => Ok(false),
            Some(_) => Err(self.wrong_type(name, "a Boolean")),
        }
    }

    /// Returns an optional string that must be one of a list.
    pub(super) fn choice(&self, name: &str, choices: &[&str]) -> Result<Option<&str>, ApiError> {
        let text = self.text(name)?;
        match text {
            Some(text) if !choices.contains(&text) => {
                let rule = format!("Member must satisfy enum value set: [{}]", choices.join(", "));
                Err(self.constraint(name, text, &rule))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// Returns an optional name that must be one of AWS's.
    pub(super) fn named<T: Copy + std::fmt::Display>(&self, name: &str, all: &[T]) -> Result<Option<T>, ApiError> {
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        let choices: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = self.choice(name, &choices)?;
        let at = text.and_then(|text| names.iter().position(|known| known == text));
        Ok(at.and_then(|at| all.get(at)).copied())
    }

    /// Returns a name that must be given and be one of AWS's.
    pub(super) fn required_name<T: Copy + std::fmt::Display>(&self, name: &str, all: &[T]) -> Result<T, ApiError> {
        self.named(name, all)?.ok_or_else(|| self.missing(name))
    }

    /// Returns a map of strings, empty if absent.
    pub(super) fn map(&self, name: &str) -> Result<BTreeMap<String, String>, ApiError> {
        let Some(value) = self.get(name) else { return Ok(BTreeMap::new()) };
        let wrong = || self.wrong_type(name, "a map of strings");
        let fields = value.as_object().ok_or_else(wrong)?;
        fields.iter().map(|(key, value)| Ok((key.clone(), value.as_str().ok_or_else(wrong)?.to_owned()))).collect()
    }

    /// Returns a list of strings, empty if absent.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let wrong = || self.wrong_type(name, "a list of strings");
        self.items(name)?.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }

    /// Returns a list of structures, empty if absent.
    pub(super) fn structures(&self, name: &str) -> Result<Vec<Params>, ApiError> {
        let wrong = || self.wrong_type(name, "a list of structures");
        let nested = |item: &Value| item.as_object().cloned().map(|fields| Self::new(fields, self.wire));
        self.items(name)?.iter().map(|item| nested(item).ok_or_else(wrong)).collect()
    }

    /// Returns an optional structure.
    pub(super) fn structure(&self, name: &str) -> Result<Option<Params>, ApiError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let fields = value.as_object().cloned().ok_or_else(|| self.wrong_type(name, "a structure"))?;
        Ok(Some(Self::new(fields, self.wire)))
    }

    fn items(&self, name: &str) -> Result<&[Value], ApiError> {
        match self.get(name) {
            None => Ok(&[]),
            Some(value) => value.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong_type(name, "a list")),
        }
    }

    /// Returns optional bytes, Base64 on the wire.
    pub(super) fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        STANDARD.decode(text).map(Some).map_err(|_| self.wrong_type(name, "Base64"))
    }

    /// Returns bytes that must be given, between one and `longest`.
    pub(super) fn required_blob(&self, name: &str, longest: usize) -> Result<Vec<u8>, ApiError> {
        let bytes = self.blob(name)?.ok_or_else(|| self.missing(name))?;
        match bytes.len() {
            0 => Err(self.constraint(name, "", "Member must have length greater than or equal to 1")),
            n if n > longest => {
                let rule = format!("Member must have length less than or equal to {longest}");
                Err(self.constraint(name, "java.nio.HeapByteBuffer", &rule))
            }
            _ => Ok(bytes),
        }
    }
}

/// Returns the name with a small first letter, as AWS's validation messages write it.
fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Returns bytes as they travel in JSON.
pub(super) fn blob(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

/// Returns a point in time as JSON 1.1 writes it: seconds since 1970, with milliseconds.
pub(super) fn epoch(at: Timestamp) -> Value {
    let millis = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    Value::from(millis.as_duration().as_secs_f64())
}

/// Removes the null members of a structure: AWS leaves absent members out.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_types_and_missing_parameters_are_errors_of_the_caller() {
        let params = Params::from_json(br#"{"Limit":"x","KeyId":"","Flag":1,"Map":{"a":1}}"#).unwrap();
        assert_eq!(params.integer("Limit").unwrap_err().code, "SerializationException");
        assert_eq!(params.required("KeyId").unwrap_err().code, "ValidationException");
        assert!(params.required("Policy").unwrap_err().message.contains("'policy'"));
        assert_eq!(params.flag("Flag").unwrap_err().code, "SerializationException");
        assert_eq!(params.map("Map").unwrap_err().code, "SerializationException");
        assert_eq!(Params::from_json(b"[]").err().unwrap().code, "SerializationException");
    }
}
