//! The words of answers: places, conditions, what came near.

use super::Setting;
use crate::access::{ContextValue, Decision, Failing, Knowledge, Layer, NearMiss, TraceEntry};
use crate::kms::KmsAction;
use crate::policy::{Condition, Effect, PolicyDocument, PrincipalEntry, Principals, Statement};
use crate::render::simulate::layer_words;
use crate::review::{ExplainedAction, Explanation, Extent, Verdict, Wanted, condition_words, principal_words};
use crate::source::{Loc, Position};
use crate::text::{and_list, escape, plural};
use crate::world::{WorldKey, WorldPrincipal};

/// How many places of the manifest, or principals, a line names.
const FEW: usize = 3;

/// What the words of one answer need.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) setting: Setting<'a>,
    pub(super) key: &'a WorldKey,
    pub(super) principal: &'a WorldPrincipal,
}

impl<'a> Words<'a> {
    /// Returns the word of an answer, and what follows it.
    pub(super) fn verdict(self, answer: &Explanation<'_>) -> (&'static str, String) {
        let allowed = answer.actions.iter().filter(|action| action.answer.verdict != Verdict::Never).count();
        let denied = |action: &ExplainedAction| action.answer.residual.decision == Decision::ExplicitDeny;
        match answer.extent() {
            Extent::Always if self.is_crowd() => ("Yes,", " as far as the account's IAM policies allow it.".to_owned()),
            Extent::Always => ("Yes.", String::new()),
            Extent::Conditional => ("Yes,", self.shared_condition(answer)),
            Extent::Undetermined => ("It depends:", " not all that decides it is known.".to_owned()),
            Extent::Never if answer.actions.iter().all(denied) => ("No:", " a statement denies it.".to_owned()),
            Extent::Never => ("No:", " nothing allows it.".to_owned()),
            Extent::Partly => ("In part:", format!(" {allowed} of {}.", plural(answer.actions.len(), "action"))),
        }
    }

    /// Returns whether the caller stands for all of an account whom nothing names.
    fn is_crowd(self) -> bool {
        self.principal.facts.knowledge == Knowledge::AccountOnly
    }

    /// Returns whether a source is a policy that nobody wrote: what stands for an account's IAM.
    pub(super) fn is_made_up(self, source: &TraceEntry) -> bool {
        self.is_crowd() && source.layer == Layer::Identity
    }

    /// Returns the condition of all actions, where there is but one.
    fn shared_condition(self, answer: &Explanation<'_>) -> String {
        let of = |action: &ExplainedAction| match action.answer.residual.ways.as_slice() {
            [way] if way.open().is_none() && action.answer.residual.denies.is_empty() => {
                Some(self.conditions(way.conditions()))
            }
            _ => None,
        };
        let mut conditions = answer.actions.iter().map(of);
        let first = conditions.next().flatten();
        match first {
            Some(first) if conditions.all(|other| other.as_ref() == Some(&first)) && !first.is_empty() => {
                format!("{first}.")
            }
            Some(_) | None => " under the conditions below.".to_owned(),
        }
    }

    /// Returns conditions that must all hold, with a blank before: ` only through s3, only with tenant = acme-*`.
    pub(super) fn conditions(self, conditions: Vec<&Condition>) -> String {
        let words: Vec<String> = conditions.into_iter().map(|condition| self.condition(condition)).collect();
        if words.is_empty() { String::new() } else { format!(" {}", words.join(", ")) }
    }

