//! Groups, versions of policies, and all identities at once: as callers see them, and as our own adapter reads them.

use super::*;
use crate::access::{Decision, Guardrails, PrincipalType, Request, decide};
use crate::aws;
use crate::live::{LiveIdentities, LiveIdentity};
use crate::read::{KeyNameError, ReadOptions, every_key, key_named, read_identities};
use crate::secret::SecretText;
use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput as Details;
use aws_sdk_iam::types::EntityType;
use std::collections::BTreeSet;

impl Bench {
    /// Creates a user and returns it with an access key of its own.
    async fn user(&self, name: &str) -> Client {
        let iam = self.admin().iam();
        iam.create_user().user_name(name).send().await.unwrap();
        let key = iam.create_access_key().user_name(name).send().await.unwrap().access_key.unwrap();
        self.client(Credentials::new(key.access_key_id, key.secret_access_key, None, None, "test"), "eu-west-1")
    }

    /// Creates a managed policy and returns its ARN.
    async fn managed(&self, name: &str, policy: Value) -> String {
        let create = self.admin().iam().create_policy().policy_name(name).policy_document(policy.to_string());
        create.send().await.unwrap().policy.unwrap().arn.unwrap()
    }

    /// Returns our own connection as the account's administrator.
    async fn connection(&self) -> aws::Connection {
        self.connection_as(None).await
    }

    /// Returns our own connection as a role of the account, if any, or else as its administrator.
    async fn connection_as(&self, role: Option<&str>) -> aws::Connection {
        let (access_key, secret) = credentials(&ACCOUNT.parse().unwrap());
        let secret = SecretText::new(secret.expose_secret().to_owned());
        let settings = aws::ConnectSettings {
            endpoint: aws::Endpoint::Sandbox(self.sandbox.endpoint()),
            credentials: aws::Credentials::Static { access_key, secret },
            assume_role: role.map(|role| (role_arn(role).parse().unwrap(), None)),
            pacing: aws::Pacing::None,
            ..aws::ConnectSettings::new("eu-west-1".parse().unwrap())
        };
        aws::connect(&settings).await.unwrap()
    }

    async fn identities(&self) -> LiveIdentities {
        read_identities(&self.connection().await).await.unwrap().known().unwrap().clone()
    }
}

fn find<'a>(live: &'a LiveIdentities, resource: &str) -> &'a LiveIdentity {
    live.principals.iter().find(|identity| identity.arn.arn().resource() == resource).unwrap()
}

