"""Keys, their tags, policies and aliases."""

import json
import re
from datetime import datetime

from account import allow, document, statement
from checks import check, demand, pages, refused, same

UNKNOWN = "00000000-0000-4000-8000-000000000000"

# Which usages a spec has: the table of CreateKey's parameter KeyUsage. SM2 is for Regions in China.
USAGES = {
    "SYMMETRIC_DEFAULT": ["ENCRYPT_DECRYPT"],
    **{f"HMAC_{size}": ["GENERATE_VERIFY_MAC"] for size in (224, 256, 384, 512)},
    **{f"RSA_{size}": ["ENCRYPT_DECRYPT", "SIGN_VERIFY"] for size in (2048, 3072, 4096)},
    **{f"ECC_NIST_P{size}": ["SIGN_VERIFY", "KEY_AGREEMENT"] for size in (256, 384, 521)},
    "ECC_SECG_P256K1": ["SIGN_VERIFY"],
    "ECC_NIST_EDWARDS25519": ["SIGN_VERIFY"],
    **{f"ML_DSA_{size}": ["SIGN_VERIFY"] for size in (44, 65, 87)},
    **{f"ML_KEM_{size}": ["ENCAPSULATE_DECAPSULATE"] for size in (512, 768, 1024)},
}


@check("key.create.defaults")
def key_create_defaults(aws):
    """A new key has the documented metadata."""
    key = aws.key()
    expected = {
        "AWSAccountId": aws.number,
        "Arn": f"arn:aws:kms:{aws.region}:{aws.number}:key/{key['KeyId']}",
        "Enabled": True,
        "Description": "",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    for name, value in expected.items():
        same(key.get(name), value, name)
    demand(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key["KeyId"]), "no UUID", key["KeyId"])
    demand(isinstance(key["CreationDate"], datetime), "no CreationDate", key)


