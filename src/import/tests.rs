//! Tests of material: what is read, what is refused and how, and that what is wrapped is unwrapped again.

use super::*;
use crate::kms::{MacAlgorithm, WrappingKeySpec};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
    PublicKeyComponents,
};
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, UnparsedPublicKey};
use aws_lc_rs::{agreement, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const SECRETS: &[KeySpec] =
    &[KeySpec::SymmetricDefault, KeySpec::Hmac224, KeySpec::Hmac256, KeySpec::Hmac384, KeySpec::Hmac512];
const PRIVATE: &[KeySpec] = &[
    KeySpec::Rsa2048,
    KeySpec::Rsa3072,
    KeySpec::Rsa4096,
    KeySpec::EccNistP256,
    KeySpec::EccNistP384,
    KeySpec::EccNistP521,
    KeySpec::EccNistEdwards25519,
    KeySpec::EccSecgP256k1,
];

/// One private key of each spec, as PKCS#8.
static KEYS: LazyLock<BTreeMap<KeySpec, Vec<u8>>> =
    LazyLock::new(|| PRIVATE.iter().map(|spec| (*spec, new_key(*spec))).collect());

static WRAPPING_KEYS: LazyLock<BTreeMap<WrappingKeySpec, PrivateDecryptingKey>> = LazyLock::new(|| {
    let sizes = [KeySize::Rsa2048, KeySize::Rsa3072, KeySize::Rsa4096];
    let keys = sizes.map(|size| PrivateDecryptingKey::generate(size).unwrap());
    WrappingKeySpec::ALL.iter().copied().zip(keys).collect()
});

const CURVES: &[(KeySpec, &EcdsaSigningAlgorithm)] = &[
    (KeySpec::EccNistP256, &signature::ECDSA_P256_SHA256_ASN1_SIGNING),
    (KeySpec::EccNistP384, &signature::ECDSA_P384_SHA384_ASN1_SIGNING),
    (KeySpec::EccNistP521, &signature::ECDSA_P521_SHA512_ASN1_SIGNING),
    (KeySpec::EccSecgP256k1, &signature::ECDSA_P256K1_SHA256_ASN1_SIGNING),
];

fn ecdsa(spec: KeySpec) -> Option<&'static EcdsaSigningAlgorithm> {
    CURVES.iter().find(|(curve, _)| *curve == spec).map(|(_, algorithm)| *algorithm)
}

fn new_key(spec: KeySpec) -> Vec<u8> {
    if let Some(algorithm) = ecdsa(spec) {
        return EcdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    }
    if spec == KeySpec::EccNistEdwards25519 {
        return Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    }
    let sizes = [(2048, KeySize::Rsa2048), (3072, KeySize::Rsa3072), (4096, KeySize::Rsa4096)];
    let (_, size) = sizes.into_iter().find(|(bits, _)| spec.rsa_bits() == Some(*bits)).unwrap();
    aws_lc_rs::rsa::KeyPair::generate(size).unwrap().as_der().unwrap().as_ref().to_vec()
}

fn read(spec: KeySpec, encoding: MaterialEncoding, given: &[u8]) -> Result<Material, MaterialFlaw> {
    Material::read(spec, encoding, &SecretBytes::new(given.to_vec()))
}

#[track_caller]
fn flaw(spec: KeySpec, encoding: MaterialEncoding, given: &[u8]) -> MaterialFlaw {
    let flaw = read(spec, encoding, given).expect_err("it is refused");
    assert!(!flaw.to_string().is_empty() && !flaw.help().is_empty());
    flaw
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).unwrap();
    bytes
}

/// A DER element.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let head = if body.len() < 0x80 { vec![tag, length[1]] } else { vec![tag, 0x82, length[0], length[1]] };
    [head, body].concat()
}

fn pem(label: &str, der: &[u8], width: usize, line_end: &str) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----{line_end}{}{line_end}-----END {label}-----{line_end}", lines.join(line_end))
}

