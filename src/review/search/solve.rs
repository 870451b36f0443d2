//! Decides whether values can be chosen, one for each knob, so that some clauses hold and others do not.

/// A set of the values of one knob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Values(Vec<u64>);

impl Values {
    /// Returns the set of none of so many values.
    pub(super) fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    /// Returns the set of all of so many values.
    pub(super) fn all(count: usize) -> Self {
        (0..count).collect::<Vec<_>>().into_iter().fold(Self::none(count), Self::with)
    }

    /// Returns the set with one more value.
    pub(super) fn with(mut self, value: usize) -> Self {
        if let Some(word) = self.0.get_mut(value / 64) {
            *word |= 1 << (value % 64);
        }
        self
    }

    pub(super) fn has(&self, value: usize) -> bool {
        self.0.get(value / 64).is_some_and(|word| word >> (value % 64) & 1 == 1)
    }

    /// Returns the values of both sets together.
    pub(super) fn union(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one | other).collect())
    }

    /// Returns the values that another set does not have.
    pub(super) fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one & !other).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Returns the least value.
    pub(super) fn first(&self) -> Option<usize> {
        (0..self.0.len() * 64).find(|value| self.has(*value))
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, other)| one & other != 0)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| one & !other == 0)
    }

    fn keep(&mut self, other: &Self) {
        for (word, kept) in self.0.iter_mut().zip(&other.0) {
            *word &= kept;
        }
    }

    fn remove(&mut self, other: &Self) {
        for (word, removed) in self.0.iter_mut().zip(&other.0) {
            *word &= !removed;
        }
    }
}

/// That a knob has one of some values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Literal {
    pub(super) knob: usize,
    pub(super) values: Values,
}

/// Literals that must all hold; each is about another knob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Clause(pub(super) Vec<Literal>);

impl Clause {
    pub(super) fn of(knob: usize, values: Values) -> Self {
        Self(vec![Literal { knob, values }])
    }

    /// Returns that both hold.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for literal in &other.0 {
            match both.0.iter_mut().find(|own| own.knob == literal.knob) {
                Some(own) => own.values.keep(&literal.values),
                None => both.0.push(literal.clone()),
            }
        }
        both
    }

    pub(super) fn is_impossible(&self) -> bool {
        self.0.iter().any(|literal| literal.values.is_empty())
    }
}

/// What a question leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// For each knob the values that it may have; any choice among them will do.
    Chosen(Vec<Values>),
    /// There is no choice.
    Impossible,
    /// It took too many steps to find out.
    TooHard,
}

/// Which clauses are to hold, and which are not, among the values that knobs may have.
#[derive(Debug, Clone)]
pub(super) struct Question<'c> {
    pub(super) domains: Vec<Values>,
    pub(super) hold: Vec<&'c Clause>,
    pub(super) fail: Vec<&'c Clause>,
}

impl Question<'_> {
    /// Answers the question in so many steps at most.
    pub(super) fn answer(mut self, steps: &mut u64) -> Answer {
        for literal in self.hold.iter().flat_map(|clause| &clause.0) {
            if let Some(domain) = self.domains.get_mut(literal.knob) {
                domain.keep(&literal.values);
            }
        }
        if self.domains.iter().any(Values::is_empty) {
            return Answer::Impossible;
        }
        refute(self.domains, self.fail, steps)
    }
}

/// What is left of a clause within the domains.
enum Left<'c> {
    /// It cannot hold.
    Refuted,
    /// It holds unless one of these literals is made false; of the others each knob has no other value.
    Open(Vec<&'c Literal>),
}

fn left<'c>(clause: &'c Clause, domains: &[Values]) -> Left<'c> {
    let mut open = Vec::new();
    for literal in &clause.0 {
        let Some(domain) = domains.get(literal.knob) else { continue };
        if !domain.meets(&literal.values) {
            return Left::Refuted;
        }
        if !domain.is_within(&literal.values) {
            open.push(literal);
        }
    }
    Left::Open(open)
}

