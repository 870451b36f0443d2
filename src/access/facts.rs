//! What a decision depends on: the request, the caller, the key, the guard rails.

use crate::ids::{AccountId, Partition, PrincipalArn, PrincipalKind, Region};
use crate::kms::{KeySpec, KeyUsage, Origin};
use crate::policy::PolicyDocument;
use std::collections::{BTreeMap, BTreeSet};

/// One API call to be judged. Calls on two resources (`CreateAlias`, `ReEncrypt`) are two requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The action with its prefix: `kms:Decrypt`, `iam:CreateRole`, `sts:AssumeRole`.
    pub action: String,
    /// The ARN of the resource, or `*` for actions without one.
    pub resource: String,
    /// The Region that is called.
    pub region: Region,
    /// The encryption context of a cryptographic call.
    pub encryption_context: BTreeMap<String, String>,
    /// The service that forwards the call: `s3.eu-west-1.amazonaws.com`.
    pub via_service: Option<String>,
    /// The alias by which the caller named the key.
    pub request_alias: Option<String>,
    /// The parameters of a `CreateGrant`.
    pub grant: Option<CreateGrantRequest>,
    /// Whether the grant is made for an AWS resource, where the action has that notion.
    pub grant_is_for_aws_resource: Option<bool>,
    /// The grant that `RetireGrant` names.
    pub retire_grant_id: Option<String>,
    /// Further condition keys, merged last; `None` removes a key that would be derived.
    pub context: BTreeMap<String, Option<ContextValue>>,
    /// Which condition keys may have a value that nobody has said; what depends on them stays open.
    pub unknown: Unknown,
}

/// Which condition keys of a request are not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Unknown {
    /// None: a key that is not given is not there.
    #[default]
    Nothing,
    /// These, folded to lower case; one that ends in `:` or `/` stands for all keys that begin so. They are open
    /// even where a part of them is given.
    Keys(BTreeSet<String>),
    /// All that are not given and that such a call can have.
    Everything,
}

impl Unknown {
    /// Returns whether a key, in any case, is one of those listed.
    pub fn lists(&self, key: &str) -> bool {
        let Self::Keys(keys) = self else { return false };
        keys.iter().any(|listed| {
            let head = key.get(..listed.len()).is_some_and(|head| head.eq_ignore_ascii_case(listed));
            head && (listed.len() == key.len() || listed.ends_with([':', '/']))
        })
    }
}

impl Request {
    /// Returns a request without any context.
    pub fn new(action: impl Into<String>, resource: impl Into<String>, region: Region) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            region,
            encryption_context: BTreeMap::new(),
            via_service: None,
            request_alias: None,
            grant: None,
            grant_is_for_aws_resource: None,
            retire_grant_id: None,
            context: BTreeMap::new(),
            unknown: Unknown::Nothing,
        }
    }
}

/// The parameters of a `CreateGrant` that conditions and rules look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateGrantRequest {
    /// The operations, without prefix: `Decrypt`.
    pub operations: Vec<String>,
    /// The grantee principal, as given.
    pub grantee_principal: Option<String>,
    /// The grantee service principal, as given.
    pub grantee_service_principal: Option<String>,
    /// The retiring principal, as given.
    pub retiring_principal: Option<String>,
    /// The constraints, if any.
    pub constraints: Option<GrantConstraints>,
}

/// A value of a condition key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextValue {
    /// A single-valued key.
    One(String),
    /// A multi-valued key.
    Many(Vec<String>),
}

/// The complete request context: condition keys, folded to lower case, to values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestContext(pub BTreeMap<String, ContextValue>);

/// What kind of caller it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalType {
    /// An IAM user.
    User,
    /// A role as such, standing for any session of it.
    Role,
    /// A session of a role.
    RoleSession,
    /// The root user of an account.
    Root,
    /// A federated user session.
    FederatedUser,
    /// An AWS service calling in its own name.
    Service,
}

/// The caller: who it is and what its own policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalFacts {
    /// The kind of caller.
    pub kind: PrincipalType,
    /// The caller's ARN; a service's name for services.
    pub arn: String,
    /// The full ARN of the role, path included, for roles and their sessions.
    pub role_arn: Option<String>,
    /// The ARN of the user behind a federated user.
    pub user_arn: Option<String>,
    /// The caller's account; `None` for services.
    pub account: Option<AccountId>,
    /// The unique id (`AROA…`, `AIDA…`).
    pub unique_id: Option<String>,
    /// Principal tags.
    pub tags: BTreeMap<String, String>,
    /// The organization of the caller's account.
    pub org_id: Option<String>,
    /// Identity policies: inline, attached, and those of groups.
    pub identity_policies: Vec<PolicyDocument>,
    /// The permissions boundary.
    pub permissions_boundary: Option<PolicyDocument>,
    /// The session policy.
    pub session_policy: Option<PolicyDocument>,
    /// Whether the role is service-linked.
    pub service_linked_role: bool,
    /// Whether the account is its organization's management account.
    pub management_account: bool,
    /// How much of it is known.
    pub knowledge: Knowledge,
}

