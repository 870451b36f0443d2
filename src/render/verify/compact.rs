//! What `verify` found, in brief: per key first what failed or was not checked, in full, then a few lines for each
//! identity. Identities of which the same is to be said share their lines.

use super::{expectation, kind, words};
use crate::render::style::{Painter, Style};
use crate::report::{Expectation, Probe, ProbeResult, REAL_CALLS};
use crate::text::{escape, plural};

/// The longest line, if its words allow.
const WIDTH: usize = 110;
/// Where lines about an identity begin.
const COLUMN: usize = 23;
/// How many of the judged scenarios are named.
const NAMED: usize = 1;
/// What the proofs of a key's own work are about, beside the envelope; each has a line.
const PROOFS: [&str; 9] =
    ["key pair", "signing", "mac", "encryption", "agreement", "encapsulation", "material", CANARIES, "regions"];
/// The topic of which a line tells runs, not algorithms.
const CANARIES: &str = "canaries";

/// Returns the block of one key.
pub(super) fn key(probes: &[Probe], painter: Painter) -> String {
    let mut block = Block { out: String::new(), painter };
    let Some(first) = probes.first() else { return block.out };
    let title = painter.paint(Style::Heading, format!("Key {}", first.key)).to_string();
    block.wrapped("", 0, &format!("{title} · target {}", first.target));
    probes.iter().filter(|probe| is_loud(probe)).for_each(|probe| block.loud(probe));
    for (identities, rows) in shared(probes) {
        block.rows(&identities, &rows);
    }
    block.out
}

/// The meaning of the marks.
pub(super) const LEGEND: &str = "✓ called, as declared   ✗ failed   – not checked   every probe: --verbose, --format json\n\
     ≈ judged on the live key policy and not called: it would change the key, or be a service's own call\n";

/// A line about an identity.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    mark: &'static str,
    style: Style,
    text: String,
}

impl Row {
    fn like(probe: &Probe, text: String) -> Self {
        let (mark, _, style) = kind(&probe.result);
        Self { mark, style, text }
    }
}

/// Whether a probe is shown by itself. That nobody could be called in a role's name is said in the role's line.
fn is_loud(probe: &Probe) -> bool {
    match probe.result {
        ProbeResult::Failed { .. } => true,
        ProbeResult::NotChecked { .. } => probe.scenario != REAL_CALLS,
        ProbeResult::Passed | ProbeResult::Evaluated { .. } => false,
    }
}

/// Returns what is to be said of each identity, and of whom the same is.
fn shared(probes: &[Probe]) -> Vec<(Vec<String>, Vec<Row>)> {
    let mut identities: Vec<(&str, Vec<&Probe>)> = Vec::new();
    for probe in probes.iter().filter(|probe| !is_loud(probe)) {
        match identities.iter_mut().find(|(identity, _)| *identity == probe.identity) {
            Some((_, own)) => own.push(probe),
            None => identities.push((&probe.identity, vec![probe])),
        }
    }
    let mut shared: Vec<(Vec<String>, Vec<Row>)> = Vec::new();
    for (identity, own) in identities {
        let (identity, rows) = (escape(identity).into_owned(), rows(&own));
        match shared.iter_mut().find(|(_, known)| *known == rows) {
            Some((names, _)) => names.push(identity),
            None => shared.push((vec![identity], rows)),
        }
    }
    shared
}

/// Returns the lines of one identity: the proofs, what it may, what it may not, what was judged.
fn rows(probes: &[&Probe]) -> Vec<Row> {
    let of = |wanted: fn(&ProbeResult) -> bool| probes.iter().copied().filter(move |probe| wanted(&probe.result));
    let passed = || of(|result| *result == ProbeResult::Passed);
    let judged = || of(|result| matches!(result, ProbeResult::Evaluated { .. }));
    let is_envelope = |probe: &&Probe| probe.scenario.starts_with("envelope");
    let mut rows: Vec<Row> = envelope(&passed().filter(is_envelope).collect::<Vec<_>>()).into_iter().collect();
    rows.extend(judged().filter(is_envelope).map(alone));
    for topic in PROOFS {
        let is_about = |probe: &&Probe| proof(probe) == Some(topic);
        rows.extend(proved(topic, &passed().filter(is_about).collect::<Vec<_>>()));
        rows.extend(unproved(&judged().filter(is_about).collect::<Vec<_>>()));
    }
    let is_proof = |probe: &&Probe| is_envelope(probe) || proof(probe).is_some();
    let denied = |probe: &&Probe| probe.expected != Expectation::Allowed;
    // The canary is one of the denials that follow, called once more.
    let calls = || passed().filter(|probe| !is_proof(probe) && !probe.scenario.starts_with("canary: "));
    rows.extend(named(&calls().filter(|probe| !denied(probe)).collect::<Vec<_>>()));
    rows.extend(named(&calls().filter(denied).collect::<Vec<_>>()));
    let rest: Vec<&Probe> = judged().filter(|probe| !is_proof(probe)).collect();
    let uncalled = of(|result| matches!(result, ProbeResult::NotChecked { .. })).next();
    match (uncalled, rest.as_slice()) {
        (Some(probe), rest) => rows.push(not_called(probe, rest.len())),
        (None, []) => {}
        (None, [only]) => rows.push(alone(only)),
        (None, [first, ..]) => {
            let (no, yes): (Vec<&Probe>, Vec<&Probe>) = rest.iter().partition(|probe| denied(probe));
            let said: Vec<String> = [yes, no].iter().filter_map(|some| counted(some)).collect();
            let said = said.join("; ");
            let (expected, named) = said.split_once(' ').unwrap_or_default();
            rows.push(Row::like(first, format!("{expected:<8} {named}")));
        }
    }
    rows
}

