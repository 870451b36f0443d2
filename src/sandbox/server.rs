//! The HTTP side: loopback connections in, requests told apart, answers with AWS's headers out.

use super::auth::{Authorization, authenticate};
use super::call::{Call, Handler};
use super::error::ApiError;
use super::faults::{Fate, Fates, Lag};
use super::state::State;
use super::store::Store;
use super::wire_json::{Params, without_nulls};
use super::{Clock, iam, kms, random, sts, tagging, wire_query};
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::{HeaderMap, Response};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Requests may be this long; KMS's own longest is well below.
const LONGEST_BODY: usize = 1024 * 1024;

/// The services that the endpoint plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Kms,
    Tagging,
    Iam,
    Sts,
}

impl Service {
    /// Returns whether the service speaks the Query protocol.
    pub(super) fn is_query(self) -> bool {
        matches!(self, Self::Iam | Self::Sts)
    }

    /// Returns the service's name in credential scopes.
    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Tagging => "tagging",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Kms | Self::Tagging | Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }

    fn handler(self, operation: &str) -> Option<Handler> {
        let table = match self {
            Self::Kms => kms::OPERATIONS,
            Self::Tagging => tagging::OPERATIONS,
            Self::Iam => iam::OPERATIONS,
            Self::Sts => sts::OPERATIONS,
        };
        table.iter().find(|(name, _)| *name == operation).map(|(_, handler)| *handler)
    }

    fn unknown(self, operation: &str) -> ApiError {
        let message = format!("{} is not an operation of {}, or not in this sandbox yet", operation, self.scope());
        let code = if self.is_query() { "InvalidAction" } else { "UnknownOperationException" };
        ApiError::new(code, message)
    }
}

/// A request as it came in.
pub(super) struct Incoming {
    pub(super) service: Service,
    pub(super) operation: String,
    pub(super) method: String,
    /// Path and query.
    pub(super) uri: String,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Incoming {
    /// Tells the service and the operation of a request.
    fn read(parts: &axum::http::request::Parts, body: Vec<u8>) -> Self {
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let (service, operation) = match target.split_once('.') {
            Some(("TrentService", operation)) => (Service::Kms, operation.to_owned()),
            Some((_, operation)) => (Service::Tagging, operation.to_owned()),
            None => query_operation(&parts.headers, &body),
        };
        Self {
            service,
            operation,
            method: parts.method.as_str().to_owned(),
            uri: parts.uri.path_and_query().map_or("/", |uri| uri.as_str()).to_owned(),
            headers: parts.headers.clone(),
            body,
        }
    }

    /// Returns a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Returns the service, by credential scope or API version, and the `Action` of a form.
fn query_operation(headers: &HeaderMap, body: &[u8]) -> (Service, String) {
    let text = String::from_utf8_lossy(body);
    let field = |name: &str| text.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default().to_owned();
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = Authorization::parse(header).map(|authorization| authorization.service);
    let service = match scope {
        Some("iam") => Service::Iam,
        Some("sts") => Service::Sts,
        Some("kms") => Service::Kms,
        Some("tagging") => Service::Tagging,
        Some(_) | None if field("Version=").starts_with("2010") => Service::Iam,
        Some(_) | None => Service::Sts,
    };
    (service, field("Action="))
}

/// An answer, or none.
pub(super) struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    request_id: String,
    cut: bool,
}

/// Everything behind the endpoint.
pub(super) struct Engine {
    pub(super) inner: Mutex<Inner>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What calls change, one after the other.
pub(super) struct Inner {
    pub(super) state: State,
    /// `None` once the sandbox has been shut down.
    pub(super) store: Option<Store>,
    pub(super) fates: Fates,
    pub(super) lag: Lag,
}

impl Engine {
    /// Runs something on the state under its lock.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        // A panic inside a handler would leave rows touched, which the next call undoes.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut inner)
    }

    fn reply(&self, incoming: &Incoming) -> Reply {
        let request_id = random::uuid();
        let (result, cut) = self.with(|inner| self.run(inner, incoming, &request_id));
        encode(incoming, result, request_id, cut)
    }

