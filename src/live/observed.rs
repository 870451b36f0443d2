//! A value that was read, or the fact that it could not be: "unreadable" is never "empty".

/// What a read gave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observed<T> {
    /// The value.
    Known(T),
    /// The read was refused.
    Denied {
        /// The action that is missing, such as `kms:GetKeyPolicy`.
        action: String,
        /// What the server said.
        message: String,
    },
}

impl<T> Observed<T> {
    /// Returns the value, if it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Denied { .. } => None,
        }
    }

    /// Returns the action that is missing, if the read was refused.
    pub fn denied(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Denied { action, .. } => Some(action),
        }
    }
}
