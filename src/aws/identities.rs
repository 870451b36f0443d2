//! Reads every role and user of an account with one paged call, and the managed policies that its answer leaves out.

use super::Connection;
use super::call::Call;
use super::identity::{decoded, document};
use super::metadata::protocol;
use super::paging::{Next, Pages};
use crate::ids::AccountId;
use crate::live::{
    IdentityKind, IdentityPolicy, LiveBoundary, LiveIdentities, LiveIdentity, PolicyPlace, PolicySource,
    UnreadableIdentity, UnreadablePolicy,
};
use crate::policy::PolicyDocument;
use crate::ports::{AccountIdentityReader, CallerReader as _, PortErrorKind, PortResult};
use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, AttachedPolicy, GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail, Tag,
    UserDetail,
};
use std::collections::{BTreeMap, BTreeSet};

const GET_DETAILS: Call = Call::harmless("iam:GetAccountAuthorizationDetails");
const GET_POLICY: Call = Call::harmless("iam:GetPolicy");
const GET_VERSION: Call = Call::harmless("iam:GetPolicyVersion");

/// Entities a page: fewer than the most, since each comes with all its documents, and a page must arrive in the time
/// of one call.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>
const PAGE: i32 = 300;

/// A policy's text, understood; or why not.
type Read = Result<PolicyDocument, String>;

/// All pages of the answer.
#[derive(Default)]
struct Details {
    users: Vec<UserDetail>,
    roles: Vec<RoleDetail>,
    groups: BTreeMap<String, GroupDetail>,
    /// The texts of managed policies by ARN, at their default version.
    texts: BTreeMap<String, String>,
    /// The managed policies that are in use.
    managed: BTreeMap<String, Read>,
}

impl AccountIdentityReader for Connection {
    async fn identities(&self) -> PortResult<LiveIdentities> {
        let account = self.caller().await?.account;
        let mut details = self.details().await?;
        for arn in details.used() {
            let read = match details.texts.get(&arn) {
                Some(text) => read(text),
                None => self.managed_policy(&arn).await?,
            };
            details.managed.insert(arn, read);
        }
        Ok(details.identities(account))
    }
}

impl Connection {
    async fn details(&self) -> PortResult<Details> {
        let mut details = Details::default();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request =
                || self.iam.get_account_authorization_details().max_items(PAGE).set_marker(marker.clone()).send();
            let page = self.gate.send(GET_DETAILS, request).await?;
            details.users.extend(page.user_detail_list.unwrap_or_default());
            details.roles.extend(page.role_detail_list.unwrap_or_default());
            for group in page.group_detail_list.unwrap_or_default() {
                let name = group.group_name().ok_or_else(|| protocol(GET_DETAILS.name, "a group without a name"))?;
                details.groups.insert(name.to_owned(), group);
            }
            for policy in page.policies.unwrap_or_default() {
                let arn = policy.arn().ok_or_else(|| protocol(GET_DETAILS.name, "a policy without an ARN"))?;
                // Some servers list a policy without its text: it is asked for then.
                if let Some(text) = default_version(&policy) {
                    details.texts.insert(arn.to_owned(), text.to_owned());
                }
            }
            if pages.turn(GET_DETAILS.name, page.is_truncated, page.marker)? == Next::End {
                return Ok(details);
            }
        }
    }

    /// Reads a managed policy by its ARN; one that may not be read, or is not there, is kept as such.
    async fn managed_policy(&self, arn: &str) -> PortResult<Read> {
        match self.default_version(arn).await {
            Ok(document) => Ok(Ok(document)),
            Err(error) if error.kind == PortErrorKind::Denied => {
                Ok(Err(format!("{} was denied: {}", error.call, error.message)))
            }
            Err(error) if matches!(error.kind, PortErrorKind::NotFound | PortErrorKind::NotSupported) => {
                Ok(Err(format!("the server does not give it ({}: {})", error.call, error.message)))
            }
            Err(error) if error.kind == PortErrorKind::Protocol => Ok(Err(error.message)),
            Err(error) => Err(error),
        }
    }

    async fn default_version(&self, arn: &str) -> PortResult<PolicyDocument> {
        let answer = self.gate.send(GET_POLICY, || self.iam.get_policy().policy_arn(arn).send()).await?;
        let version = answer.policy.and_then(|policy| policy.default_version_id);
        let version = version.ok_or_else(|| protocol(GET_POLICY.name, "a policy without a default version"))?;
        let request = || self.iam.get_policy_version().policy_arn(arn).version_id(&version).send();
        let answer = self.gate.send(GET_VERSION, request).await?;
        let text = answer.policy_version.and_then(|version| version.document);
        document(GET_VERSION, &text.ok_or_else(|| protocol(GET_VERSION.name, "a version without a document"))?)
    }
}

/// Returns the text of a policy's default version, where the answer holds it.
fn default_version(policy: &ManagedPolicyDetail) -> Option<&str> {
    let named = policy.default_version_id();
    let mut versions = policy.policy_version_list().iter();
    let default = versions.find(|version| match named {
        Some(id) => version.version_id() == Some(id),
        None => version.is_default_version(),
    })?;
    default.document()
}

/// Reads a document; its text is not repeated in the reason, since it may be long.
fn read(text: &str) -> Read {
    PolicyDocument::parse(&decoded(text)).map_err(|error| format!("it is no policy: {error}"))
}

