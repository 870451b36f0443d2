//! Checks that several tables share: names, numbers, lengths, context keys, references.

use crate::desired::{Delegation, DeletionWindow, RotationPeriod, Separation, TagReach};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::IdError;
use crate::manifest::raw::List;
use crate::manifest::read::Declared;
use crate::manifest::spanned::Sp;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Returns an identifier, and reports a text that is none.
pub(super) fn parse<T: FromStr<Err = IdError>>(written: &Located<&str>, found: &mut Diagnostics) -> Option<T> {
    match written.value.parse() {
        Ok(id) => Some(id),
        Err(error) => {
            let label = format!("not a valid {}", error.what);
            found.push(Diagnostic::error(Code::InvalidValue, error.to_string()).label(written.loc, label));
            None
        }
    }
}

/// Reports a value that breaks a rule, which the message states.
pub(super) fn invalid(message: impl Into<String>, loc: Loc, label: &str, help: &str) -> Diagnostic {
    Diagnostic::error(Code::InvalidValue, message).label(loc, label).help(help)
}

/// Reports a text that is longer than AWS takes it.
pub(super) fn length(written: &Located<&str>, what: &str, longest: usize, found: &mut Diagnostics) {
    let count = written.value.chars().count();
    if count > longest {
        let message = format!("{what} has at most {longest} characters; this one has {count}");
        found.push(invalid(message, written.loc, "too long", "shorten it"));
    }
}

/// Returns a rotation period, and reports a number that is none.
pub(super) fn rotation(days: i64, loc: Loc, found: &mut Diagnostics) -> Option<RotationPeriod> {
    let period = RotationPeriod::from_days(days);
    if period.is_none() {
        let message = format!("KMS rotates every 90 to 2560 days, not every {days}");
        found.push(Diagnostic::error(Code::RotationRange, message).label(loc, "out of range"));
    }
    period
}

/// Returns a deletion window, and reports a number that is none.
pub(super) fn window(days: i64, loc: Loc, found: &mut Diagnostics) -> Option<DeletionWindow> {
    let window = DeletionWindow::from_days(days);
    if window.is_none() {
        let message = format!("KMS waits 7 to 30 days before it deletes a key, not {days}");
        found.push(Diagnostic::error(Code::DeletionWaitRange, message).label(loc, "out of range"));
    }
    window
}

/// The longest rest of a retired key: ten years.
const LONGEST_SOAK: u16 = 3_650;

/// Returns the rest of a retired key in days, and reports a number that is none.
pub(super) fn soak(days: i64, loc: Loc, found: &mut Diagnostics) -> Option<u16> {
    let soak = u16::try_from(days).ok().filter(|days| *days <= LONGEST_SOAK);
    if soak.is_none() {
        let message = format!("a retired key rests 0 to {LONGEST_SOAK} days, not {days}");
        found.push(Diagnostic::error(Code::SoakRange, message).label(loc, "out of range"));
    }
    soak
}

/// Returns which tags are removed, as `tags_exclusive` says.
pub(super) fn tag_reach(exclusive: Option<&Sp<bool>>) -> TagReach {
    if exclusive.is_some_and(|exclusive| *exclusive.get()) { TagReach::All } else { TagReach::Declared }
}

/// Returns the context keys of a list with their places, and reports empty ones.
pub(super) fn context_keys<T>(
    declared: &Declared<T>,
    keys: Option<&List<String>>,
    found: &mut Diagnostics,
) -> BTreeMap<String, Loc> {
    let mut places = BTreeMap::new();
    for key in keys.into_iter().flat_map(Sp::get) {
        if context_key(&declared.text(key), found) {
            places.insert(key.get().clone(), declared.at(key));
        }
    }
    places
}

/// Returns whether a text can be a key of an encryption context, and reports it otherwise.
///
/// The key becomes part of a condition key, `kms:EncryptionContext:<key>`.
pub(super) fn context_key(key: &Located<&str>, found: &mut Diagnostics) -> bool {
    let legal = !key.value.is_empty() && !key.value.contains(|c: char| c.is_control() || c.is_whitespace() || c == '$');
    if !legal {
        let message = format!("`{}` is not a key of an encryption context", text::escape(key.value));
        found.push(invalid(message, key.loc, "empty, or with spaces or `$`", "name the key that callers send"));
    }
    legal
}

/// Reports an enforced separation that delegation to the account's IAM would void.
pub(super) fn enforceable(
    separation: Located<Separation>,
    delegation: Delegation,
    delegation_loc: Loc,
    found: &mut Diagnostics,
) {
    if separation.value == Separation::Enforced && delegation == Delegation::Account {
        let message = "`separation = \"enforced\"` needs another delegation than `account`";
        found.push(
            Diagnostic::error(Code::EnforcedDelegation, message)
                .label(separation.loc, "enforced here")
                .label(delegation_loc, "IAM policies of the account can grant access to this")
                .help("set `iam_delegation` to \"root-user\" or \"none\""),
        );
    }
}

/// Returns the error for a name that nothing declares.
pub(super) fn unknown_name<'a>(
    what: &str,
    written: &Located<&str>,
    known: impl IntoIterator<Item = &'a String>,
) -> Diagnostic {
    let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
    let message = format!("there is no {what} `{}`", text::escape(written.value));
    let diagnostic = Diagnostic::error(Code::UnknownName, message).label(written.loc, "not declared");
    match text::did_you_mean(written.value, known) {
        Some(meant) => diagnostic.help(format!("did you mean `{}`?", text::escape(meant))),
        None => diagnostic.help(format!("declare `[{what}.{}]`", text::escape(written.value))),
    }
}

/// Returns the error for a list of principals that is empty.
pub(super) fn empty_principals(field: &str, loc: Loc) -> Diagnostic {
    Diagnostic::error(Code::EmptyPrincipals, format!("`{field}` names nobody"))
        .label(loc, "an empty list of principals")
        .help("name somebody, or leave the field out where it is optional")
}
