//! Custom key stores. They are played: no cluster and no proxy is ever called, and the material of their keys is the
//! sandbox's own.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-store-overview.html>

use super::paging;
use crate::kms::{CUSTOM_KEY_STORES, Origin};
use crate::sandbox::auth::Caller;
use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::random;
use crate::sandbox::state::{Backing, Connection, KeyStore, Proxy, VpcService};
use crate::sandbox::wire_json::{Params, epoch};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Returns a text that must have a form.
fn formed<'a>(
    params: &'a Params,
    name: &str,
    length: std::ops::RangeInclusive<usize>,
    legal: impl Fn(&str) -> bool,
) -> Result<Option<&'a str>, ApiError> {
    let text = params.text(name)?;
    match text {
        Some(text) if !length.contains(&text.chars().count()) || !legal(text) => {
            // The value may be a secret.
            let rule = "Member must satisfy regular expression pattern and length";
            Err(params.constraint(name, "…", rule))
        }
        Some(_) | None => Ok(text),
    }
}

/// Returns a parameter that a kind of store needs.
fn needed<T>(params: &Params, name: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| params.constraint(name, "null", "Member must not be null"))
}

/// The parameters of stores with a cluster.
const OF_CLUSTERS: &[&str] = &["CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword"];
/// The parameters of stores with a proxy.
const OF_PROXIES: &[&str] = &[
    "XksProxyUriEndpoint",
    "XksProxyUriPath",
    "XksProxyVpcEndpointServiceName",
    "XksProxyVpcEndpointServiceOwner",
    "XksProxyAuthenticationCredential",
    "XksProxyConnectivity",
];

/// Refuses the parameters of the other kind of store.
fn check_kind(params: &Params, origin: Origin) -> Result<(), ApiError> {
    let foreign = if origin == Origin::AwsCloudHsm { OF_PROXIES } else { OF_CLUSTERS };
    match foreign.iter().find(|name| params.has(name)) {
        Some(name) => Err(params.invalid(format!("{name} is not for custom key stores of type {origin}"))),
        None => Ok(()),
    }
}

fn cluster_id(params: &Params) -> Result<Option<&str>, ApiError> {
    let legal = |text: &str| {
        let id = text.strip_prefix("cluster-");
        id.is_some_and(|id| id.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b)))
    };
    formed(params, "CloudHsmClusterId", 19..=24, legal)
}

fn cluster(params: &Params) -> Result<Backing, ApiError> {
    let id = needed(params, "CloudHsmClusterId", cluster_id(params)?)?;
    let certificate = formed(params, "TrustAnchorCertificate", 1..=5000, |_| true)?;
    let trust_anchor = needed(params, "TrustAnchorCertificate", certificate)?.to_owned();
    needed(params, "KeyStorePassword", formed(params, "KeyStorePassword", 7..=32, |_| true)?)?;
    Ok(Backing::Cluster { id: id.to_owned(), trust_anchor })
}

/// Returns the proxy that a call describes; what it leaves out stays as it was.
fn proxy(call: &Call<'_>, old: Option<&Proxy>) -> Result<Proxy, ApiError> {
    let params = call.params;
    let host = |text: &str| {
        let host = text.strip_prefix("https://");
        host.is_some_and(|host| {
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
        })
    };
    let endpoint = formed(params, "XksProxyUriEndpoint", 10..=128, host)?;
    let path = formed(params, "XksProxyUriPath", 10..=128, is_path)?;
    let vpc = vpc(call, old)?;
    if old.is_some_and(|old| old.vpc.is_some() != vpc.is_some()) && endpoint.is_none() {
        return Err(params.invalid("Another XksProxyConnectivity needs another XksProxyUriEndpoint"));
    }
    let endpoint = endpoint.or(old.map(|old| old.endpoint.as_str()));
    let path = path.or(old.map(|old| old.path.as_str()));
    let access_key_id = access_key_id(params)?.or_else(|| old.map(|old| old.access_key_id.clone()));
    Ok(Proxy {
        endpoint: needed(params, "XksProxyUriEndpoint", endpoint)?.to_owned(),
        path: needed(params, "XksProxyUriPath", path)?.to_owned(),
        access_key_id: needed(params, "XksProxyAuthenticationCredential", access_key_id)?,
        vpc,
    })
}