/// The content of the third element of PKCS#8, which for RSA is PKCS#1.
fn inner(pkcs8: &[u8]) -> Vec<u8> {
    // SEQUENCE, its length in four bytes; version 0; the algorithm; OCTET STRING, its length in four bytes
    let at = 4 + 3 + 2 + usize::from(pkcs8[8]) + 4;
    pkcs8[at..].to_vec()
}

fn wrap_lines(text: &str, width: usize) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(" {}\r\n", lines.join("\n"))
}

#[test]
fn secrets_are_read_in_every_way_that_tools_write_them() {
    for spec in SECRETS {
        let secret = random(spec.secret_length().unwrap());
        let (digits, base64) = (hex::encode(&secret), STANDARD.encode(&secret));
        let ways = [
            (MaterialEncoding::Raw, secret.clone()),
            (MaterialEncoding::Hex, digits.clone().into()),
            (MaterialEncoding::Hex, digits.to_uppercase().into()),
            (MaterialEncoding::Hex, wrap_lines(&digits, 60).into()),
            (MaterialEncoding::Base64, format!("{base64}\n").into()),
            (MaterialEncoding::Base64, wrap_lines(&base64, 20).into()),
        ];
        for (encoding, given) in ways {
            let material = read(*spec, encoding, &given).unwrap();
            assert_eq!(material.bytes().expose_secret(), secret, "{spec} {encoding:?}");
            assert_eq!((material.spec(), material.public_key()), (*spec, None));
        }
    }
}

#[test]
fn private_keys_are_read_in_every_format_and_come_out_as_the_same_pkcs8() {
    for (spec, key) in &*KEYS {
        let mut ways = vec![
            (MaterialEncoding::Der, key.clone()),
            (MaterialEncoding::Hex, wrap_lines(&hex::encode(key), 60).into()),
            (MaterialEncoding::Base64, wrap_lines(&STANDARD.encode(key), 76).into()),
            (MaterialEncoding::Pem, pem("PRIVATE KEY", key, 64, "\n").into()),
            (MaterialEncoding::Pem, pem("PRIVATE KEY", key, 64, "\r\n").into()),
            (MaterialEncoding::Pem, pem("PRIVATE KEY", key, 76, "\n").into()),
            (MaterialEncoding::Pem, pem("PRIVATE KEY", key, 10_000, "\n").into()),
            (MaterialEncoding::Pem, format!("Key:\n{}\n\n", pem("PRIVATE KEY", key, 64, "\n")).into()),
        ];
        if spec.rsa_bits().is_some() {
            ways.push((MaterialEncoding::Der, inner(key)));
            ways.push((MaterialEncoding::Pem, pem("RSA PRIVATE KEY", &inner(key), 64, "\n").into()));
        }
        if let Some(algorithm) = ecdsa(*spec) {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, key).unwrap();
            let sec1 = pair.private_key().as_der().unwrap().as_ref().to_vec();
            let text = pem("EC PRIVATE KEY", &sec1, 64, "\n");
            ways.push((MaterialEncoding::Der, sec1));
            ways.push((
                MaterialEncoding::Pem,
                [pem("EC PARAMETERS", &[6, 1, 1], 64, "\n"), text.clone()].concat().into(),
            ));
            ways.push((MaterialEncoding::Pem, text.into()));
        }
        for (way, (encoding, given)) in ways.iter().enumerate() {
            let material = read(*spec, *encoding, given).unwrap_or_else(|flaw| panic!("{spec}, way {way}: {flaw}"));
            assert_eq!(material.bytes().expose_secret(), key, "{spec}, way {way}");
        }
    }
}

