//! Key material from where it lies into KMS, and nowhere else: marked material is looked for in all that a run leaves.

use crate::harness::{Place, Run, pem};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keywright::desired::MaterialEncoding;
use keywright::import::Material;
use keywright::kms::{KeySpec, WrappingAlgorithm};
use keywright::secret::SecretBytes;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

/// A stack of keys whose material comes from everywhere.
const IMPORTED: &str = r#"version = 1
stack = "shop"
id = "0b5c1f1e-6a43-4a5e-9d0f-2f6b8f1a7c55"

[target.prod]
account = "111122223333"
region = "eu-west-1"
deployers = ["deployer"]

[verify]
principal = "verifier"

[role.deployer]
kind = "deployer"
arn = "arn:aws:iam::111122223333:role/deployer"

[role.verifier]
kind = "verifier"
arn = "arn:aws:iam::111122223333:role/verifier"

[role.admin]
kind = "key-admin"
trust.aws = ["sso:Admin"]

[role.app]
kind = "key-user"
trust.services = ["ecs-tasks.amazonaws.com"]
verifiable = true
"#;

/// Returns a symmetric or other external key with one material.
fn key(name: &str, kind: &str, material: &str) -> String {
    format!(
        "\n[key.{name}]\nadmins = [\"admin\"]\norigin = \"external\"\n{kind}\n[key.{name}.import]\nnever = true\n\
         [[key.{name}.import.material]]\nname = \"2026\"\n{material}\n[[key.{name}.user]]\nprincipal = \"app\"\n"
    )
}

const PRINT: &str = "env > seen-by-the-command.txt\ncat material/command.b64\n";
const FILES: [(&str, &str); 5] = [
    ("file", "material/file.bin"),
    ("command", "material/command.b64"),
    ("mac", "material/mac.hex"),
    ("signing", "material/signing.pem"),
    ("script", "material/print.sh"),
];

/// Marked material.
struct Marked {
    place: Place,
    secrets: Vec<(&'static str, Vec<u8>)>,
}

fn mark(name: &str) -> Vec<u8> {
    digest(&SHA256, format!("marked material {name}").as_bytes()).as_ref().to_vec()
}

fn private_key() -> Vec<u8> {
    PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap().as_der().unwrap().as_ref().to_vec()
}

/// Closes a file to all but its owner.
fn close(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Marked {
    fn new() -> Self {
        let rsa = private_key();
        let secrets = vec![
            ("file", mark("file")),
            ("env", mark("env")),
            ("command", mark("command")),
            ("mac", mark("mac")),
            ("signing", rsa),
        ];
        let of = |name: &str| secrets.iter().find(|(of, _)| *of == name).unwrap().1.clone();
        let place = Place::new()
            .with("BYOK_MATERIAL", &hex::encode(of("env")))
            .with("PATH", &std::env::var("PATH").unwrap())
            .with("RUST_LOG", "trace")
            .with("KEYWRIGHT_LOG", "trace")
            .with("RUST_BACKTRACE", "full")
            .with("LOG_SENSITIVE_BODIES", "true");
        let keys = [
            key("file", "", "file = \"material/file.bin\"\nencoding = \"raw\""),
            key("env", "", "env = \"BYOK_MATERIAL\"\nencoding = \"hex\""),
            key("command", "", "command = [\"sh\", \"material/print.sh\"]\nencoding = \"base64\""),
            key("mac", "spec = \"HMAC_256\"", "file = \"material/mac.hex\"\nencoding = \"hex\""),
            key(
                "signing",
                "spec = \"RSA_2048\"\nusage = \"SIGN_VERIFY\"",
                "file = \"material/signing.pem\"\nencoding = \"pem\"",
            ),
            key("hsm", "", "prewrapped = true"),
        ];
        place.write("keywright.toml", format!("{IMPORTED}{}", keys.concat()));
        place.write("material/file.bin", of("file"));
        place.write("material/command.b64", STANDARD.encode(of("command")));
        place.write("material/mac.hex", hex::encode(of("mac")));
        place.write("material/signing.pem", pem(&of("signing")));
        place.write("material/print.sh", PRINT);
        for (_, file) in &FILES {
            close(&place.path(file));
        }
        Self { place, secrets }
    }

    /// Demands that bytes hold none of the material, in whatever form.
    #[track_caller]
    fn clean(&self, what: &str, bytes: &[u8]) {
        for (name, secret) in &self.secrets {
            for needle in forms(secret) {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "material of `{name}` is in {what}");
            }
        }
    }

    /// Demands that a run said nothing of it.
    #[track_caller]
    fn silent(&self, words: &str, run: &Run) {
        self.clean(&format!("what `{words}` answers"), run.stdout.as_bytes());
        self.clean(&format!("what `{words}` says"), run.stderr.as_bytes());
    }

    /// Demands that no file has it but those that it comes from, and the sandbox's database: that plays KMS.
    fn clean_folder(&self) {
        for (path, bytes) in self.place.files() {
            let name = path.strip_prefix(self.place.path("")).unwrap().to_string_lossy().into_owned();
            let by_nature = name.starts_with("material/") || name == ".keywright/sandbox/sandbox.redb";
            if !by_nature {
                self.clean(&name, &bytes);
            }
        }
    }
}

/// Returns what of a secret would be recognised: raw, hex, and base64 wherever in a text it may begin. Of a private key
/// a piece from its middle, which is secret.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let piece = if secret.len() > 64 { &secret[secret.len() / 2..secret.len() / 2 + 36] } else { secret };
    let mut forms = vec![piece.to_vec(), hex::encode(piece).into_bytes(), hex::encode_upper(piece).into_bytes()];
    for skip in 0..3 {
        let whole = &piece[skip..piece.len() - (piece.len() - skip) % 3];
        forms.push(STANDARD_NO_PAD.encode(whole).into_bytes());
        forms.push(URL_SAFE_NO_PAD.encode(whole).into_bytes());
    }
    // As lists of numbers are shown by a derived `Debug`.
    forms.push(piece.iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes());
    forms
}

