//! What went wrong, classified once: SDK errors become port errors.

use super::call::{Call, Repeat};
use super::settings::Endpoint;
use crate::ports::{PortError, PortErrorKind};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId as _;
use std::error::Error;
use std::io;

/// Returns the port error for an SDK error.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's error enumeration is open")]
pub(super) fn classify<E>(call: Call, endpoint: &Endpoint, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    if let Some(own) = find::<PortError>(error) {
        return own.clone();
    }
    if let Some(missing) = find::<CredentialsError>(error) {
        return PortError::new(PortErrorKind::Credentials, call.name, chain_text(missing));
    }
    let (kind, message) = match error {
        SdkError::ServiceError(answer) => {
            let meta = answer.err().meta();
            let status = answer.raw().status().as_u16();
            let message = meta.message().map_or_else(|| unexplained(status, answer.err()), str::to_owned);
            (service_kind(meta.code(), &message, status), message)
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            let message = format!("an answer that cannot be read (HTTP status {status}): {}", chain_text(error));
            (unreadable_kind(status), message)
        }
        SdkError::ConstructionFailure(_) => (PortErrorKind::Invalid, chain_text(error)),
        _ if never_sent(error) => (PortErrorKind::Unreachable, no_connection(call, endpoint, error)),
        _ => (PortErrorKind::Unknown, format!("no answer from {}: {}", place(call, endpoint), chain_text(error))),
    };
    PortError {
        kind: for_repeat(kind, call.repeat),
        call: call.name.to_owned(),
        code: error.code().map(str::to_owned),
        message,
        request_id: error.request_id().map(str::to_owned),
    }
}

