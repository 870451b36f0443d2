//! What each layer of policies says to a call, and where it says so.

use super::caller::Match;
use super::context::Call;
use super::statement::{Kind, applying, names};
use super::truth::{Open, Truth};
use super::verdict::Layer;
use crate::policy::{Effect, PolicyDocument};

/// Where something stands: in a statement of a layer, or in a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The layer, the policy in it, and the statement in that.
    Statement(Layer, usize, usize),
    /// The index of the grant among those of the key.
    Grant(usize),
}

/// Something that a decision hangs on: what it is, whether it holds, and where that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) need: Need,
    pub(super) truth: Truth,
    pub(super) at: Option<Place>,
    /// Why it is open whether it is about the caller at all.
    pub(super) named: Option<Open>,
}

/// What a decision can hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: always holds.
    Nothing,
    /// No statement denies.
    Deny,
    /// The resource's policy names the caller itself.
    Direct,
    /// The resource's policy names the caller's role or user.
    ViaRole,
    /// The resource's policy delegates to the caller's account.
    Account,
    /// The resource's policy admits the caller in any form.
    Admitted,
    /// An identity policy allows.
    Identity,
    /// The permissions boundary allows.
    Boundary,
    /// The session policy allows.
    Session,
    /// Every level of service control policies allows.
    Scp,
    /// A grant allows.
    Grant,
    /// The caller may retire the grant by being named in it.
    Retirer,
    /// The grant was issued by the caller's account, or names it to retire it.
    RetiringAccount,
    /// The grant was issued by the caller's account.
    OwnGrant,
    /// The action works for callers of other accounts.
    Reach,
    /// The alias is not reserved for AWS.
    OwnAlias,
    /// The caller is one that can assume roles.
    NotRoot,
}

impl Held {
    pub(super) const NOTHING: Self = Self { need: Need::Nothing, truth: Truth::True, at: None, named: None };

    pub(super) fn new(need: Need, truth: Truth, at: Option<Place>) -> Self {
        Self { need, truth, at, named: None }
    }
}

/// What is kept of a part of a decision: the surest of what speaks for it ([`Held`]), or everything that does.
///
/// Deciding and explaining share everything else.
pub(super) trait Part: Clone + From<Held> {
    /// Returns a part that nothing speaks for yet.
    fn no(need: Need) -> Self {
        Self::from(Held::new(need, Truth::False, None))
    }

    fn yes(need: Need) -> Self {
        Self::from(Held::new(need, Truth::True, None))
    }

    fn known(need: Need, holds: bool) -> Self {
        Self::from(Held::new(need, holds.into(), None))
    }

    fn nothing() -> Self {
        Self::from(Held::NOTHING)
    }

    /// Adds something that speaks for it.
    fn add(&mut self, truth: Truth, at: Place, named: Option<Open>);

    /// Returns what holds where either of two does.
    fn either(self, other: Self) -> Self;

    /// Returns what holds where both of two do.
    fn both(self, other: Self) -> Self;

    fn for_need(self, need: Need) -> Self;

    /// Returns the part itself, but open where it does not hold.
    fn or_open(self, open: Open) -> Self;

    fn truth(&self) -> Truth;
}

impl Part for Held {
    fn add(&mut self, truth: Truth, at: Place, named: Option<Open>) {
        if truth.rank() > self.truth.rank() {
            (self.truth, self.at, self.named) = (truth, Some(at), named);
        }
    }

    fn either(self, other: Self) -> Self {
        if other.truth.rank() > self.truth.rank() { other } else { self }
    }

    fn both(self, other: Self) -> Self {
        if other.truth.rank() < self.truth.rank() { other } else { self }
    }

    fn for_need(self, need: Need) -> Self {
        Self { need, ..self }
    }

    fn or_open(self, open: Open) -> Self {
        Self { truth: self.truth.or_open(open), ..self }
    }

    fn truth(&self) -> Truth {
        self.truth
    }
}

/// What policies that have no principals say.
pub(super) struct Said<P> {
    pub(super) deny: P,
    pub(super) allow: P,
}

/// Judges identity policies, a boundary, a session policy, or one level of guard rails; `first` is the number of
/// the first document in its layer.
pub(super) fn judge<'a, P: Part>(
    (layer, first): (Layer, usize),
    documents: impl IntoIterator<Item = &'a PolicyDocument>,
    need: Need,
    call: &Call<'_>,
) -> Said<P> {
    let mut said = Said { deny: P::no(Need::Deny), allow: P::no(need) };
    for (number, document) in documents.into_iter().enumerate() {
        for (at, statement, truth) in applying(document, Kind::WithResources, call) {
            let place = Place::Statement(layer, first + number, at);
            match statement.effect {
                Effect::Deny => said.deny.add(truth, place, None),
                Effect::Allow => said.allow.add(truth, place, None),
            }
        }
    }
    said
}

/// What a resource's policy (of a key, or of a role for trust) says.
pub(super) struct ResourceSaid<P> {
    pub(super) deny: P,
    pub(super) direct: P,
    pub(super) via_role: P,
    pub(super) account: P,
}

impl<P: Part> ResourceSaid<P> {
    pub(super) fn nothing() -> Self {
        Self {
            deny: P::no(Need::Deny),
            direct: P::no(Need::Direct),
            via_role: P::no(Need::ViaRole),
            account: P::no(Need::Account),
        }
    }

    /// Returns whether the caller is admitted in any form.
    pub(super) fn admitted(&self) -> P {
        let by_name = self.direct.clone().either(self.via_role.clone());
        by_name.either(self.account.clone()).for_need(Need::Admitted)
    }

    fn allow(&mut self, how: Match) -> &mut P {
        match how {
            Match::Direct => &mut self.direct,
            Match::ViaRole => &mut self.via_role,
            Match::Account => &mut self.account,
        }
    }

    /// Adds what a document says.
    pub(super) fn judge(&mut self, layer: Layer, document: &PolicyDocument, kind: Kind, call: &Call<'_>) {
        for (at, statement, truth) in applying(document, kind, call) {
            let place = Place::Statement(layer, 0, at);
            let named = names(statement, &call.caller);
            let perhaps = named.maybe.map(|(how, open)| (how, truth.and(Truth::Unknown(open)), Some(open)));
            for (how, truth, named) in named.sure.map(|how| (how, truth, None)).into_iter().chain(perhaps) {
                match statement.effect {
                    Effect::Deny => self.deny.add(truth, place, named),
                    Effect::Allow => self.allow(how).add(truth, place, named),
                }
            }
        }
    }
}
