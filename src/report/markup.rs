//! Text inside XML and HTML: it stays text, whatever it holds.

use super::clean;

/// Text that may stand between quotes.
pub(super) fn attribute(raw: &str) -> String {
    text(&clean::line(raw))
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// Text that may stand between tags. XML 1.0 cannot write most control characters; they are shown as
/// [`clean`] shows them.
pub(super) fn text(raw: &str) -> String {
    clean::block(raw)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_and_controls_in_remote_text_stay_text() {
        assert_eq!(
            attribute("a\"<b>&'\u{1}"),
            "a&quot;&lt;b&gt;&amp;&#39;\\x01"
        );
    }

    proptest! {
        #[test]
        fn an_attribute_never_ends_early(raw in any::<String>()) {
            let quoted = attribute(&raw);
            let ends = quoted.contains(['"', '<', '>', '\n', '\u{0}']);
            prop_assert!(!ends);
        }
    }
}
