//! Pages of lists: `Limit`, `Marker`, `Truncated`, `NextMarker`.

use crate::sandbox::error::ApiError;
use crate::sandbox::wire_json::Params;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What every marker begins with, so that foreign ones are noticed.
const MARK: &str = "kw1:";

/// Returns the name after which a page begins, from its marker.
pub(in crate::sandbox) fn after(marker: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(marker) = marker else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(|text| text.strip_prefix(MARK)) {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(ApiError::new("InvalidMarkerException", "The marker is not one of this list")),
    }
}

/// Cuts a page of at most `limit` out of items sorted by name; returns it and the marker of the next.
pub(in crate::sandbox) fn page(
    items: impl Iterator<Item = (String, Value)>,
    limit: usize,
    after: Option<&str>,
) -> (Vec<Value>, Option<String>) {
    let mut rest = items.skip_while(|(name, _)| after.is_some_and(|after| name.as_str() <= after)).peekable();
    let mut taken = Vec::new();
    let mut last = String::new();
    while taken.len() < limit
        && let Some((name, value)) = rest.next()
    {
        last = name;
        taken.push(value);
    }
    let next = rest.peek().is_some().then(|| URL_SAFE_NO_PAD.encode(format!("{MARK}{last}")));
    (taken, next)
}

/// Answers with a page of a KMS list; `limits` are the default and the greatest limit.
pub(super) fn answer(
    params: &Params,
    member: &str,
    limits: (i64, i64),
    items: impl Iterator<Item = (String, Value)>,
) -> Result<Value, ApiError> {
    let (default, greatest) = limits;
    let limit = params.within("Limit", 1..=greatest)?.unwrap_or(default);
    let after = after(params.text("Marker")?)?;
    let (page, next) = page(items, usize::try_from(limit).unwrap_or(1), after.as_deref());
    Ok(json!({ member: page, "Truncated": next.is_some(), "NextMarker": next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_everything_once() {
        let items = || ["a", "b", "c", "d", "e"].map(|n| (n.to_owned(), Value::from(n))).into_iter();
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let start = after(marker.as_deref()).unwrap();
            let (part, next) = page(items(), 2, start.as_deref());
            seen.extend(part);
            marker = next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
        assert_eq!(after(Some("nonsense")).unwrap_err().code, "InvalidMarkerException");
    }
}
