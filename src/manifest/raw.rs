//! The manifest as written: one struct per table, every field optional that may be left out.
//!
//! The doc comments are the descriptions in the JSON Schema and in the field table of `docs/manifest.md`;
//! `x-default` says what an absent field means, `x-not-yet-supported` names the fields that this version refuses.

use super::day::Day;
use super::spanned::{Choice, OneOrMany, Sp};
use crate::desired::{Delegation, Enforcement, KeyLifecycle, MaterialEncoding, MaterialPresence, RoleKind, Separation};
use crate::kms::{Capability, KeySpec, KeyUsage, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::services::Service;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A table of strings, such as tags.
pub(super) type Strings = BTreeMap<Sp<String>, Sp<String>>;

/// A list whose own place matters, because it may not be empty.
pub(super) type List<T> = Sp<Vec<Sp<T>>>;

/// A section: tables by name.
pub(super) type Section<T> = BTreeMap<Sp<String>, T>;

/// A keywright manifest: AWS KMS keys, and who may do what with them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Manifest", extend("x-not-yet-supported" = ["guard"]))]
pub(super) struct RawManifest {
    /// The version of the manifest language, in every file: 1.
    #[schemars(required, extend("const" = 1, "x-default" = "required"))]
    pub(super) version: Option<Sp<i64>>,
    /// The ownership namespace, in one file: 1 to 32 characters of a-z, 0-9 and -.
    #[schemars(extend("x-default" = "required in one file"))]
    pub(super) stack: Option<Sp<String>>,
    /// The owner id that `keywright init` writes, in one file: two repositories never share a stack by accident.
    #[schemars(extend("x-default" = "required in one file"))]
    pub(super) id: Option<Sp<String>>,
    /// Tags on every key and role of the stack, in one file.
    #[schemars(extend("x-default" = "none"))]
    pub(super) tags: Option<Sp<Strings>>,
    /// Where keys live: an account and Region each. At least one.
    #[serde(default)]
    #[schemars(extend("x-default" = "at least one"))]
    pub(super) target: Section<RawTarget>,
    /// Data classes: floors that a key may be stricter than, never looser.
    #[serde(default)]
    #[schemars(extend("x-default" = "none"))]
    pub(super) class: Section<RawClass>,
    /// IAM roles: made by keywright (`trust`), or existing ones that it refers to (`arn`).
    #[serde(default)]
    #[schemars(extend("x-default" = "none"))]
    pub(super) role: Section<RawRole>,
    /// The self-test, in one file.
    #[schemars(extend("x-default" = "no self-test in the name of roles"))]
    pub(super) verify: Option<RawVerify>,
    /// KMS keys.
    #[serde(default)]
    #[schemars(extend("x-default" = "none"))]
    pub(super) key: Section<RawKey>,
}

/// Where keys live.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Target", extend("x-not-yet-supported" = ["use_fips"]))]
pub(super) struct RawTarget {
    /// The account, twelve digits: compared with the caller's before anything else.
    pub(super) account: Sp<String>,
    /// The Region, such as `eu-west-1`.
    pub(super) region: Sp<String>,
    /// The profile of the AWS configuration files to take credentials from.
    #[schemars(extend("x-default" = "the usual chain of credentials"))]
    pub(super) profile: Option<Sp<String>>,
    /// The ARN of the role to assume.
    #[schemars(extend("x-default" = "none"))]
    pub(super) assume_role: Option<Sp<String>>,
    /// The external id to assume the role with.
    #[schemars(extend("x-default" = "none"))]
    pub(super) external_id: Option<Sp<String>>,
    /// An endpoint on this machine's loopback, for emulators. Another host goes on the command line only.
    #[schemars(extend("x-default" = "AWS"))]
    pub(super) endpoint_url: Option<Sp<String>>,
    /// The principals that run `apply`. KMS accepts a key policy only if its caller may change it later.
    #[schemars(extend("x-default" = "required"))]
    pub(super) deployers: Option<List<String>>,
    /// The principals that run `plan` on pull requests: read-only on every key.
    #[schemars(extend("x-default" = "none"))]
    pub(super) planners: Option<List<String>>,
    /// What the emulator behind `endpoint_url` enforces; allowed beside it only.
    #[schemars(extend("x-default" = "everything"))]
    pub(super) enforces: Option<List<Choice<Enforcement>>>,
}

/// A data class: a floor that its keys may be stricter than, never looser. An absent field is no limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Class")]
pub(super) struct RawClass {
    /// What the class is for.
    #[schemars(extend("x-default" = "none"))]
    pub(super) description: Option<Sp<String>>,
    /// The loosest delegation to IAM: `none`, `root-user` or `account`.
    #[schemars(extend("x-default" = "no limit"))]
    pub(super) iam_delegation: Option<Sp<Choice<Delegation>>>,
    /// The longest rotation period, 90 to 2560 days; keys that state none rotate as often.
    #[schemars(range(min = 90, max = 2560), extend("x-default" = "no limit"))]
    pub(super) max_rotation_days: Option<Sp<i64>>,
    /// The shortest wait before a deletion, 7 to 30 days.
    #[schemars(range(min = 7, max = 30), extend("x-default" = "no limit"))]
    pub(super) min_deletion_wait_days: Option<Sp<i64>>,
    /// The services that keys of the class may be used through; an empty list allows none.
    #[schemars(extend("x-default" = "no limit"))]
    pub(super) services: Option<List<Choice<Service>>>,
    /// The other accounts that keys of the class may admit; an empty list allows none.
    #[schemars(extend("x-default" = "no limit"))]
    pub(super) accounts: Option<List<String>>,
    /// Encryption-context keys that each direct use must carry.
    #[schemars(extend("x-default" = "none"))]
    pub(super) required_context: Option<List<String>>,
    /// Where the material of its keys may come from; an empty list allows nothing.
    #[schemars(extend("x-default" = "no limit"))]
    pub(super) origins: Option<List<Choice<Origin>>>,
    /// Whether its keys may be multi-Region keys.
    #[schemars(extend("x-default" = "true"))]
    pub(super) multi_region: Option<Sp<bool>>,
    /// The shortest rest of a retired key before its deletion may be scheduled, 0 to 3650 days; keys that state none
    /// rest as long.
    #[schemars(range(min = 0, max = 3650), extend("x-default" = "no limit"))]
    pub(super) soak_days: Option<Sp<i64>>,
    /// Whether key policies deny administrators every cryptographic action: `advised` or `enforced`.
    #[schemars(extend("x-default" = "no limit"))]
    pub(super) separation: Option<Sp<Choice<Separation>>>,
}

/// An IAM role: made by keywright (`trust`), or an existing one (`arn`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Role", extend("x-not-yet-supported" = ["principal_mode"]))]
pub(super) struct RawRole {
    /// What the role is for. Deployers exist already and are given by `arn`.
    pub(super) kind: Sp<Choice<RoleKind>>,
    /// The ARN of a role that exists already: referred to, never created or changed.
    #[schemars(extend("x-default" = "keywright makes the role"))]
    pub(super) arn: Option<Sp<String>>,
    /// Who may assume the role, which keywright makes.
    #[schemars(extend("x-default" = "the role exists already"))]
    pub(super) trust: Option<Sp<RawTrust>>,
    /// The role's description, at most 1,000 characters.
    #[schemars(extend("x-default" = "left alone"))]
    pub(super) description: Option<Sp<String>>,
    /// The role's path, with a slash at both ends.
    #[schemars(extend("x-default" = "/"))]
    pub(super) path: Option<Sp<String>>,
    /// The longest session, 60 to 720 minutes.
    #[schemars(range(min = 60, max = 720), extend("x-default" = "60"))]
    pub(super) max_session_minutes: Option<Sp<i64>>,
    /// The ARN of the policy that bounds what the role can be allowed.
    #[schemars(extend("x-default" = "none"))]
    pub(super) permissions_boundary: Option<Sp<String>>,
    /// Tags of the role, besides those of the manifest.
    #[schemars(extend("x-default" = "none"))]
    pub(super) tags: Option<Sp<Strings>>,
    /// Whether tags that the manifest does not declare are removed; never those of AWS.
    #[schemars(extend("x-default" = "false"))]
    pub(super) tags_exclusive: Option<Sp<bool>>,
    /// Whether the `[verify]` principal may assume the role for the self-test.
    #[schemars(extend("x-default" = "false"))]
    pub(super) verifiable: Option<Sp<bool>>,
    /// The accounts in which keywright makes the role.
    #[schemars(extend("x-default" = "each account in which a key uses it"))]
    pub(super) accounts: Option<List<String>>,
}

/// Who may assume a role; at least one entry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trust", extend("x-not-yet-supported" = ["require_mfa", "external_id", "saml"]))]
pub(super) struct RawTrust {
    /// Principals: ARNs of roles and users, `sso:PermissionSet`, names of roles of this manifest.
    #[schemars(extend("x-default" = "none"))]
    pub(super) aws: Option<OneOrMany<String>>,
    /// Services, such as `ecs-tasks.amazonaws.com`.
    #[schemars(extend("x-default" = "none"))]
    pub(super) services: Option<OneOrMany<String>>,
    /// An OpenID Connect provider.
    #[schemars(extend("x-default" = "none"))]
    pub(super) oidc: Option<RawOidc>,
}

/// Trust in the tokens of an OpenID Connect provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Oidc")]
pub(super) struct RawOidc {
    /// The provider's host and path, without `https://`.
    pub(super) provider: Sp<String>,
    /// The audience that a token must name.
    pub(super) audience: Sp<String>,
    /// The subjects that a token may name; `*` and `?` are wildcards, but not at the beginning.
    pub(super) subjects: OneOrMany<String>,
}

/// The self-test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Verify")]
pub(super) struct RawVerify {
    /// Who runs the self-test and may assume verifiable roles; never an administrator or a deployer.
    pub(super) principal: Sp<String>,
}

/// A KMS key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Key", extend("x-not-yet-supported" = ["grant", "statement", "open_to_account"]))]
pub(super) struct RawKey {
    /// The data class that the key belongs to.
    #[schemars(extend("x-default" = "none"))]
    pub(super) class: Option<Sp<String>>,
    /// The description, at most 8,192 characters.
    #[schemars(extend("x-default" = "left alone"))]
    pub(super) description: Option<Sp<String>>,
    /// The aliases, with or without `alias/`; at most 49.
    #[schemars(extend("x-default" = "`alias/<stack>/<key>`"))]
    pub(super) aliases: Option<List<String>>,
    /// Aliases that are taken off the key, with or without `alias/`; others that are not declared are left alone.
    #[schemars(extend("x-default" = "none"))]
    pub(super) remove_aliases: Option<List<String>>,
    /// Whether a declared alias that names a key of somebody else is moved to this one.
    #[schemars(extend("x-default" = "false"))]
    pub(super) takeover: Option<Sp<bool>>,
    /// The targets that have the key; of a key with `replicas`, the one that has the primary.
    #[schemars(extend("x-default" = "every target"))]
    pub(super) targets: Option<List<String>>,
    /// The targets that have replicas: the same account, other Regions. Makes it a multi-Region key.
    #[schemars(extend("x-default" = "none"))]
    pub(super) replicas: Option<List<String>>,
    /// Whether it is a multi-Region key; `true` without `replicas` makes a primary that has none yet.
    #[schemars(extend("x-default" = "true with `replicas`, else false"))]
    pub(super) multi_region: Option<Sp<bool>>,
    /// The kind of key material; fixed for good.
    #[schemars(extend("x-default" = "SYMMETRIC_DEFAULT"))]
    pub(super) spec: Option<Sp<Choice<KeySpec>>>,
    /// What the key is for; fixed for good.
    #[schemars(extend("x-default" = "the only usage of the spec; required where it has several"))]
    pub(super) usage: Option<Sp<Choice<KeyUsage>>>,
    /// Where the key material comes from; fixed for good.
    #[schemars(extend("x-default" = "aws-kms"))]
    pub(super) origin: Option<Sp<Choice<Origin>>>,
    /// The id of the custom key store, which exists: with the origins `aws-cloudhsm` and `external-key-store`.
    #[schemars(extend("x-default" = "required with these origins"))]
    pub(super) key_store: Option<Sp<String>>,
    /// The id that the key has in the store outside AWS: with the origin `external-key-store`.
    #[schemars(extend("x-default" = "required with this origin"))]
    pub(super) xks_key_id: Option<Sp<String>>,
    /// How the key gets its imported material: with the origin `external`.
    #[schemars(extend("x-default" = "somebody imports it by hand"))]
    pub(super) import: Option<Sp<RawImport>>,
    /// Whether imported material is there: `imported`, or `deleted`, which stops every use of the key until it is
    /// imported again; with `import`.
    #[schemars(extend("x-default" = "imported"))]
    pub(super) material_state: Option<Sp<Choice<MaterialPresence>>>,
    /// Whether the key is in use: `enabled`, `disabled`, or `retired`, which leads to its deletion.
    #[schemars(extend("x-default" = "enabled"))]
    pub(super) state: Option<Sp<Choice<KeyLifecycle>>>,
    /// How many days a retired key rests disabled before its deletion may be scheduled, 0 to 3650.
    #[schemars(range(min = 0, max = 3650), extend("x-default" = "that of the class, else 30"))]
    pub(super) soak_days: Option<Sp<i64>>,
    /// The name that the key had in the manifest before: it is renamed, and nothing else changes.
    #[schemars(extend("x-default" = "none"))]
    pub(super) moved_from: Option<Sp<String>>,
    /// An existing key that becomes this one, by an alias or by its ARN; then no key is created.
    #[schemars(extend("x-default" = "none"))]
    pub(super) adopt: Option<Sp<String>>,
    /// Who administers the key: policy, aliases, tags, rotation; no cryptography, no deletion.
    pub(super) admins: List<String>,
    /// Who schedules and cancels its deletion; never implied by `admins`.
    #[schemars(extend("x-default" = "nobody"))]
    pub(super) deleters: Option<List<String>>,
    /// Who reads the key's settings.
    #[schemars(extend("x-default" = "nobody"))]
    pub(super) auditors: Option<List<String>>,
    /// Who uses the key, one table each.
    #[serde(default)]
    #[schemars(extend("x-default" = "nobody"))]
    pub(super) user: Vec<RawUser>,
    /// The services that users may come through, and whose own needs the key admits.
    #[schemars(extend("x-default" = "none"))]
    pub(super) services: Option<List<Choice<Service>>>,
    /// Encryption-context keys that each direct use must carry, besides those of the class.
    #[schemars(extend("x-default" = "those of the class"))]
    pub(super) required_context: Option<List<String>>,
    /// Whether the key policy denies administrators every cryptographic action: `advised` or `enforced`.
    #[schemars(extend("x-default" = "that of the class, else advised"))]
    pub(super) separation: Option<Sp<Choice<Separation>>>,
    /// Whether the account's IAM policies can grant access: `none`, `root-user` or `account`.
    #[schemars(extend("x-default" = "that of the class, else account"))]
    pub(super) iam_delegation: Option<Sp<Choice<Delegation>>>,
    /// Rotation, of symmetric encryption keys that KMS makes.
    #[schemars(extend("x-default" = "the class's `max_rotation_days`, else 365 days; none where the key cannot rotate"))]
    pub(super) rotation: Option<Sp<RawRotation>>,
    /// How long KMS waits once deletion is scheduled, 7 to 30 days.
    #[schemars(range(min = 7, max = 30), extend("x-default" = "30"))]
    pub(super) deletion_wait_days: Option<Sp<i64>>,
    /// Tags of the key, besides those of the manifest.
    #[schemars(extend("x-default" = "none"))]
    pub(super) tags: Option<Sp<Strings>>,
    /// Whether tags that the manifest does not declare are removed; never those of AWS.
    #[schemars(extend("x-default" = "false"))]
    pub(super) tags_exclusive: Option<Sp<bool>>,
}

/// Rotation: `every_days` or `off`, and `newer_than` beside either or alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rotation")]
pub(super) struct RawRotation {
    /// The period of automatic rotation, 90 to 2560 days.
    #[schemars(range(min = 90, max = 2560), extend("x-default" = "the class's `max_rotation_days`, else 365"))]
    pub(super) every_days: Option<Sp<i64>>,
    /// No automatic rotation: `true`, where the class allows it.
    #[schemars(extend("x-default" = "automatic rotation", "const" = true))]
    pub(super) off: Option<Sp<bool>>,
    /// The day since which the current material must have been made, else it is rotated on demand; not in the future.
    #[schemars(extend("x-default" = "any age"))]
    pub(super) newer_than: Option<Sp<Day>>,
}

/// How a key gets its imported material, in each of its Regions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Import")]
pub(super) struct RawImport {
    /// How long material is valid, counted from each import, 1 to 365 days.
    #[schemars(range(min = 1, max = 365), extend("x-default" = "this or `never` is required"))]
    pub(super) valid_for_days: Option<Sp<i64>>,
    /// Material does not expire: `true`.
    #[schemars(extend("x-default" = "this or `valid_for_days` is required", "const" = true))]
    pub(super) never: Option<Sp<bool>>,
    /// How many days before it expires the same material is imported again, less than `valid_for_days`.
    #[schemars(range(min = 1, max = 364), extend("x-default" = "30, or half of `valid_for_days` if that is less"))]
    pub(super) reimport_before_days: Option<Sp<i64>>,
    /// How material is encrypted on its way.
    #[schemars(extend(
        "x-default" = "RSAES_OAEP_SHA_256, for RSA and ECC keys RSA_AES_KEY_WRAP_SHA_256"
    ))]
    pub(super) wrapping: Option<Sp<Choice<WrappingAlgorithm>>>,
    /// The key under which it is encrypted, which KMS makes for each import.
    #[schemars(extend("x-default" = "RSA_4096"))]
    pub(super) wrapping_key: Option<Sp<Choice<WrappingKeySpec>>>,
    /// The materials, oldest first: symmetric encryption keys rotate to a new last one, other keys have exactly one.
    #[serde(default)]
    #[schemars(extend("x-default" = "at least one"))]
    pub(super) material: Vec<RawMaterial>,
}

