//! What a client is told when an operation is wrong: the code, the place, the way out.

#![allow(clippy::unwrap_used)]

mod server;
mod shop;

use serde_json::{Value, json};
use server::{Server, json as body, request, run};
use vivarium_schema::plan::Limits;
use vivarium_schema::{Code, Request};

/// The code of the first error, and whether nothing was executed.
async fn code(server: &Server, query: &str, variables: Value) -> (String, bool) {
    let response = server.send(request(query, variables)).await;
    let answer = body(&response);
    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("no error").to_owned();
    assert_eq!(answer.get("data").is_none(), response.refused.is_some(), "{answer:#}");
    (code, response.refused.is_some())
}

async fn input_path(server: &Server, query: &str, variables: Value) -> Value {
    let error = server.error(query, variables).await;
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{error:#}");
    error["extensions"]["inputPath"].clone()
}

#[test]
fn documents_that_are_not_graphql() {
    run(async {
        let server = shop::open().await;
        let cases = [
            ("", "GRAPHQL_PARSE_FAILED"),
            ("{ customers { nodes { name }", "GRAPHQL_PARSE_FAILED"),
            ("{ customers { nope } }", "GRAPHQL_VALIDATION_FAILED"),
            ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
            (
                "mutation { deleteOrder(by: { number: 1 }) { query { __schema { queryType { name } } } } }",
                "GRAPHQL_VALIDATION_FAILED",
            ),
            ("subscription { customers { nodes { name } } }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ customer(by: { email: \"a@b.c\", customerNo: 1 }) { name } }", "GRAPHQL_VALIDATION_FAILED"),
        ];
        for (query, wanted) in cases {
            assert_eq!(code(&server, query, json!({})).await, (wanted.to_owned(), true), "{query}");
        }
        let error = server.error("{\n  customers { nope }\n}", json!({})).await;
        assert_eq!(error["locations"], json!([{ "line": 2, "column": 15 }]));
        let named = Request {
            operation_name: Some("B".to_owned()),
            ..request("query A { a: __typename } query B { b: __typename }", json!({}))
        };
        assert_eq!(body(&server.send(named).await)["data"], json!({ "b": "Query" }));
        let get = Request {
            read_only: true,
            ..request("mutation { deleteOrder(by: { number: 1 }) { deletedId } }", json!({}))
        };
        assert_eq!(server.send(get).await.refused, Some(Code::OperationNotAllowed));
    });
}

#[test]
fn who_writes_before_anything_is_declared_is_told_what_to_do() {
    run(async {
        let server = Server::open("").await;
        let error = server.error("mutation { createTask(data: { title: \"a\" }) { task { id } } }", json!({})).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("vivarium schema apply"), "{message}");
    });
}

#[test]
fn filters_that_say_nothing_are_refused() {
    run(async {
        let server = shop::open().await;
        let list = |filter: &str| format!("{{ customers(where: {filter}) {{ nodes {{ name }} }} }}");
        for (filter, path) in [
            ("{}", json!(["where"])),
            ("{ name: {} }", json!(["where", "name"])),
            ("{ name: { eq: null } }", json!(["where", "name", "eq"])),
            ("{ name: { ignoreCase: true } }", json!(["where", "name"])),
            ("{ or: [] }", json!(["where", "or"])),
            ("{ and: [{ name: { eq: \"a\" } }, {}] }", json!(["where", "and", 1])),
            ("{ orders: { some: {} } }", json!(["where", "orders", "some"])),
            ("{ name: { regex: \"(\" } }", json!(["where", "name", "regex"])),
            ("{ birthday: { eq: \"yesterday\" } }", json!(["where", "birthday", "eq"])),
        ] {
            assert_eq!(input_path(&server, &list(filter), json!({})).await, path, "{filter}");
        }
        let query = "query($name: String) { customers(where: { name: { eq: $name, ne: \"x\" } }) { nodes { name } } }";
        assert_eq!(input_path(&server, query, json!({})).await, json!(["where", "name", "eq"]));
        assert_eq!(input_path(&server, query, json!({ "name": null })).await, json!(["where", "name", "eq"]));
        let absent = "{ categories(where: { isNull: true }) { totalCount } }";
        assert_eq!(input_path(&server, absent, json!({})).await, json!(["where", "isNull"]));
        let whole = "query($where: CustomerWhere) { customers(where: $where) { totalCount } }";
        assert_eq!(server.data(whole, json!({})).await, json!({ "customers": { "totalCount": 5 } }));
        assert_eq!(server.data(whole, json!({ "where": null })).await, json!({ "customers": { "totalCount": 5 } }));
    });
}

