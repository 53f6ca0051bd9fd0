//! What must hold of answers about tables, told from calls and answers alone, without versions and without the model.
//!
//! As in the other oracles, a mutation is one operation, however often it was sent.

use crate::check::Violation;
use crate::check::oracles::{Ended, Sent};
use crate::history::{Call, End, History};
use crate::workload::Action;
use crate::workload::index::BALANCE;
use crate::workload::pagination::{group_of, share};
use crate::workload::rows::filter::Datum;
use crate::workload::rows::fold::Fold;
use crate::workload::rows::table::{Kind, Table};
use crate::workload::rows::{Change, Operation, Part, Query, Then, Walk};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What each of these finds.
pub(in crate::check) fn witnesses(history: &History, operations: &[Sent<'_, Operation>]) -> Vec<Violation> {
    let all = [
        check_purses(operations),
        check_folded_purses(operations),
        check_computed(operations),
        check_pairs(operations),
        check_walks(history, operations),
        check_holders(operations),
        check_sides(operations),
        check_counters(history, operations),
        check_ticks(operations),
    ];
    all.into_iter().filter_map(Result::err).collect()
}

/// Every answered part of every operation.
fn answered<'a>(
    operations: &'a [Sent<'_, Operation>],
) -> impl Iterator<Item = (&'a Sent<'a, Operation>, &'a Part, &'a Value)> {
    operations.iter().flat_map(|sent| {
        let answers = match sent.ended {
            Ended::Done(_, data, _) => sent.what.answers(data).unwrap_or_default(),
            Ended::Refused | Ended::Unknown => Vec::new(),
        };
        sent.what.parts.iter().zip(answers).map(move |(part, answer)| (sent, part, answer))
    })
}

fn nodes(list: &Value) -> &[Value] {
    list["nodes"].as_array().map_or(&[], Vec::as_slice)
}

fn names(list: &Value) -> BTreeSet<&str> {
    nodes(list).iter().filter_map(|node| node["name"].as_str()).collect()
}

/// Lists that show all of a table: not filtered, and not cut.
fn all_of(part: &Part, of: Table) -> Option<&Query> {
    match part {
        Part::List(query) if query.of == of && query.filter.is_none() => Some(query),
        _ => None,
    }
}

/// Every read of all purses has one sum.
fn check_purses(operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    for (_, part, list) in answered(operations) {
        // All their filters let all of them through.
        let Part::List(Query { of: Table::Purse, .. }) = part else { continue };
        let balances: Vec<i64> = nodes(list).iter().filter_map(|node| node["balance"].as_i64()).collect();
        let filled = balances.len() as i64 * BALANCE;
        if let Some(negative) = balances.iter().find(|balance| **balance < 0) {
            return Err(Violation::new("index", "negative", format!("a purse was read with {negative} in it")));
        }
        if balances.iter().sum::<i64>() != filled {
            let detail = format!("{} shows purses with {balances:?}; together they hold {filled}", part.form());
            return Err(Violation::new("index", "wrong-sum", detail));
        }
    }
    Ok(())
}

/// So does what they add up to, all together and by groups.
fn check_folded_purses(operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    for (_, part, answer) in answered(operations) {
        let Part::Fold(Fold { of: Table::Purse, groups, .. }) = part else { continue };
        let held = |fold: &Value| {
            let balance = fold["balance"]["sum"].as_str().and_then(|sum| sum.parse::<i64>().ok());
            (fold["count"].as_i64().unwrap_or(0), balance.unwrap_or(0))
        };
        let (count, balance) = held(&answer["aggregate"]);
        let by_group: Vec<(i64, i64)> =
            answer["groups"].as_array().into_iter().flatten().map(|group| held(&group["aggregate"])).collect();
        let grouped = by_group.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let is_whole = groups.as_ref().is_none_or(|groups| !groups.are_all() || grouped == (count, balance));
        if balance != count * BALANCE || !is_whole {
            let detail =
                format!("{count} purses add up to {balance}, by groups to {by_group:?}; each began with {BALANCE}");
            return Err(Violation::new("index", "wrong-sum", detail));
        }
    }
    Ok(())
}

