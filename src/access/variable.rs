//! Policy variables, and patterns in which some wildcards are literal.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::context::{Call, Value};
use super::truth::Open;
use crate::policy::{PolicyVersion, glob_matches};

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// This character.
    Char(char),
    /// `*`.
    AnyText,
    /// `?`.
    AnyChar,
}

impl Token {
    fn of(c: char) -> Self {
        match c {
            '*' => Self::AnyText,
            '?' => Self::AnyChar,
            _ => Self::Char(c),
        }
    }

    fn literal(self) -> char {
        match self {
            Self::Char(c) => c,
            Self::AnyText => '*',
            Self::AnyChar => '?',
        }
    }
}

/// A text of a policy after its variables were replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved<'p> {
    /// There was nothing to replace.
    Plain(&'p str),
    /// Replaced; what a variable stood for is literal.
    Tokens {
        tokens: Vec<Token>,
        /// Whether a variable stood before the fifth colon, outside the resource part of an ARN.
        before_resource: bool,
    },
    /// A variable has no value.
    Unresolved,
    /// The value of a variable is not known.
    Open(Open),
}

impl Resolved<'_> {
    /// Returns the text with wildcards as plain characters; `None` where a variable has no known value.
    pub(super) fn literal(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Plain(text) => Some((*text).into()),
            Self::Tokens { tokens, .. } => Some(tokens.iter().map(|token| token.literal()).collect::<String>().into()),
            Self::Unresolved | Self::Open(_) => None,
        }
    }
}

/// Replaces the variables of a text of a policy document.
pub(super) fn resolve<'p>(text: &'p str, version: &PolicyVersion, call: &Call<'_>) -> Resolved<'p> {
    if *version != PolicyVersion::V2012 || !text.contains("${") {
        return Resolved::Plain(text);
    }
    let mut tokens = Vec::with_capacity(text.len());
    let (mut rest, mut colons, mut before_resource) = (text, 0, false);
    while let Some((plain, variable, after)) = next_variable(rest) {
        colons += plain.matches(':').count();
        tokens.extend(plain.chars().map(Token::of));
        match variable {
            "*" | "?" | "$" => tokens.extend(variable.chars().map(Token::Char)),
            _ => {
                before_resource |= colons < 5;
                match value_of(variable, call) {
                    Ok(Some(value)) => tokens.extend(value.chars().map(Token::Char)),
                    Ok(None) => return Resolved::Unresolved,
                    Err(open) => return Resolved::Open(open),
                }
            }
        }
        rest = after;
    }
    tokens.extend(rest.chars().map(Token::of));
    Resolved::Tokens { tokens, before_resource }
}

/// Returns a text in which nothing is a variable, as one of a document of the current version.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "${$}{")
}

/// Splits a text at its first variable: what is before it, what is inside the braces, what is after it.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let (plain, rest) = text.split_once("${")?;
    let (variable, after) = rest.split_once('}')?;
    Some((plain, variable, after))
}

/// Returns the value of a variable, or its default where the call has none; only single-valued keys count.
fn value_of(variable: &str, call: &Call<'_>) -> Result<Option<String>, Open> {
    let (name, default) = variable.split_once(',').map_or((variable, None), |(name, default)| (name, Some(default)));
    match call.value(name.trim()) {
        Some(Value::One(text)) => Ok(Some(text.into_owned())),
        Some(Value::Many(_)) => Ok(None),
        Some(Value::Open(open)) => Err(open),
        None => Ok(default.and_then(|default| {
            let quoted = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            quoted.map(str::to_owned)
        })),
    }
}

/// Returns whether a text matches a pattern of `*` and `?`; most patterns are decided without a search.
pub(super) fn wild(pattern: &str, text: &str) -> bool {
    match pattern.find(['*', '?']) {
        None => pattern == text,
        Some(at) if at + 1 == pattern.len() && pattern.ends_with('*') => {
            pattern.get(..at).is_some_and(|prefix| text.starts_with(prefix))
        }
        Some(_) => glob_matches(pattern, text),
    }
}

/// Returns whether a text matches a pattern whose variables were replaced.
pub(super) fn tokens_match(pattern: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at_pattern, mut at_text) = (0, 0);
    // The last star and where its text ends: going back to an earlier one could only give this one less text.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(at_text) {
        match pattern.get(at_pattern) {
            Some(Token::AnyText) => {
                at_pattern += 1;
                retry = Some((at_pattern, at_text));
            }
            Some(&token) if token == Token::AnyChar || token == Token::Char(c) => {
                at_pattern += 1;
                at_text += 1;
            }
            Some(_) | None => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (at_pattern, at_text) = (after_star, from + 1);
            }
        }
    }
    pattern.iter().skip(at_pattern).all(|token| *token == Token::AnyText)
}

#[cfg(test)]
mod tests {
    use super::super::facts::{ContextValue, PrincipalFacts, PrincipalType, Request};
    use super::*;

    fn with_call<T>(test: impl FnOnce(&Call<'_>) -> T) -> T {
        let arn = "arn:aws:iam::111122223333:user/eng/Alice";
        let mut principal = PrincipalFacts::new(PrincipalType::User, arn, "111122223333".parse().ok());
        principal.tags.insert("team".to_owned(), "a*".to_owned());
        let mut request = Request::new("kms:ListKeys", "*", "eu-west-1".parse().unwrap());
        request.context.insert("aws:TagKeys".to_owned(), Some(ContextValue::Many(vec!["x".to_owned()])));
        test(&Call::new(&request, &principal, None))
    }

    fn literal(text: &str) -> Option<String> {
        with_call(|call| resolve(text, &PolicyVersion::V2012, call).literal().map(std::borrow::Cow::into_owned))
    }

    #[test]
    fn variables_are_replaced() {
        assert_eq!(literal("x/${AWS:UserName}/y").as_deref(), Some("x/Alice/y"));
        assert_eq!(literal("${aws:PrincipalTag/none, 'shared'}").as_deref(), Some("shared"));
        assert_eq!(literal("${*}${?}${$}").as_deref(), Some("*?$"));
        assert_eq!(literal("${aws:PrincipalTag/none}"), None);
        assert_eq!(literal("${aws:TagKeys}"), None);
        assert_eq!(literal("${aws:username").as_deref(), Some("${aws:username"));
    }

    #[test]
    fn only_the_current_version_knows_variables() {
        let old = with_call(|call| {
            resolve("${aws:username}", &PolicyVersion::V2008, call) == Resolved::Plain("${aws:username}")
        });
        assert!(old);
    }

    #[test]
    fn what_a_variable_stands_for_is_literal() {
        with_call(|call| {
            let Resolved::Tokens { tokens, .. } = resolve("*/${aws:PrincipalTag/team}", &PolicyVersion::V2012, call)
            else {
                panic!("has a variable");
            };
            assert!(tokens_match(&tokens, "x/y/a*"));
            assert!(!tokens_match(&tokens, "x/ab"));
        });
    }

    #[test]
    fn shortcuts_agree_with_the_search() {
        for pattern in ["", "*", "a*", "a", "a?", "*a", "a**"] {
            for text in ["", "a", "ab", "ba", "*"] {
                let tokens: Vec<Token> = pattern.chars().map(Token::of).collect();
                assert_eq!(wild(pattern, text), glob_matches(pattern, text), "{pattern} {text}");
                assert_eq!(tokens_match(&tokens, text), glob_matches(pattern, text), "{pattern} {text}");
            }
        }
    }
}
