//! Grants: whether one allows a call, whether a new one is narrower, and who may retire one.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use super::caller::Match;
use super::context::{Call, Value};
use super::facts::{CreateGrantRequest, GrantConstraints, GrantFacts, Grantee};
use super::truth::{Open, Truth};
use super::variable::literal;
use crate::policy::{Condition, ConditionOperator};
use std::collections::BTreeMap;

/// Returns whether a grant allows a call, the caller's own policies left aside.
pub(super) fn allows(grant: &GrantFacts, call: &Call<'_>) -> Truth {
    if !has_operation(grant, call) {
        return Truth::False;
    }
    let grantee = is_grantee(&grant.grantee, call);
    if grantee.is_false() {
        return Truth::False;
    }
    let context = if looks_at_context(call) { context_fits(&grant.constraints, call) } else { Truth::True };
    grantee.and(source_fits(&grant.constraints, call)).and(narrower(grant, call)).and(context)
}

/// Returns whether the operation of a call is one that the grant allows, and one that grants can allow.
pub(super) fn has_operation(grant: &GrantFacts, call: &Call<'_>) -> bool {
    let action = call.action.filter(|action| action.grantable);
    action.is_some_and(|action| grant.operations.iter().any(|operation| operation == action.name))
}

/// Returns whether the constraints are compared with the encryption context of a call; a new grant is compared with
/// its parent instead.
fn looks_at_context(call: &Call<'_>) -> bool {
    !call.is_action("CreateGrant") && call.action.is_some_and(|action| action.takes_encryption_context)
}

/// Returns whether a new grant is narrower than the grant that allows to make it; other calls make none.
pub(super) fn narrower(grant: &GrantFacts, call: &Call<'_>) -> Truth {
    if !call.is_action("CreateGrant") {
        return Truth::True;
    }
    match &call.request.grant {
        None => Truth::Unknown(Open::ChildGrantUnknown),
        Some(_) if call.grant_is_unknown() => Truth::Unknown(Open::NotGiven),
        Some(new) => is_narrower(new, grant).into(),
    }
}

/// Returns the constraints of a grant that a call has to meet, written as conditions, and whether it does.
///
/// That there are exactly some pairs is written as one condition for each of them, and one that there are no other keys.
pub(super) fn conditions(grant: &GrantFacts, call: &Call<'_>) -> Vec<(Condition, Truth)> {
    let constraints = &grant.constraints;
    let source = constraints.source_arn.iter();
    let source = source.map(|arn| (equals("aws:SourceArn", [arn]), source_fits(constraints, call)));
    let (exact, subset) = (&constraints.encryption_context_equals, &constraints.encryption_context_subset);
    let pairs = exact
        .iter()
        .chain(subset)
        .flatten()
        .filter(|_| looks_at_context(call))
        .map(|(key, value)| (equals(&format!("kms:EncryptionContext:{key}"), [value]), has_pair(call, key, value)));
    let alone = exact.iter().filter(|_| looks_at_context(call)).map(|wanted| {
        let condition = Condition {
            operator: ConditionOperator("ForAllValues:StringEquals".to_owned()),
            ..equals("kms:EncryptionContextKeys", wanted.keys())
        };
        (condition, has_no_more(call, wanted))
    });
    source.chain(pairs).chain(alone).collect()
}

fn equals<'t>(key: &str, values: impl IntoIterator<Item = &'t String>) -> Condition {
    Condition {
        operator: ConditionOperator("StringEquals".to_owned()),
        key: key.to_owned(),
        values: values.into_iter().map(|value| literal(value).as_str().into()).collect(),
    }
}

/// Returns whether the caller is the grantee, or stands for it.
pub(super) fn is_grantee(grantee: &Grantee, call: &Call<'_>) -> Truth {
    match named(grantee, call) {
        Some(Match::Account) if !call.caller.is_root() => Truth::Unknown(Open::AccountGrantee),
        Some(Match::Direct | Match::ViaRole | Match::Account) => Truth::True,
        None => Truth::False,
    }
}

/// Returns how a grantee or retiring principal names the caller.
fn named(grantee: &Grantee, call: &Call<'_>) -> Option<Match> {
    match grantee {
        Grantee::Principal(_) if call.caller.is_service() => None,
        Grantee::Principal(arn) => call.caller.named_by_arn(arn),
        Grantee::Service(name) => (call.caller.is_service() && *name == call.caller.facts.arn).then_some(Match::Direct),
    }
}

