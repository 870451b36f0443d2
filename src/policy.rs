//! Policy documents: the model of what IAM and KMS call a policy, kept as written.
//!
//! Parsing never rejects what `GetKeyPolicy` could return: a statement that AWS would ignore is kept, known
//! as inert with the reason, so that it is shown and compares equal to itself.

mod canonical;
mod classes;
mod difference;
mod glob;
mod inclusion;
mod json;
mod limits;
mod model;
mod operator;
mod parse;
mod validate;
mod write;

pub use canonical::CanonicalPolicy;
pub use classes::{PatternToken, TextClasses, TextTest, text_classes};
pub use difference::{StatementChange, is_cosmetic, statement_changes};
pub use glob::{GlobToken, glob_matches, glob_matches_ignore_case, glob_tokens_match};
pub use inclusion::{Inclusion, StepBudget, glob_included};
pub use limits::{
    KEY_POLICY_BYTES, MANAGED_POLICY_CHARACTERS, PolicyLimit, ROLE_INLINE_POLICY_CHARACTERS, TRUST_POLICY_CHARACTERS,
    key_policy_text_limits,
};
pub use model::{
    Actions, Condition, ConditionOperator, ConditionValue, Effect, Inert, PolicyDocument, PolicyVersion,
    PrincipalEntry, Principals, Resources, Statement,
};
pub(crate) use operator::{Operator, Polarity};
pub use parse::PolicyParseError;
pub use validate::{
    PolicyRejection, RejectionKind, validate_identity_policy, validate_key_policy, validate_trust_policy,
};
