//! An inventory for machines: `schemas/inventory.schema.json` is its form.

use super::UsageDetail;
use crate::desired::MaterialPresence;
use crate::inventory::{
    ImportedItem, ImportedMaterial, Inventory, KeyClass, KeyEntry, RotationStanding, TargetInventory,
};
use crate::live::{AwsManagedKey, Expiry, KeyMetadata, LivePresence, MaterialStanding, Unreadable};
use crate::plan::{KeyPrice, Whose};
use crate::render::lint::lint_to_json;
use serde_json::{Map, Value, json};

/// The version of the form; it grows when a reader could misread the new form.
pub const INVENTORY_FORMAT_VERSION: u32 = 1;

/// Returns an inventory as JSON. What was not read is null, and named in `unreadable`.
pub fn inventory_to_json(inventory: &Inventory, usage: UsageDetail) -> Value {
    json!({
        "format_version": INVENTORY_FORMAT_VERSION,
        "stack": inventory.stack,
        "today": inventory.today.to_string(),
        "expiring_within_days": inventory.expiring,
        "targets": inventory.targets.iter().map(|target| of_target(target, inventory, usage)).collect::<Vec<_>>(),
        "summary": summary(inventory),
    })
}

fn summary(inventory: &Inventory) -> Value {
    let count = |wanted: &dyn Fn(&KeyEntry) -> bool| inventory.entries().filter(|entry| wanted(entry)).count();
    let mut classes = Map::new();
    for class in KeyClass::ALL {
        classes.insert(class.name().to_owned(), count(&|entry| entry.class() == class).into());
    }
    let of_aws: usize = inventory.targets.iter().map(|target| target.aws_managed.len()).sum();
    classes.insert("aws-managed".to_owned(), of_aws.into());
    json!({
        "keys": classes,
        "material_warnings": count(&|entry| entry.is_urgent(inventory.today)),
        "default_policies": count(&|entry| entry.default_policy == Some(true)),
        "not_read_in_full": count(&|entry| !entry.unreadable.is_empty()),
        "cost_per_month": price(inventory.cost()),
    })
}

fn of_target(target: &TargetInventory, inventory: &Inventory, usage: UsageDetail) -> Value {
    json!({
        "name": target.name,
        "account": target.account,
        "region": target.region,
        "backend": target.backend,
        "caller": target.caller,
        "keys": target.keys.iter().map(|entry| of_key(entry, inventory, usage)).collect::<Vec<_>>(),
        "aws_managed": target.aws_managed.iter().map(of_aws).collect::<Vec<_>>(),
        "absent": target.absent.iter().map(|absent| json!({ "key": absent.key, "why": absent.why })).collect::<Vec<_>>(),
        "unreadable": target.unreadable.iter().map(unreadable).collect::<Vec<_>>(),
    })
}

fn of_aws(key: &AwsManagedKey) -> Value {
    json!({ "arn": key.arn, "description": key.description })
}

fn unreadable(item: &Unreadable) -> Value {
    json!({ "what": item.what, "action": item.action, "message": item.message })
}

fn of_key(entry: &KeyEntry, inventory: &Inventory, usage: UsageDetail) -> Value {
    let metadata = entry.metadata.as_ref();
    let last_use = entry.last_usage.as_ref().filter(|_| usage == UsageDetail::Asked).map(|usage| {
        let last = usage.last.as_ref();
        json!({
            "tracked_since": usage.tracked_since.map(|at| at.to_string()),
            "operation": last.map(|(operation, _)| operation),
            "at": last.map(|(_, at)| at.to_string()),
        })
    });
    json!({
        "arn": entry.arn,
        "class": entry.class(),
        "name": entry.claimed_name(),
        "ownership": ownership(&entry.whose),
        "aliases": entry.aliases,
        "settings": metadata.map(settings),
        "rotation": rotation(entry),
        "last_use": last_use,
        "material": entry.material.as_ref().map(|found| material(found, entry, inventory)),
        "default_policy": entry.default_policy,
        "findings": entry.findings.as_ref().map(|found| found.iter().map(lint_to_json).collect::<Vec<_>>()),
        "cost_per_month": price(entry.price),
        "unreadable": entry.unreadable.iter().map(unreadable).collect::<Vec<_>>(),
    })
}

