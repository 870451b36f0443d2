//! What `verify` found, for people and for machines: a block per key and identity, and what was not checked, and why.

use super::json::FORMAT_VERSION;
use super::style::{Painter, Style};
use crate::report::{Completeness, Expectation, ExpiryWarning, Probe, ProbeResult, VerifyReport};
use crate::text::escape;

mod compact;

/// What being evaluated means.
const JUDGED: &str = "≈ evaluated: judged on the live key policy and not called, since the call would change something or \
                      only a service can make it\n";

/// How many scenarios a line of like results names before it goes on in the next.
const LINE: usize = 100;

/// How much of the report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What failed or was not checked in full, all else in a few lines per key.
    Compact,
    /// Every probe: `--verbose`.
    Full,
}

/// Returns the report as people read it, with a newline at its end.
pub fn render_verify(report: &VerifyReport, painter: Painter, completeness: Completeness, detail: Detail) -> String {
    let mut page = Page { out: String::new(), painter };
    for key in report.probes.chunk_by(|a, b| (&a.target, &a.key) == (&b.target, &b.key)) {
        if !page.out.is_empty() {
            page.out.push('\n');
        }
        match detail {
            Detail::Compact => page.out.push_str(&compact::key(key, painter)),
            Detail::Full => page.key(key),
        }
    }
    page.warnings(report);
    page.summary(report, completeness, detail);
    page.out
}

/// Returns the report as JSON.
pub fn verify_to_json(report: &VerifyReport) -> serde_json::Value {
    let probes: Vec<serde_json::Value> = report.probes.iter().map(probe_to_json).collect();
    let counts = Counts::of(report);
    serde_json::json!({
        "format_version": FORMAT_VERSION,
        "probes": probes,
        "summary": {
            "passed": counts.passed,
            "failed": counts.failed,
            "evaluated": counts.evaluated,
            "not_checked": counts.not_checked,
        },
        "warnings": report.warnings.iter().map(warning_to_json).collect::<Vec<_>>(),
    })
}

fn warning_to_json(warning: &ExpiryWarning) -> serde_json::Value {
    serde_json::json!({
        "target": warning.target.as_str(),
        "key": warning.key.as_str(),
        "material": warning.material,
        "expires": warning.expires.to_string(),
        "days_left": warning.days_left,
        "text": warning.text,
    })
}

fn probe_to_json(probe: &Probe) -> serde_json::Value {
    serde_json::json!({
        "target": probe.target.as_str(),
        "key": probe.key.as_str(),
        "identity": probe.identity,
        "scenario": probe.scenario,
        "expected": expectation(probe.expected),
        "result": kind(&probe.result).1,
        "text": words(&probe.result),
        "latency_ms": probe.latency_ms,
    })
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    evaluated: usize,
    not_checked: usize,
}

impl Counts {
    fn of(report: &VerifyReport) -> Self {
        let mut counts = Self::default();
        for probe in &report.probes {
            match probe.result {
                ProbeResult::Passed => counts.passed += 1,
                ProbeResult::Failed { .. } => counts.failed += 1,
                ProbeResult::Evaluated { .. } => counts.evaluated += 1,
                ProbeResult::NotChecked { .. } => counts.not_checked += 1,
            }
        }
        counts
    }
}

fn expectation(expected: Expectation) -> &'static str {
    match expected {
        Expectation::Allowed => "allowed",
        Expectation::Denied => "denied",
        Expectation::Refused => "refused",
    }
}

/// Returns the symbol of a result, its name, and how it looks.
fn kind(result: &ProbeResult) -> (&'static str, &'static str, Style) {
    match result {
        ProbeResult::Passed => ("✓", "passed", Style::Added),
        ProbeResult::Failed { .. } => ("✗", "failed", Style::Error),
        ProbeResult::Evaluated { .. } => ("≈", "evaluated", Style::Dim),
        ProbeResult::NotChecked { .. } => ("–", "not checked", Style::Warning),
    }
}

fn words(result: &ProbeResult) -> Option<&str> {
    match result {
        ProbeResult::Passed => None,
        ProbeResult::Failed { observed } => Some(observed),
        ProbeResult::Evaluated { reason } | ProbeResult::NotChecked { reason } => Some(reason),
    }
}

