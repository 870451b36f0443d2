//! Imports key material: asks for a wrapping key, has the material encrypted under it, and sends it once. Where the
//! answer is lost, the key is looked at, and nothing is sent again in doubt.

use super::{Connection, Ending, Machine, Run, elapsed, tells_nothing, until};
use crate::ids::{KeyId, KeyMaterialId, MaterialName};
use crate::kms::{IMPORT_VALID_DAYS_MAX, ImportKind, KeySpec, KeyState};
use crate::live::{Expiry, KeyMetadata, LiveMaterial, LiveMaterials, LivePresence, MultiRegionType};
use crate::plan::{Action, KeyRef, Owner, Step, Why, Wrapping};
use crate::ports::{ImportParameters, KeyReader, MaterialImport, PortError, PortErrorKind, PortResult};
use crate::report::Event;
use jiff::SignedDuration;
use std::time::Duration;

/// The call that imports.
const IMPORT: &str = "kms:ImportKeyMaterial";

/// How far the expiry that is read may lie from the one that was sent: KMS keeps whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);

/// How far the expiries of two runs that imported the same material may lie apart.
const SAME_DAY: SignedDuration = SignedDuration::from_hours(24);

/// KMS counts the longest validity by its own clock, and signed requests may be a quarter of an hour off: a `ValidTo` of
/// exactly 365 days would be refused where this machine's clock is a second ahead.
///
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html#KMS-ImportKeyMaterial-request-ValidTo>
const CLOCK_MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// How long to look for material that KMS says to have already.
const SHORT_LOOK: Duration = Duration::from_secs(5);

/// Material to be imported.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) key: &'a KeyRef,
    pub(super) spec: KeySpec,
    pub(super) material: &'a MaterialName,
    pub(super) kind: ImportKind,
    pub(super) id: Option<&'a KeyMaterialId>,
    pub(super) valid_for_days: Option<u16>,
    pub(super) wrapping: Wrapping,
}

impl Wanted<'_> {
    /// Whether KMS tells several materials of the key apart.
    fn is_symmetric(&self) -> bool {
        self.spec == KeySpec::SymmetricDefault
    }
}

/// Material as it is to be seen after its import.
#[derive(Debug, Clone)]
pub(super) struct Imported {
    name: MaterialName,
    id: Option<KeyMaterialId>,
    expiry: Expiry,
}

/// Material as it is not to be seen any more.
#[derive(Debug, Clone)]
pub(super) struct Deleted {
    pub(super) name: Option<MaterialName>,
    pub(super) id: Option<KeyMaterialId>,
}

/// The materials of a key, or what its metadata says where the server lists none.
pub(super) enum Stock {
    Listed(Vec<LiveMaterial>),
    Untold(Box<KeyMetadata>),
}

/// Reads the materials of a key.
pub(super) async fn stock(port: &(impl KeyReader + Sync), key: &KeyId) -> PortResult<Stock> {
    match port.materials(key).await? {
        LiveMaterials::Listed(materials) => Ok(Stock::Listed(materials)),
        LiveMaterials::Untold => Ok(Stock::Untold(Box::new(port.describe_key(key).await?.1))),
    }
}

impl Imported {
    /// Returns whether the material is there, and expires as it should.
    pub(super) fn is_seen(&self, stock: &Stock) -> bool {
        self.is_seen_within(stock, ROUNDING)
    }

    fn is_seen_within(&self, stock: &Stock, tolerance: SignedDuration) -> bool {
        match stock {
            Stock::Listed(materials) => materials.iter().filter(|found| self.is(found)).any(|found| {
                matches!(found.presence, LivePresence::Imported(expiry) if near(expiry, self.expiry, tolerance))
            }),
            // Some servers do not tell when material expires.
            Stock::Untold(key) => {
                key.state != KeyState::PendingImport
                    && key.expiry.is_none_or(|expiry| near(expiry, self.expiry, tolerance))
            }
        }
    }

    fn is(&self, found: &LiveMaterial) -> bool {
        match &self.id {
            Some(id) => found.id == *id,
            None => found.description.as_deref() == Some(self.name.as_str()),
        }
    }
}

