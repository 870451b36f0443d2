//! Where imported key material comes from, and how it is written there.

use super::import::{Importing, only_true};
use super::placeholder::{Passing, Values};
use crate::desired::{MaterialEncoding, MaterialSource};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::kms::KeySpec;
use crate::manifest::raw::{List, RawKey, RawMaterial};
use crate::manifest::read::{Declarations, Declared};
use crate::source::{Loc, Located};
use crate::text;

/// Where material comes from, before placeholders are replaced.
#[derive(Debug)]
pub(super) enum WrittenSource<'a> {
    /// What a program prints: the program and its arguments.
    Command(Vec<Located<&'a str>>, MaterialEncoding),
    /// A file.
    File(Located<&'a str>, MaterialEncoding),
    /// An environment variable.
    Env(Located<&'a str>, MaterialEncoding),
    /// Standard input.
    Stdin(MaterialEncoding),
    /// It is encrypted elsewhere.
    Prewrapped,
}

impl WrittenSource<'_> {
    /// Returns the source in a target; `None` where something is reported.
    pub(super) fn expand(&self, values: &Values, found: &mut Diagnostics) -> Option<MaterialSource> {
        match self {
            Self::Command(written, encoding) => {
                let each: Vec<Option<String>> =
                    written.iter().map(|argument| values.expand(argument, Passing::Nothing, found)).collect();
                let argv = each.into_iter().collect::<Option<_>>()?;
                Some(MaterialSource::Command { argv, encoding: *encoding })
            }
            Self::File(written, encoding) => {
                let path = values.expand(written, Passing::Nothing, found)?;
                Some(MaterialSource::File { path, encoding: *encoding })
            }
            Self::Env(written, encoding) => {
                let variable = values.expand(written, Passing::Nothing, found)?;
                if !is_variable(&variable) {
                    found.push(no_variable(&variable, written.loc));
                    return None;
                }
                Some(MaterialSource::Env { variable, encoding: *encoding })
            }
            Self::Stdin(encoding) => Some(MaterialSource::Stdin { encoding: *encoding }),
            Self::Prewrapped => Some(MaterialSource::Prewrapped),
        }
    }

    /// Returns whether both name the same command, file or variable.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Command(one, _), Self::Command(other, _)) => {
                one.iter().map(|argument| argument.value).eq(other.iter().map(|argument| argument.value))
            }
            (Self::File(one, _), Self::File(other, _)) | (Self::Env(one, _), Self::Env(other, _)) => {
                one.value == other.value
            }
            (
                Self::Command(..) | Self::File(..) | Self::Env(..) | Self::Stdin(_) | Self::Prewrapped,
                Self::Command(..) | Self::File(..) | Self::Env(..) | Self::Stdin(_) | Self::Prewrapped,
            ) => false,
        }
    }
}

/// The field that says where material comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Command,
    File,
    Env,
    Stdin,
    Prewrapped,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::File => "file",
            Self::Env => "env",
            Self::Stdin => "stdin",
            Self::Prewrapped => "prewrapped",
        }
    }
}

/// What to write where a source is missing.
const SOURCES: &str =
    "write one of `command = [\"…\"]`, `file = \"…\"`, `env = \"…\"`, `stdin = true` and `prewrapped = true`";

/// Returns where material of a key comes from; `None` where something is reported.
pub(super) fn resolve_source<'a>(
    key: &Importing<'a>,
    material: &'a RawMaterial,
    found: &mut Diagnostics,
) -> Option<WrittenSource<'a>> {
    let declared = key.declared;
    let field = the_field(declared, material, found);
    let encoding = resolve_encoding(key, material, field, found);
    let field = field?;
    match field.value {
        Field::Command => {
            let argv = material.command.as_ref().and_then(|command| arguments(declared, command, found));
            Some(WrittenSource::Command(argv?, encoding?))
        }
        Field::File => {
            let path = material.file.as_ref().and_then(|path| file(declared.text(path), found));
            Some(WrittenSource::File(path?, encoding?))
        }
        Field::Env => Some(WrittenSource::Env(declared.text(material.env.as_ref()?), encoding?)),
        Field::Stdin => encoding.map(WrittenSource::Stdin),
        Field::Prewrapped => Some(WrittenSource::Prewrapped),
    }
}

