//! Finds out what is on somebody's list of checks: by calls in its name, by dry runs, by the evaluator.

use super::cast::Member;
use super::check::{Ask, Check, Hinge, Read, Use, checks};
use super::notes::{Notes, Question, negative, positive};
use super::subject::Subject;
use super::{Enforced, judge};
use crate::access::PrincipalFacts;
use crate::desired::DesiredTarget;
use crate::ports::{Clock, Crypto, EncryptionContext, KeyReader, PortErrorKind, PortResult};
use crate::report::{Expectation, ProbeResult};
use crate::secret::SecretBytes;

/// What a denied call would have been if the server had let it pass.
const SUCCEEDED: &str = "the call is allowed";

/// Somebody in whose name calls are made, and the last ciphertext that it made.
pub(super) struct Performer<'a, C> {
    connection: &'a C,
    subject: &'a Subject<'a>,
    made: Option<(Vec<u8>, EncryptionContext)>,
}

impl<'a, C: Crypto + KeyReader + Sync> Performer<'a, C> {
    pub(super) fn new(connection: &'a C, subject: &'a Subject<'a>) -> Self {
        Self { connection, subject, made: None }
    }

    /// Makes a call that should succeed: for real where a ciphertext is at hand or none is needed, else as a dry run.
    async fn used(&mut self, what: Use, context: &EncryptionContext) -> PortResult<()> {
        let (connection, key) = (self.connection, &self.subject.id);
        let made = self.made.as_ref().filter(|(_, under)| under == context).map(|(ciphertext, _)| ciphertext.clone());
        match (what, made) {
            (Use::Encrypt, _) => {
                let ciphertext = connection.encrypt(key, &SecretBytes::new(b"keywright".to_vec()), context).await?;
                self.made = Some((ciphertext, context.clone()));
            }
            (Use::GenerateDataKey, _) => {
                let data_key = connection.generate_data_key(key, context).await?;
                self.made = Some((data_key.ciphertext, context.clone()));
            }
            (Use::GenerateDataKeyWithoutPlaintext, _) => {
                let ciphertext = connection.generate_data_key_without_plaintext(key, context).await?;
                self.made = Some((ciphertext, context.clone()));
            }
            (Use::Decrypt, Some(ciphertext)) => drop(connection.decrypt(key, &ciphertext, context).await?),
            (Use::ReEncrypt, Some(ciphertext)) => {
                drop(connection.re_encrypt(key, &ciphertext, context, context).await?);
            }
            (Use::Decrypt | Use::ReEncrypt, None) => return self.dry_run(what, context).await,
        }
        Ok(())
    }

    /// Asks whether a use would succeed. A server that knows no such dry run misses a parameter: that says nothing.
    async fn dry_run(&self, what: Use, context: &EncryptionContext) -> PortResult<()> {
        let answer = self.connection.dry_run(what.call(), &self.subject.id, context).await;
        answer.map_err(|mut error| {
            if matches!(error.kind, PortErrorKind::Invalid | PortErrorKind::InvalidCiphertext) {
                error.kind = PortErrorKind::NotSupported;
            }
            error
        })
    }

    async fn read(&self, what: Read) -> PortResult<()> {
        let key = &self.subject.id;
        match what {
            Read::DescribeKey => self.connection.describe_key(key).await.map(drop),
            Read::GetKeyPolicy => self.connection.key_policy(key).await.map(drop),
            Read::ListGrants => self.connection.grants(key).await.map(drop),
        }
    }

    /// Makes the call of a check; `None` where it is for the evaluator.
    pub(super) async fn call(&mut self, check: &Check) -> Option<PortResult<()>> {
        match (&check.ask, check.expected) {
            (Ask::Use(what, context), Expectation::Allowed) => Some(self.used(*what, context).await),
            (Ask::Use(what, context), Expectation::Denied | Expectation::Refused) => {
                Some(self.dry_run(*what, context).await)
            }
            (Ask::Read(what), _) => Some(self.read(*what).await),
            (Ask::Judge(..) | Ask::Nothing(_), _) => None,
        }
    }
}

/// Finds out everything on a member's list.
pub(super) async fn perform<C, M>(
    notes: &mut Notes<'_, M>,
    member: &Member<'_, C>,
    subject: &Subject<'_>,
    target: &DesiredTarget,
    enforced: Enforced,
) where
    C: Crypto + KeyReader + Sync,
    M: Clock + Sync,
{
    let who = judge::stand_in(member.duty.principal, target);
    let identity = member.duty.identity.as_str();
    let mut performer = match &member.actor {
        Ok(actor) => Some(Performer::new(actor.connection(), subject)),
        Err(reason) => {
            let result = ProbeResult::NotChecked { reason: reason.clone() };
            let question = Question { identity, scenario: "real calls in its name", expected: Expectation::Allowed };
            notes.note(question, result, None);
            None
        }
    };
    for check in checks(&member.duty, subject, target) {
        let question = Question { identity, scenario: &check.scenario, expected: check.expected };
        let unenforced = enforced.silences(&check);
        let (result, latency) = match (&mut performer, unenforced, &check.ask) {
            (_, _, Ask::Judge(..) | Ask::Nothing(_)) | (None, _, _) => (judged(&check, who.as_ref(), subject), None),
            (Some(_), Some(reason), _) => (ProbeResult::NotChecked { reason: reason.to_owned() }, None),
            (Some(performer), None, _) => called(notes, performer, &check).await,
        };
        notes.note(question, result, latency);
    }
}

async fn called<C, M>(
    notes: &Notes<'_, M>,
    performer: &mut Performer<'_, C>,
    check: &Check,
) -> (ProbeResult, Option<u64>)
where
    C: Crypto + KeyReader + Sync,
    M: Clock + Sync,
{
    let (answer, latency) = notes.timed(performer.call(check)).await;
    let Some(answer) = answer else {
        return (ProbeResult::NotChecked { reason: "there is no call for it".to_owned() }, None);
    };
    let result = match check.expected {
        Expectation::Allowed => positive(&answer),
        Expectation::Denied | Expectation::Refused => negative(&answer, PortErrorKind::Denied, SUCCEEDED),
    };
    (result, latency)
}

/// Judges a check that is not called.
fn judged(check: &Check, who: Option<&PrincipalFacts>, subject: &Subject<'_>) -> ProbeResult {
    const NOT_CALLED: &str = "not called in its name; judged on the live key policy";
    let Some(who) = who else {
        return ProbeResult::NotChecked { reason: "it stands for many principals, so nobody can be judged".to_owned() };
    };
    let (verdict, why) = match &check.ask {
        Ask::Use(what, context) => (judge::of_use(*what, context, who, &subject.facts), NOT_CALLED),
        Ask::Read(read) => {
            let request = judge::on_key(read.action(), &subject.facts);
            (judge::request(&request, who, &subject.facts), NOT_CALLED)
        }
        Ask::Judge(request, why) => (judge::request(request, who, &subject.facts), *why),
        Ask::Nothing(reason) => return ProbeResult::NotChecked { reason: (*reason).to_owned() },
    };
    verdict.result(check.expected, why)
}

impl Enforced {
    /// Returns why a check that should be denied means nothing on this server, if it does not.
    pub(super) fn silences(self, check: &Check) -> Option<&'static str> {
        if check.expected == Expectation::Allowed {
            return None;
        }
        match (self.key_policy, self.context, check.hinge) {
            (false, _, _) => Some("the server does not enforce key policies"),
            (true, false, Hinge::Context) => Some("the server does not enforce conditions on the encryption context"),
            (true, true, Hinge::Context) | (true, _, Hinge::KeyPolicy) => None,
        }
    }
}
