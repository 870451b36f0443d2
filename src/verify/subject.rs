//! Which live key a declared key is, and whether it can be probed.

use crate::access::KeyFacts;
use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredKey, DesiredState, KeyLifecycle, MaterialPresence, MaterialSource};
use crate::ids::{AliasName, KeyArn, KeyId, KeyMaterialId};
use crate::kms::{KeyState, Origin};
use crate::live::{KeyMetadata, LiveKey, LiveMaterials, LivePresence, LiveTarget, MaterialStanding, Observed};
use crate::report::ProbeResult;
use crate::text::and_list;

/// A key that can be probed.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    pub(super) desired: &'a DesiredKey,
    pub(super) id: KeyId,
    pub(super) arn: KeyArn,
    pub(super) facts: KeyFacts,
    /// The action that was denied when grants were read: what grants allow is then left out of judgements.
    pub(super) grants_denied: Option<String>,
    /// The material that encrypts, where the server told.
    pub(super) current_material: Option<KeyMaterialId>,
}

/// A key that cannot be probed.
#[derive(Debug, Clone)]
pub(super) struct Unusable<'a> {
    /// What is to be said.
    pub(super) result: ProbeResult,
    /// The key, where nothing but its declared rest is in the way: it can be asked whether it does rest.
    pub(super) resting: Option<Subject<'a>>,
}

impl From<ProbeResult> for Box<Unusable<'_>> {
    fn from(result: ProbeResult) -> Self {
        Self::new(Unusable { result, resting: None })
    }
}

/// Returns the key as it can be probed, or what is to be said instead.
pub(super) fn find<'a>(
    state: &DesiredState,
    desired: &'a DesiredKey,
    live: &LiveTarget,
) -> Result<Subject<'a>, Box<Unusable<'a>>> {
    let key = ours(state, desired, live)?;
    match check_state(desired, key, live)? {
        Standing::Usable => Ok(subject(desired, key, live)?),
        Standing::Resting(reason) => {
            let result = ProbeResult::NotChecked { reason };
            Err(Box::new(Unusable { result, resting: Some(subject(desired, key, live)?) }))
        }
        Standing::Out(result) => Err(result.into()),
    }
}

fn subject<'a>(desired: &'a DesiredKey, key: &LiveKey, live: &LiveTarget) -> Result<Subject<'a>, ProbeResult> {
    let metadata = known(&key.metadata)?;
    let policy = known(&key.policy)?.document.clone();
    let id = key.arn.key_id();
    let mut facts = KeyFacts::new(key.arn.to_string(), key.arn.account(), key.arn.region(), policy);
    facts.aliases = live.aliases_of(&id).map(ToString::to_string).collect();
    facts.tags = known(&key.tags)?.clone();
    facts.multi_region = metadata.multi_region;
    metadata.spec.name().clone_into(&mut facts.key_spec);
    metadata.usage.name().clone_into(&mut facts.key_usage);
    metadata.origin.name().clone_into(&mut facts.key_origin);
    if let Some(grants) = key.grants.known() {
        facts.grants = grants.iter().map(|grant| grant.facts.clone()).collect();
    }
    let grants_denied = key.grants.denied().map(str::to_owned);
    Ok(Subject { desired, id, arn: key.arn.clone(), facts, grants_denied, current_material: current(key) })
}

fn current(key: &LiveKey) -> Option<KeyMaterialId> {
    let LiveMaterials::Listed(materials) = key.materials.as_ref()?.known()? else { return None };
    materials.iter().find(|material| material.standing == MaterialStanding::Current).map(|material| material.id.clone())
}

