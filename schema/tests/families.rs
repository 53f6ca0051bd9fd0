//! Interfaces and unions: records of several collections in one list, filtered, sorted and paged as one.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};
use vivarium_schema::database::ApplyOptions;

const BLOG: &str = r#"
"What somebody wrote."
interface Authored {
  id: ID!
  "Who it was."
  author: User!
  createdAt: DateTime!
}
type User @collection { id: ID! handle: String! @unique posts: [Post!]! @relation(inverse: "author") comments: [Comment!]! @relation(inverse: "author") }
type Post implements Authored @collection @index(fields: ["createdAt"]) {
  id: ID! author: User! @relation(inverse: "posts") title: String! createdAt: DateTime! stars: Int
  comments: [Comment!]! @relation(inverse: "post")
}
type Comment implements Authored @collection {
  id: ID! author: User! @relation(inverse: "comments") post: Post! @relation(inverse: "comments") text: String! createdAt: DateTime! stars: Int
}
union FeedItem = Post | Comment
"#;

/// Six records: at the hours 0 to 5, alternately of both kinds, by two people.
async fn blog() -> Server {
    let server = Server::open(BLOG).await;
    let users = "mutation { createUsers(data: [{ handle: \"ann\" }, { handle: \"bob\" }]) { affectedCount } }";
    server.data(users, json!({})).await;
    for hour in [3, 0, 5, 2, 1, 4] {
        let who = ["ann", "bob"][hour / 3];
        let common =
            format!("createdAt: \"2026-01-01T0{hour}:00:00Z\", author: {{ connect: {{ handle: \"{who}\" }} }}");
        if hour % 2 == 1 {
            let post = format!(
                "mutation {{ createPost(data: {{ title: \"p{hour}\", stars: {hour}, {common} }}) {{ post {{ id }} }} }}"
            );
            server.data(&post, json!({})).await;
        } else {
            let post = "query { posts(first: 1) { nodes { id } } }";
            let id = server.data(post, json!({})).await["posts"]["nodes"][0]["id"].clone();
            let comment = format!(
                "mutation {{ createComment(data: {{ text: \"c{hour}\", post: {{ connect: {{ id: {id} }} }}, {common} }}) {{ comment {{ id }} }} }}"
            );
            server.data(&comment, json!({})).await;
        }
    }
    server
}

const SHOWN: &str = "__typename ... on Post { name: title } ... on Comment { name: text }";

fn names(list: &Value) -> Vec<&str> {
    list["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
}

#[test]
fn records_of_all_kinds_are_listed_as_one() {
    run(async {
        let server = blog().await;
        let list = async |arguments: &str| {
            let query = format!(
                "{{ authoreds({arguments}) {{ totalCount nodes {{ {SHOWN} }} pageInfo {{ hasNextPage hasPreviousPage }} }} }}"
            );
            server.data(&query, json!({})).await["authoreds"].take()
        };
        let all = list("orderBy: { createdAt: ASC }").await;
        assert_eq!(names(&all), ["c0", "p1", "c2", "p3", "c4", "p5"]);
        assert_eq!(all["nodes"][1]["__typename"], "Post");
        assert_eq!(all["totalCount"], 6);
        let page = list("orderBy: { createdAt: DESC }, first: 2, offset: 1").await;
        assert_eq!(names(&page), ["c4", "p3"]);
        assert_eq!(page["pageInfo"], json!({ "hasNextPage": true, "hasPreviousPage": true }));
        let of_ann = list("where: { author: { handle: { eq: \"ann\" } }, createdAt: { gt: \"2026-01-01T00:30:00Z\" } }, orderBy: [{ author: { handle: DESC } }, { createdAt: DESC }]").await;
        assert_eq!(names(&of_ann), ["c2", "p1"]);
        assert_eq!(of_ann["pageInfo"], json!({ "hasNextPage": false, "hasPreviousPage": false }));
        assert_eq!(names(&list("orderBy: { createdAt: ASC }, last: 2").await), ["c4", "p5"]);
        assert_eq!(names(&list("first: 0").await), Vec::<&str>::new());
        let shared = "{ authoreds(orderBy: { createdAt: ASC }, first: 1) { edges { score node { __typename createdAt author { handle } ... on Node { id } } } } }";
        let shared = server.data(shared, json!({})).await;
        assert_eq!(shared["authoreds"]["edges"][0]["node"]["author"], json!({ "handle": "ann" }));
    });
}

#[test]
fn pages_follow_each_other() {
    run(async {
        let server = blog().await;
        let query = format!(
            "query($after: String, $before: String, $first: Int, $last: Int) {{ feedItems(orderBy: [{{ stars: DESC_NULLS_FIRST }}, {{ createdAt: ASC }}], first: $first, last: $last, after: $after, before: $before) {{ nodes {{ {SHOWN} }} edges {{ cursor }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let expected = ["c0", "c2", "c4", "p5", "p3", "p1"];
        for size in 1..=4 {
            let (mut found, mut after) = (Vec::new(), Value::Null);
            loop {
                let page = server.data(&query, json!({ "first": size, "after": after })).await["feedItems"].take();
                assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!found.is_empty()));
                found.extend(names(&page).into_iter().map(str::to_owned));
                assert_eq!(page["pageInfo"]["hasNextPage"], json!(found.len() < expected.len()));
                after = page["pageInfo"]["endCursor"].clone();
                if found.len() >= expected.len() {
                    break;
                }
            }
            assert_eq!(found, expected);
            let (mut found, mut before) = (Vec::new(), Value::Null);
            while found.len() < expected.len() {
                let page = server.data(&query, json!({ "last": size, "before": before })).await["feedItems"].take();
                before = page["pageInfo"]["startCursor"].clone();
                found.splice(0..0, names(&page).into_iter().map(str::to_owned));
                assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(found.len() < expected.len()));
            }
            assert_eq!(found, expected);
        }
        let cursor = server.data(&query, json!({ "first": 1 })).await["feedItems"]["edges"][0]["cursor"].clone();
        let other = "query($after: String) { feedItems(after: $after) { totalCount } }";
        assert_eq!(server.error(other, json!({ "after": cursor })).await["extensions"]["code"], "INVALID_CURSOR");
        let far = "{ feedItems(offset: 10001) { totalCount } }";
        assert_eq!(server.error(far, json!({})).await["extensions"]["inputPath"], json!(["offset"]));
    });
}

