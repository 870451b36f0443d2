//! What the fuzz targets do with their bytes; the tests run the same over a corpus and over random texts.

use keywright::access::{
    self, CaseFile, ContextValue, CreateGrantRequest, GrantConstraints, GrantFacts, Grantee, Guardrails, KeyFacts,
    PrincipalFacts, PrincipalType, Request, Unknown,
};
use keywright::kms::ACTIONS;
use keywright::policy::{self, PolicyDocument};
use std::collections::BTreeMap;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Reads a policy and asks of it everything that is asked of policies.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    drop(policy::key_policy_text_limits(text));
    let Ok(document) = PolicyDocument::parse(text) else { return };
    assert!(document.same_permissions(&document.clone()), "a policy is itself");
    let canonical = document.canonical();
    assert_eq!(canonical, document.canonical(), "the canonical form is a function");
    let (written, compact) = (document.to_text(), document.to_compact());
    for text in [&written, &compact] {
        let again = PolicyDocument::parse(text).unwrap();
        assert_eq!(again.to_text(), written, "to write and read is a fixed point");
        assert!(again.same_permissions(&document), "writing keeps the meaning");
    }
    assert!(canonical.to_document().same_permissions(&document), "the canonical form keeps the meaning");
    assert!(policy::statement_changes(&document, &document).is_empty(), "nothing changed");
    drop(document.key_policy_limits());
    drop(policy::validate_key_policy(text));
    drop(policy::validate_identity_policy(text));
    drop(policy::validate_trust_policy(text));
}

/// Decides what the bytes ask: as a file of cases if they are one, else as a call made of them.
pub fn decide(data: &[u8]) {
    if let Some(file) = std::str::from_utf8(data).ok().and_then(|text| CaseFile::parse(text).ok()) {
        for case in &file.cases {
            judge(&case.request, &case.principal, case.key.as_ref(), &case.guardrails);
        }
        return;
    }
    let mut bytes = Bytes { rest: data };
    let principal = bytes.principal();
    let request = bytes.request();
    let key = bytes.key();
    let guardrails = bytes.guardrails();
    judge(&request, &principal, key.as_ref(), &guardrails);
}

/// Decides a call in every way that there is, and compares the answers.
fn judge(request: &Request, principal: &PrincipalFacts, key: Option<&KeyFacts>, guardrails: &Guardrails) {
    let found = access::evaluate(request, principal, key, guardrails);
    assert_eq!(found.decision, access::decide(request, principal, key, guardrails), "both ways agree");
    assert!(!found.trace.is_empty() && found.trace.iter().all(|entry| !entry.text.is_empty()), "there is a reason");
    drop(access::derive_context(request, principal, key));
    if let Some(key) = key {
        drop(access::can_put_key_policy(key, principal, guardrails));
        drop(access::evaluate_trust(request, principal, &key.policy));
    }
    let mut open = request.clone();
    open.unknown = Unknown::Everything;
    drop(access::decide(&open, principal, key, guardrails));
}

