//! Every command of the binary against a real server: what it prints where, and with which code it ends.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::{NOTES, Place, Server, fail, run, succeed, vivarium};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

/// Runs a command with text on its standard input.
fn with_input(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child =
        vivarium().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_schema_is_compared_applied_printed_and_remembered() {
    let place = Place::new();
    let server = Server::start(&["--data", &place.text("data")]);
    server.hear("This database is empty");
    let all = |arguments: &[&str]| -> Vec<String> {
        ["schema"].iter().chain(arguments).chain(&["--url", &server.url]).map(|one| (*one).to_owned()).collect()
    };
    let ok = |arguments: &[&str]| succeed(&all(arguments).iter().map(String::as_str).collect::<Vec<_>>());
    let no = |code, arguments: &[&str]| fail(code, &all(arguments).iter().map(String::as_str).collect::<Vec<_>>());
    let notes = place.write("notes.graphql", NOTES);

    assert_eq!(ok(&["print"]), "");
    assert!(ok(&["diff", &notes]).contains("Note"));
    no(1, &["diff", "--exit-code", &notes]);
    let dry: Value = serde_json::from_str(&ok(&["apply", "--dry-run", "--json", &notes])).unwrap();
    assert_eq!((dry["version"].clone(), dry["dryRun"].clone()), (json!(1), json!(true)));
    assert_eq!(ok(&["print"]), "", "a dry run keeps nothing");
    ok(&["apply", "--expected-version", "0", &notes]);
    assert_eq!(ok(&["print"]).trim(), NOTES.trim());
    assert!(ok(&["print", "--api"]).contains("type NoteConnection"));
    assert_eq!(ok(&["diff", "--exit-code", &notes]), "");

    let less = place.write("less.graphql", "type Note @collection { id: ID! number: Int! @unique text: String! }");
    let refused = no(4, &["apply", &less]);
    assert!(refused.contains("Writer"), "{refused}");
    assert!(no(4, &["apply", "--expected-version", "9", &notes]).contains("version 1, not 9"));
    ok(&["apply", "--force", &less]);
    let history: Value = serde_json::from_str(&ok(&["history", "--json"])).unwrap();
    assert_eq!(history[0]["version"], 2);
    assert_eq!(history[1]["sdl"], NOTES);
    assert_eq!(ok(&["history", "--limit", "1"]).lines().count(), 1);
    assert!(ok(&["indexes"]).contains("unique  Note"));
}

#[test]
fn a_wrong_schema_is_shown_with_carets() {
    let place = Place::new();
    let server = Server::start(&["--data", &place.text("data")]);
    let sdl = "type Note @collection {\n  id: ID!\n  writer: Wirter @relation\n}\n";
    let (code, out, words) = with_input(&["schema", "apply", "--url", &server.url, "-"], sdl);
    assert_eq!((code, out.as_str()), (Some(4), ""));
    assert!(words.contains("--> -:3:11"), "{words}");
    assert!(words.contains("3 |   writer: Wirter @relation\n  |           ^^^^^^\n"), "{words}");

    let (code, _, words) = with_input(&["schema", "apply", "--url", &server.url, "-"], "type Note @collection {");
    assert_eq!(code, Some(4));
    assert!(words.contains("--> -:1:"), "{words}");

    let wrong = place.write("wrong.graphql", sdl);
    let (status, words) =
        Server::try_start("serve", &["--data", &place.text("other"), "--schema", &wrong]).err().unwrap();
    assert_eq!(status.code(), Some(4));
    assert!(words.contains("wrong.graphql:3:11"), "{words}");
}

#[test]
fn an_operation_is_explained_and_a_node_tells_its_status() {
    let place = Place::new();
    let server = place.serve();
    let query = "query Q($n: Int!) { note(by: { number: $n }) { text } }";
    let (code, plan, _) = with_input(&["explain", "--url", &server.url, "--variables", "{\"n\":1}", "-"], query);
    assert_eq!(code, Some(0));
    assert!(plan.contains("note"), "{plan}");
    let (code, _, words) = with_input(&["explain", "--url", &server.url, "-"], "{ notes { nodes { txet } } }");
    assert_eq!(code, Some(4));
    assert!(words.contains("txet") && words.contains("line 1"), "{words}");
    assert_eq!(with_input(&["explain", "--url", &server.url, "--variables", "{", "-"], query).0, Some(2));

    let status: Value = serde_json::from_str(&succeed(&["status", "--url", &server.url, "--json"])).unwrap();
    assert_eq!((status["role"].clone(), status["schemaVersion"].clone()), (json!("LEADER"), json!(1)));
    assert!(succeed(&["status", "--url", &server.url]).contains("appliedIndex"));
}

#[test]
fn codes_tell_scripts_what_went_wrong() {
    let place = Place::new();
    for arguments in
        [&["nonsense"][..], &["serve", "--nonsense"], &["export"], &["import"], &["serve", "--listen", "nowhere"]]
    {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    fail(2, &["status", "--url", "https://127.0.0.1:1"]);
    // Nobody listens on port 1 of this machine.
    let words = fail(3, &["status", "--url", "http://127.0.0.1:1"]);
    assert!(words.contains("Is the server running?"), "{words}");
    fail(8, &["schema", "apply", &place.text("missing.graphql")]);
    fail(8, &["serve", "--schema", &place.text("missing.graphql"), "--data", &place.text("d")]);
    fail(8, &["serve", "--config", &place.text("missing.toml")]);
    let wrong = place.write("wrong.toml", "[http]\nbody_bytes = 1\n");
    assert!(fail(2, &["serve", "--config", &wrong]).contains("line 2"));
    assert!(fail(2, &["serve", "--listen", "0.0.0.0:4000"]).contains("access keys"));
    assert!(fail(2, &["serve", "--dev"]).contains("--schema"));
    assert!(fail(5, &["check", "--data", &place.text("nothing")]).contains("no data folder"));
    assert!(!place.path("nothing").exists(), "a check creates nothing");
    assert!(succeed(&["--help"]).contains("Exit codes"));
    assert!(succeed(&["--version"]).starts_with("vivarium "));
}

#[test]
fn the_environment_stands_between_the_command_line_and_the_file() {
    let place = Place::new();
    let config = place.write("vivarium.toml", "data = \"/proc/nonsense\"\nlisten = \"127.0.0.1:1\"\n");
    // The file's folder cannot be created: that the server starts shows that the environment won.
    let mut child = vivarium()
        .args(["serve", "--config", &config, "--listen", "127.0.0.1:0"])
        .env("VIVARIUM_DATA", place.path("data"))
        .env("VIVARIUM_LISTEN", "127.0.0.1:2")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("listening on http://127.0.0.1:"), "{line}");
    assert!(place.path("data").exists());
}

#[test]
fn the_log_is_json_when_asked_for() {
    let place = Place::new();
    let server = Server::start(&["--data", &place.text("data"), "--log", "json", "--log-filter", "vivarium=debug"]);
    server.request(
        "POST",
        "/graphql",
        &[("content-type", "application/json"), ("x-request-id", "id-7")],
        b"{\"query\":\"query Named { __typename }\"}",
    );
    let line: Value = serde_json::from_str(&server.hear("request answered")).unwrap();
    assert_eq!(line["span"]["request_id"], "id-7", "{line}");
    assert!(line["duration_ms"].is_number());
}

#[test]
fn a_schema_file_is_watched_in_development() {
    let place = Place::new();
    let schema = place.write("schema.graphql", "type Note @collection { id: ID! text: String! }");
    let server = Server::start(&["--data", &place.text("data"), "--schema", &schema, "--dev"]);
    server.data("{ notes { totalCount } }", json!({}));
    place.write("schema.graphql", "type Note @collection { id: ID! text: Strnig! }");
    assert!(server.hear("schema.graphql:1:").contains(":1:39"));
    place.write("schema.graphql", "type Note @collection { id: ID! text: String! more: Int }");
    server.hear("schema applied");
    server.data("{ notes { nodes { more } } }", json!({}));
}

#[test]
fn the_demo_fills_its_shop_once() {
    let place = Place::new();
    let arguments = ["--data", &place.text("demo")];
    let server = Server::try_start("demo", &arguments).unwrap_or_else(|(status, words)| panic!("{status}: {words}"));
    let count = "{ products { totalCount } orderLines { totalCount } reviews { totalCount } }";
    let first = server.data(count, json!({}));
    assert_eq!(
        first,
        json!({ "products": { "totalCount": 62 }, "orderLines": { "totalCount": 224 }, "reviews": { "totalCount": 64 } })
    );
    server.data(
        "mutation { deleteReview(by: { id: \"x\" }) { deletedId } }".replace("\"x\"", &review(&server)).as_str(),
        json!({}),
    );
    assert!(server.stop().0.success());
    let server = Server::try_start("demo", &arguments).unwrap_or_else(|(status, words)| panic!("{status}: {words}"));
    assert_eq!(server.data(count, json!({}))["reviews"]["totalCount"], 63, "what the user deleted stays deleted");
}

fn review(server: &Server) -> String {
    server.data("{ reviews(first: 1) { nodes { id } } }", json!({}))["reviews"]["nodes"][0]["id"].to_string()
}
