//! Tags of a key.

use super::super::draft::{Draft, Sheet};
pub(super) use super::super::tagging::spell;
use super::super::tagging::{TagOrder, tag_change};
use super::KeyGoal;
use crate::desired::TagReach;
use crate::diag::Code;
use crate::kms::TAGS_PER_KEY;
use crate::plan::{Action, KeyRef, Why};
use std::collections::BTreeMap;

/// Adds and overwrites declared tags; tags of others are left alone, unless the key's are exclusive.
pub(super) fn tag_step(goal: &KeyGoal<'_>, live: &BTreeMap<String, String>, key: &KeyRef, sheet: &mut Sheet<'_>) {
    let change = tag_change(&goal.tags, live, goal.key.tag_reach);
    if let TagOrder::TooMany(count) = change.order {
        let more = match goal.key.tag_reach {
            TagReach::Declared => " or write `tags_exclusive = true`",
            TagReach::All => "",
        };
        return sheet.block(
            Code::TagLimits,
            format!("the key would have {count} tags, undeclared ones included, and KMS allows {TAGS_PER_KEY}"),
            format!("remove tags that nobody needs: aws kms untag-resource --tag-keys …{more}"),
        );
    }
    let writes = (!change.write.is_empty()).then(|| {
        let before = spell(change.write.keys().filter_map(|tag| live.get_key_value(tag)));
        let after = spell(&change.write);
        let action = Action::TagKey { key: key.clone(), tags: change.write.clone() };
        Draft::new(action, Why::Differs).change("tags", before, after)
    });
    let removes = (!change.remove.is_empty()).then(|| {
        let before = spell(change.remove.iter().filter_map(|tag| live.get_key_value(tag)));
        let action = Action::UntagKey { key: key.clone(), tag_keys: change.remove.clone() };
        Draft::new(action, Why::Unwanted).change("undeclared tags", before, None)
    });
    let steps = if change.order == TagOrder::RemoveFirst { [removes, writes] } else { [writes, removes] };
    steps.into_iter().flatten().for_each(|draft| sheet.step(draft));
}
