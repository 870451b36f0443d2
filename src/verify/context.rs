//! Concrete encryption contexts: what a probe sends so that a user's patterns match, or just do not.

use super::uses::takes_context;
use crate::desired::{DataKeyUse, DesiredKey, DesiredUser};
use crate::ports::EncryptionContext;
use crate::services::Service;

/// The pair that every probe adds, so that its calls are known again in CloudTrail.
pub(super) const PROBE_KEY: &str = "keywright:probe";
/// What the values of that pair begin with.
pub(super) const PROBE_VALUE: &str = "self-test";
/// Stands where a pattern or a required key leaves the value open.
const FILLER: &str = "keywright";
/// A value that no pattern of a sensible manifest matches.
const STRANGE: &str = "keywright-no-such-value";

/// Returns a value that a pattern matches; `None` where the pattern hangs on a policy variable.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars>
pub(super) fn matching(pattern: &str) -> Option<String> {
    let mut value = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if let Some(variable) = rest.strip_prefix("${") {
            let (name, after) = variable.split_once('}')?;
            if !matches!(name, "*" | "?" | "$") {
                return None;
            }
            value.push_str(name);
            rest = after;
            continue;
        }
        match first {
            '*' => value.push_str(FILLER),
            '?' => value.push('k'),
            other => value.push(other),
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    Some(value)
}

/// Returns a context for somebody of whom the manifest says nothing: the required keys, and ours; none for keys whose
/// uses carry none.
pub(super) fn plain(key: &DesiredKey) -> EncryptionContext {
    if !takes_context(key) {
        return EncryptionContext::new();
    }
    let context: EncryptionContext =
        key.required_context.iter().map(|required| (required.clone(), FILLER.to_owned())).collect();
    with_probe(context)
}

/// Returns a context that satisfies a user who calls KMS directly; `None` for others, or where no value can be picked.
pub(super) fn direct(key: &DesiredKey, user: &DesiredUser) -> Option<EncryptionContext> {
    let DataKeyUse::Direct { context: patterns } = &user.access else { return None };
    let mut context = plain(key);
    if !takes_context(key) {
        return Some(context);
    }
    for (name, patterns) in patterns {
        context.insert(name.clone(), patterns.iter().find_map(|pattern| matching(pattern))?);
    }
    Some(context)
}

/// Returns the context with one value changed to one that should match nothing.
pub(super) fn with_strange_value(context: &EncryptionContext, name: &str) -> EncryptionContext {
    let mut changed = context.clone();
    changed.insert(name.to_owned(), STRANGE.to_owned());
    changed
}

/// Returns the context with our own pair.
pub(super) fn with_probe(mut context: EncryptionContext) -> EncryptionContext {
    context.insert(PROBE_KEY.to_owned(), PROBE_VALUE.to_owned());
    context
}

/// Returns the context with another value of our own pair, which no policy looks at.
pub(super) fn with_other_probe(context: &EncryptionContext, suffix: &str) -> EncryptionContext {
    let mut changed = context.clone();
    changed.insert(PROBE_KEY.to_owned(), format!("{PROBE_VALUE}-{suffix}"));
    changed
}

/// Returns the context without our own pair.
pub(super) fn without_probe(context: &EncryptionContext) -> EncryptionContext {
    let mut changed = context.clone();
    changed.remove(PROBE_KEY);
    changed
}

/// Returns the context that a service sends for a user who comes through it; `None` where no value can be picked.
pub(super) fn of_service(service: Service, user: &DesiredUser) -> Option<EncryptionContext> {
    let DataKeyUse::Via { context: patterns, .. } = &user.access else { return None };
    let mut context = EncryptionContext::new();
    for name in service.context_keys() {
        context.insert((*name).to_owned(), typical(name).to_owned());
    }
    for (name, patterns) in patterns.iter().filter(|(name, _)| service.sends_context(name)) {
        context.insert(name.clone(), patterns.iter().find_map(|pattern| matching(pattern))?);
    }
    Some(context)
}

/// Returns a value as a service writes it under one of its context keys.
fn typical(name: &str) -> &'static str {
    match name {
        "aws:s3:arn" => "arn:aws:s3:::keywright-self-test/object",
        "aws:ebs:id" => "vol-0123456789abcdef0",
        "aws:elasticfilesystem:filesystem:id" => "fs-0123456789abcdef0",
        "aws:rds:db-id" => "db-KEYWRIGHTSELFTEST",
        "aws:dynamodb:tableName" => "keywright-self-test",
        _ => FILLER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::glob_matches;
    use proptest::prelude::*;

    #[test]
    fn special_characters_are_literal_inside_variables_and_variables_cannot_be_picked() {
        assert_eq!(matching("acme-*").as_deref(), Some("acme-keywright"));
        assert_eq!(matching("a${*}b${?}${$}").as_deref(), Some("a*b?$"));
        assert_eq!(matching("${aws:PrincipalTag/tenant}"), None);
        assert_eq!(matching("${"), None);
    }

    proptest! {
        #[test]
        fn a_picked_value_matches_its_pattern(pattern in "[a-z*?:/ü-]{0,12}") {
            let value = matching(&pattern).unwrap();
            prop_assert!(glob_matches(&pattern, &value), "{pattern} {value}");
        }
    }
}
