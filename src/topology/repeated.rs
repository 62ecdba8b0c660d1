//! What a file says twice.

use std::collections::HashMap;
use std::hash::Hash;

/// Reports every item after the first that has the same key.
pub(super) fn twice<K: Eq + Hash, T>(
    items: impl IntoIterator<Item = (K, T)>,
    mut report: impl FnMut(&K, &T, &T),
) {
    let mut first: HashMap<K, T> = HashMap::new();
    for (key, item) in items {
        match first.get(&key) {
            Some(earlier) => report(&key, earlier, &item),
            None => {
                first.insert(key, item);
            }
        }
    }
}
