//! The one way out: every call is counted, paced, bounded, classified and, where that does no harm, repeated.

use super::error;
use super::pace::SharedPace;
use super::settings::{ConnectSettings, Endpoint, Pacing, RetryBudget};
use crate::ports::PortResult;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Whether a call may be sent again when nothing is known of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It may: it reads, or a second one changes nothing more.
    Harmless,
    /// It may not: a second one would make a second thing.
    Never,
}

/// A call of an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// Its action's name: `kms:DescribeKey`.
    pub(super) name: &'static str,
    /// Whether it may be sent again.
    pub(super) repeat: Repeat,
}

impl Call {
    /// Returns a call that may be sent again.
    pub(super) const fn harmless(name: &'static str) -> Self {
        Self { name, repeat: Repeat::Harmless }
    }

    /// Returns a call that is sent once.
    pub(super) const fn once(name: &'static str) -> Self {
        Self { name, repeat: Repeat::Never }
    }
}

/// What all calls of a connection go through.
#[derive(Debug)]
pub(super) struct Gate {
    endpoint: Endpoint,
    retry: RetryBudget,
    permits: Semaphore,
    pace: Option<SharedPace>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Gate {
    pub(super) fn new(settings: &ConnectSettings) -> Self {
        let pace = match settings.pacing {
            Pacing::Quotas => Some(settings.pace.clone().unwrap_or_else(|| SharedPace::new(settings.region.clone()))),
            Pacing::None => None,
        };
        Self {
            endpoint: settings.endpoint.clone(),
            retry: settings.retry,
            permits: Semaphore::new(settings.parallel.max(1)),
            pace,
            counts: Mutex::new(BTreeMap::new()),
        }
    }

    /// Returns where the calls go.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns how often each call was sent.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    fn count(&self, call: Call) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(call.name).or_default() += 1;
    }

    /// Sends a call, again and again where that does no harm and the failure may pass.
    pub(super) async fn send<T, E, F>(&self, call: Call, attempt: impl Fn() -> F) -> PortResult<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: Error + ProvideErrorMetadata + 'static,
    {
        let deadline = Instant::now() + self.retry.total;
        let mut tried = 0;
        loop {
            let outcome = self.send_once(call, &attempt).await;
            tried += 1;
            let error = match outcome {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let wait = backoff(self.retry, tried);
            let spent = tried >= self.retry.attempts || Instant::now() + wait > deadline;
            if call.repeat == Repeat::Never || !error.is_transient() || spent {
                return Err(error);
            }
            tracing::debug!(call = call.name, tried, kind = ?error.kind, "repeating");
            tokio::time::sleep(wait).await;
        }
    }

    async fn send_once<T, E, F>(&self, call: Call, attempt: impl Fn() -> F) -> PortResult<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: Error + ProvideErrorMetadata + 'static,
    {
        // The semaphore is never closed; without a permit the call would merely not be held back.
        let permit = self.permits.acquire().await.ok();
        if let Some(pace) = &self.pace {
            pace.wait(call.name).await;
        }
        self.count(call);
        let outcome = attempt().await;
        drop(permit);
        outcome.map_err(|failure| error::classify(call, &self.endpoint, &failure))
    }
}

/// Returns how long to wait before the next attempt: doubling, and anywhere in the upper half, so that many callers
/// do not come back at once.
fn backoff(budget: RetryBudget, tried: u32) -> Duration {
    let doubled = budget.first_wait.saturating_mul(2_u32.saturating_pow(tried.saturating_sub(1)));
    let longest = doubled.min(budget.longest_wait);
    let mut random = [0_u8; 1];
    // Without randomness the wait is the shortest one, which is as right.
    let jitter = aws_lc_rs::rand::fill(&mut random).map_or(0, |()| u32::from(random[0]));
    longest / 2 + longest / 2 * jitter / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let budget = RetryBudget::default();
        for (tried, longest) in [(1, 200), (2, 400), (3, 800), (9, 5_000), (90, 5_000)] {
            let wait = backoff(budget, tried);
            let longest = Duration::from_millis(longest);
            assert!(wait >= longest / 2 && wait <= longest, "{tried}: {wait:?}");
        }
    }
}