@check("key.describe")
def key_describe(aws):
    """A key is found by id, ARN, alias and alias ARN; an unknown id is NotFoundException."""
    key = aws.key()
    alias = aws.alias(key)
    for name in (key["KeyId"], key["Arn"], alias, f"arn:aws:kms:{aws.region}:{aws.number}:{alias}"):
        same(aws.kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"], key["Arn"], f"the key of {name}")
    refused("NotFoundException", aws.kms.describe_key, KeyId=UNKNOWN)
    refused("NotFoundException", aws.kms.describe_key, KeyId="alias/" + aws.name())


@check("key.describe.region")
def key_describe_region(aws):
    """A key of another Region is not found by its id."""
    key = aws.elsewhere.create_key()["KeyMetadata"]
    demand(f":{aws.other_region}:" in key["Arn"], "the Region is not in the ARN", key["Arn"])
    refused("NotFoundException", aws.kms.describe_key, KeyId=key["KeyId"])


@check("key.describe.awsmanaged")
def key_describe_awsmanaged(aws):
    """alias/aws/s3 names an AWS managed key."""
    key = aws.kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    same(key["KeyManager"], "AWS", "KeyManager")


@check("key.update_description")
def key_update_description(aws):
    """A description is stored and returned."""
    key = aws.key(Description="first")
    same(aws.state(key)["Description"], "first", "Description")
    aws.kms.update_key_description(KeyId=key["KeyId"], Description="second")
    same(aws.state(key)["Description"], "second", "Description")


@check("key.create.badspec")
def key_create_badspec(aws):
    """A KeyUsage that does not fit the KeySpec is refused."""
    pairs = [
        ("SYMMETRIC_DEFAULT", "SIGN_VERIFY"),
        ("HMAC_256", "ENCRYPT_DECRYPT"),
        ("RSA_2048", "GENERATE_VERIFY_MAC"),
        ("RSA_2048", "KEY_AGREEMENT"),
        ("ECC_NIST_P256", "ENCRYPT_DECRYPT"),
        ("ECC_SECG_P256K1", "KEY_AGREEMENT"),
        ("ML_DSA_44", "ENCRYPT_DECRYPT"),
    ]
    aws.key(KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT")
    for spec, usage in pairs:
        refused("ValidationException|UnsupportedOperationException", aws.key, KeySpec=spec, KeyUsage=usage)


@check("key.create.allspecs")
def key_create_allspecs(aws):
    """Every KeySpec with every KeyUsage of the API model (but SM2) can be created."""
    for spec, usages in USAGES.items():
        for usage in usages:
            key = aws.key(KeySpec=spec, KeyUsage=usage)
            same((key["KeySpec"], key["KeyUsage"]), (spec, usage), "what was created")


@check("key.list")
def key_list(aws):
    """ListKeys pages by Limit and Marker; the pages hold every key once."""
    mine = {aws.key()["Arn"] for _ in range(5)}
    listed, count = pages(aws.kms.list_keys, "Keys", limit=3, rest=100)
    arns = [entry["KeyArn"] for entry in listed]
    demand(count > 1, "one page of three holds five keys")
    same(len(arns), len(set(arns)), "the number of keys")
    demand(mine <= set(arns), "keys are missing", mine - set(arns))


@check("key.list.limits")
def key_list_limits(aws):
    """A Limit of 0 or above 1000 and a bad Marker are refused."""
    refused("ValidationException", aws.kms.list_keys, Limit=0)
    refused("ValidationException", aws.kms.list_keys, Limit=1001)
    refused("InvalidMarkerException", aws.kms.list_keys, Marker="no marker")


@check("key.list.default")
def key_list_default(aws):
    """Without Limit a page of ListKeys holds at most 100 keys."""
    listed, _ = pages(aws.kms.list_keys, "Keys", limit=100)
    for _ in range(101 - len(listed)):
        aws.key()
    answer = aws.kms.list_keys()
    demand(len(answer["Keys"]) <= 100 and answer["Truncated"], f"a page holds {len(answer['Keys'])} keys")


def tags_of(aws, key):
    return {tag["TagKey"]: tag["TagValue"] for tag in aws.kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]}


def tags(**values):
    return [{"TagKey": name, "TagValue": value} for name, value in values.items()]


@check("tag.create")
def tag_create(aws):
    """Tags given to CreateKey are stored."""
    same(tags_of(aws, aws.key(Tags=tags(team="a", empty=""))), {"team": "a", "empty": ""}, "the tags")


@check("tag.update")
def tag_update(aws):
    """TagResource adds and overwrites."""
    key = aws.key(Tags=tags(team="a", env="x"))
    aws.kms.tag_resource(KeyId=key["Arn"], Tags=tags(team="b", cost="c"))
    same(tags_of(aws, key), {"team": "b", "env": "x", "cost": "c"}, "the tags")


@check("tag.remove")
def tag_remove(aws):
    """UntagResource removes, and an unknown tag is no error."""
    key = aws.key(Tags=tags(team="a", env="x"))
    aws.kms.untag_resource(KeyId=key["KeyId"], TagKeys=["team", "unknown"])
    same(tags_of(aws, key), {"env": "x"}, "the tags")


@check("tag.errors")
def tag_errors(aws):
    """The prefix aws: and duplicate keys are refused with TagException."""
    key, twice = aws.key(), tags(team="a") + tags(team="b")
    reserved = [{"TagKey": "aws:team", "TagValue": "a"}]
    for wrong in (twice, reserved):
        refused("TagException", aws.key, Tags=wrong)
        refused("TagException", aws.kms.tag_resource, KeyId=key["KeyId"], Tags=wrong)
    same(tags_of(aws, key), {}, "the tags")


@check("tag.toomany")
def tag_toomany(aws):
    """More than 50 tags are refused."""
    many = tags(**{f"t{index}": "v" for index in range(51)})
    refused("TagException", aws.key, Tags=many)
    key = aws.key(Tags=many[:50])
    refused("TagException|LimitExceededException", aws.kms.tag_resource, KeyId=key["KeyId"], Tags=many[50:])


@check("tag.page")
def tag_page(aws):
    """ListResourceTags pages by Limit and Marker."""
    given = {f"t{index}": "v" for index in range(5)}
    key = aws.key(Tags=tags(**given))
    listed, count = pages(aws.kms.list_resource_tags, "Tags", limit=2, KeyId=key["KeyId"])
    same((len(listed), count), (5, 3), "tags and pages")
    same({tag["TagKey"] for tag in listed}, set(given), "the tags")


def policy_of(aws, key):
    return json.loads(aws.kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])


@check("policy.default")
def policy_default(aws):
    """The default policy gives the account's root kms:*."""
    [only] = policy_of(aws, aws.key())["Statement"]
    same((only["Effect"], only["Action"], only["Resource"]), ("Allow", "kms:*", "*"), "the statement")
    same(only["Principal"], {"AWS": aws.root}, "Principal")


@check("policy.stored")
def policy_stored(aws):
    """The policy given to CreateKey is returned."""
    policy = aws.delegating(statement("kms:Encrypt", principal=aws.role()["Arn"]))
    same(policy_of(aws, aws.key(Policy=policy)), json.loads(policy), "the policy")


