"""Grants, and the life of keys: disabled, pending deletion, last used."""

from datetime import datetime, timedelta

from account import statement
from checks import check, demand, pages, refused, same
from crypt import CONTEXT, MESSAGE

OPERATIONS = ["Decrypt", "Encrypt"]
STATE = "KMSInvalidStateException"


def grant(aws, key, grantee, operations=OPERATIONS, **more):
    return aws.kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=grantee["Arn"], Operations=operations, **more)


def grants_of(aws, key, **more):
    return {entry["GrantId"]: entry for entry in aws.kms.list_grants(KeyId=key["KeyId"], **more)["Grants"]}


@check("grant.create")
def grant_create(aws):
    """A grant with constraints is listed with all its fields."""
    key, grantee, retirer = aws.key(), aws.role(), aws.role()
    constraints = {"EncryptionContextSubset": CONTEXT}
    made = grant(aws, key, grantee, RetiringPrincipal=retirer["Arn"], Name="mine", Constraints=constraints)
    demand(made["GrantToken"] and made["GrantId"], "no token or id", made)
    found = grants_of(aws, key)[made["GrantId"]]
    expected = {
        "KeyId": key["Arn"],
        "Name": "mine",
        "GranteePrincipal": grantee["Arn"],
        "RetiringPrincipal": retirer["Arn"],
        "IssuingAccount": aws.root,
        "Constraints": constraints,
    }
    for name, value in expected.items():
        same(found.get(name), value, name)
    same(sorted(found["Operations"]), OPERATIONS, "Operations")
    demand(isinstance(found.get("CreationDate"), datetime), "no CreationDate", found)


@check("grant.idempotent")
def grant_idempotent(aws):
    """The same Name and parameters give the same GrantId; another Name gives a new one."""
    key, grantee = aws.key(), aws.role()
    first, again, other = (grant(aws, key, grantee, Name=name)["GrantId"] for name in ("one", "one", "two"))
    same(again, first, "GrantId")
    demand(other != first, "another Name has the same GrantId")
    changed = grant(aws, key, grantee, operations=["Encrypt"], Name="one")["GrantId"]
    demand(changed != first, "other parameters have the same GrantId")
    unnamed = [grant(aws, key, grantee)["GrantId"] for _ in range(2)]
    demand(unnamed[0] != unnamed[1], "grants without Name have the same GrantId")


@check("grant.errors")
def grant_errors(aws):
    """An unknown or unfit operation, a context constraint on an asymmetric key, and an invalid principal are refused."""
    key, grantee = aws.key(), aws.role()
    code = "ValidationException"
    refused(code, grant, aws=aws, key=key, grantee=grantee, operations=["Fly"])
    refused(code, grant, aws=aws, key=key, grantee=grantee, operations=["Sign"])
    asymmetric = aws.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    refused(code, grant, aws=aws, key=asymmetric, grantee=grantee, operations=["GenerateDataKey"])
    for kind in ("EncryptionContextSubset", "EncryptionContextEquals"):
        refused(code, grant, aws=aws, key=asymmetric, grantee=grantee, Constraints={kind: CONTEXT})
    for nobody in ("nobody", f"arn:aws:iam::{aws.number}:role/{aws.name('nobody')}"):
        refused(f"{code}|InvalidArnException", grant, aws=aws, key=key, grantee={"Arn": nobody})
    same(grants_of(aws, key), {}, "the grants")


@check("grant.page")
def grant_page(aws):
    """ListGrants pages by Limit and Marker, and filters by GrantId and GranteePrincipal."""
    key, many, one = aws.key(), aws.role(), aws.role()
    made = {grant(aws, key, many)["GrantId"] for _ in range(4)}
    single = grant(aws, key, one)["GrantId"]
    listed, count = pages(aws.kms.list_grants, "Grants", limit=2, KeyId=key["KeyId"])
    same(({entry["GrantId"] for entry in listed}, len(listed), count), (made | {single}, 5, 3), "the pages")
    same(set(grants_of(aws, key, GrantId=single)), {single}, "the grants of the id")
    same(set(grants_of(aws, key, GranteePrincipal=many["Arn"])), made, "the grants of the grantee")


