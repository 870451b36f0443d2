//! Whose duties are not separate: who can, in its own name or as somebody whom it can become, both manage a key and use it.
//!
//! It is an analysis of effective access: through the key's policy, IAM where the key leaves it to IAM, grants, and
//! roles that may be assumed in turn. That an administrator could rewrite the policy to name itself lies in the nature
//! of `PutKeyPolicy`: such paths are managing, never use. A grant that an administrator may make to itself is use.
//!
//! Use through a service is not direct use. What nobody has read (the policies of a principal known by name alone) is
//! not counted in the key's own account, and counts as a condition in others.

mod acts;
mod manifest;
mod people;
mod reach;

pub use manifest::duty_diagnostics;

use super::lockout::place;
use crate::access::{Decision, Guardrails, evaluate};
use crate::ids::TargetName;
use crate::source::Loc;
use crate::text;
use crate::world::{World, WorldKey};
use acts::{Acts, Side};
use people::People;
use reach::{Reach, Step};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who reaches both duties of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyConflict {
    /// The key's target.
    pub target: TargetName,
    /// The key.
    pub key: String,
    /// Who, as people call it.
    pub principal: String,
    /// Its ARN.
    pub arn: String,
    /// How it can change who uses the key, or destroy it.
    pub administers: Duty,
    /// How it can use the key.
    pub uses: Duty,
    /// Whether it certainly can.
    pub certainty: DutyCertainty,
    /// Where the manifest declares the key.
    pub loc: Option<Loc>,
    /// Where it declares who.
    pub principal_loc: Option<Loc>,
}

/// How somebody comes to a duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Who acts: the identity itself, then each role that the one before it assumes; the last one calls KMS.
    pub path: Vec<String>,
    /// The ARN of the last one.
    pub actor: String,
    /// What it can call.
    pub actions: BTreeSet<&'static str>,
    /// The statements and grants that allow the first of these, in words.
    pub by: Vec<String>,
    /// What it depends on; empty where it depends on nothing.
    pub condition: String,
}

/// Whether something certainly holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DutyCertainty {
    /// It does.
    Certain,
    /// It does under a condition that nobody can answer beforehand, or that hangs on another account's IAM.
    UnderCondition,
}

impl std::fmt::Display for Duty {
    /// Writes `app → assumes deploy-admin → PutKeyPolicy`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let actions: Vec<&str> =
            self.actions.iter().map(|action| action.strip_prefix("kms:").unwrap_or(action)).collect();
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", text::and_list(&self.by)) };
        let condition =
            if self.condition.is_empty() { String::new() } else { format!(", under a condition ({})", self.condition) };
        write!(f, "{} → {}{by}{condition}", self.path.join(" → assumes "), actions.join(", "))
    }
}

impl DutyConflict {
    /// Returns what is wrong, in words.
    pub fn message(&self) -> String {
        let who = text::escape(&self.principal);
        format!("`{who}` can both manage the key `{}` and use it: {}; {}", self.key, self.administers, self.uses)
    }

    /// Returns what to do about it.
    pub fn remedy(&self) -> String {
        let hops = [&self.administers, &self.uses].into_iter().flat_map(|duty| duty.path.windows(2));
        let trusts: BTreeSet<String> = hops
            .filter_map(|pair| Some(format!("take `{}` out of the trust of `{}`", pair.first()?, pair.last()?)))
            .collect();
        let revoke = self.uses.by.iter().filter(|by| by.starts_with("the grant ")).map(|by| format!("revoke {by}"));
        let ways: Vec<String> = trusts.into_iter().chain(revoke).collect();
        if ways.is_empty() {
            "name different principals for the two, or deny the administrators its use: `separation = \"enforced\"`"
                .to_owned()
        } else {
            text::or_list(&ways)
        }
    }
}

/// Returns everybody who reaches both duties of a key, key by key and in order of ARN.
///
/// Of those who reach both only through somebody who does so already, only that somebody is named.
pub fn duties(world: &World) -> Vec<DutyConflict> {
    let mut people = People::of(world);
    world.keys.iter().flat_map(|key| of_key(key, &mut people)).collect()
}

