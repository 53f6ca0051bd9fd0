//! What a page about a run shows, as data: lanes, bands, calls, and what went wrong with its place in time.
//!
//! Made from what was recorded and from the calls, never from words. Bounded: texts are cut before the page grows too big.

use super::words;
use crate::check::explain::Explanation;
use crate::history::{Call, End, History};
use crate::plan::Plan;
use crate::record::{Record, State, What};
use crate::verdict::{Report, Verdict};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A page may be so big; what is around the calls takes little of it.
const CALLS_BYTES_MAX: usize = 1_500_000;
/// How long the text of a request or an answer may be, from the most generous to what always fits.
const TEXT_CHARS_MAX: [usize; 5] = [6_000, 1_500, 400, 100, 0];
/// A string within a request or an answer is shown so far.
const STRING_CHARS_MAX: usize = 80;

/// All that a page shows.
#[derive(Clone, Debug, Serialize)]
pub struct Picture {
    /// What it is about, in a line.
    pub title: String,
    /// The line that runs the plan again.
    pub repeat: String,
    /// Facts about the run: name and value.
    pub facts: Vec<(String, String)>,
    /// How the run ended, in a word.
    pub verdict: String,
    /// What did not hold.
    pub violation: Option<Wrong>,
    /// What each checker of histories finds.
    pub explanations: Vec<Explanation>,
    /// The end of the axis, in virtual microseconds.
    pub ends: u64,
    /// The stages and when they begin.
    pub stages: Vec<(u64, String)>,
    /// The machines.
    pub nodes: Vec<Node>,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
    /// From when which links are cut.
    pub links: Vec<(u64, Vec<(u64, u64)>)>,
    /// The documents of the requests.
    pub documents: Vec<String>,
    /// All calls.
    pub calls: Vec<Drawn>,
    /// The last events of the trace.
    pub last: Vec<String>,
}

/// What did not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Wrong {
    /// Who says so.
    pub checker: String,
    /// What kind it is.
    pub class: String,
    /// In words.
    pub detail: String,
    /// Its place in time.
    pub at: u64,
    /// True when that is a moment whose crash image was found wrong afterwards.
    pub of_image: bool,
    /// The calls that it is about, by the order of their begins.
    pub calls: Vec<u64>,
}

/// From when a node stands how: its role, the term, the leader that it knows, the voters.
pub type Standing = (u64, String, u64, Option<u64>, Vec<u64>);

/// A machine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Node {
    /// Its number.
    pub number: u64,
    /// From when it does what, and why.
    pub states: Vec<(u64, State, String)>,
    /// How it stands.
    pub standings: Vec<Standing>,
    /// From when it serves which version of the schema.
    pub schemas: Vec<(u64, u32)>,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// When it begins.
    pub from: u64,
    /// When it ends; at once when it is a moment.
    pub until: u64,
    /// Its kind.
    pub kind: String,
    /// The rest in words.
    pub words: String,
    /// Whom it befalls.
    pub nodes: Vec<u64>,
}

/// A call.
#[derive(Clone, Debug, Serialize)]
pub struct Drawn {
    /// The order of its begin.
    pub order: u64,
    /// Which client made it; 0 is the harness.
    pub client: u64,
    /// Through which node; 0 when nobody knows.
    pub node: u64,
    /// What it does, in a word.
    pub kind: String,
    /// True when it writes.
    pub writes: bool,
    /// When it began.
    pub from: u64,
    /// When it ended, if it did.
    pub until: Option<u64>,
    /// How: done, refused, lost, open.
    pub end: &'static str,
    /// What was read or committed.
    pub version: Option<u64>,
    /// Its idempotency key.
    pub key: Option<String>,
    /// Its document, by its place among [`Picture::documents`].
    pub document: usize,
    /// Its variables.
    pub variables: String,
    /// What came back.
    pub answer: String,
}

impl Picture {
    /// The picture of a run.
    pub fn new(
        plan: &Plan,
        report: &Report,
        (record, history): (&Record, &History),
        explanations: Vec<Explanation>,
        repeat: &str,
    ) -> Picture {
        let ends = end_of_time(report, record, history);
        let mut picture = Picture {
            title: title(plan, report),
            repeat: repeat.to_owned(),
            facts: facts(plan, report),
            verdict: report.verdict.word().to_owned(),
            violation: violation(report, record, history, ends),
            explanations,
            ends,
            stages: Vec::new(),
            nodes: Vec::new(),
            troubles: Vec::new(),
            links: Vec::new(),
            documents: Vec::new(),
            calls: Vec::new(),
            last: report.last.clone(),
        };
        picture.take_record(record);
        picture.add_messages(plan);
        picture.take_calls(record, history);
        picture
    }

