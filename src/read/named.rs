//! Finds and reads the one key that a person names: by id, by ARN, by alias, by the alias's ARN.

use super::inventory::read_whole;
use super::key::observed;
use crate::ids::{AccountId, AliasArn, AliasName, KeyArn, KeyId, Region};
use crate::live::{KeyMetadata, NamedKey, Observed};
use crate::ports::{AnyKeyReader, CallerReader, KeyReader, PortError, PortErrorKind, PortResult};
use crate::text;
use std::collections::BTreeMap;
use std::fmt;

/// Why the key that somebody named was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyNameError {
    /// The text names no key.
    NotAName {
        /// The text.
        name: String,
    },
    /// The ARN is one of another account or Region.
    Elsewhere {
        /// The ARN.
        name: String,
        /// The account and Region of the ARN.
        there: (AccountId, Region),
        /// The account and Region that are asked.
        here: (AccountId, Region),
    },
    /// There is no such key or alias.
    NotFound {
        /// The name.
        name: String,
        /// The account and Region that were asked.
        here: (AccountId, Region),
        /// An alias there that looks much the same.
        similar: Option<AliasName>,
    },
    /// A call failed.
    Port(PortError),
}

impl fmt::Display for KeyNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAName { name } => write!(
                f,
                "`{}` names no key; give a key id, a key ARN, an alias (`alias/…`) or an alias ARN",
                text::escape(name)
            ),
            Self::Elsewhere { name, there: (account, region), here: (asked, asked_region) } => write!(
                f,
                "`{}` is in account {account}, {region}, but the account and Region that are asked are {asked}, \
                 {asked_region}; use credentials and a Region of the key",
                text::escape(name)
            ),
            Self::NotFound { name, here: (account, region), similar } => {
                write!(f, "there is no key `{}` in account {account}, {region}", text::escape(name))?;
                match similar {
                    Some(alias) => write!(f, "; did you mean `{alias}`?"),
                    None => write!(f, "; check the name, the account and the Region"),
                }
            }
            Self::Port(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyNameError {}

/// What a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Id(KeyId),
    /// The name of an alias, AWS's own included.
    Alias(String),
}

/// Reads a key of the caller's account by its id, its ARN, its alias or the alias's ARN.
///
/// The Region must be the one that the connection calls. A key of AWS's own may be named too (`alias/aws/s3`).
pub async fn key_named<C: CallerReader + KeyReader + AnyKeyReader + Sync>(
    connection: &C,
    region: &Region,
    name: &str,
) -> Result<NamedKey, KeyNameError> {
    let (found, place) = parse(name)?;
    let account = connection.caller().await.map_err(KeyNameError::Port)?.account;
    let here = (account, region.clone());
    if let Some(there) = place.filter(|there| *there != here) {
        return Err(KeyNameError::Elsewhere { name: name.to_owned(), there, here });
    }
    let named = |error: PortError| KeyNameError::Port(super::error::about(error, format_args!("key {name}")));
    let aliases = observed(connection.list_aliases().await).map_err(named)?;
    let described = match found {
        Name::Id(id) => by_id(connection, &here, &id).await,
        Name::Alias(alias) => by_alias(connection, &here, &alias, &aliases).await,
    };
    let Some((arn, metadata)) = described.map_err(named)? else {
        let similar = similar(name, &aliases);
        return Err(KeyNameError::NotFound { name: name.to_owned(), here, similar });
    };
    // The parts are read at the same time: their calls together are too large for the stack.
    let key = Box::pin(read_whole(connection, arn, metadata)).await.map_err(named)?;
    Ok(NamedKey { key, aliases })
}

/// Reads what a text names, and where that is if the text says so.
fn parse(text: &str) -> Result<(Name, Option<(AccountId, Region)>), KeyNameError> {
    let wrong = || KeyNameError::NotAName { name: text.to_owned() };
    if let Ok(arn) = text.parse::<KeyArn>() {
        return Ok((Name::Id(arn.key_id()), Some((arn.account(), arn.region()))));
    }
    if let Ok(arn) = text.parse::<AliasArn>() {
        let arn = arn.arn();
        let (Ok(account), Ok(region)) = (arn.account().parse(), arn.region().parse()) else { return Err(wrong()) };
        let alias = alias(arn.resource()).ok_or_else(wrong)?;
        return Ok((alias, Some((account, region))));
    }
    let id = || text.parse().ok().map(Name::Id);
    alias(text).or_else(id).map(|name| (name, None)).ok_or_else(wrong)
}

fn alias(text: &str) -> Option<Name> {
    let of_aws = text.strip_prefix("alias/aws/").is_some_and(|rest| rest.parse::<KeyId>().is_ok());
    (of_aws || text.parse::<AliasName>().is_ok()).then(|| Name::Alias(text.to_owned()))
}

/// Returns the alias that looks most like a name that does not exist.
fn similar(name: &str, aliases: &Observed<BTreeMap<AliasName, Option<KeyId>>>) -> Option<AliasName> {
    let known = aliases.known()?.keys().map(AliasName::as_str);
    text::did_you_mean(name, known)?.parse().ok()
}

