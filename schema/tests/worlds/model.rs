//! What `schema.graphql` declares, read line by line: no more of the language than that file uses.

/// The schema that everything here is about.
pub const SCHEMA: &str = include_str!("schema.graphql");

/// The schema without any `@index`, so that every filter and order is served by reading all.
pub fn without_indexes() -> String {
    let mut parts = SCHEMA.split(" @index");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = |part: &str| match part.strip_prefix('(') {
        Some(arguments) => between(arguments, "", ")").1.to_owned(),
        None => part.to_owned(),
    };
    parts.fold(first, |text, part| text + &rest(part))
}

/// What stands between two marks, and what follows.
fn between<'t>(text: &'t str, mark: &str, end: &str) -> (&'t str, &'t str) {
    let (_, rest) = text.split_once(mark).unwrap_or(("", text));
    rest.split_once(end).unwrap_or((rest, ""))
}

/// The value of an argument.
fn argument(text: &str, name: &str) -> Option<String> {
    text.contains(name).then(|| between(text, name, ")").0).map(|value| {
        value.trim_start_matches([':', ' ']).split([',', '"', ')']).find(|part| !part.is_empty()).unwrap().to_owned()
    })
}

/// What is declared.
#[derive(Debug)]
pub struct Model {
    pub objects: Vec<Object>,
    /// Interfaces and unions, as objects with the fields that their members share.
    pub families: Vec<Object>,
    pub enums: Vec<(String, Vec<String>)>,
}

/// A collection or an embedded type.
#[derive(Debug)]
pub struct Object {
    pub name: String,
    /// The root fields of one and of many, of a collection.
    pub roots: Option<(String, String)>,
    /// Without `id`.
    pub fields: Vec<Field>,
    /// Field names of each unique key.
    pub keys: Vec<Vec<String>>,
    /// Paths of what each index sorts by, keys among them.
    pub indexes: Vec<Vec<String>>,
    /// The collections of a family; empty for what is none.
    pub members: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// The named type.
    pub of: String,
    pub list: bool,
    pub required: bool,
    pub element_required: bool,
    /// The server works it out.
    pub computed: bool,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    Restrict,
    Cascade,
    SetNull,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Scalar,
    Enum,
    Embedded,
    /// The record's own reference.
    Reference {
        unique: bool,
        on_delete: OnDelete,
    },
    /// At most one record of the type refers here, by this field.
    Referrer {
        field: String,
    },
    /// Records of the type refer here, by this field.
    Referrers {
        field: String,
    },
    /// Pairs under a name, of which this is the first or the second.
    Links {
        name: String,
        forward: bool,
    },
}

impl Field {
    pub fn is_relation(&self) -> bool {
        !matches!(self.kind, Kind::Scalar | Kind::Enum | Kind::Embedded)
    }
    /// True where the record itself says where it leads.
    pub fn is_own_reference(&self) -> bool {
        matches!(self.kind, Kind::Reference { .. })
    }
    pub fn is_to_one(&self) -> bool {
        matches!(self.kind, Kind::Reference { .. } | Kind::Referrer { .. })
    }
    pub fn is_to_many(&self) -> bool {
        self.is_relation() && !self.is_to_one()
    }
}

impl Object {
    pub fn field(&self, name: &str) -> &Field {
        self.fields.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("{}.{name}", self.name))
    }
}

/// A field line: its name, its type and its `inverse`.
struct Line {
    field: Field,
    inverse: Option<String>,
    on_delete: Option<OnDelete>,
}

impl Model {
    pub fn read() -> Model {
        let mut objects = Vec::new();
        let mut enums = Vec::new();
        let mut lines: Vec<Vec<Line>> = Vec::new();
        let mut interfaces = Vec::new();
        let mut unions = Vec::new();
        let declared = SCHEMA.lines().filter(|line| match line.strip_prefix("union ") {
            Some(union) => {
                let (name, members) = union.split_once(" = ").unwrap();
                unions.push((name.to_owned(), members.split(" | ").map(str::to_owned).collect::<Vec<_>>()));
                false
            }
            None => true,
        });
        let declared = declared.map(|line| format!("{line}\n")).collect::<String>();
        for block in declared.split("}\n").filter(|block| !block.trim().is_empty()) {
            let (head, body) = block.split_once("{\n").unwrap();
            let mut words = head.split_whitespace();
            let (form, name) = (words.next().unwrap(), words.next().unwrap().to_owned());
            if form == "enum" {
                enums.push((name, body.split_whitespace().map(str::to_owned).collect()));
                continue;
            }
            if form == "interface" {
                let fields: Vec<Line> = body.lines().filter(|line| !line.contains("id: ID!")).map(line).collect();
                interfaces.push((name, fields));
                continue;
            }
            let plural = argument(head, "plural");
            let roots = plural.map(|plural| (name.to_lowercase(), plural));
            let names = |list: &str| list.split(", ").map(|name| name.trim_matches('"').to_owned()).collect();
            let mut keys: Vec<Vec<String>> =
                head.split("@unique(fields: [").skip(1).map(|rest| names(between(rest, "", "]").0)).collect();
            let of_block: Vec<Line> = body.lines().filter(|line| !line.contains("id: ID!")).map(line).collect();
            let single = |mark: &str| -> Vec<Vec<String>> {
                let marked = body.lines().filter(|line| line.contains(mark));
                marked.map(|line| vec![line.trim().split(':').next().unwrap().to_owned()]).collect()
            };
            keys.extend(single("@unique"));
            let mut indexes: Vec<Vec<String>> =
                head.split("@index(fields: [").skip(1).map(|rest| names(between(rest, "", "]").0)).collect();
            indexes.extend(single("@index"));
            indexes.extend(keys.iter().cloned());
            lines.push(of_block);
            objects.push(Object { name, roots, fields: Vec::new(), keys, indexes, members: Vec::new() });
        }
        let resolved: Vec<Vec<Field>> = (0..objects.len())
            .map(|at| lines[at].iter().map(|line| resolve(&objects, &enums, &lines, at, line)).collect())
            .collect();
        for (object, fields) in objects.iter_mut().zip(resolved) {
            object.fields = fields;
        }
        let mut families: Vec<Object> = Vec::new();
        for (name, lines) in interfaces {
            let has = |object: &&Object| SCHEMA.contains(&format!("type {} implements {name} ", object.name));
            let members: Vec<&Object> = objects.iter().filter(has).collect();
            let fields = lines.iter().map(|line| members[0].field(&line.field.name).clone()).collect();
            families.push(family(name, &members, fields));
        }
        for (name, members) in unions {
            let members: Vec<&Object> = objects.iter().filter(|object| members.contains(&object.name)).collect();
            families.push(family(name, &members, Vec::new()));
        }
        Model { objects, families, enums }
    }

