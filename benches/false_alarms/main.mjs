// What Airlock says of honest releases: those that the lockfiles of real applications name, and the releases before them, are all
// downloaded through it under the default policy without its ages. Whatever stands against one of them is a false alarm.
//
//   make false-alarms                          four applications, some 3,000 releases; needs npm, the network, 3 GB of disk
//   make false-alarms ARGS="--apps node-red@5.0.7 --predecessors no"
//
// Packages come from the registry that npm on this machine is configured with. Everything is below target/false-alarms.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { start, stop, stopAll } from '../side_by_side/children.mjs';
import { freePort, ready } from '../side_by_side/network.mjs';
import { locked } from './applications.mjs';
import { Gate } from './gate.mjs';
import { report } from './report.mjs';

/** Releases that are asked for at the same time. */
const AT_ONCE = 6;
/** Of all releases people may have to look at so many. */
const REVIEW_SHARE_MAX = 0.01;

const { values: options } = parseArgs({
  options: {
    airlock: { type: 'string', default: 'target/release/airlock' },
    apps: { type: 'string', default: 'ghost@6.65.0,@strapi/strapi@5.52.3,verdaccio@6.10.4,node-red@5.0.7' },
    // Whether the release before each in its major line is downloaded first, so that there is something to compare with.
    predecessors: { type: 'string', default: 'yes' },
    folder: { type: 'string', default: 'target/false-alarms' },
    keep: { type: 'boolean', default: false },
  },
});

async function main() {
  const folder = path.resolve(options.folder);
  const data = path.join(folder, 'data');
  rmSync(data, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });

  const wanted = new Map();
  for (const app of options.apps.split(',')) {
    const releases = await locked(app, path.join(folder, 'apps'));
    for (const { name, version } of releases) wanted.set(`${name}@${version}`, { name, version });
    say(`${app}: ${releases.length} releases; ${wanted.size} in all`);
  }

  const gate = await open(path.resolve(options.airlock), folder, data);
  const byName = groupBy(wanted.values());
  const results = [];
  let done = 0;
  // Of one package one after the other, oldest first: each is compared with what is approved by then.
  await each([...byName], AT_ONCE, async ([name, releases]) => {
    const versions = releases.map(({ version }) => version);
    const before = options.predecessors === 'yes' ? await gate.predecessors(name, versions) : [];
    const inOrder = [...new Set([...versions, ...before])].sort(gate.compare);
    for (const version of inOrder) {
      const result = await gate.judged(name, version);
      results.push({ ...result, locked: versions.includes(version) });
    }
    done += 1;
    if (done % 50 === 0) say(`${done} of ${byName.size} packages, ${results.length} releases`);
  });
  await gate.close();

  results.sort((one, other) => (one.release < other.release ? -1 : 1));
  writeFileSync(path.join(folder, 'results.json'), JSON.stringify({ apps: options.apps, results }, null, 1));
  const { text, review, rejected, judged } = report(results, options.apps.split(','));
  writeFileSync(path.join(folder, 'report.md'), text);
  process.stdout.write(text);
  if (!options.keep) rmSync(data, { recursive: true, force: true });
  return review <= judged * REVIEW_SHARE_MAX && rejected === 0;
}

/** A running Airlock with the default policy but for its ages. */
async function open(binary, folder, data) {
  const port = await freePort();
  const configuration = path.join(folder, 'airlock.toml');
  const ages = 'minimum = "0s"\nfloor = "0s"\nnew_package = "0s"\n';
  const upstream = 'fresh_for = "1d"\nask_ahead = 0\n';
  writeFileSync(configuration, `[server]\nlisten = "127.0.0.1:${port}"\n\n[upstream]\n${upstream}\n[policy.release_age]\n${ages}`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AIRLOCK_')));
  const args = ['serve', '--config', configuration, '--data-dir', data];
  const child = start(binary, args, { cwd: folder, env: { ...env, AIRLOCK_LOG: 'warn' }, log: path.join(folder, 'airlock.log') });
  const url = `http://127.0.0.1:${port}`;
  await ready(child, `${url}/-/ping`);
  const token = readFileSync(path.join(data, 'admin-token'), 'utf8').trim();
  return new Gate(url, token, () => stop(child), AT_ONCE);
}

async function each(items, atOnce, act) {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function groupBy(releases) {
  const groups = new Map();
  for (const release of releases) groups.set(release.name, [...(groups.get(release.name) ?? []), release]);
  return groups;
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => stopAll().finally(() => process.exit(130)));
main()
  .finally(stopAll)
  .then(
    (good) => process.exit(good ? 0 : 1),
    (error) => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(2);
    },
  );
