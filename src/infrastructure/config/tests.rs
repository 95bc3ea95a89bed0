//! The layers and the whole; what a single value may be is tested beside its format.

use std::{collections::HashSet, fs, path::PathBuf, time::Duration};

use tracing::Level;

use super::*;

/// A world with only these variables in it.
fn environment(variables: &[(&str, &str)]) -> Layers {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Layers { environment, ..Layers::default() }
}

/// Adds a configuration file; it lives as long as the folder.
fn with_file(layers: Layers, toml: &str) -> (Layers, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollbook.toml");
    fs::write(&path, toml).unwrap();
    (Layers { config_file: Some(path), ..layers }, folder)
}

fn problems(layers: &Layers) -> String {
    Config::load(layers).unwrap_err().to_string()
}

fn explained(loaded: &Loaded, key: &str) -> Explained {
    loaded.explained.iter().find(|it| it.key == key).unwrap().clone()
}

#[test]
fn everything_has_a_default_that_works() {
    let loaded = Config::load(&Layers::default()).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(loaded.config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.mail.backoff.len(), 8);
    assert_eq!(loaded.config.limits.discard_bytes, 32 * 1024 * 1024);
    assert_eq!(loaded.config.delivery(), Ok(Delivery::Capture));
    assert!(loaded.config.store.pool_size >= 2);
    assert!(loaded.explained.iter().all(|it| it.origin == "default"));
}

#[test]
fn names_are_distinct_in_every_layer() {
    let settings: Vec<&Setting> = settings::all().collect();
    let names: HashSet<String> = settings.iter().map(|setting| setting.env()).collect();
    assert_eq!(names.len(), settings.len());
    let keys = settings::keys();
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let loaded = |layers: &Layers| Config::load(layers).unwrap();
    let (file, _folder) = with_file(Layers::default(), "writer_queue = 2");
    let both = Layers { config_file: file.config_file.clone(), ..environment(&[("ROLLBOOK_WRITER_QUEUE", "3")]) };
    let all = Layers { flags: vec![("writer_queue", "4".to_owned())], ..both.clone() };
    for (layers, queue, origin) in [
        (Layers::default(), 128, "default".to_owned()),
        (file.clone(), 2, format!("file {}", file.config_file.unwrap().display())),
        (both, 3, "environment ROLLBOOK_WRITER_QUEUE".to_owned()),
        (all, 4, "flag --writer-queue".to_owned()),
    ] {
        let loaded = loaded(&layers);
        let shown = explained(&loaded, "writer_queue");
        assert_eq!((loaded.config.store.writer_queue, shown.origin), (queue, origin));
        assert_eq!(shown.value, Some(queue.to_string()));
    }
}

#[test]
fn the_environment_names_the_file_unless_a_flag_does() {
    let (named, _folder) = with_file(Layers::default(), "writer_queue = 2");
    let path = named.config_file.unwrap().display().to_string();
    let by_environment = environment(&[("ROLLBOOK_CONFIG", &path)]);
    assert_eq!(Config::load(&by_environment).unwrap().config.store.writer_queue, 2);
    let (both, _folder) = with_file(by_environment, "writer_queue = 3");
    assert_eq!(Config::load(&both).unwrap().config.store.writer_queue, 3);
}

#[test]
fn an_empty_value_takes_an_optional_setting_back() {
    let (layers, _folder) = with_file(
        environment(&[("ROLLBOOK_ADMIN_LISTEN", ""), ("ROLLBOOK_CORS_ORIGINS", "")]),
        "admin_listen = '127.0.0.1:9'\ncors_origins = ['https://shop.example']",
    );
    let loaded = Config::load(&layers).unwrap();
    assert_eq!((loaded.config.http.admin_listen, loaded.config.http.cors_origins.len()), (None, 0));
    assert_eq!(explained(&loaded, "admin_listen").value, None);
}

