//! Compares the keys of two snapshots, pair by pair.

use super::material::{import_properties, material_changes};
use super::model::{KeyDifference, MaterialChange, PolicyRelation, Presence, PropertyDifference};
use crate::access::{GrantFacts, KeyFacts};
use crate::desired::tags::TAG_CLAIM;
use crate::ids::{KeyArn, KeyName, TargetName};
use crate::policy::{Condition, ConditionValue, PolicyDocument};
use crate::review::{AccessChange, AccessLine, ReviewInput, access_change};
use crate::snapshot::{KeySnapshot, Origin, Property, ROTATES, RamPolicy, Snapshot, TargetSnapshot};
use crate::{text, world};
use std::collections::{BTreeMap, BTreeSet};

/// A key on one side.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    target: &'a TargetSnapshot,
    key: &'a KeySnapshot,
    origin: Origin,
}

/// A key of the old snapshot and what it is in the new one.
#[derive(Debug, Clone, Copy)]
pub struct KeyPair<'a> {
    old: Option<Placed<'a>>,
    /// The new one, else the old one.
    shown: Placed<'a>,
    new: Option<Placed<'a>>,
    /// Where the new side comes from, even where it lacks the key.
    new_origin: Origin,
}

/// Compares pairs one after the other.
pub fn in_order(pairs: &[KeyPair<'_>]) -> Vec<KeyDifference> {
    pairs.iter().map(KeyPair::compare).collect()
}

/// Returns the pairs of keys: by target and name, else those of a name that left one target for another.
pub(super) fn pairs<'a>(old: &'a Snapshot, new: &'a Snapshot) -> Vec<KeyPair<'a>> {
    let before = placed(old);
    let after = placed(new);
    let names: BTreeSet<&(&TargetName, &KeyName)> = before.keys().chain(after.keys()).collect();
    let moved = moves(&before, &after);
    let left: BTreeSet<(&TargetName, &KeyName)> = moved.values().copied().collect();
    let mut pairs = Vec::new();
    for place in names {
        let from = moved.get(place).copied().unwrap_or(*place);
        let (one, other) = (before.get(&from).copied(), after.get(place).copied());
        if left.contains(place) {
            continue;
        }
        if let Some(shown) = other.or(one) {
            pairs.push(KeyPair { old: one, shown, new: other, new_origin: new.origin });
        }
    }
    pairs
}

type Places<'a> = BTreeMap<(&'a TargetName, &'a KeyName), Placed<'a>>;

fn placed(snapshot: &Snapshot) -> Places<'_> {
    let mut places = Places::new();
    for target in &snapshot.targets {
        for key in &target.keys {
            places.insert((&target.name, &key.name), Placed { target, key, origin: snapshot.origin });
        }
    }
    places
}

/// Returns where keys were that are in another target now: those whose name one target lost and one other gained.
fn moves<'a>(
    before: &Places<'a>,
    after: &Places<'a>,
) -> BTreeMap<(&'a TargetName, &'a KeyName), (&'a TargetName, &'a KeyName)> {
    let lost: Vec<_> = before.keys().filter(|place| !after.contains_key(*place)).copied().collect();
    let won: Vec<_> = after.keys().filter(|place| !before.contains_key(*place)).copied().collect();
    let alone = |places: &[(&TargetName, &KeyName)], name: &KeyName| {
        places.iter().filter(|(_, other)| *other == name).count() == 1
    };
    let mut moves = BTreeMap::new();
    for place in &won {
        let from = lost.iter().find(|(_, name)| *name == place.1);
        if let Some(from) = from.filter(|_| alone(&lost, place.1) && alone(&won, place.1)) {
            moves.insert(*place, *from);
        }
    }
    moves
}

