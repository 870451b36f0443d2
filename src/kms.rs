//! What AWS KMS is made of, as data: actions, capabilities, specs, states, limits and quotas.

mod action;
mod algorithm;
mod capability;
mod condition;
mod limit;
mod quota;
mod shape;
mod state;
mod table;
mod wrapping;

pub use action::{Access, ActionScope, GRANT_OPERATIONS, KmsAction, RESOURCE_CONDITION_KEYS, Reach};
pub use algorithm::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, MacAlgorithm, SigningAlgorithm,
};
pub use capability::{Capability, UnknownCapability};
pub use condition::{
    GLOBAL_CONDITION_KEYS, MULTI_VALUED_CONDITION_KEYS, OLD_CONDITION_KEYS, UNPLACED_CONDITION_KEYS,
    condition_key_exists, condition_keys, is_multi_valued_condition_key, renamed_condition_key,
};
pub use limit::*;
pub use quota::{RequestQuota, request_rate, symmetric_rate};
pub use shape::{KeyShape, KeySpec, KeyUsage, Origin, UnknownName};
pub use state::{KeyState, StateError, StateVerdict, state_allows};
pub use table::{ACTIONS, CRYPTOGRAPHIC_ACTIONS};
pub use wrapping::{ImportKind, WrappingAlgorithm, WrappingKeySpec};
