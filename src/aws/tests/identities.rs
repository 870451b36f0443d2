//! All identities of an account, and keys by any name, against a server that answers what the test says.

use super::*;
use crate::live::{IdentityKind, LiveIdentities, LiveIdentity, MultiRegionType, PolicyPlace, PolicySource};
use crate::ports::{AccountIdentityReader as _, AnyKeyReader as _};

const GET_DETAILS: &str = "getaccountauthorizationdetails";

/// Returns a document as IAM gives it: percent-encoded.
fn encoded(action: &str) -> String {
    format!(
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22{}\
         %22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D",
        action.replace(':', "%3A")
    )
}

fn inline(list: &str, name: &str, document: &str) -> String {
    format!(
        "<{list}><member><PolicyName>{name}</PolicyName><PolicyDocument>{document}</PolicyDocument></member></{list}>"
    )
}

fn attached(arn: &str) -> String {
    format!(
        "<AttachedManagedPolicies><member><PolicyName>p</PolicyName><PolicyArn>{arn}</PolicyArn></member>\
         </AttachedManagedPolicies>"
    )
}

fn boundary(arn: &str) -> String {
    format!("<PermissionsBoundary><PermissionsBoundaryArn>{arn}</PermissionsBoundaryArn></PermissionsBoundary>")
}

fn managed(arn: &str, versions: &[(&str, &str)], default: &str) -> String {
    let version = |(id, document): &(&str, &str)| {
        let default = *id == default;
        format!(
            "<member><VersionId>{id}</VersionId><IsDefaultVersion>{default}</IsDefaultVersion>\
             <Document>{document}</Document></member>"
        )
    };
    let versions: String = versions.iter().map(version).collect();
    format!(
        "<member><Arn>{arn}</Arn><DefaultVersionId>{default}</DefaultVersionId>\
         <PolicyVersionList>{versions}</PolicyVersionList></member>"
    )
}

fn role(path_and_name: &str, rest: &str) -> String {
    format!("<member><Arn>arn:aws:iam::111122223333:role/{path_and_name}</Arn><RoleId>AROA1</RoleId>{rest}</member>")
}

fn trust(document: &str) -> String {
    format!("<AssumeRolePolicyDocument>{document}</AssumeRolePolicyDocument>")
}

fn page(content: &str, next: &str) -> Reply {
    xml(&format!("<GetAccountAuthorizationDetailsResult>{content}{next}</GetAccountAuthorizationDetailsResult>"))
}

const END: &str = "<IsTruncated>false</IsTruncated>";
const LIMIT: &str = "arn:aws:iam::111122223333:policy/limit";
const OF_AWS: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

fn two_pages(before: usize) -> Reply {
    if before > 1 {
        let user = format!(
            "<member><Arn>arn:aws:iam::111122223333:user/ann</Arn><UserId>AIDA1</UserId>{}{}{}</member>",
            inline("UserPolicyList", "own", &encoded("kms:List*")),
            "<GroupList><member>staff</member><member>ghosts</member></GroupList>",
            "<Tags><member><Key>team</Key><Value>a b</Value></member></Tags>",
        );
        let versions = [("v1", &*encoded("kms:Old")), ("v2", &*encoded("kms:New"))];
        let policies = managed(LIMIT, &versions, "v2");
        return page(&format!("<UserDetailList>{user}</UserDetailList><Policies>{policies}</Policies>"), END);
    }
    let roles = [
        role("team/app", &(trust(&encoded("sts:AssumeRole")) + &attached(LIMIT) + &boundary(LIMIT))),
        role("broken", &(trust("%7B") + &inline("RolePolicyList", "p", "no+policy") + &attached(OF_AWS))),
        role("a*b/odd", &trust(&encoded("sts:AssumeRole"))),
    ]
    .concat();
    let group = format!(
        "<member><GroupName>staff</GroupName>{}{}</member>",
        inline("GroupPolicyList", "of-group", &encoded("kms:Sign")),
        attached(LIMIT)
    );
    let next = "<IsTruncated>true</IsTruncated><Marker>second</Marker>";
    page(&format!("<RoleDetailList>{roles}</RoleDetailList><GroupDetailList>{group}</GroupDetailList>"), next)
}

