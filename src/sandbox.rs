//! An embedded AWS endpoint on loopback: KMS, IAM, STS and Resource Groups Tagging, with policies enforced.
//!
//! It speaks the real wire protocols to the real SDKs, keeps its state in a folder, encrypts for real, and
//! decides every call by the evaluator of [`crate::access`]. It is a tool for development and tests: whoever
//! can read its folder can read its key material, so nothing of value belongs in it.

mod auth;
mod call;
mod connection;
mod error;
mod faults;
mod iam;
mod identity;
mod kms;
mod principals;
mod random;
mod seed;
mod server;
mod state;
mod store;
mod sts;
mod table;
mod tagging;
mod wire_json;
mod wire_query;

pub use faults::Faults;

use crate::ids::{AccountId, KeyStoreId, PrincipalArn, Region};
use crate::kms::Origin;
use crate::secret::SecretText;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where a sandbox keeps its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLocation {
    /// In a folder, which is made if need be. It holds key material in plain text.
    Folder(PathBuf),
    /// Nowhere: the state ends with the sandbox.
    Memory,
}

/// Tells the sandbox what time it is; deletion windows, rotations and the expiry of key material follow it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the time.
    fn now(&self) -> Timestamp;

    /// Returns the time of its clients. Temporary credentials are given and expire by it, since clients compare their
    /// expiry with clocks of their own.
    fn wall(&self) -> Timestamp {
        self.now()
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// How a sandbox is to be started.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where it keeps its state.
    pub state: StateLocation,
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Faults to inject.
    pub faults: Faults,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Another process uses the folder.
    #[error("the sandbox in {} is in use by another process; wait for it, or name another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be used.
    #[error("the sandbox cannot use its folder {}", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The port cannot be had.
    #[error("the sandbox cannot listen on 127.0.0.1:{port}; another program may use the port")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// A principal cannot be seeded.
    #[error("the sandbox cannot seed {arn}: {reason}")]
    Seed {
        /// The principal.
        arn: String,
        /// Why.
        reason: String,
    },
}

/// What a seeded principal may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedKind {
    /// Nothing by itself; a role can be assumed by its account's `user/sandbox`.
    Trusted,
    /// The same, and it lists keys, aliases and tagged resources by an identity policy.
    Reader,
    /// The same, and it administers KMS, IAM, tags and STS by an identity policy.
    Deployer,
}

/// Returns the access key id and the secret of an account's built-in administrator, `user/sandbox`.
pub fn credentials(account: &AccountId) -> (String, SecretText) {
    (format!("{}{account}", auth::KEY_PREFIX), SecretText::new(auth::SECRET.to_owned()))
}

/// The embedded endpoint.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts a sandbox on loopback; it serves until it is shut down or dropped.
    pub async fn start(config: SandboxConfig) -> Result<RunningSandbox, SandboxError> {
        let SandboxConfig { state: location, port, clock, faults } = config;
        let opened = tokio::task::spawn_blocking(move || open(&location)).await;
        let (store, state) =
            opened.map_err(|error| SandboxError::State { folder: PathBuf::new(), source: error.into() })??;
        let fates = faults::Fates::new(faults);
        let lag = faults::Lag::new(fates.lag());
        let inner = server::Inner { state, store: Some(store), fates, lag };
        let engine = Arc::new(server::Engine { inner: Mutex::new(inner), clock });
        let no_port = |source| SandboxError::Port { port, source };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await.map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = axum::Router::new().fallback(server::serve).with_state(Arc::clone(&engine));
        let service = router.into_make_service_with_connect_info::<connection::Line>();
        let serving = axum::serve(connection::CutListener(listener), service).with_graceful_shutdown(async move {
            // Dropping the sender is the signal.
            drop(stopped.await);
        });
        let task = tokio::spawn(async move {
            drop(serving.await);
        });
        Ok(RunningSandbox { engine, address, stop, task })
    }
}

/// Opens the place of the state and reads it.
fn open(location: &StateLocation) -> Result<(store::Store, state::State), SandboxError> {
    let store = store::Store::open(location)?;
    let folder = match location {
        StateLocation::Folder(folder) => folder.clone(),
        StateLocation::Memory => PathBuf::new(),
    };
    let state = store.load().map_err(|source| SandboxError::State { folder, source })?;
    Ok((store, state))
}

/// A sandbox that serves.
pub struct RunningSandbox {
    engine: Arc<server::Engine>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl fmt::Debug for RunningSandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningSandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RunningSandbox {
    /// Returns the URL of the endpoint, for every service.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a principal exist, if it does not: a role, a user, or the role behind a session.
    pub fn seed_principal(&self, arn: &PrincipalArn, kind: SeedKind) -> Result<(), SandboxError> {
        let now = self.engine.clock.now();
        let fail = |reason: String| SandboxError::Seed { arn: arn.as_str().to_owned(), reason };
        self.engine.with(|inner| {
            seed::principal(&mut inner.state, arn, kind, now).map_err(|error| fail(error.message))?;
            inner.commit().map_err(|error| fail(error.message))
        })
    }

    /// Makes a custom key store exist in an account and Region, connected, if there is none of the id; `origin` is that
    /// of its keys.
    pub fn seed_key_store(
        &self,
        place: (&AccountId, &Region),
        id: &KeyStoreId,
        origin: Origin,
    ) -> Result<(), SandboxError> {
        let now = self.engine.clock.now();
        self.engine.with(|inner| {
            seed::key_store(&mut inner.state, place, id, origin, now);
            let fail = |error: error::ApiError| SandboxError::Seed { arn: id.to_string(), reason: error.message };
            inner.commit().map_err(fail)
        })
    }

    /// Returns how often each operation was called: `kms:CreateKey`.
    pub fn call_counts(&self) -> BTreeMap<String, u64> {
        self.engine.with(|inner| inner.fates.counts())
    }

    /// Ends the sandbox; its folder is free afterwards.
    pub async fn shutdown(self) {
        let Self { engine, stop, mut task, .. } = self;
        drop(stop);
        // Idle connections of clients may stay open for long.
        if tokio::time::timeout(Duration::from_millis(500), &mut task).await.is_err() {
            task.abort();
        }
        let store = engine.with(|inner| inner.store.take());
        drop(store);
    }
}

#[cfg(test)]
mod tests;
