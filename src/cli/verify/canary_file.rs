//! The file that keeps canaries from one run of `verify` to the next.

use crate::report::{Canary, canaries_to_text, merge_canaries, read_canaries};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Longer than any file that this program writes for the keys of an account.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// A file of canaries.
#[derive(Debug)]
pub(super) struct CanaryFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it held when it was opened.
    pub(super) kept: Vec<Canary>,
}

impl CanaryFile {
    /// Reads a file; one that is not there yet is begun with the first canary.
    ///
    /// # Errors
    /// With words if it cannot be read, is none or is damaged, or could not be written later.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let folder = folder(path);
        if !folder.is_dir() {
            return Err(format!("there is no folder {}", folder.display()));
        }
        Ok(Self { path: path.to_owned(), kept: read(path)? })
    }

    /// Adds canaries to what the file holds now. The file is replaced as a whole, or not at all.
    ///
    /// # Errors
    /// With words if it cannot be read again or written.
    pub(super) fn add(&self, new: Vec<Canary>) -> Result<(), String> {
        let all = merge_canaries(read(&self.path)?, new);
        self.write(&canaries_to_text(&all)).map_err(|error| error.to_string())
    }

    fn write(&self, text: &str) -> std::io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let temporary = self.path.with_file_name(name);
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        // The canaries of a run cannot be made again once the key's material has changed: the rename must last.
        File::open(folder(&self.path))?.sync_all()
    }
}

/// Makes a file for the owner alone; never one that somebody else has put there.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn read(path: &Path) -> Result<Vec<Canary>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = String::new();
    // One byte more than is allowed is enough to know that it is too long.
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err(format!("it is longer than {} MiB", MOST_BYTES / 1024 / 1024));
    }
    read_canaries(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(second: i64) -> Canary {
        Canary {
            target: "prod".parse().unwrap(),
            key: "ledger".parse().unwrap(),
            key_arn: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
            material: None,
            at: jiff::Timestamp::from_second(second).unwrap(),
            identity: "app".to_owned(),
            context: [].into(),
            ciphertext: vec![1, 2, 3],
            sha256: [9; 32],
        }
    }

    #[test]
    fn canaries_are_added_and_none_of_another_run_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("canaries.json");
        let first = CanaryFile::open(&path).unwrap();
        let second = CanaryFile::open(&path).unwrap();
        assert_eq!((first.kept.as_slice(), path.exists()), (&[][..], false));
        first.add(vec![canary(1)]).unwrap();
        second.add(vec![canary(2)]).unwrap();
        assert_eq!(CanaryFile::open(&path).unwrap().kept, [canary(1), canary(2)]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_cannot_be_read_or_written_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("canaries.json");
        std::fs::write(&path, "{\"format_version\": 1").unwrap();
        assert!(CanaryFile::open(&path).unwrap_err().contains("damaged"));
        assert!(CanaryFile::open(folder.path()).is_err());
        assert!(CanaryFile::open(&folder.path().join("nowhere/canaries.json")).unwrap_err().contains("no folder"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(CanaryFile::open(&path).is_err());
    }
}
