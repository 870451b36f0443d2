"""Uses the sandbox through boto3, configured by nothing but the environment that it printed."""

import boto3
from botocore.exceptions import ClientError

ALIAS = "alias/keywright/shop/records"
ROLE = "arn:aws:iam::111122223333:role/"
TENANT = {"tenant": "acme-1"}


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"{found} instead of {code}: {error}"
        return error.response["Error"].get("Message", "")
    raise AssertionError(f"{call} went through; {code} was due")


def become(name):
    answer = boto3.client("sts").assume_role(RoleArn=ROLE + name, RoleSessionName="boto3")
    given = answer["Credentials"]
    session = boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    arn = session.client("sts").get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::111122223333:assumed-role/{name}/boto3", arn
    return session.client("kms")


user = boto3.client("kms")
aliases = [entry for page in user.get_paginator("list_aliases").paginate() for entry in page["Aliases"]]
names = {entry["AliasName"] for entry in aliases}
assert {ALIAS, "alias/shop/records"} <= names, names

# The account's administrator is not in the key policy.
assert "kms:Encrypt" in refused("AccessDeniedException", user.encrypt, KeyId=ALIAS, Plaintext=b"x")

deployer = become("deployer")
key = deployer.describe_key(KeyId=ALIAS)["KeyMetadata"]
assert key["Enabled"] and key["KeySpec"] == "SYMMETRIC_DEFAULT" and key["KeyManager"] == "CUSTOMER", key
assert deployer.get_key_rotation_status(KeyId=key["Arn"])["KeyRotationEnabled"]
tags = {tag["TagKey"]: tag["TagValue"] for tag in deployer.list_resource_tags(KeyId=key["KeyId"])["Tags"]}
assert tags["keywright:key"] == "records", tags
refused("AccessDeniedException", deployer.decrypt, KeyId=ALIAS, CiphertextBlob=b"x")
refused("NotFoundException", deployer.describe_key, KeyId="alias/nothing")
refused("MalformedPolicyDocumentException", deployer.put_key_policy, KeyId=key["KeyId"], Policy="{}")

app = become("app")
wrapped = app.encrypt(KeyId=ALIAS, Plaintext=b"secret", EncryptionContext=TENANT)
assert wrapped["KeyId"] == key["Arn"], wrapped
blob = wrapped["CiphertextBlob"]
opened = app.decrypt(CiphertextBlob=blob, EncryptionContext=TENANT)
assert opened["Plaintext"] == b"secret" and opened["KeyId"] == key["Arn"], opened
refused("InvalidCiphertextException", app.decrypt, CiphertextBlob=blob, EncryptionContext={"tenant": "acme-2"})
flipped = blob[:-1] + bytes([blob[-1] ^ 1])
refused("InvalidCiphertextException", app.decrypt, CiphertextBlob=flipped, EncryptionContext=TENANT)
refused("AccessDeniedException", app.decrypt, CiphertextBlob=blob, EncryptionContext={"tenant": "other"})
refused("AccessDeniedException", app.decrypt, CiphertextBlob=blob)
refused("AccessDeniedException", app.get_key_policy, KeyId=key["KeyId"])
refused("AccessDeniedException", app.schedule_key_deletion, KeyId=key["KeyId"])

data = app.generate_data_key(KeyId=ALIAS, KeySpec="AES_256", EncryptionContext=TENANT)
assert len(data["Plaintext"]) == 32
again = app.decrypt(CiphertextBlob=data["CiphertextBlob"], EncryptionContext=TENANT, KeyId=key["KeyId"])
assert again["Plaintext"] == data["Plaintext"]

admin = become("admin")
assert "Statement" in admin.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
refused("AccessDeniedException", admin.decrypt, CiphertextBlob=blob, EncryptionContext=TENANT)
admin.disable_key(KeyId=key["KeyId"])
refused("DisabledException", app.decrypt, CiphertextBlob=blob, EncryptionContext=TENANT)
admin.enable_key(KeyId=key["KeyId"])
assert app.decrypt(CiphertextBlob=blob, EncryptionContext=TENANT)["Plaintext"] == b"secret"

refused("AccessDenied", boto3.client("sts").assume_role, RoleArn=ROLE + "nobody", RoleSessionName="boto3")
