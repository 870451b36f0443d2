//! What an inventory looks like, how wide it is, and that its JSON has the form of its schema.

use super::*;
use crate::inventory::tests::{everything, taken, taken_with};
use crate::ports::PortErrorKind;
use crate::ports::fake::{Strike, Which};
use crate::read::LastUse;
use crate::text::is_hostile;
use serde_json::Value;

const BRIEF: (FindingDetail, UsageDetail) = (FindingDetail::Codes, UsageDetail::Unasked);

fn shown(inventory: &Inventory, detail: (FindingDetail, UsageDetail)) -> String {
    render_inventory(inventory, Painter::Plain, detail)
}

#[test]
fn every_class_is_a_group_and_every_key_a_row() {
    insta::assert_snapshot!(shown(&taken(&everything()), BRIEF));
}

#[test]
fn what_was_not_read_is_said_of_each_key() {
    let world = everything();
    for call in ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListAliases", "kms:GetKeyLastUsage"] {
        world.aws.fail(call, Which::Every, Strike::Before, PortErrorKind::Denied);
    }
    let text = shown(&taken_with(&world, LastUse::Asked), (FindingDetail::Codes, UsageDetail::Asked));
    let unread = text.matches("not read: its settings and state (kms:DescribeKey: injected Denied)").count();
    // The key of AWS's own cannot be told from the others.
    assert_eq!(unread, 10, "{text}");
    assert!(text.contains("aliases not read") && text.contains("10 keys not read in full"), "{text}");
    assert!(text.contains("at least $"), "{text}");
}

#[test]
fn lines_are_narrow_and_cannot_be_forged() {
    let world = everything();
    let found = taken_with(&world, LastUse::Asked);
    for painter in [Painter::Plain, Painter::Ansi] {
        let text = render_inventory(&found, painter, (FindingDetail::Codes, UsageDetail::Asked));
        if painter == Painter::Plain {
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= 100, "{widest}\n{text}");
        }
        assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    }
    assert!(shown(&found, BRIEF).contains("`2026\\u{1b}[2J`"));
    let json = crate::render::json::to_text(&inventory_to_json(&found, UsageDetail::Asked));
    assert!(!json.chars().any(|c| c != '\n' && is_hostile(c)));
}

#[test]
fn findings_are_told_in_full_when_asked_for() {
    let found = taken(&everything());
    assert!(!shown(&found, BRIEF).contains("help: name who is allowed"));
    let full = shown(&found, (FindingDetail::Full, UsageDetail::Unasked));
    assert!(full.contains("critical: statement 1 `Open`") && full.contains("help: name who is allowed"), "{full}");
    let everything = shown(&found, (FindingDetail::Everything, UsageDetail::Unasked));
    assert!(everything.len() > full.len());
}

#[test]
fn what_expires_is_counted_in_place_of_everything() {
    let mut found = taken(&everything());
    found.only_expiring(12);
    let text = shown(&found, BRIEF);
    assert!(text.ends_with("1 key whose imported material expires within 12 days, or is missing\n"), "{text}");
    let mut found = taken(&everything());
    found.only_expiring(3);
    let text = shown(&found, BRIEF);
    assert!(text.ends_with("No imported material that can be told of expires within 3 days\n"), "{text}");
}

#[test]
fn the_json_has_the_form_of_its_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../schemas/inventory.schema.json")).unwrap();
    let world = everything();
    let mut inventories = vec![taken(&world), taken_with(&world, LastUse::Asked)];
    world.aws.fail("kms:DescribeKey", Which::Every, Strike::Before, PortErrorKind::Denied);
    world.aws.fail("kms:ListAliases", Which::Every, Strike::Before, PortErrorKind::Denied);
    inventories.push(taken(&world));
    for inventory in &inventories {
        let (document, mut faults) = (inventory_to_json(inventory, UsageDetail::Asked), Vec::new());
        crate::plan::tests::json::faults(&schema, &schema, &document, "inventory", &mut faults);
        assert!(faults.is_empty(), "{faults:#?}");
    }
    let document = inventory_to_json(&inventories[0], UsageDetail::Unasked);
    let keys = document["targets"][0]["keys"].as_array().unwrap();
    let vault = keys.iter().find(|key| key["aliases"][0] == "alias/vault").unwrap();
    assert_eq!(vault["material"]["days_left"], 12);
    assert_eq!(vault["material"]["materials"][1]["never_expires"], true);
    assert_eq!(document["summary"]["keys"]["foreign"], 3);
}
