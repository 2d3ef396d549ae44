//! Programs that tests run to their end: output kept, no standard input, killed when they take too long.

use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

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
    let id = child.id();
    let (ended, wait) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    match wait.recv_timeout(patience) {
        Ok(output) => {
            let output = output?;
            let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            Ok(Outcome { code: output.status.code(), output: text })
        }
        Err(_) => {
            // It is still ours by this id: the thread above has not reaped it.
            signal("KILL", id);
            panic!("killed after {patience:?}: {command:?}");
        }
    }
}

/// Sends a signal to one process that a test started. By the shell's own `kill`, which every machine has.
pub fn signal(name: &str, id: u32) -> bool {
    Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().is_ok_and(|status| status.success())
}
