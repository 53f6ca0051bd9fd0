//! A row in the line format becomes an input of the collection's Create type: relations become `connect`.

use super::lines::Problem;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use vivarium_schema::Catalog;
use vivarium_schema::catalog::{Collection, Field, FieldKind};
use vivarium_storage::CollectionId;

/// Translates rows of one collection.
pub struct Translator {
    catalog: Catalog,
    collection: CollectionId,
}

/// The members of a JSON object in their order, values untouched.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// What is wrong with a row, before its line is known.
struct Misfit {
    field: String,
    reason: String,
}

impl Translator {
    /// A translator for the collection with this type name.
    pub fn new(catalog: Catalog, collection: CollectionId) -> Translator {
        Translator { catalog, collection }
    }

    /// The collection that rows go to.
    pub fn collection(&self) -> &Collection {
        self.catalog.collection(self.collection).expect("the collection was found in this catalog")
    }

    /// The catalog that it belongs to.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Whether rows may refer to rows of the same file: then batches must follow each other.
    pub fn refers_to_itself(&self) -> bool {
        let to_self = |field: &Field| match field.kind {
            FieldKind::ToOne { target, .. }
            | FieldKind::OneToOne { target, .. }
            | FieldKind::ManyToMany { target, .. } => target == self.collection,
            _ => false,
        };
        self.collection().fields.iter().any(to_self)
    }

    /// Appends the row's Create input to `out`.
    ///
    /// # Errors
    /// The field that does not fit; `out` then holds an unfinished value.
    pub fn translate(&self, line: u64, text: &str, out: &mut String) -> Result<(), Problem> {
        let members: Members<'_> = serde_json::from_str(text).map_err(|error| Problem {
            line,
            field: String::new(),
            reason: format!("The line is not a JSON object: {error}."),
        })?;
        self.object(&self.collection().fields, &members, &Place::Record(&self.collection().name), out)
            .map_err(|misfit| Problem { line, field: misfit.field, reason: misfit.reason })
    }

    fn object(
        &self,
        fields: &[Field],
        members: &Members<'_>,
        place: &Place<'_>,
        out: &mut String,
    ) -> Result<(), Misfit> {
        out.push('{');
        let mut first = true;
        for (name, value) in &members.0 {
            let mut written = String::new();
            match (name.as_ref(), fields.iter().find(|field| field.name == *name)) {
                ("id", None) if matches!(place, Place::Record(_)) => written.push_str(value.get()),
                (name, None) => return Err(unknown(name, fields, place)),
                (name, Some(field)) => {
                    self.field(field, value, place, &mut written).map_err(|misfit| misfit.within(name))?;
                }
            }
            if written.is_empty() {
                continue;
            }
            if !first {
                out.push(',');
            }
            first = false;
            out.push('"');
            out.push_str(name);
            out.push_str("\":");
            out.push_str(&written);
        }
        out.push('}');
        Ok(())
    }

    /// Writes a field's value; nothing when it is as if absent.
    fn field(&self, field: &Field, value: &RawValue, place: &Place<'_>, out: &mut String) -> Result<(), Misfit> {
        let text = value.get();
        if !field.is_written() {
            return Err(Misfit::here("The server writes this field. Leave it out."));
        }
        match &field.kind {
            FieldKind::Scalar(_) | FieldKind::Enum(_) => out.push_str(text),
            _ if text == "null" && !matches!(field.kind, FieldKind::Embedded(_)) => {}
            FieldKind::Embedded(_) if text == "null" => out.push_str(text),
            FieldKind::Embedded(id) => {
                let embedded = self.catalog.embedded(*id).expect("a catalog resolves its own types");
                if field.list.is_none() {
                    return self.embedded(&embedded.fields, &embedded.name, value, out);
                }
                out.push('[');
                for (at, element) in elements(value)?.into_iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    self.embedded(&embedded.fields, &embedded.name, element, out)
                        .map_err(|misfit| misfit.within(&at.to_string()))?;
                }
                out.push(']');
            }
            FieldKind::ToOne { .. } if matches!(place, Place::Embedded(_)) => {
                if !text.starts_with('"') {
                    return Err(Misfit::here("A reference inside an embedded value is written as the record's id."));
                }
                out.push_str(text);
            }
            FieldKind::ToOne { .. } | FieldKind::OneToOne { .. } => {
                out.push_str("{\"connect\":");
                key(value, out)?;
                out.push('}');
            }
            FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. } => {
                out.push_str("{\"connect\":[");
                for (at, element) in elements(value)?.into_iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    key(element, out).map_err(|misfit| misfit.within(&at.to_string()))?;
                }
                out.push_str("]}");
            }
        }
        Ok(())
    }

    fn embedded(&self, fields: &[Field], name: &str, value: &RawValue, out: &mut String) -> Result<(), Misfit> {
        if value.get() == "null" {
            out.push_str("null");
            return Ok(());
        }
        let members: Members<'_> = serde_json::from_str(value.get())
            .map_err(|_| Misfit::here(&format!("The value must be an object ({name}).")))?;
        self.object(fields, &members, &Place::Embedded(name), out)
    }
}

