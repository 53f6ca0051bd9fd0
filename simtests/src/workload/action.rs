//! One thing that a client does, as data, as a GraphQL request, and what came back.
//!
//! The documents are few and everything else is a variable, so that the plan cache is used as an application uses it.

use super::rows::Operation;
use super::schema_change;
use super::task::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The fields of an item that answers show.
macro_rules! item_parts {
    () => {
        "tag kind rank note price marks size { width height } box { tag } \
         labels(first: 50, orderBy: [{ slug: ASC }]) { nodes { slug } }"
    };
}

/// An item to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewItem {
    /// Its unique name.
    pub tag: String,
    /// Its kind.
    pub kind: String,
    /// Its rank.
    pub rank: i64,
    /// Its note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// Its marks.
    pub marks: Vec<String>,
    /// The width of its size; the height is one more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
    /// The box that it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#box: Option<String>,
    /// Its labels.
    pub labels: Vec<String>,
}

/// What becomes of an item's box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoxLink {
    /// It lies in this one.
    Connect(String),
    /// It lies in none.
    Disconnect,
}

/// A change of an item; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ItemChange {
    /// Another kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Another rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<i64>,
    /// Another note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// No note any more; wins over `note`.
    pub clears_note: bool,
    /// Another price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// Other marks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marks: Option<Vec<String>>,
    /// Another box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#box: Option<BoxLink>,
    /// Labels that it gets.
    pub connects: Vec<String>,
    /// Labels that it loses.
    pub disconnects: Vec<String>,
}

/// Where in a walk over pages a page stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PagePlace {
    /// The cursor at the end of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Records on the pages before.
    #[serde(default)]
    pub skip: u64,
    /// The version that the first page was read at: all others must be too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the documents below say what each does")]
pub enum Action {
    CreateItem { item: NewItem },
    CreateItems { items: Vec<NewItem> },
    UpdateItem { tag: String, change: ItemChange },
    UpdatePair { left: String, right: String, rank: i64 },
    DeleteItem { tag: String },
    CreateBox { tag: String, room: String, shelf: i64 },
    DeleteBox { tag: String },
    CreateLabel { slug: String },
    DeleteLabel { slug: String },
    CreateTicket { text: String, item: String },
    ReadItem { tag: String },
    ListByKind { kind: String, first: u64 },
    Page { kind: String, first: u64, place: PagePlace },
    ListByMark { mark: String },
    ListByRank { least: i64, most: i64 },
    ReadBox { tag: String },
    ReadLabel { slug: String },
    CountItems,
    Task(Task),
    Rows(Operation),
    Schema(schema_change::Task),
}

impl Action {
    /// True when it writes.
    pub fn is_mutation(&self) -> bool {
        match self {
            Action::Rows(operation) => operation.writes(),
            Action::Schema(task) => task.writes(),
            _ => self.document().starts_with("mutation"),
        }
    }

    /// The version that it must be read at, when it belongs to something that was begun before.
    pub fn pinned_at(&self) -> Option<u64> {
        match self {
            Action::Page { place, .. } => place.at,
            Action::Rows(operation) => operation.pinned_at(),
            _ => None,
        }
    }

    /// True when it can be refused for what the schema has not: the client does not know what is declared.
    pub fn depends_on_schema(&self) -> bool {
        matches!(self, Action::Schema(_))
    }

    /// The declaration that it is: its number, and what comes or goes.
    pub fn declares(&self) -> Option<(u64, Vec<schema_change::Feature>)> {
        match self {
            Action::Schema(schema_change::Task::Declare { number, toggles }) => Some((*number, toggles.clone())),
            _ => None,
        }
    }

    /// Its kind: what it does without the values that it does it with.
    pub fn kind(&self) -> String {
        match self {
            Action::Rows(operation) => operation.form(),
            Action::Task(task) => word(task),
            Action::Schema(schema_change::Task::Declare { toggles, .. }) => format!("Declare {toggles:?}"),
            Action::Schema(task) => format!("{} needs {:?}", word(task), task.needs()),
            _ => word(self),
        }
    }

    /// What comes next when this was answered so, and its idempotency key: the page after this one, or what a task needs.
    pub fn next(&self, reply: &Reply) -> Option<(Option<String>, Action)> {
        match self {
            Action::Task(task) => task.next(reply).map(|(key, task)| (Some(key), Action::Task(task))),
            Action::Rows(operation) => operation.next(reply).map(|(key, next)| (key, Action::Rows(next))),
            _ => self.next_page(reply).map(|page| (None, page)),
        }
    }

