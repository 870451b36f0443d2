//! No alias is touched that is not proven ours, unless the manifest asks for it: looked at anew, in live state.

use crate::desired::tags::{TAG_KEY, TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredKey, DesiredState, Takeover};
use crate::ids::{AliasName, KeyId, KeyName};
use crate::live::LiveTarget;
use crate::plan::{Action, KeyRef, Owner, PlanInput, Step, TargetPlan};
use std::collections::BTreeSet;

/// What an alias step is judged by.
struct Bench<'a> {
    desired: &'a DesiredState,
    key: &'a DesiredKey,
    live: &'a LiveTarget,
    /// Whether any key of the target declares the alias.
    is_wanted: bool,
}

/// How a step touches an alias.
enum Touch<'a> {
    Creates,
    Moves { from: &'a KeyId, to: &'a KeyRef },
    Deletes(&'a KeyRef),
}

/// Returns the alias that an action touches, and how.
fn touch(action: &Action) -> Option<(&AliasName, Touch<'_>)> {
    if let Action::CreateAlias { alias, .. } = action {
        Some((alias, Touch::Creates))
    } else if let Action::UpdateAlias { alias, from, key } = action {
        Some((alias, Touch::Moves { from, to: key }))
    } else if let Action::DeleteAlias { alias, key } = action {
        Some((alias, Touch::Deletes(key)))
    } else {
        None
    }
}

/// Returns what is wrong with a step that touches an alias.
pub(super) fn alias_fault<'p>(
    target: &TargetPlan,
    step: &'p Step,
    touched: &mut BTreeSet<&'p AliasName>,
    input: PlanInput<'_>,
) -> Option<String> {
    let (alias, touch) = touch(&step.action)?;
    if !touched.insert(alias) {
        return Some(format!("{} touches `{alias}` a second time", step.id));
    }
    let Owner::Key(owner) = &step.owner else { return None };
    let wanted = input.desired.targets.iter().find(|wanted| wanted.name == target.name)?;
    let Some(key) = wanted.keys.iter().find(|key| key.name == *owner) else {
        return Some(format!("{} belongs to `{owner}`, which the manifest does not declare", step.id));
    };
    let is_wanted = wanted.keys.iter().flat_map(|key| &key.aliases).any(|declared| declared.value == *alias);
    let bench = Bench { desired: input.desired, key, live: input.targets.get(&target.name)?, is_wanted };
    let why = match touch {
        Touch::Creates => bench.creation(alias),
        Touch::Moves { from, to } => bench.move_of(alias, from, to),
        Touch::Deletes(key) => bench.deletion(alias, key),
    };
    why.map(|why| format!("{} {why}: `{alias}`", step.id))
}

impl Bench<'_> {
    fn declares(&self, alias: &AliasName) -> bool {
        self.key.aliases.iter().any(|declared| declared.value == *alias)
    }

    fn claim(&self, name: &KeyName) -> AliasName {
        AliasName::claim(&self.desired.stack, name)
    }

    fn creation(&self, alias: &AliasName) -> Option<&'static str> {
        let own = if alias.is_claim() { *alias == self.claim(&self.key.name) } else { self.declares(alias) };
        if !own {
            Some("creates an alias that its key does not declare")
        } else if self.live.aliases.contains_key(alias) {
            Some("creates an alias that exists")
        } else {
            None
        }
    }

    fn move_of(&self, alias: &AliasName, from: &KeyId, to: &KeyRef) -> Option<&'static str> {
        if alias.is_claim() {
            return Some("moves a claim alias");
        }
        if !self.declares(alias) {
            return Some("moves an alias that its key does not declare");
        }
        if self.live.aliases.get(alias) != Some(&Some(from.clone())) {
            return Some("moves an alias that names another key than it says");
        }
        if *to == KeyRef::Live(from.clone()) {
            return Some("moves an alias to where it is");
        }
        if self.live.key(from).and_then(|key| key.metadata.known()).is_some_and(|from| {
            (from.spec.is_asymmetric(), from.spec.is_hmac(), from.usage)
                != (self.key.spec().is_asymmetric(), self.key.spec().is_hmac(), self.key.usage())
        }) {
            return Some("moves an alias to a key of another type or usage");
        }
        let asked = self.key.takeover == Takeover::Asked;
        (!asked && !self.is_proven(from)).then_some("moves an alias of a key that is not proven ours")
    }

    fn deletion(&self, alias: &AliasName, key: &KeyRef) -> Option<&'static str> {
        let named = self.live.aliases.get(alias).and_then(Option::as_ref);
        if named.is_some_and(|named| *key != KeyRef::Live(named.clone())) {
            return Some("deletes an alias of another key");
        }
        let old = self.key.moved_from.as_ref().map(|old| self.claim(&old.value));
        let may = if alias.is_claim() { old.as_ref() == Some(alias) } else { self.key.remove_aliases.contains(alias) };
        if !may {
            Some("deletes an alias that the manifest does not remove")
        } else if self.is_wanted {
            Some("deletes an alias that a key of the target declares")
        } else {
            None
        }
    }

    /// Our tags, and the claim alias of the name in them.
    fn is_proven(&self, id: &KeyId) -> bool {
        let tags = self.live.key(id).and_then(|key| key.tags.known());
        tags.is_some_and(|tags| {
            let name = tags.get(TAG_KEY).and_then(|name| name.parse::<KeyName>().ok());
            tags.get(TAG_STACK).map(String::as_str) == Some(self.desired.stack.as_str())
                && tags.get(TAG_OWNER).map(String::as_str) == Some(self.desired.owner.as_str())
                && name.is_some_and(|name| self.live.aliases.get(&self.claim(&name)) == Some(&Some(id.clone())))
        })
    }
}
