//! What the sandbox remembers: keys, aliases, IAM identities, sessions.
//!
//! Key material and session secrets stand here in plain text: the sandbox is a development and test tool.

use super::table::Table;
use crate::ids::{AccountId, KeyArn, Partition};
use crate::kms::KeyState;
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

/// A KMS key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) arn: KeyArn,
    pub(super) created: Timestamp,
    pub(super) description: String,
    pub(super) enabled: bool,
    pub(super) deletion: Option<Timestamp>,
    pub(super) policy: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) rotation: Option<Rotation>,
    pub(super) materials: Vec<Material>,
    pub(super) grants: Vec<Grant>,
    pub(super) last_use: Option<LastUse>,
    pub(super) aws_managed: bool,
}

/// Automatic rotation.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Rotation {
    pub(super) period_days: i64,
    pub(super) next: Timestamp,
}

/// How key material came to be.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum MaterialOrigin {
    Creation,
    Automatic,
    OnDemand,
}

/// 256 bits of key material; the last one of a key is current.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Material {
    pub(super) id: String,
    pub(super) hex: String,
    pub(super) since: Timestamp,
    pub(super) origin: MaterialOrigin,
}

/// The last cryptographic use of a key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct LastUse {
    pub(super) operation: String,
    pub(super) at: Timestamp,
    pub(super) request_id: String,
}

/// A grant.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) token: String,
    pub(super) name: Option<String>,
    pub(super) created: Timestamp,
    pub(super) issuing_account: String,
    pub(super) grantee: Option<String>,
    pub(super) grantee_service: Option<String>,
    pub(super) retiring: Option<String>,
    pub(super) retiring_service: Option<String>,
    pub(super) operations: Vec<String>,
    pub(super) equals: Option<BTreeMap<String, String>>,
    pub(super) subset: Option<BTreeMap<String, String>>,
    pub(super) source_arn: Option<String>,
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

impl Key {
    /// Returns the key's state.
    pub(super) fn state(&self) -> KeyState {
        match (self.deletion, self.enabled) {
            (Some(_), _) => KeyState::PendingDeletion,
            (None, true) => KeyState::Enabled,
            (None, false) => KeyState::Disabled,
        }
    }

    /// Returns the id of the material that encrypts.
    pub(super) fn current_material(&self) -> Option<&Material> {
        self.materials.last()
    }
}

impl State {
    /// Returns whether nothing was touched since the last [`State::keep`] or [`State::undo`].
    pub(super) fn is_clean(&self) -> bool {
        self.keys.is_clean()
            && self.aliases.is_clean()
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
        self.roles.undo();
        self.users.undo();
        self.groups.undo();
        self.access_keys.undo();
        self.policies.undo();
        self.providers.undo();
        self.sessions.undo();
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
