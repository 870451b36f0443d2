//! The words that all forms of a difference share.

use crate::diff::{Difference, MaterialChange, Presence, PropertyDifference, Side, Summary, TargetDifference};
use crate::live::Backend;
use crate::review::{Risk, Witness};
use crate::snapshot::Origin;
use crate::text::plural;

/// What the words depend on: whether each side is declared or live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    old: Origin,
    new: Origin,
}

impl Words {
    pub(super) fn of(difference: &Difference) -> Self {
        Self { old: difference.old.origin, new: difference.new.origin }
    }

    /// Returns what it means that something is on one side only, or elsewhere.
    pub(super) fn presence(self, presence: &Presence) -> String {
        let text = match (presence, self.old, self.new) {
            (Presence::Both, _, _) => "",
            (Presence::MovedFrom(target), _, _) => {
                return format!("was in target {target}: another key of the same name; the old one stays as it is");
            }
            (Presence::Added, Origin::Manifest, Origin::Live) => "exists, and is not declared",
            (Presence::Added, Origin::Live, Origin::Manifest) => "declared, and does not exist yet",
            (Presence::Added, Origin::Manifest, Origin::Manifest) | (Presence::Added, Origin::Live, Origin::Live) => {
                "new"
            }
            (Presence::Removed, Origin::Manifest, Origin::Manifest) => {
                "no longer declared: it stays as it is, and nobody loses anything by that alone"
            }
            (Presence::Removed, Origin::Live, Origin::Manifest) => {
                "exists, and is not declared: it stays as it is, and nobody loses anything by that alone"
            }
            (Presence::Removed, Origin::Manifest, Origin::Live) => "declared, and does not exist",
            (Presence::Removed, Origin::Live, Origin::Live) => "gone",
        };
        text.to_owned()
    }

    /// Returns the account and Region of a target, before and after where they differ.
    pub(super) fn place(self, target: &TargetDifference) -> String {
        let spelled = target.before.as_ref().zip(target.after.as_ref());
        let place = match (spelled, &target.before, &target.after) {
            (Some((before, after)), _, _) if before != after => {
                format!("{}, {} → {}, {}", before.0, before.1, after.0, after.1)
            }
            (_, _, Some((account, region))) | (_, Some((account, region)), None) => format!("{account} · {region}"),
            (_, None, None) => String::new(),
        };
        match (&target.presence, self.presence(&target.presence)) {
            (Presence::Added, _) => format!("{place} · new"),
            (Presence::Removed, _) => format!("{place} · not on the new side"),
            (Presence::Both | Presence::MovedFrom(_), _) => place,
        }
    }

    /// Returns a property's values, before and after.
    pub(super) fn change(self, change: &PropertyDifference) -> String {
        let lacking = if self.new == Origin::Manifest { "not declared" } else { "none" };
        match (&change.before, &change.after) {
            (Some(before), Some(after)) => format!("{} → {}", shown(before), shown(after)),
            (None, Some(after)) => shown(after).to_owned(),
            (Some(before), None) => format!("{} → {lacking}", shown(before)),
            (None, None) => String::new(),
        }
    }
}

/// Returns an operand, and what answered where that was not AWS.
pub(super) fn operand(side: &Side) -> String {
    let backends: Vec<&str> = side
        .backends
        .iter()
        .filter_map(|backend| match backend {
            Backend::Aws => None,
            Backend::Sandbox => Some("sandbox"),
            Backend::Endpoint => Some("custom endpoint"),
        })
        .collect();
    if backends.is_empty() { side.label.clone() } else { format!("{} ({})", side.label, backends.join(", ")) }
}

/// An empty text is shown as such.
fn shown(text: &str) -> &str {
    if text.is_empty() { "(empty)" } else { text }
}

/// Returns what becomes of a change of imported material: in one word, and why.
pub(super) fn material(change: &MaterialChange) -> (&'static str, String) {
    match change {
        MaterialChange::Rotates { material } => (
            "rotates",
            format!("to material {material} once it is imported; what the older ones encrypted still opens with them"),
        ),
        MaterialChange::NotLast { material } => (
            "not imported",
            format!("material {material} is new and not the last: a key rotates to new material, so append it"),
        ),
        MaterialChange::Refused { before, after, spec } => (
            "refused",
            format!(
                "a key of {spec} keeps its first material, {before}, for good: KMS takes {after} only if it is the same                  one; for other material make a new key and move the aliases"
            ),
        ),
        MaterialChange::Undeclared { material } => (
            "undeclared",
            format!("material {material} stays, and nobody imports it again: without it the key cannot be used"),
        ),
        MaterialChange::Deletes => (
            "deletes",
            "its material, with consent: every use fails until the same material is imported again".to_owned(),
        ),
    }
}

/// Returns a request in words.
pub(super) fn witness(witness: &Witness) -> String {
    let context: Vec<String> = witness.context.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let with = if context.is_empty() { String::new() } else { format!(" with {}", context.join(", ")) };
    format!("{} by {}{with}", witness.action, witness.principal)
}

/// Returns the line that sums a difference up.
pub(super) fn summary(summary: &Summary) -> String {
    if *summary == Summary::default() {
        return "Diff: no difference".to_owned();
    }
    let counts = [
        (summary.changed, "changed"),
        (summary.added, "added"),
        (summary.removed, "removed"),
        (summary.moved, "moved"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let counts = if counts.is_empty() { "no key or role differs".to_owned() } else { counts.join(", ") };
    let gravest = summary.gravest.filter(|risk| *risk > Risk::Routine);
    let gravest = gravest.map(|risk| format!(" (gravest: {})", risk.name())).unwrap_or_default();
    let undecided = match summary.undecided {
        0 => String::new(),
        count => format!(" · {} not compared", plural(count, "part")),
    };
    format!(
        "Diff: {counts} · {}{gravest}, {}{undecided}",
        plural(summary.gains, "gain"),
        plural(summary.losses, "loss")
    )
}
