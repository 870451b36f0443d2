//! What changed between two policies, statement by statement, for people.

use super::canonical::{CanonicalPolicy, common_partition};
use super::model::{Actions, Effect, PolicyDocument, PrincipalEntry, Principals, Resources, Statement};
use std::collections::BTreeSet;

/// A change of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementChange {
    /// The statement is new.
    Added(Statement),
    /// The statement is gone.
    Removed(Statement),
    /// The statement says something else.
    Changed {
        /// What it said.
        before: Statement,
        /// What it says.
        after: Statement,
    },
}

/// Returns whether two documents differ in wording only.
pub fn is_cosmetic(before: &PolicyDocument, after: &PolicyDocument) -> bool {
    before != after && before.same_permissions(after)
}

/// Returns what changed, in the order of `before`, then what is new, in the order of `after`.
///
/// Statements are matched by what they say, then by `Sid`, then by likeness. What changes no permission is not a
/// change: another wording, or a statement that others imply.
pub fn statement_changes(before: &PolicyDocument, after: &PolicyDocument) -> Vec<StatementChange> {
    if before.same_permissions(after) {
        return Vec::new();
    }
    let mut matching = Matching::new(before, after);
    matching.pair_where(|one, other| one.statement.sid == other.statement.sid && one.meaning == other.meaning);
    matching.pair_where(|one, other| one.meaning == other.meaning);
    let changed_from = matching.pairs.len();
    matching.pair_where(|one, other| one.statement.sid.is_some() && one.statement.sid == other.statement.sid);
    matching.pair_by_likeness();
    matching.changes(changed_from)
}

/// A statement and what it means by itself.
struct Candidate<'a> {
    statement: &'a Statement,
    meaning: CanonicalPolicy,
}

fn candidates<'a>(document: &'a PolicyDocument, partition: Option<&str>) -> Vec<Candidate<'a>> {
    let meaning = |statement: &Statement| {
        let statements = vec![statement.clone()];
        PolicyDocument { version: document.version.clone(), id: None, statements }.canonical_with(partition)
    };
    document.statements.iter().map(|statement| Candidate { statement, meaning: meaning(statement) }).collect()
}

/// Which statement of one document became which of the other.
struct Matching<'a> {
    before: &'a PolicyDocument,
    after: &'a PolicyDocument,
    candidates_before: Vec<Candidate<'a>>,
    candidates_after: Vec<Candidate<'a>>,
    /// Places of statements that have no partner yet.
    open_before: BTreeSet<usize>,
    open_after: BTreeSet<usize>,
    pairs: Vec<(usize, usize)>,
}

impl<'a> Matching<'a> {
    fn new(before: &'a PolicyDocument, after: &'a PolicyDocument) -> Self {
        let partition = common_partition(&[before, after]);
        Self {
            before,
            after,
            candidates_before: candidates(before, partition.as_deref()),
            candidates_after: candidates(after, partition.as_deref()),
            open_before: (0..before.statements.len()).collect(),
            open_after: (0..after.statements.len()).collect(),
            pairs: Vec::new(),
        }
    }

    /// Pairs each open statement with the first open one for which the test holds.
    fn pair_where(&mut self, test: impl Fn(&Candidate<'_>, &Candidate<'_>) -> bool) {
        for at_before in self.open_before.clone() {
            let Some(one) = self.candidates_before.get(at_before) else { continue };
            let partner = self
                .open_after
                .iter()
                .copied()
                .find(|at| self.candidates_after.get(*at).is_some_and(|other| test(one, other)));
            if let Some(at_after) = partner {
                self.pair(at_before, at_after);
            }
        }
    }

    fn pair(&mut self, at_before: usize, at_after: usize) {
        self.open_before.remove(&at_before);
        self.open_after.remove(&at_after);
        self.pairs.push((at_before, at_after));
    }

    /// Pairs open statements of the same effect, those most alike first, if they have half of their elements in
    /// common.
    fn pair_by_likeness(&mut self) {
        let features = |document: &PolicyDocument, open: &BTreeSet<usize>| -> Vec<(usize, Features)> {
            let get = |at: &usize| document.statements.get(*at).map(|statement| (*at, Features::of(statement)));
            open.iter().filter_map(get).collect()
        };
        let after = features(self.after, &self.open_after);
        let mut candidates = Vec::new();
        for (at_before, one) in features(self.before, &self.open_before) {
            let likeness = after.iter().map(|(at_after, other)| (one.permille_shared(other), at_before, *at_after));
            candidates.extend(likeness.filter(|(shared, ..)| *shared >= 500));
        }
        candidates.sort_by_key(|(shared, at_before, at_after)| (std::cmp::Reverse(*shared), *at_before, *at_after));
        for (_, at_before, at_after) in candidates {
            if self.open_before.contains(&at_before) && self.open_after.contains(&at_after) {
                self.pair(at_before, at_after);
            }
        }
    }

    /// Returns the changes; the pairs before `changed_from` say the same.
    fn changes(mut self, changed_from: usize) -> Vec<StatementChange> {
        let mut changed = self.pairs.split_off(changed_from);
        changed.sort_unstable();
        let mut placed: Vec<(usize, StatementChange)> = Vec::new();
        for (at_before, at_after) in changed {
            let (Some(before), Some(after)) =
                (self.before.statements.get(at_before), self.after.statements.get(at_after))
            else {
                continue;
            };
            placed.push((at_before, StatementChange::Changed { before: before.clone(), after: after.clone() }));
        }
        let removed = unimplied(self.before, &self.open_before, self.after);
        placed.extend(removed.into_iter().map(|(at, statement)| (at, StatementChange::Removed(statement))));
        placed.sort_by_key(|(at, _)| *at);
        let added = unimplied(self.after, &self.open_after, self.before);
        let added = added.into_iter().map(|(_, statement)| StatementChange::Added(statement));
        placed.into_iter().map(|(_, change)| change).chain(added).collect()
    }
}

