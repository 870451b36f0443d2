//! What each layer of policies says to a call, and where it says so.

use super::caller::Match;
use super::context::Call;
use super::statement::{Kind, applying, names};
use super::truth::Truth;
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
    pub(super) const NOTHING: Self = Self { need: Need::Nothing, truth: Truth::True, at: None };

    pub(super) fn no(need: Need) -> Self {
        Self { need, truth: Truth::False, at: None }
    }

    pub(super) fn yes(need: Need) -> Self {
        Self { need, truth: Truth::True, at: None }
    }

    pub(super) fn known(need: Need, holds: bool) -> Self {
        Self { need, truth: holds.into(), at: None }
    }

    /// Keeps the surer of what is held and of something more.
    pub(super) fn add(&mut self, truth: Truth, at: Place) {
        if truth.rank() > self.truth.rank() {
            self.truth = truth;
            self.at = Some(at);
        }
    }

    /// Returns the surer of two.
    pub(super) fn surer(self, other: Self) -> Self {
        if other.truth.rank() > self.truth.rank() { other } else { self }
    }

    pub(super) fn as_need(self, need: Need) -> Self {
        Self { need, ..self }
    }
}

/// What policies that have no principals say.
pub(super) struct Said {
    pub(super) deny: Held,
    pub(super) allow: Held,
}

/// Judges identity policies, a boundary, a session policy, or one level of guard rails; `first` is the number of
/// the first document in its layer.
pub(super) fn judge<'a>(
    (layer, first): (Layer, usize),
    documents: impl IntoIterator<Item = &'a PolicyDocument>,
    need: Need,
    call: &Call<'_>,
) -> Said {
    let mut said = Said { deny: Held::no(Need::Deny), allow: Held::no(need) };
    for (number, document) in documents.into_iter().enumerate() {
        for (at, statement, truth) in applying(document, Kind::WithResources, call) {
            let place = Place::Statement(layer, first + number, at);
            match statement.effect {
                Effect::Deny => said.deny.add(truth, place),
                Effect::Allow => said.allow.add(truth, place),
            }
        }
    }
    said
}

/// What a resource's policy (of a key, or of a role for trust) says.
pub(super) struct ResourceSaid {
    pub(super) deny: Held,
    pub(super) direct: Held,
    pub(super) via_role: Held,
    pub(super) account: Held,
}

impl ResourceSaid {
    pub(super) fn nothing() -> Self {
        Self {
            deny: Held::no(Need::Deny),
            direct: Held::no(Need::Direct),
            via_role: Held::no(Need::ViaRole),
            account: Held::no(Need::Account),
        }
    }

    /// Returns whether the caller is admitted in any form.
    pub(super) fn admitted(&self) -> Held {
        self.direct.surer(self.via_role).surer(self.account).as_need(Need::Admitted)
    }

    fn allow(&mut self, how: Match) -> &mut Held {
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
            let perhaps = named.maybe.map(|(how, open)| (how, truth.and(Truth::Unknown(open))));
            for (how, truth) in named.sure.map(|how| (how, truth)).into_iter().chain(perhaps) {
                match statement.effect {
                    Effect::Deny => self.deny.add(truth, place),
                    Effect::Allow => self.allow(how).add(truth, place),
                }
            }
        }
    }
}