#[tokio::test]
async fn a_user_may_what_its_groups_may_while_it_is_in_them() {
    let bench = Bench::new().await;
    let (iam, ann) = (bench.admin().iam(), bench.user("ann").await);
    let key = bench.admin().key().await;
    let made = iam.create_group().group_name("staff").path("/all/").send().await.unwrap().group.unwrap();
    assert_eq!(made.arn, format!("arn:aws:iam::{ACCOUNT}:group/all/staff"));
    assert!(made.group_id.starts_with("AGPA"), "{}", made.group_id);
    assert_eq!(code(iam.create_group().group_name("staff").send().await), "EntityAlreadyExists");
    let inline = iam.put_group_policy().group_name("staff").policy_name("p");
    inline.policy_document(allow("kms:DescribeKey", "*").to_string()).send().await.unwrap();
    let arn = bench.managed("list", allow("kms:ListKeys", "*")).await;
    iam.attach_group_policy().group_name("staff").policy_arn(&arn).send().await.unwrap();

    let describe = || ann.kms().describe_key().key_id(&key).send();
    assert_eq!(code(describe().await), "AccessDeniedException");
    iam.add_user_to_group().group_name("staff").user_name("ann").send().await.unwrap();
    assert!(describe().await.is_ok());
    assert!(ann.kms().list_keys().send().await.is_ok());
    iam.delete_group_policy().group_name("staff").policy_name("p").send().await.unwrap();
    assert_eq!(code(describe().await), "AccessDeniedException");

    let group = iam.get_group().group_name("staff").send().await.unwrap();
    assert_eq!(group.users.iter().map(|user| user.user_name.as_str()).collect::<Vec<_>>(), ["ann"]);
    let of_ann = iam.list_groups_for_user().user_name("ann").send().await.unwrap().groups;
    assert_eq!(of_ann.iter().map(|group| group.group_name.as_str()).collect::<Vec<_>>(), ["staff"]);
    let attached = iam.list_attached_group_policies().group_name("staff").send().await.unwrap();
    assert_eq!(attached.attached_policies.unwrap()[0].policy_arn, Some(arn.clone()));

    assert_eq!(code(iam.delete_group().group_name("staff").send().await), "DeleteConflict");
    iam.remove_user_from_group().group_name("staff").user_name("ann").send().await.unwrap();
    assert_eq!(code(ann.kms().list_keys().send().await), "AccessDeniedException");
    assert_eq!(code(iam.delete_policy().policy_arn(&arn).send().await), "DeleteConflict");
    assert_eq!(code(iam.delete_group().group_name("staff").send().await), "DeleteConflict");
    iam.detach_group_policy().group_name("staff").policy_arn(&arn).send().await.unwrap();
    iam.delete_group().group_name("staff").send().await.unwrap();
    assert_eq!(code(iam.get_group().group_name("staff").send().await), "NoSuchEntity");
    assert!(iam.list_groups().send().await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn members_and_groups_must_exist_and_a_member_is_not_deleted() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    iam.create_user().user_name("ann").send().await.unwrap();
    let add = |group: String, user: &str| iam.add_user_to_group().group_name(group).user_name(user).send();
    assert_eq!(code(add("staff".to_owned(), "ann").await), "NoSuchEntity");
    for number in 0..11 {
        iam.create_group().group_name(format!("g{number}")).send().await.unwrap();
    }
    assert_eq!(code(add("g0".to_owned(), "bob").await), "NoSuchEntity");
    for number in 0..10 {
        add(format!("g{number}"), "ann").await.unwrap();
        add(format!("g{number}"), "ann").await.unwrap();
    }
    assert_eq!(code(add("g10".to_owned(), "ann").await), "LimitExceeded");
    assert_eq!(code(iam.delete_user().user_name("ann").send().await), "DeleteConflict");
    let put = iam.put_group_policy().group_name("g0").policy_name("p");
    assert_eq!(code(put.policy_document(allow("kms:*", &"a".repeat(5_200)).to_string()).send().await), "LimitExceeded");
}

#[tokio::test]
async fn the_default_version_of_a_policy_counts() {
    let bench = Bench::new().await;
    let iam = bench.admin().iam();
    let app = bench.role("app", None).await;
    let key = bench.admin().key().await;
    let arn = bench.managed("p", allow("kms:ListKeys", "*")).await;
    iam.attach_role_policy().role_name("app").policy_arn(&arn).send().await.unwrap();
    let version =
        |action: &str| iam.create_policy_version().policy_arn(&arn).policy_document(allow(action, "*").to_string());
    let made = version("kms:DescribeKey").send().await.unwrap().policy_version.unwrap();
    assert_eq!((made.version_id.as_deref(), made.is_default_version, &made.document), (Some("v2"), false, &None));
    let may = || async {
        let describe = app.kms().describe_key().key_id(&key).send().await.is_ok();
        (app.kms().list_keys().send().await.is_ok(), describe)
    };
    assert_eq!(may().await, (true, false));
    let set = |id: &str| iam.set_default_policy_version().policy_arn(&arn).version_id(id).send();
    set("v2").await.unwrap();
    set("v2").await.unwrap();
    assert_eq!(may().await, (false, true));
    assert_eq!(
        iam.get_policy().policy_arn(&arn).send().await.unwrap().policy.unwrap().default_version_id.unwrap(),
        "v2"
    );
    version("kms:*").set_as_default(true).send().await.unwrap();
    assert_eq!(may().await, (true, true));

    let get = |id: &str| iam.get_policy_version().policy_arn(&arn).version_id(id).send();
    let first = get("v1").await.unwrap().policy_version.unwrap();
    assert!(first.document.unwrap().contains("kms%3AListKeys") && !first.is_default_version);
    version("kms:Get*").send().await.unwrap();
    version("kms:Put*").send().await.unwrap();
    assert_eq!(code(version("kms:Sign").send().await), "LimitExceeded");
    let listed = iam.list_policy_versions().policy_arn(&arn).send().await.unwrap().versions.unwrap();
    let ids: Vec<(&str, bool)> = listed.iter().map(|v| (v.version_id().unwrap(), v.is_default_version)).collect();
    assert_eq!(ids, [("v1", false), ("v2", false), ("v3", true), ("v4", false), ("v5", false)]);

    let delete = |id: &str| iam.delete_policy_version().policy_arn(&arn).version_id(id).send();
    assert_eq!(code(delete("v3").await), "DeleteConflict");
    delete("v1").await.unwrap();
    assert_eq!(
        (code(delete("v1").await), code(get("v1").await)),
        ("NoSuchEntity".to_owned(), "NoSuchEntity".to_owned())
    );
    assert_eq!(code(set("v9").await), "NoSuchEntity");
    assert_eq!(code(set("nine").await), "ValidationError");
    // Numbers are never given out twice.
    let made = version("kms:Sign").send().await.unwrap().policy_version.unwrap();
    assert_eq!(made.version_id.as_deref(), Some("v6"));
    iam.detach_role_policy().role_name("app").policy_arn(&arn).send().await.unwrap();
    assert_eq!(code(iam.delete_policy().policy_arn(&arn).send().await), "DeleteConflict");
    for id in ["v2", "v4", "v5", "v6"] {
        delete(id).await.unwrap();
    }
    iam.delete_policy().policy_arn(&arn).send().await.unwrap();
    let of_aws = iam.create_policy_version().policy_arn("arn:aws:iam::aws:policy/AdministratorAccess");
    assert_eq!(code(of_aws.policy_document(allow("*", "*").to_string()).send().await), "AccessDenied");
}

/// Makes an account with a bit of everything; returns the managed policy's ARN.
async fn furnish(bench: &Bench) -> String {
    let iam = bench.admin().iam();
    let limit = bench.managed("limit", allow("kms:Describe*", "*")).await;
    bench.role("app", Some(allow("kms:*", "*"))).await;
    iam.put_role_permissions_boundary().role_name("app").permissions_boundary(&limit).send().await.unwrap();
    bench.role("plain", None).await;
    bench.user("ann").await;
    let inline = iam.put_user_policy().user_name("ann").policy_name("own");
    inline.policy_document(allow("kms:List*", "*").to_string()).send().await.unwrap();
    iam.create_group().group_name("staff").send().await.unwrap();
    iam.attach_group_policy().group_name("staff").policy_arn(&limit).send().await.unwrap();
    iam.add_user_to_group().group_name("staff").user_name("ann").send().await.unwrap();
    let there = bench.admin_of("444455556666").iam();
    there.create_group().group_name("others").send().await.unwrap();
    limit
}

/// Returns what an answer holds, in order.
fn names(details: &Details) -> Vec<String> {
    let users = details.user_detail_list().iter().map(|user| user.arn());
    let groups = details.group_detail_list().iter().map(|group| group.arn());
    let roles = details.role_detail_list().iter().map(|role| role.arn());
    let policies = details.policies().iter().map(|policy| policy.arn());
    users.chain(groups).chain(roles).chain(policies).flatten().map(str::to_owned).collect()
}

#[tokio::test]
async fn all_identities_come_in_pages_and_by_filter() {
    let bench = Bench::new().await;
    let limit = furnish(&bench).await;
    let iam = bench.admin().iam();
    let whole = iam.get_account_authorization_details().send().await.unwrap();
    let all = ["user/ann", "user/sandbox", "group/staff", "role/app", "role/plain", "policy/limit"];
    assert_eq!(names(&whole), all.map(|resource| format!("arn:aws:iam::{ACCOUNT}:{resource}")));
    let policy = &whole.policies()[0];
    assert_eq!((policy.attachment_count, policy.permissions_boundary_usage_count), (Some(1), Some(1)));
    assert!(policy.policy_version_list()[0].document().unwrap().contains("kms%3ADescribe%2A"));
    let app = whole.role_detail_list().iter().find(|role| role.role_name() == Some("app")).unwrap();
    assert_eq!(app.permissions_boundary().unwrap().permissions_boundary_arn(), Some(limit.as_str()));

    for size in [1, 2, 4] {
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let ask = iam.get_account_authorization_details().max_items(size).set_marker(marker);
            let page = ask.send().await.unwrap();
            assert!(names(&page).len() <= usize::try_from(size).unwrap());
            seen.extend(names(&page));
            assert_eq!(page.is_truncated, page.marker.is_some());
            marker = page.marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, names(&whole), "{size}");
    }
    let only = |filter: EntityType| iam.get_account_authorization_details().filter(filter).send();
    assert_eq!(names(&only(EntityType::Role).await.unwrap()).len(), 2);
    assert_eq!(names(&only(EntityType::LocalManagedPolicy).await.unwrap()), [limit]);
    assert_eq!(names(&only(EntityType::AwsManagedPolicy).await.unwrap()), Vec::<String>::new());
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    iam.attach_role_policy().role_name("plain").policy_arn(administrator).send().await.unwrap();
    assert_eq!(names(&only(EntityType::AwsManagedPolicy).await.unwrap()), [administrator]);
    assert_eq!(code(only(EntityType::from("Robot")).await), "ValidationError");
    assert_eq!(code(iam.get_account_authorization_details().marker("x").send().await), "ValidationError");
    let plain = bench.role("third", Some(allow("iam:GetRole", "*"))).await;
    assert_eq!(code(plain.iam().get_account_authorization_details().send().await), "AccessDenied");
}

