//! What can be wrong with material, in words that contain no byte of it.

use super::Weakness;
use crate::desired::MaterialEncoding;
use crate::kms::KeySpec;
use std::fmt;

/// Why material is not imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MaterialFlaw {
    /// No material of the spec is imported.
    #[error("keys of spec {0} cannot have imported material")]
    NotImportable(KeySpec),
    /// Material of the spec is not written so.
    #[error("material of a key of spec {spec} is not written in `{}`", encoding.name())]
    Encoding {
        /// The key's spec.
        spec: KeySpec,
        /// The encoding that was given.
        encoding: MaterialEncoding,
    },
    /// There is nothing.
    #[error("the material is empty")]
    Empty,
    /// The text is not in its encoding.
    #[error("the material is not valid `{}`{}", encoding.name(), other(*reading))]
    Undecodable {
        /// The encoding that was given.
        encoding: MaterialEncoding,
        /// How it would be read with success.
        reading: Option<Reading>,
    },
    /// A text in Base64 has hexadecimal digits alone.
    #[error("the material is to be `base64`, and all its characters are hexadecimal digits")]
    HexAsBase64,
    /// A secret has another length.
    #[error("the material has {length} bytes, and keys of spec {spec} have {expected}{}", other(*reading))]
    Length {
        /// The key's spec.
        spec: KeySpec,
        /// How many bytes it has to have.
        expected: usize,
        /// How many bytes it has.
        length: usize,
        /// How it would be read with success.
        reading: Option<Reading>,
    },
    /// Somebody could guess it.
    #[error("the material can be guessed: {0}")]
    Weak(Weakness),
    /// It is something else than a private key.
    #[error("the material is {0}, not a private key that keywright can import")]
    NotPrivateKey(Found),
    /// There are several blocks of PEM.
    #[error("there are {0} blocks of PEM where one private key is expected")]
    SeveralBlocks(usize),
    /// A block of PEM is damaged.
    #[error("the PEM of the private key is damaged")]
    DamagedPem,
    /// Bytes follow the key.
    #[error("bytes follow the end of the private key{}", if *line_end { ": a line end" } else { "" })]
    Trailing {
        /// Whether they are a line end and nothing else.
        line_end: bool,
    },
    /// It is the private key of another kind of key.
    #[error("the material is {found}, and the key is of spec {spec}")]
    OtherKey {
        /// The key's spec.
        spec: KeySpec,
        /// What it is.
        found: KeyKind,
    },
    /// It seems to be a private key of the right kind, and its numbers do not belong together.
    #[error("the private key is damaged: its numbers are no key of spec {0}")]
    Damaged(KeySpec),
}

/// How else the material could be read, so that it would have the right length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Without the line end after it.
    WithoutLineEnd,
    /// In another encoding.
    As(MaterialEncoding),
}

fn other(reading: Option<Reading>) -> String {
    match reading {
        None => String::new(),
        Some(Reading::WithoutLineEnd) => "; the last one is a line end, which `raw` does not strip".to_owned(),
        Some(Reading::As(encoding)) => format!("; read as `{}` it has the right length", encoding.name()),
    }
}

/// Something that is no private key in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A private key under a password.
    EncryptedKey,
    /// A public key.
    PublicKey,
    /// A certificate, or a request for one.
    Certificate,
    /// A private key in the format of OpenSSH.
    OpensshKey,
    /// A PKCS#12 archive.
    Pkcs12,
    /// Parameters of a key without a key.
    Parameters,
    /// Text in PEM where bytes are expected.
    PemText,
    /// DER where text in PEM is expected.
    DerBytes,
    /// Anything else.
    SomethingElse,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EncryptedKey => "a private key under a password",
            Self::PublicKey => "a public key",
            Self::Certificate => "a certificate, or a request for one",
            Self::OpensshKey => "a private key in the format of OpenSSH",
            Self::Pkcs12 => "a PKCS#12 archive",
            Self::Parameters => "the parameters of a key without the key",
            Self::PemText => "text in PEM",
            Self::DerBytes => "DER and not PEM",
            Self::SomethingElse => "in no known format",
        })
    }
}

/// A kind of private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, with so many bits.
    Rsa(usize),
    /// RSA that is limited to PSS.
    RsaPss,
    /// A key of a spec of KMS.
    Of(KeySpec),
    /// A key on a curve that KMS does not have.
    OtherCurve,
    /// X25519 or X448.
    Montgomery,
    /// Ed448.
    Ed448,
    /// DSA or Diffie-Hellman.
    DiscreteLogarithm,
    /// An algorithm that is not known here.
    Unknown,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "an RSA key of {bits} bits"),
            Self::RsaPss => f.write_str("an RSA key that is limited to PSS"),
            Self::Of(spec) => write!(f, "a key of spec {spec}"),
            Self::OtherCurve => f.write_str("a key on a curve that KMS does not have"),
            Self::Montgomery => f.write_str("a key of X25519 or X448"),
            Self::Ed448 => f.write_str("an Ed448 key"),
            Self::DiscreteLogarithm => f.write_str("a DSA or Diffie-Hellman key"),
            Self::Unknown => f.write_str("a key of an unknown algorithm"),
        }
    }
}