impl Details {
    /// Returns the ARNs of managed policies that are in use. Some servers list many more.
    fn used(&self) -> BTreeSet<String> {
        let attached = self
            .users
            .iter()
            .flat_map(UserDetail::attached_managed_policies)
            .chain(self.roles.iter().flat_map(RoleDetail::attached_managed_policies))
            .chain(self.groups.values().flat_map(GroupDetail::attached_managed_policies))
            .filter_map(AttachedPolicy::policy_arn);
        let boundaries = self
            .users
            .iter()
            .filter_map(UserDetail::permissions_boundary)
            .chain(self.roles.iter().filter_map(RoleDetail::permissions_boundary))
            .filter_map(AttachedPermissionsBoundary::permissions_boundary_arn);
        attached.chain(boundaries).map(str::to_owned).collect()
    }

    fn identities(&self, account: AccountId) -> LiveIdentities {
        let (mut principals, mut unreadable) = (Vec::new(), Vec::new());
        let all = self.roles.iter().map(|role| self.role(role)).chain(self.users.iter().map(|user| self.user(user)));
        for identity in all {
            match identity {
                Ok(identity) => principals.push(identity),
                Err(identity) => unreadable.push(identity),
            }
        }
        principals.sort_by(|a, b| a.arn.cmp(&b.arn));
        unreadable.sort();
        LiveIdentities { account, principals, unreadable }
    }

    fn role(&self, role: &RoleDetail) -> Result<LiveIdentity, UnreadableIdentity> {
        let mut identity = identity(IdentityKind::Role, [role.arn(), role.role_name(), role.role_id()])?;
        self.add_policies(&mut identity, None, (role.role_policy_list(), role.attached_managed_policies()));
        self.set_boundary(&mut identity, role.permissions_boundary());
        identity.tags = tags(role.tags());
        match role.assume_role_policy_document().map_or_else(not_given, read) {
            Ok(document) => identity.trust = Some(document),
            Err(reason) => identity.unreadable.push(UnreadablePolicy { place: PolicyPlace::Trust, reason }),
        }
        Ok(identity)
    }

    fn user(&self, user: &UserDetail) -> Result<LiveIdentity, UnreadableIdentity> {
        let mut identity = identity(IdentityKind::User, [user.arn(), user.user_name(), user.user_id()])?;
        self.add_policies(&mut identity, None, (user.user_policy_list(), user.attached_managed_policies()));
        for name in user.group_list() {
            if let Some(group) = self.groups.get(name) {
                let policies = (group.group_policy_list(), group.attached_managed_policies());
                self.add_policies(&mut identity, Some(name), policies);
            } else {
                let (place, reason) = (PolicyPlace::WholeGroup { group: name.clone() }, NOT_GIVEN.to_owned());
                identity.unreadable.push(UnreadablePolicy { place, reason });
            }
        }
        self.set_boundary(&mut identity, user.permissions_boundary());
        identity.tags = tags(user.tags());
        Ok(identity)
    }

    /// Adds the policies of an identity itself, or of one of its groups.
    fn add_policies(
        &self,
        identity: &mut LiveIdentity,
        group: Option<&str>,
        (inline, attached): (&[PolicyDetail], &[AttachedPolicy]),
    ) {
        for policy in inline {
            let name = policy.policy_name().unwrap_or_default().to_owned();
            let source = match group {
                None => PolicySource::Inline { name },
                Some(group) => PolicySource::Group { group: group.to_owned(), policy: name },
            };
            add(identity, source, policy.policy_document().map_or_else(not_given, read));
        }
        for policy in attached {
            let arn = policy.policy_arn().or(policy.policy_name()).unwrap_or_default().to_owned();
            let read = self.managed.get(&arn).cloned().unwrap_or_else(not_given);
            let source = match group {
                None => PolicySource::Managed { arn },
                Some(group) => PolicySource::Group { group: group.to_owned(), policy: arn },
            };
            add(identity, source, read);
        }
    }

    fn set_boundary(&self, identity: &mut LiveIdentity, boundary: Option<&AttachedPermissionsBoundary>) {
        let Some(boundary) = boundary else { return };
        let arn = boundary.permissions_boundary_arn().unwrap_or_default().to_owned();
        let document = match self.managed.get(&arn).cloned().unwrap_or_else(not_given) {
            Ok(document) => Some(document),
            Err(reason) => {
                identity
                    .unreadable
                    .push(UnreadablePolicy { place: PolicyPlace::Boundary { arn: arn.clone() }, reason });
                None
            }
        };
        identity.boundary = Some(LiveBoundary { arn, document });
    }
}

/// What to say of something that is mentioned and not told.
const NOT_GIVEN: &str = "it is not in the answer of the server";

fn not_given() -> Read {
    Err(NOT_GIVEN.to_owned())
}

fn add(identity: &mut LiveIdentity, source: PolicySource, read: Read) {
    match read {
        Ok(document) => identity.policies.push(IdentityPolicy { source, document }),
        Err(reason) => identity.unreadable.push(UnreadablePolicy { place: PolicyPlace::Identity(source), reason }),
    }
}

/// Returns the identity of an ARN, a name and an id, without its policies.
fn identity(kind: IdentityKind, [arn, name, id]: [Option<&str>; 3]) -> Result<LiveIdentity, UnreadableIdentity> {
    let shown = arn.or(name).unwrap_or_default().to_owned();
    let wrong = |reason: String| UnreadableIdentity { arn: shown.clone(), reason };
    let arn = arn.ok_or_else(|| wrong("it has no ARN".to_owned()))?;
    let arn = arn.parse().map_err(|error| wrong(format!("{error}")))?;
    let id = id.ok_or_else(|| wrong("it has no unique id".to_owned()))?;
    Ok(LiveIdentity::new(arn, kind, id))
}

fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}
