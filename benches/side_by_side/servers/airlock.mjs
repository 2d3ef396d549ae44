// Airlock in front of the origin, with the gate on: every rule keeps its default. Only what says how often upstream is asked
// is changed, as it is for the others, so that a warm answer is warm for the whole run.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { start } from '../children.mjs';
import { freePort, get, ready } from '../network.mjs';
import { Server } from './server.mjs';

const LOG = 'airlock.log';

/** Starts `binary` over `folder/data`. With `manyClients` all clients of this machine may open more connections than one may:
 *  a thousand clients of one address are a proxy in front of a thousand machines, and that is what this configures. `log` is
 *  what it logs, and `askAhead` how much it foresees, where that is not the default. */
export async function startAirlock(binary, folder, origin, { manyClients = false, log, askAhead } = {}) {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const configuration = path.join(folder, 'airlock.toml');
  const trusted = manyClients ? 'trusted_proxies = ["127.0.0.1"]\n' : '';
  const ahead = askAhead === undefined ? '' : `ask_ahead = ${askAhead}\n`;
  writeFileSync(configuration, `[server]\nlisten = "127.0.0.1:${port}"\n${trusted}\n[upstream]\nurl = "${origin.url}/"\nfresh_for = "1d"\n${ahead}`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AIRLOCK_')));
  if (log) env.AIRLOCK_LOG = log;
  const args = ['serve', '--config', configuration, '--data-dir', path.join(folder, 'data')];
  const child = start(binary, args, { cwd: folder, env, log: path.join(folder, LOG) });
  await ready(child, `${url}/-/ping`);
  return new Airlock(url, child, folder);
}

/** Where a release stands that clients see. */
const SEEN = ['admissible', 'approved'];

class Airlock extends Server {
  constructor(url, child, folder) {
    super('Airlock', url, child, path.join(folder, LOG));
    this.tokenFile = path.join(folder, 'data', 'admin-token');
    this.packsLater = true;
  }

  /** Whether Airlock itself says that it keeps a release from clients. */
  async withholds(name, version) {
    const token = readFileSync(this.tokenFile, 'utf8').trim();
    const address = `${this.url}/-/airlock/v1/releases/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
    const { status, body } = await get(address, { authorization: `Bearer ${token}` });
    return status === 200 && !SEEN.includes(JSON.parse(body.toString()).standing);
  }
}
