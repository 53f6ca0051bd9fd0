//! The tree of a predicate, and its evaluation over one record.

use super::test::Test;
use super::{Filter, Record, json};
use vivarium_storage::value::RecordRef;
use vivarium_storage::{CollectionId, Document, DocumentId, FieldId, IndexId, Value, ValueRef};

/// What a predicate says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    False,
    /// Something that was compared is null.
    Unknown,
    /// Relations have to be followed first: it may still become anything.
    Open,
    True,
}

impl Truth {
    pub(super) fn of(holds: bool) -> Truth {
        if holds { Truth::True } else { Truth::False }
    }
    pub(crate) fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::False, _) | (_, Truth::False) => Truth::False,
            (Truth::Open, _) | (_, Truth::Open) => Truth::Open,
            (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
            (Truth::True, Truth::True) => Truth::True,
        }
    }
    pub(crate) fn or(self, other: Truth) -> Truth {
        self.not().and(other.not()).not()
    }
    pub(crate) fn not(self) -> Truth {
        match self {
            Truth::False => Truth::True,
            Truth::True => Truth::False,
            undecided => undecided,
        }
    }
}

/// A predicate over a document or an embedded value.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    /// Every one holds.
    All(Vec<Predicate>),
    /// One of them holds.
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    /// The record's id is (not) one of these, ascending.
    Id {
        ids: Vec<DocumentId>,
        among: bool,
    },
    /// The value of a field.
    Value {
        field: FieldId,
        test: Test,
    },
    /// A list of scalars or enums.
    List {
        field: FieldId,
        test: ListTest,
    },
    /// The embedded value in hand is (not) null.
    Absent(bool),
    /// An embedded value.
    Embedded {
        field: FieldId,
        predicate: Box<Predicate>,
    },
    /// A list of embedded values.
    Elements {
        field: FieldId,
        quantifier: Quantifier,
        predicate: Box<Predicate>,
    },
    /// A part of a JSON document.
    Json {
        field: FieldId,
        path: Vec<String>,
        test: json::JsonTest,
    },
    /// A relation of the record or of the embedded value: a number in [`Filter::relations`].
    Related(usize),
}

/// A test of a whole list.
#[derive(Clone, Debug)]
pub(crate) enum ListTest {
    /// Every one of these is an element.
    HasAll(Vec<Value>),
    /// One of these is an element.
    HasAny(Vec<Value>),
    /// Every element is one of these, ascending.
    ContainedIn(Vec<Value>),
    IsEmpty(bool),
    Length(Test),
    IsNull(bool),
}

/// How many elements have to satisfy a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Some,
    Every,
    None,
}

/// A relation that a predicate follows.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub(crate) kind: RelationKind,
    /// The collection at the other end.
    pub(crate) target: CollectionId,
    pub(crate) condition: Condition,
}

/// How the records at the other end are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelationKind {
    /// The scope's own field refers to it; the index, if there is one, leads back.
    Reference { field: FieldId, index: Option<IndexId> },
    /// A unique index of the target has the id of the one that refers to us.
    Unique { index: IndexId, field: FieldId },
    /// An index of the target, keyed by our id.
    Many { index: IndexId, field: FieldId },
    /// Links keyed by our id, and those keyed by theirs.
    Links { index: IndexId, inverse: IndexId },
}

/// What has to hold of the records at the other end.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// There is one and it matches.
    Matches(Box<Filter>),
    /// There is one, or there is none.
    Exists(bool),
    Quantified(Quantifier, Box<Filter>),
    Count(Test),
}

/// Where a predicate's fields are looked up.
pub(crate) enum Scope<'a> {
    Document {
        document: Document<'a>,
        id: Option<DocumentId>,
    },
    Embedded(RecordRef<'a>),
    /// An embedded value that is not there: every field of it is null.
    Absent,
}

