//! What people type, understood: the action, and what is supposed of the call.

use crate::access::ContextValue;
use crate::cli::args::CallOptions;
use crate::cli::printer::Printer;
use crate::exit::Exit;
use crate::ids::Region;
use crate::kms::{ACTIONS, Capability, KmsAction, is_multi_valued_condition_key};
use crate::review::{Coming, Supposed, Wanted};
use crate::services::Service;
use crate::text::{did_you_mean, escape};
use crate::world::WorldKey;
use std::collections::BTreeMap;

/// Prints what is wrong with a question.
pub(super) fn wrong(error: &str, printer: &mut Printer) -> Exit {
    printer.error(error);
    Exit::Usage
}

/// Says that a key cannot be used so at all.
pub(super) fn impossible(wanted: Wanted, key: &WorldKey) -> String {
    let (name, spec, usage) = (wanted.name(), &key.facts.key_spec, &key.facts.key_usage);
    format!("`{name}` is nothing that anybody can do with a key of spec {spec} and usage {usage}")
}

/// Reads an action: a capability, or the name of an API action with or without `kms:`.
pub(super) fn wanted(text: &str) -> Result<Wanted, String> {
    if let Ok(capability) = text.parse::<Capability>() {
        return Ok(Wanted::Capability(capability));
    }
    if let Some(action) = KmsAction::find(text) {
        return Ok(Wanted::Action(action));
    }
    let bare = text.strip_prefix("kms:").unwrap_or(text);
    if bare.eq_ignore_ascii_case("ReEncrypt") {
        return Err("kms:ReEncrypt is two actions; ask for kms:ReEncryptFrom, kms:ReEncryptTo, or the capability \
                    reencrypt"
            .to_owned());
    }
    if bare.contains(['*', '?']) {
        return Err(format!("`{}` is a pattern; ask for one action, or for a capability", escape(text)));
    }
    let capabilities = Capability::ALL.iter().map(|capability| capability.name());
    let known = capabilities.chain(ACTIONS.iter().map(|action| if text == bare { action.name } else { action.full }));
    let hint = did_you_mean(text, known).map(|known| format!("did you mean `{known}`?"));
    Err(format!(
        "there is no action `{}`; {}",
        escape(text),
        hint.unwrap_or_else(|| "name a capability such as `decrypt`, or an action such as `kms:Decrypt`".to_owned())
    ))
}

/// Reads what is supposed of a call to a Region.
pub(super) fn supposed(options: &CallOptions, region: &Region) -> Result<Supposed, String> {
    let mut context = BTreeMap::new();
    for text in &options.context {
        let (key, value) = pair("--context", text)?;
        if context.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("--context {}: `{}` is given twice", escape(text), escape(key)));
        }
    }
    let mut conditions: BTreeMap<String, ContextValue> = BTreeMap::new();
    for text in &options.conditions {
        let (key, value) = pair("--condition", text)?;
        if !key.contains(':') {
            return Err(format!("--condition {}: condition keys have a prefix, such as aws:SourceVpce", escape(text)));
        }
        add(&mut conditions, key, value);
    }
    let via = options.via.as_deref().map(|text| coming(text, region)).transpose()?;
    Ok(Supposed { context, via, conditions })
}

/// A second value makes a key one of many values.
fn add(conditions: &mut BTreeMap<String, ContextValue>, key: &str, value: &str) {
    let value = match conditions.remove(key) {
        None if is_multi_valued_condition_key(key) => ContextValue::Many(vec![value.to_owned()]),
        None => ContextValue::One(value.to_owned()),
        Some(ContextValue::One(first)) => ContextValue::Many(vec![first, value.to_owned()]),
        Some(ContextValue::Many(mut values)) => {
            values.push(value.to_owned());
            ContextValue::Many(values)
        }
    };
    conditions.insert(key.to_owned(), value);
}

fn pair<'t>(option: &str, text: &'t str) -> Result<(&'t str, &'t str), String> {
    let found = text.split_once('=').filter(|(key, _)| !key.is_empty());
    found.ok_or_else(|| format!("{option} {}: write KEY=VALUE", escape(text)))
}

