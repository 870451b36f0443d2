//! Rotation: automatic or none, on demand by the age of the material, where the key can rotate at all.

use super::check;
use super::terms::{ClassOf, below_floor};
use crate::desired::{Rotation, RotationPeriod};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::kms::{KeyShape, Origin};
use crate::manifest::raw::{RawKey, RawRotation};
use crate::manifest::read::Declared;
use crate::manifest::spanned::Sp;
use crate::source::Located;
use crate::text;
use jiff::civil::Date;

/// How often a key rotates where neither it nor its class says so.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>
const USUAL_ROTATION: i64 = crate::kms::ROTATION_DAYS_DEFAULT as i64;

/// Resolves rotation; a key that cannot rotate has none, whatever its class says.
pub(super) fn resolve_rotation(
    name: &str,
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    shape: Option<KeyShape>,
    found: &mut Diagnostics,
) -> (Rotation, Option<Date>) {
    if let Some(shape) = shape.filter(|shape| !shape.rotates_automatically()) {
        if let Some(rotation) = &raw.rotation {
            found.push(unfit(name, declared, rotation, shape));
        }
        return (Rotation::Off, None);
    }
    let newer_than = raw.rotation.as_ref().and_then(|rotation| rotation.get().newer_than.as_ref());
    let own = raw.rotation.as_ref().and_then(|rotation| own_rotation(declared, rotation, found));
    (automatic(own, class, found), newer_than.map(|day| day.get().0))
}

/// Returns the error for a rotation of a key that has none.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>
fn unfit(name: &str, declared: &Declared<RawKey>, rotation: &Sp<RawRotation>, shape: KeyShape) -> Diagnostic {
    let (why, label, help) = match shape.origin {
        Origin::External if shape.rotates_on_demand() => (
            "a key with imported material rotates to newly imported material alone".to_owned(),
            "KMS has no other material for it",
            format!("leave `rotation` out; to rotate, append a `[[key.{}.import.material]]`", text::escape(name)),
        ),
        Origin::AwsCloudHsm | Origin::ExternalKeyStore => (
            "KMS does not rotate keys in custom key stores".to_owned(),
            "the key cannot rotate",
            "leave `rotation` out: rotate in the store".to_owned(),
        ),
        Origin::AwsKms | Origin::External => (
            format!("KMS does not rotate keys of {}", shape.spec),
            "the key cannot rotate",
            "leave `rotation` out: to change the material, create a key and move its aliases".to_owned(),
        ),
    };
    Diagnostic::error(Code::RotationUnfit, why).label(declared.at(rotation), label).help(help)
}

/// Returns the automatic rotation: the key's own where it states one, held to the class's floor, else the usual one.
fn automatic(own: Option<Located<Rotation>>, class: ClassOf<'_>, found: &mut Diagnostics) -> Rotation {
    let floor = class.get().and_then(|class| Some((class, class.rotation?)));
    let usual = floor.map(|(_, floor)| floor.value).or(RotationPeriod::from_days(USUAL_ROTATION));
    let Some(own) = own else { return usual.map_or(Rotation::Off, Rotation::Every) };
    if let Some((class, floor)) = floor {
        let label = match own.value {
            Rotation::Off => Some("never rotates".to_owned()),
            Rotation::Every(period) if period > floor.value => Some(text::plural(usize::from(period.days()), "day")),
            Rotation::Every(_) => None,
        };
        if let Some(label) = label {
            let message = format!("the key rotates less often than class `{}` demands", class.name);
            let limit = format!("every {} at least", text::plural(usize::from(floor.value.days()), "day"));
            found.push(below_floor(message, (own.loc, label), (floor.loc, limit), class));
        }
    }
    own.value
}

/// Returns the automatic rotation that a key states: one of the alternatives, or none beside `newer_than`.
fn own_rotation(
    declared: &Declared<RawKey>,
    rotation: &Sp<RawRotation>,
    found: &mut Diagnostics,
) -> Option<Located<Rotation>> {
    let alternatives = "write `{ every_days = 365 }` or `{ off = true }`";
    match (&rotation.get().every_days, &rotation.get().off) {
        (Some(days), None) => {
            let loc = declared.at(days);
            check::rotation(*days.get(), loc, found).map(|period| Located::new(Rotation::Every(period), loc))
        }
        (None, Some(off)) if *off.get() => Some(Located::new(Rotation::Off, declared.at(off))),
        (None, Some(off)) => {
            found.push(check::invalid("`off` can only be `true`", declared.at(off), "says nothing", alternatives));
            None
        }
        (Some(days), Some(off)) => {
            let diagnostic = Diagnostic::error(Code::InvalidValue, "`rotation` takes one of `every_days` and `off`")
                .label(declared.at(days), "this one")
                .label(declared.at(off), "or this one");
            found.push(diagnostic.help(alternatives));
            None
        }
        (None, None) => {
            if rotation.get().newer_than.is_none() && !declared.suspect {
                let message = "`rotation` says nothing";
                let diagnostic = Diagnostic::error(Code::MissingField, message);
                found.push(diagnostic.label(declared.at(rotation), "an empty table").help(alternatives));
            }
            None
        }
    }
}
