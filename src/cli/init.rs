//! `keywright init`: writes a first manifest for data classes and the services that hold their data.

use super::args::{ClassRequest, InitOptions};
use super::printer::Printer;
use crate::exit::Exit;
use crate::services::Service;
use crate::text::{did_you_mean, escape, or_list};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

/// Runs the command.
pub fn run(options: &InitOptions, printer: &mut Printer) -> Exit {
    let mut classes = Vec::new();
    for request in &options.classes {
        match class(request, &classes) {
            Ok(class) => classes.push(class),
            Err(message) => {
                printer.error(&message);
                return Exit::Usage;
            }
        }
    }
    let Some(owner) = owner_id() else {
        printer.error("the system gave no random bytes for the owner id");
        return Exit::Failed;
    };
    let text = manifest_text(options, &classes, &owner);
    if options.stdout {
        printer.answer(&text);
        return Exit::Done;
    }
    write(options, &text, printer)
}

fn write(options: &InitOptions, text: &str, printer: &mut Printer) -> Exit {
    let path = &options.out;
    let mut open = std::fs::OpenOptions::new();
    open.write(true);
    if options.force {
        open.create(true).truncate(true)
    } else {
        open.create_new(true)
    };
    let written = open.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => {
            let file = escape(&path.to_string_lossy()).into_owned();
            printer.answer(&format!("Wrote {file}"));
            printer.status("Next: name your own people and applications in it, then");
            printer.status(&format!("  keywright check -f {file}"));
            printer.status(&format!("  keywright apply --sandbox -f {file}   # a rehearsal without AWS"));
            Exit::Done
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            printer.error(&format!(
                "{} exists; give --force to overwrite it, or --out for another file",
                escape(&path.to_string_lossy())
            ));
            Exit::Failed
        }
        Err(error) => {
            printer.error(&format!("cannot write {}: {error}", escape(&path.to_string_lossy())));
            Exit::Failed
        }
    }
}

/// A version 4 UUID.
fn owner_id() -> Option<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    let parts = [text.get(..8)?, text.get(8..12)?, text.get(12..16)?, text.get(16..20)?, text.get(20..)?];
    Some(parts.join("-"))
}

/// Where a class keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Store {
    /// In a service that encrypts.
    Service(Service),
    /// Anywhere: the application encrypts before it stores.
    Client,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Service(service) => service.name(),
            Self::Client => "client",
        }
    }

    /// What the key protects, in words.
    fn data(self) -> &'static str {
        match self {
            Self::Service(Service::S3) => "objects in S3",
            Self::Service(Service::Ebs) => "EBS volumes",
            Self::Service(Service::Efs) => "files in EFS",
            Self::Service(Service::Rds) => "databases in RDS",
            Self::Service(Service::Dynamodb) => "tables in DynamoDB",
            Self::Client => "records, encrypted by the application",
        }
    }
}

/// A data class with its floors.
struct Class {
    name: String,
    stores: BTreeSet<Store>,
    strictness: Strictness,
}

/// How strict a class is, guessed from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Public,
    Internal,
    Confidential,
    Restricted,
}

fn class(request: &ClassRequest, before: &[Class]) -> Result<Class, String> {
    if before.iter().any(|class| class.name == request.name.as_str()) {
        return Err(format!("the class `{}` is given twice", request.name));
    }
    let known: Vec<&str> = Service::ALL.iter().map(|service| service.name()).chain(["client"]).collect();
    let mut stores = BTreeSet::new();
    for text in &request.services {
        let store = match text.as_str() {
            "client" => Store::Client,
            name => Store::Service(name.parse().map_err(|_| {
                let hint = did_you_mean(name, known.iter().copied()).map(|known| format!("; did you mean `{known}`?"));
                format!(
                    "`{}` is no service of this version: {}{}",
                    escape(name),
                    or_list(&known),
                    hint.unwrap_or_default()
                )
            })?),
        };
        stores.insert(store);
    }
    let strictness = match request.name.as_str() {
        "public" | "open" => Strictness::Public,
        "internal" => Strictness::Internal,
        "restricted" | "secret" | "highly-confidential" => Strictness::Restricted,
        _ => Strictness::Confidential,
    };
    Ok(Class { name: request.name.to_string(), stores, strictness })
}

/// Returns the manifest's text.
fn manifest_text(options: &InitOptions, classes: &[Class], owner: &str) -> String {
    let mut text = head(options, owner);
    for class in classes {
        class_table(&mut text, class);
    }
    roles(&mut text, options, classes);
    for class in classes {
        keys(&mut text, options.stack.as_str(), class);
    }
    text
}

