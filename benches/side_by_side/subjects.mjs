// What is asked for: a small, a middle and a large document, and a small, a middle and a large tarball, all real.

export const PACKUMENTS = ['is-number', 'express', '@types/node'];

/** `size` is how the targets call it. */
export const TARBALLS = [
  { name: 'is-number', version: '7.0.0', size: '4 KB' },
  { name: 'lodash', version: '4.17.21', size: '300 KB' },
  { name: 'typescript', version: '2.9.2', size: '6 MB' },
];

/** The forms of a document, as clients ask for them: npm sends the first for an install. */
export const FORMS = {
  abbreviated: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*',
  full: 'application/json',
};

/** How a client writes a package's name in a path. */
export function packagePath(name) {
  return `/${name.replace('/', '%2f')}`;
}

/** A name that is a file's name too. */
export function slug(name) {
  return name.replace(/[^a-z0-9.-]+/gi, '_');
}