    /// Returns the conditions of a deny, with a blank before: ` when called directly and without tenant`.
    pub(super) fn circumstances<'c>(self, conditions: impl IntoIterator<Item = &'c Condition>) -> String {
        let words = |condition: &Condition| {
            let words = self.condition(condition);
            match (words.strip_prefix("only "), words.strip_prefix("never ")) {
                (Some(rest), _) => rest.to_owned(),
                (None, Some(rest)) => format!("not {rest}"),
                (None, None) => words,
            }
        };
        let words: Vec<String> = conditions.into_iter().map(words).collect();
        if words.is_empty() { String::new() } else { format!(" {}", and_list(&words)) }
    }

    fn condition(self, condition: &Condition) -> String {
        let words = condition_words(condition, self.setting.names);
        let words = words.strip_suffix(" = *").map_or_else(|| words.clone(), |key| format!("{key} given"));
        escape(&words).into_owned()
    }

    /// Returns where something stands: the statement and policy, and its lines of the manifest.
    pub(super) fn place(self, source: &TraceEntry) -> String {
        place(source, self.key, (&self.principal.name, &self.principal.facts.arn), self.setting)
    }

    /// Returns the places of the manifest that a statement of the key policy comes from: those that name the caller,
    /// where some do.
    pub(super) fn positions(self, source: &TraceEntry) -> Vec<Position> {
        positions(source, self.key, &self.principal.name, self.setting)
    }

    /// Returns whether a source is a statement that denies.
    pub(super) fn is_deny(self, source: &TraceEntry) -> bool {
        self.statement(source).is_some_and(|statement| statement.effect == Effect::Deny)
    }

    fn statement(self, source: &TraceEntry) -> Option<&'a Statement> {
        let (policy, statement) = source.statement?;
        let facts = &self.principal.facts;
        let document: Option<&PolicyDocument> = match source.layer {
            Layer::KeyPolicy => Some(&self.key.facts.policy),
            Layer::RamPolicy => self.key.facts.ram_policy.as_ref(),
            Layer::Identity => facts.identity_policies.get(policy),
            Layer::Boundary => facts.permissions_boundary.as_ref(),
            Layer::Session => facts.session_policy.as_ref(),
            Layer::Scp | Layer::Rcp | Layer::Grant | Layer::Trust => None,
        };
        document?.statements.get(statement)
    }

    /// Returns the miss that is worth telling: what only lacks conditions, then what only IAM would have to allow, then
    /// a statement or grant for others.
    pub(super) fn nearest<'m>(self, misses: &[&'m NearMiss]) -> Option<&'m NearMiss> {
        let rank = |miss: &&NearMiss| {
            let written = miss.source.statement.is_some() || miss.source.id.is_some();
            let conditional = miss.failing.iter().all(|failing| matches!(failing, Failing::Condition { .. }));
            match (written, miss.source.layer, miss.failing.len()) {
                (true, ..) if conditional => 0,
                (false, Layer::Identity, 1) => 1,
                // An account is not one of those whom statements name.
                (false, Layer::KeyPolicy, _) if self.is_crowd() => 1,
                (true, ..) => 2,
                (false, ..) => 3,
            }
        };
        misses.iter().copied().min_by_key(rank)
    }

    /// Returns what came near to allowing something, and why it does not.
    pub(super) fn near(self, miss: &NearMiss, action: &KmsAction) -> String {
        let of_layer = |failing: &&Failing| matches!(failing, Failing::Layer(_));
        let lack = |failing: &Failing| self.lack(failing, &miss.source, action);
        let limits: Vec<String> = miss.failing.iter().filter(of_layer).map(lack).collect();
        if miss.source.statement.is_none() && miss.source.id.is_none() {
            return limits.join("; ");
        }
        let lacks: Vec<String> = miss.failing.iter().filter(|failing| !of_layer(failing)).map(lack).collect();
        let lacks = if lacks.is_empty() { String::new() } else { format!(": it {}", and_list(&lacks)) };
        let limits = limits.iter().map(|limit| format!("; {limit}"));
        format!("{}{lacks}{}", self.place(&miss.source), limits.collect::<String>())
    }

    fn lack(self, failing: &Failing, source: &TraceEntry, action: &KmsAction) -> String {
        match failing {
            Failing::Principal => match self.statement(source).map(|statement| self.principals(statement)) {
                Some(names) if !names.is_empty() => format!("is for {}", few(&names)),
                Some(_) | None => "is for others".to_owned(),
            },
            Failing::Action => format!("does not cover {}", action.full),
            Failing::Resource => "is for other resources".to_owned(),
            Failing::Condition { condition, given } => {
                let given = match given {
                    None => String::new(),
                    Some(ContextValue::One(text)) => format!(", and the call has `{}`", escape(text)),
                    Some(ContextValue::Many(texts)) => format!(", and the call has `{}`", escape(&texts.join("`, `"))),
                };
                format!("holds {}{given}", self.condition(condition))
            }
            Failing::Layer(text) => self.sentence(text),
        }
    }

    /// Returns what the evaluator says, with the key by its name.
    pub(super) fn sentence(self, text: &str) -> String {
        escape(&text.replace(&self.key.facts.arn, &format!("key {}", self.key.name))).into_owned()
    }

    fn principals(self, statement: &Statement) -> Vec<String> {
        let entries: &[PrincipalEntry] = match &statement.principals {
            Some(Principals::Is(entries)) => entries,
            Some(Principals::IsNot(_)) | None => &[],
        };
        let name = |entry: &PrincipalEntry| match entry {
            PrincipalEntry::Everyone => "everyone under its conditions".to_owned(),
            PrincipalEntry::Aws(text) if text.ends_with(":root") => {
                format!("account {}", escape(text.split(':').nth(4).unwrap_or_default()))
            }
            PrincipalEntry::Aws(_)
            | PrincipalEntry::Service(_)
            | PrincipalEntry::Federated(_)
            | PrincipalEntry::Other { .. } => {
                escape(&principal_words(entry.kind_and_value().1, self.setting.names)).into_owned()
            }
        };
        entries.iter().map(name).collect()
    }
}

