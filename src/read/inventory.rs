//! Reads every key of an account and Region, and the account's identities, for questions that no manifest limits.

use super::ReadOptions;
use super::error::{ReadError, about};
use super::key::{observed, parsed, read_parts, settled};
use super::life::imported;
use crate::ids::{KeyArn, KeyId, Region};
use crate::live::{
    AwsManagedKey, KeyManager, KeyMetadata, LiveIdentities, LiveKey, LiveKeys, LivePolicy, LiveTarget, Observed,
};
use crate::ports::{AccountIdentityReader, AnyKeyReader, CallerReader, KeyReader, PortError, PortResult};
use futures::stream::{StreamExt as _, TryStreamExt as _};

/// The name of the policy that AWS RAM writes.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html>
const RAM_POLICY: &str = "AWS_RAM";

/// A key as it was found.
enum Found {
    Customer(Box<LiveKey>),
    Aws(AwsManagedKey),
}

/// Reads all roles and users of the caller's account; denied where `iam:GetAccountAuthorizationDetails` is.
pub async fn read_identities<C: AccountIdentityReader + Sync>(
    connection: &C,
) -> Result<Observed<LiveIdentities>, ReadError> {
    observed(connection.identities().await).map_err(ReadError::Port)
}

/// Reads every key of the caller's account in a Region; denied where `kms:ListKeys` is.
///
/// The Region must be the one that the connection calls. A customer's key takes six calls, one more where it is shared
/// through AWS RAM, and one more where its material was imported; a key of AWS's own takes one.
pub async fn every_key<C: CallerReader + KeyReader + AnyKeyReader + Sync>(
    connection: &C,
    region: &Region,
    options: &ReadOptions,
) -> Result<Observed<LiveKeys>, ReadError> {
    let account = connection.caller().await.map_err(ReadError::Port)?.account;
    let here = |error: PortError| ReadError::Port(about(error, format_args!("account {account}, {region}")));
    let arns = match observed(connection.list_keys().await).map_err(here)? {
        Observed::Known(arns) => arns,
        Observed::Denied { action, message } => return Ok(Observed::Denied { action, message }),
    };
    let aliases = observed(connection.list_aliases().await).map_err(here)?;
    let reads = arns.iter().map(|arn| read_listed(connection, arn, options));
    let found: Vec<Option<Found>> =
        futures::stream::iter(reads).buffer_unordered(options.parallel.max(1)).try_collect().await.map_err(here)?;
    Ok(Observed::Known(sorted(
        LiveKeys { account, region: region.clone(), keys: vec![], aws_managed: vec![], aliases },
        found,
    )))
}

/// Reads the second policy of each key of a target too, where AWS RAM shares the key. A plan does without: it takes a
/// call a key.
pub async fn read_ram_policies<C: AnyKeyReader + Sync>(
    connection: &C,
    live: &mut LiveTarget,
    options: &ReadOptions,
) -> Result<(), ReadError> {
    let ids: Vec<KeyId> = live.keys.iter().map(|key| key.arn.key_id()).collect();
    let reads = ids.iter().map(async |id| ram_policy(connection, id).await.map_err(|error| in_key(error, id)));
    let found: Vec<Observed<Option<LivePolicy>>> =
        futures::stream::iter(reads).buffered(options.parallel.max(1)).try_collect().await.map_err(ReadError::Port)?;
    for (key, policy) in live.keys.iter_mut().zip(found) {
        key.ram_policy = Some(policy);
    }
    Ok(())
}

fn sorted(mut all: LiveKeys, found: Vec<Option<Found>>) -> LiveKeys {
    for key in found.into_iter().flatten() {
        match key {
            Found::Customer(key) => all.keys.push(*key),
            Found::Aws(key) => all.aws_managed.push(key),
        }
    }
    all.keys.sort_by_key(|key| key.arn.key_id());
    all.aws_managed.sort_by_key(|key| key.arn.key_id());
    all
}