/// KMS's side of the wrapping.
fn unwrap(algorithm: WrappingAlgorithm, key: &PrivateDecryptingKey, wrapped: &[u8]) -> Vec<u8> {
    let padding = match algorithm {
        WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::AesKeyWrapSha1 => &OAEP_SHA1_MGF1SHA1,
        WrappingAlgorithm::OaepSha256 | WrappingAlgorithm::AesKeyWrapSha256 => &OAEP_SHA256_MGF1SHA256,
    };
    let private = OaepPrivateDecryptingKey::new(key.clone()).unwrap();
    let (under_rsa, under_aes) = wrapped.split_at(key.key_size_bytes());
    let mut plaintext = vec![0; private.min_output_size()];
    let plaintext = private.decrypt(padding, under_rsa, &mut plaintext, None).unwrap().to_vec();
    if !algorithm.uses_aes() {
        assert!(under_aes.is_empty());
        return plaintext;
    }
    assert_eq!(plaintext.len(), 32);
    let mut material = vec![0; under_aes.len()];
    AesKek::new(&AES_256, &plaintext).unwrap().unwrap_with_padding(under_aes, &mut material).unwrap().to_vec()
}

/// A material of each spec.
fn materials() -> Vec<Material> {
    let secrets = SECRETS.iter().map(|spec| read(*spec, MaterialEncoding::Raw, &random(spec.secret_length().unwrap())));
    let keys = KEYS.iter().map(|(spec, key)| read(*spec, MaterialEncoding::Der, key));
    secrets.chain(keys).collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_is_wrapped_in_a_way_that_fits_is_unwrapped_again() {
    let mut ways = 0;
    for material in materials() {
        for (size, key) in &*WRAPPING_KEYS {
            let public = key.public_key().as_der().unwrap().as_ref().to_vec();
            assert_eq!(wrapping_key_spec(&public), Ok(*size));
            for algorithm in WrappingAlgorithm::ALL {
                let wrapped = material.wrap(*algorithm, &public);
                if !algorithm.fits(material.spec(), *size) {
                    let unfit = WrapError::Unfit { spec: material.spec(), algorithm: *algorithm, key: *size };
                    assert_eq!(wrapped, Err(unfit));
                    continue;
                }
                let wrapped = wrapped.unwrap();
                assert_eq!(unwrap(*algorithm, key, &wrapped), material.bytes().expose_secret());
                assert_ne!(material.wrap(*algorithm, &public).unwrap(), wrapped, "each time under another key");
                ways += 1;
            }
        }
    }
    // Five secrets in 6 ways, three RSA keys in 6, four on curves in 12, and P-521 in 10.
    assert_eq!(ways, 5 * 6 + 3 * 6 + 4 * 12 + 10);
}

#[test]
fn only_rsa_keys_of_the_sizes_of_kms_wrap() {
    let material = read(KeySpec::SymmetricDefault, MaterialEncoding::Raw, &random(32)).unwrap();
    let curve = read(KeySpec::EccNistP256, MaterialEncoding::Der, &KEYS[&KeySpec::EccNistP256]).unwrap();
    for foreign in [curve.public_key().unwrap(), curve.bytes().expose_secret().to_vec(), vec![], vec![0x30; 300]] {
        assert_eq!(material.wrap(WrappingAlgorithm::OaepSha256, &foreign), Err(WrapError::NotRsa));
        assert_eq!(wrapping_key_spec(&foreign), Err(WrapError::NotRsa));
    }
    let odd = PublicKeyComponents { n: vec![0xff; 264], e: vec![1, 0, 1] };
    let odd = odd.as_der().unwrap().as_ref().to_vec();
    assert_eq!(material.wrap(WrappingAlgorithm::OaepSha256, &odd), Err(WrapError::Size(2112)));
}

#[test]
fn a_wrong_length_says_how_the_material_would_be_right() {
    use MaterialEncoding::{Base64, Hex, Raw};
    let secret = random(32);
    let (digits, base64) = (hex::encode(&secret), STANDARD.encode(&secret));
    let reading = |encoding, given: &[u8]| {
        let flaw = flaw(KeySpec::SymmetricDefault, encoding, given);
        let (MaterialFlaw::Length { reading, .. } | MaterialFlaw::Undecodable { reading, .. }) = flaw else {
            panic!("{flaw:?}");
        };
        reading
    };
    assert_eq!(reading(Raw, &[&secret[..], b"\n"].concat()), Some(Reading::WithoutLineEnd));
    assert_eq!(reading(Raw, &[&secret[..], b"\r\n"].concat()), Some(Reading::WithoutLineEnd));
    assert_eq!(reading(Raw, &[&secret[..], b"\x01"].concat()), None);
    assert_eq!(reading(Raw, format!("{digits}\n").as_bytes()), Some(Reading::As(Hex)));
    assert_eq!(reading(Raw, format!("{base64}\n").as_bytes()), Some(Reading::As(Base64)));
    assert_eq!(reading(Hex, base64.as_bytes()), Some(Reading::As(Base64)));
    assert_eq!(reading(Hex, &secret), Some(Reading::As(Raw)));
    assert_eq!(reading(Base64, &secret), Some(Reading::As(Raw)));
    assert_eq!(reading(Hex, &digits.as_bytes()[1..]), None);
    assert_eq!(reading(Hex, &digits.as_bytes()[2..]), None);
    assert_eq!(reading(Base64, base64.trim_end_matches('=').as_bytes()), None);
    // 64 digits would be 48 bytes in Base64, as HMAC_384 has.
    assert_eq!(flaw(KeySpec::Hmac384, Base64, digits.as_bytes()), MaterialFlaw::HexAsBase64);
}

#[test]
fn what_cannot_be_is_refused_before_the_bytes_are_looked_at() {
    use MaterialEncoding::{Base64, Der, Hex, Pem, Raw};
    for spec in KeySpec::ALL.iter().filter(|spec| !SECRETS.contains(spec) && !PRIVATE.contains(spec)) {
        for encoding in MaterialEncoding::ALL {
            assert_eq!(flaw(*spec, *encoding, &random(32)), MaterialFlaw::NotImportable(*spec));
        }
    }
    for encoding in [Pem, Der] {
        let spec = KeySpec::Hmac256;
        assert_eq!(flaw(spec, encoding, &random(32)), MaterialFlaw::Encoding { spec, encoding });
    }
    let spec = KeySpec::EccNistP256;
    assert_eq!(flaw(spec, Raw, &KEYS[&spec]), MaterialFlaw::Encoding { spec, encoding: Raw });
    for (encoding, nothing) in [(Raw, ""), (Hex, ""), (Hex, " \n"), (Base64, "\r\n")] {
        assert_eq!(flaw(KeySpec::Hmac256, encoding, nothing.as_bytes()), MaterialFlaw::Empty);
    }
}

#[test]
fn the_key_of_another_spec_is_named() {
    for spec in PRIVATE {
        for (other, key) in KEYS.iter().filter(|(other, _)| *other != spec) {
            let found = other.rsa_bits().map_or(KeyKind::Of(*other), KeyKind::Rsa);
            assert_eq!(flaw(*spec, MaterialEncoding::Der, key), MaterialFlaw::OtherKey { spec: *spec, found });
            if other.rsa_bits().is_some() {
                let flaw = flaw(*spec, MaterialEncoding::Der, &inner(key));
                assert_eq!(flaw, MaterialFlaw::OtherKey { spec: *spec, found });
            }
        }
    }
}

#[test]
fn keys_that_kms_does_not_have_are_named() {
    let kind = |oid: &[u8], parameters: &[u8]| {
        let algorithm = tlv(0x30, &[&tlv(6, &[oid]), parameters]);
        let der = tlv(0x30, &[&[2, 1, 0], &algorithm, &tlv(4, &[&random(40)])]);
        let flaw = flaw(KeySpec::EccNistP256, MaterialEncoding::Der, &der);
        let MaterialFlaw::OtherKey { found, .. } = flaw else { panic!("{flaw:?}") };
        found
    };
    let curve = |oid: &[u8]| kind(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], &tlv(6, &[oid]));
    assert_eq!(curve(&[0x2b, 0x81, 0x04, 0x00, 0x21]), KeyKind::OtherCurve);
    assert_eq!(curve(&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d]), KeyKind::Of(KeySpec::Sm2));
    assert_eq!(kind(&[0x2b, 0x65, 0x6e], &[]), KeyKind::Montgomery);
    assert_eq!(kind(&[0x2b, 0x65, 0x71], &[]), KeyKind::Ed448);
    assert_eq!(kind(&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], &[]), KeyKind::DiscreteLogarithm);
    assert_eq!(kind(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], &[]), KeyKind::RsaPss);
    let nist = |family, member| kind(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, family, member], &[]);
    assert_eq!(nist(3, 18), KeyKind::Of(KeySpec::MlDsa65));
    assert_eq!(nist(4, 3), KeyKind::Of(KeySpec::MlKem1024));
    assert_eq!(nist(3, 99), KeyKind::Unknown);
    assert_eq!(kind(&[0x2a, 0x03], &[]), KeyKind::Unknown);
}

