//! An archive in cpio's "newc" form, as the kernel unpacks it for its first root file system.
//!
//! Format: `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel. Only what an
//! initramfs needs is here: directories, files, symbolic links, all owned by root.

use std::io::{self, Write};

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const TRAILER: &str = "TRAILER!!!";

/// Writes one archive; [`Archive::finish`] ends it.
#[derive(Debug)]
pub struct Archive<W: Write> {
    sink: W,
    /// Bytes written, for the padding.
    written: u64,
    /// Inode number of the next entry: distinct ones, or the kernel would take entries for hard links.
    inode: u32,
}

impl<W: Write> Archive<W> {
    /// An empty archive.
    pub fn new(sink: W) -> Self {
        Self {
            sink,
            written: 0,
            inode: 1,
        }
    }

    /// Adds a directory; its parents must have been added before.
    ///
    /// # Errors
    /// Whatever the sink says; `InvalidInput` for a name with a NUL.
    pub fn directory(&mut self, name: &str, mode: u32) -> io::Result<()> {
        self.entry(name, DIRECTORY | mode, &[])
    }

    /// Adds a regular file.
    ///
    /// # Errors
    /// As [`Archive::directory`], and `InvalidInput` for 4 GiB or more.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.entry(name, FILE | mode, content)
    }

    /// Adds a symbolic link to `target`.
    ///
    /// # Errors
    /// As [`Archive::directory`].
    pub fn symlink(&mut self, name: &str, target: &str) -> io::Result<()> {
        self.entry(name, SYMLINK | 0o777, target.as_bytes())
    }

    /// Writes the trailer and hands the sink back.
    ///
    /// # Errors
    /// Whatever the sink says.
    pub fn finish(mut self) -> io::Result<W> {
        self.inode = 0;
        self.entry(TRAILER, 0, &[])?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        if name.contains('\0') {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a file name with a NUL byte",
            ));
        }
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "too long for cpio");
        let name_bytes = u32::try_from(name.len() + 1).map_err(too_long)?;
        let content_bytes = u32::try_from(content.len()).map_err(too_long)?;
        let links = if mode & DIRECTORY == 0 { 1 } else { 2 };
        let mut header = String::from("070701");
        for field in [
            self.inode,
            mode,
            0, // uid
            0, // gid
            links,
            0, // mtime: the same input gives the same archive
            content_bytes,
            0, // device, major
            0, // device, minor
            0, // special file, major
            0, // special file, minor
            name_bytes,
            0, // checksum, unused in this variant
        ] {
            header.push_str(&format!("{field:08X}"));
        }
        self.inode = self.inode.wrapping_add(1);
        self.put(header.as_bytes())?;
        self.put(name.as_bytes())?;
        self.put(&[0])?;
        self.pad()?;
        self.put(content)?;
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.sink.write_all(bytes)
    }

    /// Header with name, and content, each end on a multiple of four.
    fn pad(&mut self) -> io::Result<()> {
        const ZEROES: [u8; 3] = [0; 3];
        let missing = (4 - self.written % 4) % 4;
        self.put(&ZEROES[..missing as usize])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Entry {
        name: String,
        mode: u32,
        content: Vec<u8>,
    }

    /// A reader written from the format's description alone.
    fn read(bytes: &[u8]) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let field = |n: usize| {
                let text = std::str::from_utf8(&bytes[at + 6 + n * 8..at + 14 + n * 8]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name_at = at + 110;
            let name = String::from_utf8(bytes[name_at..name_at + name_size - 1].to_vec()).unwrap();
            let content_at = (name_at + name_size).next_multiple_of(4);
            if name == TRAILER {
                return entries;
            }
            let content = bytes[content_at..content_at + size].to_vec();
            entries.push(Entry {
                name,
                mode,
                content,
            });
            at = (content_at + size).next_multiple_of(4);
        }
    }

    #[test]
    fn one_small_file_has_the_documented_bytes() {
        let mut archive = Archive::new(Vec::new());
        archive.file("hi", 0o644, b"abc\n").unwrap();
        let bytes = archive.finish().unwrap();
        let mut golden = Vec::new();
        golden.extend_from_slice(b"07070100000001000081A40000000000000000000000010000000000000004");
        golden.extend_from_slice(b"000000000000000000000000000000000000000300000000hi\0\0\0\0");
        golden.extend_from_slice(b"abc\n");
        golden.extend_from_slice(
            b"0707010000000000000000000000000000000000000001000000000000000000000000",
        );
        golden.extend_from_slice(b"0000000000000000000000000000000B00000000TRAILER!!!\0");
        golden.resize(golden.len().next_multiple_of(4), 0);
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            String::from_utf8_lossy(&golden)
        );
    }

    #[test]
    fn a_name_with_a_nul_is_refused() {
        assert!(Archive::new(Vec::new()).directory("a\0b", 0o755).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            files in prop::collection::vec(("[a-z/._-]{1,40}", prop::collection::vec(any::<u8>(), 0..200)), 0..10)
        ) {
            let mut archive = Archive::new(Vec::new());
            archive.directory("d", 0o755).unwrap();
            for (name, content) in &files {
                archive.file(name, 0o600, content).unwrap();
            }
            archive.symlink("l", "d/target").unwrap();
            let bytes = archive.finish().unwrap();
            prop_assert_eq!(bytes.len() % 4, 0);
            let mut expected = vec![Entry { name: "d".into(), mode: 0o040_755, content: vec![] }];
            expected.extend(files.into_iter().map(|(name, content)| Entry { name, mode: 0o100_600, content }));
            expected.push(Entry { name: "l".into(), mode: 0o120_777, content: b"d/target".to_vec() });
            prop_assert_eq!(read(&bytes), expected);
        }
    }
}
