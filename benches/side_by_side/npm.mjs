// A real `npm install` of a real application, each time with an empty cache, no lockfile and no node_modules.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { run } from './children.mjs';

const APPS = path.join(import.meta.dirname, 'apps');

/** Nothing of npm's settings on this machine is used: what is compared is the registry. */
function environment(folder, registry) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  writeFileSync(path.join(folder, 'npmrc'), '');
  return {
    ...env,
    npm_config_userconfig: path.join(folder, 'npmrc'),
    npm_config_globalconfig: path.join(folder, 'no-npmrc'),
    npm_config_cache: path.join(folder, 'cache'),
    npm_config_registry: `${registry}/`,
    npm_config_noproxy: '127.0.0.1',
    npm_config_update_notifier: 'false',
  };
}

/** Installs `app` from `registry` below `folder`: `{ seconds, packages }`, wall time and what it resolved to, each place in the tree
 *  with its release and hash. What was installed is removed again. */
export async function install(npm, app, registry, folder) {
  const here = mkdtempSync(path.join(folder, 'install-'));
  try {
    const project = path.join(here, 'app');
    mkdirSync(project);
    copyFileSync(path.join(APPS, `${app}.json`), path.join(project, 'package.json'));
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const { code, out, err, seconds } = await run(npm, args, { cwd: project, env: environment(here, registry) });
    if (code !== 0) throw new Error(`npm install of ${app} from ${registry} failed: ${err.trim() || out.trim()}`);
    const lock = JSON.parse(readFileSync(path.join(project, 'package-lock.json'), 'utf8'));
    const places = Object.entries(lock.packages).filter(([place]) => place !== '');
    return { seconds, packages: new Map(places.map(([place, { version, integrity }]) => [place, { version, integrity }])) };
  } finally {
    rmSync(here, { recursive: true, force: true });
  }
}

/** How two trees differ, in words; empty where they are the same. */
export function difference(left, right) {
  const lines = [];
  for (const place of new Set([...left.keys(), ...right.keys()])) {
    const [ours, theirs] = [left.get(place), right.get(place)];
    if (ours?.version !== theirs?.version) lines.push(`${place}: ${ours?.version ?? 'nothing'} and ${theirs?.version ?? 'nothing'}`);
    else if (ours.integrity !== theirs.integrity) lines.push(`${place}: ${ours.version} with two hashes`);
  }
  return lines;
}
