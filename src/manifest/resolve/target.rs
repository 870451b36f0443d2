//! Targets: where keys live and how to get there.

use super::check;
use super::placeholder::{Passing, Values};
use crate::desired::{Connection, Enforcement};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{AccountId, Region, RoleArn, StackName, TargetName};
use crate::manifest::raw::RawTarget;
use crate::manifest::read::{Declarations, Declared};
use crate::source::Located;
use crate::text;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A target, before its principals and keys are resolved.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// The name.
    pub(super) name: TargetName,
    /// The table.
    pub(super) declared: &'a Declared<RawTarget>,
    /// What the table says.
    pub(super) raw: &'a RawTarget,
    /// What placeholders stand for.
    pub(super) values: Values,
    /// The Region.
    pub(super) region: Region,
    /// How to get there.
    pub(super) connection: Connection,
    /// What an emulator enforces.
    pub(super) enforces: Option<BTreeSet<Enforcement>>,
}

/// Targets by name; `None` for those that are reported already.
pub(super) type Targets<'a> = BTreeMap<String, Option<Target<'a>>>;

/// Resolves every target.
pub(super) fn resolve_targets<'a>(
    declared: &'a Declarations<RawTarget>,
    stack: &StackName,
    found: &mut Diagnostics,
) -> Targets<'a> {
    let targets: Targets<'a> =
        declared.iter().map(|(name, declared)| (name.clone(), resolve_target(name, declared, stack, found))).collect();
    refuse_twins(&targets, found);
    targets
}

fn resolve_target<'a>(
    name: &str,
    declared: &'a Declared<RawTarget>,
    stack: &StackName,
    found: &mut Diagnostics,
) -> Option<Target<'a>> {
    let raw = declared.raw.as_ref()?;
    let name = check::parse::<TargetName>(&Located::new(name, declared.loc), found);
    let account = check::parse::<AccountId>(&declared.text(&raw.account), found);
    let region = check::parse::<Region>(&declared.text(&raw.region), found);
    let endpoint = raw.endpoint_url.as_ref().and_then(|url| loopback(&declared.text(url), found));
    let enforces = resolve_enforces(declared, raw, found);
    let (name, account, region) = (name?, account?, region?);
    let values = Values {
        stack: stack.clone(),
        account,
        partition: region.partition(),
        target: Some((name.clone(), region.clone())),
    };
    let connection = Connection {
        profile: raw.profile.as_ref().map(|profile| profile.get().clone()),
        assume_role: raw.assume_role.as_ref().and_then(|arn| assumed(&declared.text(arn), &values, found)),
        external_id: external_id(declared, raw, found),
        endpoint_url: endpoint,
    };
    Some(Target { name, declared, raw, values, region, connection, enforces })
}

fn resolve_enforces(
    declared: &Declared<RawTarget>,
    raw: &RawTarget,
    found: &mut Diagnostics,
) -> Option<BTreeSet<Enforcement>> {
    let enforces = raw.enforces.as_ref()?;
    if raw.endpoint_url.is_none() && !declared.suspect {
        let message = "`enforces` is for emulators: AWS enforces everything";
        let help = "give the emulator's `endpoint_url`, or leave `enforces` out";
        found.push(check::invalid(message, declared.at(enforces), "without `endpoint_url`", help));
    }
    Some(enforces.get().iter().map(|enforcement| enforcement.get().0).collect())
}

fn external_id(declared: &Declared<RawTarget>, raw: &RawTarget, found: &mut Diagnostics) -> Option<String> {
    let id = raw.external_id.as_ref()?;
    if raw.assume_role.is_none() && !declared.suspect {
        let message = "`external_id` goes with `assume_role`";
        let help = "name the role to assume, or leave `external_id` out";
        found.push(check::invalid(message, declared.at(id), "no role is assumed", help));
    }
    Some(id.get().clone())
}

fn assumed(written: &Located<&str>, values: &Values, found: &mut Diagnostics) -> Option<RoleArn> {
    let expanded = values.expand(written, Passing::Nothing, found)?;
    let arn: RoleArn = check::parse(&Located::new(expanded.as_str(), written.loc), found)?;
    if arn.account() != values.account || arn.arn().partition() != values.partition.as_str() {
        let message = format!("the role to assume is not in account {}", values.account);
        let help = "the target's `account` is compared with the caller's before anything else";
        found.push(check::invalid(message, written.loc, "of another account", help));
        return None;
    }
    Some(arn)
}

/// Returns an endpoint if it is on this machine's loopback, and reports any other.
fn loopback(written: &Located<&str>, found: &mut Diagnostics) -> Option<String> {
    if is_loopback_url(written.value) {
        return Some(written.value.to_owned());
    }
    let message = format!("`{}` is not a loopback endpoint", text::escape(written.value));
    found.push(
        Diagnostic::error(Code::EndpointNotLoopback, message)
            .label(written.loc, "must be http:// or https:// with 127.0.0.1, [::1] or localhost")
            .help("give another endpoint on the command line, with --endpoint-url"),
    );
    None
}

/// Returns whether a URL surely leads to this machine: scheme, loopback host, optional port, plain path; no user
/// name, no escapes, nothing that two parsers could read differently.
fn is_loopback_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else { return false };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte)) {
        return false;
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, tail)) => (host, Some(tail.strip_prefix(':').unwrap_or("none"))),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let local = if authority.starts_with('[') {
        host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    } else {
        host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    };
    local && port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

/// Reports two targets that are the same place: their keys would claim the same names.
fn refuse_twins(targets: &Targets<'_>, found: &mut Diagnostics) {
    let mut places = BTreeMap::new();
    for target in targets.values().flatten() {
        let place = (&target.values.account, &target.region, &target.connection.endpoint_url);
        if let Some(first) = places.insert(place, target.declared.loc) {
            let message = format!("two targets are account {} in {}", target.values.account, target.region);
            let (earlier, later) =
                if first < target.declared.loc { (first, target.declared.loc) } else { (target.declared.loc, first) };
            found.push(
                Diagnostic::error(Code::Duplicate, message)
                    .label(later, "declared again here")
                    .label(earlier, "first declared here")
                    .help("keep one: its keys would claim the same names"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_endpoints_pass() {
        for good in [
            "http://127.0.0.1:5000",
            "https://localhost",
            "http://[::1]:4566/",
            "http://127.1.2.3",
            "http://localhost:80/a",
        ] {
            assert!(is_loopback_url(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1:5000@evil.example",
            "http://127.0.0.1\\@evil.example",
            "http://evil.example#127.0.0.1",
            "http://evil.example/127.0.0.1",
            "http://[::1].evil.example",
            "http://[::1]@evil.example",
            "http://::1",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://127.0.0.1:",
            "http://127.0.0.1:99999",
            "http://localhost?x=@evil.example",
            "ftp://127.0.0.1",
            "127.0.0.1:5000",
            "HTTP://127.0.0.1",
            "",
        ] {
            assert!(!is_loopback_url(bad), "{bad}");
        }
    }
}