/// Returns the one field that says where material comes from, with its place, and reports none and several.
fn the_field(declared: &Declared<RawKey>, material: &RawMaterial, found: &mut Diagnostics) -> Option<Located<Field>> {
    let stdin = only_true(declared, "stdin", material.stdin.as_ref(), SOURCES, found);
    let prewrapped = only_true(declared, "prewrapped", material.prewrapped.as_ref(), SOURCES, found);
    let all = [
        (Field::Command, material.command.as_ref().map(|value| declared.at(value))),
        (Field::File, material.file.as_ref().map(|value| declared.at(value))),
        (Field::Env, material.env.as_ref().map(|value| declared.at(value))),
        (Field::Stdin, stdin),
        (Field::Prewrapped, prewrapped),
    ];
    let given: Vec<Located<Field>> =
        all.iter().filter_map(|(field, loc)| Some(Located::new(*field, (*loc)?))).collect();
    let name = declared.text(&material.name);
    match given.as_slice() {
        [only] => Some(*only),
        [] => {
            let refused = material.stdin.is_some() || material.prewrapped.is_some();
            if !refused && !declared.suspect {
                let message = format!("the material `{}` comes from nowhere", text::escape(name.value));
                let diagnostic = Diagnostic::error(Code::MaterialSource, message);
                found.push(diagnostic.label(name.loc, "this material").help(SOURCES));
            }
            None
        }
        several => {
            let names: Vec<String> = several.iter().map(|field| format!("`{}`", field.value.name())).collect();
            let message = format!(
                "the material `{}` comes from one place, not from {}",
                text::escape(name.value),
                text::and_list(&names)
            );
            let mut diagnostic = Diagnostic::error(Code::MaterialSource, message);
            for (at, field) in several.iter().enumerate() {
                diagnostic = diagnostic.label(field.loc, if at == 0 { "this one" } else { "or this one" });
            }
            found.push(diagnostic.help("keep one of them"));
            None
        }
    }
}

/// Returns a program and its arguments, and reports a list that names none.
fn arguments<'a>(
    declared: &Declared<RawKey>,
    command: &'a List<String>,
    found: &mut Diagnostics,
) -> Option<Vec<Located<&'a str>>> {
    let argv = declared.texts(command);
    let program = argv.value.first().map(|program| program.value);
    if program.is_none_or(str::is_empty) {
        let (loc, label) = match argv.value.first() {
            Some(program) => (program.loc, "an empty string"),
            None => (argv.loc, "an empty list"),
        };
        let help = "write the program and its arguments, like `command = [\"pass\", \"show\", \"kms/root\"]`: there is no shell";
        found.push(Diagnostic::error(Code::MaterialSource, "`command` names no program").label(loc, label).help(help));
        return None;
    }
    let mut sound = true;
    for argument in &argv.value {
        sound &= without_nul(argument, found);
    }
    sound.then_some(argv.value)
}

/// Returns the path of a file, and reports one that names none.
fn file<'a>(path: Located<&'a str>, found: &mut Diagnostics) -> Option<Located<&'a str>> {
    let problem = if path.value.is_empty() {
        Some(("`file` names no file", "an empty string"))
    } else if path.value == "~" || path.value.starts_with("~/") {
        Some(("`~` does not mean a home folder in `file`", "no shell replaces it"))
    } else {
        None
    };
    if let Some((message, label)) = problem {
        let help = "write the path from the folder of this manifest file, or from `/`";
        found.push(Diagnostic::error(Code::MaterialSource, message).label(path.loc, label).help(help));
        return None;
    }
    without_nul(&path, found).then_some(path)
}

/// Returns whether the system takes a text as a path or an argument, and reports it otherwise.
fn without_nul(written: &Located<&str>, found: &mut Diagnostics) -> bool {
    let sound = !written.value.contains('\0');
    if !sound {
        let message = "no path and no argument contains a NUL character";
        let diagnostic = Diagnostic::error(Code::MaterialSource, message).label(written.loc, "contains one");
        found.push(diagnostic.help("take it out"));
    }
    sound
}

/// Returns whether a text is a name that shells and systems take for a variable.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn no_variable(name: &str, loc: Loc) -> Diagnostic {
    let message = format!("`{}` is not the name of an environment variable", text::escape(name));
    Diagnostic::error(Code::MaterialSource, message)
        .label(loc, "not letters, digits and `_` that begin with no digit")
        .help("name the variable without `$`, like `env = \"ROOT_KEY\"`")
}

