//! Log lines on their way out: gathered in memory and written by one thread, so that no request waits for whoever reads
//! the log, and a thousand lines are one write.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long lines are gathered before they are written.
const GATHER_FOR: Duration = Duration::from_millis(20);
/// Lines that wait, in bytes; past it the log's reader is too slow, and what comes is counted and dropped.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Room for lines that is kept between two writes.
const KEPT_BYTES: usize = 256 * 1024;

/// Cheap to share; one thread writes for all.
pub struct Lines {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    some: Condvar,
    /// Somebody waits for it to be written.
    hurry: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    /// Lines dropped since the last write.
    dropped: u64,
    /// The thread waits on `some`.
    idle: bool,
    hurries: u64,
    /// Batches taken to be written, and batches written.
    taken: u64,
    done: u64,
}

impl Lines {
    /// Writes to `out` from now on. The thread lives as long as the process.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(out: Box<dyn Write + Send>) -> io::Result<Arc<Lines>> {
        let lines = Lines { waiting: Mutex::default(), some: Condvar::new(), hurry: Condvar::new(), written: Condvar::new() };
        let lines = Arc::new(lines);
        let written = Arc::clone(&lines);
        thread::Builder::new().name("log".to_owned()).spawn(move || written.carry(out))?;
        Ok(lines)
    }

    /// Adds what `write` appends to the text that waits: whole lines.
    pub fn push_with(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.lock();
        if waiting.text.len() >= WAITING_BYTES_MAX {
            waiting.dropped += 1;
            return;
        }
        write(&mut waiting.text);
        if waiting.idle {
            waiting.idle = false;
            drop(waiting);
            self.some.notify_one();
        }
    }

    /// Returns when everything pushed before is written, or could not be, or takes longer than that: who reads the log may
    /// stand still for ever.
    pub fn flush(&self, for_at_most: Duration) {
        let mut waiting = self.lock();
        waiting.hurries += 1;
        self.hurry.notify_one();
        // What waits now is in the next batch that is taken.
        let mine = waiting.taken + u64::from(!waiting.text.is_empty());
        let unwritten = |waiting: &mut Waiting| waiting.done < mine;
        let waited = self.written.wait_timeout_while(waiting, for_at_most, unwritten);
        waited.unwrap_or_else(PoisonError::into_inner).0.hurries -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's life. A log that cannot be written is nothing that anybody could be told.
    fn carry(&self, mut out: Box<dyn Write + Send>) {
        let mut text = Vec::with_capacity(KEPT_BYTES);
        loop {
            let mut waiting = self.lock();
            while waiting.text.is_empty() {
                waiting.idle = true;
                waiting = self.some.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            waiting.idle = false;
            let unhurried = |waiting: &mut Waiting| waiting.hurries == 0;
            let (mut waiting, _) = self.hurry.wait_timeout_while(waiting, GATHER_FOR, unhurried).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.text, &mut text);
            let dropped = std::mem::take(&mut waiting.dropped);
            waiting.taken += 1;
            drop(waiting);
            if dropped > 0 {
                text.extend_from_slice(
                    format!(
                        "{{\"level\":\"WARN\",\"message\":\"log lines were dropped: their reader is too slow\",\"lines\":{dropped}}}\n"
                    )
                    .as_bytes(),
                );
            }
            let lost = self.put_out(&mut *out, &text);
            text.clear();
            text.shrink_to(KEPT_BYTES);
            let mut waiting = self.lock();
            waiting.done += 1;
            waiting.dropped += lost;
            drop(waiting);
            self.written.notify_all();
        }
    }

    /// Writes everything, waiting for room where there is none just now. Returns how many lines could not be written.
    fn put_out(&self, out: &mut dyn Write, text: &[u8]) -> u64 {
        let mut rest = text;
        while !rest.is_empty() {
            match out.write(rest) {
                Ok(written @ 1..) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let rested = self.some.wait_timeout(self.lock(), GATHER_FOR);
                    drop(rested.unwrap_or_else(PoisonError::into_inner));
                }
                Ok(_) | Err(_) => return memchr::memchr_iter(b'\n', rest).count() as u64,
            }
        }
        let _ = out.flush();
        0
    }
}

/// One whole event at a time, as the subscriber writes them.
impl Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push_with(|text| text.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = &'l Lines;

    fn make_writer(&'l self) -> &'l Lines {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Says what is written, and waits for leave before each write.
    struct Slow {
        said: mpsc::Sender<String>,
        leave: mpsc::Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.leave.recv();
            let _ = self.said.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Arc<Lines>, mpsc::Receiver<String>, mpsc::Sender<()>) {
        let (said, heard) = mpsc::channel();
        let (give, leave) = mpsc::channel();
        (Lines::start(Box::new(Slow { said, leave })).unwrap(), heard, give)
    }

    #[test]
    fn lines_come_out_in_order_and_flush_waits_for_them() {
        let (lines, heard, leave) = slow();
        for number in 0..100 {
            (&*lines).write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        for _ in 0..100 {
            leave.send(()).unwrap();
        }
        lines.flush(Duration::MAX);
        let text: String = heard.try_iter().collect();
        assert_eq!(text, (0..100).map(|number| format!("{number}\n")).collect::<String>());
    }

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up_and_learns_what_it_missed() {
        let (lines, heard, leave) = slow();
        let line = vec![b'x'; 1024 * 1024];
        for _ in 0..20 {
            (&*lines).write_all(&line).unwrap();
        }
        for _ in 0..4 {
            leave.send(()).unwrap();
        }
        lines.flush(Duration::MAX);
        let text: String = heard.try_iter().collect();
        let kept = text.matches('x').count() / line.len();
        assert!((8..20).contains(&kept), "{kept}");
        assert!(text.contains(&format!("\"lines\":{}", 20 - kept)), "the rest is told");
    }

    #[test]
    fn a_flush_does_not_wait_for_ever() {
        let (lines, _heard, leave) = slow();
        (&*lines).write_all(b"never read\n").unwrap();
        lines.flush(Duration::from_millis(1));
        leave.send(()).unwrap();
        lines.flush(Duration::MAX);
    }

    /// Full at first, as a pipe may be, then broken.
    struct Odd(u8, mpsc::Sender<String>);

    impl Write for Odd {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::WouldBlock.into()),
                2 => Err(io::ErrorKind::Interrupted.into()),
                3 => Ok(2),
                4 => Err(io::ErrorKind::StorageFull.into()),
                _ => {
                    let _ = self.1.send(String::from_utf8_lossy(bytes).into_owned());
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_could_not_be_written_is_told() {
        let (said, heard) = mpsc::channel();
        let lines = Lines::start(Box::new(Odd(0, said))).unwrap();
        (&*lines).write_all(b"1\n2\n3\n").unwrap();
        lines.flush(Duration::MAX);
        (&*lines).write_all(b"4\n").unwrap();
        lines.flush(Duration::MAX);
        let text: String = heard.try_iter().collect();
        assert!(text.starts_with("4\n") && text.contains("\"lines\":2"), "{text}");
    }
}
