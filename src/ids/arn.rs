//! Amazon Resource Names, and the three kinds of them that keywright handles: keys, aliases, principals.

use super::{AccountId, AliasName, IdError, KeyId, Partition, Region, RoleName};
use std::fmt;
use std::str::FromStr;

/// A parsed ARN: `arn:partition:service:region:account:resource`.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    text: String,
    /// Ends of the first five parts, exclusive, as byte offsets in `text`.
    ends: [usize; 5],
}

impl Arn {
    fn part(&self, index: usize) -> &str {
        let start = match index {
            0 => 0,
            n => self.ends.get(n - 1).map_or(0, |end| end + 1),
        };
        let end = self.ends.get(index).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default()
    }

    /// Returns the whole ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the partition's word (`aws`).
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// Returns the service (`kms`, `iam`, `sts`).
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// Returns the Region, empty for global services.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// Returns the account id, empty for some services.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// Returns everything after the fifth colon.
    pub fn resource(&self) -> &str {
        self.part(5)
    }
}

impl FromStr for Arn {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fail =
            || IdError { what: "ARN", rule: "arn:partition:service:region:account:resource", text: text.to_owned() };
        let colons: Vec<usize> = text.match_indices(':').map(|(at, _)| at).take(5).collect();
        let ends: [usize; 5] = colons.try_into().map_err(|_| fail())?;
        let arn = Self { text: text.to_owned(), ends };
        let legal = arn.part(0) == "arn"
            && !arn.partition().is_empty()
            && !arn.service().is_empty()
            && !arn.resource().is_empty()
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if legal { Ok(arn) } else { Err(fail()) }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Declares an ARN refinement: an [`Arn`] known to be of one kind.
macro_rules! arn_kind {
    ($(#[$meta:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arn);

        impl $name {
            /// Returns the ARN with its parts.
            pub fn arn(&self) -> &Arn {
                &self.0
            }

            /// Returns the whole ARN as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let fail = || IdError { what: $what, rule: $rule, text: text.to_owned() };
                let arn: Arn = text.parse().map_err(|_| fail())?;
                let check: fn(&Arn) -> bool = $check;
                if check(&arn) { Ok(Self(arn)) } else { Err(fail()) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

arn_kind!(
    /// The ARN of a KMS key.
    KeyArn, "key ARN", "arn:partition:kms:region:account:key/id",
    |arn| arn.service() == "kms"
        && arn.region().parse::<Region>().is_ok()
        && arn.account().parse::<AccountId>().is_ok()
        && arn.resource().strip_prefix("key/").is_some_and(|id| id.parse::<KeyId>().is_ok())
);

impl KeyArn {
    /// Returns the ARN of a key from its parts.
    pub fn new(partition: Partition, region: &Region, account: &AccountId, id: &KeyId) -> Self {
        let prefix = format!("arn:{partition}:kms:{region}:{account}");
        // INVARIANT: none of the parts can contain a colon, so the offsets are those of the separators.
        let second = 4 + partition.as_str().len();
        let third = second + 4;
        let fourth = third + 1 + region.as_str().len();
        let ends = [3, second, third, fourth, prefix.len()];
        Self(Arn { text: format!("{prefix}:key/{id}"), ends })
    }

    /// Returns the key's id.
    pub fn key_id(&self) -> KeyId {
        let id = self.0.resource().strip_prefix("key/").unwrap_or_default();
        #[expect(clippy::expect_used, reason = "checked when the ARN was parsed or built")]
        id.parse().expect("a key ARN ends in a key id")
    }

    /// Returns the account that owns the key.
    pub fn account(&self) -> AccountId {
        #[expect(clippy::expect_used, reason = "checked when the ARN was parsed or built")]
        self.0.account().parse().expect("a key ARN has an account id")
    }

    /// Returns the Region in which the key lives.
    pub fn region(&self) -> Region {
        #[expect(clippy::expect_used, reason = "checked when the ARN was parsed or built")]
        self.0.region().parse().expect("a key ARN has a Region")
    }
}

arn_kind!(
    /// The ARN of a KMS alias, AWS-managed ones included.
    AliasArn, "alias ARN", "arn:partition:kms:region:account:alias/name",
    |arn| arn.service() == "kms" && arn.resource().starts_with("alias/")
);

impl AliasArn {
    /// Returns the ARN of a customer alias from its parts.
    pub fn new(partition: Partition, region: &Region, account: &AccountId, name: &AliasName) -> Self {
        let text = format!("arn:{partition}:kms:{region}:{account}:{name}");
        #[expect(clippy::expect_used, reason = "every part is checked")]
        text.parse().expect("an alias ARN built from checked parts is legal")
    }
}

/// What kind of identity a principal ARN names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// `iam::account:role/…`.
    Role,
    /// `iam::account:user/…`.
    User,
    /// `sts::account:assumed-role/role/session`.
    Session,
    /// `sts::account:federated-user/…`.
    FederatedUser,
    /// `iam::account:root`.
    Root,
}

/// Returns the kind of principal that an ARN names, `None` if it names none (a group, an instance profile).
fn principal_kind(arn: &Arn) -> Option<PrincipalKind> {
    let resource = arn.resource();
    match arn.service() {
        "iam" if resource == "root" => Some(PrincipalKind::Root),
        "iam" if resource.strip_prefix("role/").is_some_and(|n| !n.is_empty()) => Some(PrincipalKind::Role),
        "iam" if resource.strip_prefix("user/").is_some_and(|n| !n.is_empty()) => Some(PrincipalKind::User),
        "sts" if resource.starts_with("assumed-role/") && resource.matches('/').count() == 2 => {
            Some(PrincipalKind::Session)
        }
        "sts" if resource.starts_with("federated-user/") => Some(PrincipalKind::FederatedUser),
        _ => None,
    }
}

arn_kind!(
    /// The ARN of an identity that can call KMS: role, user, session, federated user or account root.
    ///
    /// Wildcards are refused: KMS rejects them inside a principal's ARN.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
    PrincipalArn, "principal ARN", "the ARN of a role, user or assumed-role session, without wildcards",
    |arn| principal_kind(arn).is_some()
        && arn.region().is_empty()
        && arn.account().parse::<AccountId>().is_ok()
        && !arn.resource().contains(['*', '?'])
);

impl PrincipalArn {
    /// Returns the ARN of an account's root.
    pub fn root(partition: Partition, account: &AccountId) -> Self {
        let text = format!("arn:{partition}:iam::{account}:root");
        #[expect(clippy::expect_used, reason = "every part is checked")]
        text.parse().expect("a root ARN built from checked parts is legal")
    }

    /// Returns what kind of identity this is.
    pub fn kind(&self) -> PrincipalKind {
        #[expect(clippy::expect_used, reason = "checked when the ARN was parsed")]
        principal_kind(&self.0).expect("a principal ARN has a kind")
    }

    /// Returns the account of the principal.
    pub fn account(&self) -> AccountId {
        #[expect(clippy::expect_used, reason = "checked when the ARN was parsed")]
        self.0.account().parse().expect("a principal ARN has an account id")
    }

    /// Returns the role's name without its path, for a role or a session of one.
    pub fn role_name(&self) -> Option<&str> {
        match self.kind() {
            PrincipalKind::Role => self.0.resource().rsplit('/').next(),
            PrincipalKind::Session => self.0.resource().split('/').nth(1),
            PrincipalKind::User | PrincipalKind::FederatedUser | PrincipalKind::Root => None,
        }
    }
}

arn_kind!(
    /// The ARN of an IAM role, with its path.
    RoleArn, "role ARN", "arn:partition:iam::account:role/path/name",
    |arn| principal_kind(arn) == Some(PrincipalKind::Role)
        && arn.region().is_empty()
        && arn.account().parse::<AccountId>().is_ok()
        && !arn.resource().contains(['*', '?'])
        && arn.resource().rsplit('/').next().is_some_and(|n| n.parse::<RoleName>().is_ok())
);

impl RoleArn {
    /// Returns the ARN of a role from its parts; `path` begins and ends with a slash.
    ///
    /// # Errors
    /// If the path is not of that form.
    pub fn new(partition: Partition, account: &AccountId, path: &str, name: &RoleName) -> Result<Self, IdError> {
        format!("arn:{partition}:iam::{account}:role{path}{name}").parse()
    }

    /// Returns the account of the role.
    pub fn account(&self) -> AccountId {
        #[expect(clippy::expect_used, reason = "checked when the ARN was parsed")]
        self.0.account().parse().expect("a role ARN has an account id")
    }

    /// Returns the role's name, without its path.
    pub fn name(&self) -> RoleName {
        let name = self.0.resource().rsplit('/').next().unwrap_or_default();
        #[expect(clippy::expect_used, reason = "checked when the ARN was parsed")]
        name.parse().expect("a role ARN ends in a role name")
    }

    /// Returns the role's path, with both slashes.
    pub fn path(&self) -> &str {
        let resource = self.0.resource();
        let end = resource.rfind('/').map_or(0, |at| at + 1);
        resource.get(4..end).unwrap_or("/")
    }

    /// Returns the same ARN as a principal.
    pub fn principal(&self) -> PrincipalArn {
        PrincipalArn(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_arns_have_parts() {
        let arn: KeyArn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab".parse().unwrap();
        assert_eq!(arn.key_id().as_str(), "1234abcd-12ab");
        assert_eq!(arn.account().as_str(), "111122223333");
        let built = KeyArn::new(Partition::Aws, &arn.region(), &arn.account(), &arn.key_id());
        assert_eq!(built, arn);
        assert!("arn:aws:kms:eu-west-1:111122223333:alias/x".parse::<KeyArn>().is_err());
    }

    #[test]
    fn principals_know_their_kind() {
        let kind = |text: &str| text.parse::<PrincipalArn>().map(|arn| arn.kind()).ok();
        assert_eq!(kind("arn:aws:iam::111122223333:role/a/b"), Some(PrincipalKind::Role));
        assert_eq!(kind("arn:aws:sts::111122223333:assumed-role/b/s"), Some(PrincipalKind::Session));
        assert_eq!(kind("arn:aws:iam::111122223333:root"), Some(PrincipalKind::Root));
        assert_eq!(kind("arn:aws:iam::111122223333:group/b"), None);
        assert_eq!(kind("arn:aws:iam::111122223333:role/*"), None);
    }

    #[test]
    fn role_arns_have_path_and_name() {
        let arn: RoleArn = "arn:aws:iam::111122223333:role/keys/prod/admin".parse().unwrap();
        assert_eq!((arn.path(), arn.name().as_str()), ("/keys/prod/", "admin"));
        let plain: RoleArn = "arn:aws:iam::111122223333:role/admin".parse().unwrap();
        assert_eq!(plain.path(), "/");
    }
}