#[tokio::test]
async fn a_policy_of_another_account_cannot_be_attached() {
    let bench = Bench::new().await;
    let arn = bench.managed("p", allow("kms:*", "*")).await;
    let there = bench.admin_of("444455556666").iam();
    there.create_group().group_name("g").send().await.unwrap();
    assert_eq!(code(there.attach_group_policy().group_name("g").policy_arn(&arn).send().await), "NoSuchEntity");
    let create = there.create_user().user_name("u").permissions_boundary(&arn);
    assert_eq!(code(create.send().await), "NoSuchEntity");
}

#[tokio::test]
async fn what_our_adapter_reads_decides_as_the_sandbox_does() {
    let bench = Bench::new().await;
    let limit = furnish(&bench).await;
    let live = bench.identities().await;
    assert_eq!((live.principals.len(), live.unreadable.as_slice()), (4, &[][..]));
    let app = find(&live, "role/app");
    assert_eq!(app.boundary.as_ref().map(|boundary| boundary.arn.as_str()), Some(limit.as_str()));
    assert!(app.trust.is_some() && app.unique_id.starts_with("AROA"));

    // The default key policy leaves everything to IAM.
    let id = bench.admin().key().await;
    let found = key_named(&bench.connection().await, &"eu-west-1".parse().unwrap(), &id).await.unwrap();
    let key = found.facts().unwrap();
    assert_eq!(key.gaps, []);
    let session = bench.admin().assume("app", None).await;
    let plain = bench.admin().assume("plain", None).await;
    for (name, client) in [("role/app", &session), ("role/plain", &plain), ("user/sandbox", &bench.admin())] {
        let facts = find(&live, name).facts();
        assert_eq!(facts.gaps, []);
        let kms = client.kms();
        let really = [
            ("kms:DescribeKey", kms.describe_key().key_id(&id).send().await.is_ok()),
            ("kms:GetKeyPolicy", kms.get_key_policy().key_id(&id).send().await.is_ok()),
        ];
        for (action, allowed) in really {
            let request = Request::new(action, key.facts.arn.clone(), key.facts.region.clone());
            let decision = decide(&request, &facts.facts, Some(&key.facts), &Guardrails::default());
            assert_eq!(decision == Decision::Allow, allowed, "{name} {action}: {decision:?}");
        }
    }
    let ann = find(&live, "user/ann").facts().facts;
    assert_eq!((ann.kind, ann.identity_policies.len()), (PrincipalType::User, 2));
}

