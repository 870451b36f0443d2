"""Who may do what: key policies, identity policies, grants, sessions, boundaries, trust."""

from account import allow, document, statement, trust
from checks import check, refused, same
from crypt import MESSAGE
from identities import managed

DENIED = "AccessDeniedException"


def encrypt(who, key, **more):
    """Encrypts as a principal; a key is its metadata or a name."""
    name = key if isinstance(key, str) else key["KeyId"]
    return who.kms.encrypt(KeyId=name, Plaintext=MESSAGE, **more)["CiphertextBlob"]


def denied(who, key, **more):
    refused(DENIED, encrypt, who=who, key=key, **more)


@check("enf.noperm")
def enf_noperm(aws):
    """Under the default key policy a role without policies is denied kms:Encrypt."""
    key, role = aws.key(), aws.role()
    who = aws.become(role)
    denied(who, key)
    aws.permit(role, allow("kms:Encrypt"))
    encrypt(who, key)


@check("enf.create")
def enf_create(aws):
    """A role without policies is denied kms:CreateKey, kms:ListKeys and iam:CreateRole."""
    who = aws.become(aws.role())
    refused(DENIED, who.kms.create_key)
    refused(DENIED, who.kms.list_keys)
    asked = {"RoleName": aws.name(), "AssumeRolePolicyDocument": trust(aws.root)}
    refused("AccessDenied", who.iam.create_role, **asked)


@check("enf.identity")
def enf_identity(aws):
    """An identity policy counts where the key policy delegates to the account: Encrypt allowed, Decrypt denied."""
    key = aws.key()
    who = aws.become(aws.role(allow("kms:Encrypt")))
    blob = encrypt(who, key)
    refused(DENIED, who.kms.decrypt, CiphertextBlob=blob)


@check("enf.nodelegation")
def enf_nodelegation(aws):
    """Under a key policy without delegation to IAM a role with kms:* is denied."""
    keeper, other = aws.role(), aws.role(allow("kms:*"))
    policy = document(statement("kms:*", principal=keeper["Arn"]))
    key = aws.key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    denied(aws.become(other), key["Arn"])
    encrypt(aws.become(keeper), key["Arn"])


@check("enf.keypolicy")
def enf_keypolicy(aws):
    """A key policy that names the role allows without any identity policy."""
    role = aws.role()
    key = aws.key(Policy=aws.delegating(statement("kms:Encrypt", principal=role["Arn"])))
    who = aws.become(role)
    blob = encrypt(who, key)
    refused(DENIED, who.kms.decrypt, CiphertextBlob=blob)
    denied(aws.become(aws.role()), key)


@check("enf.explicitdeny")
def enf_explicitdeny(aws):
    """An explicit Deny in the key policy wins over the identity policy."""
    role = aws.role(allow("kms:*"))
    denial = statement("kms:Decrypt", effect="Deny", principal=role["Arn"])
    key, who = aws.key(Policy=aws.delegating(denial)), aws.become(role)
    blob = encrypt(who, key)
    refused(DENIED, who.kms.decrypt, CiphertextBlob=blob)


@check("enf.context")
def enf_context(aws):
    """A condition on kms:EncryptionContext:app in an identity policy."""
    key = aws.key()
    condition = {"StringEquals": {"kms:EncryptionContext:app": "ledger"}}
    who = aws.become(aws.role(allow("kms:Encrypt", condition=condition)))
    encrypt(who, key, EncryptionContext={"app": "ledger", "more": "1"})
    denied(who, key, EncryptionContext={"app": "other"})
    denied(who, key)


@check("enf.tags")
def enf_tags(aws):
    """A condition on aws:ResourceTag/env (ABAC)."""
    condition = {"StringEquals": {"aws:ResourceTag/env": "test"}}
    who = aws.become(aws.role(allow("kms:Encrypt", condition=condition)))
    encrypt(who, aws.key(Tags=[{"TagKey": "env", "TagValue": "test"}]))
    denied(who, aws.key(Tags=[{"TagKey": "env", "TagValue": "prod"}]))
    denied(who, aws.key())


@check("enf.alias")
def enf_alias(aws):
    """Conditions on kms:ResourceAliases and kms:RequestAlias."""
    key, other = aws.key(), aws.key()
    alias = aws.alias(key)
    second = aws.alias(key)
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}
    who = aws.become(aws.role(allow("kms:Encrypt", condition=condition)))
    for name in (alias, second, key["KeyId"]):
        encrypt(who, name)
    denied(who, other)
    who = aws.become(aws.role(allow("kms:Encrypt", condition={"StringEquals": {"kms:RequestAlias": alias}})))
    encrypt(who, alias)
    for name in (second, key["KeyId"]):
        denied(who, name)


@check("enf.resource")
def enf_resource(aws):
    """The Resource element of an identity policy counts when the key is used by alias."""
    key, other = aws.key(), aws.key()
    who = aws.become(aws.role(allow("kms:Encrypt", resource=key["Arn"])))
    for name in (aws.alias(key), key["Arn"]):
        encrypt(who, name)
    for name in (aws.alias(other), other["Arn"]):
        denied(who, name)


