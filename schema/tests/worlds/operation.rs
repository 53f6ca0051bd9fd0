//! Operations as trees: what a text asks for, before it is text. The evaluator and the printer both walk them.

use super::atom::Atom;
use super::literal::Literal;
use super::world::Id;

/// A query.
#[derive(Clone, Debug)]
pub struct Operation {
    pub selections: Vec<Selection>,
    /// Decides how the text is written: which values are variables, which lists are bare.
    pub style: u64,
}

#[derive(Clone, Debug)]
pub enum Selection {
    Field(Field),
    Fragment(Fragment),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub alias: Option<String>,
    pub name: String,
    pub arguments: Arguments,
    pub condition: Option<Condition>,
    pub selections: Vec<Selection>,
}

#[derive(Clone, Debug)]
pub struct Fragment {
    /// The type of what it is spread in.
    pub within: String,
    /// The type that it is for, if it says so.
    pub on: Option<String>,
    /// Defined on its own under this name. Needs `on`.
    pub name: Option<String>,
    pub condition: Option<Condition>,
    pub selections: Vec<Selection>,
}

/// `@include` or `@skip`.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    pub skip: bool,
    pub value: bool,
    pub variable: bool,
}

#[derive(Clone, Debug)]
pub enum Arguments {
    None,
    By(Key),
    Node(Id),
    Nodes(Vec<Id>),
    Path(Vec<String>),
    List(Box<List>),
    Groups(Box<Groups>),
}

/// What names one record.
#[derive(Clone, Debug)]
pub enum Key {
    Id(Id),
    /// The names and values of a unique key, with the types of its parts.
    Unique(Vec<(String, String, Part)>),
}

#[derive(Clone, Debug)]
pub enum Part {
    Atom(Atom, usize),
    Reference(Id),
}

/// The arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Copies of one selection have one number: their texts have to be the same.
    pub number: usize,
    pub collection: String,
    pub filter: Option<Where>,
    pub order: Vec<OrderKey>,
    pub first: Option<usize>,
    pub last: Option<usize>,
    pub offset: Option<usize>,
    /// The record that the cursor stands at.
    pub after: Option<Id>,
    pub before: Option<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OrderKey {
    /// Fields to follow; the last is what is sorted by, or `count` behind a relation to many.
    pub path: Vec<String>,
    pub direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Asc,
    Desc,
    AscNullsFirst,
    AscNullsLast,
    DescNullsFirst,
    DescNullsLast,
}

impl Direction {
    pub const ALL: [Direction; 6] = [
        Direction::Asc,
        Direction::Desc,
        Direction::AscNullsFirst,
        Direction::AscNullsLast,
        Direction::DescNullsFirst,
        Direction::DescNullsLast,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Direction::Asc => "ASC",
            Direction::Desc => "DESC",
            Direction::AscNullsFirst => "ASC_NULLS_FIRST",
            Direction::AscNullsLast => "ASC_NULLS_LAST",
            Direction::DescNullsFirst => "DESC_NULLS_FIRST",
            Direction::DescNullsLast => "DESC_NULLS_LAST",
        }
    }

    pub fn is_descending(self) -> bool {
        matches!(self, Direction::Desc | Direction::DescNullsFirst | Direction::DescNullsLast)
    }

    /// Nulls come first when ascending and last when descending, unless something else is said.
    pub fn nulls_first(self) -> bool {
        matches!(self, Direction::Asc | Direction::AscNullsFirst | Direction::DescNullsFirst)
    }
}

/// An object of a Where type: every member has to hold.
#[derive(Clone, Debug, Default)]
pub struct Where {
    /// `CustomerWhere`.
    pub of: String,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug)]
pub enum Member {
    And(Vec<Where>),
    Or(Vec<Where>),
    Not(Box<Where>),
    /// Of an embedded value or a relation to one.
    IsNull(bool),
    Id(Vec<Test>),
    Value {
        field: String,
        filter: String,
        tests: Vec<Test>,
        ignore_case: Option<bool>,
    },
    List {
        field: String,
        filter: String,
        element: String,
        tests: Vec<ListTest>,
    },
    Json {
        field: String,
        path: Vec<String>,
        tests: Vec<JsonTest>,
    },
    Embedded {
        field: String,
        inner: Where,
    },
    ToOne {
        field: String,
        inner: Where,
    },
    /// A relation to many, or a list of embedded values.
    Many {
        field: String,
        filter: String,
        tests: Vec<Quantified>,
    },
}

/// An operand: a value and which of its forms is written.
#[derive(Clone, Debug)]
pub struct Operand {
    pub atom: Atom,
    pub form: usize,
    /// The type that the operand has there.
    pub of: String,
}

impl Operand {
    pub fn literal(&self) -> Literal {
        self.atom.forms[self.form % self.atom.forms.len()].clone()
    }
}

/// An operator of a scalar's filter.
#[derive(Clone, Debug)]
pub enum Test {
    Eq(Operand),
    Ne(Operand),
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    Gt(Operand),
    Gte(Operand),
    Lt(Operand),
    Lte(Operand),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Regex(String),
    IsNull(bool),
}

#[derive(Clone, Debug)]
pub enum ListTest {
    Has(Operand),
    HasAny(Vec<Operand>),
    HasAll(Vec<Operand>),
    ContainedIn(Vec<Operand>),
    IsEmpty(bool),
    Length(Vec<Test>),
    IsNull(bool),
}

#[derive(Clone, Debug)]
pub enum JsonTest {
    Eq(Atom),
    Ne(Atom),
    Contains(Atom),
    HasKey(String),
    /// `gt`, `gte`, `lt` or `lte`.
    Compare(&'static str, Atom),
    IsNull(bool),
}

#[derive(Clone, Debug)]
pub enum Quantified {
    Some(Where),
    Every(Where),
    None(Where),
    Count(Vec<Test>),
    /// Of a list of embedded values that may be null.
    IsNull(bool),
}

/// The arguments of `groups`.
#[derive(Clone, Debug)]
pub struct Groups {
    /// As in [`List`].
    pub number: usize,
    pub collection: String,
    /// Fields, and the buckets of times.
    pub by: Vec<(String, Option<&'static str>)>,
    pub having: Option<Having>,
    pub order: Vec<GroupOrder>,
    pub first: Option<usize>,
    pub offset: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct GroupOrder {
    pub by: GroupedBy,
    pub direction: Direction,
}

#[derive(Clone, Debug)]
pub enum GroupedBy {
    Count,
    Key(String),
    Sum(String),
}

/// An object of a Having type.
#[derive(Clone, Debug)]
pub struct Having {
    pub members: Vec<HavingMember>,
}

#[derive(Clone, Debug)]
pub enum HavingMember {
    And(Vec<Having>),
    Or(Vec<Having>),
    Not(Box<Having>),
    Count(Vec<Test>),
    /// `field: { part: { tests } }`; `filter` is the type of the tests.
    Field {
        field: String,
        part: &'static str,
        filter: String,
        tests: Vec<Test>,
    },
}
