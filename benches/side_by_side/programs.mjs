// The programs that must be there, and where to get those that are not.

import { accessSync, constants } from 'node:fs';
import path from 'node:path';

import { Unusable } from './options.mjs';

const NEEDED = {
  nginx: 'apt-get install nginx-light',
  wrk: 'apt-get install wrk',
  npm: 'comes with Node',
  curl: 'apt-get install curl',
  git: 'apt-get install git',
};

/** nginx lies where only root's PATH leads. */
const FOLDERS = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];

/** The path of each program by its name. Throws where one is missing, naming all that are. */
export function programs(airlock) {
  const found = {};
  const missing = [];
  for (const [name, source] of Object.entries(NEEDED)) {
    found[name] = FOLDERS.map((folder) => path.join(folder, name)).find(executable);
    if (!found[name]) missing.push(`${name} is not installed: ${source}`);
  }
  if (process.platform !== 'linux') missing.push('figures are read from /proc, so this runs on Linux only');
  if (!executable(airlock)) missing.push(`${airlock} is not there: cargo build --release --locked, or --airlock PATH`);
  if (missing.length > 0) throw new Unusable(missing.join('\n'));
  return found;
}

function executable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
