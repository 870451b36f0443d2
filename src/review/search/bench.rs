//! Single questions to the evaluator: what a part of a policy, by itself, says to a request.

use super::Region;
use super::callers::everything;
use crate::access::{
    Decision, GrantFacts, Guardrails, KeyFacts, PrincipalFacts, Request, RequestContext, decide, derive_context,
};
use crate::policy::{Actions, Condition, Effect, PolicyDocument, PolicyVersion, PrincipalEntry, Statement};
use crate::review::rule::Rule;

/// Whether a part of a policy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Truth {
    No,
    Yes,
    /// AWS leaves it open, for this reason.
    Open(String),
}

/// A key whose policy and grants are replaced for every question.
#[derive(Debug, Clone)]
pub(in crate::review) struct Bench {
    key: KeyFacts,
    rails: Guardrails,
    /// How many questions were asked.
    pub(super) asked: u64,
}

impl Bench {
    pub(in crate::review) fn new(key: &KeyFacts) -> Self {
        let empty = PolicyDocument::new(Vec::new());
        let key = KeyFacts { policy: empty, ram_policy: None, grants: Vec::new(), ..key.clone() };
        Self { key, rails: Guardrails::default(), asked: 0 }
    }

    /// Returns whether a statement applies to a caller and an action, its conditions left aside.
    pub(super) fn applies(
        &mut self,
        statement: &Statement,
        version: &PolicyVersion,
        request: &Request,
        caller: &PrincipalFacts,
    ) -> Truth {
        let bare = Statement { conditions: Vec::new(), ..statement.clone() };
        match statement.effect {
            Effect::Allow => self.ask(vec![bare], version, request, caller).truth(),
            Effect::Deny => {
                let caller = with_iam(caller);
                let allow = everybody_may(&request.action);
                self.ask(vec![allow, bare], version, request, &caller).denial()
            }
        }
    }

    /// Returns whether a condition of a statement with some effect holds.
    pub(super) fn holds(
        &mut self,
        (condition, version, effect): (&Condition, &PolicyVersion, Effect),
        request: &Request,
        caller: &PrincipalFacts,
    ) -> Truth {
        let mut statement = everybody_may(&request.action);
        statement.conditions.push(condition.clone());
        match effect {
            Effect::Allow => self.ask(vec![statement], version, request, caller).truth(),
            Effect::Deny => {
                statement.effect = Effect::Deny;
                self.ask(vec![everybody_may(&request.action), statement], version, request, caller).denial()
            }
        }
    }

    /// Returns whether a request is in a region.
    pub(in crate::review) fn has(&mut self, region: &Region<'_>, request: &Request, caller: &PrincipalFacts) -> bool {
        let version = PolicyVersion::V2012;
        let allowed = match &region.allow.grant {
            Some(grant) => self.grants(grant, request, caller),
            None => self.ask(vec![region.allow.statement(Effect::Allow)], &version, request, caller).truth(),
        };
        let kept_out = |bench: &mut Self, deny: &Rule| {
            let statements = vec![everybody_may(&request.action), deny.statement(Effect::Deny)];
            bench.ask(statements, &version, request, &with_iam(caller)).denial() == Truth::Yes
        };
        allowed == Truth::Yes && region.lifted.is_none_or(|deny| kept_out(self, deny))
    }

    /// Returns whether an action can be allowed to a caller at all.
    pub(super) fn reaches(&mut self, request: &Request, caller: &PrincipalFacts) -> bool {
        let allow = everybody_may(&request.action);
        self.ask(vec![allow], &PolicyVersion::V2012, request, &with_iam(caller)).truth() == Truth::Yes
    }

    /// Returns whether a grant names a caller for the action of a request.
    pub(super) fn grants(&mut self, grant: &GrantFacts, request: &Request, caller: &PrincipalFacts) -> Truth {
        self.asked += 1;
        self.key.policy.statements.clear();
        self.key.grants = vec![grant.clone()];
        let found = decide(
            &Request { resource: self.key.arn.clone(), ..request.clone() },
            caller,
            Some(&self.key),
            &self.rails,
        );
        self.key.grants.clear();
        Answer(found).truth()
    }

    /// Returns the condition keys of a request that have one value by themselves.
    pub(super) fn context(&self, request: &Request, caller: &PrincipalFacts) -> RequestContext {
        let request = Request { resource: self.key.arn.clone(), ..request.clone() };
        derive_context(&request, caller, Some(&self.key))
    }

    pub(super) fn aliases(&self) -> &[String] {
        &self.key.aliases
    }

    /// Returns whether the organization of the key's account is not known.
    pub(super) fn org_is_unknown(&self) -> bool {
        self.key.org_id.is_none()
    }

    fn ask(
        &mut self,
        statements: Vec<Statement>,
        version: &PolicyVersion,
        request: &Request,
        caller: &PrincipalFacts,
    ) -> Answer {
        self.asked += 1;
        self.key.policy.version.clone_from(version);
        self.key.policy.statements = statements;
        if request.resource == self.key.arn {
            return Answer(decide(request, caller, Some(&self.key), &self.rails));
        }
        let request = Request { resource: self.key.arn.clone(), ..request.clone() };
        Answer(decide(&request, caller, Some(&self.key), &self.rails))
    }
}

struct Answer(Decision);

impl Answer {
    fn truth(self) -> Truth {
        match self.0 {
            Decision::Allow => Truth::Yes,
            Decision::ExplicitDeny | Decision::ImplicitDeny => Truth::No,
            Decision::Undetermined(reason) => Truth::Open(reason),
        }
    }

    /// Returns whether a deny holds, where without it the request would be allowed.
    fn denial(self) -> Truth {
        match self.truth() {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            open @ Truth::Open(_) => open,
        }
    }
}

/// Returns a caller whose IAM policies allow everything.
pub(super) fn with_iam(caller: &PrincipalFacts) -> PrincipalFacts {
    PrincipalFacts { identity_policies: vec![everything()], ..caller.clone() }
}

fn everybody_may(action: &str) -> Statement {
    let mut statement = Statement::allow("Everybody", ["*"]).principals(vec![PrincipalEntry::Everyone]);
    statement.actions = Some(Actions::Is(vec![action.to_owned()]));
    statement
}