impl Deleted {
    /// Returns whether the material is gone.
    pub(super) fn is_seen(&self, stock: &Stock) -> bool {
        let is = |found: &&LiveMaterial| match (&self.id, &self.name) {
            (Some(id), _) => found.id == *id,
            (None, Some(name)) => found.description.as_deref() == Some(name.as_str()),
            (None, None) => found.standing.is_in_use(),
        };
        match stock {
            Stock::Listed(materials) => materials.iter().filter(is).all(|it| it.presence == LivePresence::Missing),
            Stock::Untold(key) => key.state == KeyState::PendingImport || key.state.is_pending_deletion(),
        }
    }
}

fn near(one: Expiry, other: Expiry, tolerance: SignedDuration) -> bool {
    match (one, other) {
        (Expiry::At(one), Expiry::At(other)) => one.duration_since(other).abs() <= tolerance,
        (Expiry::Never, Expiry::Never) => true,
        (Expiry::At(_), Expiry::Never) | (Expiry::Never, Expiry::At(_)) => false,
    }
}

/// Returns when material that is imported now expires, in whole seconds.
fn expiry(now: jiff::Timestamp, valid_for_days: Option<u16>) -> Expiry {
    let Some(days) = valid_for_days else { return Expiry::Never };
    let whole = SignedDuration::from_hours(24 * i64::from(days));
    let lifetime = if days >= IMPORT_VALID_DAYS_MAX { whole - CLOCK_MARGIN } else { whole };
    let at = now.saturating_add(lifetime).unwrap_or(jiff::Timestamp::MAX);
    Expiry::At(jiff::Timestamp::from_second(at.as_second()).unwrap_or(at))
}

