//! The one error type of every operation: a code, a status and a message, as AWS would answer them.

/// What an operation answers when it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// AWS's code: `NotFoundException`, `NoSuchEntity`.
    pub(super) code: &'static str,
    /// The HTTP status.
    pub(super) status: u16,
    /// The message for people.
    pub(super) message: String,
}

impl ApiError {
    /// Returns an error of the caller's making.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, status: 400, message: message.into() }
    }

    /// Returns the same error with another HTTP status.
    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Returns a KMS `NotFoundException`.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new("NotFoundException", message)
    }

    /// Returns a KMS `ValidationException`.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// Returns an IAM `NoSuchEntity`.
    pub(super) fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new("NoSuchEntity", message).status(404)
    }

    /// Returns the sandbox's own failure: its state cannot be read or written.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", message).status(500)
    }
}
