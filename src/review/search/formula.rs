//! What two states of a key say to one caller about one action, as clauses over the knobs of a request.

use super::bench::{Bench, Truth, with_iam};
use super::clauses::{Clauses, Dnf};
use super::knobs::{Use, make_knobs};
use super::solve::Clause;
use super::space::{Setting, Slot, Space};
use super::{Region, Sides};
use crate::access::{GrantFacts, KeyFacts, PrincipalFacts, Request, Unknown};
use crate::kms::KmsAction;
use crate::policy::{Condition, Effect, PolicyVersion, Principals, Resources, Statement};

/// A part of a state that can matter, its principals and actions judged already.
struct Part {
    effect: Effect,
    conditions: Vec<Condition>,
    version: PolicyVersion,
    /// What must be read in one way for it to apply, and why that is open.
    reading: Option<(String, String)>,
}

/// What can matter in one state.
#[derive(Default)]
struct Parts {
    statements: Vec<Part>,
    grants: Vec<(GrantFacts, Option<(String, String)>)>,
}

/// The clauses of one state: a request is allowed where an allow holds and no deny does.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) allows: Vec<Clause>,
    pub(super) denies: Vec<Clause>,
}

/// Two states, the region in question, and the requests that there are.
pub(super) struct Formula {
    pub(super) space: Space,
    pub(super) old: Side,
    pub(super) new: Side,
    /// Each of them is one way to be in the region.
    pub(super) region: Vec<Clause>,
    /// What no request is.
    pub(super) never: Vec<Clause>,
}

/// Why there is no formula.
pub(super) enum NoFormula {
    /// The caller has nothing to do with the region.
    Elsewhere,
    TooLarge,
}

/// Builds formulas for one caller and one action.
pub(super) struct Builder<'a> {
    pub(super) benches: &'a mut [Bench; 2],
    pub(super) caller: &'a PrincipalFacts,
    /// The caller with IAM policies that allow everything, so that conditions can be asked about alone.
    pub(super) able: PrincipalFacts,
    pub(super) request: Request,
    pub(super) space: Space,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        sides: &Sides<'a>,
        benches: &'a mut [Bench; 2],
        caller: &'a PrincipalFacts,
        action: &str,
    ) -> Self {
        let space = Space::new(action, sides.new);
        Self { benches, caller, able: with_iam(caller), request: space.request([]), space }
    }

    /// Returns the formula for a region.
    pub(super) fn formula(mut self, sides: &Sides<'a>, region: &Region<'_>) -> Result<Formula, NoFormula> {
        let (within, lifted) = self.region_parts(region).ok_or(NoFormula::Elsewhere)?;
        let old = self.parts(0, sides.old);
        let new = self.parts(1, sides.new);
        let uses = uses(&[(0, &old), (1, &new), (1, &within), (0, &lifted)]);
        let grants: Vec<&GrantFacts> =
            [&old, &new, &within].iter().flat_map(|parts| &parts.grants).map(|(g, _)| g).collect();
        let kinds = make_knobs(&mut self, &uses, &grants);
        let mut clauses = Clauses { builder: self, kinds };
        let within = side(&mut clauses, 1, &within).ok_or(NoFormula::TooLarge)?.allows;
        let lifted_denies = side(&mut clauses, 0, &lifted).ok_or(NoFormula::TooLarge)?.denies;
        let region =
            if region.lifted.is_some() { within.times(&lifted_denies).ok_or(NoFormula::TooLarge)? } else { within };
        let old = side(&mut clauses, 0, &old).ok_or(NoFormula::TooLarge)?;
        let new = side(&mut clauses, 1, &new).ok_or(NoFormula::TooLarge)?;
        let never = clauses.never();
        Ok(Formula {
            space: clauses.builder.space,
            old: Side { allows: old.allows.0, denies: old.denies.0 },
            new: Side { allows: new.allows.0, denies: new.denies.0 },
            region: region.0,
            never,
        })
    }

    /// Returns what admits to the region, and the deny that it is about; `None` if the caller is elsewhere.
    fn region_parts(&mut self, region: &Region<'_>) -> Option<(Parts, Parts)> {
        let mut within = Parts::default();
        match &region.allow.grant {
            Some(grant) => within.grants.extend(self.grant(1, grant)),
            None => within.statements.extend(self.statement(
                1,
                &region.allow.statement(Effect::Allow),
                &PolicyVersion::V2012,
            )),
        }
        let mut lifted = Parts::default();
        if let Some(deny) = region.lifted {
            lifted.statements.push(self.statement(0, &deny.statement(Effect::Deny), &PolicyVersion::V2012)?);
        }
        let somewhere = !within.statements.is_empty() || !within.grants.is_empty();
        (somewhere && self.benches[1].reaches(&self.request, self.caller)).then_some((within, lifted))
    }

    fn parts(&mut self, side: usize, key: &KeyFacts) -> Parts {
        let mut parts = Parts::default();
        for policy in std::iter::once(&key.policy).chain(&key.ram_policy) {
            for statement in &policy.statements {
                parts.statements.extend(self.statement(side, statement, &policy.version));
            }
        }
        for grant in &key.grants {
            parts.grants.extend(self.grant(side, grant));
        }
        parts
    }

    fn statement(&mut self, side: usize, statement: &Statement, version: &PolicyVersion) -> Option<Part> {
        let truth = self.benches.get_mut(side)?.applies(statement, version, &self.request, self.caller);
        let reading = match truth {
            Truth::No => return None,
            Truth::Yes => None,
            Truth::Open(reason) => Some((reading_of(statement, &reason), reason)),
        };
        let (effect, conditions, version) = (statement.effect, statement.conditions.clone(), version.clone());
        Some(Part { effect, conditions, version, reading })
    }

    /// Returns a grant if it can allow the action to the caller.
    fn grant(&mut self, side: usize, grant: &GrantFacts) -> Option<(GrantFacts, Option<(String, String)>)> {
        let action = KmsAction::find(&self.request.action)?;
        let mut bare = grant.clone();
        bare.constraints = crate::access::GrantConstraints::default();
        let mut request = self.request.clone();
        if let Some(new) = &mut request.grant {
            new.operations.clear();
            new.constraints = None;
        }
        let granted = action.grantable && grant.operations.iter().any(|operation| operation == action.name);
        match self.benches.get_mut(side)?.grants(&bare, &request, self.caller) {
            _ if !granted => None,
            Truth::No => None,
            Truth::Yes => Some((grant.clone(), None)),
            Truth::Open(reason) => Some((grant.clone(), Some((format!("{:?} {reason}", grant.grantee), reason)))),
        }
    }

    /// Returns whether a condition holds for a request of the space.
    pub(super) fn holds(
        &mut self,
        asked: &Use<'_>,
        mut request: Request,
        open: &std::collections::BTreeSet<String>,
    ) -> Truth {
        if !open.is_empty() {
            request.unknown = Unknown::Keys(open.clone());
        }
        let condition = (asked.condition.as_ref(), asked.version, asked.effect);
        match self.benches.get_mut(asked.side) {
            Some(bench) => bench.holds(condition, &request, &self.able),
            None => Truth::No,
        }
    }

    /// Returns the knob of a reading that AWS leaves open.
    pub(super) fn reading(&mut self, name: &str, reason: &str) -> usize {
        let slot = Slot::Reading(name.to_owned());
        self.space
            .find(&slot)
            .unwrap_or_else(|| self.space.add(slot, vec![Setting::Absent, Setting::Text(reason.to_owned())]))
    }
}

