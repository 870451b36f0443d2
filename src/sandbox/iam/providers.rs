//! `OpenID` Connect providers: that they exist, for trust policies.

use crate::sandbox::call::Call;
use crate::sandbox::error::ApiError;
use crate::sandbox::state::Provider;
use crate::sandbox::wire_query::iso;
use serde_json::{Value, json};

/// `CreateOpenIDConnectProvider`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let url = params.required("Url")?;
    let host = url.strip_prefix("https://").filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| params.invalid("Invalid Open ID Connect Provider URL: it begins with https://"))?;
    let arn = call.iam_arn(&format!("oidc-provider/{host}"));
    call.authorize(&call.request("iam:CreateOpenIDConnectProvider", &arn))?;
    if call.state.providers.get(&arn).is_some() {
        let message = format!("Provider with url {url} already exists.");
        return Err(ApiError::new("EntityAlreadyExists", message).status(409));
    }
    let provider = Provider {
        arn: arn.clone(),
        url: host.to_owned(),
        clients: params.texts("ClientIDList")?,
        thumbprints: params.texts("ThumbprintList")?,
        created: call.now,
    };
    call.state.providers.insert(arn.clone(), provider);
    Ok(json!({ "OpenIDConnectProviderArn": arn }))
}

fn open<'a>(call: &'a Call<'_>, action: &str) -> Result<&'a Provider, ApiError> {
    let arn = call.params.required("OpenIDConnectProviderArn")?;
    call.authorize(&call.request(action, arn))?;
    let own = arn.starts_with(&call.iam_arn("oidc-provider/"));
    let found = call.state.providers.get(arn).filter(|_| own);
    found.ok_or_else(|| ApiError::no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}")))
}

/// `GetOpenIDConnectProvider`.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let provider = open(call, "iam:GetOpenIDConnectProvider")?;
    Ok(json!({
        "Url": provider.url,
        "ClientIDList": provider.clients,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": iso(provider.created),
    }))
}

/// `ListOpenIDConnectProviders`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let prefix = call.iam_arn("oidc-provider/");
    call.authorize(&call.request("iam:ListOpenIDConnectProviders", &prefix))?;
    let own = call.state.providers.iter().filter(|(arn, _)| arn.starts_with(&prefix));
    let list: Vec<Value> = own.map(|(arn, _)| json!({ "Arn": arn })).collect();
    Ok(json!({ "OpenIDConnectProviderList": list }))
}

/// `DeleteOpenIDConnectProvider`.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let arn = open(call, "iam:DeleteOpenIDConnectProvider")?.arn.clone();
    call.state.providers.remove(&arn);
    Ok(Value::Null)
}
