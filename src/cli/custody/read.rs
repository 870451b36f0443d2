//! Reads key material from where the manifest says, into memory of a fixed size that is zeroized.
//!
//! A buffer never grows: growing would leave copies behind that nobody zeroizes.

use super::{Trouble, command};
use crate::cli::args::CustodyOptions;
use crate::desired::MaterialSource;
use crate::diag::Code;
use crate::secret::SecretBytes;
use crate::text::escape;
use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// The most bytes that are read of a material: far more than the largest private key takes, however it is written.
pub(super) const MOST: usize = 64 * 1024;

/// How material is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    /// The folder from which relative files are found.
    pub(super) folder: &'a Path,
    /// What the operator consents to.
    pub(super) consent: CustodyOptions,
    /// The variables that no other process may get.
    pub(super) hidden: &'a BTreeSet<String>,
}

/// Returns where material comes from, in words.
pub(super) fn in_words(source: &MaterialSource, folder: &Path) -> String {
    match source {
        MaterialSource::Command { argv, .. } => {
            format!("the command `{}`", escape(argv.first().map_or("", String::as_str)))
        }
        MaterialSource::File { path, .. } => format!("the file `{}`", escape(&folder.join(path).to_string_lossy())),
        MaterialSource::Env { variable, .. } => format!("the variable `{}`", escape(variable)),
        MaterialSource::Stdin { .. } => "standard input".to_owned(),
        MaterialSource::Prewrapped => "an encryption elsewhere".to_owned(),
    }
}

/// Reads material from its source.
pub(super) fn read(source: &MaterialSource, how: How<'_>) -> Result<SecretBytes, Trouble> {
    let bytes = match source {
        MaterialSource::Command { argv, .. } => command::run(argv, how.hidden, command::LIMIT),
        MaterialSource::File { path, .. } => file(&how.folder.join(path), how.consent),
        MaterialSource::Env { variable, .. } => variable_of(variable),
        MaterialSource::Stdin { .. } => stdin(),
        MaterialSource::Prewrapped => Err(Trouble::unreadable("it is encrypted elsewhere", "give --prewrapped")),
    }?;
    match bytes.len() {
        0 => Err(Trouble::unreadable(
            "there is nothing in it",
            "put the material there, in the encoding that the manifest names",
        )),
        1..=MOST => Ok(bytes),
        _ => Err(too_large()),
    }
}

fn too_large() -> Trouble {
    Trouble::unreadable("it has more than 64 KiB, which no key material has", "name the material alone")
}

fn unreadable(error: &io::Error) -> Trouble {
    let help = if error.kind() == io::ErrorKind::NotFound {
        "put it there, or correct the path: a relative one begins at the manifest file's folder"
    } else {
        "let the user who runs keywright read it"
    };
    Trouble::unreadable(error.to_string(), help)
}