/// Returns whether the resource for which a service calls is the one of the constraint.
fn source_fits(constraints: &GrantConstraints, call: &Call<'_>) -> Truth {
    let Some(source) = constraints.source_arn.as_deref() else { return Truth::True };
    match call.value("aws:SourceArn") {
        Some(Value::One(given)) => (given == source).into(),
        Some(Value::Open(open)) => Truth::Unknown(open),
        Some(Value::Many(_)) | None => Truth::False,
    }
}

/// Returns whether the encryption context of a call satisfies the constraints; open where pairs are not known that
/// would decide it.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html>
fn context_fits(constraints: &GrantConstraints, call: &Call<'_>) -> Truth {
    let equals = constraints.encryption_context_equals.as_ref();
    let subset = constraints.encryption_context_subset.as_ref();
    let exactly = |wanted| contains(call, wanted).and(has_no_more(call, wanted));
    equals.map_or(Truth::True, exactly).and(subset.map_or(Truth::True, |wanted| contains(call, wanted)))
}

/// Returns whether a call has no other pairs than some that it has.
fn has_no_more(call: &Call<'_>, wanted: &BTreeMap<String, String>) -> Truth {
    let given = &call.request.encryption_context;
    let wanted_key = |key: &String| wanted.keys().any(|other| other.eq_ignore_ascii_case(key));
    if given.len() > wanted.len() || !given.keys().all(wanted_key) {
        Truth::False
    } else if call.has_open_pairs() {
        Truth::Unknown(Open::NotGiven)
    } else {
        (given.len() == wanted.len()).into()
    }
}

/// Returns whether a call has all of some pairs.
fn contains(call: &Call<'_>, wanted: &BTreeMap<String, String>) -> Truth {
    Truth::all(wanted.iter().map(|(key, value)| has_pair(call, key, value)))
}

/// Returns whether a call has a pair; open where only the case of the key differs.
fn has_pair(call: &Call<'_>, key: &str, value: &str) -> Truth {
    let given = &call.request.encryption_context;
    if given.get(key).is_some_and(|given| given == value) {
        return Truth::True;
    }
    let folded = given.iter().any(|(other, given)| other.eq_ignore_ascii_case(key) && given == value);
    match (folded, given.contains_key(key)) {
        (true, _) => Truth::Unknown(Open::ConstraintKeyCase),
        (false, false) if call.is_open_pair(key) => Truth::Unknown(Open::NotGiven),
        (false, _) => Truth::False,
    }
}

/// Returns whether a new grant gives nothing that its parent does not: its operations are among the parent's, and
/// its constraints at least as strict.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html#grant-creategrant>
fn is_narrower(new: &CreateGrantRequest, parent: &GrantFacts) -> bool {
    let none = GrantConstraints::default();
    let constraints = new.constraints.as_ref().unwrap_or(&none);
    let operations = new.operations.iter().all(|operation| parent.operations.contains(operation));
    operations && is_stricter(constraints, &parent.constraints)
}

fn is_stricter(new: &GrantConstraints, parent: &GrantConstraints) -> bool {
    let has = |given: Option<&BTreeMap<String, String>>, wanted: &BTreeMap<String, String>| {
        given.is_some_and(|given| wanted.iter().all(|(key, value)| given.get(key) == Some(value)))
    };
    let (equals, subset) = (new.encryption_context_equals.as_ref(), new.encryption_context_subset.as_ref());
    let keeps_equals =
        parent.encryption_context_equals.is_none() || equals == parent.encryption_context_equals.as_ref();
    let keeps_subset =
        parent.encryption_context_subset.as_ref().is_none_or(|wanted| has(equals, wanted) || has(subset, wanted));
    let keeps_source = parent.source_arn.is_none() || new.source_arn == parent.source_arn;
    keeps_equals && keeps_subset && keeps_source
}

/// How a caller may retire a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retiring {
    /// As the retiring principal, or as the grantee where retiring is granted.
    Named,
    /// As a principal of the account that issued the grant, or that may retire it, as far as its IAM allows.
    OfAccount,
}