type Described = Option<(KeyArn, Observed<KeyMetadata>)>;

async fn by_id<C: KeyReader + Sync>(
    connection: &C,
    (account, region): &(AccountId, Region),
    id: &KeyId,
) -> PortResult<Described> {
    // A name that somebody typed is not one that was just listed: it is not waited for.
    Ok(match observed(connection.describe_key(id).await) {
        Ok(Observed::Known((arn, metadata))) => Some((arn, Observed::Known(metadata))),
        Ok(Observed::Denied { action, message }) => {
            let arn = KeyArn::new(region.partition(), region, account, id);
            Some((arn, Observed::Denied { action, message }))
        }
        Err(error) if error.kind == PortErrorKind::NotFound => None,
        Err(error) => return Err(error),
    })
}

/// Asks for the key behind an alias; where that is denied, the list of aliases may still tell which it is.
async fn by_alias<C: AnyKeyReader + Sync>(
    connection: &C,
    (account, region): &(AccountId, Region),
    alias: &str,
    aliases: &Observed<BTreeMap<AliasName, Option<KeyId>>>,
) -> PortResult<Described> {
    match connection.describe_named(alias).await {
        Ok((arn, metadata)) => Ok(Some((arn, Observed::Known(metadata)))),
        Err(error) if error.kind == PortErrorKind::NotFound => Ok(None),
        Err(error) if error.kind == PortErrorKind::Denied => {
            let listed =
                aliases.known().and_then(|all| alias.parse().ok().and_then(|alias: AliasName| all.get(&alias)));
            let Some(Some(id)) = listed else { return Err(error) };
            let arn = KeyArn::new(region.partition(), region, account, id);
            Ok(Some((arn, Observed::Denied { action: error.call, message: error.message })))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::{FakeAws, Strike, Which};

    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

    fn fake() -> FakeAws {
        FakeAws::new("eu-west-1", "arn:aws:iam::111122223333:role/auditor")
    }

    async fn named(fake: &FakeAws, name: &str) -> Result<NamedKey, KeyNameError> {
        key_named(fake, &"eu-west-1".parse().unwrap(), name).await
    }

    #[tokio::test]
    async fn a_key_has_four_names() {
        let fake = fake();
        let arn = fake.add_key(POLICY, &[], &["alias/shop/orders"]);
        let alias_arn = "arn:aws:kms:eu-west-1:111122223333:alias/shop/orders";
        for name in [arn.key_id().as_str(), arn.as_str(), "alias/shop/orders", alias_arn] {
            let found = named(&fake, name).await.unwrap();
            assert_eq!(found.key.arn, arn, "{name}");
            let facts = found.facts().unwrap();
            assert_eq!((facts.facts.aliases, facts.gaps), (vec!["alias/shop/orders".to_owned()], vec![]));
        }
    }

    #[tokio::test]
    async fn what_is_no_key_here_is_told_from_what_is_no_key_at_all() {
        let fake = fake();
        fake.add_key(POLICY, &[], &["alias/shop/orders"]);
        for (name, words) in [
            ("orders!", "give a key id, a key ARN, an alias"),
            ("alias/", "give a key id"),
            ("alias/aws/", "give a key id"),
            ("arn:aws:s3:::orders", "give a key id"),
            ("arn:aws:kms:eu-west-1:111122223333:alias/a b", "give a key id"),
            ("arn:aws:kms:eu-west-1:444455556666:key/1234", "444455556666, eu-west-1"),
            ("arn:aws:kms:us-east-1:111122223333:alias/shop/orders", "111122223333, us-east-1"),
            ("alias/shop/order", "did you mean `alias/shop/orders`?"),
            ("1234abcd", "check the name, the account and the Region"),
        ] {
            let error = named(&fake, name).await.unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(name), "{name}: {error}");
        }
        // What is elsewhere is not asked for.
        assert_eq!(fake.count("kms:DescribeKey"), 2);
    }

    #[tokio::test]
    async fn an_alias_leads_to_its_key_even_where_the_key_may_not_be_described() {
        let fake = fake();
        let arn = fake.add_key(POLICY, &[], &["alias/shop/orders"]);
        fake.fail("kms:DescribeKey", Which::Every, Strike::Before, PortErrorKind::Denied);
        for name in ["alias/shop/orders", arn.key_id().as_str()] {
            let found = named(&fake, name).await.unwrap();
            assert_eq!((&found.key.arn, found.key.metadata.denied()), (&arn, Some("kms:DescribeKey")));
            assert!(found.key.policy.known().is_some());
        }
        fake.fail("kms:ListAliases", Which::Every, Strike::Before, PortErrorKind::Denied);
        let error = named(&fake, "alias/shop/orders").await.unwrap_err();
        assert!(matches!(error, KeyNameError::Port(error) if error.kind == PortErrorKind::Denied));
    }
}
