//! The environment layer. An unknown variable that is nearly a setting is a slip and refused; any other is only
//! mentioned, since scripts around the program name their own variables after it.

use std::{env, ffi::OsString, path::PathBuf};

use super::{ConfigError, given::Source, layers::Entry, settings, suggestion};
use crate::domain::secret::Secret;

/// What every variable of the program begins with.
pub(super) const PREFIX: &str = "ROLLBOOK_";

/// Names the configuration file; no setting, since the file cannot name itself.
const CONFIG_FILE: &str = "config";

/// The variables that begin with `ROLLBOOK_`, without that beginning.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<(String, Secret)>);

impl Environment {
    /// The environment that the program was started with: the one place that looks at it.
    ///
    /// # Errors
    /// A variable of the program whose value is not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "this is the home of what is banned elsewhere")]
    pub fn of_the_process() -> Result<Self, ConfigError> {
        Self::of(env::vars_os())
    }

    pub(super) fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let ours = variables.filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            Some(value.into_string().map_err(|_| format!("{name}: the value is not UTF-8")).map(|value| (name, value)))
        });
        ours.collect::<Result<_, _>>().map_err(|fault| ConfigError(vec![fault]))
    }

    /// The configuration file, where one is named.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        let (_, path) = self.0.iter().find(|(name, _)| is(name, CONFIG_FILE))?;
        (!path.expose().is_empty()).then(|| path.expose().into())
    }

    /// What it says of the settings.
    pub(super) fn entries(&self, problems: &mut Vec<String>, warnings: &mut Vec<String>) -> Vec<Entry> {
        let mut keys = settings::keys();
        keys.push(CONFIG_FILE.to_owned());
        let mut entries = Vec::new();
        for (name, text) in &self.0 {
            if let Some(key) = keys.iter().find(|key| is(name, key)) {
                entries.push(Entry { key: key.clone(), text: text.clone(), source: Source::Environment });
            } else if let Some(meant) = suggestion::nearest(&name.to_ascii_lowercase(), &keys) {
                let meant = meant.to_ascii_uppercase();
                problems.push(format!("{PREFIX}{name}: there is no such variable; did you mean {PREFIX}{meant}?"));
            } else {
                warnings.push(format!("{PREFIX}{name} in the environment is no setting and changes nothing"));
            }
        }
        entries
    }
}

impl FromIterator<(String, String)> for Environment {
    /// Keeps the program's own variables.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(PREFIX)?.to_owned();
            Some((name, Secret::new(value)))
        });
        Self(ours.collect())
    }
}

fn is(name: &str, key: &str) -> bool {
    name == key.to_ascii_uppercase()
}
