//! Commands as a person types them: quoting, and how a file is written by hand.

use crate::resource::File;
pub(super) use crate::sys::shell::quoted as quote;

/// Writes `content` to `path` with a here document.
pub(super) fn write_file(path: &str, content: &str) -> Vec<String> {
    let mut end = "EOF".to_owned();
    while content.lines().any(|line| line == end) {
        end.push('_');
    }
    let mut lines = vec![format!("cat > {} <<'{end}'", quote(path))];
    lines.extend(content.lines().map(str::to_owned));
    lines.push(end);
    lines
}

/// Makes `file` what it should be, with its mode.
pub(super) fn make_file(file: &File) -> Vec<String> {
    let mut lines = write_file(&file.path, &file.content);
    lines.push(format!("chmod {:o} {}", file.mode, quote(&file.path)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        for word in [
            "192.168.4.15",
            "eth0:0",
            "/etc/sysconfig/network-scripts/ifcfg-lo:0",
            "yes",
        ] {
            assert_eq!(quote(word), word);
        }
    }

    #[test]
    fn a_here_document_ends_after_the_content() {
        let lines = write_file("/tmp/x", "a\nEOF\n");
        assert_eq!(lines, ["cat > /tmp/x <<'EOF_'", "a", "EOF", "EOF_"]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]
        #[test]
        fn a_shell_reads_a_quoted_word_as_it_was(text in "[^\\x00]{0,30}") {
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(format!("printf %s {}", quote(&text)))
                .output()
                .expect("sh runs");
            proptest::prop_assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }
}