#[test]
fn marked_material_is_recognised_in_every_form() {
    let marked = Marked::new();
    let secret = &marked.secrets[0].1;
    let texts = [
        hex::encode(secret),
        STANDARD.encode(secret),
        STANDARD.encode([&b"x"[..], secret].concat()),
        format!("{secret:?}"),
    ];
    for text in texts {
        let found = std::panic::catch_unwind(|| {
            let forms = forms(&mark("file"));
            assert!(!forms.iter().any(|form| text.as_bytes().windows(form.len()).any(|window| window == form)));
        });
        assert!(found.is_err(), "{text} is not recognised");
    }
}

/// Commands with how they end, in an order in which each has something to do.
const COMMANDS: &[(&str, i32)] = &[
    ("check", 0),
    ("check --format json", 0),
    ("plan --sandbox", 0),
    ("plan --sandbox --format json --policy-text", 0),
    ("apply --sandbox --yes", 5),
    ("plan --sandbox --quiet --out first.json", 0),
    ("apply first.json --sandbox --allow-command --format json", 0),
    ("plan --sandbox --out second.json --reimport file,env,command,mac,signing", 0),
    ("apply second.json --sandbox --allow-command", 5),
    ("apply second.json --sandbox --allow-command --reimport file,env,command,mac,signing", 0),
    ("verify --sandbox --as-roles", 0),
    ("verify --sandbox --as-roles --format json", 0),
    ("verify --sandbox --as-roles --with-material --allow-command --canary canary.json", 0),
    ("inventory --sandbox --findings", 0),
    ("inventory --sandbox --format json", 0),
    ("diff live keywright.toml --sandbox", 0),
    ("diff live keywright.toml --sandbox --format json", 0),
    ("snapshot --sandbox --out live.json", 0),
    ("access matrix --live --sandbox", 0),
    ("access lint --live --sandbox", 0),
    ("rotate file --sandbox --yes", 5),
    ("import-parameters hsm --sandbox --out wrapped", 0),
    ("import-parameters hsm --sandbox --out wrapped --force --format json", 0),
];

#[test]
#[cfg(unix)]
fn no_command_shows_or_leaves_any_of_the_material() {
    let marked = Marked::new();
    for (words, code) in COMMANDS {
        let run = marked.place.line(&format!("{words} --verbose"));
        marked.silent(words, &run);
        assert_eq!(run.code, *code, "{words}: {run}");
    }
    marked.clean_folder();
    // The sandbox's state has imported material: it plays KMS, and the search finds what is there.
    let seen = std::fs::read_to_string(marked.place.path("seen-by-the-command.txt")).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("BYOK_MATERIAL"), "{seen}");
    served_in_silence(&marked);
}

