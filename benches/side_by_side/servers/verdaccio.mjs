// Verdaccio as a proxy of the origin: no web page, no audit, errors only in its log, and it does not ask the origin again for
// a day.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { start } from '../children.mjs';
import { freePort, ready } from '../network.mjs';
import { Server } from './server.mjs';

export async function startVerdaccio(script, folder, origin) {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const configuration = path.join(folder, 'verdaccio.yaml');
  writeFileSync(configuration, `storage: ${folder}/storage
listen: 127.0.0.1:${port}
web: { enable: false }
auth: { htpasswd: { file: ${folder}/htpasswd, max_users: -1 } }
uplinks:
  origin: { url: '${origin.url}/', maxage: 1d, timeout: 120s, cache: true, agent_options: { keepAlive: true, maxSockets: 40, maxFreeSockets: 10 } }
packages:
  '@*/*': { access: $all, proxy: origin }
  '**': { access: $all, proxy: origin }
middlewares: { audit: { enabled: false } }
server: { keepAliveTimeout: 3600 }
log: { type: stdout, format: json, level: error }
`);
  const env = { ...process.env, NODE_ENV: 'production' };
  const child = start(process.execPath, [script, '--config', configuration], { cwd: folder, env, log: path.join(folder, 'verdaccio.log') });
  await ready(child, `${url}/-/ping`);
  return new Server('Verdaccio', url, child);
}