fn head(options: &InitOptions, owner: &str) -> String {
    format!(
        r#"# Data keys of the stack `{stack}`: who may do what with them.
# `keywright check` validates this file, `keywright plan` shows what would change.

version = 1
stack   = "{stack}"
id      = "{owner}"   # owner id: never change it

[target.main]
account   = "{account}"
region    = "{region}"
deployers = ["keywright-deployer"]   # who runs `keywright apply`

[verify]
principal = "keywright-verifier"     # who runs `keywright verify`

# ---- data classes: floors that a key may tighten, never loosen ----
"#,
        stack = options.stack,
        account = options.account,
        region = options.region,
    )
}

fn list<T: AsRef<str>>(items: &[T]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("\"{}\"", item.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

fn services(class: &Class) -> Vec<&'static str> {
    class.stores.iter().filter(|store| **store != Store::Client).map(|store| store.name()).collect()
}

fn class_table(text: &mut String, class: &Class) {
    let (delegation, rotation, wait, separation) = match class.strictness {
        Strictness::Public => ("account", 365, 7, "advised"),
        Strictness::Internal => ("root-user", 365, 14, "enforced"),
        Strictness::Confidential => ("root-user", 365, 30, "enforced"),
        Strictness::Restricted => ("root-user", 180, 30, "enforced"),
    };
    // Writing to a String cannot fail.
    let _written = write!(
        text,
        r#"
[class.{name}]
iam_delegation         = "{delegation}"
max_rotation_days      = {rotation}
min_deletion_wait_days = {wait}
services               = {services}
separation             = "{separation}"
"#,
        name = class.name,
        services = list(&services(class)),
    );
    if class.strictness == Strictness::Restricted && class.stores.contains(&Store::Client) {
        text.push_str("required_context       = [\"tenant\"]   # each direct use must name its tenant\n");
    }
}

fn roles(text: &mut String, options: &InitOptions, classes: &[Class]) {
    let partition = options.region.partition();
    let arn = |name: &str| format!("arn:{partition}:iam::{}:role/{name}", options.account);
    let _written = write!(
        text,
        r#"
# ---- roles that exist already: made once by your landing zone ----
[role.keywright-deployer]
kind = "deployer"
arn  = "{deployer}"

[role.keywright-verifier]
kind = "verifier"
arn  = "{verifier}"

# ---- roles that keywright makes: put your own people and workloads into `trust` ----
[role.{stack}-key-admin]
kind        = "key-admin"
description = "Administers the keys of {stack}, and cannot use them"
trust.aws   = ["sso:PlatformEngineer"]
verifiable  = true

[role.{stack}-key-auditor]
kind        = "key-auditor"
description = "Reads the keys of {stack}, their policies and grants"
trust.aws   = ["sso:Auditor"]
verifiable  = true
"#,
        deployer = arn("keywright-deployer"),
        verifier = arn("keywright-verifier"),
        stack = options.stack,
    );
    for class in classes {
        let _written = write!(
            text,
            r#"
[role.{stack}-{class}-app]
kind           = "key-user"
description    = "Uses the {class} keys of {stack}"
trust.services = ["ecs-tasks.amazonaws.com"]
verifiable     = true
"#,
            stack = options.stack,
            class = class.name,
        );
    }
    text.push_str("\n# ---- keys: one per data class and store ----\n");
}

fn keys(text: &mut String, stack: &str, class: &Class) {
    for store in &class.stores {
        let name = format!("{}-{}", class.name, store.name());
        let mut title: String = class.name.clone();
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let _written = write!(
            text,
            "\n[key.{name}]\nclass       = \"{}\"\ndescription = \"{title} data: {}\"\nadmins      = [\"{stack}-key-admin\"]\nauditors    = [\"{stack}-key-auditor\"]\n",
            class.name,
            store.data(),
        );
        if let Store::Service(service) = store {
            let _written = writeln!(text, "services    = [\"{}\"]", service.name());
        }
        let _written = write!(text, "\n[[key.{name}.user]]\nprincipal = \"{stack}-{}-app\"\n", class.name);
        match store {
            Store::Service(service) => {
                let _written =
                    write!(text, "can       = [\"encrypt\", \"decrypt\"]\nvia       = [\"{}\"]\n", service.name());
            }
            Store::Client => {
                text.push_str("can       = [\"encrypt\", \"decrypt\", \"generate-data-key\"]\n");
                if class.strictness == Strictness::Restricted {
                    text.push_str("context   = { tenant = \"*\" }\n");
                }
            }
        }
    }
}