/// Finds the key behind the claim alias, and checks that its tags say the same.
pub(super) fn ours<'l>(
    state: &DesiredState,
    desired: &DesiredKey,
    live: &'l LiveTarget,
) -> Result<&'l LiveKey, ProbeResult> {
    let claim = AliasName::claim(&state.stack, &desired.name);
    let Some(behind) = live.aliases.get(&claim) else {
        // Not allowed to look is not the same as nothing there.
        if let Some(item) = live.unreadable.iter().find(|item| item.action == "kms:ListAliases") {
            return Err(ProbeResult::NotChecked {
                reason: format!("{} was denied, so the key cannot be found", item.action),
            });
        }
        if desired.lifecycle == KeyLifecycle::Retired {
            let reason = "the key is retired, and no longer there".to_owned();
            return Err(ProbeResult::NotChecked { reason });
        }
        return Err(failed("there is no such key here: its claim alias does not exist; `keywright apply` makes it"));
    };
    let Some(key) = behind.as_ref().and_then(|id| live.key(id)) else {
        return Err(failed(&format!("`{claim}` leads to no key that could be read")));
    };
    let tags = known(&key.tags)?;
    let wanted =
        [(TAG_STACK, state.stack.as_str()), (TAG_OWNER, state.owner.as_str()), (TAG_KEY, desired.name.as_str())];
    for (tag, value) in wanted {
        match tags.get(tag) {
            Some(found) if found == value => {}
            Some(found) => {
                return Err(failed(&format!("the key behind `{claim}` is not ours: its tag {tag} is `{found}`")));
            }
            None => return Err(failed(&format!("the key behind `{claim}` is not ours: it has no tag {tag}"))),
        }
    }
    Ok(key)
}

fn known<T>(observed: &Observed<T>) -> Result<&T, ProbeResult> {
    match observed {
        Observed::Known(value) => Ok(value),
        Observed::Denied { action, .. } => Err(ProbeResult::NotChecked {
            reason: format!("{action} was denied; run as somebody who may read the key, such as an auditor"),
        }),
    }
}

/// What a key's state says to its probing.
enum Standing {
    Usable,
    /// It rests, as declared: for this reason nothing is called for real.
    Resting(String),
    /// It is not as declared, or cannot be told.
    Out(ProbeResult),
}

/// A state that passes by itself is neither right nor wrong.
fn check_state(desired: &DesiredKey, key: &LiveKey, live: &LiveTarget) -> Result<Standing, ProbeResult> {
    let metadata = known(&key.metadata)?;
    Ok(check_presence(desired, (key, metadata)).unwrap_or_else(|| check_lifecycle(desired, metadata, live)))
}

/// What the presence of imported material says, where that decides.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-delete-key-material.html>
fn check_presence(desired: &DesiredKey, (key, metadata): (&LiveKey, &KeyMetadata)) -> Option<Standing> {
    if desired.origin() != Origin::External || desired.lifecycle == KeyLifecycle::Retired {
        return None;
    }
    let presence = desired.import().map(|import| import.presence);
    match (metadata.state, presence) {
        (KeyState::PendingImport, Some(MaterialPresence::Deleted)) => {
            Some(Standing::Resting("the imported material is deleted, as declared".to_owned()))
        }
        (KeyState::PendingImport, Some(MaterialPresence::Imported)) => {
            Some(Standing::Out(awaited(desired, key).unwrap_or_else(|| failed(&waits(key)))))
        }
        (KeyState::PendingImport, None) => {
            let reason = format!("the key waits for its material ({})", metadata.state);
            Some(Standing::Out(ProbeResult::NotChecked { reason }))
        }
        (KeyState::Enabled | KeyState::Disabled, Some(MaterialPresence::Deleted)) => {
            Some(Standing::Out(failed("the imported material is there, and declared deleted")))
        }
        (
            KeyState::Enabled
            | KeyState::Disabled
            | KeyState::Creating
            | KeyState::Updating
            | KeyState::Unavailable
            | KeyState::PendingDeletion
            | KeyState::PendingReplicaDeletion,
            _,
        ) => None,
    }
}

