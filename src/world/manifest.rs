//! The world as a manifest declares it: what will be once it is applied.

use super::{World, WorldKey, WorldPrincipal, key_facts};
use crate::access::{KeyFacts, Knowledge, PrincipalFacts, PrincipalType};
use crate::desired::{DesiredAccount, DesiredKey, DesiredState, DesiredTarget, Principal};
use crate::ids::Partition;
use crate::services::service_pin;
use crate::synth;
use std::collections::BTreeMap;

/// Returns the keys of a manifest under the policies that they will have, and everybody whom it names.
///
/// Of managed roles the identity policies and the trust are known, of others nothing but the name. Organizations
/// and whole accounts are nobody in particular, so they are not among the principals.
pub fn of_manifest(state: &DesiredState) -> World {
    let keys = state.targets.iter().flat_map(|target| target.keys.iter().map(move |key| world_key(state, target, key)));
    let mut principals: BTreeMap<String, WorldPrincipal> = BTreeMap::new();
    for known in state.accounts.iter().flat_map(|account| roles(state, account)) {
        principals.entry(known.facts.arn.clone()).or_insert(known);
    }
    for account in &state.accounts {
        let trusted = account.roles.iter().flat_map(|role| role.trust.aws.iter().chain(&role.trust.verifier));
        for found in trusted.filter_map(|principal| by_name(principal, account.partition)) {
            principals.entry(found.facts.arn.clone()).or_insert(found);
        }
    }
    for target in &state.targets {
        for principal in named(target) {
            if let Some(found) = stranger(principal, target) {
                principals.entry(found.facts.arn.clone()).or_insert(found);
            }
        }
    }
    World {
        keys: keys.collect(),
        principals: principals.into_values().collect(),
        gaps: vec![
            "identity policies of roles that keywright does not manage".to_owned(),
            "service and resource control policies".to_owned(),
            "VPC endpoint policies".to_owned(),
        ],
    }
}

/// Returns a declared key under the policy that it will have.
pub fn key_under(state: &DesiredState, target: &DesiredTarget, key: &DesiredKey) -> KeyFacts {
    key_facts(target, key, &synth::key_tags(state, key), None, synth::key_policy(target, key))
}

fn world_key(state: &DesiredState, target: &DesiredTarget, key: &DesiredKey) -> WorldKey {
    let facts = key_under(state, target, key);
    let origins = synth::key_policy_origins(target, key);
    WorldKey { name: key.name.to_string(), target: target.name.clone(), facts, loc: Some(key.loc), origins }
}

/// Returns the roles that a manifest makes or refers to in an account.
fn roles<'s>(state: &'s DesiredState, account: &'s DesiredAccount) -> impl Iterator<Item = WorldPrincipal> + 's {
    account.known_roles.iter().map(move |(name, known)| {
        let mut facts = PrincipalFacts::from_arn(&known.arn.principal());
        let role = account.roles.iter().find(|role| role.arn == known.arn);
        facts.knowledge = if role.is_some() { Knowledge::Whole } else { Knowledge::NameOnly };
        if let Some(role) = role {
            facts.tags = synth::role_tags(state, role);
            facts.identity_policies = synth::identity_policies(state, account, role).into_values().collect();
        }
        let trust = role.map(|role| synth::trust_policy(account, role));
        WorldPrincipal { name: name.to_string(), facts, trust, loc: Some(known.loc) }
    })
}

/// Returns everybody whom the keys of a target name.
fn named(target: &DesiredTarget) -> impl Iterator<Item = &Principal> {
    let staff = target.deployers.iter().chain(&target.planners).chain(&target.verifier);
    staff.chain(target.keys.iter().flat_map(named_by_key))
}

fn named_by_key(key: &DesiredKey) -> impl Iterator<Item = &Principal> {
    let admins = key.admins.iter().map(|admin| &admin.0);
    let users = key.users.iter().map(|user| &user.principal);
    admins.chain(&key.deleters).chain(&key.auditors).chain(users)
}

