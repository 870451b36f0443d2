"""IAM, STS, the tagging API, and what all services have in common on the wire."""

import json
import re
from datetime import timedelta

from botocore.exceptions import ClientError

from account import allow, document, statement, trust
from checks import check, demand, pages, refused, same

MALFORMED = "MalformedPolicyDocument"
SERVICE = {"Service": "ec2.amazonaws.com"}


def get_role(aws, role):
    return aws.iam.get_role(RoleName=role["RoleName"])["Role"]


def role_tags(aws, role):
    listed = aws.iam.list_role_tags(RoleName=role["RoleName"])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


def tags(**values):
    return [{"Key": name, "Value": value} for name, value in values.items()]


@check("iam.role.create")
def iam_role_create(aws):
    """CreateRole stores path, tags, duration and description; GetRole and ListRoleTags return them."""
    given = {"Path": "/checks/", "Description": "a role", "MaxSessionDuration": 7200}
    role = aws.role(Tags=tags(team="a"), **given)
    same(role["Arn"], f"arn:aws:iam::{aws.number}:role/checks/{role['RoleName']}", "Arn")
    demand(re.fullmatch(r"AROA[A-Z0-9]{12,}", role["RoleId"]), "no RoleId", role["RoleId"])
    found = get_role(aws, role)
    for name, value in given.items():
        same(found.get(name), value, name)
    same(found["AssumeRolePolicyDocument"], json.loads(trust(aws.root)), "AssumeRolePolicyDocument")
    same(role_tags(aws, role), {"team": "a"}, "the tags")


@check("iam.role.get")
def iam_role_get(aws):
    """An unknown role is NoSuchEntity."""
    refused("NoSuchEntity", aws.iam.get_role, RoleName=aws.name())


@check("iam.role.exists")
def iam_role_exists(aws):
    """The same name a second time is EntityAlreadyExists."""
    asked = {"RoleName": aws.role()["RoleName"], "AssumeRolePolicyDocument": trust(aws.root)}
    refused("EntityAlreadyExists", aws.iam.create_role, **asked)


@check("iam.role.malformed")
def iam_role_malformed(aws):
    """A trust policy that is no JSON, has a Resource, or no Principal is MalformedPolicyDocument."""
    with_resource = document(statement("sts:AssumeRole", principal=aws.root))
    without = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})
    for policy in ("no json", with_resource, without):
        refused(MALFORMED, aws.iam.create_role, RoleName=aws.name(), AssumeRolePolicyDocument=policy)


@check("iam.role.list")
def iam_role_list(aws):
    """ListRoles pages by MaxItems and Marker, and keeps to PathPrefix."""
    path = f"/{aws.name('path')}/"
    mine = {aws.role(Path=path)["Arn"] for _ in range(3)}
    aws.role()
    names = {"listed": "Roles", "size": "MaxItems", "told": "Marker"}
    listed, count = pages(aws.iam.list_roles, limit=2, PathPrefix=path, **names)
    same(({role["Arn"] for role in listed}, len(listed), count), (mine, 3, 2), "the pages")


@check("iam.role.trust")
def iam_role_trust(aws):
    """UpdateAssumeRolePolicy replaces the trust policy; no JSON is MalformedPolicyDocument."""
    role, policy = aws.role(), trust(SERVICE)
    aws.iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=policy)
    same(get_role(aws, role)["AssumeRolePolicyDocument"], json.loads(policy), "AssumeRolePolicyDocument")
    asked = {"RoleName": role["RoleName"], "PolicyDocument": "no json"}
    refused(MALFORMED, aws.iam.update_assume_role_policy, **asked)


@check("iam.inline.put")
def iam_inline_put(aws):
    """PutRolePolicy stores; a malformed policy is MalformedPolicyDocument, an unknown role NoSuchEntity."""
    role, policy = aws.role(), allow("kms:ListKeys")
    aws.permit(role, policy)
    aws.permit(role, allow("kms:ListAliases"))
    found = aws.iam.get_role_policy(RoleName=role["RoleName"], PolicyName="inline")["PolicyDocument"]
    same(found, json.loads(allow("kms:ListAliases")), "the second policy")
    with_principal = document(statement("kms:ListKeys", principal=aws.root))
    for wrong in ("no json", with_principal):
        refused(MALFORMED, aws.permit, role=role, policy=wrong)
    refused("NoSuchEntity", aws.permit, role={"RoleName": aws.name()}, policy=policy)


