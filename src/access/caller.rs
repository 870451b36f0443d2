//! The caller's names, taken apart once, and which principal elements name it.

use super::facts::{PrincipalFacts, PrincipalType};
use super::truth::Open;
use crate::policy::PrincipalEntry;

/// The parts of an ARN that principals have.
struct PrincipalParts<'a> {
    partition: &'a str,
    service: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> PrincipalParts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        (arn == "arn" && region.is_empty()).then_some(Self { partition, service, account, resource })
    }
}

/// The role behind a caller.
#[derive(Debug, Clone, Copy)]
enum Role<'a> {
    /// Its ARN is known, path included.
    Arn(&'a str),
    /// Only its name is known, as sessions carry no path.
    Name(&'a str),
}

/// How a principal element names a caller; a later variant depends on fewer of the caller's own policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    /// By its account, which passes the decision on to IAM.
    Account,
    /// By the role or user behind it.
    ViaRole,
    /// By its own ARN, or as everybody.
    Direct,
}

/// How some principal elements name a caller: for sure, and perhaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Matches {
    pub(super) sure: Option<Match>,
    pub(super) maybe: Option<(Match, Open)>,
}

impl Matches {
    fn sure(how: Option<Match>) -> Self {
        Self { sure: how, maybe: None }
    }

    fn join(self, other: Self) -> Self {
        Self { sure: self.sure.max(other.sure), maybe: self.maybe.max(other.maybe) }
    }
}

