//! The tables of the schema in rows.graphql: how their fields are called, what they hold, what is selected of them.
//!
//! Every record has a name that its client chose; by it the model knows it, whatever id the server gave.

use serde::{Deserialize, Serialize};

/// Records of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the schema says what each is")]
pub enum Table {
    Gate,
    Purse,
    Sample,
    Pair,
    Guard,
    Left,
    Right,
    Leaf,
    Frond,
    Foliage,
    Greenery,
    Person,
    Author,
    Shelf,
    Book,
    Topic,
    Chapter,
    Remark,
    Counter,
    Tick,
}

/// What becomes of records that refer to one that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// They keep it from being deleted.
    Restrict,
    /// They are deleted too.
    Cascade,
    /// They refer to none then.
    SetNull,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits, a string in answers.
    BigInt,
    /// A number.
    Float,
    /// A text.
    Text,
    /// One of these, in this order.
    Enum(&'static [&'static str]),
    /// Whole numbers.
    Ints,
    /// A reference.
    One(Table, OnDelete),
    /// The records of a table whose field of this name refers here.
    Many(Table, &'static str),
    /// Links, kept on this side.
    Links(Table),
    /// The records of a table that are linked with this one by their field of this name.
    Linked(Table, &'static str),
}

impl Kind {
    /// True when each record has a list there.
    pub fn is_list(self) -> bool {
        matches!(self, Kind::Many(..) | Kind::Links(_) | Kind::Linked(..))
    }
}

/// A field beside the name.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// What it is called.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// The values of the enum.
pub const SHADES: [&str; 3] = ["DARK", "PALE", "CLEAR"];
const SHADE: Field = field("shade", Kind::Enum(&SHADES));

const PURSE: [Field; 2] = [SHADE, field("balance", Kind::Int)];
const SAMPLE: [Field; 8] = [
    SHADE,
    field("score", Kind::Int),
    field("level", Kind::BigInt),
    field("weight", Kind::Float),
    field("marks", Kind::Ints),
    field("plain", Kind::Int),
    field("rating", Kind::BigInt),
    field("caption", Kind::Text),
];
const PAIR: [Field; 3] = [
    field("guards", Kind::Many(Table::Guard, "pair")),
    field("lefts", Kind::Many(Table::Left, "pair")),
    field("rights", Kind::Many(Table::Right, "pair")),
];
const GUARD: [Field; 1] = [field("pair", Kind::One(Table::Pair, OnDelete::Cascade))];
const SIDE: [Field; 1] = [field("pair", Kind::One(Table::Pair, OnDelete::Restrict))];
const LEAF: [Field; 3] = [SHADE, field("rank", Kind::Int), field("plain", Kind::Int)];
const PERSON: [Field; 4] =
    [field("mail", Kind::Text), field("number", Kind::BigInt), field("room", Kind::Int), field("seat", Kind::Int)];
const AUTHOR: [Field; 1] = [field("books", Kind::Many(Table::Book, "author"))];
const SHELF: [Field; 1] = [field("books", Kind::Many(Table::Book, "shelf"))];
const BOOK: [Field; 5] = [
    field("rank", Kind::Int),
    field("author", Kind::One(Table::Author, OnDelete::Restrict)),
    field("shelf", Kind::One(Table::Shelf, OnDelete::SetNull)),
    field("topics", Kind::Links(Table::Topic)),
    field("chapters", Kind::Many(Table::Chapter, "book")),
];
const TOPIC: [Field; 1] = [field("books", Kind::Linked(Table::Book, "topics"))];
const CHAPTER: [Field; 3] = [
    field("rank", Kind::Int),
    field("book", Kind::One(Table::Book, OnDelete::Cascade)),
    field("remarks", Kind::Many(Table::Remark, "chapter")),
];
const REMARK: [Field; 1] = [field("chapter", Kind::One(Table::Chapter, OnDelete::Cascade))];
const COUNTER: [Field; 2] = [field("value", Kind::Int), field("ticks", Kind::Many(Table::Tick, "counter"))];
const TICK: [Field; 1] = [field("counter", Kind::One(Table::Counter, OnDelete::Restrict))];

impl Table {
    /// All of them, but for those that list the records of others.
    pub const ALL: [Table; 18] = [
        Table::Gate,
        Table::Purse,
        Table::Sample,
        Table::Pair,
        Table::Guard,
        Table::Left,
        Table::Right,
        Table::Leaf,
        Table::Frond,
        Table::Person,
        Table::Author,
        Table::Shelf,
        Table::Book,
        Table::Topic,
        Table::Chapter,
        Table::Remark,
        Table::Counter,
        Table::Tick,
    ];

    /// The field of one record, and of many, in the API.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Table::Gate => ("gate", "gates"),
            Table::Purse => ("purse", "purses"),
            Table::Sample => ("sample", "samples"),
            Table::Pair => ("pair", "pairs"),
            Table::Guard => ("guard", "guards"),
            Table::Left => ("left", "lefts"),
            Table::Right => ("right", "rights"),
            Table::Leaf => ("leaf", "leaves"),
            Table::Frond => ("frond", "fronds"),
            Table::Foliage => ("foliage", "foliages"),
            Table::Greenery => ("greenery", "greeneries"),
            Table::Person => ("person", "persons"),
            Table::Author => ("author", "authors"),
            Table::Shelf => ("shelf", "shelves"),
            Table::Book => ("book", "books"),
            Table::Topic => ("topic", "topics"),
            Table::Chapter => ("chapter", "chapters"),
            Table::Remark => ("remark", "remarks"),
            Table::Counter => ("counter", "counters"),
            Table::Tick => ("tick", "ticks"),
        }
    }

    /// The name of its type; with `plural` that of the fields that speak of many.
    pub fn type_name(self) -> String {
        capital(self.words().0)
    }

    /// What `create...s` calls many of them.
    pub fn many_name(self) -> String {
        capital(self.words().1)
    }

    /// Its fields beside the name.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Table::Gate => &[],
            Table::Purse => &PURSE,
            Table::Sample => &SAMPLE,
            Table::Pair => &PAIR,
            Table::Guard => &GUARD,
            Table::Left | Table::Right => &SIDE,
            Table::Leaf | Table::Frond | Table::Foliage | Table::Greenery => &LEAF,
            Table::Person => &PERSON,
            Table::Author => &AUTHOR,
            Table::Shelf => &SHELF,
            Table::Book => &BOOK,
            Table::Topic => &TOPIC,
            Table::Chapter => &CHAPTER,
            Table::Remark => &REMARK,
            Table::Counter => &COUNTER,
            Table::Tick => &TICK,
        }
    }

    /// A field by its name. The name is a text.
    pub fn kind(self, name: &str) -> Kind {
        let found = self.fields().iter().find(|field| field.name == name);
        found.map_or(Kind::Text, |field| field.kind)
    }

    /// Fields of which no two records have the same values, beside the name.
    pub fn unique(self) -> &'static [&'static [&'static str]] {
        match self {
            Table::Person => &[&["mail"], &["number"], &["room", "seat"]],
            _ => &[],
        }
    }

    /// True when no two records have one name: else nothing but the harness keeps them apart.
    pub fn has_unique_name(self) -> bool {
        self != Table::Tick
    }

    /// The tables whose records it lists: itself, or the members of an interface or a union.
    pub fn members(self) -> impl Iterator<Item = Table> {
        let several = self.is_family().then_some([Table::Leaf, Table::Frond]);
        let one = (!self.is_family()).then_some(self);
        one.into_iter().chain(several.into_iter().flatten())
    }

    /// True when it lists the records of others.
    pub fn is_family(self) -> bool {
        matches!(self, Table::Foliage | Table::Greenery)
    }

    /// True when answers show the version of the commit that wrote a record.
    pub fn is_versioned(self) -> bool {
        self == Table::Counter
    }

    /// What is selected of a record.
    pub fn selection(self) -> String {
        match self {
            Table::Foliage => "__typename name shade rank ... on Leaf { plain } ... on Frond { plain }".into(),
            Table::Greenery => {
                let fields = Table::Leaf.selection();
                format!("__typename ... on Leaf {{ {fields} }} ... on Frond {{ {fields} }}")
            }
            _ => self.own_selection(),
        }
    }

    fn own_selection(self) -> String {
        let mut selection = String::from("name");
        for field in self.fields() {
            selection += " ";
            selection += field.name;
            selection += match field.kind {
                Kind::One(..) => " { name }",
                Kind::Many(..) | Kind::Links(_) | Kind::Linked(..) => {
                    "(first: 100, orderBy: [{ name: ASC }]) { totalCount nodes { name } }"
                }
                _ => "",
            };
        }
        if self.is_versioned() {
            selection += " _meta { version }";
        }
        selection
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
