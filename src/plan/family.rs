//! Families of multi-Region keys: which live keys belong together, where replicas are made, and where the primary goes.

use super::draft::{Awaited, Draft, Sheet};
use super::keys::KeyGoal;
use super::scope::{self, ClaimAlias, Ownership, Refusal};
use super::{Action, Claims, Finding, KeyRef, Outcome, Owner, Plan, PlanInput, Step, StepId, TargetPlan, Why};
use crate::desired::tags::{TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget, KeyLifecycle, Takeover, Topology};
use crate::diag::{Code, Severity};
use crate::ids::{AccountId, AliasName, KeyId, KeyName, Region, TargetName};
use crate::kms::KeyState;
use crate::live::{KeyMetadata, LiveKey, LiveRotation, LiveTarget, MultiRegionType};
use crate::synth;
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
pub(in crate::plan) fn find<'a>(input: PlanInput<'a>) -> Families<'a> {
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
            let pending = live.metadata.known().is_some_and(|metadata| is_pending(metadata.state));
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

fn is_pending(state: KeyState) -> bool {
    matches!(state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)
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
            Some(kin) => Some(of_live(looked, kin)),
            None if is_replica => Some(of_planned(looked, key)),
            None => None,
        };
        families.births.extend(birth.map(|birth| ((target.name.clone(), key.name.clone()), birth)));
    }
    for (target, key) in looked.keys().filter(|(_, key)| matches!(key.topology, Topology::Primary { .. })) {
        let moved = families.kin(target, key).and_then(|kin| of_primary(looked, (target, key), kin, &families));
        families.moves.extend(moved.map(|moved| ((target.account.clone(), key.name.clone()), moved)));
    }
    families
}

