//! Multi-Region keys: what is made in one Region is taken in each other one, in the name of those who may.

use super::notes::{Notes, Question};
use super::stage::Stage;
use super::subject::{self, Subject};
use super::{Prepared, cast, cast::Wanted};
use crate::desired::{DesiredKey, DesiredState, DesiredTarget, Topology};
use crate::ids::{Region, TargetName};
use crate::kms::KeyUsage;
use crate::ports::{CallerReader, Clock, Crypto, Forwarding, KeyReader, Randomness, RoleAssumer};
use crate::report::{Expectation, ProbeResult};
use std::collections::BTreeMap;

mod across;

/// Tests a key from its own Region to all others.
pub(super) async fn run<'a, C, M>(notes: &mut Notes<'_, M>, here: &Stage<'_, 'a, C, M>, all: &[Prepared<'a, C, M>])
where
    C: Crypto + KeyReader + CallerReader + RoleAssumer<Assumed = C> + Forwarding + Sync,
    M: Clock + Randomness + Sync,
{
    let job = here.job;
    for (name, region) in others(job.desired, job.target, here.subject.desired) {
        let prepared = all.iter().find(|prepared| prepared.job.target.name == name);
        let found =
            prepared.ok_or_else(|| not_checked(format!("target {name} is not part of this run, or was not read")));
        let counterpart = found.and_then(|prepared| Ok((prepared, counterpart(prepared, here.subject)?)));
        match counterpart {
            Err(result) => {
                let scenario = format!("regions: {} to {region}", job.target.region);
                notes.note(
                    Question { identity: "caller", scenario: &scenario, expected: Expectation::Allowed },
                    result,
                    None,
                );
            }
            Ok((prepared, subject)) => {
                let members = cast::members(&prepared.job, &subject, &prepared.assumer, Wanted::Everybody).await;
                let (job, enforced) = (&prepared.job, prepared.enforced);
                let there = Stage { job, subject: &subject, members: &members, enforced };
                cross(notes, here, &there).await;
            }
        }
    }
}

/// What each kind of key does across Regions.
async fn cross<C, M>(notes: &mut Notes<'_, M>, here: &Stage<'_, '_, C, M>, there: &Stage<'_, '_, C, M>)
where
    C: Crypto + Forwarding + Sync,
    M: Clock + Sync,
{
    let key = here.subject.desired;
    match key.usage() {
        KeyUsage::EncryptDecrypt if key.spec().is_asymmetric() => across::encryption(notes, here, there).await,
        KeyUsage::EncryptDecrypt => across::ciphertext(notes, here, there).await,
        KeyUsage::SignVerify => across::signature(notes, here, there).await,
        KeyUsage::GenerateVerifyMac => across::mac(notes, here, there).await,
        KeyUsage::KeyAgreement => across::agreement(notes, here, there).await,
        KeyUsage::EncapsulateDecapsulate => across::encapsulation(notes, here, there).await,
    }
}

/// Returns the same key in another target.
fn counterpart<'a, C, M>(prepared: &Prepared<'a, C, M>, own: &Subject<'_>) -> Result<Subject<'a>, ProbeResult> {
    let job = &prepared.job;
    let name = &job.target.name;
    let Some(key) = job.target.keys.iter().find(|key| key.name == own.desired.name) else {
        return Err(not_checked(format!("target {name} does not declare the key")));
    };
    let subject = subject::find(job.desired, key, job.live).map_err(|unusable| match unusable.result {
        ProbeResult::Failed { observed } => {
            ProbeResult::Failed { observed: format!("in {}: {observed}", job.target.region) }
        }
        ProbeResult::NotChecked { reason } | ProbeResult::Evaluated { reason } => {
            not_checked(format!("in {}: {reason}", job.target.region))
        }
        ProbeResult::Passed => ProbeResult::Passed,
    })?;
    if subject.id != own.id {
        let observed = format!("it is {} here and {} in {}: no replica", own.id, subject.id, job.target.region);
        return Err(ProbeResult::Failed { observed });
    }
    Ok(subject)
}

/// Returns the other targets of a key's family with their Regions.
fn others(state: &DesiredState, target: &DesiredTarget, key: &DesiredKey) -> BTreeMap<TargetName, Region> {
    let mut family = match &key.topology {
        Topology::Single => return BTreeMap::new(),
        Topology::Primary { replicas } => replicas.clone(),
        Topology::Replica { primary, region } => {
            let found = state.targets.iter().find(|target| target.name == *primary);
            let found = found.and_then(|target| target.keys.iter().find(|other| other.name == key.name));
            let mut family = match found.map(|key| &key.topology) {
                Some(Topology::Primary { replicas }) => replicas.clone(),
                Some(Topology::Single | Topology::Replica { .. }) | None => BTreeMap::new(),
            };
            family.insert(primary.clone(), region.clone());
            family
        }
    };
    family.remove(&target.name);
    family
}

fn not_checked(reason: String) -> ProbeResult {
    ProbeResult::NotChecked { reason }
}
