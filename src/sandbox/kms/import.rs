//! Imported key material. It never leaves: no answer and no error contains any of it.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys.html>

use super::find::{Found, Naming};
use super::wrapping;
use super::{days, replicas};
use crate::kms::{
    CIPHERTEXT_BYTES, IMPORT_TOKEN_HOURS, IMPORT_VALID_DAYS_MAX, KeySpec, KeyState, MATERIAL_DESCRIPTION_CHARS,
    WrappingAlgorithm, WrappingKeySpec,
};
use crate::sandbox::call::{Call, with};
use crate::sandbox::error::ApiError;
use crate::sandbox::random;
use crate::sandbox::state::{
    ExpirationModel, ImportParameters, Imported, Key, Material, MaterialOrigin, MaterialStanding, MultiRegion,
};
use crate::sandbox::wire_json::{blob, epoch};
use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The length of an import token; AWS promises no more than that it is opaque.
const TOKEN_BYTES: usize = 256;

/// Returns a wrapping algorithm and the spec of the wrapping key.
fn ways(call: &Call<'_>) -> Result<(WrappingAlgorithm, WrappingKeySpec), ApiError> {
    let params = call.params;
    let of_china = "SM2PKE and SM2 exist in the Regions of China only, and not in this sandbox";
    let refused = |message: &str| Err(ApiError::new("UnsupportedOperationException", message));
    match params.required("WrappingAlgorithm")? {
        "RSAES_PKCS1_V1_5" => return refused("RSAES_PKCS1_V1_5 is not supported since 2023-10-10"),
        "SM2PKE" => return refused(of_china),
        _ => {}
    }
    if params.required("WrappingKeySpec")? == "SM2" {
        return refused(of_china);
    }
    let missing = || params.invalid("WrappingAlgorithm and WrappingKeySpec must be given");
    let wrapping = params.named("WrappingAlgorithm", WrappingAlgorithm::ALL)?.ok_or_else(missing)?;
    Ok((wrapping, params.named("WrappingKeySpec", WrappingKeySpec::ALL)?.ok_or_else(missing)?))
}

/// `GetParametersForImport`.
pub(super) fn parameters(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (algorithm, size) = ways(call)?;
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:GetParametersForImport", &found);
    with(&mut request, "kms:WrappingAlgorithm", &algorithm.to_string());
    with(&mut request, "kms:WrappingKeySpec", &size.to_string());
    call.admit(&request, &found)?;
    let spec = call.key(&found)?.spec;
    if !algorithm.fits(spec, size) {
        let message = format!("{algorithm} with {size} is not for key material of KeySpec {spec}");
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    let failed = || ApiError::new("KMSInternalException", "The sandbox cannot make a wrapping key").status(500);
    let (private, public) = wrapping::generate(size).ok_or_else(failed)?;
    let token = random::bytes(TOKEN_BYTES);
    let lifetime = SignedDuration::from_hours(IMPORT_TOKEN_HOURS.into());
    let valid_to = call.now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    let given =
        ImportParameters { key: found.arn.clone(), wrapping: algorithm, private_hex: hex::encode(private), valid_to };
    call.state.imports.insert(token_name(&token), given);
    Ok(json!({
        "KeyId": found.arn,
        "ImportToken": blob(&token),
        "PublicKey": blob(&public),
        "ParametersValidTo": epoch(valid_to),
    }))
}

/// Returns the name under which a token is remembered.
fn token_name(token: &[u8]) -> String {
    hex::encode(digest(&SHA256, token))
}

/// Returns the id of key material: a function of the key's id and the material, so that relatives in other Regions have
/// the same.
fn material_id(key: &Key, bytes: &[u8]) -> String {
    let id = key.arn.key_id();
    hex::encode(digest(&SHA256, &[id.as_str().as_bytes(), b"/", bytes].concat()))
}

/// Returns whether the material is to expire, and when.
fn expiration(call: &Call<'_>) -> Result<ExpirationModel, ApiError> {
    let params = call.params;
    let models = ["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"];
    let forever = params.choice("ExpirationModel", &models)? == Some("KEY_MATERIAL_DOES_NOT_EXPIRE");
    match (forever, params.time("ValidTo")?) {
        (true, None) => Ok(ExpirationModel::DoesNotExpire),
        (true, Some(_)) => Err(params.invalid("ValidTo is not for key material that does not expire")),
        (false, None) => Err(params.invalid("Key material that expires needs a ValidTo")),
        (false, Some(valid_to)) => {
            let left = valid_to.duration_since(call.now);
            if !left.is_positive() || left > days(IMPORT_VALID_DAYS_MAX.into()) {
                let message = format!("ValidTo must lie in the future, by at most {IMPORT_VALID_DAYS_MAX} days");
                return Err(params.invalid(message));
            }
            Ok(ExpirationModel::Expires { valid_to })
        }
    }
}

/// What a call says of the material that it imports.
struct Said<'a> {
    kind: Option<Kind>,
    id: Option<&'a str>,
    imported: Imported,
}

