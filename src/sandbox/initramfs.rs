//! The first root file system: this binary as `/init`, the kernel's modules, and the agent's layer.

use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::binary::Binary;
use super::cpio::Archive;
use super::error::SandboxError;
use super::image::Image;
use super::init::{LAYER, MODULES, PATH};
use crate::sys::on_host;

/// The initramfs for this binary and image in `directory`; made if it is not there.
///
/// # Errors
/// When the image cannot be read or the file not written.
pub fn ensure(directory: &Path, binary: &Binary, image: &Image) -> Result<PathBuf, SandboxError> {
    let path = directory.join(file_name(binary, image));
    if path.exists() {
        super::cache::touch(&path);
        return Ok(path);
    }
    std::fs::create_dir_all(directory).map_err(SandboxError::io("create", directory))?;
    let temporary = directory.join(format!(".making-{}", std::process::id()));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|file| {
            let mut archive = Archive::new(BufWriter::with_capacity(1 << 20, file));
            fill(&mut archive, binary, &image.modules)?;
            archive.finish()?.into_inner()?.sync_all()?;
            std::fs::rename(&temporary, &path)
        });
    if let Err(error) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(SandboxError::io("write", &path)(error));
    }
    Ok(path)
}

fn file_name(binary: &Binary, image: &Image) -> String {
    format!("{}-{}.cpio", &binary.sha256[..16], image.key)
}

fn fill<W: Write>(archive: &mut Archive<W>, binary: &Binary, modules: &Path) -> io::Result<()> {
    for name in ["dev", "proc", "sys", "rootfs", "hosts"] {
        archive.directory(name, 0o755)?;
    }
    let layer = LAYER.trim_start_matches('/');
    // The modes are those of the directories they are laid over: the upper one's count.
    for (directory, mode) in [
        ("", 0o755),
        ("/var", 0o755),
        ("/var/lib", 0o755),
        (on_host::DIRECTORY, 0o700),
        (on_host::PROGRAMS, 0o700),
    ] {
        archive.directory(&format!("{layer}{directory}"), mode)?;
    }
    let agent = format!("{layer}{}/{}", on_host::PROGRAMS, binary.sha256);
    archive.file(&agent, 0o700, &binary.content)?;
    // One copy in memory for PID 1 and for every host's agent.
    archive.symlink(PATH.trim_start_matches('/'), &format!("/{agent}"))?;
    let directory = MODULES.trim_start_matches('/');
    archive.directory(directory, 0o755)?;
    let order = std::fs::read_to_string(modules.join("modules.order"))?;
    archive.file(
        &format!("{directory}/modules.order"),
        0o644,
        order.as_bytes(),
    )?;
    for name in order.lines().map(str::trim) {
        if name.is_empty() || name.starts_with('#') {
            continue;
        }
        let content = std::fs::read(modules.join(name))?;
        archive.file(
            &format!("{directory}/{name}"),
            0o644,
            without_signature(&content),
        )?;
    }
    Ok(())
}

/// A kernel module without the signature at its end (`Documentation/admin-guide/module-signing.rst` of the
/// kernel: signature, 12 bytes whose last 4 are its length in big-endian, a magic line).
///
/// The kernel checks every signature it finds, although none is required here. Under emulation that takes longer than
/// everything else about loading a module.
fn without_signature(module: &[u8]) -> &[u8] {
    const MAGIC: &[u8] = b"~Module signature appended~\n";
    const INFORMATION: usize = 12;
    let length = || {
        let (rest, information) = module
            .strip_suffix(MAGIC)?
            .split_last_chunk::<INFORMATION>()?;
        let length = u32::from_be_bytes(*information.last_chunk()?);
        rest.len().checked_sub(usize::try_from(length).ok()?)
    };
    length().map_or(module, |length| &module[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> (tempfile::TempDir, Binary, Image) {
        let directory = tempfile::tempdir().unwrap();
        let modules = directory.path().join("modules");
        std::fs::create_dir(&modules).unwrap();
        std::fs::write(modules.join("modules.order"), "a.ko\nb.ko\n").unwrap();
        std::fs::write(modules.join("a.ko"), "module a").unwrap();
        std::fs::write(modules.join("b.ko"), "module b").unwrap();
        let binary = Binary {
            content: b"\x7fELF".to_vec(),
            sha256: "0123456789abcdef".repeat(4),
        };
        let image = Image {
            kernel: PathBuf::new(),
            modules,
            rootfs: PathBuf::new(),
            key: "k1".to_owned(),
        };
        (directory, binary, image)
    }

    #[test]
    fn it_is_made_once_per_binary_and_image_and_leaves_nothing_else() {
        let (directory, binary, image) = input();
        let cache = directory.path().join("initramfs");
        let path = ensure(&cache, &binary, &image).unwrap();
        let content = std::fs::read(&path).unwrap();
        for part in [
            "module a",
            "module b",
            "layer/var/lib/lvslab/bin/0123",
            "/layer/var",
        ] {
            assert!(
                content
                    .windows(part.len())
                    .any(|window| window == part.as_bytes()),
                "{part}"
            );
        }
        std::fs::write(&path, "kept").unwrap();
        assert_eq!(ensure(&cache, &binary, &image).unwrap(), path);
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1);
    }

    #[test]
    fn a_modules_signature_is_left_out() {
        let mut signed = b"\x7fELF module".to_vec();
        signed.extend_from_slice(b"PKCS7");
        signed.extend_from_slice(&[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
        signed.extend_from_slice(b"~Module signature appended~\n");
        assert_eq!(without_signature(&signed), b"\x7fELF module");
        assert_eq!(without_signature(b"\x7fELF module"), b"\x7fELF module");
        let short = [&[0xff; 12][..], b"~Module signature appended~\n"].concat();
        assert_eq!(without_signature(&short), short);
    }

    #[test]
    fn a_missing_module_is_an_error_that_leaves_no_file() {
        let (directory, binary, image) = input();
        std::fs::remove_file(image.modules.join("b.ko")).unwrap();
        let cache = directory.path().join("initramfs");
        assert!(ensure(&cache, &binary, &image).is_err());
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0);
    }
}
