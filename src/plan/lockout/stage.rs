//! What exists between two steps of a plan, as far as ways in depend on it: keys with their policies, roles with theirs.

use crate::access::{KeyFacts, Knowledge, PrincipalFacts};
use crate::desired::{DesiredKey, DesiredTarget, KeyLifecycle, Principal};
use crate::ids::{KeyArn, KeyName, RoleArn, RoleName};
use crate::live::{LiveAccount, LiveRole, LiveTarget, Observed};
use crate::plan::deployer::stand_in;
use crate::plan::{Action, Owner, PlanInput};
use crate::policy::PolicyDocument;
use crate::review::{Candidate, LockedOut, MissingWay, Standing, keeps_a_way_in, no_way};
use crate::{synth, world};
use std::collections::{BTreeMap, BTreeSet};

/// The keys of a target and the managed roles of its account, at one moment.
pub(super) struct Stage<'a> {
    target: &'a DesiredTarget,
    writer: Option<&'a Candidate>,
    boundaries: Boundaries<'a>,
    /// The roles that exist and that keywright manages, by name.
    roles: BTreeMap<RoleName, Actor>,
    /// Which managed role is meant by an ARN, whether it exists or not.
    managed: BTreeMap<String, RoleName>,
    keys: BTreeMap<KeyName, KeyFacts>,
    /// The managed roles that administer a key until the plan writes its policy: they count until then.
    former: BTreeMap<KeyName, BTreeSet<RoleName>>,
    /// What was missing for each key when it was last looked at.
    standing: BTreeMap<KeyName, Vec<MissingWay>>,
}

/// What permissions boundaries say.
#[derive(Clone, Copy)]
struct Boundaries<'a>(Option<&'a BTreeMap<String, Observed<Option<PolicyDocument>>>>);

/// A managed role as it stands.
struct Actor {
    facts: PrincipalFacts,
    policies: BTreeMap<String, PolicyDocument>,
    boundary: Option<String>,
}

impl<'a> Stage<'a> {
    /// Returns what is there before the first step; `None` for a target that was not read.
    pub(super) fn before(
        input: PlanInput<'a>,
        target: &'a DesiredTarget,
        ours: &BTreeMap<KeyName, KeyArn>,
        writer: Option<&'a Candidate>,
    ) -> Option<Self> {
        let live = input.targets.get(&target.name)?;
        let account = input.accounts.get(&target.account);
        let desired = input.desired.account(&target.account);
        let wanted = desired.map(|account| account.roles.as_slice()).unwrap_or_default();
        let managed = wanted.iter().map(|role| (role.arn.principal().to_string(), role.name.clone())).collect();
        let boundaries = Boundaries(account.map(|account| &account.boundaries));
        let mut stage = Self {
            target,
            writer,
            boundaries,
            roles: roles(account),
            managed,
            keys: live_keys(input, target, (live, ours)),
            former: BTreeMap::new(),
            standing: BTreeMap::new(),
        };
        stage.former = stage.keys.iter().map(|(name, key)| (name.clone(), stage.administering(key))).collect();
        for key in stage.keys.keys().cloned().collect::<Vec<_>>() {
            stage.look(&key);
        }
        Some(stage)
    }

    /// Does what a step does, and returns the keys whose ways in may be others afterwards.
    pub(super) fn take(&mut self, owner: &Owner, action: &Action) -> BTreeSet<KeyName> {
        match owner {
            Owner::Key(name) => self.take_of_key(name, action),
            Owner::Role(name) => self.take_of_role(name, action),
        }
    }

    /// Returns what was missing for a key when it was last looked at.
    pub(super) fn standing(&self, key: &KeyName) -> Vec<MissingWay> {
        self.standing.get(key).cloned().unwrap_or_default()
    }

    /// Looks who could change a key's policy now; `None` if all is well, or there is no such key.
    pub(super) fn look(&mut self, name: &KeyName) -> Option<LockedOut> {
        let key = self.keys.get(name)?;
        let declared = self.target.keys.iter().find(|key| key.name == *name)?;
        let mut admins: Vec<Candidate> = declared.admins.iter().filter_map(|admin| self.candidate(&admin.0)).collect();
        let former = self.former.get(name).into_iter().flatten().map(|role| self.role(role));
        admins.extend(former.filter(|role| admins.iter().all(|admin| admin.name != role.name)).collect::<Vec<_>>());
        let locked = keeps_a_way_in(key, self.writer_now().as_ref(), &admins).err();
        let missing = locked.as_ref().map(|locked| locked.missing.clone()).unwrap_or_default();
        self.standing.insert(name.clone(), missing);
        locked
    }

