//! `keywright access lint`: what in policies, grants and settings is vain, too wide or dangerous.

use super::look::demand_account;
use crate::cli::args::{Format, LintOptions, ScopeOptions};
use crate::cli::load::{self, Manifest};
use crate::cli::printer::{Printer, Talk};
use crate::cli::session::{Purpose, Session};
use crate::desired::DesiredTarget;
use crate::exit::Exit;
use crate::ids::AccountId;
use crate::lint::{IdentityPolicy, IdentityPolicyKind, LintIdentity, LintKey, lint_document, lint_identity, lint_key};
use crate::live::{LiveIdentity, LiveKey, LiveKeys, Observed, PolicySource};
use crate::read::{self, ReadOptions};
use crate::render::{LintDetail, LintGroup, json, lints_to_json, render_lints};
use crate::review::key_lints;
use crate::text::escape;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

/// Runs the command.
pub(super) async fn run(options: &LintOptions, printer: &mut Printer) -> Result<Exit, Exit> {
    let (groups, exit) = match &options.policy {
        Some(path) => (vec![of_file(path, printer)?], Exit::Done),
        None if options.world.live => Box::pin(of_live(options, printer)).await?,
        None => (of_manifest(options, printer)?, Exit::Done),
    };
    let detail = if printer.talk() == Talk::Verbose { LintDetail::Everything } else { LintDetail::Warnings };
    match options.world.format.format {
        Format::Text => printer.answer(&render_lints(&groups, printer.answer_painter(), detail)),
        Format::Json => printer.answer(&json::to_text(&lints_to_json(&groups))),
    }
    let grave = |group: &LintGroup| {
        group.findings.iter().any(|finding| options.fail_on.is_some_and(|least| finding.severity >= least.into()))
    };
    Ok(if groups.iter().any(grave) { exit.gravest(Exit::Blocked) } else { exit })
}

/// Looks at one policy alone.
fn of_file(path: &Path, printer: &mut Printer) -> Result<LintGroup, Exit> {
    let name = escape(&path.to_string_lossy()).into_owned();
    let text = read_text(path).map_err(|error| {
        printer.error(&format!("cannot read {name}: {error}"));
        Exit::Failed
    })?;
    let findings = lint_document(&text, None).map_err(|error| {
        printer.error(&format!("{name} is no policy: {}", escape(&error.to_string())));
        Exit::Failed
    })?;
    Ok(LintGroup { name: path.to_string_lossy().into_owned(), findings })
}