#[test]
fn the_file_takes_strings_integers_booleans_and_lists_of_strings() {
    let (layers, _folder) = with_file(
        Layers::default(),
        "db_echo = true\nhttp_max_connections = 1_000\nmail_backoff = ['1s', '2m']\ndata_dir = 'here'\n\
         cors_origins = ['https://shop.example', 'http://localhost:5173']",
    );
    let config = Config::load(&layers).unwrap().config;
    assert!(config.store.echo);
    assert_eq!(config.limits.max_connections, 1000);
    assert_eq!(config.mail.backoff, [Duration::from_secs(1), Duration::from_mins(2)]);
    assert_eq!(config.store.data_dir, PathBuf::from("here"));
    assert_eq!(config.http.cors_origins.len(), 2);
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_line() {
    for (toml, words) in [
        ("# first\nlistn = '127.0.0.1:1'", "line 2: there is no setting listn; did you mean listen?"),
        ("port = 8080", "line 1: there is no setting port"),
        ("\nlisten = 'foo'", "listen: \"foo\" is not an address with a port"),
        ("\nlisten = 'foo'", "rollbook.toml, line 2)"),
        ("[http]\nlisten = '127.0.0.1:1'", "line 1: there is no setting http"),
        ("http_body_min_rate = 1.5", "line 1: http_body_min_rate is of type float"),
        ("cors_origins = [1]", "line 1: cors_origins is of type array"),
        ("log = 'info'\nlog = 'warn'", "line 2: duplicate key"),
        ("log = ", "line 1: "),
    ] {
        let (layers, _folder) = with_file(Layers::default(), toml);
        let problems = problems(&layers);
        assert!(problems.contains(words), "{toml}: {problems}");
        assert_eq!(problems.lines().count(), 1, "{problems}");
    }
}

#[test]
fn mistakes_in_the_file_are_told_from_top_to_bottom() {
    let (layers, _folder) = with_file(Layers::default(), "zebra = 1\nyak = 2\nape = 3");
    let problems = problems(&layers);
    let lines: Vec<usize> = ["line 1", "line 2", "line 3"].map(|line| problems.find(line).unwrap()).to_vec();
    assert!(lines.is_sorted(), "{problems}");
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let layers = Layers { config_file: Some("no/such/rollbook.toml".into()), ..Layers::default() };
    assert!(problems(&layers).starts_with("cannot read no/such/rollbook.toml: "));
}

#[test]
fn a_slip_in_a_variable_is_refused_with_what_was_meant() {
    for (name, meant) in [
        ("ROLLBOOK_LISTN", "ROLLBOOK_LISTEN"),
        ("ROLLBOOK_listen", "ROLLBOOK_LISTEN"),
        ("ROLLBOOK_PUBLICURL", "ROLLBOOK_PUBLIC_URL"),
        ("ROLLBOOK_SMTP_URL_FIEL", "ROLLBOOK_SMTP_URL_FILE"),
        ("ROLLBOOK_CONFG", "ROLLBOOK_CONFIG"),
    ] {
        let problems = problems(&environment(&[(name, "x")]));
        assert_eq!(problems, format!("{name}: there is no such variable; did you mean {meant}?"));
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused_if_it_is_ours() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};

    let variable = |name: &str| [(OsString::from(name), OsString::from_vec(vec![b'/', 0xff]))];
    let error = Environment::of(variable("ROLLBOOK_DATA_DIR").into_iter()).unwrap_err();
    assert_eq!(error.to_string(), "ROLLBOOK_DATA_DIR: the value is not UTF-8");
    assert!(Environment::of(variable("ANOTHER").into_iter()).is_ok());
}

#[test]
fn a_variable_that_resembles_no_setting_is_only_mentioned() {
    for name in ["ROLLBOOK_BIN", "ROLLBOOK_VERIFICATION_KEY"] {
        let loaded = Config::load(&environment(&[(name, "x"), ("PATH", "/bin")])).unwrap();
        assert_eq!(loaded.warnings, [format!("{name} in the environment is no setting and changes nothing")]);
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_names_that_were_used() {
    let (mut layers, _folder) = with_file(environment(&[("ROLLBOOK_LISTEN", "foo")]), "writer_queue = 0");
    layers.flags = vec![("mail_transport", "pigeon".to_owned())];
    let problems = problems(&layers);
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(
        lines[0],
        "ROLLBOOK_LISTEN: \"foo\" is not an address with a port, such as 127.0.0.1:8080 (from the environment)"
    );
    assert!(lines[1].starts_with("writer_queue: \"0\" is not a whole number within 1–65536 (from "), "{}", lines[1]);
    assert_eq!(lines[2], "--mail-transport: \"pigeon\" is none of capture|smtp|http (from the command line)");
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_secret_may_be_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key").display().to_string();
    for (content, key) in [("k1", "k1"), ("k2\n", "k2"), ("k3\r\n", "k3")] {
        fs::write(&path, content).unwrap();
        let (by_file, _folder) = with_file(Layers::default(), &format!("mail_api_key_file = '{path}'"));
        for layers in [environment(&[("ROLLBOOK_MAIL_API_KEY_FILE", &path)]), by_file] {
            let loaded = Config::load(&layers).unwrap();
            assert_eq!(explained(&loaded, "mail_api_key").origin, format!("file {path}"));
            assert_eq!(loaded.config.mail.api_key.unwrap().expose(), key);
        }
    }
}

#[test]
fn a_secret_given_twice_in_one_layer_is_refused() {
    let layers = environment(&[("ROLLBOOK_MAIL_API_KEY", "k"), ("ROLLBOOK_MAIL_API_KEY_FILE", "no/such/file")]);
    assert_eq!(
        problems(&layers),
        "ROLLBOOK_MAIL_API_KEY and ROLLBOOK_MAIL_API_KEY_FILE are both given; one of them must go"
    );
}

#[test]
fn a_secret_in_the_environment_wins_over_a_secrets_file_named_below() {
    let (layers, _folder) =
        with_file(environment(&[("ROLLBOOK_MAIL_API_KEY", "k")]), "mail_api_key_file = 'no/such/file'");
    assert_eq!(Config::load(&layers).unwrap().config.mail.api_key.unwrap().expose(), "k");
}

#[test]
fn a_secrets_file_that_says_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let empty = empty.display().to_string();
    for (path, words) in [(empty.as_str(), "is empty"), ("no/such/file", "cannot read no/such/file")] {
        let problems = problems(&environment(&[("ROLLBOOK_SMTP_URL_FILE", path)]));
        assert!(problems.starts_with("ROLLBOOK_SMTP_URL_FILE: ") && problems.contains(words), "{problems}");
    }
}

#[test]
fn a_secret_is_shown_nowhere() {
    let smtp = "smtp://user:hunter2@relay.example";
    let layers = environment(&[("ROLLBOOK_SMTP_URL", smtp), ("ROLLBOOK_MAIL_API_KEY", "hunter2")]);
    let loaded = Config::load(&layers).unwrap();
    assert!(!format!("{layers:?} {loaded:?}").contains("hunter2"));
    assert_eq!(explained(&loaded, "smtp_url").value.as_deref(), Some("(secret)"));

    for variable in [
        ("ROLLBOOK_SMTP_URL", "smtp://user:hunter2@relay.example?tls=none"),
        ("ROLLBOOK_MAIL_API_KEY", "hunter2\nX-Other: field"),
        ("ROLLBOOK_MAIL_API_URL", "https://user:hunter2@api.example"),
    ] {
        let error = Config::load(&environment(&[variable])).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    for toml in
        ["smtp_url = 'smtp://user:hunter2@relay.example", "smtp_ulr = 'hunter2'", "mail_api_key = ['hunter2', 1]"]
    {
        let (layers, _folder) = with_file(Layers::default(), toml);
        assert!(!problems(&layers).contains("hunter2"), "{toml}");
    }
}

#[test]
fn beyond_loopback_the_public_url_is_required() {
    for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
        let problems = problems(&environment(&[("ROLLBOOK_LISTEN", listen)]));
        assert!(problems.starts_with("ROLLBOOK_PUBLIC_URL is required when listening beyond loopback"), "{problems}");
        let whole = [("ROLLBOOK_LISTEN", listen), ("ROLLBOOK_PUBLIC_URL", "https://acme.example/")];
        let loaded = Config::load(&environment(&whole)).unwrap();
        assert_eq!(loaded.config.http.public_url.unwrap().as_str(), "https://acme.example");
    }
    for listen in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:80"] {
        assert!(Config::load(&environment(&[("ROLLBOOK_LISTEN", listen)])).is_ok(), "{listen}");
    }
}

#[test]
fn links_that_others_can_read_are_warned_about() {
    let loaded = Config::load(&environment(&[("ROLLBOOK_PUBLIC_URL", "http://acme.example")])).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].starts_with("ROLLBOOK_PUBLIC_URL is not https"), "{:?}", loaded.warnings);
}

