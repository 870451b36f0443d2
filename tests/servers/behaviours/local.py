"""What the checks compute themselves, to compare with what the server computes.

RSA, ECDSA, Ed25519, ML-DSA (of a message or of its representative mu), ECDH, RSAES-OAEP, AES-KWP, ML-KEM-768 and -1024 are
those of the package `cryptography`, HMAC is Python's, ML-KEM-512 is that of `kyber-py`. Ed25519ph, which none of them has,
is verified here.
"""

import hashlib
import hmac
import os
import warnings

warnings.filterwarnings("ignore", module="cryptography")

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa
from kyber_py.ml_kem import ML_KEM_512

HASHES = {"224": hashes.SHA224(), "256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
ML_DSA = {"ML_DSA_44": mldsa.MLDSA44PublicKey, "ML_DSA_65": mldsa.MLDSA65PublicKey, "ML_DSA_87": mldsa.MLDSA87PublicKey}


def public_key(der):
    """Reads a SubjectPublicKeyInfo."""
    return serialization.load_der_public_key(der)


def private_key(der):
    """Reads a PKCS#8 private key."""
    return serialization.load_der_private_key(der, None)


def public_der(key):
    """Returns the SubjectPublicKeyInfo of a public key."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key):
    """Returns a private key as PKCS#8."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def fits(key, spec):
    """Tells whether a public key is of a key spec."""
    if spec.startswith("RSA_"):
        return isinstance(key, rsa.RSAPublicKey) and key.key_size == int(spec[4:])
    if spec in CURVES:
        return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == CURVES[spec].name
    if spec in ML_DSA:
        return isinstance(key, ML_DSA[spec])
    return spec == "ECC_NIST_EDWARDS25519" and isinstance(key, ed25519.Ed25519PublicKey)


def hash_of(algorithm):
    """Returns the hash function that the name of an algorithm ends in."""
    return HASHES[algorithm[-3:]]


def digest(algorithm, message):
    """Returns the digest of a message for an algorithm."""
    hasher = hashes.Hash(hash_of(algorithm))
    hasher.update(message)
    return hasher.finalize()


def verify(key, algorithm, message, signature):
    """Verifies a signature of a message (of its digest, where the algorithm takes no message); raises unless it is good."""
    if algorithm.startswith("RSASSA_PSS"):
        chosen = hash_of(algorithm)
        scheme = padding.PSS(mgf=padding.MGF1(chosen), salt_length=chosen.digest_size)
        key.verify(signature, message, scheme, chosen)
    elif algorithm.startswith("RSASSA_PKCS1"):
        key.verify(signature, message, padding.PKCS1v15(), hash_of(algorithm))
    elif algorithm.startswith("ECDSA"):
        key.verify(signature, message, ec.ECDSA(hash_of(algorithm)))
    elif algorithm == "ED25519_PH_SHA_512":
        # KMS hashes what it is given as digest once more (Sign, MessageType).
        given = hashlib.sha512(message).digest()
        verify_ed25519ph(key.public_bytes_raw(), hashlib.sha512(given).digest(), signature)
    else:
        key.verify(signature, message)


def mac(material, message):
    """Returns HMAC-SHA-256."""
    return hmac.new(material, message, hashlib.sha256).digest()


def mu(key, message):
    """Returns the message representative of ML-DSA (FIPS 204, algorithm 7, line 6) with an empty context."""
    of_key = hashlib.shake_256(key.public_bytes_raw()).digest(64)
    return hashlib.shake_256(of_key + b"\0\0" + message).digest(64)


# The curve of Ed25519 (RFC 8032, 5.1), points as (x, y).
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def point_at(y, odd):
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P:
        raise ValueError("no point of the curve")
    return (P - x if x % 2 != odd else x, y)


def sum_of(a, b):
    both = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + both, -1, P) % P
    return (x, (a[1] * b[1] + a[0] * b[0]) * pow(1 - both, -1, P) % P)


