// pnpr, the native registry of the pnpm project, as a proxy of the origin: one registry, the origin, and no others. It writes
// no log of requests and does not ask the origin again for a day.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { start } from '../children.mjs';
import { freePort, ready } from '../network.mjs';
import { Server } from './server.mjs';

const DAY_SECONDS = 24 * 3_600;

export async function startPnpr(binary, folder, origin) {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const configuration = path.join(folder, 'pnpr.yaml');
  writeFileSync(configuration, `storage: ${folder}/storage
web: { enable: false }
registries:
  origin: { type: upstream, url: '${origin.url}/', public: true }
defaultRegistry: origin
log: { type: stdout, format: pretty, level: error }
`);
  const args = ['--config', configuration, '--listen', `127.0.0.1:${port}`, '--public-url', url, '--packument-ttl-secs', String(DAY_SECONDS)];
  const child = start(binary, args, { cwd: folder, env: { ...process.env, RUST_LOG: 'error' }, log: path.join(folder, 'pnpr.log') });
  await ready(child, `${url}/-/ping`);
  return new Server('pnpr', url, child);
}