impl<C: Connection, M: Machine> Run<'_, C, M> {
    /// Imports a material of a key.
    pub(super) async fn import(&mut self, step: &Step, wanted: &Wanted<'_>) -> Ending {
        let id = match self.key(wanted.key) {
            Ok(id) => id,
            Err(error) => return Ending::Failed(error),
        };
        let expiry = expiry(self.job.machine.now(), wanted.valid_for_days);
        let expected = Imported { name: wanted.material.clone(), id: wanted.id.cloned(), expiry };
        let mut sent = match self.parcel(step, &id, wanted, expiry).await {
            Ok(parcel) => self.send_import(step, &id, wanted, &parcel).await,
            Err(error) => return Ending::Unsent(error),
        };
        let refused_token = sent.as_ref().is_err_and(|error| error.kind == PortErrorKind::ImportToken);
        if refused_token && wanted.wrapping != Wrapping::Before {
            sent = match self.parcel(step, &id, wanted, expiry).await {
                Ok(parcel) => self.send_import(step, &id, wanted, &parcel).await.map_err(of_our_own_token),
                Err(error) => return Ending::Unsent(error),
            };
        }
        match sent {
            Ok(told) => self.imported(step, told, expected),
            Err(error) if tells_nothing(&error) => self.look_for_import(step, &id, expected, &error).await,
            Err(error) if error.kind == PortErrorKind::IncorrectMaterial => {
                self.incorrect(step, &id, wanted, expected, error).await
            }
            Err(error) => Ending::Failed(error),
        }
    }

    /// Notes what is to be seen from now on.
    fn imported(&mut self, step: &Step, told: Option<KeyMaterialId>, expected: Imported) -> Ending {
        if let (Some(wanted), Some(told)) = (&expected.id, &told)
            && wanted != told
        {
            let message = format!("the server took the material `{told}` where `{wanted}` was to be imported again");
            return Ending::Failed(PortError::new(PortErrorKind::Protocol, IMPORT, message));
        }
        self.imports.insert(step.id.clone(), Imported { id: told.or(expected.id), ..expected });
        Ending::Done
    }

    /// Returns the material as it is sent: encrypted, with the token that goes with its wrapping key.
    async fn parcel(
        &self,
        step: &Step,
        id: &KeyId,
        wanted: &Wanted<'_>,
        expiry: Expiry,
    ) -> Result<MaterialImport, PortError> {
        let Owner::Key(key) = &step.owner else {
            return Err(PortError::new(PortErrorKind::Protocol, IMPORT, "this step has no key"));
        };
        let (token, encrypted) = match wanted.wrapping {
            Wrapping::Here { algorithm, key: wrapping_key } => {
                let call = || self.connection.import_parameters(id, algorithm, wrapping_key);
                let parameters = self.parameters(step, id, call).await?;
                let place = (self.target, key, wanted.material);
                let encrypted = self.job.machine.wrap(place, algorithm, &parameters)?;
                (parameters.token, encrypted)
            }
            Wrapping::Before => {
                let given = self.job.machine.prewrapped(self.target, key, wanted.material)?;
                let given = given.ok_or_else(|| {
                    let message = format!(
                        "the material `{}` is encrypted elsewhere, and none was given for target `{}`: \
                         --prewrapped {key}/{}=DIR",
                        wanted.material, self.target, wanted.material
                    );
                    PortError::new(PortErrorKind::Invalid, IMPORT, message)
                })?;
                (given.token, given.encrypted)
            }
        };
        let symmetric = wanted.is_symmetric();
        Ok(MaterialImport {
            token,
            encrypted,
            expiry,
            kind: symmetric.then_some(wanted.kind),
            description: symmetric.then(|| wanted.material.to_string()),
            id: wanted.id.filter(|_| symmetric).cloned(),
        })
    }

    /// Asks for a wrapping key, for a while: KMS answers one such request a second, and may not know a new key yet. To
    /// ask twice changes nothing.
    async fn parameters<F: Future<Output = PortResult<ImportParameters>>>(
        &self,
        step: &Step,
        id: &KeyId,
        call: impl Fn() -> F,
    ) -> PortResult<ImportParameters> {
        let may_lag = self.is_new(id);
        let passes = |error: &PortError| {
            matches!(error.kind, PortErrorKind::Throttled | PortErrorKind::Transient | PortErrorKind::Unknown)
                || (may_lag && error.kind == PortErrorKind::NotFound)
                || self.lags_behind(step, error.kind)
        };
        let ask = || until(self.job.machine, self.job.options.wait, passes, &call);
        match ask().await {
            Err(error) if error.kind == PortErrorKind::InvalidState && self.becomes_idle(id).await => ask().await,
            result => result,
        }
    }

    /// Sends `ImportKeyMaterial`: again only after an answer that says that nothing was imported.
    async fn send_import(
        &self,
        step: &Step,
        id: &KeyId,
        wanted: &Wanted<'_>,
        parcel: &MaterialImport,
    ) -> PortResult<Option<KeyMaterialId>> {
        let may_lag = self.is_new(id);
        let passes = |error: &PortError| {
            error.kind == PortErrorKind::Throttled
                || (may_lag && error.kind == PortErrorKind::NotFound)
                || self.lags_behind(step, error.kind)
        };
        let call = || self.connection.import_material(id, parcel);
        let (machine, limit) = (self.job.machine, self.job.options.wait);
        match until(machine, limit, passes, call).await {
            Err(error) if error.kind == PortErrorKind::InvalidState && self.becomes_idle(id).await => {
                until(machine, limit, passes, call).await
            }
            Err(error) if error.kind == PortErrorKind::IncorrectMaterial && self.follows(step, id, wanted).await => {
                self.tell(Event::Waiting("waiting until the replica knows the material that its primary has"));
                let unknown = |error: &PortError| error.kind == PortErrorKind::IncorrectMaterial || passes(error);
                until(machine, limit, unknown, call).await
            }
            result => result,
        }
    }

    /// Whether a key is a replica that may not know yet which material its primary has: then it refuses the right one.
    /// Where it lists the material, it knows.
    async fn follows(&self, step: &Step, id: &KeyId, wanted: &Wanted<'_>) -> bool {
        if wanted.kind != ImportKind::Existing || wanted.id.is_some() {
            return false;
        }
        let brings = |other: &Step| {
            let same =
                matches!(&other.action, Action::ImportKeyMaterial { material, .. } if material == wanted.material);
            same && other.owner == step.owner && other.id != step.id
        };
        let mut steps = self.job.plan.targets.iter().flat_map(|target| target.outcome.steps());
        if steps.any(brings) {
            return true;
        }
        let found = self.connection.describe_key(id).await;
        found.is_ok_and(|(_, key)| key.multi_region_type == Some(MultiRegionType::Replica))
    }

    /// KMS does not take the material. As new it may have it already, of a call whose answer was lost or of another run.
    async fn incorrect(
        &mut self,
        step: &Step,
        id: &KeyId,
        wanted: &Wanted<'_>,
        expected: Imported,
        error: PortError,
    ) -> Ending {
        if wanted.kind == ImportKind::New && wanted.is_symmetric() {
            let limit = self.job.options.wait.min(SHORT_LOOK);
            if self.is_there(id, limit, |stock| expected.is_seen_within(stock, SAME_DAY)).await {
                let message = format!("the key has the material `{}` already: another call imported it", expected.name);
                self.recovered(step, message);
                return Ending::Done;
            }
        }
        let name = wanted.material;
        let which = wanted.id.map(|id| format!(" (id {id})")).unwrap_or_default();
        let message = match wanted.kind {
            ImportKind::New => {
                format!("KMS does not take this as the new material `{name}`: {}; nothing was imported", error.message)
            }
            ImportKind::Existing => format!(
                "the key expects its material `{name}`{which}, and was given another: {}; nothing was imported",
                error.message
            ),
        };
        Ending::Failed(PortError { message, ..error })
    }

    /// The answer was lost: the material may be there. It is looked for, and never imported again in doubt.
    async fn look_for_import(&mut self, step: &Step, id: &KeyId, expected: Imported, error: &PortError) -> Ending {
        self.tell(Event::Waiting("ImportKeyMaterial got no answer: looking for the material"));
        let again = matches!(step.why, Why::Asked | Why::Expires | Why::Differs);
        let tells = |stock: &Stock| match stock {
            Stock::Listed(_) => true,
            Stock::Untold(key) => !again || key.expiry.is_some(),
        };
        let as_before = step.why == Why::Asked && expected.expiry == Expiry::Never;
        let seen = |stock: &Stock| !as_before && tells(stock) && expected.is_seen(stock);
        let limit = if as_before { Duration::ZERO } else { self.job.options.wait };
        if self.is_there(id, limit, seen).await {
            let name = &expected.name;
            self.recovered(step, format!("the answer of ImportKeyMaterial was lost ({error}); the key has `{name}`"));
            self.imports.insert(step.id.clone(), expected);
            return Ending::Done;
        }
        Ending::Unknown(if as_before {
            format!("{error}; the material was there before, so that nothing tells whether it was imported again")
        } else {
            format!("{error}; the key does not show the material yet, so it is not imported again")
        })
    }

    /// Looks at the materials of a key until they are as they should be, within a limit.
    async fn is_there(&self, id: &KeyId, limit: Duration, seen: impl Fn(&Stock) -> bool) -> bool {
        let machine = self.job.machine;
        let started = machine.now();
        let mut delay = Duration::from_millis(200);
        loop {
            if stock(self.connection, id).await.is_ok_and(|stock| seen(&stock)) {
                return true;
            }
            if elapsed(machine, started) + delay > limit {
                return false;
            }
            machine.sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }

    /// Deletes material; what is not there any more is as it should be.
    pub(super) async fn delete_material(&self, id: &KeyId, gone: &Deleted) -> PortResult<()> {
        match self.connection.delete_material(id, gone.id.as_ref()).await {
            Err(error) if error.kind == PortErrorKind::NotFound && gone.id.is_some() => {
                match stock(self.connection, id).await {
                    Ok(stock) if gone.is_seen(&stock) => Ok(()),
                    Ok(_) | Err(_) => Err(error),
                }
            }
            result => result,
        }
    }
}

