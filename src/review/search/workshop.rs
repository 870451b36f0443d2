//! What searches in the same two states share: the benches, and answers that do not depend on who calls.

use super::bench::Bench;
use super::solve::Values;
use super::space::Setting;
use super::values::Representatives;
use crate::access::{KeyFacts, PrincipalFacts, PrincipalType};
use crate::ids::AccountId;
use std::collections::HashMap;

/// What a condition says to the settings of a knob.
#[derive(Debug, Clone)]
pub(super) struct Verdicts {
    pub(super) absent: Values,
    pub(super) yes: Values,
    pub(super) open: Values,
    /// Why it is open to some.
    pub(super) why: Option<String>,
}

/// What decides which condition keys a caller's requests can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CallerKind {
    kind: PrincipalType,
    account: Option<AccountId>,
    has_id: bool,
    has_organization: bool,
}

impl CallerKind {
    pub(super) fn of(caller: &PrincipalFacts) -> Self {
        Self {
            kind: caller.kind,
            account: caller.account.clone(),
            has_id: caller.unique_id.is_some(),
            has_organization: caller.org_id.is_some(),
        }
    }
}

/// Benches and remembered answers.
pub(super) struct Workshop {
    pub(super) benches: [Bench; 2],
    /// What a condition, by name and action, says to settings.
    pub(super) verdicts: HashMap<(String, Vec<Setting>), Verdicts>,
    /// Representatives, by all that is asked of a key.
    pub(super) representatives: HashMap<String, Representatives>,
    /// Whether requests of an action can differ in a key.
    pub(super) varies: HashMap<(String, String, CallerKind), bool>,
    /// How many questions the benches may be asked.
    pub(super) limit: u64,
}

impl Workshop {
    pub(super) fn new(old: &KeyFacts, new: &KeyFacts, limit: u64) -> Self {
        Self {
            benches: [Bench::new(old), Bench::new(new)],
            verdicts: HashMap::new(),
            representatives: HashMap::new(),
            varies: HashMap::new(),
            limit,
        }
    }

    /// Returns whether no more questions may be asked.
    pub(super) fn is_exhausted(&self) -> bool {
        self.benches.iter().map(|bench| bench.asked).sum::<u64>() > self.limit
    }
}
