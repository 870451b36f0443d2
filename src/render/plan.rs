//! A plan for people: per account and target, per role and key, what changes, why, and who gains or loses what.

mod material;
mod remarks;

use super::access::{Group, groups_of, shared_gains};
use super::style::{Painter, Style};
use crate::desired::tags::RESERVED_PREFIX;
use crate::live::Backend;
use crate::plan::{
    AccountPlan, Action, Blocker, Cause, DriftKind, KeyRef, Outcome, Owner, Plan, PlanKind, Step, Summary, TargetPlan,
    Why,
};
use crate::policy::{PolicyDocument, Statement};
use crate::review::{AccessChange, Certainty, Risk};
use crate::text::{escape, escape_block, plural};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Whether policies are shown as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyText {
    /// Only which statements change.
    Hidden,
    /// The JSON too, as a unified difference.
    Shown,
}

/// Returns a plan as people read it, with a newline at its end.
pub fn render_plan(plan: &Plan, painter: Painter, policy_text: PolicyText) -> String {
    let mut page = Page { out: String::new(), painter, policy_text };
    for account in &plan.accounts {
        page.account(account);
    }
    for target in &plan.targets {
        page.target(target);
    }
    page.summary(plan);
    page.out
}

/// Whether an action works on a key that a step makes.
fn is_planned(action: &Action) -> bool {
    matches!(action.key_ref(), Some(KeyRef::Planned(_)))
}

