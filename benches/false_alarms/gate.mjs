// Asking a running Airlock: downloads as clients make them, and what the API says of a release then.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { get } from '../side_by_side/network.mjs';

/** How often a download comes again while its inspection goes on, five seconds each. */
const TRIES_MAX = 60;
const AGAIN_MS = 5_000;
const CORGI = 'application/vnd.npm.install-v1+json';

export class Gate {
  constructor(url, token, close, connections) {
    Object.assign(this, { url, token, close });
    this.agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Downloads a release, and says where it stands: `{ release, standing, status, findings: [{ kind, action, evidence }] }`. */
  async judged(name, version) {
    const status = await this.#download(name, version);
    const address = `${this.url}/-/airlock/v1/releases/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
    const { status: told, body } = await get(address, { authorization: `Bearer ${this.token}` }, this.agent);
    if (told !== 200) return { release: `${name}@${version}`, standing: 'unknown', status, sentence: body.toString(), findings: [] };
    const { standing, sentence, findings } = JSON.parse(body.toString());
    return { release: `${name}@${version}`, standing, status, sentence, findings: findings.map(({ kind, action, evidence }) => ({ kind, action, evidence })) };
  }

  async #download(name, version) {
    const path = `/${name}/-/${name.split('/').pop()}-${version.split('+')[0]}.tgz`;
    let tarball = `${this.url}${path}`;
    for (let tries = 0; ; tries += 1) {
      const { status, body } = await get(tarball, {}, this.agent);
      if (status === 404 && tarball.endsWith(path)) {
        // Its file may have another name.
        const manifest = await get(`${this.url}/${encodeURIComponent(name)}/${version}`, {}, this.agent);
        const told = manifest.status === 200 ? JSON.parse(manifest.body.toString()).dist?.tarball : undefined;
        if (told && told !== tarball) {
          tarball = told;
          continue;
        }
      }
      if (![429, 502, 503, 504].includes(status) || tries === TRIES_MAX) return status;
      if (status !== 503) process.stderr.write(`${name}@${version}: ${status} ${body.toString().slice(0, 200)}\n`);
      await sleep(AGAIN_MS);
    }
  }

  /** Of each version the newest stable one below it in its major line. */
  async predecessors(name, versions) {
    const { status, body } = await get(`${this.url}/${name.replace('/', '%2f')}`, { accept: CORGI }, this.agent);
    if (status !== 200) return [];
    const all = Object.keys(JSON.parse(body.toString()).versions).filter((version) => !version.includes('-')).sort(this.compare);
    const before = versions.map((version) => all.filter((one) => major(one) === major(version) && this.compare(one, version) < 0).at(-1));
    return [...new Set(before)].filter((version) => version !== undefined);
  }

  /** By precedence; pre-releases before their release, among each other by their text. */
  compare(left, right) {
    const [a, b] = [left, right].map((text) => {
      const [plain, pre] = text.split('+')[0].split(/-(.*)/s);
      return { numbers: plain.split('.').map(Number), pre };
    });
    for (const at of [0, 1, 2]) if (a.numbers[at] !== b.numbers[at]) return a.numbers[at] - b.numbers[at];
    if (a.pre === b.pre) return 0;
    if (a.pre === undefined || b.pre === undefined) return a.pre === undefined ? 1 : -1;
    return a.pre.localeCompare(b.pre, 'en', { numeric: true });
  }
}

function major(version) {
  return version.split('.')[0];
}
