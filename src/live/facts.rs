//! From what was read to what decisions need, with the gaps that an unread part leaves.

use super::{IdentityKind, KeyManager, LiveIdentity, LiveKey, Observed, PolicyPlace};
use crate::access::{KeyFacts, Knowledge, PrincipalFacts};
use crate::ids::{AliasName, KeyId};
use std::collections::BTreeMap;
use std::fmt;

/// Facts, and what is missing in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts<T> {
    /// The facts, as far as they were read.
    pub facts: T,
    /// What was not read, each of which may make a decision on the facts a wrong one.
    pub gaps: Vec<Gap>,
}

/// Something that exists, or may exist, and was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What was not read: `the grants of key …`.
    pub what: String,
    /// Why: the action that was denied, or what is wrong with the text.
    pub reason: String,
    /// What it may change.
    pub effect: GapEffect,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

/// What the truth may be, compared with a decision on the facts that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapEffect {
    /// More may be allowed, never less: a grant that was not seen.
    Widens,
    /// Less may be allowed, never more: a permissions boundary that was not seen.
    Narrows,
    /// More or less may be allowed: a policy that was not seen.
    Either,
}

impl LiveIdentity {
    /// Returns the role or user as decisions see it: a role as what any session of it is.
    ///
    /// A policy that could not be read is left out of the facts, and is a gap; where it is an identity policy, what the
    /// key's policy delegates to IAM is open, not refused. The organization is not IAM's to tell, and not given.
    pub fn facts(&self) -> Facts<PrincipalFacts> {
        let mut facts = PrincipalFacts::from_arn(&self.arn);
        facts.unique_id = Some(self.unique_id.clone());
        facts.tags.clone_from(&self.tags);
        facts.identity_policies = self.policies.iter().map(|policy| policy.document.clone()).collect();
        facts.permissions_boundary = self.boundary.as_ref().and_then(|boundary| boundary.document.clone());
        facts.service_linked_role = self.is_service_linked();
        let gaps = self.gaps();
        if gaps.iter().any(|gap| gap.effect == GapEffect::Either) {
            facts.knowledge = Knowledge::NameOnly;
        }
        Facts { facts, gaps }
    }

    fn gaps(&self) -> Vec<Gap> {
        let word = match self.kind {
            IdentityKind::Role => "role",
            IdentityKind::User => "user",
        };
        let gaps = self.unreadable.iter().filter_map(|policy| {
            let effect = match policy.place {
                PolicyPlace::Identity(_) | PolicyPlace::WholeGroup { .. } => GapEffect::Either,
                PolicyPlace::Boundary { .. } => GapEffect::Narrows,
                // It says who may become the role, not what the role may do.
                PolicyPlace::Trust => return None,
            };
            let what = format!("the {} of {word} {}", policy.place, self.arn);
            Some(Gap { what, reason: policy.reason.clone(), effect })
        });
        gaps.collect()
    }
}

/// Aliases and the keys behind them.
type Aliases = BTreeMap<AliasName, Option<KeyId>>;

impl LiveKey {
    /// Returns the key as decisions see it; `aliases` are those of its account and Region.
    ///
    /// # Errors
    /// The gap itself where the key policy was not read: nothing can be decided then.
    pub fn facts(&self, aliases: &Observed<Aliases>) -> Result<Facts<KeyFacts>, Gap> {
        let policy = match &self.policy {
            Observed::Known(policy) => policy.document.clone(),
            Observed::Denied { action, message } => {
                return Err(self.gap("the key policy", (action, message), GapEffect::Either));
            }
        };
        let mut facts = KeyFacts::new(self.arn.as_str(), self.arn.account(), self.arn.region(), policy);
        let mut gaps = Vec::new();
        self.add_metadata(&mut facts, &mut gaps);
        if let Some(tags) = self.seen("the tags", &self.tags, GapEffect::Either, &mut gaps) {
            facts.tags.clone_from(tags);
        }
        if let Some(grants) = self.seen("the grants", &self.grants, GapEffect::Widens, &mut gaps) {
            facts.grants = grants.iter().map(|grant| grant.facts.clone()).collect();
        }
        if let Some(aliases) = self.seen("the aliases", aliases, GapEffect::Either, &mut gaps) {
            let id = self.arn.key_id();
            let own = aliases.iter().filter(|(_, key)| key.as_ref() == Some(&id));
            facts.aliases = own.map(|(alias, _)| alias.to_string()).collect();
        }
        self.add_ram_policy(&mut facts, &mut gaps);
        Ok(Facts { facts, gaps })
    }

