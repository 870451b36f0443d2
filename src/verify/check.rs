//! The list of what is checked in one principal's name on one key, as data: nothing here calls anybody.

use super::duty::{Deploys, Duty};
use super::uses::{Read, Use, takes_context};
use super::{context, judge, service};
use crate::access::{PrincipalFacts, Request};
use crate::desired::{DataKeyUse, Delegation, DesiredTarget};
use crate::ports::EncryptionContext;
use crate::report::Expectation;
use crate::services::Service;
use crate::verify::subject::Subject;

/// The actions that change a key or pass it on: judged, never sent.
pub(super) const CHANGES: &[&str] = &[
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:DisableKey",
    "kms:TagResource",
    "kms:CreateAlias",
    "kms:EnableKeyRotation",
    "kms:CreateGrant",
];

/// A call that a service forwards.
#[derive(Debug, Clone)]
pub(super) enum Forwarded {
    /// A use, under the context that the service sends.
    Use(Use, EncryptionContext),
    /// A read.
    Read(Read),
}

/// How something is found out.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// By using the key, or by a dry run of it.
    Use(Use, EncryptionContext),
    /// By reading.
    Read(Read),
    /// By a call that a service forwards, where the server lets somebody play it; else by the evaluator, for this
    /// reason.
    Through(Service, Forwarded, &'static str),
    /// By the evaluator, for this reason.
    Judge(Box<Request>, &'static str),
    /// Not at all, for this reason.
    Nothing(&'static str),
}

/// What a server must enforce for a denial to mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hinge {
    KeyPolicy,
    Context,
}

/// One thing to find out in somebody's name.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) scenario: String,
    pub(super) expected: Expectation,
    pub(super) ask: Ask,
    pub(super) hinge: Hinge,
}

impl Check {
    fn new(what: &str, allowed: bool, ask: Ask) -> Self {
        let (word, expected) = if allowed { ("allow", Expectation::Allowed) } else { ("deny", Expectation::Denied) };
        Self { scenario: format!("{word}: {what}"), expected, ask, hinge: Hinge::KeyPolicy }
    }
}

/// Returns everything to find out in somebody's name, in the order in which it is done.
pub(super) fn checks(duty: &Duty<'_>, subject: &Subject<'_>, target: &DesiredTarget) -> Vec<Check> {
    let mut checks = uses(duty, subject);
    checks.extend(contexts(duty, subject));
    checks.extend(reads(duty, subject));
    let who = judge::stand_in(duty.principal, target);
    if let Some(who) = &who {
        checks.extend(changes(duty, subject, who));
    }
    checks.extend(duty.tables.iter().flat_map(|user| service::checks(duty, user, subject, target)));
    checks
}

/// Whether what nobody granted may still come from IAM: the deployer's own policies are its account's to keep.
fn is_left_to_iam(duty: &Duty<'_>, subject: &Subject<'_>) -> bool {
    duty.deploys == Deploys::Yes && subject.desired.delegation == Delegation::Account
}

fn uses(duty: &Duty<'_>, subject: &Subject<'_>) -> Vec<Check> {
    const TO_IAM: &str = "the key policy leaves the account's deployers to IAM; judged on the key policy alone";
    const NO_VALUE: &str = "the context depends on a policy variable, for which no value can be picked";
    let key = subject.desired;
    let contexts: Vec<EncryptionContext> = duty.direct_contexts(key).into_iter().map(|(_, context)| context).collect();
    let one = |what: Use| {
        let allows =
            |context: &EncryptionContext| what.actions().iter().all(|action| duty.allows(key, action, context));
        let fitting = contexts.iter().find(|context| allows(context));
        if let Some(context) = fitting {
            return Check::new(what.call(), true, Ask::Use(what, context.clone()));
        }
        if what.actions().iter().any(|action| duty.has_direct(key, action)) {
            return Check::new(what.call(), true, Ask::Nothing(NO_VALUE));
        }
        let context = contexts.first().cloned().unwrap_or_else(|| context::plain(key));
        if is_left_to_iam(duty, subject) {
            // Uses of one action alone reach this: a deployer's re-encryption is judged by its first half.
            let mut request = judge::on_key(what.actions().first().copied().unwrap_or_default(), &subject.facts);
            request.encryption_context = context;
            return Check::new(what.call(), false, Ask::Judge(Box::new(request), TO_IAM));
        }
        Check::new(what.call(), false, Ask::Use(what, context))
    };
    Use::of(key.shape()).into_iter().map(one).collect()
}

/// Without the declared context, and with another value of each of its keys, what is allowed becomes denied. One
/// reading and one writing use stand for all.
fn contexts(duty: &Duty<'_>, subject: &Subject<'_>) -> Vec<Check> {
    let key = subject.desired;
    let mut checks = Vec::new();
    if !takes_context(key) {
        return checks;
    }
    for (user, good) in duty.direct_contexts(key) {
        let DataKeyUse::Direct { context: patterns } = &user.access else { continue };
        let allowed = |what: &&Use| what.actions().iter().all(|action| duty.allows(key, action, &good));
        let reading = [Use::Decrypt].iter().find(allowed).copied();
        let writing = Use::ALL.iter().filter(|what| **what != Use::Decrypt).find(allowed).copied();
        let strange =
            patterns.keys().map(|name| (format!("with another {name}"), context::with_strange_value(&good, name)));
        let bad: Vec<(String, EncryptionContext)> =
            [("without context".to_owned(), EncryptionContext::new())].into_iter().chain(strange).collect();
        for what in reading.into_iter().chain(writing) {
            for (how, context) in &bad {
                if what.actions().iter().any(|action| duty.allows(key, action, context)) {
                    continue;
                }
                let what_and_how = format!("{} {how}", what.call());
                let check = Check::new(&what_and_how, false, Ask::Use(what, context.clone()));
                checks.push(Check { hinge: Hinge::Context, ..check });
            }
        }
    }
    checks
}

/// Administration is proved by reading: `GetKeyPolicy` is for staff alone, a public key for staff and its users.
fn reads(duty: &Duty<'_>, subject: &Subject<'_>) -> Vec<Check> {
    const TO_IAM: &str = "the key policy leaves the account's deployers to IAM; judged on the key policy alone";
    let none = EncryptionContext::new();
    let mut checks = Vec::new();
    for read in Read::of(subject.desired) {
        let allowed = duty.allows(subject.desired, read.action(), &none);
        if allowed || read.is_guarded() {
            let ask = if !allowed && is_left_to_iam(duty, subject) {
                Ask::Judge(Box::new(judge::on_key(read.action(), &subject.facts)), TO_IAM)
            } else {
                Ask::Read(*read)
            };
            checks.push(Check::new(read.action(), allowed, ask));
        }
    }
    checks
}

fn changes(duty: &Duty<'_>, subject: &Subject<'_>, who: &PrincipalFacts) -> Vec<Check> {
    const NEVER_SENT: &str = "it would change the key; judged on the live key policy";
    let none = EncryptionContext::new();
    let check = |(action, request): (&'static str, Request)| {
        let allowed = duty.allows(subject.desired, action, &none);
        Check::new(action, allowed, Ask::Judge(Box::new(request), NEVER_SENT))
    };
    judge::changes(&subject.facts, &who.arn).into_iter().map(check).collect()
}