/// Returns whether it is `/kms/xks/v1`, perhaps below a prefix.
fn is_path(text: &str) -> bool {
    let Some((prefix, version)) = text.rsplit_once("/kms/xks/v") else { return false };
    let prefixed = prefix.is_empty() || (prefix.starts_with('/') && prefix.len() > 1);
    let legal = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b));
    prefixed && legal && (1..=2).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit())
}

/// Returns the first half of the credential for the proxy; the secret half is checked and forgotten.
fn access_key_id(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(credential) = params.structure("XksProxyAuthenticationCredential")? else { return Ok(None) };
    let base32 = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
    let base64 = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+=".contains(&b));
    let id = formed(&credential, "AccessKeyId", 20..=30, base32)?;
    let secret = formed(&credential, "RawSecretAccessKey", 43..=64, base64)?;
    needed(&credential, "RawSecretAccessKey", secret)?;
    needed(&credential, "AccessKeyId", id).map(|id| Some(id.to_owned()))
}

/// Returns the endpoint service of the proxy, if it has one.
fn vpc(call: &Call<'_>, old: Option<&Proxy>) -> Result<Option<VpcService>, ApiError> {
    let params = call.params;
    let before = old.and_then(|old| old.vpc.as_ref());
    let is_public = match params.choice("XksProxyConnectivity", &["PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"])? {
        Some(connectivity) => connectivity == "PUBLIC_ENDPOINT",
        None => needed(params, "XksProxyConnectivity", old)?.vpc.is_none(),
    };
    let given = params.text("XksProxyVpcEndpointServiceName")?.filter(|name| !name.is_empty());
    if is_public {
        let message = "XksProxyVpcEndpointServiceName is not for PUBLIC_ENDPOINT";
        return if given.is_some() { Err(params.invalid(message)) } else { Ok(None) };
    }
    let legal = |text: &str| text.starts_with("com.amazonaws.vpce.") && text.contains(".vpce-svc-");
    let name = formed(params, "XksProxyVpcEndpointServiceName", 20..=64, legal)?;
    let name = name.or(before.map(|before| before.name.as_str()));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let owner = formed(params, "XksProxyVpcEndpointServiceOwner", 12..=12, digits)?;
    let owner = owner.or(before.map(|before| before.owner.as_str())).unwrap_or(call.caller.account.as_str());
    let name = needed(params, "XksProxyVpcEndpointServiceName", name)?;
    Ok(Some(VpcService { name: name.to_owned(), owner: owner.to_owned() }))
}

fn is_here(caller: &Caller, store: &KeyStore) -> bool {
    store.account == caller.account && store.region == caller.region
}

/// Refuses a store that takes what belongs to another one of the account and Region.
fn check_free(call: &Call<'_>, store: &KeyStore) -> Result<(), ApiError> {
    let others = call.state.stores.iter().map(|(_, other)| other);
    for other in others.filter(|other| is_here(call.caller, other) && other.id != store.id) {
        let taken = |code, what: &str| Err(ApiError::new(code, format!("Custom key store {} has {what}", other.id)));
        if other.name == store.name {
            return taken("CustomKeyStoreNameInUseException", "this name");
        }
        if other.cluster().is_some() && other.cluster() == store.cluster() {
            return taken("CloudHsmClusterInUseException", "this cluster");
        }
        let (Some(one), Some(two)) = (other.proxy(), store.proxy()) else { continue };
        if one.endpoint == two.endpoint && one.path == two.path {
            return taken("XksProxyUriInUseException", "this endpoint and path");
        }
        if one.endpoint == two.endpoint && (one.vpc.is_some() || two.vpc.is_some()) {
            return taken("XksProxyUriEndpointInUseException", "this endpoint");
        }
        if one.vpc.is_some() && one.vpc == two.vpc {
            return taken("XksProxyVpcEndpointServiceInUseException", "this endpoint service");
        }
    }
    Ok(())
}

