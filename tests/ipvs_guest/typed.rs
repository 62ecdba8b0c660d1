//! Rules as people write them: with the program's name, tabs, several blanks, and CRLF line ends.

/// Whether a command may stand in a file of rules.
pub fn is_rule(line: &[String]) -> bool {
    const RULES: [&str; 12] = [
        "-A",
        "--add-se",
        "-E",
        "--edit-se",
        "-D",
        "--delete-se",
        "-a",
        "-e",
        "-d",
        "-C",
        "-Z",
        "--set",
    ];
    line.first()
        .is_some_and(|verb| RULES.iter().any(|rule| verb.starts_with(rule)))
}

/// These commands as the text of a file.
pub fn rules(lines: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let (start, blank, end) = match index % 5 {
            0 => ("", " ", "\n"),
            1 => ("ipvsadm ", "\t", "\n"),
            2 => ("  ", " ", "  \n"),
            3 => ("\t", "  ", "\n\n"),
            _ => ("", " ", "\r\n"),
        };
        text.push_str(&format!("{start}{}{end}", line.join(blank)));
    }
    if lines.len() % 2 == 1 {
        // The last line may have no end.
        text.truncate(text.trim_end().len());
    }
    text
}