/// How a replica of a key that exists is made.
fn of_live(looked: Looked<'_>, kin: &Kin<'_>) -> Birth {
    match source(looked, kin) {
        Ok(from) => Birth::From(from),
        Err((why, help)) => Birth::Barred(format!("the replica cannot be made: {why}"), help),
    }
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
        Some(Ownership::Absent) => Birth::From(primary.clone()),
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
        (_, Some(Birth::Barred(..))) => None,
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
        let pending = member.metadata.known().is_some_and(|metadata| is_pending(metadata.state));
        if !unclaimed || pending || is_of_others(input.desired, member) {
            return ownership;
        }
        Ownership::Ours { key: *member, claim: ClaimAlias::Missing }
    }

    /// Whether a key is another one than that of its family, which is said then.
    pub(in crate::plan) fn is_stranger(
        &self,
        (target, key): (&DesiredTarget, &DesiredKey),
        found: &LiveKey,
        sheet: &mut Sheet<'_>,
    ) -> bool {
        let Some(kin) = self.kin(target, key).filter(|kin| kin.id != found.arn.key_id()) else { return false };
        sheet.block(
            Code::ReplicaMismatch,
            format!("`{}` carries the name of this key, and is no part of the family of `{}`", found.arn, kin.id),
            "declare it under a name of its own (`moved_from` keeps it), then plan again",
        );
        true
    }

    /// Drafts a replica that is not there yet; `false` where the key is none.
    pub(in crate::plan) fn draft_birth(
        &self,
        target: &DesiredTarget,
        (goal, live): (&KeyGoal<'_>, &LiveTarget),
        sheet: &mut Sheet<'_>,
    ) -> bool {
        match self.birth(target, goal.key) {
            None => false,
            Some(Birth::Barred(why, help)) => {
                sheet.block(Code::ReplicaWaits, why.clone(), help.clone());
                true
            }
            Some(Birth::From(_)) => {
                let rotation =
                    matches!(goal.key.topology, Topology::Primary { .. }).then(|| self.rotation(target, goal));
                super::keys::replica(goal, rotation.flatten(), live, sheet);
                true
            }
        }
    }

    /// Whether a replica is barred: nothing of it will be.
    pub(in crate::plan) fn is_barred(&self, target: &DesiredTarget, key: &DesiredKey) -> bool {
        matches!(self.birth(target, key), Some(Birth::Barred(..)))
    }

    fn rotation(&self, target: &DesiredTarget, goal: &KeyGoal<'_>) -> Option<LiveRotation> {
        self.kin(target, goal.key)?.members.values().find_map(|key| key.rotation.known().copied())
    }

    /// Adds to the sheet of a key what its family needs: replicas, the move of the primary, and no rotation but the
    /// primary's.
    pub(in crate::plan) fn complete(
        &self,
        input: PlanInput<'a>,
        (target, key): (&DesiredTarget, &DesiredKey),
        sheet: &mut Sheet<'_>,
    ) {
        if key.topology == Topology::Single {
            return;
        }
        self.rotate_on_primary(target, key, sheet);
        let id = self.kin(target, key).map(|kin| kin.id.clone());
        let reference = || id.clone().map_or_else(|| KeyRef::Planned(key.name.clone()), KeyRef::Live);
        let mut more: Vec<Draft> = Vec::new();
        for ((name, _), _) in self
            .births
            .iter()
            .filter(|((_, of), birth)| *of == key.name && matches!(birth, Birth::From(from) if *from == target.name))
        {
            let there = input.desired.targets.iter().find(|there| there.name == *name);
            let wanted = there.and_then(|there| Some((there, there.keys.iter().find(|other| other.name == key.name)?)));
            more.extend(wanted.map(|(there, wanted)| replicate(input.desired, there, wanted, reference())));
        }
        more.extend(self.draft_move(input, (target, key), &reference(), sheet));
        let rests =
            |draft: &Draft| matches!(draft.action, Action::DisableKey { .. } | Action::ScheduleKeyDeletion { .. });
        let at = sheet.drafts.iter().position(rests).unwrap_or(sheet.drafts.len());
        sheet.drafts.splice(at..at, more);
        self.tell(input, (target, key), sheet);
    }

    /// KMS rotates the primary alone, so where a replica becomes the primary its rotation waits for that.
    fn rotate_on_primary(&self, target: &DesiredTarget, key: &DesiredKey, sheet: &mut Sheet<'_>) {
        let rotates = |draft: &Draft| {
            matches!(
                draft.action,
                Action::EnableKeyRotation { .. } | Action::DisableKeyRotation { .. } | Action::RotateKeyOnDemand { .. }
            )
        };
        let stays = match self.moved(target, key) {
            Some(Move::Barred(at, ..)) => *at != target.name,
            Some(Move::Between(..)) | None => true,
        };
        if !matches!(key.topology, Topology::Primary { .. }) || !stays {
            sheet.drafts.retain(|draft| !rotates(draft));
            sheet.findings.retain(|finding| finding.code != Code::RotationWaits);
            return;
        }
        if let Some(Move::Between(_, to)) = self.moved(target, key)
            && *to == target.name
        {
            for draft in sheet.drafts.iter_mut().filter(|draft| rotates(draft)) {
                draft.awaits = Some(Awaited::Primary);
            }
        }
    }

    fn draft_move(
        &self,
        input: PlanInput<'a>,
        (target, key): (&DesiredTarget, &DesiredKey),
        reference: &KeyRef,
        sheet: &mut Sheet<'_>,
    ) -> Option<Draft> {
        match self.moved(target, key)? {
            Move::Barred(at, why, help) if *at == target.name => {
                sheet.block(Code::PrimaryElsewhere, why.clone(), help.clone());
                None
            }
            Move::Between(from, to) if *from == target.name => {
                let there = input.desired.targets.iter().find(|there| there.name == *to)?;
                let action = Action::UpdatePrimaryRegion {
                    key: reference.clone(),
                    target: to.clone(),
                    region: there.region.clone(),
                };
                let place = |target: &DesiredTarget| format!("{} (target {})", target.region, target.name);
                sheet.note(
                    Code::PrimaryMoves,
                    format!("the primary moves to {}; every Region's key stays usable meanwhile", place(there)),
                    "nothing to do; the account needs the service-linked role for multi-Region keys, which KMS makes for a caller who may call iam:CreateServiceLinkedRole",
                );
                Some(Draft::new(action, Why::Differs).change("primary", Some(place(target)), Some(place(there))))
            }
            Move::Barred(..) | Move::Between(..) => None,
        }
    }

    /// Says what of the family no target of this run covers.
    fn tell(&self, input: PlanInput<'a>, (target, key): (&DesiredTarget, &DesiredKey), sheet: &mut Sheet<'_>) {
        let Topology::Primary { replicas } = &key.topology else { return };
        let kin = self.kin(target, key);
        let covered = |region: &Region| {
            let mut targets = input.desired.targets.iter().filter(|at| at.account == target.account);
            replicas.values().any(|wanted| wanted == region) || targets.any(|at| at.region == *region)
        };
        for region in kin.into_iter().flat_map(|kin| &kin.regions).filter(|region| !covered(region)) {
            sheet.note(
                Code::ReplicaElsewhere,
                format!("the key is in {region} too, which no target of this run covers"),
                "declare a target there and name it in `replicas` to manage it, or to retire it: name it, apply, and take it out again",
            );
        }
        for (name, region) in replicas {
            let known = kin.is_some_and(|kin| kin.regions.contains(region));
            if !known && key.lifecycle != KeyLifecycle::Retired && Looked::new(input).live(name).is_none() {
                sheet.note(
                    Code::ReplicaWaits,
                    format!("the replica in {region} is not made: target `{name}` is not part of this run, or could not be read"),
                    format!("plan with target `{name}`"),
                );
            }
        }
    }
}