/// One imported material: where it comes from (`command`, `file`, `env`, `stdin` or `prewrapped`), never the material itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Material")]
pub(super) struct RawMaterial {
    /// Its name, of its own in the key; KMS keeps it as the material's description.
    pub(super) name: Sp<String>,
    /// A program and its arguments, which prints the material; there is no shell.
    #[schemars(extend("x-default" = "another source"))]
    pub(super) command: Option<List<String>>,
    /// A file, from the folder of the manifest file.
    #[schemars(extend("x-default" = "another source"))]
    pub(super) file: Option<Sp<String>>,
    /// An environment variable.
    #[schemars(extend("x-default" = "another source"))]
    pub(super) env: Option<Sp<String>>,
    /// Standard input: `true`, once in a manifest.
    #[schemars(extend("x-default" = "another source", "const" = true))]
    pub(super) stdin: Option<Sp<bool>>,
    /// It is encrypted elsewhere, as in a hardware module, so that keywright never sees it: `true`.
    #[schemars(extend("x-default" = "another source", "const" = true))]
    pub(super) prewrapped: Option<Sp<bool>>,
    /// How the material is written: `raw`, `hex` or `base64`; private keys `pem`, `der`, `hex` or `base64` (PKCS#8).
    #[schemars(extend("x-default" = "required; not with `prewrapped`"))]
    pub(super) encoding: Option<Sp<Choice<MaterialEncoding>>>,
}

/// Someone who uses a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "User")]
pub(super) struct RawUser {
    /// Who: a role's name, an ARN, `sso:PermissionSet`, `account:222233334444` or `org:o-a1b2c3d4e5`.
    pub(super) principal: Sp<String>,
    /// For what.
    #[schemars(extend("x-default" = "the usual set for the key's usage"))]
    pub(super) can: Option<List<Choice<Capability>>>,
    /// Only through these services, which the key's `services` name too.
    #[schemars(extend("x-default" = "by calling KMS directly"))]
    pub(super) via: Option<List<Choice<Service>>>,
    /// Encryption context that must match: values with the wildcards `*` and `?`.
    #[schemars(extend("x-default" = "any context"))]
    pub(super) context: Option<BTreeMap<Sp<String>, OneOrMany<String>>>,
}