/// Makes values of bytes; when there are none left, the simplest ones.
struct Bytes<'a> {
    rest: &'a [u8],
}

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().map_or((0, self.rest), |(first, rest)| (*first, rest));
        self.rest = rest;
        first
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// Returns the text up to a line feed.
    fn text(&mut self) -> String {
        let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    fn pairs(&mut self) -> BTreeMap<String, String> {
        (0..self.byte() % 3).map(|_| (self.text(), self.text())).collect()
    }

    /// Returns a policy whose text the bytes are, or one statement made of a few of its parts.
    fn policy(&mut self) -> Option<PolicyDocument> {
        let text = self.text();
        PolicyDocument::parse(&text).ok().or_else(|| {
            let list = |text: &str| text.split('\t').map(str::to_owned).collect::<Vec<_>>();
            let statement = serde_json::json!({
                "Effect": if self.flag() { "Deny" } else { "Allow" },
                if self.flag() { "NotPrincipal" } else { "Principal" }: { "AWS": list(&text) },
                if self.flag() { "NotAction" } else { "Action" }: list(&self.text()),
                if self.flag() { "NotResource" } else { "Resource" }: list(&self.text()),
                "Condition": { self.text(): { self.text(): list(&self.text()) } },
            });
            PolicyDocument::from_value(&serde_json::json!({ "Version": "2012-10-17", "Statement": statement })).ok()
        })
    }

    fn principal(&mut self) -> PrincipalFacts {
        let kind = self.of(&[
            PrincipalType::User,
            PrincipalType::Role,
            PrincipalType::RoleSession,
            PrincipalType::Root,
            PrincipalType::FederatedUser,
            PrincipalType::Service,
        ]);
        let account = self.of(&["111122223333", "444455556666"]);
        let mut facts = PrincipalFacts::new(kind, self.text(), account.parse().ok().filter(|_| self.flag()));
        facts.role_arn = self.flag().then(|| self.text());
        facts.user_arn = self.flag().then(|| self.text());
        facts.unique_id = self.flag().then(|| self.text());
        facts.tags = self.pairs();
        facts.identity_policies = self.policy().into_iter().collect();
        facts.permissions_boundary = if self.flag() { self.policy() } else { None };
        facts.session_policy = if self.flag() { self.policy() } else { None };
        (facts.service_linked_role, facts.management_account) = (self.flag(), self.flag());
        facts
    }

    fn constraints(&mut self) -> GrantConstraints {
        GrantConstraints {
            encryption_context_equals: self.flag().then(|| self.pairs()),
            encryption_context_subset: self.flag().then(|| self.pairs()),
            source_arn: self.flag().then(|| self.text()),
        }
    }

    fn request(&mut self) -> Request {
        let known = ACTIONS[usize::from(self.byte()) % ACTIONS.len()].full;
        let action = if self.flag() { self.text() } else { known.to_owned() };
        let resource = if self.flag() { self.text() } else { KEY.to_owned() };
        let mut request = Request::new(action, resource, "eu-west-1".parse().unwrap());
        request.encryption_context = self.pairs();
        request.via_service = self.flag().then(|| self.text());
        request.request_alias = self.flag().then(|| self.text());
        for _ in 0..self.byte() % 3 {
            let (name, text) = (self.text(), self.text());
            let value = match self.byte() % 3 {
                0 => None,
                1 => Some(ContextValue::One(text)),
                _ => Some(ContextValue::Many(text.split('\t').map(str::to_owned).collect())),
            };
            request.context.insert(name, value);
        }
        if self.flag() {
            request.grant = Some(CreateGrantRequest {
                operations: self.text().split('\t').map(str::to_owned).collect(),
                grantee_principal: self.flag().then(|| self.text()),
                constraints: Some(self.constraints()),
                ..CreateGrantRequest::default()
            });
        }
        request
    }

    fn key(&mut self) -> Option<KeyFacts> {
        let policy = self.policy()?;
        let account = "111122223333".parse().unwrap();
        let mut facts = KeyFacts::new(KEY, account, "eu-west-1".parse().unwrap(), policy);
        facts.aliases = (0..self.byte() % 3).map(|_| self.text()).collect();
        facts.tags = self.pairs();
        for _ in 0..self.byte() % 3 {
            let grantee = self.text();
            facts.grants.push(GrantFacts {
                grant_id: "g".to_owned(),
                issuing_account: self.of(&["111122223333", "444455556666"]).to_owned(),
                operations: self.text().split('\t').map(str::to_owned).collect(),
                grantee: if self.flag() { Grantee::Service(grantee) } else { Grantee::Principal(grantee) },
                retiring: self.flag().then(|| Grantee::Principal(self.text())),
                constraints: self.constraints(),
            });
        }
        Some(facts)
    }

    fn guardrails(&mut self) -> Guardrails {
        let mut levels = |count: u8| (0..count % 3).map(|_| self.policy().into_iter().collect()).collect();
        Guardrails { scps: levels(1), rcps: levels(1) }
    }
}