impl KeyPair<'_> {
    /// Returns the target in which the key is shown.
    pub fn target(&self) -> &TargetName {
        &self.shown.target.name
    }

    /// Compares the two sides.
    pub fn compare(&self) -> KeyDifference {
        let mut found = KeyDifference {
            key: self.shown.key.name.clone(),
            presence: self.presence(),
            access: AccessChange::default(),
            gave: Vec::new(),
            policy: PolicyRelation::Same,
            properties: Vec::new(),
            material: Vec::new(),
            undecided: self.undecided(),
            position: self.shown.key.position.clone().or_else(|| self.old?.key.position.clone()),
        };
        match (self.old, self.new) {
            (Some(old), Some(new)) => {
                found.properties = properties(old, new);
                found.material = self.material(old, new);
                self.compare_access(old, new, &mut found);
            }
            (None, Some(new)) => {
                found.properties = born(new);
                found.access.gains = self.everything(new);
            }
            (Some(old), None) => {
                let lines = self.everything(old);
                // A declaration that is gone leaves the key and its policy as they are.
                match self.new_origin {
                    Origin::Manifest => found.gave = unproved(lines),
                    Origin::Live => found.access.losses = unproved(lines),
                }
            }
            (None, None) => {}
        }
        found
    }

    fn presence(&self) -> Presence {
        match (self.old, self.new) {
            (Some(old), Some(new)) if old.target.name != new.target.name => {
                Presence::MovedFrom(old.target.name.clone())
            }
            (Some(_), Some(_)) => Presence::Both,
            (None, _) => Presence::Added,
            (Some(_), None) => Presence::Removed,
        }
    }

    /// Returns what becomes of a change of the declared material, of a key that stays where it is.
    fn material(&self, old: Placed<'_>, new: Placed<'_>) -> Vec<MaterialChange> {
        let spec = new.key.properties.get(&Property::Spec);
        let stays = self.presence() == Presence::Both && old.key.properties.get(&Property::Spec) == spec;
        match (&old.key.import, &new.key.import, spec) {
            (Some(before), Some(after), Some(spec)) if stays => material_changes(before, after, spec),
            (Some(_) | None, Some(_) | None, Some(_) | None) => Vec::new(),
        }
    }

    /// Returns the access that a key gives by itself.
    fn everything(&self, side: Placed<'_>) -> Vec<AccessLine> {
        let Some(facts) = self.facts(side, side, Grants::own(side)) else { return Vec::new() };
        let change =
            access_change(ReviewInput { key: &side.key.name, before: None, after: &facts, names: &side.target.names });
        change.gains
    }

    fn compare_access(&self, old: Placed<'_>, new: Placed<'_>, found: &mut KeyDifference) {
        let (grants_before, grants_after) = Grants::compared(old, new);
        let before = self.facts(old, new, grants_before);
        let after = self.facts(new, old, grants_after);
        let (Some(before), Some(after)) = (before, after) else { return };
        if same_access(&before, &after) {
            return;
        }
        found.policy = PolicyRelation::Differs;
        let mut names = old.target.names.clone();
        names.extend(new.target.names.clone());
        found.access =
            access_change(ReviewInput { key: &new.key.name, before: Some(&before), after: &after, names: &names });
        let looked_at = attributes_that_decide(&before, &after);
        if !looked_at.is_empty() {
            let what = text::and_list(&looked_at);
            found.undecided.push(format!("{what} differ, and conditions of the key policy look at them"));
        }
    }

    /// Returns the facts of a key, in the place of the new side; `None` where its policy was not read. A key that
    /// does not exist goes by the ARN of the other side.
    fn facts(&self, side: Placed<'_>, other: Placed<'_>, grants: Grants) -> Option<KeyFacts> {
        let policy = side.key.policy.clone()?;
        let place = self.shown.target;
        let arn: Option<&KeyArn> = side.key.arn.as_ref().or(other.key.arn.as_ref());
        let arn = arn.cloned().unwrap_or_else(|| world::planned_arn(&place.account, &place.region));
        let mut facts = KeyFacts::new(arn.to_string(), arn.account(), arn.region(), policy);
        facts.grants = grants.grants;
        facts.ram_policy = grants.ram_policy;
        let aliases = side.key.aliases.as_ref().or(other.key.aliases.as_ref());
        facts.aliases = aliases.into_iter().flatten().map(ToString::to_string).collect();
        facts.tags = side.key.tags.clone().or_else(|| other.key.tags.clone()).unwrap_or_default();
        let property = |property| side.key.properties.get(&property).or(other.key.properties.get(&property));
        for (name, fact) in [
            (Property::Spec, &mut facts.key_spec),
            (Property::Usage, &mut facts.key_usage),
            (Property::Material, &mut facts.key_origin),
        ] {
            if let Some(text) = property(name) {
                fact.clone_from(text);
            }
        }
        facts.multi_region = property(Property::MultiRegion).is_some_and(|text| text == "yes");
        Some(facts)
    }

    /// Returns what was not read of either side, in words.
    fn undecided(&self) -> Vec<String> {
        let sides = [("before", self.old), ("after", self.new)];
        let both = self.old.is_some() && self.new.is_some();
        let mut words = Vec::new();
        for (when, side) in sides {
            for item in side.iter().flat_map(|side| &side.key.unreadable) {
                let when = if both { format!(" {when}") } else { String::new() };
                words.push(format!("{}{when}: {} was denied", item.what, item.action));
            }
        }
        words
    }
}

