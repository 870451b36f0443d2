//! Who is calling: the session, and the principal that a key policy names for it.

use super::Connection;
use super::call::Call;
use crate::ids::{AccountId, PrincipalArn, PrincipalKind};
use crate::live::Caller;
use crate::ports::{CallerReader, PortError, PortErrorKind, PortResult};

const IDENTITY: Call = Call::harmless("sts:GetCallerIdentity");

impl CallerReader for Connection {
    async fn caller(&self) -> PortResult<Caller> {
        self.caller.get_or_try_init(|| self.ask_caller()).await.cloned()
    }
}

impl Connection {
    async fn ask_caller(&self) -> PortResult<Caller> {
        let broken = |message: String| PortError::new(PortErrorKind::Protocol, IDENTITY.name, message);
        let answer = self.gate.send(IDENTITY, || self.sts.get_caller_identity().send()).await?;
        let account: AccountId = match answer.account() {
            Some(text) => text.parse().map_err(|error| broken(format!("{error}")))?,
            None => return Err(broken("the answer names no account".to_owned())),
        };
        let arn = match answer.arn() {
            Some(text) => caller_arn(text).map_err(|error| broken(format!("{error}")))?,
            None => return Err(broken("the answer names no ARN".to_owned())),
        };
        let principal = match arn.kind() {
            PrincipalKind::Session => self.session_role(&arn).await?,
            PrincipalKind::Role | PrincipalKind::User | PrincipalKind::FederatedUser | PrincipalKind::Root => {
                arn.clone()
            }
        };
        Ok(Caller { account, arn, principal })
    }

    /// Returns the role of a session, with its path where IAM tells it.
    ///
    /// A session's ARN has no path, and a key policy needs it.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
    async fn session_role(&self, session: &PrincipalArn) -> PortResult<PrincipalArn> {
        let name = session.role_name().unwrap_or_default();
        let call = Call::harmless("iam:GetRole");
        let asked = self.gate.send(call, || self.iam.get_role().role_name(name).send()).await;
        let text = match asked {
            Ok(output) => output.role.map(|role| role.arn),
            // Not allowed to ask, or a server that knows no such role or no such call.
            Err(error)
                if matches!(
                    error.kind,
                    PortErrorKind::Denied | PortErrorKind::NotFound | PortErrorKind::NotSupported
                ) =>
            {
                None
            }
            Err(error) => return Err(error),
        };
        let arn = session.arn();
        let text = text.unwrap_or_else(|| format!("arn:{}:iam::{}:role/{name}", arn.partition(), arn.account()));
        text.parse().map_err(|error| PortError::new(PortErrorKind::Protocol, call.name, format!("{error}")))
    }
}

/// Reads a caller's ARN; moto gives users one of STS (`arn:aws:sts::…:user/moto`).
fn caller_arn(text: &str) -> Result<PrincipalArn, crate::ids::IdError> {
    match text.split_once(":sts::") {
        Some((head, tail)) if tail.contains(":user/") => format!("{head}:iam::{tail}").parse(),
        Some(_) | None => text.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_of_every_kind_are_read() {
        let moto = caller_arn("arn:aws:sts::111122223333:user/moto").unwrap();
        assert_eq!(moto.as_str(), "arn:aws:iam::111122223333:user/moto");
        for same in ["arn:aws:iam::111122223333:user/a", "arn:aws:sts::111122223333:assumed-role/r/s"] {
            assert_eq!(caller_arn(same).unwrap().as_str(), same);
        }
    }
}