#[test]
fn a_way_of_sending_has_all_it_needs_or_nothing_starts() {
    let smtp = [
        ("ROLLBOOK_MAIL_TRANSPORT", "smtp"),
        ("ROLLBOOK_SMTP_URL", "smtp://localhost:2525"),
        ("ROLLBOOK_MAIL_FROM", "Acme <hello@acme.example>"),
    ];
    let http = [
        ("ROLLBOOK_MAIL_TRANSPORT", "http"),
        ("ROLLBOOK_MAIL_API_URL", "https://api.example"),
        ("ROLLBOOK_MAIL_API_KEY", "key"),
        ("ROLLBOOK_MAIL_FROM", "hello@acme.example"),
    ];
    for needed in [&smtp[..], &http[..]] {
        assert!(Config::load(&environment(needed)).unwrap().config.delivery().is_ok());
        for missing in 1..needed.len() {
            let mut variables = needed.to_vec();
            let (name, _) = variables.remove(missing);
            let (transport, value) = needed[0];
            assert_eq!(problems(&environment(&variables)), format!("{name} is required when {transport} is {value}"));
        }
    }
}

#[test]
fn every_bad_value_is_refused_with_one_line_that_says_what_is_expected() {
    for (key, bad, expected) in [
        (
            "listen",
            &["", "foo", "8080", "localhost:8080", "127.0.0.1", "127.0.0.1:70000"][..],
            "such as 127.0.0.1:8080",
        ),
        ("admin_listen", &["foo"], "such as 127.0.0.1:8080"),
        ("data_dir", &[""], "is not a path"),
        ("public_url", &["acme.example", "ftp://acme.example"], "begins with https:// or http://"),
        ("public_url", &["https://acme.example?x"], "must not have a query"),
        ("cors_origins", &["*", "null", "https://a.example,null"], "not an exact origin"),
        ("cors_origins", &["https://a.example/"], "did you mean https://a.example?"),
        ("db_pool_size", &["0", "1025", "-1", "many", "1.5", ""], "within 1–1024, nor auto"),
        ("db_echo", &["yes", "1", ""], "neither true nor false"),
        ("writer_queue", &["0", "65537", "ten"], "within 1–65536"),
        ("mail_transport", &["pigeon", "SMTP", ""], "none of capture|smtp|http"),
        ("log_format", &["xml"], "none of pretty|json"),
        ("mail_from", &["Acme", "Acme <hello>", "<hello@acme.example", "A\nB <hello@acme.example>"], "is not a sender"),
        ("http_head_timeout", &["0s", "10", "ten seconds", "-1s", "2h", ""], "within 1ms–1h, such as"),
        ("key_refresh", &["1001ms", "2s"], "within 0s–1s"),
        ("mail_backoff", &[""], "list of 1 to 32 values"),
        ("mail_backoff", &["30s,", "30s,0s", "30s 2m,x"], "which is not a duration within 1ms–1day"),
        ("http_max_body_bytes", &["0", "64kb", "64 KB", "17MiB", "-1", "99999999999999999999MiB"], "within 1KiB–16MiB"),
        (
            "log",
            &[
                "",
                "inof",
                "=",
                "=info",
                "rollbook=",
                "rollbook =info",
                "rollbook[x]=info",
                "info,",
                "info,rollbook=loud",
            ],
            "not a log filter",
        ),
        ("smtp_url", &["relay.example:587", "http://relay.example"], "the value is not a URL such as smtp://"),
        ("mail_api_key", &["two words", "k\n"], "visible ASCII"),
    ] {
        for bad in bad {
            let name = format!("ROLLBOOK_{}", key.to_ascii_uppercase());
            let problems = problems(&environment(&[(&name, bad)]));
            assert!(problems.starts_with(&format!("{name}: ")), "{problems}");
            assert!(problems.contains(expected), "{bad:?}: {problems}");
            assert_eq!(problems.lines().count(), 1, "{problems}");
        }
    }
}

