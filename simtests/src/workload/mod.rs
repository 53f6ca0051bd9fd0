//! What the clients do: mutations and reads of a small schema that has one of everything.
//!
//! Steps are drawn before the run and independently of what was written, so many of them are refused: that is checked too.

mod action;
mod counter;
mod freshness;
pub mod index;
mod kind;
mod overview;
pub mod pagination;
mod relation;
pub mod rows;
pub mod schema_change;
pub mod task;
mod unique;

use crate::rng::Rng;
use serde::{Deserialize, Serialize};

pub use action::{Action, BoxLink, ItemChange, NewItem, PagePlace, Reply};
pub use freshness::{Asked, Freshness};
pub use kind::Workload;

/// The schema of the mixed workload.
const SCHEMA: &str = include_str!("schema.graphql");

/// Names are drawn from pools of these sizes: small enough that clients meet.
const ITEMS: u64 = 24;
const BOXES: u64 = 5;
const LABELS: u64 = 6;

/// The kinds of items.
pub const KINDS: [&str; 3] = ["RED", "GREEN", "BLUE"];
const MARKS: [&str; 4] = ["new", "used", "", "a longer mark with \"quotes\" and \u{e9}\u{10348}"];
/// Ranks at which orders and encodings go wrong.
const RANKS: [i64; 9] = [i32::MIN as i64, -256, -1, 0, 1, 255, 256, 65_536, i32::MAX as i64];
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
const PRICES: [&str; 5] = ["0", "-1.5", "0.01", "99999999.99", "-0.01"];

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Virtual microseconds of thinking before it.
    pub pause_micros: u64,
    /// Not before so many virtual milliseconds after the clients began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at_ms: u64,
    /// The key under which a retry returns the first answer; reads have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How often it is sent under that key.
    #[serde(default)]
    pub sent: Sent,
    /// How new its answer has to be.
    #[serde(default, skip_serializing_if = "Freshness::is_newest")]
    pub freshness: Freshness,
    /// What it does.
    pub action: Action,
}

