"""Key material: rotation and import."""

import os
from datetime import datetime, timedelta, timezone

from botocore.exceptions import ClientError

import local
from checks import Wrong, check, demand, eventually, refused, same, text_of
from crypt import MESSAGE, mac_key

UNSUPPORTED = "UnsupportedOperationException"


def status(aws, key):
    return aws.kms.get_key_rotation_status(KeyId=key["KeyId"])


def current(aws, key):
    return aws.state(key).get("CurrentKeyMaterialId")


def rotate(aws, key):
    """Rotates on demand, and waits until the material is another."""
    before = current(aws, key)
    demand(before, "no CurrentKeyMaterialId")
    aws.kms.rotate_key_on_demand(KeyId=key["KeyId"])
    eventually(lambda: current(aws, key) != before, "another CurrentKeyMaterialId")
    return before, current(aws, key)


@check("rot.enable")
def rot_enable(aws):
    """RotationPeriodInDays is stored; the default is 365."""
    key = aws.key()
    aws.kms.enable_key_rotation(KeyId=key["KeyId"])
    found = status(aws, key)
    same((found["KeyRotationEnabled"], found.get("RotationPeriodInDays")), (True, 365), "the status")
    for period in (90, 180, 2560):
        aws.kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=period)
        same(status(aws, key)["RotationPeriodInDays"], period, "RotationPeriodInDays")


@check("rot.status")
def rot_status(aws):
    """KeyId is the ARN, NextRotationDate now plus the period when enabled, absent when off."""
    key = aws.key()
    off = status(aws, key)
    same((off["KeyRotationEnabled"], off.get("KeyId")), (False, key["Arn"]), "the status")
    demand("NextRotationDate" not in off and "RotationPeriodInDays" not in off, "a date while off", off)
    aws.kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=100)
    due = key["CreationDate"] + timedelta(days=100)
    found = status(aws, key)["NextRotationDate"]
    demand(abs(found - due) < timedelta(hours=1), f"NextRotationDate is not {due}", found)


@check("rot.range")
def rot_range(aws):
    """A period outside 90 to 2560 days is ValidationException."""
    key = aws.key()
    for period in (89, 2561, 0):
        asked = {"KeyId": key["KeyId"], "RotationPeriodInDays": period}
        refused("ValidationException", aws.kms.enable_key_rotation, **asked)
    same(status(aws, key)["KeyRotationEnabled"], False, "KeyRotationEnabled")


