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
    SeparationOfDuties = "separation-of-duties": "One identity would both administer (or deploy, or delete) a key and use it: under two names, through roles that it may assume, through IAM where the key leaves it to IAM, or by a grant. The message shows each way. Name different principals, with different trust.";
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

    // ---- planning: blockers (plan) ----
    OwnershipUnclear = "ownership-unclear": "A key is ours when its tags (keywright:stack, :key, :owner) and its claim alias agree. Here only one of them is there, so keywright neither creates nor changes anything. If the key is yours, create the claim alias named in the message; if not, remove the tags or the alias.";
    ForeignOwner = "foreign-owner": "The key or role carries the same stack and name, but another manifest's owner id. Two manifests share a stack name by accident; choose another `stack`.";
    PendingDeletion = "pending-deletion": "The key is waiting to be deleted. keywright neither creates a twin nor cancels silently: cancel the deletion and enable the key, or take it out of the manifest.";
    KeyState = "key-state": "The key is in a state in which it cannot be changed safely. Wait until KMS has finished, then plan again.";
    ImmutableProperty = "immutable-property": "Spec, usage, origin and multi-Region cannot be changed on a key, and keywright never replaces one. Create a new key under another name, move the alias to it, re-encrypt, and retire the old one.";
    AliasForeign = "alias-foreign": "The alias exists and names a key that is not proven ours, so it is not touched.";
    Unreadable = "unreadable": "Something that the plan compares could not be read. Unreadable is never taken for absent: allow the action that the message names and plan again.";
    NotADeployer = "not-a-deployer": "KMS accepts a key policy only if its caller may change it later, so the caller of apply must be one of the target's `deployers`, or be let by the account's IAM policies where each key that changes leaves it to them. Whoever else may read can plan, and is told so.";
    Lockout = "lockout": "After the step that is named, whoever applies the plan, or every administrator that the manifest names, could not change the key policy again: it does not exist yet, a statement or permissions boundary is in its way, or what would let it hangs on a condition. The message names who, and the help what to add.";
    RoleNotOurs = "role-not-ours": "A role of this name exists without our tags. keywright never takes a role over: refer to it by `arn`, or choose another name.";
    TrustCycle = "trust-cycle": "Managed roles that do not exist yet trust each other, and IAM refuses a trust policy that names a role which does not exist. Take one name out, apply, put it back, and apply again.";
    OidcProviderMissing = "oidc-provider-missing": "The role trusts an OpenID Connect provider that the account does not have. Create the provider first.";
    AccountBlocked = "account-blocked": "The roles of this account are blocked, so the keys that name them are not touched either. Mend the roles first.";
    UnexpectedCreate = "unexpected-create": "The plan would create a key that --expect-creates does not name. In a pipeline this guards against re-creating a key that was deleted by other means.";
    PlanCheck = "plan-check": "The finished plan broke one of its own rules, which is a defect of keywright. Nothing is executed; please report it with the plan as JSON.";

    // ---- planning: findings (plan) ----
    StrayKey = "stray-key": "Another key carries the same claim tags, but not the claim alias. It is never used or deleted; retire it when you are sure that nothing was encrypted under it.";
    UndeclaredGrant = "undeclared-grant": "A grant that the manifest does not declare gives a principal access to the key. keywright never touches it.";
    AttachedPolicy = "attached-policy": "A managed role has policies attached that are not keywright's. They are shown and never touched.";
    RotationWaits = "rotation-waits": "KMS cannot change the rotation of a disabled key. The change is planned once the key is enabled.";
    DelegatedDeployer = "delegated-deployer": "The caller is not among the target's `deployers` by name and relies on the account's IAM policies. keywright reads those of the caller: they let it change the policy of each key that changes, or they could not be read, and apply would be blocked.";
    CrossAccountFarSide = "cross-account-far-side": "A principal of another account also needs an identity policy there. keywright does not write it: the plan prints it.";

    // ---- running (cli, read, apply) ----
    WrongAccount = "wrong-account": "The credentials belong to another account than the target names. Nothing was read or written; choose the right profile or role.";
    StalePlan = "stale-plan": "The live state, the manifest, the caller or the version of keywright changed after the plan was saved, or the plan is older than 24 hours. Nothing was written; plan again and review.";
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
