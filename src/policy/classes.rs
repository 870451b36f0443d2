//! Finds, for some tests of a text, one text for every combination of tests that can match together.
//!
//! Two texts on which all tests agree are the same to a policy, so a few representatives stand for all texts. They
//! are found by walking the product of the tests' automata on the fly: a state is the set of positions at which
//! the tests may be, and the letters of a state are those that some test waits for there, and one other. Literal
//! tests share one trie, so that they cost their length and no more. Hostile patterns would have exponentially many
//! states; a budget bounds the walk, and the answer then says that it is not complete.

use super::inclusion::StepBudget;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatternToken {
    /// This character.
    Char(char),
    /// `?`: exactly one character.
    AnyChar,
    /// `*`: any text.
    AnyText,
}

impl PatternToken {
    /// Returns the elements of a pattern in which `*` and `?` are wildcards.
    pub fn of_glob(pattern: &str) -> Vec<Self> {
        let token = |c| match c {
            '*' => Self::AnyText,
            '?' => Self::AnyChar,
            c => Self::Char(c),
        };
        pattern.chars().map(token).collect()
    }

    /// Returns the elements of a text without wildcards.
    pub fn of_literal(text: &str) -> Vec<Self> {
        text.chars().map(Self::Char).collect()
    }
}

/// A position of a test's automaton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Char(char),
    /// A character whatever its case; the character is in lower case.
    Folded(char),
    Any,
    AnyButColon,
    Rest,
    RestButColon,
}

impl Step {
    fn takes(self, c: char) -> bool {
        match self {
            Self::Char(own) => own == c,
            Self::Folded(own) => own == lower(c),
            Self::Any | Self::Rest => true,
            Self::AnyButColon | Self::RestButColon => c != ':',
        }
    }

    fn stays(self) -> bool {
        matches!(self, Self::Rest | Self::RestButColon)
    }
}

/// Returns the lower case of a character; those with a longer lower case stay as they are.
fn lower(c: char) -> char {
    let mut folded = c.to_lowercase();
    match (folded.next(), folded.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

fn upper(c: char) -> Option<char> {
    let mut folded = c.to_uppercase();
    folded.next().filter(|first| folded.next().is_none() && lower(*first) == c)
}

/// A test of a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextTest(Vec<Step>);

impl TextTest {
    /// Returns the test that only this text passes.
    pub fn literal(text: &str) -> Self {
        Self(text.chars().map(Step::Char).collect())
    }

    /// Returns the test that this text passes, whatever its case.
    pub fn ignoring_case(text: &str) -> Self {
        Self(text.chars().map(|c| Step::Folded(lower(c))).collect())
    }

    /// Returns the test that the texts of a pattern pass.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
    pub fn glob(pattern: &[PatternToken]) -> Self {
        let step = |token: &PatternToken| match token {
            PatternToken::Char(c) => Step::Char(*c),
            PatternToken::AnyChar => Step::Any,
            PatternToken::AnyText => Step::Rest,
        };
        Self(pattern.iter().map(step).collect())
    }

    /// Returns the test that the ARNs of a pattern pass: its six parts are compared one by one, so that a wildcard
    /// never crosses a colon before the resource part. `None` for a pattern with fewer parts, which matches nothing.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN>
    pub fn arn(pattern: &[PatternToken]) -> Option<Self> {
        let mut colons = 0;
        let mut steps = Vec::with_capacity(pattern.len());
        for token in pattern {
            let resource = colons == 5;
            steps.push(match token {
                PatternToken::Char(c) => {
                    colons += usize::from(*c == ':' && !resource);
                    Step::Char(*c)
                }
                PatternToken::AnyChar if resource => Step::Any,
                PatternToken::AnyChar => Step::AnyButColon,
                PatternToken::AnyText if resource => Step::Rest,
                PatternToken::AnyText => Step::RestButColon,
            });
        }
        (colons == 5).then_some(Self(steps))
    }

    /// Returns whether a text passes.
    pub fn matches(&self, text: &str) -> bool {
        let automata = Automata::new(std::slice::from_ref(self));
        let mut state = automata.start();
        for c in text.chars() {
            state = automata.step(&state, c);
        }
        automata.accepts(&state, 0)
    }

    fn literal_text(&self) -> Option<String> {
        let plain = |step: &Step| match step {
            Step::Char(c) => Some(*c),
            Step::Folded(_) | Step::Any | Step::AnyButColon | Step::Rest | Step::RestButColon => None,
        };
        self.0.iter().map(plain).collect()
    }

    /// Returns a text that passes, with this for each run of wildcards.
    fn example(&self, fill: &str) -> String {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Char(c) | Step::Folded(c) => text.push(*c),
                Step::Any | Step::AnyButColon => text.push('x'),
                Step::Rest | Step::RestButColon => text.push_str(fill),
            }
        }
        text
    }
}