/// A server that knows two pages of identities, and lets no single policy be read.
async fn server() -> Server {
    Server::start(|operation, before| match operation {
        "getcalleridentity" => whoami(),
        GET_DETAILS => two_pages(before),
        _ => Reply::Say(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>".to_owned()),
    })
    .await
}

fn find<'a>(live: &'a LiveIdentities, name: &str) -> &'a LiveIdentity {
    live.principals.iter().find(|identity| identity.arn.as_str().ends_with(name)).unwrap()
}

fn actions(identity: &LiveIdentity) -> Vec<(String, String)> {
    let action = |document: &PolicyDocument| match &document.statements[0].actions {
        Some(crate::policy::Actions::Is(actions)) => actions[0].clone(),
        other => panic!("{other:?}"),
    };
    identity.policies.iter().map(|policy| (policy.source.to_string(), action(&policy.document))).collect()
}

#[tokio::test]
async fn identities_have_the_policies_of_all_pages() {
    let server = server().await;
    let live = connected(&server).await.identities().await.unwrap();
    assert_eq!(live.account.as_str(), "111122223333");
    let app = find(&live, "role/team/app");
    assert_eq!((app.kind, app.unique_id.as_str(), app.unreadable.as_slice()), (IdentityKind::Role, "AROA1", &[][..]));
    assert_eq!(actions(app), [(format!("attached policy {LIMIT}"), "kms:New".to_owned())], "the default version");
    assert_eq!(app.boundary.as_ref().unwrap().document.as_ref(), Some(&app.policies[0].document));
    assert!(app.trust.is_some());

    let ann = find(&live, "user/ann");
    let expected = [
        ("inline policy own", "kms:List*"),
        ("policy of-group of group staff", "kms:Sign"),
        (&*format!("policy {LIMIT} of group staff"), "kms:New"),
    ];
    assert_eq!(actions(ann), expected.map(|(source, action)| (source.to_owned(), action.to_owned())));
    assert_eq!((ann.kind, ann.tags["team"].as_str()), (IdentityKind::User, "a b"));
    assert_eq!(ann.unreadable[0].place, PolicyPlace::WholeGroup { group: "ghosts".to_owned() });

    let seen = server.seen();
    let asked: Vec<&Seen> = seen.iter().filter(|seen| seen.operation == GET_DETAILS).collect();
    assert!(!asked[0].body.contains("Marker") && asked[1].body.contains("Marker=second"));
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_by_name() {
    let server = server().await;
    let live = connected(&server).await.identities().await.unwrap();
    let broken = find(&live, "role/broken");
    assert_eq!((broken.policies.as_slice(), &broken.trust), (&[][..], &None));
    let places: Vec<&PolicyPlace> = broken.unreadable.iter().map(|policy| &policy.place).collect();
    let inline = PolicyPlace::Identity(PolicySource::Inline { name: "p".to_owned() });
    let of_aws = PolicyPlace::Identity(PolicySource::Managed { arn: OF_AWS.to_owned() });
    assert_eq!(places, [&inline, &of_aws, &PolicyPlace::Trust]);
    assert!(broken.unreadable[1].reason.contains("iam:GetPolicy was denied"), "{}", broken.unreadable[1].reason);
    // No ARN of a principal has a wildcard for us; the role is known to exist all the same.
    assert_eq!(live.unreadable.len(), 1);
    assert!(live.unreadable[0].arn.ends_with("role/a*b/odd"), "{:?}", live.unreadable);
    assert_eq!(live.principals.len(), 3);
}

#[tokio::test]
async fn a_policy_that_the_answer_leaves_out_is_asked_for_once() {
    let server = Server::start(|operation, _| match operation {
        "getcalleridentity" => whoami(),
        GET_DETAILS => {
            let [a, b] = ["a", "b"].map(|name| role(name, &(trust(&encoded("x:y")) + &attached(OF_AWS))));
            page(&format!("<RoleDetailList>{a}{b}</RoleDetailList>"), END)
        }
        "getpolicy" => {
            xml("<GetPolicyResult><Policy><DefaultVersionId>v7</DefaultVersionId></Policy></GetPolicyResult>")
        }
        _ => xml(&format!(
            "<GetPolicyVersionResult><PolicyVersion><Document>{}</Document></PolicyVersion></GetPolicyVersionResult>",
            encoded("kms:Describe*")
        )),
    })
    .await;
    let live = connected(&server).await.identities().await.unwrap();
    for name in ["role/a", "role/b"] {
        assert_eq!(actions(find(&live, name)), [(format!("attached policy {OF_AWS}"), "kms:Describe*".to_owned())]);
    }
    assert_eq!((server.count("getpolicy"), server.count("getpolicyversion")), (1, 1));
    assert!(server.seen().last().unwrap().body.contains("VersionId=v7"));
}

#[tokio::test]
async fn a_refusal_or_a_broken_list_is_never_an_empty_account() {
    let error = |code: &str| format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
    for (status, body, kind) in [
        (403, error("AccessDenied"), PortErrorKind::Denied),
        (400, error("InvalidAction"), PortErrorKind::NotSupported),
        (501, error("InternalFailure"), PortErrorKind::NotSupported),
        (500, error("ServiceFailure"), PortErrorKind::Transient),
    ] {
        let server = Server::start(move |operation, _| match operation {
            "getcalleridentity" => whoami(),
            _ => Reply::Say(status, body.clone()),
        })
        .await;
        let error = connected(&server).await.identities().await.unwrap_err();
        assert_eq!((error.kind, error.call.as_str()), (kind, "iam:GetAccountAuthorizationDetails"));
    }
    let server = Server::start(|operation, _| match operation {
        "getcalleridentity" => whoami(),
        _ => page("", "<IsTruncated>true</IsTruncated>"),
    })
    .await;
    let error = connected(&server).await.identities().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Protocol);
}

