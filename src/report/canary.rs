//! Canaries: random texts that a key encrypted in earlier runs of `verify`, as data and as the file that keeps them.
//!
//! No secret is in the file: of the texts, which were gone at once, it has digests alone.

use crate::ids::{KeyArn, KeyMaterialId, KeyName, TargetName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How many canaries of one key are kept, the newest.
pub const CANARIES_PER_KEY: usize = 1_000;

/// The version of the file's form.
const FORMAT_VERSION: u64 = 1;
/// What stands at the head of the file, for whoever opens it.
const ABOUT: &str = "Written by `keywright verify --canary`: ciphertexts that later runs decrypt. No secret is in it.";
/// The longest ciphertext that KMS makes and takes.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#KMS-Decrypt-request-CiphertextBlob>
const CIPHERTEXT_BYTES: usize = 6_144;

/// A random text that a key encrypted, for later runs to decrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The target.
    pub target: TargetName,
    /// The key's name then.
    pub key: KeyName,
    /// The key behind the name then.
    pub key_arn: KeyArn,
    /// The material that encrypted it, where the server told.
    pub material: Option<KeyMaterialId>,
    /// When it was made, to the second.
    pub at: jiff::Timestamp,
    /// In whose name.
    pub identity: String,
    /// The encryption context.
    pub context: BTreeMap<String, String>,
    /// The ciphertext.
    pub ciphertext: Vec<u8>,
    /// The SHA-256 digest of the text.
    pub sha256: [u8; 32],
}

/// Why a file of canaries cannot be used. Has what the file says in it: to be escaped where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryFileError(String);

impl fmt::Display for CanaryFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CanaryFileError {}

/// The file as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format_version: u64,
    about: String,
    entries: Vec<Entry>,
}

/// A canary as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    target: TargetName,
    key: KeyName,
    key_arn: KeyArn,
    key_material_id: Option<KeyMaterialId>,
    at: jiff::Timestamp,
    identity: String,
    context: BTreeMap<String, String>,
    ciphertext: String,
    sha256: String,
}

impl From<&Canary> for Entry {
    fn from(canary: &Canary) -> Self {
        Self {
            target: canary.target.clone(),
            key: canary.key.clone(),
            key_arn: canary.key_arn.clone(),
            key_material_id: canary.material.clone(),
            at: canary.at,
            identity: canary.identity.clone(),
            context: canary.context.clone(),
            ciphertext: STANDARD.encode(&canary.ciphertext),
            sha256: hex::encode(canary.sha256),
        }
    }
}

impl Entry {
    fn canary(self) -> Result<Canary, &'static str> {
        let ciphertext = STANDARD.decode(&self.ciphertext).map_err(|_| "its `ciphertext` is not base64")?;
        if ciphertext.is_empty() || ciphertext.len() > CIPHERTEXT_BYTES {
            return Err("its `ciphertext` is empty, or longer than any of KMS");
        }
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&self.sha256, &mut sha256).map_err(|_| "its `sha256` is not 64 hexadecimal digits")?;
        Ok(Canary {
            target: self.target,
            key: self.key,
            key_arn: self.key_arn,
            material: self.key_material_id,
            at: self.at,
            identity: self.identity,
            context: self.context,
            ciphertext,
            sha256,
        })
    }
}

/// Reads the text of a file of canaries.
///
/// # Errors
/// If it is none, is damaged, or was written by a later version.
pub fn read_canaries(text: &str) -> Result<Vec<Canary>, CanaryFileError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u64,
    }
    let wrong = |error: serde_json::Error| CanaryFileError(format!("it is no file of canaries, or damaged: {error}"));
    let version: Version = serde_json::from_str(text).map_err(wrong)?;
    if version.format_version != FORMAT_VERSION {
        let message =
            format!("its format_version is {}, and this version reads {FORMAT_VERSION}", version.format_version);
        return Err(CanaryFileError(message));
    }
    let file: File = serde_json::from_str(text).map_err(wrong)?;
    let canaries = file.entries.into_iter().enumerate().map(|(at, entry)| {
        let place = format!("entry {} (key {}, target {}, {})", at + 1, entry.key, entry.target, entry.at);
        entry.canary().map_err(|wrong| CanaryFileError(format!("{place} is damaged: {wrong}")))
    });
    canaries.collect()
}

