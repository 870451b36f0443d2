//! Families of multi-Region keys: which live keys belong together, where replicas are made, and where the primary goes.

mod draft;
mod relatives;
mod settle;

pub(in crate::plan) use relatives::{Relative, Relatives};
pub(in crate::plan) use settle::{settle, unanswered};

use super::keys::import;
use super::scope::{self, ClaimAlias, Ownership, Refusal};
use super::{Claims, PlanInput};
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget, KeyLifecycle, Takeover, Topology};
use crate::ids::{AccountId, AliasName, KeyId, KeyName, Region, TargetName};
use crate::kms::{KeyState, Origin};
use crate::live::{KeyMetadata, LiveKey, LiveTarget, MultiRegionType};
use std::collections::{BTreeMap, BTreeSet};

/// A family that exists: one key id in several Regions.
#[derive(Debug)]
pub(in crate::plan) struct Kin<'a> {
    /// The id, which all of them share.
    id: KeyId,
    /// The name in the manifest.
    name: KeyName,
    /// The Region of the primary, where the server tells.
    primary: Option<Region>,
    /// Every Region that the server lists.
    regions: BTreeSet<Region>,
    /// Those that were read, by target.
    members: BTreeMap<TargetName, &'a LiveKey>,
}

/// How a replica comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Birth {
    /// By a step of the primary's target.
    From(TargetName),
    /// Not in this run: why, and what to do.
    Barred(String, String),
    /// Not yet, and nothing is amiss: why, and what to do.
    Waits(String, String),
}

/// Where the primary of a family goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Move {
    /// From one target to another.
    Between(TargetName, TargetName),
    /// Nowhere in this run, though the manifest wants it in this target: why, and what to do.
    Barred(TargetName, String, String),
}

/// A key of an account, whatever the Region.
type Name = (AccountId, KeyName);

/// All families of a manifest.
#[derive(Debug, Default)]
pub(in crate::plan) struct Families<'a> {
    kin: BTreeMap<Name, Kin<'a>>,
    births: BTreeMap<(TargetName, KeyName), Birth>,
    moves: BTreeMap<Name, Move>,
}

/// What a plan needs of its input to tell whose a key is.
#[derive(Clone, Copy)]
struct Looked<'a> {
    input: PlanInput<'a>,
    none: &'a Claims,
}

static NO_CLAIMS: Claims = Claims::new();

impl<'a> Looked<'a> {
    fn new(input: PlanInput<'a>) -> Self {
        Self { input, none: &NO_CLAIMS }
    }

    fn ownership(self, target: &DesiredTarget, key: &DesiredKey, live: &'a LiveTarget) -> Ownership<'a> {
        let claims = self.input.claims.get(&target.name).unwrap_or(self.none);
        scope::ownership(self.input.desired, target, key, live, claims)
    }

    /// Returns what a target holds, if that was read.
    fn live(self, target: &TargetName) -> Option<&'a LiveTarget> {
        let unread = |live: &&LiveTarget| !live.unreadable.iter().any(|item| item.action == "kms:ListAliases");
        self.input.targets.get(target).filter(unread)
    }

