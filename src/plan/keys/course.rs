//! The state of a key as the steps of its plan find it, and what has to wait for another one.

use super::super::draft::Sheet;
use crate::diag::Code;
use crate::kms::{KeyState, StateVerdict, state_allows};
use crate::live::KeyMetadata;
use crate::text::and_list;

/// Where a key is on the way that its plan takes. Steps are added in order, so that each is asked about in the state
/// that the key will have by then.
#[derive(Debug)]
pub(super) struct Course {
    state: KeyState,
    waiting: Vec<&'static str>,
    lack: Lack,
}

/// Why a key has no material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// Somebody imports it by hand.
    ByHand,
    /// The manifest wants it so.
    Declared,
    /// For what is said of its material.
    Told,
}

impl Course {
    /// Starts in a state.
    pub(super) fn from(state: KeyState) -> Self {
        Self { state, waiting: Vec::new(), lack: Lack::ByHand }
    }

    /// Returns the state by now.
    pub(super) fn state(&self) -> KeyState {
        self.state
    }

    /// Takes note of a step that leads to another state.
    pub(super) fn now(&mut self, state: KeyState) {
        self.state = state;
    }

    /// Takes note of what becomes of the key's material: why it stays away, or that all of it comes now.
    pub(super) fn material(&mut self, lack: Option<Lack>) {
        match lack {
            Some(lack) => self.lack = lack,
            None => self.state = KeyState::Enabled,
        }
    }

    /// Returns whether the state allows an operation, named without prefix.
    pub(super) fn allows(&self, operation: &str) -> bool {
        state_allows(operation, self.state) == Some(StateVerdict::Allowed)
    }

    /// Takes note of something that has to wait for another state.
    pub(super) fn waits(&mut self, what: &'static str) {
        self.waiting.push(what);
    }

    /// Says what a passing state is, and what waits for its end.
    pub(super) fn tell(&self, metadata: &KeyMetadata, sheet: &mut Sheet<'_>) {
        let (what, remedy) = match self.state {
            KeyState::Enabled
            | KeyState::Disabled
            | KeyState::PendingDeletion
            | KeyState::PendingReplicaDeletion => return,
            KeyState::Creating => (
                "KMS is still making it, so it can be neither used, enabled nor disabled".to_owned(),
                "plan again in some minutes",
            ),
            KeyState::Updating => (
                "KMS is moving its primary Region; it can be used, but neither enabled, disabled, replicated nor deleted"
                    .to_owned(),
                "plan again in some minutes",
            ),
            KeyState::PendingImport if self.lack == Lack::Declared => return,
            KeyState::PendingImport => (
                "it waits for its material, so it can be neither used, enabled nor disabled; its policy, tags, aliases \
                 and description are managed"
                    .to_owned(),
                if self.lack == Lack::ByHand {
                    "import the material by hand, or declare where it comes from: an `import` table"
                } else {
                    "see what is said of its material"
                },
            ),
            KeyState::Unavailable => (unavailable(metadata), "reconnect the key store, and plan again"),
        };
        let waiting = match self.waiting.as_slice() {
            [] => String::new(),
            [one] => format!("; {one} waits"),
            several => format!("; {} wait", and_list(several)),
        };
        sheet.note(Code::KeyState, format!("the key is in state {}: {what}{waiting}", self.state), remedy);
    }
}

fn unavailable(metadata: &KeyMetadata) -> String {
    let store = metadata.store.as_ref().map_or_else(String::new, |store| format!(" `{store}`"));
    format!(
        "its key store{store} is out of reach, so it cannot be used; whether it is enabled shows only once the store \
         is back"
    )
}