/// Returns the text of a file of canaries, with a newline at its end.
pub fn canaries_to_text(canaries: &[Canary]) -> String {
    let entries = canaries.iter().map(Entry::from).collect();
    let file = File { format_version: FORMAT_VERSION, about: ABOUT.to_owned(), entries };
    #[expect(clippy::expect_used, reason = "texts and numbers under text keys are always JSON")]
    let text = serde_json::to_string_pretty(&file).expect("it can be written as JSON");
    text + "\n"
}

/// Returns all canaries, each once, by target, key and time; of each key the newest [`CANARIES_PER_KEY`].
pub fn merge_canaries(kept: Vec<Canary>, new: Vec<Canary>) -> Vec<Canary> {
    let mut all: Vec<Canary> = Vec::new();
    let mut by_key: BTreeMap<(TargetName, KeyName), Vec<Canary>> = BTreeMap::new();
    for canary in kept.into_iter().chain(new) {
        by_key.entry((canary.target.clone(), canary.key.clone())).or_default().push(canary);
    }
    for mut canaries in by_key.into_values() {
        canaries.sort_by(|a, b| (a.at, &a.ciphertext).cmp(&(b.at, &b.ciphertext)));
        canaries.dedup();
        let surplus = canaries.len().saturating_sub(CANARIES_PER_KEY);
        all.extend(canaries.into_iter().skip(surplus));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canary(key: &str, second: i64, ciphertext: &[u8]) -> Canary {
        Canary {
            target: "prod".parse().unwrap(),
            key: key.parse().unwrap(),
            key_arn: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
            material: (second % 2 == 0).then(|| "ab".repeat(32).parse().unwrap()),
            at: jiff::Timestamp::from_second(second).unwrap(),
            identity: "app".to_owned(),
            context: [("keywright:probe".to_owned(), "self-test".to_owned())].into(),
            ciphertext: ciphertext.to_vec(),
            sha256: [7; 32],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let canaries = vec![canary("a", 1, b"x"), canary("b", 2, b"yz")];
        assert_eq!(read_canaries(&canaries_to_text(&canaries)).unwrap(), canaries);
        assert_eq!(read_canaries(&canaries_to_text(&[])).unwrap(), []);
    }

    #[test]
    fn the_newest_of_each_key_are_kept_and_none_twice() {
        let many: Vec<Canary> = (0..1_200).map(|second| canary("a", second, &[1])).collect();
        let kept = merge_canaries(many.clone(), vec![canary("b", 5, &[2]), many[700].clone()]);
        assert_eq!(kept.len(), CANARIES_PER_KEY + 1);
        assert_eq!((kept[0].at.as_second(), kept[999].at.as_second()), (200, 1_199));
        assert_eq!(merge_canaries(kept.clone(), kept.clone()), kept);
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let whole = canaries_to_text(&[canary("a", 1, b"x"), canary("b", 2, b"yz")]);
        for (from, to, told) in [
            ("\"format_version\": 1", "\"format_version\": 2", "format_version is 2"),
            ("\"eXo=\"", "\"eXo\"", "entry 2 (key b, target prod, 1970-01-01T00:00:02Z) is damaged"),
            ("\"eXo=\"", "\"\"", "is empty"),
            ("0707", "07", "64 hexadecimal digits"),
            ("\"entries\"", "\"entires\"", "unknown field `entires`"),
            ("arn:aws:kms", "arn:aws:s3", "damaged"),
            ("]", "", "damaged"),
        ] {
            let damaged = whole.replacen(from, to, 1);
            assert_ne!(damaged, whole, "{from}");
            let error = read_canaries(&damaged).unwrap_err().to_string();
            assert!(error.contains(told), "{told}: {error}");
        }
        assert!(read_canaries("").is_err() && read_canaries("[]").is_err());
    }

    #[test]
    fn the_schema_describes_exactly_what_is_written() {
        fn names(value: &serde_json::Value) -> Vec<String> {
            let mut names: Vec<String> = value.as_object().map_or_else(
                || value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
                |object| object.keys().cloned().collect(),
            );
            names.sort();
            names
        }
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../schemas/canary.schema.json")).unwrap();
        let written: serde_json::Value = serde_json::from_str(&canaries_to_text(&[canary("a", 1, b"x")])).unwrap();
        for (written, described) in [(&written, &schema), (&written["entries"][0], &schema["$defs"]["entry"])] {
            assert_eq!(names(written), names(&described["properties"]));
            assert_eq!(names(written), names(&described["required"]));
        }
        assert_eq!(written["format_version"], schema["properties"]["format_version"]["const"]);
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_read_and_never_more(text in "\\PC{0,60}") {
            prop_assert!(read_canaries(&text).is_err());
        }
    }
}
