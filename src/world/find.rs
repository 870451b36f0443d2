//! Finds keys and principals by the names that people type.

use super::{World, WorldKey, WorldPrincipal};
use crate::access::{Knowledge, PrincipalFacts, PrincipalType};
use crate::ids::{AccountId, AliasArn, PrincipalArn, PrincipalKind, Region};
use crate::policy::{PolicyDocument, Statement};
use crate::services::service_pin;
use crate::text::{and_list, did_you_mean, escape};
use std::fmt;

/// Why a name means nothing, or too much; in words, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

impl NameError {
    fn unknown<'k>(what: &str, name: &str, known: impl IntoIterator<Item = &'k str>, next: &str) -> Self {
        let hint = did_you_mean(name, known).map(|known| format!("did you mean `{}`?", escape(known)));
        Self(format!("there is no {what} `{}`; {}", escape(name), hint.unwrap_or_else(|| next.to_owned())))
    }
}

impl World {
    /// Returns the key of a name: the manifest's, an alias, an id, an ARN or an alias's ARN.
    ///
    /// # Errors
    /// If there is none, or several: then with the targets that have one.
    pub fn key_named(&self, name: &str) -> Result<&WorldKey, NameError> {
        let found: Vec<&WorldKey> = self.keys.iter().filter(|key| key.is_called(name)).collect();
        match found.as_slice() {
            [key] => Ok(key),
            [] => {
                let names = self.keys.iter().map(|key| key.name.as_str());
                let aliases = self.keys.iter().flat_map(|key| &key.facts.aliases).map(String::as_str);
                let next = "`keywright access matrix` shows the keys; one that the manifest does not have takes --live";
                Err(NameError::unknown("key", name, names.chain(aliases), next))
            }
            several => {
                let targets: Vec<&str> = several.iter().map(|key| key.target.as_str()).collect();
                let targets = and_list(&targets);
                Err(NameError(format!("key `{}` is in the targets {targets}; name one with --target", escape(name))))
            }
        }
    }

    /// Returns the principal of a name, as somebody who calls a key: a role of the manifest, an ARN, `sso:NAME`,
    /// `account:ID` or `service:NAME`. Somebody whom the world does not have is known by name alone.
    ///
    /// # Errors
    /// If the name means nobody, or several.
    pub fn principal_named(&self, name: &str, key: &WorldKey) -> Result<WorldPrincipal, NameError> {
        let (account, region) = (&key.facts.account, &key.facts.region);
        if name.starts_with("arn:") {
            return self.by_arn(name);
        }
        match name.split_once(':') {
            Some(("account", id)) => by_account(id, region),
            Some(("service", service)) => Ok(by_service(service, region, account)),
            Some(("sso", set)) => self.by_permission_set(set, account, region),
            Some(("org", _)) => Err(NameError(
                "an organization is nobody in particular: ask about one of its accounts (`account:ID`) or principals (by \
                 ARN)"
                    .to_owned(),
            )),
            Some(_) => Err(NameError(format!(
                "`{}` is no principal; name a role of the manifest, an ARN, sso:NAME, account:ID or service:NAME",
                escape(name)
            ))),
            None => self.by_name(name, account),
        }
    }

    fn by_arn(&self, text: &str) -> Result<WorldPrincipal, NameError> {
        let arn: PrincipalArn = text.parse().map_err(|error: crate::ids::IdError| NameError(error.to_string()))?;
        let known = self.principals.iter().find(|principal| principal.facts.arn == text);
        Ok(known.cloned().unwrap_or_else(|| self.stranger(&arn)))
    }

