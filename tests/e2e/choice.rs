//! What the environment asks of this run. A value that means nothing is an error: a typo must not turn a test into
//! one that tries less, or nothing.

use std::num::NonZeroUsize;

use lvslab::fault::catalogue;

/// `LVSLAB_ONLY_FAULT`: the one fault to try, of all there are.
pub fn only_fault() -> Result<Option<&'static str>, String> {
    let names: Vec<&str> = catalogue().map(|kind| kind.name).collect();
    one_of("LVSLAB_ONLY_FAULT", &names)
}

/// `LVSLAB_LOOKS`: how often each healthy lab is looked at, beside the look of `up`.
pub fn looks() -> Result<NonZeroUsize, String> {
    match variable("LVSLAB_LOOKS")? {
        None => Ok(NonZeroUsize::MIN),
        Some(text) => text
            .parse()
            .map_err(|error| format!("LVSLAB_LOOKS={text}: {error}")),
    }
}

/// `LVSLAB_WRITE_DOCS=1`: write `docs/faults.md` instead of comparing it.
pub fn writes_docs() -> Result<bool, String> {
    Ok(one_of("LVSLAB_WRITE_DOCS", &["1"])?.is_some())
}

fn one_of(name: &str, known: &[&'static str]) -> Result<Option<&'static str>, String> {
    let Some(text) = variable(name)? else {
        return Ok(None);
    };
    match known.iter().find(|known| **known == text) {
        Some(found) => Ok(Some(found)),
        None => Err(format!("{name}={text}: there is {}", known.join(", "))),
    }
}

fn variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
