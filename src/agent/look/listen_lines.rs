//! Where Apache's configuration tells it to listen, so that a wrong line can be named with its file.

use std::fs;

use crate::agent::protocol::ListenLine;
use crate::agent::system::root::Root;

/// Files and directories of `*.conf` in which distributions keep `Listen` lines.
const PLACES: [&str; 6] = [
    "/etc/apache2/ports.conf",
    "/etc/apache2/apache2.conf",
    "/etc/apache2/conf-enabled",
    "/etc/apache2/sites-enabled",
    "/etc/httpd/conf/httpd.conf",
    "/etc/httpd/conf.d",
];

/// Every line outside comments; files that are not there or cannot be read have none.
pub(in crate::agent) fn find(root: &Root) -> Vec<ListenLine> {
    let mut found = Vec::new();
    for place in PLACES {
        let path = root.join(place);
        let mut files = vec![place.to_owned()];
        if path.is_dir() {
            files = fs::read_dir(path)
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.ends_with(".conf"))
                .map(|name| format!("{place}/{name}"))
                .collect();
            files.sort();
        }
        for file in files {
            let text = fs::read(root.join(&file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            found.extend(listen_lines(&text).map(|line| ListenLine {
                file: file.clone(),
                line: line.to_owned(),
            }));
        }
    }
    found
}

/// Directives are not case-sensitive (httpd.apache.org, "Configuration Files").
fn listen_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| {
        line.split_whitespace()
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("listen"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_lines_are_found_with_their_files() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "/etc/apache2/ports.conf",
            "# Listen 1\nListen 127.0.0.1:80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n",
        );
        write("/etc/apache2/conf-enabled/lvslab.conf", "listen 8080\n");
        write("/etc/apache2/conf-enabled/README", "Listen 2\n");
        let shown: Vec<String> = find(&root)
            .iter()
            .map(|found| format!("{}: {}", found.file, found.line))
            .collect();
        assert_eq!(
            shown,
            [
                "/etc/apache2/ports.conf: Listen 127.0.0.1:80",
                "/etc/apache2/ports.conf: Listen 443",
                "/etc/apache2/conf-enabled/lvslab.conf: listen 8080"
            ]
        );
    }
}
