//! What creates and updates do to the world, through relations as far as they go: one record after the other.
//!
//! What is refused leaves a world behind that nobody looks at again.

use super::judge::Judge;
use super::model::{Field, Kind, Model, Object};
use super::world::{Change, Edits, Id, Many, Refused, Relate, Value, World, field};
use std::collections::BTreeSet;

/// How a new record is related to the one that it is created through: that one's type, field and id.
pub type Through<'a> = (&'a Object, &'a Field, &'a str);

impl World {
    /// Creates a record, with those that it refers to before it and all others behind.
    pub fn create(
        &mut self,
        model: &Model,
        object: &Object,
        id: &str,
        change: &Change,
        through: Option<Through<'_>>,
    ) -> Result<(), Refused> {
        let made = self.make(model, object, change)?;
        if self.get(&object.name, id).is_some() {
            return Err("UNIQUE_VIOLATION");
        }
        self.leads_somewhere(model, object, change)?;
        let mut record: super::world::Record = change.values.iter().cloned().collect();
        record.extend(made);
        let mut linked = None;
        match through.map(|(_, declared, from)| (&declared.kind, from)) {
            Some((Kind::Referrer { field } | Kind::Referrers { field }, from)) => {
                record.insert(field.clone(), Value::Reference(from.to_owned()));
            }
            Some((Kind::Links { name, forward }, from)) => linked = Some((name, pair(*forward, from, id))),
            _ => {}
        }
        self.write(model, object, id, record)?;
        if let Some((name, pair)) = linked {
            self.links.entry(name.clone()).or_default().insert(pair);
        }
        // All that comes of what is there comes before what is new.
        for (name, relate) in &change.relations {
            if let Relate::Many(many) = relate {
                let connects = Many { create: Vec::new(), ..many.as_ref().clone() };
                self.relate_many(model, object, id, name, &connects)?;
            } else if let Relate::One(_) = relate {
                self.relate(model, object, id, name, relate)?;
            }
        }
        for (name, relate) in &change.relations {
            let declared = object.field(name);
            let created: Vec<(&Id, &Change)> = match relate {
                Relate::Many(many) => many.create.iter().map(|(id, change)| (id, change)).collect(),
                Relate::Create(id, change) if !declared.is_own_reference() => vec![(id, change.as_ref())],
                _ => Vec::new(),
            };
            for (new, change) in created {
                self.create(model, model.object(&declared.of), new, change, Some((object, declared, id)))?;
            }
        }
        Ok(())
    }

    pub fn update(
        &mut self,
        model: &Model,
        object: &Object,
        id: &str,
        change: &Change,
        edits: &Edits,
    ) -> Result<(), Refused> {
        self.values_lead_somewhere(change)?;
        let made = self.make(model, object, change)?;
        let Some(mut record) = self.get(&object.name, id).cloned() else { return Err("NOT_FOUND") };
        let mut led_to = Vec::new();
        for (name, relate) in &change.relations {
            if object.field(name).is_own_reference() && matches!(relate, Relate::UpdateOne(_) | Relate::DeleteOne) {
                let Value::Reference(other) = field(&record, name) else { return Err("NOT_FOUND") };
                led_to.push((name, relate, other.clone()));
            }
        }
        self.references_are_there(model, object, change)?;
        record.extend(change.values.iter().cloned());
        record.extend(made);
        for (name, relate, _) in &led_to {
            if let Relate::DeleteOne = relate {
                record.insert((*name).clone(), Value::Null);
            }
        }
        edits.apply(object, &mut record)?;
        self.write(model, object, id, record)?;
        for (name, relate, other) in led_to {
            let target = model.object(&object.field(name).of);
            self.change_related(model, target, relate, &other)?;
            self.stays(object, id)?;
        }
        for (name, relate) in &change.relations {
            if !object.field(name).is_own_reference() {
                self.relate(model, object, id, name, relate)?;
            }
        }
        Ok(())
    }

    /// Creates the records that own references are to lead to.
    fn make(&mut self, model: &Model, object: &Object, change: &Change) -> Result<Vec<(String, Value)>, Refused> {
        let mut made = Vec::new();
        for (name, relate) in &change.relations {
            let declared = object.field(name);
            if let (true, Relate::Create(id, change)) = (declared.is_own_reference(), relate) {
                self.create(model, model.object(&declared.of), id, change, None)?;
                made.push((name.clone(), Value::Reference(id.clone())));
            }
        }
        Ok(made)
    }

    fn leads_somewhere(&self, model: &Model, object: &Object, change: &Change) -> Result<(), Refused> {
        self.values_lead_somewhere(change)?;
        self.references_are_there(model, object, change)
    }

    /// References inside embedded values lead to records.
    fn values_lead_somewhere(&self, change: &Change) -> Result<(), Refused> {
        let is_own = |value: &Value| matches!(value, Value::Reference(_));
        let inside = change.values.iter().map(|(_, value)| value).filter(|value| !is_own(value));
        let all = inside.flat_map(|value| self.ids_in(value)).all(|id| self.is_anywhere(&id));
        if all { Ok(()) } else { Err("REFERENCE_VIOLATION") }
    }

    fn references_are_there(&self, model: &Model, object: &Object, change: &Change) -> Result<(), Refused> {
        for (name, value) in &change.values {
            if let Value::Reference(id) = value {
                self.is_there(model.object(&object.field(name).of), id)?;
            }
        }
        Ok(())
    }

    fn ids_in(&self, value: &Value) -> Vec<Id> {
        match value {
            Value::Reference(id) => vec![id.clone()],
            Value::List(items) => items.iter().flat_map(|item| self.ids_in(item)).collect(),
            Value::Object(fields) => fields.values().flat_map(|item| self.ids_in(item)).collect(),
            Value::Null | Value::Atom(_) => Vec::new(),
        }
    }

