//! The transport over real sockets, or simulated ones under `--cfg madsim`.

mod bytes;
#[cfg(not(madsim))]
mod costs;
mod refusals;
#[cfg(madsim)]
mod simulated;
#[cfg(not(madsim))]
mod tls;

use super::*;
use std::time::Duration;
use tokio::sync::Notify;

/// Keeps what arrives, and answers as the first byte of a request says.
#[derive(Default)]
struct Recorder {
    heard: Mutex<Vec<(u64, GroupId, Vec<u8>)>>,
    asked: Mutex<Vec<(u64, Vec<u8>)>>,
    removed: Mutex<Vec<u64>>,
    wake: Notify,
}

impl Receiver for Recorder {
    fn messages(&self, from: u64, messages: Vec<(GroupId, Vec<u8>)>) {
        let heard = messages.into_iter().map(|(group, message)| (from, group, message));
        self.heard.lock().unwrap().extend(heard);
        self.wake.notify_one();
    }

    fn removed(&self, by: u64) {
        self.removed.lock().unwrap().push(by);
        self.wake.notify_one();
    }

    fn request(&self, from: u64, body: Vec<u8>) -> Answering {
        self.asked.lock().unwrap().push((from, body.clone()));
        self.wake.notify_one();
        Box::pin(async move {
            match body.first() {
                Some(b'n') => std::future::pending().await,
                Some(b'p') => panic!("a handler that panics"),
                Some(b'l') => vec![7; frame::BODY_BYTES_MAX],
                Some(b'h') => vec![7; frame::BODY_BYTES_MAX + 1],
                _ => [&b"answer to "[..], &body].concat(),
            }
        })
    }
}

impl Recorder {
    /// Waits until `done` says that all has arrived.
    async fn until(&self, mut done: impl FnMut(&Recorder) -> bool) {
        let arrived = async {
            while !done(self) {
                self.wake.notified().await;
            }
        };
        timeout(Duration::from_secs(20), arrived).await.expect("it arrives");
    }
}

const CLUSTER: Uuid = Uuid::from_u128(0xc105);

fn options(node: u64, listen: &str) -> TransportOptions {
    let (secret, runtime) = (Secret([9; 32]), Runtime::seeded(node));
    TransportOptions {
        cluster: CLUSTER,
        node,
        epoch: Epoch::default(),
        secret,
        listen: listen.to_owned(),
        tls: None,
        runtime,
    }
}

async fn started(options: TransportOptions) -> (Transport, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    (Transport::start(options, recorder.clone()).await.unwrap(), recorder)
}

async fn start(node: u64) -> (Transport, Arc<Recorder>) {
    started(options(node, "127.0.0.1:0")).await
}

fn book<const N: usize>(entries: [(u64, &str); N]) -> BTreeMap<u64, String> {
    entries.into_iter().map(|(node, address)| (node, address.to_owned())).collect()
}

fn soon() -> Instant {
    now() + Duration::from_secs(20)
}