/// Returns what is asked for, as the end of a question: `decrypt with key orders (target prod)`.
pub(super) fn asked(wanted: Wanted, key: &WorldKey) -> String {
    use crate::kms::Capability::{Administer, Audit, Delete, Deploy, Describe};
    let verb = match wanted {
        Wanted::Capability(Administer | Audit | Delete | Deploy | Describe) => wanted.name().to_owned(),
        Wanted::Capability(_) => format!("{} with", wanted.name()),
        Wanted::Action(action) => format!("call {} on", action.full),
    };
    format!("{verb} key {} (target {})", escape(&key.name), key.target)
}

/// Returns the places of the manifest that a statement of a key's policy comes from: those that name somebody, where
/// some do.
pub(super) fn positions(source: &TraceEntry, key: &WorldKey, who: &str, setting: Setting<'_>) -> Vec<Position> {
    let Some((_, statement)) = source.statement.filter(|_| source.layer == Layer::KeyPolicy) else {
        return Vec::new();
    };
    let origins = key.origins.get(statement).map(Vec::as_slice).unwrap_or_default();
    let names = |loc: &&Loc| setting.sources.text(**loc).trim_matches(['"', '\'']) == who;
    let own: Vec<&Loc> = origins.iter().filter(names).collect();
    let shown = if own.is_empty() { origins.iter().collect() } else { own };
    shown.into_iter().filter_map(|loc| setting.sources.position(*loc)).collect()
}

/// Returns where something stands: the statement and policy, and its lines of the manifest.
pub(super) fn place(source: &TraceEntry, key: &WorldKey, (who, arn): (&str, &str), setting: Setting<'_>) -> String {
    let of_caller = source.statement.filter(|_| source.layer == Layer::Identity);
    let name = of_caller.and_then(|(policy, _)| setting.policy_names.get(arn)?.get(policy));
    let layer = name.map_or_else(|| layer_words(source.layer).into(), |name| escape(name));
    let what = match (&source.id, source.statement) {
        (Some(id), _) if source.layer == Layer::Grant => return format!("grant {}", escape(id)),
        (Some(id), _) => format!("`{}` of the {layer}", escape(id)),
        (None, Some((_, statement))) => format!("statement {} of the {layer}", statement + 1),
        (None, None) => format!("the {layer}"),
    };
    let positions = positions(source, key, who, setting);
    let places: Vec<String> = positions.iter().map(|at| format!("{}:{}", escape(&at.file), at.line)).collect();
    if places.is_empty() { what } else { format!("{what}, {}", few(&places)) }
}

/// Returns the first of some things, and how many more there are.
pub(super) fn few(things: &[String]) -> String {
    match things.len().checked_sub(FEW) {
        None | Some(0) => and_list(things),
        Some(more) => {
            let shown: Vec<&str> = things.iter().take(FEW).map(String::as_str).collect();
            format!("{} and {more} more", shown.join(", "))
        }
    }
}