@check("iam.inline.get")
def iam_inline_get(aws):
    """GetRolePolicy returns the document; an unknown one is NoSuchEntity; ListRolePolicies lists it."""
    policy = allow("kms:ListKeys")
    role = aws.role(policy)
    asked = {"RoleName": role["RoleName"]}
    found = aws.iam.get_role_policy(PolicyName="inline", **asked)
    same((found["RoleName"], found["PolicyName"]), (role["RoleName"], "inline"), "the names")
    same(found["PolicyDocument"], json.loads(policy), "PolicyDocument")
    same(aws.iam.list_role_policies(**asked)["PolicyNames"], ["inline"], "PolicyNames")
    refused("NoSuchEntity", aws.iam.get_role_policy, PolicyName="unknown", **asked)


@check("iam.inline.delete")
def iam_inline_delete(aws):
    """DeleteRolePolicy removes; an unknown one is NoSuchEntity."""
    asked = {"RoleName": aws.role(allow("kms:ListKeys"))["RoleName"]}
    aws.iam.delete_role_policy(PolicyName="inline", **asked)
    same(aws.iam.list_role_policies(**asked)["PolicyNames"], [], "PolicyNames")
    refused("NoSuchEntity", aws.iam.delete_role_policy, PolicyName="inline", **asked)


def managed(aws, policy):
    return aws.iam.create_policy(PolicyName=aws.name("policy"), PolicyDocument=policy)["Policy"]["Arn"]


@check("iam.attach")
def iam_attach(aws):
    """A managed policy is created, attached, listed and detached."""
    arn, asked = managed(aws, allow("kms:ListKeys")), {"RoleName": aws.role()["RoleName"]}
    aws.iam.attach_role_policy(PolicyArn=arn, **asked)
    [only] = aws.iam.list_attached_role_policies(**asked)["AttachedPolicies"]
    same(only, {"PolicyName": arn.rsplit("/")[-1], "PolicyArn": arn}, "the attached policy")
    aws.iam.detach_role_policy(PolicyArn=arn, **asked)
    same(aws.iam.list_attached_role_policies(**asked)["AttachedPolicies"], [], "AttachedPolicies")
    refused("NoSuchEntity", aws.iam.detach_role_policy, PolicyArn=arn, **asked)


@check("iam.tag")
def iam_tag(aws):
    """TagRole, ListRoleTags, UntagRole."""
    role = aws.role(Tags=tags(team="a", env="x"))
    aws.iam.tag_role(RoleName=role["RoleName"], Tags=tags(team="b", cost="c"))
    same(role_tags(aws, role), {"team": "b", "env": "x", "cost": "c"}, "the tags")
    aws.iam.untag_role(RoleName=role["RoleName"], TagKeys=["team", "unknown"])
    same(role_tags(aws, role), {"env": "x", "cost": "c"}, "the tags")


@check("iam.update")
def iam_update(aws):
    """UpdateRole changes description and MaxSessionDuration; 3599 seconds are refused."""
    role = aws.role(Description="first")
    asked = {"RoleName": role["RoleName"]}
    aws.iam.update_role(Description="second", MaxSessionDuration=7200, **asked)
    found = get_role(aws, role)
    same((found["Description"], found["MaxSessionDuration"]), ("second", 7200), "the role")
    refused("ValidationError", aws.iam.update_role, MaxSessionDuration=3599, **asked)


@check("iam.boundary")
def iam_boundary(aws):
    """A permissions boundary is stored, shown by GetRole, and deleted."""
    role, arn = aws.role(), managed(aws, allow("kms:*"))
    aws.iam.put_role_permissions_boundary(RoleName=role["RoleName"], PermissionsBoundary=arn)
    found = get_role(aws, role).get("PermissionsBoundary", {})
    same(found.get("PermissionsBoundaryArn"), arn, "PermissionsBoundaryArn")
    aws.iam.delete_role_permissions_boundary(RoleName=role["RoleName"])
    demand("PermissionsBoundary" not in get_role(aws, role), "the boundary is still there")


