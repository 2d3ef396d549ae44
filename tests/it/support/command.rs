//! Programs that tests run to their end: output kept, no standard input but what a test feeds, killed when they take too
//! long.

use std::io::Read;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, then standard error.
    pub output: String,
}

impl Outcome {
    #[track_caller]
    pub fn assert_success(&self) -> &Outcome {
        assert_eq!(self.code, Some(0), "\n{}", self.output);
        self
    }

    #[track_caller]
    pub fn assert_failure(&self) -> &Outcome {
        assert!(self.code.is_some_and(|code| code != 0), "exit {:?}\n{}", self.code, self.output);
        self
    }

    /// Fails unless the output holds `text`; line breaks and runs of blanks count as one blank.
    #[track_caller]
    pub fn assert_says(&self, text: &str) -> &Outcome {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat(&self.output).contains(&flat(text)), "does not say {text:?}:\n{}", self.output);
        self
    }
}

/// Runs it to its end; after `patience` it is killed and the test fails.
pub fn run(mut command: Command, patience: Duration) -> Result<Outcome, std::io::Error> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let output = ended(child, &command, patience, Child::wait_with_output)?;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Ok(Outcome { code: output.status.code(), output: text })
}

/// The same for a program that asks: when all that it has said since the last answer holds the next prompt, it gets
/// that prompt's line. After the last one its input ends. A prompt that never comes is told by the outcome.
pub fn run_fed(command: Command, patience: Duration, answers: &[(&str, &str)]) -> Result<Outcome, std::io::Error> {
    converse(command, patience, answers, None)
}

/// The same for a program that says what is to be done elsewhere: all it has said so far is sent to `listener` whenever it
/// says more.
pub fn run_heard(command: Command, patience: Duration, listener: UnboundedSender<String>) -> Result<Outcome, std::io::Error> {
    converse(command, patience, &[], Some(listener))
}

fn converse(
    mut command: Command,
    patience: Duration,
    answers: &[(&str, &str)],
    listener: Option<UnboundedSender<String>>,
) -> Result<Outcome, std::io::Error> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    let feeding = Feeding {
        answers: answers.iter().rev().map(|(prompt, line)| ((*prompt).to_owned(), format!("{line}\n"))).collect(),
        input: child.stdin.take().map(|input| Box::new(input) as Box<dyn Write + Send>),
        said: Vec::new(),
        heard: 0,
        listener,
    };
    let feeding = Arc::new(Mutex::new(feeding));
    let hearing: Vec<_> = pipes
        .into_iter()
        .flatten()
        .map(|mut pipe| {
            let feeding = Arc::clone(&feeding);
            std::thread::spawn(move || {
                let mut block = [0; 4_096];
                while let Ok(count @ 1..) = pipe.read(&mut block) {
                    feeding.lock().unwrap().hears(&block[..count]);
                }
            })
        })
        .collect();
    let status = ended(child, &command, patience, |mut child| child.wait())?;
    for thread in hearing {
        thread.join().unwrap();
    }
    let output = String::from_utf8_lossy(&feeding.lock().unwrap().said).into_owned();
    Ok(Outcome { code: status.code(), output })
}

/// What a program has said, and what it is still to be told.
struct Feeding {
    /// Prompt and line, the next one last.
    answers: Vec<(String, String)>,
    input: Option<Box<dyn Write + Send>>,
    said: Vec<u8>,
    /// How much of it was there when the last answer was given.
    heard: usize,
    listener: Option<UnboundedSender<String>>,
}

impl Feeding {
    fn hears(&mut self, bytes: &[u8]) {
        self.said.extend_from_slice(bytes);
        if let Some(listener) = &self.listener {
            // Whoever heard enough listens no more.
            _ = listener.send(String::from_utf8_lossy(&self.said).into_owned());
        }
        while let Some((prompt, line)) = self.answers.last() {
            let fresh = String::from_utf8_lossy(&self.said[self.heard..]).into_owned();
            if !fresh.contains(prompt.as_str()) {
                return;
            }
            if let Some(input) = &mut self.input {
                // A program that ended without reading says so by its exit code.
                _ = input.write_all(line.as_bytes()).and_then(|()| input.flush());
            }
            self.heard = self.said.len();
            self.answers.pop();
        }
        self.input = None;
    }
}

/// Waits for the end of a child in a thread of its own; after `patience` it is killed and the test fails.
fn ended<T: Send + 'static>(
    child: Child,
    command: &Command,
    patience: Duration,
    wait: impl FnOnce(Child) -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let id = child.id();
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(wait(child)));
    end.recv_timeout(patience).unwrap_or_else(|_| {
        // It is still ours by this id: the thread above has not reaped it.
        signal("KILL", id);
        panic!("killed after {patience:?}: {command:?}");
    })
}

/// Sends a signal to one process that a test started. By the shell's own `kill`, which every machine has.
pub fn signal(name: &str, id: u32) -> bool {
    Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().is_ok_and(|status| status.success())
}