    fn is_anywhere(&self, id: &str) -> bool {
        self.records.values().any(|records| records.contains_key(id))
    }

    fn is_there(&self, object: &Object, id: &str) -> Result<(), Refused> {
        if self.get(&object.name, id).is_some() { Ok(()) } else { Err("NOT_FOUND") }
    }

    /// A record does not go with what is deleted through it.
    fn stays(&self, object: &Object, id: &str) -> Result<(), Refused> {
        if self.get(&object.name, id).is_some() { Ok(()) } else { Err("BAD_USER_INPUT") }
    }

    fn change_related(&mut self, model: &Model, target: &Object, relate: &Relate, other: &Id) -> Result<(), Refused> {
        match relate {
            Relate::UpdateOne(change) => self.update(model, target, other, change, &Edits::default()),
            _ => self.delete(model, target, std::slice::from_ref(other)),
        }
    }

    fn relate(&mut self, model: &Model, object: &Object, id: &str, name: &str, relate: &Relate) -> Result<(), Refused> {
        let declared = object.field(name);
        let target = model.object(&declared.of);
        let Kind::Referrer { field } = &declared.kind else {
            let Relate::Many(many) = relate else { panic!("{relate:?} is no change of {name}") };
            return self.relate_many(model, object, id, name, many);
        };
        if let Relate::One(Some(wanted)) = relate {
            self.is_there(target, wanted)?;
        }
        let there = self.referring(&declared.of, field, id).pop();
        match relate {
            Relate::UpdateOne(_) | Relate::DeleteOne => {
                let Some(there) = there else { return Err("NOT_FOUND") };
                self.change_related(model, target, relate, &there)?;
                self.stays(object, id)
            }
            Relate::One(wanted) if there == *wanted => Ok(()),
            _ => {
                if let Some(there) = there {
                    self.refer(model, target, &there, field, None)?;
                }
                match relate {
                    Relate::One(Some(wanted)) => self.refer(model, target, wanted, field, Some(id)),
                    Relate::Create(new, change) => {
                        self.create(model, target, new, change, Some((object, declared, id)))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn relate_many(
        &mut self,
        model: &Model,
        object: &Object,
        id: &str,
        name: &str,
        many: &Many,
    ) -> Result<(), Refused> {
        let declared = object.field(name);
        let target = model.object(&declared.of);
        let comes = || many.set.iter().flatten().chain(&many.connect);
        let updated = || many.update.iter().map(|(id, _)| id);
        for named in comes().chain(updated()).chain(&many.delete).chain(&many.disconnect) {
            self.is_there(target, named)?;
        }
        let deleted: BTreeSet<&Id> = many.delete.iter().collect();
        let twice = updated().collect::<BTreeSet<_>>().len() < many.update.len() || deleted.len() < many.delete.len();
        if twice || updated().chain(comes()).chain(&many.disconnect).any(|id| deleted.contains(id)) {
            return Err("BAD_USER_INPUT");
        }
        let related = self.relatives(object, id, name);
        if updated().chain(&many.delete).any(|id| !related.contains(id)) {
            return Err("NOT_FOUND");
        }
        for (other, change) in &many.update {
            self.update(model, target, other, change, &Edits::default())?;
        }
        let mut doomed: BTreeSet<Id> = many.delete.iter().cloned().collect();
        if let Some(filter) = &many.delete_many {
            let related = self.relatives(object, id, name);
            let judge = Judge { model, world: self };
            let matches = |other: &&Id| {
                let (known, _) = self.records[&target.name].get_key_value(*other).unwrap();
                judge.matches(target, known, filter)
            };
            let chosen: Vec<Id> = related.iter().filter(matches).cloned().collect();
            doomed.extend(chosen);
        }
        if !doomed.is_empty() {
            let doomed: Vec<Id> = doomed.into_iter().collect();
            self.delete(model, target, &doomed)?;
        }
        self.stays(object, id)?;
        for come in comes() {
            self.is_there(target, come)?;
        }
        self.connect(model, (object, declared, id), many)?;
        for (new, change) in &many.create {
            self.create(model, target, new, change, Some((object, declared, id)))?;
        }
        Ok(())
    }

    /// What is to go goes, but for what is to come as well, and then that comes.
    fn connect(&mut self, model: &Model, (object, declared, id): Through<'_>, many: &Many) -> Result<(), Refused> {
        let target = model.object(&declared.of);
        let there = self.relatives(object, id, &declared.name);
        let comes: BTreeSet<&Id> = many.set.iter().flatten().chain(&many.connect).collect();
        let unset = there.iter().filter(|_| many.set.is_some());
        let goes = unset.chain(&many.disconnect).filter(|goes| !comes.contains(goes));
        match &declared.kind {
            Kind::Referrers { field } => {
                for gone in goes {
                    if self.related(target, gone, field).as_deref() == Some(id) {
                        self.refer(model, target, gone, field, None)?;
                    }
                }
                for come in comes {
                    self.refer(model, target, come, field, Some(id))?;
                }
            }
            Kind::Links { name, forward } => {
                let pairs = self.links.entry(name.clone()).or_default();
                for gone in goes {
                    pairs.remove(&pair(*forward, id, gone));
                }
                for come in comes {
                    pairs.insert(pair(*forward, id, come));
                }
            }
            _ => panic!("{} leads to one", declared.name),
        }
        Ok(())
    }
}

/// The two ends of a link, the first of the relation first.
fn pair(forward: bool, here: &str, there: &str) -> (Id, Id) {
    if forward { (here.to_owned(), there.to_owned()) } else { (there.to_owned(), here.to_owned()) }
}
