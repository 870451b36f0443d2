//! A manifest, an account in memory and a machine whose clock jumps when it sleeps.

use super::wire::{Fault, Lagging, Wire};
use crate::apply::{ApplyOptions, Job, apply};
use crate::desired::{DesiredKey, DesiredRole, DesiredState, RoleKind, Rotation, RotationPeriod, Trust};
use crate::desired::{KeyLifecycle, KeyMaterial};
use crate::ids::{AccountId, AliasName, KeyName, MaterialName, Region, TargetName};
use crate::kms::WrappingAlgorithm;
use crate::live::{Backend, LiveAccount, LiveTarget};
use crate::plan::{Claims, Normalize, Outcome, Plan, PlanInput, PlanOptions, plan};
use crate::ports::fake::FakeAws;
use crate::ports::{
    ClaimRecord, ClaimStore, Clock, ImportParameters, MaterialHolder, PortResult, Prewrapped, Randomness,
};
use crate::read::{ReadOptions, read_account, read_replicas, read_rotations, read_target};
use crate::report::{ApplyReport, Scope};
use crate::secret::SecretBytes;
use crate::source::SourceMap;
use crate::synth::sample;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

pub(crate) const CALLER: &str = "arn:aws:iam::111122223333:role/keywright-deployer";

/// Whose material it is: of which target's key, and which.
type Place = (TargetName, KeyName, MaterialName);

/// An import token, and the material that was encrypted with what goes with it.
type TokenAndMaterial = (Vec<u8>, Vec<u8>);

/// A machine in memory. Its clock is that of the account in memory, and stands still but for sleeping.
#[derive(Debug)]
pub(crate) struct TestMachine {
    now: Mutex<jiff::Timestamp>,
    random: Mutex<u8>,
    pub(crate) claims: Mutex<BTreeMap<String, ClaimRecord>>,
    /// Key material, where it is not that of its name.
    pub(crate) materials: Mutex<BTreeMap<(KeyName, MaterialName), Vec<u8>>>,
    /// Material that was encrypted elsewhere, with its token.
    pub(crate) prewrapped: Mutex<BTreeMap<Place, TokenAndMaterial>>,
}

impl TestMachine {
    pub(crate) fn new(seed: u8) -> Arc<Self> {
        let now = Mutex::new("2026-11-24T06:00:00Z".parse().unwrap());
        let random = Mutex::new(seed);
        let (claims, materials, prewrapped) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { now, random, claims, materials, prewrapped })
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(duration).unwrap();
    }
}

impl Clock for TestMachine {
    fn now(&self) -> jiff::Timestamp {
        *self.now.lock().unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
        tokio::task::yield_now().await;
    }
}

impl Randomness for TestMachine {
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()> {
        let mut next = self.random.lock().unwrap();
        bytes.fill(*next);
        *next = next.wrapping_add(1);
        Ok(())
    }
}

impl MaterialHolder for TestMachine {
    fn prewrapped(
        &self,
        target: &TargetName,
        key: &KeyName,
        material: &MaterialName,
    ) -> PortResult<Option<Prewrapped>> {
        let given = self.prewrapped.lock().unwrap();
        let place = (target.clone(), key.clone(), material.clone());
        Ok(given.get(&place).map(|(token, encrypted)| Prewrapped {
            token: SecretBytes::new(token.clone()),
            encrypted: encrypted.clone(),
        }))
    }

    /// Material that the test does not give is made of its name. See the fake, to which nothing is encrypted.
    fn wrap(
        &self,
        (_, key, material): (&TargetName, &KeyName, &MaterialName),
        _: WrappingAlgorithm,
        _: &ImportParameters,
    ) -> PortResult<Vec<u8>> {
        let given = self.materials.lock().unwrap();
        let made = || format!("material {material} of {key}").into_bytes();
        Ok(given.get(&(key.clone(), material.clone())).cloned().unwrap_or_else(made))
    }
}

