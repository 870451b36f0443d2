//! Questions about access: of a manifest, of live keys, of worked cases.

use crate::harness::{Place, Run, repository};
use crate::live::{ACCOUNT, SMALL, Serving, applied, rewrite_policy};
use keywright::ids::AccountId;
use keywright::sandbox::{StateLocation, credentials};
use serde_json::Value;
use std::fmt::Write as _;

/// Returns a place with [`SMALL`] as `keywright.toml`, not applied.
fn written() -> Place {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    place
}

/// Asks several questions and returns all that was said.
fn asked(place: &Place, questions: &[&str]) -> String {
    let mut all = String::new();
    for question in questions {
        write!(all, "$ keywright access {question}\n{}\n", place.line(&format!("access {question}"))).unwrap();
    }
    all
}

#[test]
fn answers_name_the_statement_and_its_line() {
    let questions = [
        "can app decrypt orders",
        "can admin administer orders",
        "can deployer administer notes",
        "can admin decrypt orders",
        "can reports encrypt orders",
        "can arn:aws:sts::111122223333:assumed-role/app/one kms:Encrypt notes --via none",
        "can account:111122223333 decrypt orders",
    ];
    insta::assert_snapshot!("answers", asked(&written(), &questions));
}

#[test]
fn the_example_is_asked_under_conditions() {
    let place = Place::new();
    place.copy("examples/data-classes", "stack");
    let questions = [
        "can payments-reporting decrypt restricted-records -f stack",
        "can payments-reporting decrypt restricted-records -f stack --context tenant=other-1",
        "can website encrypt public-objects -f stack",
        "can website encrypt public-objects -f stack --via s3",
        "can keywright-deployer decrypt public-objects -f stack",
        "who-can decrypt restricted-records -f stack",
        "who-can administer internal-files -f stack",
        "matrix --key public-objects,confidential-tables,restricted-records -f stack",
    ];
    insta::assert_snapshot!("the_example", asked(&place, &questions));
}

#[test]
fn wrong_questions_are_refused_with_the_next_step() {
    let place = written();
    let before = place.files();
    for (question, words) in [
        ("can ap decrypt orders", "there is no principal `ap`; did you mean `app`?"),
        ("can app decript orders", "there is no action `decript`; did you mean `decrypt`?"),
        ("can app decrypt order", "there is no key `order`; did you mean `orders`?"),
        ("can app sign orders", "SYMMETRIC_DEFAULT"),
        ("can org:o-1 decrypt orders", "an organization is nobody in particular"),
        ("can account:1 decrypt orders", "twelve digits"),
        ("can arn:aws:s3:::b decrypt orders", "principal ARN"),
        ("can 111122223333 decrypt orders", "write account:111122223333"),
        ("can app decrypt orders --context x", "--context x: write KEY=VALUE"),
        ("can app decrypt orders --via s33", "did you mean `s3`?"),
        ("can app decrypt orders --target prod2", "no target `prod2`; did you mean `prod`?"),
        ("can app decrypt orders --sandbox", "give --live too"),
        ("can app decrypt alias/elsewhere", "takes --live"),
        ("who-can", "required arguments"),
        ("matrix --key ordrs", "no key `ordrs`; did you mean `orders`?"),
    ] {
        let run = place.line(&format!("access {question}")).ends(2).talks_of(words);
        assert_eq!(run.stdout, "", "{run}");
    }
    place.line("access can app decrypt orders -f missing.toml").ends(3).talks_of("missing.toml");
    assert_eq!(place.files(), before);
}

#[test]
fn a_key_of_two_targets_needs_its_target() {
    let place = written();
    place.replace(
        "keywright.toml",
        "[verify]",
        "[target.dev]\naccount = \"444455556666\"\nregion = \"eu-west-1\"\ndeployers = [\"deployer\"]\n\n[verify]",
    );
    place.replace(
        "keywright.toml",
        "arn = \"arn:aws:iam::111122223333:role/deployer\"",
        "arn = \"arn:aws:iam::${account}:role/deployer\"",
    );
    place.replace(
        "keywright.toml",
        "arn = \"arn:aws:iam::111122223333:role/verifier\"",
        "arn = \"arn:aws:iam::${account}:role/verifier\"",
    );
    place.line("access can app decrypt orders").ends(2).talks_of("targets dev and prod; name one with --target");
    for target in ["dev", "prod"] {
        place.line(&format!("access can app decrypt orders --target {target}")).ends(0).answers("Yes.");
    }
}

#[test]
fn the_fixed_cases_agree() {
    let place = Place::new();
    place.write("cases.json", std::fs::read(repository("tests/data/access/cases.json")).unwrap());
    let text = place.line("access simulate cases.json --check").ends(0);
    let text = text.answers("Simulate: 137 agree, 0 differ, 13 contested and not scored");
    assert_eq!(text.stdout.lines().filter(|line| line.starts_with("✓ ")).count(), 137, "{text}");
    let json = place.line("access simulate cases.json --format json").ends(0);
    let lines: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 150);
    assert!(lines.iter().all(|line| !line["trace"].as_array().unwrap().is_empty()));
    assert_eq!(lines.iter().filter(|line| line["decision"] == "undetermined").count(), 13);
}

