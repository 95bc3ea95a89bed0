//! Flags over environment over file over defaults.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    environment::Environment,
    file,
    given::{Given, Source},
    setting::Setting,
    settings,
};
use crate::domain::secret::Secret;

/// All that the operator said, before anyone looks whether it makes sense.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// `--config`; goes before `ROLLBOOK_CONFIG`.
    pub config_file: Option<PathBuf>,
    /// The keys of settings, and the text of their flags.
    pub flags: Vec<(&'static str, String)>,
    /// `ROLLBOOK_…`.
    pub environment: Environment,
}

/// What one layer says of one key.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) text: Secret,
    pub(super) source: Source,
}

impl Layers {
    /// The uppermost word on every setting, in the order of the table.
    pub(super) fn settle(&self, problems: &mut Vec<String>, warnings: &mut Vec<String>) -> Vec<Given> {
        let flag = |(key, text): &(&str, String)| Entry {
            key: (*key).to_owned(),
            text: Secret::new(text.clone()),
            source: Source::Flag,
        };
        let path = self.config_file.clone().or_else(|| self.environment.config_file());
        let layers = [
            self.flags.iter().map(flag).collect(),
            self.environment.entries(problems, warnings),
            path.map(|path| file::entries(&path, problems)).unwrap_or_default(),
        ];
        settings::all().map(|setting| uppermost(setting, &layers, problems)).collect()
    }
}

/// The first layer that knows the setting wins, whether it gives the value or names the file of a secret.
fn uppermost(setting: &'static Setting, layers: &[Vec<Entry>], problems: &mut Vec<String>) -> Given {
    for layer in layers {
        let entry = |key: &str| layer.iter().find(|entry| entry.key == key);
        let own = entry(setting.key);
        let twin = setting.file_key().and_then(|key| entry(&key)).filter(|twin| !twin.text.expose().is_empty());
        let (text, source) = match (own, twin) {
            (None, None) => continue,
            (Some(own), None) => (own.text.clone(), own.source.clone()),
            (Some(own), Some(twin)) if !own.text.expose().is_empty() => {
                let [own, twin] = [own, twin].map(|entry| entry.source.name_of(setting, &entry.key));
                problems.push(format!("{own} and {twin} are both given; one of them must go"));
                continue;
            }
            (_, Some(twin)) => match secret_in(setting, twin) {
                Ok(found) => found,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            },
        };
        return Given { setting, text, source };
    }
    Given { setting, text: Secret::new(setting.default.to_owned()), source: Source::Default }
}

/// A secret is short; a file without end, such as a device, is not read to it.
const LONGEST_SECRET: u64 = 64 * 1024;

fn read_short(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST_SECRET).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads the file that a `…_file` twin names. Its last line break is the editor's, not the secret's.
fn secret_in(setting: &Setting, twin: &Entry) -> Result<(Secret, Source), String> {
    let name = twin.source.name_of(setting, &twin.key);
    let path = PathBuf::from(twin.text.expose());
    let content = read_short(&path)
        .map(Secret::new)
        .map_err(|cause| format!("{name}: cannot read {}: {cause}", path.display()))?;
    let line = content.expose();
    let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() {
        return Err(format!("{name}: {} is empty", path.display()));
    }
    let text = Secret::new(line.to_owned());
    Ok((text, Source::SecretFile { path, named_by: Box::new(twin.source.clone()) }))
}