/// How it is known whose a key is.
fn ownership(whose: &Whose) -> Value {
    let (mut why, mut next, mut stack, mut owner) = (None, None, None, None);
    match whose {
        Whose::Declared { lacks, .. } => why = lacks.as_ref().map(|lacks| format!("it still lacks {lacks}")),
        Whose::Unclear { why: said, next: help, .. }
        | Whose::Orphan { why: said, next: help, .. }
        | Whose::Stray { why: said, next: help } => (why, next) = (Some(said.clone()), Some(help)),
        Whose::OtherStack { stack: named, owner: by, .. } => (stack, owner) = (Some(named), by.as_ref()),
        Whose::Foreign => {}
    }
    json!({ "why": why, "next": next, "stack": stack, "owner": owner })
}

fn settings(metadata: &KeyMetadata) -> Value {
    let regions = metadata.multi_region.then(|| {
        json!({
            "role": metadata.multi_region_type.map(|kind| kind.name()),
            "primary": metadata.primary_region,
            "replicas": metadata.replica_regions,
        })
    });
    json!({
        "state": metadata.state,
        "description": metadata.description,
        "spec": metadata.spec,
        "usage": metadata.usage,
        "origin": metadata.origin,
        "multi_region": regions,
        "key_store": metadata.store,
        "created": metadata.created.map(|at| at.to_string()),
        "deleted_at": metadata.deletion.map(|at| at.to_string()),
    })
}

fn rotation(entry: &KeyEntry) -> Value {
    let (standing, days) = match entry.rotation {
        RotationStanding::Every(days) => ("on", days),
        RotationStanding::Off => ("off", None),
        RotationStanding::ByImport => ("by-import", None),
        RotationStanding::Impossible => ("impossible", None),
        RotationStanding::Unknown => ("unknown", None),
    };
    let history = entry.rotations.as_ref();
    json!({
        "standing": standing,
        "every_days": days,
        "done": history.map(|history| history.done.len()),
        "last": history.and_then(|history| history.done.iter().map(|event| event.at).max()).map(|at| at.to_string()),
    })
}

fn material(found: &ImportedMaterial, entry: &KeyEntry, inventory: &Inventory) -> Value {
    json!({
        "wanted": match found.wanted {
            MaterialPresence::Imported => "imported",
            MaterialPresence::Deleted => "deleted",
        },
        "warning": entry.is_urgent(inventory.today),
        "warn_days": found.warn_days,
        "missing": found.is_missing(),
        "days_left": found.days_left(inventory.today),
        "materials": found.items.iter().map(|item| of_item(item, inventory)).collect::<Vec<_>>(),
    })
}

fn of_item(item: &ImportedItem, inventory: &Inventory) -> Value {
    let (presence, expires) = match item.presence {
        Some(LivePresence::Imported(Expiry::At(at))) => ("imported", Some(at.to_string())),
        Some(LivePresence::Imported(Expiry::Never)) => ("imported", None),
        Some(LivePresence::Missing) => ("missing", None),
        None => ("untold", None),
    };
    let never = item.presence == Some(LivePresence::Imported(Expiry::Never));
    json!({
        "id": item.id,
        "name": item.name,
        "standing": item.standing.map(standing),
        "presence": presence,
        "never_expires": never,
        "expires_at": expires,
        "days_left": item.days_left(inventory.today),
    })
}

fn standing(standing: MaterialStanding) -> &'static str {
    match standing {
        MaterialStanding::Current => "current",
        MaterialStanding::NonCurrent => "non-current",
        MaterialStanding::PendingRotation => "pending-rotation",
        MaterialStanding::PendingReplicas => "pending-replicas",
    }
}

fn price(price: KeyPrice) -> Value {
    let exact = matches!(price, KeyPrice::Exactly(_));
    json!({ "usd": format!("{}.00", price.dollars()), "exact": exact })
}
