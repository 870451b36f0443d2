//! Does a statement apply to a call? Its elements are judged from the cheapest to the dearest.

use super::caller::{Caller, Match, Matches};
use super::context::Call;
use super::facts::KeyFacts;
use super::operator::condition_holds;
use super::truth::{Open, Truth};
use super::variable::{Resolved, resolve, tokens_match, wild};
use crate::kms::ALIASES_PER_KEY;
use crate::policy::{
    Actions, Condition, Effect, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Resources, Statement,
    glob_matches_ignore_case,
};

/// Whether statements of a document have resources; those of trust policies have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Key, identity, session policies, boundaries and guard rails.
    WithResources,
    /// Trust policies.
    Trust,
}

/// Returns whether a statement applies, whoever calls: by its actions, resources and conditions.
///
/// A statement without actions or without resources has no effect.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>
pub(super) fn applies(statement: &Statement, version: &PolicyVersion, kind: Kind, call: &Call<'_>) -> Truth {
    if statement.inert.is_some() || !action_matches(statement.actions.as_ref(), &call.request.action) {
        return Truth::False;
    }
    let resource = resource_truth(statement, version, kind, call);
    if resource.is_false() || too_many_aliases(statement, call.key) {
        return Truth::False;
    }
    let conditions = statement.conditions.iter().map(|condition| condition_holds(condition, version, call));
    resource.and(Truth::all(conditions))
}

/// A statement's elements one by one, for saying which of them keep it from applying, or leave it open.
pub(super) struct Elements<'s> {
    pub(super) action: bool,
    pub(super) resource: Truth,
    pub(super) conditions: Vec<(&'s Condition, Truth)>,
}

/// Judges what [`applies`] judges, element by element.
pub(super) fn elements<'s>(
    statement: &'s Statement,
    version: &PolicyVersion,
    kind: Kind,
    call: &Call<'_>,
) -> Elements<'s> {
    let judged = statement.conditions.iter().map(|condition| (condition, condition_holds(condition, version, call)));
    let refused = statement.inert.is_some() || too_many_aliases(statement, call.key);
    Elements {
        action: action_matches(statement.actions.as_ref(), &call.request.action),
        resource: if refused { Truth::False } else { resource_truth(statement, version, kind, call) },
        conditions: judged.collect(),
    }
}

fn resource_truth(statement: &Statement, version: &PolicyVersion, kind: Kind, call: &Call<'_>) -> Truth {
    match kind {
        Kind::Trust => Truth::True,
        Kind::WithResources => resource_matches(statement.resources.as_ref(), version, call),
    }
}

fn action_matches(actions: Option<&Actions>, action: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| action_wild(pattern, action));
    match actions {
        None => false,
        Some(Actions::Is(patterns)) => any(patterns),
        Some(Actions::IsNot(patterns)) => !any(patterns),
    }
}

/// Returns whether an action matches a pattern; most patterns are decided without a search.
fn action_wild(pattern: &str, action: &str) -> bool {
    match pattern.find(['*', '?']) {
        None => pattern.eq_ignore_ascii_case(action),
        Some(at) if at + 1 == pattern.len() && pattern.ends_with('*') => {
            pattern.get(..at).zip(action.get(..at)).is_some_and(|(left, right)| left.eq_ignore_ascii_case(right))
        }
        Some(_) => glob_matches_ignore_case(pattern, action),
    }
}

fn resource_matches(resources: Option<&Resources>, version: &PolicyVersion, call: &Call<'_>) -> Truth {
    let resource = call.request.resource.as_str();
    let one = |pattern: &String| match resolve(pattern, version, call) {
        Resolved::Plain(pattern) => wild(pattern, resource).into(),
        Resolved::Tokens { tokens, .. } => tokens_match(&tokens, resource).into(),
        Resolved::Unresolved => Truth::False,
        Resolved::Open(open) => Truth::Unknown(open),
    };
    match resources {
        None => Truth::False,
        Some(Resources::Is(patterns)) => Truth::any(patterns.iter().map(one)),
        Some(Resources::IsNot(patterns)) => Truth::any(patterns.iter().map(one)).not(),
    }
}

/// An allow by alias fails for a key with more aliases than its quota.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html>
fn too_many_aliases(statement: &Statement, key: Option<&KeyFacts>) -> bool {
    statement.effect == Effect::Allow
        && key.is_some_and(|key| key.aliases.len() > ALIASES_PER_KEY)
        && statement.conditions.iter().any(|condition| condition.key.eq_ignore_ascii_case("kms:ResourceAliases"))
}

/// Returns how a statement of a resource's policy names the caller.
pub(super) fn names(statement: &Statement, caller: &Caller<'_>) -> Matches {
    match &statement.principals {
        None => Matches::default(),
        Some(Principals::Is(entries)) => caller.named_by(entries),
        Some(Principals::IsNot(entries)) => names_all_but(statement.effect, entries, caller),
    }
}

/// `NotPrincipal`: whoever matches no entry. An exempt caller has to be listed itself; a permissions boundary
/// makes a deny apply always.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
fn names_all_but(effect: Effect, entries: &[PrincipalEntry], caller: &Caller<'_>) -> Matches {
    let everybody = Matches { sure: Some(Match::Direct), maybe: None };
    let open = |open: Open| Matches { sure: None, maybe: Some((Match::Direct, open)) };
    let listed = caller.named_by(entries);
    if effect == Effect::Allow {
        return if listed.sure.is_none() { open(Open::NotPrincipalAllow) } else { Matches::default() };
    }
    match listed.sure {
        _ if caller.facts.permissions_boundary.is_some() => everybody,
        Some(Match::Direct) => Matches::default(),
        Some(Match::Account) if caller.is_root() => Matches::default(),
        Some(Match::Account) => open(Open::NotPrincipalAccount),
        Some(Match::ViaRole) => open(Open::NotPrincipalRole),
        None => listed.maybe.map_or(everybody, |(_, reason)| open(reason)),
    }
}

/// Returns the statements of a document that may apply, with their index and truth.
pub(super) fn applying<'a>(
    document: &'a PolicyDocument,
    kind: Kind,
    call: &'a Call<'_>,
) -> impl Iterator<Item = (usize, &'a Statement, Truth)> {
    let judged = document.statements.iter().enumerate();
    let judged = judged.map(move |(at, statement)| (at, statement, applies(statement, &document.version, kind, call)));
    judged.filter(|(_, _, truth)| !truth.is_false())
}
