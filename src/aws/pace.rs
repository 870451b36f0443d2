//! Holds calls back to AWS's request quotas, each operation on its own, so that other callers are not throttled.

use crate::ids::Region;
use crate::kms;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How far ahead of an even pace a burst may run.
const BURST: Duration = Duration::from_millis(100);

/// The pace of one account and Region, for all connections there. Clones are one pace.
#[derive(Debug, Clone)]
pub struct SharedPace(Arc<Pace>);

impl SharedPace {
    /// Returns the pace of an account in a Region.
    pub fn new(region: Region) -> Self {
        Self(Arc::new(Pace::new(region)))
    }

    /// Waits until a call may be sent.
    pub(super) async fn wait(&self, call: &'static str) {
        self.0.wait(call).await;
    }
}

/// The pace of one account and Region.
#[derive(Debug)]
struct Pace {
    region: Region,
    /// When the next call of each bucket is due, at an even pace.
    due: Mutex<BTreeMap<&'static str, Instant>>,
}

impl Pace {
    fn new(region: Region) -> Self {
        Self { region, due: Mutex::new(BTreeMap::new()) }
    }

    async fn wait(&self, call: &'static str) {
        if let Some(due) = self.book(call, Instant::now()) {
            tokio::time::sleep_until(due).await;
        }
    }

    /// Takes the next place in the call's queue; returns when it is.
    fn book(&self, call: &'static str, now: Instant) -> Option<Instant> {
        let (bucket, rate) = bucket(call, &self.region)?;
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = due.entry(bucket).or_insert(now);
        let start = (*slot).max(now);
        *slot = start + Duration::from_secs(1) / rate.max(1);
        start.checked_sub(BURST).filter(|at| *at > now)
    }
}

/// Returns the bucket that a call draws from and its calls a second; cryptographic calls on symmetric keys share one.
fn bucket(call: &'static str, region: &Region) -> Option<(&'static str, u32)> {
    let operation = call.strip_prefix("kms:")?;
    match kms::request_rate(operation) {
        Some(rate) => Some((operation, rate)),
        None => Some(("cryptography", kms::symmetric_rate(region))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_operation_is_spread_out_and_others_are_not_held_up_by_it() {
        let pace = Pace::new("eu-west-1".parse().unwrap());
        let now = Instant::now();
        let waits: Vec<Duration> =
            (0..6).map(|_| pace.book("kms:CreateKey", now).map_or(Duration::ZERO, |at| at - now)).collect();
        assert_eq!(waits, [0, 100, 300, 500, 700, 900].map(Duration::from_millis));
        assert_eq!(pace.book("kms:DescribeKey", now), None);
        assert_eq!(pace.book("iam:GetRole", now), None);
    }

    #[test]
    fn cryptographic_calls_share_one_bucket() {
        let region: Region = "eu-north-1".parse().unwrap();
        assert_eq!(bucket("kms:Encrypt", &region), bucket("kms:Decrypt", &region));
        assert_eq!(bucket("kms:Encrypt", &region), Some(("cryptography", 10_000)));
        assert_eq!(bucket("kms:PutKeyPolicy", &region), Some(("PutKeyPolicy", 15)));
    }
}
