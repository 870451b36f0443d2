//! What somebody can do about a key in its own name: manage it, and use it directly.

use super::DutyCertainty;
use crate::access::{
    ContextValue, CreateGrantRequest, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts, Knowledge,
    PrincipalFacts, PrincipalType, Request, Unknown, is_allowed,
};
use crate::kms::{CRYPTOGRAPHIC_ACTIONS, Capability, GRANT_OPERATIONS, KeyShape};
use crate::policy::{Effect, PolicyDocument, PrincipalEntry, Principals, glob_matches};
use crate::review::rule::{Rule, Rules, Who};
use crate::review::witness::attempts;
use crate::review::words::value_of;
use std::collections::BTreeSet;

/// By these, who uses the key is changed or the key is destroyed. `kms:CreateGrant` is judged apart.
const ADMINISTERING: [&str; 4] = ["kms:DisableKey", "kms:PutKeyPolicy", "kms:ReplicateKey", "kms:ScheduleKeyDeletion"];

/// These destroy or exchange material that came from outside.
const OF_IMPORTED: [&str; 2] = ["kms:DeleteImportedKeyMaterial", "kms:ImportKeyMaterial"];

/// One duty of somebody.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// What it can call.
    pub(super) actions: BTreeSet<&'static str>,
    /// Whether one of them certainly.
    pub(super) certainty: DutyCertainty,
    /// The request that shows it.
    pub(super) proof: Request,
    /// Which of the key's grants count.
    grants: Grants,
    /// Whether it gets there by a grant that it may make itself.
    pub(super) own_grant: bool,
}

/// Which of the key's grants count for a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grants {
    /// All: they let use the key.
    All,
    /// None: a grant passes on what it gives, and nothing more, so that it is never managing.
    ///
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html>
    None,
}

/// A key, and what it takes to ask who may do what about it.
pub(super) struct Acts<'k> {
    key: &'k KeyFacts,
    /// The key without what it leaves to the IAM of its account: for principals whose policies nobody has read.
    by_name: KeyFacts,
    ungranted: KeyFacts,
    ungranted_by_name: KeyFacts,
    concerned: Concerned,
    /// The direct calls that are asked about, by action: first the open one, then those whose encryption context some
    /// statement wants.
    asked: Vec<(&'static str, Vec<Request>)>,
}

/// Whether what a key leaves to the IAM of its account counts for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delegated {
    /// It does: the policies are known.
    Counts,
    /// It does not: nobody has read them.
    Unread,
}

/// Whom the allows of a key can be about: everybody else has nothing.
#[derive(Default)]
struct Concerned {
    everybody: bool,
    names: BTreeSet<String>,
    patterns: Vec<String>,
    accounts: BTreeSet<String>,
    /// Whether a grant is to an account, which is open and no delegation.
    granted_to_account: bool,
}

impl Concerned {
    fn of(rules: &[Rule]) -> Self {
        let mut concerned = Self::default();
        for rule in rules {
            match &rule.who {
                Who::Arn(arn) => drop(concerned.names.insert(arn.clone())),
                // The account's root user alone is no identity whose duties are asked about.
                Who::Account(_) if value_of(rule, "aws:PrincipalType") == Some("Account") => {}
                Who::Account(account) => drop(concerned.accounts.insert(account.clone())),
                Who::Everyone | Who::Except(_) => match value_of(rule, "aws:PrincipalArn") {
                    Some(pattern) if !pattern.contains("${") => concerned.patterns.push(pattern.to_owned()),
                    Some(_) | None => concerned.everybody = true,
                },
                Who::Service(_) => {}
            }
        }
        concerned
    }

    /// Returns whether somebody is among them; `delegation` tells whether what the key leaves to the IAM of its account
    /// counts.
    fn has(&self, who: &PrincipalFacts, delegation: Delegated) -> bool {
        let own = [Some(&who.arn), who.role_arn.as_ref(), who.user_arn.as_ref(), who.unique_id.as_ref()];
        let of_account = || {
            (delegation == Delegated::Counts || self.granted_to_account)
                && who.account.as_ref().is_some_and(|account| self.accounts.contains(account.as_str()))
        };
        self.everybody
            // The path of its role is not known, so that its names are not either.
            || (who.kind == PrincipalType::RoleSession && who.role_arn.is_none())
            || own.iter().flatten().any(|name| self.names.contains(*name))
            || self.patterns.iter().any(|pattern| own.iter().flatten().any(|name| glob_matches(pattern, name)))
            || of_account()
    }
}

