//! Keys in one target: who administers, deletes, reads and uses them, their aliases and tags.

use super::account::AccountBook;
use super::alias::{Claims, resolve_aliases, resolve_removed};
use super::check;
use super::class::Class;
use super::duties::{Keeper, check_admins, check_separation, check_verifier};
use super::import::ImportTerms;
use super::placeholder::{Passing, Values};
use super::places;
use super::principal::{Home, Position};
use super::succession::{Adopted, resolve_adoption, resolve_moved_from};
use super::tags::{WrittenTags, resolve_tags};
use super::terms::{Terms, below_floor};
use super::user::resolve_users;
use crate::desired::{Adoption, DesiredKey, Import, KeyAdmin, KeyMaterial, KeyPlaces, Principal, Takeover, Topology};
use crate::diag::Diagnostics;
use crate::ids::{AccountId, AliasName, KeyName, Region};
use crate::manifest::raw::{List, RawKey};
use crate::manifest::read::{Declared, tag_places};
use crate::source::{Loc, Located};
use crate::text;
use std::collections::BTreeSet;

/// What the keys of one target claim, so that no two of them claim the same.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Aliases.
    pub(super) claims: Claims,
    /// Existing keys.
    pub(super) adopted: Adopted,
}

/// A key, before it is looked at in a target.
#[derive(Debug)]
pub(super) struct Key<'a> {
    /// The name.
    pub(super) name: KeyName,
    /// The table.
    pub(super) declared: &'a Declared<RawKey>,
    /// What the table says.
    pub(super) raw: &'a RawKey,
    /// What holds in every target.
    pub(super) terms: Terms<'a>,
}

/// Where a key is resolved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    /// What placeholders stand for.
    pub(super) values: &'a Values,
    /// The roles of the account.
    pub(super) book: &'a AccountBook,
    /// The tags of the manifest.
    pub(super) tags: Option<&'a WrittenTags>,
    /// Who runs `apply`.
    pub(super) deployers: &'a [Located<Principal>],
}

/// Returns a key as wanted in a target, which has one of its family, in these Regions.
pub(super) fn resolve_key(
    key: &Key<'_>,
    (topology, regions): (&Topology, &BTreeSet<Region>),
    site: Site<'_>,
    ledger: &mut Ledger,
    found: &mut Diagnostics,
) -> DesiredKey {
    let Key { name, declared, raw, terms } = key;
    let home = Home { values: site.values, roles: &site.book.roles };
    let list = |list: &List<String>, position, found: &mut Diagnostics| {
        home.resolve_all(&declared.texts(list), position, found)
    };
    let admins = list(&raw.admins, Position::Admin, found);
    let deleters = raw.deleters.as_ref().map(|field| list(field, Position::Deleter, found)).unwrap_or_default();
    let auditors = raw.auditors.as_ref().map(|field| list(field, Position::Auditor, found)).unwrap_or_default();
    let users = resolve_users(declared, raw, terms, home, found);
    // An administrator that cannot be resolved is reported, and still counts.
    if admins.len() == raw.admins.get().len() && !admins.is_empty() {
        check_admins(&admins, &terms.delegation, declared.loc, &site.book.roles, found);
    }
    let keepers: Vec<Keeper<'_>> = [
        (Position::Admin, admins.as_slice()),
        (Position::Deleter, deleters.as_slice()),
        (Position::Deployer, site.deployers),
    ]
    .into_iter()
    .flat_map(|(position, principals)| principals.iter().map(move |principal| Keeper { principal, position }))
    .collect();
    check_separation(&keepers, &users, &site.book.made, found);
    check_verifier(site.book.verifier.as_ref(), &keepers, found);
    if let Some(class) = terms.class.get() {
        let users = users.iter().map(|user| (&user.principal, user.loc));
        let guests = users.chain(auditors.iter().map(|auditor| (&auditor.value, auditor.loc)));
        check_accounts(guests, &site.values.account, class, found);
    }
    let spec = raw.spec.as_ref().map(|spec| declared.at(spec));
    terms.substance.check_place(spec, site.values, found);
    let import =
        terms.import.as_ref().and_then(|import| import.expand(terms.material.kind().spec(), site.values, found));
    let Claimed { aliases, removed, adopt } = claim(key, topology, site.values, ledger, found);
    let own = raw.tags.as_ref().map(|tags| tag_places(declared.loc.source, tags.get())).unwrap_or_default();
    DesiredKey {
        name: name.clone(),
        loc: declared.loc,
        places: KeyPlaces {
            admins: places(&admins),
            deleters: places(&deleters),
            auditors: places(&auditors),
            // The default has the key's own place.
            delegation: Some(terms.delegation.loc).filter(|loc| *loc != declared.loc),
            separation: terms.separation_place,
            required_context: terms.required_context.clone(),
            import: terms.import.as_ref().map(|import| import.loc),
            materials: terms.import.as_ref().map(ImportTerms::places).unwrap_or_default(),
        },
        class: terms.class.get().map(|class| class.name.clone()),
        description: resolve_description(key, site.values, found),
        aliases,
        remove_aliases: removed.into_iter().map(|alias| alias.value).collect(),
        takeover: takeover(raw),
        lifecycle: terms.lifecycle,
        soak_days: terms.soak_days,
        topology: topology.clone(),
        family: regions.clone(),
        moved_from: resolve_moved_from(declared, raw, found),
        adopt,
        tag_reach: check::tag_reach(raw.tags_exclusive.as_ref()),
        material: material_in(&terms.material, topology, import),
        admins: admins.into_iter().map(|admin| KeyAdmin(admin.value)).collect(),
        deleters: deleters.into_iter().map(|deleter| deleter.value).collect(),
        auditors: auditors.into_iter().map(|auditor| auditor.value).collect(),
        users,
        services: terms.services.value.clone(),
        required_context: terms.required_context.keys().cloned().collect::<BTreeSet<String>>(),
        separation: terms.separation,
        delegation: terms.delegation.value,
        deletion_window: terms.window,
        tags: resolve_tags(site.tags, &own, site.values, declared.loc, found),
    }
}

