"""Cryptography with symmetric and asymmetric keys, and what DryRun says of it."""

import os

import local
from checks import check, demand, refused, same

CONTEXT = {"app": "ledger", "tenant": "4711"}
MESSAGE = b"all that is gold does not glitter"
SIGNING = {
    **{
        f"RSA_{size}": [f"RSASSA_{scheme}_SHA_{h}" for scheme in ("PSS", "PKCS1_V1_5") for h in (256, 384, 512)]
        for size in (2048, 3072, 4096)
    },
    "ECC_NIST_P256": ["ECDSA_SHA_256"],
    "ECC_NIST_P384": ["ECDSA_SHA_384"],
    "ECC_NIST_P521": ["ECDSA_SHA_512"],
    "ECC_SECG_P256K1": ["ECDSA_SHA_256"],
    "ECC_NIST_EDWARDS25519": ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
    "ML_DSA_44": ["ML_DSA_SHAKE_256"],
    "ML_DSA_65": ["ML_DSA_SHAKE_256"],
    "ML_DSA_87": ["ML_DSA_SHAKE_256"],
}
# Ed25519 takes each algorithm with one type of message (Sign, MessageType).
TYPES = {"ED25519_SHA_512": ["RAW"], "ED25519_PH_SHA_512": ["DIGEST"], "ML_DSA_SHAKE_256": ["RAW"]}


def altered(blob, at=-1):
    changed = bytearray(blob)
    changed[at] ^= 1
    return bytes(changed)


@check("crypt.roundtrip")
def crypt_roundtrip(aws):
    """What is encrypted with a context decrypts with it in any order; KeyId is the ARN."""
    key = aws.key()
    alias = aws.alias(key)
    sealed = aws.kms.encrypt(KeyId=alias, Plaintext=MESSAGE, EncryptionContext=CONTEXT)
    same((sealed["KeyId"], sealed["EncryptionAlgorithm"]), (key["Arn"], "SYMMETRIC_DEFAULT"), "the answer of Encrypt")
    demand(MESSAGE not in sealed["CiphertextBlob"], "the ciphertext holds the plaintext")
    turned = dict(reversed(list(CONTEXT.items())))
    for more in ({}, {"KeyId": key["KeyId"]}, {"KeyId": alias, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}):
        opened = aws.kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=turned, **more)
        same((opened["Plaintext"], opened["KeyId"]), (MESSAGE, key["Arn"]), "the answer of Decrypt")


@check("crypt.context")
def crypt_context(aws):
    """A wrong or missing encryption context is InvalidCiphertextException."""
    key = aws.key()
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE, EncryptionContext=CONTEXT)["CiphertextBlob"]
    for wrong in ({"app": "ledger"}, {**CONTEXT, "app": "Ledger"}, {**CONTEXT, "more": "1"}, {}):
        refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong)
    refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=blob)
    plain = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=plain, EncryptionContext=CONTEXT)


@check("crypt.tamper")
def crypt_tamper(aws):
    """A changed ciphertext is InvalidCiphertextException; another KeyId is IncorrectKeyException."""
    key, other = aws.key(), aws.key()
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    for wrong in (altered(blob), altered(blob, -20), blob[:-1], blob + b"x", b"garbage"):
        refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=wrong)
    refused("IncorrectKeyException", aws.kms.decrypt, CiphertextBlob=blob, KeyId=other["KeyId"])


