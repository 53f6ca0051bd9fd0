//! Filters and orders that an index can serve: its first elements fixed, the next bounded, sorted by the rest.

use super::chance::Chance;
use super::draw_filter::Drawing;
use super::model::{Kind, Object};
use super::operation::*;

impl Drawing<'_> {
    /// A filter and an order along one of the indexes of a collection.
    pub fn along_an_index(self, object: &Object, chance: &mut Chance) -> (Option<Where>, Vec<OrderKey>) {
        // Every reference to one has an index, too.
        let mut indexes = object.indexes.clone();
        let references = object.fields.iter().filter(|field| matches!(field.kind, Kind::Reference { .. }));
        indexes.extend(references.map(|field| vec![field.name.clone()]));
        if chance.percent(30) {
            return self.along_two_indexes(object, &indexes, chance);
        }
        let index = chance.pick(&indexes).clone();
        let fixed = chance.below(index.len() + 1);
        let mut members = Vec::new();
        for (at, path) in index.iter().enumerate().take(fixed + 1) {
            if at < fixed || chance.percent(50) {
                let path: Vec<&str> = path.split('.').collect();
                members.push(self.at(object, &path, at < fixed, chance));
            }
        }
        if chance.percent(20) {
            members.extend(self.filter(object, 1, chance).members);
        }
        chance.shuffle(&mut members);
        let filter = (!members.is_empty()).then(|| united(object, members, chance));
        (filter, self.order_along(object, &index, fixed, chance))
    }

    /// A filter that two indexes serve, both sides of it or either, mostly two that end alike: sorted by that end.
    fn along_two_indexes(
        self,
        object: &Object,
        indexes: &[Vec<String>],
        chance: &mut Chance,
    ) -> (Option<Where>, Vec<OrderKey>) {
        let ends =
            |one: &Vec<String>, other: &Vec<String>| other.len() > 1 && other.last() == one.last() && one != other;
        let paired = |one: &&Vec<String>| one.len() > 1 && indexes.iter().any(|other| ends(one, other));
        let pairs: Vec<&Vec<String>> = indexes.iter().filter(paired).collect();
        let (one, other) = if pairs.is_empty() || chance.percent(40) {
            (chance.pick(indexes).clone(), chance.pick(indexes).clone())
        } else {
            let one = *chance.pick(&pairs);
            let others: Vec<&Vec<String>> = pairs.iter().filter(|other| ends(one, other)).copied().collect();
            (one.clone(), (*chance.pick(&others)).clone())
        };
        let fixed = |index: &[String]| (index.len() - 1).max(1);
        let side = |index: &[String], chance: &mut Chance| -> Vec<Member> {
            let paths = index[..fixed(index)].iter().map(|path| path.split('.').collect::<Vec<&str>>());
            paths.map(|path| self.at(object, &path, index.len() > 1 || chance.percent(60), chance)).collect()
        };
        let (mut members, others) = (side(&one, chance), side(&other, chance));
        if chance.percent(45) {
            members.extend(others);
        } else {
            let mut branches = vec![united(object, members, chance), united(object, others, chance)];
            if chance.percent(15) {
                branches.push(self.filter(object, 0, chance));
            }
            members = vec![Member::Or(branches)];
        }
        if chance.percent(20) {
            members.extend(self.filter(object, 1, chance).members);
        }
        chance.shuffle(&mut members);
        let order = if chance.percent(70) {
            self.order_along(object, &one, fixed(&one), chance)
        } else {
            self.order(object, chance)
        };
        (Some(united(object, members, chance)), order)
    }

    /// Sorted by what follows the fixed elements, mostly all in one direction.
    fn order_along(self, object: &Object, index: &[String], fixed: usize, chance: &mut Chance) -> Vec<OrderKey> {
        let start = if chance.percent(80) { fixed } else { 0 };
        let all = *chance.pick(&[Direction::Asc, Direction::Desc, Direction::AscNullsFirst, Direction::DescNullsLast]);
        let mut order = Vec::new();
        for path in &index[start..] {
            let mut steps: Vec<String> = path.split('.').map(str::to_owned).collect();
            let (mut owner, mut sortable) = (object, true);
            for step in &steps {
                let declared = owner.field(step);
                if declared.of == "JSON" {
                    sortable = false;
                    break;
                }
                sortable &= !declared.list && !declared.is_relation();
                if declared.kind == Kind::Embedded {
                    owner = self.model.object(&declared.of);
                }
            }
            if object.field(&steps[0]).is_to_one() {
                steps.push("id".to_owned());
                sortable = true;
            }
            if !sortable || chance.percent(10) {
                break;
            }
            let direction = if chance.percent(90) { all } else { *chance.pick(&Direction::ALL) };
            order.push(OrderKey { path: steps, direction });
        }
        if chance.percent(20) {
            order.push(OrderKey { path: vec!["id".to_owned()], direction: all });
        } else if chance.percent(15) {
            order.extend(self.order(object, chance));
        }
        order
    }

    /// A condition on what a path leads to: a few values, or bounds.
    fn at(self, object: &Object, path: &[&str], equal: bool, chance: &mut Chance) -> Member {
        let declared = object.field(path[0]);
        let field = declared.name.clone();
        let target = || self.model.object(&declared.of);
        match (&declared.kind, &path[1..]) {
            (Kind::Embedded, rest) => {
                let inner = self.at(target(), rest, equal, chance);
                let inner = Where { of: format!("{}Where", declared.of), members: vec![inner] };
                if declared.list {
                    let tests = vec![Quantified::Some(inner)];
                    return Member::Many { field, filter: format!("{}ListFilter", declared.of), tests };
                }
                Member::Embedded { field, inner }
            }
            (Kind::Reference { .. }, _) => {
                let members = match chance.below(5) {
                    0..3 => vec![Member::Id(vec![self.few_ids(target(), chance)])],
                    3 if !declared.required => vec![Member::IsNull(true)],
                    _ => self.filter(target(), 1, chance).members,
                };
                Member::ToOne { field, inner: Where { of: format!("{}Where", declared.of), members } }
            }
            (_, steps) if declared.of == "JSON" => {
                let path = steps.iter().map(|step| (*step).to_owned()).collect();
                self.json_at(object, declared, path, equal, chance)
            }
            (_, _) if declared.list => self.list_member(object, declared, chance),
            (_, _) => self.value_member(object, declared, equal, chance),
        }
    }
}

/// Members of one object where their names differ, else of several that all have to hold.
fn united(object: &Object, members: Vec<Member>, chance: &mut Chance) -> Where {
    let of = format!("{}Where", object.name);
    let mut names: Vec<String> = members.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == members.len() && chance.percent(80) {
        return Where { of, members };
    }
    let parts = members.into_iter().map(|member| Where { of: of.clone(), members: vec![member] }).collect();
    Where { of, members: vec![Member::And(parts)] }
}

fn name(member: &Member) -> String {
    match member {
        Member::And(_) => "and".to_owned(),
        Member::Or(_) => "or".to_owned(),
        Member::Not(_) => "not".to_owned(),
        Member::IsNull(_) => "isNull".to_owned(),
        Member::Id(_) => "id".to_owned(),
        Member::Value { field, .. }
        | Member::List { field, .. }
        | Member::Json { field, .. }
        | Member::Embedded { field, .. }
        | Member::ToOne { field, .. }
        | Member::Many { field, .. } => field.clone(),
    }
}
