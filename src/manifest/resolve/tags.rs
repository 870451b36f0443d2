//! Tags: those of the manifest and of a resource put together, and AWS's limits on them.

use super::placeholder::{Passing, Values};
use crate::desired::tags::RESERVED_PREFIX;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::kms::{TAG_KEY_CHARS, TAG_VALUE_CHARS, TAGS_PER_KEY};
use crate::manifest::read::TagPlace;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::BTreeMap;

/// The tags that keywright writes itself: stack, key, owner, claim, and on a retired key the day.
const RESERVED: usize = 5;

/// Tags as written, by key.
pub(super) type WrittenTags = BTreeMap<String, TagPlace>;

/// Returns the tags of a resource: the manifest's, overridden by its own.
pub(super) fn resolve_tags(
    shared: Option<&WrittenTags>,
    own: &WrittenTags,
    values: &Values,
    resource: Loc,
    found: &mut Diagnostics,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (key, place) in shared.into_iter().flatten().filter(|(key, _)| !own.contains_key(*key)).chain(own) {
        check_key(&Located::new(key, place.key), found);
        let written = Located::new(place.value.value.as_str(), place.value.loc);
        if let Some(value) = values.expand(&written, Passing::Nothing, found) {
            check_value(&Located::new(&value, written.loc), found);
            tags.insert(key.clone(), value);
        }
    }
    if tags.len() > TAGS_PER_KEY - RESERVED {
        let message = format!(
            "{} are too many: AWS allows {TAGS_PER_KEY} on a resource, and keywright needs {RESERVED} of them",
            text::plural(tags.len(), "tag")
        );
        let label = format!("at most {} tags, those of the manifest included", TAGS_PER_KEY - RESERVED);
        found.push(Diagnostic::error(Code::TagLimits, message).label(resource, label));
    }
    tags
}

fn check_key(key: &Located<&String>, found: &mut Diagnostics) {
    let lower = key.value.to_ascii_lowercase();
    if let Some(prefix) = [RESERVED_PREFIX, "aws:"].iter().find(|prefix| lower.starts_with(**prefix)) {
        let message = format!("the tag `{}` is reserved", text::escape(key.value));
        let label = format!("begins with `{prefix}`");
        found.push(Diagnostic::error(Code::ReservedTag, message).label(key.loc, label).help("choose another key"));
    }
    if key.value.is_empty() || key.value.chars().count() > TAG_KEY_CHARS || !key.value.chars().all(is_tag_char) {
        let message = format!("`{}` is not a tag key", text::escape(key.value));
        let label = format!("1 to {TAG_KEY_CHARS} letters, digits, spaces and + - = . _ : / @");
        found.push(Diagnostic::error(Code::TagLimits, message).label(key.loc, label));
    }
}

fn check_value(value: &Located<&String>, found: &mut Diagnostics) {
    if value.value.chars().count() > TAG_VALUE_CHARS || !value.value.chars().all(is_tag_char) {
        let message =
            format!("a tag's value cannot be this of {}", text::plural(value.value.chars().count(), "character"));
        let label = format!("at most {TAG_VALUE_CHARS} letters, digits, spaces and + - = . _ : / @");
        found.push(Diagnostic::error(Code::TagLimits, message).label(value.loc, label));
    }
}

/// Returns whether IAM and KMS both take a character in a tag.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating>
fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}
