//! Decides whether everything that one wildcard pattern matches is matched by others, in bounded time.

use super::glob::glob_matches;
use std::collections::BTreeSet;

/// Whether patterns cover another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inclusion {
    /// Every text that the narrow pattern matches is matched by a wide one.
    Included,
    /// Some text is matched by the narrow pattern and by no wide one.
    NotIncluded,
    /// The budget ran out before it was known.
    Undetermined,
}

/// How many steps may still be spent on questions of inclusion; hostile patterns would need exponentially many.
#[derive(Debug, Clone)]
pub struct StepBudget(u64);

impl StepBudget {
    /// Returns a budget of so many steps; a step is a look at a pair of patterns, a move of one state costs some.
    pub fn new(steps: u64) -> Self {
        Self(steps)
    }

    /// Returns whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    pub(super) fn spend(&mut self, steps: usize) -> bool {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Decides whether every text that `narrow` matches is matched by one of `wide`, with regard to case.
pub fn glob_included(narrow: &str, wide: &[&str], budget: &mut StepBudget) -> Inclusion {
    if wide.iter().any(|pattern| *pattern == narrow || *pattern == "*") {
        return Inclusion::Included;
    }
    if !budget.spend(wide.len()) {
        return Inclusion::Undetermined;
    }
    let wide: Vec<&str> = wide.iter().copied().filter(|pattern| may_meet(pattern, narrow)).collect();
    if wide.is_empty() || matches!(wide.as_slice(), [only] if !may_include(only, narrow)) {
        return Inclusion::NotIncluded;
    }
    if !narrow.contains(is_wildcard) {
        let matched = wide.iter().any(|pattern| glob_matches(pattern, narrow));
        return if matched { Inclusion::Included } else { Inclusion::NotIncluded };
    }
    if let [only] = wide.as_slice()
        && !only.contains(['?', FRESH])
    {
        budget.spend(SEARCH_STEP + (narrow.len() + only.len()) / 16);
        return if takes_fresh(narrow, only) { Inclusion::Included } else { Inclusion::NotIncluded };
    }
    if !budget.spend(narrow.len() + wide.iter().map(|pattern| pattern.len()).sum::<usize>()) {
        return Inclusion::Undetermined;
    }
    Search::new(narrow, &wide).run(budget)
}

/// A character that policies do not have.
const FRESH: char = '\0';

/// Decides inclusion in one pattern without `?` and without the fresh character, exactly and at once: it has to
/// match the narrow pattern with the fresh character for each wildcard, and as only a star can take that, it then
/// matches whatever may stand there.
fn takes_fresh(narrow: &str, wide: &str) -> bool {
    glob_matches(wide, &narrow.replace(is_wildcard, "\0"))
}

/// Returns the pattern with each run of wildcards in one order, `?` before a single `*`; patterns in this form
/// that match the same texts are equal.
pub(super) fn normal_glob(pattern: &str) -> String {
    let mut normal = String::with_capacity(pattern.len());
    let mut star = false;
    for c in pattern.chars() {
        if c == '*' {
            star = true;
            continue;
        }
        if c != '?' && std::mem::take(&mut star) {
            normal.push('*');
        }
        normal.push(c);
    }
    if star {
        normal.push('*');
    }
    normal
}

pub(super) fn is_wildcard(c: char) -> bool {
    matches!(c, '*' | '?')
}

/// Returns the length of the text before the first wildcard.
fn prefix_end(pattern: &str) -> usize {
    pattern.find(is_wildcard).unwrap_or(pattern.len())
}

/// Returns whether the texts before the first wildcards allow that both patterns match the same.
fn may_meet(a: &str, b: &str) -> bool {
    let shared = prefix_end(a).min(prefix_end(b));
    a.as_bytes().get(..shared) == b.as_bytes().get(..shared)
}

/// Returns whether a pattern could include another by itself, given that they may meet.
fn may_include(wide: &str, narrow: &str) -> bool {
    wide.contains(is_wildcard) && prefix_end(wide) <= prefix_end(narrow)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    Any,
    Star,
    /// The end of one of the wide patterns.
    End,
}

fn tokens(pattern: &str) -> impl Iterator<Item = Token> {
    pattern.chars().map(|c| match c {
        '*' => Token::Star,
        '?' => Token::Any,
        _ => Token::Char(c),
    })
}

/// How much dearer a move of the search is than a look at a pair of patterns.
const SEARCH_STEP: usize = 4;

/// Positions in the wide patterns that a text may have led to.
type States = BTreeSet<usize>;

/// A search for a text that the narrow pattern matches and no wide one does.
///
/// It walks the narrow pattern and keeps, for each way through it, the set of states of the wide patterns. A
/// set that contains an explored one cannot lead to a counterexample that the explored one does not lead to.
struct Search {
    narrow: Vec<Token>,
    wide: Vec<Token>,
    starts: Vec<usize>,
    /// The characters that the patterns name; `None` stands for all others.
    letters: BTreeSet<Option<char>>,
    explored: Vec<Vec<States>>,
}

impl Search {
    fn new(narrow: &str, wide: &[&str]) -> Self {
        let narrow: Vec<Token> = tokens(narrow).collect();
        let mut all = Vec::new();
        let mut starts = Vec::new();
        for pattern in wide {
            starts.push(all.len());
            all.extend(tokens(pattern));
            all.push(Token::End);
        }
        let letters = narrow.iter().chain(&all).filter_map(|token| match token {
            Token::Char(c) => Some(Some(*c)),
            Token::Any | Token::Star | Token::End => None,
        });
        let letters = letters.chain([None]).collect();
        let explored = vec![Vec::new(); narrow.len() + 1];
        Self { narrow, wide: all, starts, letters, explored }
    }

