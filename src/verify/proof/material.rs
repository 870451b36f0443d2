//! Imported material that the run holds: KMS computes what this side computes with it, and not what other material gives.
//!
//! What a symmetric encryption key made, nobody but KMS can read: its material is proved by canaries, and by KMS itself,
//! which takes no other in its place.

use super::{NO_CONTEXT, here, not_checked};
use crate::import::Material;
use crate::kms::{KeyUsage, MacAlgorithm};
use crate::ports::{Cipher, Clock, Crypto, PortErrorKind};
use crate::report::{Expectation, ProbeResult};
use crate::verify::local::{self, Opinion, Peer, Signer};
use crate::verify::notes::Notes;
use crate::verify::specimen::{OTHER_TEXT, TEXT};
use crate::verify::stage::{Right, Stage, refused, say};
use crate::verify::uses::{Read, Use, takes_context};

const ALLOWED: Expectation = Expectation::Allowed;
const REFUSED: Expectation = Expectation::Refused;
/// Why something of another's is not checked.
const NO_STRANGER: &str = "no other key could be made on this side";
/// Why something is not checked where the material itself is held.
const UNABLE: &str = "this side could not compute with the material";

const fn right(what: Use) -> Right<'static> {
    Right::Use(what, NO_CONTEXT)
}

/// Runs for keys with an `import` table, but for symmetric encryption keys.
pub(super) async fn run<C: Crypto + Sync, M: Clock + Sync>(notes: &mut Notes<'_, M>, stage: &Stage<'_, '_, C, M>) {
    let key = stage.subject.desired;
    if key.import().is_none() || takes_context(key) {
        return;
    }
    let material = match stage.job.held.of(&stage.job.target.name, &key.name) {
        Ok(material) => material,
        Err(reason) => return here(notes, "caller", ("material: is that of the key", ALLOWED), not_checked(reason)),
    };
    if let Some(algorithm) = key.spec().mac_algorithms().first() {
        return mac(notes, stage, (material, *algorithm)).await;
    }
    let Some(public) = material.public_key() else {
        return here(notes, "caller", ("material: is that of the key", ALLOWED), not_checked(UNABLE));
    };
    same_public_key(notes, stage, &public).await;
    match key.usage() {
        KeyUsage::EncryptDecrypt => encryption(notes, stage, &public).await,
        KeyUsage::SignVerify => signing(notes, stage, &public).await,
        KeyUsage::KeyAgreement => agreement(notes, stage, material).await,
        KeyUsage::GenerateVerifyMac | KeyUsage::EncapsulateDecapsulate => {}
    }
}

/// The public key that KMS gives is that of the material.
async fn same_public_key<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    public: &[u8],
) {
    let id = &stage.subject.id;
    let theirs = stage.ask(notes, Right::Read(Read::GetPublicKey), async |c| c.public_key(id).await).await;
    say(notes, ("material: its public key is the key's", ALLOWED), &theirs, |theirs| {
        (theirs != public).then(|| "KMS gives another public key: the key has other material".to_owned())
    });
}

/// KMS makes the code that the material makes here, verifies another one of it, and none of other material.
async fn mac<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    (material, algorithm): (&Material, MacAlgorithm),
) {
    let id = &stage.subject.id;
    let (Some(ours), Some(other)) = (material.mac(algorithm, TEXT), material.mac(algorithm, OTHER_TEXT)) else {
        return here(notes, "caller", ("material: is that of the key", ALLOWED), not_checked(UNABLE));
    };
    let made = stage.ask(notes, right(Use::GenerateMac), async |c| c.generate_mac(id, algorithm, TEXT).await).await;
    say(notes, (&format!("material: made, equal to the code made here ({algorithm})"), ALLOWED), &made, |theirs| {
        (*theirs != ours).then(|| "KMS makes another code: the key has other material".to_owned())
    });
    let verify = right(Use::VerifyMac);
    let verified = stage.ask(notes, verify, async |c| c.verify_mac(id, algorithm, OTHER_TEXT, &other).await).await;
    say(notes, (&format!("material: made here, verified ({algorithm})"), ALLOWED), &verified, |()| None);
    let scenario = format!("material: made here with other material ({algorithm})");
    let Some(strange) = local::mac_of_stranger(algorithm, TEXT) else {
        return here(notes, "caller", (&scenario, REFUSED), not_checked(NO_STRANGER));
    };
    let asked = stage.ask(notes, verify, async |c| c.verify_mac(id, algorithm, TEXT, &strange).await).await;
    refused(notes, &scenario, &asked, (PortErrorKind::InvalidMac, "it was verified all the same"));
}