#[tokio::test]
async fn every_key_of_the_region_is_read_and_denials_stay_denials() {
    let bench = Bench::new().await;
    let (admin, region) = (bench.admin(), "eu-west-1".parse().unwrap());
    let closed = json!([{ "Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "*",
        "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/sandbox") } }]);
    let (open, closed) = (admin.key().await, admin.key_with(statements(closed)).await);
    admin.kms().create_alias().alias_name("alias/shop/a").target_key_id(&open).send().await.unwrap();
    admin.kms().describe_key().key_id("alias/aws/s3").send().await.unwrap();
    admin.region("us-east-1").key().await;
    let connection = bench.connection().await;
    let options = ReadOptions::new(crate::live::Backend::Sandbox);
    let observed = every_key(&connection, &region, &options).await.unwrap();
    let live = observed.known().unwrap();
    let ids: BTreeSet<String> = live.keys.iter().map(|key| key.arn.key_id().to_string()).collect();
    assert_eq!(ids, BTreeSet::from([open.clone(), closed.clone()]));
    let [of_aws] = live.aws_managed.as_slice() else { panic!("{:?}", live.aws_managed) };
    assert!(of_aws.description.contains("s3"), "{}", of_aws.description);
    for key in &live.keys {
        let facts = live.facts(key);
        if key.arn.key_id().as_str() == open {
            let facts = facts.unwrap();
            assert_eq!((facts.facts.aliases, facts.gaps), (vec!["alias/shop/a".to_owned()], vec![]));
        } else {
            assert!(facts.unwrap_err().reason.contains("kms:GetKeyPolicy was denied"));
            assert_eq!(key.metadata.denied(), Some("kms:DescribeKey"));
        }
    }
    let named = key_named(&connection, &region, "alias/aws/s3").await.unwrap();
    assert!(named.facts().unwrap().facts.aws_managed);
    let missing = key_named(&connection, &region, "alias/shop/b").await.unwrap_err();
    assert!(
        matches!(&missing, KeyNameError::NotFound { similar: Some(alias), .. } if alias.as_str() == "alias/shop/a")
    );
}

