//! Why a target or account could not be read.

use crate::ids::{AccountId, PrincipalArn, TargetName};
use crate::ports::PortError;
use crate::source::Loc;
use std::fmt;

/// Why a target or account could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// The credentials are those of another account.
    WrongAccount {
        /// The target.
        target: TargetName,
        /// Its account.
        expected: AccountId,
        /// The caller's account.
        actual: AccountId,
        /// The caller.
        caller: Box<PrincipalArn>,
        /// Where the target is declared.
        loc: Loc,
    },
    /// A call failed. Its message names the target or account, and the key or role.
    Port(PortError),
}

impl ReadError {
    /// Returns the failure of a call for a target.
    pub(super) fn in_target(target: &TargetName, error: PortError) -> Self {
        Self::Port(about(error, format_args!("target `{target}`")))
    }
}

/// Returns the error with what it is about before its message.
pub(super) fn about(mut error: PortError, what: impl fmt::Display) -> PortError {
    error.message = format!("{what}: {}", error.message);
    error
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAccount { target, expected, actual, caller, loc: _ } => write!(
                f,
                "target `{target}` is in account {expected}, but the credentials are those of account {actual} \
                 ({caller}); use a profile or role of account {expected}"
            ),
            Self::Port(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}
