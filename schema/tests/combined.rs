//! Several indexes for one list: records that all of them lead to, that one of them leads to, and sorted streams.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};
use vivarium_schema::plan::Limits;

const SCHEMA: &str = r#"
type Task @collection(plural: "tasks") @index(fields: ["state", "due"]) @index(fields: ["owner", "due"]) {
  id: ID!
  number: Int! @unique
  state: String!
  owner: String!
  kind: Int @index
  due: Int!
  tags: [String!]! @index
  boxes: [Box!]! @relation(inverse: "tasks")
  notes: [Note!]! @relation(inverse: "task")
}
type Note @collection(plural: "notes") {
  id: ID!
  text: String! @index
  task: Task! @relation(inverse: "notes")
}
type Box @collection(plural: "boxes") {
  id: ID!
  name: String! @unique
  tasks: [Task!]! @relation(inverse: "boxes")
}
"#;

/// Tasks from 0 on, of which every other is open, every third is Ada's, and every seventh is of kind 0.
async fn open(tasks: i64, limits: Limits) -> Server {
    let server = Server::with(SCHEMA, limits).await;
    let pick = |words: &[&'static str], number: i64| words[usize::try_from(number).unwrap() % words.len()];
    let task = |number: i64| {
        json!({
            "number": number,
            "state": pick(&["open", "done"], number),
            "owner": pick(&["ada", "bo", "cid"], number),
            "kind": if number % 5 == 0 { Value::Null } else { json!(number % 7) },
            "due": (number * 37) % 101,
            "tags": [format!("t{}", number % 4), format!("u{}", number % 6)],
        })
    };
    let all: Vec<i64> = (0..tasks).collect();
    for batch in all.chunks(250) {
        let data: Vec<Value> = batch.iter().map(|number| task(*number)).collect();
        server
            .data(
                "mutation($data: [TaskCreate!]!) { createTasks(data: $data) { affectedCount } }",
                json!({ "data": data }),
            )
            .await;
    }
    server
}

fn numbers(list: &Value) -> Vec<i64> {
    list["nodes"].as_array().unwrap().iter().map(|node| node["number"].as_i64().unwrap()).collect()
}

/// The numbers of the tasks that fit, ordered by what is due and by number where that is equal.
fn expected(tasks: i64, fits: impl Fn(i64) -> bool) -> Vec<i64> {
    let mut all: Vec<i64> = (0..tasks).filter(|number| fits(*number)).collect();
    all.sort_by_key(|number| ((number * 37) % 101, *number));
    all
}

/// What a plan is, and which records the list has, whichever way it is read.
async fn check(server: &Server, tasks: i64, filter: &str, path: &str, fits: impl Fn(i64) -> bool) {
    let query = format!(
        "{{ tasks(where: {{ {filter} }}, first: 1000) {{ totalCount nodes {{ number }} }} \
         few: tasks(where: {{ {filter} }}, first: 3, orderBy: [{{ due: ASC }}]) {{ nodes {{ number }} pageInfo {{ hasNextPage }} }} \
         sums: tasks(where: {{ {filter} }}) {{ aggregate {{ count number {{ sum }} }} }} }}"
    );
    let plan = server.explain(&query, json!({})).await;
    assert!(plan.contains(path), "{filter}: no {path}\n{plan}");
    let found = server.data(&query, json!({})).await;
    let wanted = expected(tasks, &fits);
    let mut all = numbers(&found["tasks"]);
    all.sort_by_key(|number| ((number * 37) % 101, *number));
    assert_eq!(all, wanted, "{filter}\n{plan}");
    assert_eq!(found["tasks"]["totalCount"], wanted.len(), "{filter}");
    assert_eq!(found["few"]["pageInfo"]["hasNextPage"], wanted.len() > 3, "{filter}\n{plan}");
    let due = |numbers: &[i64]| numbers.iter().map(|number| (number * 37) % 101).collect::<Vec<_>>();
    assert_eq!(due(&numbers(&found["few"])), due(&wanted[..wanted.len().min(3)]), "{filter}\n{plan}");
    let aggregate = &found["sums"]["aggregate"];
    assert_eq!(aggregate["count"], wanted.len(), "{filter}\n{plan}");
    let sum = (!wanted.is_empty()).then(|| wanted.iter().sum::<i64>().to_string());
    assert_eq!(aggregate["number"]["sum"], json!(sum), "{filter}\n{plan}");
}

#[test]
fn records_that_several_indexes_lead_to_are_found() {
    run(async {
        let tasks = 120;
        let server = open(tasks, Limits::default()).await;
        let both = "accesses all lead to";
        check(&server, tasks, r#"state: { eq: "open" }, owner: { eq: "ada" }"#, both, |n| n % 6 == 0).await;
        check(&server, tasks, r#"owner: { eq: "bo" }, kind: { gte: 1, lte: 2 }"#, both, |n| {
            n % 3 == 1 && n % 5 != 0 && (1..=2).contains(&(n % 7))
        })
        .await;
        check(&server, tasks, r#"state: { eq: "done" }, tags: { has: "u3" }, due: { lt: 40 }"#, both, |n| {
            n % 2 == 1 && n % 6 == 3 && (n * 37) % 101 < 40
        })
        .await;
        check(&server, tasks, r#"kind: { isNull: true }, tags: { hasAny: ["t1", "u1"] }"#, both, |n| {
            n % 5 == 0 && (n % 4 == 1 || n % 6 == 1)
        })
        .await;
        // Nothing that one leads to is among what the other leads to.
        check(&server, tasks, r#"owner: { eq: "bo" }, tags: { has: "u0" }"#, both, |_| false).await;
    });
}

