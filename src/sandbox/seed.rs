//! Principals and key stores that exist before anybody created them, so that a manifest runs as it stands.

use super::SeedKind;
use super::error::ApiError;
use super::state::{Backing, Connection, Entity, EntityKind, KeyStore, Proxy, State, entity};
use crate::ids::{AccountId, KeyStoreId, Partition, PrincipalArn, PrincipalKind, Region};
use crate::kms::Origin;
use jiff::Timestamp;
use serde_json::json;

/// The name of the inline policy of a seeded deployer.
const DEPLOYER_POLICY: &str = "keywright-sandbox-deployer";

/// The name of the inline policy of a seeded reader.
const READER_POLICY: &str = "keywright-sandbox-reader";

/// Makes a principal exist; what exists is left as it is, but a reader or deployer gets its policy.
pub(super) fn principal(state: &mut State, arn: &PrincipalArn, kind: SeedKind, now: Timestamp) -> Result<(), ApiError> {
    let account = arn.account();
    let partition = partition(arn)?;
    state.open_account(&account, partition, now);
    let resource = arn.arn().resource();
    let (entity_kind, path_and_name) = match arn.kind() {
        PrincipalKind::Role => (EntityKind::Role, resource.trim_start_matches("role")),
        PrincipalKind::User => (EntityKind::User, resource.trim_start_matches("user")),
        PrincipalKind::Session => (EntityKind::Role, ""),
        PrincipalKind::FederatedUser | PrincipalKind::Root => return Ok(()),
    };
    let (path, name) = match path_and_name.rfind('/') {
        Some(at) => path_and_name.split_at(at + 1),
        None => ("/", arn.role_name().unwrap_or_default()),
    };
    let key = entity(&account, name);
    let table = match entity_kind {
        EntityKind::Role => &mut state.roles,
        EntityKind::User => &mut state.users,
        EntityKind::Group => &mut state.groups,
    };
    if table.get(&key).is_none() {
        let mut row = Entity::new(&account, partition, entity_kind, (path, name), now);
        if entity_kind == EntityKind::Role {
            row.trust = trust(partition, arn);
        }
        table.insert(key.clone(), row);
    }
    let wanted = match kind {
        SeedKind::Trusted => None,
        SeedKind::Reader => Some((READER_POLICY, allowing(&["kms:ListAliases", "kms:ListKeys", "tag:GetResources"]))),
        SeedKind::Deployer => Some((DEPLOYER_POLICY, allowing(&["kms:*", "iam:*", "tag:*", "sts:*"]))),
    };
    if let Some((name, policy)) = wanted
        && table.get(&key).is_some_and(|row| !row.inline.contains_key(name))
        && let Some(row) = table.get_mut(&key)
    {
        row.inline.insert(name.to_owned(), policy);
    }
    Ok(())
}

/// Makes a custom key store exist, and connects it; one that exists is left as it is. `origin` is that of its keys.
pub(super) fn key_store(
    state: &mut State,
    (account, region): (&AccountId, &Region),
    id: &KeyStoreId,
    origin: Origin,
    now: Timestamp,
) {
    if state.stores.get(id.as_str()).is_some() {
        return;
    }
    let backing = if origin == Origin::ExternalKeyStore {
        Backing::Proxy(Proxy {
            access_key_id: "SANDBOXPROXYKEY00000".to_owned(),
            endpoint: format!("https://{id}.example.com"),
            path: "/kms/xks/v1".to_owned(),
            vpc: None,
        })
    } else {
        Backing::Cluster {
            id: format!("cluster-{}", id.as_str().trim_start_matches("cks-")),
            trust_anchor: String::new(),
        }
    };
    let store = KeyStore {
        account: account.clone(),
        region: region.clone(),
        id: id.to_string(),
        name: format!("sandbox-{id}"),
        created: now,
        connection: Connection::Connected { from: now },
        backing,
    };
    state.stores.insert(id.to_string(), store);
}

fn partition(arn: &PrincipalArn) -> Result<Partition, ApiError> {
    use Partition::{Aws, AwsCn, AwsEusc, AwsIso, AwsIsoB, AwsUsGov};
    let word = arn.arn().partition();
    [Aws, AwsCn, AwsUsGov, AwsIso, AwsIsoB, AwsEusc]
        .into_iter()
        .find(|partition| partition.as_str() == word)
        .ok_or_else(|| ApiError::validation(format!("{word} is no partition that the sandbox knows")))
}

/// A seeded role is assumed by the account's `user/sandbox`, and by whom the account's IAM lets: a deployer becomes the
/// verifier.
fn trust(partition: Partition, arn: &PrincipalArn) -> String {
    let account = arn.account();
    let [user, root] = ["user/sandbox", "root"].map(|who| format!("arn:{partition}:iam::{account}:{who}"));
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": [user, root] }, "Action": "sts:AssumeRole"
    }] })
    .to_string()
}

fn allowing(actions: &[&str]) -> String {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
        .to_string()
}