@check("crypt.limits")
def crypt_limits(aws):
    """A plaintext above 4096 bytes is ValidationException; Encrypt with a signing key is InvalidKeyUsageException."""
    key = aws.key()
    aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x" * 4096)
    refused("ValidationException", aws.kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x" * 4097)
    refused("ValidationException", aws.kms.encrypt, KeyId=key["KeyId"], Plaintext=b"")
    signing = aws.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    asked = {"KeyId": signing["KeyId"], "Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    refused("InvalidKeyUsageException", aws.kms.encrypt, **asked)


@check("crypt.reencrypt")
def crypt_reencrypt(aws):
    """ReEncrypt moves ciphertext between keys and contexts; a wrong source context is refused."""
    source, destination = aws.key(), aws.key()
    blob = aws.kms.encrypt(KeyId=source["KeyId"], Plaintext=MESSAGE, EncryptionContext=CONTEXT)["CiphertextBlob"]
    asked = {
        "CiphertextBlob": blob,
        "DestinationKeyId": destination["KeyId"],
        "DestinationEncryptionContext": {"app": "new"},
    }
    moved = aws.kms.re_encrypt(SourceEncryptionContext=CONTEXT, **asked)
    same((moved["SourceKeyId"], moved["KeyId"]), (source["Arn"], destination["Arn"]), "the keys of the answer")
    opened = aws.kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"app": "new"})
    same((opened["Plaintext"], opened["KeyId"]), (MESSAGE, destination["Arn"]), "the answer of Decrypt")
    refused("InvalidCiphertextException", aws.kms.re_encrypt, SourceEncryptionContext={"app": "x"}, **asked)
    refused("InvalidCiphertextException", aws.kms.re_encrypt, **asked)
    asked["SourceKeyId"] = destination["KeyId"]
    refused("IncorrectKeyException", aws.kms.re_encrypt, SourceEncryptionContext=CONTEXT, **asked)


@check("crypt.datakey")
def crypt_datakey(aws):
    """GenerateDataKey gives 32 bytes for AES_256, or NumberOfBytes; the ciphertext decrypts under the context."""
    key = aws.key()
    for asked, size in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 64}, 64)):
        made = aws.kms.generate_data_key(KeyId=key["KeyId"], EncryptionContext=CONTEXT, **asked)
        same((len(made["Plaintext"]), made["KeyId"]), (size, key["Arn"]), "the data key")
        opened = aws.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
        same(opened["Plaintext"], made["Plaintext"], "the decrypted data key")
        refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=made["CiphertextBlob"])


@check("crypt.datakey.nopt")
def crypt_datakey_nopt(aws):
    """GenerateDataKeyWithoutPlaintext answers without plaintext; the ciphertext decrypts."""
    key = aws.key()
    asked = {"KeyId": key["KeyId"], "KeySpec": "AES_256", "EncryptionContext": CONTEXT}
    made = aws.kms.generate_data_key_without_plaintext(**asked)
    demand("Plaintext" not in made, "the answer has a plaintext")
    opened = aws.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    same((len(opened["Plaintext"]), opened["KeyId"]), (32, key["Arn"]), "the data key")


@check("crypt.materialid")
def crypt_materialid(aws):
    """GenerateDataKey and Decrypt answer with the id of the key material."""
    key = aws.key()
    made = aws.kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
    material = made.get("KeyMaterialId", "")
    demand(len(material) == 64 and set(material) <= set("0123456789abcdef"), "no KeyMaterialId", material)
    opened = aws.kms.decrypt(CiphertextBlob=made["CiphertextBlob"])
    same(opened.get("KeyMaterialId"), material, "KeyMaterialId of Decrypt")


@check("crypt.random")
def crypt_random(aws):
    """GenerateRandom gives 1 to 1024 bytes."""
    for size in (1, 32, 1024):
        same(len(aws.kms.generate_random(NumberOfBytes=size)["Plaintext"]), size, "the number of bytes")
    draw = [aws.kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(2)]
    demand(draw[0] != draw[1], "two draws are equal")
    for size in (0, 1025):
        refused("ValidationException", aws.kms.generate_random, NumberOfBytes=size)


PAIRS = [*(spec for spec in SIGNING if not spec.startswith("ML_")), "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"]


