//! Import and export over a real server: everything arrives once, and what does not fit is named.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::{Place, Server, fail, succeed, vivarium};
use serde_json::{Value, json};
use std::process::Stdio;

const ROWS: usize = 2_600;

/// Writers, tags and notes as files; notes refer to both.
fn files(place: &Place) -> [String; 3] {
    let writers: String = (0..10).map(|n| format!("{{\"name\":\"Writer {n}\"}}\n")).collect();
    let tags: String = (0..5).map(|n| format!("{{\"slug\":\"tag-{n}\"}}\n")).collect();
    let notes: String = (0..ROWS)
        .map(|n| {
            let writer = if n % 3 == 0 { "null".to_owned() } else { format!("{{\"name\":\"Writer {}\"}}", n % 10) };
            format!("{{\"number\":{n},\"text\":\"Note {n}\",\"writer\":{writer},\"tags\":[{{\"slug\":\"tag-{}\"}}],\"price\":\"{n}.10\"}}\n", n % 5)
        })
        .collect();
    [place.write("Writer.jsonl", &writers), place.write("Tag.jsonl", &tags), place.write("Note.jsonl", &notes)]
}

fn count(server: &Server) -> u64 {
    server.data("{ notes { totalCount } }", json!({}))["notes"]["totalCount"].as_u64().unwrap()
}

#[test]
fn files_arrive_whole_and_a_second_run_adds_nothing() {
    let place = Place::new();
    let server = place.serve();
    let [writers, tags, notes] = files(&place);
    for _ in 0..2 {
        let said = succeed(&["import", "--url", &server.url, "--json", &writers, &tags, &notes]);
        let summaries: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((summaries[2]["records"].clone(), summaries[2]["collection"].clone()), (json!(ROWS), json!("Note")));
        assert_eq!(count(&server), ROWS as u64);
    }
    let note =
        server.data("{ note(by: { number: 7 }) { text price writer { name } tags { nodes { slug } } } }", json!({}));
    let expected = json!({ "text": "Note 7", "price": "7.10", "writer": { "name": "Writer 7" }, "tags": { "nodes": [{ "slug": "tag-2" }] } });
    assert_eq!(note["note"], expected);
}

#[test]
fn an_import_that_was_killed_is_finished_by_the_next_run() {
    let place = Place::new();
    let server = place.serve();
    let [writers, tags, notes] = files(&place);
    succeed(&["import", "--url", &server.url, &writers, &tags]);
    let mut child = vivarium()
        .args(["import", "--url", &server.url, &notes])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Killed as soon as something of it is in.
    while count(&server) == 0 && child.try_wait().unwrap().is_none() {}
    let _ = child.kill();
    child.wait().unwrap();
    succeed(&["import", "--url", &server.url, &notes]);
    assert_eq!(count(&server), ROWS as u64);
}

