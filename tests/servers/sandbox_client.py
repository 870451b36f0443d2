"""Uses the sandbox through boto3, configured by nothing but the environment that it printed."""

import json

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

# Groups, versions, and all identities at once.
iam = boto3.client("iam")


def policy(action):
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


group = iam.create_group(GroupName="staff")["Group"]
assert group["Arn"] == "arn:aws:iam::111122223333:group/staff", group
shared = iam.create_policy(PolicyName="shared", PolicyDocument=policy("kms:ListKeys"))["Policy"]["Arn"]
iam.create_policy_version(PolicyArn=shared, PolicyDocument=policy("kms:ListAliases"), SetAsDefault=True)
iam.attach_group_policy(GroupName="staff", PolicyArn=shared)
iam.put_group_policy(GroupName="staff", PolicyName="inline", PolicyDocument=policy("tag:GetResources"))
iam.create_user(UserName="ann", PermissionsBoundary=shared)
iam.add_user_to_group(GroupName="staff", UserName="ann")
assert [user["UserName"] for user in iam.get_group(GroupName="staff")["Users"]] == ["ann"]

made = iam.create_access_key(UserName="ann")["AccessKey"]
ann = boto3.Session(aws_access_key_id=made["AccessKeyId"], aws_secret_access_key=made["SecretAccessKey"])
ann.client("kms").list_aliases()
refused("AccessDeniedException", ann.client("kms").list_keys)
refused("AccessDenied", ann.client("iam").get_account_authorization_details)

pages = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2})
lists = {name: [] for name in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"]}
count = 0
for page in pages:
    count += 1
    assert sum(len(page[name]) for name in lists) <= 2, page
    for name in lists:
        lists[name] += page[name]
assert count > 2, count
whole = iam.get_account_authorization_details()
assert all(whole[name] == found for name, found in lists.items()), (whole, lists)

users = {user["UserName"]: user for user in lists["UserDetailList"]}
assert set(users) == {"ann", "sandbox"}, users
assert users["ann"]["GroupList"] == ["staff"], users["ann"]
assert users["ann"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == shared, users["ann"]
# boto3 decodes documents by itself.
[staff] = lists["GroupDetailList"]
assert staff["GroupPolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] == "tag:GetResources", staff
assert staff["AttachedManagedPolicies"] == [{"PolicyName": "shared", "PolicyArn": shared}], staff
roles = {role["RoleName"]: role for role in lists["RoleDetailList"]}
assert {"deployer", "admin", "app"} <= set(roles), roles
assert roles["app"]["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole", roles["app"]
[listed] = lists["Policies"]
versions = {version["VersionId"]: version for version in listed["PolicyVersionList"]}
assert listed["DefaultVersionId"] == "v2" and versions["v2"]["IsDefaultVersion"], listed
assert versions["v1"]["Document"]["Statement"][0]["Action"] == "kms:ListKeys", versions
only = iam.get_account_authorization_details(Filter=["Group"])
assert only["GroupDetailList"] == [staff] and only["UserDetailList"] == [], only
