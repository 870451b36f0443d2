//! Reads the roles of an account that the manifest makes, and the identity providers that they trust.

use super::error::{ReadError, about};
use super::key::observed;
use crate::desired::{DesiredAccount, DesiredRole};
use crate::ids::{Arn, RoleName};
use crate::live::{LiveAccount, LiveRole, Observed};
use crate::policy::PolicyDocument;
use crate::ports::{IdentityPolicyReader, IdentityReader, PortError, PortResult};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use std::collections::{BTreeMap, BTreeSet};

/// How many roles are read at once: IAM takes few calls a second, and a role takes several.
const PARALLEL: usize = 4;

/// Reads an account: each role that the manifest makes there, the permissions boundaries of those roles, and whether
/// the OpenID Connect providers exist that they trust.
///
/// The caller must be of the account: [`super::read_target`] makes sure of that for the account's targets.
pub async fn read_account<C: IdentityReader + IdentityPolicyReader + Sync>(
    connection: &C,
    desired: &DesiredAccount,
) -> Result<LiveAccount, ReadError> {
    let in_account = |error: PortError| ReadError::Port(about(error, format_args!("account {}", desired.account)));
    let roles: BTreeMap<_, _> = futures::stream::iter(desired.roles.iter().map(|role| read_role(connection, role)))
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
        .map_err(in_account)?;
    let trusted = desired.roles.iter().filter_map(|role| role.trust.oidc.as_ref());
    let providers: BTreeSet<&str> = trusted.map(|trust| trust.provider.as_str()).collect();
    let mut oidc_providers = BTreeMap::new();
    for provider in providers {
        let exists = observed(connection.oidc_provider_exists(&desired.account, provider).await)
            .map_err(|error| in_account(about(error, format_args!("provider {provider}"))))?;
        oidc_providers.insert(provider.to_owned(), exists);
    }
    let boundaries = read_boundaries(connection, desired, &roles).await.map_err(in_account)?;
    Ok(LiveAccount { account: desired.account.clone(), roles, oidc_providers, boundaries })
}

/// Reads the boundaries that roles have or shall have: without them nobody knows whether an administrator keeps a way in.
async fn read_boundaries<C: IdentityPolicyReader + Sync>(
    connection: &C,
    desired: &DesiredAccount,
    roles: &BTreeMap<RoleName, Observed<Option<LiveRole>>>,
) -> PortResult<BTreeMap<String, Observed<Option<PolicyDocument>>>> {
    let wanted = desired.roles.iter().filter_map(|role| role.permissions_boundary.as_ref()).map(Arn::as_str);
    let live = roles.values().filter_map(|role| role.known()?.as_ref()?.permissions_boundary.as_deref());
    let arns: BTreeSet<&str> = wanted.chain(live).collect();
    let mut boundaries = BTreeMap::new();
    for arn in arns {
        let read = connection.managed_policy(arn).await;
        let document = observed(read).map_err(|error| about(error, format_args!("permissions boundary {arn}")))?;
        boundaries.insert(arn.to_owned(), document);
    }
    Ok(boundaries)
}

async fn read_role<C: IdentityReader + Sync>(
    connection: &C,
    role: &DesiredRole,
) -> PortResult<(RoleName, Observed<Option<LiveRole>>)> {
    let live = observed(connection.role(&role.name).await)
        .map_err(|error| about(error, format_args!("role {}", role.name)))?;
    Ok((role.name.clone(), live))
}