@check("grant.revoke")
def grant_revoke(aws):
    """A revoked grant disappears; an unknown grant is NotFoundException."""
    key, grantee = aws.key(), aws.role()
    first, second = (grant(aws, key, grantee)["GrantId"] for _ in range(2))
    aws.kms.revoke_grant(KeyId=key["KeyId"], GrantId=first)
    same(set(grants_of(aws, key)), {second}, "the grants")
    for gone in (first, "0" * 64):
        refused("NotFoundException", aws.kms.revoke_grant, KeyId=key["KeyId"], GrantId=gone)


@check("grant.retire")
def grant_retire(aws):
    """The retiring principal retires a grant by token, and by key ARN and grant id."""
    key, grantee, retirer = aws.key(), aws.role(), aws.role()
    first, second = (grant(aws, key, grantee, RetiringPrincipal=retirer["Arn"]) for _ in range(2))
    same(len(grants_of(aws, key)), 2, "the number of grants")
    as_retirer = aws.become(retirer)
    as_retirer.kms.retire_grant(GrantToken=first["GrantToken"])
    same(set(grants_of(aws, key)), {second["GrantId"]}, "the grants")
    as_retirer.kms.retire_grant(KeyId=key["Arn"], GrantId=second["GrantId"])
    same(grants_of(aws, key), {}, "the grants")


@check("grant.retirable")
def grant_retirable(aws):
    """ListRetirableGrants gives the grants of a retiring principal over all keys."""
    grantee, retirer = aws.role(), aws.role()
    keys = [aws.key() for _ in range(3)]
    made = {grant(aws, key, grantee, RetiringPrincipal=retirer["Arn"])["GrantId"] for key in keys}
    grant(aws, keys[0], retirer)
    listing = aws.kms.list_retirable_grants
    listed, count = pages(listing, "Grants", limit=2, RetiringPrincipal=retirer["Arn"])
    same(({entry["GrantId"] for entry in listed}, count), (made, 2), "the grants and pages")
    same({entry["KeyId"] for entry in listed}, {key["Arn"] for key in keys}, "the keys")


@check("dryrun.grant")
def dryrun_grant(aws):
    """DryRun on CreateGrant and RevokeGrant is DryRunOperationException, and changes nothing."""
    key, grantee = aws.key(), aws.role()
    refused("DryRunOperationException", grant, aws=aws, key=key, grantee=grantee, DryRun=True)
    same(grants_of(aws, key), {}, "the grants")
    made = grant(aws, key, grantee)["GrantId"]
    asked = {"KeyId": key["KeyId"], "GrantId": made}
    refused("DryRunOperationException", aws.kms.revoke_grant, DryRun=True, **asked)
    same(set(grants_of(aws, key)), {made}, "the grants")


@check("life.disable")
def life_disable(aws):
    """A disabled key does no cryptography (DisabledException), but is still described and tagged."""
    key = aws.key()
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    aws.kms.disable_key(KeyId=key["KeyId"])
    found = aws.state(key)
    same((found["KeyState"], found["Enabled"]), ("Disabled", False), "the key")
    refused("DisabledException", aws.kms.encrypt, KeyId=key["KeyId"], Plaintext=MESSAGE)
    refused("DisabledException", aws.kms.decrypt, CiphertextBlob=blob)
    refused("DisabledException", aws.kms.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256")
    aws.kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "a", "TagValue": "b"}])
    same(len(aws.kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]), 1, "the number of tags")


@check("life.enable")
def life_enable(aws):
    """EnableKey brings a disabled key back."""
    key = aws.key()
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    aws.kms.disable_key(KeyId=key["KeyId"])
    same(aws.state(key)["Enabled"], False, "Enabled")
    aws.kms.enable_key(KeyId=key["KeyId"])
    found = aws.state(key)
    same((found["KeyState"], found["Enabled"]), ("Enabled", True), "the key")
    same(aws.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE, "what was decrypted")


