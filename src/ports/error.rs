//! What went wrong at a port: classified once, so that retries, messages and exit codes agree.

use std::fmt;

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortErrorKind {
    /// The thing does not exist, or is not visible yet.
    NotFound,
    /// The caller may not.
    Denied,
    /// The thing exists already.
    AlreadyExists,
    /// Too many requests.
    Throttled,
    /// A passing failure of the server (5xx, `DependencyTimeout`, `KMSInternal`); nothing is known to have happened.
    Transient,
    /// No answer, or none that tells: the call may have taken effect.
    Unknown,
    /// No connection could be made: the call did not take effect.
    Unreachable,
    /// No usable credentials.
    Credentials,
    /// A quota is used up.
    LimitExceeded,
    /// The key's state forbids the call.
    InvalidState,
    /// The key is disabled.
    Disabled,
    /// The policy names a principal that does not exist (yet).
    InvalidPrincipal,
    /// The policy would lock the caller out.
    Lockout,
    /// The policy, or another parameter, is malformed.
    Invalid,
    /// The ciphertext does not belong to the key, the context or itself.
    InvalidCiphertext,
    /// The ciphertext belongs to another key than the one named.
    IncorrectKey,
    /// The key material is not that of the key, or none for its spec.
    IncorrectMaterial,
    /// The import token has expired, or belongs to another key.
    ImportToken,
    /// The signature is not the key's over the message.
    InvalidSignature,
    /// The message authentication code is not the key's over the message.
    InvalidMac,
    /// The server does not know the call, or not for this kind of key.
    NotSupported,
    /// The server answered something that cannot be understood.
    Protocol,
}

/// A failure at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortError {
    /// Its class.
    pub kind: PortErrorKind,
    /// The call: `kms:CreateKey`.
    pub call: String,
    /// The server's error code, if it gave one.
    pub code: Option<String>,
    /// The server's message, or ours. From outside: escape before printing.
    pub message: String,
    /// The server's request id, if it gave one.
    pub request_id: Option<String>,
}

impl PortError {
    /// Returns a failure of a call with a class and a message.
    pub fn new(kind: PortErrorKind, call: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, call: call.into(), code: None, message: message.into(), request_id: None }
    }

    /// Returns whether the call may be repeated in the hope of success, without harm if it is idempotent.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            PortErrorKind::Throttled | PortErrorKind::Transient | PortErrorKind::Unknown | PortErrorKind::Unreachable
        )
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.call)?;
        if let Some(code) = &self.code {
            write!(f, "{}: ", crate::text::escape(code))?;
        }
        write!(f, "{}", crate::text::escape(&self.message))?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {})", crate::text::escape(id))?;
        }
        Ok(())
    }
}

impl std::error::Error for PortError {}
