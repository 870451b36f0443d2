//! The rules of the language: from the files put together to desired state, each target and account resolved.

mod account;
mod alias;
mod check;
mod class;
mod duties;
mod family;
mod import;
mod key;
mod material;
mod placeholder;
mod principal;
mod role;
mod rotation;
mod source;
mod succession;
mod tags;
mod target;
mod terms;
mod trust;
mod user;

use crate::desired::{DesiredKey, DesiredState, DesiredTarget, Principal, TargetPlaces};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{KeyName, OwnerId, StackName};
use crate::manifest::raw::{List, RawTarget};
use crate::manifest::read::{Declared, Merged};
use crate::source::{Loc, Located, SourceMap};
use account::{AccountBook, Accounts};
use class::Classes;
use duties::{Keeper, check_verifier};
use family::{Placement, resolve_placement};
use key::{Key, Ledger, Site};
use principal::{Home, Position};
use target::{Target, Targets};

/// Resolves a manifest; `None` if what every rule needs is missing. Errors are in `found`.
pub(super) fn resolve(merged: &Merged, sources: &SourceMap, found: &mut Diagnostics) -> Option<DesiredState> {
    let start = sources.iter().next().map(|(id, _)| Loc::new(id, 0..0));
    let stack = header::<StackName>(merged, merged.stack.as_ref(), "stack", start, found);
    let owner = header::<OwnerId>(merged, merged.id.as_ref(), "id", start, found);
    // The rest is checked with a stand-in, so that a wrong name hides nothing.
    let named = stack.clone().or_else(|| "stack".parse().ok())?;
    let classes = class::resolve_classes(&merged.classes, found);
    let roles = role::resolve_roles(&merged.roles, found);
    let targets = target::resolve_targets(&merged.targets, &named, found);
    if targets.is_empty() && !merged.broken_fields.contains("target") {
        let diagnostic = Diagnostic::error(Code::MissingField, "the manifest has no target");
        found.push(
            at(diagnostic, start, "no `[target.…]` in any file").help("declare where keys live: `[target.prod]`"),
        );
    }
    check_verifiable(merged, found);
    let mut accounts = Accounts::new();
    for target in targets.values().flatten() {
        let account = target.values.account.clone();
        accounts.entry(account).or_insert_with(|| account::resolve_account(merged, &roles, &target.values, found));
    }
    let keys = resolve_keys(merged, &classes, &targets, found);
    let desired: Vec<DesiredTarget> = targets
        .values()
        .flatten()
        .filter_map(|target| Some(resolve_target(target, accounts.get(&target.values.account)?, &keys, merged, found)))
        .collect();
    let accounts = account::desired_accounts(accounts, &desired, merged, found);
    Some(DesiredState { stack: stack?, owner: owner?, accounts, targets: desired, left_out: Vec::new() })
}

/// Returns a field that exactly one file must have.
fn header<T: std::str::FromStr<Err = crate::ids::IdError>>(
    merged: &Merged,
    field: Option<&Located<String>>,
    name: &str,
    start: Option<Loc>,
    found: &mut Diagnostics,
) -> Option<T> {
    match field {
        Some(written) => check::parse(&Located::new(written.value.as_str(), written.loc), found),
        None if merged.broken_fields.contains(name) => None,
        None => {
            let diagnostic = Diagnostic::error(Code::MissingField, format!("the manifest needs the field `{name}`"));
            let diagnostic = at(diagnostic, start, "in none of the files");
            found.push(diagnostic.help(format!("`keywright init` writes it; else add `{name} = \"…\"` to one file")));
            None
        }
    }
}

fn at(diagnostic: Diagnostic, loc: Option<Loc>, label: &str) -> Diagnostic {
    match loc {
        Some(loc) => diagnostic.label(loc, label),
        None => diagnostic,
    }
}

