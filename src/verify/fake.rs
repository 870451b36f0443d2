//! A KMS in memory that decides by `access`, and can be made to err in the ways that the self-test must notice.

pub(super) mod material;

use super::local::{self, Opinion};
use crate::access::{Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request, decide};
use crate::desired::KeyKind;
use crate::ids::{AliasName, KeyArn, KeyId, KeyStoreId, PrincipalArn, RoleArn};
use crate::kms::{EncryptionAlgorithm, KeySpec, KeyState, MacAlgorithm, SigningAlgorithm};
use crate::live::{
    Caller, KeyMetadata, LiveGrant, LiveKeyStore, LiveMaterials, LiveRotation, LiveRotations, LiveUsage,
};
use crate::policy::PolicyDocument;
use crate::ports::{
    CallerReader, Cipher, Clock, Crypto, DataKey, DataKeyPair, Encapsulated, EncryptionContext, Forwarding, KeyReader,
    PortError, PortErrorKind, PortResult, Randomness, RoleAssumer, Trial, WrappedKeyPair,
};
use crate::secret::SecretBytes;
use crate::services::Service;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256};
use aws_lc_rs::{agreement, hmac};
use material::{Material, material, pair};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Decrypts under any context.
    ContextUnbound,
    /// Decrypts with any key.
    KeyUnbound,
    /// Does not notice altered ciphertexts.
    XorPad,
    /// Enforces nothing.
    Lenient,
    /// Throttles every decryption.
    Throttles,
    /// Admits every call that a service forwards.
    TrustsServices,
    /// Denies every call that a service forwards.
    RefusesServices,
    /// Verifies every signature and code, and decrypts everything.
    VerifiesAll,
    /// Derives and decapsulates always the same.
    ConstantSecrets,
    /// Gives another public key with a data key pair than its own.
    OtherHalf,
    /// Lets keys be used that rest.
    Sleepless,
}

struct Wrapped {
    key: KeyId,
    context: EncryptionContext,
    plaintext: Vec<u8>,
}

/// What the Regions of one world have in common.
#[derive(Default)]
pub(super) struct Shared {
    materials: BTreeMap<KeyId, Material>,
    wrapped: Mutex<BTreeMap<Vec<u8>, Wrapped>>,
    /// What was derived, encapsulated and generated.
    secrets: Mutex<Vec<Vec<u8>>>,
    /// Tells the ciphertexts of one world from those of another.
    salt: [u8; 8],
    count: AtomicU64,
}

impl Shared {
    pub(super) fn new(kinds: impl IntoIterator<Item = (KeyId, KeyKind)>) -> Arc<Self> {
        let materials = kinds.into_iter().map(|(id, kind)| (id, material(kind))).collect();
        let mut salt = [0; 8];
        aws_lc_rs::rand::fill(&mut salt).unwrap();
        Arc::new(Self { materials, salt, ..Self::default() })
    }

    /// Returns a world of one key, into which material was imported.
    pub(super) fn imported(id: KeyId, kind: KeyKind, bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { materials: [(id, material::imported(kind, bytes))].into(), ..Self::default() })
    }

    fn keep(&self, secret: &[u8]) -> SecretBytes {
        self.secrets.lock().unwrap().push(secret.to_vec());
        SecretBytes::new(secret.to_vec())
    }
}

pub(super) struct World {
    pub(super) keys: BTreeMap<KeyId, KeyFacts>,
    pub(super) assumable: BTreeSet<String>,
    pub(super) fault: Fault,
    /// Whether callers may play services, as in the sandbox.
    pub(super) plays: bool,
    /// The states of keys that are not enabled.
    pub(super) states: BTreeMap<KeyId, KeyState>,
    pub(super) shared: Arc<Shared>,
}

/// What the self-test could have leaked.
impl World {
    pub(super) fn secrets(&self) -> Vec<Vec<u8>> {
        let wrapped = self.shared.wrapped.lock().unwrap();
        let wrapped = wrapped.values().map(|wrapped| wrapped.plaintext.clone());
        wrapped.chain(self.shared.secrets.lock().unwrap().clone()).collect()
    }
}

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) world: Arc<World>,
    pub(super) who: PrincipalFacts,
    pub(super) via: Option<Service>,
}

fn error<T>(kind: PortErrorKind, call: &str) -> PortResult<T> {
    Err(PortError::new(kind, call, format!("{kind:?}")))
}

