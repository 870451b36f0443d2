//! Faults on request: lost replies, throttling, server errors, latency, a crash, eventual consistency.

use super::error::ApiError;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::time::Duration;

/// Faults to inject, as data. [`Faults::parse`] says how they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<Fault>);

/// One fault. An operation is `*`, `CreateKey` or `kms:CreateKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// The n-th call of the operation takes effect, but its reply is lost.
    DropReply { operation: String, nth: u64 },
    /// The first calls of the operation are throttled.
    Throttle { operation: String, times: u64 },
    /// The first calls of the operation fail inside the server, without effect.
    ServerError { operation: String, times: u64 },
    /// Every call takes so long.
    Latency(Duration),
    /// From the n-th call of the operation on, no call is answered.
    Crash { operation: String, nth: u64 },
    /// What is new appears in lists only after so many further lists.
    Lag(u32),
    /// What AWS does not end within the call takes so long.
    Settle(SignedDuration),
}

impl Faults {
    /// Returns no faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a comma-separated list of faults:
    ///
    /// * `drop-reply:CreateKey@1` — the first `CreateKey` takes effect, but its connection ends without a reply;
    /// * `throttle:PutKeyPolicy*3` — the first three are answered with `ThrottlingException`;
    /// * `error:CreateAlias*2` — the first two are answered with status 500;
    /// * `latency:50` — every call takes 50 milliseconds;
    /// * `crash:*@7`, `crash:CreateAlias@1` — from that call on nothing is answered any more;
    /// * `lag:2` — new keys, aliases and tags appear in lists only after two further lists;
    /// * `settle:30` — new replicas stay `Creating`, moved primaries `Updating`, key stores `CONNECTING` and rotations on
    ///   demand under way for 30 seconds of the sandbox's clock.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Fault::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl Fault {
    fn parse(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "`{}` is no fault: write drop-reply:OPERATION@N, throttle:OPERATION*N, error:OPERATION*N, latency:MS, \
                 crash:OPERATION@N, lag:N or settle:SECONDS",
                crate::text::escape(text)
            )
        };
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        let split = |mark: char| {
            let (operation, count) = rest.rsplit_once(mark)?;
            let count: u64 = count.parse().ok().filter(|n| *n > 0)?;
            (!operation.is_empty()).then(|| (operation.to_owned(), count))
        };
        let fault = match kind {
            "drop-reply" => split('@').map(|(operation, nth)| Self::DropReply { operation, nth }),
            "throttle" => split('*').map(|(operation, times)| Self::Throttle { operation, times }),
            "error" => split('*').map(|(operation, times)| Self::ServerError { operation, times }),
            "crash" => split('@').map(|(operation, nth)| Self::Crash { operation, nth }),
            "latency" => rest.parse().ok().map(|ms| Self::Latency(Duration::from_millis(ms))),
            "lag" => rest.parse().ok().map(Self::Lag),
            "settle" => rest.parse().ok().map(|seconds: u32| Self::Settle(SignedDuration::from_secs(seconds.into()))),
            _ => None,
        };
        fault.ok_or_else(unknown)
    }
}

/// What becomes of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered.
    Answer,
    /// It takes effect, but the connection ends without a reply.
    DropReply,
    /// It has no effect and is answered with an error.
    Refuse(ApiError),
    /// It has no effect, and the connection ends.
    Cut,
}

/// Counts calls, and says what becomes of each.
#[derive(Debug, Default)]
pub(super) struct Fates {
    faults: Vec<Fault>,
    counts: BTreeMap<String, u64>,
    crashed: bool,
}

