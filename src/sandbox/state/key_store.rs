//! Custom key stores as they are remembered. Their passwords and secrets are not: nothing here would use them.

use crate::ids::{AccountId, Region};
use crate::kms::Origin;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A custom key store.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct KeyStore {
    pub(in crate::sandbox) account: AccountId,
    pub(in crate::sandbox) region: Region,
    pub(in crate::sandbox) id: String,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) created: Timestamp,
    pub(in crate::sandbox) connection: Connection,
    pub(in crate::sandbox) backing: Backing,
}

/// Whether a key store can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum Connection {
    /// Not before it is connected.
    Disconnected,
    /// From a time on; until then it is being connected.
    Connected { from: Timestamp },
}

/// What stands behind a key store.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::sandbox) enum Backing {
    /// A cluster of hardware modules.
    Cluster { id: String, trust_anchor: String },
    /// An external key manager behind a proxy.
    Proxy(Proxy),
}

/// The proxy of an external key store.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Proxy {
    pub(in crate::sandbox) access_key_id: String,
    pub(in crate::sandbox) endpoint: String,
    pub(in crate::sandbox) path: String,
    /// The endpoint service of a VPC; without one the proxy is public.
    pub(in crate::sandbox) vpc: Option<VpcService>,
}

/// An endpoint service of a VPC, and whose it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct VpcService {
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) owner: String,
}

impl KeyStore {
    /// Returns the origin of the keys that the store holds; AWS calls its kind by the same name.
    pub(in crate::sandbox) fn origin(&self) -> Origin {
        match self.backing {
            Backing::Cluster { .. } => Origin::AwsCloudHsm,
            Backing::Proxy(_) => Origin::ExternalKeyStore,
        }
    }

    /// Returns the cluster of hardware modules.
    pub(in crate::sandbox) fn cluster(&self) -> Option<&str> {
        match &self.backing {
            Backing::Cluster { id, .. } => Some(id),
            Backing::Proxy(_) => None,
        }
    }

    /// Returns the proxy of an external key store.
    pub(in crate::sandbox) fn proxy(&self) -> Option<&Proxy> {
        match &self.backing {
            Backing::Cluster { .. } => None,
            Backing::Proxy(proxy) => Some(proxy),
        }
    }

    /// Returns whether its keys can be used.
    pub(in crate::sandbox) fn is_connected(&self, now: Timestamp) -> bool {
        self.connection_state(now) == "CONNECTED"
    }

    /// Returns AWS's name of the connection's state.
    pub(in crate::sandbox) fn connection_state(&self, now: Timestamp) -> &'static str {
        match self.connection {
            Connection::Disconnected => "DISCONNECTED",
            Connection::Connected { from } if now < from => "CONNECTING",
            Connection::Connected { .. } => "CONNECTED",
        }
    }
}
