//! The lines under a key: its id and aliases, what it is, whose it is, its end, its material, its use, what is wrong.

use super::UsageDetail;
use crate::desired::MaterialPresence;
use crate::inventory::{ImportedItem, ImportedMaterial, Inventory, KeyEntry};
use crate::kms::Origin;
use crate::lint::{LintFinding, LintSeverity};
use crate::live::{KeyMetadata, LivePresence, LiveRotations, LiveUsage, MaterialStanding, MultiRegionType};
use crate::plan::Whose;
use crate::render::style::Style;
use crate::text::{and_list, escape, plural};
use jiff::civil::Date;

/// A line, escaped, and how it is shown.
type Line = (Option<Style>, String);

/// Returns the lines of a key.
pub(super) fn of(entry: &KeyEntry, inventory: &Inventory, usage: UsageDetail) -> Vec<Line> {
    let mut lines = vec![(Some(Style::Dim), names(entry))];
    let plain = |text: Option<String>| text.map(|text| (None, text));
    lines.extend(plain(entry.metadata.as_ref().and_then(kind)));
    lines.extend(whose(&entry.whose));
    lines.extend(entry.metadata.as_ref().and_then(|metadata| end(metadata, inventory.today)));
    lines.extend(plain(entry.rotations.as_ref().and_then(rotated)));
    if let Some(found) = &entry.material {
        lines.extend(material(found, entry, inventory.today));
    }
    lines.extend(plain(last_use(entry, usage)));
    if entry.default_policy == Some(true) {
        lines
            .push((Some(Style::Warning), "default policy: the account's IAM policies alone decide who may".to_owned()));
    }
    lines.extend(plain(entry.findings.as_deref().and_then(codes)));
    for item in &entry.unreadable {
        let words = format!("not read: {} ({}: {})", item.what, escape(&item.action), escape(&item.message));
        lines.push((Some(Style::Warning), words));
    }
    lines
}

fn names(entry: &KeyEntry) -> String {
    let shown = entry.name();
    let id = entry.arn.key_id().to_string();
    let aliases = entry.aliases.iter().flatten().map(ToString::to_string).filter(|alias| *alias != shown);
    let unread = entry.aliases.is_none().then(|| "aliases not read".to_owned());
    std::iter::once(id).chain(aliases).chain(unread).collect::<Vec<_>>().join(" · ")
}

