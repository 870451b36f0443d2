//! The custody of key material: it is opened before anything is written, kept out of core dumps and of the swap, and
//! comes out encrypted alone.
//!
//! What cannot be kept from here: a variable stays in the environment that this process was started with, and what a
//! command prints passes through a pipe of the system.

mod command;
mod memory;
mod parameters;
mod prewrapped;
mod read;

pub use parameters::{ParameterFolder, Parameters};

use super::args::{CustodyOptions, PrewrappedFolder};
use super::load::Manifest;
use super::report;
use crate::cli::args::Format;
use crate::cli::printer::Printer;
use crate::desired::{DesiredKey, DesiredMaterial, DesiredTarget, MaterialEncoding, MaterialSource};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::exit::Exit;
use crate::ids::{KeyArn, KeyName, MaterialName, TargetName};
use crate::import::Material;
use crate::kms::KeySpec;
use crate::plan::{Action, Outcome, Owner, Plan, Step, TargetPlan};
use crate::ports::Prewrapped;
use crate::secret::SecretBytes;
use read::How;
use region::LockGuard;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whose material: the target, the key, the name.
type Place = (TargetName, KeyName, MaterialName);

/// A material that a run needs.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The target.
    pub target: &'a DesiredTarget,
    /// The key.
    pub key: &'a DesiredKey,
    /// The material.
    pub material: &'a DesiredMaterial,
    /// The key that is live, which material that was encrypted elsewhere must be for.
    pub live: Option<&'a KeyArn>,
}

/// The material of a run. Nothing of it is ever shown.
#[derive(Default)]
pub struct Custody {
    held: BTreeMap<Place, Arc<Held>>,
    prewrapped: BTreeMap<Place, Prewrapped>,
    remarks: Vec<String>,
}

/// A material and the lock on its memory, which goes first.
struct Held {
    lock: Option<LockGuard>,
    material: Material,
}

/// Why a material cannot be had. None of it is ever part of the words.
#[derive(Debug)]
struct Trouble {
    code: Code,
    what: String,
    help: String,
}

impl Held {
    fn lock_again(&self) {
        if self.lock.is_some() {
            memory::lock_again(self.material.bytes().expose_secret());
        }
    }
}

impl Trouble {
    fn unreadable(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code: Code::MaterialUnreadable, what: what.into(), help: help.into() }
    }
}

impl fmt::Debug for Custody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custody")
            .field("held", &self.held.keys())
            .field("prewrapped", &self.prewrapped.keys())
            .finish_non_exhaustive()
    }
}

/// Returns the materials that the executable steps of a plan import, in the order of the manifest.
pub fn wanted_by<'a>(plan: &'a Plan, manifest: &'a Manifest) -> Vec<Wanted<'a>> {
    let mut wanted = Vec::new();
    for target in &plan.targets {
        let Outcome::Ready(applyable) = &target.outcome else { continue };
        wanted.extend(applyable.steps().iter().filter_map(|step| wanted_by_step(target, step, manifest)));
    }
    wanted.sort_by_key(|wanted: &Wanted<'_>| wanted.key.places.materials.get(&wanted.material.name));
    wanted
}

fn wanted_by_step<'a>(target: &'a TargetPlan, step: &'a Step, manifest: &'a Manifest) -> Option<Wanted<'a>> {
    let (Action::ImportKeyMaterial { material, .. }, Owner::Key(name)) = (&step.action, &step.owner) else {
        return None;
    };
    let desired = manifest.desired.targets.iter().find(|desired| desired.name == target.name)?;
    let key = desired.keys.iter().find(|key| key.name == *name)?;
    let material = key.import()?.materials.iter().find(|declared| declared.name == *material)?;
    Some(Wanted { target: desired, key, material, live: target.keys.get(name) })
}

/// Where material may come from, and where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// What the operator consents to.
    pub consent: CustodyOptions,
    /// Material that was encrypted elsewhere.
    pub prewrapped: &'a [PrewrappedFolder],
    /// The time.
    pub now: jiff::Timestamp,
}

