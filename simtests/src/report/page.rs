//! The page around a picture: markup, styles, script and data in one file.

use super::Picture;

/// The whole page.
pub fn page(picture: &Picture) -> String {
    // `<` could end the element that the data stands in.
    let data = serde_json::to_string(picture).expect("a picture is plain data").replace('<', "\\u003c");
    let script = concat!(include_str!("scene.js"), include_str!("details.js"), include_str!("page.js"));
    let parts = [
        ("/*styles*/", include_str!("page.css")),
        ("/*script*/", script),
        ("/*title*/", &picture.title.replace('<', "&lt;")),
        // The data comes last: nothing in it is looked at again.
        ("/*data*/", &data),
    ];
    parts.iter().fold(include_str!("page.html").to_owned(), |page, (hole, part)| page.replacen(hole, part, 1))
}
