//! The directories above a file: their modes decide who can reach it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::agent::protocol::DirectoryEvidence;
use crate::agent::system::root::Root;

/// Every directory above the file at this absolute path, the outermost first, without `/`.
pub(in crate::agent) fn above(root: &Root, file: &str) -> Vec<DirectoryEvidence> {
    let mut found: Vec<DirectoryEvidence> = Path::new(file)
        .ancestors()
        .skip(1)
        .filter(|directory| directory.parent().is_some())
        .filter_map(|directory| {
            let metadata = fs::metadata(root.join(directory)).ok()?;
            Some(DirectoryEvidence {
                path: directory.to_str()?.to_owned(),
                mode: metadata.mode() & 0o7777,
                uid: metadata.uid(),
                gid: metadata.gid(),
            })
        })
        .collect();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn each_directory_is_told_with_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        fs::create_dir_all(root.join("/var/www/html")).unwrap();
        for (path, mode) in [
            ("/var", 0o755),
            ("/var/www", 0o2750),
            ("/var/www/html", 0o700),
        ] {
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let shown: Vec<String> = above(&root, "/var/www/html/index.html")
            .iter()
            .map(|found| format!("{} {:o}", found.path, found.mode))
            .collect();
        assert_eq!(shown, ["/var 755", "/var/www 2750", "/var/www/html 700"]);
        assert_eq!(above(&root, "/srv/none").len(), 0);
    }
}
