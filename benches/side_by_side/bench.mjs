// What all parts share: the servers, and what is said on the way.

import path from 'node:path';

import { startAirlock } from './servers/airlock.mjs';
import { startFileServer } from './servers/file_server.mjs';
import { startPnpr } from './servers/pnpr.mjs';
import { startVerdaccio } from './servers/verdaccio.mjs';

export class Bench {
  /** `folder` is temporary, `origin` runs. */
  constructor({ folder, origin, programs, peers, airlock, options }) {
    Object.assign(this, { folder, origin, programs, peers, options });
    this.wrk = programs.wrk;
    this.load = options.load;
    this.clients = options.clients;
    this.binary = airlock;
    this.fileFolder = path.join(folder, 'nginx');
    /** Airlock first, so that its answers are there for nginx. */
    this.registries = [];
    this.fileServers = [];
    this.running = [];
    this.notes = [];
  }

  /** Starts every server that is compared, each over what it kept in this run. What ran before is stopped, so that no part inherits the memory
   *  or the unfinished work of another. `how` is for Airlock. */
  async restart(how) {
    for (const server of this.running) await server.stop();
    const { servers } = this.options;
    this.airlock = await startAirlock(this.binary, path.join(this.folder, 'airlock'), this.origin, { ...how, log: this.options.airlockLog });
    this.registries = [this.airlock];
    if (servers.includes('pnpr')) this.registries.push(await startPnpr(this.peers.pnpr, path.join(this.folder, 'pnpr'), this.origin));
    if (servers.includes('verdaccio')) {
      this.registries.push(await startVerdaccio(this.peers.verdaccio, path.join(this.folder, 'verdaccio'), this.origin));
    }
    const files = await startFileServer(this.programs.nginx, this.fileFolder);
    this.fileServers = files.filter((_, at) => servers.includes(['nginx', 'nginx-log'][at]));
    this.running = [...this.registries, ...files];
  }

  /** Says what the page must say too. */
  note(text) {
    this.notes.push(text);
    this.say(text);
  }

  /** What was noted since this was last asked. */
  takeNotes() {
    return this.notes.splice(0);
  }

  say(text) {
    process.stderr.write(`${text}\n`);
  }
}
