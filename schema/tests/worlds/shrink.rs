//! Simpler operations: each call makes one thing less, wherever it stands in the tree.

use super::operation::*;

/// The operation with the `at`-th thing left out; `None` when there are fewer.
pub fn simpler(operation: &Operation, at: usize) -> Option<Operation> {
    let mut smaller = operation.clone();
    let mut cut = Cut { left: at };
    cut.selections(&mut smaller.selections).then_some(smaller)
}

/// Counts down to the thing that is left out. Every function says whether it was there.
struct Cut {
    left: usize,
}

impl Cut {
    fn here(&mut self) -> bool {
        let here = self.left == 0;
        self.left = self.left.wrapping_sub(1);
        here
    }

    /// Leaves an element out, when others remain.
    fn element<T>(&mut self, list: &mut Vec<T>, least: usize) -> bool {
        for at in 0..list.len() {
            if list.len() > least && self.here() {
                list.remove(at);
                return true;
            }
        }
        false
    }

    fn option<T>(&mut self, option: &mut Option<T>) -> bool {
        if option.is_some() && self.here() {
            *option = None;
            return true;
        }
        false
    }

    fn selections(&mut self, selections: &mut Vec<Selection>) -> bool {
        if self.element(selections, 1) {
            return true;
        }
        for at in 0..selections.len() {
            if let Selection::Fragment(fragment) = &selections[at]
                && fragment.on.as_ref().is_none_or(|on| *on == fragment.within)
                && self.here()
            {
                let inner = fragment.selections.clone();
                selections.splice(at..=at, inner);
                return true;
            }
            let found = match &mut selections[at] {
                Selection::Field(field) => {
                    self.option(&mut field.condition)
                        || self.arguments(&mut field.arguments)
                        || self.selections(&mut field.selections)
                }
                Selection::Fragment(fragment) => {
                    self.option(&mut fragment.condition) || self.selections(&mut fragment.selections)
                }
            };
            if found {
                return true;
            }
        }
        false
    }

    fn arguments(&mut self, arguments: &mut Arguments) -> bool {
        match arguments {
            Arguments::List(list) => self.list(list),
            Arguments::Groups(groups) => {
                self.element(&mut groups.by, 1)
                    || self.element(&mut groups.order, 0)
                    || self.option(&mut groups.having)
                    || self.option(&mut groups.first)
                    || self.option(&mut groups.offset)
            }
            Arguments::Nodes(ids) => self.element(ids, 0),
            Arguments::Path(path) => self.element(path, 0),
            Arguments::None | Arguments::By(_) | Arguments::Node(_) => false,
        }
    }

    fn list(&mut self, list: &mut List) -> bool {
        self.option(&mut list.filter)
            || self.element(&mut list.order, 0)
            || self.option(&mut list.first)
            || self.option(&mut list.last)
            || self.option(&mut list.offset)
            || self.option(&mut list.after)
            || self.option(&mut list.before)
            || list.order.iter_mut().any(|key| self.direction(key))
            || list.filter.as_mut().is_some_and(|filter| self.filter(filter))
    }

    fn direction(&mut self, key: &mut OrderKey) -> bool {
        let plain = if key.direction.is_descending() { Direction::Desc } else { Direction::Asc };
        if key.direction != plain && self.here() {
            key.direction = plain;
            return true;
        }
        false
    }

    fn filter(&mut self, filter: &mut Where) -> bool {
        if self.element(&mut filter.members, 1) {
            return true;
        }
        for at in 0..filter.members.len() {
            // What stands inside may be the whole.
            let inner: Vec<Where> = match &filter.members[at] {
                Member::And(parts) | Member::Or(parts) => parts.clone(),
                Member::Not(part) => vec![part.as_ref().clone()],
                _ => Vec::new(),
            };
            for inner in inner {
                if self.here() {
                    *filter = inner;
                    return true;
                }
            }
            if self.member(&mut filter.members[at]) {
                return true;
            }
        }
        false
    }

    fn member(&mut self, member: &mut Member) -> bool {
        match member {
            Member::And(parts) | Member::Or(parts) => {
                self.element(parts, 1) || parts.iter_mut().any(|part| self.filter(part))
            }
            Member::Not(part) => self.filter(part),
            Member::IsNull(_) => false,
            Member::Id(tests) => self.tests(tests),
            Member::Value { tests, ignore_case, .. } => self.option(ignore_case) || self.tests(tests),
            Member::List { tests, .. } => {
                self.element(tests, 1)
                    || tests.iter_mut().any(|test| match test {
                        ListTest::HasAny(many) | ListTest::HasAll(many) | ListTest::ContainedIn(many) => {
                            self.element(many, 0)
                        }
                        ListTest::Length(tests) => self.tests(tests),
                        ListTest::Has(_) | ListTest::IsEmpty(_) | ListTest::IsNull(_) => false,
                    })
            }
            Member::Json { path, tests, .. } => self.element(path, 0) || self.element(tests, 1),
            Member::Embedded { inner, .. } | Member::ToOne { inner, .. } => self.filter(inner),
            Member::Many { tests, .. } => {
                self.element(tests, 1)
                    || tests.iter_mut().any(|test| match test {
                        Quantified::Some(inner) | Quantified::Every(inner) | Quantified::None(inner) => {
                            self.filter(inner)
                        }
                        Quantified::Count(tests) => self.tests(tests),
                        Quantified::IsNull(_) => false,
                    })
            }
        }
    }

    fn tests(&mut self, tests: &mut Vec<Test>) -> bool {
        self.element(tests, 1)
            || tests.iter_mut().any(|test| match test {
                Test::In(many) | Test::NotIn(many) => self.element(many, 0),
                _ => false,
            })
    }
}
