//! Managed roles in one account: trust, boundary, tags.

use super::check;
use super::placeholder::Passing;
use super::principal::{Home, Position};
use super::role::{Form, HereRole, Role};
use super::tags::{WrittenTags, resolve_tags};
use crate::desired::{DesiredRole, OidcTrust, Principal, Trust, Verifiable};
use crate::diag::Diagnostics;
use crate::ids::Arn;
use crate::manifest::raw::{RawOidc, RawTrust};
use crate::manifest::read::tag_places;
use crate::manifest::spanned::{OneOrMany, Sp};
use crate::source::{Loc, Located};
use crate::text;
use std::collections::BTreeMap;

/// What all managed roles of an account share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<'a> {
    /// The account.
    pub(super) home: Home<'a>,
    /// The tags of the manifest.
    pub(super) tags: Option<&'a WrittenTags>,
    /// Who runs the self-test.
    pub(super) verifier: Option<&'a Principal>,
}

/// Returns a role as keywright makes it in an account; `None` if it exists already.
pub(super) fn make_role(
    role: &Role<'_>,
    here: &HereRole,
    shared: Shared<'_>,
    found: &mut Diagnostics,
) -> Option<DesiredRole> {
    let Form::Managed(trust) = role.form else { return None };
    let raw = role.raw;
    let own = raw.tags.as_ref().map(|tags| tag_places(role.declared.loc.source, tags.get())).unwrap_or_default();
    let minutes = raw.max_session_minutes.as_ref().map_or(60, |minutes| *minutes.get());
    Some(DesiredRole {
        tag_reach: check::tag_reach(raw.tags_exclusive.as_ref()),
        name: role.name.clone(),
        arn: here.known.arn.clone(),
        kind: here.known.kind,
        description: raw.description.as_ref().and_then(|description| expand(role, description, shared, found)),
        max_session_seconds: u32::try_from(minutes).unwrap_or(60).saturating_mul(60),
        permissions_boundary: raw.permissions_boundary.as_ref().and_then(|arn| boundary(role, arn, shared, found)),
        tags: resolve_tags(shared.tags, &own, shared.home.values, role.declared.loc, found),
        trust: resolve_trust(role, trust, here, shared, found),
        loc: role.declared.loc,
    })
}

fn expand(role: &Role<'_>, text: &Sp<String>, shared: Shared<'_>, found: &mut Diagnostics) -> Option<String> {
    shared.home.values.expand(&role.declared.text(text), Passing::Nothing, found)
}

fn boundary(role: &Role<'_>, arn: &Sp<String>, shared: Shared<'_>, found: &mut Diagnostics) -> Option<Arn> {
    let expanded = expand(role, arn, shared, found)?;
    let loc = role.declared.at(arn);
    let arn: Arn = check::parse(&Located::new(expanded.as_str(), loc), found)?;
    if arn.service() == "iam" && arn.resource().starts_with("policy/") {
        return Some(arn);
    }
    let message = format!("`{}` is not the ARN of a policy", text::escape(arn.as_str()));
    found.push(check::invalid(message, loc, "not a policy", "write arn:aws:iam::111122223333:policy/name"));
    None
}

fn resolve_trust(
    role: &Role<'_>,
    trust: &RawTrust,
    here: &HereRole,
    shared: Shared<'_>,
    found: &mut Diagnostics,
) -> Trust {
    let source = role.declared.loc.source;
    let aws = trust.aws.as_ref().map(|list| written(source, list));
    let aws = aws.map(|list| shared.home.resolve_all(&list, Position::Trusted, found)).unwrap_or_default();
    let services = trust.services.as_ref().map(|list| written(source, list).value).unwrap_or_default();
    Trust {
        aws: aws.into_iter().map(|principal| principal.value).collect(),
        services: services.iter().filter_map(|service| trusted_service(service, found)).collect(),
        oidc: trust.oidc.as_ref().and_then(|oidc| resolve_oidc(role, oidc, shared, found)),
        verifier: shared.verifier.filter(|_| here.known.verifiable == Verifiable::Yes).cloned(),
    }
}

