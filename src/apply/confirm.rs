//! Confirms that what was written is seen: reads back until several rounds agree, or says that it is not confirmed.

use super::import::{Deleted, Imported, Stock, stock};
use super::{Connection, Machine, PARALLEL, Run, elapsed};
use crate::ids::{AliasName, KeyId, Region};
use crate::kms::KeyState;
use crate::live::{KeyMetadata, LiveRotation};
use crate::plan::{Action, Step};
use crate::policy::PolicyDocument;
use crate::ports::{Clock, KeyReader};
use crate::report::{Event, StepOutcome, StepResult};
use futures::stream::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many rounds of reads in a row must show a step's effect.
const GOOD_ROUNDS: usize = 2;

/// Marks the target's steps that are done and not seen within the wait as unconfirmed.
pub(super) async fn confirm<C: Connection, M: Machine>(run: &Run<'_, C, M>, steps: &mut [StepOutcome]) {
    let job = run.job;
    let waiting = || run.tell(Event::Waiting("waiting until what was written is seen"));
    let open: Vec<(usize, Effect)> = effects(run, steps);
    let unseen = watch(job.machine, job.options.wait, open, waiting, |effects| look(run.connection, effects)).await;
    unconfirmed(steps, unseen);
}

/// Marks steps as unconfirmed.
pub(super) fn unconfirmed(steps: &mut [StepOutcome], unseen: Vec<usize>) {
    for index in unseen {
        if let Some(step) = steps.get_mut(index) {
            step.result = StepResult::Unconfirmed;
        }
    }
}

/// Looks at effects until each was seen in several rounds in a row, and returns those that were not within the limit.
/// There is always a first round, and a good one is followed by a second, whatever the limit.
pub(super) async fn watch<E, F: Future<Output = Vec<bool>>>(
    clock: &impl Clock,
    limit: Duration,
    effects: Vec<(usize, E)>,
    waiting: impl Fn(),
    look: impl Fn(Vec<E>) -> F,
) -> Vec<usize>
where
    E: Clone,
{
    let started = clock.now();
    let mut open: Vec<(usize, E, usize)> = effects.into_iter().map(|(index, effect)| (index, effect, 0)).collect();
    let mut delay = Duration::from_millis(100);
    while !open.is_empty() {
        let seen = look(open.iter().map(|(_, effect, _)| effect.clone()).collect()).await;
        for ((_, _, good), seen) in open.iter_mut().zip(seen) {
            *good = if seen { *good + 1 } else { 0 };
        }
        open.retain(|(_, _, good)| *good < GOOD_ROUNDS);
        let missing = open.iter().any(|(_, _, good)| *good == 0);
        if missing && elapsed(clock, started) + delay > limit {
            return open.into_iter().filter(|(_, _, good)| *good == 0).map(|(index, ..)| index).collect();
        }
        if missing {
            waiting();
        }
        if !open.is_empty() {
            clock.sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }
    Vec::new()
}

/// What a step leaves to be seen on a key.
#[derive(Clone)]
struct Effect {
    key: KeyId,
    trace: Trace,
}

#[derive(Clone)]
enum Trace {
    Exists,
    Policy(PolicyDocument),
    Description(String),
    State(KeyState),
    Pending,
    NotPending,
    NoAlias(AliasName),
    Primary(Region),
    Rotations(usize),
    Material(Imported),
    NoMaterial(Deleted),
    Tags(BTreeMap<String, String>),
    NoTags(BTreeSet<String>),
    Alias(AliasName),
    Rotation(LiveRotation),
}

/// Which read shows a trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Metadata,
    Policy,
    Tags,
    Rotation,
    Rotations,
    Materials,
}

impl Trace {
    /// The read of the key that shows it; aliases are listed once for all keys.
    fn read(&self) -> Option<Read> {
        match self {
            Self::Exists
            | Self::Description(_)
            | Self::State(_)
            | Self::Pending
            | Self::NotPending
            | Self::Primary(_) => Some(Read::Metadata),
            Self::Rotations(_) => Some(Read::Rotations),
            Self::Material(_) | Self::NoMaterial(_) => Some(Read::Materials),
            Self::Policy(_) => Some(Read::Policy),
            Self::Tags(_) | Self::NoTags(_) => Some(Read::Tags),
            Self::Rotation(_) => Some(Read::Rotation),
            Self::Alias(_) | Self::NoAlias(_) => None,
        }
    }
}

