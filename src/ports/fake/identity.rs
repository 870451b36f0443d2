//! IAM in memory: roles that are read and written one by one, and all identities at once.

use super::{FakeAws, FakeState, refused};
use crate::ids::{AccountId, RoleName};
use crate::live::{
    Caller, CallerPolicies, IdentityKind, IdentityPolicy, LiveBoundary, LiveIdentities, LiveIdentity, LiveRole,
    PolicyPlace, PolicySource, UnreadablePolicy,
};
use crate::policy::PolicyDocument;
use crate::ports::{
    AccountIdentityReader, IdentityPolicyReader, IdentityReader, IdentityWriter, NewRole, PortErrorKind, PortResult,
};
use std::collections::{BTreeMap, BTreeSet};

impl IdentityReader for FakeAws {
    async fn role(&self, name: &RoleName) -> PortResult<Option<LiveRole>> {
        self.run("iam:GetRole", &name, |state| Ok(state.roles.get(name).cloned()))
    }

    async fn oidc_provider_exists(&self, _: &AccountId, provider: &str) -> PortResult<bool> {
        self.run("iam:GetOpenIDConnectProvider", &provider, |state| Ok(state.providers.contains(provider)))
    }
}

impl IdentityPolicyReader for FakeAws {
    async fn caller_policies(&self, caller: &Caller) -> PortResult<CallerPolicies> {
        self.run("iam:ListAttachedRolePolicies", &caller.principal, |state| Ok(state.caller_policies.clone()))
    }

    async fn managed_policy(&self, arn: &str) -> PortResult<Option<PolicyDocument>> {
        self.run("iam:GetPolicyVersion", &arn, |state| Ok(state.managed.get(arn).cloned()))
    }
}

impl FakeState {
    /// Returns a role as the list of all identities shows it.
    fn identity(&self, role: &LiveRole) -> LiveIdentity {
        let mut identity = LiveIdentity::new(role.arn.principal(), IdentityKind::Role, role.unique_id.clone());
        identity.tags.clone_from(&role.tags);
        identity.trust = Some(role.trust.clone());
        for (name, document) in &role.inline_policies {
            let (source, document) = (PolicySource::Inline { name: name.clone() }, document.clone());
            identity.policies.push(IdentityPolicy { source, document });
        }
        for arn in &role.attached_policies {
            let source = PolicySource::Managed { arn: arn.clone() };
            match self.managed.get(arn).cloned() {
                Some(document) => identity.policies.push(IdentityPolicy { source, document }),
                None => identity.unreadable.push(unread(PolicyPlace::Identity(source))),
            }
        }
        if let Some(arn) = role.permissions_boundary.clone() {
            let document = self.managed.get(&arn).cloned();
            if document.is_none() {
                identity.unreadable.push(unread(PolicyPlace::Boundary { arn: arn.clone() }));
            }
            identity.boundary = Some(LiveBoundary { arn, document });
        }
        identity
    }
}

fn unread(place: PolicyPlace) -> UnreadablePolicy {
    UnreadablePolicy { place, reason: "there is no such policy".to_owned() }
}

impl AccountIdentityReader for FakeAws {
    async fn identities(&self) -> PortResult<LiveIdentities> {
        self.run("iam:GetAccountAuthorizationDetails", &"", |state| {
            let roles = state.roles.values().map(|role| state.identity(role));
            let mut principals: Vec<LiveIdentity> = roles.chain(state.users.iter().cloned()).collect();
            principals.sort_by(|a, b| a.arn.cmp(&b.arn));
            Ok(LiveIdentities { account: self.caller.account.clone(), principals, unreadable: Vec::new() })
        })
    }
}

impl IdentityWriter for FakeAws {
    async fn create_role(&self, role: &NewRole) -> PortResult<()> {
        self.run("iam:CreateRole", &role.name, |state| {
            state.check_principals(&role.trust)?;
            if state.roles.contains_key(&role.name) {
                return Err(refused(PortErrorKind::AlreadyExists, format!("role {} exists already", role.name)));
            }
            let live = LiveRole {
                arn: self.role_arn(role),
                unique_id: format!("AROAFAKE{:012}", state.roles.len()),
                description: role.description.clone().unwrap_or_default(),
                max_session_seconds: role.max_session_seconds,
                trust: role.trust.clone(),
                tags: role.tags.clone(),
                inline_policies: BTreeMap::new(),
                attached_policies: Vec::new(),
                permissions_boundary: role.permissions_boundary.clone(),
            };
            state.roles.insert(role.name.clone(), live);
            Ok(())
        })
    }

    async fn update_role(&self, role: &RoleName, description: &str, max_session_seconds: u32) -> PortResult<()> {
        self.run("iam:UpdateRole", &role, |state| {
            let live = state.role(role)?;
            description.clone_into(&mut live.description);
            live.max_session_seconds = max_session_seconds;
            Ok(())
        })
    }

    async fn update_trust(&self, role: &RoleName, trust: &PolicyDocument) -> PortResult<()> {
        self.run("iam:UpdateAssumeRolePolicy", &role, |state| {
            state.check_principals(trust)?;
            state.role(role)?.trust = trust.clone();
            Ok(())
        })
    }

    async fn put_boundary(&self, role: &RoleName, boundary: &str) -> PortResult<()> {
        self.run("iam:PutRolePermissionsBoundary", &role, |state| {
            state.role(role)?.permissions_boundary = Some(boundary.to_owned());
            Ok(())
        })
    }

    async fn delete_boundary(&self, role: &RoleName) -> PortResult<()> {
        self.run("iam:DeleteRolePermissionsBoundary", &role, |state| {
            state.role(role)?.permissions_boundary = None;
            Ok(())
        })
    }

    async fn tag_role(&self, role: &RoleName, tags: &BTreeMap<String, String>) -> PortResult<()> {
        self.run("iam:TagRole", &role, |state| {
            state.role(role)?.tags.extend(tags.clone());
            Ok(())
        })
    }

    async fn untag_role(&self, role: &RoleName, tag_keys: &BTreeSet<String>) -> PortResult<()> {
        self.run("iam:UntagRole", &role, |state| {
            state.role(role)?.tags.retain(|tag, _| !tag_keys.contains(tag));
            Ok(())
        })
    }

    async fn put_role_policy(&self, role: &RoleName, name: &str, policy: &PolicyDocument) -> PortResult<()> {
        self.run("iam:PutRolePolicy", &role, |state| {
            state.role(role)?.inline_policies.insert(name.to_owned(), policy.clone());
            Ok(())
        })
    }

    async fn delete_role_policy(&self, role: &RoleName, name: &str) -> PortResult<()> {
        self.run("iam:DeleteRolePolicy", &role, |state| {
            state.role(role)?.inline_policies.remove(name);
            Ok(())
        })
    }
}
