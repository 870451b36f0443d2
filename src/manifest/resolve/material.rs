//! What a key is made of: spec, usage, origin and custom key store, and which of them go together.

use super::check;
use super::class::Class;
use super::placeholder::Values;
use super::terms::{ClassOf, below_floor};
use crate::desired::{KeyKind, KeyMaterial, KeyStore, Rotation};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{KeyStoreId, Partition, TargetName};
use crate::kms::{KeyShape, KeySpec, KeyUsage, Origin};
use crate::manifest::raw::RawKey;
use crate::manifest::read::Declared;
use crate::manifest::words::origin_word;
use crate::source::{Loc, Located};
use crate::text;
use jiff::civil::Date;

/// The most characters of a key's id in a store outside AWS.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html#KMS-CreateKey-request-XksKeyId>
const XKS_KEY_ID_CHARS: usize = 128;

/// What a key is made of, apart from its rotation.
#[derive(Debug)]
pub(super) struct Substance {
    /// Spec and usage; `None` if they do not go together or are unclear, which is reported.
    kind: Option<KeyKind>,
    /// Where the material comes from.
    origin: Origin,
    /// The place of the origin, where it is written.
    origin_loc: Option<Loc>,
    /// The custom key store; `None` where there is none, or where it is reported.
    store: Option<KeyStore>,
}

/// Resolves what a key is made of.
pub(super) fn resolve_substance(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    found: &mut Diagnostics,
) -> Substance {
    let kind = resolve_kind(declared, raw, found);
    let origin = raw.origin.as_ref().map_or(Origin::AwsKms, |origin| origin.get().0);
    let origin_loc = raw.origin.as_ref().map(|origin| declared.at(origin));
    if let Some(class) = class.get() {
        check_origin(origin, origin_loc.unwrap_or(declared.loc), class, found);
    }
    let substance = Substance { kind, origin, origin_loc, store: resolve_store(declared, raw, origin, found) };
    substance.check_store_kind(declared, raw, found);
    substance
}

impl Substance {
    /// Returns the shape as far as the key's use depends on it; `None` where spec or usage are reported.
    pub(super) fn shape(&self) -> Option<KeyShape> {
        self.kind.map(|kind| KeyShape::new(kind.spec(), kind.usage()).with_origin(self.origin))
    }

    /// Returns the material as wanted; something that stands for it where an error is reported.
    pub(super) fn material(&self, rotation: Rotation, newer_than: Option<Date>) -> KeyMaterial {
        let kind = self.kind.unwrap_or(KeyKind::SYMMETRIC);
        match (self.origin, &self.store) {
            (Origin::External, _) => KeyMaterial::Imported { kind, import: None },
            (Origin::AwsCloudHsm | Origin::ExternalKeyStore, Some(store)) => KeyMaterial::Stored(store.clone()),
            (Origin::AwsKms | Origin::AwsCloudHsm | Origin::ExternalKeyStore, _) if kind == KeyKind::SYMMETRIC => {
                KeyMaterial::Symmetric { rotation, newer_than }
            }
            (Origin::AwsKms | Origin::AwsCloudHsm | Origin::ExternalKeyStore, _) => KeyMaterial::Generated(kind),
        }
    }

    /// Reports a custom key store for a key that is not a symmetric encryption key.
    fn check_store_kind(&self, declared: &Declared<RawKey>, raw: &RawKey, found: &mut Diagnostics) {
        let (Some(origin), Some(kind), Some(spec)) = (self.store_origin(), self.kind, &raw.spec) else { return };
        if kind != KeyKind::SYMMETRIC {
            let message = format!("a custom key store holds no key of {}", kind.spec());
            found.push(
                Diagnostic::error(Code::OriginUnfit, message)
                    .label(declared.at(spec), "not SYMMETRIC_DEFAULT")
                    .label(origin.loc, format!("`{}`", origin_word(origin.value)))
                    .help("custom key stores hold symmetric encryption keys: leave `spec` out, or `origin`"),
            );
        }
    }

    /// Reports a custom key store for a key that is to be in many Regions, which `multi_region` says where.
    pub(super) fn check_regions(&self, multi_region: Option<Loc>, found: &mut Diagnostics) {
        let (Some(origin), Some(loc)) = (self.store_origin(), multi_region) else { return };
        found.push(
            Diagnostic::error(Code::OriginUnfit, "a custom key store holds no multi-Region key")
                .label(loc, "a multi-Region key")
                .label(origin.loc, format!("`{}`", origin_word(origin.value)))
                .help("declare a key of its own for each Region"),
        );
    }

    /// Returns the origin with its place, if it is a custom key store.
    fn store_origin(&self) -> Option<Located<Origin>> {
        let loc = self.origin_loc?;
        is_store(self.origin).then(|| Located::new(self.origin, loc))
    }

