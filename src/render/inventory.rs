//! An inventory for people: a table per target, class by class, and under each key what is worth knowing of it.

mod details;
mod json;
#[cfg(test)]
mod tests;

pub use json::{INVENTORY_FORMAT_VERSION, inventory_to_json};

use super::answer::wrap;
use super::lint::{LintDetail, LintGroup, render_lints};
use super::style::{Painter, Style};
use crate::inventory::{Inventory, KeyClass, KeyEntry, RotationStanding, TargetInventory, total};
use crate::lint::{LintFinding, LintSeverity};
use crate::live::Backend;
use crate::plan::{KeyPrice, PRICING};
use crate::text::{escape, plural};

/// The longest name that stands in its column; longer ones have a line of their own.
const NAME: usize = 30;
/// Where lines about a key begin.
const DETAIL: usize = 4;

/// Whether what is wrong with keys is told in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingDetail {
    /// The codes alone.
    Codes,
    /// Everything but what is only information.
    Full,
    /// Everything.
    Everything,
}

/// Whether it was asked when keys were used last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageDetail {
    /// It was.
    Asked,
    /// It was not.
    Unasked,
}

/// Returns an inventory as people read it, with a newline at its end.
pub fn render_inventory(inventory: &Inventory, painter: Painter, detail: (FindingDetail, UsageDetail)) -> String {
    let mut page = Page { out: String::new(), painter, usage: detail.1 };
    for target in &inventory.targets {
        page.target(target, inventory);
    }
    if detail.0 != FindingDetail::Codes {
        page.findings(inventory, detail.0);
    }
    page.summary(inventory);
    page.out
}

/// The text as it grows.
struct Page {
    out: String,
    painter: Painter,
    usage: UsageDetail,
}

/// What a row of the table says.
type Row = [(String, Option<Style>); 6];

