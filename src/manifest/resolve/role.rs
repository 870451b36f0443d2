//! Roles: what is declared once, and how each exists in an account.

use super::check;
use super::placeholder::{Passing, Values};
use crate::desired::{KnownRole, RoleKind, RoleOrigin, Verifiable};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{AccountId, RoleArn, RoleName};
use crate::manifest::raw::{RawRole, RawTrust};
use crate::manifest::read::{Declarations, Declared};
use crate::manifest::spanned::Sp;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// A role as declared, before it is looked at in an account.
#[derive(Debug)]
pub(super) struct Role<'a> {
    /// The name.
    pub(super) name: RoleName,
    /// The table.
    pub(super) declared: &'a Declared<RawRole>,
    /// What the table says.
    pub(super) raw: &'a RawRole,
    /// Who makes it.
    pub(super) form: Form<'a>,
    /// The accounts that it is made in.
    accounts: Option<Located<BTreeSet<AccountId>>>,
}

/// Who makes a role.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form<'a> {
    /// It exists already under this ARN.
    Referred(&'a Sp<String>),
    /// keywright makes it with this trust.
    Managed(&'a RawTrust),
}

/// Roles by name; `None` for those that are reported already.
pub(super) type Roles<'a> = BTreeMap<String, Option<Role<'a>>>;

/// A declared role in one account.
#[derive(Debug)]
pub(super) enum Presence {
    /// It is reported already.
    Broken,
    /// Its `accounts`, declared here, do not include this one.
    Elsewhere(Loc),
    /// It exists, or will.
    Here(HereRole),
}

/// A role that exists in an account, or will.
#[derive(Debug)]
pub(super) struct HereRole {
    /// Its name in the manifest.
    pub(super) name: RoleName,
    /// What others need to know of it.
    pub(super) known: KnownRole,
}

/// The declared roles as they exist in one account.
pub(super) type AccountRoles = BTreeMap<String, Presence>;

/// Resolves what holds for roles in every account.
pub(super) fn resolve_roles<'a>(declared: &'a Declarations<RawRole>, found: &mut Diagnostics) -> Roles<'a> {
    declared.iter().map(|(name, declared)| (name.clone(), resolve_role(name, declared, found))).collect()
}

fn resolve_role<'a>(name: &str, declared: &'a Declared<RawRole>, found: &mut Diagnostics) -> Option<Role<'a>> {
    let raw = declared.raw.as_ref()?;
    let name = check::parse::<RoleName>(&Located::new(name, declared.loc), found);
    check_numbers(declared, raw, found);
    let accounts = raw.accounts.as_ref().map(|accounts| {
        let each = accounts.get().iter().filter_map(|account| check::parse(&declared.text(account), found));
        Located::new(each.collect::<BTreeSet<AccountId>>(), declared.at(accounts))
    });
    let form = resolve_form(declared, raw, found)?;
    Some(Role { name: name?, declared, raw, form, accounts })
}

fn check_numbers(declared: &Declared<RawRole>, raw: &RawRole, found: &mut Diagnostics) {
    // https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    if let Some(minutes) = raw.max_session_minutes.as_ref().filter(|minutes| !(60..=720).contains(minutes.get())) {
        let message = format!("a role's sessions last 60 to 720 minutes at most, not {}", minutes.get());
        found.push(check::invalid(message, declared.at(minutes), "out of range", "choose 60 to 720"));
    }
    if let Some(description) = &raw.description {
        check::length(&declared.text(description), "a role's description", 1_000, found);
    }
    if let Some(accounts) = raw.accounts.as_ref().filter(|accounts| accounts.get().is_empty()) {
        let help = "leave the field out for every account in which a key uses the role";
        found.push(check::invalid("`accounts` names no account", declared.at(accounts), "empty", help));
    }
}

/// Returns who makes a role: exactly one of `arn` and `trust` says so.
fn resolve_form<'a>(declared: &Declared<RawRole>, raw: &'a RawRole, found: &mut Diagnostics) -> Option<Form<'a>> {
    match (&raw.arn, &raw.trust) {
        (Some(arn), None) => {
            refuse_unmanaged_fields(declared, raw, arn, found);
            Some(Form::Referred(arn))
        }
        (None, Some(trust)) => {
            let kind = raw.kind.get().0;
            if kind == RoleKind::Deployer {
                let message = "a deployer is never made by the stack that it deploys";
                found.push(
                    Diagnostic::error(Code::RoleKind, message)
                        .label(declared.at(&raw.kind), "a deployer")
                        .label(declared.at(trust), "keywright would make it with this trust")
                        .help("make the role outside and refer to it by `arn`"),
                );
            }
            let content = trust.get();
            if is_empty_trust(content) && !declared.suspect {
                found.push(trust_missing(declared, declared.at(trust)));
            }
            Some(Form::Managed(content))
        }
        (Some(arn), Some(trust)) => {
            let message = "a role has either `arn` or `trust`";
            found.push(
                Diagnostic::error(Code::InvalidValue, message)
                    .label(declared.at(trust), "made by keywright with this trust")
                    .label(declared.at(arn), "exists already under this ARN")
                    .help("keep one of the two"),
            );
            None
        }
        (None, None) => {
            // The field that was taken out may have been the one.
            if !declared.suspect {
                found.push(trust_missing(declared, declared.loc));
            }
            None
        }
    }
}

