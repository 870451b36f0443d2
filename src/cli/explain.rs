//! `keywright explain`: what a diagnostic code means and how to mend it.

use super::args::ExplainOptions;
use super::printer::{Printer, Style};
use crate::diag::Code;
use crate::exit::Exit;
use crate::text;

/// Explains one code, or lists all of them.
pub fn run(options: &ExplainOptions, printer: &mut Printer) -> Exit {
    match options.code.as_deref() {
        None => list(printer),
        Some(name) => match Code::ALL.iter().find(|code| code.name() == name) {
            Some(code) => explain(*code, printer),
            None => unknown(name, printer),
        },
    }
}

fn explain(code: Code, printer: &mut Printer) -> Exit {
    let heading = printer.answer_painter().paint(Style::Heading, code.name());
    printer.answer(&format!("{heading}\n\n{}", code.explanation()));
    Exit::Done
}

fn list(printer: &mut Printer) -> Exit {
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or_default();
    let lines: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("{:width$}  {}", code.name(), first_sentence(code.explanation())))
        .collect();
    printer.answer(&lines.join("\n"));
    Exit::Done
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").and_then(|end| text.get(..=end)).unwrap_or(text)
}

fn unknown(name: &str, printer: &mut Printer) -> Exit {
    let next = match text::did_you_mean(name, Code::ALL.iter().map(|code| code.name())) {
        Some(code) => format!("did you mean `{code}`?"),
        None => "`keywright explain` without a code lists them all".to_owned(),
    };
    printer.error(&format!("there is no diagnostic `{}`; {next}", text::escape(name)));
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printer::Talk;

    fn explained(code: Option<&str>) -> (Exit, String, String) {
        let (mut printer, seen) = Printer::in_memory(Talk::Normal);
        let exit = run(&ExplainOptions { code: code.map(str::to_owned) }, &mut printer);
        (exit, seen.answers(), seen.talk())
    }

    #[test]
    fn every_code_is_explained_in_full_and_listed() {
        let (_, list, _) = explained(None);
        for code in Code::ALL {
            let (exit, answer, talk) = explained(Some(code.name()));
            assert_eq!((exit, talk), (Exit::Done, String::new()));
            assert_eq!(answer, format!("{}\n\n{}\n", code.name(), code.explanation()));
            assert!(list.lines().any(|line| line.split(' ').next() == Some(code.name())), "{}", code.name());
        }
    }

    #[test]
    fn an_unknown_code_is_wrong_use_and_names_the_one_that_was_meant() {
        let (exit, answer, talk) = explained(Some("unknown-feld"));
        assert_eq!((exit, answer), (Exit::Usage, String::new()));
        assert_eq!(talk, "error: there is no diagnostic `unknown-feld`; did you mean `unknown-field`?\n");
        assert!(explained(Some("\u{1b}]52;c;eA==\u{7}")).2.contains("`\\u{1b}]52;c;eA==\\u{7}`"));
    }
}
