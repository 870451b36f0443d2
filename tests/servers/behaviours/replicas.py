"""Multi-Region keys."""

import json

from account import statement
from checks import check, demand, eventually, refused, same
from crypt import MESSAGE


def primary(aws, **arguments):
    return aws.key(MultiRegion=True, **arguments)


def replicate(aws, key, **arguments):
    """Replicates a key to the other Region, and returns the replica when it is ready."""
    aws.kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion=aws.other_region, **arguments)
    return eventually(lambda: elsewhere(aws, key, "Enabled"), "an enabled replica")


def elsewhere(aws, key, state):
    found = aws.elsewhere.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    return found if found["KeyState"] == state else None


@check("mrk.create")
def mrk_create(aws):
    """MultiRegion=true gives an id with mrk- and the configuration of a primary key."""
    key = primary(aws)
    demand(key["KeyId"].startswith("mrk-") and key["MultiRegion"] is True, "no multi-Region key", key)
    expected = {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": key["Arn"], "Region": aws.region},
        "ReplicaKeys": [],
    }
    same(aws.state(key).get("MultiRegionConfiguration"), expected, "MultiRegionConfiguration")


@check("mrk.replicate")
def mrk_replicate(aws):
    """A replica has the id, its own policy and tags, and decrypts what the primary encrypted; once only."""
    key = primary(aws, Tags=[{"TagKey": "of", "TagValue": "primary"}])
    policy = aws.delegating(statement("kms:Decrypt", principal=aws.root))
    own = [{"TagKey": "of", "TagValue": "replica"}]
    replica = replicate(aws, key, Policy=policy, Tags=own, Description="replica")
    same((replica["KeyId"], replica["Description"]), (key["KeyId"], "replica"), "the replica")
    same(replica["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA", "MultiRegionKeyType")
    replicas = aws.state(key)["MultiRegionConfiguration"]["ReplicaKeys"]
    same(replicas, [{"Arn": replica["Arn"], "Region": aws.other_region}], "ReplicaKeys of the primary")
    there = aws.elsewhere.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
    same(json.loads(there), json.loads(policy), "the policy of the replica")
    same(aws.elsewhere.list_resource_tags(KeyId=key["KeyId"])["Tags"], own, "the tags of the replica")
    blob = aws.kms.encrypt(KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]
    opened = aws.elsewhere.decrypt(CiphertextBlob=blob)
    same((opened["Plaintext"], opened["KeyId"]), (MESSAGE, replica["Arn"]), "what the replica decrypts")
    again = {"KeyId": key["KeyId"], "ReplicaRegion": aws.other_region}
    refused("AlreadyExistsException", aws.kms.replicate_key, **again)


@check("mrk.single")
def mrk_single(aws):
    """ReplicateKey of a single-Region key is UnsupportedOperationException."""
    asked = {"KeyId": aws.key()["KeyId"], "ReplicaRegion": aws.other_region}
    refused("UnsupportedOperationException", aws.kms.replicate_key, **asked)


@check("mrk.primary")
def mrk_primary(aws):
    """UpdatePrimaryRegion swaps the roles of primary and replica."""
    key = primary(aws)
    replicate(aws, key)
    aws.kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion=aws.other_region)

    def kinds():
        states = (aws.state(key), aws.elsewhere.describe_key(KeyId=key["KeyId"])["KeyMetadata"])
        return [state["MultiRegionConfiguration"]["MultiRegionKeyType"] for state in states]

    eventually(lambda: kinds() == ["REPLICA", "PRIMARY"], "the roles swap")
    found = aws.state(key)["MultiRegionConfiguration"]
    same(found["PrimaryKey"]["Region"], aws.other_region, "the Region of the primary")
    same([entry["Region"] for entry in found["ReplicaKeys"]], [aws.region], "the Regions of replicas")


@check("mrk.delete")
def mrk_delete(aws):
    """A primary key with replicas goes to PendingReplicaDeletion."""
    key = primary(aws)
    replicate(aws, key)
    answer = aws.kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    same(answer["KeyState"], "PendingReplicaDeletion", "KeyState of the answer")
    found = aws.state(key)
    same((found["KeyState"], found["PendingDeletionWindowInDays"]), ("PendingReplicaDeletion", 7), "the key")
    demand("DeletionDate" not in found, "a DeletionDate before the replica is gone", found)
    aws.kms.cancel_key_deletion(KeyId=key["KeyId"])
    same(aws.state(key)["KeyState"], "Disabled", "KeyState after the cancellation")
