//! Where calls go: endpoints that are wrong, silent or somebody else's, and the sandbox as a server.

use crate::harness::Place;
use crate::live::{ACCOUNT, DEPLOYER, SMALL, Serving, applied};
use keywright::ids::AccountId;
use keywright::sandbox::{SeedKind, StateLocation, credentials};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Returns a place with a manifest, and the sandbox's credentials of an account.
fn place(account: &str) -> Place {
    let account: AccountId = account.parse().unwrap();
    let (access_key, secret) = credentials(&account);
    let place =
        Place::new().with("AWS_ACCESS_KEY_ID", &access_key).with("AWS_SECRET_ACCESS_KEY", secret.expose_secret());
    place.write("keywright.toml", SMALL);
    place
}

#[test]
fn credentials_of_another_account_are_refused_before_any_other_call() {
    let serving = Serving::with_roles(&[(DEPLOYER, SeedKind::Deployer)]);
    let place = place("444455556666");
    let before = serving.calls();
    for command in ["plan", "apply --yes", "verify"] {
        let run = place.line(&format!("{command} --endpoint-url {}", serving.endpoint())).ends(1);
        let run = run.talks_of("444455556666").talks_of(ACCOUNT).talks_of("prod");
        assert_eq!(run.stdout, "");
    }
    let called: Vec<String> = serving.calls().into_keys().filter(|call| !before.contains_key(call)).collect();
    assert_eq!(called, ["sts:GetCallerIdentity"]);
}

#[test]
fn without_credentials_the_run_ends_at_once_and_says_what_to_do() {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    for command in ["plan", "apply --yes", "verify"] {
        let start = Instant::now();
        let run = place.line(command).ends(1).talks_of("no AWS credentials").talks_of("--sandbox");
        assert!(run.stdout.is_empty() && !run.stderr.contains("\\n"), "{run}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
    assert_eq!(place.files().len(), 1);
}

#[test]
fn an_endpoint_where_nothing_listens_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = place(ACCOUNT);
    for command in ["plan", "apply --yes"] {
        let run = place.line(&format!("{command} --endpoint-url http://127.0.0.1:{port}")).ends(1);
        assert_eq!(run.stdout, "");
        insta::assert_snapshot!(format!("nothing_listens_{}", &command[..4]), run);
    }
    assert_eq!(place.files().len(), 1);
}

#[test]
fn an_endpoint_that_is_no_aws_is_an_error() {
    // It accepts, and hangs up without a word.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let _server = std::thread::spawn(move || listener.incoming().for_each(drop));
    let run = place(ACCOUNT).line(&format!("plan --endpoint-url http://127.0.0.1:{port}")).ends(1);
    assert_eq!(run.talks_of("target `prod`: no answer from").stdout, "");
}

#[test]
fn the_operator_limits_accounts() {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    let run = place.line("plan --sandbox --allow-account 444455556666").ends(5).talks_of("--allow-account");
    assert_eq!(run.stdout, "");
    place.line("plan --sandbox --allow-account 111122223333").ends(0);
}

#[test]
fn a_second_process_waits_for_the_folder_and_then_fails() {
    let place = applied();
    let serving = Serving::start(StateLocation::Folder(place.path(".keywright/sandbox")));
    let start = Instant::now();
    let run = place.line("plan --sandbox").ends(1).talks_of("in use by another process");
    assert_eq!(run.stdout, "");
    assert!((8..30).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    drop(serving);
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn two_applies_at_once_make_each_key_once() {
    let place = Place::new();
    place.write("keywright.toml", SMALL);
    let spawn =
        || place.command(&["apply", "--sandbox", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let (first, second) = (spawn().unwrap(), spawn().unwrap());
    let outputs = [first, second].map(|child| child.wait_with_output().unwrap());
    let made = outputs.iter().filter(|output| String::from_utf8_lossy(&output.stderr).contains("orders: create →"));
    assert_eq!(made.count(), 1, "{outputs:?}");
    assert!(outputs.iter().all(|output| output.status.code() == Some(0)), "{outputs:?}");
    place.line("plan --sandbox --check").ends(0);
}

#[test]
#[cfg(unix)]
fn the_sandbox_serves_until_it_is_interrupted_and_keeps_its_state() {
    let place = applied();
    let mut child = place
        .command(&["sandbox", "serve", "--port", "0", "--state", ".keywright/sandbox"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut export = |name: &str| {
        let line = lines.next().unwrap().unwrap();
        let value = line.strip_prefix(&format!("export {name}=")).unwrap().split(' ').next().unwrap().to_owned();
        (name.to_owned(), value)
    };
    let names = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"];
    let exports = names.map(&mut export);
    assert!(exports[0].1.starts_with("http://127.0.0.1:"), "{exports:?}");

    // keywright itself, with what was printed; the role is named, since the printed user deploys nothing.
    let mut plan = place.command(&["plan", "--check"]);
    place.replace("keywright.toml", "deployers =", &format!("assume_role = \"{DEPLOYER}\"\ndeployers ="));
    let output = plan.envs(exports).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("its state is kept"));
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn a_target_that_cannot_be_reached_neither_stops_nor_hides_the_others() {
    let serving = Serving::with_roles(&[
        (DEPLOYER, SeedKind::Deployer),
        ("arn:aws:iam::111122223333:role/verifier", SeedKind::Trusted),
    ]);
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = place(ACCOUNT);
    let text = SMALL.replace(
        "deployers = [\"deployer\"]",
        &format!(
            "assume_role = \"{DEPLOYER}\"\nendpoint_url = \"{}\"\ndeployers = [\"deployer\"]\n\n[target.away]\naccount = \
             \"{ACCOUNT}\"\nregion = \"eu-central-1\"\nendpoint_url = \"http://127.0.0.1:{dead}\"\ndeployers = [\"deployer\"]",
            serving.endpoint()
        ),
    );
    place.write("keywright.toml", text);
    let plan = place.line("plan").ends(1).talks_of("target `away`");
    assert!(plan.stdout.contains("Target prod") && plan.stdout.contains("+ key orders"), "{plan}");
    let run = place.line("apply --yes").ends(6).talks_of("done key orders").talks_of("target `away`");
    assert!(run.stdout.contains("steps done"), "{run}");
    place.line("plan --check --target prod").ends(0);
}