@check("iam.delete")
def iam_delete(aws):
    """A role with an inline policy is DeleteConflict; else it goes, and is NoSuchEntity after."""
    asked = {"RoleName": aws.role(allow("kms:ListKeys"))["RoleName"]}
    refused("DeleteConflict", aws.iam.delete_role, **asked)
    aws.iam.delete_role_policy(PolicyName="inline", **asked)
    aws.iam.delete_role(**asked)
    refused("NoSuchEntity", aws.iam.get_role, **asked)
    refused("NoSuchEntity", aws.iam.delete_role, **asked)


def decisions(answer):
    return {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}


@check("iam.simulate")
def iam_simulate(aws):
    """SimulatePrincipalPolicy tells allowed, explicitDeny and implicitDeny by the inline policies."""
    denial = statement("kms:CreateKey", effect="Deny")
    role = aws.role(document(statement(["kms:ListKeys", "kms:CreateKey"]), denial))
    expected = {"kms:ListKeys": "allowed", "kms:CreateKey": "explicitDeny", "kms:ListAliases": "implicitDeny"}
    answer = aws.iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=list(expected))
    same(decisions(answer), expected, "the decisions")


@check("iam.simulate.custom")
def iam_simulate_custom(aws):
    """SimulateCustomPolicy evaluates a condition with ContextEntries."""
    name = "aws:RequestedRegion"
    policy = allow("kms:ListKeys", condition={"StringEquals": {name: "eu-west-1"}})
    for region, expected in (("eu-west-1", "allowed"), ("eu-west-2", "implicitDeny")):
        entry = {"ContextKeyName": name, "ContextKeyValues": [region], "ContextKeyType": "string"}
        asked = {"PolicyInputList": [policy], "ActionNames": ["kms:ListKeys"], "ContextEntries": [entry]}
        answer = aws.iam.simulate_custom_policy(**asked)
        same(decisions(answer), {"kms:ListKeys": expected}, f"the decision in {region}")


@check("sts.identity")
def sts_identity(aws):
    """GetCallerIdentity tells Account, Arn and UserId."""
    found = aws.sts.get_caller_identity()
    same(found["Account"], aws.number, "Account")
    demand(re.fullmatch(rf"arn:aws:(iam|sts)::{aws.number}:.+", found["Arn"]), "no Arn", found)
    demand(found["UserId"], "no UserId", found)


@check("sts.assume")
def sts_assume(aws):
    """AssumeRole gives credentials and AssumedRoleUser in the documented form."""
    role = aws.role()
    answer = aws.sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session")
    given = answer["Credentials"]
    demand(re.fullmatch(r"ASIA[A-Z0-9]{12,}", given["AccessKeyId"]), "no AccessKeyId", given["AccessKeyId"])
    demand(given["SecretAccessKey"] and given["SessionToken"], "no secret or token")
    left = given["Expiration"] - role["CreateDate"]
    demand(abs(left - timedelta(hours=1)) < timedelta(minutes=2), "not valid for an hour", left)
    expected = {
        "AssumedRoleId": f"{role['RoleId']}:session",
        "Arn": f"arn:aws:sts::{aws.number}:assumed-role/{role['RoleName']}/session",
    }
    same(answer["AssumedRoleUser"], expected, "AssumedRoleUser")


@check("sts.assumed.identity")
def sts_assumed_identity(aws):
    """With assumed credentials the caller is the assumed role."""
    role = aws.role(Path="/checks/")
    found = aws.become(role).sts.get_caller_identity()
    same(found["Arn"], f"arn:aws:sts::{aws.number}:assumed-role/{role['RoleName']}/check", "Arn")
    same((found["Account"], found["UserId"]), (aws.number, f"{role['RoleId']}:check"), "account and id")


