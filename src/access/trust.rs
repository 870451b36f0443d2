//! Who may assume a role: its trust policy, and the caller's own policies.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use super::combine::{CallerSide, Findings, same_account_ways};
use super::context::Call;
use super::facts::{Guardrails, PrincipalType};
use super::layer::{Held, Need, Part as _, ResourceSaid};
use super::statement::Kind;
use super::truth::Truth;
use super::verdict::Layer;
use crate::policy::PolicyDocument;

/// Judges a call that assumes the role that the request names as its resource.
pub(super) fn find(call: &Call<'_>, trust: &PolicyDocument) -> Findings {
    let caller_side = CallerSide::<Held>::judge(call, &Guardrails::default());
    let mut role_side = ResourceSaid::<Held>::nothing();
    role_side.judge(Layer::Trust, trust, Kind::Trust, call);
    let deny = role_side.deny.either(caller_side.deny);
    if deny.truth == Truth::True {
        return Findings { deny, ways: Vec::new(), open: None };
    }
    let role_account = call.request.resource.split(':').nth(4).unwrap_or_default();
    let ways = match call.caller.facts.kind {
        PrincipalType::Root => vec![caller_side.direct_way(Held::no(Need::NotRoot))],
        // Sessions of an identity provider have no account before they have a role.
        PrincipalType::Service | PrincipalType::FederatedUser if call.caller.account.is_none() => {
            vec![caller_side.direct_way(role_side.direct)]
        }
        PrincipalType::User
        | PrincipalType::Role
        | PrincipalType::RoleSession
        | PrincipalType::FederatedUser
        | PrincipalType::Service => {
            if call.caller.account == Some(role_account) {
                same_account_ways(&role_side, &caller_side)
            } else {
                vec![caller_side.own_way([role_side.admitted()])]
            }
        }
    };
    Findings { deny, ways, open: None }
}

#[cfg(test)]
mod tests {
    use super::super::{ContextValue, Decision, Layer, PrincipalFacts, Request, evaluate_trust};
    use super::*;
    use crate::policy::{PrincipalEntry, Statement};

    const ROLE: &str = "arn:aws:iam::111122223333:role/Admin";
    const USER: &str = "arn:aws:iam::111122223333:user/Alice";
    const FAR: &str = "arn:aws:iam::444455556666:role/Ext";

    fn trusting(entry: PrincipalEntry) -> Statement {
        let mut statement = Statement::allow("Trust", ["sts:AssumeRole"]).principals(vec![entry]);
        statement.resources = None;
        statement
    }

    fn aws(text: &str) -> PrincipalEntry {
        PrincipalEntry::Aws(text.to_owned())
    }

    fn caller(arn: &str, iam: Option<Statement>) -> PrincipalFacts {
        let mut facts = PrincipalFacts::from_arn(&arn.parse().unwrap());
        facts.identity_policies.extend(iam.map(|statement| PolicyDocument::new(vec![statement])));
        facts
    }

    fn allow() -> Statement {
        Statement::allow("Assume", ["sts:AssumeRole"]).resources([ROLE])
    }

    fn assume() -> Request {
        Request::new("sts:AssumeRole", ROLE, "eu-west-1".parse().unwrap())
    }

    fn decided(statement: Statement, caller: &PrincipalFacts) -> Decision {
        evaluate_trust(&assume(), caller, &PolicyDocument::new(vec![statement])).decision
    }

    #[test]
    fn the_own_account_needs_trust_by_name_or_delegation_and_iam() {
        assert_eq!(decided(trusting(aws(USER)), &caller(USER, None)), Decision::Allow);
        assert_eq!(decided(trusting(aws("111122223333")), &caller(USER, None)), Decision::ImplicitDeny);
        assert_eq!(decided(trusting(aws("111122223333")), &caller(USER, Some(allow()))), Decision::Allow);
        assert_eq!(decided(trusting(aws(FAR)), &caller(USER, Some(allow()))), Decision::ImplicitDeny);
    }

    #[test]
    fn another_account_needs_both_sides() {
        assert_eq!(decided(trusting(aws(FAR)), &caller(FAR, None)), Decision::ImplicitDeny);
        assert_eq!(decided(trusting(aws(FAR)), &caller(FAR, Some(allow()))), Decision::Allow);
        assert_eq!(decided(trusting(aws("444455556666")), &caller(FAR, Some(allow()))), Decision::Allow);
        let elsewhere = Some(Statement::allow("Assume", ["sts:AssumeRole"]).resources(["arn:aws:iam::*:role/Other"]));
        assert_eq!(decided(trusting(aws(FAR)), &caller(FAR, elsewhere)), Decision::ImplicitDeny);
    }

    #[test]
    fn denies_on_either_side_win() {
        let denied = Some(Statement::deny("No", ["sts:*"]));
        assert_eq!(decided(trusting(aws(USER)), &caller(USER, denied)), Decision::ExplicitDeny);
        let mut no = trusting(PrincipalEntry::Everyone);
        no.effect = crate::policy::Effect::Deny;
        let trust = PolicyDocument::new(vec![trusting(aws(USER)), no]);
        let found = evaluate_trust(&assume(), &caller(USER, None), &trust);
        assert_eq!((found.decision, found.trace[0].statement), (Decision::ExplicitDeny, Some((0, 1))));
        assert_eq!(found.trace[0].layer, Layer::Trust);
    }

    #[test]
    fn services_and_providers_are_trusted_by_name() {
        let service = PrincipalFacts::new(PrincipalType::Service, "ecs-tasks.amazonaws.com", None);
        let entry = |name: &str| trusting(PrincipalEntry::Service(name.to_owned()));
        assert_eq!(decided(entry("ecs-tasks.amazonaws.com"), &service), Decision::Allow);
        assert_eq!(decided(entry("ec2.amazonaws.com"), &service), Decision::ImplicitDeny);
        let provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
        let session = PrincipalFacts::new(PrincipalType::FederatedUser, provider, None);
        let trusted = trusting(PrincipalEntry::Federated(provider.to_owned()));
        assert_eq!(decided(trusted, &session), Decision::Allow);
        assert_eq!(decided(entry("ecs-tasks.amazonaws.com"), &session), Decision::ImplicitDeny);
    }

    #[test]
    fn an_external_id_is_a_condition() {
        let statement = trusting(aws(FAR)).when("StringEquals", "sts:ExternalId", ["secret-word"]);
        let trust = PolicyDocument::new(vec![statement]);
        let mut request = assume();
        assert_eq!(evaluate_trust(&request, &caller(FAR, Some(allow())), &trust).decision, Decision::ImplicitDeny);
        let id = ContextValue::One("secret-word".to_owned());
        request.context.insert("sts:ExternalId".to_owned(), Some(id));
        assert_eq!(evaluate_trust(&request, &caller(FAR, Some(allow())), &trust).decision, Decision::Allow);
    }

    #[test]
    fn root_users_assume_nothing() {
        let root = caller("arn:aws:iam::111122223333:root", None);
        assert_eq!(decided(trusting(aws("111122223333")), &root), Decision::ImplicitDeny);
    }
}