/// Serves the state of the runs before, and looks at what that says.
fn served_in_silence(marked: &Marked) {
    let mut command = marked.place.command(&["sandbox", "serve", "--port", "0", "--verbose"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    child.kill().unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    marked.clean("what `sandbox serve` says", said.as_bytes());
}

/// Demands that a run says something, however its lines are broken.
#[track_caller]
fn says(run: &Run, text: &str) {
    let words: Vec<&str> = run.stderr.split_whitespace().filter(|word| *word != "|").collect();
    assert!(words.join(" ").contains(text), "no `{text}`: {run}");
}

/// Demands that a run writes nothing: the same plan is left.
#[track_caller]
fn refused(place: &Place, words: &str, code: i32, why: &[&str]) {
    let digest = || place.line("plan --sandbox --format json").json()["live_digest"].clone();
    let before = digest();
    let run = place.line(words).ends(code);
    for why in why {
        says(&run, why);
    }
    assert_eq!(digest(), before, "{run}");
}

#[test]
#[cfg(unix)]
fn what_cannot_be_opened_is_told_at_once_and_nothing_is_written() {
    let marked = Marked::new();
    let place = &marked.place;
    refused(
        place,
        "apply --sandbox --yes",
        5,
        &["material-consent", "--allow-command", "key `command`", "keywright.toml:"],
    );
    std::fs::remove_file(place.path("material/file.bin")).unwrap();
    place.write("material/mac.hex", "00ff");
    place.write("material/print.sh", "echo SEEN >&2; exit 3");
    let why = ["`file`", "No such file", "`mac`", "`command`", "exit status: 3", "Nothing was written"];
    refused(place, "apply --sandbox --yes --allow-command", 1, &why);
    let run = place.line("apply --sandbox --yes --allow-command").ends(1);
    assert!(!run.stderr.contains("SEEN"), "{run}");
    let at = |name: &str| run.stderr.find(&format!("of key `{name}`")).unwrap();
    assert!(at("file") < at("command") && at("command") < at("mac"), "{run}");
}

#[test]
#[cfg(unix)]
fn a_readable_file_is_refused_unless_allowed() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.write(
        "m/keywright.toml",
        format!("{IMPORTED}{}", key("file", "", "file = \"../material.bin\"\nencoding = \"raw\"")),
    );
    place.write("material.bin", mark("readable"));
    std::fs::set_permissions(place.path("material.bin"), std::fs::Permissions::from_mode(0o644)).unwrap();
    place.line("apply --sandbox --yes -f m").ends(5).talks_of("chmod 600").talks_of("mode 644");
    place.line("apply --sandbox --yes -f m --allow-readable").ends(0);
    place.line("plan --sandbox --check -f m").ends(0);
}

#[test]
fn material_on_standard_input_leaves_nobody_to_ask() {
    let place = Place::new();
    place.write("keywright.toml", format!("{IMPORTED}{}", key("piped", "", "stdin = true\nencoding = \"hex\"")));
    place.line("apply --sandbox").ends(2).talks_of("--yes");
    let mut command = place.command(&["apply", "--sandbox", "--yes"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", hex::encode(mark("piped"))).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    place.line("plan --sandbox --check").ends(0);
}

/// A place with one key whose material is encrypted elsewhere, created and waiting.
fn awaiting() -> Place {
    let place = Place::new();
    place.write("keywright.toml", format!("{IMPORTED}{}", key("hsm", "", "prewrapped = true")));
    place.line("apply --sandbox --yes").ends(0);
    place
}

/// Encrypts material under the parameters of a folder, as a hardware module does.
fn encrypt(place: &Place, folder: &str, material: &[u8]) {
    let public = std::fs::read(place.path(&format!("{folder}/prod/wrapping-key.der"))).unwrap();
    let given = SecretBytes::new(material.to_vec());
    let material = Material::read(KeySpec::SymmetricDefault, MaterialEncoding::Raw, &given).unwrap();
    let wrapped = material.wrap(WrappingAlgorithm::OaepSha256, &public).unwrap();
    place.write(&format!("{folder}/prod/wrapped-material.bin"), wrapped);
}

#[test]
fn material_that_keywright_never_sees_is_imported() {
    let place = awaiting();
    let got = place.line("import-parameters hsm --sandbox --out wrapped").ends(0);
    let got = got.answers("wrapped/prod").answers("RSAES_OAEP_SHA_256").answers("openssl pkeyutl");
    let got = got.answers("apply --prewrapped hsm/2026=wrapped --sandbox");
    assert!(got.stdout.contains("wrapped/prod/wrapped-material.bin"), "{got}");
    encrypt(&place, "wrapped", &mark("hsm"));
    place.line("apply --sandbox --yes --prewrapped hsm/2026=wrapped").ends(0);
    place.line("plan --sandbox --check").ends(0);
    place.line("verify --sandbox --as-roles").ends(0);
}

#[test]
fn what_openssl_encrypts_as_the_command_says_is_imported() {
    let place = awaiting();
    let got = place.line("import-parameters hsm --sandbox --out wrapped").ends(0);
    let line = got.stdout.lines().find(|line| line.trim().starts_with("openssl pkeyutl")).unwrap().trim().to_owned();
    place.write("material.bin", mark("openssl"));
    let run = std::process::Command::new("sh").args(["-c", &line]).current_dir(place.path("")).status();
    if !std::process::Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
        return;
    }
    assert!(run.unwrap().success(), "{line}");
    place.line("apply --sandbox --yes --prewrapped hsm/2026=wrapped").ends(0);
    place.line("plan --sandbox --check").ends(0);
}

#[test]
fn parameters_that_are_not_for_the_key_are_refused_before_anything_is_written() {
    let place = awaiting();
    let words = "apply --sandbox --yes --prewrapped hsm/2026=wrapped";
    let refused = |whys: &[&str]| {
        let run = place.line(words).ends(1);
        for why in whys {
            says(&run, why);
        }
    };
    refused(&["prewrapped-unfit", "keywright import-parameters hsm --material 2026 --out wrapped"]);
    place.line("import-parameters hsm --sandbox --out wrapped").ends(0);
    refused(&["there is no `wrapped/prod/wrapped-material.bin`"]);
    place.write("wrapped/prod/wrapped-material.bin", mark("hsm"));
    refused(&["has 32 bytes", "gives 512 bytes"]);
    encrypt(&place, "wrapped", &mark("hsm"));
    let path = "wrapped/prod/parameters.json";
    let right = std::fs::read_to_string(place.path(path)).unwrap();
    let id = between(&right, "key/", "\"");
    for (from, to, why) in [
        (id.as_str(), "0a1b2c3d-1111-2222-3333-444455556666", "the parameters are for key"),
        ("\"2026\"", "\"2025\"", "the parameters are for material `2025`"),
        ("RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256", "is not for material of SYMMETRIC_DEFAULT"),
        ("\"format_version\": 1", "\"format_version\": 2", "format version 2"),
    ] {
        place.write(path, right.replace(from, to));
        refused(&[why]);
    }
    place.write(path, right);
    place.line(words).ends(0);
}

/// Returns what stands between two marks.
fn between(text: &str, open: &str, close: &str) -> String {
    text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).unwrap().0.to_owned()
}

#[test]
fn valid_parameters_are_not_overwritten_and_names_are_checked() {
    let place = awaiting();
    place.line("import-parameters hsm --sandbox --out wrapped").ends(0);
    let before = std::fs::read(place.path("wrapped/prod/import-token.bin")).unwrap();
    place
        .line("import-parameters hsm --sandbox --out wrapped")
        .ends(1)
        .talks_of("that are valid until")
        .talks_of("--force");
    assert_eq!(std::fs::read(place.path("wrapped/prod/import-token.bin")).unwrap(), before);
    let forced = place.line("import-parameters hsm --sandbox --out wrapped --force --format json").ends(0).json();
    assert_eq!(forced["material"], "2026");
    assert_eq!(forced["targets"][0]["wrapping_key"], "RSA_4096");
    assert_ne!(std::fs::read(place.path("wrapped/prod/import-token.bin")).unwrap(), before);
    place.line("import-parameters hms --sandbox --out w").ends(2).talks_of("did you mean `hsm`");
    place.line("import-parameters hsm --sandbox --out w --material 2025").ends(2).talks_of("no material `2025`");
    place.line("import-parameters hsm --sandbox").ends(2).talks_of("--out");
    assert!(!place.path("w").exists());
}

#[test]
fn options_name_material_that_they_can_be_about() {
    let marked = Marked::new();
    let cases = [
        ("--delete-material fiel", "did you mean `file`?"),
        ("--delete-material file", "set material_state = \"deleted\""),
        ("--reimport fiel", "did you mean `file`?"),
        ("--prewrapped hsm/2025=x", "the key has no material `2025`"),
        ("--prewrapped file/2026=x", "set prewrapped = true"),
        ("--prewrapped hsm/2026=x --prewrapped hsm/2026=y", "it is given twice"),
        ("--prewrapped hsm=x", "write KEY/MATERIAL=DIR"),
    ];
    for command in ["plan --sandbox", "apply --sandbox --yes"] {
        for (options, why) in cases {
            marked.place.line(&format!("{command} {options}")).ends(2).talks_of(why);
        }
    }
}

#[test]
#[cfg(unix)]
fn a_saved_plan_says_which_options_it_was_made_with() {
    let place = awaiting();
    place.line("import-parameters hsm --sandbox --out wrapped").ends(0);
    encrypt(&place, "wrapped", &mark("hsm"));
    place.line("plan --sandbox --out p.json --prewrapped hsm/2026=wrapped").ends(0);
    place.line("apply p.json --sandbox").ends(5).talks_of("The plan was made with --prewrapped hsm/2026=DIR");
    place.line("apply p.json --sandbox --prewrapped hsm/2026=wrapped").ends(0);
}
