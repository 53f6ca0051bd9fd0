//! A schema that changes while clients write: fields and a collection come, go and are renamed, an index and a unique
//! key are built. One client declares, one change at a time; all others work, and do not know what is declared.
//!
//! Each declaration has a number, which the SDL says, so that sending it again does nothing more.

use super::Reply;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The schema that it begins with: [`Revision::default`].
pub const SCHEMA: &str = include_str!("things.graphql");
/// Things by name.
const THINGS: u64 = 24;
/// Codes: few enough that a unique key is refused now and then.
const CODES: u64 = 16;
/// Sizes at which encodings go wrong.
const SIZES: [i64; 7] = [i32::MIN as i64, -256, -1, 0, 1, 255, i32::MAX as i64];
/// What the description of the type begins with; the number and the features follow.
const DECLARED: &str = "Declared as ";

/// Something that the schema has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The field `extra`.
    Extra,
    /// The field `title` is called `label`.
    Renamed,
    /// The collection `Shop`.
    Shop,
    /// An index over `size`.
    Index,
    /// `code` is unique.
    Unique,
    /// `worth` is three times `size`, not twice.
    Triple,
}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 6] =
        [Feature::Extra, Feature::Renamed, Feature::Shop, Feature::Index, Feature::Unique, Feature::Triple];

    fn word(self) -> &'static str {
        match self {
            Feature::Extra => "extra",
            Feature::Renamed => "renamed",
            Feature::Shop => "shop",
            Feature::Index => "index",
            Feature::Unique => "unique",
            Feature::Triple => "triple",
        }
    }
}

/// A schema: the number of its declaration, and what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// 0 is what the database begins with.
    pub number: u64,
    /// What it has.
    pub features: BTreeSet<Feature>,
}

impl Revision {
    /// What follows when features come or go.
    pub fn toggled(&self, number: u64, toggles: &[Feature]) -> Revision {
        let mut features = self.features.clone();
        for feature in toggles {
            if !features.remove(feature) {
                features.insert(*feature);
            }
        }
        Revision { number, features }
    }

    /// True when it has this.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// The name of the field that is renamed.
    pub fn title(&self) -> &'static str {
        title(self.has(Feature::Renamed))
    }

    /// What a thing of a size is worth.
    pub fn worth(&self, size: i64) -> i64 {
        size * if self.has(Feature::Triple) { 3 } else { 2 }
    }

    /// The SDL.
    pub fn sdl(&self) -> String {
        let words: Vec<&str> = self.features.iter().map(|feature| feature.word()).collect();
        let on = |feature, directive| if self.has(feature) { directive } else { "" };
        let before = title(!self.has(Feature::Renamed));
        let mut sdl = format!(
            "\"{DECLARED}{}: {}\"\ntype Thing @collection {{\n  id: ID!\n  name: String! @unique\n  \
             {}: String @rename(from: \"{before}\")\n  code: Int{}\n  size: Int!{}\n  \
             worth: BigInt @computed(expr: \"size * {}\", stored: true) @index\n",
            self.number,
            words.join(" "),
            self.title(),
            on(Feature::Unique, " @unique"),
            on(Feature::Index, " @index"),
            self.worth(1),
        );
        sdl += on(Feature::Extra, "  extra: Int\n");
        sdl += "}\n";
        sdl += on(Feature::Shop, "\ntype Shop @collection {\n  id: ID!\n  name: String! @unique\n  stock: Int!\n}\n");
        sdl
    }

    /// The revision that an SDL is.
    pub fn parse(sdl: &str) -> Option<Revision> {
        let (_, said) = sdl.split_once(DECLARED)?;
        let (number, words) = said.split_once('"')?.0.split_once(':')?;
        let features = Feature::ALL.into_iter().filter(|feature| words.split(' ').any(|word| word == feature.word()));
        Some(Revision { number: number.parse().ok()?, features: features.collect() })
    }

    /// Reads everything that there is under this schema.
    pub fn document(&self) -> String {
        let mut document = format!(
            "query {{ things(first: 1000) {{ totalCount nodes {{ name title: {} code size {} }} }} ",
            self.title(),
            if self.has(Feature::Extra) { "extra" } else { "" },
        );
        if self.has(Feature::Shop) {
            document += "shops(first: 1000) { totalCount nodes { name stock } } ";
        }
        document + "}"
    }
}

fn title(renamed: bool) -> &'static str {
    if renamed { "label" } else { "title" }
}

/// What is said of a thing; what is absent is not spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Its title, and whether the client believes that it is called `label`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<(bool, String)>,
    /// Its code; negative says that it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Its extra number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<i64>,
}

