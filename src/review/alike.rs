//! Actions that nothing tells apart, so that one answer does for all of them.

use crate::access::KeyFacts;
use crate::kms::{ActionScope, KmsAction, Reach};
use crate::policy::Statement;
use std::collections::{BTreeMap, BTreeSet};

/// Everything by which two actions can differ in some states of a key.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Marks {
    facts: Option<(ActionScope, Reach, bool, bool)>,
    is_new_grant: bool,
    statements: Vec<bool>,
    grants: Vec<bool>,
    keys: Vec<bool>,
}

/// Returns the actions, those together that no statement, no grant and no condition key tells apart.
pub(super) fn alike(states: [&KeyFacts; 2], actions: &BTreeSet<String>) -> Vec<Vec<String>> {
    let statements: Vec<&Statement> = states
        .iter()
        .flat_map(|key| std::iter::once(&key.policy).chain(&key.ram_policy))
        .flat_map(|policy| &policy.statements)
        .collect();
    let conditions = statements.iter().flat_map(|statement| &statement.conditions);
    let keys: BTreeSet<String> = conditions.map(|condition| condition.key.to_ascii_lowercase()).collect();
    let mut groups: BTreeMap<Marks, Vec<String>> = BTreeMap::new();
    for action in actions {
        let known = KmsAction::find(action);
        let name = action.strip_prefix("kms:").unwrap_or(action);
        let grants = states.iter().flat_map(|key| &key.grants);
        let marks = Marks {
            facts: known.map(|known| (known.scope, known.reach, known.takes_encryption_context, known.grantable)),
            is_new_grant: name == "CreateGrant",
            statements: statements.iter().map(|statement| statement.has_action(action)).collect(),
            grants: grants.map(|grant| grant.operations.iter().any(|operation| operation == name)).collect(),
            keys: keys.iter().map(|key| known.is_none_or(|known| known.knows_condition_key(key))).collect(),
        };
        groups.entry(marks).or_default().push(action.clone());
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyDocument;

    #[test]
    fn only_what_tells_actions_apart_counts() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
        let of = |statements: Vec<Statement>| {
            KeyFacts::new(
                arn,
                "111122223333".parse().unwrap(),
                "eu-west-1".parse().unwrap(),
                PolicyDocument::new(statements),
            )
        };
        let empty = of(Vec::new());
        let named = of(vec![Statement::allow("", ["kms:Decrypt"])]);
        let actions: BTreeSet<String> =
            ["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:CreateGrant"].map(str::to_owned).into();
        let groups = alike([&empty, &empty], &actions);
        assert!(groups.contains(&vec!["kms:Decrypt".to_owned(), "kms:Encrypt".to_owned()]), "{groups:?}");
        assert_eq!(groups.len(), 3);
        assert_eq!(alike([&empty, &named], &actions).len(), 4);
    }
}