/// Makes every clause fail: by those that leave no choice first, then by trying the literals of the shortest.
fn refute<'c>(mut domains: Vec<Values>, mut clauses: Vec<&'c Clause>, steps: &mut u64) -> Answer {
    loop {
        let mut shortest: Option<Vec<&'c Literal>> = None;
        let mut remaining = Vec::with_capacity(clauses.len());
        let mut changed = false;
        for clause in clauses {
            let Some(fewer) = steps.checked_sub(1) else { return Answer::TooHard };
            *steps = fewer;
            let Left::Open(open) = left(clause, &domains) else { continue };
            match open.as_slice() {
                [] => return Answer::Impossible,
                [only] => {
                    exclude(&mut domains, only);
                    changed = true;
                }
                _ => {
                    remaining.push(clause);
                    if shortest.as_ref().is_none_or(|shortest| open.len() < shortest.len()) {
                        shortest = Some(open);
                    }
                }
            }
        }
        clauses = remaining;
        match shortest {
            _ if changed => {}
            None => return Answer::Chosen(domains),
            Some(literals) => return branch(&domains, &clauses, &literals, steps),
        }
    }
}

fn branch(domains: &[Values], clauses: &[&Clause], literals: &[&Literal], steps: &mut u64) -> Answer {
    let mut rest = domains.to_vec();
    for literal in literals {
        let mut tried = rest.clone();
        exclude(&mut tried, literal);
        match refute(tried, clauses.to_vec(), steps) {
            Answer::Impossible => {}
            answer @ (Answer::Chosen(_) | Answer::TooHard) => return answer,
        }
        // Where this literal fails nothing was found: from here on it holds.
        if let Some(domain) = rest.get_mut(literal.knob) {
            domain.keep(&literal.values);
        }
    }
    Answer::Impossible
}

fn exclude(domains: &mut [Values], literal: &Literal) {
    if let Some(domain) = domains.get_mut(literal.knob) {
        domain.remove(&literal.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOBS: usize = 3;
    const VALUES: usize = 3;

    fn clause() -> impl Strategy<Value = Clause> {
        let literal = (0..KNOBS, 0_usize..1 << VALUES).prop_map(|(knob, mask)| {
            let values = (0..VALUES).filter(|value| mask >> value & 1 == 1).fold(Values::none(VALUES), Values::with);
            Clause::of(knob, values)
        });
        prop::collection::vec(literal, 0..4)
            .prop_map(|parts| parts.iter().fold(Clause::default(), |all, one| all.and(one)))
    }

    fn holds(clause: &Clause, choice: &[usize]) -> bool {
        clause.0.iter().all(|literal| literal.values.has(choice[literal.knob]))
    }

    proptest! {
        #[test]
        fn answers_agree_with_trying_everything(
            hold in prop::collection::vec(clause(), 0..2),
            fail in prop::collection::vec(clause(), 0..6),
        ) {
            let right = |choice: &[usize]| {
                hold.iter().all(|clause| holds(clause, choice)) && !fail.iter().any(|clause| holds(clause, choice))
            };
            let all = (0..VALUES.pow(3)).map(|n| [n % 3, n / 3 % 3, n / 9]);
            let possible = all.clone().any(|choice| right(&choice));
            let domains = vec![Values::all(VALUES); KNOBS];
            let question = Question { domains, hold: hold.iter().collect(), fail: fail.iter().collect() };
            match question.answer(&mut 100_000) {
                Answer::Chosen(domains) => {
                    let among = |choice: &[usize]| choice.iter().zip(&domains).all(|(value, domain)| domain.has(*value));
                    prop_assert!(possible && all.clone().filter(|choice| among(choice)).all(|choice| right(&choice)));
                }
                Answer::Impossible => prop_assert!(!possible),
                Answer::TooHard => prop_assert!(false, "too hard"),
            }
        }
    }

    #[test]
    fn steps_are_limited() {
        let two =
            |a: usize, b: usize| Clause::of(a, Values::none(2).with(0)).and(&Clause::of(b, Values::none(2).with(1)));
        let clauses: Vec<Clause> = (0..20).flat_map(|a| (0..20).map(move |b| (a, b))).map(|(a, b)| two(a, b)).collect();
        let question = Question { domains: vec![Values::all(2); 20], hold: Vec::new(), fail: clauses.iter().collect() };
        assert_eq!(question.answer(&mut 10), Answer::TooHard);
    }
}
