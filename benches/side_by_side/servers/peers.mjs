// The peers, installed once with npm from the registry it is configured with, and kept between runs.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { said } from '../children.mjs';

const PNPR = '0.1.0-alpha.8';
const VERDACCIO = '6';

/** A dependency of Verdaccio asks for a tag, `node-fetch@cjs`, that not every mirror has; that is the release it points to. */
const OVERRIDES = { 'node-fetch': '2.6.7' };

/** `{ folder, pnpr, verdaccio }`: the native binary and the script. pnpr's npm package only starts its binary, so that is started. */
export async function installPeers(folder) {
  mkdirSync(folder, { recursive: true });
  const modules = path.join(folder, 'node_modules');
  const pnpr = path.join(modules, '@pnpm', `pnpr.${process.platform}-${process.arch}`, 'pnpr');
  const verdaccio = path.join(modules, 'verdaccio', 'bin', 'verdaccio');
  if (!existsSync(pnpr) || !existsSync(verdaccio)) {
    process.stderr.write('installing the peers …\n');
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, overrides: OVERRIDES }));
    const packages = [`@pnpm/pnpr@${PNPR}`, `verdaccio@${VERDACCIO}`];
    await said('npm', ['install', '--save-exact', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], { cwd: folder });
  }
  return { folder, pnpr, verdaccio };
}

/** The release of an installed package. */
export function installedVersion(folder, name) {
  return JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
}
