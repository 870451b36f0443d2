//! The table of all KMS actions, sorted by name without case.

use super::action::{Access, ActionScope, KmsAction, Reach};
use serde::Deserialize;
use std::sync::LazyLock;

/// Every action of AWS KMS, read once from `actions.json`, where its sources stand.
///
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>
pub static ACTIONS: LazyLock<Vec<KmsAction>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is a part of the program, and the tests read it")]
    let table: Table = serde_json::from_str(include_str!("actions.json")).expect("the table of actions is valid");
    table.actions.into_iter().map(Row::into_action).collect()
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table<'a> {
    // For readers of the file.
    #[serde(rename = "source", borrow)]
    _source: Vec<&'a str>,
    #[serde(borrow)]
    actions: Vec<Row<'a>>,
}

/// One action as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row<'a> {
    action: &'a str,
    access: Access,
    scope: ActionScope,
    reach: Reach,
    grantable: bool,
    encryption_context: bool,
    #[serde(borrow)]
    condition_keys: Vec<&'a str>,
}

impl Row<'static> {
    fn into_action(self) -> KmsAction {
        KmsAction {
            name: self.action.strip_prefix("kms:").unwrap_or(self.action),
            full: self.action,
            access: self.access,
            scope: self.scope,
            reach: self.reach,
            grantable: self.grantable,
            takes_encryption_context: self.encryption_context,
            // Read once and for good, like the text.
            condition_keys: self.condition_keys.leak(),
        }
    }
}

/// Every action that uses key material, as policies write it; what a deny of cryptography lists.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/kms-cryptography.html#cryptographic-operations>
pub const CRYPTOGRAPHIC_ACTIONS: &[&str] = &[
    "kms:Decapsulate",
    "kms:Decrypt",
    "kms:DeriveSharedSecret",
    "kms:Encapsulate",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:Sign",
    "kms:Verify",
    "kms:VerifyMac",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn texts(value: &Value) -> Option<Vec<&str>> {
        value.as_array().map(|items| items.iter().map(|item| item.as_str().unwrap()).collect())
    }

    /// Returns the condition keys that are an action's own, from the facts of AWS's references.
    fn own_keys(facts: &Value, scope: ActionScope) -> Option<BTreeSet<String>> {
        let described = |key: &str| key == "kms:CallerAccount" || key == "kms:ViaService" || key == "aws:ResourceTag/";
        let keys = texts(&facts["condition_keys"])?.into_iter();
        let keys = keys.map(|key| key.split("${").next().unwrap_or_default()).filter(|key| !described(key));
        let on_key = |key: &&str| {
            let of_key = super::super::RESOURCE_CONDITION_KEYS.contains(key);
            scope == ActionScope::Iam || !of_key
        };
        let mut keys: BTreeSet<String> = keys.filter(on_key).map(str::to_owned).collect();
        if facts["recipient_attestation_keys"] == true {
            keys.insert("kms:RecipientAttestation:".to_owned());
        }
        Some(keys)
    }

    #[test]
    fn the_table_agrees_with_the_facts_of_the_references() {
        let text = include_str!("../../tests/data/kms/kms-actions.json");
        let facts: Value = serde_json::from_str(text).unwrap();
        let rows = facts["actions"].as_array().unwrap();
        let mut names: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
        names.sort_by_key(|name| name.to_ascii_lowercase());
        assert_eq!(names, ACTIONS.iter().map(|action| action.full).collect::<Vec<_>>());
        for row in rows {
            let action = KmsAction::find(row["action"].as_str().unwrap()).unwrap();
            let name = action.name;
            assert_eq!(action.grantable, row["grantable"].as_bool().unwrap(), "{name}");
            assert_eq!(action.reach == Reach::AnyAccount, row["cross_account"] == "yes", "{name}");
            let scope = match texts(&row["effective_in"]).unwrap().as_slice() {
                ["iam_policy"] => ActionScope::Iam,
                ["iam_policy", "key_policy"] if row["resource_types"].to_string().contains("alias") => {
                    ActionScope::KeyAndAlias
                }
                // `ReplicateKey`, which besides needs `CreateKey` in the other Region.
                ["key_policy"] | ["iam_policy", "key_policy"] => ActionScope::Key,
                ["grant", "iam_policy"] => ActionScope::Grant,
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(action.scope, scope, "{name}");
            // The references do not know the two newest actions yet.
            if let Some(levels) = texts(&row["access_levels"]) {
                let fits = match action.access {
                    Access::Permissions => levels.contains(&"Permissions management"),
                    Access::Tagging => levels.contains(&"Tagging"),
                    Access::List => levels == ["List"],
                    Access::Read => levels == ["Read"],
                    Access::Write | Access::Crypto => levels == ["Write"] || levels == ["Read"],
                };
                assert!(fits, "{name}: {levels:?}");
            }
            if let Some(keys) = own_keys(row, scope) {
                let ours: BTreeSet<String> = action.condition_keys.iter().map(|key| (*key).to_owned()).collect();
                assert_eq!(ours, keys, "{name}");
            }
        }
    }
}
