// Each part's section of the page, and its rows in the table of targets: `{ title, text, rows }`.

import { WARMING_INSTALLS } from './parts/installs.mjs';
import { median, ratio, spread } from './statistics.mjs';
import { TARGETS, atLeast, atMost } from './targets.mjs';
import { figure, met, size, spreadOf, table } from './words.mjs';

const NGINX = 'nginx';
const NONE = 'no answer in time';

export const SECTIONS = {
  packuments: (cases) => {
    const toNginx = cases.map((one) => rate(one, NGINX));
    const express = cases.filter((one) => one.package === 'express').map((one) => rate(one, 'pnpr'));
    const withheld = [...new Set(cases.filter((one) => one.withheld > 0).map((one) => `${one.withheld} of ${one.versions + one.withheld} of ${one.package}`))];
    const note = withheld.length > 0 ? `The gate is on: of the versions that the origin has, ${withheld.join(', ')} are withheld.` : 'The gate is on; it withholds no version of these.';
    return {
      title: 'Warm packuments',
      text: [note, ...loads(cases, (one) => verdict(one, [[NGINX, TARGETS.packumentToNginx], ...(one.package === 'express' ? [['pnpr', TARGETS.expressToPnpr]] : [])]))].join('\n\n'),
      rows: [
        lowest('warm packuments, Airlock ÷ nginx', toNginx, TARGETS.packumentToNginx),
        lowest('warm express packuments, Airlock ÷ pnpr', express, TARGETS.expressToPnpr),
      ],
    };
  },

  'not-modified': (cases) => ({
    title: '304 to a known ETag',
    text: loads(cases, (one) => verdict(one, [[NGINX, TARGETS.notModifiedToNginx]])).join('\n\n'),
    rows: [lowest('304 to a known ETag, Airlock ÷ nginx', cases.map((one) => rate(one, NGINX)), TARGETS.notModifiedToNginx)],
  }),

  tarballs: (cases) => ({
    title: 'Warm tarballs',
    text: loads(cases, (one) => verdict(one, [[NGINX, TARGETS.tarballToNginx], ['pnpr', TARGETS.tarballToPnpr]])).join('\n\n'),
    rows: cases.flatMap((one) => [
      lowest(`tarball of ${one.size}, Airlock ÷ nginx`, [rate(one, NGINX)], TARGETS.tarballToNginx),
      lowest(`tarball of ${one.size}, Airlock ÷ pnpr`, [rate(one, 'pnpr')], TARGETS.tarballToPnpr),
    ]),
  }),

  clients: ({ connections, seconds, runs }) => {
    const ours = runs.find(({ server }) => server === 'Airlock');
    const tail = ours.p99 / ours.p50;
    const right = ours.failed === 0 && atMost(tail, TARGETS.clientsP99ToP50);
    const rows = runs.map((run) => [
      run.server, figure(run.perSecond), String(run.failed), figure(run.p50), figure(run.p99), figure(run.p99 / run.p50), figure(run.max),
      figure(run.cpuMicroseconds), size(run.memory.resident),
    ]);
    return {
      title: `${connections.toLocaleString('en-US')} clients that keep their connections, ${seconds} s`,
      text: [
        'The abbreviated documents, packed, asked for in turn without a pause. Airlock knows the address they all come from as a proxy'
          + ' (`trusted_proxies`), since one client may have 512 connections only.',
        table(['', 'requests/s', 'errors', 'p50, ms', 'p99, ms', 'p99 ÷ p50', 'longest, ms', 'server CPU, µs a request', 'memory'], rows),
      ].join('\n\n'),
      rows: [[
        `${connections.toLocaleString('en-US')} keep-alive clients for ${seconds} s`, `${ours.failed} errors, p99 ÷ p50 ${figure(tail)}`,
        `no error, ≤ ${TARGETS.clientsP99ToP50}`, met(right),
      ]],
    };
  },

  'warm-install': ({ packages, misses, servers }) => {
    const cpu = (name) => servers[name]?.runs.map((run) => run.cpuSeconds);
    const against = (name, target) => {
      if (!servers[name]) return [];
      const found = ratio(cpu('Airlock'), cpu(name));
      return [[`server CPU of a warm install of ${packages} packages, Airlock ÷ ${name}`, spreadOf(found), `≤ ${target}`, met(found !== null && atMost(found.median, target))]];
    };
    const rows = Object.entries(servers).map(([name, { runs, memory }]) => [
      name, spreadOf(spread(cpu(name))), spreadOf(spread(runs.map((run) => run.seconds))), size(memory.resident), size(memory.own), size(memory.peak),
    ]);
    return {
      title: `Warm \`npm install\` of ${packages} packages, no lockfile`,
      text: [
        `${servers.Airlock.runs.length} rounds in turn, npm's cache empty each time; all trees are the same. CPU is told in ticks of 10 ms.${recorded(misses)}`,
        table(['', 'server CPU, s', 'wall time of npm, s', 'memory after', 'of that no file', 'at its peak'], rows),
      ].join('\n\n'),
      rows: [
        ...against('pnpr', TARGETS.warmCpuToPnpr),
        ...against('Verdaccio', TARGETS.warmCpuToVerdaccio),
        within(`memory after ${WARMING_INSTALLS + servers.Airlock.runs.length} warm installs of ${packages} packages`, servers.Airlock.memory.resident, TARGETS.afterInstallsBytes),
      ],
    };
  },

  'cold-install': ({ packages, misses, straight, airlock }) => {
    const wall = (runs) => runs.map((run) => run.seconds);
    const found = ratio(wall(airlock), wall(straight));
    const idle = median(airlock.map((run) => run.idle.resident));
    const after = median(airlock.map((run) => run.after.resident));
    const own = (of) => size(median(airlock.map((run) => run[of].own)));
    const peak = Math.max(...airlock.map((run) => run.after.peak));
    return {
      title: `Cold \`npm install\` of ${packages} packages`,
      text: [
        `${airlock.length} rounds in turn, npm's cache and Airlock's folder empty each time; all trees are the same.${recorded(misses)}`,
        table(['', 'wall time of npm, s', 'server CPU, s'], [
          ['straight from the origin', spreadOf(spread(wall(straight))), ''],
          ['through Airlock', spreadOf(spread(wall(airlock))), spreadOf(spread(airlock.map((run) => run.cpuSeconds)))],
        ]),
        `Airlock's resident memory: ${size(idle)} idle, of that ${own('idle')} not the binary's or another file's; ${size(after)} after the install, of that ${own('after')};`
          + ` ${size(peak)} at its highest.`,
      ].join('\n\n'),
      rows: [
        [`cold install of ${packages} packages, through Airlock ÷ straight`, spreadOf(found), `≤ ${TARGETS.coldToStraight}`, met(atMost(found.median, TARGETS.coldToStraight))],
        within('memory, idle', idle, TARGETS.idleBytes),
        within(`memory after a cold install of ${packages} packages`, after, TARGETS.afterInstallsBytes),
      ],
    };
  },
};

