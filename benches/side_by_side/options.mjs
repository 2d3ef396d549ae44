// The command line: which parts, and how long.

import { parseArgs } from 'node:util';

/** What somebody can put right who reads it. */
export class Unusable extends Error {}

export const PARTS = ['packuments', 'not-modified', 'tarballs', 'clients', 'warm-install', 'cold-install'];

export const USAGE = `usage: make side-by-side ARGS="[PART …] [--option …]"

parts, all of them where none is named: ${PARTS.join(' ')}

  --airlock PATH       the binary to measure              [target/release/airlock]
  --airlock-log LEVEL  AIRLOCK_LOG, such as warn: no line a request [what Airlock does by default]
  --servers LIST       of nginx, nginx-log, pnpr, verdaccio, those to compare with  [all]
  --only TEXT          those loads only whose names hold it, such as "express, full"; the page stays as it is
  --rounds N           rounds of each load                [5]
  --seconds N          of load on a server in a round     [4]
  --connections N      kept open by wrk                   [32]
  --threads N          of wrk                             [1]
  --clients N          kept open in the part "clients"    [1000]
  --client-seconds N   of load in the part "clients"      [60]
  --installs N         rounds of each install             [5]
  --no-page            leave docs/performance.md as it is; results are in target/side_by_side/results only
`;

/** Throws `Unusable`, which says what is wrong and what can be said. */
export function options(args) {
  const number = (of) => ({ type: 'string', default: String(of) });
  const shape = {
    airlock: { type: 'string', default: 'target/release/airlock' },
    'airlock-log': { type: 'string' },
    only: { type: 'string', default: '' },
    servers: { type: 'string', default: 'nginx,nginx-log,pnpr,verdaccio' },
    rounds: number(5),
    seconds: number(4),
    connections: number(32),
    threads: number(1),
    clients: number(1_000),
    'client-seconds': number(60),
    installs: number(5),
    'no-page': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  };
  let read;
  try {
    read = parseArgs({ args, options: shape, allowPositionals: true });
  } catch (error) {
    throw new Unusable(`${error.message}\n\n${USAGE}`);
  }
  const { values, positionals } = read;
  for (const part of positionals) if (!PARTS.includes(part)) throw new Unusable(`there is no part "${part}"\n\n${USAGE}`);
  const whole = (name) => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 1) throw new Unusable(`--${name} takes a whole number from 1\n\n${USAGE}`);
    return value;
  };
  return {
    help: values.help,
    parts: positionals.length > 0 ? PARTS.filter((part) => positionals.includes(part)) : PARTS,
    airlock: values.airlock,
    airlockLog: values['airlock-log'],
    servers: values.servers.split(','),
    load: { rounds: whole('rounds'), seconds: whole('seconds'), connections: whole('connections'), threads: whole('threads') },
    clients: { connections: whole('clients'), seconds: whole('client-seconds'), threads: 2 },
    installs: whole('installs'),
    only: values.only,
    page: !values['no-page'] && values.only === '',
  };
}
