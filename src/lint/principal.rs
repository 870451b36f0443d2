//! Lints of principals: entries that match nobody, that AWS reads otherwise, that let other accounts in.

use super::model::{LintFinding, LintSeverity};
use super::public::names_everyone;
use super::rule;
use super::subject::{Subject, Who};
use super::view::StatementView;
use crate::ids::PrincipalKind;
use crate::kms::{ActionScope, KmsAction, Reach};
use crate::policy::{Effect, PrincipalEntry, Principals};
use crate::text::and_list;

/// Finds what is noteworthy about the principals of a statement of a key policy.
pub(super) fn find(subject: &Subject<'_>, view: &StatementView<'_>) -> Vec<LintFinding> {
    let mut found: Vec<LintFinding> = not_principal(view).into_iter().collect();
    found.extend(nobody(subject, view));
    if view.allows() {
        found.extend(other_accounts(subject, view));
        found.extend(never_across(subject, view));
        found.extend(delegated(subject, view));
        found.extend(mfa(subject, view));
    }
    found
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
fn not_principal(view: &StatementView<'_>) -> Option<LintFinding> {
    let Some(Principals::IsNot(entries)) = &view.statement.principals else { return None };
    Some(match view.statement.effect {
        Effect::Allow => {
            let message = "it allows everybody but those whom NotPrincipal lists".to_owned();
            LintFinding::of(&rule::NOT_PRINCIPAL_ALLOW, view.place.clone(), message)
        }
        Effect::Deny => {
            let message =
                format!("it denies everybody but {} of NotPrincipal", crate::text::plural(entries.len(), "entry"));
            LintFinding::of(&rule::NOT_PRINCIPAL_DENY, view.place.clone(), message)
        }
    })
}

/// Entries that match nobody, in `Principal` and in `NotPrincipal`.
fn nobody(subject: &Subject<'_>, view: &StatementView<'_>) -> Vec<LintFinding> {
    let Some(Principals::Is(entries) | Principals::IsNot(entries)) = &view.statement.principals else {
        return Vec::new();
    };
    let found = |entry: &PrincipalEntry| match subject.who_is(entry) {
        Who::Nobody(text, why) => Some(LintFinding::of(
            &rule::IMPOSSIBLE_PRINCIPAL,
            view.place.clone(),
            format!("`{text}` matches nobody: {why}"),
        )),
        Who::Dangling(id) => Some(LintFinding::of(&rule::DANGLING_PRINCIPAL, view.place.clone(), dangling(id))),
        Who::Everyone | Who::OwnAccount | Who::Own(..) | Who::OtherAccount(_) | Who::Other(..) | Who::Service(_) => {
            None
        }
    };
    entries.iter().filter_map(found).collect()
}

/// Says what a unique id in the place of a principal means.
pub(super) fn dangling(id: &str) -> String {
    let what = if id.starts_with("AIDA") { "user" } else { "role" };
    format!("`{id}` is what is left of a deleted {what}: it matches nobody, not even a new {what} of the same name")
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>
fn other_accounts(subject: &Subject<'_>, view: &StatementView<'_>) -> Vec<LintFinding> {
    let mut named = Vec::new();
    let mut whole = Vec::new();
    for who in subject.who(view) {
        match who {
            Who::Other(arn, _) => named.push(format!("`{arn}`")),
            Who::OtherAccount(account) => whole.push(format!("account {account}")),
            Who::Everyone | Who::OwnAccount | Who::Own(..) | Who::Service(_) | Who::Dangling(_) | Who::Nobody(..) => {}
        }
    }
    let organization = names_everyone(view.statement) && view.demands("aws:PrincipalOrgID");
    named.extend(organization.then(|| "every member of an organization".to_owned()));
    let narrowed = view.demands("aws:PrincipalArn");
    let found = |who: &[String], severity| {
        let message = format!("it lets {} in for {}", and_list(who), what(view));
        LintFinding::of(&rule::CROSS_ACCOUNT_ACCESS, view.place.clone(), message).severity(severity)
    };
    let of_accounts = if narrowed { LintSeverity::Info } else { LintSeverity::Medium };
    let mut all = Vec::new();
    all.extend((!named.is_empty()).then(|| found(&named, LintSeverity::Info)));
    all.extend((!whole.is_empty()).then(|| found(&whole, of_accounts)));
    all
}

/// Says which actions a statement is about.
pub(super) fn what(view: &StatementView<'_>) -> String {
    let patterns = view.patterns();
    if view.covers_everything() {
        return "every action".to_owned();
    }
    let named: Vec<String> = patterns.iter().take(3).map(|pattern| format!("`{pattern}`")).collect();
    match patterns.len() {
        0 => crate::text::plural(view.actions.len(), "action"),
        count if count > named.len() => format!("{} and {} more", named.join(", "), count - named.len()),
        _ => and_list(&named),
    }
}

/// Actions that never work across accounts, allowed to nobody but other accounts.
fn never_across(subject: &Subject<'_>, view: &StatementView<'_>) -> Option<LintFinding> {
    let who = subject.who(view);
    let foreign = |who: &Who<'_>| matches!(who, Who::OtherAccount(_) | Who::Other(..));
    if who.is_empty() || !who.iter().all(foreign) {
        return None;
    }
    let named = view.patterns().iter().filter_map(|pattern| KmsAction::find(pattern));
    let vain = named.filter(|action| action.reach == Reach::OwnAccount && action.scope != ActionScope::Iam);
    let vain: Vec<String> = vain.map(|action| format!("`{}`", action.full)).collect();
    let message = format!("{} never works from another account", and_list(&vain));
    (!vain.is_empty()).then(|| LintFinding::of(&rule::IMPOSSIBLE_CROSS_ACCOUNT, view.place.clone(), message))
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
fn delegated(subject: &Subject<'_>, view: &StatementView<'_>) -> Option<LintFinding> {
    let to_iam = subject.who(view).contains(&Who::OwnAccount) && !view.demands("aws:PrincipalType");
    let message = format!("the account's IAM policies decide who may use {}", what(view));
    to_iam.then(|| LintFinding::of(&rule::IAM_DELEGATED, view.place.clone(), message))
}

/// Returns whether a condition asks for multi-factor authentication.
pub(super) fn asks_for_mfa(view: &StatementView<'_>) -> bool {
    view.conditions.iter().any(|condition| {
        let present =
            condition.is_about("aws:MultiFactorAuthPresent") && condition.values().any(|value| value == "true");
        (present || condition.is_about("aws:MultiFactorAuthAge")) && condition.demands_values()
    })
}

/// Calls of a role's session do not tell whether the role was assumed with MFA.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html>
fn mfa(subject: &Subject<'_>, view: &StatementView<'_>) -> Option<LintFinding> {
    let who = subject.who(view);
    let without = |who: &Who<'_>| match who {
        Who::Own(_, kind) | Who::Other(_, kind) => *kind != PrincipalKind::User,
        Who::Service(_) => true,
        Who::Everyone | Who::OwnAccount | Who::OtherAccount(_) | Who::Dangling(_) | Who::Nobody(..) => false,
    };
    let message = "none of its principals ever meets the condition on multi-factor authentication".to_owned();
    let never = asks_for_mfa(view) && !who.is_empty() && who.iter().all(without);
    never.then(|| LintFinding::of(&rule::MFA_CONDITION, view.place.clone(), message))
}