/// Whether material was associated with the key before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    New,
    Existing,
}

/// Reads what a call says of the material; only symmetric encryption keys can have more than one.
fn said<'a>(call: &Call<'a>, spec: KeySpec, expiration: ExpirationModel) -> Result<Said<'a>, ApiError> {
    let params = call.params;
    let of_symmetric = ["ImportType", "KeyMaterialDescription", "KeyMaterialId"];
    if let Some(name) = of_symmetric.into_iter().find(|name| params.has(name))
        && spec != KeySpec::SymmetricDefault
    {
        return Err(params.invalid(format!("{name} is for symmetric encryption keys only")));
    }
    let kind = match params.choice("ImportType", &["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"])? {
        Some("NEW_KEY_MATERIAL") => Some(Kind::New),
        Some(_) => Some(Kind::Existing),
        None => None,
    };
    let id = params.text("KeyMaterialId")?;
    if id.is_some_and(|id| id.len() != 64 || !id.bytes().all(|b| b.is_ascii_hexdigit())) {
        let rule = "Member must satisfy regular expression pattern: ^[a-f0-9]+$, and have length 64";
        return Err(params.constraint("KeyMaterialId", id.unwrap_or_default(), rule));
    }
    if id.is_some() && kind == Some(Kind::New) {
        return Err(params.invalid("KeyMaterialId is not for NEW_KEY_MATERIAL"));
    }
    let description = params.bounded("KeyMaterialDescription", MATERIAL_DESCRIPTION_CHARS)?.map(str::to_owned);
    Ok(Said { kind, id, imported: Imported { expiration, description } })
}

/// `ImportKeyMaterial`.
pub(super) fn import(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let params = call.params;
    let token = params.required_blob("ImportToken", CIPHERTEXT_BYTES)?;
    let encrypted = params.required_blob("EncryptedKeyMaterial", CIPHERTEXT_BYTES)?;
    let expiration = expiration(call)?;
    let found = call.named(Naming::KeyOnly)?;
    let mut request = call.key_request("kms:ImportKeyMaterial", &found);
    with(&mut request, "kms:ExpirationModel", expiration.name());
    if let Some(valid_to) = expiration.valid_to() {
        with(&mut request, "kms:ValidTo", &valid_to.to_string());
    }
    call.admit(&request, &found)?;
    let key = call.key(&found)?;
    let said = said(call, key.spec, expiration)?;
    let unwrapped = unwrap(call, &found, &token, &encrypted)?;
    let bytes = wrapping::read(key.spec, &unwrapped).ok_or_else(|| incorrect("It is not that of such a key"))?;
    let id = material_id(key, &bytes);
    let told = (key.spec == KeySpec::SymmetricDefault).then(|| id.clone());
    let was_pending = call.state.key_state(key, call.now) == KeyState::PendingImport;
    let now = call.now;
    let key = call.key_mut(&found)?;
    let material = accept(key, id, said, now)?;
    material.hex = Some(hex::encode(bytes));
    if was_pending && !key.lacks_material() {
        key.enabled = true;
    }
    review(call, &found)?;
    Ok(json!({ "KeyId": found.arn, "KeyMaterialId": told }))
}

fn incorrect(why: &str) -> ApiError {
    ApiError::new("IncorrectKeyMaterialException", format!("The key material cannot be imported. {why}."))
}

