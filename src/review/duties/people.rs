//! Who can become whom: every identity that is known or named, and who may assume each role.

use super::DutyCertainty;
use super::acts::without_delegation;
use crate::access::{Decision, Grantee, Knowledge, PrincipalFacts, PrincipalType, Request, Unknown, evaluate_trust};
use crate::ids::{PrincipalArn, PrincipalKind, Region};
use crate::policy::{Condition, Effect, PolicyDocument, PrincipalEntry, Principals, Statement};
use crate::source::Loc;
use crate::synth::VERIFY_SESSION_NAME;
use crate::world::World;
use std::collections::BTreeSet;

/// An identity.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// How people call it.
    pub(super) name: String,
    /// Its facts.
    pub(super) facts: PrincipalFacts,
    /// Who may become it, for roles whose trust is known: without the statement for the self-test.
    trust: Option<PolicyDocument>,
    /// Of a session, its role.
    pub(super) role: Option<usize>,
    /// Where the manifest declares it.
    pub(super) loc: Option<Loc>,
}

/// Everybody, and who can become whom.
pub(super) struct People {
    all: Vec<Person>,
    region: Option<Region>,
    /// For each identity who can become it in one step, once it was asked for.
    before: Vec<Option<Vec<(usize, DutyCertainty)>>>,
}

impl People {
    /// Returns everybody whom a world knows, and those whom its policies and grants name besides.
    pub(super) fn of(world: &World) -> Self {
        let mut all: Vec<Person> = world
            .principals
            .iter()
            .filter(|known| !matches!(known.facts.kind, PrincipalType::Service | PrincipalType::Root))
            .map(|known| Person {
                name: known.name.clone(),
                facts: known.facts.clone(),
                trust: known.trust.as_ref().map(without_self_test),
                role: None,
                loc: known.loc,
            })
            .collect();
        let known: BTreeSet<&str> = world.principals.iter().map(|known| known.facts.arn.as_str()).collect();
        all.extend(named(world).into_iter().filter(|arn| !known.contains(arn.as_str())).map(|arn| stranger(&arn)));
        let before = vec![None; all.len()];
        let mut people = Self { all, region: world.keys.first().map(|key| key.facts.region.clone()), before };
        people.give_sessions_their_roles();
        people
    }

    /// Returns everybody.
    pub(super) fn all(&self) -> &[Person] {
        &self.all
    }

    /// Returns who can become somebody in one step.
    pub(super) fn predecessors(&mut self, at: usize) -> Vec<(usize, DutyCertainty)> {
        if let Some(Some(known)) = self.before.get(at) {
            return known.clone();
        }
        let found = self.find_predecessors(at);
        if let Some(slot) = self.before.get_mut(at) {
            *slot = Some(found.clone());
        }
        found
    }

    fn find_predecessors(&self, at: usize) -> Vec<(usize, DutyCertainty)> {
        let (Some(person), Some(region)) = (self.all.get(at), &self.region) else { return Vec::new() };
        // Whoever may assume a role chooses the session's name.
        let mut found: Vec<(usize, DutyCertainty)> =
            person.role.map(|role| (role, DutyCertainty::Certain)).into_iter().collect();
        let Some(trust) = &person.trust else { return found };
        let by_name = without_delegation(trust, person.facts.account.as_ref().map_or("", |account| account.as_str()));
        let mut request = Request::new("sts:AssumeRole", person.facts.arn.clone(), region.clone());
        request.unknown = Unknown::Everything;
        for (other, somebody) in self.all.iter().enumerate().filter(|(other, _)| *other != at) {
            let facts = &somebody.facts;
            let unread = facts.knowledge == Knowledge::NameOnly && facts.account == person.facts.account;
            let trust = if unread { &by_name } else { trust };
            match evaluate_trust(&request, facts, trust).decision {
                Decision::Allow => found.push((other, DutyCertainty::Certain)),
                Decision::Undetermined(_) => found.push((other, DutyCertainty::UnderCondition)),
                Decision::ExplicitDeny | Decision::ImplicitDeny => {}
            }
        }
        found
    }

