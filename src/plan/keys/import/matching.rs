//! Which live material is which declared one: by the name that KMS keeps as its description, or else by its place.

use crate::desired::{DesiredMaterial, Import};
use crate::ids::{KeyMaterialId, MaterialName};
use crate::kms::KeyState;
use crate::live::{Expiry, KeyMetadata, LiveKey, LiveMaterial, LiveMaterials, LivePresence, MaterialStanding};

/// A material of a key, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its id, where it is told.
    pub(super) id: Option<KeyMaterialId>,
    /// What it is used for.
    pub(super) standing: MaterialStanding,
    /// Whether it is there.
    pub(super) presence: Presence,
}

/// Whether a material is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is, until then, where that is told.
    There(Option<Expiry>),
    /// It is not: it has expired or was deleted.
    Missing,
}

/// A declared material, and the live one that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    /// As declared.
    pub(super) wanted: &'a DesiredMaterial,
    /// As found; `None` where the key does not have it.
    pub(super) live: Option<Found>,
}

/// The materials of a key: those that are declared, oldest first, and the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matched<'a> {
    /// The declared ones.
    pub(super) pairs: Vec<Pair<'a>>,
    /// Live ones that nobody declares.
    pub(super) undeclared: Vec<&'a LiveMaterial>,
    /// Declared ones that are left alone, since the server does not list materials.
    pub(super) left_out: Vec<&'a MaterialName>,
}

impl Found {
    fn of(live: &LiveMaterial) -> Self {
        let presence = match live.presence {
            LivePresence::Imported(expiry) => Presence::There(Some(expiry)),
            LivePresence::Missing => Presence::Missing,
        };
        Self { id: Some(live.id.clone()), standing: live.standing, presence }
    }

    /// Returns the only material of a key whose server lists none; `None` where it has none now: whether it ever had
    /// is not told.
    fn untold(metadata: &KeyMetadata) -> Option<Self> {
        let there = metadata.state != KeyState::PendingImport;
        let presence = Presence::There(metadata.expiry);
        there.then_some(Self { id: None, standing: MaterialStanding::Current, presence })
    }
}

/// Returns the materials of a replica with the names that its primary knows them by, where it knows none itself: what
/// it still has to import was never named to it.
pub(super) fn with_names_of(primary: Option<&LiveKey>, own: &LiveMaterials) -> LiveMaterials {
    let known = primary.and_then(|key| key.materials.as_ref()?.known());
    let (LiveMaterials::Listed(own), Some(LiveMaterials::Listed(known))) = (own, known) else { return own.clone() };
    let name = |id: &KeyMaterialId| known.iter().find(|live| live.id == *id).and_then(|live| live.description.clone());
    let named = own.iter().map(|live| {
        let description = if is_nameless(live) { name(&live.id) } else { live.description.clone() };
        LiveMaterial { description, ..live.clone() }
    });
    LiveMaterials::Listed(named.collect())
}

/// Returns which declared material is which live one.
pub(super) fn matched<'a>(import: &'a Import, live: &'a LiveMaterials, metadata: &KeyMetadata) -> Matched<'a> {
    match live {
        LiveMaterials::Listed(all) => listed(import, all),
        LiveMaterials::Untold => {
            let mut declared = import.materials.iter();
            let pairs = declared.next().map(|wanted| Pair { wanted, live: Found::untold(metadata) });
            Matched {
                pairs: pairs.into_iter().collect(),
                undeclared: Vec::new(),
                left_out: declared.map(|left| &left.name).collect(),
            }
        }
    }
}

/// Nobody's names are guessed at: only what was imported by hand, without any, is matched by its place.
fn listed<'a>(import: &'a Import, all: &'a [LiveMaterial]) -> Matched<'a> {
    let named = |wanted: &DesiredMaterial| {
        all.iter().position(|live| live.description.as_deref() == Some(wanted.name.as_str()))
    };
    let mut places: Vec<Option<usize>> = import.materials.iter().map(named).collect();
    let mut nameless = all.iter().enumerate().filter(|(_, live)| is_nameless(live)).map(|(at, _)| at);
    for place in places.iter_mut().filter(|place| place.is_none()) {
        *place = nameless.next();
    }
    let undeclared = all.iter().enumerate().filter(|(at, _)| !places.contains(&Some(*at)));
    Matched {
        undeclared: undeclared.map(|(_, live)| live).collect(),
        pairs: import
            .materials
            .iter()
            .zip(&places)
            .map(|(wanted, place)| Pair { wanted, live: place.and_then(|at| all.get(at)).map(Found::of) })
            .collect(),
        left_out: Vec::new(),
    }
}

fn is_nameless(live: &LiveMaterial) -> bool {
    live.description.as_deref().is_none_or(str::is_empty)
}

impl Pair<'_> {
    /// Returns whether the key needs the material, and it is not there.
    pub(super) fn is_missing(&self) -> bool {
        let missing = |found: &Found| found.standing.is_in_use() && found.presence == Presence::Missing;
        self.live.as_ref().is_some_and(missing)
    }

    /// Returns whether the key needs the material, there or not.
    pub(super) fn is_in_use(&self) -> bool {
        self.live.as_ref().is_some_and(|found| found.standing.is_in_use())
    }
}

impl<'a> Matched<'a> {
    /// Returns whether the key never had any material, as far as is told.
    pub(super) fn is_empty(&self) -> bool {
        self.undeclared.is_empty() && self.pairs.iter().all(|pair| pair.live.is_none())
    }

    /// Returns the materials that the key needs, are not there, and are declared by nobody.
    pub(super) fn lost(&self) -> impl Iterator<Item = &'a LiveMaterial> {
        let lost = |live: &&&LiveMaterial| live.standing.is_in_use() && live.presence == LivePresence::Missing;
        self.undeclared.iter().filter(lost).copied()
    }

    /// Returns a declared material of the key, there or not.
    pub(super) fn find(&self, name: &MaterialName) -> Option<&Found> {
        self.pairs.iter().find(|pair| pair.wanted.name == *name)?.live.as_ref()
    }
}