impl ClaimStore for TestMachine {
    fn load(&self, slot: &str) -> PortResult<Option<ClaimRecord>> {
        Ok(self.claims.lock().unwrap().get(slot).cloned())
    }

    fn save(&self, slot: &str, record: &ClaimRecord) -> PortResult<()> {
        self.claims.lock().unwrap().insert(slot.to_owned(), record.clone());
        Ok(())
    }

    fn remove(&self, slot: &str) -> PortResult<()> {
        self.claims.lock().unwrap().remove(slot);
        Ok(())
    }
}

/// What was read.
#[derive(Debug, Clone)]
pub(crate) struct ReadState {
    pub(crate) accounts: BTreeMap<AccountId, LiveAccount>,
    pub(crate) targets: BTreeMap<TargetName, LiveTarget>,
    pub(crate) claims: BTreeMap<TargetName, Claims>,
}

pub(crate) struct World {
    pub(crate) aws: Arc<FakeAws>,
    pub(crate) machine: Arc<TestMachine>,
    pub(crate) state: DesiredState,
    pub(crate) wait: Duration,
    pub(crate) lag: Option<(Duration, Lagging)>,
    pub(crate) options: PlanOptions,
    /// The day on which it is planned.
    pub(crate) today: jiff::civil::Date,
}

/// A key with rotation every so many days.
pub(crate) fn rotating(name: &str, days: i64) -> DesiredKey {
    let rotation = Rotation::Every(RotationPeriod::from_days(days).unwrap());
    DesiredKey { material: KeyMaterial::Symmetric { rotation, newer_than: None }, ..sample::key(name) }
}

/// A role that ECS tasks take.
pub(crate) fn task_role(name: &str, kind: RoleKind) -> DesiredRole {
    sample::managed(name, kind, Trust { services: vec!["ecs-tasks.amazonaws.com".to_owned()], ..Trust::default() })
}

/// Two keys that need all kinds of steps, and two managed roles that they name.
pub(crate) fn usual() -> DesiredState {
    let ledger = DesiredKey { description: Some("Cardholder records".to_owned()), ..rotating("ledger", 180) };
    let archive = DesiredKey { lifecycle: KeyLifecycle::Disabled, ..rotating("archive", 365) };
    let roles = vec![task_role("api", RoleKind::KeyUser), task_role("key-admin", RoleKind::KeyAdmin)];
    sample::state(vec![sample::target("prod", "eu-west-1", vec![archive, ledger])], roles)
}

