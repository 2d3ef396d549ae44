// The lockfile of an application: what its published manifest needs, to run and to be developed, as npm itself resolves it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { run, said } from '../side_by_side/children.mjs';

/** Ranges and aliases of a registry. What lies in a workspace, a folder or a repository is not what a gate sees. */
const OF_A_REGISTRY = /^(?:npm:.+|[\^~<>=*vVxX\d][^:/]*|latest)$/;

/** Mirrors lag behind, and what only its developers need may be published nowhere: so many needs of an application may be missing. */
const LEFT_OUT_MAX = 16;

/** `[{ name, version }]` of all that the lockfile of `app`, such as `ghost@6.0.0`, names; made below `folder` where it is not there yet. */
export async function locked(app, folder) {
  const here = path.join(folder, app.replaceAll(/[@/]/g, '_'));
  const lockfile = path.join(here, 'package-lock.json');
  if (!existsSync(lockfile)) await lock(app, here);
  const { packages } = JSON.parse(readFileSync(lockfile, 'utf8'));
  const releases = new Map();
  for (const [place, entry] of Object.entries(packages)) {
    if (place === '' || entry.link || entry.inBundle || !entry.integrity) continue;
    const name = entry.name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    releases.set(`${name}@${entry.version}`, { name, version: entry.version });
  }
  return [...releases.values()];
}

async function lock(app, here) {
  mkdirSync(here, { recursive: true });
  const fields = ['dependencies', 'optionalDependencies', 'devDependencies'];
  const told = await said('npm', ['view', app, ...fields, '--json'], { cwd: here });
  const manifest = told === '' ? {} : JSON.parse(told);
  // Of a single field npm prints the value alone.
  const only = fields.every((field) => manifest[field] === undefined);
  const needs = only ? manifest : Object.assign({}, ...fields.toReversed().map((field) => manifest[field] ?? {}));
  const dependencies = Object.fromEntries(Object.entries(needs).filter(([, range]) => OF_A_REGISTRY.test(range)));
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  for (let left = 0; ; left += 1) {
    writeFileSync(path.join(here, 'package.json'), JSON.stringify({ name: 'locked', version: '1.0.0', private: true, dependencies }, null, 2));
    // What a workspace pins by overrides is not in its manifest, so that peers may disagree.
    const { code, err, out } = await run('npm', ['install', '--package-lock-only', '--legacy-peer-deps', ...quiet], { cwd: here });
    if (code === 0) return;
    const why = err.trim() || out.trim();
    const missing = /(?:No matching version found for |The requested resource '| {2}')(@?[^@\s']+)@/.exec(why)?.[1];
    if (!missing || !dependencies[missing] || left === LEFT_OUT_MAX) throw new Error(`npm cannot lock ${app}: ${why}`);
    process.stderr.write(`${app}: the registry has no ${missing}@${dependencies[missing]}; it is left out\n`);
    delete dependencies[missing];
  }
}
