//! What is to be known of imported material: what expires, what nobody declares, what somebody has to bring.

use super::super::KeyGoal;
use super::due::Due;
use super::matching::{Found, Matched, Presence};
use crate::desired::{DesiredMaterial, Import, MaterialSource, Validity};
use crate::diag::Code;
use crate::ids::MaterialName;
use crate::kms::KeyState;
use crate::live::{Expiry, KeyMetadata, LiveKey, LiveMaterial, LiveMaterials, LivePresence, Observed, WARN_DAYS};
use crate::plan::draft::Sheet;
use crate::plan::family::Relatives;
use crate::plan::{Drift, DriftKind, Owner, PropertyChange, Why};
use crate::text::{and_list, escape};
use jiff::civil::Date;

/// Returns what a material is called: by its description, or else by its id.
pub(super) fn plain_name(live: &LiveMaterial) -> String {
    let named = live.description.as_deref().filter(|text| !text.is_empty()).map(|text| escape(text).into_owned());
    named.unwrap_or_else(|| live.id.to_string())
}

/// Returns the same for a sentence.
pub(super) fn name_of(live: &LiveMaterial) -> String {
    format!("the material `{}`", plain_name(live))
}

fn code(expiry: Expiry, today: Date) -> Code {
    if expiry.days_left(today).is_some_and(|left| left < 0) { Code::MaterialExpired } else { Code::MaterialExpires }
}

fn warn(expiry: Expiry, name: Option<&str>, (today, within): (Date, i64), remedy: &str, sheet: &mut Sheet<'_>) {
    if let Some(message) = expiry.warning(name, today, within) {
        sheet.note(code(expiry, today), message, remedy);
    }
}

/// Warns of declared material that expires, or has.
pub(super) fn expiry(goal: &KeyGoal<'_>, import: &Import, name: &MaterialName, found: &Found, sheet: &mut Sheet<'_>) {
    let within = match import.validity {
        Validity::Never => WARN_DAYS,
        Validity::Days { reimport_before, .. } => i64::from(reimport_before),
    };
    match found.presence {
        Presence::There(Some(expiry)) => {
            let remedy = "`keywright apply` imports it again";
            warn(expiry, Some(name.as_str()), (goal.input.today, within), remedy, sheet);
        }
        Presence::There(None) => {}
        Presence::Missing => {
            let why = if matches!(goal.relatives, Relatives::Replica { .. }) {
                "is not in this Region: it has expired, was deleted, or was never imported here"
            } else {
                "has expired or was deleted"
            };
            if !found.standing.is_in_use() {
                return;
            }
            sheet.note(
                Code::MaterialExpired,
                format!("the material `{name}` {why}; nobody can use the key meanwhile"),
                "`keywright apply` imports it again",
            );
        }
    }
}

/// Warns of material that nobody but people imports.
pub(super) fn by_hand(goal: &KeyGoal<'_>, live: &LiveKey, metadata: &KeyMetadata, sheet: &mut Sheet<'_>) {
    let within = (goal.input.today, WARN_DAYS);
    let remedy = "import it again by hand before, or declare where it comes from: an `import` table";
    if let Some(Observed::Known(LiveMaterials::Listed(all))) = &live.materials {
        for material in all {
            if let LivePresence::Imported(expiry) = material.presence {
                warn(expiry, Some(&plain_name(material)), within, remedy, sheet);
            }
        }
    } else if let Some(expiry) = metadata.expiry.filter(|_| metadata.state != KeyState::PendingImport) {
        warn(expiry, None, within, remedy, sheet);
    }
}

/// Says which live materials the manifest does not declare; returns them as differences too.
pub(super) fn undeclared(goal: &KeyGoal<'_>, matched: &Matched<'_>, sheet: &mut Sheet<'_>) -> Vec<Drift> {
    let name = &goal.key.name;
    let remedy = format!("declare it, oldest first: `[[key.{name}.import.material]]`");
    let mut drift = Vec::new();
    for live in &matched.undeclared {
        let called = name_of(live);
        let message = match live.presence {
            LivePresence::Missing if live.standing.is_in_use() => {
                format!("{called} is missing and not declared: the key cannot come back without it")
            }
            LivePresence::Missing => format!("{called} is not declared, and not there"),
            LivePresence::Imported(_) => format!("{called} is not declared, so nothing imports it again"),
        };
        sheet.note(Code::MaterialUndeclared, message, remedy.clone());
        if let LivePresence::Imported(expiry) = live.presence {
            warn(expiry, Some(&plain_name(live)), (goal.input.today, WARN_DAYS), &remedy, sheet);
        }
        let property = format!("material {}", plain_name(live));
        drift.push(Drift {
            owner: Owner::Key(name.clone()),
            kind: DriftKind::Undeclared,
            what: format!("{property} is not declared"),
            change: Some(PropertyChange { property, before: Some(live.id.to_string()), after: None }),
        });
    }
    drift
}

/// Says which declared materials are left alone, since the server lists none.
pub(super) fn left_out(matched: &Matched<'_>, sheet: &mut Sheet<'_>) {
    let names: Vec<String> = matched.left_out.iter().map(|name| format!("`{name}`")).collect();
    if !names.is_empty() {
        sheet.note(
            Code::MaterialUntold,
            format!("the server does not list the key's materials, so that {} cannot be managed", and_list(&names)),
            "only the first is imported here; AWS KMS lists them all",
        );
    }
}

/// Says of material that is due and was not brought along how it gets here.
pub(super) fn awaited(goal: &KeyGoal<'_>, wanted: &DesiredMaterial, found: Option<&Found>, sheet: &mut Sheet<'_>) {
    let (key, material, target) = (&goal.key.name, &wanted.name, &goal.target.name);
    if wanted.source != MaterialSource::Prewrapped {
        return;
    }
    let left = match found.map(|found| found.presence) {
        Some(Presence::There(Some(expiry @ Expiry::At(_)))) => {
            format!(" ({})", expiry.with_days_left(goal.input.today))
        }
        Some(Presence::There(_)) => String::new(),
        Some(Presence::Missing) => " (it has expired or was deleted)".to_owned(),
        None => " (the key does not have it)".to_owned(),
    };
    sheet.note(
        Code::MaterialAwaited,
        format!("the material `{material}` is to be imported{left}, and is encrypted elsewhere"),
        format!(
            "once the key exists: keywright import-parameters {key} --out DIR --material {material} --target {target}; \
             encrypt it, then: keywright apply --prewrapped {key}/{material}=DIR"
        ),
    );
}

/// Returns what stays amiss until somebody brings material, as a difference.
pub(super) fn awaited_drift(goal: &KeyGoal<'_>, name: &MaterialName, due: &Due) -> Option<Drift> {
    let kind = match due.why {
        Why::Missing => DriftKind::Absent,
        Why::Differs => DriftKind::Differs,
        Why::Absent
        | Why::Unwanted
        | Why::Interrupted
        | Why::Wording
        | Why::Adopted
        | Why::Renamed
        | Why::Asked
        | Why::Expires => return None,
    };
    let what = if kind == DriftKind::Absent { "is missing" } else { "differs in its validity" };
    Some(Drift {
        owner: Owner::Key(goal.key.name.clone()),
        kind,
        what: format!("material {name} {what}"),
        change: None,
    })
}
