//! Compares the managed roles of one account with the live ones.

use super::draft::{Draft, Sheet};
use super::tagging::{TagOrder, spell, tag_change};
use super::{AccountPlan, Action, Finding, Normalize, Owner, Why};
use crate::desired::tags::{TAG_OWNER, TAG_STACK};
use crate::desired::{DesiredAccount, DesiredRole, DesiredState};
use crate::diag::Code;
use crate::ids::RoleName;
use crate::kms::TAGS_PER_KEY;
use crate::live::{LiveAccount, LiveRole, Observed};
use crate::policy::PolicyDocument;
use crate::review::Risk;
use crate::source::SourceMap;
use crate::synth;
use std::collections::BTreeMap;

/// A managed role as wanted, with what synthesis made of it.
struct RoleGoal<'a> {
    state: &'a DesiredState,
    role: &'a DesiredRole,
    trust: PolicyDocument,
    policies: BTreeMap<String, PolicyDocument>,
    tags: BTreeMap<String, String>,
    normalize: Normalize,
}

/// What one account's roles need.
pub(in crate::plan) struct RoleSheets<'a> {
    /// A sheet per role, in order of name.
    pub(in crate::plan) sheets: Vec<Sheet<'a>>,
    /// The plan of the account, still without steps.
    pub(in crate::plan) plan: AccountPlan,
}

/// Compares every managed role of an account.
pub(in crate::plan) fn compare<'a>(
    state: &DesiredState,
    account: &DesiredAccount,
    live: &LiveAccount,
    sources: &'a SourceMap,
    normalize: Normalize,
) -> RoleSheets<'a> {
    let mut plan = AccountPlan {
        account: account.account.clone(),
        outcome: super::Outcome::InSync,
        trust_policies: BTreeMap::new(),
        identity_policies: BTreeMap::new(),
        drift: Vec::new(),
        findings: Vec::new(),
    };
    let mut sheets = Vec::new();
    for role in &account.roles {
        let goal = RoleGoal {
            state,
            role,
            trust: synth::trust_policy(account, role),
            policies: synth::identity_policies(state, account, role),
            tags: synth::role_tags(state, role),
            normalize,
        };
        let mut sheet = Sheet::new(Owner::Role(role.name.clone()), role.loc, sources);
        compare_role(&goal, live, &mut sheet);
        plan.trust_policies.insert(role.name.clone(), goal.trust);
        plan.identity_policies.insert(role.name.clone(), goal.policies);
        let findings: Vec<Finding> = sheet.findings.drain(..).collect();
        plan.findings.extend(findings);
        sheets.push(sheet);
    }
    RoleSheets { sheets, plan }
}

fn compare_role(goal: &RoleGoal<'_>, live: &LiveAccount, sheet: &mut Sheet<'_>) {
    oidc_provider(goal.role, live, sheet);
    match live.roles.get(&goal.role.name) {
        None | Some(Observed::Known(None)) => create(goal, sheet),
        Some(Observed::Denied { action, .. }) => sheet.block(
            Code::Unreadable,
            format!("`{action}` was denied on the role `{}`", goal.role.name),
            format!("allow the caller {action}"),
        ),
        Some(Observed::Known(Some(found))) => {
            if is_ours(goal, found, sheet) {
                change(goal, found, sheet);
            }
        }
    }
}

fn oidc_provider(role: &DesiredRole, live: &LiveAccount, sheet: &mut Sheet<'_>) {
    let Some(oidc) = &role.trust.oidc else { return };
    match live.oidc_providers.get(&oidc.provider) {
        Some(Observed::Known(true)) => {}
        Some(Observed::Denied { action, .. }) => sheet.note(
            Code::Unreadable,
            format!("whether the provider `{}` exists could not be read: `{action}` was denied", oidc.provider),
            format!("allow the caller {action}"),
        ),
        None | Some(Observed::Known(false)) => sheet.block(
            Code::OidcProviderMissing,
            format!("the account has no OpenID Connect provider `{}`", oidc.provider),
            format!("create it: aws iam create-open-id-connect-provider --url https://{}", oidc.provider),
        ),
    }
}