/// Texts that stand for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextClasses {
    /// One text for each combination of tests that was found, the shortest first.
    pub texts: Vec<String>,
    /// Whether every combination that can be was found.
    pub complete: bool,
}

/// Returns a text of the domain (any text, if there is none) for each combination of tests that some such text
/// passes. What exceeds the budget is left out, and the answer then is not complete.
pub fn text_classes(tests: &[TextTest], domain: Option<&TextTest>, budget: &mut StepBudget) -> TextClasses {
    let distinct: BTreeSet<&TextTest> = tests.iter().collect();
    let mut literals = Trie::default();
    let mut patterns = Vec::new();
    for test in distinct {
        match test.literal_text() {
            Some(text) => literals.insert(&text),
            None => patterns.push(test.clone()),
        }
    }
    let counted = patterns.len();
    patterns.extend(domain.cloned());
    let mut walk = Walk {
        automata: Automata::new(&patterns),
        literals,
        counted,
        domain: domain.map(|_| counted),
        found: HashMap::new(),
        texts: Vec::new(),
    };
    walk.seed(&patterns);
    let complete = walk.run(budget);
    let mut found = walk.texts;
    found.sort_by(|a, b| (a.chars().count(), a).cmp(&(b.chars().count(), b)));
    TextClasses { texts: found, complete }
}

/// Positions of all tests at once, as bits.
type State = Vec<u64>;

/// The tests, one after the other in one row of bits; each has a position for every step, and one for its end.
struct Automata {
    steps: Vec<Option<Step>>,
    /// The first position of each test, and of what follows the last.
    starts: Vec<usize>,
}

impl Automata {
    fn new(tests: &[TextTest]) -> Self {
        let (mut steps, mut starts) = (Vec::new(), vec![0]);
        for test in tests {
            steps.extend(test.0.iter().copied().map(Some));
            steps.push(None);
            starts.push(steps.len());
        }
        Self { steps, starts }
    }

    fn empty(&self) -> State {
        vec![0; self.steps.len() / 64 + 1]
    }

    fn start(&self) -> State {
        let mut state = self.empty();
        for start in self.starts.iter().take(self.starts.len() - 1) {
            self.enter(*start, &mut state);
        }
        state
    }

    /// Adds a position and those reached without a character.
    fn enter(&self, mut position: usize, state: &mut State) {
        loop {
            if let Some(word) = state.get_mut(position / 64) {
                *word |= 1 << (position % 64);
            }
            match self.steps.get(position) {
                Some(Some(step)) if step.stays() => position += 1,
                Some(_) | None => return,
            }
        }
    }

    fn positions(state: &State) -> impl Iterator<Item = usize> {
        state.iter().enumerate().flat_map(|(at, word)| bits(*word).map(move |bit| at * 64 + bit))
    }

    fn step(&self, state: &State, c: char) -> State {
        let mut next = self.empty();
        for position in Self::positions(state) {
            match self.steps.get(position) {
                Some(Some(step)) if step.takes(c) => {
                    self.enter(if step.stays() { position } else { position + 1 }, &mut next);
                }
                Some(_) | None => {}
            }
        }
        next
    }