fn read_text(path: &Path) -> std::io::Result<String> {
    if path != Path::new("-") {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn scope(options: &LintOptions) -> ScopeOptions {
    ScopeOptions { targets: options.target.targets.clone(), keys: Vec::new() }
}

fn load(options: &LintOptions, printer: &mut Printer) -> Result<Manifest, Exit> {
    load::validate(&options.world.manifest, options.world.format.format, printer)?.narrow(&scope(options), printer)
}

/// Looks at the keys as the manifest will make them.
fn of_manifest(options: &LintOptions, printer: &mut Printer) -> Result<Vec<LintGroup>, Exit> {
    if options.world.connection.sandbox_dir().is_some() {
        printer.error("--sandbox says where --live reads; give --live too, or neither to look at the manifest");
        return Err(Exit::Usage);
    }
    let manifest = load(options, printer)?;
    let group = |lints: crate::review::KeyLints| LintGroup {
        name: format!("{} (target {})", lints.key, lints.target),
        findings: lints.findings,
    };
    Ok(key_lints(&manifest.desired).into_iter().map(group).collect())
}

/// Looks at every key of the targets' accounts and Regions, whoever made it, and at everybody in the accounts.
async fn of_live(options: &LintOptions, printer: &mut Printer) -> Result<(Vec<LintGroup>, Exit), Exit> {
    let manifest = load(options, printer)?;
    let world = &options.world;
    let session = Session::open(&manifest.desired, &world.connection, (&world.pace, Purpose::Deploy), printer).await?;
    let exit = session.failure.unwrap_or(Exit::Done);
    let mut seen = Seen { groups: Vec::new(), exit, accounts: BTreeSet::new() };
    for target in &manifest.desired.targets {
        if let Err(error) = seen.read(&session, target, usize::from(world.pace.parallel)).await {
            printer.error(&error);
            seen.exit = Exit::Failed;
        }
    }
    session.tell_calls(printer);
    session.close().await;
    if seen.groups.is_empty() && seen.exit != Exit::Done { Err(seen.exit) } else { Ok((seen.groups, seen.exit)) }
}

/// What was found so far.
struct Seen {
    groups: Vec<LintGroup>,
    exit: Exit,
    accounts: BTreeSet<AccountId>,
}

impl Seen {
    async fn read(&mut self, session: &Session, target: &DesiredTarget, parallel: usize) -> Result<(), String> {
        let Some(connection) = session.target(&target.name) else { return Ok(()) };
        demand_account(session, target).await?;
        let mut options = ReadOptions::new(session.backend(&target.name));
        options.parallel = parallel;
        let keys = read::every_key(connection, &target.region, &options).await.map_err(|error| error.to_string())?;
        let keys = allowed(keys, &format!("the keys of target {}", target.name))?;
        let mut unread = Vec::new();
        for key in &keys.keys {
            match of_key(&keys, key, target) {
                Ok(group) => self.groups.push(group),
                Err(reason) => unread.push(reason),
            }
        }
        if self.accounts.insert(target.account.clone()) {
            let identities = read::read_identities(connection).await.map_err(|error| error.to_string())?;
            let identities = allowed(identities, &format!("the identities of account {}", target.account))?;
            self.groups.extend(identities.principals.iter().map(of_identity));
        }
        if unread.is_empty() { Ok(()) } else { Err(unread.join("\n")) }
    }
}

/// Not allowed to look is not the same as nothing there.
fn allowed<T>(observed: Observed<T>, what: &str) -> Result<T, String> {
    match observed {
        Observed::Known(value) => Ok(value),
        Observed::Denied { action, message } => {
            Err(format!("{what} were not looked at: {action} was denied: {}", escape(&message)))
        }
    }
}

fn of_key(keys: &LiveKeys, key: &LiveKey, target: &DesiredTarget) -> Result<LintGroup, String> {
    let facts = keys.facts(key).map_err(|gap| format!("{}: {}", key.arn, escape(&gap.to_string())))?.facts;
    let alias = facts.aliases.first().map(|alias| format!("{alias}, ")).unwrap_or_default();
    let name = format!("{} ({alias}target {})", key.arn, target.name);
    Ok(LintGroup { name, findings: lint_key(LintKey::live(&facts, key)) })
}

fn of_identity(identity: &LiveIdentity) -> LintGroup {
    let names: Vec<String> = identity.policies.iter().map(|policy| policy.source.to_string()).collect();
    let policies = identity.policies.iter().zip(&names).map(|(policy, name)| IdentityPolicy {
        name,
        kind: kind(&policy.source),
        document: &policy.document,
    });
    let arn = identity.arn.to_string();
    let findings = lint_identity(&LintIdentity { arn: &arn, policies: policies.collect() });
    LintGroup { name: arn, findings }
}

fn kind(source: &PolicySource) -> IdentityPolicyKind {
    let managed = |arn: &str| match arn.split(':').nth(4) {
        Some("aws") => IdentityPolicyKind::AwsManaged,
        Some(_) | None => IdentityPolicyKind::CustomerManaged,
    };
    match source {
        PolicySource::Managed { arn } => managed(arn),
        PolicySource::Group { policy, .. } if policy.starts_with("arn:") => managed(policy),
        PolicySource::Inline { .. } | PolicySource::Group { .. } => IdentityPolicyKind::Inline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managed_policies_of_aws_are_told_from_the_customers() {
        let group = |policy: &str| PolicySource::Group { group: "g".to_owned(), policy: policy.to_owned() };
        let managed = |arn: &str| PolicySource::Managed { arn: arn.to_owned() };
        for (source, expected) in [
            (managed("arn:aws:iam::aws:policy/AdministratorAccess"), IdentityPolicyKind::AwsManaged),
            (managed("arn:aws:iam::111122223333:policy/x"), IdentityPolicyKind::CustomerManaged),
            (group("arn:aws:iam::aws:policy/ReadOnlyAccess"), IdentityPolicyKind::AwsManaged),
            (group("own"), IdentityPolicyKind::Inline),
        ] {
            assert_eq!(kind(&source), expected, "{source}");
        }
    }
}
