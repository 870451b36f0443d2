//! A pipeline that no manifest names: the account's IAM lets it deploy, or it does not.

use crate::harness::Place;
use crate::live::{SMALL, Serving};
use keywright::sandbox::StateLocation;

const PIPELINE: &str = "arn:aws:iam::111122223333:role/pipeline";

/// [`SMALL`] applied by a role that it does not name, on keys that leave it to IAM.
fn by_pipeline() -> Place {
    let manifest = SMALL
        .replace("deployers = [\"deployer\"]\n", &format!("deployers = [\"deployer\"]\nassume_role = \"{PIPELINE}\"\n"))
        .replace("iam_delegation = \"root-user\"", "iam_delegation = \"account\"");
    assert_ne!(manifest, SMALL);
    let place = Place::new();
    place.write("keywright.toml", manifest);
    place
}

/// Gives the pipeline's role one more identity policy.
fn attach(place: &Place, policy: &str) {
    Serving::start(StateLocation::Folder(place.path(".keywright/sandbox"))).as_user(async |config| {
        let iam = aws_sdk_iam::Client::new(config);
        iam.put_role_policy().role_name("pipeline").policy_name("more").policy_document(policy).send().await.unwrap();
    });
}

#[test]
fn a_pipeline_whom_iam_lets_deploys_and_is_told_so() {
    let place = by_pipeline();
    let first = place.line("apply --sandbox --yes").ends(0);
    assert!(first.stdout.contains("which lets it change their policies"), "{first}");
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn a_pipeline_whom_iam_does_not_let_writes_nothing() {
    let place = by_pipeline();
    place.line("plan --sandbox").ends(0);
    attach(
        &place,
        r#"{"Version": "2012-10-17", "Statement": [
            {"Sid": "Freeze", "Effect": "Deny", "Action": "kms:PutKeyPolicy", "Resource": "*"}]}"#,
    );
    let refused = place.line("apply --sandbox --yes").ends(5);
    insta::assert_snapshot!("a_pipeline_that_iam_stops", refused);
    assert!(refused.stderr.contains("Blocked: nothing was written."), "{refused}");
    // Who is named needs no policy of its own.
    place.replace(
        "keywright.toml",
        "deployers = [\"deployer\"]",
        &format!("deployers = [\"deployer\", \"{PIPELINE}\"]"),
    );
    place.line("plan --sandbox").ends(0);
}
