//! Reads and writes roles.

use super::Connection;
use super::call::Call;
use super::metadata::protocol;
use super::paging::{Next, Pages};
use crate::ids::{AccountId, RoleName};
use crate::live::LiveRole;
use crate::policy::PolicyDocument;
use crate::ports::{IdentityReader, IdentityWriter, NewRole, PortErrorKind, PortResult};
use aws_sdk_iam::types::{Role, Tag};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

const GET_ROLE: Call = Call::harmless("iam:GetRole");
const LIST_INLINE: Call = Call::harmless("iam:ListRolePolicies");
const GET_INLINE: Call = Call::harmless("iam:GetRolePolicy");
const LIST_ATTACHED: Call = Call::harmless("iam:ListAttachedRolePolicies");
const GET_PROVIDER: Call = Call::harmless("iam:GetOpenIDConnectProvider");
// A second role of one name is refused, so that a repetition makes no second thing.
const CREATE_ROLE: Call = Call::harmless("iam:CreateRole");
const UPDATE_ROLE: Call = Call::harmless("iam:UpdateRole");
const UPDATE_TRUST: Call = Call::harmless("iam:UpdateAssumeRolePolicy");
const PUT_BOUNDARY: Call = Call::harmless("iam:PutRolePermissionsBoundary");
const DELETE_BOUNDARY: Call = Call::harmless("iam:DeleteRolePermissionsBoundary");
const UNTAG: Call = Call::harmless("iam:UntagRole");
const TAG_ROLE: Call = Call::harmless("iam:TagRole");
const PUT_INLINE: Call = Call::harmless("iam:PutRolePolicy");
const DELETE_INLINE: Call = Call::harmless("iam:DeleteRolePolicy");

/// The longest session of a role that does not say.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
const DEFAULT_SESSION_SECONDS: i32 = 3_600;

impl IdentityReader for Connection {
    async fn role(&self, name: &RoleName) -> PortResult<Option<LiveRole>> {
        let request = || self.iam.get_role().role_name(name.as_str()).send();
        let role = match self.gate.send(GET_ROLE, request).await {
            Ok(answer) => answer.role.ok_or_else(|| protocol(GET_ROLE.name, "the answer holds no role"))?,
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut live = live_role(&role)?;
        live.inline_policies = self.inline_policies(name).await?;
        live.attached_policies = self.attached_policies(name).await?;
        Ok(Some(live))
    }

    async fn oidc_provider_exists(&self, account: &AccountId, provider: &str) -> PortResult<bool> {
        let arn = format!("arn:{}:iam::{account}:oidc-provider/{provider}", self.region.partition());
        let request = || self.iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send();
        match self.gate.send(GET_PROVIDER, request).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Connection {
    pub(super) async fn inline_policies(&self, role: &RoleName) -> PortResult<BTreeMap<String, PolicyDocument>> {
        let mut policies = BTreeMap::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request = || self.iam.list_role_policies().role_name(role.as_str()).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_INLINE, request).await?;
            for name in page.policy_names {
                let request = || self.iam.get_role_policy().role_name(role.as_str()).policy_name(&name).send();
                let answer = self.gate.send(GET_INLINE, request).await?;
                policies.insert(name, document(GET_INLINE, &answer.policy_document)?);
            }
            if pages.turn(LIST_INLINE.name, page.is_truncated, page.marker)? == Next::End {
                return Ok(policies);
            }
        }
    }

    pub(super) async fn attached_policies(&self, role: &RoleName) -> PortResult<Vec<String>> {
        let mut arns = Vec::new();
        let mut pages = Pages::default();
        loop {
            let marker = pages.marker();
            let request =
                || self.iam.list_attached_role_policies().role_name(role.as_str()).set_marker(marker.clone()).send();
            let page = self.gate.send(LIST_ATTACHED, request).await?;
            let attached = page.attached_policies.unwrap_or_default();
            arns.extend(attached.into_iter().filter_map(|policy| policy.policy_arn));
            if pages.turn(LIST_ATTACHED.name, page.is_truncated, page.marker)? == Next::End {
                arns.sort();
                return Ok(arns);
            }
        }
    }
}

impl IdentityWriter for Connection {
    async fn create_role(&self, role: &NewRole) -> PortResult<()> {
        let seconds = seconds(CREATE_ROLE, role.max_session_seconds)?;
        let tags = tags(CREATE_ROLE, &role.tags)?;
        let request = || {
            self.iam
                .create_role()
                .role_name(role.name.as_str())
                .path(&role.path)
                .set_description(role.description.clone())
                .max_session_duration(seconds)
                .assume_role_policy_document(role.trust.to_text())
                .set_permissions_boundary(role.permissions_boundary.clone())
                .set_tags(Some(tags.clone()))
                .send()
        };
        self.gate.send(CREATE_ROLE, request).await.map(drop)
    }

