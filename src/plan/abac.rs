//! What a plan changes in access: by the policies that it writes, and by the tags and aliases on which they depend.

mod settle;

use super::draft::Sheet;
use super::guard::TargetDraft;
use super::{Action, Finding, KeyRef, Owner, PlanInput, PlanKind};
use crate::access::KeyFacts;
use crate::desired::{DesiredKey, DesiredTarget};
use crate::diag::{Code, Severity};
use crate::ids::AliasName;
use crate::live::{LiveKey, LiveTarget};
use crate::policy::{PolicyDocument, PrincipalEntry, Principals, Statement};
use crate::text::{and_list, escape};
use crate::{review, world};
use settle::{Attribute, Changed};
use std::collections::{BTreeMap, BTreeSet};

/// A key to review.
pub(in crate::plan) struct Subject<'a> {
    /// The key as wanted.
    pub(in crate::plan) key: &'a DesiredKey,
    /// Its final policy.
    pub(in crate::plan) policy: PolicyDocument,
    /// The tags that it must carry.
    pub(in crate::plan) tags: BTreeMap<String, String>,
    /// The live key, if there is one.
    pub(in crate::plan) live: Option<&'a LiveKey>,
}

/// Adds the access that is gained and lost, and what depends on tags and aliases that change.
pub(in crate::plan) fn review(
    input: PlanInput<'_>,
    target: &DesiredTarget,
    live: &LiveTarget,
    subjects: &[Subject<'_>],
    draft: &mut TargetDraft<'_>,
) {
    if input.options.kind == PlanKind::Drift {
        return;
    }
    let aliases = final_aliases(live, &draft.sheets);
    let names = world::names(input.desired, target);
    for subject in subjects {
        let sheet = draft.sheets.iter().find(|sheet| sheet.owner == Owner::Key(subject.key.name.clone()));
        let Some(states) = States::of(target, subject, (live, &aliases), sheet) else { continue };
        let change = states.access_change(subject, &names);
        draft.plan.access.gains.extend(change.gains);
        draft.plan.access.losses.extend(change.losses);
        let position = input.sources.position(subject.key.loc);
        draft.plan.findings.extend(states.dependents(&names).into_iter().map(|message| Finding {
            code: Code::AbacChange,
            severity: Severity::Warning,
            owner: Some(Owner::Key(subject.key.name.clone())),
            message,
            remedy: "KMS takes up to five minutes until it decides by the new value; whose access that changes for certain is among the gains and losses".to_owned(),
            position: position.clone(),
        }));
    }
}

/// Returns which key each alias names once the steps are done.
pub(in crate::plan) fn final_aliases(live: &LiveTarget, sheets: &[Sheet<'_>]) -> BTreeMap<AliasName, KeyRef> {
    let now = live.aliases.iter().filter_map(|(alias, id)| Some((alias.clone(), KeyRef::Live(id.clone()?))));
    let mut aliases: BTreeMap<AliasName, KeyRef> = now.collect();
    for draft in sheets.iter().flat_map(|sheet| &sheet.drafts) {
        if let Action::CreateAlias { alias, key } | Action::UpdateAlias { alias, key, .. } = &draft.action {
            aliases.insert(alias.clone(), key.clone());
        } else if let Action::DeleteAlias { alias, .. } = &draft.action {
            aliases.remove(alias);
        }
    }
    aliases
}

/// Does to a key's tags what an action does.
pub(in crate::plan) fn apply_tags(action: &Action, tags: &mut BTreeMap<String, String>) {
    if let Action::CreateKey { tags: new, .. } | Action::TagKey { tags: new, .. } = action {
        tags.extend(new.clone());
    } else if let Action::UntagKey { tag_keys, .. } = action {
        tags.retain(|tag, _| !tag_keys.contains(tag));
    }
}

/// A key before the plan and after it.
struct States {
    /// `None` for a key that is made.
    before: Option<KeyFacts>,
    after: KeyFacts,
    changed: Changed,
}

impl States {
    /// Returns the states of a key; `None` where the live policy could not be read, of which nothing can be said then.
    fn of(
        target: &DesiredTarget,
        subject: &Subject<'_>,
        (live, aliases): (&LiveTarget, &BTreeMap<AliasName, KeyRef>),
        sheet: Option<&Sheet<'_>>,
    ) -> Option<Self> {
        let facts = |tags: &BTreeMap<String, String>, policy: PolicyDocument| {
            world::key_facts(target, subject.key, tags, subject.live, policy)
        };
        let mut tags = subject
            .live
            .map_or_else(BTreeMap::new, |key| key.tags.known().cloned().unwrap_or_else(|| subject.tags.clone()));
        let before = match subject.live {
            Some(key) => {
                let mut before = facts(&tags, key.policy.known()?.document.clone());
                before.aliases = live.aliases_of(&key.arn.key_id()).map(ToString::to_string).collect();
                Some(before)
            }
            None => None,
        };
        for draft in sheet.into_iter().flat_map(|sheet| &sheet.drafts) {
            apply_tags(&draft.action, &mut tags);
        }
        let mut after = facts(&tags, subject.policy.clone());
        let own = subject
            .live
            .map_or_else(|| KeyRef::Planned(subject.key.name.clone()), |key| KeyRef::Live(key.arn.key_id()));
        after.aliases = aliases.iter().filter(|(_, key)| **key == own).map(|(alias, _)| alias.to_string()).collect();
        let changed = before.as_ref().map_or_else(Changed::default, |before| Changed::between(before, &after));
        Some(Self { before, after, changed })
    }

    /// Returns the access that is gained and lost. Conditions on tags and aliases that change are decided by them, so
    /// that the same statement before and after shows whom it admits no more.
    fn access_change(&self, subject: &Subject<'_>, names: &BTreeMap<String, String>) -> review::AccessChange {
        let same = self.before.as_ref().is_some_and(|before| before.policy.same_permissions(&self.after.policy));
        let depends = self.documents().any(|(_, policy)| policy.statements.iter().any(|one| self.changed.decides(one)));
        if same && !depends {
            return review::AccessChange::default();
        }
        let settled = |facts: &KeyFacts| {
            if depends { settle::settled(facts, &self.changed) } else { facts.clone() }
        };
        let (before, after) = (self.before.as_ref().map(settled), settled(&self.after));
        let input = review::ReviewInput { key: &subject.key.name, before: before.as_ref(), after: &after, names };
        review::access_change(input)
    }

    /// Returns the live and the final policy.
    fn documents(&self) -> impl Iterator<Item = (&'static str, &PolicyDocument)> {
        let live = self.before.as_ref().map(|before| ("live", &before.policy));
        live.into_iter().chain([("final", &self.after.policy)])
    }

    /// Tells of each statement that depends on what changes, whom it concerns and how.
    fn dependents(&self, names: &BTreeMap<String, String>) -> Vec<String> {
        let mut told: BTreeSet<(String, String)> = BTreeSet::new();
        let mut messages = Vec::new();
        for (which, policy) in self.documents() {
            for (at, statement) in policy.statements.iter().enumerate() {
                for attribute in self.changed.of_statement(statement) {
                    let sid = statement
                        .sid
                        .as_ref()
                        .map_or_else(|| format!("number {}", at + 1), |sid| format!("`{}`", escape(sid)));
                    let how = in_words(&attribute);
                    let who = concerned(statement, names);
                    if told.insert((sid.clone(), how.clone())) {
                        messages.push(format!(
                            "the statement {sid} of the {which} policy depends on {how}: it concerns {who}"
                        ));
                    }
                }
            }
        }
        messages
    }
}

fn in_words(attribute: &Attribute) -> String {
    let value =
        |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |value| format!("`{}`", escape(value)));
    match attribute {
        Attribute::Tag { tag, before, after } => {
            format!("the tag `{}`, which changes from {} to {}", escape(tag), value(before), value(after))
        }
        Attribute::AliasGained(alias) => format!("the alias `{}`, which comes to the key", escape(alias)),
        Attribute::AliasLost(alias) => format!("the alias `{}`, which leaves the key", escape(alias)),
    }
}

/// Whom a statement names, in words.
fn concerned(statement: &Statement, names: &BTreeMap<String, String>) -> String {
    let known = |text: &str| names.get(text).cloned().unwrap_or_else(|| text.to_owned());
    let word = |entry: &PrincipalEntry| match entry {
        PrincipalEntry::Everyone => "everybody whom its conditions admit".to_owned(),
        PrincipalEntry::Aws(text) => match text.strip_suffix(":root").and_then(|head| head.rsplit(':').next()) {
            Some(account) => format!("whomever the IAM policies of account {account} let"),
            None => format!("`{}`", escape(&known(text))),
        },
        PrincipalEntry::Service(text) | PrincipalEntry::Federated(text) => format!("`{}`", escape(text)),
        PrincipalEntry::Other { value, .. } => format!("`{}`", escape(value)),
    };
    match &statement.principals {
        Some(Principals::Is(entries)) => and_list(&entries.iter().map(word).collect::<Vec<_>>()),
        Some(Principals::IsNot(entries)) => {
            format!("everybody but {}", and_list(&entries.iter().map(word).collect::<Vec<_>>()))
        }
        None => "nobody".to_owned(),
    }
}
