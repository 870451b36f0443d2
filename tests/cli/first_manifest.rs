//! `init`: a first manifest that works as it stands.

use crate::harness::Place;

const WHERE: &str = "--stack shop --account 111122223333 --region eu-west-1";

#[test]
fn what_init_writes_is_valid_applies_and_is_proved() {
    let place = Place::new();
    let init = place.line(&format!(
        "init {WHERE} --class public=s3 --class internal=ebs,efs --class confidential=rds,s3 \
         --class restricted=dynamodb,client"
    ));
    insta::assert_snapshot!("init", init.ends(0));
    place.line("check").ends(0).answers("is valid: 7 keys");
    place.line("apply --sandbox --yes").ends(0);
    place.line("plan --sandbox --check").ends(0);
    place.line("verify --sandbox --as-roles").ends(0).answers(" 0 failed");
}

#[test]
fn every_service_can_be_asked_for() {
    for service in ["s3", "ebs", "efs", "rds", "dynamodb", "client"] {
        for class in ["public", "internal", "confidential", "restricted", "other"] {
            let place = Place::new();
            place.line(&format!("init {WHERE} --class {class}={service}")).ends(0);
            place.line("check").ends(0);
        }
    }
}

#[test]
fn a_file_that_exists_is_kept_without_force() {
    let place = Place::new();
    place.write("keywright.toml", "mine");
    place.line(&format!("init {WHERE} --class public=s3")).ends(1).talks_of("--force");
    assert_eq!(std::fs::read(place.path("keywright.toml")).unwrap(), b"mine");
    place.line(&format!("init {WHERE} --class public=s3 --force")).ends(0);
    place.line("check").ends(0);
}

#[test]
fn words_that_mean_nothing_are_wrong_use() {
    let place = Place::new();
    let cases = [
        (format!("init {WHERE} --class public=dynamo"), "did you mean `dynamodb`?"),
        (format!("init {WHERE} --class public=s3 --class public=rds"), "given twice"),
        (format!("init {WHERE} --class public"), "NAME=SERVICE"),
        (format!("init {WHERE}"), "--class"),
        ("init --stack Shop --account 1 --region x --class a=s3".to_owned(), "--stack"),
    ];
    for (words, why) in cases {
        let run = place.line(&words).ends(2).talks_of(why);
        assert_eq!(run.stdout, "");
    }
    assert!(place.files().is_empty());
}