@check("rot.unsupported")
def rot_unsupported(aws):
    """Asymmetric, HMAC and imported keys: UnsupportedOperationException."""
    imported = external(aws)
    bring(aws, imported, os.urandom(32))
    for key in (aws.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"), mac_key(aws), imported):
        refused(UNSUPPORTED, aws.kms.enable_key_rotation, KeyId=key["KeyId"])


@check("rot.disable")
def rot_disable(aws):
    """DisableKeyRotation shows in the status."""
    key = aws.key()
    aws.kms.enable_key_rotation(KeyId=key["KeyId"])
    same(status(aws, key)["KeyRotationEnabled"], True, "KeyRotationEnabled")
    aws.kms.disable_key_rotation(KeyId=key["KeyId"])
    same(status(aws, key)["KeyRotationEnabled"], False, "KeyRotationEnabled")


@check("rot.ondemand")
def rot_ondemand(aws):
    """RotateKeyOnDemand changes CurrentKeyMaterialId; old ciphertext still decrypts."""
    key = aws.key()
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    first, second = rotate(aws, key)
    opened = aws.kms.decrypt(CiphertextBlob=blob)
    same((opened["Plaintext"], opened["KeyMaterialId"]), (MESSAGE, first), "old ciphertext, decrypted")
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    opened = aws.kms.decrypt(CiphertextBlob=blob)
    same((opened["Plaintext"], opened["KeyMaterialId"]), (MESSAGE, second), "new ciphertext, decrypted")


@check("rot.list")
def rot_list(aws):
    """ListKeyRotations gives the rotation on demand; with ALL_KEY_MATERIAL the first material as well."""
    key = aws.key()
    same(aws.kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"], [], "the rotations of a new key")
    first, second = rotate(aws, key)
    [only] = aws.kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"]
    same((only["RotationType"], only.get("KeyMaterialId")), ("ON_DEMAND", second), "the rotation")
    demand(isinstance(only.get("RotationDate"), datetime), "no RotationDate", only)
    every = aws.kms.list_key_rotations(KeyId=key["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    states = {entry["KeyMaterialId"]: entry["KeyMaterialState"] for entry in every}
    same(states, {first: "NON_CURRENT", second: "CURRENT"}, "all key material")


@check("rot.ondemand.limit")
def rot_ondemand_limit(aws):
    """A key takes 25 rotations on demand, then LimitExceededException."""
    key = aws.key()
    for _ in range(25):
        rotate(aws, key)
    refused("LimitExceededException", aws.kms.rotate_key_on_demand, KeyId=key["KeyId"])


def external(aws, **arguments):
    return aws.key(Origin="EXTERNAL", **arguments)


def parameters(aws, key, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048"):
    asked = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
    return aws.kms.get_parameters_for_import(KeyId=key["KeyId"], **asked)


def wrapped(given, material, algorithm="RSAES_OAEP_SHA_256"):
    blob = local.wrap(algorithm, given["PublicKey"], material)
    return {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": blob}


def bring(aws, key, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", **more):
    """Imports key material, which does not expire unless told otherwise."""
    more.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
    given = wrapped(parameters(aws, key, algorithm, spec), material, algorithm)
    return aws.kms.import_key_material(KeyId=key["KeyId"], **given, **more)


@check("imp.state")
def imp_state(aws):
    """A key with Origin EXTERNAL starts in PendingImport, not enabled, and does no cryptography."""
    key = external(aws)
    found = (key["KeyState"], key["Enabled"], key["Origin"])
    same(found, ("PendingImport", False, "EXTERNAL"), "the new key")
    refused("KMSInvalidStateException", aws.kms.encrypt, KeyId=key["KeyId"], Plaintext=MESSAGE)
    refused("KMSInvalidStateException", aws.kms.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256")


@check("imp.params")
def imp_params(aws):
    """GetParametersForImport takes all wrapping algorithms and keys; its token is valid 24 hours; not on AWS_KMS keys."""
    symmetric, rsa = external(aws), external(aws, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    for scheme, key in (("RSAES_OAEP", symmetric), ("RSA_AES_KEY_WRAP", rsa)):
        for algorithm in (f"{scheme}_SHA_1", f"{scheme}_SHA_256"):
            for spec in ("RSA_2048", "RSA_3072", "RSA_4096"):
                given = parameters(aws, key, algorithm, spec)
                same(given["KeyId"], key["Arn"], "KeyId")
                demand(local.fits(local.public_key(given["PublicKey"]), spec), f"the wrapping key is not of {spec}")
                demand(given["ImportToken"], "no ImportToken")
                valid = given["ParametersValidTo"] - key["CreationDate"]
                demand(timedelta(hours=23) < valid < timedelta(hours=25), "not valid for 24 hours", valid)
    refused(UNSUPPORTED, parameters, aws=aws, key=aws.key())


@check("imp.import")
def imp_import(aws):
    """OAEP_SHA_256 with RSA_4096 imports material: Enabled, ExpirationModel; Encrypt and Decrypt work."""
    key = external(aws)
    bring(aws, key, os.urandom(32), spec="RSA_4096")
    found = aws.state(key)
    same((found["KeyState"], found["Enabled"]), ("Enabled", True), "the key")
    same(found["ExpirationModel"], "KEY_MATERIAL_DOES_NOT_EXPIRE", "ExpirationModel")
    demand("ValidTo" not in found, "a ValidTo", found)
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    same(aws.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE, "what was decrypted")


@check("imp.hmac")
def imp_hmac(aws):
    """Imported HMAC_256 material is really used: GenerateMac equals the local HMAC."""
    key, material = external(aws, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"), os.urandom(32)
    bring(aws, key, material)
    asked = {"KeyId": key["KeyId"], "MacAlgorithm": "HMAC_SHA_256"}
    expected = local.mac(material, MESSAGE)
    same(aws.kms.generate_mac(Message=MESSAGE, **asked)["Mac"], expected, "the MAC")
    same(aws.kms.verify_mac(Message=MESSAGE, Mac=expected, **asked)["MacValid"], True, "MacValid of the local MAC")


@check("imp.rsa")
def imp_rsa(aws):
    """An RSA_2048 key comes in through RSA_AES_KEY_WRAP_SHA_256 with RSA_4096: it is ours, and we decrypt what KMS encrypts."""
    ours = local.rsa.generate_private_key(65537, 2048)
    key = external(aws, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    bring(aws, key, local.pkcs8(ours), "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
    public = aws.kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    same(public, local.public_der(ours.public_key()), "the public key")
    algorithm = "RSAES_OAEP_SHA_256"
    chosen = {"KeyId": key["KeyId"], "EncryptionAlgorithm": algorithm}
    blob = aws.kms.encrypt(Plaintext=MESSAGE, **chosen)["CiphertextBlob"]
    same(ours.decrypt(blob, local.oaep(algorithm)), MESSAGE, "what KMS encrypted")


@check("imp.ecc")
def imp_ecc(aws):
    """An ECC_NIST_P256 key comes in through OAEP_SHA_256: it is ours, and KMS verifies what we sign."""
    ours = local.ec.generate_private_key(local.CURVES["ECC_NIST_P256"])
    key = external(aws, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    bring(aws, key, local.pkcs8(ours))
    public = aws.kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    same(public, local.public_der(ours.public_key()), "the public key")
    chosen = {"KeyId": key["KeyId"], "SigningAlgorithm": "ECDSA_SHA_256", "Message": MESSAGE}
    signature = ours.sign(MESSAGE, local.ec.ECDSA(local.hash_of("ECDSA_SHA_256")))
    same(aws.kms.verify(Signature=signature, **chosen)["SignatureValid"], True, "SignatureValid of our signature")
    local.verify(ours.public_key(), "ECDSA_SHA_256", MESSAGE, aws.kms.sign(**chosen)["Signature"])


@check("imp.symwrap")
def imp_symwrap(aws):
    """RSA_AES_KEY_WRAP is for RSA and ECC material; for a symmetric or HMAC key it is refused."""
    hmac = external(aws, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    for key in (external(aws), hmac):
        for algorithm in ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"):
            code = f"{UNSUPPORTED}|ValidationException|InvalidKeyUsageException"
            arguments = {"aws": aws, "key": key, "material": os.urandom(32), "algorithm": algorithm}
            refused(code, bring, **arguments)
        same(aws.state(key)["KeyState"], "PendingImport", "KeyState")


@check("imp.reject")
def imp_reject(aws):
    """Garbage is InvalidCiphertextException, a foreign token InvalidImportTokenException, 16 bytes IncorrectKeyMaterial."""
    key, other = external(aws), external(aws)
    forever = {"KeyId": key["KeyId"], "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    given = parameters(aws, key)
    garbage = {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": os.urandom(256)}
    refused("InvalidCiphertextException", aws.kms.import_key_material, **garbage, **forever)
    foreign = wrapped(parameters(aws, other), os.urandom(32))
    refused("InvalidImportTokenException", aws.kms.import_key_material, **foreign, **forever)
    short = wrapped(given, os.urandom(16))
    refused("IncorrectKeyMaterialException", aws.kms.import_key_material, **short, **forever)
    same(aws.state(key)["KeyState"], "PendingImport", "KeyState")


def in_seconds(count):
    return datetime.now(timezone.utc) + timedelta(seconds=count)


@check("imp.validto")
def imp_validto(aws):
    """KEY_MATERIAL_EXPIRES needs ValidTo, which is then in the metadata."""
    key = external(aws)
    given = {"KeyId": key["KeyId"], **wrapped(parameters(aws, key), os.urandom(32))}
    refused("ValidationException", aws.kms.import_key_material, ExpirationModel="KEY_MATERIAL_EXPIRES", **given)
    # KEY_MATERIAL_EXPIRES is the default.
    refused("ValidationException", aws.kms.import_key_material, **given)
    until = in_seconds(3600).replace(microsecond=0)
    aws.kms.import_key_material(ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=until, **given)
    found = aws.state(key)
    same(found["ExpirationModel"], "KEY_MATERIAL_EXPIRES", "ExpirationModel")
    demand(abs(found["ValidTo"] - until) < timedelta(seconds=2), f"ValidTo is not {until}", found["ValidTo"])


@check("imp.expiry")
def imp_expiry(aws):
    """When ValidTo passes, the key goes back to PendingImport."""
    key, material = external(aws), os.urandom(32)
    bring(aws, key, material)
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    given = {"KeyId": key["KeyId"], **wrapped(parameters(aws, key), material)}
    until = expire_soon(aws, given)
    found = aws.state(key)
    demand(found["KeyState"] == "Enabled" or in_seconds(0) >= until, "expired before ValidTo", found)
    patience = (until - in_seconds(0)).total_seconds() + 15
    eventually(lambda: aws.state(key)["KeyState"] == "PendingImport", "PendingImport", patience)
    demand(in_seconds(0) >= until, f"expired before {until}")
    refused("KMSInvalidStateException", aws.kms.decrypt, CiphertextBlob=blob)
    bring(aws, key, material)
    same(aws.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE, "what was decrypted after the re-import")


def expire_soon(aws, given):
    """Imports material again, to expire soon, and returns when; a slow server is given more time."""
    for seconds in (4, 16, 64):
        # Times are sent as whole seconds.
        until = in_seconds(seconds).replace(microsecond=0)
        try:
            aws.kms.import_key_material(ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=until, **given)
        except ClientError as error:
            demand(in_seconds(0) >= until, "the import before ValidTo is refused", text_of(error))
        else:
            return until
    raise Wrong("ValidTo passes before the server has answered")


@check("imp.wrongagain")
def imp_wrongagain(aws):
    """Other material for a key that already had some is IncorrectKeyMaterialException."""
    key = external(aws)
    bring(aws, key, os.urandom(32))
    refused("IncorrectKeyMaterialException", bring, aws=aws, key=key, material=os.urandom(32))
    aws.kms.delete_imported_key_material(KeyId=key["KeyId"])
    refused("IncorrectKeyMaterialException", bring, aws=aws, key=key, material=os.urandom(32))


@check("imp.delete")
def imp_delete(aws):
    """DeleteImportedKeyMaterial makes the key PendingImport; the same material brings it back."""
    key, material = external(aws), os.urandom(32)
    bring(aws, key, material)
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    aws.kms.delete_imported_key_material(KeyId=key["KeyId"])
    same(aws.state(key)["KeyState"], "PendingImport", "KeyState")
    refused("KMSInvalidStateException", aws.kms.decrypt, CiphertextBlob=blob)
    bring(aws, key, material)
    same(aws.state(key)["KeyState"], "Enabled", "KeyState")
    same(aws.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE, "what was decrypted")


@check("imp.new")
def imp_new(aws):
    """NEW_KEY_MATERIAL waits until RotateKeyOnDemand makes it current; old ciphertext still decrypts."""
    key = external(aws)
    first = bring(aws, key, os.urandom(32))["KeyMaterialId"]
    same(current(aws, key), first, "CurrentKeyMaterialId")
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    second = bring(aws, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    same(current(aws, key), first, "CurrentKeyMaterialId before the rotation")
    every = aws.kms.list_key_rotations(KeyId=key["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    states = {entry["KeyMaterialId"]: entry["KeyMaterialState"] for entry in every}
    same(states, {first: "CURRENT", second: "PENDING_ROTATION"}, "all key material")
    same(rotate(aws, key), (first, second), "the rotation")
    opened = aws.kms.decrypt(CiphertextBlob=blob)
    same((opened["Plaintext"], opened["KeyMaterialId"]), (MESSAGE, first), "old ciphertext, decrypted")
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    same(aws.kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"], second, "KeyMaterialId of new ciphertext")


@check("imp.tokenreuse")
def imp_tokenreuse(aws):
    """A token can be used again to import the same material."""
    key = external(aws)
    given = wrapped(parameters(aws, key), os.urandom(32))
    asked = {"KeyId": key["KeyId"], "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", **given}
    aws.kms.import_key_material(**asked)
    aws.kms.delete_imported_key_material(KeyId=key["KeyId"])
    same(aws.state(key)["KeyState"], "PendingImport", "KeyState")
    aws.kms.import_key_material(**asked)
    same(aws.state(key)["KeyState"], "Enabled", "KeyState")
