//! The world as it was read: what is, whatever the manifest says.

use super::{World, WorldKey, WorldPrincipal, of_manifest};
use crate::access::{GrantFacts, Grantee, Knowledge, PrincipalFacts, PrincipalType};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget};
use crate::ids::{AccountId, PrincipalArn, PrincipalKind};
use crate::live::{Facts, Gap, LiveIdentities, LiveIdentity, NamedKey, Observed};
use crate::policy::{PolicyDocument, PrincipalEntry, Principals, Statement};
use crate::source::Loc;
use crate::synth;
use crate::text::plural;
use std::collections::{BTreeMap, BTreeSet};

/// The identities of accounts, as far as they were read.
pub type Identities = BTreeMap<AccountId, Observed<LiveIdentities>>;

/// What was read of some keys.
#[derive(Debug, Clone, Default)]
pub struct LiveWorld {
    /// The keys that can be judged, and everybody who was seen.
    pub world: World,
    /// The keys that cannot be judged, since their policies were not read.
    pub unreadable: Vec<Gap>,
    /// The names of the identity policies of each principal, by its ARN, in their order.
    pub policy_names: BTreeMap<String, Vec<String>>,
}

/// Returns the keys that were read in targets, and everybody who is in their accounts or named by them.
///
/// Where the identities of an account were not read, those whom keys and manifest name are known by name alone.
pub fn of_live(state: &DesiredState, keys: &[(&DesiredTarget, &NamedKey)], identities: &Identities) -> LiveWorld {
    let mut found = LiveWorld::default();
    let mut gaps = BTreeSet::new();
    for (target, key) in keys {
        match key.facts() {
            Ok(Facts { facts, gaps: missing }) => {
                gaps.extend(missing.iter().map(ToString::to_string));
                let (name, desired) = name_of(state, target, key, &facts.aliases);
                let origins = desired.map_or_else(
                    || vec![Vec::new(); facts.policy.statements.len()],
                    |desired| origins(target, desired, &facts.policy),
                );
                let loc = desired.map(|desired| desired.loc);
                found.world.keys.push(WorldKey { name, target: target.name.clone(), facts, loc, origins });
            }
            Err(gap) => found.unreadable.push(gap),
        }
    }
    found.world.keys.sort_by(|a, b| (&a.target, &a.name).cmp(&(&b.target, &b.name)));
    let mut people = People { declared: declared(state), identities, found: BTreeMap::new() };
    people.read(&mut gaps);
    found.world.keys.iter().for_each(|key| people.named_by(key));
    people.declared();
    found.world.principals = people.found.into_values().collect();
    found.policy_names = policy_names(identities);
    gaps.extend(unread_identities(state, identities));
    found.world.gaps = gaps.into_iter().collect();
    found.world.gaps.extend(
        ["identity policies of other accounts", "service and resource control policies", "VPC endpoint policies"]
            .map(str::to_owned),
    );
    found
}

fn unread_identities<'a>(state: &'a DesiredState, identities: &'a Identities) -> impl Iterator<Item = String> + 'a {
    state.accounts.iter().filter_map(|account| match identities.get(&account.account) {
        Some(Observed::Known(_)) => None,
        Some(Observed::Denied { action, message }) => {
            Some(format!("the identity policies of account {}: {action} was denied: {message}", account.account))
        }
        None => Some(format!("the identity policies of account {}", account.account)),
    })
}

fn policy_names(identities: &Identities) -> BTreeMap<String, Vec<String>> {
    let all = identities.values().filter_map(Observed::known).flat_map(|live| &live.principals);
    let names = |identity: &LiveIdentity| identity.policies.iter().map(|policy| policy.source.to_string()).collect();
    all.map(|identity| (identity.arn.to_string(), names(identity))).collect()
}

/// Returns how people call a key: as the manifest does where it is the manifest's, else by an alias, else by its id.
fn name_of<'t>(
    state: &DesiredState,
    target: &'t DesiredTarget,
    key: &NamedKey,
    aliases: &[String],
) -> (String, Option<&'t DesiredKey>) {
    let claims = |wanted: &&DesiredKey| aliases.contains(&format!("alias/keywright/{}/{}", state.stack, wanted.name));
    let declares = |wanted: &&DesiredKey| wanted.aliases.iter().any(|alias| aliases.contains(&alias.value.to_string()));
    let desired = target.keys.iter().find(claims).or_else(|| target.keys.iter().find(declares));
    let name = desired.map(|desired| desired.name.to_string());
    let name = name.or_else(|| aliases.first().cloned()).unwrap_or_else(|| key.key.arn.key_id().to_string());
    (name, desired)
}