/// What is not usual about it.
fn kind(metadata: &KeyMetadata) -> Option<String> {
    let mut parts = Vec::new();
    if metadata.spec.only_usage().is_none() {
        parts.push(metadata.usage.name().to_owned());
    }
    match (metadata.origin, &metadata.store) {
        (Origin::AwsKms, _) => {}
        (Origin::External, _) => parts.push("imported material".to_owned()),
        (Origin::AwsCloudHsm | Origin::ExternalKeyStore, Some(store)) => {
            parts.push(format!("{}, key store {store}", metadata.origin));
        }
        (Origin::AwsCloudHsm | Origin::ExternalKeyStore, None) => parts.push(metadata.origin.to_string()),
    }
    if metadata.multi_region {
        parts.push(regions(metadata));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn regions(metadata: &KeyMetadata) -> String {
    let replicas: Vec<String> = metadata.replica_regions.iter().map(ToString::to_string).collect();
    let primary = metadata.primary_region.as_ref().map(|region| format!(" of {region}")).unwrap_or_default();
    match metadata.multi_region_type {
        Some(MultiRegionType::Primary) if replicas.is_empty() => "multi-Region primary without a replica".to_owned(),
        Some(MultiRegionType::Primary) => format!("multi-Region primary, replicas in {}", and_list(&replicas)),
        Some(MultiRegionType::Replica) => format!("multi-Region replica{primary}"),
        None => "multi-Region key".to_owned(),
    }
}

fn whose(whose: &Whose) -> Vec<Line> {
    let said = |style: Style, why: &str, next: &str| {
        vec![(Some(style), escape(why).into_owned()), (None, format!("help: {}", escape(next)))]
    };
    match whose {
        Whose::Declared { lacks: Some(lacks), .. } => {
            vec![(Some(Style::Warning), format!("it still lacks {lacks}: `keywright apply` writes it"))]
        }
        Whose::Declared { lacks: None, .. } | Whose::Foreign => Vec::new(),
        Whose::Unclear { why, next, .. } | Whose::Stray { why, next } => said(Style::Warning, why, next),
        Whose::Orphan { why, next, .. } => said(Style::Changed, why, next),
        Whose::OtherStack { stack, owner, .. } => {
            let owner = owner.as_ref().map(|owner| format!(", manifest {}", escape(owner))).unwrap_or_default();
            vec![(None, format!("stack {}{owner}", escape(stack)))]
        }
    }
}

fn end(metadata: &KeyMetadata, today: Date) -> Option<Line> {
    if !metadata.state.is_pending_deletion() {
        return None;
    }
    let words = match (metadata.deletion, metadata.deletion_window) {
        (Some(at), _) => {
            let left = crate::inventory::days_left(crate::live::Expiry::At(at), today).unwrap_or_default();
            format!("it is deleted on {}, {}", day(at), until(left))
        }
        (None, Some(days)) => {
            format!("it is deleted {} after the last of its replicas", plural(usize::from(days), "day"))
        }
        (None, None) => "the server does not tell when it is deleted".to_owned(),
    };
    Some((Some(Style::Removed), words))
}

fn day(at: jiff::Timestamp) -> Date {
    jiff::tz::Offset::UTC.to_datetime(at).date()
}

/// Days from now, in words.
fn until(days: i64) -> String {
    let count = plural(usize::try_from(days.unsigned_abs()).unwrap_or(usize::MAX), "day");
    match days {
        0 => "today".to_owned(),
        1.. => format!("in {count}"),
        _ => format!("{count} ago"),
    }
}

fn rotated(history: &LiveRotations) -> Option<String> {
    let done = history.done.len();
    let last = history.done.iter().map(|event| event.at).max();
    let under_way =
        history.under_way_since.map(|since| format!("a rotation on demand is under way since {}", day(since)));
    let past = last.map(|last| format!("rotated {}, last on {}", plural(done, "time"), day(last)));
    let parts: Vec<String> = past.into_iter().chain(under_way).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn material(found: &ImportedMaterial, entry: &KeyEntry, today: Date) -> Vec<Line> {
    if found.wanted == MaterialPresence::Deleted && found.is_missing() {
        return vec![(None, "its material is deleted, as declared: it cannot be used".to_owned())];
    }
    if found.items.is_empty() {
        let words = "no material was imported yet: it cannot be used".to_owned();
        return vec![(Some(Style::Warning), words)];
    }
    let stays = !entry.metadata.as_ref().is_some_and(|metadata| metadata.state.is_pending_deletion());
    let line = |item: &ImportedItem| {
        let gone = item.presence == Some(LivePresence::Missing);
        let soon = item.days_left(today).is_some_and(|days| days <= found.warn_days);
        let style = (stays && (gone || soon)).then_some(Style::Warning);
        (style, of_item(item, today))
    };
    found.items.iter().map(line).collect()
}

fn of_item(item: &ImportedItem, today: Date) -> String {
    let name = item.name.as_ref().map(|name| format!(" `{}`", escape(name))).unwrap_or_default();
    let standing = match item.standing {
        Some(MaterialStanding::Current) | None => "",
        Some(MaterialStanding::NonCurrent) => " of before a rotation",
        Some(MaterialStanding::PendingRotation) => " that waits for a rotation",
        Some(MaterialStanding::PendingReplicas) => " that waits for its import in other Regions",
    };
    let what = format!("material{name}{standing}");
    match (item.presence, item.days_left(today)) {
        (None, _) => format!("{what}: the server does not tell when it expires"),
        (Some(LivePresence::Imported(crate::live::Expiry::At(at))), Some(days)) => {
            let verb = if days < 0 { "expired" } else { "expires" };
            format!("{what} {verb} {}, on {}", until(days), day(at))
        }
        (Some(LivePresence::Imported(_)), _) => format!("{what} never expires"),
        (Some(LivePresence::Missing), _) if item.standing.is_some() => format!(
            "{what} is missing, since it expired or was deleted: the key works again once the same is imported again"
        ),
        (Some(LivePresence::Missing), _) => {
            format!("{what} is missing: it was not imported yet, expired, or was deleted")
        }
    }
}

fn last_use(entry: &KeyEntry, usage: UsageDetail) -> Option<String> {
    let LiveUsage { tracked_since, last } = entry.last_usage.as_ref().filter(|_| usage == UsageDetail::Asked)?;
    let since = tracked_since.map(|since| format!(" (tracked since {})", day(since))).unwrap_or_default();
    Some(match last {
        Some((operation, at)) => format!("last used on {}: {}{since}", day(*at), escape(operation)),
        None => format!("no use is known{since}"),
    })
}

/// The codes of what is wrong, by severity.
fn codes(findings: &[LintFinding]) -> Option<String> {
    let severities = [LintSeverity::Critical, LintSeverity::High, LintSeverity::Medium, LintSeverity::Low];
    let parts = severities.iter().filter_map(|severity| {
        let of = || findings.iter().filter(|finding| finding.severity == *severity);
        let mut codes: Vec<&str> = Vec::new();
        for code in of().map(|finding| finding.code.name()) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        (!codes.is_empty()).then(|| format!("{} {severity} ({})", of().count(), codes.join(", ")))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("findings: {}", parts.join(", ")))
}