impl Fates {
    /// Starts counting.
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults: faults.0, counts: BTreeMap::new(), crashed: false }
    }

    /// Returns how often each operation was called: `kms:CreateKey`.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.clone()
    }

    /// Returns how long every call is to take.
    pub(super) fn latency(&self) -> Duration {
        self.faults.iter().map(|fault| if let Fault::Latency(time) = fault { *time } else { Duration::ZERO }).sum()
    }

    /// Returns after how many further lists something new appears.
    pub(super) fn lag(&self) -> u32 {
        self.faults.iter().map(|fault| if let Fault::Lag(reads) = fault { *reads } else { 0 }).sum()
    }

    /// Returns how long the transitions take that AWS does not end within a call.
    pub(super) fn settle(&self) -> SignedDuration {
        self.faults.iter().map(|fault| if let Fault::Settle(time) = fault { *time } else { SignedDuration::ZERO }).sum()
    }

    fn count(&self, operation: &str) -> u64 {
        if operation == "*" {
            return self.counts.values().sum();
        }
        self.counts.iter().filter(|(name, _)| is_called(name, operation)).map(|(_, count)| count).sum()
    }

    /// Counts a call (`kms:CreateKey`) and returns its fate.
    pub(super) fn next(&mut self, operation: &str) -> Fate {
        *self.counts.entry(operation.to_owned()).or_default() += 1;
        let about = |named: &str| named == "*" || is_called(operation, named);
        let mut fate = Fate::Answer;
        for fault in &self.faults {
            match fault {
                Fault::Crash { operation: named, nth } if about(named) && self.count(named) >= *nth => {
                    self.crashed = true;
                }
                Fault::DropReply { operation: named, nth } if about(named) && self.count(named) == *nth => {
                    fate = Fate::DropReply;
                }
                Fault::Throttle { operation: named, times } if about(named) && self.count(named) <= *times => {
                    fate = Fate::Refuse(ApiError::new("ThrottlingException", "Rate exceeded"));
                }
                Fault::ServerError { operation: named, times } if about(named) && self.count(named) <= *times => {
                    fate = Fate::Refuse(ApiError::internal("An injected fault").status(500));
                }
                Fault::Crash { .. }
                | Fault::DropReply { .. }
                | Fault::Throttle { .. }
                | Fault::ServerError { .. }
                | Fault::Latency(_)
                | Fault::Lag(_)
                | Fault::Settle(_) => {}
            }
        }
        if self.crashed { Fate::Cut } else { fate }
    }
}

/// Returns whether a counted name (`kms:CreateKey`) is what a fault names, with or without the service.
fn is_called(counted: &str, named: &str) -> bool {
    counted == named || counted.split_once(':').is_some_and(|(_, operation)| operation == named)
}

/// What is new and not yet visible in lists.
#[derive(Debug, Default)]
pub(super) struct Lag {
    reads: u32,
    hidden: BTreeMap<String, u32>,
}

impl Lag {
    /// Hides new things from so many lists.
    pub(super) fn new(reads: u32) -> Self {
        Self { reads, hidden: BTreeMap::new() }
    }

    /// Remembers that something is new: `alias` or `key` or `tags`, and its ARN.
    pub(super) fn hide(&mut self, kind: &str, arn: &str) {
        if self.reads > 0 {
            self.hidden.insert(format!("{kind} {arn}"), self.reads);
        }
    }

    /// Returns whether something is hidden still.
    pub(super) fn hides(&self, kind: &str, arn: &str) -> bool {
        !self.hidden.is_empty() && self.hidden.contains_key(&format!("{kind} {arn}"))
    }

    /// Remembers that a kind of thing was listed.
    pub(super) fn listed(&mut self, kind: &str) {
        let prefix = format!("{kind} ");
        self.hidden.retain(|name, left| {
            if name.starts_with(&prefix) {
                *left = left.saturating_sub(1);
            }
            *left > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_at_the_counted_call() {
        let mut fates =
            Fates::new(Faults::parse("drop-reply:CreateKey@2, throttle:kms:PutKeyPolicy*1,crash:*@6").unwrap());
        assert_eq!(fates.next("kms:CreateKey"), Fate::Answer);
        assert_eq!(fates.next("kms:CreateKey"), Fate::DropReply);
        assert!(matches!(fates.next("kms:PutKeyPolicy"), Fate::Refuse(e) if e.code == "ThrottlingException"));
        assert_eq!(fates.next("kms:PutKeyPolicy"), Fate::Answer);
        assert_eq!(fates.next("iam:GetRole"), Fate::Answer);
        assert_eq!(fates.next("iam:GetRole"), Fate::Cut);
        assert_eq!(fates.next("kms:CreateKey"), Fate::Cut);
        assert_eq!(fates.counts().get("kms:CreateKey"), Some(&3));
    }

    #[test]
    fn faults_that_are_misspelt_are_named() {
        for bad in ["drop:CreateKey@1", "throttle:X", "crash:@1", "lag:x", "drop-reply:X@0", "settle:-1"] {
            assert!(Faults::parse(bad).unwrap_err().contains(bad), "{bad}");
        }
        assert_eq!(Faults::parse(" ").unwrap(), Faults::none());
    }

    #[test]
    fn lag_ends_after_so_many_lists() {
        let mut lag = Lag::new(2);
        lag.hide("alias", "a");
        for _ in 0..2 {
            assert!(lag.hides("alias", "a"));
            lag.listed("key");
            lag.listed("alias");
        }
        assert!(!lag.hides("alias", "a"));
    }
}
