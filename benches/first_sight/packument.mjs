// Made-up packuments with the dependencies, people, signatures and readme that those of many years have, as
// benches/pure/samples makes them.

import { randomBytes } from 'node:crypto';

const WORDS = 'value index options result node error length name key type config path state item request response handler module buffer stream'.split(' ');
const PEOPLE = ['ann', 'bob', 'eve'].map((name) => ({ name, email: `${name}@mail.example` }));

/** The packument of `name`, with `versions` releases in about `bytes`, whose tarballs lie under `origin`. */
export function packument(name, versions, bytes, origin) {
  const readme = prose(Math.min(12_000, bytes / 10));
  const all = Array.from({ length: versions }, (_, n) => `${Math.floor(n / 500)}.${Math.floor(n / 20) % 25}.${n % 20}`);
  const day = (n) => new Date(Date.UTC(2014 + Math.floor((n * 12) / versions), n % 12, (n % 28) + 1, n % 24, n % 60, 11, n % 1_000)).toISOString();
  const each = (bytes - readme.length) / versions - 60;
  return JSON.stringify({
    _id: name,
    _rev: '812-0a1b',
    name,
    'dist-tags': { latest: all.at(-1) },
    versions: Object.fromEntries(all.map((version, n) => [version, manifest(name, version, n, each, origin)])),
    time: { created: day(0), modified: day(versions - 1), ...Object.fromEntries(all.map((version, n) => [version, day(n)])) },
    maintainers: PEOPLE,
    description: 'A big package',
    license: 'MIT',
    readme,
    readmeFilename: 'README.md',
  });
}

function manifest(name, version, at, bytes, origin) {
  const made = {
    name,
    version,
    description: 'A big package',
    keywords: ['big', 'package', 'sample'],
    homepage: 'https://forge.example/acme/big#readme',
    bugs: { url: 'https://forge.example/acme/big/issues' },
    license: 'MIT',
    author: { name: 'Ann', email: 'ann@mail.example' },
    main: './dist/index.js',
    repository: { type: 'git', url: 'git+https://forge.example/acme/big.git' },
    scripts: { build: 'tsc -p . && rollup -c', test: 'jest --coverage', lint: "eslint 'src/**/*.ts'", prepare: 'npm run build' },
    _id: `${name}@${version}`,
    _nodeVersion: `18.${at % 20}.1`,
    _npmVersion: `9.${at % 9}.0`,
    gitHead: randomBytes(20).toString('hex'),
    _npmUser: PEOPLE[0],
    maintainers: PEOPLE,
    dist: {
      integrity: `sha512-${randomBytes(64).toString('base64')}`,
      shasum: randomBytes(20).toString('hex'),
      tarball: `${origin}/${name}/-/${name}-${version}.tgz`,
      fileCount: 100 + (at % 90),
      unpackedSize: 300_000 + at,
      signatures: [{ keyid: 'SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA', sig: randomBytes(71).toString('base64') }],
    },
    _npmOperationalInternal: { host: 's3://storage.example', tmp: `tmp/${name}_${version}_${randomBytes(6).readUIntBE(0, 6)}` },
    _hasShrinkwrap: false,
    engines: { node: '>=18' },
    directories: {},
    devDependencies: { typescript: '^5.3.0', jest: '^29.7.0', eslint: '^8.57.0', rollup: '^4.9.0' },
    dependencies: {},
  };
  const wanted = Math.max(0, Math.floor((bytes - JSON.stringify(made).length) / 35));
  const word = (number) => WORDS[number % WORDS.length];
  for (let n = 0; n < wanted; n += 1) made.dependencies[`@acme/${word(n * 7)}-${word(Math.floor((n * 7) / WORDS.length))}-${n}`] = `^${n % 9}.${Math.floor((at + n * 5) / 24) % 30}.0`;
  return made;
}

/** Text for people, with the escapes that it has in JSON. */
function prose(bytes) {
  let text = '# big\n\n';
  for (let n = 0; text.length < bytes; n = (n * 5 + 3) % 8_191) text += `${WORDS[n % WORDS.length]} ${n % 7 === 0 ? '`"quoted"`.\n\n' : ''}`;
  return text;
}
