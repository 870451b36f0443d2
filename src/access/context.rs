//! The request context: which condition keys a call has, and their values.
//!
//! Values are looked up one by one while conditions are judged; [`derive_context`] asks for all of them, so the
//! two cannot differ.

use super::caller::Caller;
use super::facts::{
    ContextValue, CreateGrantRequest, KeyFacts, Knowledge, PrincipalFacts, PrincipalType, Request, RequestContext,
    Unknown,
};
use super::truth::Open;
use crate::kms::{ActionScope, KmsAction, renamed_condition_key};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A call that is being judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) caller: Caller<'a>,
    /// The key, if the call is on it.
    pub(super) key: Option<&'a KeyFacts>,
    /// The action, if it is one of KMS.
    pub(super) action: Option<&'static KmsAction>,
    /// What statements have to cover: the resource of the request, `*` for actions that have none.
    pub(super) resource: &'a str,
}

/// The value of a condition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    One(Cow<'a, str>),
    Many(Vec<&'a str>),
    /// It has a value that is not known.
    Open(Open),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::One(Cow::Borrowed(text))
    }
}

/// A condition key whose name has no variable part, by what it describes.
#[derive(Debug, Clone, Copy)]
enum Named {
    Caller(CallerKey),
    Key(KeyKey),
    Grant(GrantKey),
    Request(RequestKey),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallerKey {
    IsAwsService,
    ServiceName,
    Account,
    Arn,
    Type,
    UserName,
    UserId,
    OrgId,
}

#[derive(Debug, Clone, Copy)]
enum KeyKey {
    Account,
    OrgId,
    Aliases,
    Spec,
    Usage,
    Origin,
    MultiRegion,
    MultiRegionType,
}

#[derive(Debug, Clone, Copy)]
enum GrantKey {
    Operations,
    Grantee,
    GranteeService,
    Retiring,
    ConstraintType,
    SourceArn,
}

#[derive(Debug, Clone, Copy)]
enum RequestKey {
    Region,
    SecureTransport,
    ViaService,
    Alias,
    EncryptionContextKeys,
    GrantIsForAwsResource,
}

const NAMED: &[(&str, Named)] = &[
    ("aws:PrincipalIsAWSService", Named::Caller(CallerKey::IsAwsService)),
    ("aws:PrincipalServiceName", Named::Caller(CallerKey::ServiceName)),
    ("aws:PrincipalAccount", Named::Caller(CallerKey::Account)),
    ("kms:CallerAccount", Named::Caller(CallerKey::Account)),
    ("aws:PrincipalArn", Named::Caller(CallerKey::Arn)),
    ("aws:PrincipalType", Named::Caller(CallerKey::Type)),
    ("aws:username", Named::Caller(CallerKey::UserName)),
    ("aws:userid", Named::Caller(CallerKey::UserId)),
    ("aws:PrincipalOrgID", Named::Caller(CallerKey::OrgId)),
    ("aws:RequestedRegion", Named::Request(RequestKey::Region)),
    ("aws:SecureTransport", Named::Request(RequestKey::SecureTransport)),
    ("aws:ResourceAccount", Named::Key(KeyKey::Account)),
    ("aws:ResourceOrgID", Named::Key(KeyKey::OrgId)),
    ("kms:ResourceAliases", Named::Key(KeyKey::Aliases)),
    ("kms:KeySpec", Named::Key(KeyKey::Spec)),
    ("kms:KeyUsage", Named::Key(KeyKey::Usage)),
    ("kms:KeyOrigin", Named::Key(KeyKey::Origin)),
    ("kms:MultiRegion", Named::Key(KeyKey::MultiRegion)),
    ("kms:MultiRegionKeyType", Named::Key(KeyKey::MultiRegionType)),
    ("kms:ViaService", Named::Request(RequestKey::ViaService)),
    ("kms:RequestAlias", Named::Request(RequestKey::Alias)),
    ("kms:EncryptionContextKeys", Named::Request(RequestKey::EncryptionContextKeys)),
    ("kms:GrantIsForAWSResource", Named::Request(RequestKey::GrantIsForAwsResource)),
    ("kms:GrantOperations", Named::Grant(GrantKey::Operations)),
    ("kms:GranteePrincipal", Named::Grant(GrantKey::Grantee)),
    ("kms:GranteeServicePrincipal", Named::Grant(GrantKey::GranteeService)),
    ("kms:RetiringPrincipal", Named::Grant(GrantKey::Retiring)),
    ("kms:GrantConstraintType", Named::Grant(GrantKey::ConstraintType)),
    ("kms:GrantConstraintSourceArn", Named::Grant(GrantKey::SourceArn)),
];

const PRINCIPAL_TAG: &str = "aws:PrincipalTag/";
const RESOURCE_TAG: &str = "aws:ResourceTag/";
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:";

/// Returns what follows a prefix that is compared without case.
fn after<'t>(prefix: &str, text: &'t str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

/// Returns the value of a name in a map whose names are compared without case, as condition keys are.
fn folded<'a>(map: &'a BTreeMap<String, String>, name: &str) -> Option<Value<'a>> {
    let mut found = map.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let (_, value) = found.next()?;
    Some(if found.next().is_some() { Value::Open(Open::ContextKeyCase) } else { value.as_str().into() })
}

