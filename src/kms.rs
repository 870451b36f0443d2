//! What AWS KMS is made of, as data: actions, capabilities, specs, states, limits and quotas.

mod action;
mod capability;
mod limit;
mod quota;
mod shape;
mod state;
mod table;

pub use action::{Access, ActionScope, GRANT_OPERATIONS, KmsAction, RESOURCE_CONDITION_KEYS, Reach};
pub use capability::{Capability, UnknownCapability};
pub use limit::*;
pub use quota::{RequestQuota, request_rate, symmetric_rate};
pub use shape::{KeyShape, KeySpec, KeyUsage, Origin, UnknownName};
pub use state::{KeyState, StateError, StateVerdict, state_allows};
pub use table::{ACTIONS, CRYPTOGRAPHIC_ACTIONS};