fn create(goal: &RoleGoal<'_>, sheet: &mut Sheet<'_>) {
    let role = goal.role;
    let action = Action::CreateRole {
        role: role.name.clone(),
        path: role.arn.path().to_owned(),
        description: role.description.clone(),
        max_session_seconds: role.max_session_seconds,
        trust: goal.trust.clone(),
        permissions_boundary: role.permissions_boundary.as_ref().map(|arn| arn.as_str().to_owned()),
        tags: goal.tags.clone(),
    };
    sheet.step(Draft::new(action, Why::Absent));
    for (name, policy) in &goal.policies {
        sheet.step(put_policy(&role.name, name, None, policy, Why::Absent));
    }
}

fn put_policy(
    role: &RoleName,
    name: &str,
    before: Option<&PolicyDocument>,
    policy: &PolicyDocument,
    why: Why,
) -> Draft {
    let action = Action::PutRolePolicy { role: role.clone(), name: name.to_owned(), policy: policy.clone() };
    let property = format!("identity policy {name}");
    Draft::new(action, why).change(property, before.map(PolicyDocument::to_text), Some(policy.to_text()))
}

fn is_ours(goal: &RoleGoal<'_>, live: &LiveRole, sheet: &mut Sheet<'_>) -> bool {
    let name = &goal.role.name;
    let is = |tag: &str, value: &str| live.tags.get(tag).is_some_and(|found| found == value);
    let before = sheet.blockers.len();
    if !is(TAG_STACK, goal.state.stack.as_str()) {
        sheet.block(
            Code::RoleNotOurs,
            format!("the role `{name}` exists and does not carry the tags of this stack"),
            format!("refer to it by `arn = \"{}\"`, or choose another name", live.arn),
        );
    } else if !is(TAG_OWNER, goal.state.owner.as_str()) {
        sheet.block(
            Code::ForeignOwner,
            format!("the role `{name}` belongs to another manifest of the same stack name"),
            "choose another `stack`, or use the manifest that owns the role",
        );
    } else if live.arn.path() != goal.role.arn.path() {
        sheet.block(
            Code::ImmutableProperty,
            format!("the role's path is `{}`, the manifest wants `{}`", live.arn.path(), goal.role.arn.path()),
            "a path cannot be changed: declare a role of another name with the new path, then move its keys to it",
        );
    }
    sheet.blockers.len() == before
}

fn change(goal: &RoleGoal<'_>, live: &LiveRole, sheet: &mut Sheet<'_>) {
    trust(goal, live, sheet);
    attributes(goal, live, sheet);
    boundary(goal, live, sheet);
    tags(goal, live, sheet);
    identity_policies(goal, live, sheet);
    let ours = synth::identity_policy_name(&goal.state.stack);
    let inline = live.inline_policies.keys().filter(|name| **name != ours && !goal.policies.contains_key(*name));
    let foreign: Vec<String> =
        live.attached_policies.iter().chain(inline).map(|name| crate::text::escape(name).into_owned()).collect();
    if !foreign.is_empty() {
        sheet.note(
            Code::AttachedPolicy,
            format!(
                "the role `{}` has policies that are not ours: {}",
                goal.role.name,
                crate::text::and_list(&foreign)
            ),
            "look at what they allow; keywright leaves them alone",
        );
    }
}

/// What to do about two documents: nothing, mend the meaning, or mend the wording.
fn why_differs(before: &PolicyDocument, after: &PolicyDocument, normalize: Normalize) -> Option<Why> {
    if !before.same_permissions(after) {
        return Some(Why::Differs);
    }
    (normalize == Normalize::Wording && before != after).then_some(Why::Wording)
}

fn trust(goal: &RoleGoal<'_>, live: &LiveRole, sheet: &mut Sheet<'_>) {
    if let Some(why) = why_differs(&live.trust, &goal.trust, goal.normalize) {
        let action = Action::UpdateAssumeRolePolicy { role: goal.role.name.clone(), trust: goal.trust.clone() };
        let draft = Draft::new(action, why).risk(Risk::Escalation);
        sheet.step(draft.change("trust policy", Some(live.trust.to_text()), Some(goal.trust.to_text())));
    }
}

