//! Finds out what is on somebody's list of checks: by calls in its name, by dry runs, by the evaluator.

use super::cast::Member;
use super::check::{Ask, Check, Forwarded, Hinge, checks};
use super::notes::{Notes, Question, negative, positive};
use super::specimen::{Specimens, TEXT, cipher};
use super::subject::Subject;
use super::uses::{Read, Use};
use super::{Enforced, judge};
use crate::access::PrincipalFacts;
use crate::desired::{DesiredTarget, KeyKind};
use crate::ids::KeyId;
use crate::ports::{
    Clock, Crypto, EncryptionContext, Forwarding, KeyReader, PortError, PortErrorKind, PortResult, Trial,
};
use crate::report::{Expectation, ProbeResult, REAL_CALLS};
use crate::secret::SecretBytes;
use crate::services::Service;
use std::collections::BTreeMap;

/// What a denied call would have been if the server had let it pass.
const SUCCEEDED: &str = "the call is allowed";

/// A ciphertext, and the context that it was made under.
type Made = Option<(Vec<u8>, EncryptionContext)>;

/// The key under test as calls take it, and what they need beside it.
#[derive(Clone, Copy)]
struct Target<'a> {
    id: &'a KeyId,
    kind: KeyKind,
    specimens: &'a Specimens,
}

/// Somebody in whose name calls are made, and the last ciphertext that it made.
pub(super) struct Performer<'a, C> {
    connection: &'a C,
    /// The same through services.
    forwarded: BTreeMap<Service, C>,
    target: Target<'a>,
    made: Made,
}

impl<'a, C: Crypto + KeyReader + Forwarding + Sync> Performer<'a, C> {
    pub(super) fn new(connection: &'a C, subject: &'a Subject<'a>, specimens: &'a Specimens) -> Self {
        let target = Target { id: &subject.id, kind: subject.desired.material.kind(), specimens };
        Self { connection, forwarded: BTreeMap::new(), target, made: None }
    }

    /// Makes the call of a check; `None` where it is for the evaluator.
    pub(super) async fn call(&mut self, check: &Check) -> Option<PortResult<()>> {
        match &check.ask {
            Ask::Use(what, context) => {
                let asked = (*what, context, check.expected);
                Some(used(self.connection, self.target, &mut self.made, asked).await)
            }
            Ask::Read(what) => Some(read(self.connection, self.target.id, *what).await),
            Ask::Through(service, call, _) => {
                if !self.forwarded.contains_key(service) {
                    self.forwarded.insert(*service, self.connection.forwarded_by(*service)?);
                }
                let connection = self.forwarded.get(service)?;
                Some(match call {
                    Forwarded::Use(what, context) => {
                        let asked = (*what, context, check.expected);
                        used(connection, self.target, &mut self.made, asked).await
                    }
                    Forwarded::Read(what) => read(connection, self.target.id, *what).await,
                })
            }
            Ask::Judge(..) | Ask::Nothing(_) => None,
        }
    }

    /// Asks whether a use would succeed.
    pub(super) async fn dry_run(&self, what: Use, context: &EncryptionContext) -> PortResult<()> {
        dry_run(self.connection, self.target, what, context).await
    }
}

/// Makes a call that should succeed, for real where what it takes is at hand; all else is a dry run.
async fn used<C: Crypto>(
    connection: &C,
    target: Target<'_>,
    made: &mut Made,
    (what, context, expected): (Use, &EncryptionContext, Expectation),
) -> PortResult<()> {
    if expected != Expectation::Allowed {
        return dry_run(connection, target, what, context).await;
    }
    let (key, cipher) = (target.id, cipher(target.kind, context));
    let at_hand = made.as_ref().filter(|(_, under)| under == context).map(|(ciphertext, _)| ciphertext.clone());
    match (what, at_hand) {
        (Use::Encrypt, _) => {
            let ciphertext = connection.encrypt(key, &SecretBytes::new(TEXT.to_vec()), cipher).await?;
            *made = Some((ciphertext, context.clone()));
        }
        (Use::GenerateDataKey, _) => {
            let data_key = connection.generate_data_key(key, context).await?;
            *made = Some((data_key.ciphertext, context.clone()));
        }
        (Use::GenerateDataKeyWithoutPlaintext, _) => {
            let ciphertext = connection.generate_data_key_without_plaintext(key, context).await?;
            *made = Some((ciphertext, context.clone()));
        }
        (Use::Decrypt, Some(ciphertext)) => drop(connection.decrypt(key, &ciphertext, cipher).await?),
        (Use::ReEncrypt, Some(ciphertext)) => drop(connection.re_encrypt(key, &ciphertext, cipher, cipher).await?),
        (Use::Decrypt | Use::ReEncrypt, None) => return dry_run(connection, target, what, context).await,
        (Use::GenerateDataKeyPair, _) => drop(connection.generate_data_key_pair(key, context).await?),
        (Use::GenerateDataKeyPairWithoutPlaintext, _) => {
            drop(connection.generate_data_key_pair_without_plaintext(key, context).await?);
        }
        (
            Use::Sign
            | Use::Verify
            | Use::GenerateMac
            | Use::VerifyMac
            | Use::DeriveSharedSecret
            | Use::Encapsulate
            | Use::Decapsulate,
            _,
        ) => return used_without_context(connection, target, what, context).await,
    }
    Ok(())
}

