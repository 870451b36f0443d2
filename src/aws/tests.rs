//! The adapter against a server that answers what the test says.

mod identities;
mod import;

use super::*;
use crate::kms::{EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm};
use crate::ports::{
    Cipher, Crypto as _, EncryptionContext, Forwarding as _, IdentityReader as _, KeyReader as _, KeyWriter as _,
    LockoutCheck, NewKey, Trial,
};
use crate::secret::SecretText;
use crate::services::Service;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request.
enum Reply {
    /// Answers with a status and a body.
    Say(u16, String),
    /// Hangs up without an answer.
    HangUp,
    /// Never answers.
    Stall,
}

fn json(status: u16, body: &str) -> Reply {
    Reply::Say(status, body.to_owned())
}

fn fault(code: &str, message: &str) -> Reply {
    Reply::Say(400, format!(r#"{{"__type":"{code}","message":"{message}"}}"#))
}

/// Wraps a result as the Query protocol does: `<XResponse><XResult>…`.
fn xml(result: &str) -> Reply {
    let name = result.trim_start_matches('<').split_once("Result>").unwrap().0;
    Reply::Say(200, format!("<{name}Response xmlns=\"https://x/\">{result}</{name}Response>"))
}

fn whoami() -> Reply {
    xml("<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/a</Arn><UserId>U</UserId>\
         <Account>111122223333</Account></GetCallerIdentityResult>")
}

fn session(key: &str, expiry: &str) -> Reply {
    xml(&format!(
        "<AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
         <SessionToken>token-{key}</SessionToken><Expiration>{expiry}</Expiration></Credentials></AssumeRoleResult>"
    ))
}

/// What the server saw of a request.
#[derive(Debug, Clone)]
struct Seen {
    operation: String,
    head: String,
    body: String,
}

type Script = dyn Fn(&str, usize) -> Reply + Send + Sync;

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    busiest: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server; the script is given the operation and how many requests came before.
    async fn start(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, busiest) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (script, now): (Arc<Script>, _) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
        let server = Self { url, seen: Arc::clone(&seen), busiest: Arc::clone(&busiest) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                let (busiest, now) = (Arc::clone(&busiest), Arc::clone(&now));
                tokio::spawn(async move {
                    busiest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    serve(stream, &script, &seen).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn count(&self, operation: &str) -> usize {
        self.seen().iter().filter(|seen| seen.operation == operation).count()
    }
}

async fn serve(mut stream: TcpStream, script: &Arc<Script>, seen: &Mutex<Vec<Seen>>) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            break (head, body.to_owned());
        }
    };
    let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: "));
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let operation = target.and_then(|target| target.split('.').nth(1)).or(action).unwrap_or_default().to_lowercase();
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(Seen { operation: operation.clone(), head, body });
        seen.len() - 1
    };
    match script(&operation, before) {
        Reply::HangUp => {}
        Reply::Stall => tokio::time::sleep(Duration::from_mins(1)).await,
        Reply::Say(status, body) => {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let answer = format!(
                "HTTP/1.1 {status} X\r\nx-amzn-requestid: req-1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            drop(stream.write_all(answer.as_bytes()).await);
        }
    }
}

fn settings(url: &str) -> ConnectSettings {
    ConnectSettings {
        endpoint: Endpoint::Url(url.to_owned()),
        credentials: Credentials::Static { access_key: "AKIATEST".to_owned(), secret: SecretText::new("sec".into()) },
        attempt_timeout: Duration::from_millis(500),
        pacing: Pacing::None,
        retry: RetryBudget { first_wait: Duration::from_millis(2), ..RetryBudget::default() },
        ..ConnectSettings::new("eu-west-1".parse().unwrap())
    }
}

async fn connected(server: &Server) -> Connection {
    connect(&settings(&server.url)).await.unwrap()
}

fn new_key() -> NewKey {
    NewKey {
        shape: crate::kms::KeyShape::default(),
        store: None,
        xks_key_id: None,
        description: String::new(),
        policy: PolicyDocument::new(Vec::new()),
        tags: BTreeMap::new(),
        lockout_check: LockoutCheck::Keep,
    }
}

fn id() -> KeyId {
    "1234abcd".parse().unwrap()
}

#[tokio::test]
async fn a_server_that_always_fails_gets_create_key_once_and_a_read_as_often_as_the_budget_allows() {
    let server = Server::start(|_, _| json(500, "")).await;
    let connection = connected(&server).await;
    let error = connection.create_key(&new_key()).await.unwrap_err();
    assert_eq!((error.kind, server.count("createkey")), (PortErrorKind::Unknown, 1));
    let error = connection.describe_key(&id()).await.unwrap_err();
    assert_eq!((error.kind, server.count("describekey")), (PortErrorKind::Transient, 5));
    let error = connection.put_key_policy(&id(), &PolicyDocument::new(Vec::new()), LockoutCheck::Keep).await;
    assert_eq!((error.unwrap_err().kind, server.count("putkeypolicy")), (PortErrorKind::Transient, 5));
    let counts = [("kms:CreateKey", 1), ("kms:DescribeKey", 5), ("kms:PutKeyPolicy", 5)];
    assert_eq!(connection.call_counts(), counts.map(|(call, n)| (call.to_owned(), n)).into());
}

#[tokio::test]
async fn no_answer_means_that_a_key_may_exist_whatever_the_reason() {
    let replies: [fn() -> Reply; 6] = [
        || Reply::HangUp,
        || Reply::Stall,
        || json(200, "{}"),
        || json(200, "not json"),
        || json(503, "<html>"),
        || fault("KMSInternalException", "later"),
    ];
    for reply in replies {
        let server = Server::start(move |_, _| reply()).await;
        let error = connected(&server).await.create_key(&new_key()).await.unwrap_err();
        assert_eq!((error.kind, server.count("createkey")), (PortErrorKind::Unknown, 1), "{error}");
    }
}

#[tokio::test]
async fn a_failure_that_passes_is_overcome() {
    let server = Server::start(|_, before| match before {
        0 => Reply::HangUp,
        1 => fault("ThrottlingException", "slow down"),
        _ => json(200, r#"{"Policy":"{}"}"#),
    })
    .await;
    assert_eq!(connected(&server).await.key_policy(&id()).await.unwrap(), "{}");
    assert_eq!(server.count("getkeypolicy"), 3);
    assert!(server.seen().iter().all(|seen| seen.body.contains(r#""PolicyName":"default""#)));
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_named_and_nothing_is_in_doubt() {
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let connection = connect(&settings(&url)).await.unwrap();
    for error in [connection.create_key(&new_key()).await.unwrap_err(), connection.caller().await.unwrap_err()] {
        assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
        assert!(error.message.contains(&url) && error.message.contains("--endpoint-url"), "{error}");
        assert!(error.message.to_lowercase().contains("refused") && !error.message.contains("dispatch"), "{error}");
    }
    assert_eq!(connection.call_counts()["kms:CreateKey"], 1);
}

#[tokio::test]
async fn error_codes_have_their_class_message_and_request_id() {
    let table = [
        ("NotFoundException", "no", PortErrorKind::NotFound),
        ("AccessDeniedException", "no", PortErrorKind::Denied),
        ("AlreadyExistsException", "no", PortErrorKind::AlreadyExists),
        ("LimitExceededException", "no", PortErrorKind::LimitExceeded),
        ("KMSInvalidStateException", "no", PortErrorKind::InvalidState),
        ("DisabledException", "no", PortErrorKind::Disabled),
        ("InvalidCiphertextException", "no", PortErrorKind::InvalidCiphertext),
        ("IncorrectKeyException", "no", PortErrorKind::IncorrectKey),
        ("KMSInvalidSignatureException", "", PortErrorKind::InvalidSignature),
        ("KMSInvalidMacException", "", PortErrorKind::InvalidMac),
        ("UnsupportedOperationException", "no", PortErrorKind::NotSupported),
        ("IncorrectKeyMaterialException", "no", PortErrorKind::IncorrectMaterial),
        ("ExpiredImportTokenException", "no", PortErrorKind::ImportToken),
        ("InvalidImportTokenException", "no", PortErrorKind::ImportToken),
        ("ExpiredTokenException", "no", PortErrorKind::Credentials),
        ("InvalidArnException", "no", PortErrorKind::Invalid),
        ("SomethingNewException", "no", PortErrorKind::Invalid),
        ("MalformedPolicyDocumentException", "bad", PortErrorKind::Invalid),
        (
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
            PortErrorKind::InvalidPrincipal,
        ),
        (
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
            PortErrorKind::Lockout,
        ),
    ];
    let server = Server::start(move |_, before| fault(table[before].0, table[before].1)).await;
    let connection = connected(&server).await;
    for (code, message, kind) in table {
        let error = connection.key_policy(&id()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert_eq!((error.code.as_deref(), error.message.as_str()), (Some(code), message));
        assert_eq!((error.call.as_str(), error.request_id.as_deref()), ("kms:GetKeyPolicy", Some("req-1")));
    }
    assert_eq!(server.seen().len(), table.len(), "none of them is repeated");
}

#[tokio::test]
async fn a_list_that_goes_on_without_a_marker_is_an_error_and_one_with_is_followed() {
    let broken = Server::start(|_, _| json(200, r#"{"Truncated":true,"Keys":[],"Aliases":[],"Grants":[],"Tags":[]}"#));
    let connection = connected(&broken.await).await;
    let kinds = [
        connection.list_keys().await.unwrap_err().kind,
        connection.list_aliases().await.unwrap_err().kind,
        connection.grants(&id()).await.unwrap_err().kind,
        connection.key_tags(&id()).await.unwrap_err().kind,
    ];
    assert_eq!(kinds, [PortErrorKind::Protocol; 4]);
    let server = Server::start(|_, before| match before {
        0 => json(200, r#"{"Tags":[{"TagKey":"a","TagValue":""}],"Truncated":true,"NextMarker":"m"}"#),
        _ => json(200, r#"{"Tags":[{"TagKey":"b","TagValue":"2"}],"Truncated":false}"#),
    })
    .await;
    let tags = connected(&server).await.key_tags(&id()).await.unwrap();
    assert_eq!(tags, [("a", ""), ("b", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert!(server.seen()[1].body.contains(r#""Marker":"m""#));
}

#[tokio::test]
async fn a_bare_id_becomes_an_arn_of_the_callers_account() {
    let server = Server::start(|operation, _| match operation {
        "getcalleridentity" => whoami(),
        _ => json(200, r#"{"Keys":[{"KeyId":"one"},{"KeyId":"two"}],"Truncated":false}"#),
    })
    .await;
    let keys = connected(&server).await.list_keys().await.unwrap();
    let texts: Vec<&str> = keys.iter().map(KeyArn::as_str).collect();
    assert_eq!(texts, ["one", "two"].map(|id| format!("arn:aws:kms:eu-west-1:111122223333:key/{id}")));
    assert_eq!(server.count("getcalleridentity"), 1, "the caller is asked for once");
}

#[tokio::test]
async fn a_server_without_a_tagging_api_is_told_from_one_that_fails() {
    for (status, code, kind) in [
        (404, "", PortErrorKind::NotSupported),
        (501, "InternalFailure", PortErrorKind::NotSupported),
        (400, "UnknownOperationException", PortErrorKind::NotSupported),
        (400, "AccessDeniedException", PortErrorKind::Denied),
        (500, "InternalServiceException", PortErrorKind::Transient),
    ] {
        let server = Server::start(move |_, _| Reply::Say(status, format!(r#"{{"__type":"{code}"}}"#))).await;
        let error = connected(&server).await.keys_tagged("keywright:stack", "shop").await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {code}");
    }
}

type Outcome = (fn() -> Reply, Option<PortErrorKind>);

#[tokio::test]
async fn dry_runs_tell_would_from_did() {
    let (none, oaep) = (EncryptionContext::new(), Cipher::Public(EncryptionAlgorithm::RsaesOaepSha256));
    let symmetric = Cipher::Symmetric(&none);
    let (signing, mac) = (SigningAlgorithm::Ed25519PhSha512, MacAlgorithm::HmacSha256);
    let trials = [
        Trial::Encrypt(symmetric),
        Trial::Decrypt(symmetric),
        Trial::ReEncrypt(symmetric),
        Trial::Encrypt(oaep),
        Trial::Decrypt(oaep),
        Trial::ReEncrypt(oaep),
        Trial::GenerateDataKey(&none),
        Trial::GenerateDataKeyWithoutPlaintext(&none),
        Trial::GenerateDataKeyPair(&none),
        Trial::GenerateDataKeyPairWithoutPlaintext(&none),
        Trial::Sign(signing, b"message"),
        Trial::Verify(signing, b"message", b"signature"),
        Trial::GenerateMac(mac, b"message"),
        Trial::VerifyMac(mac, b"message", b"code"),
        Trial::DeriveSharedSecret(b"peer"),
        Trial::Encapsulate,
        Trial::Decapsulate(b"ciphertext"),
    ];
    let outcomes: [Outcome; 6] = [
        (|| fault("DryRunOperationException", "would"), None),
        (|| fault("AccessDeniedException", "may not"), Some(PortErrorKind::Denied)),
        (|| fault("InvalidCiphertextException", ""), Some(PortErrorKind::NotSupported)),
        (|| fault("KMSInvalidSignatureException", ""), Some(PortErrorKind::NotSupported)),
        (|| fault("KMSInvalidMacException", ""), Some(PortErrorKind::NotSupported)),
        (|| json(200, "{}"), Some(PortErrorKind::NotSupported)),
    ];
    for (reply, kind) in outcomes {
        let server = Server::start(move |_, _| reply()).await;
        let connection = connected(&server).await;
        for trial in trials {
            let outcome = connection.dry_run(&id(), trial).await;
            assert_eq!(outcome.err().map(|error| error.kind), kind, "{trial:?}");
        }
        for seen in server.seen() {
            assert!(seen.body.contains(r#""DryRun":true"#), "{}", seen.body);
            let blind = matches!(seen.operation.as_str(), "decrypt" | "reencrypt");
            assert_eq!(seen.body.contains("IGNORE_CIPHERTEXT"), blind, "{}", seen.operation);
            let digested = matches!(seen.operation.as_str(), "sign" | "verify");
            assert_eq!(seen.body.contains(r#""MessageType":"DIGEST""#), digested, "{}", seen.operation);
        }
    }
}

#[tokio::test]
async fn a_role_is_assumed_at_once_kept_and_renewed_before_it_expires() {
    for (expiry, sessions) in [("2999-01-01T00:00:00Z", 1), ("2020-01-01T00:00:00Z", 3)] {
        let server = Server::start(move |operation, before| match operation {
            "assumerole" => session(&format!("ASIA{before}"), expiry),
            _ => json(200, r#"{"Policy":"{}"}"#),
        })
        .await;
        let role: crate::ids::RoleArn = "arn:aws:iam::111122223333:role/keys/deployer".parse().unwrap();
        let with_role = ConnectSettings { assume_role: Some((role, Some("ext".into()))), ..settings(&server.url) };
        let connection = connect(&with_role).await.unwrap();
        for _ in 0..2 {
            connection.key_policy(&id()).await.unwrap();
        }
        let seen = server.seen();
        let assumed: Vec<&Seen> = seen.iter().filter(|seen| seen.operation == "assumerole").collect();
        assert_eq!(assumed.len(), sessions);
        assert!(assumed.iter().all(|seen| seen.head.contains("credential=akiatest/")), "with the first credentials");
        assert!(assumed[0].body.contains("RoleSessionName=keywright") && assumed[0].body.contains("ExternalId=ext"));
        let last = seen.last().unwrap();
        assert!(last.head.contains("credential=asia") && last.head.contains("x-amz-security-token: token-asia"));
        assert_eq!(connection.call_counts()["sts:AssumeRole"], sessions as u64);
    }
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_a_matter_of_credentials() {
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>";
    let server = Server::start(|_, _| Reply::Say(403, denied.to_owned())).await;
    let role: crate::ids::RoleArn = "arn:aws:iam::111122223333:role/deployer".parse().unwrap();
    let with_role = ConnectSettings { assume_role: Some((role, None)), ..settings(&server.url) };
    let error = connect(&with_role).await.unwrap_err();
    assert_eq!((error.kind, error.call.as_str()), (PortErrorKind::Credentials, "sts:AssumeRole"));
    assert!(error.message.contains("role/deployer") && error.message.contains("not you"), "{error}");
}

#[tokio::test]
async fn another_identity_uses_its_own_credentials_and_shares_the_counts() {
    let server = Server::start(|operation, _| match operation {
        "assumerole" => session("ASIAVERIFY", "2999-01-01T00:00:00Z"),
        _ => json(200, r#"{"Policy":"{}"}"#),
    })
    .await;
    let connection = connected(&server).await;
    connection.key_policy(&id()).await.unwrap();
    let role = "arn:aws:iam::111122223333:role/user".parse().unwrap();
    let policy = PolicyDocument::new(Vec::new());
    let other = connection.assume(&role, "keywright-verify", Some(&policy)).await.unwrap();
    other.key_policy(&id()).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].head.contains("credential=akiatest/") && seen[2].head.contains("credential=asiaverify/"));
    assert!(seen[1].body.contains("RoleSessionName=keywright-verify") && seen[1].body.contains("Policy=%7B"));
    assert_eq!(connection.call_counts()["kms:GetKeyPolicy"], 2);
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_named_with_the_next_step() {
    let profile = Credentials::Profile("keywright-no-such-profile".to_owned());
    let error = connect(&ConnectSettings { credentials: profile, ..settings("http://127.0.0.1:1") }).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Credentials);
    assert!(error.message.contains("keywright-no-such-profile") && error.message.contains("aws sso login"), "{error}");
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_allowed() {
    let server = Server::start(|_, _| json(200, r#"{"Policy":"{}"}"#)).await;
    let connection = connect(&ConnectSettings { parallel: 2, ..settings(&server.url) }).await.unwrap();
    let key = id();
    let calls = futures::future::join_all((0..12).map(|_| connection.key_policy(&key))).await;
    assert!(calls.iter().all(Result::is_ok));
    assert_eq!(server.busiest.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn callers_say_who_they_are_and_secrets_stay_inside() {
    let server = Server::start(|_, _| whoami()).await;
    let connection = connected(&server).await;
    connection.caller().await.unwrap();
    let agent = format!("lib/keywright/{}", env!("CARGO_PKG_VERSION"));
    let head = &server.seen()[0].head;
    assert!(head.contains("app/keywright") && head.contains(&agent), "{head}");
    let shown = format!("{connection:?} {:?}", settings(&server.url));
    assert!(!shown.contains("\"sec\""), "{shown}");
}

#[tokio::test]
async fn a_session_is_named_by_its_role_with_the_path_where_iam_tells() {
    let arn = "arn:aws:sts::111122223333:assumed-role/deployer/ci";
    let identity = format!(
        "<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>U</UserId><Account>111122223333</Account>\
         </GetCallerIdentityResult>"
    );
    let role = "<GetRoleResult><Role><Path>/ci/</Path><RoleName>deployer</RoleName><RoleId>AROA</RoleId>\
                <Arn>arn:aws:iam::111122223333:role/ci/deployer</Arn><CreateDate>2020-01-01T00:00:00Z</CreateDate>\
                </Role></GetRoleResult>";
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    for (may_ask, principal) in [(true, "role/ci/deployer"), (false, "role/deployer")] {
        let identity = identity.clone();
        let server = Server::start(move |operation, _| match operation {
            "getcalleridentity" => xml(&identity),
            _ if may_ask => xml(role),
            _ => Reply::Say(403, denied.to_owned()),
        })
        .await;
        let caller = connected(&server).await.caller().await.unwrap();
        assert_eq!(caller.arn.as_str(), arn);
        assert_eq!(caller.principal.as_str(), format!("arn:aws:iam::111122223333:{principal}"));
    }
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_none_and_one_that_may_not_be_read_is_denied() {
    for (code, status, expected) in [("NoSuchEntity", 404, Ok(None)), ("AccessDenied", 403, Err(PortErrorKind::Denied))]
    {
        let body = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
        let server = Server::start(move |_, _| Reply::Say(status, body.clone())).await;
        let role = connected(&server).await.role(&"a".parse().unwrap()).await;
        assert_eq!(role.map_err(|error| error.kind), expected);
    }
}

#[test]
fn every_code_has_one_class() {
    let all: Vec<&str> = error::CODES.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[tokio::test]
async fn only_the_sandbox_is_told_which_service_forwards_a_call() {
    let server = Server::start(|_, _| json(200, r#"{"CiphertextBlob":"YWJj"}"#)).await;
    let sandbox = Endpoint::Sandbox(server.url.clone());
    let sandbox = connect(&ConnectSettings { endpoint: sandbox, ..settings(&server.url) }).await.unwrap();
    let key = "1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
    let (ebs, none) = (sandbox.forwarded_by(Service::Ebs).unwrap(), EncryptionContext::new());
    ebs.generate_data_key_without_plaintext(&key, &none).await.unwrap();
    sandbox.generate_data_key_without_plaintext(&key, &none).await.unwrap();
    let [through, direct] = server.seen().try_into().unwrap();
    assert!(through.head.contains("\r\nx-keywright-via: ec2\r\n"), "{}", through.head);
    assert!(through.head.contains(";x-keywright-via"), "it is not signed: {}", through.head);
    assert!(!direct.head.contains("x-keywright-via"), "{}", direct.head);
    assert_eq!(sandbox.call_counts()["kms:GenerateDataKeyWithoutPlaintext"], 2);
    assert!(connect(&settings(&server.url)).await.unwrap().forwarded_by(Service::Ebs).is_none());
}