    fn take_of_key(&mut self, name: &KeyName, action: &Action) -> BTreeSet<KeyName> {
        let declared = self.target.keys.iter().find(|key| key.name == *name);
        match action {
            Action::ReplicateKey { target, .. } if *target != self.target.name => return BTreeSet::new(),
            Action::CreateKey { policy, tags, .. } | Action::ReplicateKey { policy, tags, .. } => {
                let made = declared.map(|key| world::key_facts(self.target, key, tags, None, policy.clone()));
                self.keys.extend(made.map(|facts| (name.clone(), facts)));
            }
            Action::PutKeyPolicy { policy, .. } => {
                self.former.remove(name);
                self.of_key(name, |key| key.policy.clone_from(policy));
            }
            Action::TagKey { tags, .. } => self.of_key(name, |key| key.tags.extend(tags.clone())),
            Action::UntagKey { tag_keys, .. } => {
                self.of_key(name, |key| key.tags.retain(|tag, _| !tag_keys.contains(tag)));
            }
            Action::DeleteAlias { alias, .. } => {
                self.of_key(name, |key| key.aliases.retain(|held| held != alias.as_str()));
            }
            Action::CreateAlias { alias, .. } | Action::UpdateAlias { alias, .. } => {
                self.of_key(name, |key| key.aliases.push(alias.to_string()));
            }
            Action::UpdateKeyDescription { .. }
            | Action::UpdatePrimaryRegion { .. }
            | Action::ScheduleKeyDeletion { .. }
            | Action::CancelKeyDeletion { .. }
            | Action::RotateKeyOnDemand { .. }
            | Action::ImportKeyMaterial { .. }
            | Action::DeleteImportedKeyMaterial { .. }
            | Action::EnableKey { .. }
            | Action::DisableKey { .. }
            | Action::EnableKeyRotation { .. }
            | Action::DisableKeyRotation { .. }
            | Action::CreateRole { .. }
            | Action::UpdateRole { .. }
            | Action::UpdateAssumeRolePolicy { .. }
            | Action::PutRolePermissionsBoundary { .. }
            | Action::DeleteRolePermissionsBoundary { .. }
            | Action::TagRole { .. }
            | Action::UntagRole { .. }
            | Action::PutRolePolicy { .. }
            | Action::DeleteRolePolicy { .. } => return BTreeSet::new(),
        }
        [name.clone()].into()
    }

    fn of_key(&mut self, name: &KeyName, change: impl FnOnce(&mut KeyFacts)) {
        if let Some(key) = self.keys.get_mut(name) {
            change(key);
        }
    }

    fn take_of_role(&mut self, name: &RoleName, action: &Action) -> BTreeSet<KeyName> {
        match action {
            Action::CreateRole { path, permissions_boundary, tags, .. } => {
                let partition = self.target.region.partition();
                if let Ok(arn) = RoleArn::new(partition, &self.target.account, path, name) {
                    let mut actor = Actor::new(&arn);
                    actor.facts.tags.clone_from(tags);
                    actor.boundary.clone_from(permissions_boundary);
                    self.roles.insert(name.clone(), actor);
                }
            }
            Action::PutRolePermissionsBoundary { boundary, .. } => {
                self.of_role(name, |role| role.boundary = Some(boundary.clone()));
            }
            Action::DeleteRolePermissionsBoundary { .. } => self.of_role(name, |role| role.boundary = None),
            Action::TagRole { tags, .. } => self.of_role(name, |role| role.facts.tags.extend(tags.clone())),
            Action::UntagRole { tag_keys, .. } => {
                self.of_role(name, |role| role.facts.tags.retain(|tag, _| !tag_keys.contains(tag)));
            }
            Action::PutRolePolicy { name: policy_name, policy, .. } => self.of_role(name, |role| {
                role.policies.insert(policy_name.clone(), policy.clone());
            }),
            Action::DeleteRolePolicy { name: policy_name, .. } => self.of_role(name, |role| {
                role.policies.remove(policy_name);
            }),
            Action::UpdateRole { .. }
            | Action::UpdateAssumeRolePolicy { .. }
            | Action::CreateKey { .. }
            | Action::ReplicateKey { .. }
            | Action::UpdatePrimaryRegion { .. }
            | Action::ScheduleKeyDeletion { .. }
            | Action::CancelKeyDeletion { .. }
            | Action::RotateKeyOnDemand { .. }
            | Action::ImportKeyMaterial { .. }
            | Action::DeleteImportedKeyMaterial { .. }
            | Action::DeleteAlias { .. }
            | Action::PutKeyPolicy { .. }
            | Action::UpdateKeyDescription { .. }
            | Action::EnableKey { .. }
            | Action::DisableKey { .. }
            | Action::TagKey { .. }
            | Action::UntagKey { .. }
            | Action::CreateAlias { .. }
            | Action::UpdateAlias { .. }
            | Action::EnableKeyRotation { .. }
            | Action::DisableKeyRotation { .. } => return BTreeSet::new(),
        }
        self.keys.keys().cloned().collect()
    }

