//! Proves with Python's `cryptography` that material is read, wrapped and computed with as others do.
//!
//! Drives `import_material.py`, which makes the material and the wrapping keys, and unwraps.

use crate::process::{Outcome, Script, demand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keywright::desired::MaterialEncoding;
use keywright::import::{Material, MaterialFlaw};
use keywright::kms::{KeySpec, WrappingAlgorithm, WrappingKeySpec};
use keywright::secret::SecretBytes;
use serde_json::{Value, json};
use std::path::Path;

/// What the script computes codes of.
const MESSAGE: &[u8] = b"keywright self-test";

/// The ways in which material of all specs fits: five secrets in 6, RSA in 3 × 6, curves in 4 × 12 and 10.
const WAYS: usize = 5 * 6 + 3 * 6 + 4 * 12 + 10;

fn bytes(value: &Value) -> Outcome<Vec<u8>> {
    Ok(STANDARD.decode(value.as_str().ok_or_else(|| format!("no bytes: {value}"))?)?)
}

fn list<'a>(answer: &'a Value, name: &str) -> Outcome<&'a Vec<Value>> {
    answer.get(name).and_then(Value::as_array).ok_or_else(|| format!("no {name}: {answer}").into())
}

fn encoding(name: &Value) -> Outcome<MaterialEncoding> {
    let found = MaterialEncoding::ALL.iter().find(|encoding| name == encoding.name());
    found.copied().ok_or_else(|| format!("no encoding: {name}").into())
}

/// Reads new material of the script in every way that it is written, and compares what is computed with it.
fn material(script: &mut Script, spec: KeySpec) -> Outcome<Material> {
    let answer = script.ask(&json!({"op": "material", "spec": spec}))?;
    let mut first: Option<Material> = None;
    for way in list(&answer, "ways")? {
        let given = SecretBytes::new(bytes(&way[1])?);
        let material = Material::read(spec, encoding(&way[0])?, &given)
            .map_err(|flaw| format!("{spec} in {} is not read: {flaw}", way[0]))?;
        demand(answer.get("public").map(bytes).transpose()? == material.public_key(), || {
            format!("{spec}: public key")
        })?;
        let mac = spec.mac_algorithms().first().and_then(|algorithm| material.mac(*algorithm, MESSAGE));
        demand(answer.get("mac").map(bytes).transpose()? == mac, || format!("{spec}: another MAC"))?;
        if let (Some(peer), Some(expected)) = (answer.get("peer"), answer.get("shared")) {
            let shared = material.agree(&bytes(peer)?).ok_or_else(|| format!("{spec}: nothing agreed"))?;
            demand(shared.expose_secret() == bytes(expected)?, || format!("{spec}: another shared secret"))?;
        }
        if let Some(first) = &first {
            let same = first.bytes().expose_secret() == material.bytes().expose_secret();
            demand(same, || format!("{spec} in {} is other material", way[0]))?;
        }
        first = Some(material);
    }
    first.ok_or_else(|| format!("{spec}: no material").into())
}

/// Wraps material in every way that fits, and has the script compare; returns in how many.
fn wrap(script: &mut Script, material: &Material, size: WrappingKeySpec, public: &[u8]) -> Outcome<usize> {
    let spec = material.spec();
    let ways = WrappingAlgorithm::ALL.iter().filter(|algorithm| algorithm.fits(spec, size));
    let mut count = 0;
    for algorithm in ways {
        let wrapped = STANDARD.encode(material.wrap(*algorithm, public)?);
        let answer = script.ask(&json!({
            "op": "unwrap", "bits": size.bytes() * 8, "algorithm": algorithm, "spec": spec, "wrapped": wrapped,
        }))?;
        demand(answer == json!({"same": true}), || format!("{spec} by {algorithm} under {size}: {answer}"))?;
        count += 1;
    }
    Ok(count)
}

/// What is no private key is refused as what it is.
fn refuse(script: &mut Script) -> Outcome<()> {
    let answer = script.ask(&json!({"op": "not_private"}))?;
    for case in list(&answer, "cases")? {
        let given = SecretBytes::new(bytes(&case[2])?);
        let found = match Material::read(KeySpec::EccNistP256, encoding(&case[1])?, &given) {
            Err(MaterialFlaw::NotPrivateKey(found)) => format!("{found:?}"),
            other => format!("{other:?}"),
        };
        demand(case[0] == found, || format!("{} in {} is taken for {found}", case[0], case[1]))?;
    }
    Ok(())
}

/// Has Python unwrap material of every spec that was wrapped in every way that fits.
pub(crate) fn python_unwraps(python: &Path) -> Outcome<()> {
    let mut script = Script::start(python, "import_material.py")?;
    let mut wrapping_keys = Vec::new();
    for size in WrappingKeySpec::ALL {
        let answer = script.ask(&json!({"op": "wrapping_key", "bits": size.bytes() * 8}))?;
        wrapping_keys.push((*size, bytes(answer.get("public").ok_or("no public key")?)?));
    }
    let mut ways = 0;
    for spec in KeySpec::ALL.iter().filter(|spec| WrappingAlgorithm::default_for(**spec).is_some()) {
        let material = material(&mut script, *spec)?;
        for (size, public) in &wrapping_keys {
            ways += wrap(&mut script, &material, *size, public)?;
        }
    }
    demand(ways == WAYS, || format!("{ways} ways instead of {WAYS}"))?;
    refuse(&mut script)?;
    script.stop()
}
