//! Data classes: the floors that keys are held to.

use super::check;
use crate::desired::{Delegation, DeletionWindow, RotationPeriod, Separation};
use crate::diag::Diagnostics;
use crate::ids::{AccountId, ClassName};
use crate::kms::Origin;
use crate::manifest::raw::RawClass;
use crate::manifest::read::{Declarations, Declared};
use crate::services::Service;
use crate::source::{Loc, Located};
use std::collections::{BTreeMap, BTreeSet};

/// A class; an absent floor is no limit.
#[derive(Debug)]
pub(super) struct Class {
    /// The name.
    pub(super) name: ClassName,
    /// The loosest delegation.
    pub(super) delegation: Option<Located<Delegation>>,
    /// The longest rotation period.
    pub(super) rotation: Option<Located<RotationPeriod>>,
    /// The shortest wait before deletion.
    pub(super) window: Option<Located<DeletionWindow>>,
    /// The services.
    pub(super) services: Option<Located<BTreeSet<Service>>>,
    /// The other accounts.
    pub(super) accounts: Option<Located<BTreeSet<AccountId>>>,
    /// The context keys that direct use must carry, each with its place.
    pub(super) required_context: BTreeMap<String, Loc>,
    /// The separation.
    pub(super) separation: Option<Located<Separation>>,
    /// The origins of key material.
    pub(super) origins: Option<Located<BTreeSet<Origin>>>,
    /// Whether keys may be multi-Region keys.
    pub(super) multi_region: Option<Located<bool>>,
    /// The shortest rest of a retired key, in days.
    pub(super) soak_days: Option<Located<u16>>,
}

impl Class {
    /// Returns whether the class itself enforces a separation that its delegation voids.
    pub(super) fn contradicts_itself(&self) -> bool {
        self.separation.is_some_and(|separation| separation.value == Separation::Enforced)
            && self.delegation.is_some_and(|delegation| delegation.value == Delegation::Account)
    }
}

/// Classes by name; `None` for those that are reported already.
pub(super) type Classes = BTreeMap<String, Option<Class>>;

/// Resolves every class.
pub(super) fn resolve_classes(declared: &Declarations<RawClass>, found: &mut Diagnostics) -> Classes {
    declared.iter().map(|(name, declared)| (name.clone(), resolve_class(name, declared, found))).collect()
}

fn resolve_class(name: &str, declared: &Declared<RawClass>, found: &mut Diagnostics) -> Option<Class> {
    let raw = declared.raw.as_ref()?;
    let name = check::parse::<ClassName>(&Located::new(name, declared.loc), found)?;
    if let Some(description) = &raw.description {
        let description = declared.text(description);
        check::length(&description, "a description", crate::kms::DESCRIPTION_CHARS, found);
    }
    let rotation = raw.max_rotation_days.as_ref().and_then(|days| {
        let loc = declared.at(days);
        check::rotation(*days.get(), loc, found).map(|period| Located::new(period, loc))
    });
    let window = raw.min_deletion_wait_days.as_ref().and_then(|days| {
        let loc = declared.at(days);
        check::window(*days.get(), loc, found).map(|window| Located::new(window, loc))
    });
    let services = raw.services.as_ref().map(|services| {
        let set = services.get().iter().map(|service| service.get().0).collect();
        Located::new(set, declared.at(services))
    });
    let accounts = raw.accounts.as_ref().map(|accounts| {
        let each = accounts.get().iter().filter_map(|account| check::parse(&declared.text(account), found));
        Located::new(each.collect(), declared.at(accounts))
    });
    let origins = raw.origins.as_ref().map(|origins| {
        let set = origins.get().iter().map(|origin| origin.get().0).collect();
        Located::new(set, declared.at(origins))
    });
    let soak_days = raw.soak_days.as_ref().and_then(|days| {
        let loc = declared.at(days);
        check::soak(*days.get(), loc, found).map(|days| Located::new(days, loc))
    });
    let class = Class {
        name,
        delegation: raw.iam_delegation.as_ref().map(|value| Located::new(value.get().0, declared.at(value))),
        rotation,
        window,
        services,
        accounts,
        required_context: check::context_keys(declared, raw.required_context.as_ref(), found),
        separation: raw.separation.as_ref().map(|value| Located::new(value.get().0, declared.at(value))),
        origins,
        multi_region: raw.multi_region.as_ref().map(|value| Located::new(*value.get(), declared.at(value))),
        soak_days,
    };
    if let (Some(separation), Some(delegation)) = (&class.separation, &class.delegation) {
        check::enforceable(*separation, delegation.value, delegation.loc, found);
    }
    Some(class)
}
