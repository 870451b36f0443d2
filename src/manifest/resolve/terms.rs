//! What holds for a key in every target: its own settings, the class's floors, the defaults.

use super::check;
use super::class::{Class, Classes};
use crate::desired::{Delegation, DeletionWindow, KeyLifecycle, Rotation, RotationPeriod, Separation};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::kms::{KeyShape, KeySpec, KeyUsage};
use crate::manifest::raw::{RawKey, RawRotation};
use crate::manifest::read::Declared;
use crate::manifest::spanned::Sp;
use crate::services::Service;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// How often a key rotates where neither it nor its class says so.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>
const USUAL_ROTATION: i64 = crate::kms::ROTATION_DAYS_DEFAULT as i64;

/// The class that a key names.
#[derive(Debug, Clone, Copy)]
pub(super) enum ClassOf<'a> {
    /// None.
    Outside,
    /// One that is unknown or broken, which is reported already: its floors cannot be checked.
    Unclear,
    /// This one.
    In(&'a Class),
}

impl<'a> ClassOf<'a> {
    /// Returns the class, if it can be asked.
    pub(super) fn get(self) -> Option<&'a Class> {
        match self {
            Self::In(class) => Some(class),
            Self::Outside | Self::Unclear => None,
        }
    }
}

/// What holds for a key in every target.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    /// The class.
    pub(super) class: ClassOf<'a>,
    /// What the key is, which decides what its users can do.
    pub(super) shape: KeyShape,
    /// The delegation and the place that decides it.
    pub(super) delegation: Located<Delegation>,
    /// The separation.
    pub(super) separation: Separation,
    /// The place that decides the separation, where it is not the default.
    pub(super) separation_place: Option<Loc>,
    /// The services and the place that decides them.
    pub(super) services: Located<BTreeSet<Service>>,
    /// The context keys that direct use must carry, each with its place.
    pub(super) required_context: BTreeMap<String, Loc>,
    /// Automatic rotation.
    pub(super) rotation: Rotation,
    /// The wait before deletion.
    pub(super) window: DeletionWindow,
    /// Whether it is in use.
    pub(super) lifecycle: KeyLifecycle,
}

/// Resolves what holds for a key in every target.
pub(super) fn resolve_terms<'a>(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    classes: &'a Classes,
    found: &mut Diagnostics,
) -> Terms<'a> {
    let class = class_of(declared, raw, classes, found);
    let delegation = resolve_delegation(declared, raw, class, found);
    let separation = resolve_separation(declared, raw, class, found);
    // A class that contradicts itself is reported at the class alone.
    let contradiction = class.get().is_some_and(Class::contradicts_itself);
    if let Some(separation) = separation.filter(|_| !contradiction) {
        check::enforceable(separation, delegation.value, delegation.loc, found);
    }
    let mut required_context = class.get().map(|class| class.required_context.clone()).unwrap_or_default();
    required_context.extend(check::context_keys(declared, raw.required_context.as_ref(), found));
    let spec = raw.spec.as_ref().map_or(KeySpec::SymmetricDefault, |spec| spec.get().0);
    Terms {
        class,
        shape: KeyShape::new(spec, spec.only_usage().unwrap_or(KeyUsage::EncryptDecrypt)),
        delegation,
        separation: separation.map_or(Separation::Advised, |separation| separation.value),
        separation_place: separation.map(|separation| separation.loc),
        services: resolve_services(declared, raw, class, found),
        required_context,
        rotation: resolve_rotation(declared, raw, class, found),
        window: resolve_window(declared, raw, class, found),
        lifecycle: raw.state.as_ref().map_or(KeyLifecycle::Enabled, |state| state.get().0),
    }
}

fn class_of<'a>(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    classes: &'a Classes,
    found: &mut Diagnostics,
) -> ClassOf<'a> {
    let Some(name) = &raw.class else { return ClassOf::Outside };
    match classes.get(name.get()) {
        Some(Some(class)) => ClassOf::In(class),
        Some(None) => ClassOf::Unclear,
        None => {
            found.push(check::unknown_name("class", &declared.text(name), classes.keys()));
            ClassOf::Unclear
        }
    }
}

