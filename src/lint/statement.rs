//! Lints of a statement's form: what AWS ignores, what it does not know, what says less or more than it seems to.

use super::model::{KnownPlace, LintFinding, LintPlace, LintSeverity};
use super::rule;
use super::subject::Subject;
use super::view::{PolicyKind, StatementView, matched, of_kms};
use crate::kms::{ACTIONS, ActionScope, KmsAction};
use crate::policy::{
    Actions, Effect, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Resources, Statement, glob_matches,
};
use crate::text::did_you_mean;
use std::collections::BTreeSet;

/// Finds what is wrong with the form of one statement of any policy.
pub(super) fn find(view: &StatementView<'_>, version: &PolicyVersion) -> Vec<LintFinding> {
    let mut found = Vec::new();
    if let Some(reason) = why_inert(view) {
        let finding = LintFinding::of(&rule::INERT_STATEMENT, view.place.clone(), format!("AWS ignores it: {reason}"));
        found.push(graver_if_deny(finding, view));
        return found;
    }
    found.extend(unknown_actions(view));
    found.extend(not_elements(view));
    found.extend(literal_variables(view, version));
    found
}

fn graver_if_deny(finding: LintFinding, view: &StatementView<'_>) -> LintFinding {
    match view.statement.effect {
        Effect::Allow => finding,
        Effect::Deny => finding.severity(LintSeverity::High),
    }
}

/// A statement of a key policy without Resource or Action has no effect.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>
fn why_inert(view: &StatementView<'_>) -> Option<String> {
    let statement = view.statement;
    if let Some(inert) = &statement.inert {
        return Some(inert.reason.clone());
    }
    let reason = match (&statement.actions, &statement.resources, &statement.principals) {
        (None, _, _) => "it has no Action",
        (_, None, _) => "it has no Resource",
        (Some(Actions::Is(patterns)), _, _) if patterns.is_empty() => "its list of actions is empty",
        (_, Some(Resources::Is(patterns)), _) if patterns.is_empty() => "its list of resources is empty",
        (_, _, None) if view.kind == PolicyKind::Key => "it has no Principal",
        (_, _, Some(Principals::Is(entries))) if entries.is_empty() => "its list of principals is empty",
        _ => return None,
    };
    Some(reason.to_owned())
}

fn unknown_actions(view: &StatementView<'_>) -> Vec<LintFinding> {
    let Some(Actions::Is(patterns) | Actions::IsNot(patterns)) = &view.statement.actions else { return Vec::new() };
    let ours = |pattern: &&String| view.kind == PolicyKind::Key || of_kms(pattern);
    let unknown = patterns.iter().filter(ours).filter(|pattern| matched(pattern).is_empty());
    let found = |pattern: &String| {
        let message = format!("KMS has no action `{pattern}`");
        let finding = LintFinding::of(&rule::UNKNOWN_ACTION, view.place.clone(), message);
        match known_action(pattern) {
            Some(known) => finding.remedy(format!("write {known}")),
            None => finding,
        }
    };
    unknown.map(found).collect()
}

fn known_action(pattern: &str) -> Option<String> {
    if pattern.eq_ignore_ascii_case("kms:ReEncrypt") {
        return Some("`kms:ReEncryptFrom` and `kms:ReEncryptTo`: there is no action for both".to_owned());
    }
    let full = if pattern.contains(':') { pattern.to_owned() } else { format!("kms:{pattern}") };
    did_you_mean(&full, ACTIONS.iter().map(|action| action.full)).map(|known| format!("`{known}`"))
}

