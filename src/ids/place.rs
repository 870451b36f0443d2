//! Where things live: accounts, Regions, partitions.

use super::string_id;
use std::fmt;

string_id!(
    /// An AWS account id: twelve digits.
    AccountId, "account id", "twelve digits", |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);

string_id!(
    /// An AWS Region, such as `eu-west-1`. New Regions appear, so the form is checked, not a list.
    Region, "Region", "a Region code such as eu-west-1",
    |t| {
        let parts: Vec<&str> = t.split('-').collect();
        parts.len() >= 3
            && t.len() <= 32
            && parts.last().is_some_and(|n| !n.is_empty() && n.len() <= 2 && n.bytes().all(|b| b.is_ascii_digit()))
            && parts.iter().rev().skip(1).all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase()))
    }
);

impl Region {
    /// Returns the partition that the Region belongs to.
    pub fn partition(&self) -> Partition {
        let text = self.as_str();
        match text {
            _ if text.starts_with("cn-") => Partition::AwsCn,
            _ if text.starts_with("us-gov-") => Partition::AwsUsGov,
            _ if text.starts_with("us-iso-") => Partition::AwsIso,
            _ if text.starts_with("us-isob-") => Partition::AwsIsoB,
            _ if text.starts_with("eusc-") => Partition::AwsEusc,
            _ => Partition::Aws,
        }
    }
}

/// A partition: a group of Regions with its own accounts and its own word in ARNs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Partition {
    /// The commercial Regions.
    #[serde(rename = "aws")]
    Aws,
    /// China.
    #[serde(rename = "aws-cn")]
    AwsCn,
    /// GovCloud (US).
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
    /// Top Secret (US).
    #[serde(rename = "aws-iso")]
    AwsIso,
    /// Secret (US).
    #[serde(rename = "aws-iso-b")]
    AwsIsoB,
    /// European Sovereign Cloud.
    #[serde(rename = "aws-eusc")]
    AwsEusc,
}

impl Partition {
    /// Returns the partition's word in ARNs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsEusc => "aws-eusc",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_checked_by_form() {
        for good in ["eu-west-1", "us-gov-east-1", "ap-southeast-12", "us-isob-east-1"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "eu-west", "EU-west-1", "eu-west-1a", "eu--1", "mars"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
