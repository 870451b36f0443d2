//! Separation of duties as declared: who would both manage a key and use it, under any name or through another role; and
//! whether enough administrators are left where nothing else leads back in.
//!
//! This looks at names, with both places at hand, before there is a desired state. Effective access (longer ways, a
//! third who may become both, grants, IAM) is judged by `review::duties`.

use super::principal::Position;
use super::role::{AccountRoles, Presence};
use super::trust::Made;
use crate::desired::{Delegation, DesiredUser, Principal, RoleOrigin};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{AccountId, PrincipalArn, PrincipalKind};
use crate::source::{Loc, Located};
use crate::text;

/// Someone who manages a key, and as what.
#[derive(Debug)]
pub(super) struct Keeper<'a> {
    /// Who.
    pub(super) principal: &'a Located<Principal>,
    /// As what.
    pub(super) position: Position,
}

/// Reports users who also manage the key: directly, or because one may assume the other's role.
pub(super) fn check_separation(keepers: &[Keeper<'_>], users: &[DesiredUser], made: &Made, found: &mut Diagnostics) {
    for user in users {
        let becomes_user = who_becomes(&user.principal, made);
        for keeper in keepers {
            let becomes_keeper = who_becomes(&keeper.principal.value, made);
            let field = keeper.position.field();
            if same_identity(&user.principal, &keeper.principal.value) {
                let message = format!("`{}` both uses the key and is in `{field}`", shown(&user.principal));
                found.push(conflict(Diagnostic::error(Code::SeparationOfDuties, message), user.loc, keeper));
            } else if contains(&becomes_user, &keeper.principal.value) {
                let message = format!(
                    "`{}` in `{field}` may assume `{}`, which uses the key",
                    shown(&keeper.principal.value),
                    shown(&user.principal)
                );
                found.push(conflict(Diagnostic::error(Code::SeparationOfDuties, message), user.loc, keeper));
            } else if contains(&becomes_keeper, &user.principal) {
                let message = format!(
                    "`{}` uses the key and may assume `{}`, which is in `{field}`",
                    shown(&user.principal),
                    shown(&keeper.principal.value)
                );
                found.push(conflict(Diagnostic::error(Code::SeparationOfDuties, message), user.loc, keeper));
            }
        }
    }
}

/// Reports a verifier that also manages keys: it would prove what it can change.
pub(super) fn check_verifier(verifier: Option<&Located<Principal>>, keepers: &[Keeper<'_>], found: &mut Diagnostics) {
    let Some(verifier) = verifier else { return };
    for keeper in keepers.iter().filter(|keeper| same_identity(&verifier.value, &keeper.principal.value)) {
        let field = keeper.position.field();
        let message = format!("`{}` runs the self-test and is in `{field}`", shown(&verifier.value));
        found.push(
            Diagnostic::error(Code::SeparationOfDuties, message)
                .label(verifier.loc, "runs the self-test")
                .label(keeper.principal.loc, format!("`{field}`"))
                .help("the verifier is never an administrator, a deleter or a deployer: name another principal"),
        );
    }
}

fn shown(principal: &Principal) -> String {
    text::escape(&principal.name()).into_owned()
}

fn conflict(diagnostic: Diagnostic, user: Loc, keeper: &Keeper<'_>) -> Diagnostic {
    diagnostic
        .label(user, "uses the key")
        .label(keeper.principal.loc, format!("`{}`", keeper.position.field()))
        .help("name different principals, with different trust")
}

/// Returns a principal and all who may assume it through managed roles.
fn who_becomes<'a>(principal: &'a Principal, made: &'a Made) -> Vec<&'a Principal> {
    let mut reached = vec![principal];
    let mut at = 0;
    while let Some(Principal::Role { name, .. }) = next_role(&reached, &mut at) {
        let trusted = made.get(name.as_str()).and_then(|(role, _)| role.as_ref()).map(|role| role.trust.aws.as_slice());
        for principal in trusted.unwrap_or_default() {
            if !reached.contains(&principal) {
                reached.push(principal);
            }
        }
    }
    reached
}

/// Returns the next role at or after a position, and moves behind it.
fn next_role<'a>(reached: &[&'a Principal], at: &mut usize) -> Option<&'a Principal> {
    while let Some(principal) = reached.get(*at) {
        *at += 1;
        if matches!(principal, Principal::Role { .. }) {
            return Some(principal);
        }
    }
    None
}