/// Reports verifiable roles where nobody could verify them.
fn check_verifiable(merged: &Merged, found: &mut Diagnostics) {
    if merged.verify.is_some() || merged.broken_fields.contains("verify") {
        return;
    }
    for declared in merged.roles.values() {
        let verifiable = declared.raw.as_ref().and_then(|raw| raw.verifiable.as_ref());
        if let Some(value) = verifiable.filter(|value| *value.get()) {
            found.push(
                Diagnostic::error(Code::VerifierMissing, "a verifiable role needs a `[verify]` table")
                    .label(declared.at(value), "nobody may assume it for the self-test")
                    .help("name who runs the self-test: `[verify]` with `principal = \"…\"`"),
            );
        }
    }
}

/// Resolves what holds for keys in every target, and where each of them goes.
fn resolve_keys<'a>(
    merged: &'a Merged,
    classes: &'a Classes,
    targets: &Targets<'_>,
    found: &mut Diagnostics,
) -> Vec<(Key<'a>, Placement)> {
    succession::check_successions(&merged.keys, found);
    source::check_stdin(&merged.keys, found);
    let mut keys = Vec::new();
    for (written, declared) in &merged.keys {
        let name = check::parse::<KeyName>(&Located::new(written, declared.loc), found);
        let Some(raw) = &declared.raw else { continue };
        let terms = terms::resolve_terms(written, declared, raw, classes, found);
        let to = resolve_placement(declared, raw, terms.class, targets, found);
        if let Some(name) = name {
            keys.push((Key { name, declared, raw, terms }, to));
        }
    }
    keys
}

fn resolve_target(
    target: &Target<'_>,
    book: &AccountBook,
    keys: &[(Key<'_>, Placement)],
    merged: &Merged,
    found: &mut Diagnostics,
) -> DesiredTarget {
    let home = Home { values: &target.values, roles: &book.roles };
    let Target { name, declared, raw, values, region, connection, enforces } = target;
    let list = |list: Option<&List<String>>, position, found: &mut Diagnostics| {
        list.map(|list| home.resolve_all(&declared.texts(list), position, found)).unwrap_or_default()
    };
    let deployers = list(raw.deployers.as_ref(), Position::Deployer, found);
    let planners = list(raw.planners.as_ref(), Position::Planner, found);
    if raw.deployers.is_none() && !declared.suspect {
        found.push(no_deployers(declared));
    }
    let keepers: Vec<Keeper<'_>> =
        deployers.iter().map(|principal| Keeper { principal, position: Position::Deployer }).collect();
    check_verifier(book.verifier.as_ref(), &keepers, found);
    let tags = merged.tags.as_ref().map(|tags| &tags.value);
    let site = Site { values, book, tags, deployers: &deployers };
    let mut ledger = Ledger::default();
    let here = keys.iter().filter_map(|(key, placement)| Some((key, placement, placement.targets.get(name.as_str())?)));
    let keys: Vec<DesiredKey> = here
        .map(|(key, family, one)| key::resolve_key(key, (one, &family.regions), site, &mut ledger, found))
        .collect();
    ledger.claims.check_removed(found);
    DesiredTarget {
        name: name.clone(),
        account: values.account.clone(),
        region: region.clone(),
        connection: connection.clone(),
        enforces: enforces.clone(),
        places: TargetPlaces {
            deployers: places(&deployers),
            planners: places(&planners),
            verifier: book.verifier.as_ref().map(|verifier| verifier.loc),
        },
        deployers: bare(deployers),
        planners: bare(planners),
        verifier: book.verifier.as_ref().map(|verifier| verifier.value.clone()),
        keys,
        loc: declared.loc,
    }
}

fn bare(principals: Vec<Located<Principal>>) -> Vec<Principal> {
    principals.into_iter().map(|principal| principal.value).collect()
}

fn places(principals: &[Located<Principal>]) -> Vec<Loc> {
    principals.iter().map(|principal| principal.loc).collect()
}

fn no_deployers(declared: &Declared<RawTarget>) -> Diagnostic {
    Diagnostic::error(Code::NoDeployers, "nobody may run `apply` on the target")
        .label(declared.loc, "no `deployers`")
        .help("name the role that runs `apply`: KMS accepts a key policy only if its caller may change it later")
}
