//! A ciphertext that another key of the target made, for the key under test to refuse.

use super::candidates::{Aim, Candidate, candidates};
use super::{Delegation, Enforced, Subject, TargetJob, Use, words};
use crate::desired::DesiredKey;
use crate::ports::{Cipher, Crypto, EncryptionContext, Forwarding, PortResult, RoleAssumer};
use crate::secret::SecretBytes;
use crate::verify::cast::{self, Assumer, Wanted};
use crate::verify::subject;
use crate::verify::uses::takes_context;

/// How many other keys are tried before giving up, of those that somebody can be called for.
const TRIES: usize = 8;

/// A ciphertext, and what it was made under.
pub(super) struct Foreign {
    pub(super) ciphertext: Vec<u8>,
    pub(super) context: EncryptionContext,
}

/// Makes one, in the name of anybody who may; returns the reason where nobody could.
///
/// Its context includes, if that can be, the one that the key under test is used with.
pub(super) async fn make<C, M>(
    job: &TargetJob<'_, C, M>,
    subject: &Subject<'_>,
    wished: &EncryptionContext,
    (assumer, enforced): (&Assumer<'_, C>, Enforced),
) -> Result<Foreign, String>
where
    C: Crypto + RoleAssumer<Assumed = C> + Forwarding + Sync,
{
    let others = job.target.keys.iter().filter(|key| key.name != subject.desired.name && takes_context(key));
    let others = others.filter(|key| is_open(key, enforced) || cast::has_callable_user(job, key));
    let others = others.filter_map(|key| subject::find(job.desired, key, job.live).ok()).take(TRIES);
    let mut reason = "no other key was read of which somebody could be called to make a ciphertext".to_owned();
    for other in others {
        let members = cast::members(job, &other, assumer, Wanted::Users).await;
        reason = format!("nobody could be found who may make a ciphertext under {}", other.desired.name);
        for maker in candidates(job, &other, &members, (Aim::Ciphertext, enforced)) {
            let context = shared(&maker, &other, wished);
            match ciphertext(&maker, &other, &context).await {
                Ok(ciphertext) => return Ok(Foreign { ciphertext, context }),
                Err(error) => reason = format!("no ciphertext of {}: {}", other.desired.name, words(&error)),
            }
        }
    }
    Err(reason)
}

/// Whether the caller may turn out to be able to use a key of which it is no user.
fn is_open(key: &DesiredKey, enforced: Enforced) -> bool {
    key.delegation == Delegation::Account || !enforced.key_policy
}

/// Returns the maker's context with the wished one in it, if it may work under that.
fn shared<C>(maker: &Candidate<'_, C>, other: &Subject<'_>, wished: &EncryptionContext) -> EncryptionContext {
    let both: EncryptionContext = maker.context.clone().into_iter().chain(wished.clone()).collect();
    if maker.may(maker.making, &both, &other.facts) { both } else { maker.context.clone() }
}

/// Returns a ciphertext that somebody makes in its own way.
pub(in crate::verify) async fn ciphertext<C: Crypto>(
    maker: &Candidate<'_, C>,
    other: &Subject<'_>,
    context: &EncryptionContext,
) -> PortResult<Vec<u8>> {
    let connection = maker.connection();
    if maker.making == Use::GenerateDataKeyWithoutPlaintext {
        connection.generate_data_key_without_plaintext(&other.id, context).await
    } else if maker.making == Use::Encrypt {
        let text = SecretBytes::new(b"keywright".to_vec());
        connection.encrypt(&other.id, &text, Cipher::Symmetric(context)).await
    } else {
        connection.generate_data_key(&other.id, context).await.map(|key| key.ciphertext)
    }
}
