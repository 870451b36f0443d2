//! How many calls a plan costs.

use crate::harness::Place;
use crate::live::{ACCOUNT, DEPLOYER, Serving};
use keywright::ids::AccountId;
use keywright::sandbox::{SeedKind, credentials};
use std::fmt::Write as _;

const KEYS: u64 = 200;

fn manifest() -> String {
    let mut text = format!(
        "version = 1\nstack = 'many'\nid = '0b5c1f1e-6a43-4a5e-9d0f-2f6b8f1a7c55'\n\
         [target.prod]\naccount = '{ACCOUNT}'\nregion = 'eu-west-1'\ndeployers = ['deployer']\nassume_role = '{DEPLOYER}'\n\
         [role.deployer]\nkind = 'deployer'\narn = '{DEPLOYER}'\n\
         [role.admin]\nkind = 'key-admin'\narn = 'arn:aws:iam::{ACCOUNT}:role/admin'\n\
         [role.app]\nkind = 'key-user'\narn = 'arn:aws:iam::{ACCOUNT}:role/app'\n"
    );
    for key in 0..KEYS {
        write!(
            text,
            "[key.k{key:03}]\niam_delegation = 'root-user'\nadmins = ['admin']\n[[key.k{key:03}.user]]\nprincipal = 'app'\n"
        )
        .unwrap();
    }
    text
}

#[test]
fn a_plan_of_two_hundred_keys_makes_at_most_five_calls_a_key() {
    let serving = Serving::with_roles(&[
        (DEPLOYER, SeedKind::Deployer),
        ("arn:aws:iam::111122223333:role/admin", SeedKind::Trusted),
        ("arn:aws:iam::111122223333:role/app", SeedKind::Trusted),
    ]);
    let account: AccountId = ACCOUNT.parse().unwrap();
    let (access_key, secret) = credentials(&account);
    let place =
        Place::new().with("AWS_ACCESS_KEY_ID", &access_key).with("AWS_SECRET_ACCESS_KEY", secret.expose_secret());
    place.write("keywright.toml", manifest());
    let at = format!("--endpoint-url {}", serving.endpoint());
    place.line(&format!("apply --quiet --yes --parallel 16 {at}")).ends(0);

    let before = serving.calls();
    let plan = place.line(&format!("plan --check --verbose {at}")).ends(0).answers("200 keys as declared");
    let calls: Vec<(String, u64)> = serving
        .calls()
        .into_iter()
        .map(|(call, count)| (call.clone(), count - before.get(&call).unwrap_or(&0)))
        .collect();
    let paged = ["kms:ListAliases", "kms:ListKeys", "tagging:GetResources"];
    let per_key: u64 = calls.iter().filter(|(call, _)| !paged.contains(&call.as_str())).map(|(_, count)| count).sum();
    assert!(per_key <= 5 * KEYS, "{per_key} calls: {calls:?}");
    let lists: u64 = calls.iter().filter(|(call, _)| paged.contains(&call.as_str())).map(|(_, count)| count).sum();
    assert!(lists <= 20, "{lists} pages: {calls:?}");
    // What keywright says of itself is what the server counted.
    for (call, count) in calls.iter().filter(|(_, count)| *count > 0) {
        assert!(
            plan.stderr.contains(&format!("{} {count}", call.replace("tagging:", "tag:"))),
            "{call} {count}: {}",
            plan.stderr
        );
    }
}
