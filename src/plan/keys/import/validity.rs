//! The tag that says for how long a key's material is imported: a changed validity shows by it.

use super::super::KeyGoal;
use crate::desired::tags::TAG_VALIDITY;
use crate::desired::{DesiredKey, Import, TagReach, Validity};
use crate::diag::Code;
use crate::kms::TAGS_PER_KEY;
use crate::plan::draft::{Draft, Sheet};
use crate::plan::tagging::is_undeclared;
use crate::plan::{Action, KeyRef, Why};
use std::collections::{BTreeMap, BTreeSet};

type Tags = BTreeMap<String, String>;

/// Returns a validity as the tag has it.
pub(super) fn spell(validity: Validity) -> String {
    validity.days().map_or_else(|| "never".to_owned(), |days| crate::text::plural(days.into(), "day"))
}

/// Returns how many days a tag says; more than any number of days for material that does not expire.
pub(super) fn read(tag: &str) -> Option<i64> {
    if tag == "never" {
        return Some(i64::MAX);
    }
    let (days, word) = tag.split_once(' ')?;
    days.parse().ok().filter(|_| matches!(word, "day" | "days"))
}

/// Returns a validity as people read it.
pub(super) fn in_words(validity: Validity) -> String {
    match validity {
        Validity::Never => "never expires".to_owned(),
        Validity::Days { .. } => format!("valid for {}", spell(validity)),
    }
}

/// Returns the tags with which a key, or a replica, is made.
pub(in crate::plan) fn birth_tags(key: &DesiredKey, mut tags: Tags) -> Tags {
    tags.extend(key.import().map(|import| (TAG_VALIDITY.to_owned(), spell(import.validity))));
    tags
}

/// Writes the tag down, once all material is imported so.
pub(super) fn tag(import: &Import, live: &Tags, key: &KeyRef, (goal, sheet): (&KeyGoal<'_>, &mut Sheet<'_>)) {
    let (before, after) = (live.get(TAG_VALIDITY).cloned(), spell(import.validity));
    if before.as_ref() == Some(&after) {
        return;
    }
    let count = if before.is_none() { finally(goal, live) } else { 0 };
    if count > TAGS_PER_KEY {
        return sheet.block(
            Code::TagLimits,
            format!("the key would have {count} tags, `{TAG_VALIDITY}` included, and KMS allows {TAGS_PER_KEY}"),
            "remove tags that nobody needs: aws kms untag-resource --tag-keys …",
        );
    }
    let tags = BTreeMap::from([(TAG_VALIDITY.to_owned(), after.clone())]);
    let why = if before.is_some() { Why::Differs } else { Why::Absent };
    let draft = Draft::new(Action::TagKey { key: key.clone(), tags }, why);
    sheet.step(draft.change("valid for", before, Some(after)));
}

/// Returns how many tags the key has in the end, with one more.
fn finally(goal: &KeyGoal<'_>, live: &Tags) -> usize {
    let exclusive = goal.key.tag_reach == TagReach::All;
    let stays = |tag: &&String| !(tag.starts_with("aws:") || exclusive && is_undeclared(tag, &goal.tags));
    live.keys().filter(stays).chain(goal.tags.keys()).collect::<BTreeSet<_>>().len() + 1
}

/// Takes the tag off a key whose material keywright does not import any more.
pub(super) fn without(live: &Tags, key: &KeyRef, sheet: &mut Sheet<'_>) {
    let Some(before) = live.get(TAG_VALIDITY) else { return };
    let action = Action::UntagKey { key: key.clone(), tag_keys: BTreeSet::from([TAG_VALIDITY.to_owned()]) };
    sheet.step(Draft::new(action, Why::Unwanted).change("valid for", Some(before.clone()), None));
}