#[test]
fn a_line_that_does_not_fit_is_named_and_the_corrected_file_goes_on() {
    let place = Place::new();
    let server = place.serve();
    let [writers, tags, notes] = files(&place);
    succeed(&["import", "--url", &server.url, &writers, &tags]);
    let good = std::fs::read_to_string(&notes).unwrap();
    let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
    let cases = [
        (1_234, r#"{"number":"x","text":"a"}"#, "number"),
        (1_234, r#"{"number":1233,"txt":"a"}"#, "txt"),
        (1_234, r#"{"number":1233}"#, "text"),
        (1_234, r#"{"number":1233,"text":"a","writer":{"name":"Nobody"}}"#, "writer"),
        (1_234, r#"{"number":1233,"text":"a","tags":[{"slug":"nothing"}]}"#, "tags"),
        (1_234, r#"{"number":5,"text":"a"}"#, "number"),
        (1_234, "not JSON", ""),
    ];
    for (line, text, field) in cases {
        lines[line - 1] = text.to_owned();
        place.write("Note.jsonl", &(lines.join("\n") + "\n"));
        let words = fail(4, &["import", "--url", &server.url, &notes]);
        assert!(words.contains(&format!("line {line}")) && words.contains(field), "{text}: {words}");
    }
    place.write("Note.jsonl", &good);
    succeed(&["import", "--url", &server.url, &notes]);
    assert_eq!(count(&server), ROWS as u64);
}

#[test]
fn lines_that_do_not_fit_are_collected_when_asked_and_a_second_run_collects_the_same() {
    let place = Place::new();
    let server = place.serve();
    let [writers, tags, notes] = files(&place);
    succeed(&["import", "--url", &server.url, &writers, &tags]);
    let mut lines: Vec<String> = std::fs::read_to_string(&notes).unwrap().lines().map(str::to_owned).collect();
    lines[2] = r#"{"number":2,"text":7}"#.to_owned();
    lines[9] = "{".to_owned();
    lines[10] = r#"{"number":10,"text":"a","nope":1}"#.to_owned();
    lines[2_000] = r#"{"number":1,"text":"twice"}"#.to_owned();
    place.write("Note.jsonl", &(lines.join("\n") + "\n"));
    for _ in 0..2 {
        let words = fail(4, &["import", "--url", &server.url, "--keep-going", &notes]);
        assert!(words.contains("4 lines did not fit"), "{words}");
        let rejects = std::fs::read_to_string(place.path("Note.jsonl.rejects.jsonl")).unwrap();
        let mut rejected: Vec<u64> = rejects
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap())
            .collect();
        rejected.sort_unstable();
        assert_eq!(rejected, [3, 10, 11, 2_001]);
        assert_eq!(count(&server), ROWS as u64 - 4);
    }
}

#[test]
fn a_server_that_takes_less_at_once_gets_less() {
    let place = Place::new();
    let config = place.write("vivarium.toml", "[http]\nbody_bytes_max = 8192\n[limits]\npage_max = 100\n");
    let schema = place.write("schema.graphql", harness::NOTES);
    let server = Server::start(&["--data", &place.text("data"), "--schema", &schema, "--config", &config]);
    let [writers, tags, notes] = files(&place);
    for _ in 0..2 {
        succeed(&["import", "--url", &server.url, &writers, &tags, &notes]);
        assert_eq!(count(&server), ROWS as u64);
    }
    place.write("Tag.jsonl", &format!("{{\"slug\":\"{}\"}}\n", "x".repeat(9_000)));
    assert!(fail(4, &["import", "--url", &server.url, &tags]).contains("line 1"));
}

#[test]
fn comma_separated_values_are_imported() {
    let place = Place::new();
    let server = place.serve();
    let [writers, tags, _] = files(&place);
    succeed(&["import", "--url", &server.url, &writers, &tags]);
    let csv =
        "number,text,writer.name,tags,price\n1,\"A, b\",Writer 3,\"[{\"\"slug\"\":\"\"tag-1\"\"}]\",1.50\n2,B,,,\n";
    let file = place.write("rows.csv", csv);
    succeed(&["import", "--url", &server.url, "--collection", "Note", &file]);
    let notes = server.data("{ notes { nodes { number text price writer { name } tags { totalCount } } } }", json!({}));
    assert_eq!(
        notes["notes"]["nodes"],
        json!([
            { "number": 1, "text": "A, b", "price": "1.50", "writer": { "name": "Writer 3" }, "tags": { "totalCount": 1 } },
            { "number": 2, "text": "B", "price": null, "writer": null, "tags": { "totalCount": 0 } },
        ])
    );
    let wrong = place.write("wrong.csv", "number,txet\n1,a\n");
    assert!(fail(4, &["import", "--url", &server.url, "--collection", "Note", &wrong]).contains("\"txet\""));
    let wrong = place.write("wrong.csv", "number,text\n3,a\nfour,b\n");
    assert!(
        fail(4, &["import", "--url", &server.url, "--collection", "Note", &wrong]).contains("line 3, field number")
    );
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    let place = Place::new();
    let server = place.serve();
    succeed(&["import", "--url", &server.url, &files(&place)[0], &files(&place)[1], &files(&place)[2]]);
    let words = succeed(&["export", "--url", &server.url, "--all", "--out", &place.text("first")]);
    assert_eq!(words, "", "data goes to files");

    let other = Place::new();
    let copy = other.serve();
    let file = |folder: &str, name: &str| place.text(&format!("{folder}/{name}.jsonl"));
    // In the order that the export told.
    succeed(&["import", "--url", &copy.url, &file("first", "Writer"), &file("first", "Note"), &file("first", "Tag")]);
    succeed(&["export", "--url", &copy.url, "--all", "--out", &place.text("second")]);
    for name in ["Writer", "Tag", "Note"] {
        let read = |folder| {
            let mut lines: Vec<String> =
                std::fs::read_to_string(file(folder, name)).unwrap().lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(read("first"), read("second"), "{name}");
    }
    let out = succeed(&["export", "--url", &server.url, "--collection", "Tag"]);
    assert_eq!(out.lines().count(), 5);
    assert!(fail(2, &["export", "--url", &server.url, "--collection", "Nope"]).contains("Note, Writer, Tag"));
}

#[test]
fn what_cannot_be_imported_at_all_is_told() {
    let place = Place::new();
    let empty = Server::start(&["--data", &place.text("empty")]);
    let file = place.write("Note.jsonl", "{\"number\":1,\"text\":\"a\"}\n");
    assert!(fail(4, &["import", "--url", &empty.url, &file]).contains("no schema yet"));
    let server = place.serve();
    fail(8, &["import", "--url", &server.url, &place.text("Missing.jsonl"), "--collection", "Note"]);
    assert!(fail(2, &["import", "--url", &server.url, "--collection", "Nope", &file]).contains("no collection Nope"));
    let odd = place.write("Note.txt", "{}\n");
    assert!(fail(2, &["import", "--url", &server.url, &odd]).contains("--format"));
    fail(2, &["import", "--url", &server.url, "--collection", "Note", &file, &file]);
    fail(3, &["import", "--url", "http://127.0.0.1:1", &file]);
    let nothing = place.write("Tag.jsonl", "\n\n");
    succeed(&["import", "--url", &server.url, &nothing]);
}
