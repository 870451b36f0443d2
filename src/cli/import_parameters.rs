//! `keywright import-parameters`: gets the public key and the token with which key material is encrypted elsewhere.

mod folder;

use super::args::{Format, ImportParametersOptions as Options, ScopeOptions};
use super::custody::{ParameterFolder, Parameters};
use super::load::{self, Manifest};
use super::observe::{Observed, observe, plan_observed};
use super::printer::Printer;
use super::session::{Purpose, Session, next_command, shell_word};
use crate::desired::{DesiredKey, Import, MaterialPresence, MaterialSource};
use crate::exit::Exit;
use crate::ids::{KeyArn, MaterialName, TargetName};
use crate::kms::{IMPORT_TOKEN_HOURS, WrappingAlgorithm};
use crate::plan::{Action, Plan, PlanOptions, PlanPurpose, Why, Wrapping};
use crate::ports::KeyWriter as _;
use crate::render::json;
use crate::text::{escape, or_list};
use serde_json::json;
use std::collections::BTreeSet;

/// Runs the command.
pub async fn run(options: &Options, printer: &mut Printer) -> Exit {
    match get(options, printer).await {
        Ok(exit) | Err(exit) => exit,
    }
}

/// Parameters that were written.
struct Got {
    folder: ParameterFolder,
    parameters: Parameters,
}

async fn get(options: &Options, printer: &mut Printer) -> Result<Exit, Exit> {
    let scope = ScopeOptions { targets: options.targets.clone(), keys: vec![options.key.clone()] };
    let manifest = load::load(&options.manifest, options.format.format, printer)?.narrow(&scope, printer)?;
    prewrapped_materials(options, &manifest).map_err(|why| refuse(&why, Exit::Usage, printer))?;
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Deploy), printer).await?;
    let exit = Box::pin(get_in(options, &scope, &manifest, &session, printer)).await;
    session.tell_calls(printer);
    session.close().await;
    exit
}

fn refuse(why: &str, exit: Exit, printer: &mut Printer) -> Exit {
    printer.error(why);
    exit
}

async fn get_in(
    options: &Options,
    scope: &ScopeOptions,
    manifest: &Manifest,
    session: &Session,
    printer: &mut Printer,
) -> Result<Exit, Exit> {
    let observed = observe(manifest, session, scope, &options.pace, printer).await;
    observed.demand_something()?;
    let plan = what_is_due(options, manifest, &observed);
    let material = choose(options, manifest, &plan).map_err(|why| refuse(&why, Exit::Usage, printer))?;
    let keys = live_keys((options, manifest), &plan, printer)?;
    for (target, _) in &keys {
        let folder = ParameterFolder::new(&options.out, target);
        if let Some(why) = folder::still_valid(&folder, session.clock.now()).filter(|_| !options.force) {
            return Err(refuse(&why, Exit::Failed, printer));
        }
    }
    let (mut got, mut exit) = (Vec::new(), observed.failure.unwrap_or(Exit::Done));
    for (target, arn) in keys {
        match get_for(options, manifest, session, (&target, &arn, &material)).await {
            Ok(parameters) => got.push(parameters),
            Err(why) => exit = exit.gravest(refuse(&format!("target {target}: {why}"), Exit::Failed, printer)),
        }
    }
    if !got.is_empty() {
        let next = next_command(
            session,
            &options.manifest.files,
            &ScopeOptions { targets: options.targets.clone(), keys: Vec::new() },
            &format!(
                "apply --prewrapped {}",
                shell_word(&format!("{}/{material}={}", options.key, options.out.display()))
            ),
        );
        tell(options.format.format, &got, &next, printer);
    }
    Ok(exit)
}

/// Plans the key as if all its materials that are encrypted elsewhere were there: what is not imported again merely
/// because it is there is due.
fn what_is_due(options: &Options, manifest: &Manifest, observed: &Observed) -> Plan {
    let materials = prewrapped_materials(options, manifest).unwrap_or_default();
    let engine = PlanOptions {
        only_keys: Some([options.key.clone()].into()),
        purpose: PlanPurpose::Review,
        prewrapped: materials.into_iter().map(|material| (options.key.clone(), material)).collect(),
        ..PlanOptions::default()
    };
    plan_observed(manifest, observed, &engine)
}

fn keys<'a>(options: &Options, manifest: &'a Manifest) -> impl Iterator<Item = (&'a TargetName, &'a DesiredKey)> {
    let name = options.key.clone();
    let all = manifest.desired.targets.iter().flat_map(|target| target.keys.iter().map(move |key| (&target.name, key)));
    all.filter(move |(_, key)| key.name == name)
}