    fn take_record(&mut self, record: &Record) {
        let mut nodes: BTreeMap<u64, Node> = BTreeMap::new();
        let mut node_of = |number: u64, act: &mut dyn FnMut(&mut Node)| {
            act(nodes.entry(number).or_insert_with(|| Node { number, ..Node::default() }));
        };
        // What comes after the end of the axis is another time line: crash images.
        for happening in record.happenings.iter().filter(|happening| happening.micros <= self.ends) {
            let at = happening.micros;
            match &happening.what {
                What::Stage { name } => self.stages.push((at, name.clone())),
                What::Machine { node, state, why } => {
                    node_of(*node, &mut |node| node.states.push((at, *state, why.clone())));
                }
                What::Standing { node, role, term, leader, voters } => {
                    node_of(*node, &mut |node| {
                        node.standings.push((at, role.clone(), *term, *leader, voters.clone()));
                    });
                }
                What::Schema { node, version } => node_of(*node, &mut |node| node.schemas.push((at, *version))),
                What::Trouble { what, leader, until } => {
                    let (kind, words) = words::trouble(what, *leader);
                    let nodes = words::nodes(what, *leader);
                    self.troubles.push(Trouble { from: at, until: *until, kind, words, nodes });
                }
                What::Links { cut } => self.links.push((at, cut.clone())),
                What::Image { .. } => {}
            }
        }
        self.nodes = nodes.into_values().collect();
        // Whatever is still going on when the cluster is healed ends then.
        let healed = self.stages.iter().find(|(_, name)| name == "healed").map(|(at, _)| *at);
        for trouble in &mut self.troubles {
            trouble.until = trouble.until.min(healed.unwrap_or(self.ends)).max(trouble.from);
        }
    }

    /// Trouble with messages lasts as long as anything goes wrong.
    fn add_messages(&mut self, plan: &Plan) {
        let Some(cluster) = &plan.cluster else { return };
        let Ok(Value::Object(messages)) = serde_json::to_value(cluster.messages) else { return };
        let rates = messages.iter().filter(|(name, _)| !name.ends_with("_max"));
        let rates = rates.filter_map(|(name, rate)| Some((name, rate.as_u64().filter(|rate| *rate > 0)?)));
        let words: Vec<String> = rates.map(|(name, rate)| format!("{rate} ‰ {}", name.replace('_', " "))).collect();
        let begun = self.stages.iter().find(|(_, name)| name == "disturbed").map(|(at, _)| *at);
        let (Some(from), false) = (begun, words.is_empty()) else { return };
        let healed = self.stages.iter().find(|(_, name)| name == "healed").map(|(at, _)| *at);
        let until = healed.unwrap_or(self.ends);
        self.troubles.push(Trouble {
            from,
            until,
            kind: "messages".into(),
            words: words.join(", "),
            nodes: Vec::new(),
        });
    }

    fn take_calls(&mut self, record: &Record, history: &History) {
        for chars_max in TEXT_CHARS_MAX {
            let mut documents: BTreeMap<String, usize> = BTreeMap::new();
            let calls = history.calls.iter().enumerate().filter(|(_, call)| call.begun.micros <= self.ends);
            self.calls = calls
                .map(|(place, call)| {
                    let next = documents.len();
                    let document = *documents.entry(call.asked.document(&call.action).into_owned()).or_insert(next);
                    let node = record.nodes_of_calls.get(&place).copied().unwrap_or(0);
                    drawn(call, (node, document), chars_max)
                })
                .collect();
            self.documents = vec![String::new(); documents.len()];
            for (document, place) in documents {
                self.documents[place] = document;
            }
            let bytes: usize = self.calls.iter().map(|call| call.variables.len() + call.answer.len() + 200).sum();
            if bytes <= CALLS_BYTES_MAX {
                break;
            }
        }
    }
}

fn title(plan: &Plan, report: &Report) -> String {
    let what = match &report.verdict {
        Verdict::Fail { violation } => format!("fails: {} ({})", violation.checker, violation.class),
        verdict => verdict.word().to_owned(),
    };
    format!("seed {} {what}", plan.seed)
}