impl<'a> Call<'a> {
    pub(super) fn new(request: &'a Request, principal: &'a PrincipalFacts, key: Option<&'a KeyFacts>) -> Self {
        let action = KmsAction::find(&request.action).filter(|action| action.full.len() == request.action.len());
        // An action that is not in the table is taken for a new one on keys.
        let on_key =
            action.map_or_else(|| after("kms:", &request.action).is_some(), |action| action.scope != ActionScope::Iam);
        let key = key.filter(|key| on_key && key.arn == request.resource);
        let iam_only = action.is_some_and(|action| action.scope == ActionScope::Iam);
        let resource = if iam_only { "*" } else { request.resource.as_str() };
        Self { request, caller: Caller::new(principal), key, action, resource }
    }

    /// Returns the value of a condition key; `None` where the call has none.
    pub(super) fn value(&self, key: &str) -> Option<Value<'a>> {
        if let Some((_, given)) = self.request.context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            return given.as_ref().map(|value| match value {
                ContextValue::One(text) => text.as_str().into(),
                ContextValue::Many(texts) => Value::Many(texts.iter().map(String::as_str).collect()),
            });
        }
        if self.request.unknown == Unknown::Nothing {
            return self.derived(key);
        }
        if self.request.unknown.lists(key) {
            return self.can_carry(key).then_some(Value::Open(Open::NotGiven));
        }
        self.derived(key).or_else(|| self.may_have(key).then_some(Value::Open(Open::NotGiven)))
    }

    /// Returns whether a call of the action can carry a key that is made from the request's parts.
    fn can_carry(&self, key: &str) -> bool {
        if after(ENCRYPTION_CONTEXT, key).is_some() || key.eq_ignore_ascii_case("kms:EncryptionContextKeys") {
            return self.carries_encryption_context();
        }
        match NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some((_, Named::Grant(_))) => self.key.is_some() && self.is_action("CreateGrant"),
            Some((_, Named::Request(_))) => self.key.is_some(),
            Some((_, Named::Caller(_) | Named::Key(_))) | None => true,
        }
    }

    /// Returns whether such a call can have a key that was not given, where all such keys are open.
    fn may_have(&self, key: &str) -> bool {
        self.request.unknown == Unknown::Everything
            && self.can_carry(key)
            && match NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
                Some((_, Named::Caller(CallerKey::OrgId))) => self.may_be_in_organization(),
                Some((_, Named::Caller(_) | Named::Key(_))) => false,
                Some((_, Named::Grant(_))) => self.request.grant.is_none(),
                Some((_, Named::Request(RequestKey::EncryptionContextKeys))) => self.has_open_pairs(),
                Some((_, Named::Request(RequestKey::ViaService))) => !self.caller.is_service(),
                Some((name, Named::Request(_))) => self.knows(name),
                None => self.may_have_unnamed(key),
            }
    }

    fn may_have_unnamed(&self, key: &str) -> bool {
        if let Some(pair) = after(ENCRYPTION_CONTEXT, key) {
            return self.is_open_pair(pair);
        }
        let begins = |prefix: &str| after(prefix, key).is_some();
        if begins("aws:PrincipalOrg") {
            return self.may_be_in_organization();
        }
        if begins(PRINCIPAL_TAG) {
            return self.is_half_known();
        }
        if begins(RESOURCE_TAG) || begins("aws:ResourceOrg") {
            return false;
        }
        if begins("aws:SourceArn") || begins("aws:SourceAccount") || begins("aws:SourceOrg") {
            return self.caller.is_service();
        }
        !(begins("kms:") || begins("aws:RequestTag/") || begins("aws:TagKeys")) || self.knows(key)
    }

    /// Returns whether the action has a condition key of its own; of actions that are not in the table nobody knows.
    fn knows(&self, key: &str) -> bool {
        self.action.is_none_or(|action| action.knows_condition_key(key))
    }

    fn is_anybody(&self) -> bool {
        self.caller.facts.knowledge == Knowledge::AccountOnly
    }

    /// Returns whether the caller's account may be in an organization: no account tells of its own that it is in none.
    fn may_be_in_organization(&self) -> bool {
        self.caller.facts.org_id.is_none() && !self.caller.is_service()
    }

    fn is_half_known(&self) -> bool {
        self.caller.facts.knowledge == Knowledge::NameOnly && !self.caller.is_service()
    }

    fn carries_encryption_context(&self) -> bool {
        let takes = self.is_action("CreateGrant") || self.action.is_some_and(|action| action.takes_encryption_context);
        self.key.is_some() && takes
    }

    /// Returns whether the encryption context may have pairs that are not known.
    pub(super) fn has_open_pairs(&self) -> bool {
        match &self.request.unknown {
            Unknown::Nothing => false,
            Unknown::Keys(keys) => keys.iter().any(|key| after(ENCRYPTION_CONTEXT, key).is_some()),
            Unknown::Everything if self.is_action("CreateGrant") => self.request.grant.is_none(),
            Unknown::Everything => self.request.encryption_context.is_empty(),
        }
    }

    /// Returns whether the encryption context may have a pair of a key.
    pub(super) fn is_open_pair(&self, key: &str) -> bool {
        match &self.request.unknown {
            Unknown::Nothing => false,
            Unknown::Keys(_) => self.request.unknown.lists(&format!("{ENCRYPTION_CONTEXT}{key}")),
            Unknown::Everything => self.has_open_pairs(),
        }
    }

    /// Returns whether parameters of a new grant are not known.
    pub(super) fn grant_is_unknown(&self) -> bool {
        self.has_open_pairs()
            || NAMED.iter().any(|(name, named)| matches!(named, Named::Grant(_)) && self.request.unknown.lists(name))
    }

    fn derived(&self, key: &str) -> Option<Value<'a>> {
        if let Some((_, named)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            return self.named(*named);
        }
        if let Some(current) = renamed_condition_key(key) {
            return self.derived(current);
        }
        if self.is_anybody() && (after(PRINCIPAL_TAG, key).is_some() || after("aws:PrincipalOrg", key).is_some()) {
            return Some(Value::Open(Open::NotGiven));
        }
        if let Some(tag) = after(PRINCIPAL_TAG, key) {
            return folded(self.principal_tags()?, tag);
        }
        if let Some(tag) = after(RESOURCE_TAG, key) {
            return folded(&self.key?.tags, tag);
        }
        folded(self.encryption_context()?, after(ENCRYPTION_CONTEXT, key)?)
    }

    fn named(&self, named: Named) -> Option<Value<'a>> {
        match named {
            Named::Caller(key) if self.caller.is_service() => self.of_service(key),
            Named::Caller(key) if self.is_anybody() => self.of_anybody(key),
            Named::Caller(key) => self.of_caller(key),
            Named::Key(key) => of_key(self.key?, key),
            Named::Grant(key) => of_grant(self.new_grant()?, key),
            Named::Request(key) => self.of_request(key),
        }
    }

    fn of_service(&self, key: CallerKey) -> Option<Value<'a>> {
        match key {
            CallerKey::IsAwsService => Some("true".into()),
            CallerKey::ServiceName => Some(self.caller.facts.arn.as_str().into()),
            CallerKey::Account
            | CallerKey::Arn
            | CallerKey::Type
            | CallerKey::UserName
            | CallerKey::UserId
            | CallerKey::OrgId => None,
        }
    }

    /// Of all whom nothing names only the account is known, if that.
    fn of_anybody(&self, key: CallerKey) -> Option<Value<'a>> {
        match key {
            CallerKey::IsAwsService | CallerKey::ServiceName => self.of_caller(key),
            CallerKey::Account if self.caller.account.is_some() => self.of_caller(key),
            CallerKey::Account
            | CallerKey::Arn
            | CallerKey::Type
            | CallerKey::UserName
            | CallerKey::UserId
            | CallerKey::OrgId => Some(Value::Open(Open::NotGiven)),
        }
    }

    fn of_caller(&self, key: CallerKey) -> Option<Value<'a>> {
        let facts = self.caller.facts;
        match key {
            CallerKey::IsAwsService => Some("false".into()),
            CallerKey::ServiceName => None,
            CallerKey::Account => self.caller.account.map(Into::into),
            CallerKey::Arn => Some(Value::One(self.caller.principal_arn())),
            CallerKey::Type => Some(principal_type(facts.kind).into()),
            CallerKey::UserName => {
                facts.arn.rsplit('/').next().filter(|_| facts.kind == PrincipalType::User).map(Into::into)
            }
            CallerKey::UserId => user_id(facts),
            CallerKey::OrgId => facts.org_id.as_deref().map(Into::into),
        }
    }

    fn of_request(&self, key: RequestKey) -> Option<Value<'a>> {
        let request = self.request;
        match key {
            RequestKey::Region => Some(request.region.as_str().into()),
            RequestKey::SecureTransport => Some("true".into()),
            RequestKey::ViaService => self.key.and(request.via_service.as_deref()).map(Into::into),
            RequestKey::Alias => self.key.and(request.request_alias.as_deref()).map(Into::into),
            RequestKey::GrantIsForAwsResource => self.key.and(request.grant_is_for_aws_resource).map(truth_text),
            RequestKey::EncryptionContextKeys => many(self.encryption_context()?.keys()),
        }
    }

    fn principal_tags(&self) -> Option<&'a BTreeMap<String, String>> {
        (!self.caller.is_service()).then_some(&self.caller.facts.tags)
    }

    fn new_grant(&self) -> Option<&'a CreateGrantRequest> {
        self.key?;
        self.request.grant.as_ref().filter(|_| self.is_action("CreateGrant"))
    }

    /// Returns the encryption context that conditions see: of a cryptographic call on a key its own, of
    /// `CreateGrant` that of the constraint.
    fn encryption_context(&self) -> Option<&'a BTreeMap<String, String>> {
        if self.is_action("CreateGrant") {
            let constraints = self.new_grant()?.constraints.as_ref()?;
            return constraints.encryption_context_equals.as_ref().or(constraints.encryption_context_subset.as_ref());
        }
        self.key?;
        self.action.filter(|action| action.takes_encryption_context).map(|_| &self.request.encryption_context)
    }

    /// Returns whether the call is of a KMS action, named without prefix.
    pub(super) fn is_action(&self, name: &str) -> bool {
        self.action.is_some_and(|action| action.name == name)
    }
}

