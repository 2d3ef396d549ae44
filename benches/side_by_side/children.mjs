// Programs that are started here: each is stopped by its pid, at the end, on an error and on Ctrl-C.

import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** How long a program may take to end in order, in milliseconds; then it is killed. */
const STOP_MS_MAX = 40_000;

/** Who still runs. */
const running = new Set();

// However we end, nobody who was started here goes on.
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** Starts a server. What it says goes to the file `log`. Its end before `stop` is an error that `failure(child)` tells. */
export function start(command, args, { cwd, env = process.env, log }) {
  const out = openSync(log, 'a');
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', out, out] });
  closeSync(out);
  running.add(child);
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(`${command}: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`${command} ended with ${signal ?? code}, see ${log}`));
  }).then((how) => {
    running.delete(child);
    child.failure = how;
    return how;
  });
  return child;
}

/** Asks a server to end, and waits until it did. */
export async function stop(child) {
  if (!running.has(child)) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await child.ended;
  clearTimeout(timer);
}

export async function stopAll() {
  await Promise.all([...running].map(stop));
}

/** Runs a program to its end: `{ code, out, err, seconds }`, where `seconds` is wall time. Throws where it cannot be started. */
export function run(command, args, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const out = [];
    const err = [];
    child.stdout.on('data', (bytes) => out.push(bytes));
    child.stderr.on('data', (bytes) => err.push(bytes));
    child.ended = new Promise((ended) => child.once('close', ended)).then(() => running.delete(child));
    child.once('error', (error) => {
      running.delete(child);
      reject(error);
    });
    child.once('close', (code) => {
      const seconds = (performance.now() - begun) / 1_000;
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString(), seconds });
    });
  });
}

/** What a program says, without the white space around it; throws where it fails. */
export async function said(command, args, options) {
  const { code, out, err } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${err.trim() || out.trim()}`);
  return out.trim();
}
