//! What is refused before anything is parsed: size, number of files, bytes that are not UTF-8, deep nesting.

use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::source::SourceMap;
use crate::text;

/// The largest manifest file, in bytes.
pub const FILE_BYTES: usize = 1 << 20;
/// The largest manifest, in bytes over all files.
pub const MANIFEST_BYTES: usize = 16 << 20;
/// The most files of a manifest.
pub const FILES: usize = 1_000;

/// Returns the sources of a manifest, given names and bytes in the order in which they are read.
///
/// # Errors
/// If there is no file, or one of them is too large or not UTF-8: all such files at once.
pub fn check_limits(files: &[(String, Vec<u8>)]) -> Result<SourceMap, Diagnostics> {
    let mut found = Diagnostics::default();
    check_totals(files, &mut found);
    let mut sources = SourceMap::default();
    for (name, bytes) in files {
        match check_file(name, bytes) {
            Ok(content) => {
                sources.add(name.clone(), content);
            }
            Err(diagnostic) => found.push(diagnostic),
        }
    }
    if found.has_errors() { Err(found) } else { Ok(sources) }
}

fn check_totals(files: &[(String, Vec<u8>)], found: &mut Diagnostics) {
    if files.is_empty() {
        let message = "there is no manifest file";
        found.push(Diagnostic::error(Code::FileUnreadable, message).help("name a file or a folder of *.toml with -f"));
    }
    if files.len() > FILES {
        let message = format!("a manifest has at most {FILES} files; these are {}", files.len());
        found.push(Diagnostic::error(Code::FileTooLarge, message).help("name fewer files with -f"));
    }
    let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    if total > MANIFEST_BYTES {
        let message = format!("a manifest has at most {MANIFEST_BYTES} bytes (16 MiB); these are {total}");
        found.push(Diagnostic::error(Code::FileTooLarge, message).help("split it into several stacks"));
    }
}

fn check_file<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Diagnostic> {
    let name = text::escape(name);
    if bytes.len() > FILE_BYTES {
        let message =
            format!("`{name}` has more than {FILE_BYTES} bytes (1 MiB), the most that a manifest file may have");
        return Err(Diagnostic::error(Code::FileTooLarge, message).help("split the file, or check what -f names"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("`{name}` is not UTF-8: the byte at offset {} is wrong", error.valid_up_to());
        Diagnostic::error(Code::InvalidUtf8, message).help("save the file as UTF-8")
    })
}