/// Decrypts the material with what was given for that key.
fn unwrap(call: &Call<'_>, found: &Found, token: &[u8], encrypted: &[u8]) -> Result<Vec<u8>, ApiError> {
    let given = call.state.imports.get(&token_name(token)).filter(|given| given.key == found.arn);
    let invalid = || ApiError::new("InvalidImportTokenException", format!("The token is not one of {}", found.arn));
    let given = given.ok_or_else(invalid)?;
    if given.valid_to <= call.now {
        return Err(ApiError::new("ExpiredImportTokenException", "The import token has expired"));
    }
    let private = hex::decode(&given.private_hex).ok();
    let material = private.and_then(|private| wrapping::unwrap(given.wrapping, &private, encrypted));
    material.ok_or_else(|| {
        let message = format!("The key material was not encrypted with {} under the public key", given.wrapping);
        ApiError::new("InvalidCiphertextException", message)
    })
}

/// Returns the material of a key that is imported, new or anew.
fn accept<'a>(key: &'a mut Key, id: String, said: Said<'_>, now: Timestamp) -> Result<&'a mut Material, ApiError> {
    let first = key.materials.is_empty();
    let kind = said.kind.unwrap_or(if first { Kind::New } else { Kind::Existing });
    if said.id.is_some_and(|named| named != id) {
        return Err(incorrect("It is not the one that KeyMaterialId names"));
    }
    let at = key.materials.iter().position(|material| material.id == id);
    let at = match (kind, at) {
        (Kind::Existing, Some(at)) => at,
        (Kind::Existing, None) => return Err(incorrect("The key never had it")),
        (Kind::New, Some(_)) => return Err(incorrect("The key has it already, so that it is not new")),
        (Kind::New, None) => {
            check_new(key)?;
            let standing = if first { MaterialStanding::InUse } else { MaterialStanding::PendingRotation };
            let origin = MaterialOrigin::Creation;
            key.materials.retain(|material| material.standing == MaterialStanding::InUse);
            key.materials.push(Material { id, hex: None, since: now, origin, standing, imported: None });
            key.materials.len() - 1
        }
    };
    let material = key.materials.get_mut(at).ok_or_else(|| incorrect("The key never had it"))?;
    let before = material.imported.take().and_then(|imported| imported.description);
    let Imported { expiration, description } = said.imported;
    material.imported = Some(Imported { expiration, description: description.or(before) });
    Ok(material)
}

/// Refuses new material where there is no place for it.
fn check_new(key: &Key) -> Result<(), ApiError> {
    if key.is_replica() {
        let message = format!("{} is a replica: new key material is imported into its primary key first", key.arn);
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    if key.waiting_material().is_some_and(|material| material.hex.is_some()) {
        let message = format!("{} has key material that waits for its rotation already", key.arn);
        return Err(ApiError::new("KMSInvalidStateException", message));
    }
    Ok(())
}

/// Lets relatives in other Regions know.
fn review(call: &mut Call<'_>, found: &Found) -> Result<(), ApiError> {
    let primary = match &call.key(found)?.multi_region {
        Some(MultiRegion::Replica { primary }) => primary.clone(),
        Some(MultiRegion::Primary { .. }) | None => found.arn.clone(),
    };
    replicas::review_waiting_material(call.state, &primary);
    replicas::share(call.state, &primary);
    Ok(())
}

/// `DeleteImportedKeyMaterial`. Material that is in use can be imported again; what waited for its rotation is forgotten,
/// in all Regions if it is deleted from the primary key.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let found = call.open("kms:DeleteImportedKeyMaterial")?;
    let named = call.params.text("KeyMaterialId")?;
    let key = call.key(&found)?;
    let current = key.current_material().map(|material| material.id.as_str());
    let Some(id) = named.or(current).map(str::to_owned) else { return Ok(json!({ "KeyId": found.arn })) };
    let told = (key.spec == KeySpec::SymmetricDefault).then(|| id.clone());
    let forgets = !key.is_replica() && key.waiting_material().is_some_and(|material| material.id == id);
    let key = call.key_mut(&found)?;
    let unknown = || ApiError::not_found(format!("{} has no key material {id}", found.arn));
    let material = key.materials.iter_mut().find(|material| material.id == id).ok_or_else(unknown)?;
    material.hex = None;
    if forgets {
        key.materials.retain(|material| material.id != id);
    }
    review(call, &found)?;
    Ok(json!({ "KeyId": found.arn, "KeyMaterialId": told }))
}