    async fn update_role(&self, role: &RoleName, description: &str, max_session_seconds: u32) -> PortResult<()> {
        let seconds = seconds(UPDATE_ROLE, max_session_seconds)?;
        let request = || {
            self.iam
                .update_role()
                .role_name(role.as_str())
                .description(description)
                .max_session_duration(seconds)
                .send()
        };
        self.gate.send(UPDATE_ROLE, request).await.map(drop)
    }

    async fn update_trust(&self, role: &RoleName, trust: &PolicyDocument) -> PortResult<()> {
        let request =
            || self.iam.update_assume_role_policy().role_name(role.as_str()).policy_document(trust.to_text()).send();
        self.gate.send(UPDATE_TRUST, request).await.map(drop)
    }

    async fn put_boundary(&self, role: &RoleName, boundary: &str) -> PortResult<()> {
        let request =
            || self.iam.put_role_permissions_boundary().role_name(role.as_str()).permissions_boundary(boundary).send();
        self.gate.send(PUT_BOUNDARY, request).await.map(drop)
    }

    async fn delete_boundary(&self, role: &RoleName) -> PortResult<()> {
        let request = || self.iam.delete_role_permissions_boundary().role_name(role.as_str()).send();
        self.gate.send(DELETE_BOUNDARY, request).await.map(drop)
    }

    async fn tag_role(&self, role: &RoleName, wanted: &BTreeMap<String, String>) -> PortResult<()> {
        let tags = tags(TAG_ROLE, wanted)?;
        let request = || self.iam.tag_role().role_name(role.as_str()).set_tags(Some(tags.clone())).send();
        self.gate.send(TAG_ROLE, request).await.map(drop)
    }

    async fn untag_role(&self, role: &RoleName, tag_keys: &BTreeSet<String>) -> PortResult<()> {
        let names: Vec<String> = tag_keys.iter().cloned().collect();
        let request = || self.iam.untag_role().role_name(role.as_str()).set_tag_keys(Some(names.clone())).send();
        self.gate.send(UNTAG, request).await.map(drop)
    }

    async fn put_role_policy(&self, role: &RoleName, name: &str, policy: &PolicyDocument) -> PortResult<()> {
        let request = || {
            self.iam
                .put_role_policy()
                .role_name(role.as_str())
                .policy_name(name)
                .policy_document(policy.to_text())
                .send()
        };
        self.gate.send(PUT_INLINE, request).await.map(drop)
    }

    async fn delete_role_policy(&self, role: &RoleName, name: &str) -> PortResult<()> {
        let request = || self.iam.delete_role_policy().role_name(role.as_str()).policy_name(name).send();
        match self.gate.send(DELETE_INLINE, request).await {
            // Gone is what was wanted; a repetition after a lost answer says so too.
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

/// Reads what `GetRole` tells; inline and attached policies come from other calls.
fn live_role(role: &Role) -> PortResult<LiveRole> {
    let wrong = |error: &dyn std::fmt::Display| protocol(GET_ROLE.name, error);
    let trust = role.assume_role_policy_document().ok_or_else(|| wrong(&"a role without a trust policy"))?;
    let seconds = role.max_session_duration().unwrap_or(DEFAULT_SESSION_SECONDS);
    Ok(LiveRole {
        arn: role.arn().parse().map_err(|error| wrong(&error))?,
        unique_id: role.role_id().to_owned(),
        description: role.description().unwrap_or_default().to_owned(),
        max_session_seconds: u32::try_from(seconds).map_err(|error| wrong(&error))?,
        trust: document(GET_ROLE, trust)?,
        tags: role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        inline_policies: BTreeMap::new(),
        attached_policies: Vec::new(),
        permissions_boundary: role
            .permissions_boundary()
            .and_then(|boundary| boundary.permissions_boundary_arn())
            .map(str::to_owned),
    })
}

/// Reads a policy document as IAM gives it: percent-encoded; some servers give it plain.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
pub(super) fn document(call: Call, text: &str) -> PortResult<PolicyDocument> {
    PolicyDocument::parse(&decoded(text)).map_err(|error| protocol(call.name, error))
}

/// Returns the text of a policy document that IAM gives.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if text.trim_start().starts_with('{') { Cow::Borrowed(text) } else { Cow::Owned(percent_decoded(text)) }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = (first == b'%').then(|| tail.get(..2).and_then(|digits| hex::decode(digits).ok())).flatten();
        if let Some(byte) = decoded {
            bytes.extend(byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn seconds(call: Call, seconds: u32) -> PortResult<i32> {
    i32::try_from(seconds).map_err(|error| protocol(call.name, error))
}

fn tags(call: Call, tags: &BTreeMap<String, String>) -> PortResult<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build().map_err(|error| protocol(call.name, error)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_encoded_or_plain() {
        let plain = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"a%20b+ü"}]}"#;
        let encoded = plain.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        assert_eq!(document(GET_ROLE, plain), document(GET_ROLE, &encoded));
        assert_eq!(percent_decoded("a%2"), "a%2");
        assert_eq!(document(GET_ROLE, "%7B").unwrap_err().kind, PortErrorKind::Protocol);
    }
}