/// Returns the error for a key that is looser than its class.
pub(super) fn below_floor(message: String, key: (Loc, String), floor: (Loc, String), class: &Class) -> Diagnostic {
    Diagnostic::error(Code::ClassFloor, message)
        .label(key.0, key.1)
        .label(floor.0, floor.1)
        .help(format!("class `{}` is a floor: its keys may be stricter, never looser", class.name))
}

fn resolve_delegation(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    found: &mut Diagnostics,
) -> Located<Delegation> {
    let own = raw.iam_delegation.as_ref().map(|value| Located::new(value.get().0, declared.at(value)));
    let floor = class.get().and_then(|class| Some((class, class.delegation?)));
    match (own, floor) {
        (Some(own), Some((class, floor))) if own.value > floor.value => {
            let message = format!("the key delegates to IAM more than class `{}` allows", class.name);
            found.push(below_floor(
                message,
                (own.loc, "looser".to_owned()),
                (floor.loc, "the floor".to_owned()),
                class,
            ));
            own
        }
        (Some(own), _) => own,
        (None, Some((_, floor))) => floor,
        (None, None) => {
            if !matches!(class, ClassOf::Unclear) && !declared.suspect {
                let message = "IAM policies of the account can grant access to the key";
                found.push(
                    Diagnostic::warning(Code::AccountDelegation, message)
                        .label(declared.loc, "no `iam_delegation` here nor in a class of the key")
                        .help("set `iam_delegation` to \"account\" to keep it so, or to \"root-user\" or \"none\""),
                );
            }
            Located::new(Delegation::Account, declared.loc)
        }
    }
}

fn resolve_separation(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    found: &mut Diagnostics,
) -> Option<Located<Separation>> {
    let own = raw.separation.as_ref().map(|value| Located::new(value.get().0, declared.at(value)));
    let floor = class.get().and_then(|class| Some((class, class.separation?)));
    if let (Some(own), Some((class, floor))) = (own, floor)
        && own.value < floor.value
    {
        let message = format!("the key separates duties less than class `{}` demands", class.name);
        found.push(below_floor(message, (own.loc, "looser".to_owned()), (floor.loc, "the floor".to_owned()), class));
    }
    own.or(floor.map(|(_, floor)| floor))
}

fn resolve_services(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    found: &mut Diagnostics,
) -> Located<BTreeSet<Service>> {
    let Some(services) = &raw.services else { return Located::new(BTreeSet::new(), declared.loc) };
    if let Some((class, floor)) = class.get().and_then(|class| Some((class, class.services.as_ref()?))) {
        for service in services.get().iter().filter(|service| !floor.value.contains(&service.get().0)) {
            let name = service.get().0;
            let message = format!("class `{}` does not allow use through `{name}`", class.name);
            let own = (declared.at(service), "looser".to_owned());
            found.push(below_floor(message, own, (floor.loc, "the services of the class".to_owned()), class));
        }
    }
    Located::new(services.get().iter().map(|service| service.get().0).collect(), declared.at(services))
}

fn resolve_rotation(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    found: &mut Diagnostics,
) -> Rotation {
    let floor = class.get().and_then(|class| Some((class, class.rotation?)));
    let own = raw.rotation.as_ref().and_then(|rotation| own_rotation(declared, rotation, found));
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

/// Returns the rotation that a key states: exactly one of the alternatives.
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
            if !declared.suspect {
                let message = "`rotation` says nothing";
                let diagnostic = Diagnostic::error(Code::MissingField, message);
                found.push(diagnostic.label(declared.at(rotation), "an empty table").help(alternatives));
            }
            None
        }
    }
}

fn resolve_window(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    found: &mut Diagnostics,
) -> DeletionWindow {
    let Some(days) = &raw.deletion_wait_days else { return DeletionWindow::LONGEST };
    let loc = declared.at(days);
    let Some(window) = check::window(*days.get(), loc, found) else { return DeletionWindow::LONGEST };
    if let Some((class, floor)) = class.get().and_then(|class| Some((class, class.window?)))
        && window < floor.value
    {
        let message = format!("the key would be deleted sooner than class `{}` allows", class.name);
        let own = (loc, text::plural(usize::from(window.days()), "day"));
        let limit = format!("at least {}", text::plural(usize::from(floor.value.days()), "day"));
        found.push(below_floor(message, own, (floor.loc, limit), class));
    }
    window
}
