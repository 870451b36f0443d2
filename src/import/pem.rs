//! The one private key of a text in PEM.
//!
//! <https://www.rfc-editor.org/rfc/rfc7468>

use super::encoding::Buffer;
use super::{Found, MaterialFlaw};
use pem_rfc7468::Decoder;
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";
/// What OpenSSL writes into a block that it encrypts in the old way.
const OLD_ENCRYPTION: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// One block of a text.
struct Block<'a> {
    label: &'a [u8],
    /// From its first dash to its last.
    text: &'a [u8],
}

/// Returns whether a text looks like PEM.
pub(super) fn is_pem(given: &[u8]) -> bool {
    find(given, BEGIN).is_some()
}

/// Returns the content of the one block of a text.
pub(super) fn read(given: &[u8]) -> Result<Buffer, MaterialFlaw> {
    let blocks = blocks(given).ok_or(MaterialFlaw::DamagedPem)?;
    let block = match blocks.as_slice() {
        [] if given.first() == Some(&0x30) => return Err(MaterialFlaw::NotPrivateKey(Found::DerBytes)),
        [] => return Err(MaterialFlaw::NotPrivateKey(Found::SomethingElse)),
        [block] => block,
        // `openssl ecparam -genkey` writes the curve before the key.
        [parameters, block] if parameters.label == b"EC PARAMETERS" && block.label == b"EC PRIVATE KEY" => block,
        several => return Err(MaterialFlaw::SeveralBlocks(several.len())),
    };
    if let Some(found) = other_than_private_key(block) {
        return Err(MaterialFlaw::NotPrivateKey(found));
    }
    decode(block.text).ok_or(MaterialFlaw::DamagedPem)
}

fn other_than_private_key(block: &Block<'_>) -> Option<Found> {
    match block.label {
        b"ENCRYPTED PRIVATE KEY" => Some(Found::EncryptedKey),
        _ if find(block.text, OLD_ENCRYPTION).is_some() => Some(Found::EncryptedKey),
        b"PUBLIC KEY" | b"RSA PUBLIC KEY" | b"SSH2 PUBLIC KEY" => Some(Found::PublicKey),
        b"CERTIFICATE"
        | b"X509 CERTIFICATE"
        | b"TRUSTED CERTIFICATE"
        | b"CERTIFICATE REQUEST"
        | b"NEW CERTIFICATE REQUEST" => Some(Found::Certificate),
        b"OPENSSH PRIVATE KEY" => Some(Found::OpensshKey),
        b"EC PARAMETERS" | b"DSA PARAMETERS" | b"DH PARAMETERS" => Some(Found::Parameters),
        b"PRIVATE KEY" | b"RSA PRIVATE KEY" | b"EC PRIVATE KEY" => None,
        _ => Some(Found::SomethingElse),
    }
}

/// Returns the blocks of a text; `None` if one does not end.
fn blocks(mut text: &[u8]) -> Option<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    while let Some(begin) = find(text, BEGIN) {
        let (_, block) = text.split_at_checked(begin)?;
        let (_, after) = block.split_at_checked(BEGIN.len())?;
        let (label, _) = after.split_at_checked(find(after, DASHES)?)?;
        let end = [b"-----END ".as_slice(), label, DASHES].concat();
        let length = find(block, &end)? + end.len();
        let (block, rest) = block.split_at_checked(length)?;
        blocks.push(Block { label, text: block });
        text = rest;
    }
    Some(blocks)
}

/// Decodes a block, whose lines may have any length.
fn decode(block: &[u8]) -> Option<Buffer> {
    let mut decoder = Decoder::new_detect_wrap(block).ok()?;
    let mut bytes = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut bytes).ok()?;
    decoder.is_finished().then_some(bytes)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
