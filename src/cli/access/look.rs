//! What a question is about: the world that a manifest declares, or the one that is live.

use crate::cli::args::{PaceOptions, ScopeOptions, WorldOptions};
use crate::cli::load::{self, Manifest};
use crate::cli::printer::Printer;
use crate::cli::session::{Purpose, Session};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget};
use crate::exit::Exit;
use crate::ids::{AccountId, AliasArn, KeyArn, Region, TargetName};
use crate::live::{NamedKey, Observed};
use crate::ports::{CallerReader as _, PortErrorKind};
use crate::read::{self, KeyNameError, ReadError};
use crate::render::{About, Setting};
use crate::text::{and_list, escape};
use crate::world::{self, Identities, World, WorldKey};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeMap;

/// What a question is about.
pub(super) struct Looked {
    /// The manifest, narrowed to the targets that are asked about.
    pub(super) manifest: Manifest,
    /// Its world, or that of its targets as it is.
    pub(super) world: World,
    /// Which of the two.
    pub(super) about: About,
    /// `Failed` where a key could not be read; the others are there.
    pub(super) exit: Exit,
    names: BTreeMap<String, String>,
    policy_names: BTreeMap<String, Vec<String>>,
}

impl Looked {
    fn new(manifest: Manifest, world: World, about: About) -> Self {
        let names = world.principals.iter().filter(|known| known.name != known.facts.arn);
        let names = names.map(|known| (known.facts.arn.clone(), known.name.clone())).collect();
        Self { manifest, world, about, exit: Exit::Done, names, policy_names: BTreeMap::new() }
    }

    /// Returns the key that is asked about.
    pub(super) fn key(&self, name: &str) -> Result<&WorldKey, String> {
        match (self.about, self.world.keys.as_slice()) {
            // What was read was found by its name.
            (About::Live, [key]) => Ok(key),
            (About::Live | About::Manifest, _) => self.world.key_named(name).map_err(|error| error.to_string()),
        }
    }

    /// Returns what the words of an answer need.
    pub(super) fn setting(&self) -> Setting<'_> {
        Setting {
            sources: &self.manifest.sources,
            names: &self.names,
            policy_names: &self.policy_names,
            gaps: &self.world.gaps,
        }
    }
}

/// Which keys a question is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// The one that somebody named.
    Named(&'a str),
    /// Those of the manifest that the command line does not leave out.
    Declared,
}

/// Looks at what a question is about.
///
/// # Errors
/// With the exit code, when the reason has been printed.
pub(super) async fn look(
    options: &WorldOptions,
    scope: &ScopeOptions,
    which: Which<'_>,
    printer: &mut Printer,
) -> Result<Looked, Exit> {
    if options.connection.sandbox_dir().is_some() && !options.live {
        printer.error("--sandbox says where --live reads; give --live too, or neither to ask about the manifest");
        return Err(Exit::Usage);
    }
    let manifest = load::validate(&options.manifest, options.format.format, printer)?.narrow(scope, printer)?;
    if !options.live {
        let mut world = world::of_manifest(&manifest.desired);
        world.keys.retain(|key| scope.keys.is_empty() || scope.keys.iter().any(|name| name.as_str() == key.name));
        return Ok(Looked::new(manifest, world, About::Manifest));
    }
    let manifest = match which {
        Which::Declared => manifest,
        Which::Named(name) => {
            let target = target_of(&manifest.desired, name).map_err(|error| {
                printer.error(&error);
                Exit::Usage
            })?;
            manifest.narrow(&ScopeOptions { targets: vec![target], keys: Vec::new() }, printer)?
        }
    };
    let session =
        Session::open(&manifest.desired, &options.connection, (&options.pace, Purpose::Deploy), printer).await?;
    if let Some(exit) = session.failure {
        // An answer about some of the targets would be a wrong one.
        session.close().await;
        return Err(exit);
    }
    let read = Box::pin(read_all(&manifest, &session, (scope, &options.pace), which)).await;
    session.tell_calls(printer);
    session.close().await;
    let (keys, identities) = read.map_err(|error| {
        printer.error(&error);
        Exit::Failed
    })?;
    let keys: Vec<(&DesiredTarget, &NamedKey)> =
        keys.iter().filter_map(|(name, key)| Some((target(&manifest.desired, name)?, key))).collect();
    let live = world::of_live(&manifest.desired, &keys, &identities);
    for gap in &live.unreadable {
        printer.error(&format!("{}; nothing can be said of the key", escape(&gap.to_string())));
    }
    let exit = if live.unreadable.is_empty() { Exit::Done } else { Exit::Failed };
    if live.world.keys.is_empty() {
        return Err(exit);
    }
    Ok(Looked { exit, policy_names: live.policy_names, ..Looked::new(manifest, live.world, About::Live) })
}

fn target<'s>(state: &'s DesiredState, name: &TargetName) -> Option<&'s DesiredTarget> {
    state.targets.iter().find(|target| target.name == *name)
}