/// Returns a list with the places of its items.
fn written(source: crate::source::SourceId, list: &OneOrMany<String>) -> Located<Vec<Located<&str>>> {
    let item = |item: &'_ Sp<String>| Loc::new(source, item.span());
    let items = list.items().iter().map(|text| Located::new(text.get().as_str(), item(text))).collect();
    Located::new(items, Loc::new(source, list.span()))
}

fn trusted_service(service: &Located<&str>, found: &mut Diagnostics) -> Option<String> {
    let text = service.value;
    let name = text.strip_suffix(".amazonaws.com").or_else(|| text.strip_suffix(".amazonaws.com.cn"));
    let legal = name.is_some_and(|name| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
    });
    if !legal {
        let message = format!("`{}` is not a service principal", text::escape(text));
        found.push(check::invalid(message, service.loc, "not a service", "write it like `ecs-tasks.amazonaws.com`"));
        return None;
    }
    Some(text.to_owned())
}

fn resolve_oidc(role: &Role<'_>, oidc: &RawOidc, shared: Shared<'_>, found: &mut Diagnostics) -> Option<OidcTrust> {
    let provider = expand(role, &oidc.provider, shared, found);
    let provider = provider.filter(|provider| {
        let legal = !provider.is_empty()
            && provider.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte));
        if !legal {
            let message = format!("`{}` is not a provider's host and path", text::escape(provider));
            let help = "write it like `token.actions.githubusercontent.com`, without `https://`";
            found.push(check::invalid(message, role.declared.at(&oidc.provider), "not a host", help));
        }
        legal
    });
    let audience = expand(role, &oidc.audience, shared, found);
    let audience = audience.filter(|audience| {
        let legal = !audience.is_empty() && !audience.contains(['*', '?']);
        if !legal {
            let help = "name the audience exactly, such as `sts.amazonaws.com`";
            found.push(check::invalid("the audience is not exact", role.declared.at(&oidc.audience), "here", help));
        }
        legal
    });
    let subjects = written(role.declared.loc.source, &oidc.subjects);
    if subjects.value.is_empty() {
        let help = "name the subjects, such as `repo:owner/name:ref:refs/heads/main`";
        found.push(check::invalid("`subjects` names nobody", subjects.loc, "an empty list", help));
    }
    let github = provider.as_deref() == Some("token.actions.githubusercontent.com");
    let subjects: Vec<String> = subjects
        .value
        .iter()
        .filter_map(|written| {
            let subject = shared.home.values.expand(written, Passing::Nothing, found)?;
            check_subject(&subject, github.then_some("repo:"), written.loc, found)
        })
        .collect();
    Some(OidcTrust { provider: provider?, audience: audience?, subjects })
}

/// Returns a subject that pins somebody: its text before the first wildcard says whom.
///
/// On GitHub that text must name the owner of the repositories, or anybody's workflow could assume the role.
fn check_subject(subject: &str, prefix: Option<&str>, loc: Loc, found: &mut Diagnostics) -> Option<String> {
    let fixed = subject.split(['*', '?']).next().unwrap_or_default();
    let pinned = match prefix.and_then(|prefix| fixed.strip_prefix(prefix)) {
        Some(owner) => owner.split_once('/').is_some_and(|(owner, _)| !owner.is_empty()),
        None => !fixed.is_empty() && (prefix.is_none() || fixed == subject),
    };
    if !pinned {
        let message = format!("the subject `{}` pins nobody", text::escape(subject));
        let help = "write out whose tokens are meant before any wildcard";
        found.push(check::invalid(message, loc, "anybody's tokens match", help));
        return None;
    }
    Some(subject.to_owned())
}

/// The roles that keywright would make in an account, each with what was found in it.
pub(super) type Made = BTreeMap<String, (Option<DesiredRole>, Diagnostics)>;
