//! Tests of whole messages: round trips, every kind of damage, and messages that another implementation wrote.

use super::*;
use crate::ids::KeyArn;
use crate::secret::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

pub(super) fn data_key() -> SecretBytes {
    SecretBytes::new((0..32).collect())
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext::new(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()).unwrap()
}

fn wrapped() -> EncryptedDataKey {
    EncryptedDataKey::kms(&ARN.parse::<KeyArn>().unwrap(), b"wrapped".to_vec())
}

pub(super) fn message(plaintext: &[u8], frame_length: u32) -> Vec<u8> {
    let context = context(&[("app", "ledger"), ("table", "Überweisung")]);
    let frame_length = FrameLength::new(frame_length).unwrap();
    seal(plaintext, &data_key(), [9; 32], &context, &[wrapped()], frame_length).unwrap()
}

pub(super) fn sealer(frame_length: u32) -> (Sealer, Vec<u8>) {
    let length = FrameLength::new(frame_length).unwrap();
    Sealer::new(&data_key(), [0; 32], &context(&[]), &[wrapped()], length).unwrap()
}

fn opened(message: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    open(message, &data_key()).map(|plaintext| plaintext.expose_secret().to_vec())
}

/// Where the header and each frame end, found by opening.
fn boundaries(message: &[u8]) -> Vec<usize> {
    let (header, mut at) = parse_header(message).unwrap();
    let mut opener = Opener::new(&header, &data_key()).unwrap();
    let mut ends = vec![at];
    while at < message.len() {
        at += opener.frame(&message[at..]).unwrap().consumed;
        ends.push(at);
    }
    ends
}

#[test]
fn round_trips_at_every_edge_of_a_frame() {
    for frame_length in [1_u32, 2, 16, 100] {
        let edge = frame_length as usize;
        for size in [0, 1, edge - 1, edge, edge + 1, 2 * edge - 1, 2 * edge, 2 * edge + 1, 10 * edge] {
            let plaintext: Vec<u8> = (0..=250).cycle().take(size).collect();
            let message = message(&plaintext, frame_length);
            assert_eq!(opened(&message).unwrap(), plaintext, "{size} bytes in frames of {frame_length}");
            // A full last chunk goes into the final frame; only an empty plaintext makes an empty one.
            assert_eq!(boundaries(&message).len() - 1, size.div_ceil(edge).max(1));
        }
    }
}

#[test]
fn a_large_message_round_trips() {
    let plaintext: Vec<u8> = (0..=250).cycle().take(3_000_001).collect();
    assert_eq!(opened(&message(&plaintext, 4096)).unwrap(), plaintext);
    assert_eq!(opened(&message(&plaintext, FrameLength::MAX.get())).unwrap(), plaintext);
}

#[test]
fn the_header_tells_what_it_was_given() {
    let message = message(b"x", 16);
    let (header, length) = parse_header(&message).unwrap();
    assert_eq!(header.encryption_context(), &context(&[("app", "ledger"), ("table", "Überweisung")]));
    assert_eq!(header.data_keys(), [wrapped()]);
    assert_eq!(header.data_keys()[0].key_arn().unwrap().as_str(), ARN);
    assert_eq!((header.frame_length().get(), header.message_id(), header.encoded_len()), (16, &[9; 32], length));
}

#[test]
fn any_flipped_bit_fails() {
    let message = message(&[5; 40], 16);
    for bit in 0..message.len() * 8 {
        let mut altered = message.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(opened(&altered).is_err(), "bit {bit} is not authenticated");
    }
}

#[test]
fn every_truncation_fails_and_says_how() {
    let message = message(&[5; 40], 16);
    let ends = boundaries(&message);
    for length in 0..message.len() {
        let expected = match ends.iter().position(|end| *end == length) {
            Some(frames) => EnvelopeError::MissingFinalFrame { after: u32::try_from(frames).unwrap() },
            None => EnvelopeError::Truncated { at: length as u64 },
        };
        assert_eq!(opened(&message[..length]), Err(expected), "cut at {length}");
    }
}

#[test]
fn appended_repeated_and_missing_frames_fail() {
    let message = message(&[5; 40], 16);
    let ends = boundaries(&message);
    let [header, first, second, all] = ends[..] else { panic!("{ends:?}") };
    let join = |parts: &[&[u8]]| opened(&parts.concat());
    let at = all as u64;
    assert_eq!(join(&[&message, b"\0"]), Err(EnvelopeError::TrailingData { at }));
    assert_eq!(join(&[&message, &message[second..]]), Err(EnvelopeError::TrailingData { at }));
    let repeated = join(&[&message[..first], &message[header..]]);
    assert_eq!(repeated, Err(EnvelopeError::FrameOrder { expected: 2, found: 1 }));
    let missing = join(&[&message[..header], &message[first..]]);
    assert_eq!(missing, Err(EnvelopeError::FrameOrder { expected: 1, found: 2 }));
}

