//! The Query protocol of IAM and STS: forms in, XML out.

use super::error::ApiError;
use super::wire_json::{Params, Wire};
use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde_json::{Map, Value};
use std::io;

/// Forms may nest this deep: `Tags.member.1.Key` has four parts.
const DEEPEST: usize = 10;

/// Decodes a form, and turns `Tags.member.1.Key=a` into nested lists and structures.
pub(super) fn decode(body: &[u8]) -> Result<Params, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| ApiError::new("MalformedInput", "The form is not UTF-8"))?;
    let mut root = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (percent_decode(name)?, percent_decode(value)?);
        let path: Vec<&str> = name.split('.').collect();
        if path.len() > DEEPEST || !insert(&mut root, &path, value) {
            return Err(ApiError::new("MalformedInput", format!("The parameter {name} does not fit the others")));
        }
    }
    let fields = root.into_iter().map(|(name, value)| (name, lists(value))).collect();
    Ok(Params::new(fields, Wire::Query))
}

/// Puts a value at a path; false if a part of the path is a value already.
fn insert(node: &mut Map<String, Value>, path: &[&str], value: String) -> bool {
    match path {
        [] => false,
        [last] => node.insert((*last).to_owned(), Value::String(value)).is_none(),
        [first, rest @ ..] => {
            let child = node.entry((*first).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            child.as_object_mut().is_some_and(|child| insert(child, rest, value))
        }
    }
}

/// Turns `{"member": {"1": …, "2": …}}` into a list, all the way down.
fn lists(value: Value) -> Value {
    let Value::Object(mut fields) = value else { return value };
    if let (1, Some(Value::Object(_))) = (fields.len(), fields.get("member"))
        && let Some(Value::Object(members)) = fields.remove("member")
    {
        let mut members: Vec<(u32, Value)> =
            members.into_iter().map(|(n, item)| (n.parse().unwrap_or(u32::MAX), lists(item))).collect();
        members.sort_by_key(|(n, _)| *n);
        return Value::Array(members.into_iter().map(|(_, item)| item).collect());
    }
    Value::Object(fields.into_iter().map(|(name, value)| (name, lists(value))).collect())
}

/// Decodes `%41` and `+` of a form.
fn percent_decode(text: &str) -> Result<String, ApiError> {
    let malformed = || ApiError::new("MalformedInput", "The form is not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().ok_or_else(malformed)?, rest.next().ok_or_else(malformed)?];
                bytes.extend(hex::decode(digits).map_err(|_| malformed())?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

/// Encodes a document as IAM returns it: everything but unreserved characters, by RFC 3986.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
pub(super) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    out
}

/// Returns a point in time as XML writes it.
pub(super) fn iso(at: Timestamp) -> Value {
    Value::String(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Writes the answer to an action.
pub(super) fn answer(action: &str, namespace: &str, result: &Value, request_id: &str) -> io::Result<Vec<u8>> {
    let mut xml = Writer::new(Vec::new());
    let response = format!("{action}Response");
    xml.write_event(Event::Start(BytesStart::new(&response).with_attributes([("xmlns", namespace)])))?;
    if !result.is_null() {
        write(&mut xml, &format!("{action}Result"), result)?;
    }
    write(&mut xml, "ResponseMetadata", &serde_json::json!({ "RequestId": request_id }))?;
    xml.write_event(Event::End(BytesEnd::new(&response)))?;
    Ok(xml.into_inner())
}

/// Writes an error.
pub(super) fn error(error: &ApiError, namespace: &str, request_id: &str) -> io::Result<Vec<u8>> {
    let kind = if error.status >= 500 { "Receiver" } else { "Sender" };
    let mut xml = Writer::new(Vec::new());
    xml.write_event(Event::Start(BytesStart::new("ErrorResponse").with_attributes([("xmlns", namespace)])))?;
    let body = serde_json::json!({ "Type": kind, "Code": error.code, "Message": error.message });
    write(&mut xml, "Error", &body)?;
    write(&mut xml, "RequestId", &Value::String(request_id.to_owned()))?;
    xml.write_event(Event::End(BytesEnd::new("ErrorResponse")))?;
    Ok(xml.into_inner())
}

/// Writes a value as an element; members of lists are called `member`.
fn write(xml: &mut Writer<Vec<u8>>, name: &str, value: &Value) -> io::Result<()> {
    if value.is_null() {
        return Ok(());
    }
    xml.write_event(Event::Start(BytesStart::new(name)))?;
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| write(xml, name, value))?,
        Value::Array(items) => items.iter().try_for_each(|item| write(xml, "member", item))?,
        Value::String(text) => xml.write_event(Event::Text(BytesText::new(text)))?,
        Value::Bool(_) | Value::Number(_) | Value::Null => {
            xml.write_event(Event::Text(BytesText::new(&value.to_string())))?;
        }
    }
    xml.write_event(Event::End(BytesEnd::new(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_nest() {
        let params = decode(b"Action=X&Tags.member.2.Key=b&Tags.member.1.Key=a%20+c&N=7&On=true").unwrap();
        let keys: Vec<String> =
            params.structures("Tags").unwrap().iter().map(|tag| tag.required("Key").unwrap().to_owned()).collect();
        assert_eq!(keys, ["a  c", "b"]);
        assert_eq!(params.integer("N").unwrap(), Some(7));
        assert!(params.flag("On").unwrap());
    }

    #[test]
    fn forms_that_contradict_themselves_are_refused() {
        for bad in ["A=1&A=2", "A=1&A.B=2", "A=%4", "A=%ff", "a.b.c.d.e.f.g.h.i.j.k=1"] {
            assert_eq!(decode(bad.as_bytes()).err().unwrap().code, "MalformedInput", "{bad}");
        }
    }

    #[test]
    fn xml_is_escaped() {
        let value = serde_json::json!({ "Arn": "<&>", "List": ["a", {"B": 1}], "None": null });
        let text = String::from_utf8(answer("GetX", "urn:x", &value, "id").unwrap()).unwrap();
        assert_eq!(
            text,
            "<GetXResponse xmlns=\"urn:x\"><GetXResult><Arn>&lt;&amp;&gt;</Arn><List><member>a</member><member><B>1</B>\
             </member></List></GetXResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetXResponse>"
        );
    }
}
