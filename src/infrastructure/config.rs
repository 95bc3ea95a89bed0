//! What the operator decided: flags over environment over file over defaults, judged as a whole.
//!
//! One [table](settings::TABLE) says which settings there are. From it come the flags, the names of the environment,
//! the keys of the file, the types of [`Config`], `rollbook config`, `--help` and README's tables.

mod base_url;
mod contradictions;
mod environment;
mod explained;
mod file;
mod formats;
mod given;
mod host;
mod layers;
mod markdown;
mod origin;
mod setting;
pub mod settings;
mod smtp_url;
mod suggestion;

pub use base_url::BaseUrl;
pub use contradictions::Delivery;
pub use environment::Environment;
pub use explained::Explained;
pub use layers::Layers;
pub use markdown::markdown_table;
pub use origin::Origin;
pub use setting::{Group, Setting};
pub use settings::{Config, LogFormat, MailTransport};
pub use smtp_url::{SmtpSecurity, SmtpUrl};

/// What the layers came to.
#[derive(Debug)]
pub struct Loaded {
    /// Every setting with its real type; the whole makes sense.
    pub config: Config,
    /// Every setting as text with where it came from, in the order of the table.
    pub explained: Vec<Explained>,
    /// What is no error but should be heard once the log is up, one line each.
    pub warnings: Vec<String>,
}

/// Why nothing starts: one line for each mistake, in the words and names that the operator used.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(Vec<String>);

impl Config {
    /// Lays the layers over each other, reads every value and judges the whole.
    ///
    /// Opens the configuration file and the files of secrets, where some are named; relative paths start at the
    /// working directory.
    ///
    /// # Errors
    /// Every mistake at once: what cannot be opened, unknown names, bad values, values that contradict each other.
    pub fn load(layers: &Layers) -> Result<Loaded, ConfigError> {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let given = layers.settle(&mut problems, &mut warnings);
        let config = Config::read(&given, &mut problems).filter(|_| problems.is_empty());
        let config = config.ok_or(ConfigError(problems))?;
        let contradictions = config.contradictions();
        if !contradictions.is_empty() {
            return Err(ConfigError(contradictions));
        }
        warnings.extend(config.doubts());
        Ok(Loaded { config, explained: given.iter().map(Explained::from).collect(), warnings })
    }
}

#[cfg(test)]
mod tests;
