//! What the sandbox remembers: keys, aliases, IAM identities, sessions.
//!
//! Key material and session secrets stand here in plain text: the sandbox is a development and test tool.

mod key;
mod key_store;

pub(super) use key::*;
pub(super) use key_store::*;

use super::table::Table;
use crate::ids::{AccountId, KeyArn, Partition};
use crate::kms::{KeyState, WrappingAlgorithm};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is remembered.
#[derive(Default)]
pub(super) struct State {
    /// KMS keys by ARN.
    pub(super) keys: Table<Key>,
    /// Aliases by ARN.
    pub(super) aliases: Table<Alias>,
    /// Custom key stores by id.
    pub(super) stores: Table<KeyStore>,
    /// What was given to import key material with, by the digest of its token.
    pub(super) imports: Table<ImportParameters>,
    /// Roles by [`entity`].
    pub(super) roles: Table<Entity>,
    /// Users by [`entity`].
    pub(super) users: Table<Entity>,
    /// Groups by [`entity`].
    pub(super) groups: Table<Entity>,
    /// Access keys of users by id.
    pub(super) access_keys: Table<AccessKey>,
    /// Customer managed policies by ARN.
    pub(super) policies: Table<ManagedPolicy>,
    /// OIDC providers by ARN.
    pub(super) providers: Table<Provider>,
    /// Temporary credentials by access key id.
    pub(super) sessions: Table<Session>,
}

/// Returns the name under which roles, users and groups are kept: their names are unique in an account.
pub(super) fn entity(account: &AccountId, name: &str) -> String {
    format!("{account}/{name}")
}

/// An alias.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Alias {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) target: KeyArn,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// What `GetParametersForImport` gave: the key pair that wraps key material on its way.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ImportParameters {
    /// The key for which they were given.
    pub(super) key: KeyArn,
    pub(super) wrapping: WrappingAlgorithm,
    /// The private key, PKCS#8 as hexadecimal digits.
    pub(super) private_hex: String,
    pub(super) valid_to: Timestamp,
}

/// A role, a user or a group.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Entity {
    pub(super) account: AccountId,
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) description: Option<String>,
    pub(super) max_session: i64,
    /// The trust policy of a role; empty for others.
    pub(super) trust: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) inline: BTreeMap<String, String>,
    pub(super) attached: BTreeSet<String>,
    pub(super) boundary: Option<String>,
    /// The names of a user's groups.
    #[serde(default)]
    pub(super) groups: BTreeSet<String>,
}

/// A user's access key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AccessKey {
    pub(super) account: AccountId,
    pub(super) user: String,
    pub(super) secret: String,
    pub(super) created: Timestamp,
}

/// A customer managed policy.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ManagedPolicy {
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) description: Option<String>,
    /// The text of the default version: the one that counts.
    pub(super) document: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    /// The default version's number and age, if it is not the first one.
    #[serde(default)]
    pub(super) default: Option<(u32, Timestamp)>,
    /// The versions that are not the default, by number: their text and age.
    #[serde(default)]
    pub(super) others: BTreeMap<u32, (String, Timestamp)>,
    /// How many versions were ever made after the first one.
    #[serde(default)]
    pub(super) later: u32,
}

/// An `OpenID` Connect provider.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Provider {
    pub(super) arn: String,
    pub(super) url: String,
    pub(super) clients: Vec<String>,
    pub(super) thumbprints: Vec<String>,
    pub(super) created: Timestamp,
}

/// Temporary credentials.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) account: AccountId,
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) expires: Timestamp,
    pub(super) of: SessionOf,
}

/// Whose temporary credentials they are.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum SessionOf {
    /// A role's, with a session name and policy. The role is meant by id: one that is created anew is another.
    Role { name: String, id: String, session: String, policy: Option<String> },
    /// A user's own.
    User { name: String },
}