/// What the status of the only peer says, once an attempt has failed.
async fn trouble(transport: &Transport) -> String {
    let said = async {
        loop {
            if let Some(error) = &transport.peers()[0].last_error {
                return error.clone();
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), said).await.unwrap()
}

#[tokio::test]
async fn messages_keep_their_order_and_requests_are_answered() {
    let ((one, heard_one), (two, heard_two)) = (start(1).await, start(2).await);
    one.set_peers(book([(1, one.address()), (2, two.address())]));
    two.set_peers(book([(1, one.address()), (2, two.address())]));
    for nth in 0..1000u32 {
        one.send(2, GroupId(nth % 3), nth.to_le_bytes().to_vec());
    }
    heard_two.until(|recorder| recorder.heard.lock().unwrap().len() == 1000).await;
    let expected: Vec<_> = (0..1000u32).map(|nth| (1, GroupId(nth % 3), nth.to_le_bytes().to_vec())).collect();
    assert!(*heard_two.heard.lock().unwrap() == expected);

    assert_eq!(one.request(2, b"a".to_vec(), soon()).await.unwrap(), b"answer to a");
    assert_eq!(two.request(1, b"b".to_vec(), soon()).await.unwrap(), b"answer to b");
    assert_eq!(*heard_one.asked.lock().unwrap(), [(2, b"b".to_vec())]);
    let status = &one.peers()[..];
    assert!(matches!(status, [PeerStatus { node: 2, connected: true, queued_bytes: 0, dropped_messages: 0, .. }]));

    one.close().await;
    two.close().await;
    assert_eq!(one.request(2, Vec::new(), soon()).await, Err(RequestError::Stopped));
}

#[tokio::test]
async fn who_is_dismissed_hears_it_also_from_one_that_closes_at_once() {
    let ((one, _), (two, heard_two)) = (start(1).await, start(2).await);
    let both = book([(1, one.address()), (2, two.address())]);
    one.set_peers(both.clone());
    two.set_peers(both);
    assert_eq!(one.request(2, b"a".to_vec(), soon()).await.unwrap(), b"answer to a");
    one.dismiss(2);
    assert!(one.peers().is_empty());
    assert!(matches!(one.request(2, Vec::new(), soon()).await, Err(RequestError::NotSent(_))));
    one.close().await;
    heard_two.until(|recorder| *recorder.removed.lock().unwrap() == [1]).await;
}

#[tokio::test]
async fn large_bodies_pass_and_larger_ones_are_refused() {
    let ((one, _), (two, heard_two)) = (start(1).await, start(2).await);
    one.set_peers(book([(2, two.address())]));
    assert_eq!(one.request(2, b"l".to_vec(), soon()).await.unwrap().len(), frame::BODY_BYTES_MAX);
    let body = vec![b'l'; frame::BODY_BYTES_MAX];
    assert_eq!(one.request(2, body, soon()).await.unwrap().len(), frame::BODY_BYTES_MAX);
    one.send(2, GroupId(1), vec![1; 17 << 20]);
    heard_two.until(|recorder| recorder.heard.lock().unwrap().len() == 1).await;
    let larger = vec![0; frame::BODY_BYTES_MAX + 1];
    assert_eq!(one.request(2, larger, soon()).await, Err(RequestError::TooLarge));
}

#[tokio::test]
async fn what_was_not_written_waits_for_its_deadline() {
    let (one, _) = start(1).await;
    let not_sent = |result| match result {
        Err(RequestError::NotSent(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(not_sent(one.request(2, Vec::new(), soon()).await), "node 2 is not in the address book");
    let (two, _) = start(2).await;
    let address = two.address().to_owned();
    two.close().await;
    one.set_peers(book([(2, &address)]));
    let reason = not_sent(one.request(2, Vec::new(), now() + Duration::from_millis(300)).await);
    assert!(reason.starts_with(&format!("node 2 at {address}: cannot connect: ")), "{reason}");

    // It waits until the node is there, and is gone with the node's entry.
    let waiting = one.request(2, b"x".to_vec(), soon());
    let (answer, _two) = both(waiting, async { started(options(2, &address)).await }).await;
    assert_eq!(answer.unwrap(), b"answer to x");
    one.set_peers(book([(3, &address)]));
    let removing = async {
        sleep(Duration::from_millis(50)).await;
        one.set_peers(book([]));
    };
    let (answer, ()) = both(one.request(3, b"x".to_vec(), soon()), removing).await;
    assert_eq!(not_sent(answer), "node 3 is not in the address book");
}

/// Both, at the same time.
async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    tokio::join!(one, other)
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_any_more_ends_before_its_deadline() {
    let (one, _) = start(1).await;
    let (two, recorder) = start(2).await;
    one.set_peers(book([(2, two.address()), (3, "127.0.0.1:1")]));
    let unsent = one.request_while(3, b"x".to_vec(), soon(), || Patience::OnlyWhenSent).await;
    assert!(matches!(unsent, Err(RequestError::NotSent(_))), "{unsent:?}");
    let arrived = || !recorder.asked.lock().unwrap().is_empty();
    let patience = || if arrived() { Patience::GiveUp } else { Patience::Wait };
    let unanswered = one.request_while(2, b"never".to_vec(), soon(), patience).await;
    assert_eq!(unanswered, Err(RequestError::Unknown));
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn a_request_under_a_lost_connection_is_unknown() {
    let ((one, _), (two, heard_two)) = (start(1).await, start(2).await);
    let address = two.address().to_owned();
    one.set_peers(book([(2, &address)]));
    let closing = async {
        heard_two.until(|recorder| !recorder.asked.lock().unwrap().is_empty()).await;
        two.close().await;
    };
    let (answer, ()) = both(one.request(2, b"never".to_vec(), soon()), closing).await;
    assert_eq!(answer, Err(RequestError::Unknown));

    // The address is free again, and the connection comes back by itself.
    let (_two, _) = started(options(2, &address)).await;
    assert_eq!(one.request(2, b"again".to_vec(), soon()).await.unwrap(), b"answer to again");
    // The deadline passes after it was written.
    let late = one.request(2, b"never".to_vec(), now() + Duration::from_millis(200)).await;
    assert_eq!(late, Err(RequestError::Unknown));
    // An answer that is too large ends the connection, and only that.
    assert_eq!(one.request(2, b"huge".to_vec(), soon()).await, Err(RequestError::Unknown));
    assert_eq!(one.request(2, b"again".to_vec(), soon()).await.unwrap(), b"answer to again");
}

#[cfg(not(madsim))]
#[tokio::test]
async fn a_handler_that_panics_ends_its_connection_only() {
    let ((one, _), (two, _)) = (start(1).await, start(2).await);
    one.set_peers(book([(2, two.address())]));
    assert_eq!(one.request(2, b"panic".to_vec(), soon()).await, Err(RequestError::Unknown));
    assert_eq!(one.request(2, b"again".to_vec(), soon()).await.unwrap(), b"answer to again");
}

#[tokio::test]
async fn more_than_the_peer_takes_at_once_waits_its_turn() {
    let ((one, _), (two, heard_two)) = (start(1).await, start(2).await);
    one.set_peers(book([(2, two.address())]));
    let deadline = now() + Duration::from_millis(1_500);
    let held: Vec<Task> = (0..queue::WRITTEN_MAX)
        .map(|_| {
            let one = one.clone();
            spawn("held", async move {
                let _ = one.request(2, b"never".to_vec(), deadline).await;
            })
        })
        .collect();
    heard_two.until(|recorder| recorder.asked.lock().unwrap().len() == queue::WRITTEN_MAX).await;
    let Err(RequestError::NotSent(reason)) = one.request(2, b"x".to_vec(), now() + Duration::from_millis(200)).await
    else {
        panic!("it was sent")
    };
    assert!(reason.ends_with("too much is under way to it"), "{reason}");
    drop(held);
}

#[tokio::test]
async fn a_full_queue_drops_messages_and_counts_them() {
    let ((one, _), (two, heard_two)) = (start(1).await, start(2).await);
    one.set_peers(book([(2, two.address())]));
    // Nothing is written before this task lets others run.
    for _ in 0..5000 {
        one.send(2, GroupId(1), vec![1]);
    }
    assert_eq!(one.peers()[0].dropped_messages, 5000 - 4096);
    assert_eq!(one.peers()[0].queued_bytes, 4096 * 9);
    heard_two.until(|recorder| recorder.heard.lock().unwrap().len() == 4096).await;
}

#[tokio::test]
async fn a_peer_that_moved_is_found_at_its_new_address() {
    let ((one, _), (two, _), (other, _)) = (start(1).await, start(2).await, start(2).await);
    one.set_peers(book([(2, two.address())]));
    assert_eq!(one.request(2, b"x".to_vec(), soon()).await.unwrap(), b"answer to x");
    one.set_peers(book([(2, other.address())]));
    two.close().await;
    assert_eq!(one.request(2, b"x".to_vec(), soon()).await.unwrap(), b"answer to x");
    assert_eq!(one.peers()[0].address, other.address());
}

#[tokio::test]
async fn a_stranger_with_the_secret_may_ask_once() {
    let (one, heard) = start(1).await;
    let (secret, other, runtime) = (Secret([9; 32]), Secret([8; 32]), Runtime::seeded(3));
    let stranger = |secret| Stranger { cluster: CLUSTER, secret, tls: None, runtime: &runtime };
    let asked = ask(stranger(&secret), one.address(), b"join".to_vec(), soon()).await;
    assert_eq!(asked.unwrap(), b"answer to join");
    assert_eq!(*heard.asked.lock().unwrap(), [(0, b"join".to_vec())]);
    let late = now() + Duration::from_millis(200);
    let asked = ask(stranger(&secret), one.address(), b"never".to_vec(), late).await;
    assert!(matches!(asked, Err(Error::UnknownOutcome)), "{asked:?}");
    let asked = ask(stranger(&other), one.address(), b"join".to_vec(), soon()).await;
    assert!(matches!(asked, Err(Error::Peer { .. })), "{asked:?}");
    let address = one.address().to_owned();
    one.close().await;
    let asked = ask(stranger(&secret), &address, b"join".to_vec(), soon()).await.unwrap_err();
    assert!(asked.to_string().starts_with(&format!("the node at {address} cannot be reached: ")), "{asked}");
}

#[tokio::test]
async fn closing_waits_until_nothing_is_answered_any_more() {
    /// Holds something while it answers.
    struct Slow(Arc<Notify>);
    impl Receiver for Slow {
        fn messages(&self, _from: u64, _messages: Vec<(GroupId, Vec<u8>)>) {}
        fn removed(&self, _by: u64) {}
        fn request(&self, _from: u64, _body: Vec<u8>) -> Answering {
            let held = self.0.clone();
            self.0.notify_one();
            Box::pin(async move {
                let _held = held;
                std::future::pending().await
            })
        }
    }
    let asked = Arc::new(Notify::new());
    let two = Transport::start(options(2, "127.0.0.1:0"), Arc::new(Slow(asked.clone()))).await.unwrap();
    let (one, _) = start(1).await;
    one.set_peers(book([(2, two.address())]));
    let closing = async {
        asked.notified().await;
        two.close().await;
        // The receiver's and ours: the answer under way has let go of its own.
        assert_eq!(Arc::strong_count(&asked), 2);
    };
    let (answer, ()) = both(one.request(2, b"x".to_vec(), soon()), closing).await;
    assert_eq!(answer, Err(RequestError::Unknown));
}
