//! Imported key material: how long it is valid, how it travels, which materials a key has, and what of it KMS takes.

use super::check;
use super::placeholder::Values;
use super::source::{WrittenSource, resolve_source};
use crate::desired::{DesiredMaterial, Import, MaterialPresence, Validity};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{MaterialName, Partition};
use crate::kms::{KeySpec, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::manifest::raw::{RawImport, RawKey, RawMaterial};
use crate::manifest::read::Declared;
use crate::manifest::spanned::Sp;
use crate::manifest::words::origin_word;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::BTreeMap;

/// The longest validity of imported material, in days.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html#KMS-ImportKeyMaterial-request-ValidTo>
const LONGEST_VALIDITY: u16 = 365;

/// How many days before it expires material is imported again, where the manifest does not say.
const USUAL_REIMPORT: u16 = 30;

/// How a key gets its imported material, before placeholders are replaced.
#[derive(Debug)]
pub(super) struct ImportTerms<'a> {
    /// The table.
    pub(super) loc: Loc,
    validity: Validity,
    algorithm: Located<WrappingAlgorithm>,
    wrapping_key: WrappingKeySpec,
    materials: Vec<WrittenMaterial<'a>>,
    presence: MaterialPresence,
}

/// One material, before placeholders are replaced.
#[derive(Debug)]
struct WrittenMaterial<'a> {
    name: Located<MaterialName>,
    source: WrittenSource<'a>,
}

impl ImportTerms<'_> {
    /// Returns the place of each material: that of its name.
    pub(super) fn places(&self) -> BTreeMap<MaterialName, Loc> {
        self.materials.iter().map(|material| (material.name.value.clone(), material.name.loc)).collect()
    }

    /// Returns how a key of a spec gets its material in a target; `None` where something is reported.
    pub(super) fn expand(&self, spec: KeySpec, values: &Values, found: &mut Diagnostics) -> Option<Import> {
        if let Some(diagnostic) = self.out_of_china(spec, values) {
            found.push(diagnostic);
        }
        let each = self.materials.iter().map(|material| {
            let source = material.source.expand(values, found)?;
            Some(DesiredMaterial { name: material.name.value.clone(), source })
        });
        // Each is expanded, so that all errors are found.
        let materials: Vec<Option<DesiredMaterial>> = each.collect();
        Some(Import {
            validity: self.validity,
            algorithm: self.algorithm.value,
            wrapping_key: self.wrapping_key,
            materials: materials.into_iter().collect::<Option<_>>()?,
            presence: self.presence,
        })
    }

    /// Returns the error for a wrapping algorithm that the Regions of China do not have.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-get-public-key-and-token.html>
    fn out_of_china(&self, spec: KeySpec, values: &Values) -> Option<Diagnostic> {
        let (target, region) = values.target.as_ref()?;
        let algorithm = self.algorithm.value;
        if !algorithm.uses_aes() || values.partition != Partition::AwsCn {
            return None;
        }
        let message = format!("KMS takes no {algorithm} in {region}, where target `{target}` is");
        let plain = WrappingAlgorithm::ALL.iter().find(|other| !other.uses_aes() && fits_some(**other, spec));
        let help = match plain {
            Some(other) => format!("set `wrapping = \"{other}\"`, or name targets outside China in `targets`"),
            None => format!("name targets outside China in `targets`: material of {spec} travels in no other way"),
        };
        let diagnostic = Diagnostic::error(Code::ImportUnfit, message);
        Some(diagnostic.label(self.algorithm.loc, "not in the Regions of China").help(help))
    }
}

/// A key whose import is resolved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Importing<'a> {
    /// The name, as written.
    pub(super) name: &'a str,
    /// The table.
    pub(super) declared: &'a Declared<RawKey>,
    /// What the table says.
    pub(super) raw: &'a RawKey,
    /// The spec; `None` where it is reported already.
    pub(super) spec: Option<KeySpec>,
}