    /// A session has what its role has.
    fn give_sessions_their_roles(&mut self) {
        let roles: Vec<(usize, PrincipalArn)> = self
            .all
            .iter()
            .enumerate()
            .filter(|(_, person)| person.facts.kind == PrincipalType::Role)
            .filter_map(|(at, person)| Some((at, person.facts.arn.parse().ok()?)))
            .collect();
        for session in 0..self.all.len() {
            let Some(role) = self.role_of(session, &roles) else { continue };
            let Some(facts) = self.all.get(role).map(|person| person.facts.clone()) else { continue };
            if let Some(person) = self.all.get_mut(session) {
                let arn = std::mem::take(&mut person.facts.arn);
                person.facts = PrincipalFacts { kind: PrincipalType::RoleSession, arn, ..facts };
                person.role = Some(role);
            }
        }
    }

    fn role_of(&self, session: usize, roles: &[(usize, PrincipalArn)]) -> Option<usize> {
        let facts = &self.all.get(session)?.facts;
        let arn: PrincipalArn = facts.arn.parse().ok().filter(|_| facts.kind == PrincipalType::RoleSession)?;
        let same = |role: &PrincipalArn| role.account() == arn.account() && role.role_name() == arn.role_name();
        roles.iter().find(|(_, role)| same(role)).map(|(at, _)| *at)
    }
}

fn stranger(arn: &PrincipalArn) -> Person {
    let mut facts = PrincipalFacts::from_arn(arn);
    facts.knowledge = Knowledge::NameOnly;
    Person { name: arn.to_string(), facts, trust: None, role: None, loc: None }
}

/// Returns a trust policy without the statement that admits the self-test alone, under a session name of its own. That
/// its principal may become users and administrators in turn is what it is for.
fn without_self_test(trust: &PolicyDocument) -> PolicyDocument {
    let mut trust = trust.clone();
    trust.statements.retain(|statement| !statement.conditions.iter().any(is_self_test));
    trust
}

fn is_self_test(condition: &Condition) -> bool {
    condition.operator.0 == "StringEquals"
        && condition.key.eq_ignore_ascii_case("sts:RoleSessionName")
        && matches!(&condition.values[..], [only] if only.as_text() == VERIFY_SESSION_NAME)
}

/// Returns everybody whom the trust policies, key policies and grants of a world name by ARN, or by a pattern of one.
fn named(world: &World) -> BTreeSet<PrincipalArn> {
    let trusts = world.principals.iter().filter_map(|known| known.trust.as_ref());
    let policies = trusts.chain(world.keys.iter().map(|key| &key.facts.policy));
    let allows = policies.flat_map(|policy| &policy.statements).filter(|statement| statement.effect == Effect::Allow);
    let grants = world.keys.iter().flat_map(|key| &key.facts.grants).filter_map(|grant| match &grant.grantee {
        Grantee::Principal(arn) => arn.parse().ok(),
        Grantee::Service(_) => None,
    });
    allows.flat_map(of_statement).chain(grants).filter(|arn: &PrincipalArn| arn.kind() != PrincipalKind::Root).collect()
}

fn of_statement(statement: &Statement) -> Vec<PrincipalArn> {
    let entries = match &statement.principals {
        Some(Principals::Is(entries)) => entries.as_slice(),
        Some(Principals::IsNot(_)) | None => &[],
    };
    let by_name = entries.iter().filter_map(|entry| match entry {
        PrincipalEntry::Aws(text) => text.parse().ok(),
        PrincipalEntry::Everyone
        | PrincipalEntry::Service(_)
        | PrincipalEntry::Federated(_)
        | PrincipalEntry::Other { .. } => None,
    });
    let pinned = statement.conditions.iter().filter(|condition| {
        condition.key.eq_ignore_ascii_case("aws:PrincipalArn")
            && matches!(condition.operator.0.as_str(), "ArnEquals" | "ArnLike" | "StringEquals" | "StringLike")
    });
    // One of those that the pattern matches stands for all; a pattern of several parts stands for none.
    let patterns = pinned.flat_map(|condition| &condition.values).map(|value| value.as_text());
    let stand_ins =
        patterns.filter(|pattern| !pattern.contains('*')).filter_map(|text| text.replace('?', "0").parse().ok());
    by_name.chain(stand_ins).collect()
}