/// What one round of reads showed: each part of a key is read once, whatever the number of steps that ask for it.
#[derive(Default)]
struct Seen {
    aliases: BTreeMap<AliasName, Option<KeyId>>,
    metadata: BTreeMap<KeyId, KeyMetadata>,
    policies: BTreeMap<KeyId, PolicyDocument>,
    tags: BTreeMap<KeyId, BTreeMap<String, String>>,
    rotation: BTreeMap<KeyId, LiveRotation>,
    rotations: BTreeMap<KeyId, usize>,
    materials: BTreeMap<KeyId, Stock>,
}

/// The effects of the steps that are done, by index.
fn effects<C: Connection, M: Machine>(run: &Run<'_, C, M>, steps: &[StepOutcome]) -> Vec<(usize, Effect)> {
    let done = steps.iter().enumerate().filter(|(_, outcome)| outcome.result == StepResult::Done);
    done.filter(|(index, _)| !is_overtaken(steps, *index))
        .filter_map(|(index, outcome)| {
            let trace = trace(run, &outcome.step)?;
            let key = match (&outcome.created, outcome.step.action.key_ref()) {
                (Some(created), _) => created.key_id(),
                (None, Some(reference)) => run.key(reference).ok()?,
                (None, None) => return None,
            };
            Some((index, Effect { key, trace }))
        })
        .collect()
}

/// A later step of the same plan may undo what an earlier one showed (`EnableKey`, rotation, `DisableKey`).
fn is_overtaken(steps: &[StepOutcome], index: usize) -> bool {
    let Some(outcome) = steps.get(index) else { return false };
    let action = &outcome.step.action;
    let undone_by = |later: &Action| {
        let enabled = matches!(action, Action::EnableKey { .. }) && matches!(later, Action::DisableKey { .. });
        let disabled = matches!(action, Action::DisableKey { .. } | Action::CancelKeyDeletion { .. });
        let switched = matches!(action, Action::EnableKey { .. } | Action::DisableKey { .. });
        let unusable = switched && matches!(later, Action::DeleteImportedKeyMaterial { .. });
        enabled
            || unusable
            || is_other_material(action, later)
            || (disabled && matches!(later, Action::EnableKey { .. } | Action::ScheduleKeyDeletion { .. }))
    };
    let mut later = steps.iter().skip(index + 1);
    later.any(|later| later.step.owner == outcome.step.owner && undone_by(&later.step.action))
}

/// Whether an import or a deletion of material is undone, or done again, by a later one.
fn is_other_material(action: &Action, later: &Action) -> bool {
    let of = |action: &Action| {
        if let Action::ImportKeyMaterial { material, .. } = action {
            return Some(Some(material.clone()));
        }
        if let Action::DeleteImportedKeyMaterial { material, .. } = action { Some(material.clone()) } else { None }
    };
    matches!((of(action), of(later)), (Some(one), Some(other)) if one.is_none() || other.is_none() || one == other)
}

fn trace<C: Connection, M: Machine>(run: &Run<'_, C, M>, step: &Step) -> Option<Trace> {
    Some(match &step.action {
        Action::CreateKey { .. } => Trace::Exists,
        Action::PutKeyPolicy { policy, .. } => Trace::Policy(policy.clone()),
        Action::UpdateKeyDescription { description, .. } => Trace::Description(description.clone()),
        Action::EnableKey { .. } => Trace::State(KeyState::Enabled),
        Action::DisableKey { .. } => Trace::State(KeyState::Disabled),
        Action::TagKey { tags, .. } => Trace::Tags(tags.clone()),
        Action::UntagKey { tag_keys, .. } => Trace::NoTags(tag_keys.clone()),
        Action::CreateAlias { alias, .. } | Action::UpdateAlias { alias, .. } => Trace::Alias(alias.clone()),
        Action::EnableKeyRotation { days, .. } => Trace::Rotation(LiveRotation::On { days: Some(*days) }),
        Action::DisableKeyRotation { .. } => Trace::Rotation(LiveRotation::Off),
        Action::ScheduleKeyDeletion { .. } => Trace::Pending,
        Action::CancelKeyDeletion { .. } => Trace::NotPending,
        Action::DeleteAlias { alias, .. } => Trace::NoAlias(alias.clone()),
        Action::UpdatePrimaryRegion { region, .. } => Trace::Primary(region.clone()),
        // What another call imported was seen to be there.
        Action::ImportKeyMaterial { .. } => Trace::Material(run.imports.get(&step.id)?.clone()),
        Action::DeleteImportedKeyMaterial { material, id, .. } => {
            Trace::NoMaterial(Deleted { name: material.clone(), id: id.clone() })
        }
        Action::RotateKeyOnDemand { before, .. } => Trace::Rotations(before + 1),
        // The replica is waited for where it is, by the steps of its own target.
        Action::ReplicateKey { .. }
        | Action::CreateRole { .. }
        | Action::UpdateRole { .. }
        | Action::UpdateAssumeRolePolicy { .. }
        | Action::PutRolePermissionsBoundary { .. }
        | Action::DeleteRolePermissionsBoundary { .. }
        | Action::TagRole { .. }
        | Action::UntagRole { .. }
        | Action::PutRolePolicy { .. }
        | Action::DeleteRolePolicy { .. } => return None,
    })
}

