//! Folders and ports that a server must not take, and damage that it must not serve.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::{Place, Server, fail, files, request, succeed};
use serde_json::json;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::path::Path;

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let (status, words) = Server::try_start("serve", arguments).err().expect("the server refuses to start");
    assert!(!words.contains("panicked"), "{words}");
    (status.code(), words)
}

fn create(server: &Server, number: i64) {
    let query = "mutation ($n: Int!, $t: String!) { createNote(data: { number: $n, text: $t }) { note { id } } }";
    server.data(query, json!({ "n": number, "t": "text ".repeat(50) }));
}

#[test]
fn a_port_in_use_is_told_before_the_folder_is_touched() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let words = fail(6, &["serve", "--listen", &address, "--data", &place.text("data")]);
    assert!(
        words.contains(&format!("Port {}", taken.local_addr().unwrap().port())) && words.contains("--listen"),
        "{words}"
    );
    assert!(!place.path("data").exists());
}

#[test]
fn a_locked_folder_is_left_to_its_owner() {
    let place = Place::new();
    let server = place.serve();
    create(&server, 1);
    let (code, words) = refused(&["--data", &place.text("data")]);
    assert_eq!(code, Some(5));
    assert!(words.contains("in use by another process"), "{words}");
    assert!(fail(5, &["check", "--data", &place.text("data")]).contains("in use by another process"));
    create(&server, 2);
    assert!(server.stop().0.success());
    let server = place.serve();
    assert_eq!(server.data("{ notes { totalCount } }", json!({}))["notes"]["totalCount"], 2);
}

#[test]
fn a_foreign_folder_is_left_as_it_is() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    place.write("data/letters.txt", "dear");
    let before = files(&place.path("data"));
    for words in [refused(&["--data", &place.text("data")]).1, fail(5, &["check", "--data", &place.text("data")])] {
        assert!(words.contains("not a data folder"), "{words}");
    }
    assert_eq!(files(&place.path("data")), before);

    let file = place.write("plain", "a file");
    assert_eq!(refused(&["--data", &file]).0, Some(5));
    fail(5, &["check", "--data", &file]);
}

/// Turns over one byte of a file.
fn damage(path: &Path, at: u64) {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0xff]).unwrap();
    file.sync_all().unwrap();
}

/// Where in the log the text of a note stands.
fn find(path: &Path, text: &str) -> Option<u64> {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).map(|at| at as u64)
}

#[test]
fn a_corrupt_byte_in_the_middle_of_the_log_is_never_served() {
    let place = Place::new();
    let server = place.serve();
    let query = "mutation ($n: Int!, $t: String!) { createNote(data: { number: $n, text: $t }) { note { id } } }";
    for number in 0..20 {
        server.data(query, json!({ "n": number, "t": format!("needle-{number:04}") }));
    }
    server.kill();
    let logs = files(&place.path("data/log"));
    let (log, at) = logs.iter().find_map(|log| Some((log, find(log, "needle-0007")?))).expect("the note is in the log");
    damage(log, at);
    let (code, words) = refused(&["--data", &place.text("data")]);
    assert_eq!(code, Some(5), "{words}");
    assert!(words.contains("damaged") && words.contains("log"), "{words}");
    let words = fail(1, &["check", "--data", &place.text("data")]);
    assert!(words.contains("damaged"), "{words}");
    damage(log, at);
    let server = place.serve();
    assert_eq!(server.data("{ notes { totalCount } }", json!({}))["notes"]["totalCount"], 20);
}

#[test]
fn a_sound_folder_passes_its_check() {
    let place = Place::new();
    let server = place.serve();
    for number in 0..5 {
        create(&server, number);
    }
    assert!(server.stop().0.success());
    let report: serde_json::Value =
        serde_json::from_str(&succeed(&["check", "--data", &place.text("data"), "--json"])).unwrap();
    assert_eq!((report["documents"].clone(), report["problems"].clone()), (json!(5), json!([])));
    succeed(&["check", "--data", &place.text("data")]);
}

#[test]
fn a_stop_finishes_what_is_under_way_and_a_second_signal_does_not_wait() {
    let place = Place::new();
    let server = place.serve();
    create(&server, 1);
    // A request that has begun to arrive is waited for.
    let mut stream = server.connect();
    let whole = request(
        "POST",
        "/graphql",
        &[("content-type", "application/json")],
        br#"{"query":"{ notes { totalCount } }"}"#,
    );
    let (first, rest) = whole.split_at(whole.len() - 10);
    stream.write_all(first).unwrap();
    // The answer on a second connection shows that the server runs; the log line that it saw the signal.
    create(&server, 2);
    server.signal("TERM");
    server.hear("stopping");
    stream.write_all(rest).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"totalCount\":2"), "{answer}");
    let (status, words) = server.end();
    assert_eq!(status.code(), Some(0), "{words}");

    let server = place.serve();
    let mut stuck = server.connect();
    stuck.write_all(first).unwrap();
    create(&server, 3);
    server.signal("INT");
    server.hear("stopping");
    server.signal("INT");
    assert_eq!(server.end().0.code(), Some(130));
    let server = place.serve();
    assert_eq!(server.data("{ notes { totalCount } }", json!({}))["notes"]["totalCount"], 3);
}
