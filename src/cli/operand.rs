//! Reads the manifests that are named beside the one of `-f`: a file or folder, or a revision of git.

use super::args::{Format, Operand};
use super::git;
use super::load::{self, Manifest};
use super::printer::Printer;
use crate::exit::Exit;
use crate::text::escape;
use std::path::PathBuf;

/// Reads and validates the manifest that an operand names; `files` are what a revision without a path means.
///
/// # Errors
/// With the exit code, when the reason has been printed: 2 for what is no manifest.
pub fn manifest(side: &str, operand: &Operand, files: &[PathBuf], printer: &mut Printer) -> Result<Manifest, Exit> {
    let read = match operand {
        Operand::Manifest(path) => load::read_files(std::slice::from_ref(path)),
        Operand::Revision { revision, path } => {
            let paths: Vec<PathBuf> = path.clone().map_or_else(|| files.to_vec(), |path| vec![path]);
            git::read_manifest(revision, &paths).map_err(|error| {
                printer.error(&format!("{side}: {}", error.0));
                Exit::Failed
            })?
        }
        Operand::Live | Operand::Snapshot(_) => {
            let named = escape(&operand.to_string()).into_owned();
            printer.error(&format!("{side}: `{named}` is no manifest; name a file, a folder, or git:REV"));
            return Err(Exit::Usage);
        }
    };
    load::from_files(read).map_err(|invalid| {
        printer.error(&format!("{side}, {}, is not a valid manifest", escape(&operand.to_string())));
        // The answer would be a plan or a difference; what is wrong is talk.
        invalid.refuse(Format::Text, printer)
    })
}
