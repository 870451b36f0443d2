//! Custom key stores: a key is made only in one that is there and connected.

use super::super::draft::Sheet;
use super::KeyGoal;
use crate::diag::Code;
use crate::live::{LiveKeyStore, LiveTarget, Observed};
use crate::text::escape;

/// What a store is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A key is to be made in it.
    ToCreate,
    /// A key is there already.
    ToUse,
}

/// Blocks a creation in a store that cannot take it; of an existing key it is only said.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-store-overview.html>
pub(super) fn store(goal: &KeyGoal<'_>, live: &LiveTarget, need: Need, sheet: &mut Sheet<'_>) {
    let Some(store) = goal.key.key_store() else { return };
    let id = store.id();
    let found = live.stores.get(id);
    if need == Need::ToCreate
        && let Some(action) = found.map_or(Some("kms:DescribeCustomKeyStores"), Observed::denied)
    {
        return sheet.block(
            Code::Unreadable,
            format!("the custom key store `{id}` could not be read: `{action}` was denied"),
            format!("allow the caller {action}"),
        );
    }
    let Some(found) = found.and_then(Observed::known) else { return };
    let (message, help) = match found {
        None => {
            (format!("there is no custom key store `{id}` in {}", live.region), "create the store, or name another")
        }
        Some(found) if found.origin != goal.key.origin() => (
            format!("the custom key store `{id}` holds keys of origin {}, not {}", found.origin, goal.key.origin()),
            "name a store of the right type, or change `origin`",
        ),
        Some(found) if !found.is_connected() => (
            format!("the custom key store `{id}` is {}", connection(found)),
            "connect it: aws kms connect-custom-key-store --custom-key-store-id ID",
        ),
        Some(_) => return,
    };
    let help = help.replace("ID", id.as_str());
    match need {
        Need::ToCreate => sheet.block(Code::KeyStore, message, help),
        Need::ToUse => sheet.note(Code::KeyStore, format!("{message}: its keys are unavailable"), help),
    }
}

fn connection(store: &LiveKeyStore) -> String {
    let error = store.error.as_ref().map(|error| format!(" ({})", escape(error))).unwrap_or_default();
    format!("{}{error}", escape(&store.connection))
}
