//! Principals: from the strings of a manifest to resolved identities, and who may stand where.

use super::check;
use super::placeholder::{Passing, Values};
use super::role::{AccountRoles, Presence};
use crate::desired::{Principal, RoleKind};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{AccountId, PrincipalArn, PrincipalKind};
use crate::source::{Loc, Located};
use crate::text;

/// Where a principal stands, which decides who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// In `admins`.
    Admin,
    /// In `deleters`.
    Deleter,
    /// In `auditors`.
    Auditor,
    /// In a `user` table.
    User,
    /// In a target's `deployers`.
    Deployer,
    /// In a target's `planners`.
    Planner,
    /// In `[verify]`.
    Verifier,
    /// In a role's `trust.aws`.
    Trusted,
}

impl Position {
    /// Returns the field's name.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Admin => "admins",
            Self::Deleter => "deleters",
            Self::Auditor => "auditors",
            Self::User => "user.principal",
            Self::Deployer => "deployers",
            Self::Planner => "planners",
            Self::Verifier => "verify.principal",
            Self::Trusted => "trust.aws",
        }
    }

    /// Returns the kinds of declared roles that may stand here; empty if each may.
    fn kinds(self) -> &'static [RoleKind] {
        match self {
            Self::Admin => &[RoleKind::KeyAdmin],
            // Deletion is never implied by administration or deployment, but whoever does either may be named for it.
            Self::Deleter => &[RoleKind::KeyDeleter, RoleKind::KeyAdmin, RoleKind::Deployer],
            Self::Auditor | Self::Planner => &[RoleKind::KeyAuditor],
            Self::User => &[RoleKind::KeyUser],
            Self::Deployer => &[RoleKind::Deployer],
            Self::Verifier => &[RoleKind::Verifier],
            Self::Trusted => &[],
        }
    }

    /// Returns why a principal of another account, or a whole account or organization, cannot stand here.
    fn stays_home(self) -> Option<&'static str> {
        match self {
            Self::Admin | Self::Deleter | Self::Deployer | Self::Planner => Some(
                "KMS takes PutKeyPolicy, GetKeyPolicy, ScheduleKeyDeletion and the like from the key's own account only",
            ),
            Self::Verifier => Some("the self-test runs in the account of the target"),
            Self::Auditor | Self::User | Self::Trusted => None,
        }
    }

    /// Returns whether a whole account or organization may stand here.
    fn admits_groups(self) -> bool {
        matches!(self, Self::Auditor | Self::User)
    }
}

/// What principals are resolved against: one account, and the target's placeholders if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home<'a> {
    /// What placeholders stand for, the account among them.
    pub(super) values: &'a Values,
    /// The declared roles as they exist in the account.
    pub(super) roles: &'a AccountRoles,
}

