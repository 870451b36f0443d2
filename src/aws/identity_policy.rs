//! Reads the identity policies of one role or user, and single managed policies.

use super::Connection;
use super::call::Call;
use super::identity::document;
use super::metadata::protocol;
use super::paging::{Next, Pages};
use crate::ids::{PrincipalKind, RoleName};
use crate::live::{Caller, CallerPolicies};
use crate::policy::PolicyDocument;
use crate::ports::{IdentityPolicyReader, IdentityReader as _, PortError, PortErrorKind, PortResult};
use std::collections::BTreeMap;

const GET_USER: Call = Call::harmless("iam:GetUser");
const GET_POLICY: Call = Call::harmless("iam:GetPolicy");
const GET_VERSION: Call = Call::harmless("iam:GetPolicyVersion");
const LIST_USER_INLINE: Call = Call::harmless("iam:ListUserPolicies");
const GET_USER_INLINE: Call = Call::harmless("iam:GetUserPolicy");
const LIST_USER_ATTACHED: Call = Call::harmless("iam:ListAttachedUserPolicies");
const LIST_GROUPS: Call = Call::harmless("iam:ListGroupsForUser");
const LIST_GROUP_INLINE: Call = Call::harmless("iam:ListGroupPolicies");
const GET_GROUP_INLINE: Call = Call::harmless("iam:GetGroupPolicy");
const LIST_GROUP_ATTACHED: Call = Call::harmless("iam:ListAttachedGroupPolicies");

/// Policies by what they are called.
type Named = BTreeMap<String, PolicyDocument>;

impl IdentityPolicyReader for Connection {
    async fn caller_policies(&self, caller: &Caller) -> PortResult<CallerPolicies> {
        match caller.principal.kind() {
            PrincipalKind::Role | PrincipalKind::Session => self.role_policies(caller).await,
            PrincipalKind::User => self.user_policies(caller).await,
            // The account's own user needs no policy.
            PrincipalKind::Root => Ok(CallerPolicies::default()),
            PrincipalKind::FederatedUser => {
                let message = "the policies of a federated user's session are shown by no call";
                Err(PortError::new(PortErrorKind::NotSupported, GET_USER.name, message))
            }
        }
    }

    async fn managed_policy(&self, arn: &str) -> PortResult<Option<PolicyDocument>> {
        let request = || self.iam.get_policy().policy_arn(arn).send();
        let policy = match self.gate.send(GET_POLICY, request).await {
            Ok(answer) => answer.policy,
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = policy.and_then(|policy| policy.default_version_id);
        let version = version.ok_or_else(|| protocol(GET_POLICY.name, "the policy has no default version"))?;
        let request = || self.iam.get_policy_version().policy_arn(arn).version_id(&version).send();
        let text = self.gate.send(GET_VERSION, request).await?.policy_version.and_then(|version| version.document);
        let text = text.ok_or_else(|| protocol(GET_VERSION.name, "the answer holds no document"))?;
        document(GET_VERSION, &text).map(Some)
    }
}

impl Connection {
    async fn role_policies(&self, caller: &Caller) -> PortResult<CallerPolicies> {
        let missing = || PortError::new(PortErrorKind::NotFound, "iam:GetRole", "there is no such role");
        let name: RoleName = caller.principal.role_name().and_then(|name| name.parse().ok()).ok_or_else(missing)?;
        let role = self.role(&name).await?.ok_or_else(missing)?;
        let mut identity = role.inline_policies;
        self.add_managed(&mut identity, "", role.attached_policies).await?;
        let boundary = self.boundary(role.permissions_boundary.as_deref()).await?;
        Ok(CallerPolicies { unique_id: Some(role.unique_id), tags: role.tags, identity, boundary })
    }

