//! Schemas that change under data: what is told, what is refused, and that every index equals its documents after.

#![allow(clippy::unwrap_used)]

mod stage;

use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use stage::{DATABASE, Stage, deadline, input, run};
use vivarium_consensus::{CommitOptions, Consistency};
use vivarium_schema::catalog::FieldKind;
use vivarium_schema::database::{Applied, ApplyOptions, Board, Error, Step, apply, resume};
use vivarium_schema::write::Writer;
use vivarium_schema::{Catalog, scalar};
use vivarium_storage::engine::catalog_key;
use vivarium_storage::{Document, DocumentId, Space, ValueRef, key};

const BEFORE: &str = r#"
type Person @collection {
  id: ID!
  name: String!
  nick: String
  age: Int
  state: State! @default(value: NEW)
  home: Home
  pets: [Pet!]! @relation(inverse: "owner", onDelete: SET_NULL)
  friends: [Person!]!
}
type Home { street: String! zip: String }
enum State { NEW OLD }
type Pet @collection { id: ID! name: String! @unique owner: Person @relation(inverse: "pets") }
"#;

fn changed(from: &str, to: &str) -> String {
    assert!(BEFORE.contains(from), "{from}");
    BEFORE.replace(from, to)
}

/// A stage with three people and their pets.
async fn stage() -> (Stage, Vec<DocumentId>) {
    let stage = Stage::open(BEFORE).await;
    let mut ids = Vec::new();
    for (name, nick) in [("Ann", Some("a")), ("Bob", None), ("Cid", None)] {
        let data = json!({ "name": name, "nick": nick, "age": 7, "home": { "street": "Main", "zip": null } });
        ids.push(create(&stage, "Person", data).await);
    }
    for name in ["Rex", "Tom"] {
        create(&stage, "Pet", json!({ "name": name, "owner": { "connect": { "id": id(&stage, ids[0]) } } })).await;
    }
    (stage, ids)
}

fn id(stage: &Stage, document: DocumentId) -> String {
    vivarium_schema::GlobalId { collection: stage.collection("Person").id, document }.to_string()
}