    fn add_metadata(&self, facts: &mut KeyFacts, gaps: &mut Vec<Gap>) {
        let Some(metadata) = self.seen("the metadata", &self.metadata, GapEffect::Either, gaps) else { return };
        metadata.spec.name().clone_into(&mut facts.key_spec);
        metadata.usage.name().clone_into(&mut facts.key_usage);
        metadata.origin.name().clone_into(&mut facts.key_origin);
        facts.multi_region = metadata.multi_region;
        facts.multi_region_key_type = metadata.multi_region_type.map(|kind| kind.name().to_owned());
        facts.aws_managed = metadata.manager == KeyManager::Aws;
    }

    /// Shares of AWS RAM only give: their policy allows, and never denies.
    ///
    /// <https://docs.aws.amazon.com/ram/latest/userguide/security-ram-permissions.html>
    fn add_ram_policy(&self, facts: &mut KeyFacts, gaps: &mut Vec<Gap>) {
        const WHAT: &str = "the policy AWS_RAM";
        let Some(observed) = &self.ram_policy else {
            let (what, reason) = (format!("{WHAT} of key {}", self.arn), "it was not asked for".to_owned());
            gaps.push(Gap { what, reason, effect: GapEffect::Widens });
            return;
        };
        let policy = self.seen(WHAT, observed, GapEffect::Widens, gaps);
        facts.ram_policy = policy.and_then(Option::as_ref).map(|policy| policy.document.clone());
    }