/// Material that is encrypted elsewhere and was never imported is nobody's fault: the key is as new as it says.
fn awaited(desired: &DesiredKey, key: &LiveKey) -> Option<ProbeResult> {
    let listed = key.materials.as_ref().and_then(Observed::known);
    let is_new = matches!(listed, Some(LiveMaterials::Listed(materials)) if materials.is_empty());
    let first = desired.import()?.materials.first()?;
    (is_new && first.source == MaterialSource::Prewrapped).then(|| ProbeResult::NotChecked {
        reason: format!("the key waits for its first material `{}`, which is encrypted elsewhere", first.name),
    })
}

/// Says what a key waits for, and what to do.
fn waits(key: &LiveKey) -> String {
    const NEXT: &str = "`keywright plan` says what is due, `keywright apply` imports it";
    let listed = match key.materials.as_ref().and_then(Observed::known) {
        Some(LiveMaterials::Listed(materials)) => materials.as_slice(),
        Some(LiveMaterials::Untold) | None => &[],
    };
    let missing = listed.iter().filter(|material| material.presence == LivePresence::Missing);
    let missing: Vec<String> = missing
        .map(|material| match &material.description {
            Some(name) => format!("`{name}` ({})", material.id),
            None => material.id.to_string(),
        })
        .collect();
    if missing.is_empty() {
        return format!("the key waits for its material; {NEXT}");
    }
    format!("the key waits for its material: {} expired or was deleted; {NEXT}", and_list(&missing))
}

fn check_lifecycle(desired: &DesiredKey, metadata: &KeyMetadata, live: &LiveTarget) -> Standing {
    let state = metadata.state;
    let later = |what: &str| Standing::Out(ProbeResult::NotChecked { reason: format!("{what} ({state})") });
    match (state, desired.lifecycle) {
        (KeyState::Enabled, KeyLifecycle::Enabled) => Standing::Usable,
        (KeyState::Disabled, KeyLifecycle::Disabled) => {
            Standing::Resting("the key is disabled, as declared".to_owned())
        }
        (KeyState::Disabled, KeyLifecycle::Retired) => {
            Standing::Resting("the key is retired and disabled, as declared".to_owned())
        }
        (KeyState::PendingDeletion | KeyState::PendingReplicaDeletion, KeyLifecycle::Retired) => {
            Standing::Resting(format!("the key is retired, as declared, and its deletion is scheduled ({state})"))
        }
        (KeyState::Enabled, KeyLifecycle::Disabled) => {
            Standing::Out(failed("the key is enabled, and declared disabled"))
        }
        (KeyState::Enabled, KeyLifecycle::Retired) => Standing::Out(failed("the key is enabled, and declared retired")),
        (KeyState::PendingImport, KeyLifecycle::Retired) if desired.origin() == Origin::External => {
            Standing::Resting("the key is retired, and waits for its material".to_owned())
        }
        (KeyState::Creating, _) => later("the key is being created: verify again in a while"),
        (KeyState::Updating, _) => later("the primary Region is being changed: verify again in a while"),
        (KeyState::Unavailable, _) => {
            Standing::Out(failed(&format!("the state of the key is {state}{}", store(desired, live))))
        }
        (
            KeyState::Disabled | KeyState::PendingDeletion | KeyState::PendingImport | KeyState::PendingReplicaDeletion,
            _,
        ) => Standing::Out(failed(&format!("the state of the key is {state}"))),
    }
}

/// Returns what is known of the key store that a key cannot be used for.
fn store(desired: &DesiredKey, live: &LiveTarget) -> String {
    let found = desired.key_store().and_then(|store| Some((store.id(), live.stores.get(store.id())?.known()?)));
    match found {
        Some((id, Some(store))) => {
            let error = store.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("; its key store {id} is {}{error}", store.connection)
        }
        Some((id, None)) => format!("; its key store {id} does not exist"),
        None => String::new(),
    }
}

fn failed(observed: &str) -> ProbeResult {
    ProbeResult::Failed { observed: observed.to_owned() }
}