@check("sts.trust")
def sts_trust(aws):
    """A role that trusts only a service or another account cannot be assumed."""
    aws.become(aws.role())
    for trusted in (SERVICE, "arn:aws:iam::999988887777:root"):
        refused("AccessDenied", aws.become, role=aws.role(trusted=trust(trusted)))


@check("sts.externalid")
def sts_externalid(aws):
    """A condition on sts:ExternalId in the trust policy is enforced."""
    condition = {"StringEquals": {"sts:ExternalId": "right"}}
    role = aws.role(trusted=trust(aws.root, condition=condition))
    aws.become(role, ExternalId="right")
    refused("AccessDenied", aws.become, role=role, ExternalId="wrong")
    refused("AccessDenied", aws.become, role=role)


@check("sts.unknown")
def sts_unknown(aws):
    """An unknown role is AccessDenied."""
    aws.become(aws.role())
    refused("AccessDenied", aws.become, role={"Arn": f"arn:aws:iam::{aws.number}:role/{aws.name()}"})


@check("sts.duration")
def sts_duration(aws):
    """DurationSeconds is kept; above MaxSessionDuration or below 900 it is ValidationError."""
    role = aws.role()
    asked = {"RoleArn": role["Arn"], "RoleSessionName": "session"}
    given = aws.sts.assume_role(DurationSeconds=900, **asked)["Credentials"]
    left = given["Expiration"] - role["CreateDate"]
    demand(abs(left - timedelta(seconds=900)) < timedelta(minutes=2), "not valid for 900 seconds", left)
    for seconds in (3601, 899):
        refused("ValidationError", aws.sts.assume_role, DurationSeconds=seconds, **asked)


def strangers(aws, credentials):
    return [aws.client(service, credentials=credentials) for service in ("sts", "kms")]


@check("sts.badsecret")
def sts_badsecret(aws):
    """A wrong secret key is refused: the signature is verified."""
    access_key, _, token = aws.become(aws.role()).credentials
    for wrong in ((aws.credentials[0], "wrong", aws.credentials[2]), (access_key, "wrong", token)):
        sts, kms = strangers(aws, wrong)
        refused("SignatureDoesNotMatch", sts.get_caller_identity)
        refused("InvalidSignatureException", kms.list_keys)


@check("sts.badtoken")
def sts_badtoken(aws):
    """An unknown access key or a wrong session token is refused."""
    access_key, secret, token = aws.become(aws.role()).credentials
    unknown = ("AKIA" + "Q" * 16, "secret", None)
    for wrong in (unknown, (access_key, secret, "x" + token[1:]), (access_key, secret, None)):
        sts, kms = strangers(aws, wrong)
        refused("InvalidClientTokenId", sts.get_caller_identity)
        refused("UnrecognizedClientException", kms.list_keys)


@check("sts.session")
def sts_session(aws):
    """GetSessionToken answers with temporary credentials, which work."""
    given = aws.sts.get_session_token(DurationSeconds=900)["Credentials"]
    demand(given["AccessKeyId"].startswith("ASIA") and given["SessionToken"], "no temporary credentials", given)
    same(aws.using(given).sts.get_caller_identity()["Arn"], aws.caller, "Arn")


def tagged(aws, word, count=1):
    """Returns a tag's value that only new keys have, and their ARNs."""
    value = aws.name(word)
    made = {aws.key(Tags=[{"TagKey": word, "TagValue": value}])["Arn"] for _ in range(count)}
    return value, made


@check("tagging.get")
def tagging_get(aws):
    """GetResources finds KMS keys by TagFilters and ResourceTypeFilters."""
    value, mine = tagged(aws, "team", 2)
    asked = {"TagFilters": [{"Key": "team", "Values": [value, "other"]}]}
    for kinds in (["kms"], ["kms:key"]):
        found = aws.tagging.get_resources(ResourceTypeFilters=kinds, **asked)["ResourceTagMappingList"]
        same({entry["ResourceARN"] for entry in found}, mine, "the keys")
        same(found[0]["Tags"], [{"Key": "team", "Value": value}], "the tags")
    other = aws.tagging.get_resources(ResourceTypeFilters=["s3"], **asked)
    same(other["ResourceTagMappingList"], [], "the buckets")


