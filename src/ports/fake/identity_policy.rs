//! What the policies of the fake's caller say, and managed policies.

use super::FakeAws;
use crate::live::{Caller, CallerPolicies};
use crate::policy::PolicyDocument;
use crate::ports::{IdentityPolicyReader, PortResult};

impl IdentityPolicyReader for FakeAws {
    async fn caller_policies(&self, caller: &Caller) -> PortResult<CallerPolicies> {
        self.run("iam:ListAttachedRolePolicies", &caller.principal, |state| Ok(state.caller_policies.clone()))
    }

    async fn managed_policy(&self, arn: &str) -> PortResult<Option<PolicyDocument>> {
        self.run("iam:GetPolicyVersion", &arn, |state| Ok(state.managed_policies.get(arn).cloned()))
    }
}
