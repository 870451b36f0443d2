//! Identifiers: one newtype per kind of name, each with a single checked way in.
//!
//! Mixing up a key id, a key ARN, an alias and a manifest name is *the* bug class of KMS tooling, so none of
//! these types converts into another:
//!
//! ```compile_fail
//! use keywright::ids::{KeyId, KeyName};
//! let name: KeyName = "ledger".parse().unwrap();
//! let id: KeyId = name.into();
//! ```

mod arn;
mod names;
mod place;

pub use arn::{AliasArn, Arn, KeyArn, PrincipalArn, PrincipalKind, RoleArn};
pub use names::{
    AliasName, ClassName, GrantName, KeyId, KeyMaterialId, KeyName, KeyStoreId, MaterialName, OwnerId, RoleName,
    StackName, TargetName,
};
pub use place::{AccountId, Partition, Region};

use std::fmt;

/// Why a text is not a valid identifier.
///
/// `what` names the kind (`key name`), `rule` says what a valid one looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    /// The kind of identifier, in the words of the documentation.
    pub what: &'static str,
    /// The rule that the text breaks.
    pub rule: &'static str,
    /// The offending text, as given. Escape it before it reaches a terminal.
    pub text: String,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a valid {}: {}", crate::text::escape(&self.text), self.what, self.rule)
    }
}

impl std::error::Error for IdError {}

/// Declares a string newtype with a private field whose only way in is a checked `FromStr`.
macro_rules! string_id {
    ($(#[$meta:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Returns the text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::ids::IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(crate::ids::IdError { what: $what, rule: $rule, text: text.to_owned() })
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use string_id;
