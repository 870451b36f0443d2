//! Proves that our messages and those of AWS's own Encryption SDK are the same format, both ways.
//!
//! Drives `esdk_interop.py`, which needs a Python that has the package `aws-encryption-sdk`.

use crate::process::{Outcome, Script};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keywright::envelope::{EncryptedDataKey, EncryptionContext, FrameLength, open, parse_header, probes, seal};
use keywright::ids::KeyArn;
use keywright::secret::SecretBytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const DATA_KEY: [u8; 32] = [0x42; 32];

fn opened(esdk: &mut Script, message: &[u8]) -> Outcome<Value> {
    esdk.ask(&json!({"op": "open", "data_key": hex::encode(DATA_KEY), "message": STANDARD.encode(message)}))
}

/// One message to exchange.
struct Case {
    plaintext: Vec<u8>,
    context: BTreeMap<String, String>,
    frame_length: u32,
}

fn cases(frame_lengths: &[u32]) -> Vec<Case> {
    let pairs = [("app", "ledger"), ("tabelle", "Überweisung"), ("é", ""), ("𝄞", "after every BMP character")];
    let full: BTreeMap<String, String> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut cases = Vec::new();
    for frame_length in frame_lengths.iter().copied() {
        for size in [0, 1, frame_length - 1, frame_length, frame_length + 1, 3 * frame_length, 7 * frame_length + 5] {
            let plaintext: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap_or_default()).collect();
            let context = if size % 2 == 0 { full.clone() } else { BTreeMap::new() };
            cases.push(Case { plaintext, context, frame_length });
        }
    }
    cases
}

fn data_key() -> SecretBytes {
    SecretBytes::new(DATA_KEY.to_vec())
}

fn wrapped() -> Outcome<EncryptedDataKey> {
    Ok(EncryptedDataKey::kms(&ARN.parse::<KeyArn>()?, vec![7; 184]))
}

fn ours(case: &Case, message_id: [u8; 32]) -> Outcome<Vec<u8>> {
    let context = EncryptionContext::new(case.context.clone())?;
    let length = FrameLength::new(case.frame_length)?;
    Ok(seal(&case.plaintext, &data_key(), message_id, &context, &[wrapped()?], length)?)
}

fn demand(holds: bool, what: &str) -> Outcome<()> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// Theirs opens ours: content, context and wrapped key.
fn they_open(esdk: &mut Script, case: &Case, message: &[u8]) -> Outcome<()> {
    let wrapped_key =
        json!([{"provider_id": "aws-kms", "provider_info": ARN, "wrapped_key": STANDARD.encode([7; 184])}]);
    let expected = json!({
        "plaintext": STANDARD.encode(&case.plaintext), "context": case.context,
        "frame_length": case.frame_length, "data_keys": wrapped_key,
    });
    let answer = opened(esdk, message)?;
    demand(answer == expected, &format!("the Encryption SDK read {answer} instead of {expected}"))
}

/// Ours opens theirs: content, context and wrapped key.
fn we_open(esdk: &mut Script, case: &Case) -> Outcome<()> {
    let answer = esdk.ask(&json!({
        "op": "seal", "data_key": hex::encode(DATA_KEY), "key_arn": ARN, "wrapped_key": STANDARD.encode([7; 184]),
        "context": case.context, "frame_length": case.frame_length, "plaintext": STANDARD.encode(&case.plaintext),
    }))?;
    let message = STANDARD.decode(answer.get("message").and_then(Value::as_str).ok_or_else(|| answer.to_string())?)?;
    let (header, _) = parse_header(&message)?;
    demand(header.encryption_context().as_map() == &case.context, "their context reads differently")?;
    demand(header.data_keys() == [wrapped()?], "their wrapped key reads differently")?;
    demand(open(&message, &data_key())?.expose_secret() == case.plaintext, "their message opens to something else")
}

/// What the probes alter, theirs refuses too.
fn they_refuse(esdk: &mut Script, message: &[u8]) -> Outcome<()> {
    let altered = [
        ("header", probes::flip_bit_in_header(message)?),
        ("body", probes::flip_bit_in_body(message)?),
        ("wrapped key", probes::flip_bit_in_wrapped_key(message, 0)?),
        ("truncated", probes::truncate(message)?),
        ("final frame", probes::drop_final_frame(message)?),
        ("order", probes::swap_frames(message)?),
        ("contents", probes::swap_frame_contents(message)?),
    ];
    for (what, message) in altered {
        let answer = opened(esdk, &message)?;
        demand(
            answer.get("error").is_some(),
            &format!("the Encryption SDK opened an altered message ({what}): {answer}"),
        )?;
    }
    Ok(())
}

/// Exchanges messages of many sizes in both directions, and altered ones.
pub(crate) fn both_ways(python: &Path) -> Outcome<()> {
    let mut esdk = Script::start(python, "esdk_interop.py")?;
    for (number, case) in (0_u8..).zip(cases(&[2, 16, 100, 128, 4096])) {
        they_open(&mut esdk, &case, &ours(&case, [number; 32])?)?;
    }
    // Their writer takes frame lengths that are multiples of 128 only.
    for case in cases(&[128, 256, 4096]) {
        we_open(&mut esdk, &case)?;
    }
    let case = Case { plaintext: vec![5; 1000], context: BTreeMap::new(), frame_length: 128 };
    they_refuse(&mut esdk, &ours(&case, [0xff; 32])?)?;
    esdk.stop()
}
