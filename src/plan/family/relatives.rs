//! What the material of one Region's key has to know of the other Regions: who has it first, and who must have it too.

use super::super::PlanInput;
use super::{Birth, Families, Kin, Looked};
use crate::desired::{DesiredKey, DesiredTarget, Topology};
use crate::ids::{Region, TargetName};
use crate::live::LiveKey;
use std::collections::BTreeSet;

/// A key of the family in another target.
#[derive(Debug, Clone)]
pub(in crate::plan) struct Relative<'a> {
    /// The target.
    pub(in crate::plan) target: TargetName,
    /// The key, where it exists and was read.
    pub(in crate::plan) live: Option<&'a LiveKey>,
    /// The primary of the family, where it was read: it knows all materials by name.
    pub(in crate::plan) primary: Option<&'a LiveKey>,
}

/// What a key is to the material of its family.
#[derive(Debug, Clone)]
pub(in crate::plan) enum Relatives<'a> {
    /// New material comes into it first: a key of one Region, or a primary.
    Source {
        /// Who must have new material before it is rotated to.
        replicas: Vec<Relative<'a>>,
        /// Why new material waits, if it does, and what to do.
        hold: Option<(String, String)>,
    },
    /// It gets what its primary has; `None` where no target of the run has that.
    Replica {
        /// The primary.
        primary: Option<Relative<'a>>,
    },
}

impl<'a> Families<'a> {
    /// Returns what a key is to the material of its family.
    pub(in crate::plan) fn relatives(
        &self,
        input: PlanInput<'a>,
        target: &DesiredTarget,
        key: &DesiredKey,
    ) -> Relatives<'a> {
        let looked = Looked::new(input);
        let Some(kin) = self.kin(target, key) else {
            return match &key.topology {
                Topology::Single => Relatives::Source { replicas: Vec::new(), hold: None },
                Topology::Primary { .. } => Relatives::Source { replicas: self.born_of(target, key), hold: None },
                Topology::Replica { primary, .. } => {
                    let primary =
                        looked.live(primary).map(|_| Relative { target: primary.clone(), live: None, primary: None });
                    Relatives::Replica { primary }
                }
            };
        };
        let primary = kin.primary_target(looked);
        match primary {
            Some(primary) if primary.region != target.region => {
                let live = kin.members.get(&primary.name).copied();
                Relatives::Replica { primary: Some(Relative { target: primary.name.clone(), live, primary: live }) }
            }
            None if kin.primary.as_ref() != Some(&target.region) => Relatives::Replica { primary: None },
            Some(_) | None => {
                let hold = self.hold(looked, (target, key), kin);
                let replicas = others(looked, target, kin).chain(self.born_of(target, key)).collect();
                Relatives::Source { replicas, hold }
            }
        }
    }

    /// Returns the replicas that this plan makes of a key.
    fn born_of(&self, target: &DesiredTarget, key: &DesiredKey) -> Vec<Relative<'a>> {
        let of = self.births.iter().filter(|((_, name), birth)| {
            *name == key.name && matches!(birth, Birth::From(from) if *from == target.name)
        });
        of.map(|((at, _), _)| Relative { target: at.clone(), live: None, primary: None }).collect()
    }

    /// Returns why the family takes no new material now.
    fn hold(
        &self,
        looked: Looked<'a>,
        (target, key): (&DesiredTarget, &DesiredKey),
        kin: &Kin<'a>,
    ) -> Option<(String, String)> {
        if self.moved(target, key).is_some() {
            let help = "plan again once the primary is where it shall be";
            return Some(("the primary moves to another Region first".to_owned(), help.to_owned()));
        }
        let covered: BTreeSet<&Region> = declaring(looked, target, kin).map(|at| &at.region).collect();
        let left: Vec<String> = kin
            .regions
            .iter()
            .filter(|region| **region != target.region && !covered.contains(region))
            .map(ToString::to_string)
            .collect();
        (!left.is_empty()).then(|| {
            let places = crate::text::and_list(&left);
            (
                format!("its replica in {places} is not part of this run"),
                "plan with the targets of all its Regions".to_owned(),
            )
        })
    }
}

/// Returns the targets of this run that declare the key of a family, but for one.
fn declaring<'a>(looked: Looked<'a>, own: &DesiredTarget, kin: &Kin<'a>) -> impl Iterator<Item = &'a DesiredTarget> {
    let (own, name) = (own.name.clone(), kin.name.clone());
    let members: BTreeSet<TargetName> = kin.members.keys().cloned().collect();
    let targets = looked.input.desired.targets.iter();
    targets.filter(move |at| at.name != own && members.contains(&at.name) && at.keys.iter().any(|key| key.name == name))
}

fn others<'a>(looked: Looked<'a>, own: &DesiredTarget, kin: &Kin<'a>) -> impl Iterator<Item = Relative<'a>> {
    let live = kin.members.clone();
    let primary = live.get(&own.name).copied();
    declaring(looked, own, kin).map(move |at| Relative {
        target: at.name.clone(),
        live: live.get(&at.name).copied(),
        primary,
    })
}
