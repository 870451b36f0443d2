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
    TagLimits = "tag-limits": "A tag's key has 1 to 128 characters, its value up to 256; a resource has at most 50 tags, of which keywright needs five on a key.";
    AliasConflict = "alias-conflict": "Two keys of one target claim the same alias, an alias is both declared and removed, or it is reserved.";
    UsageMissing = "usage-missing": "Keys of the spec can be for several things, and what a key is for is fixed when it is created. KMS would choose; the manifest says it: set `usage`.";
    UsageUnfit = "usage-unfit": "No key of the spec has the usage. The help names the usages of the spec, and the specs that have this usage.";
    SpecRegion = "spec-region": "SM2 keys exist in the Regions of China alone. Name targets there in the key's `targets`, or choose another spec.";
    OriginUnfit = "origin-unfit": "Custom key stores (`aws-cloudhsm`, `external-key-store`) hold symmetric encryption keys of one Region alone.";
    KeyStoreFields = "key-store-fields": "`key_store` goes with the origins `aws-cloudhsm` and `external-key-store`, `xks_key_id` with `external-key-store`: each is required there and refused elsewhere.";
    RotationUnfit = "rotation-unfit": "KMS rotates symmetric encryption keys alone: by itself those whose material it made, on demand only enabled ones, and of multi-Region keys only the primary, for all. `rotation` at any other key is refused, and a class's `max_rotation_days` does not bind it. A symmetric key with imported material rotates when another `[[key.….import.material]]` is appended.";
    ImportUnfit = "import-unfit": "`import` goes with the origin `external` alone, and `material_state` with `import`. How material travels depends on the spec: secrets by `RSAES_OAEP_…`, RSA keys by `RSA_AES_KEY_WRAP_…`, other private keys by both, though not those of P-521 by the former under `RSA_2048`; the latter is missing in the Regions of China. Material of ML-DSA, ML-KEM and SM2 is not imported by keywright.";
    ImportValidity = "import-validity": "The manifest says how long imported material is valid, since KMS would let it expire by default: `valid_for_days`, 1 to 365, or `never = true`. `reimport_before_days` goes with the former and is less.";
    MaterialFixed = "material-fixed": "Only symmetric encryption keys rotate to other imported material. KMS binds HMAC and asymmetric keys to their first material for good, and takes it again but never another. Declare a new key with the new material, move the aliases to it, and retire the old key.";
    MaterialDuplicate = "material-duplicate": "Each material of a key has a name of its own, by which KMS tells them apart, and comes from a place of its own: a key does not rotate to material that it has.";
    MaterialSource = "material-source": "A material comes from exactly one place: `command` (a program and its arguments, no shell), `file`, `env`, `stdin = true` (once in a manifest) or `prewrapped = true`. Only `apply` and `verify --with-material` open it, never `check`, `diff` or `plan`.";
    MaterialEncoding = "material-encoding": "`encoding` says how a material is written; it is never guessed. Secrets of symmetric and HMAC keys are `raw`, `hex` or `base64`, private keys `pem`, `der`, or PKCS#8 DER as `hex` or `base64`. An environment variable holds text, so neither `raw` nor `der`. Prewrapped material has no encoding.";
    ContextUnfit = "context-unfit": "Only the use of symmetric encryption keys carries an encryption context. At other keys `context` could never match and `required_context` would bind nothing; that of a class binds its symmetric keys alone.";
    ServiceUnfit = "service-unfit": "AWS services encrypt with symmetric encryption keys alone, so other keys have no `services`, and nobody uses them `via` one.";
    SoakRange = "soak-range": "A retired key rests disabled for 0 to 3650 days before its deletion may be scheduled.";
    MultiRegionTargets = "multi-region-targets": "A family of multi-Region keys has one primary, in the only target of `targets`, and replicas in targets of the same account and partition, one in each other Region.";
    SuccessionConflict = "succession-conflict": "`moved_from` names what a key was called in this manifest before. That name is declared no more, is taken by one key only, and the key is not adopted as well.";
    AdoptionUnfit = "adoption-unfit": "`adopt` names a key in the account and Region of each target of the declaration, and no key is adopted twice.";
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
    PendingDeletion = "pending-deletion": "The key is waiting to be deleted, and somebody else than keywright scheduled that. keywright neither creates a twin nor cancels silently: consent to the cancellation with --cancel-deletion, retire the key in the manifest, or take it out. A retired key is shown with the day on which it goes.";
    KeyState = "key-state": "The key is in a state in which KMS does not allow all that is wanted. What it allows is done; the rest waits and is planned once the state has passed.";
    ImmutableProperty = "immutable-property": "Spec, usage, origin, multi-Region, key store and the key's id in an external store cannot be changed on a key, and keywright never replaces one. Create a new key under another name, move the alias to it, re-encrypt, and retire the old one: the help has the steps.";
    NotADeleter = "not-a-deleter": "Scheduling and cancelling a deletion is for the key's `deleters`, never for administrators or deployers as such. The caller must certainly be allowed it by the key policy as it is live, or by the account's IAM policies where the key leaves it to them. Somebody may be listed among both `deployers` and `deleters`. A plan that has deletion steps alone needs no deployer.";
    KeyStore = "key-store": "The key lives in a custom key store. To make it there, the store must exist, be of the right type and be connected; keys that exist are unavailable while it is not.";
    RotationBudget = "rotation-budget": "KMS rotates a key on demand 25 times at most, whoever asks. Automatic rotation does not count and goes on. If the material must be newer, make a new key and move the alias to it.";
    NewerThanFuture = "newer-than-future": "`rotation.newer_than` names a day that has not come yet, and no material can be newer than that. Name today or an earlier day.";
    AliasForeign = "alias-foreign": "The alias exists and names a key that is not proven ours, so it is not touched.";
    AliasMismatch = "alias-mismatch": "KMS moves an alias only between keys of the same type (symmetric, asymmetric, HMAC) and the same usage. Give the key another alias, or take this one off the other key first (`remove_aliases`), apply, and declare it then.";
    AliasLimit = "alias-limit": "A key has at most 50 aliases, its claim alias and those that the manifest does not declare included. Take off what nobody uses with `remove_aliases`.";
    AdoptRefused = "adopt-refused": "The key that `adopt` names cannot become ours: it does not exist here, AWS manages it, it belongs to another stack or has another name in this one, or it has another spec, usage, origin or multi-Region setting than the manifest says. No key is created in its place.";
    RenameRefused = "rename-refused": "The key that had the name in `moved_from` cannot be told: the name is declared still, or its tags and its claim alias disagree. No key is created in its place.";
    Unreadable = "unreadable": "Something that the plan compares could not be read. Unreadable is never taken for absent: allow the action that the message names and plan again.";
    NotADeployer = "not-a-deployer": "KMS accepts a key policy only if its caller may change it later, so the caller of apply must be one of the target's `deployers`, or be let by the account's IAM policies where each key that changes leaves it to them. Whoever else may read can plan, and is told so.";
    Lockout = "lockout": "After the step that is named, whoever applies the plan, or every administrator that the manifest names, could not change the key policy again: it does not exist yet, a statement or permissions boundary is in its way, or what would let it hangs on a condition. The message names who, and the help what to add.";
    RoleNotOurs = "role-not-ours": "A role of this name exists without our tags. keywright never takes a role over: refer to it by `arn`, or choose another name.";
    TrustCycle = "trust-cycle": "Managed roles that do not exist yet trust each other, and IAM refuses a trust policy that names a role which does not exist. Take one name out, apply, put it back, and apply again.";
    OidcProviderMissing = "oidc-provider-missing": "The role trusts an OpenID Connect provider that the account does not have. Create the provider first.";
    AccountBlocked = "account-blocked": "The roles of this account are blocked, so the keys that name them are not touched either. Mend the roles first.";
    ReplicaWaits = "replica-waits": "A replica is made by its primary's target, and only while the primary is enabled and both targets can be planned. What is in the way is named; what is ready is applied all the same.";
    ReplicaMismatch = "replica-mismatch": "A multi-Region key has the same id in every Region. Here a key carries the name, tags and claim alias of a replica, and is another key. keywright changes neither.";
    PrimaryElsewhere = "primary-elsewhere": "KMS moves a primary only in the Region that it is in, and only while it is enabled. The target of that Region must be part of the run.";
    UnexpectedCreate = "unexpected-create": "The plan would create a key that --expect-creates does not name. In a pipeline this guards against re-creating a key that was deleted by other means.";
    PlanCheck = "plan-check": "The finished plan broke one of its own rules, which is a defect of keywright. Nothing is executed; please report it with the plan as JSON.";

    // ---- planning: findings (plan) ----
    StrayKey = "stray-key": "Another key carries the same claim tags, but not the claim alias. It is never used or deleted; retire it when you are sure that nothing was encrypted under it.";
    UndeclaredGrant = "undeclared-grant": "A grant that the manifest does not declare gives a principal access to the key. keywright never touches it.";
    AttachedPolicy = "attached-policy": "A managed role has policies attached that are not keywright's. They are shown and never touched.";
    PrimaryMoves = "primary-moves": "The primary of a multi-Region key moves to another Region, in one call; nothing is replaced, and the id stays. Meanwhile both keys are `Updating`, and can be used. Rotation is then set in the new Region.";
    ReplicaElsewhere = "replica-elsewhere": "The multi-Region key has a replica in a Region for which the manifest has no target. It has a policy of its own, which nobody looks at here.";
    RotationWaits = "rotation-waits": "KMS cannot change the rotation of a disabled key, nor rotate it. The change is planned once the key is enabled.";
    RotationUnderWay = "rotation-under-way": "An on-demand rotation of the key has begun and KMS has not finished it. None other is asked for meanwhile.";
    MaterialOrder = "material-order": "KMS rotates imported material forwards only: to one that it never had, which is then the current one. New materials stand last in the manifest, in the order in which they come into use.";
    MaterialUndeclared = "material-undeclared": "The key has imported material that the manifest does not declare. It is left alone: nothing imports it again when it expires, and without it a key cannot be used. Declare it where it belongs, oldest first.";
    MaterialAwaited = "material-awaited": "The material is encrypted elsewhere (`prewrapped = true`), is to be imported, and was not brought along. `keywright import-parameters` writes the wrapping key and the token, valid for 24 hours; `apply --prewrapped` brings the result.";
    MaterialExpires = "material-expires": "Imported material expires soon. Once it has, nobody can use the key until the same material is imported again. keywright imports it again `reimport_before_days` before, where an `import` table says whence.";
    MaterialExpired = "material-expired": "Imported material has expired or was deleted, and nobody can use the key until the same material is imported again. No other one is taken in its place.";
    MaterialDeleted = "material-deleted": "The manifest wants the key without its material (`material_state = \"deleted\"`). It is deleted with the consent of `apply --delete-material` alone, by one of the key's `deleters`. New calls of KMS fail within seconds to minutes; data keys that others have cached, and attached volumes, live on. Only an import of the same material brings the key back.";
    MaterialUntold = "material-untold": "KMS lists the materials of a symmetric encryption key; this server does not. Only the first declared material is managed here, by what the key's state tells of it.";
    ReimportUnfit = "reimport-unfit": "`--reimport` and `--prewrapped` name keys whose material keywright imports: with an `import` table, not retired, and not `material_state = \"deleted\"`. `--prewrapped` names a material with `prewrapped = true`.";

    // ---- custody of key material (cli) ----
    MaterialUnreadable = "material-unreadable": "Key material that the plan imports cannot be opened: the file, variable or command of the manifest is not there, fails, or gives nothing that can be material. Nothing was written. All materials of a run are opened before its first write.";
    MaterialConsent = "material-consent": "Key material is opened only with consent where that is a risk: the manifest names a command, which runs with your rights (`--allow-command`), or a file that others than its owner can read or change (`chmod 600`, or `--allow-readable`). Nothing was written.";
    MaterialUnfit = "material-unfit": "What was read is no material for the key: it has another length, form or kind than the key's spec takes, or cannot be secret. Nothing was written.";
    PrewrappedUnfit = "prewrapped-unfit": "What `--prewrapped` names is not what `import-parameters` wrote for this material of this key, is older than 24 hours, or lacks the encrypted material. KMS would refuse it, so nothing was written. Get new parameters and encrypt the material again.";
    Retirement = "retirement": "A retired key is disabled, rests for its soak, and is then deleted by a later run with --allow-retire. The plan says what it waits for, and what goes with it.";
    ReplicasFirst = "replicas-first": "Of a multi-Region key the replicas go before the primary: its deletion is scheduled only when none is left that is not itself pending deletion.";
    LastUse = "last-use": "The last cryptographic use that KMS knows of. AWS warns not to rely on it alone: it covers the time since KMS began to keep track, this Region, and not the data keys that are cached elsewhere. Disable first, and watch in CloudTrail for calls that are refused because the key is disabled.";
    DelegatedDeployer = "delegated-deployer": "The caller is not among the target's `deployers` by name and relies on the account's IAM policies. keywright reads those of the caller: they let it change the policy of each key that changes, or they could not be read, and apply would be blocked.";
    AbacChange = "abac-change": "The plan changes a tag or an alias of a key on which its policy makes access depend (`aws:ResourceTag/…`, `kms:ResourceAliases`, `kms:RequestAlias`). KMS takes up to five minutes until it decides by the new value; until then either may count.";
    CrossAccountFarSide = "cross-account-far-side": "A principal of another account also needs an identity policy there. keywright does not write it: the plan prints it.";

    // ---- running (cli, read, apply) ----
    WrongAccount = "wrong-account": "The credentials belong to another account than the target names. Nothing was read or written; choose the right profile or role.";
    StalePlan = "stale-plan": "The live state, the manifest, the caller or the version of keywright changed after the plan was saved, or the plan is older than 24 hours. Nothing was written; plan again and review.";

    // ---- lints: statements (lint) ----
    InertStatement = "inert-statement": "AWS ignores the statement: an element is missing, empty or malformed, most often Action or Resource. A deny that is ignored denies nothing.";
    UnknownAction = "unknown-action": "The statement names an action that KMS does not have, so this part of it matches nothing. `kms:ReEncrypt` is no action: write `kms:ReEncryptFrom` and `kms:ReEncryptTo`.";
    IneffectiveAction = "ineffective-action": "The action exists, but a key policy cannot allow it: it works on no key, so only IAM policies allow it, or it is decided by the grant itself (`kms:RetireGrant`).";
    WrongResource = "wrong-resource": "The Resource of a key policy is `*`, which means this key. Any other value that does not match the key's own ARN makes the statement match nothing.";
    NotElementAllow = "not-element-allow": "An allow with `NotAction` or `NotResource` allows everything else, including what AWS adds later.";
    RepeatedSid = "repeated-sid": "Two statements have the same Sid. KMS takes them, but tools and people confuse them, and IAM rejects them.";
    RedundantStatement = "redundant-statement": "Without this statement the policy would mean the same: others say it already.";
    InvalidVersion = "invalid-version": "The policy's Version is neither 2012-10-17 nor 2008-10-17. AWS rejects such a policy; nobody should rely on what it does.";
    LiteralVariable = "literal-variable": "Policy variables are replaced under Version 2012-10-17 alone. In this document `${…}` is plain text, which no request contains.";

    // ---- lints: conditions (lint) ----
    UnknownOperator = "unknown-operator": "AWS knows no such condition operator. The condition is never met: an allow allows nothing, and a deny denies nothing.";
    UnknownConditionKey = "unknown-condition-key": "Neither KMS nor AWS sets a condition key of this name, so a condition on it never holds, or always does when it is negated.";
    DeadCondition = "dead-condition": "No action of the statement carries the condition key. The condition is never met, or always met where absence satisfies it: encryption context, for one, is not sent with `DescribeKey`.";
    PartialCondition = "partial-condition": "Some actions of the statement do not carry the condition key. For these the condition is never met, or always met where absence satisfies it. Give them a statement of their own.";
    EmptyConditionValues = "empty-condition-values": "The condition has no values: it is never met, or always met if its operator is negated.";
    ForAllValuesAllow = "for-all-values-allow": "`ForAllValues` holds also where the key is absent, so in an allow it does not fence. Demand the key with `Null: false` beside it.";
    SetOperatorOnSingleValue = "set-operator-on-single-value": "A set operator stands on a key that has one value. KMS rejects `ForAllValues` on encryption context and request tags, and elsewhere it holds where the key is absent.";
    MissingSetOperator = "missing-set-operator": "The key has many values, and the condition has no set operator. AWS does not say what that means; write `ForAnyValue:` or `ForAllValues:`.";
    BinaryCondition = "binary-condition": "No condition key of KMS is binary, so `BinaryEquals` is not defined for any of them.";
    ImpossibleViaService = "impossible-via-service": "`kms:ViaService` never has this value. It is a service's short name, the key's own Region and `amazonaws.com`, as in `s3.eu-west-1.amazonaws.com`, in every partition.";
    MfaCondition = "mfa-condition": "The sessions of roles and of federated users carry no sign of multi-factor authentication in calls to KMS, so they never meet this condition. Demand it in the role's trust policy.";

    // ---- lints: principals (lint) ----
    NotPrincipalAllow = "not-principal-allow": "An allow with `NotPrincipal` allows everybody else, anonymous callers and other accounts too. KMS rejects it, and AWS does not support it.";
    NotPrincipalDeny = "not-principal-deny": "A deny with `NotPrincipal` is easily wrong: it must list account, role and session, and it denies everybody who has a permissions boundary. Deny `*` with a condition on `aws:PrincipalArn` in its place.";
    ImpossiblePrincipal = "impossible-principal": "The entry never matches a caller of KMS: wildcards inside an ARN, groups, instance profiles, canonical ids, identity providers and other partitions are no principals of a key policy.";
    DanglingPrincipal = "dangling-principal": "IAM put this unique id in the place of a principal that was deleted. A new role or user of the same name does not match it. Write the ARN again to bind it, or remove the entry.";
    PublicAccess = "public-access": "Callers of accounts and services that the policy does not name can use the key: an allow to `*` has no condition of fixed value on who calls. Wildcards, policy variables, negated operators, `IfExists` and `ForAllValues` do not fence, nor does `kms:ViaService` alone.";
    CrossAccountAccess = "cross-account-access": "The policy lets principals of another account in. They also need an IAM policy of their own account, and that account decides which of its principals get one.";
    ImpossibleCrossAccount = "impossible-cross-account": "The statement allows principals of other accounts an action that never works from another account.";
    IamDelegated = "iam-delegated": "The policy leaves it to the IAM policies of its account who may do what. It is AWS's default and gives nobody but the root user access by itself; who can use the key is found in IAM.";
    SharedByRam = "shared-by-ram": "The key has a second, read-only policy from a resource share. It allows access beside the key policy; it is changed in AWS RAM.";

    // ---- lints: escalation (lint) ----
    FullControl = "full-control": "The statement gives a principal every action, so that one identity administers the key and uses it, and gets whatever KMS adds.";
    AdministersAndUses = "administers-and-uses": "One statement lets the same principals change the key and use it. Whoever can do both needs nobody else's consent.";
    PolicyEscalation = "policy-escalation": "Somebody who is not an administrator can change the key policy, and so give itself every other access.";
    UnconditionedCreateGrant = "unconditioned-create-grant": "Whoever may create grants without a condition can give anybody any use of the key. Fence it with `kms:GrantIsForAWSResource`, `kms:GrantOperations` or `kms:GranteePrincipal`. The console's administrators get it through `kms:Create*`.";
    UnfencedReplication = "unfenced-replication": "A replica has a key policy of its own, chosen by whoever creates it. Fence `kms:ReplicateKey` with `kms:ReplicaRegion`, and give it to few.";
    AbacControl = "abac-control": "Tags or aliases decide who may use the key, and whoever may change them decides it too.";
    NoPolicyAdministrator = "no-policy-administrator": "No principal is left that may call `PutKeyPolicy`. Only AWS Support can recover the key.";

    // ---- lints: grants (lint) ----
    PersonGrant = "person-grant": "A grant gives access to a person or to a whole account. Grants outlive every change of the policy; people come through roles.";
    ForeignGrant = "foreign-grant": "A grant gives access to a principal of another account. It does not show in the key policy.";
    GrantingGrant = "granting-grant": "The grant lets its grantee create further grants, on as much as it has itself.";
    BroadGrant = "broad-grant": "The grant allows more than it needs to: operations that the key cannot do, or any encryption context where others are fenced.";
    DuplicateGrant = "duplicate-grant": "Two grants give the same grantee the same operations under the same constraints. Revoking one of them takes nothing away.";
    GrantsNearLimit = "grants-near-limit": "The key has more than nine tenths of the 50,000 grants that it may have.";

    // ---- lints: keys (lint) ----
    RotationOff = "rotation-off": "KMS could rotate the key's material automatically, and does not. Data keys and ciphertexts are not touched by it.";
    DeletionScheduled = "deletion-scheduled": "The key is waiting to be deleted. What is encrypted under it is then lost for ever.";
    TooManyAliases = "too-many-aliases": "Access depends on `kms:ResourceAliases`, which KMS refuses for a key with more than 50 aliases.";

    // ---- lints: identities (lint) ----
    DecryptAllKeys = "decrypt-all-keys": "An IAM policy allows decryption under every key. Each key that delegates to IAM then opens itself to this identity. Name the keys, or fence the statement by their tags or aliases.";
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