/// The text as it grows.
struct Page {
    out: String,
    painter: Painter,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn key(&mut self, probes: &[Probe]) {
        let Some(first) = probes.first() else { return };
        let title = self.painter.paint(Style::Heading, format!("Key {}", first.key)).to_string();
        self.line(&format!("{title} · target {}", first.target));
        for identity in probes.chunk_by(|a, b| a.identity == b.identity) {
            self.identity(identity);
        }
    }

    fn identity(&mut self, probes: &[Probe]) {
        let Some(first) = probes.first() else { return };
        self.line(&format!("  {}", escape(&first.identity)));
        for like in probes.chunk_by(|a, b| a.result == b.result && a.expected == b.expected) {
            match like {
                [first, _, ..] if !matches!(first.result, ProbeResult::Failed { .. }) => self.folded(like),
                _ => like.iter().for_each(|probe| self.probe(probe)),
            }
        }
    }

    /// A probe with a result of its own.
    fn probe(&mut self, probe: &Probe) {
        let (symbol, name, style) = kind(&probe.result);
        let mark = self.painter.paint(style, symbol);
        let took = probe.latency_ms.map(|took| format!("  {took} ms")).unwrap_or_default();
        let seen = match (&probe.result, words(&probe.result)) {
            (ProbeResult::Failed { .. }, Some(text)) => {
                format!("  expected {}, but: {}", expectation(probe.expected), escape(text))
            }
            (_, Some(text)) => format!("  {name}: {}", escape(text)),
            (_, None) => format!("  {}", expectation(probe.expected)),
        };
        self.line(&format!("    {mark} {}{seen}{took}", escape(&probe.scenario)));
    }

    /// Probes of one result, expectation and reason: their scenarios in a row.
    fn folded(&mut self, probes: &[Probe]) {
        let Some(first) = probes.first() else { return };
        let (symbol, name, style) = kind(&first.result);
        let mark = self.painter.paint(style, symbol).to_string();
        let expected = expectation(first.expected);
        let longest = probes.iter().filter_map(|probe| probe.latency_ms).max();
        let took = longest.map(|took| format!("  at most {took} ms")).unwrap_or_default();
        let mut row = format!("    {mark} ");
        let mut width = 0;
        for (at, probe) in probes.iter().enumerate() {
            let scenario = escape(&probe.scenario);
            let comma = if at + 1 < probes.len() { ", " } else { "" };
            if width > 0 && width + scenario.chars().count() > LINE {
                self.line(&row);
                row.replace_range(.., "      ");
                width = 0;
            }
            width += scenario.chars().count() + comma.len();
            row.push_str(&scenario);
            row.push_str(comma);
        }
        self.line(&format!("{row}  {expected}{took}"));
        if let Some(text) = words(&first.result) {
            self.line(&format!("        {name}: {}", escape(text)));
        }
    }

    /// What works today, and soon will not.
    fn warnings(&mut self, report: &VerifyReport) {
        if !self.out.is_empty() && !report.warnings.is_empty() {
            self.out.push('\n');
        }
        for warning in &report.warnings {
            let mark = self.painter.paint(Style::Warning, "!").to_string();
            let (key, target) = (warning.key.as_str(), warning.target.as_str());
            self.line(&format!("{mark} Key {key} · target {target}: {}", escape(&warning.text)));
        }
    }