/// What is computed of a sample is what the same answer shows of it.
fn check_computed(operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    for (_, part, answer) in answered(operations) {
        let (one, many) = Table::Sample.words();
        let shown: Vec<&Value> = match part {
            Part::List(Query { of: Table::Sample, .. }) => nodes(answer).iter().collect(),
            Part::Create { of: Table::Sample, .. } => answer[many].as_array().into_iter().flatten().collect(),
            Part::Change(Change { of: Table::Sample, .. }) => vec![&answer[one]],
            _ => continue,
        };
        for sample in shown {
            let (Some(name), Some(score)) = (sample["name"].as_str(), sample["score"].as_i64()) else { continue };
            let plain = sample["plain"].as_i64().unwrap_or(0);
            let rating = (score * 2 + plain).to_string();
            if sample["rating"] != rating || sample["caption"] != format!("{name}/{plain}") {
                let detail = format!("{sample} is not rated {rating}, or is not called {name}/{plain}");
                return Err(Violation::new("index", "wrong-computed", detail));
            }
        }
    }
    Ok(())
}

/// Things lie on one side of a pair only.
fn check_pairs(operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    let both = |pair: &str| {
        let detail = format!("something was put on both sides of {pair}, each because there was nothing on the other");
        Err(Violation::new("index", "both-sides", detail))
    };
    let mut put: BTreeMap<&str, BTreeSet<Table>> = BTreeMap::new();
    for (_, part, answer) in answered(operations) {
        match part {
            Part::Create { of: of @ (Table::Left | Table::Right), rows } => {
                for row in rows {
                    let Some(Datum::Text(pair)) = row.fields.get("pair") else { continue };
                    let sides = put.entry(pair).or_default();
                    sides.insert(*of);
                    if sides.len() > 1 {
                        return both(pair);
                    }
                }
            }
            Part::List(Query { of: Table::Pair, .. }) => {
                let lies = |pair: &Value, side: &str| pair[side]["totalCount"].as_u64().unwrap_or(0) > 0;
                let found = nodes(answer).iter().find(|pair| lies(pair, "lefts") && lies(pair, "rights"));
                if let Some(pair) = found {
                    return both(pair["name"].as_str().unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A walk: its pages in order.
struct Walked<'h> {
    first: &'h Call,
    walk: &'h Walk,
    names: Vec<&'h str>,
    /// It came to its end.
    ended: bool,
}

/// Groups come, move and go as a whole, so every walk that comes to its end shows all of a group or none of it, and
/// nothing twice; and what had been there before and was touched by nobody.
fn check_walks(history: &History, operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    let touched: Vec<(&Sent<'_, Operation>, BTreeSet<&str>)> =
        operations.iter().map(|sent| (sent, groups(sent.what))).collect();
    for walked in walks(history) {
        let mut seen = BTreeMap::new();
        for name in &walked.names {
            if seen.insert(*name, ()).is_some() {
                return Err(Violation::new("pagination", "twice", format!("{name} was twice on the pages of a walk")));
            }
        }
        if !walked.ended {
            continue;
        }
        let mut shown: BTreeMap<&str, u64> = BTreeMap::new();
        walked.names.iter().filter_map(|name| group_of(name)).for_each(|group| *shown.entry(group).or_default() += 1);
        let of = walked.walk.of;
        if let Some((group, count)) = shown.iter().find(|(group, count)| **count != share(of, group)) {
            let whole = share(of, group);
            let detail =
                format!("a walk over {of:?} showed {count} records of {group}; there are {whole} of it or none");
            return Err(Violation::new("pagination", "torn-group", detail));
        }
        if walked.walk.filter.is_some() {
            continue;
        }
        let first_answered = walked.first.ended.map_or(u64::MAX, |moment| moment.order);
        for (sent, groups) in &touched {
            let Ended::Done(moment, ..) = sent.ended else { continue };
            if !matches!(sent.what.parts[0], Part::Create { .. }) || moment >= walked.first.begun.order {
                continue;
            }
            for group in groups {
                let deleted = touched.iter().any(|(other, groups)| {
                    matches!(other.what.parts[0], Part::Delete { .. })
                        && groups.contains(group)
                        && other.invoked < first_answered
                        && !matches!(other.ended, Ended::Refused)
                });
                if !deleted && share(of, group) > 0 && !shown.contains_key(group) {
                    let detail = format!("{group} had been there before a walk began, and was on none of its pages");
                    return Err(Violation::new("pagination", "lost", detail));
                }
            }
        }
    }
    Ok(())
}

/// The groups that an operation works on.
fn groups(operation: &Operation) -> BTreeSet<&str> {
    let names = operation.parts.iter().flat_map(|part| match part {
        Part::Create { of: Table::Leaf | Table::Frond, rows } => rows.iter().map(|row| row.name.as_str()).collect(),
        Part::Delete { of: Table::Leaf | Table::Frond, name } => vec![name.as_str()],
        _ => Vec::new(),
    });
    names.filter_map(group_of).collect()
}

/// All walks, put together from their pages: a page that goes on has the cursor of the one before it.
fn walks(history: &History) -> Vec<Walked<'_>> {
    let mut walks: Vec<Walked<'_>> = Vec::new();
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    for call in &history.calls {
        let Action::Rows(operation) = &call.action else { continue };
        let ([Part::Walk(walk)], End::Done { reply, .. }) = (&operation.parts[..], &call.end) else { continue };
        let Ok(answers) = operation.answers(&reply.data) else { continue };
        let page = nodes(answers[0]).iter().filter_map(|node| node["name"].as_str());
        let turned = walk.is_backward()
            && walk.cursor.is_some()
            && !open.get(&call.client).is_some_and(|at| walks[*at].walk.is_backward());
        let at = match open.get(&call.client) {
            Some(at) if walk.cursor.is_some() && !turned => *at,
            _ => {
                // The way back begins with what the last page of the way there showed.
                let names = if turned { walk.seen.iter().map(String::as_str).collect() } else { Vec::new() };
                let there = open.get(&call.client).filter(|_| turned).map(|at| walks[*at].first);
                walks.push(Walked { first: there.unwrap_or(call), walk, names, ended: false });
                open.insert(call.client, walks.len() - 1);
                walks.len() - 1
            }
        };
        let walked = &mut walks[at];
        walked.names.extend(page);
        let more = if walk.is_backward() { "hasPreviousPage" } else { "hasNextPage" };
        walked.ended = answers[0]["pageInfo"][more] == false;
    }
    walks
}

/// No two records of one answer have the same unique values, and who is looked up by one has it.
fn check_holders(operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    for (_, part, answer) in answered(operations) {
        match part {
            Part::List(query) => {
                for fields in query.of.unique() {
                    let mut holders: BTreeMap<String, &Value> = BTreeMap::new();
                    for node in nodes(answer) {
                        let values: Vec<&Value> = fields.iter().map(|field| &node[field]).collect();
                        if values.iter().any(|value| value.is_null()) {
                            continue;
                        }
                        if let Some(other) = holders.insert(format!("{values:?}"), &node["name"]) {
                            let detail = format!("{other} and {} both have {fields:?} {values:?}", node["name"]);
                            return Err(Violation::new("unique", "two-holders", detail));
                        }
                    }
                }
            }
            Part::Get { of, by, value } if !answer.is_null() => {
                let wanted = value.json(of.kind(by));
                if answer[by] != wanted {
                    let detail = format!("{} was found by {by} {wanted}, and has {}", answer["name"], answer[by]);
                    return Err(Violation::new("unique", "wrong-holder", detail));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where one answer shows both sides of a relation, they agree, and nothing refers to what is not there.
fn check_sides(operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    for sent in operations {
        let Ended::Done(_, data, _) = sent.ended else { continue };
        if sent.what.writes() {
            continue;
        }
        let answers = sent.what.answers(data).unwrap_or_default();
        let whole = |part: &Part, list: &Value| {
            let Part::List(query) = part else { return None };
            (all_of(part, query.of).is_some() && list["pageInfo"]["hasNextPage"] == false).then_some(query.of)
        };
        let lists = sent.what.parts.iter().zip(&answers);
        let lists: BTreeMap<Table, &Value> =
            lists.filter_map(|(part, list)| Some((whole(part, list)?, *list))).collect();
        for (table, list) in &lists {
            for field in table.fields() {
                let (Kind::Many(other, there) | Kind::Linked(other, there)) = field.kind else { continue };
                let Some(others) = lists.get(&other) else { continue };
                check_relation((*table, list, field.name), (other, others, there))?;
            }
        }
    }
    Ok(())
}

fn check_relation(
    (table, list, field): (Table, &Value, &str),
    (other, others, there): (Table, &Value, &str),
) -> Result<(), Violation> {
    let mut from_here: BTreeSet<(&str, &str)> = BTreeSet::new();
    for node in nodes(list) {
        let name = node["name"].as_str().unwrap_or_default();
        from_here.extend(names(&node[field]).into_iter().map(|other| (name, other)));
    }
    let mut from_there: BTreeSet<(&str, &str)> = BTreeSet::new();
    for node in nodes(others) {
        let name = node["name"].as_str().unwrap_or_default();
        let referred = node[there]["name"].as_str().into_iter().chain(names(&node[there]));
        from_there.extend(referred.map(|here| (here, name)));
    }
    let Some((here, one)) = from_here.symmetric_difference(&from_there).next() else { return Ok(()) };
    let detail = format!("{table:?} {here} and {other:?} {one} do not agree on {field} and {there}");
    Err(Violation::new("relation", "sides-differ", detail))
}

/// A counter is at least at what had been counted before it was read, and at most at what had been begun.
fn check_counters(history: &History, operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    // Which calls are increments is known from the calls that they follow: those keys.
    let follows = |call: &Call| match &call.action {
        Action::Rows(Operation { then: Some(Then::Increment { key, .. }), .. }) => Some(key.clone()),
        _ => None,
    };
    let keys: BTreeSet<String> = history.calls.iter().filter_map(follows).collect();
    let counted = |sent: &&Sent<'_, Operation>| sent.key.is_some_and(|key| keys.contains(key));
    let increments: Vec<&Sent<'_, Operation>> = operations.iter().filter(counted).collect();
    let of = |sent: &Sent<'_, Operation>, name: &str| matches!(&sent.what.parts[..], [Part::Change(change)] if change.name == name);
    for (sent, part, answer) in answered(operations) {
        let Ended::Done(moment, ..) = sent.ended else { continue };
        let shown: Vec<&Value> = match part {
            Part::Get { of: Table::Counter, .. } if !answer.is_null() => vec![answer],
            Part::List(Query { of: Table::Counter, .. }) => nodes(answer).iter().collect(),
            _ => continue,
        };
        // What a mutation reads is answered again when it is sent again: only its first answer counts here.
        for counter in shown {
            let (Some(name), Some(value)) = (counter["name"].as_str(), counter["value"].as_u64()) else { continue };
            let mine = increments.iter().filter(|increment| of(increment, name));
            let done = |increment: &&&Sent<'_, Operation>| matches!(increment.ended, Ended::Done(moment, ..) if moment < sent.invoked);
            let least = mine.clone().filter(done).count() as u64;
            let begun =
                mine.filter(|increment| increment.invoked < moment && !matches!(increment.ended, Ended::Refused));
            let most = begun.count() as u64;
            if !(least..=most).contains(&value) {
                let detail = format!("{name} shows {value}: it had been counted up {least} times, and at most {most}");
                let class = if value < least { "lost-increment" } else { "counted-twice" };
                return Err(Violation::new("counter", class, detail));
            }
        }
    }
    Ok(())
}

/// Every tick is there once: as many as there are keys that committed.
fn check_ticks(operations: &[Sent<'_, Operation>]) -> Result<(), Violation> {
    let mut made: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for sent in operations {
        let [Part::Create { of: Table::Tick, rows }] = &sent.what.parts[..] else { continue };
        let known = match sent.ended {
            Ended::Done(moment, ..) => moment,
            Ended::Unknown => u64::MAX,
            Ended::Refused => continue,
        };
        made.extend(rows.iter().map(|row| (row.name.as_str(), (sent.invoked, known))));
    }
    for (sent, part, list) in answered(operations) {
        let Some(query) = all_of(part, Table::Tick) else { continue };
        let Ended::Done(moment, ..) = sent.ended else { continue };
        let shown = names(list);
        if shown.len() != nodes(list).len() || (list["totalCount"] != shown.len() && query.counted) {
            let detail = format!("{} ticks were listed, {} of them different", nodes(list).len(), shown.len());
            return Err(Violation::new("counter", "tick-twice", detail));
        }
        let lost = made.iter().find(|(name, (_, known))| *known < sent.invoked && !shown.contains(*name));
        if let Some((name, _)) = lost {
            return Err(Violation::new("counter", "tick-lost", format!("{name} had been made and was not read later")));
        }
        let unheard = shown.iter().find(|name| made.get(*name).is_none_or(|(invoked, _)| *invoked > moment));
        if let Some(name) = unheard {
            return Err(Violation::new(
                "counter",
                "tick-unheard-of",
                format!("{name} was read and nobody had made it"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "oracles_test.rs"]
mod tests;