/// A token that KMS has just given is refused twice: nothing that anybody could bring.
fn of_our_own_token(error: PortError) -> PortError {
    if error.kind != PortErrorKind::ImportToken {
        return error;
    }
    let message = format!("KMS refuses the import token that it has just given: {}", error.message);
    PortError { kind: PortErrorKind::Invalid, message, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_validity_leaves_an_hour_for_clocks_that_differ() {
        let now = "2026-11-24T06:00:00.75Z".parse().unwrap();
        let at = |days| expiry(now, days);
        assert_eq!(at(None), Expiry::Never);
        assert_eq!(at(Some(1)), Expiry::At("2026-11-25T06:00:00Z".parse().unwrap()));
        assert_eq!(at(Some(364)), Expiry::At("2027-11-23T06:00:00Z".parse().unwrap()));
        assert_eq!(at(Some(365)), Expiry::At("2027-11-24T05:00:00Z".parse().unwrap()));
    }

    #[test]
    fn expiries_are_compared_within_a_rounding() {
        let at = |text: &str| Expiry::At(text.parse().unwrap());
        let one = at("2026-11-24T06:00:00Z");
        assert!(near(one, at("2026-11-24T06:00:02Z"), ROUNDING) && near(at("2026-11-24T05:59:58Z"), one, ROUNDING));
        assert!(!near(one, at("2026-11-24T06:00:03Z"), ROUNDING));
        assert!(near(Expiry::Never, Expiry::Never, ROUNDING) && !near(Expiry::Never, one, SAME_DAY));
    }
}