/// Returns somebody whom the manifest only names.
fn stranger(principal: &Principal, target: &DesiredTarget) -> Option<WorldPrincipal> {
    let Principal::Service(name) = principal else { return by_name(principal, target.region.partition()) };
    let pin = service_pin(name, &target.region, &target.account);
    let facts = PrincipalFacts::new(PrincipalType::Service, pin.principal, None);
    Some(WorldPrincipal { name: principal.name(), facts, trust: None, loc: None })
}

/// Returns a principal of which nothing but the name is known; `None` for principals that are many.
fn by_name(principal: &Principal, partition: Partition) -> Option<WorldPrincipal> {
    let mut facts = PrincipalFacts::from_arn(&principal.stand_in(partition)?);
    facts.knowledge = Knowledge::NameOnly;
    Some(WorldPrincipal { name: principal.name(), facts, trust: None, loc: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use crate::policy::Principals;
    use crate::source::SourceMap;
    use std::collections::BTreeSet;

    fn example() -> (SourceMap, DesiredState) {
        let mut sources = SourceMap::default();
        for entry in std::fs::read_dir("examples/data-classes").unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                sources.add(name, std::fs::read_to_string(&path).unwrap());
            }
        }
        let state = manifest::load(&sources).state.unwrap();
        (sources, state)
    }

    /// The last part of each ARN that a statement names: the manifest's name of the role.
    fn roles_of(statement: &crate::policy::Statement) -> BTreeSet<String> {
        let Some(Principals::Is(entries)) = &statement.principals else { return BTreeSet::new() };
        let arns = entries.iter().map(|entry| entry.kind_and_value().1).filter(|text| text.contains(":role/"));
        arns.filter_map(|arn| arn.rsplit('/').next()).map(str::to_owned).collect()
    }

    #[test]
    fn each_statement_of_the_example_comes_from_where_its_principals_are_written() {
        let (sources, state) = example();
        let mut seen = BTreeMap::new();
        for key in of_manifest(&state).keys {
            for (statement, origins) in key.facts.policy.statements.iter().zip(&key.origins) {
                let sid = statement.sid.clone().unwrap();
                let texts: BTreeSet<String> =
                    origins.iter().map(|loc| sources.text(*loc).trim_matches('"').to_owned()).collect();
                let roles = roles_of(statement);
                assert!(roles.is_empty() || texts == roles, "{}: {sid}: {texts:?}", key.name);
                let places = origins.iter().map(|loc| sources.position(*loc).unwrap());
                let lines: Vec<String> = places.map(|at| format!("{}:{}", at.file, at.line)).collect();
                seen.insert(format!("{} {sid}", key.name), lines.join(" "));
            }
        }
        let at = |statement: &str| seen[statement].as_str();
        let lines = |name: &str, text: &str| -> String {
            let (_, file) = sources.iter().find(|(_, file)| file.name == name).unwrap();
            let line = file.text.lines().position(|line| line.contains(text)).unwrap() + 1;
            format!("{name}:{line}")
        };
        assert_eq!(at("restricted-records SeparationOfDuties").split(':').next(), Some("2-classes.toml"));
        assert_eq!(at("restricted-records RequireContextTenant"), lines("2-classes.toml", "required_context"));
        assert_eq!(at("public-objects EnableIamPolicies"), lines("2-classes.toml", "\"account\""));
        assert_eq!(at("internal-files ReservedTags"), lines("1-stack.toml", "deployers"));
        assert_eq!(at("restricted-records UsersDecryptWhereTenant"), lines("4-keys.toml", "payments-reporting"));
    }

    #[test]
    fn the_example_names_everybody_once() {
        let (_, state) = example();
        let world = of_manifest(&state);
        assert_eq!(world.keys.len(), state.targets.iter().map(|target| target.keys.len()).sum::<usize>());
        assert!(world.keys.iter().all(|key| key.origins.len() == key.facts.policy.statements.len()));
        let arns: std::collections::BTreeSet<&str> = world.principals.iter().map(|p| p.facts.arn.as_str()).collect();
        assert_eq!(arns.len(), world.principals.len());
        let managed = state.accounts.iter().map(|account| account.roles.len()).sum::<usize>();
        assert_eq!(world.principals.iter().filter(|p| p.trust.is_some()).count(), managed);
        assert!(world.principals.iter().all(|p| p.trust.is_some() == (p.facts.knowledge == Knowledge::Whole)));
    }
}
