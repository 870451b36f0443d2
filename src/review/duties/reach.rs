//! Who reaches an act, and by which shortest and surest path of assumed roles.

use super::DutyCertainty;
use super::people::People;
use std::collections::BTreeSet;

/// How somebody stands to an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Whether it certainly gets there.
    pub(super) certainty: DutyCertainty,
    /// Over how many roles.
    pub(super) distance: usize,
    /// Whom it becomes first; `None` if it acts itself.
    next: Option<usize>,
}

/// Everybody who reaches an act.
#[derive(Debug)]
pub(super) struct Reach(Vec<Option<Step>>);

impl Reach {
    /// Finds everybody who can become one of those who act. A certain way wins over a shorter one.
    pub(super) fn of(people: &mut People, acting: impl Iterator<Item = (usize, DutyCertainty)>) -> Self {
        let acting: Vec<(usize, DutyCertainty)> = acting.collect();
        let mut reach = Self(vec![None; people.all().len()]);
        for allowed in [DutyCertainty::Certain, DutyCertainty::UnderCondition] {
            let starts = acting.iter().filter(|(_, certainty)| *certainty <= allowed);
            let mut open: BTreeSet<(usize, usize)> = reach.reached();
            for (at, certainty) in starts {
                let step = Step { certainty: *certainty, distance: 0, next: None };
                if reach.take(*at, step) {
                    open.insert((0, *at));
                }
            }
            reach.spread(people, open, allowed);
        }
        reach
    }

    /// Returns how somebody stands to the act.
    pub(super) fn step(&self, at: usize) -> Option<Step> {
        self.0.get(at).copied().flatten()
    }

    /// Returns who acts in turn, beginning with somebody.
    pub(super) fn path(&self, from: usize) -> Vec<usize> {
        let mut path = vec![from];
        let mut at = from;
        while let Some(next) = self.step(at).and_then(|step| step.next) {
            path.push(next);
            at = next;
        }
        path
    }

    fn reached(&self) -> BTreeSet<(usize, usize)> {
        let steps = self.0.iter().enumerate();
        steps.filter_map(|(at, step)| step.map(|step| (step.distance, at))).collect()
    }

    /// Walks back from the nearest on, over steps that are as certain as is allowed.
    fn spread(&mut self, people: &mut People, mut open: BTreeSet<(usize, usize)>, allowed: DutyCertainty) {
        while let Some((distance, at)) = open.pop_first() {
            let Some(reached) = self.step(at) else { continue };
            for (before, certainty) in people.predecessors(at) {
                let certainty = certainty.max(reached.certainty);
                let step = Step { certainty, distance: distance.saturating_add(1), next: Some(at) };
                if certainty <= allowed && self.take(before, step) {
                    open.insert((step.distance, before));
                }
            }
        }
    }

    /// Keeps a step for somebody who had none.
    fn take(&mut self, at: usize, step: Step) -> bool {
        match self.0.get_mut(at) {
            Some(slot @ None) => {
                *slot = Some(step);
                true
            }
            Some(Some(_)) | None => false,
        }
    }
}