/// How much is known of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Knowledge {
    /// Everything: what is not given is not there.
    #[default]
    Whole,
    /// Who it is. It may have tags, an organization and identity policies that were not read: the latter can only
    /// add what the key's policy delegates, and what they might deny is left aside.
    NameOnly,
    /// Nothing but its account, or not even that: it stands for all whom nothing names. Its name, tags and organization
    /// are open; the identity policies that are given are taken for all that it has.
    AccountOnly,
}

impl PrincipalFacts {
    /// Returns a caller with an ARN and nothing else known of it.
    pub fn new(kind: PrincipalType, arn: impl Into<String>, account: Option<AccountId>) -> Self {
        Self {
            kind,
            arn: arn.into(),
            role_arn: None,
            user_arn: None,
            account,
            unique_id: None,
            tags: BTreeMap::new(),
            org_id: None,
            identity_policies: Vec::new(),
            permissions_boundary: None,
            session_policy: None,
            service_linked_role: false,
            management_account: false,
            knowledge: Knowledge::Whole,
        }
    }

    /// Returns somebody of an account, or of any, who stands for all whom nothing names.
    pub fn anybody(partition: Partition, account: Option<AccountId>) -> Self {
        let place = account.as_ref().map_or("*", AccountId::as_str);
        let arn = format!("arn:{partition}:iam::{place}:role/*");
        Self { knowledge: Knowledge::AccountOnly, ..Self::new(PrincipalType::Role, arn, account) }
    }

    /// Returns the caller of an ARN, with nothing else known of it.
    pub fn from_arn(arn: &PrincipalArn) -> Self {
        let kind = match arn.kind() {
            PrincipalKind::Role => PrincipalType::Role,
            PrincipalKind::User => PrincipalType::User,
            PrincipalKind::Session => PrincipalType::RoleSession,
            PrincipalKind::FederatedUser => PrincipalType::FederatedUser,
            PrincipalKind::Root => PrincipalType::Root,
        };
        let mut facts = Self::new(kind, arn.as_str(), Some(arn.account()));
        facts.role_arn = (kind == PrincipalType::Role).then(|| arn.as_str().to_owned());
        facts
    }
}

/// The key: its policy, grants and attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// The key's ARN.
    pub arn: String,
    /// The owning account.
    pub account: AccountId,
    /// The key's Region.
    pub region: Region,
    /// The key policy.
    pub policy: PolicyDocument,
    /// A second, read-only policy named `AWS_RAM`, where there is one.
    pub ram_policy: Option<PolicyDocument>,
    /// The grants.
    pub grants: Vec<GrantFacts>,
    /// Alias names, with `alias/`.
    pub aliases: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is a multi-Region key.
    pub multi_region: bool,
    /// `PRIMARY` or `REPLICA`, for multi-Region keys.
    pub multi_region_key_type: Option<String>,
    /// `SYMMETRIC_DEFAULT`, …
    pub key_spec: String,
    /// `ENCRYPT_DECRYPT`, …
    pub key_usage: String,
    /// `AWS_KMS`, …
    pub key_origin: String,
    /// Whether AWS manages the key.
    pub aws_managed: bool,
    /// The organization of the key's account.
    pub org_id: Option<String>,
}

impl KeyFacts {
    /// Returns a symmetric, single-Region customer key without grants, aliases and tags.
    pub fn new(arn: impl Into<String>, account: AccountId, region: Region, policy: PolicyDocument) -> Self {
        Self {
            arn: arn.into(),
            account,
            region,
            policy,
            ram_policy: None,
            grants: Vec::new(),
            aliases: Vec::new(),
            tags: BTreeMap::new(),
            multi_region: false,
            multi_region_key_type: None,
            key_spec: KeySpec::SymmetricDefault.name().to_owned(),
            key_usage: KeyUsage::EncryptDecrypt.name().to_owned(),
            key_origin: Origin::AwsKms.name().to_owned(),
            aws_managed: false,
            org_id: None,
        }
    }
}

/// A grant on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantFacts {
    /// The grant's id.
    pub grant_id: String,
    /// The account (as an id or root ARN) that issued it.
    pub issuing_account: String,
    /// The operations, without prefix: `Decrypt`.
    pub operations: Vec<String>,
    /// Whom it allows.
    pub grantee: Grantee,
    /// Who may retire it.
    pub retiring: Option<Grantee>,
    /// When it applies.
    pub constraints: GrantConstraints,
}

/// The grantee, or the retiring principal, of a grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// A principal's ARN.
    Principal(String),
    /// A service principal.
    Service(String),
}

/// The constraints of a grant, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantConstraints {
    /// The encryption context has exactly these pairs.
    pub encryption_context_equals: Option<BTreeMap<String, String>>,
    /// The encryption context has at least these pairs.
    pub encryption_context_subset: Option<BTreeMap<String, String>>,
    /// The source ARN of a service's call.
    pub source_arn: Option<String>,
}

/// What the organization allows at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guardrails {
    /// Service control policies of the caller's account, a level at a time, root first; empty: none attached.
    pub scps: Vec<Vec<PolicyDocument>>,
    /// Resource control policies of the key's account; the full-access one is implied.
    pub rcps: Vec<Vec<PolicyDocument>>,
}