impl Fake {
    fn admit(&self, action: &str, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        let facts = &self.world.keys[key];
        let mut request = Request::new(action, facts.arn.clone(), facts.region.clone());
        request.encryption_context.clone_from(context);
        request.via_service = self.via.map(|service| service.via_service(&facts.region));
        match (self.via, self.world.fault) {
            (Some(_), Fault::TrustsServices) => return Ok(()),
            (Some(_), Fault::RefusesServices) => return error(PortErrorKind::Denied, action),
            _ => {}
        }
        let decision = decide(&request, &self.who, Some(facts), &Guardrails::default());
        if decision != crate::access::Decision::Allow && self.world.fault != Fault::Lenient {
            return error(PortErrorKind::Denied, action);
        }
        match self.world.states.get(key) {
            None | Some(KeyState::Enabled) => Ok(()),
            _ if self.world.fault == Fault::Sleepless => Ok(()),
            Some(KeyState::Disabled) => error(PortErrorKind::Disabled, action),
            Some(_) => error(PortErrorKind::InvalidState, action),
        }
    }

    /// Admits a use without context, and returns what the key is made of.
    fn using(&self, action: &str, key: &KeyId) -> PortResult<&Material> {
        self.admit(action, key, &EncryptionContext::new())?;
        Ok(&self.world.shared.materials[key])
    }

    fn wrap(&self, key: &KeyId, plaintext: &[u8], context: &EncryptionContext) -> Vec<u8> {
        let count = self.world.shared.count.fetch_add(1, Ordering::SeqCst);
        let mut ciphertext = count.to_be_bytes().to_vec();
        ciphertext.extend(self.world.shared.salt);
        ciphertext.extend([0x5a; 16]);
        let wrapped = Wrapped { key: key.clone(), context: context.clone(), plaintext: plaintext.to_vec() };
        self.world.shared.wrapped.lock().unwrap().insert(ciphertext.clone(), wrapped);
        ciphertext
    }

    fn unwrap(&self, key: &KeyId, ciphertext: &[u8], context: &EncryptionContext) -> PortResult<Vec<u8>> {
        let all = self.world.shared.wrapped.lock().unwrap();
        let lax = self.world.fault == Fault::XorPad;
        let near =
            all.iter().find(|(known, _)| lax && known.get(..8) == ciphertext.get(..8)).map(|(_, wrapped)| wrapped);
        let Some(wrapped) = all.get(ciphertext).or(near) else {
            return error(PortErrorKind::InvalidCiphertext, "kms:Decrypt");
        };
        if wrapped.key != *key && self.world.fault != Fault::KeyUnbound {
            return error(PortErrorKind::IncorrectKey, "kms:Decrypt");
        }
        if wrapped.context != *context && self.world.fault != Fault::ContextUnbound {
            return error(PortErrorKind::InvalidCiphertext, "kms:Decrypt");
        }
        Ok(wrapped.plaintext.clone())
    }

    fn fresh(&self) -> Vec<u8> {
        let count = self.world.shared.count.load(Ordering::SeqCst);
        (0..32_u8).map(|at| at.wrapping_mul(37) ^ u8::try_from(count % 251).unwrap() ^ 0xc3).collect()
    }
}

