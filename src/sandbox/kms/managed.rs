//! AWS managed keys: they come into being when their alias is first used, and obey their service alone.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk>

use super::{keys, material};
use crate::ids::KeyArn;
use crate::kms::KeyShape;
use crate::sandbox::call::Call;
use crate::sandbox::state::{Alias, MaterialOrigin, Rotation};
use serde_json::json;

/// Names after `alias/aws/`, and the services' names in `kms:ViaService`.
const SERVICES: &[(&str, &str)] = &[
    ("s3", "s3"),
    ("ebs", "ec2"),
    ("rds", "rds"),
    ("dynamodb", "dynamodb"),
    ("elasticfilesystem", "elasticfilesystem"),
    ("backup", "backup"),
    ("kinesis", "kinesis"),
    ("lambda", "lambda"),
    ("redshift", "redshift"),
    ("secretsmanager", "secretsmanager"),
    ("sns", "sns"),
    ("sqs", "sqs"),
    ("ssm", "ssm"),
];

/// Creates the key of an AWS managed alias in the caller's account; `None` if there is no such service.
pub(super) fn create(call: &mut Call<'_>, name: &str) -> Option<KeyArn> {
    let word = name.strip_prefix("alias/aws/")?;
    let (_, service) = SERVICES.iter().find(|(alias, _)| *alias == word)?;
    let caller = call.caller;
    let mut key = keys::new(call, KeyShape::default());
    key.materials.push(material::symmetric(call.now, MaterialOrigin::Creation));
    key.aws_managed = true;
    key.description = format!("Default key that protects my {word} data when no other key is defined");
    key.rotation = Some(Rotation { period_days: 365, next: call.now.saturating_add(super::days(365)).ok()? });
    key.policy = json!({ "Version": "2012-10-17", "Id": format!("auto-{word}-1"), "Statement": [
        { "Sid": "Allow access through the service for all principals in the account that are authorized to use it",
          "Effect": "Allow", "Principal": { "AWS": "*" },
          "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant",
              "kms:DescribeKey"],
          "Resource": "*", "Condition": { "StringEquals": {
              "kms:CallerAccount": caller.account.as_str(),
              "kms:ViaService": format!("{service}.{}.amazonaws.com", caller.region) } } },
        { "Sid": "Allow direct access to key metadata to the account", "Effect": "Allow",
          "Principal": { "AWS": format!("arn:{}:iam::{}:root", caller.partition(), caller.account) },
          "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"], "Resource": "*" }
    ] })
    .to_string();
    let target = key.arn.clone();
    let arn = call.own_arn(name);
    let alias =
        Alias { arn: arn.clone(), name: name.to_owned(), target: target.clone(), created: call.now, updated: call.now };
    call.state.keys.insert(target.as_str().to_owned(), key);
    call.state.aliases.insert(arn, alias);
    Some(target)
}
