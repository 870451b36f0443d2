//! Principals as a manifest names them, resolved for one account.

use crate::ids::{AccountId, PrincipalArn, RoleName};
use crate::policy::glob_matches;

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A role that the manifest declares, managed or referred to.
    Role {
        /// Its name in the manifest.
        name: RoleName,
        /// Its ARN in this account.
        arn: PrincipalArn,
    },
    /// A role, user or session by ARN.
    Arn(PrincipalArn),
    /// The roles that Identity Center makes for a permission set in the key's account.
    IdentityCenter {
        /// The permission set's name.
        permission_set: String,
        /// The key's account.
        account: AccountId,
    },
    /// Another account: delegates to its IAM.
    Account(AccountId),
    /// Members of an organization in other accounts.
    Organization(String),
    /// A service principal, by the short name that the manifest gives (`logs`).
    Service(String),
}

/// A principal's spelling in messages and plans.
pub type PrincipalName = String;

impl Principal {
    /// Returns how people read the principal: the role's name where the manifest declares it, else as written there.
    pub fn name(&self) -> PrincipalName {
        match self {
            Self::Role { name, .. } => name.to_string(),
            Self::Arn(arn) => arn.to_string(),
            Self::IdentityCenter { permission_set, .. } => format!("sso:{permission_set}"),
            Self::Account(account) => format!("account:{account}"),
            Self::Organization(id) => format!("org:{id}"),
            Self::Service(name) => format!("service:{name}"),
        }
    }

    /// Returns the exact ARN, for the kinds that have one.
    pub fn arn(&self) -> Option<&PrincipalArn> {
        match self {
            Self::Role { arn, .. } | Self::Arn(arn) => Some(arn),
            Self::IdentityCenter { .. } | Self::Account(_) | Self::Organization(_) | Self::Service(_) => None,
        }
    }

    /// Returns the `aws:PrincipalArn` pattern that matches the principal and nobody else, for the kinds that call
    /// in their own name from a known account.
    ///
    /// Identity Center makes roles under `/aws-reserved/sso.amazonaws.com/`, with a Region folder outside the home
    /// Region of us-east-1, named `AWSReservedSSO_<permission set>_<16 hexadecimal digits>`.
    ///
    /// <https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html>
    pub fn arn_patterns(&self, partition: crate::ids::Partition) -> Vec<String> {
        match self {
            Self::Role { arn, .. } | Self::Arn(arn) => vec![arn.to_string()],
            Self::IdentityCenter { permission_set, account } => {
                let root = format!("arn:{partition}:iam::{account}:role/aws-reserved/sso.amazonaws.com");
                vec![
                    format!("{root}/AWSReservedSSO_{permission_set}_????????????????"),
                    format!("{root}/*/AWSReservedSSO_{permission_set}_????????????????"),
                ]
            }
            Self::Account(_) | Self::Organization(_) | Self::Service(_) => Vec::new(),
        }
    }

    /// Returns the ARN of somebody who stands for the principal: its own, or for Identity Center that of a role of the
    /// right name. `None` for principals that are many.
    pub fn stand_in(&self, partition: crate::ids::Partition) -> Option<PrincipalArn> {
        match self {
            Self::Role { arn, .. } | Self::Arn(arn) => Some(arn.clone()),
            Self::IdentityCenter { .. } => self.arn_patterns(partition).first()?.replace('?', "0").parse().ok(),
            Self::Account(_) | Self::Organization(_) | Self::Service(_) => None,
        }
    }
    /// Returns whether somebody with an ARN is the principal, and not merely one of the many that it stands for.
    pub fn is_arn(&self, arn: &PrincipalArn, partition: crate::ids::Partition) -> bool {
        self.arn() == Some(arn)
            || self.arn_patterns(partition).iter().any(|pattern| glob_matches(pattern, arn.as_str()))
    }
}