/// One of the fixed cases, alone and without the context that follows from the rest of it.
fn alone() -> Value {
    let text = std::fs::read_to_string(repository("tests/data/access/cases.json")).unwrap();
    let mut case = serde_json::from_str::<Value>(&text).unwrap()["cases"][0].take();
    case.as_object_mut().unwrap().remove("resolved_context");
    case
}

#[test]
fn a_case_that_differs_is_explained_and_fails_the_check() {
    let place = Place::new();
    let mut case = alone();
    case["expected"]["decision"] = "explicit_deny".into();
    case["resolved_context"] = serde_json::json!({ "aws:username": "somebody" });
    place.write("case.json", case.to_string());
    place.line("access simulate case.json").ends(0);
    let run = place.line("access simulate case.json --check").ends(8);
    insta::assert_snapshot!("a_case_that_differs", run);
}

#[test]
fn cases_come_from_standard_input_too() {
    let place = Place::new();
    let mut command = place.command(&["access", "simulate", "-"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut case = alone();
    case.as_object_mut().unwrap().remove("expected");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), case.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && answer.contains("1 without an expected decision"), "{answer}");
}

#[test]
fn what_is_no_file_of_cases_is_refused() {
    let place = Place::new();
    place.line("access simulate missing.json").ends(1).talks_of("missing.json: ");
    place.write("x.json", "{\"schema_version\":1,\"cases\":[{\"id\":\"\u{1b}[2J\"}]}");
    let run = place.line("access simulate x.json").ends(1).talks_of("docs/asking.md");
    assert!(!run.stderr.contains('\u{1b}'), "{run}");
    place.write("x.json", [0xff, 0xfe]);
    place.line("access simulate x.json").ends(1).talks_of("x.json: ");
}

/// Returns the verdicts of a question, by principal and action.
fn verdicts(run: &Run) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for answer in run.json()["answers"].as_array().unwrap() {
        for action in answer["actions"].as_array().unwrap() {
            found.push((text(&answer["principal"]["name"]), text(&action["action"]), text(&action["verdict"])));
        }
    }
    found.sort();
    found
}

#[test]
fn live_keys_answer_as_the_manifest_that_was_applied() {
    let place = applied();
    for question in ["can app decrypt orders", "can reports encrypt orders", "can admin administer orders"] {
        let asked = format!("access {question} --format json");
        let declared = place.line(&asked).ends(0);
        let live = place.line(&format!("{asked} --live --sandbox")).ends(0);
        assert_eq!(verdicts(&declared), verdicts(&live), "{question}");
        assert_eq!((&declared.json()["source"], &live.json()["source"]), (&"manifest".into(), &"live".into()));
        assert_eq!(declared.json()["answers"][0]["key"]["arn"], Value::Null);
        let source = |run: &Run| run.json()["answers"][0]["actions"][0]["ways"].clone();
        assert_eq!(source(&declared), source(&live), "the same statements, and the same lines");
    }
    let everybody = |line: &str| {
        let run = place.line(line).ends(0);
        let json = run.json();
        let rows = json["rows"].as_array().unwrap().iter();
        let row = |row: &Value| {
            format!("{} {} {} {}", row["key"]["name"], row["principal"]["name"], row["actions"], row["conditions"])
        };
        rows.map(row).collect::<Vec<_>>()
    };
    assert_eq!(everybody("access matrix --format json"), everybody("access matrix --format json --live --sandbox"));
}

#[test]
fn live_keys_are_found_by_every_name() {
    let place = applied();
    let run = place.line("access can app decrypt orders --live --sandbox --format json").ends(0);
    let arn = run.json()["answers"][0]["key"]["arn"].as_str().unwrap().to_owned();
    let id = arn.rsplit('/').next().unwrap();
    for name in [arn.as_str(), id, "alias/shop/orders", "alias/keywright/shop/orders"] {
        place.line(&format!("access can app decrypt {name} --live --sandbox")).ends(0).answers("Yes.");
    }
    place.line("access can app decrypt alias/shop/order --live --sandbox").ends(1).talks_of("did you mean");
    place.line("access can ap decrypt orders --live --sandbox").ends(2).talks_of("did you mean `app`?");
    let elsewhere = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}");
    place.line(&format!("access can app decrypt {elsewhere} --live --sandbox")).ends(2).talks_of("us-east-1");
}

#[test]
fn a_key_that_does_not_exist_yet_has_no_live_answer() {
    let place = written();
    let run = place.line("access who-can decrypt orders --live --sandbox").ends(1);
    let run = run.talks_of("key `orders` does not exist yet; `keywright apply` makes it");
    assert_eq!(run.stdout, "");
}

/// Returns a question with which the self-test's principal, who may read keys and no identities, is asked.
fn as_reader(place: Place, question: &str) -> (Place, String) {
    place.replace(
        "keywright.toml",
        "deployers = [\"deployer\"]",
        "deployers = [\"deployer\"]\nassume_role = \"arn:aws:iam::111122223333:role/verifier\"",
    );
    let (access_key, secret) = credentials(&ACCOUNT.parse::<AccountId>().unwrap());
    let place = place.with("AWS_ACCESS_KEY_ID", &access_key).with("AWS_SECRET_ACCESS_KEY", secret.expose_secret());
    (place, format!("access {question} --live"))
}

