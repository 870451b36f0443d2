//! Message authentication codes: made twice, equal, verified; what is altered is refused.

use super::{NO_CONTEXT, here, not_checked};
use crate::kms::MacAlgorithm;
use crate::ports::{Clock, Crypto, PortErrorKind};
use crate::report::Expectation;
use crate::verify::local;
use crate::verify::notes::Notes;
use crate::verify::specimen::{OTHER_TEXT, Specimens, TEXT, flipped};
use crate::verify::stage::{Right, Stage, allowed, refused, say};
use crate::verify::uses::Use;

const GENERATE: Right<'static> = Right::Use(Use::GenerateMac, NO_CONTEXT);
const VERIFY: Right<'static> = Right::Use(Use::VerifyMac, NO_CONTEXT);

pub(super) async fn run<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    specimens: &mut Specimens,
) {
    for algorithm in stage.subject.desired.spec().mac_algorithms() {
        one(notes, stage, *algorithm, specimens).await;
    }
}

async fn one<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    algorithm: MacAlgorithm,
    specimens: &mut Specimens,
) {
    let id = &stage.subject.id;
    let made = stage.ask(notes, GENERATE, async |c| c.generate_mac(id, algorithm, TEXT).await).await;
    let length = local::mac_length(algorithm);
    say(notes, (&format!("mac: made ({algorithm})"), Expectation::Allowed), &made, |code| {
        (code.len() != length).then(|| format!("the code has {} bytes, not {length}", code.len()))
    });
    let Some(code) = made.value() else { return };
    specimens.mac = Some(code.clone());
    let again = stage.ask(notes, GENERATE, async |c| c.generate_mac(id, algorithm, TEXT).await).await;
    say(notes, (&format!("mac: made again, equal ({algorithm})"), Expectation::Allowed), &again, |again| {
        (again != code).then(|| "the same message has another code".to_owned())
    });
    let verified = stage.ask(notes, VERIFY, async |c| c.verify_mac(id, algorithm, TEXT, code).await).await;
    if allowed(notes, &format!("mac: verified ({algorithm})"), &verified).is_none() {
        return alone(notes, stage, algorithm, code).await;
    }
    let cases = [
        ("changed message", OTHER_TEXT, Some(code.clone())),
        ("changed code", TEXT, Some(flipped(code))),
        ("another key's code", TEXT, local::mac_of_stranger(algorithm, TEXT)),
    ];
    for (how, message, altered) in cases {
        let scenario = format!("mac: {how} ({algorithm})");
        let Some(altered) = altered else {
            let reason = not_checked("this side could not make a code");
            here(notes, &verified.identity, (&scenario, Expectation::Refused), reason);
            continue;
        };
        let asked = stage.ask(notes, VERIFY, async |c| c.verify_mac(id, algorithm, message, &altered).await).await;
        refused(notes, &scenario, &asked, (PortErrorKind::InvalidMac, "it was verified all the same"));
    }
}

/// Where nobody can be called for who verifies, another message must have another code at least.
async fn alone<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    algorithm: MacAlgorithm,
    code: &[u8],
) {
    let id = &stage.subject.id;
    let other = stage.ask(notes, GENERATE, async |c| c.generate_mac(id, algorithm, OTHER_TEXT).await).await;
    say(notes, (&format!("mac: changed message, made ({algorithm})"), Expectation::Refused), &other, |other| {
        (other == code).then(|| "another message has the same code".to_owned())
    });
}
