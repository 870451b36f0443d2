//! Imported key material: what is sent, what comes back, and what is never told.

use super::*;
use crate::kms::{ImportKind, WrappingAlgorithm, WrappingKeySpec};
use crate::live::{Expiry, LiveMaterials, MaterialStanding};
use crate::ports::MaterialImport;
use crate::secret::SecretBytes;

fn entry(id: &str, state: &str, more: &str) -> String {
    let id = id.repeat(32);
    format!(
        r#"{{"KeyMaterialId":"{id}","KeyMaterialState":"{state}","ImportState":"IMPORTED","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE"{more}}}"#
    )
}

fn listed(entries: &[String], more: &str) -> Reply {
    json(200, &format!(r#"{{"Rotations":[{}]{more}}}"#, entries.join(",")))
}

#[tokio::test]
async fn materials_of_all_pages_come_oldest_first_and_those_that_wait_last() {
    let server = Server::start(|_, before| match before {
        0 => listed(
            &[entry("aa", "PENDING_ROTATION", ""), entry("bb", "CURRENT", r#","RotationDate":200.0"#)],
            r#","Truncated":true,"NextMarker":"m""#,
        ),
        _ => listed(
            &[entry("cc", "NON_CURRENT", r#","RotationDate":100.0"#), entry("dd", "NON_CURRENT", "")],
            r#","Truncated":false"#,
        ),
    })
    .await;
    let LiveMaterials::Listed(found) = connected(&server).await.materials(&id()).await.unwrap() else { panic!() };
    let order: Vec<&str> = found.iter().map(|material| &material.id.as_str()[..2]).collect();
    assert_eq!(order, ["dd", "cc", "bb", "aa"]);
    assert_eq!(found[3].standing, MaterialStanding::PendingRotation);
    assert!(server.seen().iter().all(|seen| seen.body.contains(r#""IncludeKeyMaterial":"ALL_KEY_MATERIAL""#)));
}

#[tokio::test]
async fn a_server_that_does_not_tell_materials_is_told_from_one_that_denies() {
    type Case = (fn() -> Reply, Option<PortErrorKind>);
    let replies: [Case; 4] = [
        (|| fault("InvalidAction", "Unknown action"), None),
        (|| fault("UnsupportedOperationException", "no"), None),
        (|| json(200, r#"{"Rotations":[{"RotationType":"ON_DEMAND"}]}"#), None),
        (|| fault("AccessDeniedException", "no"), Some(PortErrorKind::Denied)),
    ];
    for (reply, kind) in replies {
        let server = Server::start(move |_, _| reply()).await;
        match (connected(&server).await.materials(&id()).await, kind) {
            (Ok(found), None) => assert_eq!(found, LiveMaterials::Untold),
            (Err(error), Some(kind)) => assert_eq!(error.kind, kind),
            (found, _) => panic!("{found:?}"),
        }
    }
}

#[tokio::test]
async fn rotations_are_told_where_the_status_is_not_for_imported_keys() {
    for code in ["UnsupportedOperationException", "KMSInvalidStateException"] {
        let server = Server::start(move |operation, _| match operation {
            "getkeyrotationstatus" => fault(code, "no"),
            _ => json(200, r#"{"Rotations":[{"RotationType":"ON_DEMAND","RotationDate":100.0}]}"#),
        })
        .await;
        assert_eq!(connected(&server).await.rotations(&id()).await.unwrap().on_demand(), 1);
    }
}

async fn parameters(reply: fn() -> Reply) -> (PortResult<crate::ports::ImportParameters>, Vec<Seen>) {
    let server = Server::start(move |_, _| reply()).await;
    let connection = connected(&server).await;
    let found =
        connection.import_parameters(&id(), WrappingAlgorithm::AesKeyWrapSha256, WrappingKeySpec::Rsa4096).await;
    (found, server.seen())
}

#[tokio::test]
async fn parameters_are_asked_for_by_name_and_incomplete_ones_refused() {
    let (found, seen) =
        parameters(|| json(200, r#"{"ImportToken":"YWJj","PublicKey":"ZGVm","ParametersValidTo":86400.0}"#)).await;
    let found = found.unwrap();
    assert_eq!((found.token.expose_secret(), found.public_key.as_slice()), (&b"abc"[..], &b"def"[..]));
    assert_eq!(found.valid_to.unwrap().as_second(), 86_400);
    for part in [r#""WrappingAlgorithm":"RSA_AES_KEY_WRAP_SHA_256""#, r#""WrappingKeySpec":"RSA_4096""#] {
        assert!(seen[0].body.contains(part), "{}", seen[0].body);
    }
    let (found, _) = parameters(|| json(200, r#"{"ImportToken":"Y2FuYXJ5"}"#)).await;
    let error = found.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Protocol);
    let shown = format!("{error:?} {error}");
    assert!(shown.contains("wrapping key") && !shown.contains("Y2FuYXJ5") && !shown.contains("canary"), "{shown}");
    assert_eq!(parameters(|| json(200, r#"{"PublicKey":"ZGVm"}"#)).await.0.unwrap_err().kind, PortErrorKind::Protocol);
}

fn import(expiry: Expiry) -> MaterialImport {
    MaterialImport {
        token: SecretBytes::new(b"token".to_vec()),
        encrypted: b"encrypted".to_vec(),
        expiry,
        kind: Some(ImportKind::Existing),
        description: Some("2026".to_owned()),
        id: Some("ab".repeat(32).parse().unwrap()),
    }
}

#[tokio::test]
async fn an_import_always_says_whether_material_expires() {
    let told = "cd".repeat(32);
    let server = Server::start(move |_, _| json(200, &format!(r#"{{"KeyMaterialId":"{told}"}}"#))).await;
    let connection = connected(&server).await;
    let made = connection.import_material(&id(), &import(Expiry::Never)).await.unwrap();
    assert_eq!(made, Some("cd".repeat(32).parse().unwrap()));
    let at = jiff::Timestamp::from_second(1_000).unwrap();
    connection.import_material(&id(), &import(Expiry::At(at))).await.unwrap();
    let plain = MaterialImport { kind: None, description: None, id: None, ..import(Expiry::Never) };
    connection.import_material(&id(), &plain).await.unwrap();
    let [never, expires, plain] = server.seen().try_into().unwrap();
    assert!(never.body.contains("KEY_MATERIAL_DOES_NOT_EXPIRE") && !never.body.contains("ValidTo"), "{}", never.body);
    assert!(expires.body.contains(r#""KEY_MATERIAL_EXPIRES""#) && expires.body.contains(r#""ValidTo":1000"#));
    for part in ["EXISTING_KEY_MATERIAL", r#""KeyMaterialDescription":"2026""#, r#""KeyMaterialId":"abab"#] {
        assert!(never.body.contains(part) && !plain.body.contains(part), "{part}");
    }
}

#[tokio::test]
async fn an_import_is_sent_once_and_a_lost_answer_is_in_doubt() {
    let replies: [(fn() -> Reply, PortErrorKind); 6] = [
        (|| Reply::HangUp, PortErrorKind::Unknown),
        (|| json(503, ""), PortErrorKind::Unknown),
        (|| json(200, r#"{"KeyMaterialId":"no id"}"#), PortErrorKind::Unknown),
        (|| fault("IncorrectKeyMaterialException", "other"), PortErrorKind::IncorrectMaterial),
        (|| fault("ExpiredImportTokenException", "late"), PortErrorKind::ImportToken),
        (|| fault("InvalidImportTokenException", "wrong"), PortErrorKind::ImportToken),
    ];
    for (reply, kind) in replies {
        let server = Server::start(move |_, _| reply()).await;
        let error = connected(&server).await.import_material(&id(), &import(Expiry::Never)).await.unwrap_err();
        assert_eq!((error.kind, server.count("importkeymaterial")), (kind, 1), "{error}");
        let shown = format!("{error:?} {error}");
        assert!(!shown.contains("token\"") && !shown.contains("dG9rZW4") && !shown.contains("ZW5jcnlwdGVk"), "{shown}");
    }
}

#[tokio::test]
async fn a_deletion_names_its_material_and_is_repeated() {
    let server = Server::start(|_, before| if before == 0 { Reply::HangUp } else { json(200, "{}") }).await;
    let connection = connected(&server).await;
    let material = "ab".repeat(32).parse().unwrap();
    connection.delete_material(&id(), Some(&material)).await.unwrap();
    connection.delete_material(&id(), None).await.unwrap();
    let named: Vec<bool> = server.seen().iter().map(|seen| seen.body.contains(r#""KeyMaterialId":"abab"#)).collect();
    assert_eq!(named, [true, true, false]);
}