/// What a key claims in a target.
struct Claimed {
    aliases: Vec<Located<AliasName>>,
    removed: Vec<Located<AliasName>>,
    adopt: Option<Located<Adoption>>,
}

/// Enters what a key claims in the target's ledger.
fn claim(key: &Key<'_>, topology: &Topology, values: &Values, ledger: &mut Ledger, found: &mut Diagnostics) -> Claimed {
    let Key { name, declared, raw, .. } = key;
    let aliases = resolve_aliases(declared, raw, name, values, found);
    ledger.claims.take(&aliases, found);
    let removed = resolve_removed(declared, raw, values, found);
    ledger.claims.give_up(&removed);
    let adopt = resolve_adoption(declared, raw, topology, values, found);
    if let Some(adopt) = &adopt {
        ledger.adopted.take(adopt, found);
    }
    Claimed { aliases, removed, adopt }
}

fn takeover(raw: &RawKey) -> Takeover {
    let asked = raw.takeover.as_ref().is_some_and(|asked| *asked.get());
    if asked { Takeover::Asked } else { Takeover::Never }
}

/// Returns the material as one of a family has it: KMS rotates the primary alone, and each Region imports for itself.
fn material_in(material: &KeyMaterial, topology: &Topology, import: Option<Import>) -> KeyMaterial {
    match (material, topology) {
        (KeyMaterial::Imported { kind, .. }, _) => KeyMaterial::Imported { kind: *kind, import },
        (KeyMaterial::Symmetric { rotation, .. }, Topology::Replica { .. }) => {
            KeyMaterial::Symmetric { rotation: *rotation, newer_than: None }
        }
        (material, Topology::Single | Topology::Primary { .. } | Topology::Replica { .. }) => material.clone(),
    }
}

fn resolve_description(key: &Key<'_>, values: &Values, found: &mut Diagnostics) -> Option<String> {
    let written = key.declared.text(key.raw.description.as_ref()?);
    let expanded = values.expand(&written, Passing::Nothing, found)?;
    let longest = crate::kms::DESCRIPTION_CHARS;
    check::length(&Located::new(&expanded, written.loc), "a description", longest, found);
    Some(expanded)
}

/// Reports principals of accounts that the class does not admit.
fn check_accounts<'a>(
    guests: impl Iterator<Item = (&'a Principal, Loc)>,
    home: &AccountId,
    class: &Class,
    found: &mut Diagnostics,
) {
    let Some(floor) = &class.accounts else { return };
    for (principal, loc) in guests {
        let account = match principal {
            Principal::Role { arn, .. } | Principal::Arn(arn) => Some(arn.account()),
            Principal::IdentityCenter { account, .. } | Principal::Account(account) => Some(account.clone()),
            Principal::Organization(_) | Principal::Service(_) => None,
        };
        let label = match account {
            Some(account) if account == *home || floor.value.contains(&account) => continue,
            Some(account) => format!("of account {account}"),
            None => "of any account of the organization".to_owned(),
        };
        let name = principal.name();
        let message = format!("class `{}` does not admit `{}`", class.name, text::escape(&name));
        found.push(below_floor(message, (loc, label), (floor.loc, "the accounts that it admits".to_owned()), class));
    }
}