#[test]
fn an_index_that_leads_to_too_many_is_left_to_the_filter() {
    run(async {
        // Kind 3 is rare, and what is done is looked at no further than that makes it worth.
        let tasks = 1_200;
        let server = open(tasks, Limits::default()).await;
        let filter = r#"number: { gte: 600, lt: 610 }, state: { eq: "open" }"#;
        let query = format!("{{ tasks(where: {{ {filter} }}) {{ nodes {{ number }} }} }}");
        let plan = server.explain(&query, json!({})).await;
        assert!(plan.contains("rows~10 "), "the range was looked at\n{plan}");
        assert_eq!(numbers(&server.data(&query, json!({})).await["tasks"]), [600, 602, 604, 606, 608]);
    });
}

#[test]
fn records_that_one_of_several_indexes_leads_to_are_found_once() {
    run(async {
        let tasks = 120;
        let server = open(tasks, Limits::default()).await;
        let either = "accesses leads to";
        check(&server, tasks, r#"or: [{ kind: { eq: 3 } }, { tags: { has: "u5" } }]"#, either, |n| {
            (n % 7 == 3 && n % 5 != 0) || n % 6 == 5
        })
        .await;
        // What holds beside the branches is asked of all, and an index may serve both.
        check(&server, tasks, r#"due: { lt: 30 }, or: [{ kind: { eq: 3 } }, { owner: { eq: "cid" } }]"#, either, |n| {
            (n * 37) % 101 < 30 && ((n % 7 == 3 && n % 5 != 0) || n % 3 == 2)
        })
        .await;
        check(
            &server,
            tasks,
            r#"or: [{ number: { in: [4, 5] } }, { or: [{ kind: { eq: 2 }, state: { eq: "done" } }, { number: { eq: 5 } }] }]"#,
            either,
            |n| n == 4 || n == 5 || (n % 7 == 2 && n % 5 != 0 && n % 2 == 1),
        )
        .await;
        // One branch that no index serves: everything is read, and said to be.
        let query =
            r#"{ tasks(where: { or: [{ kind: { eq: 3 } }, { number: { ne: 7 }, due: { gt: 99 } }] }) { totalCount } }"#;
        assert!(server.explain(query, json!({})).await.contains("warning: No index serves the filter"));
    });
}