/// Reads at most one byte more than is allowed.
pub(super) fn bounded(from: &mut impl Read) -> io::Result<SecretBytes> {
    let mut bytes = Zeroizing::new(vec![0; MOST + 1]);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

/// Reads a regular file that its owner alone can read. Whatever stands behind the name is looked at before it is opened
/// and again afterwards: to open a device can move it, and to open a pipe can wait for ever.
fn file(path: &Path, consent: CustodyOptions) -> Result<SecretBytes, Trouble> {
    regular(&std::fs::metadata(path).map_err(|error| unreadable(&error))?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    let mut file: File = options.open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    regular(&metadata)?;
    if !consent.allow_readable {
        closed_to_others(&metadata, path)?;
    }
    if metadata.len() > u64::try_from(MOST).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    bounded(&mut file).map_err(|error| unreadable(&error))
}

fn regular(metadata: &Metadata) -> Result<(), Trouble> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() { "it is a folder" } else { "it is no regular file" };
    Err(Trouble::unreadable(what, "name a file, or read it with a `command`"))
}

#[cfg(unix)]
fn closed_to_others(metadata: &Metadata, path: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o066 == 0 {
        return Ok(());
    }
    let what = format!("others than its owner can read or change it (mode {mode:o})");
    let help = format!("run `chmod 600 {}`, or consent with --allow-readable", escape(&path.to_string_lossy()));
    Err(Trouble { code: Code::MaterialConsent, what, help })
}

#[cfg(not(unix))]
fn closed_to_others(_: &Metadata, _: &Path) -> Result<(), Trouble> {
    let what = "this system does not tell who can read it".to_owned();
    let help = "see to it that nobody else can read it, and consent with --allow-readable".to_owned();
    Err(Trouble { code: Code::MaterialConsent, what, help })
}

fn variable_of(name: &str) -> Result<SecretBytes, Trouble> {
    let value = std::env::var_os(name).ok_or_else(|| {
        Trouble::unreadable("it is not set", format!("set {name} for this run alone, to the material and nothing else"))
    })?;
    Ok(SecretBytes::new(value.into_encoded_bytes()))
}

/// Reads standard input past the buffer of the standard library, which nobody zeroizes.
fn stdin() -> Result<SecretBytes, Trouble> {
    let input = io::stdin();
    if input.is_terminal() {
        return Err(Trouble::unreadable(
            "it is a terminal, on which key material would be seen",
            "pipe the material in: `… | keywright apply --yes`",
        ));
    }
    #[cfg(unix)]
    let owned = std::os::fd::AsFd::as_fd(&input).try_clone_to_owned();
    #[cfg(windows)]
    let owned = std::os::windows::io::AsHandle::as_handle(&input).try_clone_to_owned();
    let mut file = File::from(owned.map_err(|error| unreadable(&error))?);
    bounded(&mut file).map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::MaterialEncoding;

    fn from_file(place: &Path, name: &str, consent: CustodyOptions) -> Result<SecretBytes, Trouble> {
        let source = MaterialSource::File { path: name.to_owned(), encoding: MaterialEncoding::Raw };
        read(&source, How { folder: place, consent, hidden: &BTreeSet::new() })
    }

    #[cfg(unix)]
    fn with_mode(place: &Path, content: &[u8], mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(place.join("material"), content).unwrap();
        std::fs::set_permissions(place.join("material"), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn a_file_is_read_if_its_owner_alone_can_read_it_or_with_consent() {
        let place = tempfile::tempdir().unwrap();
        let readable = CustodyOptions { allow_readable: true, ..CustodyOptions::default() };
        for (mode, refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true)] {
            with_mode(place.path(), b"material", mode);
            let strict = from_file(place.path(), "material", CustodyOptions::default());
            assert_eq!(strict.is_err(), refused, "{mode:o}");
            if let Err(trouble) = strict {
                assert!(trouble.help.contains("chmod 600") && trouble.code == Code::MaterialConsent, "{trouble:?}");
            }
            let read = from_file(place.path(), "material", readable).unwrap();
            assert_eq!(read.expose_secret(), b"material");
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_file_of_a_possible_size_is_refused_at_once() {
        let place = tempfile::tempdir().unwrap();
        let why = |name: &str| from_file(place.path(), name, CustodyOptions::default()).unwrap_err().what;
        assert!(why("missing").contains("No such file"));
        assert_eq!(why("."), "it is a folder");
        assert_eq!(why("/dev/null"), "it is no regular file");
        let pipe = place.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(why("pipe"), "it is no regular file");
        with_mode(place.path(), b"", 0o600);
        assert_eq!(why("material"), "there is nothing in it");
        with_mode(place.path(), &vec![7; MOST + 1], 0o600);
        assert!(why("material").contains("64 KiB"));
        with_mode(place.path(), &vec![7; MOST], 0o600);
        assert_eq!(from_file(place.path(), "material", CustodyOptions::default()).unwrap().len(), MOST);
    }

    #[test]
    fn a_buffer_takes_one_byte_more_than_allowed_and_never_grows() {
        let all = bounded(&mut io::repeat(7)).unwrap();
        assert_eq!(all.len(), MOST + 1);
        assert_eq!(bounded(&mut &b"abc"[..]).unwrap().expose_secret(), b"abc");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let source = MaterialSource::Env { variable: "KEYWRIGHT_NO_SUCH".into(), encoding: MaterialEncoding::Hex };
        let how = How { folder: Path::new(""), consent: CustodyOptions::default(), hidden: &BTreeSet::new() };
        let trouble = read(&source, how).unwrap_err();
        assert!(trouble.what.contains("not set") && trouble.help.contains("KEYWRIGHT_NO_SUCH"), "{trouble:?}");
    }
}
