//! Rotations on demand that wait, collide, or take a while.

use super::*;

#[tokio::test]
async fn a_rotation_on_demand_may_take_a_while() {
    let bench = Bench::with(StateLocation::Memory, "settle:60").await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    let rotate = || kms.rotate_key_on_demand().key_id(&key).send();
    let started = async || {
        let status = kms.get_key_rotation_status().key_id(&key).send().await.unwrap();
        status.on_demand_rotation_start_date.map(|date| date.secs())
    };
    let count = async || kms.list_key_rotations().key_id(&key).send().await.unwrap().rotations.unwrap().len();
    let now = bench.clock.now().as_second();
    rotate().await.unwrap();
    assert_eq!((started().await, count().await), (Some(now), 0));
    assert_eq!(code(rotate().await), "ConflictException");
    bench.clock.pass(SignedDuration::from_secs(60));
    assert_eq!((started().await, count().await), (None, 1));
    rotate().await.unwrap();
}

#[tokio::test]
async fn no_rotation_on_demand_comes_close_to_an_automatic_one() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    kms.enable_key_rotation().key_id(&key).rotation_period_in_days(90).send().await.unwrap();
    let rotate = || kms.rotate_key_on_demand().key_id(&key).send();
    let next =
        async || kms.get_key_rotation_status().key_id(&key).send().await.unwrap().next_rotation_date.unwrap().secs();
    let due = next().await;
    bench.clock.pass(SignedDuration::from_mins(90 * 24 * 60 - 21));
    rotate().await.unwrap();
    assert_eq!(next().await, due, "the schedule stays");
    bench.clock.pass(SignedDuration::from_mins(1));
    assert_eq!(code(rotate().await), "ConflictException");
    bench.clock.pass(SignedDuration::from_mins(20));
    rotate().await.unwrap();
    let list = kms.list_key_rotations().key_id(&key).send().await.unwrap().rotations.unwrap();
    let kinds: Vec<&str> = list.iter().map(|entry| entry.rotation_type.as_ref().unwrap().as_str()).collect();
    assert_eq!(kinds, ["ON_DEMAND", "AUTOMATIC", "ON_DEMAND"]);
}

#[tokio::test]
async fn disabled_keys_wait_with_their_rotation() {
    let bench = Bench::new().await;
    let (kms, key) = (bench.admin().kms(), bench.admin().key().await);
    kms.enable_key_rotation().key_id(&key).rotation_period_in_days(90).send().await.unwrap();
    kms.disable_key().key_id(&key).send().await.unwrap();
    bench.clock.pass(SignedDuration::from_hours(91 * 24));
    let count = async || kms.list_key_rotations().key_id(&key).send().await.unwrap().rotations.unwrap().len();
    assert_eq!(count().await, 0);
    kms.enable_key().key_id(&key).send().await.unwrap();
    assert_eq!(count().await, 1);
}
