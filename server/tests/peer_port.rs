//! What comes to the port where real nodes meet and does not belong there: refused in words on both sides, and work goes on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::certificates::Authority;
use harness::cluster::{Cluster, Load, Site, until};
use harness::{NOTES, Place, Server, succeed};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// As docs/wire.md has it.
const MAGIC: &[u8; 8] = b"VIVPEER\n";
const HELLO: u8 = 1;
const REFUSAL: u8 = 5;
const OTHER_CLUSTER: u8 = 1;
const PROTOCOL_TOO_OLD: u8 = 3;
const PROTOCOL_TOO_NEW: u8 = 4;
const GARBLED: u8 = 6;

/// A frame with its length and its checksum.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len() + 1).unwrap().to_le_bytes().to_vec();
    let content = [&[kind], body].concat();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), &content);
    bytes.extend(checksum.to_le_bytes());
    [bytes, content].concat()
}

/// The hello of a node 9 that speaks these protocols, of a cluster that nobody knows.
fn hello(protocol_min: u16, protocol_max: u16) -> Vec<u8> {
    let mut body = [protocol_min.to_le_bytes(), protocol_max.to_le_bytes()].concat();
    body.extend([7; 16]);
    for number in [0u64, 9, 1] {
        body.extend(number.to_le_bytes());
    }
    body.extend([3; 32]);
    frame(HELLO, &body)
}

/// Everything that is said in answer to this, until the connection ends.
fn answer(address: &str, said: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(said).unwrap();
    let mut heard = Vec::new();
    // A connection that is closed while bytes of ours are under way ends with an error.
    let _ = stream.read_to_end(&mut heard);
    heard
}

/// The reason in the refusal that ends an answer.
fn reason(heard: &[u8]) -> u8 {
    let rest = heard.strip_prefix(MAGIC).unwrap_or_else(|| panic!("{:?}", heard.escape_ascii().to_string()));
    assert_eq!(rest[8], REFUSAL, "{rest:?}");
    rest[9]
}

#[test]
fn strangers_at_the_peer_port_are_refused_in_words_and_work_goes_on() {
    let cluster = Cluster::start(2);
    let load = Load::new(&cluster);
    let address = cluster.listen(1);
    let heard = |text: &str| cluster.with(1, |server| server.hear(text));
    load.during(2, || {
        load.resumes(5);
        // Before there were protocols, and after this one is forgotten.
        assert_eq!(reason(&answer(&address, &[&MAGIC[..], &hello(0, 0)].concat())), PROTOCOL_TOO_OLD);
        heard("node 9 speaks the peer protocols 0 to 0, this node 1 to 1: upgrade node 9");
        assert_eq!(reason(&answer(&address, &[&MAGIC[..], &hello(7, 8)].concat())), PROTOCOL_TOO_NEW);
        assert_eq!(reason(&answer(&address, &[&MAGIC[..], &hello(1, 1)].concat())), OTHER_CLUSTER);
        let mut flipped = hello(1, 1);
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(reason(&answer(&address, &[&MAGIC[..], &flipped].concat())), GARBLED);
        assert_eq!(reason(&answer(&address, &[&MAGIC[..], &[0xFF; 64]].concat())), GARBLED);
        let said = answer(&address, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert!(said.starts_with(b"HTTP/1.1 421 "), "{}", said.escape_ascii());
        // Noise that is neither, and one who says nothing at all.
        answer(&address, &[0x5A; 100_000]);
        let silent = TcpStream::connect(&address).unwrap();
        load.resumes(5);
        drop(silent);
    });
    load.assert_kept(&[1, 2]);
    cluster.stop_and_check(&[1, 2]);
}

#[test]
fn a_node_without_a_certificate_does_not_join_those_that_have_one() {
    let site = Site { authority: Some(Authority::new()), ..Site::new(1, NOTES) };
    let cluster = Cluster::found(site);
    let refused = cluster.try_join("new", "127.0.0.1:1", 1, &cluster.token);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{words}");
    assert!(words.contains("TLS"), "{words}");
    assert_eq!(cluster.join(1), 2);
    cluster.serve(2);
    cluster.ready(2);
    let load = Load::new(&cluster);
    load.write(1, 0);
    load.write(2, 1);
    load.assert_kept(&[1, 2]);
    cluster.stop_and_check(&[1, 2]);
}

#[test]
fn a_node_of_another_cluster_at_a_members_address_is_not_spoken_to() {
    let cluster = Cluster::start(2);
    let load = Load::new(&cluster);
    load.write(1, 0);
    assert!(cluster.take(2).stop().0.success());
    let foreign = Place::new();
    succeed(&["cluster", "init", "--data", &foreign.text("data")]);
    let stranger = Server::start(&["--data", &foreign.text("data"), "--cluster-listen", &cluster.listen(2)]);
    let words = cluster.with(1, |server| server.hear("it belongs to cluster"));
    assert!(words.contains("correct the address, or join that cluster with an empty data directory"), "{words}");
    stranger.hear("called");
    until("the stranger serves its own", || {
        (stranger.request("GET", "/health/ready", &[], b"").status == 200).then_some(())
    });
    assert!(stranger.stop().0.success());
    cluster.serve(2);
    cluster.ready(1);
    cluster.ready(2);
    load.write(2, 0);
    load.assert_kept(&[1, 2]);
    cluster.stop_and_check(&[1, 2]);
}