/// Returns the materials of the key that are encrypted elsewhere, in the order of the manifest; never empty.
fn prewrapped_materials(options: &Options, manifest: &Manifest) -> Result<Vec<MaterialName>, String> {
    let key = &options.key;
    let Some((_, declared)) = keys(options, manifest).next() else {
        return Err(format!("none of these targets has the key `{key}`"));
    };
    let Some(import) = declared.import() else {
        return Err(format!(
            "the manifest does not say how material of `{key}` comes in; set origin = \"external\" and add [key.{key}.import]"
        ));
    };
    if import.presence == MaterialPresence::Deleted {
        return Err(format!(
            "the manifest deletes the material of `{key}`; to import it, set material_state = \"imported\""
        ));
    }
    let elsewhere = import.materials.iter().filter(|material| material.source == MaterialSource::Prewrapped);
    let found: Vec<MaterialName> = elsewhere.map(|material| material.name.clone()).collect();
    if let Some(wanted) = options.material.as_ref().filter(|wanted| !found.contains(wanted)) {
        return Err(not_elsewhere(wanted, options, import));
    }
    if found.is_empty() {
        return Err(format!("no material of `{key}` is encrypted elsewhere: say prewrapped = true of the one that is"));
    }
    Ok(found)
}

fn not_elsewhere(wanted: &MaterialName, options: &Options, import: &Import) -> String {
    let key = &options.key;
    if import.materials.iter().any(|material| material.name == *wanted) {
        return format!(
            "`apply` itself encrypts the material `{wanted}` of `{key}`; to do that elsewhere, say prewrapped = true"
        );
    }
    let known = import.materials.iter().map(|material| material.name.as_str());
    let hint = crate::text::did_you_mean(wanted.as_str(), known).map(|known| format!("; did you mean `{known}`?"));
    format!("the key `{key}` has no material `{wanted}`{}", hint.unwrap_or_default())
}

/// Returns the material that is asked for, else the one that is due, else the only one.
fn choose(options: &Options, manifest: &Manifest, plan: &Plan) -> Result<MaterialName, String> {
    if let Some(asked) = &options.material {
        return Ok(asked.clone());
    }
    let due: BTreeSet<&MaterialName> = plan
        .targets
        .iter()
        .flat_map(|target| target.outcome.steps())
        .filter(|step| step.why != Why::Asked)
        .filter_map(|step| {
            let Action::ImportKeyMaterial { material, wrapping: Wrapping::Before, .. } = &step.action else {
                return None;
            };
            Some(material)
        })
        .collect();
    let all = prewrapped_materials(options, manifest)?;
    match (due.first(), due.len(), all.as_slice()) {
        (Some(material), 1, _) => Ok((*material).clone()),
        (_, _, [only]) => Ok(only.clone()),
        _ => Err(format!(
            "which material is it to be? give --material {}",
            or_list(&all.iter().map(MaterialName::as_str).collect::<Vec<_>>())
        )),
    }
}

/// Returns the key of each target in which it is ours.
fn live_keys(
    (options, manifest): (&Options, &Manifest),
    plan: &Plan,
    printer: &mut Printer,
) -> Result<Vec<(TargetName, KeyArn)>, Exit> {
    let key = &options.key;
    let found = plan.targets.iter().filter_map(|target| Some((target.name.clone(), target.keys.get(key)?.clone())));
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        let why = format!("there is no key `{key}` of this stack yet; see `plan --key {key}`, and apply that first");
        return Err(refuse(&why, Exit::Failed, printer));
    }
    for (target, _) in keys(options, manifest).filter(|(target, _)| found.iter().all(|(name, _)| name != *target)) {
        printer
            .status(&format!("target {target}: there is no key `{key}` of this stack yet, so nothing is got for it"));
    }
    Ok(found)
}

/// Gets the parameters of one key, and writes them.
async fn get_for(
    options: &Options,
    manifest: &Manifest,
    session: &Session,
    (target, arn, material): (&TargetName, &KeyArn, &MaterialName),
) -> Result<Got, String> {
    let connection = session.target(target).ok_or("it is not connected")?;
    let import = keys(options, manifest).find(|(name, _)| *name == target).and_then(|(_, key)| key.import());
    let import = import.ok_or("the manifest does not say how material comes in")?;
    let answer = connection
        .import_parameters(&arn.key_id(), import.algorithm, import.wrapping_key)
        .await
        .map_err(|error| error.to_string())?;
    let day = jiff::SignedDuration::from_hours(i64::from(IMPORT_TOKEN_HOURS));
    let parameters = Parameters {
        format_version: Parameters::format_version(),
        stack: manifest.desired.stack.clone(),
        key: options.key.clone(),
        material: material.clone(),
        target: target.clone(),
        key_arn: arn.clone(),
        algorithm: import.algorithm.to_string(),
        wrapping_key: import.wrapping_key.to_string(),
        valid_to: whole_seconds(answer.valid_to.unwrap_or_else(|| session.clock.now() + day)),
    };
    let folder = ParameterFolder::new(&options.out, target);
    folder::write(&options.out, &folder, &parameters, &answer)
        .map_err(|error| format!("cannot write to {}: {error}", escape(&folder.path().to_string_lossy())))?;
    Ok(Got { folder, parameters })
}