fn truth_text<'a>(flag: bool) -> Value<'a> {
    if flag { "true".into() } else { "false".into() }
}

fn principal_type(kind: PrincipalType) -> &'static str {
    match kind {
        PrincipalType::User => "User",
        PrincipalType::Role | PrincipalType::RoleSession => "AssumedRole",
        PrincipalType::Root => "Account",
        PrincipalType::FederatedUser => "FederatedUser",
        PrincipalType::Service => "Service",
    }
}

fn user_id(facts: &PrincipalFacts) -> Option<Value<'_>> {
    let id = facts.unique_id.as_deref()?;
    let session = facts.arn.rsplit('/').next().filter(|_| facts.kind == PrincipalType::RoleSession);
    Some(session.map_or_else(|| id.into(), |session| Value::One(format!("{id}:{session}").into())))
}

fn of_key(key: &KeyFacts, name: KeyKey) -> Option<Value<'_>> {
    match name {
        KeyKey::Account => Some(key.account.as_str().into()),
        KeyKey::OrgId => key.org_id.as_deref().map(Into::into),
        KeyKey::Aliases => many(&key.aliases),
        KeyKey::Spec => Some(key.key_spec.as_str().into()),
        KeyKey::Usage => Some(key.key_usage.as_str().into()),
        KeyKey::Origin => Some(key.key_origin.as_str().into()),
        KeyKey::MultiRegion => Some(truth_text(key.multi_region)),
        KeyKey::MultiRegionType => key.multi_region_key_type.as_deref().filter(|_| key.multi_region).map(Into::into),
    }
}