impl State {
    /// Returns whether nothing was touched since the last [`State::keep`] or [`State::undo`].
    pub(super) fn is_clean(&self) -> bool {
        self.keys.is_clean()
            && self.aliases.is_clean()
            && self.stores.is_clean()
            && self.imports.is_clean()
            && self.roles.is_clean()
            && self.users.is_clean()
            && self.groups.is_clean()
            && self.access_keys.is_clean()
            && self.policies.is_clean()
            && self.providers.is_clean()
            && self.sessions.is_clean()
    }

    /// Keeps what the call did.
    pub(super) fn keep(&mut self) {
        self.keys.keep();
        self.aliases.keep();
        self.stores.keep();
        self.imports.keep();
        self.roles.keep();
        self.users.keep();
        self.groups.keep();
        self.access_keys.keep();
        self.policies.keep();
        self.providers.keep();
        self.sessions.keep();
    }

    /// Undoes what the call did.
    pub(super) fn undo(&mut self) {
        self.keys.undo();
        self.aliases.undo();
        self.stores.undo();
        self.imports.undo();
        self.roles.undo();
        self.users.undo();
        self.groups.undo();
        self.access_keys.undo();
        self.policies.undo();
        self.providers.undo();
        self.sessions.undo();
    }

    /// Returns a key's state.
    pub(super) fn key_state(&self, key: &Key, now: Timestamp) -> KeyState {
        let is_reached = |id: &String| self.stores.get(id).is_some_and(|store| store.is_connected(now));
        let reached = key.store.as_ref().is_none_or(is_reached);
        key.state(now, if reached { StoreLink::Connected } else { StoreLink::Cut })
    }

    /// Returns the primary of a multi-Region key and its replicas; none for other keys.
    pub(super) fn relatives(&self, key: &Key) -> Option<(KeyArn, Vec<KeyArn>)> {
        match key.multi_region.as_ref()? {
            MultiRegion::Primary { replicas } => Some((key.arn.clone(), replicas.clone())),
            MultiRegion::Replica { primary } => {
                let of_primary = self.keys.get(primary.as_str()).and_then(|primary| primary.multi_region.as_ref());
                let replicas = match of_primary {
                    Some(MultiRegion::Primary { replicas }) => replicas.clone(),
                    Some(MultiRegion::Replica { .. }) | None => vec![key.arn.clone()],
                };
                Some((primary.clone(), replicas))
            }
        }
    }

    /// Returns whether the account has been used, or seeded.
    pub(super) fn knows_account(&self, account: &AccountId) -> bool {
        self.users.get(&entity(account, "sandbox")).is_some()
    }

    /// Makes an account exist: its user `sandbox` is an administrator.
    pub(super) fn open_account(&mut self, account: &AccountId, partition: Partition, now: Timestamp) {
        if self.knows_account(account) {
            return;
        }
        let name = "sandbox";
        let mut user = Entity::new(account, partition, EntityKind::User, ("/", name), now);
        user.inline.insert("administrator".to_owned(), ADMINISTRATOR.to_owned());
        self.users.insert(entity(account, name), user);
    }
}

/// An identity policy that allows everything.
pub(super) const ADMINISTRATOR: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Whether an entity is a role, a user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntityKind {
    Role,
    User,
    Group,
}

impl Entity {
    /// Returns a new entity without policies; `place` is its path and name.
    pub(super) fn new(
        account: &AccountId,
        partition: Partition,
        kind: EntityKind,
        place: (&str, &str),
        now: Timestamp,
    ) -> Self {
        let (path, name) = place;
        let (word, prefix) = match kind {
            EntityKind::Role => ("role", "AROA"),
            EntityKind::User => ("user", "AIDA"),
            EntityKind::Group => ("group", "AGPA"),
        };
        Self {
            account: account.clone(),
            arn: format!("arn:{partition}:iam::{account}:{word}{path}{name}"),
            name: name.to_owned(),
            path: path.to_owned(),
            id: super::random::unique_id(prefix),
            created: now,
            description: None,
            max_session: 3600,
            trust: String::new(),
            tags: BTreeMap::new(),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            boundary: None,
            groups: BTreeSet::new(),
        }
    }
}
