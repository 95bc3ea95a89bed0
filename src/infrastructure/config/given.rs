//! A setting's value as text, and who gave it.

use std::path::PathBuf;

use super::{formats::Format, setting::Setting};
use crate::domain::secret::Secret;

/// What one setting came to after all layers were looked through.
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    /// Empty for none. Held as a secret whatever it is: only the table knows which are.
    pub(super) text: Secret,
    pub(super) source: Source,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Flag,
    Environment,
    /// The configuration file.
    File {
        path: PathBuf,
        line: usize,
    },
    /// A file with a secret in it, named by the other source.
    SecretFile {
        path: PathBuf,
        named_by: Box<Source>,
    },
    Default,
}

impl Given {
    /// Reads the value of `key`; a bad one becomes a problem and none.
    pub(super) fn read<F: Format>(
        given: &[Self],
        key: &str,
        format: &F,
        problems: &mut Vec<String>,
    ) -> Option<F::Value> {
        let it = given.iter().find(|given| given.setting.key == key)?;
        match format.read(it.text.expose()) {
            Ok(value) => Some(value),
            Err(fault) => {
                problems.push(it.complaint(&fault));
                None
            }
        }
    }

    /// `ROLLBOOK_LISTEN: "foo" is not an address … (from the environment)`
    fn complaint(&self, fault: &str) -> String {
        let name = self.source.name_of(self.setting, self.setting.key);
        let value = if self.is_unfit_to_show() { "the value".to_owned() } else { format!("{:?}", self.text.expose()) };
        format!("{name}: {value} {fault} ({})", self.source.phrase())
    }

    /// Secrets, and passwords in a URL that ought to have none.
    fn is_unfit_to_show(&self) -> bool {
        let text = self.text.expose();
        self.setting.is_secret() || (text.contains("://") && text.contains('@'))
    }
}

impl Source {
    /// The name that the operator wrote for `key`, the setting's own or its twin's.
    pub(super) fn name_of(&self, setting: &Setting, key: &str) -> String {
        match self {
            Self::Flag => format!("--{}", setting.flag().unwrap_or_default()),
            Self::Environment => format!("{}{}", super::environment::PREFIX, key.to_ascii_uppercase()),
            Self::File { .. } | Self::Default => key.to_owned(),
            Self::SecretFile { named_by, .. } => named_by.name_of(setting, &setting.file_key().unwrap_or_default()),
        }
    }

    /// For the end of a complaint.
    pub(super) fn phrase(&self) -> String {
        match self {
            Self::Flag => "from the command line".to_owned(),
            Self::Environment => "from the environment".to_owned(),
            Self::File { path, line } => format!("from {}, line {line}", path.display()),
            Self::SecretFile { path, .. } => format!("from {}", path.display()),
            Self::Default => "the default".to_owned(),
        }
    }

    /// For `rollbook config`: `flag --listen`, `environment ROLLBOOK_LISTEN`, `file rollbook.toml`, `default`.
    pub(super) fn origin(&self, setting: &Setting) -> String {
        let name = self.name_of(setting, setting.key);
        match self {
            Self::Flag => format!("flag {name}"),
            Self::Environment => format!("environment {name}"),
            Self::File { path, .. } | Self::SecretFile { path, .. } => format!("file {}", path.display()),
            Self::Default => "default".to_owned(),
        }
    }
}