/// The public half of the material verifies what KMS signs; that of another does not.
async fn signing<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    public: &[u8],
) {
    let (id, spec) = (&stage.subject.id, stage.subject.desired.spec());
    let Some(algorithm) = spec.signing_algorithms().first().copied() else { return };
    let signed = stage.ask(notes, right(Use::Sign), async |c| c.sign(id, algorithm, TEXT).await).await;
    let scenario = format!("material: signed, verified with its public key ({algorithm})");
    let Some(signature) = signed.value() else { return say(notes, (&scenario, ALLOWED), &signed, |_| None) };
    let result = match local::check(spec, algorithm, public, (TEXT, signature)) {
        Opinion::Valid => ProbeResult::Passed,
        Opinion::Invalid => {
            let observed = "its public key does not verify what KMS signs: the key has other material".to_owned();
            ProbeResult::Failed { observed }
        }
        Opinion::Unable(reason) => not_checked(reason),
    };
    here(notes, &signed.identity, (&scenario, ALLOWED), result);
    let result = match Signer::generate(spec).and_then(|stranger| stranger.public()) {
        None => not_checked(NO_STRANGER),
        Some(strange) => match local::check(spec, algorithm, &strange, (TEXT, signature)) {
            Opinion::Invalid => ProbeResult::Passed,
            Opinion::Valid => ProbeResult::Failed { observed: "another public key verifies it too".to_owned() },
            Opinion::Unable(reason) => not_checked(reason),
        },
    };
    here(
        notes,
        &signed.identity,
        (&format!("material: verified with another public key ({algorithm})"), REFUSED),
        result,
    );
}

/// KMS decrypts what is encrypted here with the public half of the material, and not with another.
async fn encryption<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    public: &[u8],
) {
    let (id, spec) = (&stage.subject.id, stage.subject.desired.spec());
    let Some(algorithm) = spec.encryption_algorithms().last().copied() else { return };
    let cipher = Cipher::Public(algorithm);
    let scenario = format!("material: encrypted here with its public key, decrypted ({algorithm})");
    match local::encrypt(public, algorithm, TEXT) {
        Err(reason) => here(notes, "caller", (&scenario, ALLOWED), not_checked(reason)),
        Ok(ours) => {
            let opened = stage.ask(notes, right(Use::Decrypt), async |c| c.decrypt(id, &ours, cipher).await).await;
            say(notes, (&scenario, ALLOWED), &opened, |found| {
                (found.expose_secret() != TEXT).then(|| "another text was decrypted than was encrypted".to_owned())
            });
        }
    }
    let scenario = format!("material: encrypted here with another public key ({algorithm})");
    let strange = Signer::generate(spec).and_then(|stranger| stranger.public());
    let Some(strange) = strange.and_then(|public| local::encrypt(&public, algorithm, TEXT).ok()) else {
        return here(notes, "caller", (&scenario, REFUSED), not_checked(NO_STRANGER));
    };
    let opened = stage.ask(notes, right(Use::Decrypt), async |c| c.decrypt(id, &strange, cipher).await).await;
    refused(notes, &scenario, &opened, (PortErrorKind::InvalidCiphertext, "it was decrypted all the same"));
}

/// KMS and the material derive one secret with a peer; other material another.
async fn agreement<C: Crypto + Sync, M: Clock + Sync>(
    notes: &mut Notes<'_, M>,
    stage: &Stage<'_, '_, C, M>,
    material: &Material,
) {
    const SAME: (&str, Expectation) = ("material: derived, equal to the secret derived here", ALLOWED);
    const OTHER: (&str, Expectation) = ("material: derived here with other material", REFUSED);
    let (id, spec) = (&stage.subject.id, stage.subject.desired.spec());
    let (Ok(peer), Ok(stranger)) = (Peer::new(spec), Peer::new(spec)) else {
        return here(notes, "caller", SAME, not_checked(NO_STRANGER));
    };
    let Some(ours) = material.agree(peer.public()) else {
        return here(notes, "caller", SAME, not_checked(UNABLE));
    };
    let derive = right(Use::DeriveSharedSecret);
    let derived = stage.ask(notes, derive, async |c| c.derive_shared_secret(id, peer.public()).await).await;
    say(notes, SAME, &derived, |theirs| {
        let same = theirs.expose_secret() == ours.expose_secret();
        (!same).then(|| "KMS derives another secret: the key has other material".to_owned())
    });
    let Some(theirs) = derived.value() else { return };
    let result = match stranger.agree(peer.public()) {
        Err(reason) => not_checked(reason),
        Ok(strange) if strange.expose_secret() == theirs.expose_secret() => {
            ProbeResult::Failed { observed: "other material derives the same secret".to_owned() }
        }
        Ok(_) => ProbeResult::Passed,
    };
    here(notes, &derived.identity, OTHER, result);
}