/// What to say of an answer without a message; one that tells of success and cannot be read is an error too.
fn unexplained(status: u16, error: &(dyn Error + 'static)) -> String {
    match status {
        400.. => format!("HTTP status {status}"),
        _ => format!("an answer that cannot be read (HTTP status {status}): {}", chain_text(error)),
    }
}

/// A call that is sent once may have taken effect whenever the server did not plainly refuse it.
fn for_repeat(kind: PortErrorKind, repeat: Repeat) -> PortErrorKind {
    match (repeat, kind) {
        (Repeat::Never, PortErrorKind::Transient | PortErrorKind::Protocol) => PortErrorKind::Unknown,
        (Repeat::Never | Repeat::Harmless, kind) => kind,
    }
}

fn unreadable_kind(status: u16) -> PortErrorKind {
    if status >= 500 { PortErrorKind::Transient } else { PortErrorKind::Protocol }
}

/// Error codes and their classes; of KMS, IAM, STS and the tagging API.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html>
pub(super) const CODES: &[(PortErrorKind, &[&str])] = &[
    (PortErrorKind::NotFound, &["NotFoundException", "NoSuchEntity", "NoSuchEntityException"]),
    (
        PortErrorKind::Denied,
        &["AccessDeniedException", "AccessDenied", "NotAuthorized", "UnauthorizedOperation", "UnauthorizedException"],
    ),
    (PortErrorKind::AlreadyExists, &["AlreadyExistsException", "EntityAlreadyExists", "EntityAlreadyExistsException"]),
    (
        PortErrorKind::Throttled,
        &[
            "ThrottlingException",
            "Throttling",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "PriorRequestNotComplete",
            "BandwidthLimitExceeded",
            "SlowDown",
        ],
    ),
    (
        PortErrorKind::Transient,
        &[
            "KMSInternalException",
            "DependencyTimeoutException",
            "KeyUnavailableException",
            "InternalFailure",
            "InternalError",
            "InternalServerError",
            "InternalServiceException",
            "ServiceFailure",
            "ServiceFailureException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
            "ConcurrentModification",
            "ConcurrentModificationException",
            "EntityTemporarilyUnmodifiable",
        ],
    ),
    (
        PortErrorKind::Credentials,
        &[
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "AuthFailure",
            "OptInRequired",
            "RegionDisabledException",
        ],
    ),
    (
        PortErrorKind::LimitExceeded,
        &["LimitExceededException", "LimitExceeded", "PackedPolicyTooLarge", "PackedPolicyTooLargeException"],
    ),
    (
        PortErrorKind::InvalidState,
        &["KMSInvalidStateException", "ConflictException", "DeleteConflict", "UnmodifiableEntity"],
    ),
    (PortErrorKind::Disabled, &["DisabledException"]),
    (PortErrorKind::InvalidCiphertext, &["InvalidCiphertextException"]),
    (PortErrorKind::IncorrectKey, &["IncorrectKeyException"]),
    (PortErrorKind::IncorrectMaterial, &["IncorrectKeyMaterialException"]),
    (PortErrorKind::ImportToken, &["ExpiredImportTokenException", "InvalidImportTokenException"]),
    (PortErrorKind::InvalidSignature, &["KMSInvalidSignatureException"]),
    (PortErrorKind::InvalidMac, &["KMSInvalidMacException"]),
    (
        PortErrorKind::NotSupported,
        &[
            "UnsupportedOperationException",
            "UnknownOperationException",
            "InvalidKeyUsageException",
            "InvalidAction",
            "NotImplemented",
            "NotImplementedError",
            "NotImplementedException",
        ],
    ),
];

fn service_kind(code: Option<&str>, message: &str, status: u16) -> PortErrorKind {
    match code {
        Some("MalformedPolicyDocumentException" | "MalformedPolicyDocument") => policy_kind(message),
        // Some servers say `InternalFailure` of what they do not have; the status tells.
        _ if status == 501 => PortErrorKind::NotSupported,
        Some(code) => CODES
            .iter()
            .find(|(_, codes)| codes.contains(&code))
            .map_or_else(|| kind_of_status(status, PortErrorKind::Invalid), |(kind, _)| *kind),
        None => kind_of_status(status, PortErrorKind::Protocol),
    }
}

fn kind_of_status(status: u16, otherwise: PortErrorKind) -> PortErrorKind {
    match status {
        403 => PortErrorKind::Denied,
        404 | 405 => PortErrorKind::NotSupported,
        429 => PortErrorKind::Throttled,
        500.. => PortErrorKind::Transient,
        _ => otherwise,
    }
}

/// Tells apart what KMS and IAM put under one code. The texts are those seen in the field.
fn policy_kind(message: &str) -> PortErrorKind {
    let folded = message.to_ascii_lowercase();
    if folded.contains("invalid principal") {
        PortErrorKind::InvalidPrincipal
    } else if folded.contains("will not allow you to update the key policy in the future") {
        PortErrorKind::Lockout
    } else {
        PortErrorKind::Invalid
    }
}

/// Returns whether no connection was made, so that the call cannot have taken effect.
///
/// The connector keeps that to itself but for its texts; where they say nothing the call counts as sent.
fn never_sent(error: &(dyn Error + 'static)) -> bool {
    links(error).any(|link| {
        let text = link.to_string();
        text == "client error (Connect)"
            || text.starts_with("HTTP connect timeout")
            || link.downcast_ref::<io::Error>().is_some_and(|cause| {
                matches!(
                    cause.kind(),
                    io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::HostUnreachable
                        | io::ErrorKind::NetworkUnreachable
                        | io::ErrorKind::AddrNotAvailable
                )
            })
    })
}

fn no_connection(call: Call, endpoint: &Endpoint, error: &(dyn Error + 'static)) -> String {
    let next = match endpoint {
        Endpoint::Aws => "check the network, the proxy and the Region",
        Endpoint::Url(_) | Endpoint::Sandbox(_) => "check that a server listens there, or give another --endpoint-url",
    };
    format!("no connection to {}: {}; {next}", place(call, endpoint), chain_text(error))
}

fn place(call: Call, endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Aws => format!("the AWS endpoint of {}", call.name.split(':').next().unwrap_or(call.name)),
        Endpoint::Url(url) | Endpoint::Sandbox(url) => url.clone(),
    }
}

/// Returns an error's causes, itself first, in words, without those that say nothing.
pub(super) fn chain_text(error: &(dyn Error + 'static)) -> String {
    const EMPTY: &[&str] = &["dispatch failure", "io error", "other", "timeout", "response error", "service error"];
    let mut texts: Vec<String> = Vec::new();
    for link in links(error) {
        // The credential chain lists every provider that it asked, a line each.
        let text = link.to_string().lines().next().unwrap_or_default().trim_end_matches(" Attempted:").to_owned();
        let said = texts.last().is_some_and(|last| last.ends_with(&text));
        if !said && !EMPTY.contains(&text.as_str()) {
            texts.push(text);
        }
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&link| link.source())
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    links(error).find_map(|link| link.downcast_ref::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn causes_are_told_once_on_one_line() {
        let refused = Link("connection refused", None);
        let connect = Link("connect: connection refused", Some(Box::new(refused)));
        let chain = Link("dispatch failure", Some(Box::new(connect)));
        assert_eq!(chain_text(&chain), "connect: connection refused");
        assert_eq!(chain_text(&Link("none found. Attempted:\n  one\n  two", None)), "none found.");
        assert_eq!(chain_text(&Link("other", None)), "other");
    }
}
