//! Reads material that was encrypted elsewhere, and checks that it is for this key before anything is written.

use super::{ParameterFolder, Parameters, Trouble, Wanted, read};
use crate::diag::Code;
use crate::ids::{KeyName, MaterialName, StackName};
use crate::kms::{IMPORT_TOKEN_HOURS, KeySpec, WrappingAlgorithm, WrappingKeySpec};
use crate::ports::Prewrapped;
use crate::secret::SecretBytes;
use crate::text::escape;
use std::fs::File;
use std::path::Path;

/// The most bytes of encrypted material and of a token.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html#API_ImportKeyMaterial_RequestParameters>
const KMS_MOST: usize = 6_144;
/// What AES key wrap with padding adds to the least that it can wrap.
///
/// <https://www.rfc-editor.org/rfc/rfc5649#section-3>
const BLOCK: usize = 8;

/// Reads the folder of a material and checks all that can be known of it without KMS.
pub(super) fn read(
    folder: &Path,
    wanted: &Wanted<'_>,
    stack: &StackName,
    now: jiff::Timestamp,
) -> Result<Prewrapped, Trouble> {
    let again = Again { key: &wanted.key.name, material: &wanted.material.name, folder };
    let files = ParameterFolder::new(folder, &wanted.target.name);
    let text = bytes_of(&files.parameters(), &again)?;
    let said: Parameters = serde_json::from_slice(text.expose_secret()).map_err(|error| {
        again.trouble(format!("`{}` is not what it should be: {error}", shown(&files.parameters())))
    })?;
    matches(&said, wanted, stack, &again)?;
    young(said.valid_to, now, &again)?;
    let token = bytes_of(&files.token(), &again)?;
    if token.is_empty() || token.len() > KMS_MOST {
        let what = format!("`{}` has {} bytes, which no import token has", shown(&files.token()), token.len());
        return Err(again.trouble(what));
    }
    let wrapped = files.wrapped();
    if !wrapped.exists() {
        let what = format!("there is no `{}`", shown(&wrapped));
        let help = format!(
            "encrypt the material under `{}` with {}, and put the result there before {}",
            shown(&files.wrapping_key_der()),
            escape(&said.algorithm),
            said.valid_to
        );
        return Err(Trouble { code: Code::PrewrappedUnfit, what, help });
    }
    let encrypted = bytes_of(&wrapped, &again)?;
    plausible(&said, encrypted.len(), wanted.key.material.kind().spec(), &wrapped)
        .map_err(|what| again.trouble(what))?;
    Ok(Prewrapped { token, encrypted: encrypted.expose_secret().to_vec() })
}

/// How new parameters are got.
struct Again<'a> {
    key: &'a KeyName,
    material: &'a MaterialName,
    folder: &'a Path,
}

impl Again<'_> {
    fn trouble(&self, what: String) -> Trouble {
        let help = format!(
            "get new parameters with `keywright import-parameters {} --material {} --out {}`, and encrypt the material again",
            self.key,
            self.material,
            shown(self.folder)
        );
        Trouble { code: Code::PrewrappedUnfit, what, help }
    }
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

fn bytes_of(path: &Path, again: &Again<'_>) -> Result<SecretBytes, Trouble> {
    let failed = |error: std::io::Error| again.trouble(format!("cannot read `{}`: {error}", shown(path)));
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(again.trouble(format!("`{}` is no regular file", shown(path))));
    }
    File::open(path).and_then(|mut file| read::bounded(&mut file)).map_err(failed)
}

/// Checks that parameters are for this material of this key.
fn matches(said: &Parameters, wanted: &Wanted<'_>, stack: &StackName, again: &Again<'_>) -> Result<(), Trouble> {
    if said.format_version != Parameters::format_version() {
        let version = said.format_version;
        return Err(
            again.trouble(format!("the parameters have format version {version}, and this keywright reads another"))
        );
    }
    let Some(live) = wanted.live else {
        let what = "the key does not exist yet, so that nothing can have been encrypted for it".to_owned();
        let help =
            "apply without --prewrapped first; then get parameters with `keywright import-parameters`".to_owned();
        return Err(Trouble { code: Code::PrewrappedUnfit, what, help });
    };
    let is = [
        ("stack", said.stack.as_str(), stack.as_str()),
        ("key", said.key.as_str(), wanted.key.name.as_str()),
        ("material", said.material.as_str(), wanted.material.name.as_str()),
        ("target", said.target.as_str(), wanted.target.name.as_str()),
        ("key", said.key_arn.as_str(), live.as_str()),
    ];
    match is.into_iter().find(|(_, said, wanted)| said != wanted) {
        Some((what, said, wanted)) => {
            Err(again.trouble(format!("the parameters are for {what} `{said}`, and this is `{wanted}`")))
        }
        None => Ok(()),
    }
}

