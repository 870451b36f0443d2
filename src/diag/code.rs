//! The table of diagnostic codes: stable names, and what `keywright explain` says about each.

/// Declares [`Code`] with its names and explanations, one entry per code.
macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $name:literal: $explanation:literal;)*) => {
        /// A stable diagnostic code. Codes are never renamed or reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $explanation] $(#[$meta])* $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the code's name, kebab-case.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what the code means and how to mend it.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)* }
            }
        }
    };
}

codes! {
    // ---- reading the manifest (manifest) ----
    FileUnreadable = "file-unreadable": "A manifest file or folder named with -f cannot be read. Check the path and its permissions.";
    FileTooLarge = "file-too-large": "A manifest file may have at most 1 MiB, all together 16 MiB in 1,000 files. Split the manifest, or check that -f names the right path.";
    InvalidUtf8 = "invalid-utf8": "A manifest is UTF-8 text. The message names the offset of the first byte that is not.";
    Syntax = "syntax": "The text is not TOML 1.1. The label shows where the parser gave up.";
    UnknownField = "unknown-field": "The table has no such field. keywright refuses unknown fields, so that a typing error never silently changes what is protected.";
    WrongType = "wrong-type": "The value has another type than the field takes.";
    MissingField = "missing-field": "A required field is missing.";
    Duplicate = "duplicate": "The same name is declared twice. Both places are shown; keep one.";
    NotYetSupported = "not-yet-supported": "The manifest language has this field, but this version of keywright does not act on it yet. It is refused, rather than accepted and ignored.";
    InvalidValue = "invalid-value": "The value does not fit the field: see the rule in the message.";
    UnknownName = "unknown-name": "The name refers to something that the manifest does not declare.";
    UnknownPlaceholder = "unknown-placeholder": "Only ${account}, ${region}, ${target}, ${stack} and ${partition} are replaced in strings.";

    // ---- domain rules (manifest) ----
    InvalidPrincipal = "invalid-principal": "A principal is a role's name in this manifest, an ARN of a role, user or session, `sso:…`, `account:…`, `org:…` or `service:…`. A bare `*` or an account's root is refused.";
    EmptyPrincipals = "empty-principals": "A list of principals may not be empty: leave the field out instead. An empty list never means the whole account.";
    RoleKind = "role-kind": "The role is of a kind that does not fit its use: key-admins administer, key-users use, deployers deploy, and so on.";
    CapabilityUnfit = "capability-unfit": "A key of this spec and usage cannot have the capability.";
    ClassFloor = "class-floor": "The key is looser than its class allows. A class is a floor: a key of it may be stricter, never looser.";
    SeparationOfDuties = "separation-of-duties": "One principal would both administer (or deploy, or delete) a key and use it. Name different principals.";
    TooFewAdmins = "too-few-admins": "`iam_delegation = \"none\"` leaves no way back in, so two administrators are needed, one of them not managed by this stack.";
    RotationRange = "rotation-range": "KMS rotates automatically every 90 to 2560 days.";
    DeletionWaitRange = "deletion-wait-range": "KMS waits 7 to 30 days before it deletes a key.";
    ContextConflict = "context-conflict": "`via` together with an encryption context that the service does not send can never match.";
    RequiredContextMissing = "required-context-missing": "A direct use must carry the encryption-context keys that the key or its class requires.";
    ServiceNotAllowed = "service-not-allowed": "`via` names a service that is not among the key's `services`.";
    ReservedTag = "reserved-tag": "Tags that begin with `keywright:` prove ownership and are written by keywright alone; those that begin with `aws:` are AWS's.";
    TagLimits = "tag-limits": "A tag's key has 1 to 128 characters, its value up to 256; a resource has at most 50 tags, of which keywright needs four on a key.";
    AliasConflict = "alias-conflict": "Two keys of one target claim the same alias, or an alias is reserved.";
    EndpointNotLoopback = "endpoint-not-loopback": "A manifest may name loopback endpoints only. Give another endpoint on the command line with --endpoint-url.";
    PolicyTooLarge = "policy-too-large": "A key policy has at most 32,768 bytes. Use fewer principals per key, or roles in place of users.";
    PolicyNearLimit = "policy-near-limit": "The key policy uses more than 90 % of its 32,768 bytes.";
    TrustMissing = "trust-missing": "A managed role needs at least one `trust` entry, or nobody could assume it. A role that exists already is referred to by `arn`.";
    NoDeployers = "no-deployers": "KMS accepts a key policy only if its caller may change it later, so every target names the `deployers` that run `apply`.";
    VerifierMissing = "verifier-missing": "`verifiable = true` needs a `[verify]` table with the principal that runs the self-test.";
    AccountDelegation = "account-delegation": "`iam_delegation = \"account\"` lets the IAM policies of the account grant access to the key. It is the default outside a class; write it, or choose `root-user` or `none`.";
    EnforcedDelegation = "enforced-delegation": "`separation = \"enforced\"` denies administrators cryptography in the key policy; with `iam_delegation = \"account\"` the account's IAM policies could grant it to anybody else of theirs. Choose `root-user` or `none`.";
    UnusedRole = "unused-role": "keywright makes a role in each account in which a key uses it. This one is used by no key, so it is not made.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        }
    }

    #[test]
    fn every_code_is_explained_in_sentences() {
        for code in Code::ALL {
            assert!(code.explanation().len() > 20 && code.explanation().ends_with('.'), "{}", code.name());
        }
    }
}
