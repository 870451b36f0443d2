//! What cannot be changed on a key: a difference blocks, and a key is never replaced.

use super::super::draft::Sheet;
use super::KeyGoal;
use crate::desired::Topology;
use crate::diag::Code;
use crate::kms::{KeyState, Origin};
use crate::live::{KeyManager, KeyMetadata};

pub(super) fn changeable(goal: &KeyGoal<'_>, live: &KeyMetadata, sheet: &mut Sheet<'_>) -> bool {
    let before = sheet.blockers.len();
    let recipe = "declare a new key under another name, move the alias to it, re-encrypt, then retire this one";
    let mut immutable = |property: &str, is: &str, wanted: &str| {
        if is != wanted {
            sheet.block(
                Code::ImmutableProperty,
                format!("the key's {property} is {is}, the manifest wants {wanted}"),
                recipe,
            );
        }
    };
    immutable("spec", live.spec.name(), goal.key.spec().name());
    immutable("usage", live.usage.name(), goal.key.usage().name());
    immutable("origin", live.origin.name(), Origin::AwsKms.name());
    let many_regions = goal.key.topology != Topology::Single;
    immutable("multi-Region setting", &live.multi_region.to_string(), &many_regions.to_string());
    immutable("manager", if live.manager == KeyManager::Aws { "AWS" } else { "customer" }, "customer");
    // A replica that is still being made can be named, tagged and described.
    let is_coming = live.state == KeyState::Creating && matches!(goal.key.topology, Topology::Replica { .. });
    if !is_coming && !matches!(live.state, KeyState::Enabled | KeyState::Disabled) {
        sheet.block(
            Code::KeyState,
            format!("the key is in state {}", live.state),
            "wait until KMS has finished, then plan again",
        );
    }
    sheet.blockers.len() == before
}
