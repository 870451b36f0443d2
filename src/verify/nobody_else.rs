//! States, by the evaluator, that nobody but the declared users can have what the key protects.

use super::duty::Duty;
use super::judge::{self, Verdict};
use super::subject::Subject;
use super::uses::Use;
use super::{TargetJob, context};
use crate::access::PrincipalFacts;
use crate::desired::{DataKeyUse, Delegation};
use crate::ids::PrincipalArn;
use crate::ports::EncryptionContext;
use crate::report::ProbeResult;

/// The identity of the statement.
pub(super) const IDENTITY: &str = "anybody else";

/// Returns the scenario of the statement.
pub(super) fn scenario(subject: &Subject<'_>) -> String {
    format!("deny: {}", Use::gravest(subject.desired.usage()).call())
}

/// Judges everybody whom the manifest knows, and two strangers, under every context that a user may send and through
/// every service that a user may come through.
pub(super) fn judge<C, M>(job: &TargetJob<'_, C, M>, subject: &Subject<'_>, duties: &[Duty<'_>]) -> ProbeResult {
    let gravest = Use::gravest(subject.desired.usage());
    let others = others(job, duties);
    let situations = situations(job, subject, duties);
    let (mut able, mut open) = (Vec::new(), Vec::new());
    for (name, who) in &others {
        let verdicts: Vec<Verdict> =
            situations.iter().map(|request| judge::request(request, who, &subject.facts)).collect();
        if verdicts.iter().any(Verdict::is_allowed) {
            able.push(name.as_str());
        } else if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Open(_))) {
            open.push(name.as_str());
        }
    }
    if !able.is_empty() {
        return ProbeResult::Failed { observed: format!("evaluated: could {}: {}", gravest.verb(), able.join(", ")) };
    }
    if !open.is_empty() {
        return ProbeResult::NotChecked { reason: format!("cannot be judged for {}", open.join(", ")) };
    }
    let iam = match subject.desired.delegation {
        Delegation::Account => "; IAM policies of the account, to which the key delegates, are not read",
        Delegation::RootUser | Delegation::None => "",
    };
    ProbeResult::Evaluated { reason: format!("{} others judged on the live key policy{iam}", others.len()) }
}

fn others<C, M>(job: &TargetJob<'_, C, M>, duties: &[Duty<'_>]) -> Vec<(String, PrincipalFacts)> {
    let users: Vec<&PrincipalArn> =
        duties.iter().filter(|duty| duty.is_user()).filter_map(|d| d.principal.arn()).collect();
    let mut others: Vec<(String, PrincipalFacts)> = Vec::new();
    let account = job.desired.account(&job.target.account);
    for (name, role) in account.into_iter().flat_map(|account| &account.known_roles) {
        others.push((name.to_string(), PrincipalFacts::from_arn(&role.arn.principal())));
    }
    for duty in duties.iter().filter(|duty| !duty.is_user()) {
        others.extend(judge::stand_in(duty.principal, job.target).map(|who| (duty.identity.clone(), who)));
    }
    let partition = job.target.region.partition();
    for (name, account) in
        [("a stranger of the account", job.target.account.as_str()), ("a stranger of another account", "999999999999")]
    {
        let arn = format!("arn:{partition}:iam::{account}:role/keywright-stranger");
        others.extend(arn.parse().ok().map(|arn| (name.to_owned(), PrincipalFacts::from_arn(&arn))));
    }
    let mut seen: Vec<String> = users.iter().map(ToString::to_string).collect();
    others.retain(|(_, who)| {
        let new = !seen.contains(&who.arn);
        seen.push(who.arn.clone());
        new
    });
    others
}

fn situations<C, M>(
    job: &TargetJob<'_, C, M>,
    subject: &Subject<'_>,
    duties: &[Duty<'_>],
) -> Vec<crate::access::Request> {
    let request = |context: EncryptionContext, via: Option<String>| {
        let mut request = judge::on_key(Use::gravest(subject.desired.usage()).call(), &subject.facts);
        request.encryption_context = context;
        request.via_service = via;
        request
    };
    let mut situations = vec![request(EncryptionContext::new(), None), request(context::plain(subject.desired), None)];
    for duty in duties {
        situations.extend(duty.direct_contexts(subject.desired).into_iter().map(|(_, context)| request(context, None)));
        for user in &duty.tables {
            let DataKeyUse::Via { services, .. } = &user.access else { continue };
            situations.extend(services.iter().filter_map(|service| {
                Some(request(context::of_service(*service, user)?, Some(service.via_service(&job.target.region))))
            }));
        }
    }
    situations
}
