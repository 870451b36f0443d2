"""Seals and opens messages with AWS's own `aws-encryption-sdk`, for the proof that ours are the same format.

    python esdk_interop.py            reads one JSON request a line, writes one JSON answer a line
    python esdk_interop.py vectors    writes the known-answer vectors of tests/data/envelope/vectors.json

Requests (bytes are base64, the plaintext data key is hex):
    {"op": "seal", "data_key", "key_arn", "wrapped_key", "context", "frame_length", "plaintext"} -> {"message"}
    {"op": "open", "data_key", "message"} -> {"plaintext", "context", "frame_length",
                                              "data_keys": [{"provider_id", "provider_info", "wrapped_key"}]}
A refusal is {"error": "<class>: <text>"}. No KMS is called: a materials manager of our own brings the data key.
"""

import base64
import hashlib
import json
import logging
import sys

import aws_encryption_sdk
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy
from aws_encryption_sdk.materials_managers import DecryptionMaterials, EncryptionMaterials
from aws_encryption_sdk.materials_managers.base import CryptoMaterialsManager
from aws_encryption_sdk.structures import DataKey, EncryptedDataKey, MasterKeyInfo
from cryptography.exceptions import InvalidTag

SUITE = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
CLIENT = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


def b64(data):
    return base64.b64encode(data).decode()


class GivenDataKey(CryptoMaterialsManager):
    """Hands out one data key, whatever wrapped it."""

    def __init__(self, data_key, key_arn="", wrapped_key=b""):
        provider = MasterKeyInfo(provider_id="aws-kms", key_info=key_arn)
        self.data_key = DataKey(key_provider=provider, data_key=data_key, encrypted_data_key=wrapped_key)
        self.wrapped = EncryptedDataKey(key_provider=provider, encrypted_data_key=wrapped_key)

    def get_encryption_materials(self, request):
        return EncryptionMaterials(
            algorithm=SUITE,
            data_encryption_key=self.data_key,
            encrypted_data_keys={self.wrapped},
            encryption_context=request.encryption_context,
        )

    def decrypt_materials(self, request):
        if request.algorithm is not SUITE:
            raise ValueError("another algorithm suite: {}".format(request.algorithm))
        return DecryptionMaterials(data_key=self.data_key)


def seal(request):
    manager = GivenDataKey(
        bytes.fromhex(request["data_key"]), request["key_arn"], base64.b64decode(request["wrapped_key"])
    )
    message, _ = CLIENT.encrypt(
        source=base64.b64decode(request["plaintext"]),
        materials_manager=manager,
        encryption_context=request["context"],
        algorithm=SUITE,
        frame_length=request["frame_length"],
    )
    return {"message": b64(message)}


def open_message(request):
    manager = GivenDataKey(bytes.fromhex(request["data_key"]))
    plaintext, header = CLIENT.decrypt(source=base64.b64decode(request["message"]), materials_manager=manager)
    return {
        "plaintext": b64(plaintext),
        "context": header.encryption_context,
        "frame_length": header.frame_length,
        "data_keys": [
            {
                "provider_id": key.key_provider.provider_id,
                "provider_info": key.key_provider.key_info.decode(),
                "wrapped_key": b64(key.encrypted_data_key),
            }
            for key in header.encrypted_data_keys
        ],
    }


def answer(line):
    request = json.loads(line)
    try:
        return {"seal": seal, "open": open_message}[request["op"]](request)
    except (AWSEncryptionSDKClientError, InvalidTag, ValueError) as error:
        return {"error": "{}: {}".format(type(error).__name__, error)}


def vectors():
    def stream(seed, length):
        return hashlib.shake_256(seed.encode()).digest(length)

    arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    cases = [
        ("empty plaintext, empty context", {}, 128, b""),
        ("three frames and a part", {"app": "ledger", "tabelle": "Überweisung", "é": ""}, 128, stream("three", 417)),
        ("exactly two frames", {"aws:s3:arn": "arn:aws:s3:::ledger/2026"}, 256, stream("two", 512)),
    ]
    for name, context, frame_length, plaintext in cases:
        case = {
            "name": name,
            "data_key": stream("data key of " + name, 32).hex(),
            "key_arn": arn,
            "wrapped_key": b64(stream("wrapped key of " + name, 184)),
            "context": context,
            "frame_length": frame_length,
            "plaintext": b64(plaintext),
        }
        yield dict(case, **seal(case))


def main():
    # What it refuses is in the answer; the library's own log of it would be noise.
    logging.disable(logging.CRITICAL)
    if sys.argv[1:] == ["vectors"]:
        json.dump(list(vectors()), sys.stdout, indent=1)
        print()
        return
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