/// Whether fields belong to a record or to a value inside one, and the type's name.
enum Place<'a> {
    Record(&'a str),
    Embedded(&'a str),
}

impl Misfit {
    fn here(reason: &str) -> Misfit {
        Misfit { field: String::new(), reason: reason.to_owned() }
    }

    fn within(mut self, name: &str) -> Misfit {
        self.field = if self.field.is_empty() { name.to_owned() } else { format!("{name}.{}", self.field) };
        self
    }
}

/// A unique key object, or an id as a string.
fn key(value: &RawValue, out: &mut String) -> Result<(), Misfit> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => out.push_str(text),
        Some(b'"') => {
            out.push_str("{\"id\":");
            out.push_str(text);
            out.push('}');
        }
        _ => {
            return Err(Misfit::here(
                "A relation is written as a unique key of the other record, as in {\"artistId\": 1}, or as its id.",
            ));
        }
    }
    Ok(())
}

fn elements(value: &RawValue) -> Result<Vec<&RawValue>, Misfit> {
    serde_json::from_str(value.get()).map_err(|_| Misfit::here("The value must be a list."))
}

fn unknown(name: &str, fields: &[Field], place: &Place<'_>) -> Misfit {
    let (Place::Record(type_name) | Place::Embedded(type_name)) = place;
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let near = fields.iter().find(|field| plain(&field.name) == plain(name));
    let hint = match near {
        Some(field) => format!(" Did you mean {}?", field.name),
        None => format!(" It has {}.", fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")),
    };
    Misfit { field: name.to_owned(), reason: format!("{type_name} has no field {name}.{hint}") }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

/// A member's name, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
pub(super) fn test_catalog() -> Catalog {
    let sdl = r#"
        type Artist @collection { id: ID! artistId: Int! @unique name: String! albums: [Album!]! @relation(inverse: "artist") }
        type Album @collection {
          id: ID! albumId: Int! @unique title: String! artist: Artist @relation(inverse: "albums") place: Place notes: [Place!]
          tags: [Tag!]! @relation(inverse: "albums") updatedAt: DateTime! @updatedAt meta: JSON price: Decimal sold: Boolean
        }
        type Tag @collection { id: ID! slug: String! @unique albums: [Album!]! @relation(inverse: "tags") parent: Tag @relation }
        type Place { city: String! zip: Int }
    "#;
    vivarium_schema::sdl::declare(sdl, None).unwrap()
}

#[cfg(test)]
pub(super) fn test_translator(name: &str) -> Translator {
    let catalog = test_catalog();
    let id = catalog.collection_named(name).unwrap().id;
    Translator::new(catalog, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn album(text: &str) -> Result<String, String> {
        let mut out = String::new();
        match test_translator("Album").translate(7, text, &mut out) {
            Ok(()) => Ok(out),
            Err(problem) => Err(format!("{} {}: {}", problem.line, problem.field, problem.reason)),
        }
    }

    #[test]
    fn relations_become_connect_and_values_stay_as_they_are() {
        let text = r#"{"albumId":1,"title":"A\"b","price":1.10,"artist":{"artistId":2},"tags":[{"slug":"x"},"someid"],
            "place":{"city":"C","zip":1},"notes":[{"city":"D"}],"meta":{"a":[1, 2]}}"#;
        insta::assert_snapshot!(
            album(text).unwrap(),
            @r#"{"albumId":1,"title":"A\"b","price":1.10,"artist":{"connect":{"artistId":2}},"tags":{"connect":[{"slug":"x"},{"id":"someid"}]},"place":{"city":"C","zip":1},"notes":[{"city":"D"}],"meta":{"a":[1, 2]}}"#
        );
        assert_eq!(
            album(r#"{"artist":null,"tags":null,"place":null,"id":"x"}"#).unwrap(),
            r#"{"place":null,"id":"x"}"#
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let cases = [
            (
                "[1]",
                "7 : The line is not a JSON object: invalid type: sequence, expected an object at line 1 column 0.",
            ),
            (r#"{"Title":"x"}"#, "7 Title: Album has no field Title. Did you mean title?"),
            (r#"{"place":{"town":"x"}}"#, "7 place.town: Place has no field town. It has city, zip."),
            (r#"{"notes":[{"city":"D"},{"town":"x"}]}"#, "7 notes.1.town: Place has no field town. It has city, zip."),
            (r#"{"place":1}"#, "7 place: The value must be an object (Place)."),
            (r#"{"updatedAt":"2020-01-01T00:00:00Z"}"#, "7 updatedAt: The server writes this field. Leave it out."),
            (r#"{"tags":{"slug":"x"}}"#, "7 tags: The value must be a list."),
            (
                r#"{"artist":1}"#,
                "7 artist: A relation is written as a unique key of the other record, as in {\"artistId\": 1}, or as its id.",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(album(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_collection_that_refers_to_itself_is_known() {
        assert!(test_translator("Tag").refers_to_itself());
        assert!(!test_translator("Album").refers_to_itself());
    }
}
