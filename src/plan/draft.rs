//! Steps as they are collected, before they have numbers and an order.

use super::{Action, Blocker, BlockerKind, Finding, Owner, PropertyChange, Why};
use crate::diag::{Code, Severity};
use crate::ids::{MaterialName, TargetName};
use crate::review::Risk;
use crate::source::{Loc, SourceMap};

/// A step without its number and dependencies.
#[derive(Debug, Clone)]
pub(in crate::plan) struct Draft {
    /// The call.
    pub(in crate::plan) action: Action,
    /// Why it is needed.
    pub(in crate::plan) why: Why,
    /// What it risks.
    pub(in crate::plan) risk: Risk,
    /// The property that changes.
    pub(in crate::plan) change: Option<PropertyChange>,
    /// What other targets must have done before.
    pub(in crate::plan) awaits: Vec<Awaited>,
    /// Whether it brings new material into use: what the key can do without that comes before.
    pub(in crate::plan) is_renewal: bool,
}

/// What a step of another target brings about for the key of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Awaited {
    /// The key itself, a replica.
    Replica,
    /// That the key is the primary.
    Primary,
    /// That a key of the family has a material, in its own target.
    Material {
        /// The target.
        target: TargetName,
        /// The material.
        material: MaterialName,
    },
}

impl Draft {
    /// Returns a routine step.
    pub(in crate::plan) fn new(action: Action, why: Why) -> Self {
        Self { action, why, risk: Risk::Routine, change: None, awaits: Vec::new(), is_renewal: false }
    }

    /// Sets what it risks.
    pub(in crate::plan) fn risk(mut self, risk: Risk) -> Self {
        self.risk = risk;
        self
    }

    /// Adds what another target must have done before.
    pub(in crate::plan) fn awaits(mut self, awaited: Awaited) -> Self {
        self.awaits.push(awaited);
        self
    }

    /// Says that it brings new material into use.
    pub(in crate::plan) fn renewal(mut self) -> Self {
        self.is_renewal = true;
        self
    }

    /// Sets the property that changes.
    pub(in crate::plan) fn change(
        mut self,
        property: impl Into<String>,
        before: Option<String>,
        after: Option<String>,
    ) -> Self {
        self.change = Some(PropertyChange { property: property.into(), before, after });
        self
    }
}

/// Everything found out about one key or role.
#[derive(Debug, Clone)]
pub(in crate::plan) struct Sheet<'a> {
    /// The key or role.
    pub(in crate::plan) owner: Owner,
    /// Its place in the manifest.
    pub(in crate::plan) loc: Loc,
    /// To turn places into lines.
    sources: &'a SourceMap,
    /// Steps in order.
    pub(in crate::plan) drafts: Vec<Draft>,
    /// Why nothing may be done.
    pub(in crate::plan) blockers: Vec<Blocker>,
    /// Things to know.
    pub(in crate::plan) findings: Vec<Finding>,
}

impl<'a> Sheet<'a> {
    /// Returns an empty sheet for a key or role.
    pub(in crate::plan) fn new(owner: Owner, loc: Loc, sources: &'a SourceMap) -> Self {
        Self { owner, loc, sources, drafts: Vec::new(), blockers: Vec::new(), findings: Vec::new() }
    }

    /// Adds a step.
    pub(in crate::plan) fn step(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// Adds a blocker.
    pub(in crate::plan) fn block(&mut self, code: Code, message: impl Into<String>, help: impl Into<String>) {
        self.blockers.push(Blocker {
            kind: BlockerKind(code),
            owner: Some(self.owner.clone()),
            message: message.into(),
            help: help.into(),
            loc: Some(self.loc),
            position: self.sources.position(self.loc),
        });
    }

    /// Adds a finding.
    pub(in crate::plan) fn note(&mut self, code: Code, message: impl Into<String>, remedy: impl Into<String>) {
        self.findings.push(Finding {
            code,
            severity: Severity::Warning,
            owner: Some(self.owner.clone()),
            message: message.into(),
            remedy: remedy.into(),
            position: self.sources.position(self.loc),
        });
    }
}
