//! A node of an explained plan, and its forms: lines of text for people, JSON for the playground (docs/http.md).

use super::analysis::Actual;
use serde_json::{Map, Value, json};
use std::fmt::{self, Formatter};

/// One step of a plan, with those that it is made of.
#[derive(Debug, Default)]
pub(crate) struct PlanNode {
    /// What kind of step it is: a word of docs/http.md.
    pub(crate) op: &'static str,
    /// What exactly it does.
    pub(crate) detail: String,
    /// The index that it reads.
    pub(crate) index: Option<String>,
    /// What is wrong with it, and the way out.
    pub(crate) warning: Option<String>,
    pub(crate) estimate: Option<Estimate>,
    /// What it came to, where it was executed.
    pub(crate) actual: Option<Actual>,
    pub(crate) children: Vec<PlanNode>,
}

/// What the planner thinks of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) rows: f64,
    /// In entries of an index.
    pub(crate) cost: f64,
}

impl PlanNode {
    pub(crate) fn new(op: &'static str, detail: String) -> PlanNode {
        PlanNode { op, detail, ..PlanNode::default() }
    }

    /// Appends a line for each node.
    pub(super) fn lines(&self, out: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        write!(out, "{:indent$}{}", "", self.detail, indent = depth * 2)?;
        if let Some(Estimate { rows, cost }) = self.estimate {
            write!(out, ", rows~{:.0} cost~{:.0}", rows.ceil(), cost.ceil())?;
        }
        if let Some(Actual { rows, micros, batches }) = self.actual {
            write!(out, ", was rows={rows} batches={batches} micros={micros}")?;
        }
        writeln!(out)?;
        self.children.iter().try_for_each(|child| child.lines(out, depth + 1))
    }

    /// The shape of `extensions.plan`. Without what is not known.
    pub(crate) fn json(&self) -> Value {
        let mut node = Map::new();
        node.insert("op".to_owned(), json!(self.op));
        node.insert("detail".to_owned(), json!(self.detail));
        let mut optional = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                node.insert(name.to_owned(), value);
            }
        };
        optional("index", self.index.as_ref().map(|index| json!(index)));
        optional("warning", self.warning.as_ref().map(|warning| json!(warning)));
        // Whole numbers: a plan is compared and shown, never calculated with.
        let whole = |number: f64| json!(number.ceil().clamp(0.0, 9e15) as u64);
        optional("estimatedRows", self.estimate.map(|estimate| whole(estimate.rows)));
        optional("estimatedCost", self.estimate.map(|estimate| whole(estimate.cost)));
        optional("actualRows", self.actual.map(|actual| json!(actual.rows)));
        optional("batches", self.actual.map(|actual| json!(actual.batches)));
        optional("micros", self.actual.map(|actual| json!(actual.micros)));
        let children: Vec<Value> = self.children.iter().map(PlanNode::json).collect();
        node.insert("children".to_owned(), Value::Array(children));
        Value::Object(node)
    }
}