fn not_elements(view: &StatementView<'_>) -> Option<LintFinding> {
    let statement = view.statement;
    let element = match (&statement.actions, &statement.resources) {
        _ if statement.effect == Effect::Deny => return None,
        (Some(Actions::IsNot(_)), _) => "NotAction",
        (_, Some(Resources::IsNot(_))) => "NotResource",
        _ => return None,
    };
    let message = format!("it allows everything but what {element} lists, {} actions of KMS", view.actions.len());
    Some(LintFinding::of(&rule::NOT_ELEMENT_ALLOW, view.place.clone(), message))
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
fn literal_variables(view: &StatementView<'_>, version: &PolicyVersion) -> Option<LintFinding> {
    let values = view.conditions.iter().flat_map(|condition| &condition.condition.values);
    let mut texts =
        values.map(crate::policy::ConditionValue::as_text).chain(view.resources().iter().map(String::as_str));
    let literal = texts.find(|text| text.contains("${")).filter(|_| *version != PolicyVersion::V2012)?;
    let message = format!("`{literal}` is plain text in a document of version 2008-10-17");
    Some(LintFinding::of(&rule::LITERAL_VARIABLE, view.place.clone(), message))
}

/// Finds what is wrong with a document as a whole.
pub(super) fn find_in_document(document: &PolicyDocument, views: &[StatementView<'_>]) -> Vec<LintFinding> {
    let mut found: Vec<LintFinding> = invalid_version(&document.version).into_iter().collect();
    found.extend(repeated_sids(views));
    found.extend(redundant(document, views));
    found
}

fn invalid_version(version: &PolicyVersion) -> Option<LintFinding> {
    let PolicyVersion::Other(text) = version else { return None };
    Some(LintFinding::of(&rule::INVALID_VERSION, LintPlace::Policy, format!("AWS knows no policy version `{text}`")))
}

fn repeated_sids(views: &[StatementView<'_>]) -> Vec<LintFinding> {
    let mut seen = BTreeSet::new();
    let sids = views.iter().filter_map(|view| Some((view, view.statement.sid.as_deref()?)));
    let repeated = sids.filter(|(_, sid)| !sid.is_empty() && !seen.insert(*sid));
    let found = |(view, sid): (&StatementView<'_>, &str)| {
        LintFinding::of(
            &rule::REPEATED_SID,
            view.place.clone(),
            format!("an earlier statement has the Sid `{sid}` too"),
        )
    };
    repeated.map(found).collect()
}

/// Takes statements away from the end for as long as the document means the same.
fn redundant(document: &PolicyDocument, views: &[StatementView<'_>]) -> Vec<LintFinding> {
    let mut kept: Vec<&StatementView<'_>> = views.iter().collect();
    let mut found = Vec::new();
    for view in views.iter().rev().filter(|view| !view.actions.is_empty()) {
        let others: Vec<&StatementView<'_>> = kept.iter().copied().filter(|other| may_say(other, view)).collect();
        if !others.is_empty() && is_said_by(document, view, &others) {
            let message = "other statements say the same already".to_owned();
            found.push(LintFinding::of(&rule::REDUNDANT_STATEMENT, view.place.clone(), message));
            kept.retain(|other| other.place != view.place);
        }
    }
    found
}

/// Returns whether a statement could say a part of another: the cheap question before the dear one.
fn may_say(other: &StatementView<'_>, view: &StatementView<'_>) -> bool {
    let (theirs, ours) = (names(other.statement), names(view.statement));
    let shared = theirs.contains(&"*") || ours.is_empty() || ours.iter().any(|name| theirs.contains(name));
    let narrower = other.conditions.iter().any(|condition| {
        view.conditions.iter().all(|own| !own.condition.key.eq_ignore_ascii_case(&condition.condition.key))
    });
    let acts = other.actions.iter().any(|action| view.covers(action.full));
    other.place != view.place && other.statement.effect == view.statement.effect && shared && acts && !narrower
}

fn is_said_by(document: &PolicyDocument, view: &StatementView<'_>, others: &[&StatementView<'_>]) -> bool {
    let said: BTreeSet<&str> = others.iter().flat_map(|other| &other.actions).map(|action| action.name).collect();
    if !view.actions.iter().all(|action| said.contains(action.name)) {
        return false;
    }
    let only = |views: &[&StatementView<'_>]| PolicyDocument {
        statements: views.iter().map(|view| view.statement.clone()).collect(),
        ..document.clone()
    };
    only(others).same_permissions(&only(&[others, &[view]].concat()))
}

/// Returns the entries of a statement's principal, accounts by their ids.
fn names(statement: &Statement) -> Vec<&str> {
    let Some(Principals::Is(entries) | Principals::IsNot(entries)) = &statement.principals else { return Vec::new() };
    entries.iter().map(account_or_name).collect()
}

fn account_or_name(entry: &PrincipalEntry) -> &str {
    let name = entry.kind_and_value().1;
    name.strip_suffix(":root").and_then(|root| root.rsplit(':').next()).unwrap_or(name)
}

/// Finds what a statement of a key policy says in vain.
pub(super) fn find_vain(subject: &Subject<'_>, view: &StatementView<'_>) -> Vec<LintFinding> {
    let found = ineffective_actions(view).into_iter();
    found.chain(wrong_resource(subject, view)).collect()
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html>
fn ineffective_actions(view: &StatementView<'_>) -> Option<LintFinding> {
    let literal = view.patterns().iter().filter_map(|pattern| KmsAction::find(pattern).filter(|_| of_kms(pattern)));
    let vain = literal.filter(|action| matches!(action.scope, ActionScope::Iam | ActionScope::Grant));
    let vain: Vec<String> = vain.map(|action| format!("`{}`", action.full)).collect();
    if vain.is_empty() || view.statement.effect == Effect::Deny {
        return None;
    }
    let message = format!("a key policy cannot allow {}", crate::text::and_list(&vain));
    Some(LintFinding::of(&rule::INEFFECTIVE_ACTION, view.place.clone(), message))
}

fn wrong_resource(subject: &Subject<'_>, view: &StatementView<'_>) -> Option<LintFinding> {
    let arn = subject.key.facts.arn.as_str();
    let known = subject.key.place == KnownPlace::Arn && !view.actions.is_empty();
    let (patterns, named) = match view.statement.resources.as_ref().filter(|_| known)? {
        Resources::Is(patterns) => (patterns, true),
        Resources::IsNot(patterns) => (patterns, false),
    };
    let variable = patterns.iter().any(|pattern| pattern.contains("${"));
    let matches = patterns.iter().any(|pattern| glob_matches(pattern, arn));
    if variable || matches == named {
        return None;
    }
    let message = "its resources do not contain this key, so it matches nothing".to_owned();
    Some(graver_if_deny(LintFinding::of(&rule::WRONG_RESOURCE, view.place.clone(), message), view))
}
