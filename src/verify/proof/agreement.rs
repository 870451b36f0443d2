//! Key agreement: KMS and this side derive the same secret, and another one with another peer.

use super::{NO_CONTEXT, here, not_checked, public_key};
use crate::ports::{Clock, Crypto};
use crate::report::Expectation;
use crate::verify::local::Peer;
use crate::verify::notes::Notes;
use crate::verify::stage::{Right, Stage, say};
use crate::verify::uses::Use;

const DERIVE: Right<'static> = Right::Use(Use::DeriveSharedSecret, NO_CONTEXT);
const SAME: (&str, Expectation) = ("agreement: the secret that this side derives", Expectation::Allowed);
const OTHER: (&str, Expectation) = ("agreement: the same secret with another peer", Expectation::Refused);

pub(super) async fn run<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, stage: &Stage<'_, '_, C, M>) {
    let (id, spec) = (&stage.subject.id, stage.subject.desired.spec());
    let public = public_key(notes, stage, "agreement").await;
    let (peer, other) = match (Peer::new(spec), Peer::new(spec)) {
        (Ok(peer), Ok(other)) => (peer, other),
        (Err(reason), _) | (_, Err(reason)) => {
            here(notes, "caller", SAME, not_checked(reason));
            return here(notes, "caller", OTHER, not_checked(reason));
        }
    };
    let derived = stage.ask(notes, DERIVE, async |c| c.derive_shared_secret(id, peer.public()).await).await;
    let ours = public.and_then(|public| peer.agree(&public).map_err(str::to_owned));
    match (&ours, derived.value()) {
        (Err(reason), Some(_)) => here(notes, &derived.identity, SAME, not_checked(reason)),
        (Ok(_) | Err(_), _) => say(notes, SAME, &derived, |theirs| {
            let same = ours.as_ref().is_ok_and(|ours| ours.expose_secret() == theirs.expose_secret());
            (!same).then(|| "KMS and this side derived different secrets".to_owned())
        }),
    }
    let Some(first) = derived.value() else { return };
    let again = stage.ask(notes, DERIVE, async |c| c.derive_shared_secret(id, other.public()).await).await;
    say(notes, OTHER, &again, |second| {
        let same = first.expose_secret() == second.expose_secret();
        same.then(|| "the secret does not depend on the peer".to_owned())
    });
}