/// `CreateCustomKeyStore`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.authorize(&call.request("kms:CreateCustomKeyStore", "*"))?;
    let params = call.params;
    let name = needed(params, "CustomKeyStoreName", formed(params, "CustomKeyStoreName", 1..=256, |_| true)?)?;
    let external = params.choice("CustomKeyStoreType", &["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])?;
    let external = external == Some("EXTERNAL_KEY_STORE");
    check_kind(params, if external { Origin::ExternalKeyStore } else { Origin::AwsCloudHsm })?;
    let backing = if external { Backing::Proxy(proxy(call, None)?) } else { cluster(params)? };
    let digits: String = random::hex(9).chars().take(17).collect();
    let store = KeyStore {
        account: call.caller.account.clone(),
        region: call.caller.region.clone(),
        id: format!("cks-{digits}"),
        name: name.to_owned(),
        created: call.now,
        connection: Connection::Disconnected,
        backing,
    };
    check_free(call, &store)?;
    if call.state.stores.iter().filter(|(_, other)| is_here(call.caller, other)).count() >= CUSTOM_KEY_STORES {
        let message = format!("The account has {CUSTOM_KEY_STORES} custom key stores in this Region already");
        return Err(ApiError::new("LimitExceededException", message));
    }
    let id = store.id.clone();
    call.state.stores.insert(id.clone(), store);
    Ok(json!({ "CustomKeyStoreId": id }))
}

fn unknown(what: &str) -> ApiError {
    ApiError::new("CustomKeyStoreNotFoundException", format!("Custom key store {what} is not found"))
}

fn invalid_state(store: &KeyStore, now: Timestamp, what: &str) -> ApiError {
    let message = format!("{what} is not possible: custom key store {} is {}", store.id, store.connection_state(now));
    ApiError::new("CustomKeyStoreInvalidStateException", message)
}

/// Returns a store of the caller's account and Region.
fn store<'c>(call: &'c Call<'_>, id: &str) -> Result<&'c KeyStore, ApiError> {
    call.state.stores.get(id).filter(|store| is_here(call.caller, store)).ok_or_else(|| unknown(id))
}

/// Finds the store that `CustomKeyStoreId` names, if the caller may.
fn open<'c>(call: &'c Call<'_>, action: &str) -> Result<&'c KeyStore, ApiError> {
    call.authorize(&call.request(action, "*"))?;
    store(call, call.params.required("CustomKeyStoreId")?)
}

/// Replaces a store.
fn put(call: &mut Call<'_>, store: KeyStore) -> Value {
    call.state.stores.insert(store.id.clone(), store);
    json!({})
}

/// `ConnectCustomKeyStore`; a store that is connected stays so.
pub(super) fn connect(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut store = open(call, "kms:ConnectCustomKeyStore")?.clone();
    if store.connection == Connection::Disconnected {
        let from = call.now.saturating_add(call.settle).unwrap_or(Timestamp::MAX);
        store.connection = Connection::Connected { from };
    }
    Ok(put(call, store))
}

/// `DisconnectCustomKeyStore`.
pub(super) fn disconnect(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut store = open(call, "kms:DisconnectCustomKeyStore")?.clone();
    if store.connection == Connection::Disconnected {
        return Err(invalid_state(&store, call.now, "DisconnectCustomKeyStore"));
    }
    store.connection = Connection::Disconnected;
    Ok(put(call, store))
}

/// `UpdateCustomKeyStore`. A connected store takes another name, and another path and credential of its proxy; the rest
/// needs it disconnected.
pub(super) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut store = open(call, "kms:UpdateCustomKeyStore")?.clone();
    let params = call.params;
    check_kind(params, store.origin())?;
    let always = ["XksProxyUriPath", "XksProxyAuthenticationCredential"];
    let mut of_kind = OF_CLUSTERS.iter().chain(OF_PROXIES).filter(|name| !always.contains(name));
    if store.connection != Connection::Disconnected && of_kind.any(|name| params.has(name)) {
        return Err(invalid_state(&store, call.now, "This change"));
    }
    if let Some(name) = formed(params, "NewCustomKeyStoreName", 1..=256, |_| true)? {
        name.clone_into(&mut store.name);
    }
    formed(params, "KeyStorePassword", 7..=32, |_| true)?;
    store.backing = match store.backing {
        Backing::Cluster { id, trust_anchor } => {
            Backing::Cluster { id: cluster_id(params)?.map_or(id, str::to_owned), trust_anchor }
        }
        Backing::Proxy(old) => Backing::Proxy(proxy(call, Some(&old))?),
    };
    check_free(call, &store)?;
    Ok(put(call, store))
}

/// `DeleteCustomKeyStore`: disconnected, and without keys, those pending deletion included.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let store = open(call, "kms:DeleteCustomKeyStore")?.clone();
    if store.connection != Connection::Disconnected {
        return Err(invalid_state(&store, call.now, "DeleteCustomKeyStore"));
    }
    if call.state.keys.iter().any(|(_, key)| key.store.as_ref() == Some(&store.id)) {
        let message = format!("Custom key store {} has KMS keys", store.id);
        return Err(ApiError::new("CustomKeyStoreHasCMKsException", message));
    }
    call.state.stores.remove(&store.id);
    Ok(json!({}))
}