/// One round: what of the effects is seen now. What cannot be read is not seen.
async fn look(port: &(impl KeyReader + Sync), effects: Vec<Effect>) -> Vec<bool> {
    let mut seen = Seen::default();
    if effects.iter().any(|effect| effect.trace.read().is_none()) {
        seen.aliases = port.list_aliases().await.unwrap_or_default();
    }
    let wanted: BTreeSet<(KeyId, Read)> =
        effects.iter().filter_map(|effect| Some((effect.key.clone(), effect.trace.read()?))).collect();
    let reads = wanted.into_iter().map(|(key, read)| part(port, key, read));
    let mut parts = futures::stream::iter(reads).buffer_unordered(PARALLEL);
    while let Some(part) = parts.next().await {
        part(&mut seen);
    }
    effects.iter().map(|effect| is_seen(effect, &seen)).collect()
}

/// Reads one part of a key, and returns how to note it.
async fn part(port: &(impl KeyReader + Sync), key: KeyId, read: Read) -> Box<dyn FnOnce(&mut Seen) + Send> {
    match read {
        Read::Metadata => {
            let found = port.describe_key(&key).await.ok();
            Box::new(move |seen| seen.metadata.extend(found.map(|(_, metadata)| (key, metadata))))
        }
        Read::Policy => {
            let found = port.key_policy(&key).await.ok().and_then(|text| PolicyDocument::parse(&text).ok());
            Box::new(move |seen| seen.policies.extend(found.map(|policy| (key, policy))))
        }
        Read::Tags => {
            let found = port.key_tags(&key).await.ok();
            Box::new(move |seen| seen.tags.extend(found.map(|tags| (key, tags))))
        }
        Read::Rotations => {
            let found = port.rotations(&key).await.ok();
            Box::new(move |seen| seen.rotations.extend(found.map(|rotations| (key, rotations.on_demand()))))
        }
        Read::Materials => {
            let found = stock(port, &key).await.ok();
            Box::new(move |seen| seen.materials.extend(found.map(|stock| (key, stock))))
        }
        Read::Rotation => {
            let found = port.rotation(&key).await.ok();
            Box::new(move |seen| seen.rotation.extend(found.map(|rotation| (key, rotation))))
        }
    }
}

fn is_seen(effect: &Effect, seen: &Seen) -> bool {
    let key = &effect.key;
    match &effect.trace {
        Trace::Exists => seen.metadata.contains_key(key),
        Trace::Policy(policy) => seen.policies.get(key).is_some_and(|found| found.same_permissions(policy)),
        Trace::Description(wanted) => seen.metadata.get(key).is_some_and(|found| found.description == *wanted),
        Trace::State(state) => seen.metadata.get(key).is_some_and(|found| found.state == *state),
        Trace::Pending => seen.metadata.get(key).is_some_and(|found| found.state.is_pending_deletion()),
        Trace::NotPending => seen.metadata.get(key).is_some_and(|found| !found.state.is_pending_deletion()),
        Trace::NoAlias(alias) => !seen.aliases.contains_key(alias),
        Trace::Primary(region) => {
            seen.metadata.get(key).is_some_and(|found| found.primary_region.as_ref().is_none_or(|at| at == region))
        }
        Trace::Material(imported) => seen.materials.get(key).is_some_and(|stock| imported.is_seen(stock)),
        Trace::NoMaterial(deleted) => seen.materials.get(key).is_some_and(|stock| deleted.is_seen(stock)),
        Trace::Rotations(count) => seen.rotations.get(key).is_some_and(|found| found >= count),
        Trace::Tags(wanted) => {
            seen.tags.get(key).is_some_and(|found| wanted.iter().all(|(tag, value)| found.get(tag) == Some(value)))
        }
        Trace::NoTags(gone) => seen.tags.get(key).is_some_and(|found| gone.iter().all(|tag| !found.contains_key(tag))),
        Trace::Alias(alias) => seen.aliases.get(alias).and_then(Option::as_ref) == Some(key),
        Trace::Rotation(wanted) => seen.rotation.get(key).is_some_and(|found| match (wanted, found) {
            // Some servers do not tell the period.
            (LiveRotation::On { .. }, LiveRotation::On { days: None }) => true,
            (LiveRotation::On { .. } | LiveRotation::Off, found) => wanted == found,
        }),
    }
}
