//! `rollbook config`: every setting with where it came from.

use serde_json::{Value, json};

use crate::infrastructure::config::Explained;

/// The settings for stdout, as lines of TOML or as one JSON array.
///
/// The lines are a configuration file that gives the same settings again, but for secrets: those, and what has no
/// value, are commented out.
#[must_use]
pub fn run(settings: &[Explained], json: bool) -> String {
    if json {
        let settings: Vec<Value> = settings.iter().map(object).collect();
        format!("{:#}\n", Value::Array(settings))
    } else {
        settings.iter().map(line).collect()
    }
}

fn object(setting: &Explained) -> Value {
    let Explained { key, env, value, origin, .. } = setting;
    json!({ "key": key, "env": env, "value": value, "origin": origin })
}

fn line(setting: &Explained) -> String {
    let Explained { key, value, is_secret, origin, .. } = setting;
    let mark = if *is_secret || value.is_none() { "# " } else { "" };
    // A JSON string is a TOML basic string, too.
    let value = Value::from(value.as_deref().unwrap_or("(none)"));
    format!("{mark}{key} = {value}  # {origin}\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::infrastructure::config::{Config, Layers};

    fn explained(variables: &[(&str, &str)]) -> Vec<Explained> {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(&Layers { environment, ..Layers::default() }).unwrap().explained
    }

    const VARIABLES: [(&str, &str); 3] = [
        ("ROLLBOOK_LISTEN", "127.0.0.1:9"),
        ("ROLLBOOK_DATA_DIR", "a \"quoted\" # folder\\"),
        ("ROLLBOOK_SMTP_URL", "smtp://user:hunter2@relay.example"),
    ];

    #[test]
    fn every_line_tells_the_value_and_where_it_came_from() {
        let text = run(&explained(&VARIABLES), false);
        for line in [
            "listen = \"127.0.0.1:9\"  # environment ROLLBOOK_LISTEN\n",
            "mail_transport = \"capture\"  # default\n",
            "# admin_listen = \"(none)\"  # default\n",
            "# smtp_url = \"(secret)\"  # environment ROLLBOOK_SMTP_URL\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn what_is_printed_can_be_used_as_a_configuration_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollbook.toml");
        let first = explained(&VARIABLES);
        fs::write(&path, run(&first, false)).unwrap();
        let second = Config::load(&Layers { config_file: Some(path), ..Layers::default() }).unwrap().explained;
        for (first, second) in first.iter().zip(&second).filter(|(first, _)| first.key != "smtp_url") {
            assert_eq!(first.value, second.value, "{}", first.key);
        }
    }

    #[test]
    fn a_machine_reads_an_array_with_null_for_no_value() {
        let text = run(&explained(&VARIABLES), true);
        let settings: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of = |key: &str| settings.iter().find(|setting| setting["key"] == key).unwrap();
        assert_eq!(of("listen")["origin"], "environment ROLLBOOK_LISTEN");
        assert_eq!(of("listen")["env"], "ROLLBOOK_LISTEN");
        assert_eq!(of("admin_listen")["value"], Value::Null);
        assert_eq!(of("smtp_url")["value"], "(secret)");
        assert!(!text.contains("hunter2"));
    }
}
