// What all parts share: the servers, started when a part first needs them, and what is said on the way.

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
    this.airlockFolder = path.join(folder, 'airlock');
    this.started = false;
  }

  /** Starts every server that is compared; again it does nothing. */
  async start() {
    if (this.started) return;
    this.started = true;
    const { servers } = this.options;
    this.airlock = await startAirlock(this.binary, this.airlockFolder, this.origin);
    this.compared = [];
    if (servers.includes('pnpr')) this.compared.push(await startPnpr(this.peers.pnpr, path.join(this.folder, 'pnpr'), this.origin));
    if (servers.includes('verdaccio')) {
      this.compared.push(await startVerdaccio(this.peers.verdaccio, path.join(this.folder, 'verdaccio'), this.origin));
    }
    const files = await startFileServer(this.programs.nginx, this.fileFolder);
    this.fileServers = files.filter((_, at) => servers.includes(['nginx', 'nginx-log'][at]));
  }

  /** Airlock first, so that its answers are there for nginx. */
  get registries() {
    return [this.airlock, ...this.compared];
  }

  /** The same data folder, opened again. */
  async restartAirlock(how) {
    await this.airlock.stop();
    this.airlock = await startAirlock(this.binary, this.airlockFolder, this.origin, how);
  }

  say(text) {
    process.stderr.write(`${text}\n`);
  }
}