#[test]
fn what_is_no_private_key_is_named() {
    let spec = KeySpec::EccNistP256;
    let key = &KEYS[&spec];
    let (sequence, bits, octets) = (tlv(0x30, &[&[6, 1, 1]]), tlv(3, &[&random(70)]), tlv(4, &[&random(70)]));
    let public = read(spec, MaterialEncoding::Der, key).unwrap().public_key().unwrap();
    let der = [
        (public.clone(), Found::PublicKey),
        (tlv(0x30, &[&sequence, &octets]), Found::EncryptedKey),
        (tlv(0x30, &[&sequence, &sequence, &bits]), Found::Certificate),
        (tlv(0x30, &[&[2, 1, 3], &sequence, &sequence]), Found::Pkcs12),
        (pem("PRIVATE KEY", key, 64, "\n").into(), Found::PemText),
        (random(70), Found::SomethingElse),
    ];
    for (given, found) in der {
        assert_eq!(flaw(spec, MaterialEncoding::Der, &given), MaterialFlaw::NotPrivateKey(found));
    }
    let old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
               -----END EC PRIVATE KEY-----\n";
    let text = [
        (pem("PUBLIC KEY", &public, 64, "\n"), Found::PublicKey),
        (pem("PRIVATE KEY", &public, 64, "\n"), Found::PublicKey),
        (pem("CERTIFICATE", &public, 64, "\n"), Found::Certificate),
        (pem("ENCRYPTED PRIVATE KEY", key, 64, "\n"), Found::EncryptedKey),
        (pem("OPENSSH PRIVATE KEY", key, 64, "\n"), Found::OpensshKey),
        (pem("EC PARAMETERS", &[6, 1, 1], 64, "\n"), Found::Parameters),
        (pem("PGP MESSAGE", &public, 64, "\n"), Found::SomethingElse),
        (old.to_owned(), Found::EncryptedKey),
        ("no PEM at all".to_owned(), Found::SomethingElse),
    ];
    for (given, found) in text {
        assert_eq!(flaw(spec, MaterialEncoding::Pem, given.as_bytes()), MaterialFlaw::NotPrivateKey(found), "{given}");
    }
    assert_eq!(flaw(spec, MaterialEncoding::Pem, key), MaterialFlaw::NotPrivateKey(Found::DerBytes));
}