#[test]
fn regexes_that_would_cost_too_much_are_refused() {
    run(async {
        let server = shop::open().await;
        let list = |filter: &str| format!("{{ customers(where: {filter}) {{ nodes {{ name }} }} }}");
        let one = |pattern: &str| list(&format!("{{ name: {{ regex: \"{pattern}\" }} }}"));
        let path = json!(["where", "name", "regex"]);
        for bomb in ["((((a{1,100}){1,100}){1,100}){1,100}){1,100}", r"\\w{1000}{1000}", &"a".repeat(1_001)] {
            assert_eq!(input_path(&server, &one(bomb), json!({})).await, path, "{bomb}");
        }
        // What takes for ever elsewhere is linear here.
        let slow = one("^(a+)+(a|aa)+(.*a){12}$");
        assert_eq!(server.data(&slow, json!({})).await, json!({ "customers": { "nodes": [] } }));
        let many = vec!["{ name: { regex: \"a\" } }"; 17].join(", ");
        let path = json!(["where", "or", 16, "name", "regex"]);
        assert_eq!(input_path(&server, &list(&format!("{{ or: [{many}] }}")), json!({})).await, path);
    });
}

#[test]
fn variables_are_told_where_they_do_not_fit() {
    run(async {
        let server = shop::open().await;
        let query = "query($n: Int!, $where: CustomerWhere) { customers(first: $n, where: $where) { nodes { name } } }";
        for (variables, path) in [
            (json!({}), json!(["n"])),
            (json!({ "n": null }), json!(["n"])),
            (json!({ "n": "1" }), json!(["n"])),
            (json!({ "n": 1, "where": { "nope": 1 } }), json!(["where", "nope"])),
            (
                json!({ "n": 1, "where": { "status": { "in": ["ACTIVE", "LOST"] } } }),
                json!(["where", "status", "in", 1]),
            ),
            (json!({ "n": 1, "where": { "birthday": { "eq": "soon" } } }), json!(["where", "birthday", "eq"])),
        ] {
            assert_eq!(input_path(&server, query, variables.clone()).await, path, "{variables}");
        }
        assert!(server.ask(query, json!({ "n": 1.0, "more": true })).await.get("errors").is_none());
        let broken = Request { variables: Some("[1]".to_owned()), ..request(query, json!({})) };
        assert_eq!(server.send(broken).await.refused, Some(Code::BadUserInput));
        let one_of = "query($by: CustomerKey!) { customer(by: $by) { name } }";
        assert_eq!(input_path(&server, one_of, json!({ "by": {} })).await, json!(["by"]));
    });
}

#[test]
fn what_is_wrong_with_written_data_is_told_where_it_stands() {
    run(async {
        let server = shop::open().await;
        for (data, field, path) in [
            ("{ email: \"no\", name: \"A\" }", "createCustomer", json!(["data", "email"])),
            (
                "[{ email: \"a@b.org\", name: \"A\" }, { email: \"no\", name: \"B\" }]",
                "createCustomers",
                json!(["data", 1, "email"]),
            ),
        ] {
            let query = format!("mutation {{ made: {field}(data: {data}) {{ commit {{ version }} }} }}");
            assert_eq!(input_path(&server, &query, json!({})).await, path);
            assert_eq!(server.error(&query, json!({})).await["path"], json!(["made"]));
        }
        let empty = server.data("mutation { createCustomers(data: []) { affectedCount } }", json!({})).await;
        assert_eq!(empty["createCustomers"]["affectedCount"], 0);
        let stale = "query @consistency(level: STALE) { customers { totalCount } }";
        assert_eq!(server.data(stale, json!({})).await["customers"]["totalCount"], 5);
        let within =
            "query ($age: Duration) @consistency(level: STALE, maxStaleness: $age) { customers { totalCount } }";
        for age in [json!("PT5S"), json!(null)] {
            assert_eq!(server.data(within, json!({ "age": age })).await["customers"]["totalCount"], 5);
        }
        for age in ["-PT5S", "soon"] {
            assert_eq!(server.error(within, json!({ "age": age })).await["extensions"]["code"], "BAD_USER_INPUT");
        }
    });
}

