//! Users of a key: for what, directly or through services, with which encryption context.

use super::check;
use super::placeholder::Passing;
use super::principal::{Home, Position};
use super::terms::{Terms, context_unfit, service_unfit};
use crate::desired::{DataKeyUse, DesiredUser};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::kms::{Capability, KeyShape};
use crate::manifest::raw::{RawKey, RawUser};
use crate::manifest::read::Declared;
use crate::services::Service;
use crate::source::{Loc, Located};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// Encryption-context keys with the patterns that their values must match.
type Context = BTreeMap<String, Vec<String>>;

/// Resolves the users of a key in one target.
pub(super) fn resolve_users(
    declared: &Declared<RawKey>,
    raw: &RawKey,
    terms: &Terms<'_>,
    home: Home<'_>,
    found: &mut Diagnostics,
) -> Vec<DesiredUser> {
    raw.user.iter().filter_map(|user| resolve_user(declared, user, terms, home, found)).collect()
}

fn resolve_user(
    declared: &Declared<RawKey>,
    user: &RawUser,
    terms: &Terms<'_>,
    home: Home<'_>,
    found: &mut Diagnostics,
) -> Option<DesiredUser> {
    let loc = declared.at(&user.principal);
    let principal = home.resolve(&declared.text(&user.principal), Position::User, found);
    let capabilities = resolve_capabilities(declared, user, terms.shape, found);
    let context = resolve_context(declared, user, home, found);
    let unfit = terms.shape.filter(|shape| !shape.encrypts_symmetrically());
    if let (Some(shape), Some(key)) = (unfit, user.context.iter().flat_map(BTreeMap::keys).next()) {
        found.push(context_unfit("context", declared.at(key), shape));
    }
    let access = match &user.via {
        None => {
            require_context(loc, &capabilities, &context, terms, found);
            DataKeyUse::Direct { context }
        }
        Some(via) => {
            if via.get().is_empty() {
                let help = "name services, or leave `via` out for direct use";
                found.push(check::invalid("`via` names no service", declared.at(via), "an empty list", help));
            }
            let services: BTreeMap<Service, Loc> =
                via.get().iter().map(|service| (service.get().0, declared.at(service))).collect();
            if let Some(shape) = unfit {
                found.push(service_unfit("via", declared.at(via), shape));
            } else {
                check_services(&services, terms, found);
                check_sent(declared, user, &services, found);
            }
            DataKeyUse::Via { services: services.into_keys().collect(), context }
        }
    };
    Some(DesiredUser { principal: principal?, capabilities, access, loc })
}

fn resolve_capabilities(
    declared: &Declared<RawKey>,
    user: &RawUser,
    shape: Option<KeyShape>,
    found: &mut Diagnostics,
) -> BTreeSet<Capability> {
    let Some(can) = &user.can else {
        return shape.map(Capability::defaults_for).unwrap_or_default().into_iter().collect();
    };
    if can.get().is_empty() {
        let help = "name capabilities, or leave `can` out for the usual ones";
        found.push(check::invalid("`can` names nothing", declared.at(can), "an empty list", help));
    }
    for capability in can.get() {
        check_capability(&Located::new(capability.get().0, declared.at(capability)), shape, found);
    }
    can.get().iter().map(|capability| capability.get().0).collect()
}

fn check_capability(capability: &Located<Capability>, shape: Option<KeyShape>, found: &mut Diagnostics) {
    let name = capability.value.name();
    if !capability.value.is_for_users() {
        let field = [
            (Capability::Administer, "`admins`"),
            (Capability::Delete, "`deleters`"),
            (Capability::Audit, "`auditors`"),
            (Capability::Deploy, "the target's `deployers`"),
        ];
        let field = field.iter().find(|(special, _)| *special == capability.value);
        let help = match field {
            Some((_, field)) => format!("name the principal in {field}"),
            None => "leave it out".to_owned(),
        };
        let diagnostic = Diagnostic::error(Code::CapabilityUnfit, format!("`{name}` is not for users"));
        found.push(diagnostic.label(capability.loc, "not a use of the key").help(help));
    } else if let Some(shape) = shape.filter(|shape| capability.value.actions(*shape).is_empty()) {
        let message = format!("a key of {} for {} cannot `{name}`", shape.spec, shape.usage);
        let possible: Vec<&str> = Capability::possible_for(shape).into_iter().map(Capability::name).collect();
        found.push(
            Diagnostic::error(Code::CapabilityUnfit, message)
                .label(capability.loc, "not with such a key")
                .help(format!("it can {}", text::and_list(&possible))),
        );
    }
}

fn resolve_context(declared: &Declared<RawKey>, user: &RawUser, home: Home<'_>, found: &mut Diagnostics) -> Context {
    let mut context = Context::new();
    for (key, patterns) in user.context.iter().flatten() {
        let source = declared.loc.source;
        check::context_key(&declared.text(key), found);
        if patterns.items().is_empty() {
            let loc = Loc::new(source, patterns.span());
            let message = format!("no value of `{}` would match", text::escape(key.get()));
            found.push(check::invalid(message, loc, "an empty list", "write patterns, or leave the key out"));
        }
        let patterns = patterns.items().iter();
        let expanded = patterns
            .filter_map(|pattern| home.values.expand(&declared.text(pattern), Passing::PolicyVariables, found))
            .collect();
        context.insert(key.get().clone(), expanded);
    }
    context
}

/// Reports direct symmetric use without the context keys that the key or its class requires.
fn require_context(
    user: Loc,
    capabilities: &BTreeSet<Capability>,
    context: &Context,
    terms: &Terms<'_>,
    found: &mut Diagnostics,
) {
    if !capabilities.iter().any(|capability| capability.is_cryptographic()) {
        return;
    }
    for (key, loc) in terms.required_context.iter().filter(|(key, _)| !context.contains_key(*key)) {
        let escaped = text::escape(key);
        let message = format!("direct use must carry the encryption-context key `{escaped}`");
        found.push(
            Diagnostic::error(Code::RequiredContextMissing, message)
                .label(user, format!("no `context` with `{escaped}`"))
                .label(*loc, "required here")
                .help(format!("add `context = {{ {escaped} = \"…\" }}`, or `via` for use through services only")),
        );
    }
}

fn check_services(via: &BTreeMap<Service, Loc>, terms: &Terms<'_>, found: &mut Diagnostics) {
    for (service, loc) in via.iter().filter(|(service, _)| !terms.services.value.contains(service)) {
        let message = format!("the key is not used through `{service}`");
        found.push(
            Diagnostic::error(Code::ServiceNotAllowed, message)
                .label(*loc, "not among the key's services")
                .label(terms.services.loc, "the key's `services`")
                .help(format!("add `{service}` to the key's `services`, if the key is meant for it")),
        );
    }
}

/// Reports context keys that one of the services does not send: the user could never use the key through it.
fn check_sent(declared: &Declared<RawKey>, user: &RawUser, via: &BTreeMap<Service, Loc>, found: &mut Diagnostics) {
    for key in user.context.iter().flat_map(BTreeMap::keys) {
        for (service, loc) in via.iter().filter(|(service, _)| !service.sends_context(key.get())) {
            let message = format!("`{service}` does not send the context key `{}`", text::escape(key.get()));
            found.push(
                Diagnostic::error(Code::ContextConflict, message)
                    .label(declared.at(key), "can never match")
                    .label(*loc, "through this service")
                    .help(format!("`{service}` sends {}", text::and_list(service.context_keys()))),
            );
        }
    }
}