    /// The interfaces and unions that records of a collection are of.
    pub fn families_of(&self, name: &str) -> Vec<&str> {
        let of = self.families.iter().filter(|family| family.members.iter().any(|member| member == name));
        of.map(|family| family.name.as_str()).collect()
    }

    pub fn object(&self, name: &str) -> &Object {
        let mut all = self.objects.iter().chain(&self.families);
        all.find(|object| object.name == name).unwrap_or_else(|| panic!("no type {name}"))
    }

    pub fn collections(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| object.roots.is_some())
    }

    pub fn values(&self, name: &str) -> &[String] {
        &self.enums.iter().find(|(each, _)| each == name).unwrap().1
    }

    /// True where a relation may lead to no record of the collection: its Where has `isNull` then.
    pub fn is_optional_target(&self, name: &str) -> bool {
        let fields = self.objects.iter().flat_map(|object| &object.fields);
        fields.into_iter().any(|field| field.of == name && field.is_to_one() && !field.required)
    }
}

/// A family, with the indexes of its first member that are over what all members share.
fn family(name: String, members: &[&Object], fields: Vec<Field>) -> Object {
    let roots = (name.to_lowercase(), name.to_lowercase() + "s");
    let shared = |path: &String| fields.iter().any(|field| Some(field.name.as_str()) == path.split('.').next());
    let indexes = members[0].indexes.iter().filter(|index| index.iter().all(shared)).cloned().collect();
    let members = members.iter().map(|member| member.name.clone()).collect();
    Object { name, roots: Some(roots), fields, keys: Vec::new(), indexes, members }
}

fn line(text: &str) -> Line {
    let (name, rest) = text.trim().split_once(": ").unwrap();
    let of = rest.split_whitespace().next().unwrap();
    let on_delete = argument(rest, "onDelete").map(|word| match word.as_str() {
        "CASCADE" => OnDelete::Cascade,
        "SET_NULL" => OnDelete::SetNull,
        _ => OnDelete::Restrict,
    });
    let field = Field {
        name: name.to_owned(),
        of: of.trim_matches(['[', ']', '!']).to_owned(),
        list: of.starts_with('['),
        required: of.ends_with('!'),
        element_required: of.contains("!]"),
        computed: rest.contains("@computed"),
        kind: Kind::Scalar,
    };
    Line { field, inverse: argument(rest, "inverse"), on_delete }
}

fn resolve(objects: &[Object], enums: &[(String, Vec<String>)], lines: &[Vec<Line>], at: usize, line: &Line) -> Field {
    let field = &line.field;
    let target = objects.iter().position(|object| object.name == field.of);
    let owner = &objects[at].name;
    let kind = match target {
        None if enums.iter().any(|(name, _)| *name == field.of) => Kind::Enum,
        None => Kind::Scalar,
        Some(target) if objects[target].roots.is_none() => Kind::Embedded,
        Some(target) => {
            let other = line
                .inverse
                .as_ref()
                .map(|inverse| lines[target].iter().find(|other| other.field.name == *inverse).unwrap());
            let on_delete = line.on_delete.or(other.and_then(|other| other.on_delete)).unwrap_or(OnDelete::Restrict);
            match (field.list, other) {
                (true, Some(other)) if !other.field.list => Kind::Referrers { field: other.field.name.clone() },
                (true, other) => {
                    let own = format!("{owner}.{}", field.name);
                    let others = other.map(|other| format!("{}.{}", field.of, other.field.name));
                    match others {
                        Some(others) if others < own => Kind::Links { name: others, forward: false },
                        _ => Kind::Links { name: own, forward: true },
                    }
                }
                (false, Some(other)) if !other.field.list => {
                    let place = |line: &Line| lines.iter().flatten().position(|each| std::ptr::eq(each, line));
                    let holds = match (field.required, other.field.required) {
                        (true, false) => true,
                        (false, true) => false,
                        _ => place(line) < place(other),
                    };
                    if holds {
                        Kind::Reference { unique: true, on_delete }
                    } else {
                        Kind::Referrer { field: other.field.name.clone() }
                    }
                }
                (false, _) => Kind::Reference { unique: false, on_delete },
            }
        }
    };
    Field { kind, ..field.clone() }
}