    /// Reports a spec that the Region of a target does not have.
    pub(super) fn check_place(&self, spec: Option<Loc>, values: &Values, found: &mut Diagnostics) {
        let (Some(kind), Some(loc), Some((target, region))) = (self.kind, spec, &values.target) else { return };
        if kind.spec().only_in_china() && values.partition != Partition::AwsCn {
            found.push(out_of_china(kind.spec(), loc, target, region.as_str()));
        }
    }
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html#key-spec-sm>
fn out_of_china(spec: KeySpec, loc: Loc, target: &TargetName, region: &str) -> Diagnostic {
    Diagnostic::error(Code::SpecRegion, format!("KMS has no {spec} keys in {region}, where target `{target}` is"))
        .label(loc, "in the Regions of China only")
        .help("name targets in China in `targets`, or choose another spec, such as ECC_NIST_P256")
}

/// Returns whether material from an origin lives in a custom key store.
fn is_store(origin: Origin) -> bool {
    match origin {
        Origin::AwsCloudHsm | Origin::ExternalKeyStore => true,
        Origin::AwsKms | Origin::External => false,
    }
}

/// Returns spec and usage, if they are clear and go together.
fn resolve_kind(declared: &Declared<RawKey>, raw: &RawKey, found: &mut Diagnostics) -> Option<KeyKind> {
    let spec = raw.spec.as_ref().map_or(KeySpec::SymmetricDefault, |spec| spec.get().0);
    let spec_loc = raw.spec.as_ref().map_or(declared.loc, |spec| declared.at(spec));
    let choices = text::or_list(&spec.usages().iter().map(|usage| usage.name()).collect::<Vec<_>>());
    let Some(written) = &raw.usage else {
        let only = spec.only_usage();
        if only.is_none() && !declared.suspect {
            let message =
                format!("a key of {spec} needs a `usage`: the spec leaves a choice, and it is fixed for good");
            found.push(
                Diagnostic::error(Code::UsageMissing, message)
                    .label(spec_loc, "says not what the key is for")
                    .help(format!("set `usage` to {choices}")),
            );
        }
        return KeyKind::new(spec, only?);
    };
    let usage: KeyUsage = written.get().0;
    let kind = KeyKind::new(spec, usage);
    if kind.is_none() {
        let spec_label = if raw.spec.is_some() { "this spec" } else { "SYMMETRIC_DEFAULT, as no `spec` is given" };
        found.push(
            Diagnostic::error(Code::UsageUnfit, format!("no key of {spec} is for {usage}"))
                .label(declared.at(written), format!("not with {spec}"))
                .label(spec_loc, spec_label)
                .help(unfit_help(spec, usage, &choices)),
        );
    }
    kind
}

/// Returns what to write instead: another usage, or a spec that has this one.
fn unfit_help(spec: KeySpec, usage: KeyUsage, choices: &str) -> String {
    let specs: Vec<&str> = KeySpec::ALL.iter().filter(|spec| spec.allows(usage)).map(|spec| spec.name()).collect();
    format!("{spec} is for {choices}; {usage} takes {}", text::or_list(&specs))
}

/// Reports an origin that the class does not admit.
fn check_origin(origin: Origin, loc: Loc, class: &Class, found: &mut Diagnostics) {
    let Some(floor) = class.origins.as_ref().filter(|floor| !floor.value.contains(&origin)) else { return };
    let word = origin_word(origin);
    let message = format!("class `{}` admits no key of origin `{word}`", class.name);
    found.push(below_floor(message, (loc, format!("`{word}`")), (floor.loc, "the origins of the class".into()), class));
}

/// Returns the custom key store that the origin asks for, and reports fields that are missing or out of place.
fn resolve_store(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    origin: Origin,
    found: &mut Diagnostics,
) -> Option<KeyStore> {
    let wants = [
        ("key_store", &raw.key_store, is_store(origin), "with `aws-cloudhsm` and `external-key-store`"),
        ("xks_key_id", &raw.xks_key_id, origin == Origin::ExternalKeyStore, "with `external-key-store`"),
    ];
    let origin_loc = raw.origin.as_ref().map_or(declared.loc, |origin| declared.at(origin));
    let word = origin_word(origin);
    for (field, value, wanted, which) in wants {
        match value {
            None if wanted && !declared.suspect => found.push(
                Diagnostic::error(Code::KeyStoreFields, format!("a key of origin `{word}` needs `{field}`"))
                    .label(origin_loc, format!("`{field}` is missing"))
                    .help(store_help(field)),
            ),
            Some(value) if !wanted => found.push(
                Diagnostic::error(Code::KeyStoreFields, format!("a key of origin `{word}` has no `{field}`"))
                    .label(declared.at(value), format!("goes {which} alone"))
                    .help("leave it out, or set `origin`"),
            ),
            None | Some(_) => {}
        }
    }
    let id = raw.key_store.as_ref().and_then(|id| check::parse::<KeyStoreId>(&declared.text(id), found));
    let xks_key_id = raw.xks_key_id.as_ref().and_then(|id| resolve_xks_key_id(&declared.text(id), found));
    match origin {
        Origin::AwsKms | Origin::External => None,
        Origin::AwsCloudHsm => Some(KeyStore::CloudHsm { id: id? }),
        Origin::ExternalKeyStore => Some(KeyStore::External { id: id?, xks_key_id: xks_key_id? }),
    }
}

fn store_help(field: &str) -> &'static str {
    if field == "key_store" {
        "name the store, which exists: `key_store = \"cks-…\"`"
    } else {
        "name the key that exists in the store: `xks_key_id = \"…\"`"
    }
}

fn resolve_xks_key_id(written: &Located<&str>, found: &mut Diagnostics) -> Option<String> {
    let id = written.value;
    let legal = (1..=XKS_KEY_ID_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !legal {
        let message = format!("`{}` is not the id of a key in a store outside AWS", text::escape(id));
        let label = format!("1 to {XKS_KEY_ID_CHARS} characters of A-Z, a-z, 0-9, -, _ and .");
        found.push(check::invalid(message, written.loc, &label, "write it as the store's proxy knows it"));
    }
    legal.then(|| id.to_owned())
}