impl<'k> Acts<'k> {
    /// Prepares the questions about a key.
    pub(super) fn of(key: &'k KeyFacts) -> Self {
        let by_name = KeyFacts {
            policy: without_delegation(&key.policy, key.account.as_str()),
            ram_policy: key.ram_policy.as_ref().map(|policy| without_delegation(policy, key.account.as_str())),
            ..key.clone()
        };
        let ungranted = |key: &KeyFacts| KeyFacts { grants: Vec::new(), ..key.clone() };
        let rules = Rules::of(key).allows;
        let demanded = demanded(&key.policy);
        let asked = uses(key).into_iter().map(|action| (action, requests(action, key, &rules, &demanded))).collect();
        Self {
            key,
            ungranted: ungranted(key),
            ungranted_by_name: ungranted(&by_name),
            by_name,
            concerned: Concerned { granted_to_account: key.grants.iter().any(is_to_account), ..Concerned::of(&rules) },
            asked,
        }
    }

    /// Returns the key as it counts for somebody.
    pub(super) fn key_for(&self, side: &Side, who: &PrincipalFacts) -> &KeyFacts {
        self.key_with(side.grants, who)
    }

    fn key_with(&self, grants: Grants, who: &PrincipalFacts) -> &KeyFacts {
        match (grants, self.delegated(who)) {
            (Grants::All, Delegated::Unread) => &self.by_name,
            (Grants::All, Delegated::Counts) => self.key,
            (Grants::None, Delegated::Unread) => &self.ungranted_by_name,
            (Grants::None, Delegated::Counts) => &self.ungranted,
        }
    }

    fn delegated(&self, who: &PrincipalFacts) -> Delegated {
        let by_name = who.knowledge == Knowledge::NameOnly && who.account.as_ref() == Some(&self.key.account);
        if by_name { Delegated::Unread } else { Delegated::Counts }
    }

    fn concerns(&self, who: &PrincipalFacts) -> bool {
        self.concerned.has(who, self.delegated(who))
    }

    /// Returns how somebody can change who uses the key, or destroy it.
    pub(super) fn administers(&self, who: &PrincipalFacts) -> Option<Side> {
        if !self.concerns(who) {
            return None;
        }
        let imported = OF_IMPORTED.iter().filter(|_| self.key.key_origin == "EXTERNAL");
        let plain = ADMINISTERING.iter().chain(imported).map(|action| (*action, vec![request(action, self.key)]));
        let asked: Vec<_> = plain.chain([("kms:CreateGrant", vec![self.own_grant(who)])]).collect();
        side(self.key_with(Grants::None, who), Grants::None, who, &asked)
    }

    /// Returns how somebody can use the key directly, under some encryption context or other; if need be by a grant
    /// that it may make itself.
    pub(super) fn uses(&self, who: &PrincipalFacts) -> Option<Side> {
        if !self.concerns(who) {
            return None;
        }
        let direct = side(self.key_with(Grants::All, who), Grants::All, who, &self.asked);
        direct.or_else(|| self.uses_by_own_grant(who))
    }

    fn uses_by_own_grant(&self, who: &PrincipalFacts) -> Option<Side> {
        let own = [("kms:CreateGrant", vec![self.own_grant(who)])];
        let granting = side(self.key_with(Grants::None, who), Grants::None, who, &own)?;
        let mut granted = self.key_with(Grants::All, who).clone();
        granted.grants.push(GrantFacts {
            grant_id: "own".to_owned(),
            issuing_account: self.key.account.to_string(),
            operations: self.operations(),
            grantee: Grantee::Principal(who.arn.clone()),
            retiring: None,
            constraints: GrantConstraints::default(),
        });
        let using = side(&granted, Grants::All, who, &self.asked)?;
        let certainty = using.certainty.max(granting.certainty);
        Some(Side { actions: using.actions, certainty, own_grant: true, ..granting })
    }

    /// Returns a grant of everything that the caller makes to itself.
    fn own_grant(&self, who: &PrincipalFacts) -> Request {
        let mut request = request("kms:CreateGrant", self.key);
        request.grant_is_for_aws_resource = Some(false);
        request.grant = Some(CreateGrantRequest {
            operations: self.operations(),
            grantee_principal: Some(who.arn.clone()),
            ..CreateGrantRequest::default()
        });
        request
    }

    fn operations(&self) -> Vec<String> {
        let names = self.asked.iter().filter_map(|(action, _)| action.strip_prefix("kms:"));
        names.filter(|name| GRANT_OPERATIONS.contains(name)).map(str::to_owned).collect()
    }
}

fn is_to_account(grant: &GrantFacts) -> bool {
    matches!(&grant.grantee, Grantee::Principal(text) if text.ends_with(":root") || !text.contains(':'))
}

/// Returns a direct call of which nothing more is known.
fn request(action: &str, key: &KeyFacts) -> Request {
    let mut request = Request::new(action, key.arn.clone(), key.region.clone());
    request.context.insert("kms:ViaService".to_owned(), None);
    let check_kept = ContextValue::One("false".to_owned());
    request.context.insert("kms:BypassPolicyLockoutSafetyCheck".to_owned(), Some(check_kept));
    request.unknown = Unknown::Everything;
    request
}