/// The same for uses without a context: with the specimens, which the proofs of the key left behind.
async fn used_without_context<C: Crypto>(
    connection: &C,
    target: Target<'_>,
    what: Use,
    context: &EncryptionContext,
) -> PortResult<()> {
    let Specimens { signature, mac, .. } = target.specimens;
    let key = target.id;
    match target.specimens.trial(what, target.kind, context) {
        Some(Trial::Sign(algorithm, text)) => drop(connection.sign(key, algorithm, text).await?),
        Some(Trial::Verify(algorithm, text, signed)) if signature.is_some() => {
            connection.verify(key, algorithm, text, signed).await?;
        }
        Some(Trial::GenerateMac(algorithm, text)) => drop(connection.generate_mac(key, algorithm, text).await?),
        Some(Trial::VerifyMac(algorithm, text, code)) if mac.is_some() => {
            connection.verify_mac(key, algorithm, text, code).await?;
        }
        Some(Trial::DeriveSharedSecret(peer)) => drop(connection.derive_shared_secret(key, peer).await?),
        Some(Trial::Encapsulate) => drop(connection.encapsulate(key).await?),
        Some(Trial::Decapsulate(capsule)) => drop(connection.decapsulate(key, capsule).await?),
        Some(
            Trial::Verify(..)
            | Trial::VerifyMac(..)
            | Trial::Encrypt(_)
            | Trial::Decrypt(_)
            | Trial::ReEncrypt(_)
            | Trial::GenerateDataKey(_)
            | Trial::GenerateDataKeyWithoutPlaintext(_)
            | Trial::GenerateDataKeyPair(_)
            | Trial::GenerateDataKeyPairWithoutPlaintext(_),
        )
        | None => return dry_run(connection, target, what, context).await,
    }
    Ok(())
}

/// Asks whether a use would succeed. A server that knows no such dry run misses a parameter: that says nothing.
async fn dry_run<C: Crypto>(
    connection: &C,
    target: Target<'_>,
    what: Use,
    context: &EncryptionContext,
) -> PortResult<()> {
    const NOTHING: &str = "what the call takes cannot be made on this side: its cryptographic library lacks the spec";
    let Some(trial) = target.specimens.trial(what, target.kind, context) else {
        return Err(PortError::new(PortErrorKind::NotSupported, what.call(), NOTHING));
    };
    connection.dry_run(target.id, trial).await.map_err(|mut error| {
        let looked = matches!(
            error.kind,
            PortErrorKind::Invalid
                | PortErrorKind::InvalidCiphertext
                | PortErrorKind::InvalidSignature
                | PortErrorKind::InvalidMac
        );
        if looked {
            error.kind = PortErrorKind::NotSupported;
        }
        error
    })
}

async fn read<C: Crypto + KeyReader>(connection: &C, key: &KeyId, what: Read) -> PortResult<()> {
    match what {
        Read::DescribeKey => connection.describe_key(key).await.map(drop),
        Read::GetKeyPolicy => connection.key_policy(key).await.map(drop),
        Read::GetPublicKey => connection.public_key(key).await.map(drop),
        Read::ListGrants => connection.grants(key).await.map(drop),
    }
}

/// Finds out everything on a member's list.
pub(super) async fn perform<C, M>(
    notes: &mut Notes<'_, M>,
    member: &Member<'_, C>,
    subject: &Subject<'_>,
    (target, specimens): (&DesiredTarget, &Specimens),
    enforced: Enforced,
) where
    C: Crypto + KeyReader + Forwarding + Sync,
    M: Clock + Sync,
{
    let who = judge::stand_in(member.duty.principal, target);
    let identity = member.duty.identity.as_str();
    let mut performer = match &member.actor {
        Ok(actor) => Some(Performer::new(actor.connection(), subject, specimens)),
        Err(reason) => {
            let result = ProbeResult::NotChecked { reason: reason.clone() };
            let question = Question { identity, scenario: REAL_CALLS, expected: Expectation::Allowed };
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
            (Some(performer), None, _) => match called(notes, performer, &check).await {
                Some(found) => found,
                None => (judged(&check, who.as_ref(), subject), None),
            },
        };
        notes.note(question, result, latency);
    }
}

/// Makes the call of a check; returns `None` where nobody can make it.
async fn called<C, M>(
    notes: &Notes<'_, M>,
    performer: &mut Performer<'_, C>,
    check: &Check,
) -> Option<(ProbeResult, Option<u64>)>
where
    C: Crypto + KeyReader + Forwarding + Sync,
    M: Clock + Sync,
{
    let (answer, latency) = notes.timed(performer.call(check)).await;
    let answer = answer?;
    let result = match check.expected {
        Expectation::Allowed => positive(&answer),
        Expectation::Denied | Expectation::Refused => negative(&answer, PortErrorKind::Denied, SUCCEEDED),
    };
    Some((result, latency))
}

/// Judges a check that is not called.
fn judged(check: &Check, who: Option<&PrincipalFacts>, subject: &Subject<'_>) -> ProbeResult {
    const NOT_CALLED: &str = "not called in its name; judged on the live key policy";
    let Some(who) = who else {
        return ProbeResult::NotChecked { reason: "it stands for many principals, so nobody can be judged".to_owned() };
    };
    let (verdict, why) = match &check.ask {
        Ask::Use(what, context) => (judge::of_use(*what, context, None, who, &subject.facts), NOT_CALLED),
        Ask::Read(read) => {
            let request = judge::on_key(read.action(), &subject.facts);
            (judge::request(&request, who, &subject.facts), NOT_CALLED)
        }
        Ask::Through(service, Forwarded::Use(what, context), why) => {
            (judge::of_use(*what, context, Some(*service), who, &subject.facts), *why)
        }
        Ask::Through(service, Forwarded::Read(read), why) => {
            let mut request = judge::on_key(read.action(), &subject.facts);
            request.via_service = Some(service.via_service(&subject.facts.region));
            (judge::request(&request, who, &subject.facts), *why)
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