const HEAD: [&str; 6] = ["KEY", "STATE", "SPEC", "ROTATION", "FINDINGS", "$/MONTH"];

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref().trim_end());
        self.out.push('\n');
    }

    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn paint(&self, style: Style, text: impl AsRef<str>) -> String {
        self.painter.paint(style, text.as_ref()).to_string()
    }

    /// Writes words that came from outside, if they did, escaped already; in more than one line where they are long.
    fn wrapped(&mut self, indent: usize, style: Option<Style>, text: &str) {
        for line in wrap(text, indent, indent + 2).lines() {
            let words = line.trim_start();
            let blanks = " ".repeat(line.chars().count() - words.chars().count());
            let words = style.map_or_else(|| words.to_owned(), |style| self.paint(style, words));
            self.line(format!("{blanks}{words}"));
        }
    }

    fn target(&mut self, target: &TargetInventory, inventory: &Inventory) {
        self.blank();
        let heading = self.paint(Style::Heading, format!("Target {}", target.name));
        let backend = match target.backend {
            Backend::Aws => "AWS",
            Backend::Sandbox => "sandbox",
            Backend::Endpoint => "custom endpoint",
        };
        self.line(format!("{heading} · {} · {} · {backend}", target.account, target.region));
        for item in &target.unreadable {
            let words = format!("not read: {} ({} was denied: {})", item.what, item.action, escape(&item.message));
            self.wrapped(2, Some(Style::Warning), &words);
        }
        let rows: Vec<Row> = target.keys.iter().map(row).collect();
        if !rows.is_empty() {
            self.table(target, inventory, &rows);
        }
        self.aws_managed(target);
        self.absent(target);
        if rows.is_empty() && target.aws_managed.is_empty() && target.absent.is_empty() {
            self.line(if inventory.expiring.is_some() { "  none of its keys" } else { "  no key" });
        }
    }

    fn table(&mut self, target: &TargetInventory, inventory: &Inventory, rows: &[Row]) {
        let widths = widths(rows);
        self.blank();
        let head = HEAD.map(|word| (word.to_owned(), Some(Style::Dim)));
        self.row(&head, &widths);
        let mut rows = rows.iter();
        for class in target.keys.chunk_by(|one, other| one.class() == other.class()) {
            let count = plural(class.len(), "key");
            let title = class.first().map(|entry| title(entry.class())).unwrap_or_default();
            let heading = self.paint(Style::Heading, title);
            self.line(format!("{heading}: {count}, {} a month", money(total(class.iter()))));
            for (entry, row) in class.iter().zip(rows.by_ref()) {
                self.row(row, &widths);
                for (style, words) in details::of(entry, inventory, self.usage) {
                    self.wrapped(DETAIL, style, &words);
                }
            }
        }
    }

    fn row(&mut self, row: &Row, widths: &[usize; 6]) {
        let mut line = String::from("  ");
        let [(name, _), ..] = row;
        if name.chars().count() > NAME {
            self.wrapped(2, None, name);
        }
        for (at, ((text, style), width)) in row.iter().zip(widths).enumerate() {
            let shown = if at == 0 && text.chars().count() > NAME { "" } else { text };
            let blanks = " ".repeat(width.saturating_sub(shown.chars().count()));
            let text = style.map_or_else(|| shown.to_owned(), |style| self.paint(style, shown));
            line.push_str(&text);
            line.push_str(&blanks);
            line.push_str("  ");
        }
        self.line(line);
    }

    fn aws_managed(&mut self, target: &TargetInventory) {
        if target.aws_managed.is_empty() {
            return;
        }
        let heading = self.paint(Style::Heading, "AWS-managed");
        let count = plural(target.aws_managed.len(), "key");
        self.line(format!("{heading}: {count}, free of charge; AWS rotates them every year"));
        for key in &target.aws_managed {
            self.wrapped(2, None, &format!("{}  {}", key.arn.key_id(), escape(&key.description)));
        }
    }

    fn absent(&mut self, target: &TargetInventory) {
        if target.absent.is_empty() {
            return;
        }
        let heading = self.paint(Style::Heading, "Declared, and not there");
        self.line(format!("{heading}: {}", plural(target.absent.len(), "key")));
        for absent in &target.absent {
            let why = absent.why.as_ref().map(|why| format!(": {}", escape(why))).unwrap_or_default();
            self.wrapped(2, None, &format!("{}{why}", absent.key));
        }
    }

    /// What is wrong with keys, in full, as `access lint` tells it.
    fn findings(&mut self, inventory: &Inventory, detail: FindingDetail) {
        let groups = inventory.targets.iter().flat_map(|target| {
            target.keys.iter().map(|entry| LintGroup {
                name: format!("{} ({}, target {})", entry.arn, entry.name(), target.name),
                findings: entry.findings.clone().unwrap_or_default(),
            })
        });
        let groups: Vec<LintGroup> = groups.collect();
        let detail = match detail {
            FindingDetail::Codes | FindingDetail::Full => LintDetail::Warnings,
            FindingDetail::Everything => LintDetail::Everything,
        };
        self.blank();
        self.out.push_str(&render_lints(&groups, self.painter, detail));
    }

    fn summary(&mut self, inventory: &Inventory) {
        self.blank();
        if let Some(days) = inventory.expiring {
            return self.expiring(inventory, days);
        }
        let entries = || inventory.entries();
        let of_aws: usize = inventory.targets.iter().map(|target| target.aws_managed.len()).sum();
        let counts = KeyClass::ALL.map(|class| (entries().filter(|entry| entry.class() == class).count(), word(class)));
        let counts = counts.into_iter().chain([(of_aws, "AWS-managed")]).filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
        let mut parts = vec![format!("{}{counts}", plural(entries().count() + of_aws, "key"))];
        let warned = entries().filter(|entry| entry.is_urgent(inventory.today)).count();
        let default = entries().filter(|entry| entry.default_policy == Some(true)).count();
        let partly = entries().filter(|entry| !entry.unreadable.is_empty()).count();
        for (count, noun, words) in [
            (warned, "key", "whose imported material expires soon or is missing"),
            (default, "key", "with the default policy"),
            (partly, "key", "not read in full"),
        ] {
            parts.extend((count > 0).then(|| format!("{} {words}", plural(count, noun))));
        }
        parts.push(format!("{} a month", money(inventory.cost())));
        self.wrapped(0, None, &parts.join(" · "));
        self.wrapped(0, Some(Style::Dim), &format!("Prices are those of keys, calls come on top: {PRICING}"));
        if self.usage == UsageDetail::Unasked {
            let hint = "The last use was not asked for: --last-use tells it, with a call a key";
            self.wrapped(0, Some(Style::Dim), hint);
        }
    }

    fn expiring(&mut self, inventory: &Inventory, days: u16) {
        let (within, untold) = inventory.expiring_counts(days);
        let days = plural(usize::from(days), "day");
        let words = match within {
            0 => format!("No imported material that can be told of expires within {days}"),
            count => format!("{} whose imported material expires within {days}, or is missing", plural(count, "key")),
        };
        self.wrapped(0, None, &words);
        if untold > 0 {
            let words = format!("{}: whether its material expires cannot be told", plural(untold, "key"));
            self.wrapped(0, Some(Style::Warning), &words);
        }
    }
}

