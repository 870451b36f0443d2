//! One step, one call: what each action sends.

use super::import::Deleted;
use super::{Connection, Ending, Machine, Run, until};
use crate::ids::{KeyId, KeyName};
use crate::plan::{Action, KeyRef, Owner, Step};
use crate::ports::{PortError, PortErrorKind};

impl<C: Connection, M: Machine> Run<'_, C, M> {
    /// Executes a step of a target.
    pub(super) async fn execute(&mut self, step: &Step) -> Ending {
        if let Action::CreateKey { key, shape, store, description, policy, tags } = &step.action {
            let wanted = super::create::Wanted { key, shape: *shape, store: store.as_ref(), description, policy, tags };
            return self.create_key(step, &wanted).await;
        }
        if let Action::ReplicateKey { key, target, region, description, policy, tags } = &step.action {
            let wanted = super::replicate::Replica { key, target, region, description, policy, tags };
            return self.replicate(step, &wanted).await;
        }
        if let Action::UpdatePrimaryRegion { key, target, region } = &step.action {
            return self.move_primary(step, key, (target, region)).await;
        }
        if let Action::CreateAlias { alias, key } = &step.action
            && alias.is_claim()
        {
            return match self.key(key) {
                Ok(id) => self.claim(step, alias, &id).await,
                Err(error) => Ending::Failed(error),
            };
        }
        if let Action::RotateKeyOnDemand { key, before } = &step.action {
            return match self.key(key) {
                Ok(id) => self.rotate(step, &id, *before).await,
                Err(error) => Ending::Failed(error),
            };
        }
        if let Action::ImportKeyMaterial { key, spec, material, kind, id, valid_for_days, wrapping } = &step.action {
            let wanted = super::import::Wanted {
                key,
                spec: *spec,
                material,
                kind: *kind,
                id: id.as_ref(),
                valid_for_days: *valid_for_days,
                wrapping: *wrapping,
            };
            return self.import(step, &wanted).await;
        }
        self.send(step, &step.action).await.map_or_else(Ending::Failed, |()| Ending::Done)
    }

    /// Sends an idempotent action, repeating it while a key that this run made is not visible yet.
    async fn send(&self, step: &Step, action: &Action) -> Result<(), PortError> {
        let Some(reference) = action.key_ref() else {
            return Err(PortError::new(
                PortErrorKind::Protocol,
                action.call(),
                "this step does not belong to a target",
            ));
        };
        let id = self.key(reference)?;
        let may_lag = self.is_new(&id);
        let passes = |error: &PortError| {
            (may_lag && error.kind == PortErrorKind::NotFound)
                || self.lags_behind(step, error.kind)
                || (error.kind == PortErrorKind::InvalidPrincipal && self.names_new_role(action))
        };
        let send = || until(self.job.machine, self.job.options.wait, passes, || self.call(step, action, &id));
        match send().await {
            // A replica that is being made, or a primary that moves, takes some calls later.
            Err(error) if error.kind == PortErrorKind::InvalidState && self.becomes_idle(&id).await => send().await,
            result => result,
        }
    }

    /// A role that this run made may be unknown to KMS for a while; any other unknown principal is an error at once.
    pub(super) fn names_new_role(&self, action: &Action) -> bool {
        let text = action.written_policy().map(crate::policy::PolicyDocument::to_compact).unwrap_or_default();
        self.new_roles.iter().any(|role| text.contains(role))
    }

    async fn call(&self, step: &Step, action: &Action, id: &KeyId) -> Result<(), PortError> {
        let port = self.connection;
        match action {
            Action::PutKeyPolicy { policy, .. } => {
                port.put_key_policy(id, policy, self.lockout_check(owner(step)?)).await
            }
            Action::UpdateKeyDescription { description, .. } => port.update_description(id, description).await,
            Action::EnableKey { .. } => port.enable_key(id).await,
            Action::DisableKey { .. } => port.disable_key(id).await,
            Action::TagKey { tags, .. } => port.tag_key(id, tags).await,
            Action::UntagKey { tag_keys, .. } => port.untag_key(id, tag_keys).await,
            Action::CreateAlias { alias, .. } => match port.create_alias(alias, id).await {
                Err(error) if error.kind == PortErrorKind::AlreadyExists => self.alias_exists(alias, id, error).await,
                result => result,
            },
            Action::UpdateAlias { alias, .. } => port.update_alias(alias, id).await,
            Action::EnableKeyRotation { days, .. } => port.enable_rotation(id, *days).await,
            Action::DisableKeyRotation { .. } => port.disable_rotation(id).await,
            Action::ScheduleKeyDeletion { days, .. } => self.schedule_deletion(id, *days).await,
            Action::CancelKeyDeletion { .. } => self.cancel_deletion(id).await,
            Action::DeleteAlias { alias, .. } => self.delete_alias(alias, id).await,
            Action::DeleteImportedKeyMaterial { material, id: named, .. } => {
                self.delete_material(id, &Deleted { name: material.clone(), id: named.clone() }).await
            }
            Action::CreateKey { .. }
            | Action::ReplicateKey { .. }
            | Action::UpdatePrimaryRegion { .. }
            | Action::RotateKeyOnDemand { .. }
            | Action::ImportKeyMaterial { .. }
            | Action::UntagRole { .. }
            | Action::CreateRole { .. }
            | Action::UpdateRole { .. }
            | Action::UpdateAssumeRolePolicy { .. }
            | Action::PutRolePermissionsBoundary { .. }
            | Action::DeleteRolePermissionsBoundary { .. }
            | Action::TagRole { .. }
            | Action::PutRolePolicy { .. }
            | Action::DeleteRolePolicy { .. } => {
                Err(PortError::new(PortErrorKind::Protocol, action.call(), "this step is executed elsewhere"))
            }
        }
    }

    /// "Already exists" may be the lost reply of our own call: it is success if the alias names our key.
    async fn alias_exists(&self, alias: &crate::ids::AliasName, id: &KeyId, error: PortError) -> Result<(), PortError> {
        let aliases = self.connection.list_aliases().await?;
        if aliases.get(alias).and_then(Option::as_ref) == Some(id) { Ok(()) } else { Err(error) }
    }

    /// `DeleteAlias` does not say from which key: the alias is looked at once more, and left to whom it was given since.
    async fn delete_alias(&self, alias: &crate::ids::AliasName, id: &KeyId) -> Result<(), PortError> {
        let named = self.connection.list_aliases().await?.remove(alias).flatten();
        match named.filter(|named| named != id) {
            None => self.connection.delete_alias(alias).await,
            Some(other) => Err(PortError::new(
                PortErrorKind::InvalidState,
                "kms:DeleteAlias",
                format!("`{alias}` names `{other}` by now, and is left alone"),
            )),
        }
    }

    /// Binds a manifest name to the key that it turned out to be.
    pub(super) fn bind(&mut self, reference: &KeyRef, arn: crate::ids::KeyArn) {
        if let KeyRef::Planned(name) = reference {
            self.bindings.insert(name.clone(), arn);
        }
    }
}

fn owner(step: &Step) -> Result<&KeyName, PortError> {
    match &step.owner {
        Owner::Key(name) => Ok(name),
        Owner::Role(_) => {
            Err(PortError::new(PortErrorKind::Protocol, step.action.call(), "this step belongs to a role"))
        }
    }
}
