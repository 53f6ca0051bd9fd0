//! Writes by chance: what a create, an update or a delete says, and how deep it goes through relations.

use super::atom;
use super::chance::Chance;
use super::draw::Drawer;
use super::draw_filter::Drawing;
use super::model::{Field, Kind, Object};
use super::operation::{Key, Part, Selection};
use super::world::{Change, Edits, Id, Many, Record, Relate, Value, World, field};
use super::write::{Act, Meet, Write};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Relations that a write goes through.
const DEPTH: usize = 2;

impl Write {
    /// Records a mutation that creates, with every relation that a create can make.
    pub fn create(drawing: Drawing<'_>, object: &Object, count: usize, chance: &mut Chance) -> Option<Write> {
        let mut records = Vec::new();
        for _ in 0..count {
            let id = if chance.percent(25) { chosen(drawing.world, object, chance) } else { None };
            records.push((id, change(drawing, object, None, DEPTH, chance)?));
        }
        let act = match records.pop() {
            Some((id, change)) if count == 1 && chance.percent(60) => Act::CreateOne(id, change),
            last => {
                records.extend(last);
                let meet = chance.percent(40).then(|| meet(drawing, object, &mut records, chance));
                Act::Create(records, meet)
            }
        };
        Some(Write::of(drawing, object, act, chance))
    }

    fn of(drawing: Drawing<'_>, object: &Object, act: Act, chance: &mut Chance) -> Write {
        let of_one = matches!(act, Act::Update(..) | Act::Delete(_));
        let condition = (of_one && chance.percent(20)).then(|| drawing.filter(object, 1, chance));
        let selections = select(drawing, object, chance);
        let mut query = Vec::new();
        if chance.percent(25) {
            query = Drawer::new(drawing, Chance::new(chance.next())).of_payload().operation().selections;
        }
        Write { collection: object.name.clone(), act, condition, selections, query }
    }

    /// Notes without an author.
    pub fn notes(drawing: Drawing<'_>, count: usize, chance: &mut Chance) -> Option<Write> {
        let object = drawing.model.object("Note");
        let mut records = Vec::new();
        for _ in 0..count {
            let mut change = change(drawing, object, None, 0, chance)?;
            change.values.retain(|(name, _)| name != "author");
            // Most are of one item, which then has more than are counted at once.
            if chance.percent(95) {
                let item = drawing.world.all("Item").next().map(|(id, _)| Value::Reference(id.clone()));
                change.values.retain(|(name, _)| name != "item");
                change.values.extend(item.map(|item| ("item".to_owned(), item)));
            }
            records.push((None, change));
        }
        let selections = vec![super::draw::plain("id")];
        let act = Act::Create(records, None);
        let (condition, query) = (None, Vec::new());
        Some(Write { collection: object.name.clone(), act, condition, selections, query })
    }

    pub fn update(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let id = drawing.id(object, chance)?;
        let change = change(drawing, object, Some(Of::One(&id)), DEPTH, chance)?;
        let edits = edits(drawing, object, &change, chance);
        Some(Write::of(drawing, object, Act::Update(id, change, edits), chance))
    }

    pub fn update_many(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let filter = drawing.filter(object, 2, chance);
        let change = change(drawing, object, Some(Of::Several), 1, chance)?;
        let edits = edits(drawing, object, &change, chance);
        let act = Act::UpdateMany(filter, at_most(chance), change, edits);
        Some(Write::of(drawing, object, act, chance))
    }

    /// By an id or by a unique key of one field; half of the records are there.
    pub fn upsert(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let known = drawing.id(object, chance)?;
        let mut create = change(drawing, object, None, 1, chance)?;
        let is_there = chance.percent(50);
        let single: Vec<&String> = object.keys.iter().filter(|key| key.len() == 1).map(|key| &key[0]).collect();
        let by_id = Key::Id(if is_there { known.clone() } else { chosen(drawing.world, object, chance)? });
        let key = match single.as_slice() {
            [] => by_id,
            _ if chance.percent(40) => by_id,
            names => {
                let name = *chance.pick(names);
                let there = field(drawing.world.get(&object.name, &known)?, name);
                let said = create.values.iter_mut().find(|(said, _)| said == name);
                if let (Some((_, value)), true, false) = (said, is_there, there.is_null()) {
                    *value = there.clone();
                }
                let said = create.values.iter().find(|(said, _)| said == name);
                match said {
                    Some((_, Value::Atom(atom))) => {
                        let of = object.field(name).of.clone();
                        Key::Unique(vec![(name.clone(), of, Part::Atom(atom.as_ref().clone(), 0))])
                    }
                    _ => by_id,
                }
            }
        };
        let update = if chance.percent(80) { change(drawing, object, Some(Of::One(&known)), 1, chance) } else { None };
        let said = update.clone().unwrap_or_default();
        let edits = Edits { increments: edits(drawing, object, &said, chance).increments, ..Edits::default() };
        let act = Act::Upsert { key, id: None, create, update, edits };
        Some(Write::of(drawing, object, act, chance))
    }

