//! having: what has to hold of a group, compiled from its input and asked of what the group was folded to.
//!
//! Truth has three values, as in filters: what is compared with null is unknown, and only what is true is answered.

use super::bind::bad_input;
use super::fold::{MeasurePlan, Wants, measured};
use crate::catalog::{Catalog, Collection, Measure, Scalar};
use crate::filter::{Test, Truth};
use crate::{Failure, Input, PathItem};
use vivarium_storage::ValueRef;

/// Objects within objects.
const DEPTH_MAX: usize = 32;

/// A compiled `having`.
#[derive(Debug)]
pub(crate) enum Having {
    All(Vec<Having>),
    Any(Vec<Having>),
    Not(Box<Having>),
    /// The number of records.
    Count(Test),
    /// A number in the measures of the fold, and what it was folded to.
    Measure {
        measure: usize,
        part: Part,
        test: Test,
    },
}

/// What of a measure is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Sum,
    Average,
    Least,
    Greatest,
}

/// A group, as `having` sees it.
pub(crate) trait Judged {
    /// Its records.
    fn count(&self) -> i64;
    /// What a measure was folded to.
    fn part(&self, measure: usize, part: Part) -> ValueRef<'_>;
}

impl Having {
    /// What it says of a group.
    pub(crate) fn truth(&self, group: &impl Judged) -> Truth {
        match self {
            Having::All(parts) => parts.iter().fold(Truth::True, |truth, part| truth.and(part.truth(group))),
            Having::Any(parts) => parts.iter().fold(Truth::False, |truth, part| truth.or(part.truth(group))),
            Having::Not(part) => part.truth(group).not(),
            Having::Count(test) => test.truth(ValueRef::Int(group.count())),
            Having::Measure { measure, part, test } => test.truth(group.part(*measure, *part)),
        }
    }
}

/// Compiles an input of the collection's Having type. What it compares joins the measures.
///
/// # Errors
/// `BAD_USER_INPUT` with `inputPath`: empty objects, null operators, wrong values.
pub(super) fn compile(
    catalog: &Catalog,
    collection: &Collection,
    input: &Input,
    measures: &mut Vec<MeasurePlan>,
) -> Result<Having, Failure> {
    let path = vec![PathItem::Name("having".to_owned())];
    Compiler { catalog, collection, measures, path, depth: 0 }.object(input)
}

struct Compiler<'a> {
    catalog: &'a Catalog,
    collection: &'a Collection,
    measures: &'a mut Vec<MeasurePlan>,
    path: Vec<PathItem>,
    depth: usize,
}

impl Compiler<'_> {
    fn object(&mut self, input: &Input) -> Result<Having, Failure> {
        if self.depth == DEPTH_MAX {
            return Err(self.failure(&format!("having is nested deeper than {DEPTH_MAX} levels.")));
        }
        self.depth += 1;
        let parts = self.each(input, |compiler, name, value| compiler.member(name, value))?;
        self.depth -= 1;
        Ok(Having::All(parts))
    }

    fn member(&mut self, name: &str, value: &Input) -> Result<Having, Failure> {
        match name {
            "and" => Ok(Having::All(self.objects(value)?)),
            "or" => Ok(Having::Any(self.objects(value)?)),
            "not" => Ok(Having::Not(Box::new(self.object(value)?))),
            "count" => Ok(Having::Count(self.test(Scalar::Int, value)?)),
            _ => {
                let plan = self.collection.field_named(name).and_then(MeasurePlan::of);
                let Some(plan) = plan.filter(|plan| plan.measure.is_number()) else {
                    return Err(self.failure(&format!("There is no field \"{name}\" to compare groups by.")));
                };
                let parts = self.each(value, |compiler, name, value| compiler.part(&plan, name, value))?;
                Ok(Having::All(parts))
            }
        }
    }

    fn part(&mut self, plan: &MeasurePlan, name: &str, value: &Input) -> Result<Having, Failure> {
        let measure = plan.measure;
        let average = if measure == Measure::Float { Scalar::Float } else { Scalar::Decimal };
        let (part, scalar) = match name {
            "sum" => (Part::Sum, measure.sum()),
            "avg" => (Part::Average, Some(average)),
            "min" => (Part::Least, measure.extreme()),
            "max" => (Part::Greatest, measure.extreme()),
            _ => return Err(self.failure(&format!("There is nothing called \"{name}\" to compare groups by."))),
        };
        let test = self.test(scalar.expect("a number has all of these"), value)?;
        let sum = matches!(part, Part::Sum | Part::Average);
        let wants = Wants { sum, extremes: !sum, distinct: false };
        let measure = measured(self.measures, MeasurePlan { wants, ..plan.clone() });
        Ok(Having::Measure { measure, part, test })
    }

    fn objects(&mut self, input: &Input) -> Result<Vec<Having>, Failure> {
        let one = std::slice::from_ref(input);
        let list = if let Input::List(list) = input { list.as_slice() } else { one };
        if list.is_empty() {
            return Err(self.failure("The list is empty: give at least one condition, or leave it out."));
        }
        let mut parts = Vec::with_capacity(list.len());
        for (at, element) in list.iter().enumerate() {
            self.path.push(PathItem::Index(at));
            parts.push(self.object(element)?);
            self.path.pop();
        }
        Ok(parts)
    }

    fn test(&self, scalar: Scalar, input: &Input) -> Result<Test, Failure> {
        Test::compile(self.catalog, scalar, input, &self.path)
    }

    /// Compiles each field of an object that has some, none of them null.
    fn each<T>(
        &mut self,
        input: &Input,
        mut one: impl FnMut(&mut Self, &str, &Input) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let Input::Object(fields) = input else { return Err(self.failure("Expected an object.")) };
        if fields.is_empty() {
            return Err(self.failure("having is empty here: give a condition, or leave it out."));
        }
        let mut compiled = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            self.path.push(PathItem::Name(name.clone()));
            if *value == Input::Null {
                return Err(self.failure(&format!("\"{name}\" is null: leave it out.")));
            }
            compiled.push(one(self, name, value)?);
            self.path.pop();
        }
        Ok(compiled)
    }

    fn failure(&self, message: &str) -> Failure {
        bad_input(message, &self.path)
    }
}