def times(factor, point):
    result = (0, 1)
    while factor:
        if factor & 1:
            result = sum_of(result, point)
        point, factor = sum_of(point, point), factor >> 1
    return result


def read_point(encoded):
    value = int.from_bytes(encoded, "little")
    return point_at(value & (2**255 - 1), value >> 255)


def verify_ed25519ph(public, prehash, signature):
    """Verifies an Ed25519ph signature with an empty context (RFC 8032, 5.1.7)."""
    commitment, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    domain = b"SigEd25519 no Ed25519 collisions\x01\x00"
    challenge = int.from_bytes(hashlib.sha512(domain + commitment + public + prehash).digest(), "little")
    base = point_at(4 * pow(5, -1, P) % P, 0)
    right = sum_of(read_point(commitment), times(challenge % ORDER, read_point(public)))
    if len(signature) != 64 or scalar >= ORDER or times(scalar, base) != right:
        raise ValueError("a bad Ed25519ph signature")


def oaep(algorithm):
    """Returns the padding of RSAES_OAEP_SHA_1 or _256, or of RSA_AES_KEY_WRAP with that hash."""
    chosen = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    return padding.OAEP(mgf=padding.MGF1(chosen), algorithm=chosen, label=None)


def wrap(algorithm, wrapping_key, material):
    """Wraps key material for ImportKeyMaterial."""
    key = public_key(wrapping_key)
    if algorithm.startswith("RSAES_OAEP"):
        return key.encrypt(material, oaep(algorithm))
    once = os.urandom(32)
    return key.encrypt(once, oaep(algorithm)) + keywrap.aes_key_wrap_with_padding(once, material)


# The lengths of the public keys in bytes.
ML_KEM = {"ML_KEM_512": 800, "ML_KEM_768": 1184, "ML_KEM_1024": 1568}


def ml_kem_public(der, spec):
    """Returns the bytes of an ML-KEM public key in a SubjectPublicKeyInfo (RFC 9935)."""
    size = ML_KEM[spec]
    kind = {"ML_KEM_512": 1, "ML_KEM_768": 2, "ML_KEM_1024": 3}[spec]
    identifier = bytes.fromhex("06096086480165030404") + bytes([kind])
    if identifier not in der[:30] or len(der) != size + 22:
        raise ValueError(f"{len(der)} bytes are no SubjectPublicKeyInfo of {spec}")
    return der[-size:]


def encapsulate(der, spec):
    """Returns a shared secret and its ciphertext for an ML-KEM public key."""
    public = ml_kem_public(der, spec)
    if spec == "ML_KEM_512":
        return ML_KEM_512.encaps(public)
    kind = {"ML_KEM_768": mlkem.MLKEM768PublicKey, "ML_KEM_1024": mlkem.MLKEM1024PublicKey}[spec]
    return kind.from_public_bytes(public).encapsulate()


def ml_kem_public_of(der, spec):
    """Returns the public key that belongs to an ML-KEM private key in PKCS#8: a seed, or an expanded key."""
    size = ML_KEM[spec]
    before = size - 32
    if b"\x80\x40" in der[:40] or b"\x04\x40" in der[:40]:
        mark = der.find(b"\x80\x40") if b"\x80\x40" in der[:40] else der.find(b"\x04\x40")
        seed = der[mark + 2 : mark + 66]
        if spec == "ML_KEM_512":
            return ML_KEM_512.key_derive(seed)[0]
        kind = {"ML_KEM_768": mlkem.MLKEM768PrivateKey, "ML_KEM_1024": mlkem.MLKEM1024PrivateKey}[spec]
        return kind.from_seed_bytes(seed).public_key().public_bytes_raw()
    # The expanded key is the private vector, the public key, its hash, and a value for rejection.
    expanded = der[-(before + size + 64) :]
    return expanded[before : before + size]
