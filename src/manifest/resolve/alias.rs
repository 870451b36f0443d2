//! Aliases: names and defaults, and who else claims them.

use super::check;
use super::placeholder::{Passing, Values};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{AliasName, KeyName};
use crate::kms::ALIASES_PER_KEY;
use crate::manifest::raw::RawKey;
use crate::manifest::read::Declared;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::BTreeMap;

/// Returns the aliases of a key in one target, without the claim alias.
pub(super) fn resolve_aliases(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    key: &KeyName,
    values: &Values,
    found: &mut Diagnostics,
) -> Vec<Located<AliasName>> {
    let Some(list) = &raw.aliases else {
        let default = AliasName::default_for(&values.stack, key).to_string();
        // A stack named `aws` or `keywright` has no default aliases.
        return resolve_alias(&Located::new(&default, declared.loc), values, found).into_iter().collect();
    };
    let loc = declared.at(list);
    if list.get().is_empty() {
        let help = "leave the field out for the default alias";
        found.push(check::invalid("`aliases` names nothing", loc, "an empty list", help));
    }
    if list.get().len() >= ALIASES_PER_KEY {
        let message = format!("a key has at most {ALIASES_PER_KEY} aliases, and keywright needs one of them");
        found.push(check::invalid(message, loc, "too many", "name at most 49"));
    }
    let each = list.get().iter().filter_map(|alias| resolve_alias(&declared.text(alias), values, found));
    each.collect()
}

/// Returns the aliases that are to be taken off a key in one target.
pub(super) fn resolve_removed(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    values: &Values,
    found: &mut Diagnostics,
) -> Vec<Located<AliasName>> {
    let Some(list) = &raw.remove_aliases else { return Vec::new() };
    if list.get().is_empty() {
        let help = "leave the field out: aliases that are not declared are left alone";
        found.push(check::invalid("`remove_aliases` names nothing", declared.at(list), "an empty list", help));
    }
    list.get().iter().filter_map(|alias| resolve_alias(&declared.text(alias), values, found)).collect()
}

/// Returns an alias, and reports one that is none or that is reserved.
pub(super) fn resolve_alias(
    written: &Located<&str>,
    values: &Values,
    found: &mut Diagnostics,
) -> Option<Located<AliasName>> {
    let expanded = values.expand(written, Passing::Nothing, found)?;
    let full = if expanded.starts_with("alias/") { expanded } else { format!("alias/{expanded}") };
    let reserved = [("alias/aws/", "AWS"), ("alias/keywright/", "keywright")];
    if let Some((prefix, owner)) = reserved.iter().find(|(prefix, _)| full.starts_with(prefix)) {
        let message =
            format!("`{}` is reserved: aliases under `{prefix}` are made by {owner} alone", text::escape(&full));
        let diagnostic = Diagnostic::error(Code::AliasConflict, message).label(written.loc, "reserved");
        found.push(diagnostic.help("name another alias"));
        return None;
    }
    let alias = check::parse(&Located::new(full.as_str(), written.loc), found)?;
    Some(Located::new(alias, written.loc))
}

/// The aliases that the keys of one target claim, and those that they give up.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: BTreeMap<AliasName, Loc>,
    removed: Vec<Located<AliasName>>,
}

impl Claims {
    /// Takes a key's aliases, and reports those that are taken already.
    pub(super) fn take(&mut self, aliases: &[Located<AliasName>], found: &mut Diagnostics) {
        for alias in aliases {
            if let Some(first) = self.taken.get(&alias.value) {
                let (first, second) = if *first < alias.loc { (*first, alias.loc) } else { (alias.loc, *first) };
                let message = format!("`{}` is claimed twice in one target", alias.value);
                found.push(
                    Diagnostic::error(Code::AliasConflict, message)
                        .label(second, "claimed again here")
                        .label(first, "first claimed here")
                        .help("an alias leads to one key: rename one of them"),
                );
            } else {
                self.taken.insert(alias.value.clone(), alias.loc);
            }
        }
    }

    /// Takes the aliases that a key gives up.
    pub(super) fn give_up(&mut self, aliases: &[Located<AliasName>]) {
        self.removed.extend(aliases.iter().cloned());
    }

    /// Reports aliases that are given up and claimed as well, by whatever key of the target.
    pub(super) fn check_removed(&self, found: &mut Diagnostics) {
        for removed in &self.removed {
            let Some(claimed) = self.taken.get(&removed.value) else { continue };
            let message = format!("`{}` is declared and to be removed", removed.value);
            found.push(
                Diagnostic::error(Code::AliasConflict, message)
                    .label(removed.loc, "removed here")
                    .label(*claimed, "declared here")
                    .help("keep one of the two: an alias that another key declares is moved, not removed"),
            );
        }
    }
}
