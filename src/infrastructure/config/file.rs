//! The TOML layer: top-level keys whose values are strings, integers, booleans, or lists of strings.

use std::{fs, path::Path};

use toml::de::{DeTable, DeValue};

use super::{given::Source, layers::Entry, settings, suggestion};
use crate::domain::secret::Secret;

/// What the file says of the settings; what is wrong with it is added to `problems`.
pub(super) fn entries(path: &Path, problems: &mut Vec<String>) -> Vec<Entry> {
    match fs::read_to_string(path) {
        Ok(text) => entries_of(&text, path, problems),
        Err(cause) => {
            problems.push(format!("cannot read {}: {cause}", path.display()));
            Vec::new()
        }
    }
}

fn entries_of(text: &str, path: &Path, problems: &mut Vec<String>) -> Vec<Entry> {
    let shown = path.display();
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(fault) => {
            // Not the fault's own Display: it quotes the line, and a password may stand there.
            let line = line_at(text, fault.span().map_or(0, |span| span.start));
            problems.push(format!("{shown}, line {line}: {}", fault.message().replace('\n', ", ")));
            return Vec::new();
        }
    };
    let keys = settings::keys();
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    let mut entries = Vec::new();
    for (key, value) in rows {
        let line = line_at(text, key.span().start);
        let key = key.get_ref().as_ref();
        if !keys.iter().any(|known| known == key) {
            let hint = suggestion::nearest(key, &keys).map(|meant| format!("; did you mean {meant}?"));
            problems.push(format!("{shown}, line {line}: there is no setting {key}{}", hint.unwrap_or_default()));
        } else if let Some(text) = text_of(value.get_ref()) {
            let source = Source::File { path: path.to_owned(), line };
            entries.push(Entry { key: key.to_owned(), text: Secret::new(text), source });
        } else {
            let kind = value.get_ref().type_str();
            problems.push(format!(
                "{shown}, line {line}: {key} is of type {kind}; only strings, integers, booleans and lists of strings are read"
            ));
        }
    }
    entries
}

/// The value as a flag would have it.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(i64::from_str_radix(number.as_str(), number.radix()).ok()?.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str());
            Some(texts.collect::<Option<Vec<_>>>()?.join(","))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