/// Pages of a list in some order, in both directions, are the list; and each is read from sorted streams.
async fn walk(server: &Server, list: &str, path: &str) {
    let whole = server.data(&format!("{{ tasks({list}, first: 1000) {{ nodes {{ number }} }} }}"), json!({})).await;
    let whole = numbers(&whole["tasks"]);
    for (size, cursor, info) in
        [("first", "after", ("hasNextPage", "endCursor")), ("last", "before", ("hasPreviousPage", "startCursor"))]
    {
        let query = format!(
            "query($at: String) {{ tasks({list}, {size}: 4, {cursor}: $at) {{ nodes {{ number }} pageInfo {{ {} {} }} }} }}",
            info.0, info.1
        );
        let plan = server.explain(&query, json!({})).await;
        assert!(plan.contains(path), "{list}: no {path}\n{plan}");
        let (mut at, mut walked): (Value, Vec<Vec<i64>>) = (Value::Null, Vec::new());
        loop {
            let page = server.data(&query, json!({ "at": at })).await["tasks"].take();
            walked.push(numbers(&page));
            at = page["pageInfo"][info.1].clone();
            if page["pageInfo"][info.0] == false {
                break;
            }
        }
        if size == "last" {
            walked.reverse();
        }
        assert_eq!(walked.concat(), whole, "{size} {list}\n{plan}");
    }
}