fn of_grant(grant: &CreateGrantRequest, name: GrantKey) -> Option<Value<'_>> {
    let constraints = grant.constraints.as_ref();
    let text = match name {
        GrantKey::Operations => return many(&grant.operations),
        GrantKey::Grantee => grant.grantee_principal.as_deref(),
        GrantKey::GranteeService => grant.grantee_service_principal.as_deref(),
        GrantKey::Retiring => grant.retiring_principal.as_deref(),
        GrantKey::ConstraintType => constraints.and_then(|constraints| {
            let equals = constraints.encryption_context_equals.as_ref().map(|_| "EncryptionContextEquals");
            equals.or(constraints.encryption_context_subset.as_ref().map(|_| "EncryptionContextSubset"))
        }),
        GrantKey::SourceArn => constraints.and_then(|constraints| constraints.source_arn.as_deref()),
    };
    text.map(Into::into)
}

/// Returns the value of a multi-valued key; without elements it has none.
fn many<'a>(texts: impl IntoIterator<Item = &'a String>) -> Option<Value<'a>> {
    let texts: Vec<&str> = texts.into_iter().map(String::as_str).collect();
    (!texts.is_empty()).then_some(Value::Many(texts))
}

/// Returns the complete context of a call: its condition keys, folded to lower case, with their values.
///
/// A key whose value is ambiguous (two pairs of the encryption context that differ only in case) is left out.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/policy-conditions.html>
pub fn derive_context(request: &Request, principal: &PrincipalFacts, key: Option<&KeyFacts>) -> RequestContext {
    let call = Call::new(request, principal, key);
    let prefixed = |prefix: &str, map: Option<&BTreeMap<String, String>>| -> Vec<String> {
        map.into_iter().flatten().map(|(name, _)| format!("{prefix}{name}")).collect()
    };
    let names = NAMED.iter().map(|(name, _)| (*name).to_owned());
    let names = names.chain(prefixed(PRINCIPAL_TAG, call.principal_tags()));
    let names = names.chain(prefixed(RESOURCE_TAG, call.key.map(|key| &key.tags)));
    let names = names.chain(prefixed(ENCRYPTION_CONTEXT, call.encryption_context()));
    let values = names.chain(request.context.keys().cloned()).filter_map(|name| {
        let value = match call.value(&name)? {
            Value::One(text) => ContextValue::One(text.into_owned()),
            Value::Many(texts) => ContextValue::Many(texts.into_iter().map(str::to_owned).collect()),
            Value::Open(_) => return None,
        };
        Some((name.to_ascii_lowercase(), value))
    });
    RequestContext(values.collect())
}