/// Returns for each live statement the places of the manifest that demand it, none where the manifest demands no such
/// statement.
fn origins(target: &DesiredTarget, desired: &DesiredKey, live: &PolicyDocument) -> Vec<Vec<Loc>> {
    let wanted = synth::key_policy(target, desired);
    let places = synth::key_policy_origins(target, desired);
    let alone = |statement: &Statement| PolicyDocument::new(vec![statement.clone()]);
    let of = |statement: &Statement| {
        let same = |wanted: &Statement| alone(wanted).same_permissions(&alone(statement));
        wanted.statements.iter().position(same).and_then(|at| places.get(at).cloned()).unwrap_or_default()
    };
    live.statements.iter().map(of).collect()
}

/// Returns those whom the manifest names, by ARN, as far as the manifest alone tells of them.
fn declared(state: &DesiredState) -> BTreeMap<String, WorldPrincipal> {
    let named = of_manifest(state).principals.into_iter();
    named.map(|principal| (principal.facts.arn.clone(), principal)).collect()
}

/// Everybody who is found.
struct People<'a> {
    declared: BTreeMap<String, WorldPrincipal>,
    identities: &'a Identities,
    found: BTreeMap<String, WorldPrincipal>,
}

impl People<'_> {
    /// Adds everybody who was read.
    fn read(&mut self, gaps: &mut BTreeSet<String>) {
        for live in self.identities.values().filter_map(Observed::known) {
            for identity in &live.principals {
                let Facts { facts, gaps: missing } = identity.facts();
                gaps.extend(missing.iter().map(ToString::to_string));
                self.add(facts, identity.trust.clone());
            }
            if !live.unreadable.is_empty() {
                let count = plural(live.unreadable.len(), "identity");
                gaps.insert(format!("{count} of account {} that the server does not describe", live.account));
            }
        }
    }

    fn add(&mut self, facts: PrincipalFacts, trust: Option<PolicyDocument>) {
        let declared = self.declared.get(&facts.arn);
        let name = declared.map(|declared| declared.name.clone()).or_else(|| permission_set(&facts.arn));
        let name = name.unwrap_or_else(|| facts.arn.clone());
        let loc = declared.and_then(|declared| declared.loc);
        self.found.entry(facts.arn.clone()).or_insert(WorldPrincipal { name, facts, trust, loc });
    }

    /// Adds those whom a key's policies and grants name and who were not read: of other accounts, sessions, services.
    fn named_by(&mut self, key: &WorldKey) {
        let facts = &key.facts;
        let policies = [Some(&facts.policy), facts.ram_policy.as_ref()];
        let entries = policies.into_iter().flatten().flat_map(|policy| &policy.statements).flat_map(entries);
        let grantees = facts.grants.iter().map(grantee);
        let named: BTreeSet<Grantee> = entries.filter_map(as_grantee).chain(grantees).collect();
        for named in named {
            match named {
                Grantee::Service(name) => self.add(PrincipalFacts::new(PrincipalType::Service, name, None), None),
                Grantee::Principal(text) => {
                    if let Ok(arn) = text.parse::<PrincipalArn>() {
                        self.add_named(&arn);
                    }
                }
            }
        }
    }

    /// Adds somebody who is known by name; nobody whose account was read, and who is not there.
    fn add_named(&mut self, arn: &PrincipalArn) {
        let read = self.identities.get(&arn.account()).is_some_and(|identities| identities.known().is_some());
        let mut facts = PrincipalFacts::from_arn(arn);
        match arn.kind() {
            PrincipalKind::Role | PrincipalKind::User if read => return,
            PrincipalKind::Session if read => {
                let role = self.found.values().find(|known| is_role_of(known, arn));
                let Some(role) = role else { return };
                let arn = std::mem::take(&mut facts.arn);
                facts = PrincipalFacts { kind: PrincipalType::RoleSession, arn, ..role.facts.clone() };
            }
            // Of root users and accounts the key's policy speaks; they are asked about with it.
            PrincipalKind::Root => return,
            PrincipalKind::Role | PrincipalKind::User | PrincipalKind::Session | PrincipalKind::FederatedUser => {
                facts.knowledge = Knowledge::NameOnly;
            }
        }
        self.add(facts, None);
    }

    /// Adds those whom the manifest names, of accounts whose identities were not read.
    fn declared(&mut self) {
        for (text, declared) in self.declared.clone() {
            match text.parse::<PrincipalArn>() {
                Ok(arn) => self.add_named(&arn),
                Err(_) if declared.facts.kind == PrincipalType::Service => self.add(declared.facts, None),
                Err(_) => {}
            }
        }
    }
}

