//! Where a key goes: its targets, its replicas, and which one of a family of multi-Region keys each of them has.

use super::check;
use super::target::{Target, Targets};
use super::terms::{ClassOf, below_floor};
use crate::desired::Topology;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{Region, TargetName};
use crate::manifest::raw::{List, RawKey};
use crate::manifest::read::Declared;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// Where a key goes.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// The targets that have the key, by name, each with what it has.
    pub(super) targets: BTreeMap<String, Topology>,
    /// The Regions of its family; empty for single-Region keys, and for primaries that have no replicas.
    pub(super) regions: BTreeSet<Region>,
}

/// Resolves where a key goes. Where its family is in error, each of its targets has something that stands for it, so
/// that the rest of the key is checked.
pub(super) fn resolve_placement(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    class: ClassOf<'_>,
    targets: &Targets<'_>,
    found: &mut Diagnostics,
) -> Placement {
    let own = key_targets(declared, raw, targets, found);
    if let Some(loc) = multi_region(declared, raw) {
        check_class(loc, class, found);
    }
    let Some(replicas) = &raw.replicas else {
        let alone = if multi_region(declared, raw).is_some() {
            check_families(declared, raw, &own, targets, found);
            Topology::Primary { replicas: BTreeMap::new() }
        } else {
            Topology::Single
        };
        let targets = own.into_iter().map(|target| (target, alone.clone())).collect();
        return Placement { targets, regions: BTreeSet::new() };
    };
    check_wish(declared, raw, replicas, found);
    let primary = primary_of(declared, raw, replicas, found);
    let members = Members { declared, targets, primary }.resolve(replicas, found);
    let mut placement = Placement::default();
    let primary = primary.and_then(|primary| targets.get(primary.value)?.as_ref());
    if let Some(primary) = primary {
        let member = |target: &Target<'_>| (target.name.clone(), target.region.clone());
        let replicas: BTreeMap<TargetName, Region> = members.iter().map(|target| member(target)).collect();
        let (name, region) = member(primary);
        placement.regions = replicas.values().chain([&region]).cloned().collect();
        placement.targets.insert(name.to_string(), Topology::Primary { replicas });
        let of_primary = || Topology::Replica { primary: name.clone(), region: region.clone() };
        placement.targets.extend(members.iter().map(|target| (target.name.to_string(), of_primary())));
    } else {
        placement.targets.extend(own.into_iter().map(|target| (target, Topology::Single)));
    }
    placement
}

/// Returns the place that makes a key a multi-Region one, if it is.
pub(super) fn multi_region(declared: &Declared<RawKey>, raw: &RawKey) -> Option<Loc> {
    let replicas = raw.replicas.as_ref().map(|replicas| declared.at(replicas));
    replicas.or_else(|| raw.multi_region.as_ref().filter(|wish| *wish.get()).map(|wish| declared.at(wish)))
}

fn key_targets(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    targets: &Targets<'_>,
    found: &mut Diagnostics,
) -> Vec<String> {
    let Some(list) = &raw.targets else { return targets.keys().cloned().collect() };
    if list.get().is_empty() {
        let help = "leave the field out for every target";
        found.push(check::invalid("`targets` names no target", declared.at(list), "an empty list", help));
    }
    let mut names = Vec::new();
    for target in list.get() {
        if targets.contains_key(target.get()) {
            names.push(target.get().clone());
        } else {
            found.push(check::unknown_name("target", &declared.text(target), targets.keys()));
        }
    }
    // Nothing is made of it, but the rest of the key is checked.
    if names.is_empty() { targets.keys().cloned().collect() } else { names }
}

fn check_class(loc: Loc, class: ClassOf<'_>, found: &mut Diagnostics) {
    let Some(class) = class.get() else { return };
    if let Some(floor) = class.multi_region.filter(|floor| !floor.value) {
        let message = format!("class `{}` admits no multi-Region keys", class.name);
        let own = (loc, "makes it a multi-Region key".to_owned());
        found.push(below_floor(message, own, (floor.loc, "keys of one Region alone".to_owned()), class));
    }
}

fn family_error(message: impl Into<String>, loc: Loc, label: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::MultiRegionTargets, message).label(loc, label)
}

/// Reports several primaries in one account: they would be families apart, not replicas of each other.
fn check_families(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    own: &[String],
    targets: &Targets<'_>,
    found: &mut Diagnostics,
) {
    let Some(loc) = multi_region(declared, raw) else { return };
    let mut first_in = BTreeMap::new();
    for target in own.iter().filter_map(|name| targets.get(name)?.as_ref()) {
        if let Some(first) = first_in.insert(&target.values.account, &target.name) {
            let message = format!("the key would be two multi-Region keys, in `{first}` and in `{}`", target.name);
            let help =
                format!("name the primary's target in `targets` and the others in `replicas = [\"{}\"]`", target.name);
            found.push(family_error(message, loc, "makes a primary in each target").help(help));
        }
    }
}