    fn accepts(&self, state: &State, test: usize) -> bool {
        let end = self.starts.get(test + 1).map_or(0, |next| next - 1);
        state.get(end / 64).is_some_and(|word| word >> (end % 64) & 1 == 1)
    }

    /// Returns whether a test can still pass.
    fn lives(&self, state: &State, test: usize) -> bool {
        let range = self.starts.get(test).copied().unwrap_or(0)..self.starts.get(test + 1).copied().unwrap_or(0);
        Self::positions(state).any(|position| range.contains(&position))
    }

    /// Adds the characters that some position waits for.
    fn letters(&self, state: &State, letters: &mut BTreeSet<char>) {
        for position in Self::positions(state) {
            match self.steps.get(position) {
                Some(Some(Step::Char(c))) => drop(letters.insert(*c)),
                Some(Some(Step::Folded(c))) => {
                    letters.insert(*c);
                    letters.extend(upper(*c));
                }
                Some(Some(Step::AnyButColon | Step::RestButColon)) => drop(letters.insert(':')),
                Some(Some(Step::Any | Step::Rest) | None) | None => {}
            }
        }
    }
}

/// Returns which bits of a word are set.
fn bits(word: u64) -> impl Iterator<Item = usize> {
    let mut left = word;
    std::iter::from_fn(move || {
        let bit = left.trailing_zeros();
        left &= left.checked_sub(1)?;
        usize::try_from(bit).ok()
    })
}

/// All literals in one tree; a text that has left it is none of them, nor will be.
struct Trie(Vec<Node>);

#[derive(Default)]
struct Node {
    next: BTreeMap<char, usize>,
    is_end: bool,
}

impl Default for Trie {
    fn default() -> Self {
        Self(vec![Node::default()])
    }
}

impl Trie {
    fn insert(&mut self, text: &str) {
        let mut at = 0;
        for c in text.chars() {
            let fresh = self.0.len();
            let Some(node) = self.0.get_mut(at) else { return };
            at = *node.next.entry(c).or_insert(fresh);
            if at == fresh {
                self.0.push(Node::default());
            }
        }
        if let Some(node) = self.0.get_mut(at) {
            node.is_end = true;
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self.0.as_slice(), [root] if !root.is_end)
    }

    fn step(&self, at: Option<usize>, c: char) -> Option<usize> {
        self.0.get(at?)?.next.get(&c).copied()
    }

    fn end(&self, at: Option<usize>) -> Option<usize> {
        at.filter(|at| self.0.get(*at).is_some_and(|node| node.is_end))
    }
}

/// Characters for where any other would do as well, the best to read first.
const OTHERS: &str = "xyzwvutabcdefghijklmnopqrs0123456789XYZWVUTABCDEFGHIJKLMNOPQRS-_/=+.@,";

/// Which tests pass: those of the patterns, and which literal it is.
type Signature = (Vec<bool>, Option<usize>);

struct Walk {
    automata: Automata,
    literals: Trie,
    /// How many of the automata are tests; the next, if there is one, is the domain.
    counted: usize,
    domain: Option<usize>,
    found: HashMap<Signature, usize>,
    texts: Vec<String>,
}

impl Walk {
    /// Tries texts that the tests suggest, so that a walk that has to end early still finds the usual classes.
    fn seed(&mut self, patterns: &[TextTest]) {
        let examples = patterns.iter().flat_map(|test| [test.example("x"), test.example("")]);
        for text in std::iter::once("x".to_owned()).chain(examples) {
            let mut state = (self.automata.start(), Some(0));
            for c in text.chars() {
                state = (self.automata.step(&state.0, c), self.literals.step(state.1, c));
            }
            self.record(&state, || text.clone());
        }
    }

