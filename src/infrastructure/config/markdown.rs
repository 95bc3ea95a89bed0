//! The settings as README shows them.

use super::{
    setting::{Group, Setting},
    settings::TABLE,
};

/// A Markdown table for each group under its heading: name in the environment, default, meaning with limits.
#[must_use]
pub fn markdown_table() -> String {
    let groups: Vec<String> = TABLE.iter().map(section).collect();
    groups.join("\n")
}

fn section(group: &Group) -> String {
    let rows: String = group.settings.iter().map(row).collect();
    format!("### {}\n\n| environment | default | |\n|---|---|---|\n{rows}", group.heading)
}

fn row(setting: &Setting) -> String {
    let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
    let twin = setting.file_env().map(|env| format!(" (or name a file with it in `{env}`)")).unwrap_or_default();
    format!("| `{}` | {default} | {}{twin} |\n", setting.env(), setting.help().replace('|', "\\|"))
}
