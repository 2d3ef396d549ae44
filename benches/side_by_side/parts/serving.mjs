// Warm answers under load: documents, 304s, tarballs. Each part first asks every server for every answer and checks it, gives
// nginx the bytes that Airlock answered with, and then times them in turn.

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { Wrong, notModified, packument, reference, tarball } from '../answers.mjs';
import { get } from '../network.mjs';
import { inTurn } from '../rounds.mjs';
import { putFile } from '../servers/file_server.mjs';
import { median } from '../statistics.mjs';
import { FORMS, PACKUMENTS, TARBALLS, slug } from '../subjects.mjs';

/** One `case` a document, form and encoding. */
export async function packuments(bench) {
  const cases = [];
  for (const name of PACKUMENTS) {
    for (const form of Object.keys(FORMS)) {
      const answers = await documents(bench, name, form);
      for (const encoding of ['plain', 'gzip']) {
        const targets = answers.flatMap(({ server, answer, path: of }) => {
          const body = encoding === 'gzip' ? (answer.packed ?? answer.plain) : answer.plain;
          const headers = encoding === 'gzip' ? { accept: FORMS[form], 'accept-encoding': 'gzip' } : { accept: FORMS[form] };
          return { server, url: server.url + of, headers, bytes: body.length, packed: encoding === 'gzip' && answer.packed !== null };
        });
        const about = { name: `${name}, ${form}, ${encoding}`, package: name, form, encoding };
        if (asked(bench, about)) cases.push(await timed(bench, about, targets, answers));
      }
      await unchanged(bench, name, form, answers);
    }
  }
  return cases;
}

/** One `case` a document, in the form that npm asks for, with the ETag that the server gave before. */
export async function notModifieds(bench) {
  const cases = [];
  for (const name of PACKUMENTS) {
    const form = 'abbreviated';
    if (!asked(bench, { name })) continue;
    const answers = await documents(bench, name, form);
    const targets = [];
    for (const { server, answer, path: of } of answers) {
      const packed = server.isFileServer ? answer.packedFileEtag : (answer.packedEtag ?? answer.etag);
      const headers = { accept: FORMS[form], 'accept-encoding': 'gzip' };
      if (await notModified(server, of, headers, packed)) {
        targets.push({ server, url: server.url + of, headers: { ...headers, 'if-none-match': packed }, bytes: 0 });
      } else {
        bench.note(`${server.name} does not answer ${name} with 304: not timed`);
      }
    }
    cases.push(await timed(bench, { name, package: name, form }, targets, answers));
  }
  return cases;
}

export async function tarballs(bench) {
  const cases = [];
  for (const { name, version, size } of TARBALLS) {
    if (!asked(bench, { name })) continue;
    const expected = await reference(bench.origin, name);
    const answers = [];
    for (const server of bench.registries) {
      const answer = await checked(bench, () => tarball(server, name, version, expected), server);
      if (answer) answers.push({ server, answer, path: answer.path });
    }
    const ours = answers.find(({ server }) => server === bench.airlock).answer;
    const file = putFile(bench.fileFolder, `tarballs/${slug(name)}-${version}.tgz`, { plain: ours.body });
    for (const server of bench.fileServers) answers.push({ server, answer: ours, path: file });
    const targets = answers.map(({ server, answer, path: of }) => ({ server, url: server.url + of, headers: {}, bytes: answer.body.length }));
    cases.push(await timed(bench, { name: `${name} ${version}`, size }, targets, []));
  }
  return cases;
}

/** The paths of all documents in one form, packed, at each of `servers`: `[{ server, paths, headers }]`. */
export async function documentsInTurn(bench, form, servers) {
  const answers = [];
  for (const name of PACKUMENTS) answers.push(...(await documents(bench, name, form)));
  const headers = { accept: FORMS[form], 'accept-encoding': 'gzip' };
  return servers.map((one) => ({ server: one, paths: answers.filter(({ server }) => server === one).map(({ path: of }) => of), headers }));
}

/** What each server answers for a document in one form, checked: `[{ server, answer, path }]`, the file servers last. A peer that
 *  answers wrong is left out and said; Airlock may not. */
async function documents(bench, name, form) {
  const expected = await reference(bench.origin, name);
  const answers = [];
  for (const server of bench.registries) {
    const withheld = (of, version) => server.withholds(of, version);
    const answer = await checked(bench, () => packument(server, name, form, expected, withheld), server);
    if (answer) answers.push({ server, answer, path: answer.path });
  }
  const ours = answers.find(({ server }) => server === bench.airlock).answer;
  const file = putFile(bench.fileFolder, `${form}/${slug(name)}`, ours);
  for (const server of bench.fileServers) {
    const answer = await get(server.url + file, { 'accept-encoding': 'gzip' });
    if (!answer.body.equals(ours.packed)) throw new Wrong(`${server.name} does not send the bytes that Airlock sent`);
    answers.push({ server, answer: { ...ours, packedFileEtag: answer.headers.etag }, path: file });
  }
  return answers;
}

async function checked(bench, ask, server) {
  try {
    return await ask();
  } catch (error) {
    if (server === bench.airlock) throw error;
    bench.note(`${error.message}: not timed`);
    return null;
  }
}

function asked(bench, { name }) {
  return name.includes(bench.options.only);
}

async function timed(bench, about, targets, answers) {
  const before = await bench.origin.requests();
  const { results, restless } = await inTurn(bench.wrk, targets, bench.load);
  const upstream = (await bench.origin.requests()) - before;
  if (restless.length > 0) bench.note(`${about.name}: ${restless.join(' and ')} did not come to rest before the next one was asked, so all rates of that row are too low`);
  for (const { server, bytes, packed } of targets) Object.assign(results[server.name], { bytes, packed });
  const ours = answers.find(({ server }) => server === bench.airlock)?.answer;
  const done = { ...about, results, versions: ours?.versions, withheld: ours?.missing, upstream };
  const rates = Object.entries(results).map(([server, { runs }]) => `${server} ${median(runs.map((run) => run.perSecond)).toFixed(0)}/s`);
  bench.say(`${about.name}: ${rates.join(', ')}`);
  return done;
}

/** Airlock's bytes must be, after all rounds, the ones that nginx sent. */
async function unchanged(bench, name, form, answers) {
  const { answer } = answers.find(({ server }) => server === bench.airlock);
  const now = await get(bench.airlock.url + answer.path, { accept: FORMS[form], 'accept-encoding': 'gzip' });
  const file = readFileSync(path.join(bench.fileFolder, 'files', form, `${slug(name)}.gz`));
  if (!now.body.equals(file)) throw new Wrong(`Airlock's ${name} (${form}) changed while it was timed`);
}
