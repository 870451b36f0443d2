//! A KMS in memory that decides by `access`, and can be made to err in the ways that the self-test must notice.

use crate::access::{Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request, decide};
use crate::ids::{AliasName, KeyArn, KeyId, KeyStoreId, PrincipalArn, RoleArn};
use crate::live::{Caller, KeyMetadata, LiveGrant, LiveKeyStore, LiveRotation, LiveRotations, LiveUsage};
use crate::policy::PolicyDocument;
use crate::ports::{
    CallerReader, Clock, Crypto, DataKey, EncryptionContext, Forwarding, KeyReader, PortError, PortErrorKind,
    PortResult, Randomness, RoleAssumer,
};
use crate::secret::SecretBytes;
use crate::services::Service;
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
}

struct Wrapped {
    key: KeyId,
    context: EncryptionContext,
    plaintext: Vec<u8>,
}

pub(super) struct World {
    pub(super) keys: BTreeMap<KeyId, KeyFacts>,
    pub(super) assumable: BTreeSet<String>,
    pub(super) fault: Fault,
    /// Whether callers may play services, as in the sandbox.
    pub(super) plays: bool,
    wrapped: Mutex<BTreeMap<Vec<u8>, Wrapped>>,
    count: AtomicU64,
}

/// What the self-test could have leaked.
impl World {
    pub(super) fn new(
        keys: BTreeMap<KeyId, KeyFacts>,
        assumable: BTreeSet<String>,
        (fault, plays): (Fault, bool),
    ) -> Self {
        Self { keys, assumable, fault, plays, wrapped: Mutex::default(), count: AtomicU64::new(0) }
    }

    pub(super) fn secrets(&self) -> Vec<Vec<u8>> {
        self.wrapped.lock().unwrap().values().map(|wrapped| wrapped.plaintext.clone()).collect()
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
        if decision == crate::access::Decision::Allow || self.world.fault == Fault::Lenient {
            return Ok(());
        }
        error(PortErrorKind::Denied, action)
    }

    fn wrap(&self, key: &KeyId, plaintext: &[u8], context: &EncryptionContext) -> Vec<u8> {
        let count = self.world.count.fetch_add(1, Ordering::SeqCst);
        let mut ciphertext = count.to_be_bytes().to_vec();
        ciphertext.extend([0x5a; 24]);
        let wrapped = Wrapped { key: key.clone(), context: context.clone(), plaintext: plaintext.to_vec() };
        self.world.wrapped.lock().unwrap().insert(ciphertext.clone(), wrapped);
        ciphertext
    }

    fn unwrap(&self, key: &KeyId, ciphertext: &[u8], context: &EncryptionContext) -> PortResult<Vec<u8>> {
        let all = self.world.wrapped.lock().unwrap();
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
        let count = self.world.count.load(Ordering::SeqCst);
        (0..32_u8).map(|at| at.wrapping_mul(37) ^ u8::try_from(count % 251).unwrap() ^ 0xc3).collect()
    }
}

impl Crypto for Fake {
    async fn generate_data_key(&self, key: &KeyId, context: &EncryptionContext) -> PortResult<DataKey> {
        self.admit("kms:GenerateDataKey", key, context)?;
        let plaintext = self.fresh();
        let ciphertext = self.wrap(key, &plaintext, context);
        let key: KeyArn = self.world.keys[key].arn.parse().unwrap();
        Ok(DataKey { plaintext: SecretBytes::new(plaintext), ciphertext, key })
    }
    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> PortResult<Vec<u8>> {
        self.admit("kms:GenerateDataKeyWithoutPlaintext", key, context)?;
        Ok(self.wrap(key, &self.fresh(), context))
    }
    async fn encrypt(&self, key: &KeyId, plaintext: &SecretBytes, context: &EncryptionContext) -> PortResult<Vec<u8>> {
        self.admit("kms:Encrypt", key, context)?;
        Ok(self.wrap(key, plaintext.expose_secret(), context))
    }
    async fn decrypt(&self, key: &KeyId, ciphertext: &[u8], context: &EncryptionContext) -> PortResult<SecretBytes> {
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
        source: &EncryptionContext,
        destination: &EncryptionContext,
    ) -> PortResult<Vec<u8>> {
        self.admit("kms:ReEncryptFrom", key, source)?;
        self.admit("kms:ReEncryptTo", key, destination)?;
        Ok(self.wrap(key, &self.unwrap(key, ciphertext, source)?, destination))
    }
    async fn dry_run(&self, action: &str, key: &KeyId, context: &EncryptionContext) -> PortResult<()> {
        if action != "kms:ReEncrypt" {
            return self.admit(action, key, context);
        }
        self.admit("kms:ReEncryptFrom", key, context)?;
        self.admit("kms:ReEncryptTo", key, context)
    }
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
        Ok((self.world.keys[key].arn.parse().unwrap(), super::tests::metadata()))
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