impl Crypto for Fake {
    async fn generate_data_key(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<DataKey> {
        self.admit("kms:GenerateDataKey", key, context)?;
        let plaintext = self.fresh();
        let ciphertext = self.wrap(key, &plaintext, context);
        let key: KeyArn = self.world.keys[key].arn.parse().unwrap();
        Ok(DataKey { plaintext: SecretBytes::new(plaintext), ciphertext, key, material: None })
    }
    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> PortResult<Vec<u8>> {
        self.admit("kms:GenerateDataKeyWithoutPlaintext", key, context)?;
        Ok(self.wrap(key, &self.fresh(), context))
    }
    async fn generate_data_key_pair(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<DataKeyPair> {
        self.admit("kms:GenerateDataKeyPair", key, context)?;
        let (private, public) = pair();
        let ciphertext = self.wrap(key, &private, context);
        let public = if self.world.fault == Fault::OtherHalf { pair().1 } else { public };
        Ok(DataKeyPair { private: SecretBytes::new(private), wrapped: WrappedKeyPair { ciphertext, public } })
    }
    async fn generate_data_key_pair_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> PortResult<WrappedKeyPair> {
        self.admit("kms:GenerateDataKeyPairWithoutPlaintext", key, context)?;
        let (private, public) = pair();
        Ok(WrappedKeyPair { ciphertext: self.wrap(key, &private, context), public })
    }
    async fn encrypt(&self, key: &KeyId, plaintext: &SecretBytes, cipher: Cipher<'_>) -> PortResult<Vec<u8>> {
        self.admit("kms:Encrypt", key, context(cipher))?;
        match (cipher, &self.world.shared.materials[key]) {
            (Cipher::Symmetric(context), Material::Symmetric) => Ok(self.wrap(key, plaintext.expose_secret(), context)),
            (Cipher::Public(algorithm), Material::Rsa(_, public)) => {
                Ok(local::encrypt(public, algorithm, plaintext.expose_secret()).unwrap())
            }
            _ => error(PortErrorKind::NotSupported, "kms:Encrypt"),
        }
    }
    async fn decrypt(&self, key: &KeyId, ciphertext: &[u8], cipher: Cipher<'_>) -> PortResult<SecretBytes> {
        let context = match (cipher, &self.world.shared.materials[key]) {
            (Cipher::Symmetric(context), Material::Symmetric) => context,
            (Cipher::Public(algorithm), Material::Rsa(private, _)) => {
                self.admit("kms:Decrypt", key, &EncryptionContext::new())?;
                if self.world.fault == Fault::VerifiesAll {
                    return Ok(SecretBytes::new(super::specimen::TEXT.to_vec()));
                }
                let padding = if algorithm == EncryptionAlgorithm::RsaesOaepSha1 {
                    &OAEP_SHA1_MGF1SHA1
                } else {
                    &OAEP_SHA256_MGF1SHA256
                };
                let mut text = vec![0; private.min_output_size()];
                let text = private.decrypt(padding, ciphertext, &mut text, None).map(|text| text.to_vec());
                return text.map_or_else(
                    |_| error(PortErrorKind::InvalidCiphertext, "kms:Decrypt"),
                    |text| Ok(SecretBytes::new(text)),
                );
            }
            _ => return error(PortErrorKind::NotSupported, "kms:Decrypt"),
        };
        if self.world.fault == Fault::Throttles {
            return error(PortErrorKind::Throttled, "kms:Decrypt");
        }
        self.admit("kms:Decrypt", key, context)?;
        self.unwrap(key, ciphertext, context).map(SecretBytes::new)
    }
    async fn re_encrypt(
        &self,
        key: &KeyId,
        ciphertext: &[u8],
        source: Cipher<'_>,
        destination: Cipher<'_>,
    ) -> PortResult<Vec<u8>> {
        self.admit("kms:ReEncryptFrom", key, context(source))?;
        self.admit("kms:ReEncryptTo", key, context(destination))?;
        match (source, destination) {
            (Cipher::Symmetric(source), Cipher::Symmetric(destination)) => {
                Ok(self.wrap(key, &self.unwrap(key, ciphertext, source)?, destination))
            }
            _ => Ok(ciphertext.to_vec()),
        }
    }
    async fn public_key(&self, key: &KeyId) -> PortResult<Vec<u8>> {
        match self.using("kms:GetPublicKey", key)? {
            Material::Rsa(_, public) | Material::Agreement(_, public) | Material::Kem(_, public) => Ok(public.clone()),
            Material::Signer(signer) => Ok(signer.public().unwrap()),
            Material::Symmetric | Material::Hmac(_) => error(PortErrorKind::NotSupported, "kms:GetPublicKey"),
        }
    }
    async fn sign(&self, key: &KeyId, algorithm: SigningAlgorithm, message: &[u8]) -> PortResult<Vec<u8>> {
        let Material::Signer(signer) = self.using("kms:Sign", key)? else {
            return error(PortErrorKind::NotSupported, "kms:Sign");
        };
        Ok(signer.sign(algorithm, &signed(algorithm, message)).unwrap())
    }
    async fn verify(
        &self,
        key: &KeyId,
        algorithm: SigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> PortResult<()> {
        let Material::Signer(signer) = self.using("kms:Verify", key)? else {
            return error(PortErrorKind::NotSupported, "kms:Verify");
        };
        let spec: KeySpec = self.world.keys[key].key_spec.parse().unwrap();
        let pure =
            if algorithm == SigningAlgorithm::Ed25519PhSha512 { SigningAlgorithm::Ed25519Sha512 } else { algorithm };
        let message = signed(algorithm, message);
        let valid = local::check(spec, pure, &signer.public().unwrap(), (&message, signature)) == Opinion::Valid;
        if valid || self.world.fault == Fault::VerifiesAll {
            return Ok(());
        }
        error(PortErrorKind::InvalidSignature, "kms:Verify")
    }
    async fn generate_mac(&self, key: &KeyId, _: MacAlgorithm, message: &[u8]) -> PortResult<Vec<u8>> {
        let Material::Hmac(secret) = self.using("kms:GenerateMac", key)? else {
            return error(PortErrorKind::NotSupported, "kms:GenerateMac");
        };
        Ok(hmac::sign(secret, message).as_ref().to_vec())
    }
    async fn verify_mac(&self, key: &KeyId, _: MacAlgorithm, message: &[u8], mac: &[u8]) -> PortResult<()> {
        let Material::Hmac(secret) = self.using("kms:VerifyMac", key)? else {
            return error(PortErrorKind::NotSupported, "kms:VerifyMac");
        };
        if hmac::verify(secret, message, mac).is_ok() || self.world.fault == Fault::VerifiesAll {
            return Ok(());
        }
        error(PortErrorKind::InvalidMac, "kms:VerifyMac")
    }
    async fn derive_shared_secret(&self, key: &KeyId, peer: &[u8]) -> PortResult<SecretBytes> {
        let Material::Agreement(private, _) = self.using("kms:DeriveSharedSecret", key)? else {
            return error(PortErrorKind::NotSupported, "kms:DeriveSharedSecret");
        };
        if self.world.fault == Fault::ConstantSecrets {
            return Ok(SecretBytes::new(vec![7; 32]));
        }
        let peer = agreement::UnparsedPublicKey::new(private.algorithm(), peer);
        let secret = agreement::agree(private, peer, (), |secret| Ok(secret.to_vec())).unwrap();
        Ok(self.world.shared.keep(&secret))
    }
    async fn encapsulate(&self, key: &KeyId) -> PortResult<Encapsulated> {
        let Material::Kem(_, public) = self.using("kms:Encapsulate", key)? else {
            return error(PortErrorKind::NotSupported, "kms:Encapsulate");
        };
        let spec: KeySpec = self.world.keys[key].key_spec.parse().unwrap();
        let made = local::encapsulate(spec, public).unwrap();
        Ok(Encapsulated { secret: self.world.shared.keep(made.secret.expose_secret()), ..made })
    }
    async fn decapsulate(&self, key: &KeyId, ciphertext: &[u8]) -> PortResult<SecretBytes> {
        let Material::Kem(private, _) = self.using("kms:Decapsulate", key)? else {
            return error(PortErrorKind::NotSupported, "kms:Decapsulate");
        };
        if self.world.fault == Fault::ConstantSecrets {
            return Ok(SecretBytes::new(vec![7; 32]));
        }
        match private.decapsulate(ciphertext.into()) {
            Ok(secret) => Ok(self.world.shared.keep(secret.as_ref())),
            Err(_) => error(PortErrorKind::InvalidCiphertext, "kms:Decapsulate"),
        }
    }
    async fn dry_run(&self, key: &KeyId, trial: Trial<'_>) -> PortResult<()> {
        let none = EncryptionContext::new();
        let (action, under) = match trial {
            Trial::Encrypt(cipher) => ("kms:Encrypt", context(cipher)),
            Trial::Decrypt(cipher) => ("kms:Decrypt", context(cipher)),
            Trial::ReEncrypt(cipher) => {
                self.admit("kms:ReEncryptFrom", key, context(cipher))?;
                ("kms:ReEncryptTo", context(cipher))
            }
            Trial::GenerateDataKey(context) => ("kms:GenerateDataKey", context),
            Trial::GenerateDataKeyWithoutPlaintext(context) => ("kms:GenerateDataKeyWithoutPlaintext", context),
            Trial::GenerateDataKeyPair(context) => ("kms:GenerateDataKeyPair", context),
            Trial::GenerateDataKeyPairWithoutPlaintext(context) => ("kms:GenerateDataKeyPairWithoutPlaintext", context),
            Trial::Sign(..) => ("kms:Sign", &none),
            Trial::Verify(..) => ("kms:Verify", &none),
            Trial::GenerateMac(..) => ("kms:GenerateMac", &none),
            Trial::VerifyMac(..) => ("kms:VerifyMac", &none),
            Trial::DeriveSharedSecret(_) => ("kms:DeriveSharedSecret", &none),
            Trial::Encapsulate => ("kms:Encapsulate", &none),
            Trial::Decapsulate(_) => ("kms:Decapsulate", &none),
        };
        self.admit(action, key, under)
    }
}

/// Uses without a context are judged as under an empty one.
fn context(cipher: Cipher<'_>) -> &EncryptionContext {
    const NONE: &EncryptionContext = &EncryptionContext::new();
    match cipher {
        Cipher::Symmetric(context) => context,
        Cipher::Public(_) => NONE,
    }
}

/// Stands in for the digest of Ed25519ph, which the library cannot sign.
fn signed(algorithm: SigningAlgorithm, message: &[u8]) -> Vec<u8> {
    if algorithm == SigningAlgorithm::Ed25519PhSha512 { [b"ph", message].concat() } else { message.to_vec() }
}

impl KeyReader for Fake {
    async fn list_aliases(&self) -> PortResult<BTreeMap<AliasName, Option<KeyId>>> {
        unreachable!("the target was read before")
    }
    async fn keys_tagged(&self, _: &str, _: &str) -> PortResult<BTreeMap<KeyArn, BTreeMap<String, String>>> {
        unreachable!("the target was read before")
    }
    async fn list_keys(&self) -> PortResult<Vec<KeyArn>> {
        unreachable!("the target was read before")
    }
    async fn key_tags(&self, _: &KeyId) -> PortResult<BTreeMap<String, String>> {
        unreachable!("the target was read before")
    }
    async fn describe_key(&self, key: &KeyId) -> PortResult<(KeyArn, KeyMetadata)> {
        self.admit("kms:DescribeKey", key, &EncryptionContext::new())?;
        Ok((self.world.keys[key].arn.parse().unwrap(), super::tests::metadata(KeyKind::SYMMETRIC)))
    }
    async fn key_policy(&self, key: &KeyId) -> PortResult<String> {
        self.admit("kms:GetKeyPolicy", key, &EncryptionContext::new())?;
        Ok(self.world.keys[key].policy.to_text())
    }
    async fn rotation(&self, _: &KeyId) -> PortResult<LiveRotation> {
        unreachable!("no probe reads it")
    }
    async fn grants(&self, key: &KeyId) -> PortResult<Vec<LiveGrant>> {
        self.admit("kms:ListGrants", key, &EncryptionContext::new())?;
        Ok(Vec::new())
    }
    async fn rotations(&self, _: &KeyId) -> PortResult<LiveRotations> {
        unreachable!("no probe reads it")
    }
    async fn materials(&self, _: &KeyId) -> PortResult<LiveMaterials> {
        unreachable!("no probe reads it")
    }
    async fn last_usage(&self, _: &KeyId) -> PortResult<LiveUsage> {
        unreachable!("no probe reads it")
    }
    async fn key_store(&self, _: &KeyStoreId) -> PortResult<Option<LiveKeyStore>> {
        unreachable!("no probe reads it")
    }
}

impl Forwarding for Fake {
    fn forwarded_by(&self, service: Service) -> Option<Self> {
        self.world.plays.then(|| Self { via: Some(service), ..self.clone() })
    }
}

impl CallerReader for Fake {
    async fn caller(&self) -> PortResult<Caller> {
        unreachable!("the caller is known")
    }
}

impl RoleAssumer for Fake {
    type Assumed = Self;

    async fn assume(&self, role: &RoleArn, name: &str, policy: Option<&PolicyDocument>) -> PortResult<Self> {
        assert_eq!(name, crate::synth::VERIFY_SESSION_NAME);
        if !self.world.assumable.contains(role.as_str()) {
            return error(PortErrorKind::Denied, "sts:AssumeRole");
        }
        let session: PrincipalArn =
            format!("arn:aws:sts::{}:assumed-role/{}/{name}", role.account(), role.name()).parse().unwrap();
        let mut who = PrincipalFacts::from_arn(&session);
        assert_eq!(who.kind, PrincipalType::RoleSession);
        who.role_arn = Some(role.to_string());
        who.session_policy = policy.cloned();
        Ok(Self { world: Arc::clone(&self.world), who, via: None })
    }
}

/// A clock that goes on a millisecond with each look, and the bytes of a counter for randomness.
#[derive(Default)]
pub(super) struct Machine(AtomicU64);

impl Clock for Machine {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(i64::try_from(self.0.fetch_add(1, Ordering::SeqCst)).unwrap()).unwrap()
    }
    async fn sleep(&self, _: Duration) {}
}

impl Randomness for Machine {
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()> {
        for byte in bytes {
            *byte = u8::try_from(self.0.fetch_add(1, Ordering::SeqCst) % 256).unwrap();
        }
        Ok(())
    }
}