    /// Returns somebody whom the world does not name: a session has what its role has.
    fn stranger(&self, arn: &PrincipalArn) -> WorldPrincipal {
        let mut facts = PrincipalFacts::from_arn(arn);
        facts.knowledge = Knowledge::NameOnly;
        let role = (arn.kind() == PrincipalKind::Session).then(|| self.role_of(arn)).flatten();
        if let Some(role) = role {
            let arn = std::mem::take(&mut facts.arn);
            facts = PrincipalFacts { kind: PrincipalType::RoleSession, arn, ..role.facts.clone() };
        }
        WorldPrincipal { name: arn.to_string(), facts, trust: None, loc: role.and_then(|role| role.loc) }
    }

    fn role_of(&self, session: &PrincipalArn) -> Option<&WorldPrincipal> {
        self.principals.iter().find(|principal| {
            let role: Option<PrincipalArn> = principal.facts.arn.parse().ok();
            role.is_some_and(|role| {
                role.kind() == PrincipalKind::Role
                    && role.account() == session.account()
                    && role.role_name() == session.role_name()
            })
        })
    }

    fn by_name(&self, name: &str, account: &AccountId) -> Result<WorldPrincipal, NameError> {
        let mut found: Vec<&WorldPrincipal> = self.principals.iter().filter(|known| known.is_called(name)).collect();
        let here = |known: &&WorldPrincipal| known.facts.account.as_ref() == Some(account);
        if found.len() > 1 && found.iter().any(here) {
            found.retain(here);
        }
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] if name.parse::<AccountId>().is_ok() => Err(NameError(format!(
                "`{name}` is the id of an account; write account:{name} for whomever its IAM policies allow"
            ))),
            [] => {
                let known = self.principals.iter().flat_map(|known| [known.name.as_str(), known.last_name()]);
                let next = "name a role of the manifest, an ARN, sso:NAME, account:ID or service:NAME";
                Err(NameError::unknown("principal", name, known, next))
            }
            several => {
                let arns: Vec<&str> = several.iter().map(|known| known.facts.arn.as_str()).collect();
                Err(NameError(format!("`{}` may be {}; name one by its ARN", escape(name), and_list(&arns))))
            }
        }
    }

    /// Returns the role of a permission set: the one that Identity Center made, where it was read.
    fn by_permission_set(&self, set: &str, account: &AccountId, region: &Region) -> Result<WorldPrincipal, NameError> {
        let principal =
            crate::desired::Principal::IdentityCenter { permission_set: set.to_owned(), account: account.clone() };
        let patterns = principal.arn_patterns(region.partition());
        let made = |known: &&WorldPrincipal| {
            patterns.iter().any(|pattern| crate::policy::glob_matches(pattern, &known.facts.arn))
        };
        if let Some(known) = self.principals.iter().find(made) {
            return Ok(WorldPrincipal { name: principal.name(), ..known.clone() });
        }
        let arn = principal.stand_in(region.partition());
        let arn = arn.ok_or_else(|| NameError(format!("`{}` is no name of a permission set", escape(set))))?;
        Ok(WorldPrincipal { name: principal.name(), ..self.stranger(&arn) })
    }
}

fn by_account(id: &str, region: &Region) -> Result<WorldPrincipal, NameError> {
    let account: AccountId = id.parse().map_err(|error: crate::ids::IdError| NameError(error.to_string()))?;
    let name = format!("account:{account} through IAM");
    let mut facts = PrincipalFacts::anybody(region.partition(), Some(account));
    // What the account's own policies allow is the account's affair: the question is what the key leaves to them.
    facts.identity_policies = vec![PolicyDocument::new(vec![Statement::allow("Everything", ["*"])])];
    Ok(WorldPrincipal { name, facts, trust: None, loc: None })
}

fn by_service(service: &str, region: &Region, account: &AccountId) -> WorldPrincipal {
    let facts = PrincipalFacts::new(PrincipalType::Service, service_pin(service, region, account).principal, None);
    WorldPrincipal { name: format!("service:{service}"), facts, trust: None, loc: None }
}

