//! `keywright man`: manual pages.

use super::args::{self, ManOptions};
use super::printer::Printer;
use crate::exit::Exit;
use std::io;
use std::path::Path;

/// Prints the main manual page, or writes the pages of all commands into a folder.
pub fn run(options: &ManOptions, printer: &mut Printer) -> Exit {
    let result = match &options.out {
        Some(folder) => write_all(folder).map(|count| {
            printer.status(&format!("wrote {}", crate::text::plural(count, "page")));
        }),
        None => page(&args::command()).map(|page| printer.answer(&page)),
    };
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            printer
                .error(&format!("cannot write the manual pages: {error}; give `--out` a folder that can be written"));
            Exit::Failed
        }
    }
}

fn page(command: &clap::Command) -> io::Result<String> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write_all(folder: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let mut command = args::command();
    command.build();
    let mut pages = Vec::new();
    collect(&command, &mut pages)?;
    for (name, page) in &pages {
        std::fs::write(folder.join(name), page)?;
    }
    Ok(pages.len())
}

/// Collects the pages of a command and its subcommands, named as `man` looks for them.
fn collect(command: &clap::Command, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    pages.push((format!("{name}.1"), page(command)?));
    let subcommands = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    subcommands.into_iter().try_for_each(|subcommand| collect(subcommand, pages))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printer::Talk;

    #[test]
    fn each_command_gets_a_page_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (mut printer, seen) = Printer::in_memory(Talk::Normal);
        let exit = run(&ManOptions { out: Some(folder.path().join("man1")) }, &mut printer);
        assert_eq!((exit, seen.answers()), (Exit::Done, String::new()));
        for name in ["keywright.1", "keywright-plan.1", "keywright-explain.1"] {
            let page = std::fs::read_to_string(folder.path().join("man1").join(name)).unwrap();
            assert!(page.contains(".SH NAME"), "{name}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (mut printer, seen) = Printer::in_memory(Talk::Normal);
        assert_eq!(run(&ManOptions { out: Some(file.path().join("below")) }, &mut printer), Exit::Failed);
        assert!(seen.talk().starts_with("error: cannot write the manual pages"));
    }
}