impl Home<'_> {
    fn account(&self) -> &AccountId {
        &self.values.account
    }

    /// Returns a list of principals, and reports an empty one and those that may not stand there.
    pub(super) fn resolve_all(
        &self,
        list: &Located<Vec<Located<&str>>>,
        position: Position,
        found: &mut Diagnostics,
    ) -> Vec<Located<Principal>> {
        if list.value.is_empty() {
            found.push(check::empty_principals(position.field(), list.loc));
        }
        let mut principals: Vec<Located<Principal>> = Vec::with_capacity(list.value.len());
        for written in &list.value {
            let Some(value) = self.resolve(written, position, found) else { continue };
            if let Some(first) = principals.iter().find(|known| known.value == value) {
                let message = format!("`{}` is named twice in `{}`", text::escape(&value.name()), position.field());
                found.push(
                    Diagnostic::error(Code::Duplicate, message)
                        .label(written.loc, "named again here")
                        .label(first.loc, "first named here"),
                );
            } else {
                principals.push(Located::new(value, written.loc));
            }
        }
        principals
    }

    /// Returns the principal that a string names, if it may stand there.
    pub(super) fn resolve(
        &self,
        written: &Located<&str>,
        position: Position,
        found: &mut Diagnostics,
    ) -> Option<Principal> {
        let expanded = self.values.expand(written, Passing::Nothing, found)?;
        let written = Located::new(expanded.as_str(), written.loc);
        let resolved = match expanded.split_once(':') {
            Some(("arn", _)) => self.arn(&written),
            Some(("sso", set)) => self.permission_set(&written, set),
            Some(("account", id)) => account(&written, id),
            Some(("org", id)) => organization(&written, id),
            Some(("service", _)) => Err(service(&written)),
            _ => self.role(&written)?,
        };
        match resolved.and_then(|principal| self.admit(principal, position, written.loc)) {
            Ok(principal) => Some(principal),
            Err(diagnostic) => {
                found.push(diagnostic);
                None
            }
        }
    }

    /// Returns the declared role of a name; `None` if the role is reported already.
    fn role(&self, written: &Located<&str>) -> Option<Result<Principal, Diagnostic>> {
        let name = written.value;
        match self.roles.get(name) {
            Some(Presence::Here(role)) => {
                Some(Ok(Principal::Role { name: role.name.clone(), arn: role.known.arn.principal() }))
            }
            Some(Presence::Broken) => None,
            Some(Presence::Elsewhere(accounts)) => {
                let message = format!("role `{}` is not made in account {}", text::escape(name), self.account());
                Some(Err(Diagnostic::error(Code::InvalidPrincipal, message)
                    .label(written.loc, "used here")
                    .label(*accounts, "made in these accounts only")))
            }
            None if name == "*" || name.parse::<AccountId>().is_ok() => {
                let message = format!("`{}` is no principal", text::escape(name));
                Some(Err(not_a_principal(message, written.loc)))
            }
            None => Some(Err(check::unknown_name("role", written, self.roles.keys()))),
        }
    }

    fn arn(&self, written: &Located<&str>) -> Result<Principal, Diagnostic> {
        let escaped = text::escape(written.value);
        let arn: PrincipalArn = written
            .value
            .parse()
            .map_err(|error: crate::ids::IdError| not_a_principal(error.to_string(), written.loc))?;
        match arn.kind() {
            PrincipalKind::Role | PrincipalKind::User | PrincipalKind::Session => {}
            PrincipalKind::Root => {
                let message = format!("`{escaped}` is an account's root");
                return Err(not_a_principal(message, written.loc));
            }
            PrincipalKind::FederatedUser => {
                let message = format!("`{escaped}` is a federated user");
                return Err(not_a_principal(message, written.loc));
            }
        }
        let partition = self.values.partition;
        if arn.arn().partition() != partition.as_str() {
            let message = format!("`{escaped}` is not in the partition `{partition}`");
            return Err(not_a_principal(message, written.loc));
        }
        Ok(self.declared_by_arn(arn))
    }

    /// Returns the declared role that an ARN names, so that a role is the same under its name and its ARN.
    fn declared_by_arn(&self, arn: PrincipalArn) -> Principal {
        let declared = self.roles.values().find_map(|presence| match presence {
            Presence::Here(role) if role.known.arn.as_str() == arn.as_str() => Some(role.name.clone()),
            Presence::Here(_) | Presence::Broken | Presence::Elsewhere(_) => None,
        });
        match declared {
            Some(name) => Principal::Role { name, arn },
            None => Principal::Arn(arn),
        }
    }

    fn permission_set(&self, written: &Located<&str>, set: &str) -> Result<Principal, Diagnostic> {
        // https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreatePermissionSet.html
        let legal = (1..=32).contains(&set.len())
            && set.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
        if legal {
            Ok(Principal::IdentityCenter { permission_set: set.to_owned(), account: self.account().clone() })
        } else {
            let message = format!("`{}` is not a permission set's name", text::escape(set));
            Err(not_a_principal(message, written.loc))
        }
    }

    /// Checks that a principal may stand where it does.
    fn admit(&self, principal: Principal, position: Position, loc: Loc) -> Result<Principal, Diagnostic> {
        let name = principal.name();
        let name = text::escape(&name);
        let field = position.field();
        match &principal {
            Principal::Role { name: role, .. } => self.admit_kind(role.as_str(), position, loc)?,
            Principal::Account(_) | Principal::Organization(_) if !position.admits_groups() => {
                let message = format!("`{name}` cannot stand in `{field}`: it is not one identity");
                return Err(not_a_principal(message, loc));
            }
            Principal::Account(account) if account == self.account() => {
                let message = format!("`{name}` is the key's own account");
                let diagnostic = Diagnostic::error(Code::InvalidPrincipal, message).label(loc, "the key's own account");
                return Err(diagnostic.help("`iam_delegation = \"account\"` lets the account's IAM grant access"));
            }
            Principal::Account(_)
            | Principal::Organization(_)
            | Principal::Arn(_)
            | Principal::IdentityCenter { .. }
            | Principal::Service(_) => {}
        }
        let away = principal.arn().is_some_and(|arn| arn.account() != *self.account());
        match position.stays_home().filter(|_| away) {
            Some(why) => {
                let message = format!("`{name}` in `{field}` is not in account {}", self.account());
                Err(Diagnostic::error(Code::InvalidPrincipal, message).label(loc, "of another account").help(why))
            }
            None => Ok(principal),
        }
    }

    fn admit_kind(&self, role: &str, position: Position, loc: Loc) -> Result<(), Diagnostic> {
        let Some(Presence::Here(role)) = self.roles.get(role) else { return Ok(()) };
        let kinds = position.kinds();
        if kinds.is_empty() || kinds.contains(&role.known.kind) {
            return Ok(());
        }
        let wanted: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
        let message = format!("role `{}` is a `{}`", text::escape(role.name.as_str()), role.known.kind);
        let label = format!("`{}` takes roles of kind {}", position.field(), text::or_list(&wanted));
        let diagnostic = Diagnostic::error(Code::RoleKind, message).label(loc, label);
        Err(diagnostic.label(role.known.loc, "declared here").help("name another role, or correct its `kind`"))
    }
}

fn account(written: &Located<&str>, id: &str) -> Result<Principal, Diagnostic> {
    let parsed: Result<AccountId, _> = id.parse();
    parsed.map(Principal::Account).map_err(|error| not_a_principal(error.to_string(), written.loc))
}

fn organization(written: &Located<&str>, id: &str) -> Result<Principal, Diagnostic> {
    // https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
    let legal = id.strip_prefix("o-").is_some_and(|rest| {
        (10..=32).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    if legal {
        Ok(Principal::Organization(id.to_owned()))
    } else {
        let message = format!("`{}` is not an organization's id, such as o-a1b2c3d4e5", text::escape(id));
        Err(not_a_principal(message, written.loc))
    }
}

fn service(written: &Located<&str>) -> Diagnostic {
    let message = format!("`{}`: service principals are not supported yet", text::escape(written.value));
    Diagnostic::error(Code::NotYetSupported, message)
        .label(written.loc, "this version does not act on it")
        .help("the key's `services` admit what those services themselves need")
}

fn not_a_principal(message: String, loc: Loc) -> Diagnostic {
    Diagnostic::error(Code::InvalidPrincipal, message).label(loc, "not a principal").help(
        "name a role of this manifest, an ARN of a role, user or session, `sso:PermissionSet`, `account:…` or `org:…`",
    )
}