#[test]
fn plans_tell_what_each_kind_is_read_by() {
    run(async {
        let server = blog().await;
        let plan = server
            .explain("{ authoreds(orderBy: { createdAt: ASC }, first: 2) { nodes { author { handle } } } }", json!({}))
            .await;
        insta::assert_snapshot!(plan, @r#"
        query cost=2
          authoreds: Post and Comment merged, first 2
            index createdAt on Post [] in order, rows~10000 cost~15
            scan of all Comment, rows~3 cost~10
            sort by createdAt asc, id asc
            author: User by reference
            author: User by reference
        warning: No index serves the order of "authoreds": every Comment is read. It would be served by @index(fields: ["createdAt"]).
        "#);
        let node = "query($id: ID!) { node(id: $id) { ... on Authored { createdAt } ... on FeedItem { __typename } } }";
        let id =
            server.data("{ posts(first: 1, orderBy: { createdAt: ASC }) { nodes { id } } }", json!({})).await["posts"]
                ["nodes"][0]["id"]
                .clone();
        let found = server.data(node, json!({ "id": id })).await;
        assert_eq!(found["node"], json!({ "createdAt": "2026-01-01T01:00:00Z", "__typename": "Post" }));
    });
}

#[test]
fn families_come_and_go_with_the_schema() {
    run(async {
        let server = blog().await;
        let with_third = format!(
            "{BLOG} type Note implements Authored @collection {{ id: ID! author: User! createdAt: DateTime! }}"
        );
        let changes = server.database.apply_schema(&with_third, ApplyOptions::default()).await.unwrap().changes;
        let told: Vec<String> = changes
            .iter()
            .map(|change| format!("{:?} {}: {}", change.safety, change.coordinate, change.description))
            .collect();
        assert_eq!(
            told,
            [
                "Safe Note: The collection is added.",
                "Safe Authored: Note belongs to it. Cursors of its lists begin anew."
            ]
        );
        // A field that is required from now on is filled first, and shared by all only then.
        let plain = "interface Authored {\n  id: ID!\n";
        let more = BLOG
            .replace(plain, "interface Authored { id: ID! votes: Int!\n")
            .replace("stars: Int\n", "stars: Int votes: Int! @default(value: 7)\n");
        let options = ApplyOptions { force: true, ..ApplyOptions::default() };
        assert_eq!(server.database.apply_schema(&more, options).await.unwrap().backfilled, 6);
        let query = "{ authoreds(where: { votes: { eq: 7 } }) { totalCount nodes { votes } } }";
        assert_eq!(server.data(query, json!({})).await["authoreds"]["totalCount"], json!(6));
        let without = BLOG.replace("union FeedItem = Post | Comment", "");
        server.database.apply_schema(&without, ApplyOptions { force: true, ..ApplyOptions::default() }).await.unwrap();
        let gone = server.error("{ feedItems { totalCount } }", json!({})).await;
        assert_eq!(gone["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    });
}