/// Returns the policy in the documentation that has a statement.
fn documented(sid: &str) -> Value {
    let page = std::fs::read_to_string("docs/bootstrap.md").unwrap();
    let blocks = page.split("```json").skip(1).map(|rest| rest.split("```").next().unwrap());
    serde_json::from_str(blocks.into_iter().find(|block| block.contains(sid)).unwrap()).unwrap()
}

#[tokio::test]
async fn the_documented_rights_suffice_and_each_is_needed() {
    let bench = Bench::new().await;
    furnish(&bench).await;
    bench.admin().key().await;
    let whole = documented("ReadIdentities");
    bench.role("asker", Some(whole.clone())).await;
    let connection = bench.connection_as(Some("asker")).await;
    let (region, options) = ("eu-west-1".parse().unwrap(), ReadOptions::new(crate::live::Backend::Sandbox));
    // What an answer on everything could not see: denied lists, and gaps of identities and keys.
    let unseen = async || {
        let identities = read_identities(&connection).await.unwrap();
        let keys = every_key(&connection, &region, &options).await.unwrap();
        let lists = [identities.denied(), keys.denied()].into_iter().flatten().count();
        let keys = keys.known().map_or(0, |all| {
            all.keys.iter().filter(|key| all.facts(key).is_ok_and(|facts| facts.gaps.is_empty())).count()
        });
        (lists, keys)
    };
    assert_eq!(unseen().await, (0, 1));
    for statement in 0..3 {
        let mut less = whole.clone();
        less["Statement"].as_array_mut().unwrap().remove(statement);
        bench.put_policy("asker", less).await;
        assert_ne!(unseen().await, (0, 1), "{statement}");
    }
}

#[tokio::test]
async fn groups_and_versions_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = StateLocation::Folder(folder.path().join("state"));
    let bench = Bench::with(place.clone(), "").await;
    let limit = furnish(&bench).await;
    let version = bench.admin().iam().create_policy_version().policy_arn(&limit).set_as_default(true);
    version.policy_document(allow("kms:Get*", "*").to_string()).send().await.unwrap();
    let before = bench.identities().await;
    bench.sandbox.shutdown().await;
    let bench = Bench::with(place, "").await;
    assert_eq!(bench.identities().await, before);
}