#[test]
fn frames_of_another_message_fail() {
    let (ours, context) = (message(&[5; 40], 16), context(&[("app", "ledger"), ("table", "Überweisung")]));
    let length = FrameLength::new(16).unwrap();
    let theirs = seal(&[6; 40], &data_key(), [8; 32], &context, &[wrapped()], length).unwrap();
    let (_, header) = parse_header(&ours).unwrap();
    let mixed = [&ours[..header], &theirs[header..]].concat();
    assert_eq!(opened(&mixed), Err(EnvelopeError::FrameTampered { sequence: 1 }));
}

#[test]
fn a_wrong_data_key_is_told_from_tampering() {
    let message = message(b"plaintext", 16);
    assert_eq!(open(&message, &SecretBytes::new(vec![1; 32])).unwrap_err(), EnvelopeError::CommitmentMismatch);
    assert_eq!(open(&message, &SecretBytes::new(vec![1; 16])).unwrap_err(), EnvelopeError::DataKeyLength(16));
    let mut other_id = message.clone();
    other_id[3] ^= 1;
    assert_eq!(opened(&other_id), Err(EnvelopeError::CommitmentMismatch));
}

#[test]
fn frames_stream_as_their_bytes_arrive() {
    let message = message(&[5; 40], 16);
    let (header, mut at) = parse_header(&message).unwrap();
    let mut opener = Opener::new(&header, &data_key()).unwrap();
    let (mut end, mut plaintext, mut kind) = (at, Vec::new(), FrameKind::Regular);
    while kind == FrameKind::Regular {
        match opener.frame(&message[at..end]) {
            Ok(frame) => {
                assert!(frame.consumed <= opener.max_frame_bytes());
                plaintext.extend_from_slice(frame.plaintext.expose_secret());
                (at, kind) = (at + frame.consumed, frame.kind);
            }
            Err(EnvelopeError::Truncated { at }) => {
                assert_eq!(at, end as u64);
                end += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((plaintext, at), (vec![5; 40], message.len()));
    assert_eq!(opener.frame(b"").unwrap_err(), EnvelopeError::TrailingData { at: at as u64 });
    opener.finish(b"").unwrap();
}

#[test]
fn finishing_demands_the_final_frame_and_nothing_after_it() {
    let message = message(b"abc", 16);
    let (header, at) = parse_header(&message).unwrap();
    let unread = Opener::new(&header, &data_key()).unwrap();
    assert_eq!(unread.finish(b""), Err(EnvelopeError::MissingFinalFrame { after: 0 }));
    let mut read = Opener::new(&header, &data_key()).unwrap();
    read.frame(&message[at..]).unwrap();
    assert_eq!(read.finish(b"x"), Err(EnvelopeError::TrailingData { at: message.len() as u64 }));
}

#[test]
fn a_final_frame_cannot_claim_more_than_a_frame_holds() {
    let mut message = message(b"abc", 16);
    let (_, at) = parse_header(&message).unwrap();
    let length_at = at + 4 + 4 + 12;
    for (length, expected) in [
        (16, EnvelopeError::Truncated { at: message.len() as u64 }),
        (17, EnvelopeError::FinalFrameTooLong { length: 17, limit: 16 }),
        (u32::MAX, EnvelopeError::FinalFrameTooLong { length: u32::MAX, limit: 16 }),
    ] {
        message[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
        assert_eq!(opened(&message), Err(expected));
    }
}

#[test]
fn a_sealer_takes_only_chunks_that_fit() {
    let (mut sealer, _) = sealer(4);
    assert_eq!(sealer.frame(b"abc"), Err(EnvelopeError::ChunkLength { expected: 4, found: 3 }));
    assert_eq!(sealer.frame(b""), Err(EnvelopeError::ChunkLength { expected: 4, found: 0 }));
    assert!(sealer.frame(b"abcd").is_ok());
    assert_eq!(sealer.finish(b"abcde"), Err(EnvelopeError::ChunkLength { expected: 4, found: 5 }));
}

#[test]
fn both_ways_of_ending_on_a_full_frame_open() {
    let (mut sealer, mut message) = sealer(4);
    message.extend(sealer.frame(b"abcd").unwrap());
    message.extend(sealer.finish(b"").unwrap());
    assert_eq!(opened(&message).unwrap(), b"abcd");
}

#[test]
fn limits_hold_when_writing_and_when_reading() {
    let length = FrameLength::DEFAULT;
    let with_keys = |keys: &[EncryptedDataKey]| seal(b"", &data_key(), [0; 32], &context(&[]), keys, length);
    assert_eq!(with_keys(&[]), Err(EnvelopeError::NoDataKeys));
    assert_eq!(with_keys(&vec![wrapped(); 65]), Err(EnvelopeError::TooManyDataKeys(65)));
    let long = EncryptedDataKey { ciphertext: vec![0; 6145], ..wrapped() };
    let fault = EnvelopeError::DataKeyField { field: "ciphertext", length: 6145, limit: 6144 };
    assert_eq!(with_keys(&[long]), Err(fault));

    let largest =
        EncryptedDataKey { provider_id: "p".repeat(128), provider_info: vec![b'i'; 2048], ciphertext: vec![0; 6144] };
    let full = EncryptionContext::new([("k".to_owned(), "v".repeat(MAX_CONTEXT_LENGTH - 7))].into()).unwrap();
    let message = seal(b"", &data_key(), [0; 32], &full, &vec![largest; 64], length).unwrap();
    assert_eq!(parse_header(&message).unwrap().1, MAX_HEADER_LENGTH);
    assert_eq!(opened(&message).unwrap(), b"");

    for bytes in [0, FrameLength::MAX.get() + 1, u32::MAX] {
        assert_eq!(FrameLength::new(bytes), Err(EnvelopeError::FrameLength(bytes)));
    }
}

#[test]
fn hostile_headers_are_refused_by_name() {
    let good = message(b"", 16);
    let altered = |at: usize, bytes: &[u8]| {
        let mut message = good.clone();
        message[at..at + bytes.len()].copy_from_slice(bytes);
        parse_header(&message).unwrap_err()
    };
    let (header, _) = parse_header(&good).unwrap();
    let count_at = 37 + header.encryption_context().serialise().len();
    let frame_length_at = header.places.frame_length_end - 3;
    assert_eq!(altered(0, &[1]), EnvelopeError::UnsupportedVersion(1));
    assert_eq!(altered(1, &[0x05, 0x78]), EnvelopeError::UnsupportedAlgorithm(0x0578));
    assert_eq!(altered(count_at, &[0, 0]), EnvelopeError::NoDataKeys);
    assert_eq!(altered(count_at, &[0xff, 0xff]), EnvelopeError::TooManyDataKeys(65535));
    let provider = EnvelopeError::DataKeyField { field: "provider id", length: 65535, limit: 128 };
    assert_eq!(altered(count_at + 2, &[0xff, 0xff]), provider);
    assert_eq!(altered(count_at + 4, &[0xff]), EnvelopeError::NotUtf8 { at: count_at as u64 + 4 });
    assert_eq!(altered(frame_length_at - 1, &[1]), EnvelopeError::UnsupportedContentType(1));
    assert_eq!(altered(frame_length_at, &[0; 4]), EnvelopeError::FrameLength(0));
    assert_eq!(altered(frame_length_at, &[0xff; 4]), EnvelopeError::FrameLength(u32::MAX));
}

#[test]
fn errors_name_the_limits() {
    let shown = |error: EnvelopeError| error.to_string();
    assert_eq!(
        shown(EnvelopeError::TooManyDataKeys(65)),
        "the message has 65 wrapped data keys; at most 64 are accepted"
    );
    assert!(shown(EnvelopeError::FrameLength(0)).ends_with("it must be between 1 and 16777216"));
    assert!(shown(EnvelopeError::ContextTooLong { length: 70000 }).ends_with("a message holds 65535"));
    assert!(shown(EnvelopeError::UnsupportedAlgorithm(0x0578)).starts_with("algorithm suite 0x0578 is not supported"));
    assert!(shown(EnvelopeError::UnsupportedVersion(1)).ends_with("its first byte is 0x01, not 0x02"));
}

#[test]
fn other_providers_have_no_key_arn() {
    assert_eq!(EncryptedDataKey { provider_id: "raw".to_owned(), ..wrapped() }.key_arn(), None);
    assert_eq!(EncryptedDataKey { provider_info: b"alias/x".to_vec(), ..wrapped() }.key_arn(), None);
}

#[test]
fn debug_shows_no_secret() {
    let (header, _) = parse_header(&message(b"canary", 16)).unwrap();
    let opener = Opener::new(&header, &data_key()).unwrap();
    let shown = format!("{opener:?}");
    assert!(shown.contains("redacted") && !shown.contains("LessSafeKey"), "{shown}");
}

/// What Python's `aws-encryption-sdk` wrote; `tests/servers/esdk_interop.py vectors` makes them anew.
#[test]
fn messages_of_the_aws_encryption_sdk_open() {
    let vectors = include_str!("../../tests/data/envelope/vectors.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let bytes = |name: &str| STANDARD.decode(text(name)).unwrap();
        let message = bytes("message");
        let (header, _) = parse_header(&message).unwrap();
        let expected: BTreeMap<String, String> = serde_json::from_value(vector["context"].clone()).unwrap();
        assert_eq!(header.encryption_context().as_map(), &expected, "{}", text("name"));
        let key = EncryptedDataKey::kms(&text("key_arn").parse().unwrap(), bytes("wrapped_key"));
        assert_eq!(header.data_keys(), [key], "{}", text("name"));
        assert_eq!(u64::from(header.frame_length().get()), vector["frame_length"].as_u64().unwrap());
        let data_key = SecretBytes::new(hex::decode(text("data_key")).unwrap());
        assert_eq!(open(&message, &data_key).unwrap().expose_secret(), bytes("plaintext"), "{}", text("name"));

        // Ours are the same bytes, but for how a message ends on a full frame.
        let (id, length) = (*header.message_id(), header.frame_length());
        let args = (header.encryption_context(), header.data_keys());
        let (mut sealer, mut ours) = Sealer::new(&data_key, id, args.0, args.1, length).unwrap();
        let plaintext = bytes("plaintext");
        let chunks = plaintext.chunks_exact(length.as_usize());
        let rest = chunks.remainder();
        for chunk in chunks {
            ours.extend(sealer.frame(chunk).unwrap());
        }
        ours.extend(sealer.finish(rest).unwrap());
        assert_eq!(ours, message, "{}", text("name"));
    }
}

fn pairs() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-zé𝄞-]{0,12}", "[ -~ü]{0,20}", 0..6)
}

fn data_keys() -> impl Strategy<Value = Vec<EncryptedDataKey>> {
    let key = ("[a-zß-]{0,10}", vec(any::<u8>(), 0..90), vec(any::<u8>(), 0..200)).prop_map(
        |(provider_id, provider_info, ciphertext)| EncryptedDataKey { provider_id, provider_info, ciphertext },
    );
    vec(key, 1..4)
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        plaintext in vec(any::<u8>(), 0..600),
        frame_length in 1_u32..200,
        message_id in any::<[u8; 32]>(),
        key in any::<[u8; 32]>(),
        (pairs, data_keys) in (pairs(), data_keys()),
    ) {
        let (key, context) = (SecretBytes::new(key.to_vec()), EncryptionContext::new(pairs).unwrap());
        let length = FrameLength::new(frame_length).unwrap();
        let message = seal(&plaintext, &key, message_id, &context, &data_keys, length).unwrap();
        let (header, consumed) = parse_header(&message).unwrap();
        prop_assert_eq!(header.encryption_context(), &context);
        prop_assert_eq!(header.data_keys(), data_keys.as_slice());
        prop_assert_eq!((header.encoded_len(), header.message_id()), (consumed, &message_id));
        let opened = open(&message, &key).unwrap();
        prop_assert_eq!(opened.expose_secret(), plaintext);
    }

    #[test]
    fn altered_messages_never_open(
        plaintext in vec(any::<u8>(), 0..200),
        frame_length in 1_u32..80,
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let good = message(&plaintext, frame_length);
        let mut altered = good.clone();
        for (place, value) in edits {
            altered[place.index(good.len())] = value;
        }
        prop_assert_eq!(opened(&altered).is_ok(), altered == good);
    }

    #[test]
    fn spliced_messages_never_open(
        plaintext in vec(any::<u8>(), 0..200),
        frame_length in 1_u32..80,
        cuts in any::<[prop::sample::Index; 4]>(),
    ) {
        let good = message(&plaintext, frame_length);
        let [a, b, c, d] = cuts.map(|cut| cut.index(good.len() + 1));
        let spliced = [&good[..a], &good[b.min(c)..b.max(c)], &good[d..]].concat();
        if let Ok(found) = opened(&spliced) {
            prop_assert_eq!((spliced, found), (good, plaintext));
        }
    }

    #[test]
    fn parsing_never_panics_and_never_reads_past_what_it_says(noise in vec(any::<u8>(), 0..400)) {
        // The beginning of a real header leads the noise deeper in.
        let good = message(b"", 16);
        for start in [0, 3, 35, 37, 80, good.len() - 70] {
            let bytes = [&good[..start.min(good.len())], noise.as_slice()].concat();
            if let Ok((header, consumed)) = parse_header(&bytes) {
                prop_assert!(consumed <= bytes.len() && consumed == header.encoded_len());
                prop_assert_eq!(parse_header(&bytes[..consumed]).unwrap().0, header);
            }
            prop_assert!(opened(&bytes).is_err());
            // Whether noise has frames is chance; that looking for them does not panic is not.
            drop(probes::swap_frames(&bytes));
        }
    }
}
