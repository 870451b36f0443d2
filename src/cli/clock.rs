//! What time it is for a run: the machine's time, or a rehearsal's (`--clock`).

use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::str::FromStr;

/// How far a run's clock is ahead of the machine's; it runs as fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunClock {
    ahead: SignedDuration,
}

impl RunClock {
    /// Returns the time.
    pub fn now(self) -> Timestamp {
        let real = Timestamp::now();
        real.checked_add(self.ahead).unwrap_or(real)
    }

    /// Returns the day, in UTC.
    pub fn today(self) -> jiff::civil::Date {
        jiff::tz::Offset::UTC.to_datetime(self.now()).date()
    }

    /// Returns whether it is another time than the machine's.
    pub fn is_moved(self) -> bool {
        !self.ahead.is_zero()
    }
}

/// Reads `2030-01-01T00:00:00Z`, which is when the run begins, or `+180d` or `+36h`.
impl FromStr for RunClock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || "write a time such as 2030-01-01T00:00:00Z, or +180d, or +36h".to_owned();
        let ahead = match text.strip_prefix('+') {
            Some(length) => later(length).ok_or_else(form)?,
            None => text.parse::<Timestamp>().map_err(|_| form())?.duration_since(Timestamp::now()),
        };
        let year = 365 * 24 * 3600;
        let reaches = ahead.checked_add(SignedDuration::from_secs(year));
        reaches.and_then(|last| Timestamp::now().checked_add(last).ok()).ok_or("it is too far away")?;
        Ok(Self { ahead })
    }
}

fn later(text: &str) -> Option<SignedDuration> {
    let digits = |number: &str| number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse::<i64>().ok())?;
    let hours = match text.strip_suffix('d') {
        Some(days) => digits(days)?.checked_mul(24)?,
        None => digits(text.strip_suffix('h')?)?,
    };
    hours.checked_mul(3600).map(SignedDuration::from_secs)
}

impl fmt::Display for RunClock {
    /// Writes what is read back as the same clock, within a second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.ahead.as_secs();
        match (seconds % 86_400, seconds % 3600) {
            (0, _) if seconds >= 0 => write!(f, "+{}d", seconds / 86_400),
            (_, 0) if seconds >= 0 => write!(f, "+{}h", seconds / 3600),
            _ => write!(f, "{:.0}", self.now()),
        }
    }
}

#[cfg(feature = "sandbox")]
impl crate::sandbox::Clock for RunClock {
    fn now(&self) -> Timestamp {
        Self::now(*self)
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_counted_from_now_and_times_are_the_beginning() {
        let clock: RunClock = "+180d".parse().unwrap();
        assert_eq!((clock.ahead, clock.to_string()), (SignedDuration::from_hours(180 * 24), "+180d".to_owned()));
        assert_eq!("+36h".parse::<RunClock>().unwrap().to_string(), "+36h");
        let start: Timestamp = "2040-02-03T04:05:06Z".parse().unwrap();
        let clock: RunClock = "2040-02-03T04:05:06Z".parse().unwrap();
        assert!(clock.now().duration_since(start) < SignedDuration::from_secs(10));
        assert!(clock.to_string().starts_with("2040-02-03T04:05:"), "{clock}");
        let again: RunClock = clock.to_string().parse().unwrap();
        assert!(again.ahead.as_secs().abs_diff(clock.ahead.as_secs()) <= 1);
        assert!(clock.is_moved() && !RunClock::default().is_moved());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "+", "+d", "+1", "+1w", "+-1d", "++1d", "1d", "tomorrow", "+1.5d", "+99999999999d"] {
            assert!(bad.parse::<RunClock>().is_err(), "{bad}");
        }
    }
}
