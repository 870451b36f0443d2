//! The model of a policy document: version, statements and their elements.

use super::glob::glob_matches_ignore_case;

/// A policy document: a key policy, identity policy, trust policy, boundary, session policy, SCP or RCP.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    /// The language version; decides whether policy variables are replaced.
    pub version: PolicyVersion,
    /// The optional `Id`, without meaning.
    pub id: Option<String>,
    /// The statements, in order.
    pub statements: Vec<Statement>,
}

/// The version of the policy language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyVersion {
    /// `2012-10-17`: policy variables are replaced.
    V2012,
    /// `2008-10-17`, or no version: `${…}` is literal text.
    V2008,
    /// Anything else, as written; AWS rejects it, variables are literal.
    Other(String),
}

/// What a statement does to the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Allows them.
    Allow,
    /// Denies them, whatever else allows them.
    Deny,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The optional statement id; without meaning.
    pub sid: Option<String>,
    /// Allow or deny. A malformed effect makes the statement inert; `Allow` stands here then.
    pub effect: Effect,
    /// Who; `None` in identity policies (and in malformed key policies, where it matches nobody).
    pub principals: Option<Principals>,
    /// Which actions; `None` where the element is missing: such a statement has no effect.
    pub actions: Option<Actions>,
    /// On what; `None` where the element is missing: such a statement has no effect.
    pub resources: Option<Resources>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<Condition>,
    /// Why AWS would ignore the statement, and the statement as it was read, as compact JSON.
    pub inert: Option<Inert>,
}

/// A statement that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inert {
    /// Why it has none, in words.
    pub reason: String,
    /// The statement as it was read, as compact JSON.
    pub raw: String,
}

/// The `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principals {
    /// Whoever matches any entry.
    Is(Vec<PrincipalEntry>),
    /// Whoever matches no entry.
    IsNot(Vec<PrincipalEntry>),
}

/// One entry of a `Principal` element, as written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalEntry {
    /// `"*"` or `{"AWS": "*"}`: everybody, services included.
    Everyone,
    /// `{"AWS": …}`: an ARN, a bare account id, or the unique id of a deleted principal.
    Aws(String),
    /// `{"Service": …}`.
    Service(String),
    /// `{"Federated": …}`: an OIDC or SAML provider, in trust policies.
    Federated(String),
    /// `{"CanonicalUser": …}` or another type; never matches in KMS.
    Other {
        /// The type, as written.
        kind: String,
        /// The value, as written.
        value: String,
    },
}

/// The `Action` or `NotAction` element: patterns with `*` and `?`, compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actions {
    /// Actions that match any pattern.
    Is(Vec<String>),
    /// Actions that match no pattern.
    IsNot(Vec<String>),
}

/// The `Resource` or `NotResource` element: patterns with `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resources {
    /// Resources that match any pattern.
    Is(Vec<String>),
    /// Resources that match no pattern.
    IsNot(Vec<String>),
}

/// One condition: an operator, a context key, and the values of which one must match (none, for negated
/// operators).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The operator, as written: `StringEquals`, `ForAnyValue:StringLike`, `BoolIfExists`.
    pub operator: ConditionOperator,
    /// The context key, as written; compared without case.
    pub key: String,
    /// The values; an empty list matches nothing under a positive operator.
    pub values: Vec<ConditionValue>,
}

/// An operator as written. `access` gives it its meaning; an unknown one makes the condition false.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConditionOperator(pub String);

/// A value of a condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionValue {
    /// A string.
    Text(String),
    /// A JSON Boolean, equal to the string `true` or `false`.
    Bool(bool),
    /// A JSON number, as written.
    Number(String),
}

impl PrincipalEntry {
    /// Returns whether the entry stands for everybody.
    pub fn is_everyone(&self) -> bool {
        match self {
            Self::Everyone => true,
            Self::Aws(text) => text == "*",
            Self::Service(_) | Self::Federated(_) | Self::Other { .. } => false,
        }
    }
}

impl ConditionValue {
    /// Returns the value as the text that AWS compares.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

impl From<&str> for ConditionValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Statement {
    /// Returns an allow statement for some actions on `*`, to be completed by its builder methods.
    pub fn allow<I: IntoIterator<Item: Into<String>>>(sid: &str, actions: I) -> Self {
        Self::new(Effect::Allow, sid, actions)
    }

    /// Returns a deny statement for some actions on `*`, to be completed by its builder methods.
    pub fn deny<I: IntoIterator<Item: Into<String>>>(sid: &str, actions: I) -> Self {
        Self::new(Effect::Deny, sid, actions)
    }

    fn new<I: IntoIterator<Item: Into<String>>>(effect: Effect, sid: &str, actions: I) -> Self {
        Self {
            sid: Some(sid.to_owned()),
            effect,
            principals: None,
            actions: Some(Actions::Is(actions.into_iter().map(Into::into).collect())),
            resources: Some(Resources::Is(vec!["*".to_owned()])),
            conditions: Vec::new(),
            inert: None,
        }
    }

    /// Sets who the statement is about.
    #[must_use]
    pub fn principals(mut self, entries: Vec<PrincipalEntry>) -> Self {
        self.principals = Some(Principals::Is(entries));
        self
    }

    /// Sets on what.
    #[must_use]
    pub fn resources<I: IntoIterator<Item: Into<String>>>(mut self, patterns: I) -> Self {
        self.resources = Some(Resources::Is(patterns.into_iter().map(Into::into).collect()));
        self
    }

    /// Returns whether the statement speaks of an action.
    pub fn has_action(&self, action: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| glob_matches_ignore_case(pattern, action));
        match &self.actions {
            None => false,
            Some(Actions::Is(patterns)) => any(patterns),
            Some(Actions::IsNot(patterns)) => !any(patterns),
        }
    }

    /// Adds a condition.
    #[must_use]
    pub fn when<I: IntoIterator<Item: Into<String>>>(mut self, operator: &str, key: &str, values: I) -> Self {
        self.conditions.push(Condition {
            operator: ConditionOperator(operator.to_owned()),
            key: key.to_owned(),
            values: values.into_iter().map(|value| ConditionValue::Text(value.into())).collect(),
        });
        self
    }
}

impl PolicyDocument {
    /// Returns a document of the current version without an id.
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { version: PolicyVersion::V2012, id: None, statements }
    }
}
