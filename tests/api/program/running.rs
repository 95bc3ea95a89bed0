//! A program as a child of the test: heard line by line, told to stop, and always reaped.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// How long a test waits for what should have happened long ago.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running program; it does not outlive its test.
pub(crate) struct Program {
    child: Child,
    lines: UnboundedReceiver<Line>,
    heard: Vec<Line>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

#[derive(Debug)]
struct Line {
    stream: Stream,
    text: String,
}

/// The binary with a data folder, and with nothing of the test's own environment.
pub(crate) fn rollbook(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollbook"));
    command.env_clear().env("ROLLBOOK_DATA_DIR", data).args(arguments);
    command
}

/// Runs the binary to its end.
pub(crate) async fn run(data: &Path, arguments: &[&str]) -> Ended {
    Program::spawn(&mut rollbook(data, arguments)).end().await
}

impl Program {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (said, lines) = unbounded_channel();
        listen(Stream::Out, child.stdout.take().unwrap(), said.clone());
        listen(Stream::Err, child.stderr.take().unwrap(), said);
        Self { child, lines, heard: Vec::new() }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal; the program has not been waited for yet, so its id is still its own.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until something is found in a line, of either stream.
    pub(crate) async fn hear<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let line = timeout(PATIENCE, self.lines.recv()).await;
            let line = line.unwrap_or_else(|_| panic!("waited in vain for {what} after {:#?}", self.heard));
            let line = line.unwrap_or_else(|| panic!("it ended without {what}: {:#?}", self.heard));
            let found = find(&line.text);
            self.heard.push(line);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits until a line has these words.
    pub(crate) async fn hear_words(&mut self, words: &str) {
        self.hear(words, |line| line.contains(words).then_some(())).await;
    }

    /// Breaks the pipes of both streams at the next line.
    pub(crate) fn stop_listening(&mut self) {
        self.lines.close();
    }

    /// Waits for the end, and fails the test if it does not come.
    pub(crate) async fn end(mut self) -> Ended {
        while let Some(line) = timeout(PATIENCE, self.lines.recv()).await.expect("the program should have ended") {
            self.heard.push(line);
        }
        // It has closed both streams, so it is about to end.
        let code = self.child.wait().unwrap().code();
        Ended { code, stdout: self.heard_on(Stream::Out), stderr: self.heard_on(Stream::Err) }
    }

    fn heard_on(&self, stream: Stream) -> String {
        let lines = self.heard.iter().filter(|line| line.stream == stream);
        lines.flat_map(|line| [&line.text, "\n"]).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Whether it has ended before does not matter here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stream: Stream, pipe: impl Read + Send + 'static, said: UnboundedSender<Line>) {
    thread::spawn(move || {
        for text in BufReader::new(pipe).lines().map_while(Result::ok) {
            if said.send(Line { stream, text }).is_err() {
                break;
            }
        }
    });
}
