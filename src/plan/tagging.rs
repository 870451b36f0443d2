//! What to write and to remove for a key's or role's tags to be as declared.

use crate::desired::TagReach;
use crate::desired::tags::RESERVED_PREFIX;
use crate::kms::TAGS_PER_KEY;
use std::collections::{BTreeMap, BTreeSet};

/// Tags by key.
type Tags = BTreeMap<String, String>;

/// The changes of a resource's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct TagChange {
    /// Tags to add or overwrite.
    pub(in crate::plan) write: Tags,
    /// Undeclared tags to remove.
    pub(in crate::plan) remove: BTreeSet<String>,
    /// In which order, as far as 50 tags allow either.
    pub(in crate::plan) order: TagOrder,
}

/// In which order tags are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum TagOrder {
    /// Writing before removing: at no time does the resource lack both.
    WriteFirst,
    /// Removing before writing, since there is no room for both.
    RemoveFirst,
    /// There is no room at all: so many tags there would be.
    TooMany(usize),
}

/// Returns whether a live tag is neither declared nor reserved, so that `tags_exclusive` removes it. Tags that begin
/// with `aws:` are AWS's.
///
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
pub(in crate::plan) fn is_undeclared(tag: &str, wanted: &Tags) -> bool {
    !wanted.contains_key(tag) && !tag.starts_with(RESERVED_PREFIX) && !is_of_aws(tag)
}

fn is_of_aws(tag: &str) -> bool {
    tag.starts_with("aws:")
}

/// Compares tags. A key and a role have at most 50; AWS's own do not count.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/tagging-keys.html>
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>
pub(in crate::plan) fn tag_change(wanted: &Tags, live: &Tags, reach: TagReach) -> TagChange {
    let differing = wanted.iter().filter(|(tag, value)| live.get(*tag) != Some(value));
    let write: Tags = differing.map(|(tag, value)| (tag.clone(), value.clone())).collect();
    let remove: BTreeSet<String> = match reach {
        TagReach::All => live.keys().filter(|tag| is_undeclared(tag, wanted)).cloned().collect(),
        TagReach::Declared => BTreeSet::new(),
    };
    let own = live.keys().filter(|tag| !is_of_aws(tag)).count();
    let all = own + write.keys().filter(|tag| !live.contains_key(*tag)).count();
    let left = all - remove.len();
    let order = match (all <= TAGS_PER_KEY, left <= TAGS_PER_KEY) {
        _ if write.is_empty() => TagOrder::WriteFirst,
        (true, _) => TagOrder::WriteFirst,
        (false, true) => TagOrder::RemoveFirst,
        (false, false) => TagOrder::TooMany(left),
    };
    TagChange { write, remove, order }
}

/// Returns tags as people write them; `None` for none.
pub(in crate::plan) fn spell<'t>(tags: impl IntoIterator<Item = (&'t String, &'t String)>) -> Option<String> {
    let tags: Vec<String> = tags.into_iter().map(|(tag, value)| format!("{tag}={value}")).collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags(entries: &[(&str, &str)]) -> Tags {
        entries.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect()
    }

    fn many(count: usize) -> Tags {
        (0..count).map(|number| (format!("t{number:02}"), "x".to_owned())).collect()
    }

    #[test]
    fn only_undeclared_tags_of_people_are_removed() {
        let live =
            tags(&[("team", "blue"), ("aws:cloudformation:stack-id", "x"), ("keywright:claim", "1"), ("data", "a")]);
        let wanted = tags(&[("data", "b")]);
        let change = tag_change(&wanted, &live, TagReach::All);
        assert_eq!((change.write, change.remove), (wanted.clone(), BTreeSet::from(["team".to_owned()])));
        assert_eq!(tag_change(&wanted, &live, TagReach::Declared).remove, BTreeSet::new());
    }

    #[test]
    fn room_is_made_before_it_is_used_and_what_has_none_is_refused() {
        let wanted = tags(&[("new", "x")]);
        let order = |live: usize, reach| tag_change(&wanted, &many(live), reach).order;
        assert_eq!(order(49, TagReach::Declared), TagOrder::WriteFirst);
        assert_eq!(order(50, TagReach::Declared), TagOrder::TooMany(51));
        assert_eq!(order(50, TagReach::All), TagOrder::RemoveFirst);
        let full = Tags::from([("t00".to_owned(), "other".to_owned())]);
        assert_eq!(tag_change(&full, &many(50), TagReach::Declared).order, TagOrder::WriteFirst, "it is overwritten");
        let aws = many(49).into_iter().chain(tags(&[("aws:a", "1"), ("aws:b", "1")])).collect();
        assert_eq!(tag_change(&wanted, &aws, TagReach::Declared).order, TagOrder::WriteFirst);
    }

    proptest! {
        #[test]
        fn after_the_change_nothing_is_left_to_change(
            wanted in prop::collection::btree_map("[a-d]|keywright:[ab]", "[xy]", 0..5),
            live in prop::collection::btree_map("[a-d]|keywright:[ab]|aws:[ab]", "[xy]", 0..8),
            exclusive in any::<bool>(),
        ) {
            let reach = if exclusive { TagReach::All } else { TagReach::Declared };
            let change = tag_change(&wanted, &live, reach);
            let mut after = live.clone();
            after.extend(change.write);
            after.retain(|tag, _| !change.remove.contains(tag));
            let again = tag_change(&wanted, &after, reach);
            prop_assert!(again.write.is_empty() && again.remove.is_empty());
            let kept = |tag: &String| tag.starts_with("aws:") || (tag.starts_with("keywright:") && !wanted.contains_key(tag));
            prop_assert!(live.iter().filter(|(tag, _)| kept(tag)).all(|(tag, value)| after.get(tag) == Some(value)));
        }
    }
}