fn tell(format: Format, got: &[Got], next: &str, printer: &mut Printer) {
    match format {
        Format::Text => printer.answer(&in_words(got, next)),
        Format::Json => printer.answer(&json::to_text(&to_json(got))),
    }
}

fn to_json(got: &[Got]) -> serde_json::Value {
    let first = got.first().map(|got| &got.parameters);
    let targets = got.iter().map(|Got { folder, parameters }| {
        json!({
            "name": parameters.target, "key_arn": parameters.key_arn, "folder": folder.path().to_string_lossy(),
            "algorithm": parameters.algorithm, "wrapping_key": parameters.wrapping_key, "valid_to": parameters.valid_to,
        })
    });
    json!({
        "format_version": json::FORMAT_VERSION,
        "stack": first.map(|first| &first.stack), "key": first.map(|first| &first.key),
        "material": first.map(|first| &first.material), "targets": targets.collect::<Vec<_>>(),
    })
}

fn in_words(got: &[Got], next: &str) -> String {
    let mut lines = Vec::new();
    for Got { folder, parameters } in got {
        lines.push(format!(
            "Target {}: {}: {} under {}, valid until {}",
            parameters.target,
            escape(&folder.path().to_string_lossy()),
            parameters.algorithm,
            parameters.wrapping_key,
            parameters.valid_to
        ));
    }
    lines.push(String::new());
    lines.push("Next:".to_owned());
    lines.push(
        "  1. have the hardware module encrypt the material under wrapping-key.der; without one, for each target:"
            .to_owned(),
    );
    for Got { folder, parameters } in got {
        lines.extend(openssl(folder, parameters).into_iter().map(|line| format!("       {line}")));
    }
    let wrapped: Vec<String> =
        got.iter().map(|got| escape(&got.folder.wrapped().to_string_lossy()).into_owned()).collect();
    lines.push(format!("  2. put what comes out into {}", crate::text::and_list(&wrapped)));
    let soonest = got.iter().map(|got| got.parameters.valid_to).min();
    let before = soonest.map(|time| format!("   # before {time}")).unwrap_or_default();
    lines.push(format!("  3. {next}{before}"));
    lines.join("\n")
}

/// Returns how OpenSSL encrypts, where no hardware module does.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-encrypt-key-material.html>
fn openssl(folder: &ParameterFolder, parameters: &Parameters) -> Vec<String> {
    let word = |path: std::path::PathBuf| escape(&shell_word(&path.to_string_lossy())).into_owned();
    let (key, wrapped) = (word(folder.wrapping_key_pem()), word(folder.wrapped()));
    let algorithm: Option<WrappingAlgorithm> = parameters.algorithm.parse().ok();
    let hash = match algorithm {
        Some(WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::AesKeyWrapSha1) => "sha1",
        Some(WrappingAlgorithm::OaepSha256 | WrappingAlgorithm::AesKeyWrapSha256) | None => "sha256",
    };
    let oaep = format!(
        "openssl pkeyutl -encrypt -pubin -inkey {key} -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{hash} \
         -pkeyopt rsa_mgf1_md:{hash}"
    );
    if algorithm.is_some_and(WrappingAlgorithm::uses_aes) {
        vec![
            "openssl rand -out aes.key 32".to_owned(),
            format!("{oaep} -in aes.key -out {wrapped}"),
            "openssl enc -id-aes256-wrap-pad -iv A65959A6 -K \"$(xxd -p -c 64 aes.key)\" -in private-key.der -out private-key.wrapped"
                .to_owned(),
            format!("cat private-key.wrapped >> {wrapped}; rm aes.key"),
        ]
    } else {
        vec![format!("{oaep} -in material.bin -out {wrapped}")]
    }
}
/// Returns a moment without fractions, which people read.
fn whole_seconds(time: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(time.as_second()).unwrap_or(time)
}