/// Returns how a manifest calls the role that Identity Center made for a permission set.
fn permission_set(arn: &str) -> Option<String> {
    let name = arn.split_once(":role/aws-reserved/sso.amazonaws.com/")?.1.rsplit('/').next()?;
    let (set, suffix) = name.strip_prefix("AWSReservedSSO_")?.rsplit_once('_')?;
    (suffix.len() == 16).then(|| format!("sso:{set}"))
}

fn is_role_of(known: &WorldPrincipal, session: &PrincipalArn) -> bool {
    let role = known.facts.arn.parse::<PrincipalArn>().ok().filter(|arn| arn.kind() == PrincipalKind::Role);
    role.is_some_and(|role| role.account() == session.account() && role.role_name() == session.role_name())
}

fn entries(statement: &Statement) -> &[PrincipalEntry] {
    match &statement.principals {
        Some(Principals::Is(entries)) => entries,
        Some(Principals::IsNot(_)) | None => &[],
    }
}

fn as_grantee(entry: &PrincipalEntry) -> Option<Grantee> {
    match entry {
        PrincipalEntry::Aws(text) => Some(Grantee::Principal(text.clone())),
        PrincipalEntry::Service(name) => Some(Grantee::Service(name.clone())),
        PrincipalEntry::Everyone | PrincipalEntry::Federated(_) | PrincipalEntry::Other { .. } => None,
    }
}