fn facts(plan: &Plan, report: &Report) -> Vec<(String, String)> {
    let met = &report.met;
    let nodes = plan.cluster.as_ref().map_or(1, |cluster| cluster.nodes);
    let mut facts = vec![
        ("profile", plan.profile.word()),
        ("workload", plan.knobs.workload.word()),
        ("nodes", nodes.to_string()),
        ("clients", plan.clients.len().to_string()),
        ("virtual time", words::time(i64::try_from(report.virtual_ms * 1000).unwrap_or(i64::MAX))),
        ("answered", met.acknowledged.to_string()),
        ("terms led", met.terms.to_string()),
        ("partitions", met.partitions.to_string()),
        ("kills", met.kills.to_string()),
        ("power cuts", met.power_cuts.to_string()),
        ("disk faults", met.faults.to_string()),
        ("messages in trouble", met.messages.to_string()),
        ("trace", report.trace.clone()),
    ];
    if !plan.mutants.is_empty() {
        facts.push(("planted", plan.mutants.join(", ")));
    }
    facts.retain(|(_, value)| value != "0");
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The axis ends with the last call of a client or the last stage before crash images are opened.
fn end_of_time(report: &Report, record: &Record, history: &History) -> u64 {
    let images = record.happenings.iter().find_map(|happening| match &happening.what {
        What::Stage { name } if name == "crash images" => Some(happening.micros),
        _ => None,
    });
    let last = record.happenings.last().map_or(0, |happening| happening.micros);
    let calls = history.calls.iter().filter_map(|call| call.ended.or(Some(call.begun))).map(|moment| moment.micros);
    images.unwrap_or_else(|| last.max(report.virtual_ms * 1000)).max(calls.max().unwrap_or(0)).max(1)
}

fn violation(report: &Report, record: &Record, history: &History, ends: u64) -> Option<Wrong> {
    let Verdict::Fail { violation } = &report.verdict else { return None };
    let image = record.happenings.iter().rev().find_map(|happening| match happening.what {
        What::Image { stamp } => Some(stamp),
        _ => None,
    });
    let blamed = history.calls.iter().filter(|call| violation.about.contains(&call.begun.order));
    let blamed = blamed.filter_map(|call| call.ended.or(Some(call.begun))).map(|moment| moment.micros).max();
    let at = match (blamed, image) {
        (Some(at), _) => at,
        (None, Some(stamp)) => moment_of(stamp, history),
        (None, None) => ends,
    };
    Some(Wrong {
        checker: violation.checker.clone(),
        class: violation.class.clone(),
        detail: violation.detail.clone(),
        at: at.min(ends),
        of_image: blamed.is_none() && image.is_some(),
        calls: violation.about.clone(),
    })
}

/// About when so many operations had been recorded.
fn moment_of(stamp: u64, history: &History) -> u64 {
    let moments = history.calls.iter().flat_map(|call| [Some(call.begun), call.ended]).flatten();
    moments.filter(|moment| moment.stamp <= stamp).map(|moment| moment.micros).max().unwrap_or(0)
}

fn drawn(call: &Call, (node, document): (u64, usize), chars_max: usize) -> Drawn {
    let (end, version, answer) = match &call.end {
        End::Open => ("open", None, String::new()),
        End::Done { reply, version } => ("done", *version, shortened(&reply.data, chars_max)),
        End::Refused(reply) => {
            let errors = reply.errors.iter().map(|(code, message)| format!("{code}: {message}"));
            ("refused", reply.version, cut(&errors.collect::<Vec<_>>().join("\n"), chars_max.max(200)))
        }
        End::Lost(reason) => ("lost", None, cut(reason, chars_max.max(200))),
    };
    Drawn {
        order: call.begun.order,
        client: call.client,
        node,
        kind: kind(call),
        writes: call.action.is_mutation(),
        from: call.begun.micros,
        until: call.ended.map(|ended| ended.micros),
        end,
        version,
        key: call.key.clone(),
        document,
        variables: shortened(&call.action.variables(), chars_max),
        answer,
    }
}

/// The name of an action as data, of a task that of the task.
fn kind(call: &Call) -> String {
    let mut value = serde_json::to_value(&call.action).unwrap_or(Value::Null);
    if let Some(task) = value.get_mut("task") {
        value = task.take();
    }
    let name = match &value {
        Value::String(name) => name.as_str(),
        Value::Object(fields) => fields.keys().next().map_or("", String::as_str),
        _ => "",
    };
    name.replace('-', " ")
}

/// JSON in a few characters: long strings in it are cut.
fn shortened(value: &Value, chars_max: usize) -> String {
    fn cut_strings(value: &mut Value) {
        match value {
            Value::String(text) => *text = cut(text, STRING_CHARS_MAX),
            Value::Array(values) => values.iter_mut().for_each(cut_strings),
            Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| cut_strings(value)),
            _ => {}
        }
    }
    let mut value = value.clone();
    cut_strings(&mut value);
    cut(&value.to_string(), chars_max)
}

fn cut(text: &str, chars_max: usize) -> String {
    let mut shown: String = text.chars().take(chars_max).collect();
    if shown.len() < text.len() {
        shown += &format!("… (+{})", text.chars().count() - chars_max);
    }
    shown
}