    fn record(&mut self, (state, literal): &(State, Option<usize>), text: impl FnOnce() -> String) {
        if self.domain.is_some_and(|domain| !self.automata.accepts(state, domain)) {
            return;
        }
        let passed = (0..self.counted).map(|test| self.automata.accepts(state, test)).collect();
        let signature: Signature = (passed, self.literals.end(*literal));
        let fresh = self.texts.len();
        if *self.found.entry(signature).or_insert(fresh) == fresh {
            self.texts.push(text());
        }
    }

    /// Walks all states, nearest first; returns whether none was left out.
    fn run(&mut self, budget: &mut StepBudget) -> bool {
        // Each state with the one that it was reached from, and the character.
        let mut path: Vec<(usize, char)> = vec![(0, ' ')];
        let first = (self.automata.start(), Some(0));
        let mut seen = HashSet::from([first.clone()]);
        let mut open = VecDeque::from([(0, first)]);
        while let Some((number, state)) = open.pop_front() {
            self.record(&state, || spell(&path, number));
            if self.has_all() {
                return true;
            }
            let letters = self.letters(&state);
            if !budget.spend(letters.len() * (1 + state.0.len())) {
                return false;
            }
            for c in letters {
                let next = (self.automata.step(&state.0, c), self.literals.step(state.1, c));
                if self.is_dead(&next.0) || seen.contains(&next) {
                    continue;
                }
                seen.insert(next.clone());
                path.push((number, c));
                open.push_back((path.len() - 1, next));
            }
        }
        true
    }

    /// Returns whether every combination was found that could ever be.
    fn has_all(&self) -> bool {
        self.literals.is_empty() && self.counted < 16 && self.found.len() == 1 << self.counted
    }

    fn is_dead(&self, state: &State) -> bool {
        self.domain.is_some_and(|domain| !self.automata.lives(state, domain))
    }

    fn letters(&self, (state, literal): &(State, Option<usize>)) -> Vec<char> {
        let mut letters = BTreeSet::new();
        self.automata.letters(state, &mut letters);
        letters.extend(literal.and_then(|at| self.literals.0.get(at)).iter().flat_map(|node| node.next.keys()));
        let other = OTHERS.chars().find(|c| !letters.contains(c));
        let other = other.or_else(|| ('\u{a1}'..='\u{2ff}').find(|c| !letters.contains(c) && lower(*c) == *c));
        other.into_iter().chain(letters).collect()
    }
}

