//! The table of lints: how grave each is at most, what to do, which controls ask for the same, and what is exempt.

use super::model::LintSeverity;
use crate::diag::Code;

/// One lint. What it reports is the explanation of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The stable code.
    pub code: Code,
    /// How grave a finding is at most.
    pub severity: LintSeverity,
    /// The controls of Security Hub, AWS Config, CIS and others that ask for the same.
    pub controls: &'static [&'static str],
    /// What to do about it.
    pub remedy: &'static str,
    /// What is not reported, or less gravely, and why; empty where there is nothing to say.
    pub exempt: &'static str,
}

/// Declares the rules, a constant for each and the table of all.
macro_rules! rules {
    ($($name:ident: $code:ident $severity:ident [$($control:literal),*] $remedy:literal, $exempt:literal;)*) => {
        $(pub(super) const $name: Rule = Rule {
            code: Code::$code,
            severity: LintSeverity::$severity,
            controls: &[$($control),*],
            remedy: $remedy,
            exempt: $exempt,
        };)*

        /// Every lint, in the order of the codes.
        pub const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    POLICY_TOO_LARGE: PolicyTooLarge High []
        "name fewer principals, put users with the same needs behind one role, or split the key",
        "";
    POLICY_NEAR_LIMIT: PolicyNearLimit Low []
        "name fewer principals, put users with the same needs behind one role, or split the key",
        "Policies of up to nine tenths of the 32,768 bytes.";

    INERT_STATEMENT: InertStatement Medium []
        "complete the statement, or remove it",
        "A deny is graver than an allow.";
    UNKNOWN_ACTION: UnknownAction Medium []
        "write the action's name as KMS has it, or remove it",
        "In IAM policies actions of other services. A pattern that some action matches.";
    INEFFECTIVE_ACTION: IneffectiveAction Low []
        "allow it in an IAM policy, on Resource `*`, and remove it here",
        "Patterns such as `kms:List*`, and denies.";
    WRONG_RESOURCE: WrongResource Medium []
        "write `\"Resource\": \"*\"`, which means this key",
        "The key's own ARN, and patterns that match it.";
    NOT_ELEMENT_ALLOW: NotElementAllow Medium []
        "list what is allowed, in Action and Resource",
        "Denies, where NotAction and NotResource are the safe form.";
    REPEATED_SID: RepeatedSid Low []
        "give each statement a Sid of its own",
        "";
    REDUNDANT_STATEMENT: RedundantStatement Info []
        "remove the statement",
        "Statements of which only a part is said elsewhere.";
    INVALID_VERSION: InvalidVersion High []
        "write `\"Version\": \"2012-10-17\"`",
        "";
    LITERAL_VARIABLE: LiteralVariable Medium []
        "write `\"Version\": \"2012-10-17\"`",
        "`${*}`, `${?}` and `${$}` in documents of the current version, which stand for the character.";

    UNKNOWN_OPERATOR: UnknownOperator High []
        "write the operator's name as AWS has it",
        "";
    UNKNOWN_CONDITION_KEY: UnknownConditionKey High []
        "write the key's name as AWS has it",
        "Keys of other services and of identity providers (`ec2:…`, `saml:…`, a provider's host), which sessions may carry. \
         Old names that KMS still takes are information.";
    DEAD_CONDITION: DeadCondition High []
        "move the condition to a statement whose actions carry the key, or remove it",
        "Conditions that some action of the statement carries: see `partial-condition`.";
    PARTIAL_CONDITION: PartialCondition Low []
        "give these actions a statement of their own, without the condition",
        "Actions that only a pattern such as `kms:*` covers, and `Null: true`, which asks for absence.";
    EMPTY_CONDITION_VALUES: EmptyConditionValues High []
        "list the values, or remove the condition",
        "";
    FOR_ALL_VALUES_ALLOW: ForAllValuesAllow Medium []
        "add a `Null: false` condition on the key, or use `ForAnyValue`",
        "Denies; a `Null: false` beside it; `kms:GrantOperations`, which each CreateGrant carries.";
    SET_OPERATOR_ON_SINGLE_VALUE: SetOperatorOnSingleValue Medium []
        "use the operator without `ForAllValues:` or `ForAnyValue:`",
        "`ForAnyValue` is low: it means the same. Keys that neither KMS nor AWS documents.";
    MISSING_SET_OPERATOR: MissingSetOperator Medium []
        "write `ForAnyValue:` before the operator, or in a deny what you mean",
        "`Null`, which asks for presence alone.";
    BINARY_CONDITION: BinaryCondition Low []
        "use a string operator",
        "";
    IMPOSSIBLE_VIA_SERVICE: ImpossibleViaService Medium []
        "write the service's name, the key's Region and `amazonaws.com`: `s3.eu-west-1.amazonaws.com`",
        "Services that call from Region to Region, such as DynamoDB with global tables. Patterns that can match.";
    MFA_CONDITION: MfaCondition Medium []
        "demand `aws:MultiFactorAuthPresent` in the trust policy of the role in place of this one",
        "Statements that also name users, and conditions with `IfExists`.";

    NOT_PRINCIPAL_ALLOW: NotPrincipalAllow High []
        "name who is allowed in Principal",
        "";
    NOT_PRINCIPAL_DENY: NotPrincipalDeny Low []
        "deny `*`, with `ArnNotLike` on `aws:PrincipalArn`",
        "";
    IMPOSSIBLE_PRINCIPAL: ImpossiblePrincipal Medium []
        "name the role or user by its whole ARN, or `*` with a condition on `aws:PrincipalArn` and the account",
        "";
    DANGLING_PRINCIPAL: DanglingPrincipal Medium []
        "write the ARN again to bind it to the new role or user of that name, or remove the entry",
        "Conditions on `aws:PrincipalArn`, which IAM does not convert: they survive.";
    PUBLIC_ACCESS: PublicAccess Critical
        ["Security Hub KMS.5", "AWS Config kms-key-policy-no-public-access"]
        "name who is allowed, or add a condition of fixed value on aws:PrincipalOrgID, aws:PrincipalAccount, \
         kms:CallerAccount, aws:SourceAccount or an ARN with its account",
        "Allows with such a condition, even if the rest of the ARN has wildcards; allows that a deny takes back; \
         delegation to the own account. A fixed network (`aws:SourceIp`, `aws:SourceVpc`, `aws:SourceVpce`) makes it \
         medium: it fences the place, not the caller. Where no caller was found whom the conditions admit, it is medium too.";
    CROSS_ACCOUNT_ACCESS: CrossAccountAccess Medium []
        "if the account should not be here, remove it; otherwise name its roles in place of the account",
        "Roles and users by name, and members of an organization, are information; so is what a manifest declares.";
    IMPOSSIBLE_CROSS_ACCOUNT: ImpossibleCrossAccount Low []
        "remove the action, or have it called by a role of the key's account",
        "Patterns such as `kms:*`, and statements that also name principals of the own account. \
         Every operation that a grant can contain works across accounts.";
    IAM_DELEGATED: IamDelegated Info []
        "nothing, if IAM is meant to decide; otherwise let the root user alone back in: aws:PrincipalType = Account",
        "A delegation to the root user alone. Scanners call AWS's default policy vulnerable: it is not.";
    SHARED_BY_RAM: SharedByRam Info []
        "look at the resource share in AWS RAM",
        "";

    FULL_CONTROL: FullControl Medium []
        "list the actions that the principal needs",
        "The delegation to the account.";
    ADMINISTERS_AND_USES: AdministersAndUses Medium []
        "split the statement, and give its parts to different principals",
        "CreateGrant with its fences, which users of services need; statements with every action: see `full-control`.";
    POLICY_ESCALATION: PolicyEscalation High []
        "give kms:PutKeyPolicy to administrators alone, in a statement that uses the key for nothing",
        "Administrators: principals by name, or by `aws:PrincipalArn`, with no use of the key in the same statement.";
    UNCONDITIONED_CREATE_GRANT: UnconditionedCreateGrant High ["Control Tower CT.KMS.PR.3"]
        "add a Bool condition kms:GrantIsForAWSResource = true, or fence kms:GrantOperations or kms:GranteePrincipal",
        "The delegation to the account, `kms:*` (see `full-control`), and what a deny takes back.";
    UNFENCED_REPLICATION: UnfencedReplication Medium []
        "add a StringEquals condition on kms:ReplicaRegion",
        "Single-Region keys, which cannot be replicated, and `kms:*`.";
    ABAC_CONTROL: AbacControl High []
        "give kms:TagResource, kms:UntagResource and the alias actions to administrators alone, or fence them by aws:TagKeys",
        "Tag actions that are fenced by `aws:TagKeys` or `aws:RequestTag`.";
    NO_POLICY_ADMINISTRATOR: NoPolicyAdministrator High []
        "allow a role of the key's account kms:PutKeyPolicy while somebody still can",
        "Keys that AWS manages. Conditions count as satisfied.";

    PERSON_GRANT: PersonGrant Medium []
        "give the access to a role in the key policy, then revoke the grant",
        "Services and service-linked roles.";
    FOREIGN_GRANT: ForeignGrant Medium []
        "if nobody needs it, revoke the grant",
        "Services.";
    GRANTING_GRANT: GrantingGrant Medium []
        "revoke the grant and create it again without CreateGrant",
        "Services, service-linked roles, and the roles of AWS that work on volumes.";
    BROAD_GRANT: BroadGrant Low []
        "revoke the grant and create it again with fewer operations, or with a constraint on the encryption context",
        "Services. Any encryption context is information.";
    DUPLICATE_GRANT: DuplicateGrant Low []
        "revoke all of them but one",
        "Services, which issue one for each resource.";
    GRANTS_NEAR_LIMIT: GrantsNearLimit Low []
        "find out which grants nobody needs, and revoke them",
        "";

    ROTATION_OFF: RotationOff Medium
        ["Security Hub KMS.4", "AWS Config cmk-backing-key-rotation-enabled", "CIS AWS Foundations 5.0.0 3.6",
         "CIS AWS Foundations 3.0.0 3.6", "CIS AWS Foundations 1.4.0 3.8", "CIS AWS Foundations 1.2.0 2.8",
         "PCI DSS 4.0.1 3.7.4"]
        "turn automatic rotation on: `rotation = { every_days = 365 }`, or aws kms enable-key-rotation",
        "Keys that KMS does not rotate by itself: asymmetric and HMAC keys, custom key stores, imported material, which \
         rotates when new material is imported. Keys that AWS manages. Replicas: their primary is rotated. Keys that \
         wait for import or deletion, or are unavailable. A disabled key is information: KMS takes the setting once it is enabled.";
    DELETION_SCHEDULED: DeletionScheduled Critical
        ["Security Hub KMS.3", "AWS Config kms-cmk-not-scheduled-for-deletion"]
        "if it is not meant: aws kms cancel-key-deletion, then aws kms enable-key",
        "";
    TOO_MANY_ALIASES: TooManyAliases Medium []
        "remove aliases, or fence by tags",
        "Keys of which nothing depends on their aliases.";

    DECRYPT_ALL_KEYS: DecryptAllKeys Medium []
        "name the keys in Resource, or fence by aws:ResourceTag or kms:ResourceAliases",
        "Statements that a deny takes back; conditions on the key itself (tags, aliases); policies of AWS. \
         A fence by `kms:ViaService` or by the encryption context makes it low. Security Hub looks at no condition.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_lint_code_has_one_rule_in_the_order_of_codes() {
        let lints = Code::ALL.iter().skip_while(|code| **code != Code::InertStatement);
        let codes: Vec<Code> = RULES.iter().map(|rule| rule.code).collect();
        let expected: Vec<Code> = [Code::PolicyTooLarge, Code::PolicyNearLimit].iter().chain(lints).copied().collect();
        assert_eq!(codes, expected);
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }

    #[test]
    fn remedies_are_for_people() {
        for rule in RULES {
            assert!(rule.remedy.len() > 10 && !rule.remedy.ends_with('.'), "{}", rule.code.name());
            assert!(rule.exempt.is_empty() || rule.exempt.ends_with('.'), "{}", rule.code.name());
        }
    }
}