impl<'a> Importing<'a> {
    /// Returns how the key gets its material; `None` without `import`, and where something is reported.
    pub(super) fn resolve(mut self, found: &mut Diagnostics) -> Option<ImportTerms<'a>> {
        let Some(table) = &self.raw.import else {
            self.check_state_alone(found);
            return None;
        };
        let loc = self.declared.at(table);
        self.check_origin(loc, found);
        if let Some(spec) = self.spec.filter(|spec| WrappingAlgorithm::default_for(*spec).is_none()) {
            found.push(self.no_import_of(spec, loc));
            self.spec = None;
        }
        let import = table.get();
        let validity = self.validity(import, loc, found);
        let wrapping = self.wrapping(import, loc, found);
        let materials = self.materials(import, loc, found);
        let (algorithm, wrapping_key) = wrapping?;
        let presence = self.raw.material_state.as_ref().map_or(MaterialPresence::Imported, |state| state.get().0);
        Some(ImportTerms { loc, validity: validity?, algorithm, wrapping_key, materials: materials?, presence })
    }

    /// Returns the header of a table of the key, as it would be written.
    fn header(&self, table: &str) -> String {
        format!("key.{}.{table}", text::escape(self.name))
    }

    /// Returns the place that decides the spec, and what is there.
    pub(super) fn spec_label(&self) -> (Loc, String) {
        match &self.raw.spec {
            Some(spec) => (self.declared.at(spec), "this spec".to_owned()),
            None => (self.declared.loc, "SYMMETRIC_DEFAULT, as no `spec` is given".to_owned()),
        }
    }

    /// Reports a state of material that the manifest does not import.
    fn check_state_alone(&self, found: &mut Diagnostics) {
        let Some(state) = self.raw.material_state.as_ref().filter(|_| !self.declared.suspect) else { return };
        found.push(
            Diagnostic::error(Code::ImportUnfit, "`material_state` goes with an `import` table alone")
                .label(self.declared.at(state), "of material that keywright does not import")
                .label(self.declared.loc, "no `import`")
                .help(format!("add `[{}]`, or leave `material_state` out", self.header("import"))),
        );
    }

    /// Reports an import into a key whose material comes from elsewhere.
    fn check_origin(&self, loc: Loc, found: &mut Diagnostics) {
        let (origin, place, label) = match &self.raw.origin {
            Some(origin) => (origin.get().0, self.declared.at(origin), "the material comes from here".to_owned()),
            None if self.declared.suspect => return,
            None => (Origin::AwsKms, self.declared.loc, "KMS makes the material, as no `origin` is given".to_owned()),
        };
        if origin != Origin::External {
            let message = format!("a key of origin `{}` takes no imported material", origin_word(origin));
            found.push(
                Diagnostic::error(Code::ImportUnfit, message)
                    .label(loc, "goes with `origin = \"external\"` alone")
                    .label(place, label)
                    .help("set `origin = \"external\"`, which is fixed for good, or leave `import` out"),
            );
        }
    }

    fn no_import_of(&self, spec: KeySpec, loc: Loc) -> Diagnostic {
        let (place, label) = self.spec_label();
        let some: Vec<&str> = KeySpec::ALL
            .iter()
            .filter(|other| WrappingAlgorithm::default_for(**other).is_some())
            .map(|other| other.name())
            .collect();
        Diagnostic::error(Code::ImportUnfit, format!("keywright imports no material for a key of {spec}"))
            .label(loc, "could not be imported")
            .label(place, label)
            .help(format!("leave `import` out and import by hand, or choose {}", text::or_list(&some)))
    }

    fn validity(&self, import: &RawImport, loc: Loc, found: &mut Diagnostics) -> Option<Validity> {
        let alternatives = "write `valid_for_days = 180` or `never = true`";
        let never = only_true(self.declared, "never", import.never.as_ref(), alternatives, found);
        let error = |message: &str| Diagnostic::error(Code::ImportValidity, message).help(alternatives);
        match (&import.valid_for_days, never) {
            (Some(days), Some(never)) => {
                let message = "`import` takes one of `valid_for_days` and `never`";
                found.push(error(message).label(self.declared.at(days), "this one").label(never, "or this one"));
                None
            }
            (Some(days), None) => self.days(days, import.reimport_before_days.as_ref(), found),
            (None, Some(never)) => {
                if let Some(before) = &import.reimport_before_days {
                    let message = "material that never expires is not imported again before it does";
                    let diagnostic = Diagnostic::error(Code::ImportValidity, message)
                        .label(self.declared.at(before), "before what?")
                        .label(never, "it does not expire");
                    found.push(diagnostic.help("leave `reimport_before_days` out, or write `valid_for_days`"));
                }
                Some(Validity::Never)
            }
            (None, None) => {
                if import.never.is_none() && !self.declared.suspect {
                    let message = "`import` does not say whether the material expires";
                    found.push(error(message).label(loc, "neither `valid_for_days` nor `never`"));
                }
                None
            }
        }
    }

    fn days(&self, written: &Sp<i64>, before: Option<&Sp<i64>>, found: &mut Diagnostics) -> Option<Validity> {
        let loc = self.declared.at(written);
        let days = within(*written.get(), LONGEST_VALIDITY);
        let Some(days) = days else {
            let message = format!("imported material is valid for 1 to {LONGEST_VALIDITY} days, not {}", written.get());
            let help = format!("write 1 to {LONGEST_VALIDITY}: it is imported again in time; or `never = true`");
            found.push(Diagnostic::error(Code::ImportValidity, message).label(loc, "out of range").help(help));
            return None;
        };
        let Some(before) = before else {
            return Some(Validity::Days { days, reimport_before: USUAL_REIMPORT.min(days / 2) });
        };
        let reimport_before = within(*before.get(), days - 1);
        if reimport_before.is_none() {
            let message = "material is imported again at least a day before it expires, and later than it was imported";
            let help = if days > 1 { format!("write 1 to {}", days - 1) } else { "leave it out".to_owned() };
            found.push(
                Diagnostic::error(Code::ImportValidity, message)
                    .label(self.declared.at(before), "out of range")
                    .label(loc, format!("valid for {}", text::plural(usize::from(days), "day")))
                    .help(help),
            );
        }
        Some(Validity::Days { days, reimport_before: reimport_before? })
    }

    fn wrapping(
        &self,
        import: &RawImport,
        loc: Loc,
        found: &mut Diagnostics,
    ) -> Option<(Located<WrappingAlgorithm>, WrappingKeySpec)> {
        let spec = self.spec?;
        let key = import.wrapping_key.as_ref().map_or(WrappingKeySpec::Rsa4096, |key| key.get().0);
        let Some(written) = &import.wrapping else {
            // INVARIANT: the default of a spec fits every wrapping key.
            return WrappingAlgorithm::default_for(spec).map(|algorithm| (Located::new(algorithm, loc), key));
        };
        let algorithm = written.get().0;
        let place = self.declared.at(written);
        if algorithm.fits(spec, key) {
            return Some((Located::new(algorithm, place), key));
        }
        let under = if fits_some(algorithm, spec) { format!(" under {key}") } else { String::new() };
        let message = format!("KMS takes no material of {spec} by {algorithm}{under}");
        let mut diagnostic = Diagnostic::error(Code::ImportUnfit, message).label(place, format!("not with {spec}"));
        if let Some(key) = import.wrapping_key.as_ref().filter(|_| !under.is_empty()) {
            diagnostic = diagnostic.label(self.declared.at(key), "under this key");
        }
        let (place, label) = self.spec_label();
        found.push(diagnostic.label(place, label).help(fitting(spec)));
        None
    }

    fn materials(&self, import: &'a RawImport, loc: Loc, found: &mut Diagnostics) -> Option<Vec<WrittenMaterial<'a>>> {
        if import.material.is_empty() {
            if !self.declared.suspect {
                let diagnostic = Diagnostic::error(Code::MissingField, "`import` names no material");
                let help =
                    format!("append `[[{}]]` with a `name` and where it comes from", self.header("import.material"));
                found.push(diagnostic.label(loc, "nothing to import").help(help));
            }
            return None;
        }
        self.check_fixed(import, found);
        self.check_names(&import.material, found);
        let each = import.material.iter().map(|material| {
            let name = check::parse::<MaterialName>(&self.declared.text(&material.name), found);
            let source = resolve_source(self, material, found)?;
            Some(WrittenMaterial { name: Located::new(name?, self.declared.at(&material.name)), source })
        });
        // Each is looked at, so that all errors are found.
        let each: Vec<Option<WrittenMaterial<'_>>> = each.collect();
        let materials: Vec<WrittenMaterial<'_>> = each.into_iter().collect::<Option<_>>()?;
        check_sources(&materials, found);
        Some(materials)
    }

    /// Reports several materials of a key that can have one alone.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys.html#importing-keys-considerations>
    fn check_fixed(&self, import: &RawImport, found: &mut Diagnostics) {
        let Some(spec) = self.spec.filter(|spec| *spec != KeySpec::SymmetricDefault) else { return };
        let [first, others @ ..] = import.material.as_slice() else { return };
        if others.is_empty() {
            return;
        }
        let message =
            format!("a key of {spec} has one material for good: KMS never takes another after its first import");
        let mut diagnostic =
            Diagnostic::error(Code::MaterialFixed, message).label(self.declared.at(&first.name), "the first");
        for other in others {
            diagnostic = diagnostic.label(self.declared.at(&other.name), "would be refused");
        }
        let (place, label) = self.spec_label();
        let help = "keep one; to change the material, declare a new key with the new one and move the aliases to it";
        found.push(diagnostic.label(place, label).help(help));
    }

    /// Reports names that two materials share.
    fn check_names(&self, materials: &[RawMaterial], found: &mut Diagnostics) {
        let mut first: BTreeMap<&str, Loc> = BTreeMap::new();
        for name in materials.iter().map(|material| self.declared.text(&material.name)) {
            let Some(earlier) = first.get(name.value) else {
                first.insert(name.value, name.loc);
                continue;
            };
            let message = format!("two materials of the key are called `{}`", text::escape(name.value));
            found.push(
                Diagnostic::error(Code::MaterialDuplicate, message)
                    .label(name.loc, "called so again")
                    .label(*earlier, "called so first")
                    .help("give each a name of its own: by it KMS tells them apart"),
            );
        }
    }
}