/// A request proves a gain, and these are none.
fn unproved(lines: Vec<AccessLine>) -> Vec<AccessLine> {
    lines.into_iter().map(|line| AccessLine { witness: None, ..line }).collect()
}

/// The grants and the shared policy that count on one side.
struct Grants {
    grants: Vec<GrantFacts>,
    ram_policy: Option<PolicyDocument>,
}

impl Grants {
    fn own(side: Placed<'_>) -> Self {
        Self { grants: grants(side.key), ram_policy: side.key.ram_policy.document().cloned() }
    }

    /// Returns those of the two sides of a key. What a manifest does not manage stays as it was when it is the new
    /// side, and is not there when it is the old one; what was not read is taken to be as on the other side.
    fn compared(old: Placed<'_>, new: Placed<'_>) -> (Self, Self) {
        let (mut before, mut after) = (Self::own(old), Self::own(new));
        if new.key.grants.is_none() {
            after.grants.clone_from(&before.grants);
        } else if old.key.grants.is_none() && old.origin == Origin::Live {
            before.grants.clone_from(&after.grants);
        }
        if new.key.ram_policy == RamPolicy::NotRead {
            after.ram_policy.clone_from(&before.ram_policy);
        } else if old.key.ram_policy == RamPolicy::NotRead && old.origin == Origin::Live {
            before.ram_policy.clone_from(&after.ram_policy);
        }
        (before, after)
    }
}

fn grants(key: &KeySnapshot) -> Vec<GrantFacts> {
    key.grants.iter().flatten().map(|grant| grant.facts.clone()).collect()
}

/// Returns whether two states of a key provably allow the same.
fn same_access(before: &KeyFacts, after: &KeyFacts) -> bool {
    let ram = match (&before.ram_policy, &after.ram_policy) {
        (None, None) => true,
        (Some(one), Some(other)) => one.same_permissions(other),
        (None, Some(_)) | (Some(_), None) => false,
    };
    ram && before.policy.same_permissions(&after.policy)
        && same_grants(&before.grants, &after.grants)
        && attributes_that_decide(before, after).is_empty()
}

/// Grants have no order, and their ids change nothing.
fn same_grants(before: &[GrantFacts], after: &[GrantFacts]) -> bool {
    let covered = |one: &[GrantFacts], other: &[GrantFacts]| {
        one.iter().all(|grant| {
            other.iter().any(|candidate| GrantFacts { grant_id: grant.grant_id.clone(), ..candidate.clone() } == *grant)
        })
    };
    covered(before, after) && covered(after, before)
}

/// Returns which attributes of the key differ that conditions of its policy look at.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/abac.html>
fn attributes_that_decide(before: &KeyFacts, after: &KeyFacts) -> Vec<&'static str> {
    let conditions = || {
        let documents = [&before.policy, &after.policy].into_iter();
        documents.flat_map(|policy| &policy.statements).flat_map(|statement| &statement.conditions)
    };
    let by_tag = |condition: &Condition| {
        let prefix = "aws:resourcetag/";
        let key = condition.key.to_ascii_lowercase();
        let named = key.strip_prefix(prefix).is_some_and(|tag| tag_value(before, tag) != tag_value(after, tag));
        let variable = |value: &ConditionValue| value.as_text().to_ascii_lowercase().contains("${aws:resourcetag/");
        named || (before.tags != after.tags && condition.values.iter().any(variable))
    };
    let by_alias = |condition: &Condition| condition.key.eq_ignore_ascii_case("kms:ResourceAliases");
    let mut found = Vec::new();
    if conditions().any(by_tag) {
        found.push("its tags");
    }
    if before.aliases != after.aliases && conditions().any(by_alias) {
        found.push("its aliases");
    }
    found
}