#[test]
fn pages_have_rules() {
    run(async {
        let server = shop::open().await;
        let page =
            |arguments: &str| format!("{{ customers({arguments}) {{ nodes {{ name }} pageInfo {{ endCursor }} }} }}");
        for (arguments, wanted) in [
            ("first: 1001", "PAGE_TOO_LARGE"),
            ("last: 1001", "PAGE_TOO_LARGE"),
            ("first: -1", "BAD_USER_INPUT"),
            ("offset: -1", "BAD_USER_INPUT"),
            ("first: 1, last: 1", "BAD_USER_INPUT"),
            ("after: \"nonsense\"", "INVALID_CURSOR"),
            ("after: \"\"", "INVALID_CURSOR"),
        ] {
            assert_eq!(code(&server, &page(arguments), json!({})).await, (wanted.to_owned(), true), "{arguments}");
        }
        let first = server.data(&page("first: 1, orderBy: { name: ASC }"), json!({})).await;
        let cursor = first["customers"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
        let same = page(&format!("first: 1, orderBy: {{ name: ASC }}, after: \"{cursor}\""));
        assert_eq!(server.data(&same, json!({})).await["customers"]["nodes"], json!([{ "name": "Bo" }]));
        let other = page(&format!("first: 1, orderBy: {{ name: DESC }}, after: \"{cursor}\""));
        assert_eq!(code(&server, &other, json!({})).await, ("INVALID_CURSOR".to_owned(), true));
        let cut = page(&format!("first: 1, orderBy: {{ name: ASC }}, after: \"{}\"", &cursor[..cursor.len() - 24]));
        assert_eq!(code(&server, &cut, json!({})).await, ("INVALID_CURSOR".to_owned(), true));
    });
}

#[test]
fn limits_are_kept_before_anything_is_read() {
    run(async {
        let limits = Limits {
            aliases_max: 2,
            directives_max: 2,
            root_fields_max: 3,
            depth_max: 4,
            tokens_max: 100,
            cost_max: 500,
            ..Limits::default()
        };
        let server = shop::with(limits).await;
        let too_complex = [
            "{ a: __typename b: __typename c: __typename }".to_owned(),
            "{ __typename @skip(if: false) @include(if: true) ... @include(if: true) { __typename } }".to_owned(),
            "{ customers { totalCount } orders { totalCount } products { totalCount } reviews { totalCount } }"
                .to_owned(),
            "{ customers { nodes { orders { nodes { number } } } } }".to_owned(),
            format!("{{ {} }}", "__typename ".repeat(100)),
            "{ customers(first: 10) { nodes { orders(first: 50) { totalCount } } } }".to_owned(),
        ];
        for query in too_complex {
            assert_eq!(code(&server, &query, json!({})).await, ("QUERY_TOO_COMPLEX".to_owned(), true), "{query}");
        }
        let refusing = shop::with(Limits { refuse_scans: true, ..Limits::default() }).await;
        let scan = "{ products(where: { description: { isNull: true } }) { totalCount } }";
        assert_eq!(code(&refusing, scan, json!({})).await, ("QUERY_TOO_COMPLEX".to_owned(), true));
        let deep = format!("{{ customers(where: {}{}) {{ totalCount }} }}", "{ not: ".repeat(200), "}".repeat(200));
        assert_eq!(code(&refusing, &deep, json!({})).await, ("QUERY_TOO_COMPLEX".to_owned(), true));
    });
}

#[test]
fn a_mutation_fails_as_a_whole() {
    run(async {
        let server = shop::open().await;
        let query = r#"mutation {
          a: updateCustomer(by: { email: "ada@example.org" }, data: { name: "Anna" }) { customer { name } }
          b: updateCustomer(by: { email: "none@example.org" }, data: { name: "x" }) { customer { name } }
        }"#;
        let answer = server.ask(query, json!({})).await;
        assert_eq!(answer["data"], Value::Null);
        let error = &answer["errors"][0];
        assert_eq!(error["path"], json!(["b"]));
        assert_eq!(error["extensions"]["code"], "NOT_FOUND");
        assert_eq!(error["extensions"]["type"], "Customer");
        assert_eq!(error["extensions"]["key"], json!({ "email": "none@example.org" }));
        let ada = server.data("{ customer(by: { email: \"ada@example.org\" }) { name } }", json!({})).await;
        assert_eq!(ada["customer"]["name"], "Ada");
        for (field, wanted) in [
            (
                "createCustomer(data: { email: \"ada@example.org\", name: \"Two\" }) { customer { name } }",
                "UNIQUE_VIOLATION",
            ),
            ("deleteCustomer(by: { email: \"ada@example.org\" }) { deletedId }", "REFERENCE_VIOLATION"),
            (
                "updateCustomer(by: { email: \"ada@example.org\" }, data: { loyaltyPoints: -1 }) { customer { name } }",
                "CHECK_VIOLATION",
            ),
            (
                "updateCustomer(by: { email: \"ada@example.org\" }, data: { email: \"no\" }) { customer { name } }",
                "BAD_USER_INPUT",
            ),
            (
                "updateCustomer(by: { email: \"ada@example.org\" }, data: { name: \"x\" }, if: { loyaltyPoints: { gt: 99 } }) { customer { name } }",
                "PRECONDITION_FAILED",
            ),
            (
                "updateCustomer(by: { email: \"ada@example.org\" }, data: { name: \"x\" }, ifVersion: \"0000000000000001\") { customer { name } }",
                "PRECONDITION_FAILED",
            ),
        ] {
            assert_eq!(
                code(&server, &format!("mutation {{ {field} }}"), json!({})).await,
                (wanted.to_owned(), false),
                "{field}"
            );
        }
    });
}