    /// Returns a part that was read; takes note of one that was not.
    fn seen<'a, T>(&self, what: &str, part: &'a Observed<T>, effect: GapEffect, gaps: &mut Vec<Gap>) -> Option<&'a T> {
        match part {
            Observed::Known(value) => Some(value),
            Observed::Denied { action, message } => {
                gaps.push(self.gap(what, (action, message), effect));
                None
            }
        }
    }

    fn gap(&self, what: &str, (action, message): (&str, &str), effect: GapEffect) -> Gap {
        let reason = format!("{action} was denied: {message}");
        Gap { what: format!("{what} of key {}", self.arn), reason, effect }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Decision, Guardrails, Request, decide};
    use crate::kms::{KeySpec, KeyState, KeyUsage, Origin};
    use crate::live::{
        IdentityPolicy, KeyMetadata, LiveBoundary, LivePolicy, LiveRotation, MultiRegionType, PolicySource,
        UnreadablePolicy,
    };
    use crate::policy::{PolicyDocument, PrincipalEntry, Statement};

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd";

    fn identity(resource: &str, kind: IdentityKind) -> LiveIdentity {
        LiveIdentity::new(format!("arn:aws:iam::111122223333:{resource}").parse().unwrap(), kind, "AROA1")
    }

    fn allow(action: &str) -> PolicyDocument {
        PolicyDocument::new(vec![Statement::allow("A", [action])])
    }

    fn inline(name: &str) -> PolicySource {
        PolicySource::Inline { name: name.to_owned() }
    }

    /// A key that leaves everything to IAM.
    fn key() -> LiveKey {
        let root = PrincipalEntry::Aws("arn:aws:iam::111122223333:root".to_owned());
        let document = PolicyDocument::new(vec![Statement::allow("A", ["kms:*"]).principals(vec![root])]);
        let metadata = KeyMetadata {
            state: KeyState::Enabled,
            description: String::new(),
            spec: KeySpec::Rsa2048,
            usage: KeyUsage::SignVerify,
            origin: Origin::External,
            manager: KeyManager::Customer,
            multi_region: true,
            multi_region_type: Some(MultiRegionType::Replica),
            primary_region: None,
            replica_regions: [].into(),
            store: None,
            xks_key_id: None,
            created: None,
            deletion: None,
            deletion_window: None,
            expiry: None,
        };
        LiveKey {
            arn: KEY.parse().unwrap(),
            metadata: Observed::Known(metadata),
            policy: Observed::Known(LivePolicy { text: document.to_text(), document }),
            ram_policy: Some(Observed::Known(None)),
            tags: Observed::Known(BTreeMap::new()),
            rotation: Observed::Known(LiveRotation::Off),
            grants: Observed::Known(Vec::new()),
            rotations: None,
            materials: None,
            last_usage: None,
        }
    }

    fn decided(identity: &LiveIdentity) -> Decision {
        let key = key().facts(&Observed::Known(BTreeMap::new())).unwrap().facts;
        let request = Request::new("kms:Sign", KEY, "eu-west-1".parse().unwrap());
        decide(&request, &identity.facts().facts, Some(&key), &Guardrails::default())
    }

    #[test]
    fn an_unread_identity_policy_leaves_open_what_the_key_leaves_to_iam() {
        let mut app = identity("role/app", IdentityKind::Role);
        assert_eq!(decided(&app), Decision::ImplicitDeny);
        let place = PolicyPlace::Identity(inline("p"));
        app.unreadable.push(UnreadablePolicy { place, reason: "it is no policy".to_owned() });
        assert!(matches!(decided(&app), Decision::Undetermined(_)));
        let gaps = app.facts().gaps;
        assert_eq!(
            gaps.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["the inline policy p of role arn:aws:iam::111122223333:role/app: it is no policy"]
        );
        app.policies.push(IdentityPolicy { source: inline("q"), document: allow("kms:Sign") });
        assert_eq!(decided(&app), Decision::Allow);
    }

    #[test]
    fn a_boundary_counts_and_an_unread_trust_policy_does_not() {
        let mut app = identity("role/aws-service-role/x.amazonaws.com/app", IdentityKind::Role);
        app.policies.push(IdentityPolicy { source: inline("q"), document: allow("kms:Sign") });
        app.unreadable.push(UnreadablePolicy { place: PolicyPlace::Trust, reason: "it is no policy".to_owned() });
        assert_eq!((decided(&app), app.facts().gaps), (Decision::Allow, vec![]));
        assert!(app.facts().facts.service_linked_role);
        let document = Some(allow("kms:Verify"));
        app.boundary = Some(LiveBoundary { arn: "arn:aws:iam::111122223333:policy/b".to_owned(), document });
        assert_eq!(decided(&app), Decision::ImplicitDeny);
    }

    #[test]
    fn a_key_has_the_facts_of_its_metadata_and_its_own_aliases() {
        let other = "other".parse().ok();
        let aliases = BTreeMap::from([
            ("alias/a".parse().unwrap(), Some(key().arn.key_id())),
            ("alias/b".parse().unwrap(), other),
            ("alias/c".parse().unwrap(), None),
        ]);
        let Facts { facts, gaps } = key().facts(&Observed::Known(aliases)).unwrap();
        assert_eq!(gaps, []);
        assert_eq!(facts.aliases, ["alias/a"]);
        assert_eq!((facts.multi_region, facts.multi_region_key_type.as_deref()), (true, Some("REPLICA")));
        let shape = [&facts.key_spec, &facts.key_usage, &facts.key_origin];
        assert_eq!(shape, ["RSA_2048", "SIGN_VERIFY", "EXTERNAL"]);
    }

    #[test]
    fn a_second_policy_that_nobody_asked_for_is_a_gap() {
        let unasked = LiveKey { ram_policy: None, ..key() };
        let gaps = unasked.facts(&Observed::Known(BTreeMap::new())).unwrap().gaps;
        assert_eq!(gaps[0].to_string(), format!("the policy AWS_RAM of key {KEY}: it was not asked for"));
    }
}