    fn run(mut self, budget: &mut StepBudget) -> Inclusion {
        let mut first = States::new();
        for start in &self.starts {
            self.enter(*start, &mut first);
        }
        let mut open = vec![(0, first)];
        while let Some((at, states)) = open.pop() {
            if !budget.spend(SEARCH_STEP * (1 + states.len())) {
                return Inclusion::Undetermined;
            }
            if self.is_settled(at, &states, budget) {
                continue;
            }
            match self.narrow.get(at) {
                _ if states.is_empty() => return Inclusion::NotIncluded,
                None | Some(Token::End) => {
                    if !states.iter().any(|state| self.wide.get(*state) == Some(&Token::End)) {
                        return Inclusion::NotIncluded;
                    }
                }
                Some(Token::Char(c)) => open.push((at + 1, self.step(&states, Some(*c), budget))),
                Some(Token::Any) => self.step_all(at + 1, &states, &mut open, budget),
                Some(Token::Star) => {
                    self.step_all(at, &states, &mut open, budget);
                    open.push((at + 1, states.clone()));
                }
            }
            if let Some(explored) = self.explored.get_mut(at) {
                explored.push(states);
            }
        }
        Inclusion::Included
    }

    /// Returns whether no counterexample can follow: a wide pattern takes any rest, or less was explored here.
    fn is_settled(&self, at: usize, states: &States, budget: &mut StepBudget) -> bool {
        let takes_any_rest = |state: &usize| {
            self.wide.get(*state) == Some(&Token::Star) && self.wide.get(state + 1) == Some(&Token::End)
        };
        let explored = self.explored.get(at).map_or(&[][..], Vec::as_slice);
        budget.spend(explored.len());
        states.iter().any(takes_any_rest) || explored.iter().any(|less| less.is_subset(states))
    }

    /// Adds a state and those reached without a character.
    fn enter(&self, mut state: usize, states: &mut States) {
        states.insert(state);
        while self.wide.get(state) == Some(&Token::Star) {
            state += 1;
            states.insert(state);
        }
    }

    fn step(&self, states: &States, letter: Option<char>, budget: &mut StepBudget) -> States {
        budget.spend(SEARCH_STEP * states.len());
        let mut next = States::new();
        for state in states {
            match self.wide.get(*state) {
                Some(Token::Star) => self.enter(*state, &mut next),
                Some(Token::Any) => self.enter(state + 1, &mut next),
                Some(Token::Char(c)) if letter == Some(*c) => self.enter(state + 1, &mut next),
                Some(Token::Char(_) | Token::End) | None => {}
            }
        }
        next
    }

    fn step_all(&self, to: usize, states: &States, open: &mut Vec<(usize, States)>, budget: &mut StepBudget) {
        open.extend(self.letters.iter().map(|letter| (to, self.step(states, *letter, budget))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn included(narrow: &str, wide: &[&str]) -> Inclusion {
        glob_included(narrow, wide, &mut StepBudget::new(1_000_000))
    }

    /// All texts over the letters of the patterns and one more, up to a length that shows every difference
    /// between patterns of up to five tokens.
    fn texts() -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..6 {
            let to = all.len();
            for at in from..to {
                all.extend(["a", "b", "z"].map(|c| format!("{}{c}", all[at])));
            }
            from = to;
        }
        all
    }

    proptest! {
        #[test]
        fn inclusion_agrees_with_matching(narrow in "[ab?*]{0,5}", wide in prop::collection::vec(prop_oneof!["[ab?*]{0,4}", "[ab*]{0,4}"], 1..3)) {
            let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
            let counterexample = texts()
                .into_iter()
                .find(|text| glob_matches(&narrow, text) && !wide.iter().any(|pattern| glob_matches(pattern, text)));
            let expected = if counterexample.is_none() { Inclusion::Included } else { Inclusion::NotIncluded };
            prop_assert_eq!(included(&narrow, &wide), expected, "{:?}", counterexample);
        }

        #[test]
        fn normal_patterns_are_equal_exactly_if_they_match_the_same(a in "[a?*]{0,5}", b in "[a?*]{0,5}") {
            let (a, b) = (normal_glob(&a), normal_glob(&b));
            let same = texts().iter().all(|text| glob_matches(&a, text) == glob_matches(&b, text));
            prop_assert_eq!(a == b, same, "{} {}", a, b);
        }
    }

    #[test]
    fn without_steps_left_nothing_is_known() {
        let mut budget = StepBudget::new(20);
        assert_eq!(glob_included("*a?b*c", &["*?b*c"], &mut budget), Inclusion::Undetermined);
        assert!(budget.is_spent());
        assert_eq!(glob_included("a", &["b*"], &mut budget), Inclusion::Undetermined);
    }

    #[test]
    fn several_patterns_may_cover_together() {
        assert_eq!(included("kms:*", &["kms:?*", "kms:"]), Inclusion::Included);
        assert_eq!(included("kms:*", &["kms:?*"]), Inclusion::NotIncluded);
        assert_eq!(included("kms:Generate*", &["kms:Get*", "kms:G*"]), Inclusion::Included);
    }

    #[test]
    fn hostile_patterns_exhaust_the_budget_not_the_machine() {
        let narrow = format!("*a{}", "?".repeat(15));
        let wide = format!("*a{}", "?".repeat(16));
        let start = std::time::Instant::now();
        assert_ne!(included(&wide, &[&narrow, "b*"]), Inclusion::Included);
        let hostile = "*a*b?".repeat(200);
        let answer = included(&format!("{hostile}c"), &[&format!("*a?????????????????*{hostile}d"), "*b"]);
        assert_ne!(answer, Inclusion::Included);
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }
}
