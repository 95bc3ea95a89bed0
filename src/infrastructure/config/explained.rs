//! What `rollbook config` tells of one setting.

use super::given::Given;

/// A setting, its value as text, and where that came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The key in the TOML file.
    pub key: &'static str,
    /// The name in the environment.
    pub env: String,
    /// The value as it was written, or `(secret)`; none where there is none.
    pub value: Option<String>,
    /// Whether the value is not to be shown.
    pub is_secret: bool,
    /// `flag --listen`, `environment ROLLBOOK_LISTEN`, `file rollbook.toml` or `default`.
    pub origin: String,
}

impl From<&Given> for Explained {
    fn from(given: &Given) -> Self {
        let Given { setting, text, source } = given;
        let shown = if setting.is_secret() { "(secret)" } else { text.expose() };
        Self {
            key: setting.key,
            env: setting.env(),
            value: (!text.expose().is_empty()).then(|| shown.to_owned()),
            is_secret: setting.is_secret(),
            origin: source.origin(setting),
        }
    }
}