#[test]
fn identities_that_may_not_be_read_are_a_gap_and_not_nothing() {
    let place = applied();
    // The account's IAM is let in: what hangs on identity policies is open then.
    rewrite_policy(&place, "orders", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(serde_json::json!({
            "Sid": "Iam", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
            "Action": "kms:Encrypt", "Resource": "*"
        }));
    });
    let folder = StateLocation::Folder(place.path(".keywright/sandbox"));
    let (place, question) = as_reader(place, "can reports encrypt orders");
    let serving = Serving::start(folder);
    let run = place.line(&format!("{question} --endpoint-url {}", serving.endpoint())).ends(0);
    let run = run.answers("It depends:").answers("`Iam` of the key policy").answers("the caller's were not");
    assert!(run.stdout.contains("iam:GetAccountAuthorizationDetails"), "{run}");
    let sure = place.line(&format!("access can app encrypt orders --live --endpoint-url {}", serving.endpoint()));
    sure.ends(0).answers("Yes.");
}

#[test]
fn a_key_whose_policy_may_not_be_read_has_no_answer() {
    let place = applied();
    rewrite_policy(&place, "orders", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(serde_json::json!({
            "Sid": "Hidden", "Effect": "Deny", "Principal": { "AWS": "arn:aws:iam::111122223333:role/verifier" },
            "Action": "kms:GetKeyPolicy", "Resource": "*"
        }));
    });
    let folder = StateLocation::Folder(place.path(".keywright/sandbox"));
    let (place, question) = as_reader(place, "can app decrypt orders");
    let serving = Serving::start(folder);
    let run = place.line(&format!("{question} --endpoint-url {}", serving.endpoint())).ends(1);
    let run = run.talks_of("the key policy of key").talks_of("kms:GetKeyPolicy");
    assert_eq!(run.stdout, "");
    // The others are answered.
    let run = place.line(&format!("access matrix --live --endpoint-url {}", serving.endpoint())).ends(1);
    assert!(run.stdout.contains("Key notes") && !run.stdout.contains("Key orders"), "{run}");
}

#[test]
fn what_the_manifest_does_not_say_has_no_line_of_it() {
    let place = applied();
    rewrite_policy(&place, "orders", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(serde_json::json!({
            "Sid": "BackDoor", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::444455556666:role/guest" },
            "Action": "kms:Decrypt", "Resource": "*"
        }));
    });
    let run = place.line("access who-can decrypt orders --live --sandbox").ends(0);
    insta::assert_snapshot!("a_back_door", run);
}

const PUBLIC: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"},
    {"Sid": "Vain", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*"}
]}"#;

#[test]
fn lints_of_a_policy_alone_name_the_statement_and_the_control() {
    let place = written();
    place.write("policy.json", PUBLIC);
    let run = place.line("access lint policy.json --fail-on high").ends(5);
    insta::assert_snapshot!("lints_of_a_policy", run);
    place.line("access lint policy.json").ends(0);
    place.write("policy.json", "[]");
    assert_eq!(place.line("access lint policy.json").ends(1).talks_of("is no policy").stdout, "");
    place.line("access lint policy.json --live").ends(2);
}

#[test]
fn lints_of_the_manifest_are_those_of_check() {
    let place = Place::new();
    place.write("keywright.toml", SMALL.replace("[key.orders]", "[key.orders]\nrotation = { off = true }"));
    let lints = |line: &str| -> Value { serde_json::from_str(&place.line(line).ends(0).stdout).unwrap() };
    let own = lints("access lint --format json");
    assert!(own["groups"].as_array().unwrap().iter().any(|group| group["name"] == "orders (target prod)"), "{own}");
    place
        .line("access lint")
        .ends(0)
        .answers("orders (target prod)")
        .answers("(rotation-off)")
        .answers("Security Hub KMS.4");
}

#[test]
fn live_lints_look_at_every_key_and_at_everybody() {
    let place = applied();
    rewrite_policy(&place, "orders", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(serde_json::json!({
            "Sid": "BackDoor", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"
        }));
    });
    let run = place.line("access lint --live --sandbox --fail-on critical").ends(5);
    let run = run.answers("`BackDoor`").answers("public-access").answers("Security Hub KMS.5");
    // The sandbox's own user may do everything by an inline policy.
    run.answers("user/sandbox").answers("Security Hub KMS.2");
}

#[test]
fn live_lints_say_what_they_were_not_allowed_to_see() {
    let place = applied();
    let folder = StateLocation::Folder(place.path(".keywright/sandbox"));
    let (place, _) = as_reader(place, "can app decrypt orders");
    let serving = Serving::start(folder);
    let run = place.line(&format!("access lint --live --endpoint-url {}", serving.endpoint())).ends(1);
    run.talks_of("the identities of account 111122223333 were not looked at").answers("finding");
}
