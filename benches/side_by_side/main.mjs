// The side-by-side comparison: Airlock, nginx, pnpr and Verdaccio on one machine, in front of one recorded origin, under the same load
// and the same installs, in turn. It writes docs/performance.md and target/side_by_side/results/TIME.json.
//
//   make side-by-side                                      all parts; about 45 minutes
//   make side-by-side ARGS="packuments --rounds 3"         one part, shorter; the others stay on the page as they are
//   make side-by-side ARGS="--help"                        every part and option
//
// It needs Linux, Node 20, npm, curl, nginx and wrk. The first run needs a network: it records what the parts ask for from the registry
// that `npm config get registry` names, and installs the peers with npm. Both stay in target/side_by_side, and later runs need none.
// All listens on 127.0.0.1 only, on free ports; all that is started here is stopped at the end.
//
// How it is laid out: options.mjs (command line) · servers/ (how each is started) · answers.mjs (is it right?) · rounds.mjs, wrk.mjs,
// wrk.lua (load in turn) · npm.mjs, apps/ (installs) · parts/ (what is measured) · usage.mjs (CPU and memory from /proc) · targets.mjs
// (what is asked of the figures) · page.mjs, sections.mjs (the page).

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Bench } from './bench.mjs';
import { said, stopAll } from './children.mjs';
import { busyCores, loadAverage, machine } from './machine.mjs';
import { USAGE, Unusable, options as read } from './options.mjs';
import { write } from './page.mjs';
import { clients } from './parts/clients.mjs';
import { coldInstall, warmInstall } from './parts/installs.mjs';
import { notModifieds, packuments, tarballs } from './parts/serving.mjs';
import { programs as find } from './programs.mjs';
import { startOrigin } from './servers/origin.mjs';
import { installPeers } from './servers/peers.mjs';

const PARTS = {
  packuments,
  'not-modified': notModifieds,
  tarballs,
  clients,
  'warm-install': warmInstall,
  'cold-install': coldInstall,
};

const REPOSITORY = path.resolve(import.meta.dirname, '..', '..');
const KEPT = path.join(REPOSITORY, 'target', 'side_by_side');

async function main(args) {
  const options = read(args);
  if (options.help) {
    process.stdout.write(USAGE);
    return;
  }
  const airlock = path.resolve(REPOSITORY, options.airlock);
  const programs = find(airlock);
  const folder = mkdtempSync(path.join(tmpdir(), 'side-by-side-'));
  // Whatever ends us, what was started is stopped and what is temporary is removed.
  const clear = async () => {
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => clear().finally(() => process.exit(130)));
  try {
    const registry = (await said(programs.npm, ['config', 'get', 'registry'])).replace(/\/+$/, '');
    const peers = await installPeers(path.join(KEPT, 'peers'));
    const origin = await startOrigin(programs.nginx, path.join(KEPT, 'origin'), registry);
    const bench = new Bench({ folder, origin, programs, peers, airlock, options });
    const run = { at: new Date().toISOString(), command: args, machine: await machine({ programs, airlock, peers, repository: REPOSITORY }), parts: {} };
    for (const part of options.parts) {
      bench.say(`\n${part}`);
      await bench.restart();
      const busy = await busyCores();
      const before = loadAverage();
      const figures = await PARTS[part](bench);
      run.parts[part] = { at: new Date().toISOString(), busy, load: [before, loadAverage()], notes: bench.takeNotes(), options: { ...options.load, installs: options.installs }, figures };
      // Kept at once: an error in a later part loses nothing.
      keep(run);
      if (options.page) write(path.join(REPOSITORY, 'docs', 'performance.md'), run, part);
    }
  } finally {
    await clear();
  }
}

function keep(run) {
  const folder = path.join(KEPT, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `${run.at.replaceAll(':', '-')}.json`), JSON.stringify(run, null, 1));
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`\n${error instanceof Unusable ? error.message : error.stack}\n`);
    process.exit(1);
  },
);
