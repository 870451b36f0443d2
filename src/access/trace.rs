//! Says in words what decided a call, with the layer, the statement and its Sid.

use super::combine::Findings;
use super::context::Call;
use super::facts::{Guardrails, Knowledge};
use super::layer::{Held, Need, Part as _, Place};
use super::truth::{Open, Truth};
use super::verdict::{Decision, Evaluation, Layer, TraceEntry};
use crate::policy::{PolicyDocument, Statement};

/// The documents of a decision, for looking up what a place refers to.
pub(super) struct Sources<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) guardrails: Option<&'a Guardrails>,
    pub(super) trust: Option<&'a PolicyDocument>,
}

impl Sources<'_> {
    /// Returns the decision with its reasons.
    pub(super) fn evaluation(&self, findings: &Findings) -> Evaluation {
        let decision = findings.decision();
        let mut trace: Vec<TraceEntry> = match decision {
            Decision::ExplicitDeny => vec![self.entry(&findings.deny)],
            Decision::Allow => self.entries(findings.best().into_iter().flatten()),
            Decision::ImplicitDeny => self.missing(findings),
            Decision::Undetermined(_) => self.open(findings),
        };
        if trace.is_empty() {
            trace.push(self.entry(&Held::no(Need::Identity)));
        }
        Evaluation { decision, trace }
    }

    fn entries<'h>(&self, held: impl Iterator<Item = &'h Held>) -> Vec<TraceEntry> {
        held.filter(|held| held.need != Need::Nothing).map(|held| self.entry(held)).collect()
    }

    /// What is missing for every way, each once, and a deny that stayed open.
    fn missing(&self, findings: &Findings) -> Vec<TraceEntry> {
        let mut missing: Vec<&Held> = Vec::new();
        for held in findings.ways.iter().flatten().filter(|held| held.truth.is_false()) {
            if missing.iter().all(|known| known.need != held.need) {
                missing.push(held);
            }
        }
        let open = Some(&findings.deny).filter(|deny| !deny.truth.is_false());
        self.entries(missing.into_iter().chain(open))
    }

    fn open(&self, findings: &Findings) -> Vec<TraceEntry> {
        let way = findings.best().into_iter().flatten();
        let held = way.chain([&findings.deny]).filter(|held| matches!(held.truth, Truth::Unknown(_)));
        let mut entries = self.entries(held);
        entries.extend(findings.open.map(|open| self.open_entry(open)));
        entries
    }

    fn open_entry(&self, open: Open) -> TraceEntry {
        TraceEntry { layer: self.resource_layer(), statement: None, id: None, text: open.reason().to_owned() }
    }

    fn entry(&self, held: &Held) -> TraceEntry {
        let text = match held.truth {
            Truth::True => self.holds(held),
            Truth::False => self.fails(held.need),
            Truth::Unknown(open) => open.reason().to_owned(),
        };
        self.entry_saying(held, text)
    }

    /// Returns where something stands, and what it does where it holds.
    pub(super) fn source(&self, held: &Held) -> TraceEntry {
        let text = match (held.truth, held.at) {
            (Truth::Unknown(open), None) => open.reason().to_owned(),
            (Truth::False, None) => self.fails(held.need),
            (Truth::True, _) | (_, Some(_)) => self.holds(held),
        };
        self.entry_saying(held, text)
    }

    pub(super) fn entry_saying(&self, held: &Held, text: String) -> TraceEntry {
        let (layer, statement, id) = match held.at {
            Some(Place::Statement(layer, policy, statement)) => {
                let sid = self.statement(layer, policy, statement).and_then(|statement| statement.sid.clone());
                (layer, Some((policy, statement)), sid)
            }
            Some(Place::Grant(at)) => (Layer::Grant, None, self.grant_id(at)),
            None => (self.layer_of(held.need), None, None),
        };
        TraceEntry { layer, statement, id, text }
    }

    fn statement(&self, layer: Layer, policy: usize, statement: usize) -> Option<&Statement> {
        self.document(layer, policy)?.statements.get(statement)
    }

    /// Returns a policy of a layer.
    pub(super) fn document(&self, layer: Layer, policy: usize) -> Option<&PolicyDocument> {
        let facts = self.call.caller.facts;
        match layer {
            Layer::KeyPolicy => self.call.key.map(|key| &key.policy),
            Layer::RamPolicy => self.call.key.and_then(|key| key.ram_policy.as_ref()),
            Layer::Identity => facts.identity_policies.get(policy),
            Layer::Boundary => facts.permissions_boundary.as_ref(),
            Layer::Session => facts.session_policy.as_ref(),
            Layer::Scp => self.guardrails.and_then(|rails| rails.scps.iter().flatten().nth(policy)),
            Layer::Rcp => self.guardrails.and_then(|rails| rails.rcps.iter().flatten().nth(policy)),
            Layer::Trust => self.trust,
            Layer::Grant => None,
        }
    }

    fn grant_id(&self, at: usize) -> Option<String> {
        Some(self.call.key?.grants.get(at)?.grant_id.clone())
    }

    fn resource_layer(&self) -> Layer {
        if self.trust.is_some() { Layer::Trust } else { Layer::KeyPolicy }
    }

    fn layer_of(&self, need: Need) -> Layer {
        match need {
            Need::Nothing
            | Need::Deny
            | Need::Direct
            | Need::ViaRole
            | Need::Account
            | Need::Admitted
            | Need::Reach => self.resource_layer(),
            Need::Identity | Need::OwnAlias => Layer::Identity,
            Need::Boundary => Layer::Boundary,
            Need::Session => Layer::Session,
            Need::Scp => Layer::Scp,
            Need::Grant | Need::Retirer | Need::RetiringAccount | Need::OwnGrant => Layer::Grant,
            Need::NotRoot => Layer::Trust,
        }
    }

    /// The caller, as people call it: `role/App`.
    pub(super) fn who(&self) -> &str {
        if self.call.caller.facts.knowledge == Knowledge::AccountOnly {
            return "anybody";
        }
        let arn = self.call.caller.facts.arn.as_str();
        arn.splitn(6, ':').nth(5).unwrap_or(arn)
    }

    fn account(&self) -> &str {
        self.call.caller.account.unwrap_or("of no account")
    }

    fn resource_policy(&self) -> &'static str {
        if self.trust.is_some() { "the trust policy" } else { "the key policy" }
    }

    fn holds(&self, held: &Held) -> String {
        let (who, action) = (self.who(), &self.call.request.action);
        match held.need {
            Need::Deny => format!("denies {action} to {who}"),
            Need::Direct => format!("allows {action} to {who} itself"),
            Need::ViaRole => format!("allows {action} to the role or user behind {who}"),
            Need::Account => format!("lets the IAM policies of account {} allow {action}", self.account()),
            Need::Admitted => format!("admits {who} of account {} to {action}", self.account()),
            Need::Identity if held.at.is_none() => {
                format!("the root user of account {} needs no policy", self.account())
            }
            Need::Identity | Need::Boundary | Need::Session | Need::Scp => format!("allows {action}"),
            Need::Grant => format!("grants {action} to {who}"),
            Need::Retirer => format!("may be retired by {who}"),
            Need::RetiringAccount => {
                format!("may be retired by account {} and whom its IAM policies allow", self.account())
            }
            Need::OwnGrant => format!("was issued by account {}", self.account()),
            Need::Reach => format!("{action} works for {who}"),
            Need::OwnAlias => "the alias is not reserved for AWS".to_owned(),
            Need::NotRoot => format!("{who} can assume roles"),
            Need::Nothing => String::new(),
        }
    }

    pub(super) fn fails(&self, need: Need) -> String {
        let (who, action, policy) = (self.who(), &self.call.request.action, self.resource_policy());
        match need {
            Need::Deny => format!("nothing denies {action} to {who}"),
            Need::Direct => format!("{policy} does not allow {action} to {who} itself"),
            Need::ViaRole => format!("{policy} does not allow {action} to the role or user behind {who}"),
            Need::Account => {
                format!("{policy} does not let the IAM policies of account {} allow {action}", self.account())
            }
            Need::Admitted => {
                format!("{policy} admits neither {who} nor account {} to {action}", self.account())
            }
            Need::Identity => format!("no identity policy of {who} allows {action} on {}", self.call.request.resource),
            Need::Boundary => format!("the permissions boundary of {who} does not allow {action}"),
            Need::Session => format!("the session policy of {who} does not allow {action}"),
            Need::Scp => format!("a level of service control policies does not allow {action}"),
            Need::Grant => format!("no grant allows {action} to {who}"),
            Need::Retirer => format!("no grant that the call names may be retired by {who}"),
            Need::RetiringAccount | Need::OwnGrant => format!("account {} did not issue the grant", self.account()),
            Need::Reach => format!("{action} never works from another account"),
            Need::OwnAlias => "aliases that begin with alias/aws/ belong to AWS".to_owned(),
            Need::NotRoot => "root users cannot assume roles".to_owned(),
            Need::Nothing => String::new(),
        }
    }
}
