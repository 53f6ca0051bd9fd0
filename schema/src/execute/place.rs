//! Where a cursor stands among the rows of an index or a collection.
//!
//! Its record need not have a row there: the filter of this page may leave it out.

use super::Reader;
use super::stream::Ordered;
use crate::plan::access::{Access, Bound, Choice, Element};
use crate::plan::order::{Order, OrderKey};
use crate::{Abort, fetch};
use std::cmp::Ordering;
use vivarium_storage::key::successor;
use vivarium_storage::runtime::mutant;
use vivarium_storage::{DatabaseId, DocumentId, FieldId, Key, KeyRange, Value, key};

/// Where a cursor stands among rows, in the order of their keys.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The first key that is not in front of it.
    pub(super) at: Key,
    /// The first key behind it.
    pub(super) behind: Key,
    /// The row at this place may be that of another record with the same key.
    shared: bool,
}

impl Reader<'_> {
    /// Keys of the order that all rows of an index access have one value of.
    pub(super) fn fixed_keys(&self, choice: &Choice, elements: &[Element], order: &Order) -> Vec<(usize, Value)> {
        let Access::Index { index, .. } = &choice.access else { return Vec::new() };
        let collection = self.catalog.collection(choice.collection).expect("a plan is used with its own catalog");
        let index = collection.index(*index).expect("a choice is used with its own catalog");
        let value = |path: &[FieldId]| {
            let (_, element) = index
                .elements
                .iter()
                .zip(elements)
                .find(|(element, _)| element.json.is_empty() && element.path == path)?;
            match &element.bound {
                Bound::Values(values) => values.first().cloned(),
                _ => None,
            }
        };
        let keys = order.keys.iter().map_while(OrderKey::own_path).enumerate();
        keys.filter_map(|(at, path)| Some((at, value(&path)?))).collect()
    }

    /// Where a cursor stands among the rows.
    pub(super) async fn place(
        &mut self,
        ordered: &Ordered,
        choice: &Choice,
        fixed: &[(usize, Value)],
        order: &Order,
        position: &[u8],
    ) -> Result<Place, Abort> {
        let place = ordered.place(self.database, choice, fixed, order, position);
        if !place.shared {
            return Ok(place);
        }
        // A unique entry is one record's, which need not be the one that the cursor came from.
        let found = fetch::unique(self.transaction, std::slice::from_ref(&place.at)).await?;
        let ids: Vec<DocumentId> = found.into_iter().flatten().collect();
        let records = self.records(choice.collection, &ids).await?;
        let keys = self.sort_keys(order, &records).await?;
        Ok(match keys.first().map(|key| key.as_slice().cmp(position)) {
            None | Some(Ordering::Equal) => place,
            Some(found) => place.beside_row((found == Ordering::Less) != ordered.reverse),
        })
    }
}

impl Ordered {
    /// Where a position of the order lies among the rows. It may be that of a record that has no row here.
    fn place(
        &self,
        database: DatabaseId,
        choice: &Choice,
        fixed: &[(usize, Value)],
        order: &Order,
        position: &[u8],
    ) -> Place {
        let (values, id) = order.split(position).expect("a bound cursor belongs to its order");
        let mut bytes = self.prefix.clone();
        let mut with_id = true;
        match &choice.access {
            Access::Documents { .. } => return Place::row(key::document(database, choice.collection, id)),
            Access::Index { unique, rest, keys, .. } => {
                let mut null = self.null;
                let mut serving = rest.iter().zip(keys);
                for (at, value) in values.iter().enumerate() {
                    if let Some((_, all)) = fixed.iter().find(|(key, _)| *key == at) {
                        let encoded = |value: &Value| {
                            let mut bytes = Vec::new();
                            let value = value.scalar().expect("records are sorted by scalars");
                            order.keys[at].encode(value, &mut bytes);
                            bytes
                        };
                        match encoded(all).cmp(&encoded(value)) {
                            Ordering::Equal => {}
                            order => return Place::beside(&bytes, (order == Ordering::Less) != self.reverse),
                        }
                        continue;
                    }
                    let Some((direction, key)) = serving.next() else { break };
                    assert!(*key == at, "keys of the order are served in turn");
                    null |= value.is_null();
                    key::encode_value(value, *direction, &mut bytes);
                }
                with_id = !*unique || null;
            }
            _ => {}
        }
        if with_id && mutant("idx-03") {
            // Behind all that have the same values, not behind this one.
            return Place::beside(&bytes, !self.reverse);
        }
        if with_id {
            key::push_id(&mut bytes, id);
        }
        Place { shared: !with_id, ..Place::row(bytes.into_boxed_slice()) }
    }
}

impl Place {
    fn row(key: Key) -> Place {
        Place { behind: successor(&key), at: key, shared: false }
    }

    /// Behind all rows that begin so, or in front of them.
    fn beside(prefix: &[u8], behind: bool) -> Place {
        let range = KeyRange::prefix(prefix);
        let key = if behind { range.end } else { range.start };
        Place { at: key.clone(), behind: key, shared: false }
    }

    /// The same place when the row there belongs to a record behind it, or in front of it.
    fn beside_row(&self, behind: bool) -> Place {
        let key = if behind { &self.behind } else { &self.at };
        Place { at: key.clone(), behind: key.clone(), shared: false }
    }
}
