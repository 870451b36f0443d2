//! Grants that the manifest does not declare: shown, never touched.

use super::super::draft::Sheet;
use crate::access::Grantee;
use crate::diag::Code;
use crate::live::{LiveGrant, LiveKey, Observed};

/// Grants outlive every policy, so those that the manifest does not declare are shown; services issue theirs by the
/// thousand, and they are theirs.
pub(super) fn grants(key: &LiveKey, sheet: &mut Sheet<'_>) {
    match &key.grants {
        Observed::Denied { action, .. } => sheet.block(
            Code::Unreadable,
            format!("`{action}` was denied on `{}`", key.arn),
            format!("allow the caller {action} on the key"),
        ),
        Observed::Known(grants) => {
            for grant in grants {
                if let Some(principal) = foreign_grantee(grant) {
                    sheet.note(
                        Code::UndeclaredGrant,
                        format!(
                            "grant `{}` lets `{}` {}",
                            crate::text::escape(&grant.facts.grant_id),
                            crate::text::escape(principal),
                            crate::text::and_list(&grant.facts.operations)
                        ),
                        format!(
                            "if nobody needs it: aws kms revoke-grant --key-id {} --grant-id {}",
                            key.arn.key_id(),
                            crate::text::escape(&grant.facts.grant_id)
                        ),
                    );
                }
            }
        }
    }
}

/// The grantee, unless it is a service, a service-linked role or the role by which EBS decrypts: those grants are the
/// services' own.
fn foreign_grantee(grant: &LiveGrant) -> Option<&str> {
    match &grant.facts.grantee {
        Grantee::Service(_) => None,
        Grantee::Principal(principal)
            if principal.contains(":role/aws-service-role/") || principal.contains(":role/aws:") =>
        {
            None
        }
        Grantee::Principal(principal) => Some(principal),
    }
}
