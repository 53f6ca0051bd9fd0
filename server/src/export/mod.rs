//! Export: the records of a collection as lines that `import` takes, page by page, in constant memory.

mod order;
mod page;
mod select;

pub use order::in_import_order;
pub use page::{ExportOptions, Exporter};
