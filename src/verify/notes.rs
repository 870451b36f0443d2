//! Writes probes down as they are made, with the time that they took.

use crate::ids::{KeyName, TargetName};
use crate::ports::{Clock, PortError, PortErrorKind};
use crate::report::{Expectation, Probe, ProbeResult};
use std::future::Future;

/// The probes of one key, in order.
pub(super) struct Notes<'a, M> {
    pub(super) target: &'a TargetName,
    pub(super) key: &'a KeyName,
    pub(super) clock: &'a M,
    pub(super) progress: &'a (dyn Fn(&Probe) + Sync),
    pub(super) probes: Vec<Probe>,
}

/// In whose name something is seen, and what should be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) identity: &'a str,
    pub(super) scenario: &'a str,
    pub(super) expected: Expectation,
}

impl<M: Clock + Sync> Notes<'_, M> {
    /// Writes a probe down.
    pub(super) fn note(&mut self, question: Question<'_>, result: ProbeResult, latency_ms: Option<u64>) {
        let probe = Probe {
            target: self.target.clone(),
            key: self.key.clone(),
            identity: question.identity.to_owned(),
            scenario: question.scenario.to_owned(),
            expected: question.expected,
            result,
            latency_ms,
        };
        (self.progress)(&probe);
        self.probes.push(probe);
    }

    /// Waits for a call, and returns how many milliseconds it took.
    pub(super) async fn timed<T>(&self, call: impl Future<Output = T>) -> (T, Option<u64>) {
        let begun = self.clock.now();
        let answer = call.await;
        let took = self.clock.now().as_millisecond().saturating_sub(begun.as_millisecond());
        (answer, u64::try_from(took).ok())
    }

    /// Returns the probes with those of one identity together, in the order of their first appearance.
    pub(super) fn grouped(self) -> Vec<Probe> {
        let mut identities: Vec<String> = Vec::new();
        for probe in &self.probes {
            if !identities.contains(&probe.identity) {
                identities.push(probe.identity.clone());
            }
        }
        let mut probes = self.probes;
        probes.sort_by_key(|probe| identities.iter().position(|identity| *identity == probe.identity));
        probes
    }
}

/// Returns what became of a call that should succeed.
pub(super) fn positive<T>(answer: &Result<T, PortError>) -> ProbeResult {
    match answer {
        Ok(_) => ProbeResult::Passed,
        Err(error) if says_nothing(error.kind) => ProbeResult::NotChecked { reason: words(error) },
        Err(error) => ProbeResult::Failed { observed: words(error) },
    }
}

/// Returns what became of a call that should be answered with exactly one error.
pub(super) fn negative<T>(answer: &Result<T, PortError>, due: PortErrorKind, success: &str) -> ProbeResult {
    match answer {
        Ok(_) => ProbeResult::Failed { observed: success.to_owned() },
        Err(error) if error.kind == due => ProbeResult::Passed,
        Err(error) => ProbeResult::NotChecked { reason: words(error) },
    }
}

/// Returns whether an error tells nothing of the key and its policy.
fn says_nothing(kind: PortErrorKind) -> bool {
    match kind {
        PortErrorKind::Throttled
        | PortErrorKind::Transient
        | PortErrorKind::Unknown
        | PortErrorKind::Unreachable
        | PortErrorKind::Credentials
        | PortErrorKind::LimitExceeded
        | PortErrorKind::NotSupported => true,
        PortErrorKind::NotFound
        | PortErrorKind::Denied
        | PortErrorKind::AlreadyExists
        | PortErrorKind::InvalidState
        | PortErrorKind::Disabled
        | PortErrorKind::InvalidPrincipal
        | PortErrorKind::Lockout
        | PortErrorKind::Invalid
        | PortErrorKind::InvalidCiphertext
        | PortErrorKind::IncorrectKey
        | PortErrorKind::InvalidSignature
        | PortErrorKind::InvalidMac
        | PortErrorKind::IncorrectMaterial
        | PortErrorKind::ImportToken
        | PortErrorKind::Protocol => false,
    }
}

/// Returns an error in a line: the call, the server's code and message. Escaped where it is shown.
pub(super) fn words(error: &PortError) -> String {
    let code = error.code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
    format!("{}: {code}{}", error.call, error.message)
}