/// The text as it grows. Writing to a `String` cannot fail, so results are dropped in one place.
struct Page {
    out: String,
    painter: Painter,
    policy_text: PolicyText,
}

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

    fn account(&mut self, account: &AccountPlan) {
        if matches!(account.outcome, Outcome::InSync) && account.findings.is_empty() && account.drift.is_empty() {
            return;
        }
        self.blank();
        let heading = self.paint(Style::Heading, format!("Account {}", account.account));
        self.line(format!("{heading} · roles"));
        self.owners(&account.outcome, |page, owner, steps, blockers| {
            page.owner(owner, steps, blockers, None);
            page.trust(owner, steps, account);
        });
        self.differences(&account.drift);
        self.findings(&account.findings);
    }

    fn trust(&mut self, owner: &Owner, steps: &[&Step], account: &AccountPlan) {
        let Owner::Role(role) = owner else { return };
        if self.policy_text == PolicyText::Shown
            && steps.iter().any(|step| matches!(step.action, Action::CreateRole { .. }))
            && let Some(trust) = account.trust_policies.get(role)
        {
            self.document("trust policy", None, trust);
        }
    }

    fn target(&mut self, target: &TargetPlan) {
        self.blank();
        let heading = self.paint(Style::Heading, format!("Target {}", target.name));
        let backend = match target.backend {
            Backend::Aws => "AWS",
            Backend::Sandbox => "sandbox",
            Backend::Endpoint => "custom endpoint",
        };
        self.line(format!(
            "{heading} · {} · {} · {backend} · as {}",
            target.account,
            target.region,
            escape(&target.caller)
        ));
        self.target_blockers(target);
        self.shared_access(&target.access);
        self.owners(&target.outcome, |page, owner, steps, blockers| page.owner(owner, steps, blockers, Some(target)));
        let differs = target.drift.iter().any(|drift| drift.kind != DriftKind::Undeclared);
        if matches!(target.outcome, Outcome::InSync) && !differs {
            self.line(format!("  nothing to change: {} as declared", plural(target.policies.len(), "key")));
        }
        self.remarks(target);
    }

    fn target_blockers(&mut self, target: &TargetPlan) {
        for blocker in target.outcome.blockers().iter().filter(|blocker| blocker.owner.is_none()) {
            self.blocker("", blocker);
        }
    }

    /// Calls `show` for each key or role that has steps or blockers, in order of name.
    fn owners(&mut self, outcome: &Outcome, show: impl Fn(&mut Self, &Owner, &[&Step], &[&Blocker])) {
        let with_steps = outcome.steps().iter().map(|step| &step.owner);
        let with_blockers = outcome.blockers().iter().filter_map(|blocker| blocker.owner.as_ref());
        let owners: BTreeSet<&Owner> = with_steps.chain(with_blockers).collect();
        for owner in owners {
            let steps: Vec<&Step> = outcome.steps().iter().filter(|step| step.owner == *owner).collect();
            let blockers: Vec<&Blocker> =
                outcome.blockers().iter().filter(|blocker| blocker.owner.as_ref() == Some(owner)).collect();
            show(self, owner, &steps, &blockers);
        }
    }

    fn owner(&mut self, owner: &Owner, steps: &[&Step], blockers: &[&Blocker], target: Option<&TargetPlan>) {
        self.blank();
        let (kind, name) = match owner {
            Owner::Key(name) => ("key", name.as_str()),
            Owner::Role(name) => ("role", name.as_str()),
        };
        let creates =
            steps.iter().any(|step| matches!(step.action, Action::CreateKey { .. } | Action::CreateRole { .. }));
        let replicated = !creates && steps.iter().any(|step| is_planned(&step.action));
        let adopts = steps.iter().any(|step| step.why == Why::Adopted);
        let retires = steps.iter().any(|step| crate::plan::retires(&step.action));
        let (symbol, style, reason) = if !blockers.is_empty() {
            ("!", Style::Blocked, "blocked")
        } else if creates || replicated {
            ("+", Style::Added, if replicated { "new replica" } else { "new" })
        } else if adopts {
            ("=", Style::Changed, "adopted: it exists, and becomes ours")
        } else if retires {
            ("-", Style::Removed, retirement(steps))
        } else {
            ("~", Style::Changed, change_reason(steps))
        };
        let place = steps.first().map(|step| step.position.to_string());
        let place =
            place.or_else(|| blockers.first().and_then(|blocker| blocker.position.as_ref().map(ToString::to_string)));
        let title = self.paint(style, format!("{symbol} {kind} {name}"));
        let dim = self.paint(Style::Dim, place.unwrap_or_default());
        self.line(format!("{title}  {reason}  {dim}"));
        for blocker in blockers {
            self.blocker("    ", blocker);
        }
        self.properties(steps);
        if let (Owner::Key(key), Some(target)) = (owner, target) {
            self.access(key.as_str(), &target.access, steps);
            self.key_policy(key, target, steps);
        }
    }

    fn blocker(&mut self, indent: &str, blocker: &Blocker) {
        let word = self.paint(Style::Blocked, "blocked");
        let code = self.paint(Style::Dim, format!("({})", blocker.kind.0.name()));
        self.line(format!("{indent}  {word}: {} {code}", escape(&blocker.message)));
        self.help(&format!("{indent}    "), &blocker.help);
    }

    /// The next thing to do; a recipe has a line for each of its steps.
    fn help(&mut self, indent: &str, help: &str) {
        for (number, line) in help.lines().enumerate() {
            let word = if number == 0 { "help: " } else { "  " };
            self.line(format!("{indent}{word}{}", escape(line)));
        }
    }

    /// Properties before and after; for something new, what it will be.
    fn properties(&mut self, steps: &[&Step]) {
        for step in steps {
            self.creation(&step.action);
            let Some(change) = &step.change else { continue };
            if change.property.contains("policy") {
                continue;
            }
            if let Some(line) = material::line(step, change) {
                let cause = self.cause(step);
                self.line(format!("    {line}{cause}"));
                continue;
            }
            let value = match (&change.before, &change.after) {
                (Some(before), Some(after)) => format!("{} → {}", escape(before), escape(after)),
                (None, Some(after)) => escape(after).into_owned(),
                (Some(before), None) => format!("{} → none", escape(before)),
                (None, None) => continue,
            };
            self.property(&change.property, &value, step);
        }
        self.identity_policies(steps);
    }

    fn property(&mut self, name: &str, value: &str, step: &Step) {
        let note = if step.why == Why::Interrupted { "  (an earlier run was interrupted here)" } else { "" };
        let cause = self.cause(step);
        self.line(format!("    {:<12} {value}{note}{cause}", escape(name)));
    }

    /// Who made the difference, where that was asked for.
    fn cause(&self, step: &Step) -> String {
        match step.cause {
            Some(Cause::Drift) => self.paint(Style::Warning, "  (changed outside)"),
            Some(Cause::Intended) => self.paint(Style::Dim, "  (intended)"),
            None => String::new(),
        }
    }

    fn creation(&mut self, action: &Action) {
        if let Action::CreateKey { description, tags, .. } = action {
            self.born(Some(description), tags);
        } else if let Action::CreateRole {
            description, tags, path, max_session_seconds, permissions_boundary, ..
        } = action
        {
            self.line(format!("    {:<12} {path}", "path"));
            self.line(format!("    {:<12} {} minutes", "sessions", max_session_seconds / 60));
            if let Some(boundary) = permissions_boundary {
                self.line(format!("    {:<12} {}", "boundary", escape(boundary)));
            }
            self.born(description.as_ref(), tags);
        }
    }

    /// Description and tags of something new. The tags that prove ownership are on everything and say nothing here.
    fn born(&mut self, description: Option<&String>, tags: &BTreeMap<String, String>) {
        if let Some(description) = description.filter(|text| !text.is_empty()) {
            self.line(format!("    {:<12} {}", "description", escape(description)));
        }
        let own = tags.iter().filter(|(tag, _)| !tag.starts_with(RESERVED_PREFIX));
        let tags: Vec<String> = own.map(|(tag, value)| format!("{tag}={value}")).collect();
        if !tags.is_empty() {
            self.line(format!("    {:<12} {}", "tags", escape(&tags.join(", "))));
        }
    }

    fn identity_policies(&mut self, steps: &[&Step]) {
        for step in steps {
            if let Action::PutRolePolicy { name, policy, .. } = &step.action {
                let note = policy_note(step.why, policy);
                self.line(format!("    {:<12} {} {note}", "identity", escape(name)));
                self.step_document("identity policy", step, policy);
            } else if let Action::DeleteRolePolicy { name, .. } = &step.action {
                self.line(format!("    {:<12} {} removed", "identity", escape(name)));
            } else if let Action::UpdateAssumeRolePolicy { trust, .. } = &step.action {
                self.line(format!("    {:<12} {}", "trust", policy_note(step.why, trust)));
                self.step_document("trust policy", step, trust);
            }
        }
    }

    fn step_document(&mut self, title: &str, step: &Step, after: &PolicyDocument) {
        if self.policy_text == PolicyText::Shown {
            let before = step.change.as_ref().and_then(|change| change.before.clone());
            self.document(title, before.as_deref(), after);
        }
    }

    /// Access gained and lost on one key, gravest first.
    fn access(&mut self, key: &str, change: &AccessChange, steps: &[&Step]) {
        let shared = shared_gains(change);
        let gains: Vec<Group<'_>> =
            groups_of(&change.gains, key).into_iter().filter(|group| !shared.contains(group)).collect();
        let losses = groups_of(&change.losses, key);
        if gains.is_empty() && losses.is_empty() {
            if steps.iter().any(|step| matches!(step.action, Action::PutKeyPolicy { .. })) {
                self.line("    access       no change of access");
            }
            return;
        }
        self.line("    access");
        for group in &gains {
            self.access_group("+", "gains", Style::Added, group);
        }
        for group in &losses {
            self.access_group("-", "loses", Style::Removed, group);
        }
    }

    /// What is gained on every key alike is said once, before the keys.
    fn shared_access(&mut self, change: &AccessChange) {
        let shared = shared_gains(change);
        if shared.is_empty() {
            return;
        }
        self.blank();
        let keys: BTreeSet<_> = change.gains.iter().map(|line| &line.key).collect();
        self.line(format!("  on all {} below", plural(keys.len(), "key")));
        for group in &shared {
            self.access_group("+", "gains", Style::Added, group);
        }
    }

    fn access_group(&mut self, symbol: &str, verb: &str, style: Style, group: &Group<'_>) {
        let who = self.paint(style, format!("{symbol} {}", escape(group.principal)));
        let what = group.what();
        let risk = if group.risk == Risk::Routine {
            String::new()
        } else {
            self.paint(Style::Dim, format!("  [{}]", group.risk.name()))
        };
        self.line(format!("      {who} {verb} {what}{risk}"));
        if let Certainty::Undetermined { reason } = group.certainty {
            let note = self.paint(Style::Dim, format!("not decided: {}", escape(reason)));
            self.line(format!("          {note}"));
        }
    }

    fn key_policy(&mut self, key: &crate::ids::KeyName, target: &TargetPlan, steps: &[&Step]) {
        let written = steps.iter().find_map(|step| Some((step.action.key_policy()?, self.cause(step))));
        // The policy of a replica is written by the step that makes it, in its primary's target.
        let is_new = steps.iter().any(|step| is_planned(&step.action));
        let replica = || Some((target.policies.get(key).filter(|_| is_new)?, String::new()));
        let Some((after, cause)) = written.or_else(replica) else { return };
        let before = target.policies_before.get(key);
        match before {
            None => self.line(format!("    policy       {}{cause}", plural(after.statements.len(), "statement"))),
            Some(before) if before.same_permissions(after) => {
                self.line(format!("    policy       reworded, same meaning{cause}"));
            }
            Some(before) => {
                self.line(format!("    policy{cause}"));
                for change in crate::policy::statement_changes(before, after) {
                    self.statement(&change);
                }
            }
        }
        if self.policy_text == PolicyText::Shown {
            self.document("key policy", before.map(PolicyDocument::to_text).as_deref(), after);
        }
    }

    fn statement(&mut self, change: &crate::policy::StatementChange) {
        use crate::policy::StatementChange;
        let (symbol, style, statement) = match change {
            StatementChange::Added(statement) => ("+", Style::Added, statement),
            StatementChange::Removed(statement) => ("-", Style::Removed, statement),
            StatementChange::Changed { after, .. } => ("~", Style::Changed, after),
        };
        let name = |statement: &Statement| escape(statement.sid.as_deref().unwrap_or("(no Sid)")).into_owned();
        let mut text = format!("{symbol} {}", name(statement));
        if let StatementChange::Changed { before, after } = change
            && before.sid != after.sid
        {
            text = format!("{symbol} {} → {}", name(before), name(after));
        }
        let text = self.paint(style, text);
        self.line(format!("      {text}"));
    }

    /// A document, or the unified difference to the one before.
    fn document(&mut self, title: &str, before: Option<&str>, after: &PolicyDocument) {
        let after = after.to_text();
        self.line(format!("    {title}"));
        let lines: Vec<(Option<Style>, String)> = match before {
            None => after.lines().map(|line| (None, format!("  {line}"))).collect(),
            Some(before) => difference(before, &after),
        };
        for (style, line) in lines {
            let line = escape_block(&line).into_owned();
            let line = style.map_or(line.clone(), |style| self.paint(style, &line));
            self.line(format!("      {line}"));
        }
    }

    fn summary(&mut self, plan: &Plan) {
        self.blank();
        let summary = Summary::of(plan);
        if plan.kind == PlanKind::Drift {
            return self.drift_summary(plan, summary);
        }
        let gains = plan.targets.iter().flat_map(|target| &target.access.gains);
        let decrypt = gains.filter(|gain| gain.risk == Risk::Decrypt).count();
        let mut text = format!("Plan: {} to create, {} to change", summary.create, summary.change);
        if summary.retire > 0 {
            let _written = write!(text, ", {}", self.paint(Style::Removed, format!("{} to retire", summary.retire)));
        }
        if summary.blocked > 0 {
            let _written = write!(text, ", {}", self.paint(Style::Blocked, format!("{} blocked", summary.blocked)));
        }
        let _written = write!(text, " · {}", plural(summary.gains, "gain"));
        if decrypt > 0 {
            let _written = write!(text, " ({decrypt} decrypt)");
        }
        let digest = plan.digest.0.get(..12).unwrap_or(&plan.digest.0);
        let _written = write!(
            text,
            ", {} · {} · plan digest {digest}…",
            plural(summary.losses, "loss"),
            plural(summary.findings, "finding")
        );
        self.line(text);
        self.causes(plan);
    }
}

