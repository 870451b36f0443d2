//! Questions as people ask them, of capabilities and single actions: may somebody do it, why, and who else may.

use super::line::shape_of;
use super::who_can::{Answer, Verdict, WhoCan, asked};
use crate::access::{ContextValue, Guardrails, KeyFacts, NearMiss, Request, Unknown, near_misses};
use crate::kms::{Capability, KmsAction};
use crate::services::Service;
use crate::world::{World, WorldKey, WorldPrincipal};
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

/// Whether somebody may do something with a key, and why.
#[derive(Debug, Clone)]
pub struct Explanation<'w> {
    /// Who.
    pub principal: &'w WorldPrincipal,
    /// What.
    pub wanted: Wanted,
    /// With which key.
    pub key: &'w WorldKey,
    /// Each action, in order.
    pub actions: Vec<ExplainedAction>,
    /// The services through which it is allowed, where it is not directly: there it takes other actions.
    pub through: Vec<Service>,
}

/// Whether one action is allowed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedAction {
    /// The action.
    pub action: &'static KmsAction,
    /// The answer.
    pub answer: Answer,
    /// Where it is not allowed: what came nearest to allowing it, nearest first.
    pub near: Vec<NearMiss>,
}

/// Somebody who may do something with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who, as people read it.
    pub principal: String,
    /// The ARN, or the service; of an account's IAM the root's ARN, of everybody `*`.
    pub arn: String,
    /// Each action that may be allowed, with the conditions of each way in words.
    pub actions: Vec<HeldAction>,
}

/// An action that somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAction {
    /// The action.
    pub action: &'static KmsAction,
    /// The answer.
    pub answer: Answer,
    /// For each way what must hold, in words; empty: nothing.
    pub conditions: Vec<Vec<String>>,
}

/// How much of what is wanted is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// All, however the calls are made.
    Always,
    /// All, where conditions hold.
    Conditional,
    /// It depends on what was not read, or AWS leaves it open.
    Undetermined,
    /// Nothing.
    Never,
    /// Some of the actions are allowed, others are not.
    Partly,
}

impl Wanted {
    /// Returns the actions on a key; empty if the key cannot have them.
    pub fn actions(self, key: &KeyFacts) -> Vec<&'static KmsAction> {
        match self {
            Self::Capability(capability) => capability.actions(shape_of(key)),
            Self::Action(action) => vec![action],
        }
    }

    /// Returns the actions of a call: through a service a capability means what the service needs of its caller for it.
    pub fn actions_in(self, key: &KeyFacts, supposed: &Supposed) -> Vec<&'static KmsAction> {
        let actions = self.actions(key);
        let (Self::Capability(capability), Some(Coming::Through(via))) = (self, &supposed.via) else { return actions };
        let service = Service::ALL.iter().find(|service| service.via_service(&key.region) == *via);
        let needed = service.map(|service| service.actions_for(capability)).filter(|needed| !needed.is_empty());
        needed.map_or(actions, |needed| needed.into_iter().filter_map(KmsAction::find).collect())
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
    /// Returns a call of which only this is known; what it calls is left to the question.
    pub fn request(&self, key: &KeyFacts) -> Request {
        let mut request = Request::new("", key.arn.clone(), key.region.clone());
        request.unknown = Unknown::Everything;
        request.encryption_context.clone_from(&self.context);
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

/// Explains whether somebody may do something with a key.
pub fn explain<'w>(
    world: &World,
    principal: &'w WorldPrincipal,
    wanted: Wanted,
    key: &'w WorldKey,
    supposed: &Supposed,
) -> Explanation<'w> {
    let (asking, open) = (WhoCan::new(world), supposed.request(&key.facts));
    let explained = |action: &'static KmsAction| {
        let request = asked(action.full, key, &open);
        let answer = asking.can(principal, &request, key);
        let near = match answer.verdict {
            Verdict::Never => near_misses(&request, &principal.facts, Some(&key.facts), &Guardrails::default()),
            Verdict::Always | Verdict::Sometimes | Verdict::Undetermined(_) => Vec::new(),
        };
        ExplainedAction { action, answer, near }
    };
    let actions: Vec<ExplainedAction> = wanted.actions_in(&key.facts, supposed).into_iter().map(explained).collect();
    let refused = actions.iter().any(|action| action.answer.verdict == Verdict::Never);
    let through = |service: &Service| {
        let within =
            Supposed { via: Some(Coming::Through(service.via_service(&key.facts.region))), ..supposed.clone() };
        let (open, actions) = (within.request(&key.facts), wanted.actions_in(&key.facts, &within));
        let answers = |action: &KmsAction| asking.can(principal, &asked(action.full, key, &open), key).verdict;
        actions != wanted.actions(&key.facts)
            && actions.iter().all(|action| matches!(answers(action), Verdict::Always | Verdict::Sometimes))
    };
    let services = Service::ALL.iter().copied().filter(|_| refused && supposed.via.is_none());
    Explanation { principal, wanted, key, actions, through: services.filter(through).collect() }
}

/// Returns everybody who may do something with a key, or some of it: first those whom the world knows, then those whom
/// the key names.
pub fn holders(world: &World, wanted: Wanted, key: &WorldKey, supposed: &Supposed) -> Vec<Holder> {
    let (asking, open) = (WhoCan::new(world), supposed.request(&key.facts));
    let mut holders: Vec<Holder> = Vec::new();
    for action in wanted.actions_in(&key.facts, supposed) {
        for answer in asking.ask(action.full, key, &open) {
            let conditions = asking.conditions(&answer, key);
            let (principal, arn) = (answer.principal.clone(), answer.arn.clone());
            let held = HeldAction { action, answer, conditions };
            match holders.iter_mut().find(|holder| holder.principal == principal && holder.arn == arn) {
                Some(holder) => holder.actions.push(held),
                None => holders.push(Holder { principal, arn, actions: vec![held] }),
            }
        }
    }
    holders
}

impl Extent {
    /// Returns the extent of some answers.
    pub fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let each = |verdict: &Verdict| match verdict {
            Verdict::Always => Self::Always,
            Verdict::Sometimes => Self::Conditional,
            Verdict::Undetermined(_) => Self::Undetermined,
            Verdict::Never => Self::Never,
        };
        let extents: Vec<Self> = verdicts.into_iter().map(each).collect();
        match (extents.iter().min(), extents.iter().max()) {
            (Some(Self::Never) | None, _) | (_, None) => Self::Never,
            (Some(_), Some(Self::Never)) => Self::Partly,
            (Some(_), Some(worst)) => *worst,
        }
    }
}

impl Explanation<'_> {
    /// Returns how much of what is wanted is allowed.
    pub fn extent(&self) -> Extent {
        Extent::of(self.actions.iter().map(|action| &action.answer.verdict))
    }
}
