//! No secret is ever printed: a proxy learns what the sandbox issues, and looks for it in what keywright says.

use crate::harness::Place;
use crate::live::{ACCOUNT, DEPLOYER, SMALL, Serving};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keywright::ids::AccountId;
use keywright::sandbox::{SeedKind, credentials};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

const VERIFIER: &str = "arn:aws:iam::111122223333:role/verifier";

/// Passes everything on to a server, and keeps what it answers.
struct Proxy {
    url: String,
    answers: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    fn before(server: &str) -> Self {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&answers);
        let _thread = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let upstream = TcpStream::connect(&server).unwrap();
                let (from, to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let _requests = std::thread::spawn(move || pass(from, to, None));
                let kept = Arc::clone(&kept);
                let _answers = std::thread::spawn(move || pass(upstream, client, Some(&kept)));
            }
        });
        Self { url, answers }
    }

    /// Returns every value between two marks in the answers.
    fn between(&self, open: &str, close: char) -> Vec<String> {
        let answers = self.answers.lock().unwrap();
        let text = String::from_utf8_lossy(&answers);
        text.split(open).skip(1).filter_map(|rest| rest.split(close).next()).map(str::to_owned).collect()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, keep: Option<&Mutex<Vec<u8>>>) {
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if let Some(kept) = keep {
            kept.lock().unwrap().extend_from_slice(&buffer[..length]);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other direction may have closed both already.
    drop(to.shutdown(Shutdown::Write));
}

#[test]
fn neither_tokens_nor_data_keys_are_printed() {
    let serving = Serving::with_roles(&[(DEPLOYER, SeedKind::Deployer), (VERIFIER, SeedKind::Reader)]);
    let proxy = Proxy::before(&serving.endpoint());
    let account: AccountId = ACCOUNT.parse().unwrap();
    let (access_key, secret) = credentials(&account);
    let place = Place::new()
        .with("AWS_ACCESS_KEY_ID", &access_key)
        .with("AWS_SECRET_ACCESS_KEY", secret.expose_secret())
        .with("LOG_SENSITIVE_BODIES", "true")
        .with("RUST_LOG", "trace")
        .with("KEYWRIGHT_LOG", "trace");
    place.write("keywright.toml", SMALL.replace("deployers =", &format!("assume_role = '{DEPLOYER}'\ndeployers =")));
    let mut said = String::new();
    for command in ["apply --yes", "plan --format json", "verify --as-roles", "verify --as-roles --format json"] {
        let run = place.line(&format!("{command} --verbose --endpoint-url {}", proxy.url)).ends(0);
        said.push_str(&run.stdout);
        said.push_str(&run.stderr);
    }
    let mut secrets = proxy.between("<SecretAccessKey>", '<');
    secrets.extend(proxy.between("<SessionToken>", '<'));
    assert!(secrets.len() >= 10, "{} secrets of sessions", secrets.len());
    let plaintexts: Vec<String> =
        proxy.between("\"Plaintext\":\"", '"').into_iter().filter(|plaintext| plaintext.len() >= 40).collect();
    assert!(plaintexts.len() >= 4, "{} data keys", plaintexts.len());
    secrets.extend(plaintexts.iter().map(|plaintext| hex::encode(STANDARD.decode(plaintext).unwrap())));
    secrets.extend(plaintexts);
    for secret in secrets {
        assert!(!said.contains(&secret), "a secret was printed");
    }
    for crate_name in ["aws_smithy", "aws_config", "aws_sdk", "hyper", "rustls"] {
        assert!(!said.contains(crate_name), "{crate_name} logs");
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_does_not_fail_the_plan() {
    let place = Place::new();
    place.copy("examples/data-classes", ".");
    let mut plan = place.command(&["plan", "--sandbox", "--quiet", "-f", "."]);
    let mut child = plan.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}