/// Returns how the caller may retire a grant, `None` if not at all; neither the key policy nor the grant's
/// constraints matter.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/grant-delete.html>
pub(super) fn retiring(grant: &GrantFacts, call: &Call<'_>) -> Option<Retiring> {
    let retiring = grant.retiring.as_ref().and_then(|principal| named(principal, call));
    let may_retire = grant.operations.iter().any(|operation| operation == "RetireGrant");
    let grantee = named(&grant.grantee, call).filter(|_| may_retire);
    match (retiring, grantee) {
        (Some(Match::Direct | Match::ViaRole), _) | (_, Some(Match::Direct | Match::ViaRole)) => Some(Retiring::Named),
        (_, Some(Match::Account)) if call.caller.is_root() => Some(Retiring::Named),
        (Some(Match::Account), _) => Some(Retiring::OfAccount),
        (None, Some(Match::Account) | None) => {
            call.caller.is_of_account(&grant.issuing_account).then_some(Retiring::OfAccount)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::facts::{PrincipalFacts, Request, Unknown};

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn equals(list: &[(&str, &str)]) -> GrantConstraints {
        GrantConstraints { encryption_context_equals: Some(pairs(list)), ..GrantConstraints::default() }
    }

    fn subset(list: &[(&str, &str)]) -> GrantConstraints {
        GrantConstraints { encryption_context_subset: Some(pairs(list)), ..GrantConstraints::default() }
    }

    #[test]
    fn constraints_compare_pairs() {
        let given = pairs(&[("Department", "IT"), ("Purpose", "Test")]);
        for (constraints, expected) in [
            (subset(&[("Department", "IT")]), Truth::True),
            (subset(&[("Department", "it")]), Truth::False),
            (subset(&[("department", "IT")]), Truth::Unknown(Open::ConstraintKeyCase)),
            (equals(&[("Department", "IT")]), Truth::False),
            (equals(&[("Department", "IT"), ("Purpose", "Test")]), Truth::True),
            (GrantConstraints::default(), Truth::True),
        ] {
            assert_eq!(fits(&constraints, &given, Unknown::Nothing), expected, "{constraints:?}");
        }
    }

    fn fits(constraints: &GrantConstraints, given: &BTreeMap<String, String>, unknown: Unknown) -> Truth {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
        let mut request = Request::new("kms:Decrypt", key, "eu-west-1".parse().unwrap());
        (request.encryption_context, request.unknown) = (given.clone(), unknown);
        let caller = PrincipalFacts::from_arn(&"arn:aws:iam::111122223333:role/App".parse().unwrap());
        context_fits(constraints, &Call::new(&request, &caller, None))
    }

    #[test]
    fn pairs_that_are_not_known_leave_it_open() {
        let open = Truth::Unknown(Open::NotGiven);
        let (one, two) = ([("a", "1")], [("a", "1"), ("b", "2")]);
        let listed = |key: &str| Unknown::Keys([format!("kms:encryptioncontext:{key}")].into());
        for (constraints, given, unknown, expected) in [
            (subset(&one), &[][..], Unknown::Everything, open),
            (subset(&one), &one[..], Unknown::Everything, Truth::True),
            (subset(&two), &one, Unknown::Everything, Truth::False),
            (subset(&two), &one, listed("b"), open),
            (subset(&two), &one, listed("c"), Truth::False),
            (equals(&one), &one, listed("c"), open),
            (equals(&one), &two, listed("c"), Truth::False),
            (equals(&two), &one, listed("b"), open),
            (equals(&two), &[("a", "2")], listed("b"), Truth::False),
        ] {
            assert_eq!(fits(&constraints, &pairs(given), unknown), expected, "{constraints:?} {given:?}");
        }
    }

    #[test]
    fn a_child_is_never_wider() {
        let (one, two) = ([("a", "1")], [("a", "1"), ("b", "2")]);
        for (new, parent, expected) in [
            (subset(&two), subset(&one), true),
            (subset(&one), subset(&two), false),
            (equals(&one), subset(&one), true),
            (equals(&one), equals(&one), true),
            (subset(&one), equals(&one), false),
            (equals(&two), equals(&one), false),
            (GrantConstraints::default(), subset(&one), false),
            (subset(&one), GrantConstraints::default(), true),
        ] {
            assert_eq!(is_stricter(&new, &parent), expected, "{new:?} {parent:?}");
        }
        let source = |arn: &str| GrantConstraints { source_arn: Some(arn.to_owned()), ..GrantConstraints::default() };
        assert!(is_stricter(&source("arn:aws:s3:::b"), &source("arn:aws:s3:::b")));
        assert!(!is_stricter(&source("arn:aws:s3:::c"), &source("arn:aws:s3:::b")));
        assert!(!is_stricter(&GrantConstraints::default(), &source("arn:aws:s3:::b")));
    }
}
