//! Who is refused, what both sides say about it, and that nothing of a garbled connection is delivered.

use super::*;
use crate::transport::frame::{FRAME_BYTES_MAX, Frame, Reason};
use crate::transport::handshake::open;
use crate::transport::wire::{Duplex, Incoming, Outgoing, halves};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn refused(options: TransportOptions, to: u64) -> String {
    let ((one, _), (two, _)) = (started(options).await, start(2).await);
    one.set_peers(book([(to, two.address())]));
    let trouble = trouble(&one).await;
    let not_sent = one.request(to, Vec::new(), now() + Duration::from_millis(50)).await.unwrap_err().to_string();
    assert_eq!(not_sent, format!("not sent: node {to} at {}: {trouble}", two.address()));
    trouble
}

#[tokio::test]
async fn nodes_that_do_not_belong_together_are_told_why() {
    let one = || options(1, "127.0.0.1:0");
    let other_cluster = refused(TransportOptions { cluster: Uuid::from_u128(1), ..one() }, 2).await;
    assert_eq!(
        other_cluster,
        "it belongs to cluster 00000000-0000-0000-0000-00000000c105, this node to \
         00000000-0000-0000-0000-000000000001: correct the address, or join that cluster with an empty data directory"
    );
    let other_secret = refused(TransportOptions { secret: Secret([8; 32]), ..one() }, 2).await;
    assert!(other_secret.starts_with("node 2 does not know this node's secret: "), "{other_secret}");
    let other_epoch = refused(TransportOptions { epoch: Epoch(1_795_000_000_000_000), ..one() }, 2).await;
    assert!(other_epoch.starts_with("node 2 belongs to the cluster before its recovery of 2026-"), "{other_epoch}");
    assert_eq!(refused(one(), 3).await, "the address belongs to node 2, not to node 3: correct the address of node 3");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let (one, _) = start(1).await;
    let again = Transport::start(options(2, one.address()), Arc::new(Recorder::default())).await;
    let Err(Error::Listen { address, .. }) = again else { panic!("two listen at one address") };
    assert_eq!(address, one.address());
}

#[tokio::test]
async fn a_browser_at_the_peer_port_is_sent_away() {
    let (one, _) = start(1).await;
    let mut browser = TcpStream::connect(one.address()).await.unwrap();
    browser.write_all(b"GET /graphql HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    browser.flush().await.unwrap();
    let mut said = Vec::new();
    browser.read_to_end(&mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 421 Misdirected Request\r\n"), "{said}");
    assert!(said.ends_with("Give clients the HTTP address instead.\n"), "{said}");
}

#[tokio::test]
async fn something_else_at_the_address_is_named() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    let _server = spawn("server", async move {
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let mut said = [0; 64];
            let _ = stream.read(&mut said).await;
        }
    });
    let (one, _) = start(1).await;
    one.set_peers(book([(2, &address)]));
    assert_eq!(
        trouble(&one).await,
        "the other side does not speak Vivarium's peer protocol, it began with \"HTTP/1.1 400 Bad\": give the peer \
         address of a node"
    );
}

/// A connection to node 2 as node 1, past its handshake, that says what it likes.
async fn connected(two: &Transport) -> (Incoming, Outgoing) {
    let stream: Box<dyn Duplex> = Box::new(TcpStream::connect(two.address()).await.unwrap());
    let (mut incoming, mut outgoing) = halves(stream);
    let us = Identity {
        cluster: CLUSTER,
        node: 1,
        epoch: Epoch::default(),
        secret: Secret([9; 32]),
        tls: None,
        runtime: Runtime::seeded(1),
    };
    open(&us, 2, &mut incoming, &mut outgoing).await.unwrap();
    (incoming, outgoing)
}

async fn told(incoming: &mut Incoming) -> Reason {
    loop {
        match incoming.frame(FRAME_BYTES_MAX).await.unwrap() {
            Frame::Refusal(refusal) => return refusal.reason,
            Frame::Pong => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_garbled_frame_ends_the_connection_and_nothing_of_it_is_delivered() {
    let (two, heard) = start(2).await;
    let good = Frame::Messages(vec![(GroupId(1), b"good".to_vec())]).bytes();
    let mut bad = Frame::Messages(vec![(GroupId(1), b"bad".to_vec())]).bytes();
    *bad.last_mut().unwrap() ^= 1;
    for bad in [bad, u32::MAX.to_le_bytes().to_vec(), Frame::Welcome.bytes(), Frame::Pong.bytes()] {
        let (mut incoming, mut outgoing) = connected(&two).await;
        outgoing.write(&[&good[..], &bad, &good].concat()).await.unwrap();
        assert_eq!(told(&mut incoming).await, Reason::Garbled);
    }
    assert_eq!(*heard.heard.lock().unwrap(), vec![(1, GroupId(1), b"good".to_vec()); 4]);
}

#[tokio::test]
async fn a_peer_that_asks_too_much_at_once_is_cut_off() {
    let (two, heard) = start(2).await;
    let (mut incoming, mut outgoing) = connected(&two).await;
    let mut batch = Vec::new();
    for number in 0..=queue::WRITTEN_MAX as u64 {
        frame::put_request(&mut batch, number, b"never");
    }
    outgoing.write(&batch).await.unwrap();
    assert_eq!(told(&mut incoming).await, Reason::Garbled);
    assert_eq!(heard.asked.lock().unwrap().len(), queue::WRITTEN_MAX);
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_an_older_one() {
    let (two, heard) = start(2).await;
    let (mut older, _older_out) = connected(&two).await;
    let (_newer, mut newer_out) = connected(&two).await;
    assert!(older.frame(FRAME_BYTES_MAX).await.is_err());
    newer_out.write(&Frame::Messages(vec![(GroupId(1), b"x".to_vec())]).bytes()).await.unwrap();
    heard.until(|recorder| recorder.heard.lock().unwrap().len() == 1).await;
}

#[tokio::test]
async fn a_stranger_sends_no_messages() {
    let (two, heard) = start(2).await;
    let stream: Box<dyn Duplex> = Box::new(TcpStream::connect(two.address()).await.unwrap());
    let (mut incoming, mut outgoing) = halves(stream);
    let us = Identity {
        cluster: CLUSTER,
        node: 0,
        epoch: Epoch::default(),
        secret: Secret([9; 32]),
        tls: None,
        runtime: Runtime::seeded(1),
    };
    open(&us, 0, &mut incoming, &mut outgoing).await.unwrap();
    outgoing.write(&Frame::Messages(vec![(GroupId(1), b"x".to_vec())]).bytes()).await.unwrap();
    assert_eq!(told(&mut incoming).await, Reason::Garbled);
    assert!(heard.heard.lock().unwrap().is_empty());
}
