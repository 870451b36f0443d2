"""Makes key material and wrapping keys with Python's `cryptography`, and unwraps what was wrapped, for the proof that
keywright reads, wraps and proves material as others do.

    python import_material.py         reads one JSON request a line, writes one JSON answer a line

Requests (bytes are base64):
    {"op": "wrapping_key", "bits"} -> {"public"}                 a new key pair, kept here
    {"op": "material", "spec"} -> {"ways": [[encoding, bytes]],  new material, kept here; and what is computed with it
                                   "public"?, "mac"?, "peer"?, "shared"?}
    {"op": "unwrap", "bits", "algorithm", "spec", "wrapped"} -> {"same"}
    {"op": "not_private"} -> {"cases": [[name, encoding, bytes]]}
"""

import base64
import datetime
import hmac
import json
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, pkcs12
from cryptography.x509.oid import NameOID

SECRETS = {"SYMMETRIC_DEFAULT": 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
CURVES = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
MESSAGE = b"keywright self-test"
PASSWORD = serialization.BestAvailableEncryption(b"password")

wrapping_keys = {}
materials = {}


def b64(data):
    return base64.b64encode(data).decode()


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def wrapping_key(request):
    key = rsa.generate_private_key(65537, request["bits"])
    wrapping_keys[request["bits"]] = key
    return {"public": b64(spki(key))}


def new_key(spec):
    if spec in CURVES:
        return ec.generate_private_key(CURVES[spec])
    if spec == "ECC_NIST_EDWARDS25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(spec.removeprefix("RSA_")))


def material(request):
    spec = request["spec"]
    if spec in SECRETS:
        secret = os.urandom(SECRETS[spec])
        materials[spec] = secret
        ways = [("raw", secret), ("hex", secret.hex().encode()), ("base64", base64.encodebytes(secret))]
        answer = {"ways": [(encoding, b64(given)) for encoding, given in ways]}
        if spec.startswith("HMAC_"):
            answer["mac"] = b64(hmac.new(secret, MESSAGE, "sha" + spec.removeprefix("HMAC_")).digest())
        return answer
    key = new_key(spec)
    materials[spec] = key
    forms = [PrivateFormat.PKCS8]
    if spec != "ECC_NIST_EDWARDS25519":
        # PKCS#1 for RSA, SEC1 for curves
        forms.append(PrivateFormat.TraditionalOpenSSL)
    ways = [("der", key.private_bytes(Encoding.DER, form, NoEncryption())) for form in forms]
    ways += [("pem", key.private_bytes(Encoding.PEM, form, NoEncryption())) for form in forms]
    ways += [("base64", base64.encodebytes(pkcs8(key))), ("hex", pkcs8(key).hex().encode())]
    answer = {"ways": [(encoding, b64(given)) for encoding, given in ways], "public": b64(spki(key))}
    if spec.startswith("ECC_NIST_P"):
        peer = ec.generate_private_key(CURVES[spec])
        answer["peer"] = b64(spki(peer))
        answer["shared"] = b64(peer.exchange(ec.ECDH(), key.public_key()))
    return answer


def unwrap(request):
    key = wrapping_keys[request["bits"]]
    algorithm = request["algorithm"]
    digest = hashes.SHA256() if algorithm.endswith("SHA_256") else hashes.SHA1()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    wrapped = base64.b64decode(request["wrapped"])
    if algorithm.startswith("RSA_AES_KEY_WRAP"):
        length = request["bits"] // 8
        aes_key = key.decrypt(wrapped[:length], oaep)
        if len(aes_key) != 32:
            return {"error": "the AES key has {} bytes".format(len(aes_key))}
        plain = aes_key_unwrap_with_padding(aes_key, wrapped[length:])
    else:
        plain = key.decrypt(wrapped, oaep)
    expected = materials[request["spec"]]
    if isinstance(expected, bytes):
        return {"same": plain == expected}
    # PKCS#8 of version 0, as RFC 5208 has it
    is_rfc_5208 = b"\x02\x01\x00\x30" in plain[:8]
    return {"same": is_rfc_5208 and pkcs8(serialization.load_der_private_key(plain, None)) == pkcs8(expected)}


def certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keywright")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


def not_private(request):
    key = ec.generate_private_key(ec.SECP256R1())
    certified = certificate(key)
    asked = x509.CertificateSigningRequestBuilder().subject_name(certified.subject).sign(key, hashes.SHA256())
    public = key.public_key()
    cases = [("Pkcs12", "der", pkcs12.serialize_key_and_certificates(b"k", key, certified, None, PASSWORD))]
    for encoding, name in [(Encoding.DER, "der"), (Encoding.PEM, "pem")]:
        cases.append(("EncryptedKey", name, key.private_bytes(encoding, PrivateFormat.PKCS8, PASSWORD)))
        cases.append(("PublicKey", name, public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)))
        cases.append(("Certificate", name, certified.public_bytes(encoding)))
        cases.append(("Certificate", name, asked.public_bytes(encoding)))
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PASSWORD)
    cases.append(("EncryptedKey", "pem", old))
    cases.append(("OpensshKey", "pem", key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())))
    return {"cases": [(found, encoding, b64(given)) for found, encoding, given in cases]}


OPERATIONS = {"wrapping_key": wrapping_key, "material": material, "unwrap": unwrap, "not_private": not_private}


def answer(line):
    request = json.loads(line)
    try:
        return OPERATIONS[request["op"]](request)
    except Exception as error:
        return {"error": "{}: {}".format(type(error).__name__, error)}


def main():
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
