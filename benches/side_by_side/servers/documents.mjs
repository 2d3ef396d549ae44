// Documents of the origin: the registry as it was on one day, in the shape in which a real registry answers.

/** The origin shows what was published until then. So everybody records the same, and no release is so new that Airlock would hold it: with the gate
 *  on, the same installs lead to the same trees at every server. */
export const AS_OF = Date.parse('2026-10-01T00:00:00Z');

/** What an abbreviated document keeps of each version. Source: npm's registry documentation, "package-metadata". */
const ABBREVIATED_FIELDS = [
  'name', 'version', 'deprecated', 'dependencies', 'optionalDependencies', 'devDependencies', 'bundleDependencies', 'bundledDependencies',
  'peerDependencies', 'peerDependenciesMeta', 'acceptDependencies', 'bin', 'directories', 'dist', 'engines', 'cpu', 'os', 'libc',
  'funding', '_hasShrinkwrap', 'hasInstallScript',
];

/** Leaves out what was published after `AS_OF`. A version without a time stays. */
export function asOf(document) {
  const time = document.time ?? {};
  const published = (version) => Date.parse(time[version] ?? 0);
  const kept = Object.keys(document.versions ?? {}).filter((version) => !(published(version) > AS_OF));
  const tags = Object.entries(document['dist-tags'] ?? {}).filter(([, version]) => kept.includes(version));
  const stable = kept.filter((version) => !version.includes('-'));
  const latest = (stable.length > 0 ? stable : kept).reduce((left, right) => (published(right) >= published(left) ? right : left), kept[0]);
  const times = Object.entries(time).filter(([name]) => name === 'created' || kept.includes(name));
  const modified = times.map(([, at]) => at).sort().at(-1);
  return {
    ...document,
    'dist-tags': { ...(latest ? { latest } : {}), ...Object.fromEntries(tags) },
    versions: Object.fromEntries(kept.map((version) => [version, document.versions[version]])),
    time: { ...Object.fromEntries(times), ...(modified ? { modified } : {}) },
  };
}

/** Moves the addresses of tarballs from `registry` to `origin`; one that is elsewhere stays. */
export function readdress(document, registry, origin) {
  for (const version of Object.values(document.versions)) {
    const tarball = version.dist?.tarball;
    if (tarball?.startsWith(`${registry}/`)) version.dist.tarball = origin + tarball.slice(registry.length);
  }
}

export function abbreviated(document) {
  const versions = {};
  for (const [name, version] of Object.entries(document.versions)) {
    const kept = {};
    for (const field of ABBREVIATED_FIELDS) if (version[field] !== undefined) kept[field] = version[field];
    const scripts = version.scripts ?? {};
    if (scripts.preinstall || scripts.install || scripts.postinstall) kept.hasInstallScript = true;
    versions[name] = kept;
  }
  return { name: document.name, modified: document.time.modified, 'dist-tags': document['dist-tags'], versions };
}
