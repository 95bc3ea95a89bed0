//! The dependencies as `Cargo.toml` lists them.

/// A line of a dependency table.
pub(crate) struct Dependency<'a> {
    pub(crate) name: &'a str,
    /// What follows the name: version, features.
    pub(crate) terms: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The table it stands in: `dependencies`, `dev-dependencies`.
    pub(crate) table: &'a str,
    /// Whether a comment stands above it, or above the lines that it follows without a gap, or after it.
    pub(crate) is_explained: bool,
}

impl Dependency<'_> {
    /// The name that code calls it by.
    pub(crate) fn crate_name(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// Every line of every dependency table, comments and gaps apart.
pub(crate) fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let (mut table, mut is_explained) = ("", false);
    let mut found = Vec::new();
    for (line, text) in (1..).zip(manifest.lines().map(str::trim)) {
        if let Some(header) = text.strip_prefix('[').filter(|_| !text.contains('=')) {
            (table, is_explained) = (header.trim_end_matches(']'), false);
        } else if text.starts_with('#') || text.is_empty() {
            is_explained = !text.is_empty();
        } else if table.ends_with("dependencies") {
            let (name, terms) = text.split_once('=').unwrap_or((text, ""));
            let is_explained = is_explained || terms.contains('#');
            found.push(Dependency { name: name.trim(), terms: terms.trim(), line, table, is_explained });
        }
    }
    found
}
