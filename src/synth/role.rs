//! The policies of roles that keywright makes: who may assume them, and the little that key policies cannot allow.

use super::clause::{Place, about};
use super::user::equals_or_like;
use crate::desired::{
    DesiredAccount, DesiredKey, DesiredRole, DesiredState, DesiredTarget, OidcTrust, Principal, RoleKind, Verifiable,
};
use crate::ids::{AliasArn, StackName};
use crate::policy::{PolicyDocument, PrincipalEntry, Statement};
use crate::services::sends_source_account;
use std::collections::{BTreeMap, BTreeSet};

/// The session name under which the self-test assumes verifiable roles; their trust policies admit no other.
pub const VERIFY_SESSION_NAME: &str = "keywright-verify";

/// Returns the name of the inline policy that keywright keeps on its roles.
pub fn identity_policy_name(stack: &StackName) -> String {
    format!("keywright-{stack}")
}

/// Returns the trust policy of a role.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-trust-policy.html>
pub fn trust_policy(account: &DesiredAccount, role: &DesiredRole) -> PolicyDocument {
    let place = Place { partition: account.partition, account: &account.account, region: None };
    let assume = |sid: &str| Statement::allow(sid, ["sts:AssumeRole"]);
    let trusted: BTreeSet<&Principal> = role.trust.aws.iter().collect();
    let mut statements = about(&assume("TrustPrincipals"), trusted, place);
    statements.extend(services(account, role));
    statements.extend(role.trust.oidc.as_ref().map(|oidc| web_identity(account, oidc)));
    let as_test = assume("TrustVerifier").when("StringEquals", "sts:RoleSessionName", [VERIFY_SESSION_NAME]);
    statements.extend(about(&as_test, &role.trust.verifier, place));
    for statement in &mut statements {
        // IAM refuses the element in a trust policy.
        statement.resources = None;
    }
    PolicyDocument::new(statements)
}

/// Returns the statements that let services assume the role, for this account where they say for which.
fn services(account: &DesiredAccount, role: &DesiredRole) -> Vec<Statement> {
    let all: BTreeSet<&String> = role.trust.services.iter().collect();
    let (pinned, open): (Vec<&String>, Vec<&String>) = all.into_iter().partition(|name| sends_source_account(name));
    let statement = |sid: &str, names: Vec<&String>| {
        let entries: Vec<PrincipalEntry> = names.into_iter().cloned().map(PrincipalEntry::Service).collect();
        (!entries.is_empty()).then(|| Statement::allow(sid, ["sts:AssumeRole"]).principals(entries))
    };
    let own_account = |s: Statement| s.when("StringEquals", "aws:SourceAccount", [account.account.as_str()]);
    let pinned = statement("TrustServicesOfAccount", pinned).map(own_account);
    pinned.into_iter().chain(statement("TrustServices", open)).collect()
}

/// Returns the statement that lets holders of a provider's tokens assume the role. The condition keys begin with
/// the provider, as IAM names it.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>
fn web_identity(account: &DesiredAccount, oidc: &OidcTrust) -> Statement {
    let OidcTrust { provider, audience, subjects } = oidc;
    let arn = format!("arn:{}:iam::{}:oidc-provider/{provider}", account.partition, account.account);
    let sorted: BTreeSet<&String> = subjects.iter().collect();
    Statement::allow("TrustWebIdentity", ["sts:AssumeRoleWithWebIdentity"])
        .principals(vec![PrincipalEntry::Federated(arn)])
        .when("StringEquals", &format!("{provider}:aud"), [audience])
        .when(equals_or_like(subjects), &format!("{provider}:sub"), sorted)
}

/// Returns the inline policies of a role, by name; empty where its key policies suffice.
///
/// A role of the key's account needs no KMS statement for keys: the key policy names it. Aliases and lists are
/// judged by IAM alone, and assuming roles takes both sides.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html>
pub fn identity_policies(
    state: &DesiredState,
    account: &DesiredAccount,
    role: &DesiredRole,
) -> BTreeMap<String, PolicyDocument> {
    let statements: Vec<Statement> = match role.kind {
        RoleKind::KeyAdmin => aliases(state, account, role).into_iter().chain([lists()]).collect(),
        RoleKind::KeyDeleter | RoleKind::KeyAuditor => vec![lists()],
        RoleKind::Verifier => verifiable(account).into_iter().collect(),
        RoleKind::Deployer | RoleKind::KeyUser => Vec::new(),
    };
    let policy = (!statements.is_empty()).then(|| PolicyDocument::new(statements));
    policy.into_iter().map(|policy| (identity_policy_name(&state.stack), policy)).collect()
}

/// Returns the statement about the aliases of the keys that a role administers. The claim aliases, which prove
/// ownership, are the deployer's.
fn aliases(state: &DesiredState, account: &DesiredAccount, role: &DesiredRole) -> Option<Statement> {
    let all = state.targets.iter().chain(&state.left_out);
    let targets = all.filter(|target| target.account == account.account);
    let arns: BTreeSet<String> = targets.flat_map(|target| administered(target, role)).collect();
    let actions = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"];
    (!arns.is_empty()).then(|| Statement::allow("ManageAliases", actions).resources(arns))
}

fn administered<'t>(target: &'t DesiredTarget, role: &DesiredRole) -> impl Iterator<Item = String> + 't {
    let arn = role.arn.principal();
    let own = move |key: &&DesiredKey| key.admins.iter().any(|admin| admin.0.arn() == Some(&arn));
    let alias_arn = |target: &DesiredTarget, name| {
        AliasArn::new(target.region.partition(), &target.region, &target.account, name).to_string()
    };
    let names = |key: &'t DesiredKey| key.aliases.iter().map(|alias| &alias.value).filter(|name| !name.is_claim());
    target.keys.iter().filter(own).flat_map(names).map(move |name| alias_arn(target, name))
}

/// Returns the statement for finding keys, which IAM judges on `*` alone.
fn lists() -> Statement {
    Statement::allow("FindKeys", ["kms:ListAliases", "kms:ListKeys", "tag:GetResources"])
}

/// Returns the statement that lets the self-test assume the roles that agree to it.
fn verifiable(account: &DesiredAccount) -> Option<Statement> {
    let agreeing = account.known_roles.values().filter(|role| role.verifiable == Verifiable::Yes);
    let arns: BTreeSet<String> = agreeing.map(|role| role.arn.to_string()).collect();
    (!arns.is_empty()).then(|| Statement::allow("AssumeVerifiableRoles", ["sts:AssumeRole"]).resources(arns))
}