    async fn user_policies(&self, caller: &Caller) -> PortResult<CallerPolicies> {
        let resource = caller.principal.arn();
        let name = resource.resource().rsplit('/').next().unwrap_or_default();
        let answer = self.gate.send(GET_USER, || self.iam.get_user().user_name(name).send()).await?;
        let user = answer.user.ok_or_else(|| protocol(GET_USER.name, "the answer holds no user"))?;
        let mut identity = self.user_inline(name).await?;
        let attached = self.user_attached(name).await?;
        self.add_managed(&mut identity, "", attached).await?;
        for group in self.groups(name).await? {
            self.add_group(&mut identity, &group).await?;
        }
        let boundary = user.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
        let tags = user.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        let boundary = self.boundary(boundary).await?;
        Ok(CallerPolicies { unique_id: Some(user.user_id), tags, identity, boundary })
    }

    /// Reads a boundary. One that cannot be found limits in a way that nobody knows.
    async fn boundary(&self, arn: Option<&str>) -> PortResult<Option<PolicyDocument>> {
        let Some(arn) = arn else { return Ok(None) };
        self.managed(arn).await.map(Some)
    }

    async fn managed(&self, arn: &str) -> PortResult<PolicyDocument> {
        let missing = || PortError::new(PortErrorKind::NotFound, GET_POLICY.name, format!("there is no policy {arn}"));
        self.managed_policy(arn).await?.ok_or_else(missing)
    }

    async fn add_managed(&self, named: &mut Named, of: &str, arns: Vec<String>) -> PortResult<()> {
        for arn in arns {
            let document = self.managed(&arn).await?;
            named.insert(format!("{of}{arn}"), document);
        }
        Ok(())
    }

    async fn user_inline(&self, user: &str) -> PortResult<Named> {
        let mut policies = Named::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.iam.list_user_policies().user_name(user).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_USER_INLINE, request).await?;
            for name in page.policy_names {
                let request = || self.iam.get_user_policy().user_name(user).policy_name(&name).send();
                let answer = self.gate.send(GET_USER_INLINE, request).await?;
                policies.insert(name, document(GET_USER_INLINE, &answer.policy_document)?);
            }
            if pages.turn(LIST_USER_INLINE.name, page.is_truncated, page.marker)? == Next::End {
                return Ok(policies);
            }
        }
    }

    async fn user_attached(&self, user: &str) -> PortResult<Vec<String>> {
        let mut arns = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.iam.list_attached_user_policies().user_name(user).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_USER_ATTACHED, request).await?;
            arns.extend(page.attached_policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn));
            if pages.turn(LIST_USER_ATTACHED.name, page.is_truncated, page.marker)? == Next::End {
                return Ok(arns);
            }
        }
    }

    /// Returns the groups of a user; none where the server has no groups.
    async fn groups(&self, user: &str) -> PortResult<Vec<String>> {
        let mut groups = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.iam.list_groups_for_user().user_name(user).set_marker(marker.clone()).send();
            let page = match self.gate.send(LIST_GROUPS, request).await {
                Err(error) if error.kind == PortErrorKind::NotSupported => return Ok(groups),
                outcome => outcome?,
            };
            groups.extend(page.groups.into_iter().map(|group| group.group_name));
            if pages.turn(LIST_GROUPS.name, page.is_truncated, page.marker)? == Next::End {
                return Ok(groups);
            }
        }
    }

    async fn add_group(&self, named: &mut Named, group: &str) -> PortResult<()> {
        let of = format!("{group}/");
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.iam.list_group_policies().group_name(group).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_GROUP_INLINE, request).await?;
            for name in page.policy_names {
                let request = || self.iam.get_group_policy().group_name(group).policy_name(&name).send();
                let answer = self.gate.send(GET_GROUP_INLINE, request).await?;
                named.insert(format!("{of}{name}"), document(GET_GROUP_INLINE, &answer.policy_document)?);
            }
            if pages.turn(LIST_GROUP_INLINE.name, page.is_truncated, page.marker)? == Next::End {
                break;
            }
        }
        let attached = self.group_attached(group).await?;
        self.add_managed(named, &of, attached).await
    }

    async fn group_attached(&self, group: &str) -> PortResult<Vec<String>> {
        let mut arns = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request =
                || self.iam.list_attached_group_policies().group_name(group).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_GROUP_ATTACHED, request).await?;
            arns.extend(page.attached_policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn));
            if pages.turn(LIST_GROUP_ATTACHED.name, page.is_truncated, page.marker)? == Next::End {
                return Ok(arns);
            }
        }
    }
}
