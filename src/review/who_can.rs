//! Who can do what on a key: always, sometimes, never, or open.

use super::sharpen::{can_meet, sharpened};
use super::symbolic::{Subject, named, subjects};
use super::words::Vocabulary;
use crate::access::{
    Decision, Guardrails, KeyFacts, PrincipalFacts, Request, Residual, ResidualTerm, ResidualWay, is_allowed, residual,
};
use crate::kms::{ActionScope, KmsAction};
use crate::world::{World, WorldKey, WorldPrincipal};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who, as people read it. Where several have the same name, the ARN is added.
    pub principal: String,
    /// The ARN, or the service; of an account's IAM the root's ARN, of everybody `*`.
    pub arn: String,
    /// Whether it can.
    pub verdict: Verdict,
    /// In which cases, and by which statements and grants.
    pub residual: Residual,
}

/// Whether somebody can do something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// In every case that the question leaves open.
    Always,
    /// In some of them: where the conditions of a way hold, and those of no deny.
    Sometimes,
    /// AWS's documentation leaves it open, or something was not read; with the reason.
    Undetermined(String),
    /// In none.
    Never,
}

impl Verdict {
    /// Returns the verdict of a residual.
    pub(super) fn of(residual: &Residual) -> Self {
        let reason = match &residual.decision {
            Decision::Allow => return Self::Always,
            Decision::ExplicitDeny | Decision::ImplicitDeny => return Self::Never,
            Decision::Undetermined(reason) => reason,
        };
        let decided = residual.ways.iter().any(|way| way.open().is_none());
        let denied =
            residual.denies.iter().filter(|deny| deny.conditions.is_empty()).find_map(|deny| deny.open.clone());
        match denied {
            Some(open) => Self::Undetermined(open),
            None if decided => Self::Sometimes,
            None => Self::Undetermined(residual.ways.iter().find_map(|way| way.open()).unwrap_or(reason).to_owned()),
        }
    }
}

/// A world that can be asked many questions.
#[derive(Debug)]
pub struct WhoCan<'w> {
    pub(super) world: &'w World,
    /// How people call ARNs.
    names: BTreeMap<String, String>,
    /// Names that several principals have.
    shared: BTreeSet<&'w str>,
}

/// Returns whether somebody can do something on a key; `request` says what else is known of the call.
pub fn can(world: &World, principal: &WorldPrincipal, action: &str, key: &WorldKey, request: &Request) -> Answer {
    WhoCan::new(world).can(principal, &asked(action, key, request), key)
}

/// Returns everybody who can do something on a key, always, sometimes or perhaps; `request` says what else is known of the
/// call.
///
/// After the principals of the world come those whom the key's policy and grants name: principals that are not in the
/// world, services, root users, accounts through their IAM policies, organizations, everybody.
pub fn who_can(world: &World, action: &str, key: &WorldKey, request: &Request) -> Vec<Answer> {
    WhoCan::new(world).ask(action, key, request)
}

impl<'w> WhoCan<'w> {
    /// Returns the world ready to be asked.
    pub fn new(world: &'w World) -> Self {
        let mut seen = BTreeSet::new();
        let names = world.principals.iter().map(|principal| principal.name.as_str());
        Self {
            world,
            shared: names.filter(|name| !seen.insert(*name)).collect(),
            names: world.principals.iter().map(|known| (known.facts.arn.clone(), known.name.clone())).collect(),
        }
    }

    /// Answers [`who_can`].
    pub fn ask(&self, action: &str, key: &WorldKey, request: &Request) -> Vec<Answer> {
        let request = asked(action, key, request);
        let known = self.world.principals.iter().filter(|known| may(&request, &known.facts, &key.facts));
        let mut answers: Vec<Answer> = known.map(|known| self.can(known, &request, key)).collect();
        for subject in subjects(self, &key.facts) {
            answers.extend(self.of_subject(&subject, &request, key));
        }
        answers.retain(|answer| answer.verdict != Verdict::Never);
        answers
    }

    pub(super) fn can(&self, principal: &WorldPrincipal, request: &Request, key: &WorldKey) -> Answer {
        let residual = sharpened(residual(request, &principal.facts, Some(&key.facts), &Guardrails::default()));
        let (verdict, arn) = (Verdict::of(&residual), principal.facts.arn.clone());
        Answer { principal: self.name(principal), arn, verdict, residual }
    }

    /// Answers for somebody whom the key's policy or grants name: for all whom nothing names, each of their names apart.
    pub(super) fn of_subject(&self, subject: &Subject, request: &Request, key: &WorldKey) -> Vec<Answer> {
        if !may(request, &subject.facts, &key.facts) {
            return Vec::new();
        }
        let found = sharpened(residual(request, &subject.facts, Some(&key.facts), &Guardrails::default()));
        subject.answers(self, found, &key.facts)
    }

    fn name(&self, principal: &WorldPrincipal) -> String {
        let name = &principal.name;
        if self.shared.contains(name.as_str()) && *name != principal.facts.arn {
            return format!("{name} ({})", principal.facts.arn);
        }
        name.clone()
    }

    /// Returns whether somebody is in the world, by ARN or by name.
    pub(super) fn knows(&self, text: &str) -> bool {
        self.names.contains_key(text) || self.world.principals.iter().any(|known| known.name == text)
    }

    pub(super) fn vocabulary<'a>(&'a self, key: &'a KeyFacts) -> Vocabulary<'a> {
        Vocabulary { names: &self.names, account: key.account.as_str() }
    }

    /// Returns the conditions of an answer in words: for each way what must hold, with what the denies demand of it. An
    /// empty list stands for a way without conditions.
    pub fn conditions(&self, answer: &Answer, key: &WorldKey) -> Vec<Vec<String>> {
        answer.residual.ways.iter().map(|way| self.conditions_of(answer, way, &denies_of(answer, way), key)).collect()
    }

    /// Returns in words what one way of an answer demands, and the denies that may apply to it.
    pub(super) fn conditions_of(
        &self,
        answer: &Answer,
        way: &ResidualWay,
        denies: &[&ResidualTerm],
        key: &WorldKey,
    ) -> Vec<String> {
        self.vocabulary(&key.facts).of_way(way, denies, &named(answer, self, way, &key.facts))
    }
}

/// Returns the denies of an answer that can apply to one of its ways.
pub(super) fn denies_of<'a>(answer: &'a Answer, way: &ResidualWay) -> Vec<&'a ResidualTerm> {
    answer.residual.denies.iter().filter(|deny| can_meet(deny, way)).collect()
}

/// Returns whether somebody may be allowed: the cheap question before the dear one.
fn may(request: &Request, principal: &PrincipalFacts, key: &KeyFacts) -> bool {
    is_allowed(request, principal, Some(key), &Guardrails::default()) != Some(false)
}

/// Returns the call of an action on a key, or of one that has no key.
pub(super) fn asked(action: &str, key: &WorldKey, request: &Request) -> Request {
    let known = KmsAction::find(action);
    let on_key = known.is_none_or(|known| known.scope != ActionScope::Iam);
    Request {
        action: known.map_or(action, |known| known.full).to_owned(),
        resource: if on_key { key.facts.arn.clone() } else { "*".to_owned() },
        region: key.facts.region.clone(),
        ..request.clone()
    }
}

#[cfg(test)]
mod tests;