    fn next_page(&self, reply: &Reply) -> Option<Action> {
        let Action::Page { kind, first, place } = self else { return None };
        let info = &reply.data["items"]["pageInfo"];
        let after = info["endCursor"].as_str().filter(|_| info["hasNextPage"] == true)?.to_owned();
        let at = place.at.or(reply.version);
        let place = PagePlace { after: Some(after), skip: place.skip + first, at };
        Some(Action::Page { kind: kind.clone(), first: *first, place })
    }

    /// The GraphQL document.
    pub fn document(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Action::Task(task) => return task.document(),
            Action::Rows(operation) => return Cow::Owned(operation.document()),
            Action::Schema(task) => return task.document(),
            Action::CreateItem { .. } => concat!(
                "mutation($data: ItemCreate!) { createItem(data: $data) { item { ",
                item_parts!(),
                " } commit { version } } }"
            ),
            Action::CreateItems { .. } => {
                "mutation($data: [ItemCreate!]!) { createItems(data: $data) { items { tag rank } affectedCount \
                 commit { version } } }"
            }
            Action::UpdateItem { .. } => concat!(
                "mutation($tag: String!, $data: ItemUpdate!) { updateItem(by: { tag: $tag }, data: $data) { item { ",
                item_parts!(),
                " } commit { version } } }"
            ),
            Action::UpdatePair { .. } => {
                "mutation($left: String!, $right: String!, $rank: Int!) { \
                 left: updateItem(by: { tag: $left }, data: { rank: $rank }) { item { tag rank } commit { version } } \
                 right: updateItem(by: { tag: $right }, data: { rank: $rank }) { item { tag rank } commit { version } } }"
            }
            Action::DeleteItem { .. } => {
                "mutation($tag: String!) { deleteItem(by: { tag: $tag }) { item { tag rank } commit { version } } }"
            }
            Action::CreateBox { .. } => {
                "mutation($data: BoxCreate!) { createBox(data: $data) { box { tag room shelf } commit { version } } }"
            }
            Action::DeleteBox { .. } => {
                "mutation($tag: String!) { deleteBox(by: { tag: $tag }) { box { tag } commit { version } } }"
            }
            Action::CreateLabel { .. } => {
                "mutation($data: LabelCreate!) { createLabel(data: $data) { label { slug } commit { version } } }"
            }
            Action::DeleteLabel { .. } => {
                "mutation($slug: String!) { deleteLabel(by: { slug: $slug }) { label { slug } commit { version } } }"
            }
            Action::CreateTicket { .. } => {
                "mutation($data: TicketCreate!) { createTicket(data: $data) { ticket { text number item { tag } } \
                 commit { version } } }"
            }
            Action::ReadItem { .. } => concat!(
                "query($tag: String!) { item(by: { tag: $tag }) { ",
                item_parts!(),
                " tickets(first: 50, orderBy: [{ text: ASC }]) { nodes { text } } } }"
            ),
            Action::ListByKind { .. } => {
                "query($kind: Kind!, $first: Int!) { items(where: { kind: { eq: $kind } }, \
                 orderBy: [{ rank: ASC }, { tag: ASC }], first: $first) \
                 { totalCount nodes { tag rank } pageInfo { hasNextPage hasPreviousPage } } }"
            }
            Action::Page { .. } => {
                "query($kind: Kind!, $first: Int!, $after: String) { items(where: { kind: { eq: $kind } }, \
                 orderBy: [{ rank: ASC }, { tag: ASC }], first: $first, after: $after) \
                 { totalCount nodes { tag rank } pageInfo { hasNextPage hasPreviousPage endCursor } } }"
            }
            Action::ListByMark { .. } => {
                "query($mark: String!) { items(where: { marks: { has: $mark } }, orderBy: [{ tag: ASC }], first: 50) \
                 { nodes { tag marks } } }"
            }
            Action::ListByRank { .. } => {
                "query($least: Int!, $most: Int!) { items(where: { rank: { gte: $least, lte: $most } }, \
                 orderBy: [{ rank: DESC }, { tag: ASC }], first: 50) { nodes { tag rank } } }"
            }
            Action::ReadBox { .. } => {
                "query($tag: String!) { box(by: { tag: $tag }) { tag room shelf \
                 items(first: 50, orderBy: [{ tag: ASC }]) { totalCount nodes { tag } } } }"
            }
            Action::ReadLabel { .. } => {
                "query($slug: String!) { label(by: { slug: $slug }) { slug \
                 items(first: 50, orderBy: [{ tag: ASC }]) { nodes { tag } } } }"
            }
            Action::CountItems => {
                "query { items { totalCount } boxes { totalCount } labels { totalCount } tickets { totalCount } }"
            }
        })
    }

    /// The variables of the document.
    pub fn variables(&self) -> Value {
        match self {
            Action::CreateItem { item } => json!({ "data": item_input(item) }),
            Action::CreateItems { items } => {
                json!({ "data": items.iter().map(item_input).collect::<Vec<_>>() })
            }
            Action::UpdateItem { tag, change } => json!({ "tag": tag, "data": change_input(change) }),
            Action::UpdatePair { left, right, rank } => json!({ "left": left, "right": right, "rank": rank }),
            Action::DeleteItem { tag } | Action::DeleteBox { tag } => json!({ "tag": tag }),
            Action::ReadItem { tag } | Action::ReadBox { tag } => json!({ "tag": tag }),
            Action::CreateBox { tag, room, shelf } => json!({ "data": { "tag": tag, "room": room, "shelf": shelf } }),
            Action::CreateLabel { slug } => json!({ "data": { "slug": slug } }),
            Action::DeleteLabel { slug } | Action::ReadLabel { slug } => json!({ "slug": slug }),
            Action::CreateTicket { text, item } => {
                json!({ "data": { "text": text, "item": { "connect": { "tag": item } } } })
            }
            Action::ListByKind { kind, first } => json!({ "kind": kind, "first": first }),
            Action::Page { kind, first, place } => json!({ "kind": kind, "first": first, "after": place.after }),
            Action::ListByMark { mark } => json!({ "mark": mark }),
            Action::ListByRank { least, most } => json!({ "least": least, "most": most }),
            Action::CountItems => json!({}),
            Action::Task(task) => task.variables(),
            Action::Rows(operation) => operation.variables(),
            Action::Schema(task) => task.variables(),
        }
    }
}