fn of_key(key: &WorldKey, people: &mut People) -> Vec<DutyConflict> {
    let acts = Acts::of(&key.facts);
    let everybody = || people.all().iter().enumerate();
    let administering: BTreeMap<usize, Side> =
        everybody().filter_map(|(at, person)| Some((at, acts.administers(&person.facts)?))).collect();
    if administering.is_empty() {
        return Vec::new();
    }
    let using: BTreeMap<usize, Side> =
        everybody().filter_map(|(at, person)| Some((at, acts.uses(&person.facts)?))).collect();
    let sides = Sides {
        to_administer: Reach::of(people, administering.iter().map(|(at, side)| (*at, side.certainty))),
        to_use: Reach::of(people, using.iter().map(|(at, side)| (*at, side.certainty))),
    };
    let found = sides.meeting(people);
    let duty = |reach: &Reach, sides: &BTreeMap<usize, Side>, at: usize| duty((people, &acts), reach, sides, at);
    let conflict = |(at, certainty): (usize, DutyCertainty)| {
        let person = people.all().get(at)?;
        Some(DutyConflict {
            target: key.target.clone(),
            key: key.name.clone(),
            principal: person.name.clone(),
            arn: person.facts.arn.clone(),
            administers: duty(&sides.to_administer, &administering, at)?,
            uses: duty(&sides.to_use, &using, at)?,
            certainty,
            loc: key.loc,
            principal_loc: person.loc,
        })
    };
    found.into_iter().filter_map(conflict).collect()
}

/// Who reaches each duty of a key.
struct Sides {
    to_administer: Reach,
    to_use: Reach,
}

impl Sides {
    /// Returns how far somebody is from both duties, where it reaches both.
    fn both(&self, at: usize) -> Option<(Step, Step)> {
        Some((self.to_administer.step(at)?, self.to_use.step(at)?))
    }

    /// Returns those in whom the duties meet.
    fn meeting(&self, people: &mut People) -> Vec<(usize, DutyCertainty)> {
        let all: Vec<usize> = (0..people.all().len()).filter(|at| self.both(*at).is_some()).collect();
        let mut implied = BTreeSet::new();
        for nearer in &all {
            for (farther, edge) in people.predecessors(*nearer) {
                if self.is_implied(farther, (*nearer, edge)) {
                    implied.insert(farther);
                }
            }
        }
        let of_a_role =
            |at: usize| people.all().get(at).and_then(|person| person.role).is_some_and(|role| all.contains(&role));
        let told = all.iter().copied().filter(|at| !implied.contains(at) && !of_a_role(*at));
        told.filter_map(|at| self.both(at).map(|both| (at, certainty(both)))).collect()
    }

    /// Whether somebody acts in neither duty itself, and can become somebody who reaches both as surely and sooner.
    fn is_implied(&self, farther: usize, (nearer, edge): (usize, DutyCertainty)) -> bool {
        let (Some(far), Some(near)) = (self.both(farther), self.both(nearer)) else { return false };
        let acts = far.0.distance == 0 || far.1.distance == 0;
        let sum = |both: (Step, Step)| both.0.distance.saturating_add(both.1.distance);
        !acts && sum(near) < sum(far) && certainty(near).max(edge) <= certainty(far)
    }
}

fn certainty(both: (Step, Step)) -> DutyCertainty {
    both.0.certainty.max(both.1.certainty)
}

fn duty(
    (people, acts): (&People, &Acts<'_>),
    reach: &Reach,
    sides: &BTreeMap<usize, Side>,
    from: usize,
) -> Option<Duty> {
    let hops = reach.path(from);
    let last = *hops.last()?;
    let (actor, side) = (people.all().get(last)?, sides.get(&last)?);
    let name = |at: &usize| people.all().get(*at).map(|person| text::escape(&person.name).into_owned());
    let found = evaluate(&side.proof, &actor.facts, Some(acts.key_for(side, &actor.facts)), &Guardrails::default());
    let hop_open = reach.step(from).is_some_and(|step| step.certainty > side.certainty);
    let condition = match &found.decision {
        Decision::Undetermined(reason) => reason.clone(),
        Decision::Allow | Decision::ExplicitDeny | Decision::ImplicitDeny if hop_open => {
            "in a trust policy, or in the IAM of another account".to_owned()
        }
        Decision::Allow | Decision::ExplicitDeny | Decision::ImplicitDeny => String::new(),
    };
    let mut by: Vec<String> =
        found.trace.iter().filter(|entry| entry.statement.is_some() || entry.id.is_some()).map(place).collect();
    by.dedup();
    by.extend(side.own_grant.then(|| "a grant that it may make itself".to_owned()));
    Some(Duty {
        path: hops.iter().filter_map(name).collect(),
        actor: actor.facts.arn.clone(),
        actions: side.actions.clone(),
        by,
        condition,
    })
}

#[cfg(test)]
mod tests;