@check("life.delete")
def life_delete(aws):
    """ScheduleKeyDeletion waits 30 days by default; date, window and state are in the answer."""
    for asked, days in (({}, 30), ({"PendingWindowInDays": 7}, 7)):
        key = aws.key()
        answer = aws.kms.schedule_key_deletion(KeyId=key["KeyId"], **asked)
        found = (answer["KeyId"], answer["KeyState"], answer["PendingWindowInDays"])
        same(found, (key["Arn"], "PendingDeletion", days), "the answer")
        due = key["CreationDate"] + timedelta(days=days)
        demand(abs(answer["DeletionDate"] - due) < timedelta(hours=1), f"DeletionDate is not {due}", answer)
        now = aws.state(key)
        same((now["KeyState"], now["Enabled"]), ("PendingDeletion", False), "the key")
        same(now["DeletionDate"], answer["DeletionDate"], "DeletionDate")


@check("life.delete.range")
def life_delete_range(aws):
    """A window outside 7 to 30 days is ValidationException."""
    key = aws.key()
    for days in (6, 31, 0):
        asked = {"KeyId": key["KeyId"], "PendingWindowInDays": days}
        refused("ValidationException", aws.kms.schedule_key_deletion, **asked)
    same(aws.state(key)["KeyState"], "Enabled", "KeyState")


@check("life.pending")
def life_pending(aws):
    """On a key that is pending deletion, cryptography and most management is KMSInvalidStateException."""
    kms, key, grantee = aws.kms, aws.key(), aws.role()
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    calls = [
        (kms.encrypt, {"Plaintext": MESSAGE}),
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.generate_data_key, {"KeySpec": "AES_256"}),
        (kms.enable_key, {}),
        (kms.disable_key, {}),
        (kms.enable_key_rotation, {}),
        (kms.update_key_description, {"Description": "x"}),
        (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        (kms.untag_resource, {"TagKeys": ["a"]}),
        (kms.create_grant, {"GranteePrincipal": grantee["Arn"], "Operations": OPERATIONS}),
        (kms.schedule_key_deletion, {}),
    ]
    for call, arguments in calls:
        refused(STATE, call, KeyId=key["KeyId"], **arguments)
    refused(STATE, kms.create_alias, AliasName="alias/" + aws.name(), TargetKeyId=key["KeyId"])
    # What the table of key states leaves open (developer guide, "Key states of AWS KMS keys").
    kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")
    policy = aws.delegating(statement("kms:Decrypt", principal=aws.root))
    kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=policy)
    kms.list_resource_tags(KeyId=key["KeyId"])


@check("life.cancel")
def life_cancel(aws):
    """CancelKeyDeletion leads to Disabled; on an enabled key it is KMSInvalidStateException."""
    key = aws.key()
    refused(STATE, aws.kms.cancel_key_deletion, KeyId=key["KeyId"])
    aws.kms.schedule_key_deletion(KeyId=key["KeyId"])
    same(aws.kms.cancel_key_deletion(KeyId=key["KeyId"])["KeyId"], key["Arn"], "KeyId of the answer")
    found = aws.state(key)
    same((found["KeyState"], found["Enabled"]), ("Disabled", False), "the key")
    demand("DeletionDate" not in found, "a DeletionDate", found)
    aws.kms.enable_key(KeyId=key["KeyId"])
    aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)


@check("life.lastusage")
def life_lastusage(aws):
    """GetKeyLastUsage is empty at first, then tells the last cryptographic operation."""
    key = aws.key()
    first = aws.kms.get_key_last_usage(KeyId=key["KeyId"])
    demand(not first.get("KeyLastUsage"), "a new key was used", first)
    same(first["KeyCreationDate"], key["CreationDate"], "KeyCreationDate")
    demand(isinstance(first.get("TrackingStartDate"), datetime), "no TrackingStartDate", first)
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    used = aws.kms.get_key_last_usage(KeyId=key["KeyId"])["KeyLastUsage"]
    same(used["Operation"], "Encrypt", "Operation")
    demand(used["Timestamp"] >= key["CreationDate"], "used before it was created", used)
    aws.kms.decrypt(CiphertextBlob=blob)
    same(aws.kms.get_key_last_usage(KeyId=key["KeyId"])["KeyLastUsage"]["Operation"], "Decrypt", "Operation")