/// Returns the value of a tag whose name a condition gives in whatever case.
fn tag_value<'f>(key: &'f KeyFacts, tag: &str) -> Option<&'f String> {
    key.tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(tag)).map(|(_, value)| value)
}

/// Returns what differs besides access.
fn properties(old: Placed<'_>, new: Placed<'_>) -> Vec<PropertyDifference> {
    let mut found = Vec::new();
    if let (Some(before), Some(after)) = (&old.key.arn, &new.key.arn)
        && before != after
    {
        found.push(change("key", Some(before.key_id().to_string()), Some(after.key_id().to_string())));
    }
    let comparable = comparable(old.origin, new.origin);
    found.extend(property_changes(&old.key.properties, &new.key.properties, comparable));
    if comparable == Lacking::Undeclared {
        found.extend(import_properties(old.key.import.as_ref(), new.key.import.as_ref()));
    }
    if let (Some(before), Some(after)) = (&old.key.aliases, &new.key.aliases) {
        found.extend(before.difference(after).map(|alias| change("alias", Some(alias.to_string()), None)));
        found.extend(after.difference(before).map(|alias| change("alias", None, Some(alias.to_string()))));
    }
    if let (Some(before), Some(after)) = (&old.key.tags, &new.key.tags) {
        found.extend(tag_changes(before, after));
    }
    found
}

/// Whether a property that one side lacks is one that it does not declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacking {
    /// It is: both sides are of a kind.
    Undeclared,
    /// It is one that such a side never has.
    Incomparable,
}

/// Manifests say what live state does not know, and the reverse.
pub(super) fn comparable(old: Origin, new: Origin) -> Lacking {
    if old == new && new == Origin::Manifest { Lacking::Undeclared } else { Lacking::Incomparable }
}

pub(super) fn property_changes(
    before: &BTreeMap<Property, String>,
    after: &BTreeMap<Property, String>,
    lacking: Lacking,
) -> Vec<PropertyDifference> {
    let differs = |property: &&Property| match (before.get(property), after.get(property)) {
        (Some(one), Some(other)) => !same_value(**property, one, other),
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => lacking == Lacking::Undeclared,
    };
    let shown =
        |property: &Property| change(property.name(), before.get(property).cloned(), after.get(property).cloned());
    Property::ALL.iter().filter(differs).map(shown).collect()
}

/// A server that does not tell the period of a rotation agrees with every period.
fn same_value(property: Property, one: &str, other: &str) -> bool {
    let open = |text: &str, other: &str| text == ROTATES && other.starts_with("every ");
    one == other || (property == Property::Rotation && (open(one, other) || open(other, one)))
}

pub(super) fn change(property: &str, before: Option<String>, after: Option<String>) -> PropertyDifference {
    PropertyDifference { property: property.to_owned(), before, after }
}

/// Tags of AWS, and the claim of a run, are not declared by anybody.
pub(super) fn tag_changes(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<PropertyDifference> {
    let tags: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    tags.into_iter()
        .filter(|tag| *tag != TAG_CLAIM && !tag.starts_with("aws:") && before.get(*tag) != after.get(*tag))
        .map(|tag| change(&format!("tag {tag}"), before.get(tag).cloned(), after.get(tag).cloned()))
        .collect()
}

/// Returns what is worth saying of a new key: what is not the same for every key.
fn born(new: Placed<'_>) -> Vec<PropertyDifference> {
    let telling = [Property::Class, Property::State, Property::Rotation, Property::Description, Property::Delegation];
    let value = |property: &Property| {
        let text = new.key.properties.get(property).filter(|text| !text.is_empty())?;
        (text != "enabled").then(|| change(property.name(), None, Some(text.clone())))
    };
    let imported = import_properties(None, new.key.import.as_ref());
    telling.iter().filter_map(value).chain(imported).collect()
}