impl Access<'_> {
    /// Checks all that can be checked before anybody is asked and any material is opened: consent, and what was
    /// encrypted elsewhere.
    ///
    /// # Errors
    /// With the exit code, when every reason has been printed, in the order of the manifest.
    pub fn prepare(&self, wanted: &[Wanted<'_>], printer: &mut Printer) -> Result<Custody, Exit> {
        let (mut custody, mut wrong) = (Custody::default(), Diagnostics::default());
        for wanted in wanted {
            match &wanted.material.source {
                MaterialSource::Prewrapped => match self.encrypted(wanted) {
                    Ok(given) => {
                        custody.prewrapped.insert(place(wanted), given);
                    }
                    Err(trouble) => wrong.push(self.diagnostic(wanted, trouble)),
                },
                MaterialSource::Command { .. } if !self.consent.allow_command => {
                    wrong.push(self.diagnostic(wanted, no_command()));
                }
                MaterialSource::Command { .. }
                | MaterialSource::File { .. }
                | MaterialSource::Env { .. }
                | MaterialSource::Stdin { .. } => {}
            }
        }
        self.refuse(wrong, printer).map(|()| custody)
    }

    /// Opens all materials that a run needs and checks that each fits its key.
    ///
    /// # Errors
    /// With the exit code, when every reason has been printed, in the order of the manifest: 5 where consent is missing,
    /// else 1.
    pub fn open(&self, wanted: &[Wanted<'_>], mut custody: Custody, printer: &mut Printer) -> Result<Custody, Exit> {
        let wanted: Vec<_> =
            wanted.iter().filter(|wanted| wanted.material.source != MaterialSource::Prewrapped).collect();
        if !wanted.is_empty() {
            custody.remarks = memory::hide_process();
        }
        let hidden = hidden_variables(self.manifest);
        let (mut opened, mut wrong) = (Vec::<Opened>::new(), Diagnostics::default());
        for wanted in wanted {
            let place = place(wanted);
            let origin = Origin::of(wanted, self.manifest);
            if let Some(known) = opened.iter().find(|known| known.origin == origin) {
                custody.held.extend(known.held.clone().map(|held| (place, held)));
                continue;
            }
            let how = How { folder: &origin.folder, consent: self.consent, hidden: &hidden };
            let held = match hold(&origin, how, &mut custody.remarks) {
                Ok(held) => Some(Arc::new(held)),
                Err(trouble) => {
                    wrong.push(self.diagnostic(wanted, trouble));
                    None
                }
            };
            custody.held.extend(held.clone().map(|held| (place, held)));
            opened.push(Opened { origin, held });
            // Locks are of pages, and that of the text that was read may have ended on a page of others.
            opened.iter().filter_map(|opened| opened.held.as_ref()).for_each(|held| held.lock_again());
        }
        self.refuse(wrong, printer)?;
        custody.remarks.iter().for_each(|remark| printer.detail(remark));
        Ok(custody)
    }

    fn encrypted(&self, wanted: &Wanted<'_>) -> Result<Prewrapped, Trouble> {
        let given =
            self.prewrapped.iter().find(|given| given.key == wanted.key.name && given.material == wanted.material.name);
        let given = given.ok_or_else(|| {
            let (key, material) = (&wanted.key.name, &wanted.material.name);
            Trouble::unreadable("it is encrypted elsewhere", format!("give --prewrapped {key}/{material}=DIR"))
        })?;
        prewrapped::read(&given.folder, wanted, &self.manifest.desired.stack, self.now)
    }

    fn diagnostic(&self, wanted: &Wanted<'_>, trouble: Trouble) -> Diagnostic {
        let (key, material) = (&wanted.key.name, &wanted.material.name);
        let source = read::in_words(&wanted.material.source, &folder(wanted, self.manifest));
        let several = self.manifest.desired.targets.len() > 1;
        let target = if several { format!(" in target {}", wanted.target.name) } else { String::new() };
        let message = format!("the material `{material}` of key `{key}`{target}, from {source}: {}", trouble.what);
        let diagnostic = Diagnostic::error(trouble.code, message).help(trouble.help);
        match wanted.key.places.materials.get(material) {
            Some(loc) => diagnostic.label(*loc, "needed now"),
            None => diagnostic,
        }
    }

    /// Prints what is wrong, if anything is.
    fn refuse(&self, wrong: Diagnostics, printer: &mut Printer) -> Result<(), Exit> {
        if wrong.is_empty() {
            return Ok(());
        }
        let wrong = wrong.into_sorted();
        report::print(&wrong, &self.manifest.sources, Format::Text, printer);
        printer.status("Nothing was written.");
        let consent = wrong.iter().any(|diagnostic| diagnostic.code == Code::MaterialConsent);
        Err(if consent { Exit::Blocked } else { Exit::Failed })
    }
}

impl Custody {
    /// Returns a material that is held, for those who prove that a key has it.
    pub fn material(&self, target: &TargetName, key: &KeyName, material: &MaterialName) -> Option<&Material> {
        self.held.get(&(target.clone(), key.clone(), material.clone())).map(|held| &held.material)
    }

    /// Returns material that was encrypted elsewhere.
    pub fn prewrapped(&self, target: &TargetName, key: &KeyName, material: &MaterialName) -> Option<Prewrapped> {
        let given = self.prewrapped.get(&(target.clone(), key.clone(), material.clone()))?;
        let token = SecretBytes::new(given.token.expose_secret().to_vec());
        Some(Prewrapped { token, encrypted: given.encrypted.clone() })
    }
}

/// What a material is made from: the same is opened once, however many keys want it.
#[derive(Debug, PartialEq)]
struct Origin {
    source: MaterialSource,
    folder: PathBuf,
    spec: KeySpec,
}

impl Origin {
    fn of(wanted: &Wanted<'_>, manifest: &Manifest) -> Self {
        let (source, folder) = (wanted.material.source.clone(), folder(wanted, manifest));
        Self { source, folder, spec: wanted.key.material.kind().spec() }
    }
}

/// What was opened, or could not be.
struct Opened {
    origin: Origin,
    held: Option<Arc<Held>>,
}

/// Opens a material, checks it, and locks its memory.
fn hold(origin: &Origin, how: How<'_>, remarks: &mut Vec<String>) -> Result<Held, Trouble> {
    let given = read::read(&origin.source, how)?;
    let encoding = encoding(&origin.source).unwrap_or(MaterialEncoding::Raw);
    let reading = memory::lock(given.expose_secret()).ok();
    let material = Material::read(origin.spec, encoding, &given).map_err(|flaw| Trouble {
        code: Code::MaterialUnfit,
        what: flaw.to_string(),
        help: flaw.help(),
    })?;
    drop(reading);
    drop(given);
    let lock = memory::lock(material.bytes().expose_secret())
        .map_err(|remark| {
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        })
        .ok();
    Ok(Held { lock, material })
}

fn encoding(source: &MaterialSource) -> Option<MaterialEncoding> {
    match source {
        MaterialSource::Command { encoding, .. }
        | MaterialSource::File { encoding, .. }
        | MaterialSource::Env { encoding, .. }
        | MaterialSource::Stdin { encoding } => Some(*encoding),
        MaterialSource::Prewrapped => None,
    }
}

fn no_command() -> Trouble {
    let what = "it is printed by a command, and none is run without consent".to_owned();
    Trouble {
        code: Code::MaterialConsent,
        what,
        help: "read the command, then consent with --allow-command".to_owned(),
    }
}

fn place(wanted: &Wanted<'_>) -> Place {
    (wanted.target.name.clone(), wanted.key.name.clone(), wanted.material.name.clone())
}

/// Returns the folder of the manifest file that declares a material.
fn folder(wanted: &Wanted<'_>, manifest: &Manifest) -> PathBuf {
    let loc = wanted.key.places.materials.get(&wanted.material.name);
    let file = loc.and_then(|loc| manifest.sources.get(loc.source));
    file.and_then(|file| Path::new(&file.name).parent()).map(Path::to_owned).unwrap_or_default()
}

/// Returns the variables that hold material of any key of the manifest, wanted or not: no other process gets them.
fn hidden_variables(manifest: &Manifest) -> BTreeSet<String> {
    let targets = manifest.desired.targets.iter().chain(&manifest.desired.left_out);
    let imports = targets.flat_map(|target| &target.keys).filter_map(DesiredKey::import);
    let variables = imports.flat_map(|import| &import.materials).filter_map(|material| {
        if let MaterialSource::Env { variable, .. } = &material.source { Some(variable.clone()) } else { None }
    });
    variables.collect()
}

/// Returns whether any of the materials is read from standard input, where then nobody can answer.
pub fn takes_stdin(wanted: &[Wanted<'_>]) -> bool {
    wanted.iter().any(|wanted| matches!(wanted.material.source, MaterialSource::Stdin { .. }))
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
