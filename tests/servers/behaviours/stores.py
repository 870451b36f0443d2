"""Custom key stores."""

import json
import secrets

from checks import check, demand, eventually, pages, refused, same


def store(aws, **more):
    """Creates an external key store with a public endpoint, and returns its id."""
    host = aws.name("xks")
    credential = {
        "AccessKeyId": "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ234567") for _ in range(24)),
        "RawSecretAccessKey": secrets.token_hex(32),
    }
    asked = {
        "CustomKeyStoreName": host,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyUriEndpoint": f"https://{host}.example.com",
        "XksProxyUriPath": "/kms/xks/v1",
        "XksProxyAuthenticationCredential": credential,
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    }
    return aws.kms.create_custom_key_store(**{**asked, **more})["CustomKeyStoreId"]


def stored(aws, identifier):
    [found] = aws.kms.describe_custom_key_stores(CustomKeyStoreId=identifier)["CustomKeyStores"]
    return found


def connected(aws, identifier, state):
    return eventually(lambda: stored(aws, identifier)["ConnectionState"] == state, state)


@check("cks.create")
def cks_create(aws):
    """An EXTERNAL_KEY_STORE with a public endpoint can be created; its name is taken then."""
    name = aws.name("store")
    demand(store(aws, CustomKeyStoreName=name).startswith("cks-"), "no id of a custom key store")
    refused("CustomKeyStoreNameInUseException", store, aws=aws, CustomKeyStoreName=name)


@check("cks.describe")
def cks_describe(aws):
    """DescribeCustomKeyStores lists stores, by id and by name; an unknown one is CustomKeyStoreNotFoundException."""
    name = aws.name("store")
    identifier = store(aws, CustomKeyStoreName=name)
    found = stored(aws, identifier)
    same(found["CustomKeyStoreName"], name, "CustomKeyStoreName")
    same(found["CustomKeyStoreType"], "EXTERNAL_KEY_STORE", "CustomKeyStoreType")
    same(found["ConnectionState"], "DISCONNECTED", "ConnectionState")
    same(found["XksProxyConfiguration"]["Connectivity"], "PUBLIC_ENDPOINT", "Connectivity")
    demand("RawSecretAccessKey" not in json.dumps(found, default=str), "the secret is told")
    [named] = aws.kms.describe_custom_key_stores(CustomKeyStoreName=name)["CustomKeyStores"]
    same(named["CustomKeyStoreId"], identifier, "CustomKeyStoreId")
    every, _ = pages(aws.kms.describe_custom_key_stores, "CustomKeyStores")
    demand(identifier in [entry["CustomKeyStoreId"] for entry in every], "the store is not listed")
    unknown = {"CustomKeyStoreId": "cks-00000000000000000"}
    refused("CustomKeyStoreNotFoundException", aws.kms.describe_custom_key_stores, **unknown)


@check("cks.connect")
def cks_connect(aws):
    """ConnectCustomKeyStore answers, and the store is connected."""
    identifier = store(aws)
    aws.kms.connect_custom_key_store(CustomKeyStoreId=identifier)
    connected(aws, identifier, "CONNECTED")


@check("cks.update")
def cks_update(aws):
    """UpdateCustomKeyStore answers, and the store has its new name."""
    identifier, name = store(aws), aws.name("renamed")
    aws.kms.update_custom_key_store(CustomKeyStoreId=identifier, NewCustomKeyStoreName=name)
    same(stored(aws, identifier)["CustomKeyStoreName"], name, "CustomKeyStoreName")


@check("cks.disconnect")
def cks_disconnect(aws):
    """DisconnectCustomKeyStore answers, and the store is disconnected."""
    identifier = store(aws)
    aws.kms.connect_custom_key_store(CustomKeyStoreId=identifier)
    connected(aws, identifier, "CONNECTED")
    refused("CustomKeyStoreInvalidStateException", aws.kms.delete_custom_key_store, CustomKeyStoreId=identifier)
    aws.kms.disconnect_custom_key_store(CustomKeyStoreId=identifier)
    connected(aws, identifier, "DISCONNECTED")


@check("cks.delete")
def cks_delete(aws):
    """DeleteCustomKeyStore answers, and the store is gone."""
    identifier = store(aws)
    aws.kms.delete_custom_key_store(CustomKeyStoreId=identifier)
    gone = {"CustomKeyStoreId": identifier}
    refused("CustomKeyStoreNotFoundException", aws.kms.describe_custom_key_stores, **gone)
    refused("CustomKeyStoreNotFoundException", aws.kms.delete_custom_key_store, **gone)