/// Reports materials that come from the same place, and so are the same.
fn check_sources(materials: &[WrittenMaterial<'_>], found: &mut Diagnostics) {
    for (at, material) in materials.iter().enumerate() {
        let earlier = materials.iter().take(at).find(|earlier| earlier.source.is_same(&material.source));
        if let Some(earlier) = earlier {
            let (one, other) = (&earlier.name, &material.name);
            let message = format!("the materials `{}` and `{}` come from the same place", one.value, other.value);
            found.push(
                Diagnostic::error(Code::MaterialDuplicate, message)
                    .label(other.loc, "the same again")
                    .label(one.loc, "the same")
                    .help("say where the other one is, or take one out: a key does not rotate to material that it has"),
            );
        }
    }
}

/// Returns a number from one to a limit.
fn within(number: i64, limit: u16) -> Option<u16> {
    u16::try_from(number).ok().filter(|number| (1..=limit).contains(number))
}

/// Returns the place of a field that is `true`, and reports one that is `false`.
pub(super) fn only_true(
    declared: &Declared<RawKey>,
    field: &str,
    value: Option<&Sp<bool>>,
    help: &str,
    found: &mut Diagnostics,
) -> Option<Loc> {
    let value = value?;
    let loc = declared.at(value);
    if !value.get() {
        let message = format!("`{field}` can only be `true`");
        found.push(check::invalid(message, loc, "says nothing", help));
        return None;
    }
    Some(loc)
}

/// Returns the wrapping keys under which material of a spec travels by an algorithm.
fn keys_for(algorithm: WrappingAlgorithm, spec: KeySpec) -> Vec<&'static str> {
    WrappingKeySpec::ALL.iter().filter(|key| algorithm.fits(spec, **key)).map(|key| key.name()).collect()
}

fn fits_some(algorithm: WrappingAlgorithm, spec: KeySpec) -> bool {
    !keys_for(algorithm, spec).is_empty()
}

/// Returns what fits a spec, in words: algorithms, with the wrapping keys where not each of them will do.
fn fitting(spec: KeySpec) -> String {
    let ways = WrappingAlgorithm::ALL.iter().filter(|algorithm| fits_some(**algorithm, spec)).map(|algorithm| {
        let keys = keys_for(*algorithm, spec);
        let all = keys.len() == WrappingKeySpec::ALL.len();
        if all { algorithm.to_string() } else { format!("{algorithm} under {}", text::or_list(&keys)) }
    });
    format!("set `wrapping` to {}", text::or_list(&ways.collect::<Vec<_>>()))
}
