//! What services do in a user's name: the calls and contexts that they really send, and near misses of them.

use super::check::{Ask, Check, Forwarded, Hinge};
use super::duty::Duty;
use super::subject::Subject;
use super::uses::{Read, Use};
use super::{context, judge};
use crate::access::Request;
use crate::desired::{DataKeyUse, DesiredTarget, DesiredUser};
use crate::ids::Region;
use crate::ports::EncryptionContext;
use crate::report::Expectation;
use crate::services::Service;
use std::collections::BTreeSet;

/// Why a call through a service is judged: at AWS, nobody but the service can send `kms:ViaService`.
const ONLY_SERVICES: &str = "only the service itself can make this call; judged on the live key policy";
/// Why a near miss of such a call is judged.
const NEAR_MISS: &str = "a near miss of what the service does; judged on the live key policy";
/// Why a grant through a service is judged, even where somebody can play the service.
const NEVER_SENT: &str = "it would change the key; judged on the live key policy";

/// Returns what is to be found out about a user who comes through services.
pub(super) fn checks(duty: &Duty<'_>, user: &DesiredUser, subject: &Subject<'_>, target: &DesiredTarget) -> Vec<Check> {
    let DataKeyUse::Via { services, .. } = &user.access else { return Vec::new() };
    let mut checks = Vec::new();
    for service in services {
        let Some(context) = context::of_service(*service, user) else { continue };
        let scene = Scene { duty, subject, target, service: *service, context };
        let actions: BTreeSet<&'static str> =
            user.capabilities.iter().flat_map(|capability| service.actions_for(*capability)).collect();
        let complete = |what: &Use| what.actions().iter().all(|action| actions.contains(action));
        let whole: Vec<Use> = Use::of(subject.desired.shape()).into_iter().filter(complete).collect();
        checks.extend(whole.iter().map(|what| scene.used(*what)));
        checks.extend(actions.iter().filter_map(|action| scene.rest(action, &whole)));
        let probed = whole.iter().find(|what| **what == Use::Decrypt).or_else(|| whole.first());
        checks.extend(probed.into_iter().flat_map(|what| scene.near_misses(*what, services)));
        if service.works_through_grants() {
            checks.extend(scene.grants());
        }
    }
    checks
}

/// A service that works in somebody's name.
struct Scene<'a> {
    duty: &'a Duty<'a>,
    subject: &'a Subject<'a>,
    target: &'a DesiredTarget,
    service: Service,
    context: EncryptionContext,
}

impl Scene<'_> {
    fn request(&self, action: &str, via: String) -> Request {
        let mut request = judge::on_key(action, &self.subject.facts);
        request.encryption_context.clone_from(&self.context);
        request.via_service = Some(via);
        request
    }

    fn allowed(&self, action: &str, ask: Ask) -> Check {
        let scenario = format!("through {}: {action}", self.service);
        Check { scenario, expected: Expectation::Allowed, ask, hinge: Hinge::KeyPolicy }
    }

    fn used(&self, what: Use) -> Check {
        let call = Forwarded::Use(what, self.context.clone());
        self.allowed(what.call(), Ask::Through(self.service, call, ONLY_SERVICES))
    }

    /// What is no use by itself: describing the key, and half of a re-encryption.
    fn rest(&self, action: &'static str, whole: &[Use]) -> Option<Check> {
        if whole.iter().any(|what| what.actions().contains(&action)) {
            return None;
        }
        let ask = if action == Read::DescribeKey.action() {
            Ask::Through(self.service, Forwarded::Read(Read::DescribeKey), ONLY_SERVICES)
        } else {
            let via = self.service.via_service(&self.target.region);
            Ask::Judge(Box::new(self.request(action, via)), ONLY_SERVICES)
        };
        Some(self.allowed(action, ask))
    }

    /// The same call made directly, through the service in another Region, and through another service.
    fn near_misses(&self, what: Use, services: &BTreeSet<Service>) -> Vec<Check> {
        let mut checks = Vec::new();
        let direct = |action: &str| self.duty.allows(self.subject.desired, action, &self.context);
        if !what.actions().iter().any(|action| direct(action)) {
            let ask = Ask::Use(what, self.context.clone());
            checks.push(denied(&format!("directly, as through {}", self.service), what.call(), ask));
        }
        let region = &self.target.region;
        if self.service.via_pattern(region) == self.service.via_service(region) {
            let elsewhere = elsewhere(region);
            let via = self.service.via_service(region).replace(region.as_str(), elsewhere);
            let action = what.actions().first().copied().unwrap_or_default();
            let ask = Ask::Judge(Box::new(self.request(action, via)), NEAR_MISS);
            checks.push(denied(&format!("through {} of {elsewhere}", self.service), what.call(), ask));
        }
        let admitted = |other: &Service| {
            services.contains(other)
                || self.duty.tables.iter().any(|user| match &user.access {
                    DataKeyUse::Via { services, .. } => services.contains(other),
                    DataKeyUse::Direct { .. } => true,
                })
        };
        if let Some(other) = Service::ALL.iter().find(|other| !admitted(other)) {
            let ask = Ask::Through(*other, Forwarded::Use(what, self.context.clone()), NEAR_MISS);
            checks.push(denied(&format!("through {other}"), what.call(), ask));
        }
        checks
    }

    /// Grants are for the service's resources alone.
    fn grants(&self) -> Vec<Check> {
        let request = |for_resource: bool| {
            let via = self.service.via_service(&self.target.region);
            let mut request = self.request("kms:CreateGrant", via);
            request.grant_is_for_aws_resource = Some(for_resource);
            Ask::Judge(Box::new(request), NEVER_SENT)
        };
        let not_for_it = format!("through {}, not for a resource", self.service);
        vec![
            self.allowed("kms:CreateGrant for its resource", request(true)),
            denied(&not_for_it, "kms:CreateGrant", request(false)),
        ]
    }
}

fn denied(how: &str, call: &str, ask: Ask) -> Check {
    Check { scenario: format!("{how}: {call}"), expected: Expectation::Denied, ask, hinge: Hinge::KeyPolicy }
}

fn elsewhere(region: &Region) -> &'static str {
    if region.as_str() == "us-east-1" { "eu-west-1" } else { "us-east-1" }
}