def fits_pair(private, public, spec):
    """Demands that a PKCS#8 private key belongs to a SubjectPublicKeyInfo, both of a spec."""
    if spec.startswith("ML_KEM"):
        same(local.ml_kem_public_of(private, spec), local.ml_kem_public(public, spec), f"the public key of {spec}")
        return
    demand(local.fits(local.public_key(public), spec), f"the public key is not of {spec}")
    same(local.public_der(local.private_key(private).public_key()), public, f"the public key of {spec}")


@check("crypt.pair")
def crypt_pair(aws):
    """GenerateDataKeyPair, all specs: the PKCS#8 private key fits the public key, the ciphertext is bound to the context."""
    key = aws.key()
    for spec in PAIRS:
        made = aws.kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec=spec, EncryptionContext=CONTEXT)
        same((made["KeyId"], made["KeyPairSpec"]), (key["Arn"], spec), "the answer")
        fits_pair(made["PrivateKeyPlaintext"], made["PublicKey"], spec)
        blob = made["PrivateKeyCiphertextBlob"]
        opened = aws.kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"]
        same(opened, made["PrivateKeyPlaintext"], "the decrypted private key")
        refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=blob)


@check("crypt.pair.nopt")
def crypt_pair_nopt(aws):
    """GenerateDataKeyPairWithoutPlaintext does the same without PrivateKeyPlaintext."""
    key = aws.key()
    for spec in PAIRS:
        asked = {"KeyId": key["KeyId"], "KeyPairSpec": spec, "EncryptionContext": CONTEXT}
        made = aws.kms.generate_data_key_pair_without_plaintext(**asked)
        demand("PrivateKeyPlaintext" not in made, "the answer has the private key")
        blob = made["PrivateKeyCiphertextBlob"]
        opened = aws.kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"]
        fits_pair(opened, made["PublicKey"], spec)
        refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=blob)