/// Whether a key carries the tags of somebody else.
fn is_of_others(desired: &DesiredState, key: &LiveKey) -> bool {
    let Some(tags) = key.tags.known() else { return true };
    let other = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found != value);
    other(TAG_STACK, desired.stack.as_str()) || other(TAG_OWNER, desired.owner.as_str())
}

fn replicate(desired: &DesiredState, there: &DesiredTarget, wanted: &DesiredKey, key: KeyRef) -> Draft {
    let action = Action::ReplicateKey {
        key,
        target: there.name.clone(),
        region: there.region.clone(),
        description: wanted.description.clone().unwrap_or_default(),
        policy: synth::key_policy(there, wanted),
        tags: synth::key_tags(desired, wanted),
    };
    let place = format!("{} (target {})", there.region, there.name);
    Draft::new(action, Why::Absent).change("replica", None, Some(place))
}

/// Takes out of each target's steps what would write into a blocked target, and says what waits for one.
pub(in crate::plan) fn settle(plan: &mut Plan) {
    let blocked: BTreeSet<TargetName> = plan
        .targets
        .iter()
        .filter(|target| matches!(target.outcome, Outcome::Blocked { .. }))
        .map(|target| target.name.clone())
        .collect();
    let of_blocked: BTreeSet<StepId> = plan
        .targets
        .iter()
        .filter(|target| blocked.contains(&target.name))
        .flat_map(|target| target.outcome.steps().iter().map(|step| step.id.clone()))
        .collect();
    for target in &mut plan.targets {
        if let Some(found) = without(&mut target.outcome, &blocked) {
            target.findings.extend(found);
        }
        waits(target, &of_blocked);
    }
}

/// Removes the steps that write into blocked targets.
fn without(outcome: &mut Outcome, blocked: &BTreeSet<TargetName>) -> Option<Vec<Finding>> {
    let Outcome::Ready(applyable) = outcome else { return None };
    let into = |step: &Step| step.action.other_target().filter(|target| blocked.contains(*target)).cloned();
    let mut findings = Vec::new();
    let mut kept: Vec<Step> = Vec::new();
    let mut gone: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    for mut step in std::mem::take(&mut applyable.steps) {
        step.depends_on =
            step.depends_on.iter().flat_map(|id| gone.get(id).cloned().unwrap_or(vec![id.clone()])).collect();
        let Some(target) = into(&step) else {
            kept.push(step);
            continue;
        };
        findings.push(finding(
            &step.owner,
            format!("{} waits: target `{target}` is blocked", step.action.call()),
            format!("mend target `{target}`, then plan again"),
            &step,
        ));
        gone.insert(step.id.clone(), step.depends_on);
    }
    applyable.steps = kept;
    if applyable.steps.is_empty() {
        *outcome = Outcome::InSync;
    }
    Some(findings)
}

/// Says which keys have steps that wait for a blocked target.
fn waits(target: &mut TargetPlan, of_blocked: &BTreeSet<StepId>) {
    let Outcome::Ready(applyable) = &target.outcome else { return };
    let waiting = applyable.steps().iter().filter_map(|step| {
        let needed = step.depends_on.iter().find(|needed| of_blocked.contains(*needed))?;
        let message = format!("{} and what follows it are not carried out: {needed} is of a blocked target", step.id);
        Some(finding(&step.owner, message, "mend that target, then plan again".to_owned(), step))
    });
    let found: Vec<Finding> = waiting.collect();
    let fresh: Vec<Finding> = found.into_iter().filter(|finding| !target.findings.contains(finding)).collect();
    target.findings.extend(fresh);
}

fn finding(owner: &Owner, message: String, remedy: String, step: &Step) -> Finding {
    Finding {
        code: Code::ReplicaWaits,
        severity: Severity::Warning,
        owner: Some(owner.clone()),
        message,
        remedy,
        position: Some(step.position.clone()),
    }
}
