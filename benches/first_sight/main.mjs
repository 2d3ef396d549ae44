// What the first sight of a package costs a running server: made-up packages that it never saw are asked for one after the other, as
// npm asks, and its CPU time is divided by their number. All listens on 127.0.0.1 only and is stopped at the end.
//
//   make first-sight                                        300 versions in 0.8 MB and 2,500 in 9 MB
//   make first-sight ARGS="--sizes 300x560000 --rounds 9"

import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { stopAll } from '../side_by_side/children.mjs';
import { get } from '../side_by_side/network.mjs';
import { startAirlock } from '../side_by_side/servers/airlock.mjs';
import { spread } from '../side_by_side/statistics.mjs';
import { cpuParts } from '../side_by_side/usage.mjs';
import { packument } from './packument.mjs';

/** Bytes of documents that one round goes through, about. */
const ROUND_BYTES = 60_000_000;
const ACCEPT = {
  abbreviated: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*',
  full: 'application/json',
};

const { values: options } = parseArgs({
  options: {
    airlock: { type: 'string', default: 'target/release/airlock' },
    sizes: { type: 'string', default: '300x800000,2500x9000000' },
    rounds: { type: 'string', default: '5' },
    form: { type: 'string', default: 'abbreviated' },
    // As the origin sends its documents: `gzip` as registries do, or `plain`.
    origin: { type: 'string', default: 'gzip' },
  },
});

const documents = new Map();
const origin = http.createServer((request, response) => {
  const body = documents.get(decodeURIComponent(request.url.slice(1)));
  if (!body) return response.writeHead(404).end('{}');
  const coded = options.origin === 'gzip' ? { 'content-encoding': 'gzip' } : {};
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, etag: `"${body.length}"`, ...coded }).end(body);
});
/** Kept from one question to the next, as npm keeps it. */
const connection = new http.Agent({ keepAlive: true, maxSockets: 1 });
const folder = mkdtempSync(path.join(tmpdir(), 'first-sight-'));

async function main() {
  await new Promise((listening) => origin.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${origin.address().port}`;
  for (const size of options.sizes.split(',')) {
    const [versions, bytes] = size.split('x').map(Number);
    // Foresight asks for what the package needs, which is other packages' first sight.
    const airlock = await startAirlock(path.resolve(options.airlock), path.join(folder, size), { url }, { askAhead: 0 });
    const rounds = [];
    // The first round warms up.
    for (let round = 0; round <= Number(options.rounds); round += 1) {
      const names = Array.from({ length: Math.max(8, Math.round(ROUND_BYTES / bytes)) }, (_, n) => `made-${round}-${n}`);
      documents.clear();
      for (const name of names) {
        const text = packument(name, versions, bytes, url);
        documents.set(name, options.origin === 'gzip' ? gzipSync(text) : Buffer.from(text));
      }
      await airlock.settle();
      const before = cpuParts(airlock.pids);
      for (const name of names) await see(airlock, name);
      await airlock.settle();
      const after = cpuParts(airlock.pids);
      rounds.push({ user: (1_000 * (after.user - before.user)) / names.length, system: (1_000 * (after.system - before.system)) / names.length });
    }
    const told = (values) => {
      const { median, least, most } = spread(values);
      return `${median.toFixed(2)} (${least.toFixed(2)} – ${most.toFixed(2)})`;
    };
    const counted = rounds.slice(1);
    const all = told(counted.map(({ user, system }) => user + system));
    const user = told(counted.map((round) => round.user));
    const system = told(counted.map((round) => round.system));
    process.stdout.write(`${versions} versions, ${bytes / 1e6} MB, ${options.form}, origin ${options.origin}: ${all} ms of CPU; user ${user}, system ${system}\n`);
    await airlock.stop();
  }
}

/** One question, as a client asks that never saw the package. */
async function see(airlock, name) {
  const { status, headers, body } = await get(`${airlock.url}/${name}`, { accept: ACCEPT[options.form], 'accept-encoding': 'gzip' }, connection);
  if (status !== 200 || headers['content-encoding'] !== 'gzip') throw new Error(`${name}: ${status} ${headers['content-encoding']} ${body}`);
}

const clear = async () => {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => clear().finally(() => process.exit(130)));
main()
  .finally(clear)
  .then(
    () => process.exit(0),
    (error) => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    },
  );
