//! Chance repeats from its seed, ids ascend whatever the clock does, and tasks end with their owner.

use super::*;
use std::sync::atomic::AtomicU32;

#[test]
fn chance_repeats_from_its_seed() {
    let draw = |seed| {
        let runtime = Runtime::seeded(seed);
        [runtime.random(), runtime.random(), runtime.clone().random()]
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    assert_ne!(Runtime::system().random(), Runtime::system().random());
}

#[test]
fn ids_ascend_whatever_the_clock_does() {
    let runtime = Runtime::seeded(1);
    let mut last = DocumentId([0; 16]);
    for step in 0..50_000 {
        runtime.skew([0, -3_600_000_000, 5_000_000][step % 3]);
        let id = runtime.document_id();
        assert!(last < id, "{last} < {id}");
        let uuid = uuid::Uuid::from_bytes(id.0);
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
        last = id;
    }
}

#[test]
fn an_id_tells_its_time() {
    let runtime = Runtime::seeded(1);
    let before = runtime.now_micros() / 1000;
    let (seconds, nanos) = uuid::Uuid::from_bytes(runtime.document_id().0).get_timestamp().unwrap().to_unix();
    let millis = seconds * 1000 + u64::from(nanos / 1_000_000);
    assert!((before..=runtime.now_micros() / 1000).contains(&millis));
}

#[test]
fn skew_moves_one_clock_only() {
    const HOUR: u64 = 3_600_000_000;
    let (skewed, steady) = (Runtime::seeded(1), Runtime::seeded(1));
    skewed.skew(-(HOUR as i64));
    assert!(skewed.now_micros() + HOUR / 2 < steady.now_micros());
    skewed.skew(i64::MIN);
    assert_eq!(skewed.now_micros(), 0);
}

/// Counts when it is dropped.
struct Counted(Arc<AtomicU32>);
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_task_ends_with_its_owner() {
    let ended = Arc::new(AtomicU32::new(0));
    let held = Counted(ended.clone());
    let task = spawn("sleeper", async move {
        let _held = held;
        sleep(Duration::from_secs(3600)).await;
    });
    assert!(!task.is_finished());
    drop(task);
    timeout(Duration::from_secs(10), async {
        while ended.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_task_is_joined_or_let_go() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    spawn("sender", async move { sender.send(7).unwrap() }).detach();
    assert_eq!(receiver.await.unwrap(), 7);
    let done = Arc::new(AtomicU32::new(0));
    let counted = Counted(done.clone());
    spawn("counter", async move { drop(counted) }).join().await;
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_task_that_is_ended_is_gone_with_all_that_it_held() {
    let ended = Arc::new(AtomicU32::new(0));
    for running in [false, true] {
        let held = Counted(ended.clone());
        let task = spawn("sleeper", async move {
            let _held = held;
            sleep(Duration::from_secs(3600)).await;
        });
        if running {
            sleep(Duration::from_millis(1)).await;
        }
        let before = now();
        task.end().await;
        assert_eq!(ended.load(Ordering::SeqCst), 1 + u32::from(running));
        assert!(now() - before < Duration::from_secs(60));
    }
}

#[tokio::test]
async fn what_is_late_is_dropped() {
    assert_eq!(timeout(Duration::from_secs(10), async { 7 }).await.unwrap(), 7);
    let before = now();
    let late = timeout(Duration::from_millis(1), sleep(Duration::from_secs(3600))).await;
    assert!(late.is_err() && now() - before >= Duration::from_millis(1));
}

#[cfg(not(madsim))]
#[test]
fn a_thread_carries_its_name() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let body = move || sender.send(std::thread::current().name().map(str::to_owned)).unwrap();
    thread("log-writer", body).join().unwrap();
    assert_eq!(receiver.recv().unwrap().as_deref(), Some("log-writer"));
}
