//! Everything that speaks for a part of a decision, for saying in which cases it holds.

use super::layer::{Held, Need, Part, Place};
use super::truth::{Open, Truth};

/// What a part of a decision hangs on: of each clause something must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alternatives {
    need: Need,
    clauses: Vec<Vec<Held>>,
}

impl Alternatives {
    /// Returns the clauses, of each of which something must hold; none where the part holds anyway.
    pub(super) fn clauses(&self) -> &[Vec<Held>] {
        &self.clauses
    }
}

impl From<Held> for Alternatives {
    fn from(held: Held) -> Self {
        let clauses = match held.truth {
            Truth::True if held.need == Need::Nothing => Vec::new(),
            Truth::True | Truth::Unknown(_) => vec![vec![held]],
            Truth::False => vec![Vec::new()],
        };
        Self { need: held.need, clauses }
    }
}

impl Part for Alternatives {
    fn add(&mut self, truth: Truth, at: Place, named: Option<Open>) {
        let held = Held { need: self.need, truth, at: Some(at), named };
        for clause in &mut self.clauses {
            clause.push(held);
        }
    }

    fn either(self, other: Self) -> Self {
        let joined = |left: &Vec<Held>, right: &Vec<Held>| left.iter().chain(right).copied().collect();
        let clauses = self.clauses.iter().flat_map(|left| other.clauses.iter().map(move |right| joined(left, right)));
        Self { need: self.need, clauses: clauses.collect() }
    }

    fn both(mut self, other: Self) -> Self {
        self.clauses.extend(other.clauses);
        self
    }

    fn for_need(mut self, need: Need) -> Self {
        self.clauses.iter_mut().flatten().for_each(|held| held.need = need);
        Self { need, ..self }
    }

    fn or_open(mut self, open: Open) -> Self {
        let held = Held::new(self.need, Truth::Unknown(open), None);
        for clause in self.clauses.iter_mut().filter(|clause| !Truth::True.eq(&any(clause))) {
            clause.push(Held { need: clause.first().map_or(held.need, |first| first.need), ..held });
        }
        self
    }

    fn truth(&self) -> Truth {
        Truth::all(self.clauses.iter().map(|clause| any(clause)))
    }
}

fn any(clause: &[Held]) -> Truth {
    Truth::any(clause.iter().map(|held| held.truth))
}