    fn of_role(&mut self, name: &RoleName, change: impl FnOnce(&mut Actor)) {
        if let Some(role) = self.roles.get_mut(name) {
            change(role);
        }
    }

    /// Returns a declared principal as it stands; `None` for principals that are many.
    fn candidate(&self, principal: &Principal) -> Option<Candidate> {
        let managed = principal.arn().and_then(|arn| self.managed.get(arn.as_str()));
        let Some(name) = managed else { return stand_in(principal, self.target) };
        Some(self.role(name))
    }

    fn role(&self, name: &RoleName) -> Candidate {
        let standing = self.roles.get(name).map_or(Standing::Absent, |role| role.standing(self.boundaries));
        Candidate { name: name.to_string(), standing }
    }

    fn administering(&self, key: &KeyFacts) -> BTreeSet<RoleName> {
        self.roles.keys().filter(|name| no_way(key, &self.role(name)).is_none()).cloned().collect()
    }

    /// Returns who writes, with what the plan does to it where it is a managed role.
    fn writer_now(&self) -> Option<Candidate> {
        let writer = self.writer?;
        let Standing::Here(facts) = &writer.standing else { return Some(writer.clone()) };
        let role = facts.role_arn.as_ref().and_then(|arn| self.managed.get(arn)).and_then(|name| self.roles.get(name));
        let Some(role) = role else { return Some(writer.clone()) };
        let standing = match role.standing(self.boundaries) {
            Standing::Here(now) => {
                let mut facts = facts.clone();
                facts.permissions_boundary = now.permissions_boundary;
                facts.tags.extend(now.tags);
                Standing::Here(facts)
            }
            other @ (Standing::Absent | Standing::BoundaryUnread { .. }) => other,
        };
        Some(Candidate { name: writer.name.clone(), standing })
    }
}

impl Boundaries<'_> {
    /// Returns what a boundary says, if that is known. One that does not exist allows nothing.
    fn get(self, arn: &str) -> Option<PolicyDocument> {
        let document = self.0?.get(arn)?.known()?;
        Some(document.clone().unwrap_or_else(|| PolicyDocument::new(Vec::new())))
    }
}

impl Actor {
    fn new(arn: &RoleArn) -> Self {
        let facts = PrincipalFacts::from_arn(&arn.principal());
        Self { facts, policies: BTreeMap::new(), boundary: None }
    }

    fn live(role: &LiveRole) -> Self {
        let mut actor = Self::new(&role.arn);
        actor.facts.unique_id = Some(role.unique_id.clone());
        actor.facts.tags.clone_from(&role.tags);
        // What is attached was not read: it may add something.
        actor.facts.knowledge = if role.attached_policies.is_empty() { Knowledge::Whole } else { Knowledge::NameOnly };
        actor.policies.clone_from(&role.inline_policies);
        actor.boundary.clone_from(&role.permissions_boundary);
        actor
    }

    fn standing(&self, boundaries: Boundaries<'_>) -> Standing {
        let mut facts = self.facts.clone();
        facts.identity_policies = self.policies.values().cloned().collect();
        if let Some(arn) = &self.boundary {
            let Some(document) = boundaries.get(arn) else {
                return Standing::BoundaryUnread { boundary: arn.clone() };
            };
            facts.permissions_boundary = Some(document);
        }
        Standing::Here(Box::new(facts))
    }
}

fn roles(account: Option<&LiveAccount>) -> BTreeMap<RoleName, Actor> {
    let roles = account.map(|account| &account.roles).into_iter().flatten();
    let known = roles.filter_map(|(name, role)| Some((name.clone(), Actor::live(role.known()?.as_ref()?))));
    known.collect()
}

/// Returns the keys that exist, are ours, and whose policy could be read.
fn live_keys(
    input: PlanInput<'_>,
    target: &DesiredTarget,
    (live, ours): (&LiveTarget, &BTreeMap<KeyName, KeyArn>),
) -> BTreeMap<KeyName, KeyFacts> {
    let found = |key: &DesiredKey| {
        let arn = ours.get(&key.name)?;
        let found = live.keys.iter().find(|found| found.arn == *arn)?;
        let pending = found.metadata.known().is_some_and(|metadata| metadata.state.is_pending_deletion());
        if pending && key.lifecycle == KeyLifecycle::Retired {
            return None;
        }
        let policy = found.policy.known()?.document.clone();
        let tags = found.tags.known().cloned().unwrap_or_else(|| synth::key_tags(input.desired, key));
        let mut facts = world::key_facts(target, key, &tags, Some(found), policy);
        facts.aliases = live.aliases_of(&found.arn.key_id()).map(ToString::to_string).collect();
        Some((key.name.clone(), facts))
    };
    target.keys.iter().filter_map(found).collect()
}
