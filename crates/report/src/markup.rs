//! Safe embedding: text into HTML, JSON into scripts, bytes into URLs.

use std::fmt;

use askama::filters::HtmlSafe;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

/// HTML that is already safe: a template shows it as it is, where it escapes every other text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Markup(pub(crate) String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

impl Markup {
    /// A template filled in.
    pub(crate) fn of(template: &impl askama::Template) -> Self {
        Self(template.render().expect("writing into a string cannot fail"))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Text as HTML content or as a double-quoted attribute value.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A name as HTML content that may be broken after an underscore or a slash, not within a word.
pub(crate) fn breakable(name: &str) -> String {
    escape(name).replace('_', "_<wbr>").replace('/', "/<wbr>")
}

/// JSON that can stand inside a `<script>` element: no `<`, `>` or `&`, no line separators that
/// JavaScript would read as line ends.
pub(crate) fn script_json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .expect("page data has string keys only")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// Bytes as a `data:` URL.
pub(crate) fn data_url(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
}

/// Serialises bytes as base64 text, for formats without bytes.
pub(crate) mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_cannot_open_a_tag_or_close_an_attribute() {
        assert_eq!(
            escape("<script>\"'&</script>"),
            "&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;"
        );
    }

    #[test]
    fn a_name_breaks_at_its_joints_and_stays_text() {
        assert_eq!(breakable("</p>a_b"), "&lt;/<wbr>p&gt;a_<wbr>b");
    }

    #[test]
    fn script_json_reads_back_and_holds_no_markup() {
        let text = "</script><!--\u{2028}&amp;";
        let json = script_json(&text);
        assert!(!json.contains(['<', '>', '&', '\u{2028}']));
        assert_eq!(serde_json::from_str::<String>(&json).expect("valid JSON"), text);
    }
}