fn grantee(grant: &GrantFacts) -> Grantee {
    grant.grantee.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::RoleKind;
    use crate::ids::KeyArn;
    use crate::live::{IdentityKind, LiveGrant, LiveKey, LivePolicy, LiveRotation};
    use crate::synth::sample::{self, managed, restricted, target};

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn state() -> DesiredState {
        let roles = ["api", "reporting"].map(|name| managed(name, RoleKind::KeyUser, crate::desired::Trust::default()));
        sample::state(vec![target("prod", "us-east-1", vec![restricted()])], roles.into())
    }

    fn live(policy: Observed<PolicyDocument>, grants: Vec<LiveGrant>, aliases: &[&str]) -> NamedKey {
        let arn: KeyArn = KEY.parse().unwrap();
        let id = arn.key_id();
        let denied = || ("kms:GetKeyPolicy".to_owned(), "no".to_owned());
        let policy = match policy {
            Observed::Known(document) => Observed::Known(LivePolicy { text: String::new(), document }),
            Observed::Denied { .. } => Observed::Denied { action: denied().0, message: denied().1 },
        };
        let key = LiveKey {
            arn,
            metadata: Observed::Denied { action: "kms:DescribeKey".to_owned(), message: "no".to_owned() },
            policy,
            ram_policy: Some(Observed::Known(None)),
            tags: Observed::Known(BTreeMap::new()),
            rotation: Observed::Known(LiveRotation::Off),
            grants: Observed::Known(grants),
            rotations: None,
            materials: None,
            last_usage: None,
        };
        let aliases = aliases.iter().map(|alias| (alias.parse().unwrap(), Some(id.clone()))).collect();
        NamedKey { key, aliases: Observed::Known(aliases) }
    }

    fn identities(names: &[&str]) -> Identities {
        let identity = |name: &&str| LiveIdentity::new(sample::role_arn(name).principal(), IdentityKind::Role, "AROA");
        let principals = names.iter().map(identity).collect();
        let live = LiveIdentities { account: sample::account(), principals, unreadable: Vec::new() };
        [(sample::account(), Observed::Known(live))].into()
    }

    fn denied() -> Identities {
        let action = "iam:GetAccountAuthorizationDetails".to_owned();
        [(sample::account(), Observed::Denied { action, message: "no".to_owned() })].into()
    }

    fn knowledge(world: &World) -> BTreeMap<&str, Knowledge> {
        world.principals.iter().map(|known| (known.name.as_str(), known.facts.knowledge)).collect()
    }

    #[test]
    fn a_live_key_has_its_name_and_its_statements_their_places() {
        let state = state();
        let wanted = &state.targets[0].keys[0];
        let mut policy = synth::key_policy(&state.targets[0], wanted);
        policy.statements.reverse();
        policy.statements.push(Statement::allow("BackDoor", ["kms:*"]).principals(vec![PrincipalEntry::Everyone]));
        let count = policy.statements.len();
        for (aliases, name) in [
            (&["alias/keywright/payments/ledger"][..], "ledger"),
            (&["alias/payments/ledger"], "ledger"),
            (&["alias/other"], "alias/other"),
            (&[], "1234abcd-12ab-34cd-56ef-1234567890ab"),
        ] {
            let key = live(Observed::Known(policy.clone()), Vec::new(), aliases);
            let found = of_live(&state, &[(&state.targets[0], &key)], &identities(&["api"]));
            let key = &found.world.keys[0];
            assert_eq!((key.name.as_str(), key.origins.len(), key.loc.is_some()), (name, count, name == "ledger"));
            assert_eq!(key.origins.last(), Some(&Vec::new()));
            let mut places = synth::key_policy_origins(&state.targets[0], wanted);
            places.reverse();
            places.push(Vec::new());
            assert!(name != "ledger" || key.origins == places);
            assert!(found.world.gaps.iter().any(|gap| gap.contains("the metadata of key")), "{:?}", found.world.gaps);
        }
    }

    #[test]
    fn who_was_read_is_known_whole_and_who_is_only_named_by_name() {
        let state = state();
        let guest = "arn:aws:iam::444455556666:role/guest";
        let session = "arn:aws:sts::111122223333:assumed-role/api/one";
        let names = [guest, session, "logs.us-east-1.amazonaws.com"];
        let grant = |(at, name): (usize, &&str)| LiveGrant {
            name: None,
            facts: GrantFacts {
                grant_id: at.to_string(),
                issuing_account: sample::ACCOUNT.to_owned(),
                operations: vec!["Decrypt".to_owned()],
                grantee: if name.starts_with("arn:") {
                    Grantee::Principal((*name).to_owned())
                } else {
                    Grantee::Service((*name).to_owned())
                },
                retiring: None,
                constraints: crate::access::GrantConstraints::default(),
            },
        };
        let grants: Vec<LiveGrant> = names.iter().enumerate().map(grant).collect();
        let key = live(Observed::Known(synth::key_policy(&state.targets[0], &state.targets[0].keys[0])), grants, &[]);
        let keys = [(&state.targets[0], &key)];

        let found = of_live(&state, &keys, &identities(&["api", "stranger"]));
        let known = knowledge(&found.world);
        let stranger = sample::role_arn("stranger");
        for name in ["api", session, stranger.as_str(), names[2]] {
            assert_eq!(known.get(name), Some(&Knowledge::Whole), "{name}: {known:?}");
        }
        assert_eq!(known.get(guest), Some(&Knowledge::NameOnly));
        // It is in the manifest and not in the account.
        assert_eq!(known.get("reporting"), None);

        let found = of_live(&state, &keys, &denied());
        let known = knowledge(&found.world);
        for name in ["api", "reporting", "key-admin", guest, session] {
            let name = if name == "key-admin" { sample::role_arn(name).to_string() } else { name.to_owned() };
            let knowledge = known.iter().find(|(known, _)| name.ends_with(**known)).map(|(_, knowledge)| *knowledge);
            assert_eq!(knowledge, Some(Knowledge::NameOnly), "{name}: {known:?}");
        }
        let gap = "iam:GetAccountAuthorizationDetails was denied: no";
        assert!(found.world.gaps.iter().any(|known| known.contains(gap)), "{:?}", found.world.gaps);
    }

    #[test]
    fn a_key_whose_policy_was_not_read_is_not_judged() {
        let state = state();
        let policy = Observed::Denied { action: String::new(), message: String::new() };
        let key = live(policy, Vec::new(), &[]);
        let found = of_live(&state, &[(&state.targets[0], &key)], &denied());
        assert!(found.world.keys.is_empty());
        assert!(found.unreadable[0].to_string().contains("kms:GetKeyPolicy"));
    }

    #[test]
    fn roles_of_identity_center_go_by_their_permission_set() {
        let role = |name: &str| format!("arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/{name}");
        let made = role("eu-west-1/AWSReservedSSO_Data_Admin_0123456789abcdef");
        assert_eq!(permission_set(&made).as_deref(), Some("sso:Data_Admin"));
        assert_eq!(permission_set(&role("AWSReservedSSO_Data_0123")), None);
        assert_eq!(permission_set("arn:aws:iam::111122223333:role/AWSReservedSSO_Data_0123456789abcdef"), None);
    }
}
