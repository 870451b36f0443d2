//! What lints say of the keys that a manifest declares: of the policies that they get, and of their settings.

use crate::desired::{DesiredKey, DesiredState, KeyLifecycle, Rotation};
use crate::diag::{Code, Diagnostic};
use crate::ids::{KeyName, TargetName};
use crate::kms::KeyState;
use crate::lint::{LintFinding, LintKey, LintSeverity, lint_key};
use crate::live::LiveRotation;
use crate::source::Loc;
use crate::text::and_list;
use crate::world;

/// What was found about one declared key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLints {
    /// The target that it is in.
    pub target: TargetName,
    /// Its name.
    pub key: KeyName,
    /// Where it is declared.
    pub loc: Loc,
    /// What was found, the gravest first; never empty.
    pub findings: Vec<LintFinding>,
}

/// Returns what lints say of each declared key, in order of target and key.
pub fn key_lints(state: &DesiredState) -> Vec<KeyLints> {
    let keys = state.targets.iter().flat_map(|target| target.keys.iter().map(move |key| (target, key)));
    let lints = keys.map(|(target, key)| KeyLints {
        target: target.name.clone(),
        key: key.name.clone(),
        loc: key.loc,
        findings: beyond_declaration(lint_key(declared_key(&world::key_under(state, target, key), key)), |_| true),
    });
    lints.filter(|lints| !lints.findings.is_empty()).collect()
}

/// Returns a key as its declaration wants it, with facts that are made of that.
pub fn declared_key<'a>(facts: &'a crate::access::KeyFacts, key: &DesiredKey) -> LintKey<'a> {
    LintKey {
        state: Some(match key.lifecycle {
            KeyLifecycle::Enabled => KeyState::Enabled,
            KeyLifecycle::Disabled | KeyLifecycle::Retired => KeyState::Disabled,
        }),
        rotation: Some(match key.rotation() {
            Rotation::Off => LiveRotation::Off,
            Rotation::Every(period) => LiveRotation::On { days: Some(period.days()) },
        }),
        ..LintKey::new(facts)
    }
}

/// Returns findings about what a manifest declares: whom it names it means, and what is too long is said elsewhere.
pub fn beyond_declaration(findings: Vec<LintFinding>, keep: impl Fn(&LintFinding) -> bool) -> Vec<LintFinding> {
    let meant = |finding: LintFinding| {
        let severity = if finding.code == Code::CrossAccountAccess { LintSeverity::Info } else { finding.severity };
        LintFinding { severity, ..finding }
    };
    let said = |finding: &LintFinding| matches!(finding.code, Code::PolicyTooLarge | Code::PolicyNearLimit);
    let mut kept: Vec<LintFinding> =
        findings.into_iter().filter(|finding| !said(finding) && keep(finding)).map(meant).collect();
    kept.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    kept
}

impl KeyLints {
    /// Returns the findings that are more than information, as warnings at the place of the declaration.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let grave = self.findings.iter().filter(|finding| finding.severity > LintSeverity::Info);
        let warning = |finding: &LintFinding| {
            let message = format!("key `{}`, {}: {}", self.key, finding.place, finding.message);
            Diagnostic::warning(finding.code, message).label(self.loc, "this key").help(help(finding))
        };
        grave.map(warning).collect()
    }
}

/// Returns what to do, and which controls ask for it.
fn help(finding: &LintFinding) -> String {
    if finding.controls.is_empty() {
        return finding.remedy.clone();
    }
    format!("{} (asked for by {})", finding.remedy, and_list(&finding.controls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{KeyKind, KeyMaterial, KeyStore, Principal, Topology};
    use crate::kms::{Capability, KeySpec, KeyUsage};
    use crate::synth::sample::{direct, key, role, state, target, user};
    use std::collections::BTreeMap;

    fn lints(key: DesiredKey) -> Vec<KeyLints> {
        key_lints(&state(vec![target("prod", "eu-west-1", vec![key])], Vec::new()))
    }

    #[test]
    fn a_key_that_is_not_rotated_is_warned_about_at_its_place() {
        let lints = lints(key("ledger"));
        let [only] = lints.as_slice() else { panic!("{lints:#?}") };
        let codes: Vec<&str> = only.findings.iter().map(|finding| finding.code.name()).collect();
        assert_eq!(codes, ["rotation-off", "iam-delegated"]);
        let warnings = only.warnings();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].message, "key `ledger`, the key: it is not rotated automatically");
        assert!(warnings[0].help.as_ref().unwrap().contains("Security Hub KMS.4"));
        assert_eq!(warnings[0].labels[0].loc, only.loc);
    }

    /// Keys that cannot rotate, and replicas, which their primary rotates, are not blamed for it; no policy of any kind
    /// has statements that are vain.
    #[test]
    fn keys_of_other_kinds_are_not_blamed_for_what_they_cannot_do() {
        let kind = |spec, usage| KeyKind::new(spec, usage).unwrap();
        let signing = kind(KeySpec::EccNistP256, KeyUsage::SignVerify);
        let store = KeyStore::CloudHsm { id: "cks-1234567890abcdef0".parse().unwrap() };
        let (primary, region) = ("prod".parse().unwrap(), "us-east-1".parse().unwrap());
        let replica = Topology::Replica { primary, region };
        let symmetric = KeyMaterial::Symmetric { rotation: Rotation::Off, newer_than: None };
        for (material, topology) in [
            (KeyMaterial::Generated(signing), Topology::Primary { replicas: BTreeMap::new() }),
            (KeyMaterial::Generated(kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt)), Topology::Single),
            (KeyMaterial::Imported { kind: KeyKind::SYMMETRIC, import: None }, Topology::Single),
            (
                KeyMaterial::Imported { kind: kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac), import: None },
                Topology::Single,
            ),
            (KeyMaterial::Stored(store), Topology::Single),
            (symmetric, replica),
        ] {
            let family = ["eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap()];
            let mut declared = DesiredKey { material, topology, ..key("ledger") };
            if declared.topology != Topology::Single {
                declared.family = family.into();
            }
            declared.users = vec![user(role("api"), &Capability::defaults_for(declared.shape()), direct(&[]))];
            let shape = declared.shape();
            let lints = lints(declared);
            let codes: Vec<Code> = lints[0].findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, [Code::IamDelegated], "{shape:?}");
        }
    }

    #[test]
    fn accounts_that_the_manifest_names_are_information() {
        let users = vec![user(
            Principal::Account("444455556666".parse().unwrap()),
            &[Capability::Decrypt, Capability::Describe],
            direct(&[]),
        )];
        let lints = lints(DesiredKey { users, ..key("ledger") });
        let found = lints[0].findings.iter().filter(|finding| finding.code == Code::CrossAccountAccess);
        let severities: Vec<LintSeverity> = found.map(|finding| finding.severity).collect();
        assert!(!severities.is_empty() && severities.iter().all(|severity| *severity == LintSeverity::Info));
    }
}
