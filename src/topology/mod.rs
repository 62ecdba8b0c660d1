//! From a topology file (and an inventory) to a [`Lab`], or an error that points at the place.
//!
//! In: the text of a topology, and of an inventory where hosts are machines of their own. Out: a [`Lab`]
//! that can be built, or every mistake of the file, each with file, line and column, the offending text,
//! what is allowed, and what was probably meant.
//!
//! Reading takes four steps, each in its module: `tree` (YAML events with their places), `shape` (which
//! keys there are), `entries` (typed by `serde_yaml`, used nowhere else) with `fields` (one value at a time),
//! and `rules` (what must hold between values; `networks` and `location` are the larger parts of that).

mod destination;
mod entries;
mod error;
mod fields;
mod inventory;
mod location;
mod networks;
mod problem;
mod read;
mod repeated;
mod rules;
mod shape;
mod suggest;
mod tree;

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use error::{Mistake, TopologyError};

use crate::model::Lab;
use problem::SourceText;

/// Largest topology or inventory file read, bytes. A lab of a thousand real servers needs a tenth of it.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// An inventory's text with what its relative paths are relative to.
#[derive(Debug, Clone, Copy)]
pub struct Inventory<'a> {
    /// Content.
    pub text: &'a str,
    /// What messages call it.
    pub file_name: &'a str,
    /// What relative paths in it are relative to.
    pub directory: &'a Path,
    /// What `~/` stands for; `None` makes `~/` an error.
    pub home: Option<&'a Path>,
}

/// Reads a topology file, and an inventory file that says where its hosts are.
///
/// If both files give a host an `ssh` destination, the inventory's counts.
///
/// # Errors
/// When a file cannot be read, is larger than [`MAX_FILE_BYTES`] or not UTF-8, and for every mistake in it.
pub fn load(path: &Path, inventory: Option<&Path>) -> Result<Lab, TopologyError> {
    let topology = read_text(path)?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let file_name = path.display().to_string();
    let Some(path) = inventory else {
        return parse(&topology, &file_name, None);
    };
    let text = read_text(path)?;
    // The lab is used again from other directories, so its paths must not depend on this one.
    let absolute = std::path::absolute(path).map_err(|source| TopologyError::Read {
        path: path.to_owned(),
        source,
    })?;
    let inventory = Inventory {
        text: &text,
        file_name: &path.display().to_string(),
        directory: absolute.parent().unwrap_or(Path::new("/")),
        home: home.as_deref(),
    };
    parse(&topology, &file_name, Some(inventory))
}

/// Reads a topology from its text; `file_name` is what messages call it.
///
/// # Errors
/// Every mistake in the texts, or that a text is larger than [`MAX_FILE_BYTES`].
pub fn parse(
    text: &str,
    file_name: &str,
    inventory: Option<Inventory<'_>>,
) -> Result<Lab, TopologyError> {
    refuse_large(text.len() as u64, Path::new(file_name))?;
    let text = normalized(text);
    let source = SourceText::new(file_name, &text);
    let draft = read::topology(&source)?;
    let Some(inventory) = inventory else {
        return rules::lab(&source, draft, None);
    };
    refuse_large(inventory.text.len() as u64, Path::new(inventory.file_name))?;
    let inventory_text = normalized(inventory.text);
    let inventory_source = SourceText::new(inventory.file_name, &inventory_text);
    let machines = inventory::read(&inventory_source, inventory)?;
    rules::lab(&source, draft, Some(machines))
}

/// Removes the byte order mark and unifies line ends, so that every reader counts the same lines.
fn normalized(text: &str) -> String {
    text.strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n")
}

fn refuse_large(bytes: u64, path: &Path) -> Result<(), TopologyError> {
    if bytes > MAX_FILE_BYTES {
        return Err(TopologyError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, TopologyError> {
    let unreadable = |source| TopologyError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(TopologyError::Directory {
            path: path.to_owned(),
        });
    }
    refuse_large(metadata.len(), path)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    refuse_large(bytes.len() as u64, path)?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line_start = good
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        TopologyError::NotUtf8 {
            path: path.to_owned(),
            line: 1 + good.iter().filter(|&&b| b == b'\n').count(),
            column: 1 + String::from_utf8_lossy(&good[line_start..]).chars().count(),
        }
    })
}