/// Returns what names a reading: the same in both states where the same is left open.
fn reading_of(statement: &Statement, reason: &str) -> String {
    let (Some(Resources::Is(patterns) | Resources::IsNot(patterns)), principals) =
        (&statement.resources, &statement.principals)
    else {
        return reason.to_owned();
    };
    let variable: Vec<&String> = patterns.iter().filter(|pattern| pattern.contains("${")).collect();
    match principals {
        Some(Principals::IsNot(entries)) => format!("{:?} {entries:?} {variable:?}", statement.effect),
        Some(Principals::Is(_)) | None => format!("{reason} {variable:?}"),
    }
}

fn uses<'p>(all: &[(usize, &'p Parts)]) -> Vec<Use<'p>> {
    let of_parts = |(side, parts): &(usize, &'p Parts)| {
        let side = *side;
        let conditions = parts.statements.iter().flat_map(move |part| {
            part.conditions.iter().map(move |condition| Use {
                condition: std::borrow::Cow::Borrowed(condition),
                version: &part.version,
                effect: part.effect,
                side,
            })
        });
        conditions.chain(parts.grants.iter().flat_map(move |(grant, _)| Use::of_grant(grant, side))).collect::<Vec<_>>()
    };
    all.iter().flat_map(of_parts).collect()
}

struct Sided {
    allows: Dnf,
    denies: Dnf,
}

/// Returns the clauses of a state; `None` if there are too many.
fn side(clauses: &mut Clauses<'_>, at: usize, parts: &Parts) -> Option<Sided> {
    let mut sided = Sided { allows: Dnf::never(), denies: Dnf::never() };
    for part in &parts.statements {
        let mut all = clauses.if_read(part.reading.as_ref());
        for condition in &part.conditions {
            let condition = std::borrow::Cow::Borrowed(condition);
            let one = clauses.condition(&Use { condition, version: &part.version, effect: part.effect, side: at });
            all = all.times(&one)?;
        }
        match part.effect {
            Effect::Allow => sided.allows.0.extend(all.0),
            Effect::Deny => sided.denies.0.extend(all.0),
        }
    }
    for (grant, reading) in &parts.grants {
        let all = clauses.if_read(reading.as_ref()).times(&clauses.grant(grant, at)?)?;
        sided.allows.0.extend(all.0);
    }
    (sided.allows.0.len() + sided.denies.0.len() <= 20_000).then_some(sided)
}
