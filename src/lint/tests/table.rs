//! The cases of `tests/data/lint`: a file for each code, found by folder, with what is found and what is exempt.

use crate::access::{GrantConstraints, GrantFacts, Grantee, KeyFacts};
use crate::lint::{
    IdentityPolicy, IdentityPolicyKind, KnownPlace, LintFinding, LintIdentity, LintKey, RULES, lint_identity, lint_key,
};
use crate::live::LiveRotation;
use crate::policy::PolicyDocument;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    finds: bool,
    severity: Option<String>,
    controls: Option<Vec<String>>,
    remedy: Option<String>,
    #[serde(default = "current")]
    version: String,
    #[serde(default)]
    statements: Vec<Value>,
    #[serde(default)]
    key: KeyCase,
    identity: Option<IdentityCase>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct KeyCase {
    place: Option<String>,
    state: Option<String>,
    rotation: Option<String>,
    spec: Option<String>,
    usage: Option<String>,
    origin: Option<String>,
    #[serde(default)]
    multi_region: bool,
    multi_region_key_type: Option<String>,
    #[serde(default)]
    aws_managed: bool,
    alias_count: Option<usize>,
    grant_count: Option<usize>,
    #[serde(default)]
    grants: Vec<GrantCase>,
    ram: Option<Vec<Value>>,
    policy_bytes: Option<usize>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct GrantCase {
    grant_id: String,
    issuing_account: String,
    operations: Vec<String>,
    grantee_principal: Option<String>,
    grantee_service_principal: Option<String>,
    #[serde(default)]
    constraints: ConstraintsCase,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
struct ConstraintsCase {
    encryption_context_equals: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityCase {
    arn: String,
    policies: Vec<PolicyCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyCase {
    name: String,
    kind: String,
    statements: Vec<Value>,
}

fn current() -> String {
    "2012-10-17".to_owned()
}

fn document(version: &str, statements: &[Value]) -> PolicyDocument {
    PolicyDocument::from_value(&json!({ "Version": version, "Statement": statements })).unwrap()
}

impl Case {
    fn lint(&self) -> Vec<LintFinding> {
        match &self.identity {
            Some(identity) => identity.lint(),
            None => self.key.lint(document(&self.version, &self.statements)),
        }
    }
}

impl IdentityCase {
    fn lint(&self) -> Vec<LintFinding> {
        let documents: Vec<PolicyDocument> =
            self.policies.iter().map(|policy| document(&current(), &policy.statements)).collect();
        let kind = |policy: &PolicyCase| match policy.kind.as_str() {
            "inline" => IdentityPolicyKind::Inline,
            "customer-managed" => IdentityPolicyKind::CustomerManaged,
            "aws-managed" => IdentityPolicyKind::AwsManaged,
            other => panic!("{other}"),
        };
        let policies = self.policies.iter().zip(&documents);
        let policies =
            policies.map(|(policy, document)| IdentityPolicy { name: &policy.name, kind: kind(policy), document });
        lint_identity(&LintIdentity { arn: &self.arn, policies: policies.collect() })
    }
}

impl KeyCase {
    fn lint(&self, policy: PolicyDocument) -> Vec<LintFinding> {
        const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let mut facts = KeyFacts::new(KEY, "111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), policy);
        facts.key_spec = self.spec.clone().unwrap_or(facts.key_spec);
        facts.key_usage = self.usage.clone().unwrap_or(facts.key_usage);
        facts.key_origin = self.origin.clone().unwrap_or(facts.key_origin);
        (facts.multi_region, facts.aws_managed) = (self.multi_region, self.aws_managed);
        facts.multi_region_key_type.clone_from(&self.multi_region_key_type);
        facts.aliases = (0..self.alias_count.unwrap_or(1)).map(|number| format!("alias/a{number}")).collect();
        facts.grants = self.grants.iter().map(GrantCase::facts).collect();
        facts.grants.extend((0..self.grant_count.unwrap_or(0)).map(service_grant));
        facts.ram_policy = self.ram.as_ref().map(|statements| document(&current(), statements));
        lint_key(LintKey {
            facts: &facts,
            place: match self.place.as_deref() {
                None => KnownPlace::Arn,
                Some("account") => KnownPlace::Account,
                Some("nothing") => KnownPlace::Nothing,
                Some(other) => panic!("{other}"),
            },
            state: self.state.as_ref().map(|state| state.parse().unwrap()),
            rotation: self.rotation.as_deref().map(|rotation| match rotation {
                "off" => LiveRotation::Off,
                "on" => LiveRotation::On { days: Some(365) },
                other => panic!("{other}"),
            }),
            policy_bytes: self.policy_bytes,
        })
    }
}

impl GrantCase {
    fn facts(&self) -> GrantFacts {
        let service = self.grantee_service_principal.clone().map(Grantee::Service);
        GrantFacts {
            grant_id: self.grant_id.clone(),
            issuing_account: self.issuing_account.clone(),
            operations: self.operations.clone(),
            grantee: self.grantee_principal.clone().map(Grantee::Principal).or(service).unwrap(),
            retiring: None,
            constraints: GrantConstraints {
                encryption_context_equals: self.constraints.encryption_context_equals.clone(),
                ..GrantConstraints::default()
            },
        }
    }
}

fn service_grant(number: usize) -> GrantFacts {
    GrantFacts {
        grant_id: format!("s{number}"),
        issuing_account: "111122223333".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        grantee: Grantee::Service("rds.amazonaws.com".to_owned()),
        retiring: None,
        constraints: GrantConstraints::default(),
    }
}

/// Returns the cases by code.
fn cases() -> BTreeMap<String, Vec<Case>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/lint");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let cases = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), cases)
    };
    files.map(read).collect()
}

#[test]
fn every_case_is_judged_as_it_says() {
    let mut wrong = Vec::new();
    for (code, cases) in cases() {
        for case in cases {
            let findings = case.lint();
            let found: Vec<&LintFinding> = findings.iter().filter(|finding| finding.code.name() == code).collect();
            let severity = |wanted: &String| found.iter().any(|one| one.severity.to_string() == *wanted);
            let controls = |wanted: &Vec<String>| found.iter().any(|one| one.controls == *wanted);
            let remedy = |wanted: &String| found.iter().any(|one| one.remedy.contains(wanted.as_str()));
            let right = found.is_empty() != case.finds
                && case.severity.as_ref().is_none_or(severity)
                && case.controls.as_ref().is_none_or(controls)
                && case.remedy.as_ref().is_none_or(remedy);
            if !right {
                wrong.push(format!("{code}: {}: {found:#?}", case.title));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_what_it_finds_and_what_it_leaves_alone() {
    let cases = cases();
    let codes: BTreeSet<&str> = RULES.iter().map(|rule| rule.code.name()).collect();
    assert_eq!(cases.keys().map(String::as_str).collect::<BTreeSet<_>>(), codes);
    for (code, cases) in &cases {
        assert!(cases.iter().any(|case| case.finds), "{code} finds nothing");
        assert!(cases.iter().any(|case| !case.finds), "{code} exempts nothing");
    }
}

#[test]
fn no_finding_is_graver_than_its_rule_and_each_names_what_to_do() {
    for finding in cases().into_values().flatten().flat_map(|case| case.lint()) {
        let rule = RULES.iter().find(|rule| rule.code == finding.code).unwrap();
        let graver = ["inert-statement", "wrong-resource"].contains(&rule.code.name());
        assert!(graver || finding.severity <= rule.severity, "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
    }
}

#[test]
fn findings_come_in_one_order() {
    for case in cases().into_values().flatten() {
        let findings = case.lint();
        assert_eq!(findings, case.lint(), "{}", case.title);
        assert!(findings.windows(2).all(|pair| pair[0].severity >= pair[1].severity), "{}", case.title);
    }
}
