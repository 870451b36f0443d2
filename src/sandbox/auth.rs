//! Who calls: verifies SigV4 signatures by signing again, and finds the identity behind the access key.

use super::error::ApiError;
use super::identity;
use super::server::{Incoming, Service};
use super::state::{SessionOf, State};
use crate::access::PrincipalFacts;
use crate::ids::{AccountId, Partition, Region};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use std::time::SystemTime;

/// The access keys of the built-in user begin with this; the account follows.
pub(super) const KEY_PREFIX: &str = "AKIASBOX";
/// The secret of every built-in user.
pub(super) const SECRET: &str = "sandbox";

/// The identity that makes a call, and where.
pub(super) struct Caller {
    /// The account of the identity.
    pub(super) account: AccountId,
    /// The Region that is called.
    pub(super) region: Region,
    /// What its policies say.
    pub(super) facts: PrincipalFacts,
    /// The unique id as `GetCallerIdentity` shows it.
    pub(super) user_id: String,
    /// The service that forwards the call: `s3.eu-west-1.amazonaws.com`.
    pub(super) via: Option<String>,
    /// Whether the credentials are temporary.
    pub(super) temporary: bool,
}

impl Caller {
    /// Returns the partition that is called.
    pub(super) fn partition(&self) -> Partition {
        self.region.partition()
    }

    /// Returns the caller's ARN.
    pub(super) fn arn(&self) -> &str {
        &self.facts.arn
    }
}

/// The `Authorization` header, taken apart.
pub(super) struct Authorization<'a> {
    access_key: &'a str,
    region: &'a str,
    /// The service of the credential scope.
    pub(super) service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads `AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request, SignedHeaders=…, Signature=…`.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
    pub(super) fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            rest.split(',').find_map(|part| part.trim().strip_prefix(name).and_then(|part| part.strip_prefix('=')))
        };
        let mut scope = field("Credential")?.split('/');
        let (access_key, _date) = (scope.next()?, scope.next()?);
        let (region, service) = (scope.next()?, scope.next()?);
        (scope.next() == Some("aws4_request")).then_some(())?;
        Some(Self {
            access_key,
            region,
            service,
            signed_headers: field("SignedHeaders")?.split(';').collect(),
            signature: field("Signature")?,
        })
    }
}

/// What belongs to an access key.
struct Known {
    account: AccountId,
    secret: String,
    token: Option<String>,
    expires: Option<Timestamp>,
    of: SessionOf,
}

/// Finds out who calls, or refuses.
pub(super) fn authenticate(
    incoming: &Incoming,
    state: &mut State,
    (now, wall): (Timestamp, Timestamp),
) -> Result<Caller, ApiError> {
    let codes = Codes::of(incoming.service);
    let header = incoming.header("authorization").ok_or_else(|| codes.missing())?;
    let authorization = Authorization::parse(header).ok_or_else(|| codes.incomplete())?;
    if authorization.service != incoming.service.scope() {
        return Err(codes.wrong_scope(incoming.service.scope()));
    }
    let region: Region = authorization.region.parse().map_err(|_| codes.incomplete())?;
    let known = find(authorization.access_key, state).ok_or_else(|| codes.unknown_key())?;
    if known.token.as_deref() != incoming.header("x-amz-security-token") {
        return Err(codes.unknown_key());
    }
    let expected = signature(incoming, &authorization, &known).ok_or_else(|| codes.incomplete())?;
    if expected != authorization.signature {
        return Err(codes.bad_signature());
    }
    if known.expires.is_some_and(|expires| expires <= wall) {
        return Err(codes.expired());
    }
    state.open_account(&known.account, region.partition(), now);
    let found = identity::of_session(state, &known.account, &known.of);
    let (facts, user_id) = found.ok_or_else(|| codes.unknown_key())?;
    let via = incoming.header("x-keywright-via").map(|service| format!("{service}.{region}.amazonaws.com"));
    Ok(Caller { account: known.account, region, facts, user_id, via, temporary: known.token.is_some() })
}

