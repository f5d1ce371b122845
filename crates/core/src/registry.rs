//! What other crates bring, by the name that recipes give it.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Losses, backends or branches of other crates by name, as in `custom = "NAME"`.
///
/// ```
/// use std::sync::Arc;
///
/// use offkey_core::Registry;
///
/// let registry = Registry::<str>::default().with("greeting", Arc::from("good morning"));
/// assert_eq!(registry.get("greeting").as_deref(), Some("good morning"));
/// assert_eq!(registry.names().collect::<Vec<_>>(), ["greeting"]);
/// ```
pub struct Registry<T: ?Sized>(BTreeMap<String, Arc<T>>);

impl<T: ?Sized> Registry<T> {
    /// With one more under a name; one of that name is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, one: Arc<T>) -> Self {
        self.0.insert(name.into(), one);
        self
    }

    /// The names there are, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<Arc<T>> {
        self.0.get(name).cloned()
    }
}

impl<T: ?Sized> Default for Registry<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: ?Sized> Clone for Registry<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> fmt::Debug for Registry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
