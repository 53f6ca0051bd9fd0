//! Page after page of a collection, each record with the whole of its links.

use super::order::in_import_order;
use super::select::{LINKS, Selection, links_text};
use crate::cli::{Client, Exit, Failure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vivarium_schema::Catalog;
use vivarium_schema::catalog::Collection;

/// Records of a page; fewer where each brings a list, so that an answer stays in the server's bounds.
const PAGE: usize = 500;
const PAGE_WITH_LINKS: usize = 20;

/// How records are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportOptions {
    /// Also where nothing refers to a record by its id.
    pub with_ids: bool,
}

/// Exports collections of one server.
pub struct Exporter<'a> {
    /// From this server.
    pub client: Client,
    /// With this schema.
    pub catalog: &'a Catalog,
    /// In this way.
    pub options: ExportOptions,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Map<String, Value>>,
    #[serde(default)]
    errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    nodes: Vec<Map<String, Value>>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl Exporter<'_> {
    /// Gives every record of a collection as a line to `write`, and returns how many there were.
    ///
    /// # Errors
    /// The server, or `write`.
    pub fn export(
        &self,
        collection: &Collection,
        mut write: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        if !collection.operations.list {
            let message = format!(
                "{} has no list in the API (@collection(operations:)), so it cannot be exported.",
                collection.name
            );
            return Err(Failure::new(Exit::Refused, message));
        }
        let order = in_import_order(self.catalog);
        let place = |id| order.iter().position(|one| one.id == id);
        let selection = Selection::new(self.catalog, collection, self.options.with_ids, |other| {
            place(collection.id) > place(other)
        });
        let page = if selection.links().is_empty() { PAGE } else { PAGE_WITH_LINKS };
        let query = format!(
            "query Export($after: String) {{ page: {}(first: {page}, after: $after) {{ nodes {{ {} }} pageInfo {{ hasNextPage \
             endCursor }} }} }}",
            collection.plural,
            selection.text()
        );
        let (mut after, mut count) = (None, 0);
        loop {
            let page: Page = self.ask(&query, &json!({ "after": after }))?;
            for record in page.nodes {
                let line = self.line(collection, &selection, record)?;
                write(&line)?;
                count += 1;
            }
            after = page.page_info.end_cursor;
            if !page.page_info.has_next_page || after.is_none() {
                return Ok(count);
            }
        }
    }

    fn line(
        &self,
        collection: &Collection,
        selection: &Selection<'_>,
        mut record: Map<String, Value>,
    ) -> Result<String, Failure> {
        let mut lists = Vec::new();
        for links in selection.links() {
            let value = record.remove(&links.field.name).unwrap_or_default();
            let mut page: Page = serde_json::from_value(value).map_err(|error| self.misunderstood(&error))?;
            let mut keys: Vec<Value> = Vec::new();
            loop {
                keys.extend(page.nodes.into_iter().map(Value::Object));
                if !page.page_info.has_next_page {
                    break;
                }
                let query = format!(
                    "query Links($id: ID!, $after: String) {{ page: {}(by: {{ id: $id }}) {{ page: {}(first: {LINKS}, after: \
                     $after) {} }} }}",
                    collection.singular,
                    links.field.name,
                    links_text(&links.key)
                );
                let variables = json!({ "id": record.get("id"), "after": page.page_info.end_cursor });
                let outer: Option<Outer> = self.ask(&query, &variables)?;
                // A record that was deleted meanwhile has no more links.
                let Some(outer) = outer else { break };
                page = outer.page;
            }
            lists.push(keys);
        }
        Ok(selection.line(record, lists))
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, query: &str, variables: &Value) -> Result<T, Failure> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let answer = self.client.graphql(body.as_bytes(), None)?;
        let answer: Answer = serde_json::from_slice(&answer.body).map_err(|error| self.misunderstood(&error))?;
        if let Some(error) = answer.errors.first() {
            return Err(Failure::new(Exit::Refused, error.message.clone()));
        }
        let page = answer.data.and_then(|mut data| data.remove("page")).unwrap_or_default();
        serde_json::from_value(page).map_err(|error| self.misunderstood(&error))
    }

    fn misunderstood(&self, error: &serde_json::Error) -> Failure {
        let message = format!("{} did not answer as a Vivarium server does: {error}.", self.client.url());
        Failure::new(Exit::Unreachable, message)
    }
}

#[derive(Deserialize)]
struct Outer {
    page: Page,
}
