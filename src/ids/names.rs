//! Names that people or AWS give to things: keys, aliases, roles, classes, targets, stacks, grants.

use super::string_id;

/// Lower-case letters, digits and hyphens, beginning with a letter or digit.
fn is_slug(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Like [`is_slug`], with underscores and upper case allowed.
fn is_word(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// `^[a-zA-Z0-9:/_-]+$`, the characters of alias and grant names.
fn is_alias_text(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'/' | b'_' | b'-'))
}

string_id!(
    /// The ownership namespace of a manifest: its keys carry it in the tag `keywright:stack`.
    StackName, "stack name", "1 to 32 characters of a-z, 0-9 and -", |t| is_slug(t, 32)
);

string_id!(
    /// The name that a manifest gives to a key; part of its claim alias and of the tag `keywright:key`.
    KeyName, "key name", "1 to 64 characters of A-Z, a-z, 0-9, - and _", |t| is_word(t, 64)
);

string_id!(
    /// The name of a data class in a manifest.
    ClassName, "class name", "1 to 64 characters of A-Z, a-z, 0-9, - and _", |t| is_word(t, 64)
);

string_id!(
    /// The name of a target (an account and Region) in a manifest.
    TargetName, "target name", "1 to 64 characters of A-Z, a-z, 0-9, - and _", |t| is_word(t, 64)
);

string_id!(
    /// The name that a manifest gives to imported key material; KMS keeps it as the material's description.
    MaterialName, "material name", "1 to 64 characters of A-Z, a-z, 0-9, - and _", |t| is_word(t, 64)
);

string_id!(
    /// The id that KMS computes from a key and its material.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html#KMS-ImportKeyMaterial-request-KeyMaterialId>
    KeyMaterialId, "key material id", "64 characters of 0-9 and a-f",
    |t| t.len() == 64 && t.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

string_id!(
    /// The id of a custom key store.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CustomKeyStoresListEntry.html>
    KeyStoreId, "custom key store id", "`cks-` and letters, digits and hyphens, at most 64 characters",
    |t| t.len() <= 64 && t.len() > 4 && t.starts_with("cks-") && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

string_id!(
    /// The name of an IAM role, which is also its name in the manifest.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
    RoleName, "role name", "1 to 64 characters of A-Z, a-z, 0-9 and _+=,.@-",
    |t| !t.is_empty() && t.len() <= 64
        && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
);

string_id!(
    /// The owner id of a manifest, written by `init`; in the tag `keywright:owner`.
    OwnerId, "owner id", "8 to 64 characters of A-Z, a-z, 0-9 and -, such as a UUID",
    |t| (8..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

string_id!(
    /// The name of a customer alias, with its `alias/` prefix; never in the reserved `alias/aws/` namespace.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html>
    AliasName, "alias name", "`alias/` and 1 to 250 characters of A-Z, a-z, 0-9, :, /, _ and -, not beginning with `alias/aws/`",
    |t| t.len() <= 256 && t.len() > 6 && t.starts_with("alias/") && !t.starts_with("alias/aws/") && is_alias_text(t)
);

impl AliasName {
    /// Returns the claim alias of a key, which together with its tags proves whose the key is.
    pub fn claim(stack: &StackName, key: &KeyName) -> Self {
        // INVARIANT: at most 6 + 10 + 32 + 1 + 64 characters, all of them legal in an alias.
        Self(format!("alias/keywright/{stack}/{key}"))
    }

    /// Returns the alias that a key gets when its manifest names none.
    pub fn default_for(stack: &StackName, key: &KeyName) -> Self {
        Self(format!("alias/{stack}/{key}"))
    }

    /// Returns whether the name is in the namespace of claim aliases.
    pub fn is_claim(&self) -> bool {
        self.0.starts_with("alias/keywright/")
    }
}

string_id!(
    /// The name of a grant.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
    GrantName, "grant name", "1 to 256 characters of A-Z, a-z, 0-9, :, /, _ and -",
    |t| !t.is_empty() && t.len() <= 256 && is_alias_text(t)
);

string_id!(
    /// The id that AWS gave a key: a UUID, or `mrk-` and 32 hexadecimal digits.
    ///
    /// Other servers use other forms, so only the characters are checked.
    KeyId, "key id", "1 to 128 letters, digits and hyphens",
    |t| !t.is_empty() && t.len() <= 128 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alias_names_need_the_prefix_and_leave_the_reserved_namespace_alone() {
        assert!("alias/payments/ledger".parse::<AliasName>().is_ok());
        for bad in ["payments/ledger", "alias/", "alias/aws/s3", "alias/a b", "alias/ä"] {
            assert!(bad.parse::<AliasName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn stack_names_are_lower_case_slugs() {
        assert!("payments".parse::<StackName>().is_ok());
        for bad in ["", "Payments", "-a", "a_b", &"a".repeat(33)] {
            assert!(bad.parse::<StackName>().is_err(), "{bad}");
        }
    }
}
