//! Programs that tests run: their output is kept, and none outlives its patience.

use std::process::Command;
use std::time::Duration;

use crate::support::command::run;
use crate::support::command::run_fed;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn output_and_exit_code_are_kept() {
    let outcome = run(shell("echo out; echo  'err  or' >&2; cat; exit 3"), Duration::from_secs(30)).unwrap();
    assert_eq!((outcome.code, outcome.output.as_str()), (Some(3), "out\nerr  or\n"));
    outcome.assert_failure().assert_says("err or");
}

#[test]
#[should_panic(expected = "killed after")]
fn what_does_not_end_is_ended() {
    _ = run(shell("exec tail -f /dev/null"), Duration::from_millis(50));
}

#[test]
#[should_panic(expected = "does not say")]
fn what_was_not_said_fails() {
    run(shell("echo a"), Duration::from_secs(30)).unwrap().assert_says("b");
}

#[test]
fn a_program_that_asks_is_answered_prompt_by_prompt() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let script = "printf 'Name: '; read name; printf 'Password: ' >&2; read word; cat; echo \"got $name and $word\"";
    let fed = run_fed(shell(script), PATIENCE, &[("Name:", "ann"), ("Password:", "secret")]).unwrap();
    fed.assert_success().assert_says("got ann and secret");
    // It ends before it asks again.
    let fed = run_fed(shell("printf 'Name: '; read name; exit 3"), PATIENCE, &[("Name:", "ann"), ("Never:", "x")]).unwrap();
    assert_eq!((fed.code, fed.output.as_str()), (Some(3), "Name: "));
}
