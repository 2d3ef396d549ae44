// Whether a server answers right. Nothing is timed before this was asked, and no wrong answer is timed at all.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

import { get } from './network.mjs';
import { FORMS, packagePath } from './subjects.mjs';

/** How long a packed answer is waited for, in milliseconds, from a server that packs in the background. */
const PACKED_MS_MAX = 20_000;

/** An answer that is not what it should be. */
export class Wrong extends Error {}

function expect(right, what) {
  if (!right) throw new Wrong(what);
}

/** A document as the origin has it: what the others are compared with. Every answer must come out of the recording. */
export async function reference(origin, name) {
  const path = packagePath(name);
  let answer;
  // The first may be what records it.
  for (let turn = 0; turn < 2; turn += 1) answer = await get(origin.url + path, { accept: FORMS.full });
  expect(answer.status === 200, `the origin answers ${answer.status} to ${path}`);
  expect(answer.headers['x-cache'] === 'HIT', `the origin does not answer ${path} from its recording`);
  return JSON.parse(answer.body.toString());
}

/** A document in one form, plain and packed: `{ path, plain, packed, etag, packedEtag }`, `packed` being `null` where the
 *  server does not pack. `withheld` says of a version whether it may be missing. */
export async function packument(server, name, form, expected, withheld) {
  const path = packagePath(name);
  const accept = FORMS[form];
  const plain = await get(server.url + path, { accept });
  expect(plain.status === 200, `${server.name} answers ${plain.status} to ${path}`);
  expect(!plain.headers['content-encoding'], `${server.name} packs ${path} for who does not ask for it`);
  const packed = await askPacked(server, path, accept);
  if (packed) {
    const unpacked = gunzipSync(packed.body);
    // A server that writes each answer anew may order it anew.
    expect(unpacked.equals(plain.body) || sameText(unpacked, plain.body), `${server.name}: ${path} unpacks to something else`);
  }
  const document = JSON.parse(plain.body.toString());
  expect(document.name === name, `${server.name}: ${path} names ${document.name}`);
  const served = Object.keys(document.versions);
  for (const version of served) {
    const [ours, theirs] = [document.versions[version].dist, expected.versions[version]?.dist];
    expect(theirs, `${server.name}: ${name}@${version} is not in the origin`);
    // pnpr leaves the SHA-1 out where there is a SHA-512.
    const same = ours.integrity === theirs.integrity && [theirs.shasum, undefined].includes(ours.shasum);
    expect(same, `${server.name}: ${name}@${version} has other hashes`);
    expect(ours.tarball.startsWith(`${server.url}/`), `${server.name}: the tarball of ${name}@${version} is elsewhere`);
  }
  const missing = Object.keys(expected.versions).filter((version) => !(version in document.versions));
  for (const version of missing) expect(await withheld(name, version), `${server.name}: ${name}@${version} is missing`);
  return {
    path,
    plain: plain.body,
    packed: packed?.body ?? null,
    etag: plain.headers.etag,
    packedEtag: packed?.headers.etag ?? null,
    versions: served.length,
    missing: missing.length,
  };
}

function sameText(left, right) {
  return JSON.stringify(JSON.parse(left.toString())) === JSON.stringify(JSON.parse(right.toString()));
}

/** `null`: the server does not pack it. */
async function askPacked(server, path, accept) {
  const until = Date.now() + (server.packsLater ? PACKED_MS_MAX : 0);
  for (;;) {
    const answer = await get(server.url + path, { accept, 'accept-encoding': 'gzip' });
    expect(answer.status === 200, `${server.name} answers ${answer.status} to ${path} with gzip`);
    if (answer.headers['content-encoding'] === 'gzip') return answer;
    if (Date.now() >= until) return null;
    await sleep(50);
  }
}

/** Whether the server says 304 to the ETag it gave. */
export async function notModified(server, path, headers, etag) {
  if (!etag) return false;
  const answer = await get(server.url + path, { ...headers, 'if-none-match': etag });
  return answer.status === 304 && answer.body.length === 0;
}

/** A tarball, by the address that the server's own document gives: `{ path, body }`. */
export async function tarball(server, name, version, expected) {
  const document = await get(server.url + packagePath(name), { accept: FORMS.abbreviated });
  expect(document.status === 200, `${server.name} answers ${document.status} to ${name}`);
  const address = JSON.parse(document.body.toString()).versions[version]?.dist.tarball;
  expect(address?.startsWith(`${server.url}/`), `${server.name} has no tarball of ${name}@${version}`);
  // The first fetches and, at Airlock, inspects it.
  for (let turn = 0; turn < 2; turn += 1) {
    const { status, body } = await get(address);
    expect(status === 200, `${server.name} answers ${status} to ${address}`);
    const sha512 = `sha512-${createHash('sha512').update(body).digest('base64')}`;
    expect(sha512 === expected.versions[version].dist.integrity, `${server.name}: ${name}@${version} has the SHA-512 ${sha512}`);
    if (turn === 1) return { path: address.slice(server.url.length), body };
  }
}
