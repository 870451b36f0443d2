//! What two states of a key say to one caller about one action, as clauses over the knobs of a request.

use super::bench::{Truth, with_iam};
use super::clauses::{Clauses, Dnf};
use super::knobs::{Kinds, Use, make_knobs};
use super::solve::Clause;
use super::space::{Setting, Slot, Space};
use super::workshop::Workshop;
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

/// Two states, for one caller and one action, and the requests that there are.
pub(super) struct Formula {
    able: PrincipalFacts,
    request: Request,
    kinds: Kinds,
    pub(super) space: Space,
    pub(super) old: Side,
    pub(super) new: Side,
    /// What no request is.
    pub(super) never: Vec<Clause>,
}

/// Builds formulas for one caller and one action.
pub(super) struct Builder<'a> {
    pub(super) shop: &'a mut Workshop,
    pub(super) caller: &'a PrincipalFacts,
    /// The caller with IAM policies that allow everything, so that conditions can be asked about alone.
    pub(super) able: PrincipalFacts,
    pub(super) request: Request,
    pub(super) space: Space,
}

/// Returns what two states say to a caller about an action; `None` if that takes too long.
pub(super) fn formula(
    sides: &Sides<'_>,
    shop: &mut Workshop,
    caller: &PrincipalFacts,
    action: &str,
) -> Option<Formula> {
    let mut builder = Builder::new(sides, shop, caller, action);
    let old = builder.parts(0, sides.old);
    let new = builder.parts(1, sides.new);
    let uses = uses(&[(0, &old), (1, &new)]);
    let grants: Vec<&GrantFacts> =
        [&old, &new].iter().flat_map(|parts| &parts.grants).map(|(grant, _)| grant).collect();
    let kinds = make_knobs(&mut builder, &uses, &grants);
    let mut clauses = Clauses { builder, kinds };
    let (old, new) = (side(&mut clauses, 0, &old)?, side(&mut clauses, 1, &new)?);
    let never = clauses.never();
    let Clauses { builder: Builder { able, request, space, .. }, kinds } = clauses;
    let old = Side { allows: old.allows.0, denies: old.denies.0 };
    let new = Side { allows: new.allows.0, denies: new.denies.0 };
    Some(Formula { able, request, kinds, space, old, new, never })
}

/// Returns a formula, and each way to be in a region, over its knobs; `None` if that takes too long.
pub(super) fn within(
    formula: Formula,
    shop: &mut Workshop,
    caller: &PrincipalFacts,
    region: &Region<'_>,
) -> Option<(Formula, Vec<Clause>)> {
    let Formula { able, request, kinds, space, old, new, never } = formula;
    let mut builder = Builder { shop, caller, able, request, space };
    let parts = builder.region_parts(region);
    let mut clauses = Clauses { builder, kinds };
    let ways = match parts {
        None => Dnf::never(),
        Some((allow, None)) => side(&mut clauses, 1, &allow)?.allows,
        Some((allow, Some(lifted))) => {
            let allows = side(&mut clauses, 1, &allow)?.allows;
            allows.times(&side(&mut clauses, 0, &lifted)?.denies)?
        }
    };
    let Clauses { builder: Builder { able, request, space, .. }, kinds } = clauses;
    Some((Formula { able, request, kinds, space, old, new, never }, ways.0))
}

/// Returns whether a caller has anything to do with a region.
pub(super) fn is_concerned(
    sides: &Sides<'_>,
    shop: &mut Workshop,
    (caller, action): (&PrincipalFacts, &str),
    region: &Region<'_>,
) -> bool {
    let mut builder = Builder::new(sides, shop, caller, action);
    builder.region_parts(region).is_some() && builder.shop.benches[1].reaches(&builder.request, caller)
}

impl<'a> Builder<'a> {
    fn new(sides: &Sides<'_>, shop: &'a mut Workshop, caller: &'a PrincipalFacts, action: &str) -> Self {
        let space = Space::new(action, sides.new);
        Self { shop, caller, able: with_iam(caller), request: space.request([]), space }
    }

    /// Returns what admits to the region, and the deny that it is about; `None` if the caller is elsewhere.
    fn region_parts(&mut self, region: &Region<'_>) -> Option<(Parts, Option<Parts>)> {
        let mut within = Parts::default();
        match &region.allow.grant {
            Some(grant) => within.grants.extend(self.grant(1, grant)),
            None => within.statements.extend(self.statement(
                1,
                &region.allow.statement(Effect::Allow),
                &PolicyVersion::V2012,
            )),
        }
        if within.statements.is_empty() && within.grants.is_empty() {
            return None;
        }
        let Some(deny) = region.lifted else { return Some((within, None)) };
        let deny = self.statement(0, &deny.statement(Effect::Deny), &PolicyVersion::V2012)?;
        Some((within, Some(Parts { statements: vec![deny], grants: Vec::new() })))
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
        let truth = self.shop.benches.get_mut(side)?.applies(statement, version, &self.request, self.caller);
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
        match self.shop.benches.get_mut(side)?.grants(&bare, &request, self.caller) {
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
        match self.shop.benches.get_mut(asked.side) {
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
        if clauses.builder.shop.is_exhausted() {
            return None;
        }
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