/// The name of a variant.
fn word(thing: &impl std::fmt::Debug) -> String {
    let text = format!("{thing:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn tags(names: &[String]) -> Vec<Value> {
    names.iter().map(|slug| json!({ "slug": slug })).collect()
}

fn item_input(item: &NewItem) -> Value {
    let mut input = json!({ "tag": item.tag, "kind": item.kind, "rank": item.rank, "marks": item.marks });
    if let Some(note) = &item.note {
        input["note"] = json!(note);
    }
    if let Some(price) = &item.price {
        input["price"] = json!(price);
    }
    if let Some(width) = item.width {
        input["size"] = json!({ "width": width, "height": width + 1 });
    }
    if let Some(tag) = &item.r#box {
        input["box"] = json!({ "connect": { "tag": tag } });
    }
    if !item.labels.is_empty() {
        input["labels"] = json!({ "connect": tags(&item.labels) });
    }
    input
}

fn change_input(change: &ItemChange) -> Value {
    let mut input = json!({});
    if let Some(kind) = &change.kind {
        input["kind"] = json!(kind);
    }
    if let Some(rank) = change.rank {
        input["rank"] = json!(rank);
    }
    if change.clears_note {
        input["note"] = Value::Null;
    } else if let Some(note) = &change.note {
        input["note"] = json!(note);
    }
    if let Some(price) = &change.price {
        input["price"] = json!(price);
    }
    if let Some(marks) = &change.marks {
        input["marks"] = json!(marks);
    }
    match &change.r#box {
        Some(BoxLink::Connect(tag)) => input["box"] = json!({ "connect": { "tag": tag } }),
        Some(BoxLink::Disconnect) => input["box"] = json!({ "disconnect": true }),
        None => {}
    }
    if !change.connects.is_empty() {
        input["labels"]["connect"] = json!(tags(&change.connects));
    }
    if !change.disconnects.is_empty() {
        input["labels"]["disconnect"] = json!(tags(&change.disconnects));
    }
    input
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// `data`, null when absent.
    pub data: Value,
    /// The codes of all errors, and their messages.
    pub errors: Vec<(String, String)>,
    /// The version that was read or committed.
    pub version: Option<u64>,
}

impl Reply {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// When it is not what GraphQL over HTTP allows.
    pub fn parse(body: &[u8], version: Option<u64>) -> Result<Reply, String> {
        let text = || String::from_utf8_lossy(body);
        let value: Value = serde_json::from_slice(body).map_err(|error| format!("{error} in {}", text()))?;
        let error = |error: &Value| {
            let code = error["extensions"]["code"].as_str().unwrap_or("no code").to_owned();
            (code, error["message"].as_str().unwrap_or_default().to_owned())
        };
        let errors = value["errors"].as_array().map(|errors| errors.iter().map(error).collect()).unwrap_or_default();
        Ok(Reply { data: value["data"].clone(), errors, version })
    }
}
