//! Policy documents: the model of what IAM and KMS call a policy, kept as written.
//!
//! Parsing never rejects what `GetKeyPolicy` could return: a statement that AWS would ignore is kept, known
//! as inert with the reason, so that it is shown and compares equal to itself.

mod canonical;
mod glob;
mod inclusion;
mod json;
mod model;
mod operator;
mod parse;
mod write;

pub use canonical::CanonicalPolicy;
pub use glob::{glob_matches, glob_matches_ignore_case};
pub use inclusion::{Inclusion, StepBudget, glob_included};
pub use model::{
    Actions, Condition, ConditionOperator, ConditionValue, Effect, Inert, PolicyDocument, PolicyVersion,
    PrincipalEntry, Principals, Resources, Statement,
};
pub use parse::PolicyParseError;

