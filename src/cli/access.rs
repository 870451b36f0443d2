//! `keywright access`: who may do what with a key, and why.

mod asked;
mod can;
mod lint;
mod look;
mod matrix;
mod simulate;
mod who_can;

pub(super) use look::demand_account;

use super::args::{AccessOptions, Question};
use super::printer::Printer;
use crate::exit::Exit;

/// Runs the command.
pub async fn run(options: &AccessOptions, printer: &mut Printer) -> Exit {
    let answered = match &options.question {
        Question::Simulate(options) => Ok(simulate::run(options, printer)),
        Question::Can(options) => Box::pin(can::run(options, printer)).await,
        Question::WhoCan(options) => Box::pin(who_can::run(options, printer)).await,
        Question::Lint(options) => Box::pin(lint::run(options, printer)).await,
        Question::Matrix(options) => Box::pin(matrix::run(options, printer)).await,
    };
    match answered {
        Ok(exit) | Err(exit) => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{self, Command};
    use crate::cli::printer::Talk;
    use serde_json::Value;

    fn answered(line: &str) -> (Exit, String, String) {
        let words = line.split(' ').chain(["-f", "examples/data-classes"]).map(std::ffi::OsString::from);
        let words = ["keywright", "access"].map(std::ffi::OsString::from).into_iter().chain(words);
        let Command::Access(options) = args::parse(words).unwrap().command else { panic!("{line}") };
        let (mut printer, seen) = Printer::in_memory(Talk::Normal);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let exit = runtime.block_on(run(&options, &mut printer));
        (exit, seen.answers(), seen.talk())
    }

    fn document(line: &str) -> Value {
        let (exit, answer, talk) = answered(&format!("{line} --format json"));
        assert_eq!(exit, Exit::Done, "{talk}");
        let schema = include_str!("../../schemas/access.schema.json");
        let (schema, document): (Value, Value) =
            (serde_json::from_str(schema).unwrap(), serde_json::from_str(&answer).unwrap());
        let mut faults = Vec::new();
        crate::plan::tests::json::faults(&schema, &schema, &document, "access", &mut faults);
        assert!(faults.is_empty(), "{line}: {faults:#?}");
        document
    }

    #[test]
    fn every_kind_of_answer_fits_the_schema() {
        let allowed = document("can payments-reporting decrypt restricted-records");
        let action = &allowed["answers"][0]["actions"][0];
        assert_eq!(
            (&action["verdict"], &allowed["answers"][0]["extent"]),
            (&"conditional".into(), &"conditional".into())
        );
        let place = &action["ways"][0]["terms"][0]["source"]["manifest"][0];
        assert_eq!(place["file"], "examples/data-classes/4-keys.toml");
        let denied = document("can data-key-admin decrypt restricted-records");
        assert_eq!(denied["answers"][0]["actions"][0]["nearest"][0]["source"]["id"], "SeparationOfDuties");
        let refused = document("can payments-reporting decrypt restricted-records --context tenant=x --via none");
        assert_eq!(refused["supposed"]["via"], "none");
        assert_eq!(refused["answers"][0]["actions"][0]["nearest"][0]["failing"][0]["given"], "x");
        document("can account:111122223333 administer public-objects --condition kms:GrantOperations=Decrypt");
        let who = document("who-can decrypt public-objects");
        assert!(who["answers"].as_array().unwrap().iter().any(|answer| answer["extent"] == "undetermined"));
        let matrix = document("matrix --key restricted-records,public-objects");
        assert!(matrix["rows"].as_array().unwrap().len() > 10);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for line in [
            "matrix",
            "who-can administer public-objects",
            "who-can decrypt restricted-records",
            "can data-key-admin administer restricted-records",
            "can arn:aws:iam::444455556666:role/with-a-rather-long-name/and-a-path/x decrypt public-objects",
        ] {
            let (exit, answer, talk) = answered(line);
            assert_eq!((exit, talk.as_str()), (Exit::Done, ""));
            let widest = answer.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= 100, "{line}: {widest}\n{answer}");
        }
    }

    #[test]
    fn what_is_asked_cannot_forge_the_answer() {
        let (exit, answer, talk) = answered("can \u{1b}[2J\u{202e} decrypt restricted-records");
        assert_eq!((exit, answer.as_str()), (Exit::Usage, ""));
        assert!(talk.contains("`\\u{1b}[2J\\u{202e}`"), "{talk}");
        let (_, answer, _) =
            answered("can payments-api decrypt restricted-records --context tenant=\u{9b}31m --condition aws:x=\u{7}");
        let json = answered("can payments-api decrypt restricted-records --context tenant=\u{9b}31m --format json").1;
        for shown in [&answer, &json] {
            assert!(!shown.chars().any(|c| c != '\n' && crate::text::is_hostile(c)), "{shown:?}");
        }
    }
}
