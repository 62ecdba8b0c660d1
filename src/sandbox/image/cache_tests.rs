use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;
use crate::sys::progress::Silent;

fn fill(room: &Room<'_>) -> Result<(), ImageError> {
    fs::create_dir(room.image.join("modules")).unwrap();
    for name in ["vmlinuz", "rootfs.squashfs", "modules/modules.order"] {
        fs::write(room.image.join(name), name).unwrap();
    }
    Ok(())
}

#[test]
fn an_image_that_is_there_is_not_built_again() {
    let directory = tempfile::tempdir().unwrap();
    let first = obtain(directory.path(), "k", &Silent, fill).unwrap();
    let second = obtain(directory.path(), "k", &Silent, |_| panic!("built twice")).unwrap();
    assert_eq!(first, second);
    assert_eq!(find(directory.path(), "k"), Some(first));
    assert_eq!(find(directory.path(), "other"), None);
}

#[test]
fn two_at_once_build_once() {
    let directory = tempfile::tempdir().unwrap();
    let builds = AtomicUsize::new(0);
    let together = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                together.wait();
                obtain(directory.path(), "k", &Silent, |room| {
                    builds.fetch_add(1, Ordering::SeqCst);
                    fill(room)
                })
                .unwrap()
            });
        }
    });
    assert_eq!(builds.load(Ordering::SeqCst), 1);
}

#[test]
fn the_second_says_for_whom_it_waits() {
    struct Waiting(mpsc::Sender<String>);
    impl Progress for Waiting {
        fn doing(&self, _: &str, what: &str) {
            let _ = self.0.send(what.to_owned());
        }
        fn finished(&self, _: &str, _: &str) {}
    }
    let directory = tempfile::tempdir().unwrap();
    let (told, tells) = mpsc::channel();
    let said = std::thread::scope(|scope| {
        let (inside, is_inside) = mpsc::channel();
        let images = directory.path();
        let first = scope.spawn(move || {
            obtain(images, "k", &Silent, |room| {
                inside.send(()).unwrap();
                // Goes on once the second has said that it waits.
                let said = tells.recv().unwrap();
                fill(room)?;
                fs::write(room.image.join("said"), said).unwrap();
                Ok(())
            })
            .unwrap()
        });
        is_inside.recv().unwrap();
        let second = obtain(images, "k", &Waiting(told), |_| panic!("built twice")).unwrap();
        assert_eq!(first.join().unwrap(), second);
        fs::read_to_string(second.kernel.with_file_name("said")).unwrap()
    });
    assert_eq!(
        said,
        format!(
            "waiting for another lvslab (process {}), which is building the image",
            std::process::id()
        )
    );
}

#[test]
fn a_failed_build_leaves_no_image_and_does_not_stop_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let error = obtain(directory.path(), "k", &Silent, |room| {
        fill(room)?;
        Err(ImageError::Incomplete {
            path: room.image.to_owned(),
        })
    })
    .unwrap_err();
    assert!(matches!(error, ImageError::Incomplete { .. }));
    assert_eq!(find(directory.path(), "k"), None);
    obtain(directory.path(), "k", &Silent, fill).unwrap();
}

#[test]
fn a_directory_that_is_not_an_image_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("k")).unwrap();
    fs::write(directory.path().join("k/vmlinuz"), "").unwrap();
    obtain(directory.path(), "k", &Silent, fill).unwrap();
}