    fn summary(&mut self, report: &VerifyReport, completeness: Completeness, detail: Detail) {
        let counts = Counts::of(report);
        let mut line = format!(
            "Verify: {} passed, {} failed, {} evaluated, {} not checked",
            counts.passed, counts.failed, counts.evaluated, counts.not_checked
        );
        if counts.not_checked > 0 && completeness == Completeness::Required {
            line.push_str(" (which counts as failed: --require-complete)");
        }
        if !self.out.is_empty() {
            self.out.push('\n');
            match detail {
                Detail::Compact => self.out.push_str(compact::LEGEND),
                Detail::Full if counts.evaluated > 0 => self.out.push_str(JUDGED),
                Detail::Full => {}
            }
        }
        let good = report.exit(completeness) == crate::exit::Exit::Done;
        let style = if good { Style::Added } else { Style::Error };
        let line = self.painter.paint(style, line).to_string();
        self.line(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(scenario: &str, result: ProbeResult) -> Probe {
        Probe {
            target: "prod".parse().unwrap(),
            key: "ledger".parse().unwrap(),
            identity: "app".to_owned(),
            scenario: scenario.to_owned(),
            expected: Expectation::Allowed,
            result,
            latency_ms: Some(3),
        }
    }

    fn warning() -> ExpiryWarning {
        ExpiryWarning {
            target: "prod".parse().unwrap(),
            key: "ledger".parse().unwrap(),
            material: Some("2026\u{1b}".to_owned()),
            expires: "2026-12-06T00:00:00Z".parse().unwrap(),
            days_left: 12,
            text: "the material `2026\u{1b}` expires in 12 days, on 2026-12-06".to_owned(),
        }
    }

    #[test]
    fn what_expires_is_told_before_the_summary_and_fails_nothing() {
        let probes = vec![probe("a", ProbeResult::Passed)];
        let report = VerifyReport { probes, warnings: vec![warning()], canaries: Vec::new() };
        for detail in [Detail::Full, Detail::Compact] {
            let text = render_verify(&report, Painter::Plain, Completeness::Required, detail);
            let told = "\n! Key ledger · target prod: the material `2026\\u{1b}` expires in 12 days, on 2026-12-06\n\n";
            assert!(text.contains(told), "{text}");
        }
        assert_eq!(report.exit(Completeness::Required), crate::exit::Exit::Done);
        assert_eq!(verify_to_json(&report)["warnings"][0]["days_left"], 12);
    }

    #[test]
    fn like_results_share_a_line_and_failures_never_do() {
        let failed = || ProbeResult::Failed { observed: "AccessDenied\u{1b}[2J".to_owned() };
        let probes = vec![
            probe("a", ProbeResult::Passed),
            probe("b", ProbeResult::Passed),
            probe("c", failed()),
            probe("d", failed()),
        ];
        let report = VerifyReport { probes, ..VerifyReport::default() };
        let text = render_verify(&report, Painter::Plain, Completeness::BestEffort, Detail::Full);
        let wanted = "Key ledger · target prod\n  app\n    ✓ a, b  allowed  at most 3 ms\n    ✗ c  expected allowed, but: \
                      AccessDenied\\u{1b}[2J  3 ms\n    ✗ d  expected allowed, but: AccessDenied\\u{1b}[2J  3 ms\n\n\
                      Verify: 2 passed, 2 failed, 0 evaluated, 0 not checked\n";
        assert_eq!(text, wanted);
        assert_eq!(verify_to_json(&report)["summary"]["failed"], 2);
        assert_eq!(verify_to_json(&report)["probes"][2]["text"], "AccessDenied\u{1b}[2J");
    }

    /// Returns the names in an object of the report, or in a list of the schema, sorted.
    fn names(value: &serde_json::Value) -> Vec<String> {
        let mut names: Vec<String> = match value {
            serde_json::Value::Object(object) => object.keys().cloned().collect(),
            serde_json::Value::Array(list) => list.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => panic!("{value}"),
        };
        names.sort();
        names
    }

    #[test]
    fn the_schema_describes_exactly_what_is_printed() {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../schemas/verify.schema.json")).unwrap();
        let text = || "why".to_owned();
        let results = [
            ProbeResult::Passed,
            ProbeResult::Failed { observed: text() },
            ProbeResult::Evaluated { reason: text() },
            ProbeResult::NotChecked { reason: text() },
        ];
        let probes: Vec<Probe> = results.into_iter().map(|result| probe("a", result)).collect();
        let warnings = vec![warning()];
        let report = verify_to_json(&VerifyReport { probes, warnings, canaries: Vec::new() });
        let defs = &schema["$defs"];
        for (printed, described) in [
            (&report, &schema),
            (&report["probes"][0], &defs["probe"]),
            (&report["summary"], &defs["summary"]),
            (&report["warnings"][0], &defs["warning"]),
        ] {
            assert_eq!(names(printed), names(&described["properties"]));
            assert_eq!(names(printed), names(&described["required"]));
        }
        assert_eq!(report["format_version"], schema["properties"]["format_version"]["const"]);
        let described = &defs["probe"]["properties"];
        let all = report["probes"].as_array().unwrap().iter().map(|probe| probe["result"].clone()).collect();
        assert_eq!(described["result"]["enum"], serde_json::Value::Array(all));
        let expected = [Expectation::Allowed, Expectation::Denied, Expectation::Refused].map(expectation);
        assert_eq!(described["expected"]["enum"], serde_json::json!(expected));
    }
}