@check("crypt.rsa")
def crypt_rsa(aws):
    """RSA_2048 decrypts, with both OAEP algorithms, what a local library and what KMS encrypted."""
    key = aws.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    algorithms = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
    same(sorted(key["EncryptionAlgorithms"]), algorithms, "EncryptionAlgorithms")
    public = local.public_key(aws.kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    for algorithm, other in (algorithms, algorithms[::-1]):
        chosen = {"KeyId": key["KeyId"], "EncryptionAlgorithm": algorithm}
        ours = public.encrypt(MESSAGE, local.oaep(algorithm))
        same(aws.kms.decrypt(CiphertextBlob=ours, **chosen)["Plaintext"], MESSAGE, "what we encrypted")
        theirs = aws.kms.encrypt(Plaintext=MESSAGE, **chosen)["CiphertextBlob"]
        same(len(theirs), 256, "the length of the ciphertext")
        same(aws.kms.decrypt(CiphertextBlob=theirs, **chosen)["Plaintext"], MESSAGE, "what KMS encrypted")
        wrong = {"KeyId": key["KeyId"], "EncryptionAlgorithm": other}
        refused("InvalidCiphertextException", aws.kms.decrypt, CiphertextBlob=ours, **wrong)


@check("crypt.pubkey")
def crypt_pubkey(aws):
    """GetPublicKey gives SPKI DER, spec, usage and algorithms; symmetric keys are UnsupportedOperationException."""
    kinds = [
        ("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms", SIGNING["RSA_2048"]),
        ("RSA_3072", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
        ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_384"]),
    ]
    for spec, usage, algorithms, names in kinds:
        key = aws.key(KeySpec=spec, KeyUsage=usage)
        answer = aws.kms.get_public_key(KeyId=key["KeyId"])
        same((answer["KeyId"], answer["KeySpec"], answer["KeyUsage"]), (key["Arn"], spec, usage), "the answer")
        same(sorted(answer[algorithms]), sorted(names), algorithms)
        demand(local.fits(local.public_key(answer["PublicKey"]), spec), f"the public key is not of {spec}")
    refused("UnsupportedOperationException", aws.kms.get_public_key, KeyId=aws.key()["KeyId"])


def signs(aws, spec):
    """Signs with all algorithms of a key spec, and verifies with a local library and with KMS."""
    key = aws.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
    same(sorted(key["SigningAlgorithms"]), sorted(SIGNING[spec]), "SigningAlgorithms")
    public = local.public_key(aws.kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    demand(local.fits(public, spec), f"the public key is not of {spec}")
    for algorithm in SIGNING[spec]:
        for kind in TYPES.get(algorithm, ["RAW", "DIGEST"]):
            right, wrong = MESSAGE, MESSAGE + b"!"
            if kind == "DIGEST":
                right, wrong = (local.digest(algorithm, message) for message in (right, wrong))
            chosen = {"KeyId": key["KeyId"], "SigningAlgorithm": algorithm, "MessageType": kind}
            made = aws.kms.sign(Message=right, **chosen)
            same((made["KeyId"], made["SigningAlgorithm"]), (key["Arn"], algorithm), "the answer of Sign")
            signature = made["Signature"]
            try:
                local.verify(public, algorithm, MESSAGE, signature)
            except Exception as error:
                demand(False, f"{algorithm} {kind} does not verify with a local library", error)
            answer = aws.kms.verify(Message=right, Signature=signature, **chosen)
            same((answer["SignatureValid"], answer["KeyId"]), (True, key["Arn"]), "the answer of Verify")
            bad = {"Message": wrong, "Signature": signature}
            refused("KMSInvalidSignatureException", aws.kms.verify, **bad, **chosen)


def register_signing(spec):
    def function(aws):
        signs(aws, spec)

    function.__doc__ = f"Sign and Verify with all algorithms of {spec} agree with a local library; a wrong message is refused."
    check(f"sign.{spec}")(function)


for each in SIGNING:
    register_signing(each)


@check("sign.errors")
def sign_errors(aws):
    """An algorithm of another family, a digest of wrong length, a message above 4096 bytes and a symmetric key are refused."""
    key = aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    sign, ours = aws.kms.sign, "ECDSA_SHA_256"
    for family in ("RSASSA_PSS_SHA_256", "ECDSA_SHA_384"):
        refused("InvalidKeyUsageException", sign, KeyId=key, Message=MESSAGE, SigningAlgorithm=family)
    short = {"KeyId": key, "Message": b"x" * 31, "MessageType": "DIGEST", "SigningAlgorithm": ours}
    refused("ValidationException", sign, **short)
    refused("ValidationException", sign, KeyId=key, Message=b"x" * 4097, SigningAlgorithm=ours)
    symmetric = aws.key()["KeyId"]
    refused("InvalidKeyUsageException", sign, KeyId=symmetric, Message=MESSAGE, SigningAlgorithm=ours)


@check("sign.mldsa.mu")
def sign_mldsa_mu(aws):
    """ML-DSA signs the representative mu of a message, which verifies as the message does."""
    for spec in ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87"):
        key = aws.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        public = local.public_key(aws.kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
        mu = local.mu(public, MESSAGE)
        chosen = {"KeyId": key["KeyId"], "SigningAlgorithm": "ML_DSA_SHAKE_256"}
        signature = aws.kms.sign(Message=mu, MessageType="EXTERNAL_MU", **chosen)["Signature"]
        public.verify(signature, MESSAGE)
        public.verify_mu(signature, mu)
        for kind, message in (("RAW", MESSAGE), ("EXTERNAL_MU", mu)):
            answer = aws.kms.verify(Message=message, MessageType=kind, Signature=signature, **chosen)
            same(answer["SignatureValid"], True, f"SignatureValid of {kind}")
        refused("ValidationException", aws.kms.sign, Message=mu[:-1], MessageType="EXTERNAL_MU", **chosen)


@check("verify.wrongkey")
def verify_wrongkey(aws):
    """A signature of another key is KMSInvalidSignatureException."""
    key, other = (aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"] for _ in range(2))
    chosen = {"Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = aws.kms.sign(KeyId=key, **chosen)["Signature"]
    demand(aws.kms.verify(KeyId=key, Signature=signature, **chosen)["SignatureValid"], "a good signature is not valid")
    refused("KMSInvalidSignatureException", aws.kms.verify, KeyId=other, Signature=signature, **chosen)


def mac_key(aws, size=256):
    return aws.key(KeySpec=f"HMAC_{size}", KeyUsage="GENERATE_VERIFY_MAC")


@check("mac.all")
def mac_all(aws):
    """HMAC_224 to _512: GenerateMac gives MACs of the size, always the same, that VerifyMac takes."""
    for size in (224, 256, 384, 512):
        key, algorithm = mac_key(aws, size), f"HMAC_SHA_{size}"
        same(key["MacAlgorithms"], [algorithm], "MacAlgorithms")
        asked = {"KeyId": key["KeyId"], "MacAlgorithm": algorithm}
        first, second = (aws.kms.generate_mac(Message=MESSAGE, **asked) for _ in range(2))
        same((len(first["Mac"]), first["KeyId"]), (size // 8, key["Arn"]), "size of the MAC, and key")
        same(first["Mac"], second["Mac"], "the second MAC")
        demand(aws.kms.generate_mac(Message=b"other", **asked)["Mac"] != first["Mac"], "all messages have one MAC")
        answer = aws.kms.verify_mac(Message=MESSAGE, Mac=first["Mac"], **asked)
        same(answer["MacValid"], True, "MacValid")


@check("mac.verify")
def mac_verify(aws):
    """VerifyMac is true, KMSInvalidMacException for a wrong MAC, InvalidKeyUsageException for a wrong algorithm."""
    key = mac_key(aws)["KeyId"]
    asked = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256"}
    mac = aws.kms.generate_mac(Message=MESSAGE, **asked)["Mac"]
    same(aws.kms.verify_mac(Message=MESSAGE, Mac=mac, **asked)["MacValid"], True, "MacValid")
    refused("KMSInvalidMacException", aws.kms.verify_mac, Message=MESSAGE, Mac=altered(mac), **asked)
    refused("KMSInvalidMacException", aws.kms.verify_mac, Message=b"other", Mac=mac, **asked)
    asked["MacAlgorithm"] = "HMAC_SHA_384"
    refused("InvalidKeyUsageException", aws.kms.verify_mac, Message=MESSAGE, Mac=mac + b"x" * 16, **asked)
    refused("InvalidKeyUsageException", aws.kms.generate_mac, Message=MESSAGE, **asked)


@check("ecdh")
def ecdh(aws):
    """DeriveSharedSecret gives the raw ECDH secret, on P256, P384 and P521."""
    for spec in ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"):
        key = aws.key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")
        same(key["KeyAgreementAlgorithms"], ["ECDH"], "KeyAgreementAlgorithms")
        theirs = local.public_key(aws.kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
        ours = local.ec.generate_private_key(local.CURVES[spec])
        asked = {"KeyId": key["KeyId"], "KeyAgreementAlgorithm": "ECDH"}
        answer = aws.kms.derive_shared_secret(PublicKey=local.public_der(ours.public_key()), **asked)
        same(answer["SharedSecret"], ours.exchange(local.ec.ECDH(), theirs), f"the secret of {spec}")
        same((answer["KeyId"], answer["KeyOrigin"]), (key["Arn"], "AWS_KMS"), "the answer")


def kem_key(aws, spec):
    return aws.key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")


@check("mlkem")
def mlkem(aws):
    """ML-KEM keys: Decapsulate gives the secret that Encapsulate gave."""
    for spec, size in (("ML_KEM_512", 768), ("ML_KEM_768", 1088), ("ML_KEM_1024", 1568)):
        key = kem_key(aws, spec)
        same(key["EncapsulationAlgorithms"], ["ML_KEM"], "EncapsulationAlgorithms")
        asked = {"KeyId": key["KeyId"], "EncapsulationAlgorithm": "ML_KEM"}
        made = aws.kms.encapsulate(**asked)
        blob = made["SharedSecretCiphertextBlob"]
        same((len(made["SharedSecret"]), len(blob), made["KeyId"]), (32, size, key["Arn"]), "the answer of Encapsulate")
        opened = aws.kms.decapsulate(SharedSecretCiphertextBlob=blob, **asked)
        same((opened["SharedSecret"], opened["KeyId"]), (made["SharedSecret"], key["Arn"]), "the answer of Decapsulate")


@check("mlkem.dec")
def mlkem_dec(aws):
    """Decapsulate gives the secret that a local library encapsulated; a ciphertext of wrong length is refused."""
    for spec in ("ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"):
        key = kem_key(aws, spec)
        secret, blob = local.encapsulate(aws.kms.get_public_key(KeyId=key["KeyId"])["PublicKey"], spec)
        asked = {"KeyId": key["KeyId"], "EncapsulationAlgorithm": "ML_KEM"}
        opened = aws.kms.decapsulate(SharedSecretCiphertextBlob=blob, **asked)
        same(opened["SharedSecret"], secret, f"the secret of {spec}")
        # Another ciphertext of the right length gives another secret, and no error: implicit rejection (FIPS 203).
        other = aws.kms.decapsulate(SharedSecretCiphertextBlob=altered(blob), **asked)["SharedSecret"]
        demand(len(other) == 32 and other != secret, "an altered ciphertext gives the same secret")
        short = {"SharedSecretCiphertextBlob": blob[:-1], **asked}
        refused("InvalidCiphertextException", aws.kms.decapsulate, **short)


@check("dryrun.crypto")
def dryrun_crypto(aws):
    """DryRun on cryptographic operations is DryRunOperationException."""
    kms, key, other = aws.kms, aws.key()["KeyId"], aws.key()["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
    signing = aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    ecdsa = {"KeyId": signing, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    mac = {"KeyId": mac_key(aws)["KeyId"], "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    agreeing = aws.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyId"]
    ours = local.public_der(local.ec.generate_private_key(local.CURVES["ECC_NIST_P256"]).public_key())
    calls = [
        (kms.encrypt, {"KeyId": key, "Plaintext": MESSAGE}),
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": other}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_without_plaintext, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_pair, {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
        (kms.generate_data_key_pair_without_plaintext, {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
        (kms.sign, ecdsa),
        (kms.verify, {**ecdsa, "Signature": kms.sign(**ecdsa)["Signature"]}),
        (kms.generate_mac, mac),
        (kms.verify_mac, {**mac, "Mac": kms.generate_mac(**mac)["Mac"]}),
        (kms.derive_shared_secret, {"KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH", "PublicKey": ours}),
    ]
    for call, arguments in calls:
        refused("DryRunOperationException", call, DryRun=True, **arguments)


@check("dryrun.ignore")
def dryrun_ignore(aws):
    """IGNORE_CIPHERTEXT makes a dry run of Decrypt and ReEncrypt need no valid ciphertext."""
    key, other = aws.key()["KeyId"], aws.key()["KeyId"]
    dry = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    for given in ({}, {"CiphertextBlob": os.urandom(64)}):
        refused("DryRunOperationException", aws.kms.decrypt, KeyId=key, **given, **dry)
        moving = {"SourceKeyId": key, "DestinationKeyId": other}
        refused("DryRunOperationException", aws.kms.re_encrypt, **moving, **given, **dry)
    garbage = {"KeyId": key, "CiphertextBlob": os.urandom(64)}
    refused("InvalidCiphertextException", aws.kms.decrypt, DryRun=True, **garbage)