fn contains(principals: &[&Principal], wanted: &Principal) -> bool {
    principals.iter().any(|principal| same_identity(principal, wanted))
}

/// Returns whether two principals are, or may act as, one identity: a role and its sessions are, and so are a
/// permission set and the role that Identity Center made for it.
fn same_identity(a: &Principal, b: &Principal) -> bool {
    if a == b {
        return true;
    }
    match (a, b) {
        (Principal::IdentityCenter { permission_set, account }, other)
        | (other, Principal::IdentityCenter { permission_set, account }) => {
            other.arn().is_some_and(|arn| is_made_for(arn, permission_set, account))
        }
        (a, b) => match (a.arn(), b.arn()) {
            (Some(a), Some(b)) => same_arn(a, b),
            (Some(_) | None, Some(_) | None) => false,
        },
    }
}

fn same_arn(a: &PrincipalArn, b: &PrincipalArn) -> bool {
    let sessions = [a, b].iter().any(|arn| arn.kind() == PrincipalKind::Session);
    // A session's ARN does not tell the role's path, and names are unique in an account.
    a == b
        || (sessions
            && a.account() == b.account()
            && a.role_name().is_some()
            && a.role_name() == b.role_name()
            && one_session_at_most(a, b))
}

/// Returns whether two ARNs can be one identity as far as session names go.
fn one_session_at_most(a: &PrincipalArn, b: &PrincipalArn) -> bool {
    let session = |arn: &PrincipalArn| {
        (arn.kind() == PrincipalKind::Session)
            .then(|| arn.arn().resource().rsplit('/').next().map(str::to_owned))
            .flatten()
    };
    match (session(a), session(b)) {
        (Some(a), Some(b)) => a == b,
        (Some(_) | None, Some(_) | None) => true,
    }
}

/// Returns whether a role, or a session of one, is what Identity Center made for a permission set.
fn is_made_for(arn: &PrincipalArn, permission_set: &str, account: &AccountId) -> bool {
    let suffix = arn
        .role_name()
        .and_then(|name| name.strip_prefix("AWSReservedSSO_"))
        .and_then(|name| name.strip_prefix(permission_set))
        .and_then(|name| name.strip_prefix('_'));
    arn.account() == *account && suffix.is_some_and(|suffix| suffix.len() == 16)
}

/// Reports a key without any way back in that has fewer than two administrators, or only managed ones.
pub(super) fn check_admins(
    admins: &[Located<Principal>],
    delegation: &Located<Delegation>,
    key: Loc,
    roles: &AccountRoles,
    found: &mut Diagnostics,
) {
    if delegation.value != Delegation::None {
        return;
    }
    let managed = |principal: &Principal| match principal {
        Principal::Role { name, .. } => matches!(
            roles.get(name.as_str()),
            Some(Presence::Here(role)) if role.known.origin == RoleOrigin::Managed
        ),
        Principal::Arn(_)
        | Principal::IdentityCenter { .. }
        | Principal::Account(_)
        | Principal::Organization(_)
        | Principal::Service(_) => false,
    };
    let lack = if admins.len() < 2 {
        "`iam_delegation = \"none\"` needs two administrators"
    } else if admins.iter().all(|admin| managed(&admin.value)) {
        "`iam_delegation = \"none\"` needs an administrator that this stack does not manage"
    } else {
        return;
    };
    let place = admins.first().map_or(key, |admin| admin.loc);
    found.push(
        Diagnostic::error(Code::TooFewAdmins, lack)
            .label(place, "the administrators of the key")
            .label(delegation.loc, "leaves no way back in but AWS Support")
            .help("name a role of another team by `arn` (or an `sso:` permission set) as second administrator"),
    );
}