    /// Runs one call; true beside the result means that the caller shall not see it.
    fn run(&self, inner: &mut Inner, incoming: &Incoming, request_id: &str) -> (Result<Value, ApiError>, bool) {
        let name = format!("{}:{}", incoming.service.scope(), incoming.operation);
        let dropped = match inner.fates.next(&name) {
            Fate::Answer => false,
            Fate::DropReply => true,
            Fate::Refuse(error) => return (Err(error), false),
            Fate::Cut => return (Ok(Value::Null), true),
        };
        inner.state.undo();
        let result = self.handle(inner, incoming, request_id);
        if result.is_err() {
            inner.state.undo();
        }
        (result.and_then(|value| inner.commit().map(|()| value)), dropped)
    }

    fn handle(&self, inner: &mut Inner, incoming: &Incoming, request_id: &str) -> Result<Value, ApiError> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        kms::pass_time(&mut inner.state, now);
        sts::forget_sessions(&mut inner.state, wall);
        // What time did to the keys stays, whatever becomes of the call.
        inner.commit()?;
        let caller = authenticate(incoming, &mut inner.state, (now, wall))?;
        inner.commit()?;
        let unknown = || incoming.service.unknown(&incoming.operation);
        let handler = incoming.service.handler(&incoming.operation).ok_or_else(unknown)?;
        let params = if incoming.service.is_query() {
            wire_query::decode(&incoming.body)?
        } else {
            Params::from_json(&incoming.body)?
        };
        let settle = inner.fates.settle();
        let (state, lag) = (&mut inner.state, &mut inner.lag);
        handler(&mut Call { state, lag, caller: &caller, params: &params, now, wall, settle, request_id })
    }
}

impl Inner {
    /// Saves what was changed.
    pub(super) fn commit(&mut self) -> Result<(), ApiError> {
        let store = self.store.as_ref().ok_or_else(|| ApiError::internal("The sandbox has been shut down"))?;
        if self.state.is_clean() {
            return Ok(());
        }
        match store.save(&self.state) {
            Ok(()) => {
                self.state.keep();
                Ok(())
            }
            Err(error) => {
                self.state.undo();
                Err(ApiError::internal(format!("The sandbox cannot save its state: {error}")))
            }
        }
    }
}

fn encode(incoming: &Incoming, result: Result<Value, ApiError>, request_id: String, cut: bool) -> Reply {
    let status = result.as_ref().map_or_else(|error| error.status, |_| 200);
    let (content_type, body) = if incoming.service.is_query() {
        let namespace = incoming.service.namespace();
        let body = match &result {
            Ok(value) => wire_query::answer(&incoming.operation, namespace, value, &request_id),
            Err(error) => wire_query::error(error, namespace, &request_id),
        };
        ("text/xml", body.unwrap_or_default())
    } else {
        let body = match result {
            Ok(Value::Null) => Vec::new(),
            Ok(value) => without_nulls(value).to_string().into_bytes(),
            Err(error) => {
                serde_json::json!({ "__type": error.code, "message": error.message }).to_string().into_bytes()
            }
        };
        ("application/x-amz-json-1.1", body)
    };
    Reply { status, content_type, body, request_id, cut }
}

/// Answers one HTTP request.
pub(super) async fn serve(
    Shared(engine): Shared<Arc<Engine>>,
    ConnectInfo(line): ConnectInfo<super::connection::Line>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        let error = ApiError::new("RequestEntityTooLargeException", "The request is longer than 1 MiB").status(413);
        let incoming = Incoming::read(&parts, Vec::new());
        return response(encode(&incoming, Err(error), random::uuid(), false));
    };
    let latency = engine.with(|inner| inner.fates.latency());
    tokio::time::sleep(latency).await;
    // Saving waits for the disk.
    let work = move || {
        let incoming = Incoming::read(&parts, body.to_vec());
        engine.reply(&incoming)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(reply) if !reply.cut => response(reply),
        Ok(_) | Err(_) => {
            line.cut();
            Response::new(Body::empty())
        }
    }
}

fn response(reply: Reply) -> Response<Body> {
    Response::builder()
        .status(reply.status)
        .header("content-type", reply.content_type)
        .header("x-amzn-requestid", reply.request_id)
        .body(Body::from(reply.body))
        .unwrap_or_default()
}
