//! Writes import parameters for whoever encrypts the material: readable by their owner alone, and never half.

use crate::cli::custody::{ParameterFolder, Parameters};
use crate::ports::ImportParameters;
use crate::text::escape;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Returns why a folder is not overwritten without being told to: its parameters are still valid, and material may be
/// encrypted under them elsewhere right now.
pub(super) fn still_valid(folder: &ParameterFolder, now: jiff::Timestamp) -> Option<String> {
    let text = std::fs::read(folder.parameters()).ok()?;
    let place = escape(&folder.path().to_string_lossy()).into_owned();
    let Ok(said) = serde_json::from_slice::<Parameters>(&text) else {
        return Some(format!(
            "`{place}` has a parameters.json of something else; name another folder, or give --force"
        ));
    };
    (said.valid_to > now).then(|| {
        format!(
            "`{place}` has parameters of `{}/{}` that are valid until {}; use those, name another folder, or give --force",
            said.key, said.material, said.valid_to
        )
    })
}

/// Writes the files of one target. What says that the others are whole is removed first and written last; what was
/// encrypted under an earlier wrapping key is of no use any more, and goes.
pub(super) fn write(
    top: &Path,
    folder: &ParameterFolder,
    parameters: &Parameters,
    answer: &ImportParameters,
) -> io::Result<()> {
    make(top)?;
    let ignore = top.join(".gitignore");
    if !ignore.exists() {
        put(&ignore, b"*\n")?;
    }
    make(folder.path())?;
    for stale in [folder.parameters(), folder.wrapped()] {
        remove(&stale)?;
    }
    put(&folder.wrapping_key_der(), &answer.public_key)?;
    put(&folder.wrapping_key_pem(), pem(&answer.public_key).as_bytes())?;
    put(&folder.token(), answer.token.expose_secret())?;
    put(&folder.parameters(), format!("{:#}\n", serde_json::to_value(parameters)?).as_bytes())
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a new file in the place of one that may be there: nothing is written through a link.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    remove(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns a public key in PEM.
///
/// <https://www.rfc-editor.org/rfc/rfc7468#section-13>
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretBytes;

    fn written(place: &Path, valid_to: &str) -> ParameterFolder {
        let parameters = Parameters {
            format_version: 1,
            stack: "shop".parse().unwrap(),
            key: "orders".parse().unwrap(),
            material: "2026".parse().unwrap(),
            target: "prod".parse().unwrap(),
            key_arn: "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666".parse().unwrap(),
            algorithm: "RSAES_OAEP_SHA_256".to_owned(),
            wrapping_key: "RSA_2048".to_owned(),
            valid_to: valid_to.parse().unwrap(),
        };
        let answer =
            ImportParameters { public_key: vec![7; 100], token: SecretBytes::new(vec![8; 256]), valid_to: None };
        let folder = ParameterFolder::new(place, &parameters.target);
        write(place, &folder, &parameters, &answer).unwrap();
        folder
    }

    #[test]
    fn parameters_are_for_their_owner_alone_and_not_for_git() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().join("out");
        let folder = written(&top, "2026-03-02T00:00:00Z");
        assert_eq!(std::fs::read_to_string(top.join(".gitignore")).unwrap(), "*\n");
        assert_eq!(std::fs::read(folder.token()).unwrap(), vec![8; 256]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&top), mode(folder.path()), mode(&folder.token())), (0o700, 0o700, 0o600));
        }
    }

    #[test]
    fn valid_parameters_stay_and_old_ones_go_with_what_was_encrypted_under_them() {
        let place = tempfile::tempdir().unwrap();
        let at = |time: &str| time.parse::<jiff::Timestamp>().unwrap();
        let folder = written(place.path(), "2026-03-02T00:00:00Z");
        let why = still_valid(&folder, at("2026-03-01T12:00:00Z")).unwrap();
        assert!(why.contains("orders/2026") && why.contains("--force"), "{why}");
        assert_eq!(still_valid(&folder, at("2026-03-02T00:00:00Z")), None);
        std::fs::write(folder.wrapped(), "old").unwrap();
        written(place.path(), "2026-03-03T00:00:00Z");
        assert!(!folder.wrapped().exists());
        std::fs::write(folder.parameters(), "{}").unwrap();
        assert!(still_valid(&folder, at("2027-03-01T12:00:00Z")).unwrap().contains("something else"));
    }

    #[test]
    fn a_public_key_in_pem_has_lines_of_64_characters() {
        let text = pem(&[7; 100]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        assert_eq!(lines[1..lines.len() - 1].iter().map(|line| line.len()).collect::<Vec<_>>(), [64, 64, 8]);
    }
}