/// Checks the day that parameters last.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html>
fn young(valid_to: jiff::Timestamp, now: jiff::Timestamp, again: &Again<'_>) -> Result<(), Trouble> {
    let left = valid_to.duration_since(now);
    if !left.is_positive() {
        return Err(again.trouble(format!("the parameters were valid until {valid_to}")));
    }
    // The clocks of two machines may differ a little.
    if left > jiff::SignedDuration::from_hours(i64::from(IMPORT_TOKEN_HOURS)) + jiff::SignedDuration::from_mins(15) {
        return Err(again.trouble(format!(
            "the parameters say that they are valid until {valid_to}, and none are for more than {IMPORT_TOKEN_HOURS} hours"
        )));
    }
    Ok(())
}

/// Checks that encrypted material has a size that the algorithm can give.
fn plausible(said: &Parameters, length: usize, spec: KeySpec, path: &Path) -> Result<(), String> {
    let algorithm: WrappingAlgorithm = said.algorithm.parse().map_err(|error| format!("{error}"))?;
    let key: WrappingKeySpec = said.wrapping_key.parse().map_err(|error| format!("{error}"))?;
    if !algorithm.fits(spec, key) {
        return Err(format!("{algorithm} under {key} is not for material of {spec}"));
    }
    let modulus = key.bytes();
    let fits = if algorithm.uses_aes() {
        (modulus + 2 * BLOCK..=KMS_MOST).contains(&length) && (length - modulus).is_multiple_of(BLOCK)
    } else {
        length == modulus
    };
    if fits {
        return Ok(());
    }
    let expected = if algorithm.uses_aes() {
        format!("{modulus} bytes and a multiple of 8 more")
    } else {
        format!("{modulus} bytes")
    };
    Err(format!("`{}` has {length} bytes, and {algorithm} under {key} gives {expected}", shown(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(algorithm: &str, key: &str) -> Parameters {
        Parameters {
            format_version: 1,
            stack: "shop".parse().unwrap(),
            key: "orders".parse().unwrap(),
            material: "2026".parse().unwrap(),
            target: "prod".parse().unwrap(),
            key_arn: "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666".parse().unwrap(),
            algorithm: algorithm.to_owned(),
            wrapping_key: key.to_owned(),
            valid_to: "2026-03-02T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn sizes_are_those_that_the_algorithm_gives() {
        let fits = |algorithm: &str, key: &str, length, spec| {
            plausible(&parameters(algorithm, key), length, spec, Path::new("x")).is_ok()
        };
        let symmetric = KeySpec::SymmetricDefault;
        assert!(fits("RSAES_OAEP_SHA_256", "RSA_4096", 512, symmetric));
        assert!(!fits("RSAES_OAEP_SHA_256", "RSA_4096", 32, symmetric), "the material itself");
        assert!(!fits("RSAES_OAEP_SHA_256", "RSA_3072", 512, symmetric), "another wrapping key");
        assert!(!fits("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096", 512, symmetric), "no way for it");
        assert!(fits("RSA_AES_KEY_WRAP_SHA_256", "RSA_3072", 384 + 1224, KeySpec::Rsa2048));
        for length in [0, 384, 392, 384 + 1225, 6152] {
            assert!(!fits("RSA_AES_KEY_WRAP_SHA_256", "RSA_3072", length, KeySpec::Rsa2048), "{length}");
        }
        assert!(!fits("RSA_OAEP", "RSA_3072", 384, symmetric), "no algorithm");
    }

    #[test]
    fn parameters_last_for_a_day() {
        let again =
            Again { key: &"orders".parse().unwrap(), material: &"2026".parse().unwrap(), folder: Path::new("out") };
        let at = |time: &str| young("2026-03-02T00:00:00Z".parse().unwrap(), time.parse().unwrap(), &again);
        assert!(at("2026-03-01T00:00:00Z").is_ok() && at("2026-03-01T23:59:59Z").is_ok());
        let late = at("2026-03-02T00:00:00Z").unwrap_err();
        assert!(late.help.contains("import-parameters orders --material 2026 --out out"), "{late:?}");
        assert!(at("2026-02-27T00:00:00Z").unwrap_err().what.contains("24 hours"));
    }
}