    pub fn delete_many(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let act = Act::DeleteMany(drawing.filter(object, 2, chance), at_most(chance));
        Some(Write::of(drawing, object, act, chance))
    }

    pub fn delete(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let act = Act::Delete(drawing.id(object, chance)?);
        Some(Write::of(drawing, object, act, chance))
    }
}

/// How many records a write of several may change: often too few.
fn at_most(chance: &mut Chance) -> usize {
    if chance.percent(20) { 1_000 } else { chance.below(6) }
}

/// What an update does to numbers and lists that `change` leaves alone.
fn edits(drawing: Drawing<'_>, object: &Object, change: &Change, chance: &mut Chance) -> Edits {
    let mut edits = Edits::default();
    for declared in &object.fields {
        let name = declared.name.clone();
        let is_set = change.values.iter().any(|(set, _)| *set == name);
        if is_set || declared.computed || !matches!(declared.kind, Kind::Scalar | Kind::Enum) || !chance.percent(8) {
            continue;
        }
        let element = |chance: &mut Chance| one(drawing, object, declared, chance);
        match declared.of.as_str() {
            "Int" | "BigInt" if !declared.list => {
                edits.increments.push((name, *chance.pick(&[-3, -1, 0, 1, 2, 100, i64::from(i32::MAX)])));
            }
            of if declared.list && of != "JSON" => {
                if chance.percent(70) {
                    let pushed = (0..chance.between(1, 2)).map(|_| element(chance)).collect();
                    edits.pushes.push((name.clone(), pushed));
                }
                if chance.percent(50) {
                    edits.pulls.push((name, (0..chance.between(1, 2)).map(|_| element(chance)).collect()));
                }
            }
            _ => {}
        }
    }
    edits
}

/// An id that no server made. Its first bytes are those of the collection.
fn chosen(world: &World, object: &Object, chance: &mut Chance) -> Option<Id> {
    let (known, _) = world.all(&object.name).next()?;
    let mut id = URL_SAFE_NO_PAD.decode(known).unwrap()[..4].to_vec();
    id.extend(chance.next().to_be_bytes());
    id.extend(chance.next().to_be_bytes());
    Some(URL_SAFE_NO_PAD.encode(id))
}