/// Returns the open statements that the other document does not imply.
fn unimplied(document: &PolicyDocument, open: &BTreeSet<usize>, other: &PolicyDocument) -> Vec<(usize, Statement)> {
    let is_news = |statement: &Statement| {
        let other_variables = document.version != other.version && statement.to_text().contains("${");
        other_variables || {
            let mut both = other.clone();
            both.statements.push(statement.clone());
            !both.same_permissions(other)
        }
    };
    open.iter()
        .filter_map(|at| document.statements.get(*at).map(|statement| (*at, statement.clone())))
        .filter(|(_, statement)| is_news(statement))
        .collect()
}

/// The elements of a statement, to count what two have in common.
struct Features {
    effect: Effect,
    parts: BTreeSet<String>,
}

impl Features {
    fn of(statement: &Statement) -> Self {
        let mut parts = BTreeSet::new();
        let mut put = |element: &str, value: &str| parts.insert(format!("{element} {value}"));
        if let Some(Principals::Is(entries) | Principals::IsNot(entries)) = &statement.principals {
            for entry in entries.iter().map(PrincipalEntry::kind_and_value) {
                put(entry.0, entry.1);
            }
        }
        if let Some(Actions::Is(patterns) | Actions::IsNot(patterns)) = &statement.actions {
            for pattern in patterns {
                put("Action", &pattern.to_ascii_lowercase());
            }
        }
        if let Some(Resources::Is(patterns) | Resources::IsNot(patterns)) = &statement.resources {
            for pattern in patterns {
                put("Resource", pattern);
            }
        }
        for condition in &statement.conditions {
            put(&condition.operator.0, &condition.key.to_ascii_lowercase());
        }
        Self { effect: statement.effect, parts }
    }

    /// Returns how many of the elements of either are elements of both, in thousandths; none across effects.
    fn permille_shared(&self, other: &Self) -> usize {
        let all = self.parts.union(&other.parts).count();
        let shared = self.parts.intersection(&other.parts).count();
        if self.effect == other.effect { shared * 1000 / all.max(1) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str) -> Vec<PrincipalEntry> {
        vec![PrincipalEntry::Aws(format!("arn:aws:iam::111122223333:role/{name}"))]
    }

    fn words(before: &[Statement], after: &[Statement]) -> Vec<String> {
        let name = |statement: &Statement| statement.sid.clone().unwrap_or_default();
        let document = |statements: &[Statement]| PolicyDocument::new(statements.to_vec());
        statement_changes(&document(before), &document(after))
            .iter()
            .map(|change| match change {
                StatementChange::Added(statement) => format!("+{}", name(statement)),
                StatementChange::Removed(statement) => format!("-{}", name(statement)),
                StatementChange::Changed { before, after } => format!("{}>{}", name(before), name(after)),
            })
            .collect()
    }

    #[test]
    fn statements_are_matched_by_sid_then_by_likeness() {
        let a = Statement::allow("A", ["kms:Decrypt", "kms:Encrypt"]).principals(role("a"));
        let a_more = Statement::allow("A", ["kms:Sign"]).principals(role("z"));
        let b = Statement::allow("B", ["kms:Decrypt", "kms:Verify", "kms:Sign"]).principals(role("b"));
        let b_renamed = Statement::allow("New", ["kms:Decrypt", "kms:Verify"]).principals(role("b"));
        let gone = Statement::deny("Gone", ["kms:*"]).principals(role("g"));
        let new = Statement::allow("Fresh", ["kms:ListGrants"]).principals(role("n"));
        assert_eq!(words(&[gone, b, a], &[new, a_more, b_renamed]), ["-Gone", "B>New", "A>A", "+Fresh"]);
    }

    #[test]
    fn other_words_are_no_change() {
        let whole = Statement::allow("A", ["kms:Decrypt", "kms:Encrypt"]).principals(role("a"));
        let one = Statement::allow("A", ["kms:decrypt"]).principals(role("a"));
        let two = Statement::allow("B", ["kms:Encrypt"]).principals(role("a"));
        let other = Statement::allow("C", ["kms:Sign"]).principals(role("c"));
        assert_eq!(words(std::slice::from_ref(&whole), &[two.clone(), one.clone()]), [""; 0]);
        // `two` is implied by what was there; only the new statement is news.
        assert_eq!(words(std::slice::from_ref(&whole), &[two, whole.clone(), other]), ["+C"]);
        let before = PolicyDocument::new(vec![whole.clone()]);
        assert!(!is_cosmetic(&before, &before.clone()));
        assert!(is_cosmetic(&before, &PolicyDocument::new(vec![whole.clone(), whole])));
        assert!(!is_cosmetic(&before, &PolicyDocument::new(vec![one])));
    }

    #[test]
    fn a_flipped_effect_is_a_change_of_the_statement() {
        let allow = Statement::allow("A", ["kms:Decrypt"]).principals(role("a"));
        let deny = Statement::deny("A", ["kms:Decrypt"]).principals(role("a"));
        assert_eq!(words(&[allow], &[deny]), ["A>A"]);
    }
}