@check("policy.put")
def policy_put(aws):
    """PutKeyPolicy replaces the policy."""
    key, policy = aws.key(), aws.delegating(statement("kms:Decrypt", principal=aws.role()["Arn"]))
    aws.kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=policy)
    same(policy_of(aws, key), json.loads(policy), "the policy")


@check("policy.noname")
def policy_noname(aws):
    """PolicyName may be left out in GetKeyPolicy and PutKeyPolicy."""
    key, policy = aws.key(), aws.delegating(statement("kms:Decrypt", principal=aws.root))
    aws.kms.put_key_policy(KeyId=key["KeyId"], Policy=policy)
    same(json.loads(aws.kms.get_key_policy(KeyId=key["KeyId"])["Policy"]), json.loads(policy), "the policy")


@check("policy.list")
def policy_list(aws):
    """The only name of a policy is default."""
    same(aws.kms.list_key_policies(KeyId=aws.key()["KeyId"])["PolicyNames"], ["default"], "PolicyNames")


def malformed(aws, policy):
    key, code = aws.key(), "MalformedPolicyDocumentException"
    refused(code, aws.key, Policy=policy)
    refused(code, aws.kms.put_key_policy, KeyId=key["KeyId"], PolicyName="default", Policy=policy)


@check("policy.malformed.json")
def policy_malformed_json(aws):
    """Text that is no JSON is MalformedPolicyDocumentException."""
    malformed(aws, "no json")
    malformed(aws, aws.delegating()[:-1])


@check("policy.malformed.shape")
def policy_malformed_shape(aws):
    """A statement without Principal, or with a bad Effect, Action or Version is MalformedPolicyDocumentException."""
    whole = json.loads(aws.delegating())
    malformed(aws, aws.delegating(statement("kms:Encrypt")))
    malformed(aws, aws.delegating(statement("kms:Encrypt", effect="Maybe", principal=aws.root)))
    malformed(aws, aws.delegating(statement({"kms": "Encrypt"}, principal=aws.root)))
    malformed(aws, json.dumps({**whole, "Version": "2020-01-01"}))


@check("policy.malformed.principal")
def policy_malformed_principal(aws):
    """A principal that does not exist is MalformedPolicyDocumentException."""
    nobody = f"arn:aws:iam::{aws.number}:role/{aws.name('nobody')}"
    malformed(aws, aws.delegating(statement("kms:Encrypt", principal=nobody)))


@check("policy.size")
def policy_size(aws):
    """A policy above 32 KB is refused."""
    statements = [statement("kms:Encrypt", principal=aws.root) | {"Sid": f"S{i}x{'y' * 900}"} for i in range(40)]
    demand(len(aws.delegating(*statements)) > 33_000, "the policy is too short")
    code = "LimitExceededException|MalformedPolicyDocumentException|ValidationException"
    key = aws.key()
    refused(code, aws.kms.put_key_policy, KeyId=key["KeyId"], PolicyName="default", Policy=aws.delegating(*statements))


@check("policy.lockout")
def policy_lockout(aws):
    """A policy that would lock the caller out is MalformedPolicyDocumentException."""
    malformed(aws, document(statement("kms:*", principal=aws.role()["Arn"])))


@check("policy.lockout.bypass")
def policy_lockout_bypass(aws):
    """BypassPolicyLockoutSafetyCheck lets a policy in that locks the caller out."""
    policy = document(statement("kms:*", principal=aws.role(allow("kms:*"))["Arn"]))
    aws.key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    key = aws.key()
    bypass = {"Policy": policy, "PolicyName": "default", "BypassPolicyLockoutSafetyCheck": True}
    aws.kms.put_key_policy(KeyId=key["KeyId"], **bypass)


def aliases_of(aws, key):
    return {entry["AliasName"]: entry for entry in aws.kms.list_aliases(KeyId=key["KeyId"])["Aliases"]}


@check("alias.crud")
def alias_crud(aws):
    """An alias is created, listed by key with ARN and dates, updated and deleted."""
    first, second = aws.key(), aws.key()
    alias = aws.alias(first)
    entry = aliases_of(aws, first)[alias]
    same(entry["AliasArn"], f"arn:aws:kms:{aws.region}:{aws.number}:{alias}", "AliasArn")
    same(entry["TargetKeyId"], first["KeyId"], "TargetKeyId")
    for date in ("CreationDate", "LastUpdatedDate"):
        demand(isinstance(entry.get(date), datetime), f"no {date}", entry)
    aws.kms.update_alias(AliasName=alias, TargetKeyId=second["KeyId"])
    same((list(aliases_of(aws, first)), list(aliases_of(aws, second))), ([], [alias]), "the aliases after the update")
    aws.kms.delete_alias(AliasName=alias)
    same(aliases_of(aws, second), {}, "the aliases after the deletion")