/// Returns the target whose account and Region are asked for a key.
fn target_of(state: &DesiredState, name: &str) -> Result<TargetName, String> {
    let place: Option<(AccountId, Region)> = place_of(name);
    let fits = |target: &&DesiredTarget| match &place {
        Some((account, region)) => target.account == *account && target.region == *region,
        None => target.keys.iter().any(|key| declares(key, name)),
    };
    let mut found: Vec<&DesiredTarget> = state.targets.iter().filter(fits).collect();
    if found.is_empty() && place.is_none() {
        found = state.targets.iter().collect();
    }
    match (found.as_slice(), &place) {
        ([one], _) => Ok(one.name.clone()),
        ([], Some((account, region))) => {
            Err(format!("no target of the manifest is in account {account}, {region}, where `{}` is", escape(name)))
        }
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|target| target.name.as_str()).collect();
            let names = and_list(&names);
            Err(format!("`{}` may be in any of the targets {names}; name one with --target", escape(name)))
        }
    }
}

fn place_of(name: &str) -> Option<(AccountId, Region)> {
    if let Ok(arn) = name.parse::<KeyArn>() {
        return Some((arn.account(), arn.region()));
    }
    let arn = name.parse::<AliasArn>().ok()?;
    Some((arn.arn().account().parse().ok()?, arn.arn().region().parse().ok()?))
}

fn declares(key: &DesiredKey, name: &str) -> bool {
    key.name.as_str() == name || key.aliases.iter().any(|alias| alias.value.as_str() == name)
}

type Read = (Vec<(TargetName, NamedKey)>, Identities);

/// Reads the keys of a question, and the identities of their accounts.
async fn read_all(
    manifest: &Manifest,
    session: &Session,
    (scope, pace): (&ScopeOptions, &PaceOptions),
    which: Which<'_>,
) -> Result<Read, String> {
    let state = &manifest.desired;
    let mut keys = Vec::new();
    for target in &state.targets {
        demand_account(session, target).await?;
        let names: Vec<Vec<String>> = match which {
            Which::Named(name) => vec![names_of(state, target, name)],
            Which::Declared => {
                let wanted = |key: &&DesiredKey| scope.keys.is_empty() || scope.keys.contains(&key.name);
                target.keys.iter().filter(wanted).map(|key| names_of(state, target, key.name.as_str())).collect()
            }
        };
        let reads = names.iter().map(|names| read_key(session, target, names));
        let found: Vec<NamedKey> =
            futures::stream::iter(reads).buffered(usize::from(pace.parallel)).try_collect().await?;
        keys.extend(found.into_iter().map(|key| (target.name.clone(), key)));
    }
    Ok((keys, read_identities(state, session).await?))
}

/// An answer about another account than the target's would be a wrong one.
pub(in crate::cli) async fn demand_account(session: &Session, target: &DesiredTarget) -> Result<(), String> {
    let Some(connection) = session.target(&target.name) else { return Ok(()) };
    let caller = connection.caller().await.map_err(|error| format!("target {}: {error}", target.name))?;
    if caller.account == target.account {
        return Ok(());
    }
    Err(ReadError::WrongAccount {
        target: target.name.clone(),
        expected: target.account.clone(),
        actual: caller.account,
        caller: Box::new(caller.arn),
        loc: target.loc,
    }
    .to_string())
}

/// Returns the names by which KMS may know a key: of one that the manifest declares its claim alias, then its others.
fn names_of(state: &DesiredState, target: &DesiredTarget, name: &str) -> Vec<String> {
    let Some(key) = target.keys.iter().find(|key| key.name.as_str() == name) else { return vec![name.to_owned()] };
    let claim = format!("alias/keywright/{}/{}", state.stack, key.name);
    std::iter::once(claim).chain(key.aliases.iter().map(|alias| alias.value.to_string())).collect()
}

async fn read_key(session: &Session, target: &DesiredTarget, names: &[String]) -> Result<NamedKey, String> {
    let place = format!("target {}", target.name);
    let connection = session.target(&target.name).ok_or_else(|| format!("{place} is not connected"))?;
    let mut missing = None;
    for name in names {
        match Box::pin(read::key_named(connection, &target.region, name)).await {
            Ok(key) => return Ok(key),
            Err(error @ KeyNameError::NotFound { .. }) => missing = missing.or(Some(error)),
            Err(error) => return Err(format!("{place}: {error}")),
        }
    }
    let declared = target.keys.iter().find(|key| names.len() > 1 && names.iter().any(|name| declares(key, name)));
    Err(match (declared, missing) {
        (Some(key), _) => format!("{place}: key `{}` does not exist yet; `keywright apply` makes it", key.name),
        (None, Some(error)) => format!("{place}: {error}"),
        (None, None) => format!("{place}: the key has no name"),
    })
}

async fn read_identities(state: &DesiredState, session: &Session) -> Result<Identities, String> {
    let mut identities = Identities::new();
    for account in &state.accounts {
        let Some(connection) = session.account(&account.account) else { continue };
        let read = match read::read_identities(connection).await {
            Ok(read) => read,
            // Some emulators do not have the call: their identities are as unknown as where it is denied.
            Err(ReadError::Port(error)) if error.kind == PortErrorKind::NotSupported => {
                Observed::Denied { action: error.call, message: error.message }
            }
            Err(error) => return Err(format!("account {}: {error}", account.account)),
        };
        identities.insert(account.account.clone(), read);
    }
    Ok(identities)
}