    fn target(self, name: &TargetName) -> Option<&'a DesiredTarget> {
        self.input.desired.targets.iter().find(|target| target.name == *name)
    }

    fn of_account(self, account: &'a AccountId) -> impl Iterator<Item = (&'a DesiredTarget, &'a LiveTarget)> {
        let targets = self.input.desired.targets.iter().filter(move |target| target.account == *account);
        targets.filter_map(move |target| Some((target, self.live(&target.name)?)))
    }

    /// A key that no target holds may yet be one whose ownership is unclear in another Region: a second family is never
    /// made in doubt.
    fn unclear(self, target: &'a DesiredTarget, key: &DesiredKey) -> Option<Birth> {
        let claim = AliasName::claim(&self.input.desired.stack, &key.name);
        let tags = [(TAG_STACK, self.input.desired.stack.as_str()), (TAG_KEY, key.name.as_str())];
        let doubtful = |(at, live): &(&DesiredTarget, &LiveTarget)| {
            let Ownership::Refused(refusal) = self.ownership(at, key, live) else { return false };
            let claimed = live.aliases.get(&claim).cloned().flatten();
            let named = |live: &&LiveKey| {
                let tagged = live.tags.known().is_some_and(|found| {
                    tags.iter().all(|(tag, value)| found.get(*tag).is_some_and(|found| found == value))
                });
                tagged || claimed == Some(live.arn.key_id())
            };
            let in_many = |live: &LiveKey| live.metadata.known().is_none_or(|metadata| metadata.multi_region);
            !matches!(refusal, Refusal::ForeignOwner { .. }) && live.keys.iter().filter(named).any(in_many)
        };
        let (at, _) = self.of_account(&target.account).filter(|(at, _)| at.name != target.name).find(doubtful)?;
        let why = format!("target `{}` has a multi-Region key of this name, and whose it is cannot be told", at.name);
        let help = "restore its claim alias and tags, or remove them; then plan again".to_owned();
        Some(Birth::Barred(format!("no second family is made: {why}"), help))
    }

    fn wants(self, key: &KeyName) -> bool {
        self.input.options.only_keys.as_ref().is_none_or(|only| only.contains(key))
    }

    /// Returns the keys of families that are planned, each with its target.
    fn keys(self) -> impl Iterator<Item = (&'a DesiredTarget, &'a DesiredKey)> {
        let of = |target: &'a DesiredTarget| target.keys.iter().map(move |key| (target, key));
        let keys = self.input.desired.targets.iter().flat_map(of);
        keys.filter(move |(_, key)| key.topology != Topology::Single && self.wants(&key.name))
    }
}