/// Returns how material is written, and reports what does not go with its source and spec.
fn resolve_encoding(
    key: &Importing<'_>,
    material: &RawMaterial,
    field: Option<Located<Field>>,
    found: &mut Diagnostics,
) -> Option<MaterialEncoding> {
    let declared = key.declared;
    let choices = text::or_list(&choices(key.spec, field));
    let prewrapped = field.filter(|field| field.value == Field::Prewrapped);
    let Some(written) = &material.encoding else {
        if let Some(field) = field.filter(|_| prewrapped.is_none() && !declared.suspect) {
            let name = text::escape(material.name.get());
            let message = format!("the material `{name}` needs an `encoding`: its bytes could be read in several ways");
            let diagnostic = Diagnostic::error(Code::MaterialEncoding, message);
            found.push(diagnostic.label(field.loc, "written how?").help(format!("set `encoding` to {choices}")));
        }
        return None;
    };
    let (encoding, loc) = (written.get().0, declared.at(written));
    let word = encoding.name();
    if let Some(field) = prewrapped {
        found.push(
            Diagnostic::error(Code::MaterialEncoding, "material that is encrypted elsewhere has no `encoding`")
                .label(loc, "of what keywright never sees")
                .label(field.loc, "encrypted elsewhere")
                .help("leave `encoding` out: what comes is the encrypted material as KMS takes it"),
        );
        return None;
    }
    if let Some(spec) = key.spec.filter(|spec| !fits(encoding, *spec)) {
        let what = if is_private_key(spec) { "a private key" } else { "a secret, bytes alone" };
        let message = format!("the material of a key of {spec} is {what}, not written as `{word}`");
        let (place, label) = key.spec_label();
        found.push(
            Diagnostic::error(Code::MaterialEncoding, message)
                .label(loc, format!("not with {spec}"))
                .label(place, label)
                .help(format!("set `encoding` to {choices}")),
        );
        return None;
    }
    if let Some(field) = field.filter(|field| field.value == Field::Env && !is_text(encoding)) {
        let message = format!("an environment variable holds text, and `{word}` is none");
        found.push(
            Diagnostic::error(Code::MaterialEncoding, message)
                .label(loc, "any bytes")
                .label(field.loc, "text alone")
                .help(format!("set `encoding` to {choices}")),
        );
        return None;
    }
    Some(encoding)
}

/// Returns the words of the encodings that go with a spec and a source.
fn choices(spec: Option<KeySpec>, field: Option<Located<Field>>) -> Vec<&'static str> {
    let env = field.is_some_and(|field| field.value == Field::Env);
    let legal =
        |encoding: &&MaterialEncoding| spec.is_none_or(|spec| fits(**encoding, spec)) && (!env || is_text(**encoding));
    MaterialEncoding::ALL.iter().filter(legal).map(|encoding| encoding.name()).collect()
}

/// Returns whether material of a spec can be written so: secrets are bare bytes, private keys are PKCS#8.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html>
fn fits(encoding: MaterialEncoding, spec: KeySpec) -> bool {
    match encoding {
        MaterialEncoding::Hex | MaterialEncoding::Base64 => true,
        MaterialEncoding::Raw => !is_private_key(spec),
        MaterialEncoding::Pem | MaterialEncoding::Der => is_private_key(spec),
    }
}

fn is_private_key(spec: KeySpec) -> bool {
    spec.is_asymmetric()
}

/// Returns whether an encoding is of characters that any variable can hold.
fn is_text(encoding: MaterialEncoding) -> bool {
    match encoding {
        MaterialEncoding::Hex | MaterialEncoding::Base64 | MaterialEncoding::Pem => true,
        MaterialEncoding::Raw | MaterialEncoding::Der => false,
    }
}

/// Reports materials of which more than one comes from standard input, which can be read once.
pub(super) fn check_stdin(keys: &Declarations<RawKey>, found: &mut Diagnostics) {
    let mut places = Vec::new();
    for declared in keys.values() {
        let imports = declared.raw.iter().filter_map(|raw| raw.import.as_ref());
        let stdin = imports.flat_map(|import| &import.get().material).filter_map(|material| material.stdin.as_ref());
        places.extend(stdin.filter(|stdin| *stdin.get()).map(|stdin| declared.at(stdin)));
    }
    if places.len() < 2 {
        return;
    }
    places.sort();
    let message = "one material of a manifest comes from standard input: it can be read once";
    let mut diagnostic = Diagnostic::error(Code::MaterialSource, message);
    for (at, place) in places.iter().enumerate() {
        diagnostic = diagnostic.label(*place, if at == 0 { "reads it" } else { "would find nothing left" });
    }
    found.push(diagnostic.help("keep one `stdin = true`, and give the others by `file`, `env` or `command`"));
}