impl WorldKey {
    fn is_called(&self, name: &str) -> bool {
        let id = self.facts.arn.rsplit('/').next();
        let alias = name.parse::<AliasArn>().ok().filter(|arn| {
            arn.arn().account() == self.facts.account.as_str() && arn.arn().region() == self.facts.region.as_str()
        });
        let alias = alias.as_ref().map_or(name, |arn| arn.arn().resource());
        self.name == name
            || self.facts.arn == name
            || id == Some(name)
            || self.facts.aliases.iter().any(|own| own == alias)
    }
}

impl WorldPrincipal {
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.facts.arn == name || (self.last_name() == name && !name.is_empty())
    }

    /// Returns the name without account and path, for roles and users.
    fn last_name(&self) -> &str {
        match self.facts.kind {
            PrincipalType::Role | PrincipalType::User => self.facts.arn.rsplit('/').next().unwrap_or_default(),
            PrincipalType::RoleSession
            | PrincipalType::Root
            | PrincipalType::FederatedUser
            | PrincipalType::Service => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::RoleKind;
    use crate::synth::sample::{self, key, managed, restricted, role_arn, target};
    use crate::world::of_manifest;

    fn world() -> World {
        let roles = ["api", "reporting"].map(|name| managed(name, RoleKind::KeyUser, crate::desired::Trust::default()));
        let targets = vec![
            target("east", "us-east-1", vec![key("a"), restricted()]),
            target("west", "us-west-2", vec![key("a")]),
        ];
        of_manifest(&sample::state(targets, roles.into()))
    }

    #[test]
    fn keys_have_names_and_aliases() {
        let world = world();
        let found = |name: &str| world.key_named(name).map(|key| key.name.clone()).map_err(|error| error.to_string());
        assert_eq!(found("ledger"), Ok("ledger".to_owned()));
        assert_eq!(found("alias/payments/ledger"), Ok("ledger".to_owned()));
        let account = sample::ACCOUNT;
        assert_eq!(found(&format!("arn:aws:kms:us-east-1:{account}:alias/payments/ledger")), Ok("ledger".to_owned()));
        assert!(found(&format!("arn:aws:kms:us-west-2:{account}:alias/payments/ledger")).is_err());
        assert_eq!(found("a").unwrap_err(), "key `a` is in the targets east and west; name one with --target");
        assert!(found("legder").unwrap_err().ends_with("did you mean `ledger`?"));
        assert!(found("\u{1b}").unwrap_err().contains("`\\u{1b}`"));
    }

    #[test]
    fn principals_have_many_names() {
        let world = world();
        let key = world.key_named("ledger").unwrap();
        let found = |name: &str| world.principal_named(name, key).unwrap();
        let api = found("api");
        assert_eq!((api.facts.arn.as_str(), api.facts.knowledge), (role_arn("api").as_str(), Knowledge::Whole));
        assert_eq!(found(role_arn("api").as_str()).facts, api.facts);
        let session = found("arn:aws:sts::111122223333:assumed-role/api/one");
        assert_eq!((session.facts.kind, session.facts.knowledge), (PrincipalType::RoleSession, Knowledge::Whole));
        assert_eq!(session.facts.role_arn.as_deref(), Some(role_arn("api").as_str()));
        let stranger = found("arn:aws:iam::444455556666:user/ann");
        assert_eq!((stranger.facts.kind, stranger.facts.knowledge), (PrincipalType::User, Knowledge::NameOnly));
        assert_eq!(found("service:logs").facts.arn, "logs.us-east-1.amazonaws.com");
        assert!(found("sso:Admin").facts.arn.contains("AWSReservedSSO_Admin_"));
        let account = found("account:444455556666");
        assert_eq!(account.facts.knowledge, Knowledge::AccountOnly);
        for (name, words) in [
            ("apo", "did you mean `api`?"),
            ("account:x", "twelve digits"),
            ("org:o-1", "nobody in particular"),
            ("user:x", "is no principal"),
            ("arn:aws:iam::444455556666:group/g", "principal ARN"),
        ] {
            let error = world.principal_named(name, key).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
