//! The history of a key's rotations, for people.

use super::style::{Painter, Style};
use crate::ids::{KeyName, TargetName};
use crate::kms::ON_DEMAND_ROTATIONS;
use crate::live::LiveRotations;

/// How many of the newest rotations are shown.
const SHOWN: usize = 10;

/// Returns how much of a key's budget is used, and its newest rotations, newest first, with a newline at the end.
pub fn render_rotations(target: &TargetName, key: &KeyName, history: &LiveRotations, painter: Painter) -> String {
    let title = painter.paint(Style::Heading, format!("Rotations of {key} in {target}"));
    let mut lines = vec![format!("{title}: {} of {ON_DEMAND_ROTATIONS} on demand used", history.on_demand())];
    lines.extend(history.under_way_since.map(|since| format!("  since {since}  on demand, under way")));
    lines.extend(history.done.iter().rev().take(SHOWN).map(|event| {
        let kind = if event.on_demand { "on demand" } else { "automatic" };
        format!("  {}  {kind}", event.at)
    }));
    match history.done.len() {
        0 if history.under_way_since.is_none() => lines.push("  none yet".to_owned()),
        all if all > SHOWN => lines.push(format!("  … and {} earlier", all.saturating_sub(SHOWN))),
        _ => {}
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::LiveRotationEvent;

    fn rendered(history: &LiveRotations) -> String {
        render_rotations(&"prod".parse().unwrap(), &"ledger".parse().unwrap(), history, Painter::Plain)
    }

    #[test]
    fn the_newest_come_first_and_the_rest_is_counted() {
        assert_eq!(
            rendered(&LiveRotations::default()),
            "Rotations of ledger in prod: 0 of 25 on demand used\n  none yet\n"
        );
        let event = |day: i64| LiveRotationEvent {
            at: jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * day),
            on_demand: day % 2 == 0,
        };
        let under_way_since = Some("2026-11-24T00:00:00Z".parse().unwrap());
        let text = rendered(&LiveRotations { under_way_since, done: (0..12).map(event).collect() });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Rotations of ledger in prod: 7 of 25 on demand used");
        assert_eq!(lines[1], "  since 2026-11-24T00:00:00Z  on demand, under way");
        assert_eq!(lines[2], "  1970-01-12T00:00:00Z  automatic");
        assert_eq!(lines.last(), Some(&"  … and 2 earlier"));
    }
}
