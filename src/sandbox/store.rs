//! Where the state is kept: one redb database in a folder of its own, or nowhere.

use super::state::State;
use super::table::Table;
use super::{SandboxError, StateLocation};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for another process that uses the folder.
const PATIENCE: Duration = Duration::from_secs(10);
/// The layout of the rows; another one is refused.
const FORMAT: &str = "2";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The place of the state.
pub(super) enum Store {
    /// Nowhere: the state ends with the process.
    Memory,
    /// In a database.
    Database(Database),
}

impl Store {
    /// Opens the place, waiting for another process if need be.
    pub(super) fn open(location: &StateLocation) -> Result<Self, SandboxError> {
        match location {
            StateLocation::Memory => Ok(Self::Memory),
            StateLocation::Folder(folder) => {
                let fail = |source: Failure| SandboxError::State { folder: folder.clone(), source };
                prepare(folder).map_err(|error| fail(error.into()))?;
                match open_patiently(&folder.join("sandbox.redb"), PATIENCE) {
                    Ok(database) => Ok(Self::Database(database)),
                    Err(DatabaseError::DatabaseAlreadyOpen) => Err(SandboxError::InUse { folder: folder.clone() }),
                    Err(error) => Err(fail(error.into())),
                }
            }
        }
    }

    /// Reads everything.
    pub(super) fn load(&self) -> Result<State, Failure> {
        let Self::Database(database) = self else { return Ok(State::default()) };
        let meta: BTreeMap<String, String> = rows(database, "meta")?;
        if let Some(format) = meta.get("format")
            && format != FORMAT
        {
            return Err(format!("its format is {format}, this version reads {FORMAT}: use another folder").into());
        }
        Ok(State {
            keys: Table::loaded(rows(database, "keys")?),
            aliases: Table::loaded(rows(database, "aliases")?),
            stores: Table::loaded(rows(database, "stores")?),
            roles: Table::loaded(rows(database, "roles")?),
            users: Table::loaded(rows(database, "users")?),
            groups: Table::loaded(rows(database, "groups")?),
            access_keys: Table::loaded(rows(database, "access-keys")?),
            policies: Table::loaded(rows(database, "policies")?),
            providers: Table::loaded(rows(database, "providers")?),
            sessions: Table::loaded(rows(database, "sessions")?),
        })
    }

    /// Saves everything that was touched, in one transaction.
    pub(super) fn save(&self, state: &State) -> Result<(), Failure> {
        let Self::Database(database) = self else { return Ok(()) };
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(definition("meta"))?;
            meta.insert("format", serde_json::to_vec(FORMAT)?.as_slice())?;
        }
        write(&transaction, "keys", &state.keys)?;
        write(&transaction, "aliases", &state.aliases)?;
        write(&transaction, "stores", &state.stores)?;
        write(&transaction, "roles", &state.roles)?;
        write(&transaction, "users", &state.users)?;
        write(&transaction, "groups", &state.groups)?;
        write(&transaction, "access-keys", &state.access_keys)?;
        write(&transaction, "policies", &state.policies)?;
        write(&transaction, "providers", &state.providers)?;
        write(&transaction, "sessions", &state.sessions)?;
        transaction.commit()?;
        Ok(())
    }
}

/// Makes the folder: for its owner alone, and never committed by accident.
fn prepare(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    std::fs::write(folder.join(".gitignore"), "*\n")
}

/// Opens the database, trying again while another process has it.
fn open_patiently(path: &Path, patience: Duration) -> Result<Database, DatabaseError> {
    let started = Instant::now();
    loop {
        match Database::create(path) {
            Err(DatabaseError::DatabaseAlreadyOpen) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}

fn definition(name: &str) -> TableDefinition<'_, &'static str, &'static [u8]> {
    TableDefinition::new(name)
}

fn rows<T: DeserializeOwned>(database: &Database, name: &str) -> Result<BTreeMap<String, T>, Failure> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(definition(name)) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let mut rows = BTreeMap::new();
    for row in table.iter()? {
        let (key, value) = row?;
        rows.insert(key.value().to_owned(), serde_json::from_slice(value.value())?);
    }
    Ok(rows)
}

fn write<T: Serialize + Clone>(
    transaction: &redb::WriteTransaction,
    name: &str,
    table: &Table<T>,
) -> Result<(), Failure> {
    if table.is_clean() {
        return Ok(());
    }
    let mut stored = transaction.open_table(definition(name))?;
    for (key, row) in table.touched() {
        match row {
            Some(row) => stored.insert(key.as_str(), serde_json::to_vec(row)?.as_slice())?,
            None => stored.remove(key.as_str())?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_that_the_folder_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.redb");
        let first = open_patiently(&path, Duration::ZERO).unwrap();
        let second = open_patiently(&path, Duration::from_millis(120));
        assert!(matches!(second, Err(DatabaseError::DatabaseAlreadyOpen)));
        drop(first);
        assert!(open_patiently(&path, Duration::ZERO).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_private_and_ignored_by_git() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b");
        drop(Store::open(&StateLocation::Folder(place.clone())).unwrap());
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_to_string(place.join(".gitignore")).unwrap(), "*\n");
    }
}
