// nginx as plain file server: the measure of what this machine can send. It gets the very bytes that Airlock answered with,
// plain and gzip, and answers at two ports: without a log of accesses, and with one, as Airlock has one.

import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';

import { start } from '../children.mjs';
import { freePort, ready } from '../network.mjs';
import { Server } from './server.mjs';

/** `[without log, with log]`; both are the same processes. Files lie in `folder/files`. */
export async function startFileServer(nginx, folder) {
  mkdirSync(path.join(folder, 'files'), { recursive: true });
  const ports = [await freePort(), await freePort()];
  const configuration = path.join(folder, 'nginx.conf');
  writeFileSync(configuration, conf(folder, ports));
  const log = path.join(folder, 'nginx.log');
  const child = start(nginx, ['-p', folder, '-c', configuration, '-e', log], { cwd: folder, log });
  await ready(child, `http://127.0.0.1:${ports[0]}/`);
  const quiet = new Server('nginx', `http://127.0.0.1:${ports[0]}`, child);
  const logged = new Server('nginx, log on', `http://127.0.0.1:${ports[1]}`, child, path.join(folder, 'access.log'));
  return [quiet, logged].map((server) => Object.assign(server, { isFileServer: true }));
}

/** Puts a body, and its packed form where there is one, below `name`; the path to ask for. */
export function putFile(folder, name, { plain, packed }) {
  const file = path.join(folder, 'files', name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, plain);
  if (packed) writeFileSync(`${file}.gz`, packed);
  return `/${name}`;
}

function conf(folder, [quiet, logged]) {
  const server = (port, log) => `
  server {
    listen 127.0.0.1:${port} backlog=4096;
    access_log ${log};
    root ${folder}/files;
  }`;
  return `# Written by benches/side_by_side/servers/file_server.mjs.
daemon off;
worker_processes auto;
worker_rlimit_nofile 20000;
user ${userInfo().username};
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log crit;
events { worker_connections 4096; }
http {
  client_body_temp_path ${folder}/temp;
  proxy_temp_path ${folder}/temp;
  fastcgi_temp_path ${folder}/temp;
  uwsgi_temp_path ${folder}/temp;
  scgi_temp_path ${folder}/temp;
  default_type application/json;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  open_file_cache max=1000 inactive=1h;
  open_file_cache_valid 1h;
  gzip_static on;${server(quiet, 'off')}${server(logged, `${folder}/access.log`)}
}
`;
}