/** Requests a second of Airlock divided by another's; `undefined` where the other was not measured, `null` where it did nothing. */
function rate(one, name) {
  const [ours, theirs] = [one.results.Airlock, one.results[name]];
  if (!theirs || theirs.wrong) return undefined;
  const perSecond = ({ runs }) => runs.map((run) => run.perSecond);
  return ratio(perSecond(ours), perSecond(theirs));
}

/** A row of the table of targets: of several ratios the lowest, which is the one that may miss. One that was not measured is not in it;
 *  who did not answer in time is beaten by any factor. */
function lowest(work, ratios, target) {
  const measured = ratios.filter((one) => one !== undefined);
  if (measured.length === 0) return [work, 'not measured', `≥ ${target}`, ''];
  const finite = measured.filter((one) => one !== null);
  if (finite.length === 0) return [work, NONE, `≥ ${target}`, met(true)];
  const least = finite.reduce((left, right) => (right.median < left.median ? right : left));
  const reached = measured.filter((one) => one === null || one.median >= target).length;
  const many = measured.length > 1 ? `, the lowest of ${measured.length}; ${reached} reach it` : '';
  return [work, `${spreadOf(least)}${many}`, `≥ ${target}`, met(atLeast(least.median, target))];
}

/** A row of the table of targets, of memory. */
function within(work, bytes, target) {
  return [work, size(bytes), `≤ ${size(target)}`, met(atMost(bytes, target))];
}

/** Whether one case reaches its targets. */
function verdict(one, wanted) {
  const ratios = wanted.map(([name, target]) => [rate(one, name), target]).filter(([found]) => found !== undefined);
  return ratios.length === 0 ? '' : met(ratios.every(([found, target]) => found === null || found.median >= target));
}

/** The tables of a load: ratios, requests a second, and what they cost. */
function loads(cases, verdictOf) {
  const names = Object.keys(cases[0].results).sort((left, right) => rank(left) - rank(right));
  const others = names.filter((name) => name !== 'Airlock');
  const cell = (one, name, text) => {
    const result = one.results[name];
    if (!result) return 'not timed';
    return result.wrong ? `wrong: ${result.wrong}` : text(result);
  };
  const ratios = cases.map((one) => [
    one.name, size(one.results.Airlock.bytes),
    ...others.map((name) => cell(one, name, () => spreadOf(rate(one, name), NONE))),
    verdictOf(one),
  ]);
  const rates = cases.map((one) => [
    one.name,
    ...names.map((name) => cell(one, name, (result) => {
      const perSecond = result.runs.map((run) => run.perSecond);
      return perSecond.includes(0) ? NONE : spreadOf(spread(perSecond)) + unpacked(one, result);
    })),
  ]);
  const costs = cases.map((one) => [
    one.name,
    ...names.map((name) => cell(one, name, ({ runs }) => {
      const done = runs.filter((run) => run.requests > 0);
      if (done.length === 0) return NONE;
      const middle = (of) => figure(median(done.map(of)));
      return `${middle((run) => run.cpuMicroseconds)} · ${middle((run) => run.p50)} · ${middle((run) => run.p99)}`;
    })),
  ]);
  const upstream = cases.filter((one) => one.upstream > 0).map((one) => `${one.name}: ${one.upstream} times`);
  return [
    ...(upstream.length > 0 ? [`**Warm answers should need no origin; it was asked while this was timed (${upstream.join('; ')}).**`] : []),
    'Airlock ÷ the other, requests a second: ratio of the medians (lowest – highest ratio within a round).',
    table(['', "Airlock's body", ...others.map((name) => `÷ ${name}`), 'target'], ratios),
    'Requests a second, median (lowest – highest).',
    table(['', ...names], rates),
    'Server CPU a request in µs · p50 in ms · p99 in ms, medians. Both ports of nginx are the same processes.',
    table(['', ...names], costs),
  ];
}

function rank(name) {
  return ['Airlock', 'nginx', 'nginx, log on', 'pnpr', 'Verdaccio'].indexOf(name);
}

/** A peer that does not pack sends the plain document to who would take a packed one. */
function unpacked(one, { packed }) {
  return one.encoding === 'gzip' && packed === false ? ', not packed' : '';
}

function recorded(misses) {
  return misses > 0 ? ` **The origin asked upstream ${misses} times while this was measured.**` : '';
}