/// Finds the families of a manifest, as far as they exist: without what is to become of them.
pub(in crate::plan) fn find(input: PlanInput<'_>) -> Families<'_> {
    let looked = Looked::new(input);
    let mut families = Families::default();
    // The manifest's primary decides which key the family is.
    for is_primary in [true, false] {
        let keys = looked.keys().filter(|(_, key)| matches!(key.topology, Topology::Primary { .. }) == is_primary);
        for (target, key) in keys {
            let name = (target.account.clone(), key.name.clone());
            if let std::collections::btree_map::Entry::Vacant(free) = families.kin.entry(name)
                && let Some(kin) = kin(looked, target, key)
            {
                free.insert(kin);
            }
        }
    }
    families
}

/// Returns the family of the key that a target holds, or else another target of the account.
fn kin<'a>(looked: Looked<'a>, target: &'a DesiredTarget, key: &DesiredKey) -> Option<Kin<'a>> {
    let own = |(target, live): (&DesiredTarget, &'a LiveTarget)| match looked.ownership(target, key, live) {
        Ownership::Ours { key: found, .. } => {
            let metadata = found.metadata.known().filter(|metadata| metadata.multi_region)?;
            Some((found, metadata))
        }
        Ownership::Absent | Ownership::Refused(_) => None,
    };
    let here = looked.live(&target.name).and_then(|live| own((target, live)));
    let (found, metadata) = here.or_else(|| looked.of_account(&target.account).find_map(own))?;
    let id = found.arn.key_id();
    let is_member = |(target, live): (&DesiredTarget, &'a LiveTarget)| {
        let key = live.key(&id).filter(|key| key.arn.region() == target.region)?;
        Some((target.name.clone(), key))
    };
    let members: BTreeMap<_, _> = looked.of_account(&target.account).filter_map(is_member).collect();
    let mut regions = metadata.replica_regions.clone();
    regions.extend(metadata.primary_region.clone());
    regions.extend(members.values().map(|key| key.arn.region().clone()));
    Some(Kin { id, name: key.name.clone(), primary: metadata.primary_region.clone(), regions, members })
}

impl<'a> Kin<'a> {
    /// Returns the target that holds the primary, if it was read.
    fn primary_target(&self, looked: Looked<'a>) -> Option<&'a DesiredTarget> {
        let holds = |key: &LiveKey| key.metadata.known().is_some_and(is_primary);
        let targets = || self.members.iter().filter(|(_, key)| holds(key)).filter_map(|(name, _)| looked.target(name));
        // Two targets may share a Region: the one that declares the key plans it.
        let declares = |target: &&DesiredTarget| target.keys.iter().any(|key| key.name == self.name);
        targets().find(declares).or_else(|| targets().next())
    }
}

/// Whether a key is the primary; where the server does not tell, there is nothing to say against it.
fn is_primary(metadata: &KeyMetadata) -> bool {
    metadata.multi_region_type.map_or(metadata.multi_region, |kind| kind == MultiRegionType::Primary)
}

/// Returns the desired state with the replicas that the manifest no longer names, each as a retired key of its target;
/// `None` where there is none.
pub(in crate::plan) fn with_dropped(input: PlanInput<'_>, families: &Families<'_>) -> Option<DesiredState> {
    let looked = Looked::new(input);
    let mut dropped: Vec<(TargetName, DesiredKey)> = Vec::new();
    for (target, key) in looked.keys() {
        let Topology::Primary { replicas } = &key.topology else { continue };
        let Some(kin) = families.kin.get(&(target.account.clone(), key.name.clone())) else { continue };
        let wanted = |region: &Region| target.region == *region || replicas.values().any(|wanted| wanted == region);
        let holds =
            |name: &TargetName| looked.target(name).is_some_and(|at| at.keys.iter().any(|k| k.name == key.name));
        let members = kin.members.iter().filter(|(name, live)| {
            let pending = live.metadata.known().is_some_and(|metadata| metadata.state.is_pending_deletion());
            !wanted(&live.arn.region()) && !holds(name) && !pending
        });
        for (name, live) in members {
            if let Some(at) = looked.live(name) {
                dropped.push((name.clone(), retired(key, target, live, at)));
            }
        }
    }
    if dropped.is_empty() {
        return None;
    }
    let mut desired = input.desired.clone();
    for (name, key) in dropped {
        if let Some(target) = desired.targets.iter_mut().find(|target| target.name == name) {
            let declared = |alias: &AliasName| {
                target.keys.iter().flat_map(|key| &key.aliases).any(|declared| declared.value == *alias)
            };
            let aliases = key.aliases.iter().filter(|alias| !declared(&alias.value)).cloned().collect();
            target.keys.push(DesiredKey { aliases, ..key });
            target.keys.sort_by(|one, other| one.name.cmp(&other.name));
        }
    }
    Some(desired)
}

/// Returns what becomes of a replica that is not named any more: as the others, at rest, with the aliases that it has.
fn retired(key: &DesiredKey, primary: &DesiredTarget, live: &LiveKey, at: &LiveTarget) -> DesiredKey {
    let id = live.arn.key_id();
    let has = |alias: &AliasName| at.aliases.get(alias) == Some(&Some(id.clone()));
    DesiredKey {
        topology: Topology::Replica { primary: primary.name.clone(), region: primary.region.clone() },
        lifecycle: KeyLifecycle::Retired,
        aliases: key.aliases.iter().filter(|alias| has(&alias.value)).cloned().collect(),
        remove_aliases: BTreeSet::new(),
        takeover: Takeover::Never,
        moved_from: None,
        adopt: None,
        ..key.clone()
    }
}

/// Decides which replicas are made, from where, and where the primary goes.
pub(in crate::plan) fn decide<'a>(input: PlanInput<'a>, mut families: Families<'a>) -> Families<'a> {
    let looked = Looked::new(input);
    for (target, key) in looked.keys().filter(|(_, key)| key.lifecycle != KeyLifecycle::Retired) {
        let Some(live) = looked.live(&target.name) else { continue };
        let kin = families.kin(target, key);
        if !matches!(families.ownership(input, target, key, live), Ownership::Absent) {
            continue;
        }
        let is_replica = matches!(key.topology, Topology::Replica { .. });
        let birth = match kin {
            Some(kin) => {
                Some(kin.members.get(&target.name).map_or_else(|| of_live(looked, kin), |member| taken(member)))
            }
            None if is_replica => Some(of_planned(looked, key)),
            None => looked.unclear(target, key),
        };
        families.births.extend(birth.map(|birth| ((target.name.clone(), key.name.clone()), birth)));
    }
    for (target, key) in looked.keys().filter(|(_, key)| matches!(key.topology, Topology::Primary { .. })) {
        let moved = families.kin(target, key).and_then(|kin| of_primary(looked, (target, key), kin, &families));
        families.moves.extend(moved.map(|moved| ((target.account.clone(), key.name.clone()), moved)));
    }
    families
}

/// The Region has a key of the family that is not ours to touch: KMS makes no second one there.
fn taken(member: &LiveKey) -> Birth {
    let metadata = member.metadata.known().filter(|metadata| metadata.state.is_pending_deletion());
    let when = metadata.and_then(|metadata| metadata.deletion).map(|at| format!(" at {at}")).unwrap_or_default();
    let (why, help) = if metadata.is_some() {
        let help = "wait until it is gone, or cancel its deletion: aws kms cancel-key-deletion";
        (format!("which waits to be deleted{when}; until then KMS makes no other there"), help)
    } else {
        ("which carries the tags of another stack or manifest".to_owned(), "look whose it is, and correct its tags")
    };
    Birth::Barred(format!("the Region has `{}` already, {why}", member.arn), help.to_owned())
}

/// How a replica of a key that exists is made.
fn of_live(looked: Looked<'_>, kin: &Kin<'_>) -> Birth {
    if let Some(waits) = without_material(looked, kin) {
        return waits;
    }
    match source(looked, kin) {
        Ok(from) => Birth::From(from),
        Err((why, help)) => Birth::Barred(format!("the replica cannot be made: {why}"), help),
    }
}

/// KMS replicates no key that waits for its material, and is not to get it in this run.
fn without_material(looked: Looked<'_>, kin: &Kin<'_>) -> Option<Birth> {
    let target = kin.primary_target(looked)?;
    let live = *kin.members.get(&target.name)?;
    let waits = live.metadata.known().is_some_and(|metadata| metadata.state == KeyState::PendingImport);
    (waits && !gets_material(looked, target, &kin.name, live)).then(|| waits_for_material(&target.name))
}

fn gets_material(looked: Looked<'_>, target: &DesiredTarget, name: &KeyName, live: &LiveKey) -> bool {
    let declared = target.keys.iter().find(|key| key.name == *name);
    declared.is_some_and(|key| import::brings_to_life(looked.input.options, key, Some(live)))
}

fn waits_for_material(primary: &TargetName) -> Birth {
    Birth::Waits(
        format!(
            "the replica waits: its primary in target `{primary}` has no material, and KMS replicates only what is enabled"
        ),
        format!("import the material of the key in target `{primary}`, then plan again"),
    )
}

/// Returns the target of the primary, if KMS replicates it and moves it now.
fn source(looked: Looked<'_>, kin: &Kin<'_>) -> Result<TargetName, (String, String)> {
    let Some(target) = kin.primary_target(looked) else {
        let place = kin.primary.as_ref().map_or_else(|| "a Region".to_owned(), Region::to_string);
        let why = format!("its primary `{}` is in {place}, which no target that was read covers", kin.id);
        return Err((why, "plan with the target of that Region, or declare one".to_owned()));
    };
    let state = kin.members.get(&target.name).and_then(|key| key.metadata.known()).map(|metadata| metadata.state);
    let declared = target.keys.iter().find(|key| key.name == kin.name);
    match state {
        Some(KeyState::Enabled) => Ok(target.name.clone()),
        Some(KeyState::Disabled) if declared.is_some_and(|key| key.lifecycle == KeyLifecycle::Enabled) => {
            Ok(target.name.clone())
        }
        Some(KeyState::PendingImport)
            if kin.members.get(&target.name).is_some_and(|live| gets_material(looked, target, &kin.name, live)) =>
        {
            Ok(target.name.clone())
        }
        Some(KeyState::Creating | KeyState::Updating) => Err((
            format!("KMS is still working on its primary in target `{}`", target.name),
            "plan again in some minutes".to_owned(),
        )),
        state => Err((
            format!(
                "its primary in target `{}` is {}, and KMS replicates and moves only what is enabled",
                target.name,
                state.map_or("unreadable".to_owned(), |state| state.to_string())
            ),
            "set `state = \"enabled\"` on the key, apply, and disable it again when all Regions have it".to_owned(),
        )),
    }
}

/// How a replica is made of a primary that this plan makes.
fn of_planned(looked: Looked<'_>, key: &DesiredKey) -> Birth {
    let Topology::Replica { primary, .. } = &key.topology else {
        return Birth::Barred("the key is no replica".to_owned(), "report this with the plan as JSON".to_owned());
    };
    let barred = |why: &str, help: String| Birth::Barred(format!("the replica cannot be made: {why}"), help);
    let Some(target) = looked.target(primary) else {
        let why = format!("target `{primary}`, which has its primary, is not part of this run");
        return barred(&why, format!("plan without --target, or with --target {primary} too"));
    };
    let Some(live) = looked.live(primary) else {
        let why = format!("target `{primary}`, which has its primary, could not be read");
        return barred(&why, format!("mend target `{primary}` first"));
    };
    let declared = target.keys.iter().find(|declared| declared.name == key.name);
    match declared.map(|declared| looked.ownership(target, declared, live)) {
        Some(Ownership::Absent) => {
            let lively = |key: &&DesiredKey| {
                key.origin() != Origin::External || import::brings_to_life(looked.input.options, key, None)
            };
            declared.filter(lively).map_or_else(|| waits_for_material(primary), |_| Birth::From(primary.clone()))
        }
        Some(Ownership::Ours { .. }) => barred(
            &format!("the key in target `{primary}` is no multi-Region key"),
            "a key never becomes one: declare a new multi-Region key under another name".to_owned(),
        ),
        Some(Ownership::Refused(_)) | None => {
            barred(&format!("its primary in target `{primary}` is blocked"), format!("mend target `{primary}` first"))
        }
    }
}

/// Where the primary goes, if it is not where the manifest wants it.
fn of_primary<'a>(
    looked: Looked<'a>,
    (target, key): (&DesiredTarget, &DesiredKey),
    kin: &Kin<'a>,
    families: &Families<'a>,
) -> Option<Move> {
    looked.live(&target.name)?;
    let is_there = kin.primary_target(looked).is_some_and(|at| at.name == target.name);
    if is_there || key.lifecycle == KeyLifecycle::Retired || kin.primary.as_ref() == Some(&target.region) {
        return None;
    }
    match (source(looked, kin), families.birth(target, key)) {
        (_, Some(Birth::Barred(..) | Birth::Waits(..))) => None,
        (Ok(from), Some(Birth::From(_)) | None) => Some(Move::Between(from, target.name.clone())),
        (Err((why, help)), Some(Birth::From(_)) | None) => {
            Some(Move::Barred(target.name.clone(), format!("the primary cannot move here: {why}"), help))
        }
    }
}

impl<'a> Families<'a> {
    /// Returns the family of a key, if it exists.
    pub(in crate::plan) fn kin(&self, target: &DesiredTarget, key: &DesiredKey) -> Option<&Kin<'a>> {
        self.kin.get(&(target.account.clone(), key.name.clone())).filter(|_| key.topology != Topology::Single)
    }

    fn birth(&self, target: &DesiredTarget, key: &DesiredKey) -> Option<&Birth> {
        self.births.get(&(target.name.clone(), key.name.clone()))
    }

    fn moved(&self, target: &DesiredTarget, key: &DesiredKey) -> Option<&Move> {
        self.moves.get(&(target.account.clone(), key.name.clone())).filter(|_| key.topology != Topology::Single)
    }

    /// Decides which live key a declared key is. A key of our family is ours without its claim alias too: the run that
    /// replicated it was interrupted, on whatever machine.
    pub(in crate::plan) fn ownership(
        &self,
        input: PlanInput<'a>,
        target: &DesiredTarget,
        key: &DesiredKey,
        live: &'a LiveTarget,
    ) -> Ownership<'a> {
        let ownership = Looked::new(input).ownership(target, key, live);
        let unclaimed = matches!(ownership, Ownership::Absent | Ownership::Refused(Refusal::TagsWithoutAlias { .. }));
        let Some(member) = self.kin(target, key).and_then(|kin| kin.members.get(&target.name)) else {
            return ownership;
        };
        let pending = member.metadata.known().is_some_and(|metadata| metadata.state.is_pending_deletion());
        if !unclaimed || pending || is_of_others(input.desired, member) {
            return ownership;
        }
        Ownership::Ours { key: member, claim: ClaimAlias::Missing }
    }
}

/// Whether a key carries the tags of somebody else.
fn is_of_others(desired: &DesiredState, key: &LiveKey) -> bool {
    let Some(tags) = key.tags.known() else { return true };
    let other = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found != value);
    other(TAG_STACK, desired.stack.as_str()) || other(TAG_OWNER, desired.owner.as_str())
}