impl Said {
    fn input(&self) -> Map<String, Value> {
        let mut input = Map::new();
        if let Some((renamed, text)) = &self.title {
            input.insert(title(*renamed).into(), json!(text));
        }
        if let Some(code) = self.code {
            input.insert("code".into(), if code < 0 { Value::Null } else { json!(code) });
        }
        if let Some(size) = self.size {
            input.insert("size".into(), json!(size));
        }
        if let Some(extra) = self.extra {
            input.insert("extra".into(), json!(extra));
        }
        input
    }

    /// What the schema must have for it, and must not.
    pub fn needs(&self) -> Vec<(Feature, bool)> {
        let title = self.title.as_ref().map(|(renamed, _)| (Feature::Renamed, *renamed));
        title.into_iter().chain(self.extra.map(|_| (Feature::Extra, true))).collect()
    }
}

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the documents below say what each does")]
pub enum Task {
    Declare {
        number: u64,
        toggles: Vec<Feature>,
    },
    Create {
        name: String,
        said: Said,
    },
    Change {
        name: String,
        said: Said,
    },
    Delete {
        name: String,
    },
    /// Reads things from a size on, by size, and with them what the client believes that they have.
    List {
        least: i64,
        renamed: Option<bool>,
        extra: bool,
        #[serde(default)]
        worth: bool,
    },
    /// Looks a thing up by its code, which is possible while that is unique.
    Find {
        code: i64,
    },
    Stock {
        name: String,
        stock: i64,
    },
    /// Writes a thing and a shop in one operation.
    Both {
        name: String,
        said: Said,
    },
    ReadShops,
}

impl Task {
    /// True when it is a mutation.
    pub fn writes(&self) -> bool {
        !matches!(self, Task::List { .. } | Task::Find { .. } | Task::ReadShops)
    }

    /// What the schema must have for it, and must not.
    pub fn needs(&self) -> Vec<(Feature, bool)> {
        match self {
            Task::Declare { .. } | Task::Delete { .. } => Vec::new(),
            Task::Create { said, .. } | Task::Change { said, .. } => said.needs(),
            Task::Both { said, .. } => said.needs().into_iter().chain([(Feature::Shop, true)]).collect(),
            Task::List { renamed, extra, .. } => {
                let renamed = renamed.map(|renamed| (Feature::Renamed, renamed));
                renamed.into_iter().chain(extra.then_some((Feature::Extra, true))).collect()
            }
            Task::Find { .. } => vec![(Feature::Unique, true)],
            Task::Stock { .. } | Task::ReadShops => vec![(Feature::Shop, true)],
        }
    }

    /// The GraphQL document; a declaration has none.
    pub fn document(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Task::Declare { .. } => "",
            Task::Create { .. } => {
                "mutation($data: ThingCreate!) { createThing(data: $data) { thing { name code size } commit { version } } }"
            }
            Task::Change { .. } => {
                "mutation($name: String!, $data: ThingUpdate!) { updateThing(by: { name: $name }, data: $data) \
                 { thing { name code size } commit { version } } }"
            }
            Task::Delete { .. } => {
                "mutation($name: String!) { deleteThing(by: { name: $name }) { thing { name size } commit { version } } }"
            }
            Task::List { renamed, extra, worth, .. } => {
                let mut selection = String::from("name code size");
                if let Some(renamed) = renamed {
                    let _ = write!(selection, " title: {}", title(*renamed));
                }
                selection += if *extra { " extra" } else { "" };
                selection += if *worth { " worth" } else { "" };
                return Cow::Owned(format!(
                    "query($least: Int!) {{ things(where: {{ size: {{ gte: $least }} }}, first: 1000, \
                     orderBy: [{{ size: ASC }}, {{ name: ASC }}]) {{ nodes {{ {selection} }} }} }}"
                ));
            }
            Task::Find { .. } => "query($code: Int!) { thing(by: { code: $code }) { name code size } }",
            Task::Stock { .. } => {
                "mutation($data: ShopCreate!) { createShop(data: $data) { shop { name stock } commit { version } } }"
            }
            Task::Both { .. } => {
                "mutation($thing: ThingCreate!, $shop: ShopCreate!) { \
                 createThing(data: $thing) { thing { name code size } commit { version } } \
                 createShop(data: $shop) { shop { name stock } commit { version } } }"
            }
            Task::ReadShops => "query { shops(first: 1000, orderBy: [{ name: ASC }]) { nodes { name stock } } }",
        })
    }

    /// The variables of the document.
    pub fn variables(&self) -> Value {
        let thing = |name: &str, said: &Said| {
            let mut input = said.input();
            input.insert("name".into(), json!(name));
            Value::Object(input)
        };
        match self {
            Task::Declare { .. } | Task::ReadShops => json!({}),
            Task::Create { name, said } => json!({ "data": thing(name, said) }),
            Task::Change { name, said } => json!({ "name": name, "data": said.input() }),
            Task::Delete { name } => json!({ "name": name }),
            Task::List { least, .. } => json!({ "least": least }),
            Task::Find { code } => json!({ "code": code }),
            Task::Stock { name, stock } => json!({ "data": { "name": name, "stock": stock } }),
            Task::Both { name, said } => json!({ "thing": thing(name, said), "shop": { "name": name, "stock": 1 } }),
        }
    }
}