impl Step {
    /// A step that is taken at once, and once.
    pub fn at_once(key: Option<String>, action: Action) -> Step {
        Step { pause_micros: 0, at_ms: 0, key, sent: Sent::Once, freshness: Freshness::Newest, action }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How often a call is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sent {
    /// Once.
    #[default]
    Once,
    /// Again after the answer, or when none came.
    Again,
    /// Twice at the same time.
    Twice,
}

/// The steps of a client of the mixed workload.
fn draw(client: u64, count: u64, rng: &mut Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    for number in 1..=count {
        // The first client furnishes the house, so that others find something to connect to.
        let action = match (client, number) {
            (1, 1..=3) => Action::CreateBox { tag: format!("b{number}"), room: kind(rng), shelf: number as i64 },
            (1, 4..=7) => Action::CreateLabel { slug: format!("l{}", number - 4) },
            _ => draw_action(client, number, rng),
        };
        let key = action.is_mutation().then(|| format!("c{client}-{number}"));
        let sent =
            if key.is_some() { *rng.pick(&[Sent::Once, Sent::Once, Sent::Again, Sent::Twice]) } else { Sent::Once };
        let pause_micros = rng.spread(1, 20_000);
        steps.push(Step { pause_micros, at_ms: 0, key, sent, freshness: Freshness::Newest, action });
    }
    // From a stream of its own: whoever draws after this draws the same.
    let mut rng = Rng::stream(rng.clone().next(), "freshness");
    for step in steps.iter_mut().filter(|step| !step.action.is_mutation()) {
        step.freshness = Freshness::draw(&mut rng);
    }
    steps
}

fn item(rng: &mut Rng) -> String {
    format!("i{}", rng.below(ITEMS))
}

fn boxed(rng: &mut Rng) -> String {
    format!("b{}", rng.below(BOXES))
}

fn label(rng: &mut Rng) -> String {
    format!("l{}", rng.below(LABELS))
}

fn several<T: Ord>(rng: &mut Rng, most: u64, mut one: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    let count = rng.between(0, most);
    let mut all: Vec<T> = (0..count).map(|_| one(rng)).collect();
    all.sort();
    all.dedup();
    all
}

fn kind(rng: &mut Rng) -> String {
    (*rng.pick(&KINDS)).to_owned()
}

fn rank(rng: &mut Rng) -> i64 {
    if rng.chance(1, 2) { *rng.pick(&RANKS) } else { rng.below(8) as i64 }
}

fn note(rng: &mut Rng) -> Option<String> {
    match rng.below(6) {
        0 | 1 => None,
        2 => Some(String::new()),
        // Incompressible and over many sectors, so that a torn write leaves many kinds of ruins.
        3 | 4 => Some((0..rng.spread(300, 6000)).map(|_| char::from(*rng.pick(LETTERS))).collect()),
        _ => Some(format!("note {}", rng.below(1000))),
    }
}

fn price(rng: &mut Rng) -> Option<String> {
    rng.chance(2, 3).then(|| (*rng.pick(&PRICES)).to_owned())
}

fn marks(rng: &mut Rng) -> Vec<String> {
    (0..rng.between(0, 3)).map(|_| (*rng.pick(&MARKS)).to_owned()).collect()
}

fn new_item(rng: &mut Rng) -> NewItem {
    NewItem {
        tag: item(rng),
        kind: kind(rng),
        rank: rank(rng),
        note: note(rng),
        price: price(rng),
        marks: marks(rng),
        width: rng.chance(1, 3).then(|| rng.below(100) as i64),
        r#box: rng.chance(1, 4).then(|| boxed(rng)),
        labels: if rng.chance(1, 3) { several(rng, 3, label) } else { Vec::new() },
    }
}

fn change(rng: &mut Rng) -> ItemChange {
    ItemChange {
        kind: rng.chance(1, 3).then(|| kind(rng)),
        rank: rng.chance(1, 2).then(|| rank(rng)),
        note: if rng.chance(1, 3) { Some(note(rng)) } else { None }.map(|note| note.unwrap_or_default()),
        clears_note: rng.chance(1, 8),
        price: if rng.chance(1, 3) { price(rng) } else { None },
        marks: rng.chance(1, 3).then(|| marks(rng)),
        r#box: match rng.below(8) {
            0 | 1 => Some(BoxLink::Connect(boxed(rng))),
            2 => Some(BoxLink::Disconnect),
            _ => None,
        },
        connects: if rng.chance(1, 3) { several(rng, 2, label) } else { Vec::new() },
        disconnects: Vec::new(),
    }
}

fn draw_action(client: u64, number: u64, rng: &mut Rng) -> Action {
    // First there must be something to work on.
    let choice = if number <= 4 { rng.below(30) } else { rng.below(100) };
    match choice {
        0..=13 => Action::CreateItem { item: new_item(rng) },
        14..=19 => Action::CreateItems {
            items: {
                let mut items: Vec<_> = (0..rng.between(1, 6)).map(|_| new_item(rng)).collect();
                items.sort_by(|a, b| a.tag.cmp(&b.tag));
                // Mostly a batch that does not contradict itself.
                if rng.chance(9, 10) {
                    items.dedup_by(|a, b| a.tag == b.tag);
                }
                items
            },
        },
        20..=24 => Action::CreateBox { tag: boxed(rng), room: kind(rng), shelf: rng.below(3) as i64 },
        25..=29 => Action::CreateLabel { slug: label(rng) },
        30..=47 => Action::UpdateItem { tag: item(rng), change: change(rng) },
        48..=53 => Action::UpdatePair { left: item(rng), right: item(rng), rank: rank(rng) },
        54..=61 => Action::DeleteItem { tag: item(rng) },
        62..=63 => Action::DeleteBox { tag: boxed(rng) },
        64 => Action::DeleteLabel { slug: label(rng) },
        65..=69 => Action::CreateTicket { text: format!("t{client}-{number}"), item: item(rng) },
        70..=76 => Action::ReadItem { tag: item(rng) },
        77..=80 => Action::Page { kind: kind(rng), first: rng.between(1, 4), place: PagePlace::default() },
        81..=84 => Action::ListByKind { kind: kind(rng), first: rng.spread(1, 40) },
        85..=88 => Action::ListByMark { mark: (*rng.pick(&MARKS)).to_owned() },
        89..=92 => Action::ListByRank { least: rank(rng), most: rank(rng) },
        93..=95 => Action::ReadBox { tag: boxed(rng) },
        96..=97 => Action::ReadLabel { slug: label(rng) },
        _ => Action::CountItems,
    }
}
