//! Policies of 32 KB that were written to be expensive, each with a call that makes them so.

use keywright::access::{KeyFacts, PrincipalFacts, Request};
use keywright::policy::PolicyDocument;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ROLE: &str = "arn:aws:iam::111122223333:role/App";

/// The longest key policy that KMS accepts, in bytes.
const LONGEST: usize = 32 * 1024;

/// The longest encryption context, in characters.
const CONTEXT: usize = 8 * 1024;

/// A policy, and a call that it is asked about.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) request: Request,
    pub(crate) principal: PrincipalFacts,
}

impl Hostile {
    fn new(name: &'static str, text: String, context: &str) -> Self {
        assert!(text.len() > LONGEST * 9 / 10 && text.len() <= LONGEST, "{name}: {}", text.len());
        let mut request = Request::new("kms:Decrypt", KEY, "eu-west-1".parse().unwrap());
        request.encryption_context.insert("app".to_owned(), context.to_owned());
        let mut principal = PrincipalFacts::from_arn(&ROLE.parse().unwrap());
        principal.tags.insert("t".to_owned(), "a".repeat(256));
        Self { name, text, request, principal }
    }

    /// Returns the policy.
    pub(crate) fn document(&self) -> PolicyDocument {
        PolicyDocument::parse(&self.text).unwrap()
    }

    /// Returns the key that has the policy.
    pub(crate) fn key(&self) -> KeyFacts {
        let account = "111122223333".parse().unwrap();
        KeyFacts::new(KEY, account, "eu-west-1".parse().unwrap(), self.document())
    }
}

fn document(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn statement(action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"*"}},"Action":{action},"Resource":{resource},"Condition":{condition}}}"#
    )
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Returns a text, or a list of texts, that makes a policy as long as it may be.
fn filled(part: &str, others: usize) -> String {
    part.repeat((LONGEST - others) / part.len())
}

fn list(part: impl Fn(usize) -> String, others: usize) -> String {
    let (mut items, mut length) = (Vec::new(), others);
    for number in 0.. {
        let item = quoted(&part(number));
        length += item.len() + 1;
        if length > LONGEST {
            break;
        }
        items.push(item);
    }
    format!("[{}]", items.join(","))
}

fn on_context(operator: &str, values: &str) -> String {
    format!(r#"{{"{operator}":{{"kms:EncryptionContext:app":{values}}}}}"#)
}

/// Returns every hostile policy.
pub(crate) fn all() -> Vec<Hostile> {
    let long = "a".repeat(CONTEXT);
    let room = 300;
    let alone = |action: &str, resource: &str, condition: &str| document(&statement(action, resource, condition));
    let like = |operator: &str, values: &str| alone("\"*\"", "\"*\"", &on_context(operator, values));
    let arn = |last: &str| quoted(&format!("arn:aws:s3:eu-west-1:111122223333:{last}"));
    let arn_context = format!("arn:aws:s3:eu-west-1:111122223333:{}", "a".repeat(CONTEXT - 40));
    let distinct = |number: usize| format!("*{number}a*?b*");
    let one = statement("\"kms:*y*p*\"", "\"*:*:*:*:*:*\"", &on_context("StringLike", "\"*a*a*b\""));
    let many = vec![one.as_str(); (LONGEST - 60) / (one.len() + 1)].join(",");
    let hostile = Hostile::new;
    vec![
        hostile("an action of stars", alone(&quoted(&filled("*a", room)), "\"*\"", "{}"), ""),
        hostile("an action of stars and question marks", alone(&quoted(&filled("*?", room)), "\"*\"", "{}"), ""),
        hostile("many actions of stars", alone(&list(distinct, room), "\"*\"", "{}"), ""),
        hostile("a resource of stars", alone("\"*\"", &quoted(&filled("*:", room)), "{}"), ""),
        hostile("many resources of stars", alone("\"*\"", &list(distinct, room), "{}"), ""),
        hostile("a value of stars", like("StringLike", &quoted(&(filled("*a", room) + "b"))), &long),
        hostile(
            "a value of stars and question marks",
            like("StringLike", &quoted(&(filled("*?a", room) + "b"))),
            &long,
        ),
        hostile(
            "a value of question marks",
            like("StringLike", &quoted(&(format!("*{}", filled("?", room)) + "b"))),
            &long,
        ),
        hostile("many values of stars", like("StringLike", &list(|_| "*a*b".to_owned(), room)), &long),
        hostile("many different values of stars", like("StringLike", &list(|n| format!("*a{n}*b"), room)), &long),
        hostile("many values with question marks", like("StringNotLike", &list(|_| "*a?b".to_owned(), room)), &long),
        hostile("many short values", like("StringLike", &list(|_| "*b".to_owned(), room)), &long),
        hostile("an ARN of stars", like("ArnLike", &arn(&(filled("*a", room + 50) + "b"))), &arn_context),
        hostile("an ARN of question marks", like("ArnLike", &arn(&(filled("*?a", room + 50) + "b"))), &arn_context),
        hostile("a value of variables", like("StringLike", &quoted(&filled("*${aws:PrincipalTag/t}", room))), &long),
        hostile(
            "values of variables",
            like("StringLike", &list(|_| "*${kms:EncryptionContext:app}b".to_owned(), room)),
            &long,
        ),
        hostile(
            "variables and question marks",
            like("StringLike", &list(|_| "*?${aws:PrincipalTag/t}*b".to_owned(), room)),
            &long,
        ),
        hostile("open variables", like("StringLike", &quoted(&filled("${", room))), &long),
        hostile("many statements", document(&many), &long),
    ]
}
