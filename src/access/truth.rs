//! Three-valued truth: yes, no, or open, with the reason why it is open.

/// Why a part of a decision is open: AWS's documentation is silent or contradicts itself, or a fact is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Open {
    MultiValuedWithoutSetOperator,
    Binary,
    ArnVariable,
    NotPrincipalAccount,
    NotPrincipalRole,
    NotPrincipalAllow,
    LiveUniqueId,
    AccountGrantee,
    GrantAndBoundary,
    GrantAndSessionPolicy,
    GrantAndScp,
    ForeignGrantee,
    ConstraintKeyCase,
    ContextKeyCase,
    ChildGrantUnknown,
    KeyUnknown,
    NotGiven,
    IdentityNotRead,
}

impl Open {
    /// Returns the reason in words.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::MultiValuedWithoutSetOperator => {
                "a condition tests a multi-valued key without ForAllValues or ForAnyValue; AWS does not say what that means"
            }
            Self::Binary => "a condition uses BinaryEquals, and no key of KMS is binary",
            Self::ArnVariable => {
                "an ARN condition has a policy variable before the resource part; AWS does not say whether it is replaced before the ARN is split"
            }
            Self::NotPrincipalAccount => {
                "a NotPrincipal deny lists the caller's account but not the caller; AWS's pages disagree on whether that exempts the caller"
            }
            Self::NotPrincipalRole => {
                "a NotPrincipal deny lists the caller's role but not the session; AWS says that the session might be denied"
            }
            Self::NotPrincipalAllow => {
                "an allow with NotPrincipal is not supported by AWS, and its effect not specified"
            }
            Self::LiveUniqueId => {
                "the policy names the caller by its unique id; AWS does not say whether KMS accepts the id of a living principal"
            }
            Self::AccountGrantee => {
                "the grantee is the caller's account; AWS does not say how an account passes a grant on"
            }
            Self::GrantAndBoundary => {
                "a grant allows what the permissions boundary does not; AWS does not say which of them counts"
            }
            Self::GrantAndSessionPolicy => {
                "a grant allows what the session policy does not; AWS does not say which of them counts"
            }
            Self::GrantAndScp => {
                "a grant allows what the service control policies do not; AWS does not say which of them counts"
            }
            Self::ForeignGrantee => {
                "the key's owner issued the grant to another account, whose IAM policies do not allow the call; AWS does not say whether the grant suffices"
            }
            Self::ConstraintKeyCase => {
                "the encryption context differs from the grant's constraint only in the case of its keys; AWS's pages contradict each other"
            }
            Self::ContextKeyCase => {
                "the encryption context has two keys that differ only in case, and a condition tests one of them"
            }
            Self::ChildGrantUnknown => {
                "the call is allowed by a grant, for narrower grants only, and the new grant is not known"
            }
            Self::NotGiven => "it depends on condition keys that were not given",
            Self::IdentityNotRead => {
                "the key leaves it to the IAM policies of the caller's account, and the caller's were not read"
            }
            Self::KeyUnknown => "the call is on a key, and the key's policy and grants are not known",
        }
    }
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    False,
    Unknown(Open),
    True,
}

impl Truth {
    /// Returns whether both hold.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Unknown(open), _) | (Self::True, Self::Unknown(open)) => Self::Unknown(open),
            (Self::True, Self::True) => Self::True,
        }
    }

    /// Returns whether either holds.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::Unknown(open), _) | (Self::False, Self::Unknown(open)) => Self::Unknown(open),
            (Self::False, Self::False) => Self::False,
        }
    }

    /// Returns whether it does not hold.
    pub(super) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown(open) => Self::Unknown(open),
        }
    }

    /// Returns the truth itself, but open where it is false.
    pub(super) fn or_open(self, open: Open) -> Self {
        self.or(Self::Unknown(open))
    }

    /// Returns how sure it is: 0 for no, 1 for open, 2 for yes.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::False => 0,
            Self::Unknown(_) => 1,
            Self::True => 2,
        }
    }

    /// Returns whether it certainly does not hold.
    pub(super) fn is_false(self) -> bool {
        self == Self::False
    }

    /// Returns whether any of some statements holds.
    pub(super) fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::False;
        for truth in truths {
            result = result.or(truth);
            if result == Self::True {
                break;
            }
        }
        result
    }

    /// Returns whether all of some statements hold.
    pub(super) fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        Self::any(truths.into_iter().map(Self::not)).not()
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{False, True, Unknown};
    use super::*;

    const OPEN: Truth = Unknown(Open::Binary);

    #[test]
    fn open_gives_way_to_what_decides() {
        assert_eq!(False.and(OPEN), False);
        assert_eq!(OPEN.and(True), OPEN);
        assert_eq!(True.or(OPEN), True);
        assert_eq!(OPEN.or(False), OPEN);
        assert_eq!(OPEN.not(), OPEN);
    }

    #[test]
    fn empty_lists_have_the_neutral_element() {
        assert_eq!(Truth::any([]), False);
        assert_eq!(Truth::all([]), True);
        assert_eq!(Truth::all([True, OPEN, False]), False);
        assert_eq!(Truth::any([False, OPEN, True]), True);
    }
}
