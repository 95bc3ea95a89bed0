//! The settings as flags, made from their table: each one global, before or after the verb.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::infrastructure::config::{Environment, Group, Layers, Setting, settings::TABLE};

/// What was said by flags; flatten it into the command line's root.
///
/// Clap is given no defaults and no environment: it could not tell them from what was typed, and the layers between
/// would have no say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    config_file: Option<PathBuf>,
    values: Vec<(&'static str, String)>,
}

impl Flags {
    /// Lays the flags over the environment.
    #[must_use]
    pub fn over(self, environment: Environment) -> Layers {
        Layers { config_file: self.config_file, flags: self.values, environment }
    }
}

const CONFIG_FILE: &str = "config_file";

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config_file = Arg::new(CONFIG_FILE)
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .global(true)
            .help("A TOML file with settings; each also has a flag (see --help) [env: ROLLBOOK_CONFIG]");
        let flags = TABLE.iter().flat_map(|group| group.settings.iter().filter_map(|setting| flag(group, setting)));
        command.arg(config_file).args(flags).after_long_help(secrets())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let settings = TABLE.iter().flat_map(|group| group.settings).filter(|setting| setting.flag().is_some());
        let given = |setting: &Setting| Some((setting.key, matches.get_one::<String>(setting.key)?.clone()));
        Ok(Self { config_file: matches.get_one(CONFIG_FILE).cloned(), values: settings.filter_map(given).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// There are too many for `-h`, which every verb has; `--help` tells them all.
fn flag(group: &Group, setting: &Setting) -> Option<Arg> {
    let default = if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
    let flag = Arg::new(setting.key)
        .long(setting.flag()?)
        .value_name(setting.placeholder())
        .help(format!("{} [env: {}]{default}", setting.help(), setting.env()))
        .help_heading(group.heading)
        .hide_short_help(true)
        .global(true);
    // With `=` only, so that a verb after a bare switch is not taken for its value.
    Some(if setting.is_switch() {
        flag.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        flag
    })
}

/// What `--help` says of the settings that have no flag.
fn secrets() -> String {
    let told = TABLE.iter().flat_map(|group| group.settings).filter_map(|setting| {
        Some(format!("  {}, {}\n          {}\n", setting.env(), setting.file_env()?, setting.help()))
    });
    format!("Secrets (in the environment, or in a file that it names):\n{}", told.collect::<String>())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, Subcommand};

    use super::*;
    use crate::infrastructure::config::Config;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
        #[command(subcommand)]
        verb: Verb,
    }

    #[derive(Subcommand, PartialEq, Debug)]
    enum Verb {
        Serve,
    }

    fn layers(arguments: &[&str]) -> Layers {
        let cli = Cli::try_parse_from([&["rollbook"], arguments].concat()).unwrap();
        assert_eq!(cli.verb, Verb::Serve);
        cli.flags.over(Environment::default())
    }

    fn long_help() -> String {
        Cli::command().render_long_help().to_string()
    }

    #[test]
    fn a_flag_means_the_same_before_and_after_the_verb() {
        for arguments in [
            ["--db-pool-size", "7", "serve"],
            ["serve", "--db-pool-size", "7"],
            ["serve", "--db-pool-size=7", "--db-echo"],
        ] {
            assert_eq!(Config::load(&layers(&arguments)).unwrap().config.store.pool_size, 7, "{arguments:?}");
        }
        for arguments in [["--config", "a.toml", "serve"], ["serve", "--config", "a.toml"]] {
            assert_eq!(layers(&arguments).config_file, Some(PathBuf::from("a.toml")));
        }
    }

    #[test]
    fn a_switch_needs_no_value_and_takes_no_verb_for_one() {
        for (arguments, echo) in [
            (&["--db-echo", "serve"][..], true),
            (&["serve", "--db-echo"], true),
            (&["--db-echo=false", "serve"], false),
            (&["serve"], false),
        ] {
            assert_eq!(Config::load(&layers(arguments)).unwrap().config.store.echo, echo, "{arguments:?}");
        }
    }

    #[test]
    fn only_what_was_typed_is_in_the_layer_of_flags() {
        assert_eq!(layers(&["serve"]).flags, []);
        assert_eq!(layers(&["serve", "--admin-listen", ""]).flags, [("admin_listen", String::new())]);
    }

    #[test]
    fn the_help_tells_every_setting_its_default_and_its_variable_and_flags_for_all_but_secrets() {
        let help = long_help().split_whitespace().collect::<Vec<_>>().join(" ");
        for setting in TABLE.iter().flat_map(|group| group.settings) {
            let flag = format!("--{} ", setting.key.replace('_', "-"));
            let switch = format!("--{}[", setting.key.replace('_', "-"));
            assert_eq!(help.contains(&flag) || help.contains(&switch), !setting.is_secret(), "{flag}");
            assert!(help.contains(&setting.env()), "{flag}");
            assert!(setting.file_env().is_none_or(|twin| help.contains(&twin)), "{flag}");
        }
        assert!(help.contains("[env: ROLLBOOK_LISTEN] [default: 127.0.0.1:8080]"), "{help}");
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused() {
        assert!(Cli::try_parse_from(["rollbook", "serve", "--mail-api-key", "hunter2"]).is_err());
        assert!(Cli::try_parse_from(["rollbook", "serve", "--smtp-url", "smtp://localhost"]).is_err());
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_flags() {
        Cli::command().debug_assert();
    }
}
