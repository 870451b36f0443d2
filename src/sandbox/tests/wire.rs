//! The wire itself: credentials that are no good, requests that are none.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn bad_credentials_have_aws_codes() {
    let bench = Bench::new().await;
    let (id, secret) = credentials(&ACCOUNT.parse().unwrap());
    let with = |id: &str, secret: &str, token: Option<&str>| {
        bench.client(Credentials::new(id, secret, token.map(str::to_owned), None, "test"), "eu-west-1")
    };
    let wrong_secret = with(&id, "wrong", None);
    assert_eq!(code(wrong_secret.kms().list_keys().send().await), "InvalidSignatureException");
    assert_eq!(code(wrong_secret.sts().get_caller_identity().send().await), "SignatureDoesNotMatch");
    let unknown = with("AKIAUNKNOWN", "x", None);
    assert_eq!(code(unknown.kms().list_keys().send().await), "UnrecognizedClientException");
    assert_eq!(code(unknown.sts().get_caller_identity().send().await), "InvalidClientTokenId");
    let token = with(&id, secret.expose_secret(), Some("token"));
    assert_eq!(code(token.kms().list_keys().send().await), "UnrecognizedClientException");
    assert_eq!(code(token.iam().list_roles().send().await), "InvalidClientTokenId");
}

#[tokio::test]
async fn the_credential_scope_names_the_service() {
    let bench = Bench::new().await;
    let scope = "Credential=AKIASBOX111122223333/20260101/eu-west-1/iam/aws4_request";
    let headers = format!(
        "x-amz-target: TrentService.ListKeys\r\nauthorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, \
         Signature=00\r\n"
    );
    let answer = raw(&bench, post(&headers, "{}")).await;
    assert!(answer.contains("InvalidSignatureException") && answer.contains("'kms'"), "{answer}");
}

/// Sends bytes and returns the answer.
async fn raw(bench: &Bench, request: String) -> String {
    let address = bench.sandbox.endpoint().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn unsigned_requests_are_refused_in_their_protocol() {
    let bench = Bench::new().await;
    let answer = raw(&bench, post("x-amz-target: TrentService.ListKeys\r\n", "{}")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("MissingAuthenticationTokenException") && answer.contains("x-amzn-requestid"), "{answer}");
    let answer = raw(&bench, post("", "Action=ListRoles&Version=2010-05-08")).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("<Code>MissingAuthenticationToken<"), "{answer}");
    assert!(answer.contains("https://iam.amazonaws.com/doc/2010-05-08/"), "{answer}");
}

#[tokio::test]
async fn requests_that_are_too_long_are_refused() {
    let bench = Bench::new().await;
    let body = "x".repeat(1024 * 1024 + 1);
    let answer = raw(&bench, post("x-amz-target: TrentService.ListKeys\r\n", &body)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[test]
fn every_operation_is_in_the_documentation() {
    let page = std::fs::read_to_string("docs/sandbox.md").unwrap();
    let list = page.split_once("## Operations").unwrap().1.split_once("\n## ").unwrap().0;
    let listed: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let tables = [
        crate::sandbox::kms::OPERATIONS,
        crate::sandbox::iam::OPERATIONS,
        crate::sandbox::sts::OPERATIONS,
        crate::sandbox::tagging::OPERATIONS,
    ];
    let all: Vec<&str> = tables.into_iter().flatten().map(|(operation, _)| *operation).collect();
    let missing: Vec<_> = all.iter().filter(|operation| !listed.contains(operation)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Two more names stand in the text below the lists.
    assert_eq!(listed.len(), all.len() + 2);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let bench = Bench::new().await;
    let unknown = bench.admin().kms().list_keys().customize().mutate_request(|request| {
        request.headers_mut().insert("x-amz-target", "TrentService.SynchronizeMultiRegionKey");
    });
    let error = unknown.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("UnknownOperationException"));
    assert!(error.message().unwrap().contains("SynchronizeMultiRegionKey"), "{error:?}");
    assert_eq!(code(bench.admin().iam().list_saml_providers().send().await), "InvalidAction");
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    use aws_sdk_kms::operation::RequestId as _;
    let bench = Bench::new().await;
    let kms = bench.admin().kms();
    assert!(kms.list_keys().send().await.unwrap().request_id().is_some());
    let error = kms.describe_key().key_id("alias/none").send().await.unwrap_err();
    assert!(error.request_id().is_some());
}