fn retirement(steps: &[&Step]) -> &'static str {
    if steps.iter().any(|step| matches!(step.action, Action::ScheduleKeyDeletion { .. })) {
        "retired, and to be deleted"
    } else {
        "retired: disabled now, deleted only by a later run with --allow-retire"
    }
}

fn change_reason(steps: &[&Step]) -> &'static str {
    if steps.iter().any(|step| matches!(step.action, Action::CancelKeyDeletion { .. })) {
        "comes back: its deletion is cancelled"
    } else if steps.iter().any(|step| matches!(step.action, Action::RotateKeyOnDemand { .. })) && steps.len() == 1 {
        "new key material"
    } else if let Some(reason) = material::reason(steps) {
        reason
    } else if steps.iter().any(|step| step.why == Why::Interrupted) {
        "incomplete: an earlier run was interrupted"
    } else if steps.iter().any(|step| step.why == Why::Renamed) {
        "renamed: the key stays the same"
    } else if steps.iter().all(|step| step.why == Why::Wording) {
        "reads differently, means the same"
    } else {
        "differs from the manifest"
    }
}

fn policy_note(why: Why, policy: &PolicyDocument) -> String {
    let statements = plural(policy.statements.len(), "statement");
    match why {
        Why::Absent => format!("added, {statements}"),
        Why::Wording => "reworded, same meaning".to_owned(),
        Why::Differs
        | Why::Unwanted
        | Why::Interrupted
        | Why::Adopted
        | Why::Renamed
        | Why::Asked
        | Why::Expires
        | Why::Missing => {
            format!("changed, {statements}")
        }
    }
}

fn difference(before: &str, after: &str) -> Vec<(Option<Style>, String)> {
    use similar::ChangeTag;
    let diff = similar::TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        lines.push((Some(Style::Dim), hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (style, sign) = match change.tag() {
                ChangeTag::Equal => (None, ' '),
                ChangeTag::Insert => (Some(Style::Added), '+'),
                ChangeTag::Delete => (Some(Style::Removed), '-'),
            };
            lines.push((style, format!("{sign} {}", change.value().trim_end_matches('\n'))));
        }
    }
    lines
}
