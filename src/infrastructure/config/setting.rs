//! One row of the table, and the macro that turns the table into types.

use super::formats::Shape;

/// Settings that belong together, as README and `--help` show them.
pub struct Group {
    /// Stands above them.
    pub heading: &'static str,
    /// The rows.
    pub settings: &'static [Setting],
}

/// One setting: its names, its default, its meaning.
pub struct Setting {
    /// The key in the TOML file: `data_dir`.
    pub key: &'static str,
    /// The default as it would be written; empty for none.
    pub default: &'static str,
    /// One sentence, without the limits.
    pub(super) help: &'static str,
    pub(super) shape: &'static (dyn Shape + Sync),
}

impl Setting {
    /// The name in the environment: `ROLLBOOK_DATA_DIR`.
    #[must_use]
    pub fn env(&self) -> String {
        format!("{}{}", super::environment::PREFIX, self.key.to_ascii_uppercase())
    }

    /// The long flag without its dashes: `data-dir`; none for a secret, which every user of the machine could read
    /// from the list of running programs.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        (!self.is_secret()).then(|| self.key.replace('_', "-"))
    }

    /// The key that names a file with the value instead: `smtp_url_file`; for secrets only.
    #[must_use]
    pub fn file_key(&self) -> Option<String> {
        self.is_secret().then(|| format!("{}_file", self.key))
    }

    /// That key's name in the environment: `ROLLBOOK_SMTP_URL_FILE`; for secrets only.
    #[must_use]
    pub fn file_env(&self) -> Option<String> {
        self.is_secret().then(|| format!("{}_FILE", self.env()))
    }

    /// Whether the value must never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.shape.is_secret()
    }

    /// Whether a flag without a value means `true`.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        self.shape.is_switch()
    }

    /// What stands for the value in `--help`: `ADDRESS:PORT`.
    #[must_use]
    pub fn placeholder(&self) -> String {
        self.shape.placeholder()
    }

    /// What it means, in one line, limits included.
    #[must_use]
    pub fn help(&self) -> String {
        let help = self.help.trim().trim_end_matches('.');
        match self.shape.limits() {
            Some(limits) => format!("{help} ({limits})"),
            None => help.to_owned(),
        }
    }
}

/// Makes of one list of settings: the `TABLE`, a struct for each group, and [`Config`](super::Config) with its reader.
///
/// A row is `key => field: type = "default" as format`; its doc comment is the field's documentation and the
/// operator's help at once, so that the two cannot drift apart.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $group:ident: $Group:ident, $heading:literal {
            $(
                $(#[doc = $help:literal])+
                $key:ident => $field:ident: $kind:ty = $default:literal as $format:expr;
            )+
        }
    )+) => {
        /// Every setting there is, under its heading.
        pub static TABLE: &[Group] = &[$(Group {
            heading: $heading,
            settings: &[$(Setting {
                key: stringify!($key),
                default: $default,
                help: concat!($($help),+),
                shape: &$format,
            }),+],
        }),+];

        /// Every setting with its real type.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            $(
                $(#[doc = $about])+
                pub $group: $Group,
            )+
        }

        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Group {
                $(
                    $(#[doc = $help])+
                    pub $field: $kind,
                )+
            }

            impl $Group {
                fn read(given: &[Given], problems: &mut Vec<String>) -> Option<Self> {
                    $(let $field = Given::read(given, stringify!($key), &$format, problems);)+
                    Some(Self { $($field: $field?),+ })
                }
            }
        )+

        impl Config {
            /// Reads every value before it gives up, so that `problems` names all bad ones; none if there is one.
            pub(super) fn read(given: &[Given], problems: &mut Vec<String>) -> Option<Self> {
                $(let $group = $Group::read(given, problems);)+
                Some(Self { $($group: $group?),+ })
            }
        }
    };
}

pub(super) use settings;