/// The caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) facts: &'a PrincipalFacts,
    pub(super) account: Option<&'a str>,
    partition: &'a str,
    role: Option<Role<'a>>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(facts: &'a PrincipalFacts) -> Self {
        let parts = PrincipalParts::of(&facts.arn);
        let role = match facts.kind {
            PrincipalType::Role => Some(Role::Arn(facts.role_arn.as_deref().unwrap_or(&facts.arn))),
            PrincipalType::RoleSession => facts
                .role_arn
                .as_deref()
                .map(Role::Arn)
                .or_else(|| parts.as_ref().and_then(|parts| parts.resource.split('/').nth(1)).map(Role::Name)),
            PrincipalType::User | PrincipalType::Root | PrincipalType::FederatedUser | PrincipalType::Service => None,
        };
        let account = facts.account.as_ref().map(crate::ids::AccountId::as_str);
        Self { facts, account, partition: parts.map_or("", |parts| parts.partition), role }
    }

    /// Returns whether an AWS service calls in its own name.
    pub(super) fn is_service(&self) -> bool {
        self.facts.kind == PrincipalType::Service
    }

    /// Returns whether it is an account's root user.
    pub(super) fn is_root(&self) -> bool {
        self.facts.kind == PrincipalType::Root
    }

    /// Returns the value of `aws:PrincipalArn`: of a session, the ARN of its role.
    pub(super) fn principal_arn(&self) -> std::borrow::Cow<'a, str> {
        match self.role {
            Some(Role::Arn(arn)) => arn.into(),
            Some(Role::Name(name)) => {
                format!("arn:{}:iam::{}:role/{name}", self.partition, self.account.unwrap_or_default()).into()
            }
            None => self.facts.arn.as_str().into(),
        }
    }

    /// Returns how some entries of a `Principal` element name the caller.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
    pub(super) fn named_by(&self, entries: &[PrincipalEntry]) -> Matches {
        entries.iter().map(|entry| self.named_by_entry(entry)).fold(Matches::default(), Matches::join)
    }

    fn named_by_entry(&self, entry: &PrincipalEntry) -> Matches {
        match entry {
            entry if entry.is_everyone() => Matches::sure(Some(Match::Direct)),
            PrincipalEntry::Aws(text) if !self.is_service() => self.named_by_aws(text),
            PrincipalEntry::Service(name) if self.is_service() && *name == self.facts.arn => {
                Matches::sure(Some(Match::Direct))
            }
            // A federated session of an identity provider is known by the provider.
            PrincipalEntry::Federated(provider)
                if self.facts.kind == PrincipalType::FederatedUser && *provider == self.facts.arn =>
            {
                Matches::sure(Some(Match::Direct))
            }
            PrincipalEntry::Everyone
            | PrincipalEntry::Aws(_)
            | PrincipalEntry::Service(_)
            | PrincipalEntry::Federated(_)
            | PrincipalEntry::Other { .. } => Matches::default(),
        }
    }

    /// Returns whether some entries name the caller itself and everything that it belongs to: its account, and of a
    /// session its role. Only then is it sure to be exempt from a deny to all but those.
    pub(super) fn is_listed_in_full(&self, entries: &[PrincipalEntry]) -> bool {
        let named = |wanted: Match| entries.iter().any(|entry| self.named_by_entry(entry).sure == Some(wanted));
        named(Match::Direct) && (self.role.is_none() || named(Match::ViaRole)) && named(Match::Account)
    }

    fn named_by_aws(&self, text: &str) -> Matches {
        if text.starts_with("arn:") {
            return Matches::sure(self.named_by_arn(text));
        }
        if self.account == Some(text) {
            return Matches::sure(Some(Match::Account));
        }
        // The id of a living principal; those of deleted ones name nobody, not even a successor of that name.
        let how = if self.role.is_some() { Match::ViaRole } else { Match::Direct };
        let live = self.facts.unique_id.as_deref() == Some(text);
        Matches { sure: None, maybe: live.then_some((how, Open::LiveUniqueId)) }
    }

    /// Returns how an ARN names the caller; wildcards inside an ARN are never expanded here.
    pub(super) fn named_by_arn(&self, arn: &str) -> Option<Match> {
        if arn == self.facts.arn {
            return Some(match self.facts.kind {
                PrincipalType::Root => Match::Account,
                PrincipalType::Role => Match::ViaRole,
                PrincipalType::User
                | PrincipalType::RoleSession
                | PrincipalType::FederatedUser
                | PrincipalType::Service => Match::Direct,
            });
        }
        let behind = match self.role {
            Some(Role::Arn(role)) => role == arn,
            Some(Role::Name(name)) => self.is_role_named(arn, name),
            None => self.facts.user_arn.as_deref() == Some(arn),
        };
        if behind { Some(Match::ViaRole) } else { self.is_own_account(arn).then_some(Match::Account) }
    }

    fn is_role_named(&self, arn: &str, name: &str) -> bool {
        PrincipalParts::of(arn).is_some_and(|parts| {
            parts.service == "iam"
                && parts.partition == self.partition
                && Some(parts.account) == self.account
                && parts.resource.starts_with("role/")
                && parts.resource.rsplit('/').next() == Some(name)
        })
    }

    /// Returns whether an ARN is that of the root of the caller's account.
    fn is_own_account(&self, arn: &str) -> bool {
        arn.ends_with(":root")
            && PrincipalParts::of(arn).is_some_and(|parts| {
                parts.service == "iam"
                    && parts.resource == "root"
                    && parts.partition == self.partition
                    && Some(parts.account) == self.account
            })
    }

    /// Returns whether an account, as an id or the ARN of its root, is the caller's.
    pub(super) fn is_of_account(&self, account: &str) -> bool {
        self.account == Some(account) || self.is_own_account(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(role_arn: Option<&str>) -> PrincipalFacts {
        let arn = "arn:aws:sts::111122223333:assumed-role/App/s1";
        let mut facts = PrincipalFacts::new(PrincipalType::RoleSession, arn, "111122223333".parse().ok());
        facts.role_arn = role_arn.map(str::to_owned);
        facts.unique_id = Some("AROAEXAMPLE".to_owned());
        facts
    }

    fn named(facts: &PrincipalFacts, text: &str) -> Matches {
        Caller::new(facts).named_by(&[PrincipalEntry::Aws(text.to_owned())])
    }

    #[test]
    fn a_session_is_named_by_itself_its_role_and_its_account() {
        let facts = session(Some("arn:aws:iam::111122223333:role/keys/App"));
        for (text, how) in [
            ("arn:aws:sts::111122223333:assumed-role/App/s1", Some(Match::Direct)),
            ("arn:aws:sts::111122223333:assumed-role/App/s2", None),
            ("arn:aws:iam::111122223333:role/keys/App", Some(Match::ViaRole)),
            ("arn:aws:iam::111122223333:role/App", None),
            ("arn:aws:iam::111122223333:root", Some(Match::Account)),
            ("111122223333", Some(Match::Account)),
            ("444455556666", None),
            ("arn:aws-cn:iam::111122223333:root", None),
            ("arn:aws:iam::111122223333:role/keys/*", None),
            ("arn:aws:iam::111122223333:role/keys/app", None),
            ("AROAOTHER", None),
        ] {
            assert_eq!(named(&facts, text), Matches::sure(how), "{text}");
        }
        assert_eq!(named(&facts, "AROAEXAMPLE").maybe, Some((Match::ViaRole, Open::LiveUniqueId)));
    }

    #[test]
    fn without_the_path_a_session_is_named_by_the_name_of_its_role() {
        let facts = session(None);
        assert_eq!(named(&facts, "arn:aws:iam::111122223333:role/keys/App").sure, Some(Match::ViaRole));
        assert_eq!(named(&facts, "arn:aws:iam::444455556666:role/App").sure, None);
        assert_eq!(Caller::new(&facts).principal_arn(), "arn:aws:iam::111122223333:role/App");
    }

    #[test]
    fn services_are_named_exactly_or_as_everybody() {
        let facts = PrincipalFacts::new(PrincipalType::Service, "logs.eu-west-1.amazonaws.com", None);
        let caller = Caller::new(&facts);
        let service = |name: &str| caller.named_by(&[PrincipalEntry::Service(name.to_owned())]).sure;
        assert_eq!(service("logs.eu-west-1.amazonaws.com"), Some(Match::Direct));
        assert_eq!(service("logs.amazonaws.com"), None);
        assert_eq!(caller.named_by(&[PrincipalEntry::Everyone]).sure, Some(Match::Direct));
        assert_eq!(named(&facts, "logs.eu-west-1.amazonaws.com"), Matches::default());
    }
}
