//! Lints for people and for machines: grouped by what they are about, the gravest first.

use super::style::{Painter, Style};
use crate::lint::{LintFinding, LintPlace, LintSeverity};
use crate::text::{escape, plural};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::fmt::Write as _;

/// What was found about one key or identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintGroup {
    /// How people call it, with its ARN where there is one.
    pub name: String,
    /// What was found, the gravest first.
    pub findings: Vec<LintFinding>,
}

/// How much is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LintDetail {
    /// What is more than information.
    Warnings,
    /// Everything.
    Everything,
}

/// The severities, the gravest first.
const SEVERITIES: [LintSeverity; 5] =
    [LintSeverity::Critical, LintSeverity::High, LintSeverity::Medium, LintSeverity::Low, LintSeverity::Info];

/// Returns findings as text: a block for each group that has any to show, and a count at the end.
pub fn render_lints(groups: &[LintGroup], painter: Painter, detail: LintDetail) -> String {
    let least = match detail {
        LintDetail::Warnings => LintSeverity::Low,
        LintDetail::Everything => LintSeverity::Info,
    };
    let mut out = String::new();
    for group in ordered(groups) {
        let shown: Vec<&LintFinding> = group.findings.iter().filter(|one| one.severity >= least).collect();
        if !shown.is_empty() {
            let _written = writeln!(out, "{}", painter.paint(Style::Heading, escape(&group.name)));
            for finding in shown {
                block(finding, painter, &mut out);
            }
            out.push('\n');
        }
    }
    out.push_str(&summary(groups, detail));
    out.push('\n');
    out
}

fn ordered(groups: &[LintGroup]) -> Vec<&LintGroup> {
    let mut ordered: Vec<&LintGroup> = groups.iter().collect();
    let gravest = |group: &LintGroup| group.findings.iter().map(|finding| finding.severity).max();
    ordered.sort_by_key(|group| (Reverse(gravest(group)), group.name.clone()));
    ordered
}

fn block(finding: &LintFinding, painter: Painter, out: &mut String) {
    let severity = painter.paint(style(finding.severity), finding.severity);
    let code = painter.paint(Style::Dim, format!("({})", finding.code.name()));
    let place = finding.place.to_string();
    let _written = writeln!(out, "  {severity}: {}: {} {code}", escape(&place), escape(&finding.message));
    let _written = writeln!(out, "    help: {}", escape(&finding.remedy));
    if !finding.controls.is_empty() {
        let _written = writeln!(out, "    asked for by: {}", finding.controls.join(", "));
    }
}

fn style(severity: LintSeverity) -> Style {
    match severity {
        LintSeverity::Critical | LintSeverity::High => Style::Error,
        LintSeverity::Medium => Style::Warning,
        LintSeverity::Low | LintSeverity::Info => Style::Dim,
    }
}

fn counts(groups: &[LintGroup]) -> Vec<(LintSeverity, usize)> {
    let all = || groups.iter().flat_map(|group| &group.findings);
    SEVERITIES.map(|severity| (severity, all().filter(|one| one.severity == severity).count())).to_vec()
}

fn summary(groups: &[LintGroup], detail: LintDetail) -> String {
    let counts = counts(groups);
    let shown = |severity: LintSeverity| severity > LintSeverity::Info || detail == LintDetail::Everything;
    let words: Vec<String> = counts
        .iter()
        .filter(|(severity, count)| *count > 0 && shown(*severity))
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    let total = counts.iter().filter(|(severity, _)| shown(*severity)).map(|(_, count)| count).sum();
    let hidden: usize = counts.iter().filter(|(severity, _)| !shown(*severity)).map(|(_, count)| count).sum();
    let more = if hidden > 0 { format!("; --verbose shows {} more", plural(hidden, "remark")) } else { String::new() };
    let parts = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    format!("{}{parts}{more}", plural(total, "finding"))
}

/// Returns findings as JSON, of every severity.
pub fn lints_to_json(groups: &[LintGroup]) -> Value {
    let summary: Map<String, Value> =
        counts(groups).into_iter().map(|(severity, count)| (severity.to_string(), count.into())).collect();
    json!({
        "format_version": super::json::FORMAT_VERSION,
        "summary": summary,
        "groups": ordered(groups).into_iter().map(|group| json!({
            "name": group.name,
            "findings": group.findings.iter().map(lint_to_json).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

/// Returns a finding as JSON.
pub fn lint_to_json(finding: &LintFinding) -> Value {
    json!({
        "code": finding.code.name(),
        "severity": finding.severity,
        "message": finding.message,
        "remedy": finding.remedy,
        "place": place(&finding.place),
        "controls": finding.controls,
    })
}

/// Statements are counted from 1, as people do.
fn place(place: &LintPlace) -> Value {
    match place {
        LintPlace::Key => json!({ "kind": "key" }),
        LintPlace::Policy => json!({ "kind": "policy" }),
        LintPlace::Statement { index, sid } => json!({ "kind": "statement", "statement": index + 1, "sid": sid }),
        LintPlace::Grant { id } => json!({ "kind": "grant", "grant": id }),
        LintPlace::Identity { policy, index, sid } => {
            json!({ "kind": "identity_policy", "policy": policy, "statement": index + 1, "sid": sid })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::lint_document;

    fn groups() -> Vec<LintGroup> {
        let lint = |text: &str| lint_document(text, None).unwrap();
        let public = r#"{"Version":"2012-10-17","Statement":[{"Sid":"All\u001b[2J","Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}]}"#;
        let default = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}]}"#;
        vec![
            LintGroup { name: "a default".to_owned(), findings: lint(default) },
            LintGroup { name: "public \u{202e}".to_owned(), findings: lint(public) },
        ]
    }

    #[test]
    fn text_shows_the_gravest_first_and_harmlessly() {
        assert_eq!(
            render_lints(&groups(), Painter::Plain, LintDetail::Warnings),
            "public \\u{202e}\n  \
               critical: statement 1 `All\\u{1b}[2J`: anybody may call kms:Decrypt: \
             `arn:aws:iam::999999999889:role/unnamed`, which nothing names, is allowed (public-access)\n    \
                 help: name who is allowed, or add a condition of fixed value on aws:PrincipalOrgID, \
             aws:PrincipalAccount, kms:CallerAccount, aws:SourceAccount or an ARN with its account\n    \
                 asked for by: Security Hub KMS.5, AWS Config kms-key-policy-no-public-access\n\n\
             1 finding: 1 critical; --verbose shows 1 remark more\n"
        );
        let everything = render_lints(&groups(), Painter::Plain, LintDetail::Everything);
        assert!(everything.contains("a default\n  info: statement 1: the account's IAM policies"), "{everything}");
        assert!(everything.ends_with("2 findings: 1 critical, 1 info\n"), "{everything}");
    }

    #[test]
    fn json_has_every_severity_and_where_it_is() {
        let value = lints_to_json(&groups());
        assert_eq!(value["summary"], json!({"critical": 1, "high": 0, "medium": 0, "low": 0, "info": 1}));
        let first = &value["groups"][0]["findings"][0];
        assert_eq!(first["place"], json!({"kind": "statement", "statement": 1, "sid": "All\u{1b}[2J"}));
        assert_eq!(first["controls"][0], "Security Hub KMS.5");
        assert_eq!(value["groups"][1]["findings"][0]["code"], "iam-delegated");
    }
}