fn find(access_key: &str, state: &State) -> Option<Known> {
    if let Some(account) = access_key.strip_prefix(KEY_PREFIX).and_then(|account| account.parse().ok()) {
        let of = SessionOf::User { name: "sandbox".to_owned() };
        return Some(Known { account, secret: SECRET.to_owned(), token: None, expires: None, of });
    }
    if let Some(key) = state.access_keys.get(access_key) {
        let of = SessionOf::User { name: key.user.clone() };
        return Some(Known {
            account: key.account.clone(),
            secret: key.secret.clone(),
            token: None,
            expires: None,
            of,
        });
    }
    state.sessions.get(access_key).map(|session| Known {
        account: session.account.clone(),
        secret: session.secret.clone(),
        token: Some(session.token.clone()),
        expires: Some(session.expires),
        of: session.of.clone(),
    })
}

/// Returns the signature that the request should have.
fn signature(incoming: &Incoming, authorization: &Authorization<'_>, known: &Known) -> Option<String> {
    let at: SystemTime = signing_time(incoming.header("x-amz-date")?)?;
    let credentials =
        Credentials::new(authorization.access_key, &known.secret, known.token.clone(), None, "keywright sandbox");
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    // Only what the caller signed is signed again, whatever a signer would leave out by itself.
    settings.excluded_headers = None;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(authorization.region)
        .name(authorization.service)
        .time(at)
        .settings(settings)
        .build()
        .ok()?;
    let signed: Option<Vec<(&str, &str)>> =
        authorization.signed_headers.iter().map(|name| Some((*name, incoming.header(name)?))).collect();
    // The signer adds these itself, from the time and the credentials.
    let added = ["x-amz-date", "x-amz-security-token"];
    let headers = signed?.into_iter().filter(|(name, _)| !added.contains(name));
    let uri = format!("http://{}{}", incoming.header("host")?, incoming.uri);
    let body = SignableBody::Bytes(&incoming.body);
    let request = SignableRequest::new(&incoming.method, uri, headers, body).ok()?;
    let output = sign(request, &params.into()).ok()?;
    Some(output.signature().to_owned())
}

/// Reads `20260102T030405Z`.
fn signing_time(text: &str) -> Option<SystemTime> {
    let with_offset = format!("{}+0000", text.strip_suffix('Z')?);
    let seconds = Timestamp::strptime("%Y%m%dT%H%M%S%z", with_offset).ok()?.as_second();
    SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// The codes of refused credentials, which differ between the protocols.
struct Codes {
    query: bool,
}

impl Codes {
    fn of(service: Service) -> Self {
        Self { query: service.is_query() }
    }

    fn error(&self, json: &'static str, query: &'static str, message: &str) -> ApiError {
        if self.query { ApiError::new(query, message).status(403) } else { ApiError::new(json, message) }
    }

    fn missing(&self) -> ApiError {
        let message = "Missing Authentication Token";
        self.error("MissingAuthenticationTokenException", "MissingAuthenticationToken", message)
    }

    fn incomplete(&self) -> ApiError {
        let message = "Authorization header requires 'Credential', 'SignedHeaders', 'Signature', and an X-Amz-Date";
        self.error("IncompleteSignatureException", "IncompleteSignature", message)
    }

    fn unknown_key(&self) -> ApiError {
        let message = "The security token included in the request is invalid.";
        self.error("UnrecognizedClientException", "InvalidClientTokenId", message)
    }

    fn bad_signature(&self) -> ApiError {
        let message = "The request signature we calculated does not match the signature you provided. Check your AWS \
                       Secret Access Key and signing method. Consult the service documentation for details.";
        self.error("InvalidSignatureException", "SignatureDoesNotMatch", message)
    }

    fn wrong_scope(&self, service: &str) -> ApiError {
        let message = format!("Credential should be scoped to correct service: '{service}'.");
        self.error("InvalidSignatureException", "SignatureDoesNotMatch", &message)
    }

    fn expired(&self) -> ApiError {
        let message = "The security token included in the request is expired";
        self.error("ExpiredTokenException", "ExpiredToken", message)
    }
}