/// One plain key and no role.
pub(crate) fn single() -> DesiredState {
    sample::state(vec![sample::target("prod", "eu-west-1", vec![sample::key("ledger")])], Vec::new())
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

impl World {
    pub(crate) fn new(state: DesiredState) -> Self {
        Self {
            aws: Arc::new(FakeAws::new("eu-west-1", CALLER)),
            machine: TestMachine::new(1),
            state,
            wait: Duration::from_secs(30),
            lag: None,
            options: PlanOptions::default(),
            today: jiff::civil::date(2026, 11, 24),
        }
    }

    /// Lets days pass.
    pub(crate) fn pass(&mut self, days: i64) {
        self.today = self.today.checked_add(jiff::Span::new().days(days)).unwrap();
        self.machine.advance(Duration::from_hours(24 * u64::try_from(days).unwrap()));
        let regions: BTreeSet<Region> = self.state.targets.iter().map(|target| target.region.clone()).collect();
        for region in &regions {
            self.in_region(region).passes_to(self.machine.now());
        }
    }

    /// Another machine with the same manifest on the same account.
    pub(crate) fn elsewhere(&self) -> Self {
        let machine = TestMachine::new(101);
        *machine.now.lock().unwrap() = self.machine.now();
        Self { aws: self.aws.clone(), machine, today: self.today, ..Self::new(self.state.clone()) }
    }

    /// Returns the account in a Region: that of the first target is the world's own.
    pub(crate) fn in_region(&self, region: &Region) -> Arc<FakeAws> {
        let own = self.state.targets.first().is_none_or(|first| first.region == *region);
        if own || self.aws.name() == region { self.aws.clone() } else { self.aws.region(region) }
    }

    /// Returns the account in the Region of a target.
    pub(crate) fn at(&self, target: &str) -> Arc<FakeAws> {
        let target = self.state.targets.iter().find(|known| known.name.as_str() == target).unwrap();
        self.in_region(&target.region)
    }

    pub(crate) fn plan(&self) -> Plan {
        block_on(self.read_and_plan())
    }

    async fn read_and_plan(&self) -> Plan {
        self.plan_of(&self.read().await)
    }

    /// Plans on what was read.
    pub(crate) fn plan_of(&self, read: &ReadState) -> Plan {
        self.with_input(read, plan)
    }

    /// Does something with what a plan is made from.
    pub(crate) fn with_input<T>(&self, read: &ReadState, go: impl FnOnce(PlanInput<'_>) -> T) -> T {
        go(PlanInput {
            today: self.today,
            desired: &self.state,
            sources: &SourceMap::default(),
            accounts: &read.accounts,
            targets: &read.targets,
            claims: &read.claims,
            options: &self.options,
        })
    }

    /// Reads everything.
    pub(crate) async fn read(&self) -> ReadState {
        let options = ReadOptions {
            settle: Duration::ZERO,
            only_keys: self.options.only_keys.clone(),
            ..ReadOptions::new(Backend::Sandbox)
        };
        let (mut accounts, mut targets, mut claims) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for account in &self.state.accounts {
            accounts.insert(account.account.clone(), read_account(&*self.aws, account).await.unwrap());
        }
        for target in &self.state.targets {
            let aws = self.in_region(&target.region);
            let mut live = read_target(&*aws, target, &self.state, &options).await.unwrap();
            read_rotations(&*aws, &self.state, &self.options.rotate, &mut live).await.unwrap();
            targets.insert(target.name.clone(), live);
            let record = |key: &DesiredKey| {
                let slot = format!("{}/{}/{}/{}", target.account, target.region, self.state.stack, key.name);
                Some((key.name.clone(), self.machine.load(&slot).unwrap()?.claim))
            };
            let keys = self.state.targets.iter().flat_map(|target| &target.keys);
            claims.insert(target.name.clone(), keys.filter_map(record).collect::<Claims>());
        }
        let regions: BTreeMap<TargetName, Arc<FakeAws>> =
            self.state.targets.iter().map(|target| (target.name.clone(), self.in_region(&target.region))).collect();
        let connection = |name: &TargetName| regions.get(name).map(|aws| &**aws);
        assert_eq!(read_replicas(connection, &self.state, &mut targets, &options).await, []);
        ReadState { accounts, targets, claims }
    }

    /// Applies a plan; `None` if the process died.
    pub(crate) fn apply_with(&self, plan: &Plan, fault: Option<(usize, Fault)>) -> Option<ApplyReport> {
        block_on(self.run(plan, fault))
    }

    pub(crate) fn apply(&self, plan: &Plan) -> ApplyReport {
        self.apply_with(plan, None).unwrap()
    }

    /// Plans and applies.
    pub(crate) fn converge(&self) -> ApplyReport {
        self.apply(&self.plan())
    }

    /// Applies a plan where one target cannot be reached.
    pub(crate) async fn run_without(&self, plan: &Plan, target: &str) -> ApplyReport {
        let wire = Wire::new(&self.aws, &self.machine);
        let targets = plan.targets.iter().filter(|plan| plan.name.as_str() != target);
        let connections: BTreeMap<Scope, Wire> = targets
            .map(|target| (Scope::Target(target.name.clone()), wire.to(self.in_region(&target.region))))
            .collect();
        let options = ApplyOptions { wait: self.wait, bypass_lockout_check: BTreeSet::new() };
        apply(Job { plan, connections: &connections, machine: &*self.machine, options: &options, progress: &|_, _| {} })
            .await
    }

    pub(crate) async fn run(&self, plan: &Plan, fault: Option<(usize, Fault)>) -> Option<ApplyReport> {
        let wire = Wire { fault, lag: self.lag, ..Wire::new(&self.aws, &self.machine) };
        let accounts = plan.accounts.iter().map(|account| (Scope::Account(account.account.clone()), wire.clone()));
        let targets = plan
            .targets
            .iter()
            .map(|target| (Scope::Target(target.name.clone()), wire.to(self.in_region(&target.region))));
        let connections: BTreeMap<Scope, Wire> = accounts.chain(targets).collect();
        let options = ApplyOptions { wait: self.wait, bypass_lockout_check: BTreeSet::new() };
        let job =
            Job { plan, connections: &connections, machine: &*self.machine, options: &options, progress: &|_, _| {} };
        let mut running = std::pin::pin!(apply(job));
        std::future::poll_fn(|context| match running.as_mut().poll(context) {
            Poll::Ready(report) => Poll::Ready(Some(report)),
            Poll::Pending if wire.died.load(Ordering::SeqCst) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    pub(crate) fn wording(mut self) -> Self {
        self.options.normalize = Normalize::Wording;
        self
    }

    /// Returns how many writes were sent so far.
    pub(crate) fn writes(&self) -> usize {
        let reads = ["List", "Get", "Describe"];
        let is_read = |call: &str| {
            let name = call.split(':').nth(1).unwrap();
            // Nothing is imported without it.
            reads.iter().any(|read| name.starts_with(read)) && name != "GetParametersForImport"
        };
        let regions: BTreeSet<&Region> = self.state.targets.iter().map(|target| &target.region).collect();
        let of = |region: &Region| self.in_region(region).state().log.iter().filter(|(call, _)| !is_read(call)).count();
        regions.into_iter().map(of).sum()
    }

    /// Each declared key is exactly one key, claimed, tagged and with the policy that is wanted, to the letter.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        self.assert_whole_but_for_wording();
        for target in &self.state.targets {
            let aws = self.in_region(&target.region);
            let state = aws.state();
            for key in &target.keys {
                let claim = AliasName::claim(&self.state.stack, &key.name);
                let found = &state.keys[&state.aliases[&claim]];
                assert_eq!(found.policy, crate::synth::key_policy(target, key).to_text());
            }
        }
    }

    /// The same, whatever the wording of the policies.
    #[track_caller]
    pub(crate) fn assert_whole_but_for_wording(&self) {
        let plan = self.plan();
        assert!(is_in_sync(&plan), "{:#}", crate::plan::plan_to_json(&plan));
        for target in &self.state.targets {
            let aws = self.in_region(&target.region);
            let state = aws.state();
            for key in &target.keys {
                let claim = AliasName::claim(&self.state.stack, &key.name);
                let found = &state.keys[&state.aliases[&claim]];
                let tags = crate::synth::key_tags(&self.state, key);
                assert!(tags.iter().all(|(tag, value)| found.tags.get(tag) == Some(value)), "{:?}", found.tags);
            }
        }
        let state = self.aws.state();
        // A record may outlive a run that died; it only ever leads to the key that was adopted.
        let adopted = |record: &ClaimRecord| {
            state.aliases.iter().any(|(alias, id)| {
                alias.is_claim() && state.keys[id].tags.get("keywright:claim") == Some(&record.claim)
            })
        };
        assert!(self.machine.claims.lock().unwrap().values().all(adopted));
    }
}

pub(crate) fn is_in_sync(plan: &Plan) -> bool {
    let accounts = plan.accounts.iter().map(|account| &account.outcome);
    let targets = plan.targets.iter().map(|target| &target.outcome);
    accounts.chain(targets).all(|outcome| matches!(outcome, Outcome::InSync))
}