/// Reads a key that was listed; `None` if it is gone by now.
async fn read_listed<C: KeyReader + AnyKeyReader + Sync>(
    connection: &C,
    listed: &KeyArn,
    options: &ReadOptions,
) -> PortResult<Option<Found>> {
    let id = listed.key_id();
    let described = settled(connection, &id, options).await.map_err(|error| in_key(error, &id))?;
    let Some(described) = described else {
        tracing::warn!(key = %id, "a key that was listed does not exist any more");
        return Ok(None);
    };
    let (arn, metadata) = match described {
        Observed::Known((arn, metadata)) if metadata.manager == KeyManager::Aws => {
            return Ok(Some(Found::Aws(AwsManagedKey { arn, description: metadata.description })));
        }
        Observed::Known((arn, metadata)) => (arn, Observed::Known(metadata)),
        Observed::Denied { action, message } => (listed.clone(), Observed::Denied { action, message }),
    };
    let key = read_whole(connection, arn, metadata).await?;
    let materials = imported(connection, &key).await?;
    Ok(Some(Found::Customer(Box::new(LiveKey { materials, ..key }))))
}

/// Reads everything of a key that was described, its second policy included.
pub(super) async fn read_whole<C: KeyReader + AnyKeyReader + Sync>(
    connection: &C,
    arn: KeyArn,
    metadata: Observed<KeyMetadata>,
) -> PortResult<LiveKey> {
    let id = arn.key_id();
    let (key, ram_policy) =
        futures::try_join!(read_parts(connection, (arn, metadata), None), ram_policy(connection, &id))
            .map_err(|error| in_key(error, &id))?;
    Ok(LiveKey { ram_policy: Some(ram_policy), ..key })
}

async fn ram_policy<C: AnyKeyReader + Sync>(connection: &C, id: &KeyId) -> PortResult<Observed<Option<LivePolicy>>> {
    let names = match observed(connection.policy_names(id).await)? {
        Observed::Known(names) => names,
        Observed::Denied { action, message } => return Ok(Observed::Denied { action, message }),
    };
    if !names.iter().any(|name| name == RAM_POLICY) {
        return Ok(Observed::Known(None));
    }
    match parsed(observed(connection.policy_named(id, RAM_POLICY).await)?)? {
        Observed::Known(policy) => Ok(Observed::Known(Some(policy))),
        Observed::Denied { action, message } => Ok(Observed::Denied { action, message }),
    }
}