impl<'a> Scope<'a> {
    pub(crate) fn document(record: &'a Record) -> Scope<'a> {
        Scope::Document { document: record.document(), id: Some(record.id) }
    }
    pub(crate) fn bare(document: Document<'a>) -> Scope<'a> {
        Scope::Document { document, id: None }
    }
    pub(crate) fn field(&self, field: FieldId) -> ValueRef<'a> {
        match self {
            Scope::Document { document, .. } => document.field(field),
            Scope::Embedded(record) => record.field(field),
            Scope::Absent => ValueRef::Null,
        }
    }
    pub(crate) fn id(&self) -> Option<DocumentId> {
        match self {
            Scope::Document { id, .. } => *id,
            Scope::Embedded(_) | Scope::Absent => None,
        }
    }
    pub(crate) fn within(value: ValueRef<'a>) -> Scope<'a> {
        match value {
            ValueRef::Record(record) => Scope::Embedded(record),
            _ => Scope::Absent,
        }
    }
}

/// What is known of the relations that a predicate follows.
pub(crate) trait Resolution {
    /// What relation `number` says of a scope.
    fn truth(&self, number: usize, scope: &Scope<'_>) -> Truth;
}

/// Nothing is known yet.
pub(crate) struct Unresolved;

impl Resolution for Unresolved {
    fn truth(&self, _: usize, _: &Scope<'_>) -> Truth {
        Truth::Open
    }
}

impl Predicate {
    /// What the predicate says of a scope.
    pub(crate) fn truth(&self, scope: &Scope<'_>, resolution: &impl Resolution) -> Truth {
        match self {
            Predicate::All(parts) => {
                let mut all = Truth::True;
                for part in parts {
                    all = all.and(part.truth(scope, resolution));
                    if all == Truth::False {
                        break;
                    }
                }
                all
            }
            Predicate::Any(parts) => {
                let mut any = Truth::False;
                for part in parts {
                    any = any.or(part.truth(scope, resolution));
                    if any == Truth::True {
                        break;
                    }
                }
                any
            }
            Predicate::Not(part) => part.truth(scope, resolution).not(),
            Predicate::Id { ids, among } => match scope.id() {
                Some(id) => Truth::of(ids.binary_search(&id).is_ok() == *among),
                None => Truth::Unknown,
            },
            Predicate::Value { field, test } => test.truth(scope.field(*field)),
            Predicate::List { field, test } => test.truth(scope.field(*field)),
            Predicate::Absent(wanted) => Truth::of(matches!(scope, Scope::Absent) == *wanted),
            Predicate::Embedded { field, predicate } => {
                predicate.truth(&Scope::within(scope.field(*field)), resolution)
            }
            Predicate::Elements { field, quantifier, predicate } => match scope.field(*field) {
                ValueRef::List(list) => {
                    quantifier.over(list.iter().map(|element| predicate.truth(&Scope::within(element), resolution)))
                }
                _ => Truth::Unknown,
            },
            Predicate::Json { field, path, test } => test.truth(scope.field(*field), path),
            Predicate::Related(number) => resolution.truth(*number, scope),
        }
    }

    /// True when relations have to be read to decide it.
    pub(crate) fn follows_relations(&self) -> bool {
        match self {
            Predicate::All(parts) | Predicate::Any(parts) => parts.iter().any(Predicate::follows_relations),
            Predicate::Not(part) => part.follows_relations(),
            Predicate::Embedded { predicate, .. } | Predicate::Elements { predicate, .. } => {
                predicate.follows_relations()
            }
            Predicate::Related(_) => true,
            _ => false,
        }
    }

    /// Calls `visit` for each scope in which relation `number` would be asked.
    pub(crate) fn visit_related<'a>(&self, number: usize, scope: &Scope<'a>, visit: &mut impl FnMut(&Scope<'a>)) {
        match self {
            Predicate::All(parts) | Predicate::Any(parts) => {
                parts.iter().for_each(|part| part.visit_related(number, scope, visit));
            }
            Predicate::Not(part) => part.visit_related(number, scope, visit),
            Predicate::Embedded { field, predicate } => {
                predicate.visit_related(number, &Scope::within(scope.field(*field)), visit);
            }
            Predicate::Elements { field, predicate, .. } => {
                if let ValueRef::List(list) = scope.field(*field) {
                    list.iter().for_each(|element| predicate.visit_related(number, &Scope::within(element), visit));
                }
            }
            Predicate::Related(found) if *found == number => visit(scope),
            _ => {}
        }
    }
}

impl Quantifier {
    /// Whether enough of the elements satisfy the predicate.
    pub(crate) fn over(self, truths: impl Iterator<Item = Truth>) -> Truth {
        match self {
            Quantifier::Some => truths.fold(Truth::False, Truth::or),
            Quantifier::Every => truths.fold(Truth::True, Truth::and),
            Quantifier::None => truths.fold(Truth::False, Truth::or).not(),
        }
    }
}

impl ListTest {
    fn truth(&self, value: ValueRef<'_>) -> Truth {
        let list = match (self, value) {
            (ListTest::IsNull(wanted), value) => return Truth::of(value.is_null() == *wanted),
            (_, ValueRef::List(list)) => list,
            _ => return Truth::Unknown,
        };
        let has = |wanted: &Value| list.iter().any(|element| wanted.compare_ref(&element).is_eq());
        match self {
            ListTest::HasAll(wanted) => Truth::of(wanted.iter().all(has)),
            ListTest::HasAny(wanted) => Truth::of(wanted.iter().any(has)),
            ListTest::ContainedIn(allowed) => {
                Truth::of(list.iter().all(|element| super::test::contains(allowed, &element)))
            }
            ListTest::IsEmpty(wanted) => Truth::of(list.is_empty() == *wanted),
            ListTest::Length(test) => test.truth(ValueRef::Int(i64::try_from(list.len()).unwrap_or(i64::MAX))),
            ListTest::IsNull(_) => unreachable!("answered above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False, Open, True, Unknown};

    const ALL: [Truth; 4] = [False, Unknown, Open, True];

    #[test]
    fn what_is_open_stays_open_until_it_cannot_matter() {
        for truth in ALL {
            assert_eq!(False.and(truth), False);
            assert_eq!(True.or(truth), True);
            assert_eq!(truth.not().not(), truth);
        }
        // An unknown part does not settle a whole that a relation may still make false: its negation would be true.
        assert_eq!(Unknown.and(Open), Open);
        assert_eq!(Unknown.or(Open), Open);
        assert_eq!(Unknown.and(True), Unknown);
        assert_eq!(Unknown.or(False), Unknown);
    }
}
