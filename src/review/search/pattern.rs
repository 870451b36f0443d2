//! Patterns of conditions with their policy variables replaced.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use crate::policy::{PatternToken, PolicyVersion};

/// A pattern, as far as its variables are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    /// All of them are, or there are none.
    Known(Vec<PatternToken>),
    /// This variable's key is not known.
    Unknown(String),
}

/// Replaces the variables of a text by what is known of the keys that they name.
pub(super) fn resolve(text: &str, version: &PolicyVersion, known: &dyn Fn(&str) -> Option<String>) -> Resolved {
    let mut rest = text;
    let mut tokens = Vec::new();
    while let Some((plain, variable, after)) = next_variable(rest, version) {
        tokens.extend(PatternToken::of_glob(plain));
        if matches!(variable, "*" | "?" | "$") {
            tokens.extend(PatternToken::of_literal(variable));
        } else {
            let name = variable.split_once(',').map_or(variable, |(name, _)| name).trim();
            let Some(value) = known(name) else { return Resolved::Unknown(name.to_ascii_lowercase()) };
            tokens.extend(PatternToken::of_literal(&value));
        }
        rest = after;
    }
    tokens.extend(PatternToken::of_glob(rest));
    Resolved::Known(tokens)
}

/// Splits a text at its first variable: what is before it, what is inside the braces, what is after it. Only the
/// present version of the policy language has variables.
fn next_variable<'t>(text: &'t str, version: &PolicyVersion) -> Option<(&'t str, &'t str, &'t str)> {
    let (plain, rest) = text.split_once("${").filter(|_| *version == PolicyVersion::V2012)?;
    let (variable, after) = rest.split_once('}')?;
    Some((plain, variable, after))
}

/// Returns the keys that a text's variables name, in lower case.
pub(super) fn variables(text: &str, version: &PolicyVersion) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, variable, after)) = next_variable(rest, version) {
        let name = variable.split_once(',').map_or(variable, |(name, _)| name).trim();
        if !matches!(name, "*" | "?" | "$") {
            names.push(name.to_ascii_lowercase());
        }
        rest = after;
    }
    names
}

/// Returns a pattern as a text, with this for each run of any characters.
pub(super) fn spelled(tokens: &[PatternToken], any_text: &str, any_char: char) -> String {
    let mut text = String::new();
    for token in tokens {
        match token {
            PatternToken::Char(c) => text.push(*c),
            PatternToken::AnyChar => text.push(any_char),
            PatternToken::AnyText => text.push_str(any_text),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<String> {
        name.eq_ignore_ascii_case("aws:PrincipalAccount").then(|| "111122223333".to_owned())
    }

    #[test]
    fn variables_are_replaced_where_the_version_knows_them() {
        let text = "a:${AWS:PrincipalAccount}:${*}*";
        let Resolved::Known(tokens) = resolve(text, &PolicyVersion::V2012, &known) else { panic!("known") };
        assert_eq!(tokens.last(), Some(&PatternToken::AnyText));
        assert_eq!(spelled(&tokens, "", 'x'), "a:111122223333:*");
        let Resolved::Known(tokens) = resolve(text, &PolicyVersion::V2008, &known) else { panic!("literal") };
        assert_eq!(spelled(&tokens, "*", '?'), text);
        let unknown = resolve("${aws:PrincipalTag/Team, 'x'}", &PolicyVersion::V2012, &known);
        assert_eq!(unknown, Resolved::Unknown("aws:principaltag/team".to_owned()));
        assert_eq!(variables(text, &PolicyVersion::V2012), ["aws:principalaccount"]);
    }
}