fn in_key(error: PortError, id: &KeyId) -> PortError {
    about(error, format_args!("key {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::{KeySpec, Origin};
    use crate::live::{Backend, Gap, GapEffect, IdentityKind, LiveIdentity, LiveMaterials, PolicyPlace};
    use crate::policy::PolicyDocument;
    use crate::ports::fake::{FakeAws, Strike, Which};
    use crate::ports::{IdentityWriter as _, NewRole, PortErrorKind};
    use std::collections::BTreeMap;

    const CALLER: &str = "arn:aws:iam::111122223333:role/auditor";
    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;
    const SHARED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt",
        "Resource":"*"}]}"#;

    fn fake() -> FakeAws {
        FakeAws::new("eu-west-1", CALLER)
    }

    async fn read(fake: &FakeAws) -> Result<Observed<LiveKeys>, ReadError> {
        every_key(fake, &"eu-west-1".parse().unwrap(), &ReadOptions::new(Backend::Sandbox)).await
    }

    async fn known(fake: &FakeAws) -> LiveKeys {
        read(fake).await.unwrap().known().unwrap().clone()
    }

    #[tokio::test]
    async fn every_key_is_read_whole_and_those_of_aws_are_only_named() {
        let fake = fake();
        let plain = fake.add_key(POLICY, &[("team", "x")], &["alias/a", "alias/b"]);
        let shared = fake.add_key(POLICY, &[], &[]);
        let of_aws = fake.add_key(POLICY, &[], &[]);
        {
            let mut state = fake.state();
            state.key(&shared.key_id()).unwrap().ram_policy = Some(SHARED.to_owned());
            let metadata = &mut state.key(&of_aws.key_id()).unwrap().metadata;
            metadata.manager = KeyManager::Aws;
            metadata.description = "Default key that protects my S3 objects".to_owned();
        }
        let live = known(&fake).await;
        assert_eq!(live.account.as_str(), "111122223333");
        assert_eq!(live.keys.iter().map(|key| &key.arn).collect::<Vec<_>>(), [&plain, &shared]);
        let named = AwsManagedKey { arn: of_aws, description: "Default key that protects my S3 objects".to_owned() };
        assert_eq!(live.aws_managed, [named]);

        let facts = live.facts(&live.keys[0]).unwrap();
        assert_eq!(facts.gaps, []);
        assert_eq!((facts.facts.aliases, facts.facts.ram_policy), (vec!["alias/a".into(), "alias/b".into()], None));
        assert_eq!(facts.facts.tags["team"], "x");
        let facts = live.facts(&live.keys[1]).unwrap().facts;
        assert_eq!(facts.ram_policy, Some(PolicyDocument::parse(SHARED).unwrap()));

        let counts = fake.counts();
        assert_eq!((counts["kms:DescribeKey"], counts["kms:ListKeyPolicies"], counts["kms:GetKeyPolicy"]), (3, 2, 3));
        assert_eq!(counts.values().sum::<u64>(), 3 + 2 * 6 + 1 + 1);
    }

    #[tokio::test]
    async fn imported_keys_come_with_their_materials() {
        let fake = fake();
        let (plain, imported) = (fake.add_key(POLICY, &[], &[]), fake.add_key(POLICY, &[], &[]));
        let mac = fake.add_key(POLICY, &[], &[]);
        for arn in [&imported, &mac] {
            fake.state().key(&arn.key_id()).unwrap().metadata.origin = Origin::External;
        }
        fake.state().key(&mac.key_id()).unwrap().metadata.spec = KeySpec::Hmac256;
        let live = known(&fake).await;
        let of = |arn: &KeyArn| live.keys.iter().find(|key| key.arn == *arn).unwrap().materials.clone();
        let listed = Observed::Known(LiveMaterials::Listed(Vec::new()));
        let untold = Observed::Known(LiveMaterials::Untold);
        assert_eq!([of(&plain), of(&imported), of(&mac)], [None, Some(listed), Some(untold)]);
        assert_eq!(fake.count("kms:ListKeyRotations"), 1);
        fake.fail("kms:ListKeyRotations", Which::Every, Strike::Before, PortErrorKind::Denied);
        let live = known(&fake).await;
        let denied: Vec<&str> = live.keys.iter().filter_map(|key| key.materials.as_ref()?.denied()).collect();
        assert_eq!(denied, ["kms:ListKeyRotations"]);
    }

    #[tokio::test]
    async fn what_is_denied_is_a_gap_and_nothing_is_decided_without_a_key_policy() {
        let parts = [
            ("kms:DescribeKey", GapEffect::Either),
            ("kms:ListResourceTags", GapEffect::Either),
            ("kms:ListGrants", GapEffect::Widens),
            ("kms:ListAliases", GapEffect::Either),
            ("kms:ListKeyPolicies", GapEffect::Widens),
        ];
        for (call, effect) in parts {
            let fake = fake();
            let arn = fake.add_key(POLICY, &[], &["alias/a"]);
            fake.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
            let live = known(&fake).await;
            let gaps = live.facts(&live.keys[0]).unwrap().gaps;
            let [Gap { what, reason, effect: found }] = gaps.as_slice() else { panic!("{call}: {gaps:?}") };
            assert!(what.contains(arn.as_str()) && reason.contains(call), "{what}: {reason}");
            assert_eq!(*found, effect, "{call}");
        }
        let fake = fake();
        fake.add_key(POLICY, &[], &[]);
        fake.fail("kms:GetKeyPolicy", Which::Every, Strike::Before, PortErrorKind::Denied);
        let live = known(&fake).await;
        assert!(live.facts(&live.keys[0]).unwrap_err().reason.contains("kms:GetKeyPolicy"));
    }

    #[tokio::test]
    async fn resource_shares_are_read_for_the_keys_of_a_target() {
        let fake = fake();
        let (plain, shared) = (fake.add_key(POLICY, &[], &[]), fake.add_key(POLICY, &[], &[]));
        fake.state().key(&shared.key_id()).unwrap().ram_policy = Some(SHARED.to_owned());
        let mut keys = known(&fake).await.keys;
        for key in &mut keys {
            key.ram_policy = None;
        }
        let caller = fake.caller().await.unwrap();
        let mut live = LiveTarget {
            backend: Backend::Aws,
            account: plain.account(),
            region: plain.region(),
            caller,
            keys,
            aliases: [].into(),
            unreadable: Vec::new(),
            stores: [].into(),
            key_count: None,
            caller_policies: None,
        };
        read_ram_policies(&fake, &mut live, &ReadOptions::new(Backend::Aws)).await.unwrap();
        let policy =
            |arn: &KeyArn| live.key(&arn.key_id()).unwrap().ram_policy.clone().unwrap().known().unwrap().clone();
        assert_eq!(policy(&plain), None);
        assert_eq!(policy(&shared).unwrap().document, PolicyDocument::parse(SHARED).unwrap());
        fake.fail("kms:ListKeyPolicies", Which::Every, Strike::Before, PortErrorKind::Denied);
        read_ram_policies(&fake, &mut live, &ReadOptions::new(Backend::Aws)).await.unwrap();
        assert!(live.keys.iter().all(|key| key.ram_policy.as_ref().unwrap().known().is_none()));
    }

    #[tokio::test]
    async fn no_list_is_no_empty_list_and_a_failure_names_its_key() {
        let fake = fake();
        let arn = fake.add_key(POLICY, &[], &[]);
        fake.fail("kms:ListKeys", Which::Every, Strike::Before, PortErrorKind::Denied);
        assert_eq!(read(&fake).await.unwrap().denied(), Some("kms:ListKeys"));
        fake.heal();
        fake.fail("kms:ListKeyPolicies", Which::Every, Strike::Before, PortErrorKind::Transient);
        let error = read(&fake).await.unwrap_err().to_string();
        assert!(error.contains(arn.key_id().as_str()) && error.contains("111122223333, eu-west-1"), "{error}");
    }

    fn role(boundary: Option<&str>) -> NewRole {
        NewRole {
            name: "app".parse().unwrap(),
            path: "/team/".to_owned(),
            description: None,
            max_session_seconds: 3600,
            trust: PolicyDocument::new(Vec::new()),
            permissions_boundary: boundary.map(str::to_owned),
            tags: BTreeMap::from([("team".to_owned(), "x".to_owned())]),
        }
    }

    #[tokio::test]
    async fn identities_become_facts_and_a_boundary_that_was_not_read_is_a_gap() {
        let fake = fake();
        let limit = "arn:aws:iam::111122223333:policy/limit";
        fake.create_role(&role(Some(limit))).await.unwrap();
        let policy = PolicyDocument::parse(SHARED).unwrap();
        fake.put_role_policy(&"app".parse().unwrap(), "p", &policy).await.unwrap();
        let user =
            LiveIdentity::new("arn:aws:iam::111122223333:user/ann".parse().unwrap(), IdentityKind::User, "AIDA1");
        fake.state().users.push(user);

        let observed = read_identities(&fake).await.unwrap();
        let live = observed.known().unwrap();
        let arns: Vec<&str> = live.principals.iter().map(|identity| identity.arn.as_str()).collect();
        assert_eq!(arns, ["arn:aws:iam::111122223333:role/team/app", "arn:aws:iam::111122223333:user/ann"]);
        let app = &live.principals[0];
        assert_eq!(app.unreadable[0].place, PolicyPlace::Boundary { arn: limit.to_owned() });
        let facts = app.facts();
        assert_eq!(facts.gaps.iter().map(|gap| gap.effect).collect::<Vec<_>>(), [GapEffect::Narrows]);
        assert_eq!(facts.facts.identity_policies, std::slice::from_ref(&policy));
        assert_eq!((facts.facts.role_arn.as_deref(), facts.facts.tags["team"].as_str()), (Some(arns[0]), "x"));
        assert_eq!(live.principals[1].facts().facts.unique_id.as_deref(), Some("AIDA1"));

        fake.state().managed.insert(limit.to_owned(), policy.clone());
        let observed = read_identities(&fake).await.unwrap();
        let facts = observed.known().unwrap().principals[0].facts();
        assert_eq!((facts.facts.permissions_boundary, facts.gaps), (Some(policy), vec![]));
    }

    #[tokio::test]
    async fn denied_identities_are_not_no_identities() {
        let fake = fake();
        let call = "iam:GetAccountAuthorizationDetails";
        fake.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
        assert_eq!(read_identities(&fake).await.unwrap().denied(), Some(call));
        fake.heal();
        fake.fail(call, Which::Every, Strike::Before, PortErrorKind::NotSupported);
        let error = read_identities(&fake).await.unwrap_err();
        assert!(matches!(error, ReadError::Port(error) if error.kind == PortErrorKind::NotSupported));
    }
}