fn attributes(goal: &RoleGoal<'_>, live: &LiveRole, sheet: &mut Sheet<'_>) {
    let description = goal.role.description.as_ref().unwrap_or(&live.description);
    if *description == live.description && goal.role.max_session_seconds == live.max_session_seconds {
        return;
    }
    let spell = |description: &str, seconds: u32| format!("\"{description}\", sessions of {} minutes", seconds / 60);
    let action = Action::UpdateRole {
        role: goal.role.name.clone(),
        description: description.clone(),
        max_session_seconds: goal.role.max_session_seconds,
    };
    let before = spell(&live.description, live.max_session_seconds);
    let after = spell(description, goal.role.max_session_seconds);
    sheet.step(Draft::new(action, Why::Differs).change("description and session", Some(before), Some(after)));
}

fn boundary(goal: &RoleGoal<'_>, live: &LiveRole, sheet: &mut Sheet<'_>) {
    let wanted = goal.role.permissions_boundary.as_ref().map(|arn| arn.as_str().to_owned());
    if wanted == live.permissions_boundary {
        return;
    }
    let role = goal.role.name.clone();
    let Some(boundary) = wanted else {
        // Somebody else may have set it to limit us: to lift it is not ours to decide.
        let limit = live.permissions_boundary.as_deref().unwrap_or_default();
        return sheet.note(
            Code::AttachedPolicy,
            format!("the role `{role}` has the permissions boundary {limit}, which is not declared"),
            format!("declare it, or lift it: aws iam delete-role-permissions-boundary --role-name {role}"),
        );
    };
    let action = Action::PutRolePermissionsBoundary { role, boundary: boundary.clone() };
    let draft = Draft::new(action, Why::Differs).risk(Risk::Escalation);
    sheet.step(draft.change("permissions boundary", live.permissions_boundary.clone(), Some(boundary)));
}

fn tags(goal: &RoleGoal<'_>, live: &LiveRole, sheet: &mut Sheet<'_>) {
    let change = tag_change(&goal.tags, &live.tags, goal.role.tag_reach);
    let role = || goal.role.name.clone();
    if let TagOrder::TooMany(count) = change.order {
        let message =
            format!("the role would have {count} tags, undeclared ones included, and IAM allows {TAGS_PER_KEY}");
        let help = format!("remove tags that nobody needs: aws iam untag-role --role-name {} --tag-keys …", role());
        return sheet.block(Code::TagLimits, message, help);
    }
    let before = |tags: &mut dyn Iterator<Item = &String>| spell(tags.filter_map(|tag| live.tags.get_key_value(tag)));
    let writes = (!change.write.is_empty()).then(|| {
        let values = (before(&mut change.write.keys()), spell(&change.write));
        let action = Action::TagRole { role: role(), tags: change.write.clone() };
        Draft::new(action, Why::Differs).change("tags", values.0, values.1)
    });
    let removes = (!change.remove.is_empty()).then(|| {
        let gone = before(&mut change.remove.iter());
        let action = Action::UntagRole { role: role(), tag_keys: change.remove.clone() };
        Draft::new(action, Why::Unwanted).change("undeclared tags", gone, None)
    });
    let steps = if change.order == TagOrder::RemoveFirst { [removes, writes] } else { [writes, removes] };
    steps.into_iter().flatten().for_each(|draft| sheet.step(draft));
}

/// Puts the wanted policies and removes those of ours that are wanted no more. Policies of other names are not ours.
fn identity_policies(goal: &RoleGoal<'_>, live: &LiveRole, sheet: &mut Sheet<'_>) {
    for (name, policy) in &goal.policies {
        let before = live.inline_policies.get(name);
        let why = before.map_or(Some(Why::Absent), |before| why_differs(before, policy, goal.normalize));
        if let Some(why) = why {
            sheet.step(put_policy(&goal.role.name, name, before, policy, why));
        }
    }
    let ours = synth::identity_policy_name(&goal.state.stack);
    for (name, policy) in
        live.inline_policies.iter().filter(|(name, _)| **name == ours && !goal.policies.contains_key(*name))
    {
        let action = Action::DeleteRolePolicy { role: goal.role.name.clone(), name: name.clone() };
        sheet.step(Draft::new(action, Why::Unwanted).change(
            format!("identity policy {name}"),
            Some(policy.to_text()),
            None,
        ));
    }
}
