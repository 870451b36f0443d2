//! Signatures: KMS signs, this side and KMS verify; what is altered is refused.

use super::{NO_CONTEXT, here, not_checked, public_key};
use crate::kms::SigningAlgorithm;
use crate::ports::{Clock, Crypto, PortErrorKind};
use crate::report::{Expectation, ProbeResult};
use crate::verify::local::{self, Opinion, Signer};
use crate::verify::notes::Notes;
use crate::verify::specimen::{OTHER_TEXT, Specimens, TEXT, flipped};
use crate::verify::stage::{Right, Stage, allowed, refused};
use crate::verify::uses::Use;

const SIGN: Right<'static> = Right::Use(Use::Sign, NO_CONTEXT);
const VERIFY: Right<'static> = Right::Use(Use::Verify, NO_CONTEXT);

/// The two halves on this side: the key's own public one, and somebody else who signs.
struct Halves {
    public: Result<Vec<u8>, String>,
    stranger: Option<Signer>,
}

pub(super) async fn run<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    specimens: &mut Specimens,
) {
    let spec = stage.subject.desired.spec();
    let public = public_key(notes, stage, "signing").await;
    let halves = Halves { public, stranger: Signer::generate(spec) };
    for algorithm in spec.signing_algorithms() {
        one(notes, stage, (*algorithm, &halves), specimens).await;
    }
}

async fn one<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    (algorithm, halves): (SigningAlgorithm, &Halves),
    specimens: &mut Specimens,
) {
    let id = &stage.subject.id;
    let signed = stage.ask(notes, SIGN, async |c| c.sign(id, algorithm, TEXT).await).await;
    let Some(signature) = allowed(notes, &format!("signing: signed ({algorithm})"), &signed) else { return };
    if stage.subject.desired.spec().signing_algorithms().first() == Some(&algorithm) {
        specimens.signature = Some(signature.clone());
    }
    on_this_side(notes, stage, (algorithm, halves), (&signed.identity, signature));
    let verified = stage.ask(notes, VERIFY, async |c| c.verify(id, algorithm, TEXT, signature).await).await;
    if allowed(notes, &format!("signing: verified by KMS ({algorithm})"), &verified).is_none() {
        return;
    }
    let strange = halves.stranger.as_ref().and_then(|stranger| stranger.sign(algorithm, TEXT));
    let cases = [
        ("changed message", OTHER_TEXT, Some(signature.clone())),
        ("changed signature", TEXT, Some(flipped(signature))),
        ("another key's signature", TEXT, strange),
    ];
    for (how, message, altered) in cases {
        let scenario = format!("signing: {how} ({algorithm})");
        let Some(altered) = altered else {
            let reason = not_checked("this side could not sign with another key: its library lacks the spec");
            here(notes, &verified.identity, (&scenario, Expectation::Refused), reason);
            continue;
        };
        let asked = stage.ask(notes, VERIFY, async |c| c.verify(id, algorithm, message, &altered).await).await;
        let due = (PortErrorKind::InvalidSignature, "it was verified all the same");
        refused(notes, &scenario, &asked, due);
    }
}

/// The public key alone tells: the signature is the key's over the message, and over no other.
fn on_this_side<C, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    (algorithm, halves): (SigningAlgorithm, &Halves),
    (identity, signature): (&str, &[u8]),
) {
    let spec = stage.subject.desired.spec();
    let cases =
        [("verified here", TEXT, Expectation::Allowed), ("changed message, here", OTHER_TEXT, Expectation::Refused)];
    for (what, message, expected) in cases {
        let result = match &halves.public {
            Err(reason) => not_checked(reason),
            Ok(public) => match (local::check(spec, algorithm, public, (message, signature)), expected) {
                (Opinion::Unable(reason), _) => not_checked(reason),
                (Opinion::Valid, Expectation::Allowed)
                | (Opinion::Invalid, Expectation::Denied | Expectation::Refused) => ProbeResult::Passed,
                (Opinion::Invalid, Expectation::Allowed) => {
                    ProbeResult::Failed { observed: "the public key does not verify the signature".to_owned() }
                }
                (Opinion::Valid, Expectation::Denied | Expectation::Refused) => {
                    ProbeResult::Failed { observed: "the public key verifies another message".to_owned() }
                }
            },
        };
        let untold = matches!(result, ProbeResult::NotChecked { .. });
        here(notes, identity, (&format!("signing: {what} ({algorithm})"), expected), result);
        if untold {
            return;
        }
    }
}