/// Returns the text that led to a state.
fn spell(path: &[(usize, char)], mut number: usize) -> String {
    let mut reversed = Vec::new();
    while number != 0 {
        let Some((from, c)) = path.get(number) else { break };
        reversed.push(*c);
        number = *from;
    }
    reversed.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::super::glob::glob_matches;
    use super::*;
    use proptest::prelude::*;

    fn glob(pattern: &str) -> TextTest {
        TextTest::glob(&PatternToken::of_glob(pattern))
    }

    fn arn(pattern: &str) -> TextTest {
        TextTest::arn(&PatternToken::of_glob(pattern)).unwrap()
    }

    fn classes(tests: &[TextTest], domain: Option<&TextTest>) -> TextClasses {
        text_classes(tests, domain, &mut StepBudget::new(1_000_000))
    }

    /// All texts over three letters and a colon, up to a length.
    fn texts() -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..5 {
            let to = all.len();
            for at in from..to {
                all.extend(["a", "B", "b", "z"].map(|c| format!("{}{c}", all[at])));
            }
            from = to;
        }
        all
    }

    fn any_test() -> impl Strategy<Value = TextTest> {
        prop_oneof![
            3 => "[aBb?*]{0,4}".prop_map(|pattern| glob(&pattern)),
            1 => "[aBb]{0,4}".prop_map(|text| TextTest::literal(&text)),
            1 => "[aB]{0,3}".prop_map(|text| TextTest::ignoring_case(&text)),
        ]
    }

    proptest! {
        #[test]
        fn every_text_has_its_representative(tests in prop::collection::vec(any_test(), 0..5), domain in prop::option::of("[a?*]{1,3}")) {
            let domain = domain.map(|pattern| glob(&pattern));
            let found = classes(&tests, domain.as_ref());
            prop_assert!(found.complete);
            let signature = |text: &str| tests.iter().map(|test| test.matches(text)).collect::<Vec<_>>();
            let known: HashSet<Vec<bool>> = found.texts.iter().map(|text| signature(text)).collect();
            let inside = |text: &str| domain.as_ref().is_none_or(|domain| domain.matches(text));
            prop_assert!(found.texts.iter().all(|text| inside(text)));
            for text in texts().into_iter().filter(|text| inside(text)) {
                prop_assert!(known.contains(&signature(&text)), "{text:?} of {tests:?}");
            }
        }

        #[test]
        fn tests_agree_with_matching(pattern in "[ab?*]{0,5}", text in "[abc]{0,6}") {
            prop_assert_eq!(glob(&pattern).matches(&text), glob_matches(&pattern, &text));
        }
    }

    #[test]
    fn representatives_are_short_and_readable() {
        let tests = [glob("acme-*"), TextTest::literal("acme-1"), TextTest::literal("blue")];
        assert_eq!(classes(&tests, None).texts, ["x", "blue", "acme-1", "acme-x"]);
        let domain = glob("?*.?*.amazonaws.com");
        let service = TextTest::literal("s3.eu-west-1.amazonaws.com");
        let found = classes(&[service], Some(&domain));
        assert_eq!(found.texts, ["xx.xx.amazonaws.com", "s3.eu-west-1.amazonaws.com"]);
    }

    #[test]
    fn wildcards_of_arns_stay_in_their_part() {
        let pattern = arn("arn:aws:iam::*:role/*");
        assert!(pattern.matches("arn:aws:iam::1:role/a:b/c") && !pattern.matches("arn:aws:iam::1:2:role/a"));
        assert!(TextTest::arn(&PatternToken::of_glob("arn:aws:*")).is_none());
        let role = arn("arn:aws:iam::*:role/a*");
        let domain = arn("arn:aws:iam::111122223333:role/*");
        let exact = TextTest::literal("arn:aws:iam::111122223333:role/ab");
        let found = classes(&[pattern, role, exact], Some(&domain));
        assert!(found.complete && found.texts.len() == 3, "{found:?}");
        assert!(found.texts.iter().all(|text| domain.matches(text)));
    }

    #[test]
    fn case_is_ignored_where_it_is_to_be() {
        let tests = [TextTest::ignoring_case("Ä1"), TextTest::literal("ä1")];
        let found = classes(&tests, None);
        assert!(found.texts.contains(&"Ä1".to_owned()) && found.texts.contains(&"ä1".to_owned()), "{found:?}");
    }

    #[test]
    fn hostile_patterns_stay_cheap_or_say_that_they_are_not_complete() {
        let start = std::time::Instant::now();
        let hostile = glob(&format!("*a{}", "?".repeat(16)));
        let found = text_classes(std::slice::from_ref(&hostile), None, &mut StepBudget::new(50_000));
        assert_eq!(found.texts.iter().filter(|text| hostile.matches(text)).count(), 1);
        assert!(found.texts.len() == 2 && found.complete);
        let two = [hostile, glob(&format!("*b{}", "?".repeat(15)))];
        assert!(text_classes(&two, None, &mut StepBudget::new(50_000)).texts.len() > 2);
        let many: Vec<TextTest> = (0..40).map(|n| glob(&format!("*{n}*"))).collect();
        let found = text_classes(&many, None, &mut StepBudget::new(50_000));
        assert!(!found.complete && found.texts.len() > 40);
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }

    #[test]
    fn hundreds_of_literals_are_cheap() {
        let many: Vec<TextTest> =
            (0..500).map(|n| TextTest::literal(&format!("arn:aws:iam::111122223333:role/service-{n}"))).collect();
        let found = text_classes(&many, None, &mut StepBudget::new(200_000));
        assert!(found.complete && found.texts.len() == 501, "{}", found.texts.len());
    }
}