async fn create(stage: &Stage, collection: &str, data: Json) -> DocumentId {
    let collection = stage.collection(collection);
    let data = input(data);
    stage.write(async |writer: &mut Writer<'_>| writer.create_one(collection, &data, &[]).await).await.unwrap()
}

async fn applied(stage: &mut Stage, sdl: &str, options: ApplyOptions) -> Result<Applied, Error> {
    let applied = apply(&stage.node, DATABASE, &Board::default(), sdl, options).await;
    stage.catalog = catalog(stage).await;
    assert_eq!(stage.problems().await, Vec::<String>::new(), "indexes equal documents after any change");
    let left = stage.rows(Space::Meta, vivarium_storage::KeyRange::prefix(&[6])).await;
    assert!(left.is_empty(), "no work is left behind");
    applied
}

async fn catalog(stage: &Stage) -> Catalog {
    let mut transaction = stage.node.begin(Consistency::Strong, deadline()).await.unwrap();
    let cell = transaction.get_many(Space::Meta, &[catalog_key(DATABASE)]).await.unwrap().remove(0).unwrap();
    serde_json::from_slice(&cell.value).unwrap()
}

/// What an application says, one line a change; ids of records are left out.
async fn told(sdl: &str, options: ApplyOptions) -> String {
    let (mut stage, ids) = stage().await;
    let text = match applied(&mut stage, sdl, options).await {
        Ok(Applied { version, changes, backfilled }) => {
            let lines = changes
                .iter()
                .map(|change| format!("{:?} {}: {}\n", change.safety, change.coordinate, change.description));
            format!("{}version {version}, {backfilled} backfilled", lines.collect::<String>())
        }
        Err(error) => error.to_string(),
    };
    ids.iter().enumerate().fold(text, |text, (at, document)| text.replace(&id(&stage, *document), &format!("#{at}")))
}

async fn plain(sdl: &str) -> String {
    told(sdl, ApplyOptions::default()).await
}

async fn forced(sdl: &str) -> String {
    told(sdl, ApplyOptions { force: true, ..ApplyOptions::default() }).await
}

/// A field of each person, as clients see it.
async fn column(stage: &Stage, name: &str) -> Vec<String> {
    let collection = stage.collection("Person");
    let field = collection.field_named(name).unwrap();
    let rows = stage.rows(Space::Document, key::documents(DATABASE, collection.id)).await;
    let text = |cell: &vivarium_storage::Cell| match (field.kind, Document::open(&cell.value).unwrap().field(field.id))
    {
        (_, ValueRef::Null) => "null".to_owned(),
        (FieldKind::Scalar(kind), value) => {
            let mut out = Vec::new();
            scalar::write_json(kind, value, &mut out);
            String::from_utf8(out).unwrap()
        }
        (_, value) => format!("{:?}", value.to_value()),
    };
    rows.iter().map(|(_, cell)| text(cell)).collect()
}

#[test]
fn safe_changes_touch_no_document() {
    run(async {
        assert_snapshot!(plain(BEFORE).await, @"version 1, 0 backfilled");
        assert_snapshot!(plain(&format!("# Hello\n{BEFORE}")).await, @r#"
Safe schema: The text changes, its meaning does not.
version 2, 0 backfilled
"#);
        assert_snapshot!(plain(&changed("  age: Int\n", "  age: Int\n  shoe: Int @default(value: 3)\n")).await, @r#"
Safe Person.shoe: The field is added.
version 2, 0 backfilled
"#);
        assert_snapshot!(plain(&changed("NEW OLD }", "NEW OLD ELDER }")).await, @r#"
Safe State.ELDER: The value is added.
version 2, 0 backfilled
"#);
        assert_snapshot!(plain(&format!("{BEFORE} type Car @collection {{ id: ID! plate: String! @unique }}")).await, @r#"
Safe Car: The collection is added.
version 2, 0 backfilled
"#);
    });
}

#[test]
fn indexes_are_written_for_what_is_there() {
    run(async {
        assert_snapshot!(plain(&changed("  name: String!\n", "  name: String! @unique\n")).await, @r#"
NeedsBackfill Person: The unique key name is added. Its entries are written; the change is refused if two records have the same.
version 2, 3 backfilled
"#);
        assert_snapshot!(plain(&changed("  age: Int\n", "  age: Int @index\n")).await, @r#"
NeedsBackfill Person: The index age is added. Its entries are written.
version 2, 3 backfilled
"#);
        assert_snapshot!(plain(&changed("  nick: String\n", "  nick: String @unique\n")).await, @r#"
NeedsBackfill Person: The unique key nick is added. Its entries are written; the change is refused if two records have the same.
version 2, 3 backfilled
"#);
        assert_snapshot!(plain(&changed("  age: Int\n", "  age: Int\n  boss: Person\n")).await, @r#"
NeedsBackfill Person.boss: The relation is added. Its index is written.
version 2, 3 backfilled
"#);
    });
}

#[test]
fn a_unique_key_that_two_records_share_is_refused_and_taken_back() {
    run(async {
        let (mut stage, ids) = stage().await;
        let wish = changed("  age: Int\n", "  age: Int @unique\n");
        let Err(Error::Refused(sentence)) = applied(&mut stage, &wish, ApplyOptions::default()).await else { panic!() };
        assert!(sentence.contains(&id(&stage, ids[0])) && sentence.contains(&id(&stage, ids[1])), "{sentence}");
        assert_eq!((stage.catalog.version, stage.catalog.sdl.as_str()), (1, BEFORE));
        // Numbers that the failed try took are not given to anything else.
        let again = applied(&mut stage, &changed("  age: Int\n", "  age: Int @index\n"), ApplyOptions::default()).await;
        assert_eq!(again.unwrap().version, 2);
        let indexes = &stage.collection("Person").indexes;
        assert!(indexes.iter().all(|index| index.ready) && indexes.last().unwrap().id.0 > 5, "{indexes:?}");
    });
}

#[test]
fn breaking_changes_need_force() {
    run(async {
        assert_snapshot!(plain(&changed("  age: Int\n", "")).await, @"The change is breaking; nothing was applied. Apply it with force if this is meant: Person.age: The field is removed. Its values can no longer be read.");
        assert_snapshot!(forced(&changed("  age: Int\n", "")).await, @r#"
Breaking Person.age: The field is removed. Its values can no longer be read.
version 2, 0 backfilled
"#);
        assert_snapshot!(forced(&changed("  age: Int\n", "  age: String\n")).await, @r#"
Breaking Person.age: The type changes from Int to String. Values are not carried over: they read as null.
version 2, 0 backfilled
"#);
        assert_snapshot!(forced(&changed("  age: Int\n", "  age: BigInt\n")).await, @r#"
Breaking Person.age: The type changes from Int to BigInt. Values stay as they are.
version 2, 0 backfilled
"#);
        assert_snapshot!(forced(&changed("  age: Int\n", "  years: Int @rename(from: \"age\")\n")).await, @r#"
Breaking Person.years: The field is renamed from age. Its values stay; operations that name it have to change.
version 2, 0 backfilled
"#);
        assert_snapshot!(forced(&changed("name: String! @unique owner", "name: String! owner")).await, @r#"
Breaking Pet: The unique key name is removed: records cannot be named by it any more.
version 2, 0 backfilled
"#);
        assert_snapshot!(forced(&changed("NEW OLD }", "NEW ANCIENT @rename(from: \"OLD\") }")).await, @r#"
Breaking State.ANCIENT: The value is renamed from OLD. Records that hold it keep it.
version 2, 0 backfilled
"#);
        assert_snapshot!(forced(&changed("friends: [Person!]!", "pals: [Person!]! @rename(from: \"friends\")")).await, @r#"
Breaking Person.pals: The field is renamed from friends. Its values stay; operations that name it have to change.
version 2, 0 backfilled
"#);
    });
}

#[test]
fn required_fields_are_filled_or_refused() {
    run(async {
        assert_snapshot!(forced(&changed("  age: Int\n", "  age: Int\n  shoe: Int!\n")).await, @"The data does not fit the schema; nothing was applied. Person #0 has no shoe, which is required now: give it one first, or declare a @default.");
        assert_snapshot!(plain(&changed("  age: Int\n", "  age: Int\n  shoe: Int! @default(value: 42) @index\n")).await, @r#"
NeedsBackfill Person.shoe: The field is added. Records that are there get the default.
NeedsBackfill Person: The index shoe is added. Its entries are written.
version 2, 3 backfilled
"#);
        assert_snapshot!(forced(&changed("  nick: String\n", "  nick: String!\n")).await, @"The data does not fit the schema; nothing was applied. Person #1 has no nick, which is required now: give it one first, or declare a @default.");
        assert_snapshot!(plain(&changed("  nick: String\n", "  nick: String! @default(value: \"none\")\n")).await, @r#"
NeedsBackfill Person.nick: The type changes from String to String!. Records without a value get the default.
Safe Person.nick: The default changes for records that are created from now on.
version 2, 2 backfilled
"#);
        assert_snapshot!(plain(&changed("zip: String }", "zip: String! @default(value: \"0\") floor: Int! @default(value: 1) }")).await, @r#"
NeedsBackfill Home.zip: The type changes from String to String!. Records without a value get the default.
Safe Home.zip: The default changes for records that are created from now on.
NeedsBackfill Home.floor: The field is added. Records that are there get the default.
version 2, 3 backfilled
"#);
        assert_snapshot!(forced(&changed("zip: String }", "zip: String! }")).await, @"The data does not fit the schema; nothing was applied. Person #0 has no zip, which is required now: give it one first, or declare a @default. This is inside home.");
        assert_snapshot!(forced(&changed("NEW OLD }", "OLD }").replace("value: NEW", "value: OLD")).await, @"The data does not fit the schema; nothing was applied. Person #0 holds a value in state that the enum no longer has.");
        assert_snapshot!(plain(&changed("  age: Int\n", "  age: Int @check(expr: { lt: 5 }, message: \"Too old.\")\n")).await, @"The data does not fit the schema; nothing was applied. Person #0 breaks a @check of Person.age: Too old.");
        assert_snapshot!(plain(&changed("  age: Int\n", "  age: Int @check(expr: { lt: 50 })\n")).await, @r#"
NeedsBackfill Person.age: A @check is added. Records are looked through, and the change is refused if one breaks it.
version 2, 0 backfilled
"#);
    });
}

#[test]
fn filled_values_are_there_and_indexed() {
    run(async {
        let (mut stage, _) = stage().await;
        let wish = changed(
            "  nick: String\n",
            "  nick: String! @default(value: \"none\") @index\n  seen: DateTime! @updatedAt\n",
        );
        applied(&mut stage, &wish, ApplyOptions::default()).await.unwrap();
        assert_eq!(column(&stage, "nick").await, ["\"a\"", "\"none\"", "\"none\""]);
        assert!(column(&stage, "seen").await.iter().all(|seen| seen.starts_with("\"20")));
    });
}

#[test]
fn renames_keep_values_and_links() {
    run(async {
        let (mut stage, _) = stage().await;
        let people = stage.collection("Person").id;
        let wish = BEFORE
            .replace("Person", "Human")
            .replace("type Human @collection", "type Human @collection @rename(from: \"Person\")");
        let wish = wish.replace("  name: String!\n", "  title: String! @rename(from: \"name\")\n");
        applied(&mut stage, &wish, ApplyOptions { force: true, ..ApplyOptions::default() }).await.unwrap();
        assert_eq!(stage.collection("Human").id, people);
        let field = stage.collection("Human").field_named("title").unwrap().id;
        let rows = stage.rows(Space::Document, key::documents(DATABASE, people)).await;
        let titles: Vec<_> =
            rows.iter().map(|(_, cell)| Document::trusted(&cell.value).field(field).to_value()).collect();
        assert_eq!(format!("{titles:?}"), r#"[String("Ann"), String("Bob"), String("Cid")]"#);
        // The directive may stay: what is renamed already is not renamed again.
        let again = applied(&mut stage, &format!("{wish}\n# later"), ApplyOptions::default()).await.unwrap();
        assert_eq!(again.changes.len(), 1);
        assert_eq!(stage.collection("Human").id, people);
    });
}

#[test]
fn what_is_removed_leaves_nothing_behind() {
    run(async {
        let (mut stage, _) = stage().await;
        let pets = stage.collection("Pet").id;
        let wish = changed("  pets: [Pet!]! @relation(inverse: \"owner\", onDelete: SET_NULL)\n", "");
        let wish = &wish[..wish.find("type Pet").unwrap()];
        applied(&mut stage, wish, ApplyOptions { force: true, ..ApplyOptions::default() }).await.unwrap();
        assert!(stage.rows(Space::Document, key::documents(DATABASE, pets)).await.is_empty());
        let people = stage.collection("Person").id;
        assert_eq!(stage.rows(Space::Document, key::documents(DATABASE, people)).await.len(), 3);
        let owners: Vec<u32> = stage.collection("Person").indexes.iter().map(|index| index.id.0).collect();
        let everything = vivarium_storage::KeyRange { start: Box::new([0]), end: Box::new([255]) };
        for (row, _) in stage.rows(Space::Index, everything).await {
            let index = u32::from_be_bytes(row[4..8].try_into().unwrap());
            assert!(owners.contains(&index), "an entry of index {index} is left");
        }
    });
}

#[test]
fn a_dry_run_and_a_wrong_version_change_nothing() {
    run(async {
        let (mut stage, _) = stage().await;
        let wish = changed("  age: Int\n", "  age: String\n");
        let dry = applied(&mut stage, &wish, ApplyOptions { dry_run: true, ..ApplyOptions::default() }).await.unwrap();
        assert_eq!((dry.version, dry.changes.len(), stage.catalog.version), (2, 1, 1));
        let twins = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
        let wish_unique = changed("  age: Int\n", "  age: Int @unique\n");
        let Err(Error::Refused(sentence)) = applied(&mut stage, &wish_unique, twins).await else { panic!() };
        assert!(sentence.contains("have the same age"), "{sentence}");
        let wrong = ApplyOptions { expected_version: Some(4), force: true, ..ApplyOptions::default() };
        let Err(Error::VersionMismatch { expected: 4, found: 1 }) = applied(&mut stage, &wish, wrong).await else {
            panic!()
        };
        let Err(Error::Schema(errors)) = applied(&mut stage, "type", ApplyOptions::default()).await else { panic!() };
        assert_eq!(errors.len(), 1);
    });
}

#[test]
fn many_documents_are_filled_in_batches() {
    run(async {
        let mut stage = Stage::open(BEFORE).await;
        let collection = stage.collection("Person");
        for chunk in 0..4 {
            let people = (0..250).map(|at| input(json!({ "name": format!("p{chunk}-{at}") }))).collect::<Vec<_>>();
            stage.write(async |writer: &mut Writer<'_>| writer.create(collection, &people, &[]).await).await.unwrap();
        }
        let wish = changed("  name: String!\n", "  name: String! @unique\n  shoe: Int! @default(value: 42)\n");
        let done = applied(&mut stage, &wish, ApplyOptions::default()).await.unwrap();
        assert_eq!(done.backfilled, 1000);
        assert!(column(&stage, "shoe").await.iter().all(|shoe| shoe == "42"));
    });
}

#[test]
fn a_change_says_how_far_it_is() {
    run(async {
        let stage = Stage::open(BEFORE).await;
        let collection = stage.collection("Person");
        for chunk in 0..3 {
            let people = (0..200).map(|at| input(json!({ "name": format!("p{chunk}-{at}") }))).collect::<Vec<_>>();
            stage.write(async |writer: &mut Writer<'_>| writer.create(collection, &people, &[]).await).await.unwrap();
        }
        let wish = changed("  name: String!\n", "  name: String! @unique\n  shoe: Int! @default(value: 42)\n");
        let (board, mut seen) = (Board::default(), Vec::new());
        let mut applying = std::pin::pin!(apply(&stage.node, DATABASE, &board, &wish, ApplyOptions::default()));
        std::future::poll_fn(|context| {
            let polled = applying.as_mut().poll(context);
            if let Some(progress) = board.read() {
                assert_eq!((progress.collection.as_str(), progress.of.rows, progress.of.whole), ("Person", 600, true));
                let state = (progress.step, progress.records);
                if seen.last() != Some(&state) {
                    seen.push(state);
                }
            }
            polled
        })
        .await
        .unwrap();
        let steps = |step| seen.iter().filter(|(at, _)| *at == step).map(|(_, records)| *records).collect::<Vec<_>>();
        assert_eq!(steps(Step::Fill), [0, 256, 512, 600]);
        assert_eq!(steps(Step::Check), [256, 512, 600]);
    });
}

#[test]
fn an_interrupted_change_is_finished_when_the_database_opens() {
    run(async {
        let (mut stage, _) = stage().await;
        let wish = changed("  age: Int\n", "  age: Int @index\n  shoe: Int! @default(value: 42)\n");
        let board = Board::default();
        // The future is dropped at each of its suspensions in turn, as a crash would end it.
        for steps in 1.. {
            let mut applying = std::pin::pin!(apply(&stage.node, DATABASE, &board, &wish, ApplyOptions::default()));
            let mut left = steps;
            let done = std::future::poll_fn(|context| {
                left -= 1;
                match applying.as_mut().poll(context) {
                    std::task::Poll::Ready(applied) => std::task::Poll::Ready(Some(applied)),
                    std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            })
            .await;
            if let Some(done) = done {
                done.unwrap();
                break;
            }
            resume(&stage.node, DATABASE, &board).await.unwrap();
        }
        applied(&mut stage, &wish, ApplyOptions::default()).await.unwrap();
        assert_eq!(stage.catalog.version, 2);
        assert_eq!(column(&stage, "shoe").await, ["42", "42", "42"]);
        // What commits after the drop is not lost either: the same schema again says so.
        let mut transaction = stage.node.begin(Consistency::Strong, deadline()).await.unwrap();
        transaction.put(Space::KeyValue, Box::new([1]), vec![1]);
        transaction.commit(CommitOptions::default(), deadline()).await.unwrap();
    });
}