fn widths(rows: &[Row]) -> [usize; 6] {
    let mut widths = HEAD.map(str::len);
    for row in rows {
        for (at, ((text, _), width)) in row.iter().zip(&mut widths).enumerate() {
            let length = text.chars().count();
            *width = (*width).max(if at == 0 && length > NAME { 0 } else { length });
        }
    }
    widths
}

fn row(entry: &KeyEntry) -> Row {
    const UNREAD: &str = "not read";
    let warned = |text: &str| (text.to_owned(), Some(Style::Warning));
    let metadata = entry.metadata.as_ref();
    let plain = |text: Option<&str>| text.map_or_else(|| warned(UNREAD), |text| (text.to_owned(), None));
    let rotation = match entry.rotation {
        RotationStanding::Every(Some(days)) => (plural(usize::from(days), "day"), None),
        RotationStanding::Every(None) => ("on".to_owned(), None),
        RotationStanding::Off => warned("off"),
        RotationStanding::ByImport => ("by import".to_owned(), None),
        RotationStanding::Impossible => ("–".to_owned(), None),
        RotationStanding::Unknown => warned(UNREAD),
    };
    let findings = entry.findings.as_ref().map_or_else(|| warned(UNREAD), |findings| counted(findings));
    let price = match entry.price {
        KeyPrice::Exactly(dollars) => format!("{dollars}.00"),
        KeyPrice::AtLeast(dollars) => format!("≥ {dollars}.00"),
    };
    [
        (escape(&entry.name()).into_owned(), None),
        plain(metadata.map(|metadata| metadata.state.name())),
        plain(metadata.map(|metadata| metadata.spec.name())),
        rotation,
        findings,
        (price, None),
    ]
}

/// Counts the gravest findings, and the others; what is only information is not counted.
fn counted(findings: &[LintFinding]) -> (String, Option<Style>) {
    let counted: Vec<LintSeverity> =
        findings.iter().map(|finding| finding.severity).filter(|severity| *severity > LintSeverity::Info).collect();
    let Some(gravest) = counted.iter().max() else { return ("none".to_owned(), None) };
    let first = counted.iter().filter(|severity| *severity == gravest).count();
    let others = counted.len() - first;
    let more = if others > 0 { format!(" +{others}") } else { String::new() };
    let style = match gravest {
        LintSeverity::Critical | LintSeverity::High => Some(Style::Error),
        LintSeverity::Medium => Some(Style::Warning),
        LintSeverity::Low | LintSeverity::Info => None,
    };
    (format!("{first} {gravest}{more}"), style)
}

fn money(price: KeyPrice) -> String {
    match price {
        KeyPrice::Exactly(dollars) => format!("${dollars}.00"),
        KeyPrice::AtLeast(dollars) => format!("at least ${dollars}.00"),
    }
}

fn title(class: KeyClass) -> &'static str {
    match class {
        KeyClass::Ours => "Ours",
        KeyClass::Unclear => "Unclear whose",
        KeyClass::Stray => "Strays of ours",
        KeyClass::Orphan => "Orphans: our tags, and not declared here",
        KeyClass::OtherStack => "Of other stacks of keywright",
        KeyClass::Foreign => "Foreign",
    }
}

fn word(class: KeyClass) -> &'static str {
    match class {
        KeyClass::Ours => "ours",
        KeyClass::Unclear => "unclear",
        KeyClass::Stray => "stray",
        KeyClass::Orphan => "orphaned",
        KeyClass::OtherStack => "of other stacks",
        KeyClass::Foreign => "foreign",
    }
}