/// The round trip and all that belongs to it, in a line.
fn envelope(probes: &[&Probe]) -> Option<Row> {
    let first = probes.first()?;
    let (title, what) = first.scenario.split_once(": ")?;
    let took = first.latency_ms.map(|took| format!(" in {took} ms")).unwrap_or_default();
    let refused = probes.iter().filter(|probe| probe.expected == Expectation::Refused).count();
    let more = probes.len().saturating_sub(refused + 1);
    let more = if more > 0 { format!(", {}", plural(more, "more use")) } else { String::new() };
    Some(Row::like(first, format!("{title}: {what}{took}{more}, {} refused", plural(refused, "alteration"))))
}

/// Returns what a proof is about; `None` for other probes and for the envelope.
fn proof(probe: &Probe) -> Option<&'static str> {
    let (topic, _) = probe.scenario.split_once(": ")?;
    PROOFS.into_iter().find(|known| *known == topic)
}

/// What was proved about one thing: each step once, with how many algorithms, and how much was refused.
fn proved(topic: &str, probes: &[&Probe]) -> Option<Row> {
    let first = probes.first()?;
    let (mut steps, mut algorithms): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for probe in probes {
        let (_, what) = probe.scenario.split_once(": ").unwrap_or_default();
        let (step, algorithm) = what.strip_suffix(')').and_then(|what| what.split_once(" (")).unwrap_or((what, ""));
        if probe.expected == Expectation::Allowed && !steps.contains(&step) {
            steps.push(step);
        }
        if !algorithm.is_empty() && !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    let with = match algorithms.as_slice() {
        [] => String::new(),
        runs if topic == CANARIES => format!(" of {}", plural(runs.len(), "run")),
        [only] => format!(" with {only}"),
        many => format!(" with {} algorithms", many.len()),
    };
    let refused = probes.iter().filter(|probe| probe.expected == Expectation::Refused).count();
    let refused = (refused > 0).then(|| format!("{} refused", plural(refused, "alteration")));
    let done = (!steps.is_empty()).then(|| steps.join(if topic == "regions" { "; " } else { ", " }));
    let said: Vec<String> = done.into_iter().chain(refused).collect();
    Some(Row::like(first, escape(&format!("{topic}{with}: {}", said.join(", "))).into_owned()))
}

/// What was only judged about one thing: the first step, and how many more.
fn unproved(probes: &[&Probe]) -> Option<Row> {
    let first = probes.first()?;
    let more = probes.len().saturating_sub(1);
    let mut row = alone(first);
    if more > 0 {
        row.text = format!("{}; {more} more likewise", row.text);
    }
    Some(row)
}

/// A probe with its reason.
fn alone(probe: &Probe) -> Row {
    let (topic, what) = parts(&probe.scenario);
    let topic = topic.map(|topic| format!("{topic}: ")).unwrap_or_default();
    let reason = words(&probe.result).map(|reason| format!(": {}", escape(reason))).unwrap_or_default();
    Row::like(probe, format!("{:<8} {topic}{what}{reason}", expectation(probe.expected)))
}

fn not_called(probe: &Probe, judged: usize) -> Row {
    let reason = words(&probe.result).unwrap_or_default();
    Row::like(probe, format!("not called: {}; ≈ {judged} judged as declared", escape(reason)))
}

/// Probes of one expectation that passed, all named.
fn named(probes: &[&Probe]) -> Option<Row> {
    let first = probes.first()?;
    let scenarios: Vec<(Option<String>, String)> = probes.iter().map(|probe| parts(&probe.scenario)).collect();
    let topics = scenarios.chunk_by(|a, b| a.0 == b.0).map(|chunk| {
        let topic = chunk.first().and_then(|(topic, _)| topic.as_ref());
        let names: Vec<&str> = chunk.iter().map(|(_, what)| what.as_str()).collect();
        format!("{}{}", topic.map(|topic| format!("{topic}: ")).unwrap_or_default(), folded(&names.join(", ")))
    });
    let topics: Vec<String> = topics.collect();
    Some(Row::like(first, format!("{:<8} {}", expectation(first.expected), topics.join("; "))))
}

/// Probes of one expectation of which the first few are named.
fn counted(probes: &[&Probe]) -> Option<String> {
    let first = probes.first()?;
    let name = |probe: &&Probe| {
        let (topic, what) = parts(&probe.scenario);
        topic.map_or_else(|| what.clone(), |topic| format!("{topic}: {what}"))
    };
    let names: Vec<String> = probes.iter().take(NAMED).map(name).collect();
    let rest = probes.len().saturating_sub(NAMED);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Some(format!("{} {}{rest}", expectation(first.expected), names.join(", ")))
}

/// Takes a scenario apart: what it is about, unless its expectation says as much, and the call in short.
fn parts(scenario: &str) -> (Option<String>, String) {
    let (topic, what) = scenario.split_once(": ").unwrap_or(("", scenario));
    let topic = (!matches!(topic, "" | "allow" | "deny")).then(|| escape(topic).into_owned());
    (topic, escape(what.strip_prefix("kms:").unwrap_or(what)).into_owned())
}

/// The calls that make data keys, and pairs of them, are nearly always allowed or denied together, and long.
fn folded(names: &str) -> String {
    names
        .replace("GenerateDataKey, GenerateDataKeyWithoutPlaintext", "GenerateDataKey[WithoutPlaintext]")
        .replace("GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyPair[WithoutPlaintext]")
}

/// The text as it grows.
struct Block {
    out: String,
    painter: Painter,
}

impl Block {
    /// A probe that failed or was not checked, in full.
    fn loud(&mut self, probe: &Probe) {
        let (mark, name, style) = kind(&probe.result);
        let seen = escape(words(&probe.result).unwrap_or_default());
        let seen = match probe.result {
            ProbeResult::Failed { .. } => format!("expected {}, but: {seen}", expectation(probe.expected)),
            ProbeResult::Passed | ProbeResult::Evaluated { .. } | ProbeResult::NotChecked { .. } => {
                format!("{name}: {seen}")
            }
        };
        let text = format!("{}  {}  {seen}", escape(&probe.identity), escape(&probe.scenario));
        let mark = self.painter.paint(style, mark).to_string();
        self.wrapped(&format!("  {mark} "), 4, &text);
    }

    /// The identities stand one below the other beside their lines, if there is room, else above them.
    fn rows(&mut self, identities: &[String], rows: &[Row]) {
        let fits = |identity: &String| identity.chars().count() + 4 <= COLUMN;
        let beside = identities.len() <= rows.len() && identities.iter().all(fits);
        if !beside {
            self.wrapped("  ", 2, &identities.join(", "));
        }
        for (at, row) in rows.iter().enumerate() {
            let identity = identities.get(at).filter(|_| beside).cloned().unwrap_or_default();
            let comma = if beside && at + 1 < identities.len() { "," } else { "" };
            let title = format!("{identity}{comma}");
            let mark = self.painter.paint(row.style, row.mark);
            self.wrapped(&format!("  {title:<width$}{mark} ", width = COLUMN - 2), COLUMN + 2, &row.text);
        }
    }

    /// Writes a text after something that takes up some columns; further lines begin in the same column.
    fn wrapped(&mut self, before: &str, indent: usize, text: &str) {
        self.out.push_str(before);
        let mut column = indent;
        // Only single spaces are places to break: two stand between columns.
        for (at, word) in text.split(' ').enumerate() {
            let length = word.chars().count();
            if at > 0 && column + 1 + length > WIDTH {
                self.out.push('\n');
                self.out.push_str(&" ".repeat(indent));
                column = indent;
            } else if at > 0 {
                self.out.push(' ');
                column += 1;
            }
            self.out.push_str(word);
            column += length;
        }
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(identity: &str, scenario: &str, expected: Expectation, result: ProbeResult) -> Probe {
        Probe {
            target: "prod".parse().unwrap(),
            key: "ledger".parse().unwrap(),
            identity: identity.to_owned(),
            scenario: scenario.to_owned(),
            expected,
            result,
            latency_ms: Some(3),
        }
    }

    fn judged(reason: &str) -> ProbeResult {
        ProbeResult::Evaluated { reason: reason.to_owned() }
    }

    fn staff(identity: &str) -> Vec<Probe> {
        use Expectation::{Allowed, Denied};
        let uses = ["Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "Decrypt", "ReEncrypt"];
        let denied = uses.map(|call| probe(identity, &format!("deny: kms:{call}"), Denied, ProbeResult::Passed));
        let mut probes = vec![probe(identity, "allow: kms:GetKeyPolicy", Allowed, ProbeResult::Passed)];
        probes.extend(denied);
        for call in ["PutKeyPolicy", "DisableKey", "TagResource"] {
            probes.push(probe(identity, &format!("allow: kms:{call}"), Allowed, judged("it would change the key")));
        }
        probes.push(probe(identity, "deny: kms:CreateGrant", Denied, judged("it would change the key")));
        probes
    }

    #[test]
    fn a_key_is_told_in_few_lines_that_identities_share() {
        use Expectation::{Allowed, Denied, Refused};
        let passed = || ProbeResult::Passed;
        let mut probes = vec![
            probe("api", "canary: deny: kms:GetKeyPolicy", Denied, passed()),
            probe("api", "envelope through s3: round trip", Allowed, passed()),
            probe("api", "envelope through s3: truncated", Refused, passed()),
            probe("api", "envelope through s3: another key named", Refused, passed()),
            probe("api", "deny: kms:GetKeyPolicy", Denied, passed()),
            probe("api", "through s3: kms:Decrypt", Allowed, passed()),
            probe("api", "directly, as through s3: kms:Decrypt", Denied, passed()),
        ];
        probes.extend(staff("auditor"));
        probes.extend(staff("verifier"));
        let reason = "the role is not `verifiable`".to_owned();
        probes.push(probe("planner", REAL_CALLS, Allowed, ProbeResult::NotChecked { reason }));
        probes.push(probe("planner", "deny: kms:Decrypt", Denied, judged("not called")));
        probes.push(probe("anybody else", "deny: kms:Decrypt", Denied, judged("2 others judged")));
        insta::assert_snapshot!(key(&probes, Painter::Plain));
    }

    #[test]
    fn each_proof_has_a_line_whatever_the_number_of_algorithms() {
        use Expectation::{Allowed, Refused};
        let passed = || ProbeResult::Passed;
        let mut probes = vec![probe("api", "signing: public key read", Allowed, passed())];
        for algorithm in ["RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384"] {
            for (what, expected) in [("signed", Allowed), ("verified here", Allowed), ("changed message", Refused)] {
                probes.push(probe("api", &format!("signing: {what} ({algorithm})"), expected, passed()));
            }
        }
        probes.push(probe("api", "regions: signed in eu-west-1, verified in us-east-1", Allowed, passed()));
        probes.push(probe("api", "regions: signed in eu-west-1, verified in eu-north-1", Allowed, passed()));
        probes.push(probe("api", "allow: kms:Sign", Allowed, passed()));
        probes.push(probe("web", "mac: made (HMAC_SHA_256)", Allowed, judged("not called in its name")));
        probes.push(probe("web", "mac: verified (HMAC_SHA_256)", Allowed, judged("not called in its name")));
        probes.push(probe("web", "at rest: kms:Sign", Refused, passed()));
        let wanted = "Key ledger · target prod\n\
            \x20 api                  ✓ signing with 2 algorithms: public key read, signed, verified here, 2 alterations\n\
            \x20                        refused\n\
            \x20                      ✓ regions: signed in eu-west-1, verified in us-east-1; signed in eu-west-1, verified in\n\
            \x20                        eu-north-1\n\
            \x20                      ✓ allowed  Sign\n\
            \x20 web                  ≈ allowed  mac: made (HMAC_SHA_256): not called in its name; 1 more likewise\n\
            \x20                      ✓ refused  at rest: Sign\n";
        assert_eq!(key(&probes, Painter::Plain), wanted);
    }

    #[test]
    fn failures_come_first_and_in_full_and_nobody_is_named_with_them_in_vain() {
        use Expectation::{Allowed, Denied};
        let mut probes = staff("auditor");
        let observed = "it decrypted\u{1b}[2J ".repeat(12);
        probes.push(probe("admin", "deny: kms:Decrypt", Denied, ProbeResult::Failed { observed }));
        let reason = "kms:Encrypt: ThrottlingException".to_owned();
        probes.push(probe("admin", "allow: kms:Encrypt", Allowed, ProbeResult::NotChecked { reason }));
        let text = key(&probes, Painter::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].starts_with("  ✗ admin  deny: kms:Decrypt  expected denied, but: it decrypted\\u{1b}[2J"),
            "{text}"
        );
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(
            text.contains("  – admin  allow: kms:Encrypt  not checked: kms:Encrypt: ThrottlingException\n"),
            "{text}"
        );
        assert_eq!(text.matches("admin").count(), 2, "{text}");
    }
}