/// Reads how a call comes: a service's short name as in manifests or in `kms:ViaService`, or `none`.
fn coming(text: &str, region: &Region) -> Result<Coming, String> {
    if text == "none" {
        return Ok(Coming::Directly);
    }
    if let Ok(service) = text.parse::<Service>() {
        return Ok(Coming::Through(service.via_service(region)));
    }
    if text.ends_with(".amazonaws.com") {
        return Ok(Coming::Through(text.to_owned()));
    }
    let names = Service::ALL.iter().map(|service| service.name()).chain(["none"]);
    let simple = !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match did_you_mean(text, names) {
        Some(known) => Err(format!(
            "--via {}: did you mean `{known}`? Other services go by their whole name, such as \
             lambda.{region}.amazonaws.com",
            escape(text)
        )),
        None if simple => Ok(Coming::Through(format!("{text}.{region}.amazonaws.com"))),
        None => Err(format!("--via {}: write a service such as `s3` or s3.{region}.amazonaws.com", escape(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Region {
        "eu-west-1".parse().unwrap()
    }

    #[test]
    fn actions_are_capabilities_or_calls() {
        let name = |text: &str| wanted(text).map(Wanted::name);
        assert_eq!(name("decrypt"), Ok("decrypt"));
        assert_eq!(name("Decrypt"), Ok("kms:Decrypt"));
        assert_eq!(name("kms:decrypt"), Ok("kms:Decrypt"));
        for (text, words) in [
            ("decript", "did you mean `decrypt`?"),
            ("kms:PutKeyPolcy", "did you mean `kms:PutKeyPolicy`?"),
            ("kms:*", "is a pattern"),
            ("kms:ReEncrypt", "is two actions"),
            ("everything", "name a capability"),
            ("\u{1b}[2J", "`\\u{1b}[2J`"),
        ] {
            let error = name(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn services_go_by_short_or_whole_names() {
        let through = |text: &str| match coming(text, &region()) {
            Ok(Coming::Through(service)) => service,
            Ok(Coming::Directly) => "directly".to_owned(),
            Err(error) => error,
        };
        assert_eq!(through("none"), "directly");
        assert_eq!(through("ebs"), "ec2.eu-west-1.amazonaws.com");
        assert_eq!(through("lambda"), "lambda.eu-west-1.amazonaws.com");
        assert_eq!(through("s3.us-east-1.amazonaws.com"), "s3.us-east-1.amazonaws.com");
        assert!(through("dynamo-db").contains("did you mean `dynamodb`?"));
        assert!(through("a\u{7}").contains("write a service"));
    }

    #[test]
    fn pairs_are_read_and_repeated_keys_have_many_values() {
        let options = |context: &[&str], conditions: &[&str]| CallOptions {
            context: context.iter().map(|text| (*text).to_owned()).collect(),
            via: None,
            conditions: conditions.iter().map(|text| (*text).to_owned()).collect(),
        };
        let found =
            supposed(&options(&["tenant=a=b"], &["aws:SourceVpce=x", "kms:GrantOperations=Decrypt"]), &region());
        let found = found.unwrap();
        assert_eq!(found.context["tenant"], "a=b");
        assert_eq!(found.conditions["aws:SourceVpce"], ContextValue::One("x".into()));
        assert_eq!(found.conditions["kms:GrantOperations"], ContextValue::Many(vec!["Decrypt".into()]));
        let twice = supposed(&options(&[], &["aws:x=1", "aws:x=2"]), &region()).unwrap();
        assert_eq!(twice.conditions["aws:x"], ContextValue::Many(vec!["1".into(), "2".into()]));
        for (context, conditions, words) in [
            (&["tenant"][..], &[][..], "--context tenant: write KEY=VALUE"),
            (&["=x"], &[], "write KEY=VALUE"),
            (&["a=1", "a=2"], &[], "given twice"),
            (&[], &["SourceVpce=x"], "have a prefix"),
        ] {
            let error = supposed(&options(context, conditions), &region()).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