@check("enf.grant")
def enf_grant(aws):
    """A grant alone allows its operations to the grantee, not others; when revoked, nothing."""
    key, grantee = aws.key(), aws.role()
    who, other = aws.become(grantee), aws.become(aws.role())
    denied(who, key)
    asked = {"KeyId": key["KeyId"], "GranteePrincipal": grantee["Arn"], "Operations": ["Encrypt"]}
    made = aws.kms.create_grant(**asked)["GrantId"]
    blob = encrypt(who, key)
    refused(DENIED, who.kms.decrypt, CiphertextBlob=blob)
    denied(other, key)
    aws.kms.revoke_grant(KeyId=key["KeyId"], GrantId=made)
    denied(who, key)


@check("enf.grant.constraint")
def enf_grant_constraint(aws):
    """EncryptionContextSubset and EncryptionContextEquals constrain a grant."""
    right, more = {"app": "ledger"}, {"app": "ledger", "tenant": "1"}
    for kind, wider in (("EncryptionContextSubset", encrypt), ("EncryptionContextEquals", denied)):
        key, grantee = aws.key(), aws.role()
        asked = {"KeyId": key["KeyId"], "GranteePrincipal": grantee["Arn"], "Operations": ["Encrypt"]}
        aws.kms.create_grant(Constraints={kind: right}, **asked)
        who = aws.become(grantee)
        encrypt(who, key, EncryptionContext=right)
        wider(who, key, EncryptionContext=more)
        denied(who, key, EncryptionContext={"app": "other"})
        denied(who, key)


@check("enf.sessionpolicy")
def enf_sessionpolicy(aws):
    """A session policy of AssumeRole narrows."""
    key, role = aws.key(), aws.role(allow("kms:*"))
    blob = encrypt(aws.become(role), key)
    who = aws.become(role, Policy=allow("kms:Decrypt", "iam:*"))
    same(who.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE, "what was decrypted")
    denied(who, key)
    refused("AccessDenied", who.iam.get_role, RoleName=role["RoleName"])


@check("enf.boundary")
def enf_boundary(aws):
    """A permissions boundary narrows."""
    key, bound = aws.key(), managed(aws, allow("kms:Encrypt", "kms:ListKeys"))
    who = aws.become(aws.role(allow("kms:*"), PermissionsBoundary=bound))
    blob = encrypt(who, key)
    refused(DENIED, who.kms.decrypt, CiphertextBlob=blob)


@check("enf.dryrun")
def enf_dryrun(aws):
    """DryRun tells who may: DryRunOperationException or AccessDeniedException."""
    key = aws.key()
    who = aws.become(aws.role(allow("kms:Encrypt")))
    blob = encrypt(who, key)
    refused("DryRunOperationException", encrypt, who=who, key=key, DryRun=True)
    refused(DENIED, who.kms.decrypt, CiphertextBlob=blob, DryRun=True)
    denied(aws.become(aws.role()), key, DryRun=True)


@check("enf.user")
def enf_user(aws):
    """An IAM user with an access key is a principal of its own: denied without policies, allowed with."""
    key, name = aws.key(), aws.name("user")
    user = aws.iam.create_user(UserName=name)["User"]
    who = aws.using(aws.iam.create_access_key(UserName=name)["AccessKey"])
    same(who.sts.get_caller_identity()["Arn"], user["Arn"], "Arn")
    denied(who, key)
    aws.iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=allow("kms:Encrypt"))
    encrypt(who, key)


@check("enf.viaservice")
def enf_viaservice(aws):
    """A condition on kms:ViaService denies a direct call."""
    key = aws.key()
    via = {"kms:ViaService": f"s3.{aws.region}.amazonaws.com"}
    denied(aws.become(aws.role(allow("kms:Encrypt", condition={"StringEquals": via}))), key)
    encrypt(aws.become(aws.role(allow("kms:Encrypt", condition={"StringNotEquals": via}))), key)


@check("enf.chain")
def enf_chain(aws):
    """Role A assumes B only with sts:AssumeRole in A and A in the trust of B."""
    first, stranger = aws.role(), aws.role()
    # A trust policy that names the account leaves it to the policies of A (AssumeRole, "Trust policies").
    second = aws.role(trusted=trust(aws.root))
    who = aws.become(first)
    refused("AccessDenied", who.become, role=second)
    aws.permit(first, allow("sts:AssumeRole"))
    found = who.become(second).sts.get_caller_identity()["Arn"]
    same(found, f"arn:aws:sts::{aws.number}:assumed-role/{second['RoleName']}/check", "Arn")
    who.become(aws.role(trusted=trust(first["Arn"])))
    refused("AccessDenied", who.become, role=aws.role(trusted=trust(stranger["Arn"])))


@check("enf.lockout.caller")
def enf_lockout_caller(aws):
    """The lock-out check sees the caller: a role cannot put a policy that names only someone else."""
    key, other, role = aws.key(), aws.role(), aws.role(allow("kms:*"))
    who = aws.become(role)
    asked = {"KeyId": key["KeyId"], "PolicyName": "default"}
    only_other = document(statement("kms:*", principal=other["Arn"]))
    refused("MalformedPolicyDocumentException", who.kms.put_key_policy, Policy=only_other, **asked)
    itself = document(statement("kms:*", principal=role["Arn"]))
    who.kms.put_key_policy(Policy=itself, **asked)
