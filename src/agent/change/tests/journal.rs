use super::*;
use crate::resource::Sysctl;

fn lab() -> LabId {
    "dr".parse().unwrap()
}

fn entry(key: &str, before: &str) -> Entry {
    Entry {
        item: Item::Resource {
            resource: Resource::Sysctl(Sysctl {
                key: key.into(),
                value: "1".into(),
            }),
            before: Observed::Sysctl {
                value: Some(before.into()),
            },
        },
        part_of: None,
        restarts: vec![],
        installed: vec![],
    }
}

fn filled() -> (tempfile::TempDir, Root, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::at(directory.path());
    let mut journal = Journal::open(&root, &lab()).unwrap();
    journal.before(entry("a.a", "0")).unwrap();
    journal.before(entry("b.b", "0")).unwrap();
    journal.restart_pending("httpd").unwrap();
    let path = journal.path.clone();
    (directory, root, path)
}

fn keys(journal: &Journal) -> Vec<String> {
    journal.entries().iter().map(|e| e.item.id().0).collect()
}

#[test]
fn nothing_is_created_before_the_first_line() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::at(directory.path());
    let journal = Journal::open(&root, &lab()).unwrap();
    assert_eq!(journal.entries(), []);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_first_state_before_wins_over_later_runs() {
    let (_directory, root, _) = filled();
    let mut journal = Journal::open(&root, &lab()).unwrap();
    journal.before(entry("a.a", "7")).unwrap();
    let journal = Journal::open(&root, &lab()).unwrap();
    assert_eq!(journal.entries(), [entry("a.a", "0"), entry("b.b", "0")]);
    assert_eq!(journal.pending_restarts(), ["httpd"]);
}

#[test]
fn what_is_undone_is_gone_and_may_come_again() {
    let (_directory, root, _) = filled();
    let mut journal = Journal::open(&root, &lab()).unwrap();
    journal.undone(ResourceId("sysctl a.a".into())).unwrap();
    journal.restarted("httpd").unwrap();
    journal.before(entry("a.a", "7")).unwrap();
    let journal = Journal::open(&root, &lab()).unwrap();
    assert_eq!(journal.entries(), [entry("b.b", "0"), entry("a.a", "7")]);
    assert_eq!(journal.pending_restarts(), [] as [&str; 0]);
}

#[test]
fn a_journal_cut_off_anywhere_keeps_its_whole_lines_and_goes_on() {
    let (_directory, root, path) = filled();
    let whole = fs::read(&path).unwrap();
    let ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut journal = Journal::open(&root, &lab()).unwrap();
        let lines = ends.iter().filter(|&&end| end < length).count();
        let expected: Vec<_> = ["sysctl a.a", "sysctl b.b"]
            .into_iter()
            .take(lines.saturating_sub(1))
            .collect();
        assert_eq!(keys(&journal), expected, "cut at {length}");

        journal.before(entry("c.c", "0")).unwrap();
        let again = Journal::open(&root, &lab()).unwrap();
        assert_eq!(keys(&again).last().unwrap(), "sysctl c.c");
        assert_eq!(keys(&again).len(), expected.len() + 1);
    }
}

#[test]
fn a_last_line_of_zeros_after_a_power_cut_is_dropped() {
    let (_directory, root, path) = filled();
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0; 100]);
    fs::write(&path, bytes).unwrap();
    assert_eq!(Journal::open(&root, &lab()).unwrap().entries().len(), 2);
}

#[test]
fn a_line_that_could_not_be_cut_off_is_cut_off_by_the_next_write() {
    let (_directory, root, path) = filled();
    let mut journal = Journal::open(&root, &lab()).unwrap();
    // Can neither be written nor cut; the beginning of a line got through before.
    journal.file = Some(File::open(&path).unwrap());
    let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
    torn.write_all(b"{\"line\":\"undo").unwrap();
    journal.undone(ResourceId("sysctl a.a".into())).unwrap_err();

    journal.undone(ResourceId("sysctl b.b".into())).unwrap();
    let journal = Journal::open(&root, &lab()).unwrap();
    assert_eq!(keys(&journal), ["sysctl a.a"]);
}

/// Tells the process that is started for it from the others.
const SMALL_FILES: &str = "LVSLAB_TEST_SMALL_FILES";

/// Writes beyond `RLIMIT_FSIZE` (1024 bytes here) go as far as that and fail then, like those on a full disk
/// (setrlimit(2)); it is of a whole process, so the test runs once more in one of its own.
#[test]
fn a_full_disk_leaves_whole_lines_and_the_journal_goes_on() {
    if std::env::var_os(SMALL_FILES).is_none() {
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ && ulimit -f 2 && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .arg("--exact")
            .arg("agent::change::journal::tests::a_full_disk_leaves_whole_lines_and_the_journal_goes_on")
            .env(SMALL_FILES, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    let (_directory, root, path) = filled();
    let mut journal = Journal::open(&root, &lab()).unwrap();
    let whole = fs::read(&path).unwrap();
    journal.before(entry(&"c".repeat(1024), "0")).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), whole);

    journal.undone(ResourceId("sysctl a.a".into())).unwrap();
    let journal = Journal::open(&root, &lab()).unwrap();
    assert_eq!(keys(&journal), ["sysctl b.b"]);
}

#[test]
fn a_damaged_line_in_the_middle_is_an_error() {
    let (_directory, root, path) = filled();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("before", "bef\"ore", 1)).unwrap();
    let error = Journal::open(&root, &lab()).unwrap_err().to_string();
    assert!(error.starts_with("damaged: "), "{error}");
    assert!(error.contains("dr.jsonl at line 2: "), "{error}");
}

#[test]
fn labs_are_found_by_their_journals() {
    let (directory, root, _) = filled();
    let journal = directory.path().join("var/lib/lvslab/journal");
    fs::write(journal.join("Not A Lab.jsonl"), "").unwrap();
    fs::write(journal.join("nat.jsonl"), "").unwrap();
    let names: Vec<_> = labs(&root).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["dr", "nat"]);
}