#[test]
fn damage_and_surplus_are_refused() {
    let spec = KeySpec::EccNistP256;
    let key = &KEYS[&spec];
    let text = pem("PRIVATE KEY", key, 64, "\n");
    let encoding = MaterialEncoding::Pem;
    assert_eq!(flaw(spec, encoding, text.repeat(2).as_bytes()), MaterialFlaw::SeveralBlocks(2));
    let chain = [text.clone(), pem("CERTIFICATE", key, 64, "\n").repeat(2)].concat();
    assert_eq!(flaw(spec, encoding, chain.as_bytes()), MaterialFlaw::SeveralBlocks(3));
    for damaged in [&text[..text.len() - 20], &text.replacen("MIG", "M*G", 1), &text.replace("END PRIVATE", "END EC")] {
        assert_eq!(flaw(spec, encoding, damaged.as_bytes()), MaterialFlaw::DamagedPem, "{damaged}");
    }
    let and = |more: &[u8]| flaw(spec, MaterialEncoding::Der, &[key, more].concat());
    assert_eq!(and(b"\n"), MaterialFlaw::Trailing { line_end: true });
    assert_eq!(and(b"and so on"), MaterialFlaw::Trailing { line_end: false });
    assert_eq!(flaw(spec, MaterialEncoding::Hex, text.as_bytes()).help(), "write `encoding = \"pem\"`");
    for (spec, key) in &*KEYS {
        // Not Ed25519: any bytes are a seed.
        if *spec != KeySpec::EccNistEdwards25519 {
            let mut key = key.clone();
            let last = key.len() - 1;
            key[last] ^= 1;
            assert_eq!(flaw(*spec, MaterialEncoding::Der, &key), MaterialFlaw::Damaged(*spec));
        }
    }
}