/// Selections of a payload's record.
fn select(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Vec<Selection> {
    if chance.percent(60) {
        return vec![super::draw::plain("id")];
    }
    Drawer::new(drawing, Chance::new(chance.next())).of_payload().record(object, 1)
}

/// What is updated.
#[derive(Clone, Copy)]
enum Of<'a> {
    One(&'a Id),
    Several,
}

/// What a create does with records that are there. Now and then an input gets the key of one.
fn meet(drawing: Drawing<'_>, object: &Object, records: &mut [(Option<Id>, Change)], chance: &mut Chance) -> Meet {
    let mut keys: Vec<Option<Vec<String>>> = object.keys.iter().cloned().map(Some).collect();
    keys.push(None);
    let key = chance.pick(&keys).clone();
    for (id, change) in records {
        let Some(known) = drawing.id(object, chance).filter(|_| chance.percent(50)) else { continue };
        let there = drawing.world.get(&object.name, &known).expect("it was just found").clone();
        match &key {
            None => *id = Some(known),
            Some(key) => {
                for (name, value) in &mut change.values {
                    if key.contains(name) && !field(&there, name).is_null() {
                        *value = field(&there, name).clone();
                    }
                }
            }
        }
    }
    let update = chance.percent(60);
    let stored = |field: &&Field| !field.computed && (!field.is_relation() || field.is_own_reference());
    let names: Vec<String> = object.fields.iter().filter(stored).map(|field| field.name.clone()).collect();
    let fields = chance.percent(40).then(|| (0..chance.between(1, 4)).map(|_| chance.pick(&names).clone()).collect());
    let filter = chance.percent(30).then(|| drawing.filter(object, 1, chance));
    Meet { key, update, fields, filter }
}

/// The field on the other side of a relation.
fn inverse(drawing: Drawing<'_>, object: &Object, declared: &Field) -> Option<String> {
    let target = drawing.model.object(&declared.of);
    match &declared.kind {
        Kind::Referrer { field } | Kind::Referrers { field } => Some(field.clone()),
        Kind::Reference { .. } => {
            let refers = |field: &&Field| {
                let here = match &field.kind {
                    Kind::Referrer { field } | Kind::Referrers { field } => field,
                    _ => return false,
                };
                field.of == object.name && *here == declared.name
            };
            target.fields.iter().find(refers).map(|field| field.name.clone())
        }
        Kind::Links { name, forward } => {
            let other = Kind::Links { name: name.clone(), forward: !forward };
            target.fields.iter().find(|field| field.kind == other).map(|field| field.name.clone())
        }
        _ => None,
    }
}

/// A record that is created through a relation, under an id that the client has made.
fn nested(
    drawing: Drawing<'_>,
    object: &Object,
    declared: &Field,
    depth: usize,
    chance: &mut Chance,
) -> Option<(Id, Change)> {
    let target = drawing.model.object(&declared.of);
    let id = chosen(drawing.world, target, chance)?;
    let mut change = change(drawing, target, None, depth - 1, chance)?;
    if let Some(inverse) = inverse(drawing, object, declared) {
        change.values.retain(|(name, _)| *name != inverse);
        change.relations.retain(|(name, _)| *name != inverse);
    }
    Some((id, change))
}

/// What becomes of the record that a relation to one leads to, now and then.
fn through_one(
    drawing: Drawing<'_>,
    object: &Object,
    declared: &Field,
    of: Option<Of<'_>>,
    depth: usize,
    chance: &mut Chance,
) -> Option<Relate> {
    if depth == 0 || !chance.percent(25) {
        return None;
    }
    if of.is_none() || chance.percent(40) {
        let (id, change) = nested(drawing, object, declared, depth, chance)?;
        return Some(Relate::Create(id, Box::new(change)));
    }
    if !declared.required && chance.percent(25) {
        return Some(Relate::DeleteOne);
    }
    let target = drawing.model.object(&declared.of);
    let id = match of {
        Some(Of::One(id)) => drawing.world.related(object, id, &declared.name),
        _ => None,
    };
    let of = id.as_ref().map_or(Of::Several, Of::One);
    change(drawing, target, Some(of), depth - 1, chance).map(|change| Relate::UpdateOne(Box::new(change)))
}

/// What a create or an update says; `None` when a record that it needs is not there.
fn change(
    drawing: Drawing<'_>,
    object: &Object,
    of: Option<Of<'_>>,
    depth: usize,
    chance: &mut Chance,
) -> Option<Change> {
    let create = of.is_none();
    let mut change = Change::default();
    for declared in &object.fields {
        if declared.computed || (!create && !chance.percent(12)) {
            continue;
        }
        match &declared.kind {
            Kind::Reference { .. } => {
                if create && !declared.required && chance.percent(40) {
                    continue;
                }
                if let Some(relate) = through_one(drawing, object, declared, of, depth, chance) {
                    change.relations.push((declared.name.clone(), relate));
                    continue;
                }
                let to = drawing.id(drawing.model.object(&declared.of), chance);
                let to = to.filter(|_| declared.required || !chance.percent(20));
                if declared.required && to.is_none() {
                    return None;
                }
                change.values.push((declared.name.clone(), to.map_or(Value::Null, Value::Reference)));
            }
            Kind::Referrer { .. } | Kind::Referrers { .. } | Kind::Links { .. } => {
                if let Some(relate) = relate(drawing, object, declared, of, depth, chance) {
                    change.relations.push((declared.name.clone(), relate));
                }
            }
            Kind::Scalar | Kind::Enum | Kind::Embedded => {
                if create && !declared.required && chance.percent(15) {
                    continue;
                }
                change.values.push((declared.name.clone(), value(drawing, object, declared, chance)));
            }
        }
    }
    Some(change)
}

fn relate(
    drawing: Drawing<'_>,
    object: &Object,
    declared: &Field,
    of: Option<Of<'_>>,
    depth: usize,
    chance: &mut Chance,
) -> Option<Relate> {
    let create = of.is_none();
    let target = drawing.model.object(&declared.of);
    let ids = |chance: &mut Chance, most: usize| -> Vec<Id> {
        (0..chance.below(most + 1)).filter_map(|_| drawing.id(target, chance)).collect()
    };
    let percent = if matches!(declared.kind, Kind::Links { .. }) { 60 } else { 12 };
    if create && !chance.percent(percent) {
        return None;
    }
    if let Kind::Referrer { .. } = declared.kind {
        if let Some(relate) = through_one(drawing, object, declared, of, depth, chance) {
            return Some(relate);
        }
        let to = drawing.id(target, chance);
        let to = if create { Some(to?) } else { to.filter(|_| chance.percent(70)) };
        return Some(Relate::One(to));
    }
    let set = (!create && chance.percent(25)).then(|| ids(chance, 3));
    let disconnect = if create || chance.percent(50) { Vec::new() } else { ids(chance, 3) };
    let mut many = Many { set, disconnect, connect: ids(chance, 3), ..Many::default() };
    if depth > 0 && chance.percent(25) {
        many.create.extend((0..chance.between(1, 2)).filter_map(|_| nested(drawing, object, declared, depth, chance)));
    }
    let Some(of) = of.filter(|_| depth > 0) else { return Some(Relate::Many(Box::new(many))) };
    // Mostly records that are related: nothing else is changed from here.
    let mut related = match of {
        Of::One(id) => drawing.world.relatives(object, id, &declared.name),
        Of::Several => Vec::new(),
    };
    related.sort();
    let one = |chance: &mut Chance| match related.as_slice() {
        [] => drawing.id(target, chance).filter(|_| chance.percent(15)),
        _ if chance.percent(8) => drawing.id(target, chance),
        related => Some(chance.pick(related).clone()),
    };
    if chance.percent(30) {
        for _ in 0..chance.between(1, 2) {
            let Some(id) = one(chance) else { break };
            let of = Of::One(&id);
            if let Some(change) = change(drawing, target, Some(of), depth - 1, chance) {
                many.update.push((id, change));
            }
        }
    }
    if chance.percent(10) {
        many.delete.extend(one(chance));
    }
    if chance.percent(8) {
        many.delete_many = Some(drawing.filter(target, 1, chance));
    }
    Some(Relate::Many(Box::new(many)))
}

fn value(drawing: Drawing<'_>, object: &Object, declared: &Field, chance: &mut Chance) -> Value {
    if !declared.required && chance.percent(25) {
        return Value::Null;
    }
    if declared.list {
        let item = |chance: &mut Chance| match declared.element_required || chance.percent(85) {
            true => one(drawing, object, declared, chance),
            false => Value::Null,
        };
        return Value::List((0..chance.below(4)).map(|_| item(chance)).collect());
    }
    one(drawing, object, declared, chance)
}

fn one(drawing: Drawing<'_>, object: &Object, declared: &Field, chance: &mut Chance) -> Value {
    let model = drawing.model;
    if declared.kind == Kind::Embedded {
        let embedded = model.object(&declared.of);
        let mut values = Record::new();
        for inner in &embedded.fields {
            let value = match inner.kind {
                Kind::Reference { .. } => {
                    let to = drawing.id(model.object(&inner.of), chance).filter(|_| chance.percent(50));
                    to.map_or(Value::Null, Value::Reference)
                }
                _ => value(drawing, embedded, inner, chance),
            };
            values.insert(inner.name.clone(), value);
        }
        return Value::Object(values);
    }
    let number = |number: usize| Value::atom(atom::whole(i64::try_from(number).unwrap()));
    Value::atom(match (object.name.as_str(), declared.name.as_str()) {
        // Unique ones: mostly new.
        (_, "serial") => return number(chance.below(5_000)),
        ("Note", "number") => return number(chance.below(12)),
        ("Shelf", "code") | ("Label", "name") => {
            let text = format!("{}{}", atom::draw_text(chance), chance.below(20));
            atom::text(&text)
        }
        ("Item", "key") => atom::uuid(&format!("00000000-0000-0000-0000-{:012x}", chance.below(200))),
        ("Card", "number") => atom::big(i64::try_from(chance.below(60)).unwrap() - 30),
        ("Item", "cost") => atom::draw_precise(chance),
        _ => atom::draw(model, &declared.of, chance),
    })
}
