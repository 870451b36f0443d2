//! The key that is linted, with its statements, and who the entries of its principals are.

use super::model::{KnownPlace, LintKey};
use super::view::{StatementView, key_statements};
use crate::ids::{Arn, PrincipalArn, PrincipalKind};
use crate::policy::{PrincipalEntry, Principals};

/// A key with its statements.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) key: LintKey<'a>,
    pub(super) statements: Vec<StatementView<'a>>,
}

/// Who an entry of a principal element is, seen from the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who<'a> {
    Everyone,
    /// The key's own account, whose IAM policies decide.
    OwnAccount,
    /// Somebody of the key's own account.
    Own(&'a str, PrincipalKind),
    /// Another account, whose IAM policies decide.
    OtherAccount(&'a str),
    /// Somebody of another account.
    Other(&'a str, PrincipalKind),
    Service(&'a str),
    /// The unique id of a deleted principal.
    Dangling(&'a str),
    /// Nobody, and why.
    Nobody(&'a str, &'static str),
}

impl<'a> Subject<'a> {
    pub(super) fn new(key: LintKey<'a>) -> Self {
        Self { key, statements: key_statements(&key.facts.policy) }
    }

    /// Returns the statements that allow something.
    pub(super) fn allows(&self) -> impl Iterator<Item = &StatementView<'a>> {
        self.statements.iter().filter(|view| view.allows())
    }

    /// Returns who the entries of a statement's principal are, and nobody's for `NotPrincipal`.
    pub(super) fn who<'v>(&self, view: &StatementView<'v>) -> Vec<Who<'v>> {
        match &view.statement.principals {
            Some(Principals::Is(entries)) => entries.iter().map(|entry| self.who_is(entry)).collect(),
            Some(Principals::IsNot(_)) | None => Vec::new(),
        }
    }

    /// Returns who an entry is.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
    pub(super) fn who_is<'e>(&self, entry: &'e PrincipalEntry) -> Who<'e> {
        match entry {
            PrincipalEntry::Everyone => Who::Everyone,
            PrincipalEntry::Service(name) if name.contains(['*', '?']) => {
                Who::Nobody(name, "services are named exactly, without wildcards")
            }
            PrincipalEntry::Service(name) => Who::Service(name),
            PrincipalEntry::Federated(provider) => {
                Who::Nobody(provider, "identity providers are principals of trust policies alone")
            }
            PrincipalEntry::Other { value, .. } => Who::Nobody(value, "KMS knows no principals of this type"),
            PrincipalEntry::Aws(text) => self.who_is_aws(text),
        }
    }

    fn who_is_aws<'e>(&self, text: &'e str) -> Who<'e> {
        if is_account_id(text) {
            return if self.is_own(text) { Who::OwnAccount } else { Who::OtherAccount(text) };
        }
        if is_unique_id(text) {
            return Who::Dangling(text);
        }
        let (Ok(principal), Some(account)) = (text.parse::<PrincipalArn>(), text.split(':').nth(4)) else {
            return Who::Nobody(text, why_nobody(text));
        };
        if self.key.place == KnownPlace::Arn
            && principal.arn().partition() != self.key.facts.region.partition().as_str()
        {
            return Who::Nobody(text, "it is of another partition, in which the key does not exist");
        }
        match (principal.kind(), self.is_own(account)) {
            (PrincipalKind::Root, true) => Who::OwnAccount,
            (PrincipalKind::Root, false) => Who::OtherAccount(account),
            (kind, true) => Who::Own(text, kind),
            (kind, false) => Who::Other(text, kind),
        }
    }

    /// Returns whether an account is the key's own; where the key's is not known, each is taken for it.
    fn is_own(&self, account: &str) -> bool {
        self.key.place == KnownPlace::Nothing || self.key.facts.account.as_str() == account
    }
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether a text is a unique id of IAM: `AROA…` for roles, `AIDA…` for users, and others.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
pub(super) fn is_unique_id(text: &str) -> bool {
    let prefix = ["AROA", "AIDA", "AGPA", "AIPA", "ANPA", "ASIA", "APKA"].iter().any(|prefix| text.starts_with(prefix));
    prefix && text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn why_nobody(text: &str) -> &'static str {
    let Ok(arn) = text.parse::<Arn>() else { return "it is neither an ARN nor an account" };
    if text.contains(['*', '?']) {
        return "wildcards inside a principal's ARN are not expanded";
    }
    match (arn.service(), arn.resource().split('/').next()) {
        ("iam", Some("group")) => "a group is no principal; name a role",
        ("iam", Some("instance-profile")) => "an instance profile is no principal; name its role",
        ("iam", Some("policy")) => "a policy is no principal",
        ("iam", Some("oidc-provider" | "saml-provider")) => "identity providers are principals of trust policies alone",
        _ => "it is not the ARN of a user, role, session or account",
    }
}