#[test]
fn a_module_can_be_logged_at_a_level_of_its_own() {
    let variables = [("ROLLBOOK_LOG", "warn, rollbook::infrastructure=debug")];
    let filter = Config::load(&environment(&variables)).unwrap().config.log.filter;
    for (module, level, logged) in [
        ("rollbook::infrastructure::http", Level::DEBUG, true),
        ("rollbook::app", Level::INFO, false),
        ("rollbook::app", Level::WARN, true),
    ] {
        assert_eq!(filter.would_enable(module, &level), logged, "{module} {level}");
    }
}

#[test]
fn sizes_and_durations_are_read_with_their_units() {
    let config = |variable| Config::load(&environment(&[variable])).unwrap().config;
    for (text, bytes) in [("65536", 65536), ("64KiB", 65536), ("1 MiB", 1_048_576)] {
        assert_eq!(config(("ROLLBOOK_HTTP_MAX_BODY_BYTES", text)).limits.max_body_bytes, bytes);
    }
    for (text, seconds) in [("90s", 90), ("1m 30s", 90), ("5d", 432_000)] {
        assert_eq!(config(("ROLLBOOK_MAIL_GIVE_UP", text)).mail.give_up, Duration::from_secs(seconds));
    }
}

#[test]
fn the_readme_has_a_row_for_every_setting() {
    let text = markdown_table();
    let rows = text.lines().filter(|line| line.starts_with("| `ROLLBOOK_")).count();
    assert_eq!(rows, settings::all().count());
    assert!(text.contains("| `ROLLBOOK_WRITER_QUEUE` | `128` | "), "{text}");
    assert!(text.contains(" (1–65536) |\n"), "limits are told: {text}");
    assert!(text.contains("(or name a file with it in `ROLLBOOK_SMTP_URL_FILE`) |\n"), "twins are told: {text}");
}
