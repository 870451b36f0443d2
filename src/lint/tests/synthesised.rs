//! What synthesis writes has none of what lints look for: no escalation, nothing public, nothing vain.

use crate::access::KeyFacts;
use crate::desired::{DataKeyUse, Delegation, DesiredKey, KeyAdmin, Principal, Separation};
use crate::diag::Code;
use crate::kms::Capability;
use crate::lint::{LintFinding, LintKey, LintSeverity, lint_key};
use crate::services::Service;
use crate::synth;
use crate::synth::sample::{direct, foreign, key, role, sso, target, user, via};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Returns what is found in the policy that a key gets.
fn found(key: DesiredKey) -> Vec<LintFinding> {
    let target = target("prod", "eu-west-1", vec![key]);
    let policy = synth::key_policy(&target, &target.keys[0]);
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let facts = KeyFacts::new(arn, target.account.clone(), target.region.clone(), policy);
    lint_key(LintKey::new(&facts))
}

fn principal() -> impl Strategy<Value = Principal> {
    select(vec![
        role("api"),
        role("reporting"),
        sso("DataEngineer"),
        foreign("arn:aws:iam::444455556666:role/partner"),
        foreign("arn:aws:iam::111122223333:user/alice"),
        Principal::Account("444455556666".parse().unwrap()),
        Principal::Organization("o-abcdefghij".to_owned()),
        Principal::Service("logs".to_owned()),
        Principal::Service("cloudtrail".to_owned()),
    ])
}

fn access() -> impl Strategy<Value = DataKeyUse> {
    let services = subsequence(Service::ALL.to_vec(), 1..4).prop_map(|services| via(&services));
    let contexts =
        select(vec![direct(&[]), direct(&[("tenant", &["acme-*", "umbrella"])]), direct(&[("app", &["x"])])]);
    prop_oneof![services, contexts]
}

fn desired() -> impl Strategy<Value = DesiredKey> {
    let can = subsequence(
        vec![
            Capability::Encrypt,
            Capability::Decrypt,
            Capability::Reencrypt,
            Capability::GenerateDataKey,
            Capability::Describe,
        ],
        1..5,
    );
    let users = prop::collection::vec((principal(), can, access()), 0..5);
    let delegation = select(vec![Delegation::None, Delegation::RootUser, Delegation::Account]);
    let separation = select(vec![Separation::Advised, Separation::Enforced]);
    let admins = subsequence(vec![role("key-admin"), role("security-admin"), sso("KeyAdmin")], 1..4);
    let required = subsequence(vec!["tenant".to_owned(), "app".to_owned()], 0..3);
    let staff = (admins, prop::bool::ANY);
    (users, delegation, separation, required, staff).prop_map(|(users, delegation, separation, required, staff)| {
        let (admins, deletes) = staff;
        DesiredKey {
            users: users.into_iter().map(|(who, can, access)| user(who, &can, access)).collect(),
            admins: admins.into_iter().map(KeyAdmin).collect(),
            deleters: if deletes { vec![role("key-deleter")] } else { Vec::new() },
            services: Service::ALL.iter().copied().collect(),
            required_context: required.into_iter().collect(),
            delegation,
            separation,
            ..key("ledger")
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whole accounts are let in only where the manifest names them, and then said as such.
    #[test]
    fn nothing_is_wrong_with_what_synthesis_writes(key in desired()) {
        for finding in found(key) {
            let declared = finding.code == Code::CrossAccountAccess && finding.message.contains("account 444455556666");
            prop_assert!(finding.severity == LintSeverity::Info || declared, "{finding:#?}");
            let expected = [Code::CrossAccountAccess, Code::IamDelegated, Code::RedundantStatement];
            prop_assert!(expected.contains(&finding.code), "{finding:#?}");
        }
    }
}
