//! What holds for a key in every target: its own settings, the class's floors, the defaults.

use super::check;
use super::class::{Class, Classes};
use super::family::multi_region;
use super::import::{ImportTerms, Importing};
use super::material::{Substance, resolve_substance};
use super::rotation::resolve_rotation;
use crate::desired::{Delegation, DeletionWindow, KeyLifecycle, KeyMaterial, Separation};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::kms::KeyShape;
use crate::manifest::raw::RawKey;
use crate::manifest::read::Declared;
use crate::services::Service;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// How many days a retired key rests where neither it nor its class says so.
const USUAL_SOAK: u16 = 30;

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
    /// What the key is, which decides what its users can do; `None` where that is reported already.
    pub(super) shape: Option<KeyShape>,
    /// What it is made of.
    pub(super) substance: Substance,
    /// The same with its rotation, as wanted.
    pub(super) material: KeyMaterial,
    /// How imported material comes in; `None` where it does not, and where that is reported already.
    pub(super) import: Option<ImportTerms<'a>>,
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
    /// The wait before deletion.
    pub(super) window: DeletionWindow,
    /// How long it rests once retired, in days.
    pub(super) soak_days: u16,
    /// Whether it is in use.
    pub(super) lifecycle: KeyLifecycle,
}

/// Resolves what holds for a key in every target.
pub(super) fn resolve_terms<'a>(
    name: &'a str,
    declared: &'a Declared<RawKey>,
    raw: &'a RawKey,
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
    let substance = resolve_substance(declared, raw, class, found);
    substance.check_regions(multi_region(declared, raw), found);
    let shape = substance.shape();
    let (rotation, newer_than) = resolve_rotation(name, declared, raw, class, shape, found);
    Terms {
        class,
        shape,
        material: substance.material(rotation, newer_than),
        substance,
        import: Importing { name, declared, raw, spec: shape.map(|shape| shape.spec) }.resolve(found),
        delegation,
        separation: separation.map_or(Separation::Advised, |separation| separation.value),
        separation_place: separation.map(|separation| separation.loc),
        services: resolve_services(declared, raw, class, shape, found),
        required_context: resolve_required_context(declared, raw, class, shape, found),
        window: resolve_window(declared, raw, class, found),
        soak_days: resolve_soak(declared, raw, class, found),
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
    shape: Option<KeyShape>,
    found: &mut Diagnostics,
) -> Located<BTreeSet<Service>> {
    let Some(services) = &raw.services else { return Located::new(BTreeSet::new(), declared.loc) };
    if let Some(shape) = shape.filter(|shape| !shape.encrypts_symmetrically()) {
        found.push(service_unfit("services", declared.at(services), shape));
        return Located::new(BTreeSet::new(), declared.at(services));
    }
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

/// Returns the context keys that direct use must carry: those of the key, which must be able to carry one, and those of
/// the class, which bind symmetric use alone.
fn resolve_required_context(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    shape: Option<KeyShape>,
    found: &mut Diagnostics,
) -> BTreeMap<String, Loc> {
    let own = check::context_keys(declared, raw.required_context.as_ref(), found);
    if let Some(shape) = shape.filter(|shape| !shape.encrypts_symmetrically()) {
        if let Some(list) = &raw.required_context {
            found.push(context_unfit("required_context", declared.at(list), shape));
        }
        return BTreeMap::new();
    }
    let mut required = class.get().map(|class| class.required_context.clone()).unwrap_or_default();
    required.extend(own);
    required
}

/// Returns the error for an encryption context of a key whose use carries none.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>
pub(super) fn context_unfit(field: &str, loc: Loc, shape: KeyShape) -> Diagnostic {
    let message = format!("the use of a key of {} carries no encryption context", shape.spec);
    Diagnostic::error(Code::ContextUnfit, message)
        .label(loc, "could never match")
        .help(format!("leave `{field}` out: only symmetric encryption keys have an encryption context"))
}

/// Returns the error for AWS services at a key that they do not take.
pub(super) fn service_unfit(field: &str, loc: Loc, shape: KeyShape) -> Diagnostic {
    let message = format!("AWS services do not take keys of {}", shape.spec);
    Diagnostic::error(Code::ServiceUnfit, message)
        .label(loc, "cannot use the key")
        .help(format!("leave `{field}` out: services encrypt with symmetric encryption keys alone"))
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

fn resolve_soak(declared: &Declared<RawKey>, raw: &RawKey, class: ClassOf<'_>, found: &mut Diagnostics) -> u16 {
    let floor = class.get().and_then(|class| Some((class, class.soak_days?)));
    let usual = floor.map_or(USUAL_SOAK, |(_, floor)| floor.value);
    let Some(days) = &raw.soak_days else { return usual };
    let loc = declared.at(days);
    let Some(soak) = check::soak(*days.get(), loc, found) else { return usual };
    if let Some((class, floor)) = floor.filter(|(_, floor)| soak < floor.value) {
        let message = format!("a retired key would rest for less time than class `{}` demands", class.name);
        let limit = format!("at least {}", text::plural(usize::from(floor.value), "day"));
        let own = (loc, text::plural(usize::from(soak), "day"));
        found.push(below_floor(message, own, (floor.loc, limit), class));
    }
    soak
}
