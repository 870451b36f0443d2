"""An account behind an endpoint: clients of its services, and the keys and roles that checks make in it."""

import json
import secrets
import threading

import boto3
from botocore import UNSIGNED
from botocore.config import Config

KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def statement(actions, effect="Allow", resource="*", principal=None, condition=None):
    """Returns a statement of a policy; a principal is an ARN, or a whole element."""
    made = {"Effect": effect, "Action": actions, "Resource": resource}
    if principal is not None:
        made["Principal"] = principal if isinstance(principal, dict) else {"AWS": principal}
    if condition:
        made["Condition"] = condition
    return made


def document(*statements):
    """Returns a policy of statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions, **more):
    """Returns an identity policy that allows actions."""
    return document(statement(list(actions), **more))


def trust(principal, **more):
    """Returns a trust policy for a principal."""
    made = statement("sts:AssumeRole", principal=principal, **more)
    del made["Resource"]
    return document(made)


class Connections:
    """The clients of all principals; made one at a time, since boto3 makes them in one thread only."""

    def __init__(self, endpoint):
        self.endpoint, self.session, self.made, self.lock = endpoint, boto3.Session(), {}, threading.Lock()

    def client(self, service, region, credentials, signed=True):
        named = (service, region, credentials, signed)
        with self.lock:
            if named not in self.made:
                # What AWS refuses must reach the server, and what fails must not be tried again.
                config = Config(
                    parameter_validation=False,
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=4,
                    **({} if signed else {"signature_version": UNSIGNED}),
                )
                self.made[named] = self.session.client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    config=config,
                    **dict(zip(KEYS, credentials)),
                )
            return self.made[named]


class Account:
    """The account as one principal sees it."""

    def __init__(self, connections, region, other_region, credentials, number=None):
        self.connections, self.region, self.other_region = connections, region, other_region
        self.credentials = credentials
        self.caller = None
        if number is None:
            identity = self.sts.get_caller_identity()
            self.caller, number = identity["Arn"], identity["Account"]
        self.number = number
        self.root = f"arn:aws:iam::{number}:root"

    def client(self, service, region=None, signed=True, credentials=None):
        """Returns a client of a service, in this Region and as this principal unless told otherwise."""
        return self.connections.client(service, region or self.region, credentials or self.credentials, signed)

    @property
    def kms(self):
        return self.client("kms")

    @property
    def elsewhere(self):
        """KMS in another Region."""
        return self.client("kms", region=self.other_region)

    @property
    def iam(self):
        return self.client("iam")

    @property
    def sts(self):
        return self.client("sts")

    @property
    def tagging(self):
        return self.client("resourcegroupstaggingapi")

    def name(self, word="check"):
        """Returns a name that nothing else has."""
        return f"{word}-{secrets.token_hex(6)}"

    def key(self, **arguments):
        """Creates a key and returns its metadata."""
        return self.kms.create_key(**arguments)["KeyMetadata"]

    def state(self, key):
        """Returns the metadata of a key as they are now."""
        return self.kms.describe_key(KeyId=key["Arn"])["KeyMetadata"]

    def alias(self, key):
        """Gives a key a new alias."""
        alias = "alias/" + self.name()
        self.kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
        return alias

    def delegating(self, *statements):
        """Returns a key policy that leaves the key to IAM, and says more."""
        return document(statement("kms:*", principal=self.root), *statements)

    def role(self, policy=None, trusted=None, **arguments):
        """Creates a role that this principal may assume, with an inline policy or without."""
        arguments.setdefault("AssumeRolePolicyDocument", trusted or trust(self.root))
        role = self.iam.create_role(RoleName=self.name("role"), **arguments)["Role"]
        if policy:
            self.permit(role, policy)
        return role

    def permit(self, role, policy):
        """Sets the inline policy of a role."""
        self.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="inline", PolicyDocument=policy)

    def become(self, role, **arguments):
        """Assumes a role and returns the account as the role sees it."""
        answer = self.sts.assume_role(RoleArn=role["Arn"], RoleSessionName="check", **arguments)
        return self.using(answer["Credentials"])

    def using(self, given):
        """Returns the account as credentials of an answer see it."""
        credentials = tuple(given.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
        return Account(self.connections, self.region, self.other_region, credentials, self.number)
