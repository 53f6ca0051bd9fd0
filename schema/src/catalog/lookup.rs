//! Finding things in a catalog, by name, by number, by path.

use super::{Catalog, Collection, Embedded, EnumType, Family, Field, FieldKind, Index, IndexElement, TypeId};
use vivarium_storage::{CollectionId, FieldId, IndexId};

impl Catalog {
    /// A collection by its GraphQL type name.
    pub fn collection_named(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }
    /// A collection by id.
    pub fn collection(&self, id: CollectionId) -> Option<&Collection> {
        self.collections.binary_search_by_key(&id, |collection| collection.id).ok().map(|at| &self.collections[at])
    }
    /// The collections of a family, ascending.
    pub fn members<'a>(&'a self, family: &'a Family) -> impl Iterator<Item = &'a Collection> {
        family.members.iter().map(|id| self.collection(*id).expect("a catalog resolves its own families"))
    }
    /// An embedded type by id.
    pub fn embedded(&self, id: TypeId) -> Option<&Embedded> {
        self.embedded.binary_search_by_key(&id, |embedded| embedded.id).ok().map(|at| &self.embedded[at])
    }
    /// An enum by id.
    pub fn enum_type(&self, id: TypeId) -> Option<&EnumType> {
        self.enums.binary_search_by_key(&id, |enum_type| enum_type.id).ok().map(|at| &self.enums[at])
    }
}

impl Collection {
    /// A field by name.
    pub fn field_named(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
    /// A field by number.
    pub fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }
    /// An index by id.
    pub fn index(&self, id: IndexId) -> Option<&Index> {
        self.indexes.iter().find(|index| index.id == id)
    }
    /// The field that a path of an index ends at.
    pub fn field_at<'a>(&'a self, catalog: &'a Catalog, path: &[FieldId]) -> Option<&'a Field> {
        fields_along(self, catalog, path).last().copied()
    }
    /// An element of an index as its declaration writes it: `address.city`, `preferences.theme`.
    pub fn element_name(&self, catalog: &Catalog, element: &IndexElement) -> String {
        let names = self.path_names(catalog, &element.path);
        names.into_iter().chain(element.json.iter().map(String::as_str)).collect::<Vec<_>>().join(".")
    }
    /// The names along a path of an index; shorter than the path when it leads nowhere.
    pub fn path_names<'a>(&'a self, catalog: &'a Catalog, path: &[FieldId]) -> Vec<&'a str> {
        fields_along(self, catalog, path).into_iter().map(|field| field.name.as_str()).collect()
    }
}

impl Embedded {
    /// A field by name.
    pub fn field_named(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
    /// A field by number.
    pub fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }
}

fn fields_along<'a>(collection: &'a Collection, catalog: &'a Catalog, path: &[FieldId]) -> Vec<&'a Field> {
    let mut fields = &collection.fields;
    let mut along = Vec::with_capacity(path.len());
    for id in path {
        let Some(field) = fields.iter().find(|field| field.id == *id) else { break };
        along.push(field);
        match field.kind {
            FieldKind::Embedded(embedded) => match catalog.embedded(embedded) {
                Some(embedded) => fields = &embedded.fields,
                None => break,
            },
            _ => break,
        }
    }
    along
}