@check("alias.update")
def alias_update(aws):
    """UpdateAlias moves an alias; an unknown alias or key is NotFoundException."""
    first, second = aws.key(), aws.key()
    alias = aws.alias(first)
    aws.kms.update_alias(AliasName=alias, TargetKeyId=second["Arn"])
    same(aws.kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"], second["Arn"], "the alias's key")
    unknown = "alias/" + aws.name()
    refused("NotFoundException", aws.kms.update_alias, AliasName=unknown, TargetKeyId=first["KeyId"])
    refused("NotFoundException", aws.kms.update_alias, AliasName=alias, TargetKeyId=UNKNOWN)


@check("alias.update.type")
def alias_update_type(aws):
    """UpdateAlias between keys of different type or usage is refused."""
    code = "ValidationException|InvalidKeyUsageException|UnsupportedOperationException"
    symmetric, signing = aws.key(), aws.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    hmac = aws.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    encrypting = aws.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    for old, new in ((symmetric, hmac), (symmetric, encrypting), (signing, encrypting)):
        alias = aws.alias(old)
        refused(code, aws.kms.update_alias, AliasName=alias, TargetKeyId=new["KeyId"])
        same(list(aliases_of(aws, old)), [alias], "the aliases of the old key")
        aws.kms.delete_alias(AliasName=alias)
    alias, other = aws.alias(signing), aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    aws.kms.update_alias(AliasName=alias, TargetKeyId=other["KeyId"])


@check("alias.delete")
def alias_delete(aws):
    """DeleteAlias removes; a second time is NotFoundException."""
    alias = aws.alias(aws.key())
    aws.kms.delete_alias(AliasName=alias)
    refused("NotFoundException", aws.kms.describe_key, KeyId=alias)
    refused("NotFoundException", aws.kms.delete_alias, AliasName=alias)


@check("alias.exists")
def alias_exists(aws):
    """The same name again is AlreadyExistsException."""
    key = aws.key()
    alias = aws.alias(key)
    for target in (key, aws.key()):
        refused("AlreadyExistsException", aws.kms.create_alias, AliasName=alias, TargetKeyId=target["KeyId"])


@check("alias.names")
def alias_names(aws):
    """alias/aws/ is reserved; a name without alias/, bad characters and an unknown key are refused."""
    key, name = aws.key()["KeyId"], aws.name()
    code = "InvalidAliasNameException|ValidationException"
    create = aws.kms.create_alias
    refused(f"{code}|NotAuthorizedException", create, AliasName=f"alias/aws/{name}", TargetKeyId=key)
    refused(code, create, AliasName=name, TargetKeyId=key)
    refused(code, create, AliasName=f"alias/{name}!", TargetKeyId=key)
    refused("NotFoundException", create, AliasName=f"alias/{name}", TargetKeyId=UNKNOWN)


@check("alias.page")
def alias_page(aws):
    """ListAliases pages by Limit and Marker."""
    key = aws.key()
    mine = {aws.alias(key) for _ in range(5)}
    listed, count = pages(aws.kms.list_aliases, "Aliases", limit=2, KeyId=key["KeyId"])
    same((len(listed), count), (5, 3), "aliases and pages of the key")
    everything, _ = pages(aws.kms.list_aliases, "Aliases", limit=2, rest=50)
    names = [entry["AliasName"] for entry in everything]
    same(len(names), len(set(names)), "the number of aliases")
    demand(mine <= set(names), "aliases are missing", mine - set(names))


@check("alias.notforadmin")
def alias_notforadmin(aws):
    """An alias is no KeyId for GetKeyPolicy, DisableKey and ScheduleKeyDeletion."""
    key = aws.key()
    alias = aws.alias(key)
    code = "NotFoundException|InvalidArnException|ValidationException"
    refused(code, aws.kms.get_key_policy, KeyId=alias, PolicyName="default")
    refused(code, aws.kms.disable_key, KeyId=alias)
    refused(code, aws.kms.schedule_key_deletion, KeyId=alias)
    same(aws.state(key)["KeyState"], "Enabled", "KeyState")
