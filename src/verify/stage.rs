//! The people around a key, and calls in the name of the first of them who may make it.

use super::cast::{Actor, Member};
use super::duty::duties;
use super::judge::{self, Verdict};
use super::notes::{Notes, Question, positive};
use super::subject::Subject;
use super::uses::{Read, Use};
use super::{Enforced, TargetJob};
use crate::access::PrincipalFacts;
use crate::desired::Delegation;
use crate::ports::{Clock, Crypto, EncryptionContext, PortErrorKind, PortResult};
use crate::report::{Expectation, ProbeResult};

/// A key under test, and those in whose name calls can be made.
pub(super) struct Stage<'s, 'a, C, M> {
    pub(super) job: &'s TargetJob<'a, C, M>,
    pub(super) subject: &'s Subject<'a>,
    pub(super) members: &'s [Member<'a, C>],
    pub(super) enforced: Enforced,
}

/// What somebody must be able to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Right<'c> {
    /// To use the key, under a context where it takes one.
    Use(Use, &'c EncryptionContext),
    /// To read.
    Read(Read),
}

impl Right<'_> {
    fn judge(self, who: &PrincipalFacts, subject: &Subject<'_>) -> Verdict {
        match self {
            Self::Use(what, context) => judge::of_use(what, context, None, who, &subject.facts),
            Self::Read(read) => judge::request(&judge::on_key(read.action(), &subject.facts), who, &subject.facts),
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Use(what, _) => what.verb(),
            Self::Read(Read::GetPublicKey) => "read the public key",
            Self::Read(Read::DescribeKey | Read::GetKeyPolicy | Read::ListGrants) => "read the key",
        }
    }
}

/// Somebody in whose name a call can be made.
struct Voice<'s, C> {
    identity: String,
    connection: &'s C,
    /// Whether the key policy admits it, or only trying tells.
    certain: bool,
}

/// What came of a call, and in whose name.
#[derive(Debug)]
pub(super) struct Asked<T> {
    pub(super) identity: String,
    /// The answer, or what is to be said where nobody could be called for.
    pub(super) answer: Result<PortResult<T>, ProbeResult>,
    pub(super) latency: Option<u64>,
}

impl<T> Asked<T> {
    /// Returns what was answered to a call that succeeded.
    pub(super) fn value(&self) -> Option<&T> {
        self.answer.as_ref().ok().and_then(|answer| answer.as_ref().ok())
    }

    /// Returns the result of a probe that succeeds where the answer is as it should be; `judge` says what is wrong.
    pub(super) fn result(&self, judge: impl FnOnce(&T) -> Option<String>) -> ProbeResult {
        match &self.answer {
            Err(result) => result.clone(),
            Ok(Ok(value)) => judge(value).map_or(ProbeResult::Passed, |observed| ProbeResult::Failed { observed }),
            Ok(Err(error)) => positive::<()>(&Err(error.clone())),
        }
    }
}

impl<C: Crypto, M> Stage<'_, '_, C, M> {
    /// Makes a call in the name of the first who may: the caller, then the others in order.
    pub(super) async fn ask<T, N: Clock + Sync>(
        &self,
        notes: &Notes<'_, N>,
        right: Right<'_>,
        call: impl AsyncFn(&C) -> PortResult<T>,
    ) -> Asked<T> {
        for voice in self.voices(right) {
            let (answer, latency) = notes.timed(call(voice.connection)).await;
            let refused = matches!(&answer, Err(error) if error.kind == PortErrorKind::Denied);
            if voice.certain || !refused {
                return Asked { identity: voice.identity, answer: Ok(answer), latency };
            }
        }
        let (identity, result) = self.judged(right);
        Asked { identity, answer: Err(result), latency: None }
    }

    /// Returns whether anybody can be called for who may.
    pub(super) fn has_voice(&self, right: Right<'_>) -> bool {
        self.voices(right).iter().any(|voice| voice.certain)
    }

    fn voices(&self, right: Right<'_>) -> Vec<Voice<'_, C>> {
        let mut voices: Vec<Voice<'_, C>> = self.caller(right).into_iter().collect();
        for member in self.members {
            let Ok(Actor::Session(connection)) = &member.actor else { continue };
            let who = judge::stand_in(member.duty.principal, self.job.target);
            if who.is_some_and(|who| right.judge(&who, self.subject).is_allowed()) {
                voices.push(Voice { identity: member.duty.identity.clone(), connection, certain: true });
            }
        }
        voices
    }

    fn caller(&self, right: Right<'_>) -> Option<Voice<'_, C>> {
        let own = self.members.iter().find(|member| matches!(member.actor, Ok(Actor::Caller(_))));
        let certain = right.judge(&judge::caller(&self.job.live.caller), self.subject).is_allowed();
        let open = self.subject.desired.delegation == Delegation::Account || !self.enforced.key_policy;
        let identity = own.map_or_else(|| "caller".to_owned(), |member| member.duty.identity.clone());
        (certain || open).then_some(Voice { identity, connection: self.job.connection, certain })
    }

    /// What is said where nobody could be called for.
    pub(super) fn judged(&self, right: Right<'_>) -> (String, ProbeResult) {
        let may = |principal| {
            judge::stand_in(principal, self.job.target).is_some_and(|who| right.judge(&who, self.subject).is_allowed())
        };
        let able = duties(self.job.target, self.subject.desired).into_iter().find(|duty| may(duty.principal));
        if let Some(duty) = able {
            let reason = "judged on the live key policy; not called in its name".to_owned();
            return (duty.identity, ProbeResult::Evaluated { reason });
        }
        let reason = format!("nobody who is declared may {}, by the live key policy", right.verb());
        ("caller".to_owned(), ProbeResult::NotChecked { reason })
    }
}

/// Writes a call down that should succeed; returns what was answered.
pub(super) fn allowed<'t, T, N: Clock + Sync>(
    notes: &mut Notes<'_, N>,
    scenario: &str,
    asked: &'t Asked<T>,
) -> Option<&'t T> {
    say(notes, (scenario, Expectation::Allowed), asked, |_| None);
    asked.value()
}

/// Writes a call down, of which `judge` says what is wrong with the answer.
pub(super) fn say<T, N: Clock + Sync>(
    notes: &mut Notes<'_, N>,
    (scenario, expected): (&str, Expectation),
    asked: &Asked<T>,
    judge: impl FnOnce(&T) -> Option<String>,
) {
    let question = Question { identity: &asked.identity, scenario, expected };
    notes.note(question, asked.result(judge), asked.latency);
}

/// Writes a call down that should be answered with exactly one error.
pub(super) fn refused<T, N: Clock + Sync>(
    notes: &mut Notes<'_, N>,
    scenario: &str,
    asked: &Asked<T>,
    (due, success): (PortErrorKind, &str),
) {
    let result = match &asked.answer {
        Ok(answer) => super::notes::negative(answer, due, success),
        Err(result) => result.clone(),
    };
    let question = Question { identity: &asked.identity, scenario, expected: Expectation::Refused };
    notes.note(question, result, asked.latency);
}