#[test]
fn sorted_streams_are_merged_and_stop_early() {
    run(async {
        let server = open(90, Limits::default()).await;
        for order in
            ["[{ due: ASC }]", "[{ due: DESC }]", "[{ due: ASC }, { id: ASC }]", "[{ due: DESC }, { id: DESC }]"]
        {
            let values = format!(r#"where: {{ owner: {{ in: ["ada", "cid"] }} }}, orderBy: {order}"#);
            walk(&server, &values, "merged from 2 streams").await;
            let either = format!(
                r#"where: {{ or: [{{ owner: {{ eq: "ada" }} }}, {{ state: {{ eq: "open" }} }}] }}, orderBy: {order}"#
            );
            walk(&server, &either, "merged from 2 accesses").await;
            let filtered = format!(
                r#"where: {{ kind: {{ lt: 4 }}, or: [{{ owner: {{ in: ["ada", "bo"] }} }}, {{ state: {{ eq: "done" }} }}] }}, orderBy: {order}"#
            );
            walk(&server, &filtered, "").await;
        }
    });
}

#[test]
fn plans_change_their_mind_when_they_gather_too_much() {
    run(async {
        for gather_max in [0, 1, 7] {
            let server = open(90, Limits { gather_max, ..Limits::default() }).await;
            for filter in [
                r#"state: { eq: "open" }, owner: { eq: "ada" }"#,
                r#"or: [{ kind: { eq: 3 } }, { tags: { has: "u5" } }]"#,
            ] {
                walk(&server, &format!("where: {{ {filter} }}, orderBy: [{{ number: DESC }}]"), "beyond").await;
            }
        }
    });
}

/// A record has an entry for each of its lines: a few records may be more entries than are gathered.
#[test]
fn entries_of_one_record_do_not_hide_that_there_are_more() {
    run(async {
        let schema = r#"type Bill @collection @index(fields: ["lines.code"]) { id: ID! number: Int! lines: [Line!]! }
            type Line { code: String! }"#;
        for gather_max in [0, 1, 3, 7, 19, 20, 59, 60] {
            let server = Server::with(schema, Limits { gather_max, ..Limits::default() }).await;
            let line = |at: i64| json!({ "code": format!("c{}", at % 4) });
            let bill =
                |number: i64| json!({ "number": number, "lines": [line(number), line(number + 1), line(number + 2)] });
            let bills: Vec<Value> = (0..20).map(bill).collect();
            let create = "mutation($data: [BillCreate!]!) { createBills(data: $data) { affectedCount } }";
            server.data(create, json!({ "data": bills })).await;
            let query =
                r#"{ bills(where: { lines: { some: { code: { gte: "c0" } } } }, first: 20) { nodes { number } } }"#;
            let plan = server.explain(query, json!({})).await;
            assert!(plan.contains(&format!("beyond {gather_max} entries instead")), "{plan}");
            let found = server.data(query, json!({})).await;
            assert_eq!(numbers(&found["bills"]).len(), 20, "gathered at most {gather_max}");
        }
    });
}

#[test]
fn writes_of_several_and_relations_reach_the_same_records() {
    run(async {
        let server = open(60, Limits::default()).await;
        let both = r#"state: { eq: "open" }, owner: { eq: "ada" }"#;
        let changed = server
            .data(&format!("mutation {{ updateTasks(where: {{ {both} }}, data: {{ kind: 99 }}, maxAffected: 20) {{ affectedCount }} }}"), json!({}))
            .await;
        assert_eq!(changed["updateTasks"]["affectedCount"], 10);
        let data: Vec<Value> = (0..60)
            .map(|number| json!({ "text": format!("n{}", number % 4), "task": { "connect": { "number": number } } }))
            .collect();
        server
            .data(
                "mutation($data: [NoteCreate!]!) { createNotes(data: $data) { affectedCount } }",
                json!({ "data": data }),
            )
            .await;
        // From notes to tasks and from tasks to notes: through whichever end leads to fewer.
        let query = r#"{
            notes(where: { task: { kind: { eq: 99 }, owner: { eq: "ada" } } }, first: 100) { totalCount }
            tasks(where: { notes: { some: { or: [{ text: { eq: "n1" } }, { text: { eq: "n2" } }] } }, state: { eq: "done" } }) { totalCount }
            none: tasks(where: { notes: { none: { text: { eq: "n1" } } }, state: { eq: "done" }, owner: { eq: "bo" } }) { totalCount }
            every: tasks(where: { notes: { every: { text: { eq: "n1" } } }, state: { eq: "done" }, owner: { eq: "bo" } }) { totalCount }
        }"#;
        let found = server.data(query, json!({})).await;
        assert_eq!(found["notes"]["totalCount"], 10);
        // n1 is 1 modulo 4, n2 is 2: of what is done (odd) only the first.
        assert_eq!(found["tasks"]["totalCount"], 15);
        let odd_of_bo = |fits: fn(i64) -> bool| (0..60).filter(|n| n % 6 == 1 && fits(*n)).count();
        assert_eq!(found["none"]["totalCount"], odd_of_bo(|n| n % 4 != 1));
        assert_eq!(found["every"]["totalCount"], odd_of_bo(|n| n % 4 == 1));
        let gone = server
            .data(r#"mutation { deleteNotes(where: { or: [{ text: { eq: "n1" } }, { text: { eq: "n3" } }] }, maxAffected: 40) { affectedCount } }"#, json!({}))
            .await;
        assert_eq!(gone["deleteNotes"]["affectedCount"], 30);
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}

/// Of two mutations at once that each create a task and list what is like it, one comes first, and the other sees it.
#[test]
fn what_another_creates_meanwhile_is_no_phantom() {
    run(async {
        let server = open(60, Limits::default()).await;
        let lists = [
            ("accesses all lead to", r#"where: { state: { eq: "open" }, owner: { eq: "ada" } }, first: 1000"#),
            ("accesses all lead to", r#"where: { owner: { eq: "ada" }, tags: { has: "u3" } }, first: 1000"#),
            ("accesses leads to", r#"where: { or: [{ kind: { eq: 3 } }, { tags: { has: "u3" } }] }, first: 1000"#),
            (
                "merged from 2 streams",
                r#"where: { state: { in: ["open", "done"] } }, orderBy: [{ due: ASC }], first: 2"#,
            ),
            (
                "merged from 2 streams",
                r#"where: { state: { in: ["open", "done"] } }, orderBy: [{ due: DESC }], last: 2"#,
            ),
        ];
        let mut number = 1_000;
        for (path, list) in lists {
            for _ in 0..5 {
                number += 2;
                let create = |number: i64| {
                    format!(
                        r#"mutation {{ createTask(data: {{ number: {number}, state: "open", owner: "ada", due: {}, tags: ["u3"] }}) {{
                            query {{ tasks({list}) {{ nodes {{ number }} }} }} }} }}"#,
                        -number
                    )
                };
                let plan = server.explain(&create(number), json!({})).await;
                assert!(plan.contains(path), "no {path}\n{plan}");
                let (one, other) = (create(number), create(number + 1));
                let (one, other) = tokio::join!(server.data(&one, json!({})), server.data(&other, json!({})));
                let saw =
                    |answer: &Value, other: i64| numbers(&answer["createTask"]["query"]["tasks"]).contains(&other);
                let seen = [saw(&one, number + 1), saw(&other, number)];
                assert!(seen[0] != seen[1], "{list}: {seen:?}\n{one}\n{other}");
            }
        }
    });
}
