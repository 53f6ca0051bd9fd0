//! Every endpoint over real sockets: what is answered, with which status and headers, to good input and bad.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::{Place, Server, request};
use serde_json::json;
use std::io::{Read, Write};

const JSON: (&str, &str) = ("content-type", "application/json");
const MODERN: (&str, &str) = ("accept", "application/graphql-response+json");

#[test]
fn operations_are_answered_with_the_status_that_the_media_type_wants() {
    let place = Place::new();
    let server = place.serve();
    let post = |headers: &[(&str, &str)], body: &str| server.request("POST", "/graphql", headers, body.as_bytes());

    // (body, status with application/json, status with graphql-response+json, code)
    let cases = [
        (r#"{"query":"{ notes { totalCount } }"}"#, 200, 200, ""),
        (r#"{"query":"{"}"#, 200, 400, "GRAPHQL_PARSE_FAILED"),
        (r#"{"query":""}"#, 200, 400, "GRAPHQL_PARSE_FAILED"),
        (r#"{"query":"{ nope }"}"#, 200, 400, "GRAPHQL_VALIDATION_FAILED"),
        (r#"{"query":"query A { __typename } query B { __typename }"}"#, 200, 400, "OPERATION_RESOLUTION_FAILURE"),
        (r#"{"query":"query A { __typename }","operationName":"C"}"#, 200, 400, "OPERATION_RESOLUTION_FAILURE"),
        (
            r#"{"query":"query ($n: Int!) { note(by: { number: $n }) { id } }","variables":{"n":"x"}}"#,
            200,
            400,
            "BAD_USER_INPUT",
        ),
        (r#"{"query":"query ($n: Int!) { note(by: { number: $n }) { id } }"}"#, 200, 400, "BAD_USER_INPUT"),
        (r#"{"query":"{ notes(first: 5000) { totalCount } }"}"#, 200, 400, "PAGE_TOO_LARGE"),
        (r#"{"query":"{ notes(after: \"!\") { totalCount } }"}"#, 200, 400, "INVALID_CURSOR"),
        ("{\"query\":", 400, 400, "BAD_USER_INPUT"),
        ("", 400, 400, "BAD_USER_INPUT"),
        ("{}", 400, 400, "BAD_USER_INPUT"),
        ("[]", 400, 400, "BAD_USER_INPUT"),
        (r#"{"query":7}"#, 400, 400, "BAD_USER_INPUT"),
        (r#"{"query":"{ __typename }","variables":[]}"#, 400, 400, "BAD_USER_INPUT"),
        (
            r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"0"}}}"#,
            400,
            400,
            "PERSISTED_QUERY_NOT_SUPPORTED",
        ),
    ];
    for (body, plain, modern, code) in cases {
        let reply = post(&[JSON], body);
        assert_eq!((reply.status, reply.code().as_str()), (plain, code), "{body}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"), "{body}");
        let reply = post(&[JSON, MODERN], body);
        assert_eq!((reply.status, reply.code().as_str()), (modern, code), "{body}");
        assert_eq!(reply.header("content-type"), Some("application/graphql-response+json; charset=utf-8"), "{body}");
        let id = reply.header("x-request-id").expect("every answer names its request");
        if !code.is_empty() {
            assert_eq!(reply.json()["errors"][0]["extensions"]["requestId"], id, "{body}");
        }
    }
}

#[test]
fn a_version_is_named_and_waited_for_and_a_key_makes_a_retry_the_same() {
    let place = Place::new();
    let server = place.serve();
    let create =
        r#"{"query":"mutation { createNote(data: { number: 1, text: \"a\" }) { note { id } commit { version } } }"}"#;
    let key = [JSON, ("idempotency-key", "k-1"), ("x-request-id", "mine-1")];
    let first = server.request("POST", "/graphql", &key, create.as_bytes());
    assert_eq!(first.status, 200);
    assert_eq!(first.header("x-request-id"), Some("mine-1"));
    let version = first.header("vivarium-version").unwrap().to_owned();
    assert_eq!(first.json()["data"]["createNote"]["commit"]["version"], version.as_str());
    let timing = first.header("server-timing").unwrap();
    for part in ["prepare;dur=", "snapshot;dur=", "execute;dur=", "total;dur="] {
        assert!(timing.contains(part), "{timing}");
    }

    let again = server.request("POST", "/graphql", &key, create.as_bytes());
    assert_eq!(again.json()["data"], first.json()["data"]);
    let without = server.request("POST", "/graphql", &[JSON], create.as_bytes());
    assert_eq!(without.code(), "UNIQUE_VIOLATION");
    assert_eq!(without.json()["data"], json!(null));

    let query = br#"{"query":"{ notes { totalCount } }"}"#;
    let read = server.request("POST", "/graphql", &[JSON, ("prefer-version", &version)], query);
    assert_eq!(read.json()["data"]["notes"]["totalCount"], 1);
    assert!(read.header("vivarium-version").unwrap().parse::<u64>().unwrap() >= version.parse().unwrap());
    for wrong in ["", "x", "-1", "99999999999999999999999"] {
        assert_eq!(
            server.request("POST", "/graphql", &[JSON, ("prefer-version", wrong)], query).status,
            400,
            "{wrong}"
        );
    }
    for wrong in ["", &"k".repeat(256)] {
        assert_eq!(server.request("POST", "/graphql", &[JSON, ("idempotency-key", wrong)], query).status, 400);
    }
    let planned = server.request("POST", "/graphql", &[JSON, ("x-explain", "plan")], query).json();
    assert_eq!(planned["data"], json!(null));
    assert_eq!(planned["extensions"]["plan"]["op"], "Query");
    let analyzed = server.request("POST", "/graphql", &[JSON, ("x-explain", "analyze")], query).json();
    assert_eq!(analyzed["data"]["notes"]["totalCount"], 1);
    assert!(analyzed["extensions"]["plan"]["children"][0]["micros"].is_u64(), "{analyzed}");
    assert_eq!(server.request("POST", "/graphql", &[JSON, ("x-explain", "yes")], query).status, 400);
    let insane = server.request("POST", "/graphql", &[JSON, ("x-request-id", "a b\u{7f}")], query);
    assert_ne!(insane.header("x-request-id"), Some("a b\u{7f}"));
}

#[test]
fn a_get_reads_and_never_writes() {
    let place = Place::new();
    let server = place.serve();
    let get = |query: &str, headers: &[(&str, &str)]| server.request("GET", &format!("/graphql?{query}"), headers, b"");

    let reply =
        get("query=query(%24n%3AInt!)%7Bnote(by%3A%7Bnumber%3A%24n%7D)%7Bid%7D%7D&variables=%7B%22n%22%3A1%7D", &[]);
    assert_eq!((reply.status, reply.json()["data"].clone()), (200, json!({ "note": null })));
    assert_eq!(reply.header("vary"), Some("Accept"));

    let mutation = "query=mutation%7BcreateNote(data%3A%7Bnumber%3A1%2Ctext%3A%22a%22%7D)%7Bnote%7Bid%7D%7D%7D";
    for headers in [&[][..], &[MODERN]] {
        let reply = get(mutation, headers);
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{}", reply.text());
    }
    assert_eq!(server.data("{ notes { totalCount } }", json!({}))["notes"]["totalCount"], 0);

    assert_eq!(get("", &[]).status, 400);
    assert_eq!(get("query=%7Ba", &[MODERN]).status, 400);
    let put = server.request("PUT", "/graphql", &[JSON], b"");
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, POST")));
}

#[test]
fn what_is_not_json_in_utf8_is_refused() {
    let place = Place::new();
    let server = place.serve();
    let body = br#"{"query":"{ __typename }"}"#;
    for kind in
        ["text/plain", "application/graphql", "application/json; charset=latin1", "multipart/form-data; boundary=x", ""]
    {
        let reply = server.request("POST", "/graphql", &[("content-type", kind)], body);
        assert_eq!((reply.status, reply.header("accept-post")), (415, Some("application/json")), "{kind}");
    }
    assert_eq!(server.request("POST", "/graphql", &[], body).status, 415);
    for kind in ["application/json", "application/json; charset=UTF-8", "Application/JSON;charset=\"utf-8\""] {
        assert_eq!(server.request("POST", "/graphql", &[("content-type", kind)], body).status, 200, "{kind}");
    }
    assert_eq!(server.request("POST", "/graphql", &[JSON, ("accept", "text/plain")], body).status, 406);
    assert_eq!(server.request("POST", "/graphql", &[JSON], b"{\"query\":\"\xff\"}").status, 400);
}

#[test]
fn large_and_deep_bodies_are_refused_and_the_server_lives() {
    let place = Place::new();
    let server = place.serve();
    let over = 1024 * 1024 + 1;
    let announced = server.request("POST", "/graphql", &[JSON, ("content-length", &over.to_string())], b"");
    assert_eq!((announced.status, announced.code().as_str()), (413, "BAD_USER_INPUT"));
    assert!(announced.text().contains("http.body_bytes_max"));

    // Without a length it is found on the way.
    let mut chunked =
        request("POST", "/graphql", &[JSON, ("transfer-encoding", "chunked"), ("content-length", "")], b"");
    let text = String::from_utf8(chunked.clone()).unwrap().replace("content-length: \r\n", "");
    chunked = text.into_bytes();
    for _ in 0..17 {
        chunked.extend(format!("{:x}\r\n", 65536).bytes());
        chunked.extend(vec![b' '; 65536]);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    assert_eq!(server.send(&chunked).unwrap().status, 413);

    let deep_variables = format!(
        "{{\"query\":\"query($a:JSON){{__typename}}\",\"variables\":{{\"a\":{}1{}}}}}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    assert!(server.request("POST", "/graphql", &[JSON, MODERN], deep_variables.as_bytes()).status < 500);
    let deep_query = format!("{{\"query\":\"{}\"}}", "{ notes { nodes { parent ".repeat(5_000));
    assert_eq!(server.request("POST", "/graphql", &[JSON, MODERN], deep_query.as_bytes()).status, 400);
    let nested = format!("{{ notes {{ nodes {{ {} id {} }} }} }}", "parent {".repeat(100), "}".repeat(100));
    let reply = server.request("POST", "/graphql", &[JSON, MODERN], json!({ "query": nested }).to_string().as_bytes());
    assert_eq!((reply.status, reply.code().as_str()), (400, "QUERY_TOO_COMPLEX"), "{}", reply.text());
    assert_eq!(server.data("{ __typename }", json!({}))["__typename"], "Query");
}

#[test]
fn only_names_of_this_machine_are_answered() {
    let place = Place::new();
    let config = place.write("vivarium.toml", "[http]\nhosts = [\"db.internal\"]\n");
    let server = Server::start(&["--data", &place.text("data"), "--config", &config]);
    let ask = |host: &str, path: &str| server.request("GET", path, &[("host", host)], b"").status;
    for path in ["/graphql?query=%7B__typename%7D", "/schema.graphql", "/metrics", "/"] {
        assert_eq!(ask("evil.example", path), 421, "{path}");
        assert_eq!(ask("localhost.evil.example:4000", path), 421, "{path}");
        assert_eq!(ask("127.0.0.1:1", path), 200, "{path}");
        assert_eq!(ask("[::1]:4000", path), 200, "{path}");
        assert_eq!(ask("db.internal", path), 200, "{path}");
    }
    let admin = server.request(
        "POST",
        "/admin/graphql",
        &[JSON, ("host", "evil.example")],
        br#"{"query":"{ status { node } }"}"#,
    );
    assert_eq!(admin.status, 421);
    assert_eq!(ask("10.0.0.1", "/health/live"), 200, "probes come by address");
}

#[test]
fn those_who_watch_get_health_metrics_and_the_schema() {
    let place = Place::new();
    let server = place.serve();
    let get = |path: &str| server.request("GET", path, &[], b"");
    assert_eq!((get("/health/live").status, get("/health/ready").text()), (200, "ready\n"));

    server.ask("{ notes { totalCount } }", json!({}));
    server.ask("{ nope }", json!({}));
    let metrics = get("/metrics");
    for line in [
        "vivarium_request_duration_seconds_count{operation=\"query\"} 2",
        "vivarium_request_errors_total{code=\"GRAPHQL_VALIDATION_FAILED\"} 1",
        "vivarium_node_leader 1",
    ] {
        assert!(metrics.text().contains(line), "{line}: {}", metrics.text());
    }

    let schema = get("/schema.graphql");
    assert_eq!(schema.header("content-type"), Some("application/graphql; charset=utf-8"));
    assert!(schema.text().contains("input NoteCreate"));
    let tag = schema.header("etag").unwrap();
    let known = server.request("GET", "/schema.graphql", &[("if-none-match", tag)], b"");
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(tag)));
    assert_eq!(server.request("GET", "/schema.graphql", &[("if-none-match", "\"other\"")], b"").status, 200);

    assert_eq!(get("/nothing").status, 404);
    assert_eq!(server.request("POST", "/metrics", &[JSON], b"{}").status, 405);
    assert_eq!(server.request("HEAD", "/schema.graphql", &[], b"").status, 200);
}

#[test]
fn a_browser_gets_the_page_under_a_strict_policy() {
    let place = Place::new();
    let server = place.serve();
    let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    let mut policies = std::collections::BTreeSet::new();
    for path in ["/", "/graphql", "/playground/", "/playground/data/deep/link"] {
        let page = server.request("GET", path, &browser, b"");
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        assert!(nonce.len() == 32 && page.text().contains(nonce) && !page.text().contains("__CSP_NONCE__"));
        assert!(policies.insert(policy.to_owned()), "every response has a nonce of its own");
    }
    for wrong in ["/playground/../Cargo.toml", "/playground/assets/nope.js", "/playground/nope.map"] {
        let missing = server.request("GET", wrong, &browser, b"");
        assert_eq!(
            (missing.status, missing.header("content-type")),
            (404, Some("text/plain; charset=utf-8")),
            "{wrong}"
        );
    }
    assert_eq!(server.request("POST", "/", &[], b"").status, 405);
}

#[test]
fn the_files_of_the_page_are_compressed_and_known_by_their_tags() {
    let place = Place::new();
    let server = place.serve();
    let script = "/playground/assets/app.js";
    let plain = server.request("GET", script, &[], b"");
    assert_eq!((plain.status, plain.header("content-type")), (200, Some("text/javascript; charset=utf-8")));
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("Accept-Encoding")));
    let mut tags = vec![plain.header("etag").unwrap().to_owned()];
    for encoding in ["gzip", "br"] {
        let packed = server.request("GET", script, &[("accept-encoding", encoding)], b"");
        assert_eq!(packed.header("content-encoding"), Some(encoding));
        assert!(packed.body.len() * 2 < plain.body.len(), "{encoding}");
        let tag = packed.header("etag").unwrap().to_owned();
        let known = [("accept-encoding", encoding), ("if-none-match", tag.as_str())];
        let again = server.request("GET", script, &known, b"");
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag.as_str())));
        assert!(!tags.contains(&tag), "an encoding has a tag of its own");
        tags.push(tag);
    }
    assert_eq!(server.request("HEAD", script, &[], b"").body.len(), 0);
    assert_eq!(server.request("POST", script, &[], b"").status, 405);
}

#[test]
fn the_control_plane_takes_json_by_post_only() {
    let place = Place::new();
    let server = place.serve();
    let ask = |headers: &[(&str, &str)], body: &str| server.request("POST", "/admin/graphql", headers, body.as_bytes());
    let status = ask(
        &[JSON],
        r#"{"query":"{ status { role node version } schema { version } indexes { name unique } verify { documents problems } }"}"#,
    );
    assert_eq!(status.json()["data"]["status"]["role"], "LEADER", "{}", status.text());
    assert_eq!(status.json()["data"]["verify"]["problems"], json!([]));
    assert_eq!(ask(&[("content-type", "text/plain")], r#"{"query":"{ status { node } }"}"#).status, 415);
    assert_eq!(server.request("GET", "/admin/graphql?query=%7Bstatus%7Bnode%7D%7D", &[], b"").status, 405);
    for body in ["", "[", "[]", "{\"query\":1}"] {
        let reply = ask(&[JSON], body);
        assert_eq!((reply.status, reply.code().as_str()), (400, "BAD_USER_INPUT"), "{body}: {}", reply.text());
    }

    let history =
        ask(&[JSON], r#"{"query":"query ($n: Int!) { schemaHistory(limit: $n) { version } }","variables":{"n":3}}"#);
    assert_eq!(history.json()["data"]["schemaHistory"], json!([{ "version": 1 }]));
    let explain = r#"{"query":"query ($v: JSON) { explain(query: \"query ($n: Int!) { note(by: { number: $n }) { text } }\", variables: $v) { __typename ... on Explanation { plan } ... on RefusedOperation { errors { code message } } } }","variables":{"v":{"n":5}}}"#;
    assert_eq!(ask(&[JSON], explain).json()["data"]["explain"]["__typename"], "Explanation");
    let deep = format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type {".repeat(20), "}}".repeat(20));
    assert!(ask(&[JSON], &json!({ "query": deep }).to_string()).text().contains("errors"));
}

#[test]
fn the_control_plane_tells_what_operations_took_and_how_large_things_are() {
    let place = Place::new();
    let server = place.serve();
    let admin = |query: &str| {
        let body = json!({ "query": query }).to_string();
        server.request("POST", "/admin/graphql", &[JSON], body.as_bytes()).json()
    };
    for number in 1..=3 {
        let create =
            format!("mutation {{ createNote(data: {{ number: {number}, text: \"secret\" }}) {{ note {{ id }} }} }}");
        server.data(&create, json!({}));
    }
    let clash = server.ask("mutation { createNote(data: { number: 2, text: \"\" }) { note { id } } }", json!({}));
    assert_eq!(clash["errors"][0]["extensions"]["code"], "UNIQUE_VIOLATION");
    server.data("query One($n: Int!) { note(by: { number: $n }) { text } }", json!({ "n": 1 }));
    for refused in ["{", "{ nope }", "query A { __typename } query B { __typename }"] {
        assert!(server.ask(refused, json!({})).get("data").is_none());
    }
    let explained = [JSON, ("x-explain", "analyze")];
    server.request("POST", "/graphql", &explained, br#"{"query":"{ tags { totalCount } }"}"#);

    let answer = admin(
        "{ costliestOperations { document cut operationName mutation calls failures p50Micros p99Micros longestMicros totalMicros answerBytes } }",
    );
    let mut operations = answer["data"]["costliestOperations"].as_array().unwrap().clone();
    operations.sort_by_key(|operation| operation["mutation"] != true);
    assert_eq!(operations.len(), 2, "{answer:#}");
    let seen = ["document", "mutation", "calls", "failures", "cut"].map(|name| operations[0][name].clone());
    let text = "mutation { createNote(data: { number: 0, text: \"\" }) { note { id } } }";
    assert_eq!(seen, [json!(text), json!(true), json!("4"), json!("1"), json!(false)]);
    let micros = |name: &str| operations[0][name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(0 < micros("p50Micros") && micros("p50Micros") <= micros("p99Micros"));
    assert!(micros("p99Micros") <= micros("longestMicros") && micros("longestMicros") <= micros("totalMicros"));
    assert_eq!(operations[1]["calls"], "1");
    let one = admin("{ costliestOperations(limit: 1) { calls } }");
    assert_eq!(one["data"]["costliestOperations"].as_array().map(Vec::len), Some(1));

    let sizes = admin(
        "{ collections { name size { rows whole } } indexes { collection fields size { rows whole keyBytes } } }",
    );
    let notes = json!({ "name": "Note", "size": { "rows": 3, "whole": true } });
    assert!(sizes["data"]["collections"].as_array().unwrap().contains(&notes), "{sizes:#}");
    let of_numbers = |index: &&serde_json::Value| index["collection"] == "Note" && index["fields"] == json!(["number"]);
    let numbers = sizes["data"]["indexes"].as_array().unwrap().iter().find(of_numbers).unwrap();
    assert_eq!(numbers["size"]["rows"], 3);

    let usage =
        "{ indexes { collection fields usage { operations lastMicros perMinute } } schemaProgress { records } }";
    let of_numbers = |answer: &serde_json::Value| {
        let indexes = answer["data"]["indexes"].as_array().unwrap();
        indexes.iter().find(|index| index["fields"] == json!(["number"])).unwrap()["usage"].clone()
    };
    let before = admin(usage);
    assert_eq!(before["data"]["schemaProgress"], json!(null));
    let operations = |usage: &serde_json::Value| usage["operations"].as_str().unwrap().parse::<u64>().unwrap();
    let idle = before["data"]["indexes"].as_array().unwrap().iter().find(|index| index["usage"]["operations"] == "0");
    assert_eq!(idle.unwrap()["usage"]["lastMicros"], json!(null), "nobody has read it");
    server.request("POST", "/graphql", &[JSON], br#"{"query":"{ note(by: { number: 1 }) { text } }"}"#);
    let after = of_numbers(&admin(usage));
    assert_eq!(operations(&after), operations(&of_numbers(&before)) + 1);
    assert_eq!(after["perMinute"].as_array().unwrap().len(), 60);
    assert!(after["lastMicros"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000_000);
}

#[test]
fn one_connection_serves_many_requests_and_survives_a_wrong_one() {
    let place = Place::new();
    let server = place.serve();
    let mut stream = server.connect();
    let keep = |body: &str| {
        String::from_utf8(request("POST", "/graphql", &[JSON], body.as_bytes()))
            .unwrap()
            .replace("connection: close\r\n", "")
    };
    let mut read = |request: String| {
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        head[9..12].parse::<u16>().unwrap()
    };
    let good = keep(r#"{"query":"{ __typename }"}"#);
    assert_eq!([read(good.clone()), read(keep("{")), read(good.clone()), read(good)], [200, 400, 200, 200]);
    let garbage = server.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n");
    assert!(garbage.map_or(true, |reply| reply.status == 400));
}
