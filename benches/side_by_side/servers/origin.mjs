// The origin: the registry that npm on this machine names, recorded once and then answered from disk by nginx, so that
// measured runs need no network. nginx keeps what the recorder fetched and never asks again. The folder with the recording
// is kept between runs, and so is its port: it stands in the addresses of tarballs that the recorded documents hold.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';

import { start } from '../children.mjs';
import { freePort, get, ready } from '../network.mjs';
import { Unusable } from '../options.mjs';
import { Recorder } from './recorder.mjs';
import { Server } from './server.mjs';

/** Starts the origin over the recording in `folder`. `registry` is asked for what is not in it yet. */
export async function startOrigin(nginx, folder, registry) {
  mkdirSync(path.join(folder, 'cache'), { recursive: true });
  const portFile = path.join(folder, 'port');
  if (!existsSync(portFile)) writeFileSync(portFile, String(await freePort()));
  const port = Number(readFileSync(portFile, 'utf8'));
  await freePort(port).catch(() => {
    throw new Unusable(`Port ${port} is taken, by another run perhaps. It stands in the recorded documents; if it is taken for good, remove ${folder}.`);
  });
  const url = `http://127.0.0.1:${port}`;
  const recorder = new Recorder(registry, url);
  const recorderPort = await recorder.listen();
  const configuration = path.join(folder, 'nginx.conf');
  writeFileSync(configuration, conf(folder, port, recorderPort));
  const log = path.join(folder, 'nginx.log');
  const child = start(nginx, ['-p', folder, '-c', configuration, '-e', log], { cwd: folder, log });
  await ready(child, `${url}/-/origin`);
  return new Origin(url, child, recorder);
}

class Origin extends Server {
  constructor(url, child, recorder) {
    super('origin', url, child);
    this.recorder = recorder;
    /** Requests that only asked for the number of requests. */
    this.own = 0;
  }

  /** How many requests it was sent. */
  async requests() {
    const { body } = await get(`${this.url}/-/requests`);
    this.own += 1;
    return Number(/^ \d+ \d+ (\d+)/m.exec(body.toString())[1]) - this.own;
  }
}

function conf(folder, port, recorderPort) {
  return `# Written by benches/side_by_side/servers/origin.mjs.
daemon off;
worker_processes auto;
worker_rlimit_nofile 20000;
user ${userInfo().username};
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/temp;
  proxy_temp_path ${folder}/temp;
  fastcgi_temp_path ${folder}/temp;
  uwsgi_temp_path ${folder}/temp;
  scgi_temp_path ${folder}/temp;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  proxy_cache_path ${folder}/cache levels=2 keys_zone=recorded:64m inactive=3650d use_temp_path=off;
  # A file has one form; a document has two.
  map "$uri $http_accept" $form {
    default full;
    "~/-/" file;
    "~* application/vnd\\.npm\\.install-v1\\+json" abbreviated;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /-/origin { return 204; }
    location = /-/requests { stub_status; }
    location / {
      proxy_pass http://127.0.0.1:${recorderPort};
      proxy_http_version 1.1;
      proxy_set_header X-Form $form;
      proxy_set_header Accept-Encoding "";
      proxy_read_timeout 600s;
      proxy_cache recorded;
      proxy_cache_key "$uri $form";
      proxy_cache_valid 200 404 3650d;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 600s;
      proxy_cache_lock_age 600s;
      proxy_ignore_headers Cache-Control Expires Vary Set-Cookie;
      # Documents are kept packed; who does not take gzip has them unpacked.
      gunzip on;
      add_header X-Cache $upstream_cache_status always;
    }
  }
}
`;
}
