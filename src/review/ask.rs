//! One question about access: may somebody do something with a key, supposing some of the call and leaving the rest open.

use crate::access::{
    ContextValue, Decision, Guardrails, KeyFacts, NearMiss, PrincipalFacts, Request, Residual, ResidualWay, Unknown,
    near_misses, residual,
};
use crate::kms::{ActionScope, Capability, KmsAction};
use crate::world::{WorldKey, WorldPrincipal};
use std::collections::BTreeMap;

/// What is supposed of a call; everything else stays open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supposed {
    /// The whole encryption context; empty: it is open.
    pub context: BTreeMap<String, String>,
    /// How the call comes; `None`: that is open.
    pub via: Option<Coming>,
    /// Values of further condition keys.
    pub conditions: BTreeMap<String, ContextValue>,
}

/// How a call comes to KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coming {
    /// From the caller.
    Directly,
    /// Forwarded by the service of this `kms:ViaService` value.
    Through(String),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Everything of a capability.
    Capability(Capability),
    /// One action.
    Action(&'static KmsAction),
}

/// A question with its answer.
#[derive(Debug, Clone)]
pub struct Answer<'w> {
    /// Who.
    pub principal: &'w WorldPrincipal,
    /// What.
    pub wanted: Wanted,
    /// With which key.
    pub key: &'w WorldKey,
    /// The answer for each action, in order.
    pub actions: Vec<ActionAnswer>,
}

/// The answer for one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionAnswer {
    /// The action.
    pub action: &'static KmsAction,
    /// In which cases it is allowed.
    pub residual: Residual,
    /// Where it is not: what came nearest to allowing it, nearest first.
    pub near: Vec<NearMiss>,
}

/// An answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Allowed, however the call is made.
    Always,
    /// Allowed where conditions hold.
    Conditional,
    /// It depends on what was not read, or AWS leaves it open.
    Undetermined,
    /// Not allowed.
    Never,
    /// Some of the actions are allowed, others are not.
    Partly,
}

impl Wanted {
    /// Returns the actions on a key; empty if the key cannot have them.
    pub fn actions(self, key: &KeyFacts) -> Vec<&'static KmsAction> {
        match self {
            Self::Capability(capability) => capability.actions(super::line::shape_of(key)),
            Self::Action(action) => vec![action],
        }
    }

    /// Returns its name: `decrypt`, `kms:Decrypt`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capability(capability) => capability.name(),
            Self::Action(action) => action.full,
        }
    }
}

impl Supposed {
    /// Returns a call of an action on a key.
    pub fn request(&self, action: &KmsAction, key: &KeyFacts) -> Request {
        let resource = if action.scope == ActionScope::Iam { "*" } else { key.arn.as_str() };
        let mut request = Request::new(action.full, resource, key.region.clone());
        request.unknown = Unknown::Everything;
        if action.takes_encryption_context {
            request.encryption_context.clone_from(&self.context);
        }
        match &self.via {
            None => {}
            Some(Coming::Directly) => {
                request.context.insert("kms:ViaService".to_owned(), None);
            }
            Some(Coming::Through(service)) => request.via_service = Some(service.clone()),
        }
        let conditions = self.conditions.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        request.context.extend(conditions);
        request
    }
}

/// Answers whether somebody may do something with a key.
pub fn ask<'w>(principal: &'w WorldPrincipal, wanted: Wanted, key: &'w WorldKey, supposed: &Supposed) -> Answer<'w> {
    let actions = wanted.actions(&key.facts).into_iter();
    let actions = actions.map(|action| answer(action, &principal.facts, &key.facts, supposed)).collect();
    Answer { principal, wanted, key, actions }
}

fn answer(action: &'static KmsAction, principal: &PrincipalFacts, key: &KeyFacts, supposed: &Supposed) -> ActionAnswer {
    let (request, rails) = (supposed.request(action, key), Guardrails::default());
    let residual = residual(&request, principal, Some(key), &rails);
    let near = match residual.decision {
        Decision::ExplicitDeny | Decision::ImplicitDeny => near_misses(&request, principal, Some(key), &rails),
        Decision::Allow | Decision::Undetermined(_) => Vec::new(),
    };
    ActionAnswer { action, residual, near }
}

impl ActionAnswer {
    /// Returns the answer in one word.
    pub fn verdict(&self) -> Verdict {
        let decided = |way: &ResidualWay| way.open().is_none();
        match self.residual.decision {
            Decision::Allow => Verdict::Always,
            Decision::ExplicitDeny | Decision::ImplicitDeny => Verdict::Never,
            Decision::Undetermined(_) if self.residual.ways.iter().any(decided) => Verdict::Conditional,
            Decision::Undetermined(_) => Verdict::Undetermined,
        }
    }
}

impl Answer<'_> {
    /// Returns the answer for all actions together.
    pub fn verdict(&self) -> Verdict {
        let verdicts: Vec<Verdict> = self.actions.iter().map(ActionAnswer::verdict).collect();
        let (least, most) = (verdicts.iter().min().copied(), verdicts.iter().max().copied());
        match (least, most) {
            (Some(Verdict::Never) | None, _) => Verdict::Never,
            (Some(_), Some(Verdict::Never)) => Verdict::Partly,
            (Some(_), Some(worst)) => worst,
            (Some(least), None) => least,
        }
    }
}
