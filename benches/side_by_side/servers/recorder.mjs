// What stands behind the origin's cache: on a miss it fetches from the real registry, and gives the answer the shape that a real registry's have:
// addresses of tarballs at the origin itself, gzip, ETag, Last-Modified, and an abbreviated form (some mirrors have the full one only).

import { createHash, randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import { said } from '../children.mjs';
import { abbreviated, asOf, readdress } from './documents.mjs';

const ABBREVIATED = 'application/vnd.npm.install-v1+json';
const FETCH_SECONDS_MAX = 300;

export class Recorder {
  /** `registry` and `origin` without a slash at their ends. */
  constructor(registry, origin) {
    this.registry = registry;
    this.origin = origin;
    /** How often the registry was asked; a measured run adds nothing to it. */
    this.misses = 0;
    this.server = http.createServer((request, response) => {
      this.answer(request, response).catch((error) => {
        process.stderr.write(`recorder: ${request.url}: ${error.message}\n`);
        response.writeHead(502).end();
      });
    });
    // It does not keep the process alive.
    this.server.unref();
  }

  /** The port it listens on. */
  listen() {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(0, '127.0.0.1', () => resolve(this.server.address().port));
    });
  }

  async answer(request, response) {
    this.misses += 1;
    const form = request.headers['x-form'];
    const fetched = await fetchFrom(`${this.registry}${request.url}`);
    if (fetched.status !== 200) {
      response.writeHead(fetched.status, { 'content-type': fetched.type }).end(fetched.body);
      return;
    }
    if (form === 'file') {
      response.writeHead(200, { 'content-type': 'application/octet-stream', ...validators(fetched.body, fetched.modified) }).end(fetched.body);
      return;
    }
    // Always the full form: only that tells when a version was published.
    const document = asOf(JSON.parse(fetched.body.toString()));
    readdress(document, this.registry, this.origin);
    const body = Buffer.from(JSON.stringify(form === 'abbreviated' ? abbreviated(document) : document));
    const type = form === 'abbreviated' ? ABBREVIATED : 'application/json';
    const packed = await promisify(gzip)(body);
    const headers = { 'content-type': type, 'content-encoding': 'gzip', vary: 'Accept, Accept-Encoding', 'cache-control': 'public, max-age=300' };
    response.writeHead(200, { ...headers, ...validators(body, document.time.modified) }).end(packed);
  }
}

/** curl goes through proxies and trusts the certificates that the environment names, as npm does. */
async function fetchFrom(url) {
  const file = path.join(tmpdir(), `side-by-side-${randomUUID()}`);
  try {
    const written = '%{http_code}\\n%{content_type}\\n%header{last-modified}';
    const options = ['-sS', '-L', '--compressed', '--retry', '4', '--max-time', String(FETCH_SECONDS_MAX), '-o', file, '-w', written];
    const [status, type, modified] = (await said('curl', [...options, url])).split('\n');
    const body = await readFile(file).catch(() => Buffer.alloc(0));
    return { status: Number(status), type: type || 'application/json', modified: modified || null, body };
  } finally {
    await rm(file, { force: true });
  }
}

function validators(body, modified) {
  const etag = `"${createHash('sha1').update(body).digest('hex')}"`;
  return { etag, 'last-modified': new Date(modified ?? 0).toUTCString() };
}