@check("tagging.page")
def tagging_page(aws):
    """GetResources pages by ResourcesPerPage and PaginationToken."""
    value, mine = tagged(aws, "team", 3)
    names = {"size": "ResourcesPerPage", "given": "PaginationToken", "told": "PaginationToken"}
    asked = {"ResourceTypeFilters": ["kms"], "TagFilters": [{"Key": "team", "Values": [value]}]}
    listed, count = pages(aws.tagging.get_resources, "ResourceTagMappingList", limit=2, **names, **asked)
    same(({entry["ResourceARN"] for entry in listed}, len(listed), count), (mine, 3, 2), "the pages")


@check("tagging.write")
def tagging_write(aws):
    """TagResources and UntagResources write the tags of a key."""
    key = aws.key(Tags=[{"TagKey": "old", "TagValue": "o"}])
    answer = aws.tagging.tag_resources(ResourceARNList=[key["Arn"]], Tags={"new": "n"})
    same(answer["FailedResourcesMap"], {}, "FailedResourcesMap")
    found = aws.kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
    same({tag["TagKey"]: tag["TagValue"] for tag in found}, {"old": "o", "new": "n"}, "the tags")
    answer = aws.tagging.untag_resources(ResourceARNList=[key["Arn"]], TagKeys=["old"])
    same(answer["FailedResourcesMap"], {}, "FailedResourcesMap")
    found = aws.kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
    same([tag["TagKey"] for tag in found], ["new"], "the tags")


@check("tagging.keys")
def tagging_keys(aws):
    """GetTagKeys lists the tag keys of KMS keys."""
    word = aws.name("word")
    aws.key(Tags=[{"TagKey": word, "TagValue": "v"}])
    names = {"listed": "TagKeys", "given": "PaginationToken", "told": "PaginationToken"}
    listed, _ = pages(aws.tagging.get_tag_keys, **names)
    demand(word in listed, f"{word} is not listed")


@check("wire.requestid")
def wire_requestid(aws):
    """Answers and errors have a request id, errors a message."""
    answers = [aws.kms.list_keys()["ResponseMetadata"]]
    error = refused("NotFoundException", aws.kms.describe_key, KeyId="alias/" + aws.name())
    answers.append(error.response["ResponseMetadata"])
    for answer in answers:
        demand(answer["HTTPHeaders"].get("x-amzn-requestid"), "no x-amzn-RequestId", answer["HTTPHeaders"])
    ids = [answer["HTTPHeaders"]["x-amzn-requestid"] for answer in answers]
    demand(ids[0] != ids[1], "two requests have the same id")
    demand(error.response["Error"].get("Message"), "no Message", error.response)


@check("wire.unsigned")
def wire_unsigned(aws):
    """An unsigned request is refused."""
    codes = "MissingAuthenticationToken|MissingAuthenticationTokenException|AccessDeniedException|AccessDenied"
    codes += "|IncompleteSignature|UnrecognizedClientException|InvalidClientTokenId"
    for service, operation in (("kms", "list_keys"), ("iam", "list_roles")):
        getattr(aws.client(service), operation)()
        refused(codes, getattr(aws.client(service, signed=False), operation))


@check("wire.validation")
def wire_validation(aws):
    """A missing required parameter and a wrong type are status 400, not 500."""
    key = aws.key()["KeyId"]
    calls = [
        (aws.kms.describe_key, {}),
        (aws.kms.encrypt, {"KeyId": key}),
        (aws.kms.describe_key, {"KeyId": 12}),
        (aws.kms.list_keys, {"Limit": "many"}),
        (aws.kms.create_key, {"KeySpec": "NO_SPEC"}),
        (aws.iam.get_role, {}),
    ]
    for call, arguments in calls:
        try:
            call(**arguments)
        except ClientError as error:
            same(error.response["ResponseMetadata"]["HTTPStatusCode"], 400, f"the status of {call.__name__}")
        else:
            demand(False, f"{call.__name__} goes through")