#[tokio::test]
async fn keys_are_described_by_alias_and_have_a_second_policy() {
    let server = Server::start(|operation, before| match (operation, before) {
        ("describekey", _) => json(
            200,
            r#"{"KeyMetadata":{"KeyId":"mrk-1","Arn":"arn:aws:kms:eu-west-1:111122223333:key/mrk-1","Enabled":true,
                "KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT","Origin":"AWS_KMS","MultiRegion":true,
                "MultiRegionConfiguration":{"MultiRegionKeyType":"REPLICA"}}}"#,
        ),
        ("listkeypolicies", 1) => json(200, r#"{"PolicyNames":["default"],"Truncated":true,"NextMarker":"m"}"#),
        ("listkeypolicies", _) => json(200, r#"{"PolicyNames":["AWS_RAM"],"Truncated":false}"#),
        _ => json(200, r#"{"Policy":"{}","PolicyName":"AWS_RAM"}"#),
    })
    .await;
    let connection = connected(&server).await;
    let (arn, metadata) = connection.describe_named("alias/aws/s3").await.unwrap();
    assert_eq!(
        (arn.key_id().as_str(), metadata.multi_region_type.map(MultiRegionType::name)),
        ("mrk-1", Some("REPLICA"))
    );
    assert!(server.seen()[0].body.contains(r#""KeyId":"alias/aws/s3""#));
    assert_eq!(connection.policy_names(&id()).await.unwrap(), ["default", "AWS_RAM"]);
    connection.policy_named(&id(), "AWS_RAM").await.unwrap();
    assert!(server.seen().last().unwrap().body.contains(r#""PolicyName":"AWS_RAM""#));
}
