//! What a key takes over: the name of an earlier declaration, or a key that exists already.

use super::alias::resolve_alias;
use super::check;
use super::placeholder::{Passing, Values};
use crate::desired::{Adoption, Topology};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{KeyArn, KeyName};
use crate::manifest::raw::RawKey;
use crate::manifest::read::{Declarations, Declared};
use crate::source::{Loc, Located};
use crate::text;
use std::collections::BTreeMap;

/// Reports renamings that contradict what else is declared.
pub(super) fn check_successions(keys: &Declarations<RawKey>, found: &mut Diagnostics) {
    let mut heirs: BTreeMap<&str, Loc> = BTreeMap::new();
    for (name, declared) in keys {
        let Some(raw) = &declared.raw else { continue };
        let Some(moved_from) = &raw.moved_from else { continue };
        let old = declared.text(moved_from);
        if let Some(other) = keys.get(old.value) {
            found.push(still_declared(name, &old, other.loc));
        }
        if let Some(adopt) = &raw.adopt {
            let message = "a key is either renamed or adopted";
            found.push(
                conflict(message, old.loc, "was a key of this manifest under another name")
                    .label(declared.at(adopt), "was a key of nobody")
                    .help("keep one of `moved_from` and `adopt`"),
            );
        }
        if let Some(first) = heirs.insert(old.value, old.loc) {
            let (earlier, later) = if first < old.loc { (first, old.loc) } else { (old.loc, first) };
            let message = format!("two keys were `{}` before", text::escape(old.value));
            found.push(conflict(message, later, "again here").label(earlier, "first here").help("keep one of the two"));
        }
    }
}

fn conflict(message: impl Into<String>, loc: Loc, label: &str) -> Diagnostic {
    Diagnostic::error(Code::SuccessionConflict, message).label(loc, label)
}

fn still_declared(name: &str, old: &Located<&str>, other: Loc) -> Diagnostic {
    let escaped = text::escape(old.value);
    if name == old.value {
        let message = format!("key `{escaped}` cannot have been renamed to its own name");
        return conflict(message, old.loc, "its own name").help("leave `moved_from` out");
    }
    conflict(format!("`{escaped}` is declared still, so it was not renamed"), old.loc, "the old name")
        .label(other, "declared here")
        .help(format!("remove `[key.{escaped}]`, or leave `moved_from` out"))
}

/// Returns the name that a key had before.
pub(super) fn resolve_moved_from(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    found: &mut Diagnostics,
) -> Option<Located<KeyName>> {
    let written = declared.text(raw.moved_from.as_ref()?);
    check::parse(&written, found).map(|name| Located::new(name, written.loc))
}

/// Returns the key that a declaration takes over in a target. Replicas of an adopted primary are adopted with it.
pub(super) fn resolve_adoption(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    topology: &Topology,
    values: &Values,
    found: &mut Diagnostics,
) -> Option<Located<Adoption>> {
    if matches!(topology, Topology::Replica { .. }) {
        return None;
    }
    let written = declared.text(raw.adopt.as_ref()?);
    let expanded = values.expand(&written, Passing::Nothing, found)?;
    let adoption = if expanded.starts_with("arn:") {
        let arn = check::parse::<KeyArn>(&Located::new(expanded.as_str(), written.loc), found)?;
        check_place(&arn, written.loc, values, found);
        Adoption::Key(arn)
    } else {
        Adoption::Alias(resolve_alias(&written, values, found)?.value)
    };
    Some(Located::new(adoption, written.loc))
}

/// Reports a key that is not in the target: an ARN names one place, so with several targets it fits one at most.
fn check_place(arn: &KeyArn, loc: Loc, values: &Values, found: &mut Diagnostics) {
    let Some((target, region)) = &values.target else { return };
    let (account, partition) = (&values.account, values.partition);
    if arn.account() == *account && arn.region() == *region && arn.arn().partition() == partition.as_str() {
        return;
    }
    let message = format!("the key to adopt is not in target `{target}`, which is account {account} in {region}");
    let label = format!("in account {}, {}", arn.account(), arn.region());
    let help = "name the target that has it in `targets`, or adopt by an alias, which each target looks up on its own";
    found.push(Diagnostic::error(Code::AdoptionUnfit, message).label(loc, label).help(help));
}

/// The keys that the declarations of one target adopt.
#[derive(Debug, Default)]
pub(super) struct Adopted {
    taken: Vec<Located<Adoption>>,
}

impl Adopted {
    /// Takes a key's adoption, and reports one that is taken already.
    pub(super) fn take(&mut self, adoption: &Located<Adoption>, found: &mut Diagnostics) {
        if let Some(first) = self.taken.iter().find(|known| known.value == adoption.value) {
            let (earlier, later) =
                if first.loc < adoption.loc { (first.loc, adoption.loc) } else { (adoption.loc, first.loc) };
            found.push(
                Diagnostic::error(Code::AdoptionUnfit, "two keys would adopt the same key")
                    .label(later, "again here")
                    .label(earlier, "first here")
                    .help("keep one of the two"),
            );
        } else {
            self.taken.push(adoption.clone());
        }
    }
}
