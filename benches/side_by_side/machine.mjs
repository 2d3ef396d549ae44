// The machine and the programs that a run was made with.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { run } from './children.mjs';
import { installedVersion } from './servers/peers.mjs';

const BUSY_MS = 2_000;

/** The release that a program tells of itself, whichever way it tells it. */
async function version(command, args) {
  const { out, err } = await run(command, args);
  return /\d+\.\d[\w.+-]*/.exec(out + err)?.[0] ?? 'unknown';
}

export async function machine({ programs, airlock, peers, repository }) {
  const git = async (...args) => (await run('git', ['-C', repository, ...args])).out.trim();
  const pnpr = await version(peers.pnpr, ['--version']);
  return {
    cpu: os.cpus()[0].model,
    cores: os.cpus().length,
    memory: os.totalmem(),
    kernel: `${os.type()} ${os.release()}`,
    versions: {
      airlock: await version(airlock, ['--version']),
      nginx: await version(programs.nginx, ['-v']),
      pnpr,
      verdaccio: installedVersion(peers.folder, 'verdaccio'),
      wrk: await version(programs.wrk, ['-v']),
      npm: await version(programs.npm, ['--version']),
      node: process.versions.node,
    },
    commit: (await git('rev-parse', '--short', 'HEAD')) || 'unknown',
    /** Of the code that makes the binary; the page itself changes with each run. */
    changed: (await git('status', '--porcelain', '--', 'src', 'Cargo.toml', 'Cargo.lock')) !== '',
    binary: createHash('sha256').update(readFileSync(airlock)).digest('hex').slice(0, 12),
  };
}

/** How many cores others keep busy, over two seconds in which nothing is asked of our servers. */
export async function busyCores() {
  const sample = () => os.cpus().map(({ times }) => ({ idle: times.idle, all: Object.values(times).reduce((left, right) => left + right, 0) }));
  const before = sample();
  await sleep(BUSY_MS);
  const busy = sample().map(({ idle, all }, core) => 1 - (idle - before[core].idle) / Math.max(1, all - before[core].all));
  return Number(busy.reduce((left, right) => left + right, 0).toFixed(2));
}

/** Load averages of 1, 5 and 15 minutes. */
export function loadAverage() {
  return os.loadavg().map((load) => Number(load.toFixed(2)));
}
