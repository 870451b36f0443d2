//! This machine as the asynchronous shells see it: clock, randomness, the folder of claim records, and key material.

use super::clock::RunClock;
use super::custody::Custody;
use crate::ids::{KeyName, MaterialName, TargetName};
use crate::kms::WrappingAlgorithm;
use crate::ports::{
    ClaimRecord, ClaimStore, Clock, ImportParameters, MaterialHolder, PortError, PortErrorKind, PortResult, Prewrapped,
    Randomness,
};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The real machine.
#[derive(Debug, Clone)]
pub struct LocalMachine {
    claims: PathBuf,
    custody: Arc<Custody>,
    clock: RunClock,
}

impl LocalMachine {
    /// Returns the machine with a folder for claim records, which is made when one is written.
    pub fn new(claims: PathBuf) -> Self {
        Self { claims, custody: Arc::default(), clock: RunClock::default() }
    }

    /// Returns the machine at another time.
    #[must_use]
    pub fn at(self, clock: RunClock) -> Self {
        Self { clock, ..self }
    }

    /// Returns the machine with the key material of a run.
    #[must_use]
    pub fn holding(self, custody: Custody) -> Self {
        Self { custody: Arc::new(custody), ..self }
    }

    fn path(&self, slot: &str) -> PathBuf {
        // INVARIANT: a slot is made of identifiers and slashes; none of them can climb out of the folder.
        self.claims.join(format!("{slot}.json"))
    }
}

impl Clock for LocalMachine {
    fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Randomness for LocalMachine {
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()> {
        aws_lc_rs::rand::fill(bytes)
            .map_err(|_| PortError::new(PortErrorKind::Transient, "randomness", "the system gave no random bytes"))
    }
}

impl MaterialHolder for LocalMachine {
    fn prewrapped(
        &self,
        target: &TargetName,
        key: &KeyName,
        material: &MaterialName,
    ) -> PortResult<Option<Prewrapped>> {
        Ok(self.custody.prewrapped(target, key, material))
    }

    fn wrap(
        &self,
        (target, key, material): (&TargetName, &KeyName, &MaterialName),
        algorithm: WrappingAlgorithm,
        parameters: &ImportParameters,
    ) -> PortResult<Vec<u8>> {
        let fail = |why: &str| {
            let message = format!("the material `{material}` of `{key}` for target `{target}` {why}");
            PortError::new(PortErrorKind::Invalid, "kms:ImportKeyMaterial", message)
        };
        let held = self.custody.material(target, key, material).ok_or_else(|| fail("is not held"))?;
        held.wrap(algorithm, &parameters.public_key).map_err(|error| fail(&format!("cannot be encrypted: {error}")))
    }
}

fn failure(call: &str, path: &Path, error: impl std::fmt::Display) -> PortError {
    PortError::new(PortErrorKind::Invalid, call, format!("{}: {error}", path.display()))
}

impl ClaimStore for LocalMachine {
    fn load(&self, slot: &str) -> PortResult<Option<ClaimRecord>> {
        let path = self.path(slot);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).map(Some).map_err(|error| failure("reading a claim record", &path, error))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("reading a claim record", &path, error)),
        }
    }

    fn save(&self, slot: &str, record: &ClaimRecord) -> PortResult<()> {
        let path = self.path(slot);
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(&self.claims);
            std::fs::create_dir_all(folder)?;
            let temporary = path.with_extension("new");
            let mut file = std::fs::File::create(&temporary)?;
            file.write_all(serde_json::to_string(record)?.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            // The rename itself must survive a crash, or the record of a created key could be lost.
            std::fs::File::open(folder)?.sync_all()
        };
        write().map_err(|error| failure("writing a claim record", &path, error))
    }

    fn remove(&self, slot: &str) -> PortResult<()> {
        let path = self.path(slot);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failure("removing a claim record", &path, error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_records_come_back_until_they_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let machine = LocalMachine::new(folder.path().join("claims"));
        let slot = "111122223333/eu-west-1/payments/ledger";
        assert_eq!(machine.load(slot).unwrap(), None);
        let record = ClaimRecord { claim: "abc".into(), at: jiff::Timestamp::UNIX_EPOCH };
        machine.save(slot, &record).unwrap();
        assert_eq!(machine.load(slot).unwrap(), Some(record));
        machine.remove(slot).unwrap();
        machine.remove(slot).unwrap();
        assert_eq!(machine.load(slot).unwrap(), None);
    }

    #[test]
    fn a_damaged_record_is_an_error_and_not_absent() {
        let folder = tempfile::tempdir().unwrap();
        let machine = LocalMachine::new(folder.path().to_owned());
        std::fs::write(folder.path().join("x.json"), "{").unwrap();
        assert!(machine.load("x").is_err());
    }
}