#[test]
fn private_keys_that_somebody_chose_are_refused() {
    let seed = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    let weak = flaw(KeySpec::EccNistEdwards25519, MaterialEncoding::Der, &seed);
    assert_eq!(weak, MaterialFlaw::Weak(Weakness::Constant));
    let curve = tlv(0xa0, &[&tlv(6, &[&[0x2b, 0x81, 0x04, 0x00, 0x0a]])]);
    let brain = tlv(0x30, &[&[2, 1, 1], &tlv(4, &[b"correct horse battery staple now"]), &curve]);
    let weak = flaw(KeySpec::EccSecgP256k1, MaterialEncoding::Der, &brain);
    assert_eq!(weak, MaterialFlaw::Weak(Weakness::Text));
    let one = tlv(0x30, &[&[2, 1, 1], &tlv(4, &[&[0; 31], &[1]]), &curve]);
    let weak = flaw(KeySpec::EccSecgP256k1, MaterialEncoding::Der, &one);
    assert_eq!(weak, MaterialFlaw::Weak(Weakness::FewBytes));
}

fn weakness(secret: &[u8]) -> Option<Weakness> {
    let spec = SECRETS.iter().find(|spec| spec.secret_length() == Some(secret.len())).unwrap();
    match read(*spec, MaterialEncoding::Raw, secret) {
        Ok(_) => None,
        Err(MaterialFlaw::Weak(weakness)) => Some(weakness),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn each_weakness_has_its_name() {
    let text = |text: &str| weakness(text.as_bytes());
    assert_eq!(weakness(&[0; 32]), Some(Weakness::Constant));
    assert_eq!(weakness(&(0..32).collect::<Vec<u8>>()), Some(Weakness::Arithmetic));
    assert_eq!(weakness(&random(16).repeat(2)), Some(Weakness::Repeats));
    assert_eq!(
        weakness(&(0..64).map(|at| 200_u8.wrapping_sub(at * 3)).collect::<Vec<u8>>()),
        Some(Weakness::Arithmetic)
    );
    assert_eq!(weakness(&[random(24), vec![0; 8]].concat()), Some(Weakness::Run));
    assert_eq!(text("0123456789abcdef0123456789ABCDEF"), Some(Weakness::HexText));
    assert_eq!(text("S2V5d3JpZ2h0IGlzIG5vdCBhIHRveSE="), Some(Weakness::Base64Text));
    assert_eq!(text("correct horse battery staple now"), Some(Weakness::Text));
    assert_eq!(text("Zwölf Boxkämpfer jagen Viktor!"), Some(Weakness::Text));
}

/// A length of secrets.
fn length() -> impl Strategy<Value = usize> {
    select(vec![28_usize, 32, 48, 64])
}

/// Secrets of which somebody could guess that they are so.
fn weak() -> impl Strategy<Value = Vec<u8>> {
    let of = |pool: Vec<u8>, length: usize| (0..length).map(move |at| pool[at % pool.len()]).collect::<Vec<u8>>();
    let repeats = (length(), vec(any::<u8>(), 64), any::<Index>())
        .prop_map(move |(length, part, period)| of(part[..=period.index(length / 2)][..].to_vec(), length));
    let arithmetic = (length(), any::<u8>(), any::<u8>()).prop_map(|(length, first, step)| {
        std::iter::successors(Some(first), |byte| Some(byte.wrapping_add(step))).take(length).collect()
    });
    let few = (length(), vec(any::<u8>(), 14), vec(any::<Index>(), 64))
        .prop_map(|(length, pool, picks)| picks[..length].iter().map(|pick| *pick.get(&pool)).collect());
    let run =
        (length(), vec(any::<u8>(), 64), any::<Index>(), any::<u8>()).prop_map(|(length, mut secret, at, byte)| {
            secret.truncate(length);
            let at = at.index(length - 7);
            secret[at..at + 8].fill(byte);
            secret
        });
    let printable = (length(), vec(0x20..0x7f_u8, 64)).prop_map(|(length, mut text)| {
        text.truncate(length);
        text
    });
    let encoded = (length(), vec(any::<u8>(), 64)).prop_flat_map(|(length, bytes)| {
        let cut = move |text: String| text.into_bytes()[..length].to_vec();
        select(vec![cut(hex::encode(&bytes)), cut(STANDARD.encode(&bytes))])
    });
    prop_oneof![repeats, arithmetic, few, run, printable, encoded]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn random_material_is_never_refused(bytes in vec(any::<u8>(), 64)) {
        // Shrunk cases are weak on purpose, and what a strategy makes has more zeros than chance has.
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &bytes);
        for length in [28, 32, 48, 64] {
            prop_assert_eq!(weakness(&digest.as_ref()[..length]), None);
        }
    }

    #[test]
    fn weak_material_is_always_refused(secret in weak()) {
        prop_assert!(weakness(&secret).is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_bytes_break_the_reading(
        spec in select(KeySpec::ALL),
        encoding in select(MaterialEncoding::ALL),
        given in vec(any::<u8>(), 0..200),
    ) {
        let outcome = read(spec, encoding, &given);
        // Only a secret could be read from that.
        prop_assert!(outcome.is_err() || spec.secret_length().is_some());
    }

    #[test]
    fn no_damage_breaks_the_reading(spec in select(PRIVATE), at in any::<Index>(), byte in any::<u8>()) {
        let mut key = KEYS[&spec].clone();
        *at.get_mut(&mut key) = byte;
        if let Ok(material) = read(spec, MaterialEncoding::Der, &key) {
            prop_assert!(material.public_key().is_some());
        }
    }
}

#[test]
fn no_error_contains_a_byte_of_the_material() {
    const MARK: &str = "CANARYCANARY";
    let label = format!("-----BEGIN {MARK}-----\n{MARK}\n-----END {MARK}-----\n");
    let inside = |label: &str| pem(label, MARK.repeat(4).as_bytes(), 64, "\n");
    let oid = tlv(0x30, &[&[2, 1, 0], &tlv(0x30, &[&tlv(6, &[MARK.as_bytes()])]), &tlv(4, &[MARK.as_bytes()])]);
    let givens = [
        MARK.into(),
        MARK.repeat(3).into_bytes(),
        MARK.repeat(3).into_bytes()[..32].to_vec(),
        hex::encode(MARK).into_bytes(),
        STANDARD.encode(MARK.repeat(3)).into_bytes(),
        label.into_bytes(),
        inside("PRIVATE KEY").into_bytes(),
        inside("EC PRIVATE KEY").into_bytes(),
        oid.clone(),
        pem("PRIVATE KEY", &oid, 64, "\n").into_bytes(),
    ];
    let marks = [MARK.to_owned(), hex::encode(MARK), STANDARD.encode(MARK), format!("{:?}", MARK.as_bytes())];
    let specs = SECRETS.iter().chain(PRIVATE);
    let ways = specs.flat_map(|spec| MaterialEncoding::ALL.iter().map(move |encoding| (*spec, *encoding)));
    for ((spec, encoding), given) in ways.flat_map(|way| givens.iter().map(move |given| (way, given))) {
        let flaw = flaw(spec, encoding, given);
        let words = format!("{flaw} {flaw:?} {} {:?}", flaw.help(), read(spec, encoding, given));
        assert!(!marks.iter().any(|mark| words.contains(mark.trim_matches(['[', ']']))), "{words}");
    }
    let material = read(KeySpec::EccNistP256, MaterialEncoding::Der, &KEYS[&KeySpec::EccNistP256]).unwrap();
    assert_eq!(format!("{material:?}"), "Material { spec: EccNistP256, bytes: SecretBytes(138 bytes, redacted) }");
}

#[test]
fn material_proves_what_kms_computes_with_it() {
    for material in materials() {
        for algorithm in MacAlgorithm::ALL {
            let key = hmac::Key::new(hmac_of(*algorithm), material.bytes().expose_secret());
            let expected =
                (algorithm.key_spec() == material.spec()).then(|| hmac::sign(&key, b"text").as_ref().to_vec());
            assert_eq!(material.mac(*algorithm, b"text"), expected, "{} {algorithm}", material.spec());
        }
        assert_eq!(material.public_key().is_some(), material.spec().is_asymmetric());
    }
}

#[test]
fn the_public_half_verifies_what_the_private_half_signs() {
    let random = rand::SystemRandom::new();
    let public = |spec: KeySpec| read(spec, MaterialEncoding::Der, &KEYS[&spec]).unwrap().public_key().unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(ecdsa(KeySpec::EccNistP384).unwrap(), &KEYS[&KeySpec::EccNistP384]).unwrap();
    let signed = pair.sign(&random, b"text").unwrap();
    let public_key = UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_ASN1, public(KeySpec::EccNistP384));
    public_key.verify(b"text", signed.as_ref()).unwrap();
    let pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(&KEYS[&KeySpec::Rsa2048]).unwrap();
    let mut signed = vec![0; 256];
    pair.sign(&signature::RSA_PSS_SHA256, &random, b"text", &mut signed).unwrap();
    let public_key = UnparsedPublicKey::new(&signature::RSA_PSS_2048_8192_SHA256, public(KeySpec::Rsa2048));
    public_key.verify(b"text", &signed).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&KEYS[&KeySpec::EccNistEdwards25519]).unwrap();
    let public_key = UnparsedPublicKey::new(&signature::ED25519, public(KeySpec::EccNistEdwards25519));
    public_key.verify(b"text", pair.sign(b"text").as_ref()).unwrap();
}

#[test]
fn both_sides_agree_on_the_curves_that_agree() {
    let curves = [
        (KeySpec::EccNistP256, &agreement::ECDH_P256),
        (KeySpec::EccNistP384, &agreement::ECDH_P384),
        (KeySpec::EccNistP521, &agreement::ECDH_P521),
    ];
    for material in materials() {
        for (spec, curve) in curves {
            let peer = agreement::PrivateKey::generate(curve).unwrap();
            let theirs: Vec<u8> = peer.compute_public_key().unwrap().as_der().unwrap().as_ref().to_vec();
            let agreed = material.agree(&theirs);
            if material.spec() != spec {
                assert!(agreed.is_none(), "{} with {spec}", material.spec());
                continue;
            }
            let public = agreement::UnparsedPublicKey::new(curve, material.public_key().unwrap());
            let expected = agreement::agree(&peer, public, (), |secret| Ok(secret.to_vec())).unwrap();
            assert_eq!(agreed.unwrap().expose_secret(), expected);
            assert!(material.agree(&theirs[1..]).is_none());
        }
    }
}