/// What a declaration was answered: done at the version of the commit that made it hold, or refused.
pub fn declared(outcome: Result<u64, (&str, String)>) -> Reply {
    match outcome {
        Ok(version) => {
            let data = json!({ "declare": { "commit": { "version": version.to_string() } } });
            Reply { data, errors: Vec::new(), version: Some(version) }
        }
        Err((code, message)) => Reply { data: Value::Null, errors: vec![(code.to_owned(), message)], version: None },
    }
}

/// One step.
pub(super) fn draw(client: u64, number: u64, rng: &mut Rng) -> Task {
    if client == 1 && number > 2 && rng.chance(1, 3) {
        return Task::Declare { number, toggles: toggles(rng) };
    }
    match if number <= 2 { 0 } else { rng.below(16) } {
        0..=3 => Task::Create { name: thing(rng), said: Said { size: Some(size(rng)), ..said(rng) } },
        4..=7 => Task::Change { name: thing(rng), said: said(rng) },
        8 => Task::Delete { name: thing(rng) },
        9..=11 => {
            let renamed = rng.chance(1, 2).then(|| rng.chance(1, 2));
            Task::List { least: size(rng), renamed, extra: rng.chance(1, 3), worth: rng.chance(1, 2) }
        }
        12 => Task::Find { code: rng.below(CODES) as i64 },
        13 => Task::Stock { name: format!("shop{client}-{number}"), stock: rng.below(9) as i64 },
        14 => {
            let said = Said { size: Some(size(rng)), ..said(rng) };
            Task::Both { name: format!("both{client}-{number}"), said }
        }
        _ => Task::ReadShops,
    }
}

/// Mostly one thing. A change that computes anew may be taken back only for something else in it.
fn toggles(rng: &mut Rng) -> Vec<Feature> {
    if rng.chance(1, 3) { vec![Feature::Triple, Feature::Unique] } else { vec![*rng.pick(&Feature::ALL)] }
}

fn thing(rng: &mut Rng) -> String {
    format!("thing{}", rng.below(THINGS))
}

fn size(rng: &mut Rng) -> i64 {
    if rng.chance(1, 2) { *rng.pick(&SIZES) } else { rng.below(6) as i64 }
}

fn said(rng: &mut Rng) -> Said {
    Said {
        title: rng.chance(1, 3).then(|| (rng.chance(1, 2), format!("title {}", rng.below(9)))),
        code: rng.chance(1, 3).then(|| if rng.chance(1, 4) { -1 } else { rng.below(CODES) as i64 }),
        size: rng.chance(1, 2).then(|| size(rng)),
        extra: rng.chance(1, 4).then(|| rng.below(9) as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_schema_is_that_of_no_declaration() {
        assert_eq!(Revision::default().sdl(), SCHEMA);
    }

    #[test]
    fn an_sdl_says_which_revision_it_is() {
        let mut revision = Revision::default();
        for (number, feature) in (1..).zip(Feature::ALL) {
            assert_eq!(Revision::parse(&revision.sdl()), Some(revision.clone()));
            revision = revision.toggled(number, &[feature]);
        }
        assert_eq!(
            revision.sdl(),
            "\"Declared as 6: extra renamed shop index unique triple\"\ntype Thing @collection {\n  id: ID!\n  \
             name: String! @unique\n  label: String @rename(from: \"title\")\n  code: Int @unique\n  \
             size: Int! @index\n  worth: BigInt @computed(expr: \"size * 3\", stored: true) @index\n  extra: Int\n}\n\ntype Shop @collection {\n  id: ID!\n  name: String! @unique\n  \
             stock: Int!\n}\n"
        );
        assert_eq!(revision.toggled(7, &[Feature::Extra]).features.len(), 5);
    }
}
