//! Keys of an account and Region as read for questions, whatever manifest they belong to, if any.

use super::{Facts, Gap, LiveKey, Observed};
use crate::access::KeyFacts;
use crate::ids::{AccountId, AliasName, KeyArn, KeyId, Region};
use std::collections::BTreeMap;

/// Every key of an account and Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKeys {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// Every key that customers manage, and every key of which not even that could be read; sorted by id.
    pub keys: Vec<LiveKey>,
    /// The keys that AWS manages, sorted by id. Nobody can change their policies, which let in the services alone.
    pub aws_managed: Vec<AwsManagedKey>,
    /// Every customer alias, with the key behind it.
    pub aliases: Observed<BTreeMap<AliasName, Option<KeyId>>>,
}

/// A key that AWS manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsManagedKey {
    /// The ARN.
    pub arn: KeyArn,
    /// What AWS says that it is for.
    pub description: String,
}

/// A key that somebody named, customer managed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// The key.
    pub key: LiveKey,
    /// Every customer alias of its account and Region, with the key behind it.
    pub aliases: Observed<BTreeMap<AliasName, Option<KeyId>>>,
}

impl LiveKeys {
    /// Returns one of the keys as decisions see it.
    ///
    /// # Errors
    /// The gap itself where the key policy was not read.
    pub fn facts(&self, key: &LiveKey) -> Result<Facts<KeyFacts>, Gap> {
        key.facts(&self.aliases)
    }
}

impl NamedKey {
    /// Returns the key as decisions see it.
    ///
    /// # Errors
    /// The gap itself where the key policy was not read.
    pub fn facts(&self) -> Result<Facts<KeyFacts>, Gap> {
        self.key.facts(&self.aliases)
    }
}