/// `DescribeCustomKeyStores`.
pub(super) fn describe(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.authorize(&call.request("kms:DescribeCustomKeyStores", "*"))?;
    let params = call.params;
    let (id, name) = (params.text("CustomKeyStoreId")?, params.text("CustomKeyStoreName")?);
    if id.is_some() && name.is_some() {
        return Err(params.invalid("Either CustomKeyStoreId or CustomKeyStoreName can be given"));
    }
    let wanted = |store: &KeyStore| {
        is_here(call.caller, store) && id.is_none_or(|id| store.id == id) && name.is_none_or(|name| store.name == name)
    };
    let found: Vec<(String, Value)> = call
        .state
        .stores
        .iter()
        .filter(|(_, store)| wanted(store))
        .map(|(id, store)| (id.clone(), entry(store, call.now)))
        .collect();
    match id.or(name) {
        Some(what) if found.is_empty() => Err(unknown(what)),
        Some(_) | None => paging::answer(params, "CustomKeyStores", (100, 1000), found.into_iter()),
    }
}

/// Returns what is told of a store.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CustomKeyStoresListEntry.html>
fn entry(store: &KeyStore, now: Timestamp) -> Value {
    let (cluster, certificate) = match &store.backing {
        Backing::Cluster { id, trust_anchor } => (Some(id), Some(trust_anchor)),
        Backing::Proxy(_) => (None, None),
    };
    let proxy = store.proxy().map(|proxy| {
        json!({
            "AccessKeyId": proxy.access_key_id,
            "Connectivity": if proxy.vpc.is_some() { "VPC_ENDPOINT_SERVICE" } else { "PUBLIC_ENDPOINT" },
            "UriEndpoint": proxy.endpoint,
            "UriPath": proxy.path,
            "VpcEndpointServiceName": proxy.vpc.as_ref().map(|vpc| &vpc.name),
            "VpcEndpointServiceOwner": proxy.vpc.as_ref().map(|vpc| &vpc.owner),
        })
    });
    json!({
        "CustomKeyStoreId": store.id,
        "CustomKeyStoreName": store.name,
        "CustomKeyStoreType": store.origin(),
        "ConnectionState": store.connection_state(now),
        "CreationDate": epoch(store.created),
        "CloudHsmClusterId": cluster,
        "TrustAnchorCertificate": certificate,
        "XksProxyConfiguration": proxy,
    })
}

/// Where a key in a custom key store stands.
pub(super) struct Place {
    /// The store's id.
    pub(super) store: String,
    /// The id of the key in the external key manager.
    pub(super) external_key: Option<String>,
}

/// Returns where a new key is to stand; `None` for keys outside custom key stores.
pub(super) fn place(call: &Call<'_>, origin: Origin) -> Result<Option<Place>, ApiError> {
    let params = call.params;
    let named = params.text("CustomKeyStoreId")?;
    let legal = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let external_key = formed(params, "XksKeyId", 1..=128, legal)?;
    if external_key.is_some() && origin != Origin::ExternalKeyStore {
        return Err(params.invalid(format!("XksKeyId is not for keys with Origin {origin}")));
    }
    if matches!(origin, Origin::AwsKms | Origin::External) {
        let message = format!("CustomKeyStoreId is not for keys with Origin {origin}");
        return if named.is_some() { Err(params.invalid(message)) } else { Ok(None) };
    }
    let store = store(call, needed(params, "CustomKeyStoreId", named)?)?;
    if store.origin() != origin {
        let message = format!("Custom key store {} is of type {}, not {origin}", store.id, store.origin());
        return Err(params.invalid(message));
    }
    if !store.is_connected(call.now) {
        return Err(invalid_state(store, call.now, "CreateKey"));
    }
    if origin == Origin::ExternalKeyStore {
        let id = needed(params, "XksKeyId", external_key)?;
        let same = |key: &crate::sandbox::state::Key| {
            key.store.as_ref() == Some(&store.id) && key.xks_key_id.as_deref() == Some(id)
        };
        if call.state.keys.iter().any(|(_, key)| same(key)) {
            let message = format!("External key {id} belongs to another KMS key of custom key store {}", store.id);
            return Err(ApiError::new("XksKeyAlreadyInUseException", message));
        }
    }
    Ok(Some(Place { store: store.id.clone(), external_key: external_key.map(str::to_owned) }))
}