/// Reports a list of replicas that is empty, or that the key itself contradicts.
fn check_wish(declared: &Declared<RawKey>, raw: &RawKey, replicas: &List<String>, found: &mut Diagnostics) {
    if replicas.get().is_empty() {
        let help = "leave the field out; `multi_region = true` makes a primary without replicas";
        found.push(check::invalid("`replicas` names no target", declared.at(replicas), "an empty list", help));
    }
    if let Some(wish) = raw.multi_region.as_ref().filter(|wish| !*wish.get()) {
        let diagnostic =
            family_error("a key with `replicas` is a multi-Region key", declared.at(wish), "says it is not");
        found.push(diagnostic.label(declared.at(replicas), "has replicas").help("leave `multi_region` out"));
    }
}

/// Returns the target of the primary: the only one of `targets`.
fn primary_of<'a>(
    declared: &'a Declared<RawKey>,
    raw: &'a RawKey,
    replicas: &List<String>,
    found: &mut Diagnostics,
) -> Option<Located<&'a str>> {
    let message = "a key with replicas has one primary";
    let help = "name the target of the primary alone in `targets`";
    match &raw.targets {
        None => {
            if !declared.suspect {
                let diagnostic = family_error(message, declared.at(replicas), "replicas of which?");
                found.push(diagnostic.label(declared.loc, "no `targets`, which means every target").help(help));
            }
            None
        }
        Some(list) => match list.get().as_slice() {
            [only] => Some(declared.text(only)),
            several => {
                if !several.is_empty() {
                    let label = format!("{} targets", several.len());
                    let diagnostic = family_error(message, declared.at(list), label);
                    found.push(diagnostic.label(declared.at(replicas), "their replicas").help(help));
                }
                None
            }
        },
    }
}

/// What the replicas of a key are checked against.
struct Members<'a, 'm> {
    declared: &'a Declared<RawKey>,
    targets: &'a Targets<'m>,
    primary: Option<Located<&'a str>>,
}

impl<'a, 'm> Members<'a, 'm> {
    /// Returns the replicas' targets, and reports those that cannot be ones.
    fn resolve(&self, replicas: &List<String>, found: &mut Diagnostics) -> Vec<&'a Target<'m>> {
        let primary = self.primary.and_then(|primary| self.targets.get(primary.value)?.as_ref());
        let mut members: Vec<(Loc, &Target<'_>)> =
            primary.iter().zip(&self.primary).map(|(target, written)| (written.loc, *target)).collect();
        let known = members.len();
        for written in replicas.get().iter().map(|written| self.declared.text(written)) {
            match self.targets.get(written.value) {
                None => found.push(check::unknown_name("target", &written, self.targets.keys())),
                Some(None) => {}
                Some(Some(target)) => {
                    if let Some(diagnostic) = unfit(&written, target, &members, primary) {
                        found.push(diagnostic);
                    } else {
                        members.push((written.loc, target));
                    }
                }
            }
        }
        members.into_iter().skip(known).map(|(_, target)| target).collect()
    }
}

/// Returns why a target cannot have a replica beside the other members of the family.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>
fn unfit(
    written: &Located<&str>,
    target: &Target<'_>,
    members: &[(Loc, &Target<'_>)],
    primary: Option<&Target<'_>>,
) -> Option<Diagnostic> {
    let name = text::escape(written.value);
    let region = &target.region;
    if let Some((loc, _)) = members.iter().find(|(_, member)| member.name == target.name) {
        let diagnostic = family_error(format!("target `{name}` has the key twice"), written.loc, "named again here");
        return Some(diagnostic.label(*loc, "first named here").help("keep one of the two"));
    }
    if let Some((loc, member)) = members.iter().find(|(_, member)| member.region == *region) {
        let message = format!("a family of multi-Region keys has one key in each Region, and two in {region}");
        let diagnostic = family_error(message, written.loc, format!("in {region}"));
        return Some(
            diagnostic.label(*loc, format!("`{}` is in {region} too", member.name)).help("keep one of the two"),
        );
    }
    let primary = primary?;
    let (ours, theirs) = (&target.values, &primary.values);
    let message = if ours.account != theirs.account {
        format!("a replica is in the account of its primary, {}, not in {}", theirs.account, ours.account)
    } else if ours.partition != theirs.partition {
        format!("a replica is in the partition of its primary, {}, not in {}", theirs.partition, ours.partition)
    } else {
        return None;
    };
    let diagnostic = family_error(message, written.loc, "cannot have a replica");
    Some(diagnostic.help("keys of another account or partition are keys of their own, under a name of their own"))
}