/// Returns the open call, and those with an encryption context of the caller's choice that some statement wants.
fn requests(action: &str, key: &KeyFacts, rules: &[Rule], demanded: &BTreeSet<String>) -> Vec<Request> {
    let fitting = rules.iter().filter(|rule| rule.has(action));
    let chosen = fitting.flat_map(|rule| attempts(action, rule, key)).filter_map(|attempt| {
        let wanted = attempt.request;
        // What else a statement wants is not the caller's to choose.
        if wanted.via_service.is_some() || !wanted.context.is_empty() {
            return None;
        }
        let mut request = request(action, key);
        request.request_alias = wanted.request_alias;
        request.encryption_context = wanted.encryption_context;
        for key in demanded {
            request.encryption_context.entry(key.clone()).or_insert_with(|| "x".to_owned());
        }
        Some(request)
    });
    let mut all = vec![request(action, key)];
    for request in chosen {
        if !all.contains(&request) {
            all.push(request);
        }
    }
    all
}

/// Returns what somebody can call of some actions; of each, the first request is the open one.
fn side(key: &KeyFacts, grants: Grants, who: &PrincipalFacts, asked: &[(&'static str, Vec<Request>)]) -> Option<Side> {
    let mut found: Option<Side> = None;
    if matches!(who.kind, PrincipalType::Root | PrincipalType::Service) {
        return None;
    }
    for (action, requests) in asked {
        let Some((certainty, proof)) = surest(key, who, requests) else { continue };
        let fresh = || Side { actions: BTreeSet::new(), certainty, proof: proof.clone(), grants, own_grant: false };
        let side = found.get_or_insert_with(fresh);
        if certainty < side.certainty {
            // What is certain is told alone.
            side.actions.clear();
            (side.certainty, side.proof) = (certainty, proof.clone());
        }
        if certainty == side.certainty {
            side.actions.insert(*action);
        }
    }
    found
}

fn surest<'r>(key: &KeyFacts, who: &PrincipalFacts, requests: &'r [Request]) -> Option<(DutyCertainty, &'r Request)> {
    let mut open = None;
    for request in requests {
        match is_allowed(request, who, Some(key), &Guardrails::default()) {
            Some(true) => return Some((DutyCertainty::Certain, request)),
            // The first request leaves everything open: what it denies is denied however it is asked.
            Some(false) if open.is_none() => return None,
            Some(false) => {}
            None => open = open.or(Some((DutyCertainty::UnderCondition, request))),
        }
    }
    open
}

/// Returns the cryptographic actions that the key's material can do.
fn uses(key: &KeyFacts) -> Vec<&'static str> {
    let (Ok(spec), Ok(usage)) = (key.key_spec.parse(), key.key_usage.parse()) else {
        return CRYPTOGRAPHIC_ACTIONS.to_vec();
    };
    let shape = KeyShape::new(spec, usage);
    let able: BTreeSet<&'static str> =
        Capability::ALL.iter().flat_map(|capability| capability.actions(shape)).map(|action| action.full).collect();
    CRYPTOGRAPHIC_ACTIONS.iter().copied().filter(|action| able.contains(action)).collect()
}

/// Returns the encryption-context keys that each direct use must carry, or a statement denies it.
fn demanded(policy: &PolicyDocument) -> BTreeSet<String> {
    let denies = policy.statements.iter().filter(|statement| statement.effect == Effect::Deny);
    let absent = denies.flat_map(|statement| &statement.conditions).filter(|condition| {
        condition.operator.0.eq_ignore_ascii_case("Null")
            && condition.values.iter().any(|value| value.as_text().eq_ignore_ascii_case("true"))
    });
    absent.filter_map(|condition| condition.key.strip_prefix("kms:EncryptionContext:")).map(str::to_owned).collect()
}

/// Returns a policy without what it leaves to the IAM of an account.
pub(super) fn without_delegation(policy: &PolicyDocument, account: &str) -> PolicyDocument {
    let mut stripped = policy.clone();
    let root = format!(":iam::{account}:root");
    let delegates =
        |entry: &PrincipalEntry| matches!(entry, PrincipalEntry::Aws(text) if text == account || text.ends_with(&root));
    for statement in stripped.statements.iter_mut().filter(|statement| statement.effect == Effect::Allow) {
        if let Some(Principals::Is(entries)) = &mut statement.principals {
            entries.retain(|entry| !delegates(entry));
        }
    }
    stripped
        .statements
        .retain(|statement| !matches!(&statement.principals, Some(Principals::Is(entries)) if entries.is_empty()));
    stripped
}
