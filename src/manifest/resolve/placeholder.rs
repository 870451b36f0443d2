//! Placeholders: `${account}` and the like, replaced for each target or account.

use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ids::{AccountId, Partition, Region, StackName, TargetName};
use crate::source::Located;
use crate::text;
use std::borrow::Cow;

/// Every placeholder.
const NAMES: &[&str] = &["account", "region", "target", "stack", "partition"];

/// What placeholders stand for.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// `${stack}`.
    pub(super) stack: StackName,
    /// `${account}`.
    pub(super) account: AccountId,
    /// `${partition}`.
    pub(super) partition: Partition,
    /// `${target}` and `${region}`; absent in roles, because IAM is global.
    pub(super) target: Option<(TargetName, Region)>,
}

/// Which other `${…}` a string may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    /// None: anything unknown is an error.
    Nothing,
    /// Policy variables (`${aws:username}`) and the escapes `${*}`, `${?}`, `${$}`, which pass untouched.
    PolicyVariables,
}

impl Values {
    /// Returns a string with its placeholders replaced; reports an unknown one.
    pub(super) fn expand(&self, written: &Located<&str>, passing: Passing, found: &mut Diagnostics) -> Option<String> {
        let mut out = String::with_capacity(written.value.len());
        let mut rest = written.value;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                found.push(unclosed(written));
                return None;
            };
            match self.value(name) {
                Some(value) => out.push_str(&value),
                None if passing == Passing::PolicyVariables && is_policy_variable(name) => {
                    out.extend(["${", name, "}"]);
                }
                None => {
                    found.push(unknown(name, written));
                    return None;
                }
            }
            rest = tail;
        }
        out.push_str(rest);
        Some(out)
    }

    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let target = self.target.as_ref();
        match name {
            "account" => Some(self.account.as_str().into()),
            "partition" => Some(self.partition.as_str().into()),
            "stack" => Some(self.stack.as_str().into()),
            "target" => target.map(|(target, _)| target.as_str().into()),
            "region" => target.map(|(_, region)| region.as_str().into()),
            _ => None,
        }
    }
}

fn is_policy_variable(name: &str) -> bool {
    matches!(name, "*" | "?" | "$") || name.contains(':')
}

fn unclosed(written: &Located<&str>) -> Diagnostic {
    Diagnostic::error(Code::UnknownPlaceholder, "a placeholder begins with `${` and does not end")
        .label(written.loc, "no `}` after `${`")
}

fn unknown(name: &str, written: &Located<&str>) -> Diagnostic {
    let escaped = text::escape(name);
    if NAMES.contains(&name) {
        let message = format!("`${{{escaped}}}` means nothing here: roles and their tags are the same in every Region");
        return Diagnostic::error(Code::UnknownPlaceholder, message)
            .label(written.loc, "IAM is global")
            .help("roles know ${account}, ${stack} and ${partition}");
    }
    let help = match text::did_you_mean(name, NAMES.iter().copied()) {
        Some(meant) => format!("did you mean `${{{meant}}}`?"),
        None => "there are ${account}, ${region}, ${target}, ${stack} and ${partition}".to_owned(),
    };
    Diagnostic::error(Code::UnknownPlaceholder, format!("unknown placeholder `${{{escaped}}}`"))
        .label(written.loc, "not a placeholder")
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Loc, SourceMap};

    fn expand(text: &str, passing: Passing) -> Option<String> {
        let loc = Loc::new(SourceMap::default().add("a", ""), 0..0);
        let values = Values {
            stack: "payments".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            partition: Partition::Aws,
            target: Some(("prod".parse().unwrap(), "eu-west-1".parse().unwrap())),
        };
        values.expand(&Located::new(text, loc), passing, &mut Diagnostics::default())
    }

    #[test]
    fn known_placeholders_are_replaced_and_unknown_ones_refused() {
        let all = "${stack}-${account}-${partition}-${target}-${region}";
        assert_eq!(expand(all, Passing::Nothing).as_deref(), Some("payments-111122223333-aws-prod-eu-west-1"));
        for bad in ["${acount}", "${", "${}", "${aws:username}", "${*}", "${Account}"] {
            assert_eq!(expand(bad, Passing::Nothing), None, "{bad}");
        }
        assert_eq!(expand("$account } $$", Passing::Nothing).as_deref(), Some("$account } $$"));
    }

    #[test]
    fn policy_variables_pass_where_policies_read_them() {
        for text in ["${aws:username}", "a${*}b", "${?}", "${$}"] {
            assert_eq!(expand(text, Passing::PolicyVariables).as_deref(), Some(text));
        }
        assert_eq!(expand("${other}", Passing::PolicyVariables), None);
    }
}
