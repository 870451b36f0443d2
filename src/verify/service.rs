//! What services do in a user's name: the calls and contexts that they really send, and near misses of them.

use super::check::Check;
use super::duty::Duty;
use super::subject::Subject;
use super::{context, judge};
use crate::access::Request;
use crate::desired::{DataKeyUse, DesiredTarget, DesiredUser};
use crate::ids::Region;
use crate::ports::EncryptionContext;
use crate::report::Expectation;
use crate::services::Service;
use std::collections::BTreeSet;

/// Why a call through a service is judged: nobody but the service can send `kms:ViaService`.
const ONLY_SERVICES: &str = "only the service itself can make this call; judged on the live key policy";
/// Why a near miss of such a call is judged.
const NEAR_MISS: &str = "a near miss of what the service does; judged on the live key policy";

/// Returns what is to be found out about a user who comes through services.
pub(super) fn checks(duty: &Duty<'_>, user: &DesiredUser, subject: &Subject<'_>, target: &DesiredTarget) -> Vec<Check> {
    let DataKeyUse::Via { services, .. } = &user.access else { return Vec::new() };
    let mut checks = Vec::new();
    for service in services {
        let Some(context) = context::of_service(*service, user) else { continue };
        let scene = Scene { duty, subject, target, service: *service, context };
        let actions: BTreeSet<&'static str> =
            user.capabilities.iter().flat_map(|capability| service.actions_for(*capability)).collect();
        let via = service.via_service(&target.region);
        checks.extend(actions.iter().map(|action| scene.allowed(action, &via)));
        let use_of_key = actions.iter().find(|action| **action != "kms:DescribeKey");
        checks.extend(use_of_key.into_iter().flat_map(|action| scene.near_misses(action, services)));
        if service.works_through_grants() {
            checks.extend(scene.grants(&via));
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
    fn request(&self, action: &str, via: Option<&str>) -> Request {
        let mut request = judge::on_key(action, &self.subject.facts);
        // DescribeKey carries no context.
        if action != "kms:DescribeKey" {
            request.encryption_context.clone_from(&self.context);
        }
        request.via_service = via.map(str::to_owned);
        request
    }

    fn allowed(&self, action: &str, via: &str) -> Check {
        let scenario = format!("via {}: {action}", self.service);
        Check::judged(scenario, Expectation::Allowed, self.request(action, Some(via)), ONLY_SERVICES)
    }

    /// The same call made directly, through the service in another Region, and through another service.
    fn near_misses(&self, action: &str, services: &BTreeSet<Service>) -> Vec<Check> {
        let mut checks = Vec::new();
        if !self.duty.allows(self.subject.desired, action, &self.context) {
            checks.push(denied(&format!("not via {}", self.service), self.request(action, None)));
        }
        let region = &self.target.region;
        if self.service.via_pattern(region) == self.service.via_service(region) {
            let elsewhere = elsewhere(region);
            let via = self.service.via_service(region).replace(region.as_str(), elsewhere);
            checks.push(denied(&format!("via {} of {elsewhere}", self.service), self.request(action, Some(&via))));
        }
        let admitted = |other: &Service| {
            services.contains(other)
                || self.duty.tables.iter().any(|user| match &user.access {
                    DataKeyUse::Via { services, .. } => services.contains(other),
                    DataKeyUse::Direct { .. } => true,
                })
        };
        if let Some(other) = Service::ALL.iter().find(|other| !admitted(other)) {
            checks.push(denied(&format!("via {other}"), self.request(action, Some(&other.via_service(region)))));
        }
        checks
    }

    /// Grants are for the service's resources alone.
    fn grants(&self, via: &str) -> Vec<Check> {
        let request = |for_resource: bool| {
            let mut request = self.request("kms:CreateGrant", Some(via));
            request.grant_is_for_aws_resource = Some(for_resource);
            request
        };
        let mut checks = Vec::new();
        let (yes, no) = (request(true), request(false));
        checks.push(Check::judged(
            format!("via {}: kms:CreateGrant for its resource", self.service),
            Expectation::Allowed,
            yes,
            ONLY_SERVICES,
        ));
        checks.push(denied(&format!("via {}, not for a resource", self.service), no));
        checks
    }
}

fn denied(how: &str, request: Request) -> Check {
    Check::judged(format!("{how}: {}", request.action), Expectation::Denied, request, NEAR_MISS)
}

fn elsewhere(region: &Region) -> &'static str {
    if region.as_str() == "us-east-1" { "eu-west-1" } else { "us-east-1" }
}
