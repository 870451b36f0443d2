//! The exit codes of every command: public interface, never renumbered.

/// How a command ended. The number of each variant is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done; `plan`: nothing to change, or changes without `--check`; `verify`: all passed.
    Done = 0,
    /// An error of AWS or of the system, before anything was written.
    Failed = 1,
    /// Wrong use of the command line.
    Usage = 2,
    /// The manifest is invalid.
    InvalidManifest = 3,
    /// `plan --check`: there are changes.
    Changes = 4,
    /// Blocked: a guard, a class floor, an immutable property, a lock-out, an unreadable state, a stale plan.
    Blocked = 5,
    /// Partial apply: some steps done, the rest named; running again continues.
    Partial = 6,
    /// Written, not yet visible within `--wait`; running again confirms.
    Unconfirmed = 7,
    /// `verify`: a probe failed; `access simulate --check`: a case differs.
    ProbeFailed = 8,
}

impl Exit {
    /// Returns the process's exit code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Returns the graver of two ends, for commands that work on several targets: 6 > 7 > 5 > 8 > 1 > 4 > 0.
    #[must_use]
    pub fn gravest(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    fn gravity(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Changes => 1,
            Self::Failed => 2,
            Self::ProbeFailed => 3,
            Self::Blocked => 4,
            Self::Unconfirmed => 5,
            Self::Partial => 6,
            // These two end a run before any target is looked at.
            Self::Usage => 7,
            Self::InvalidManifest => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_end_wins_over_several_targets() {
        let order = [
            Exit::Done,
            Exit::Changes,
            Exit::Failed,
            Exit::ProbeFailed,
            Exit::Blocked,
            Exit::Unconfirmed,
            Exit::Partial,
        ];
        for pair in order.windows(2) {
            assert_eq!(pair[0].gravest(pair[1]), pair[1]);
            assert_eq!(pair[1].gravest(pair[0]), pair[1]);
        }
    }
}