impl MaterialFlaw {
    /// Returns what to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NotImportable(_) => {
                "let KMS make the key material (`origin = \"aws-kms\"`), or choose another key spec".to_owned()
            }
            Self::Encoding { spec, .. } => format!("write `encoding = {}`", encodings(*spec)),
            Self::Empty => "look whether the source gives anything at all".to_owned(),
            Self::Undecodable { reading, encoding } => undecodable(*encoding, *reading),
            Self::HexAsBase64 => "write `encoding = \"hex\"`".to_owned(),
            Self::Length { reading, expected, .. } => length(*expected, *reading),
            Self::Weak(weakness) => weakness.help().to_owned(),
            Self::NotPrivateKey(found) => found.help().to_owned(),
            Self::SeveralBlocks(_) => "give one block; \
                `openssl pkey -in KEY.pem -out ONE.pem` writes the private key of a file alone"
                .to_owned(),
            Self::DamagedPem => "write it anew: `openssl pkey -in KEY.pem -out NEW.pem`".to_owned(),
            Self::Trailing { line_end: true } => "write the file without it: `openssl pkey -in KEY.pem -outform DER \
                -out KEY.der`; a command that prints DER must print nothing else"
                .to_owned(),
            Self::Trailing { line_end: false } => "give one private key alone".to_owned(),
            Self::OtherKey { .. } => {
                "give the key that belongs here, or declare the key with the spec of this one (a new key)".to_owned()
            }
            Self::Damaged(_) => "check it with `openssl pkey -in KEY.pem -check -noout`, and take a backup if it \
                fails there too"
                .to_owned(),
        }
    }
}

/// Returns the encodings of material of a spec, as a manifest writes them.
fn encodings(spec: KeySpec) -> &'static str {
    if spec.secret_length().is_some() {
        "\"raw\"`, `\"hex\"` or `\"base64\""
    } else {
        "\"pem\"` or `\"der\"`, or `\"hex\"` or `\"base64\"` of PKCS#8 in DER"
    }
}

fn undecodable(encoding: MaterialEncoding, reading: Option<Reading>) -> String {
    match (reading, encoding) {
        (Some(Reading::As(other)), _) => format!("write `encoding = \"{}\"`", other.name()),
        (_, MaterialEncoding::Hex) => "hexadecimal has two digits for each byte, without `0x` and separators; \
            `xxd -p FILE` writes it"
            .to_owned(),
        (_, MaterialEncoding::Base64) => {
            "base64 is the standard alphabet with padding (RFC 4648); `base64 FILE` writes it".to_owned()
        }
        (_, MaterialEncoding::Raw | MaterialEncoding::Pem | MaterialEncoding::Der) => {
            "look at how the source writes it".to_owned()
        }
    }
}

fn length(expected: usize, reading: Option<Reading>) -> String {
    match reading {
        Some(Reading::WithoutLineEnd) => {
            "have the source write no line end (`printf %s`, `echo -n`), or use `hex` or `base64`".to_owned()
        }
        Some(Reading::As(other)) => format!("write `encoding = \"{}\"`", other.name()),
        None => format!("`openssl rand -hex {expected}` makes new material in `hex`"),
    }
}

impl Found {
    fn help(self) -> &'static str {
        match self {
            Self::EncryptedKey => {
                "keywright asks for no passwords: let a `command` decrypt it, as `openssl pkey -in KEY.pem -passin \
                 file:PASSWORD` (with `-inform DER -outform DER` for DER), with `encoding = \"pem\"`"
            }
            Self::PublicKey | Self::Certificate => "KMS needs the private half: give the file that holds it",
            Self::OpensshKey => "convert a copy of it: `ssh-keygen -p -N '' -m PKCS8 -f COPY`",
            Self::Pkcs12 => "take the private key out: `openssl pkcs12 -in FILE -nocerts -noenc | openssl pkey`",
            Self::Parameters => "give the private key itself: a block `PRIVATE KEY`",
            Self::PemText => "write `encoding = \"pem\"`",
            Self::DerBytes => "write `encoding = \"der\"`",
            Self::SomethingElse => {
                "give a private key as PKCS#8, PKCS#1 or SEC1; `openssl pkey -in KEY -out KEY.pem` writes one from \
                 whatever it reads"
            }
        }
    }
}