fn is_empty_trust(trust: &RawTrust) -> bool {
    let lists = [&trust.aws, &trust.services];
    trust.oidc.is_none() && lists.into_iter().flatten().all(|list| list.items().is_empty())
}

fn trust_missing(declared: &Declared<RawRole>, loc: Loc) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(Code::TrustMissing, "nobody could assume the role").label(loc, "no `trust` entry");
    let diagnostic = if loc == declared.loc { diagnostic } else { diagnostic.label(declared.loc, "of this role") };
    diagnostic.help("name who may assume it in `trust.aws`, `trust.services` or `trust.oidc`, or give its `arn`")
}

/// Reports fields that only a role made by keywright can have.
fn refuse_unmanaged_fields(declared: &Declared<RawRole>, raw: &RawRole, arn: &Sp<String>, found: &mut Diagnostics) {
    let fields = [
        ("description", raw.description.as_ref().map(|value| declared.at(value))),
        ("path", raw.path.as_ref().map(|value| declared.at(value))),
        ("max_session_minutes", raw.max_session_minutes.as_ref().map(|value| declared.at(value))),
        ("permissions_boundary", raw.permissions_boundary.as_ref().map(|value| declared.at(value))),
        ("tags", raw.tags.as_ref().map(|value| declared.at(value))),
        ("tags_exclusive", raw.tags_exclusive.as_ref().map(|value| declared.at(value))),
        ("accounts", raw.accounts.as_ref().map(|value| declared.at(value))),
    ];
    for (field, loc) in fields {
        let Some(loc) = loc else { continue };
        let message = format!("`{field}` is for roles that keywright makes");
        found.push(
            Diagnostic::error(Code::InvalidValue, message)
                .label(loc, "would be ignored")
                .label(declared.at(arn), "this role exists already and is never changed")
                .help("leave it out"),
        );
    }
}

/// Returns the declared roles as they exist in an account.
pub(super) fn roles_in(
    roles: &Roles<'_>,
    declared: &Declarations<RawRole>,
    values: &Values,
    found: &mut Diagnostics,
) -> AccountRoles {
    let mut here = AccountRoles::new();
    for name in declared.keys() {
        let presence = match roles.get(name) {
            Some(Some(role)) => presence(role, values, found),
            Some(None) | None => Presence::Broken,
        };
        here.insert(name.clone(), presence);
    }
    here
}

fn presence(role: &Role<'_>, values: &Values, found: &mut Diagnostics) -> Presence {
    if let Some(accounts) = role.accounts.as_ref().filter(|accounts| !accounts.value.contains(&values.account)) {
        return Presence::Elsewhere(accounts.loc);
    }
    let (arn, origin) = match role.form {
        Form::Referred(arn) => (referred_arn(role, arn, values, found), RoleOrigin::Referred),
        Form::Managed(_) => (predicted_arn(role, values, found), RoleOrigin::Managed),
    };
    let Some(arn) = arn else { return Presence::Broken };
    let verifiable = match &role.raw.verifiable {
        Some(value) if *value.get() => Verifiable::Yes,
        Some(_) | None => Verifiable::No,
    };
    let known = KnownRole { arn, kind: role.raw.kind.get().0, origin, verifiable, loc: role.declared.loc };
    Presence::Here(HereRole { name: role.name.clone(), known })
}

fn referred_arn(role: &Role<'_>, arn: &Sp<String>, values: &Values, found: &mut Diagnostics) -> Option<RoleArn> {
    let written = role.declared.text(arn);
    let expanded = values.expand(&written, Passing::Nothing, found)?;
    check::parse(&Located::new(expanded.as_str(), written.loc), found)
}

fn predicted_arn(role: &Role<'_>, values: &Values, found: &mut Diagnostics) -> Option<RoleArn> {
    let path = match &role.raw.path {
        None => "/".to_owned(),
        Some(path) => {
            let written = role.declared.text(path);
            let expanded = values.expand(&written, Passing::Nothing, found)?;
            check_path(&Located::new(&expanded, written.loc), found)?;
            expanded
        }
    };
    RoleArn::new(values.partition, &values.account, &path, &role.name).ok()
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
fn check_path(path: &Located<&String>, found: &mut Diagnostics) -> Option<()> {
    let text = path.value;
    let legal = text.len() <= 512
        && text.starts_with('/')
        && text.ends_with('/')
        && !text.contains("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b":*?".contains(&byte));
    if !legal {
        let message = format!("`{}` is not a role's path", text::escape(text));
        found.push(check::invalid(message, path.loc, "not a path", "write it like \"/keys/\", with both slashes"));
        return None;
    }
    Some(())
}
