import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { test as base } from '@playwright/test';

/** The timeout of a test in milliseconds. Only a test that hangs takes this long, on any machine. */
export const testTimeout = 30 * 60_000;

const root = fileURLToPath(new URL('..', import.meta.url));

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Waits for output lines with the prefixes, in any order, and returns the rest of each line. */
async function lines(child: Child, prefixes: string[]): Promise<string[]> {
  const values = new Map<string, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const prefix = prefixes.find((p) => line.startsWith(p));
    if (prefix !== undefined) values.set(prefix, line.slice(prefix.length).trim());
    if (values.size === prefixes.length) {
      child.stdout.resume();
      return prefixes.map((p) => values.get(p) ?? '');
    }
  }
  throw new Error(`the program exited before it printed ${prefixes.join(' and ')}`);
}

async function waitForExit(child: Child): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  return new Promise((resolve) => child.once('exit', resolve));
}

/** The database of the platform: its own plain PostgreSQL, or TimescaleDB in WebAssembly. */
export type Database = 'plain' | 'timescaledb';

/** The gateway in front of the functions, see GATEWAY in infra/local; or an existing installation. */
export type Gateway = 'direct' | 'openfaas' | 'given';

/** The options of a test project. */
export interface Options {
  gateway: Gateway;
}

export const test = base.extend<object, Options>({
  gateway: ['direct', { option: true, scope: 'worker' }],
});

/** The response of the query function. */
export interface QueryResult {
  results: { dimensions: string[]; metrics: number[] }[];
}

/**
 * The whole platform, as `make run` starts it, with its data in a temporary directory; or the
 * installation at OPENFAAS_URL, with the owner token ADMIN_TOKEN and a temporary site.
 */
export class Platform {
  private constructor(
    readonly dashboard: string,
    readonly token: string,
    /** The site of the events. */
    readonly site: string,
    private readonly end: () => Promise<number | null>,
  ) {}

  static async start(database: Database, gateway: Gateway): Promise<Platform> {
    if (gateway === 'given') return Platform.given();
    const data = await mkdtemp(join(tmpdir(), 'analytics-e2e-'));
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      PORT: '0',
      DATA_DIR: data,
      PLAIN_POSTGRES: 'true',
      GATEWAY: gateway,
    };
    let timescale: Child | undefined;
    if (database === 'timescaledb') {
      timescale = spawn('node', [join(root, 'infra/local/localtest/pglite.mjs')], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const [port] = await lines(timescale, ['']);
      env.DATABASE_URL = `postgres://postgres:postgres@127.0.0.1:${port ?? ''}/postgres?sslmode=disable&pool_max_conns=1`;
    }
    const child = spawn(join(root, 'bin/local'), [], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const [dashboard = '', token = ''] = await lines(child, ['dashboard:', 'token:']);
    return new Platform(dashboard, token, 'localhost', async () => {
      child.kill('SIGTERM');
      const code = await waitForExit(child);
      if (timescale) {
        timescale.stdin.end();
        await waitForExit(timescale);
      }
      await rm(data, { recursive: true, force: true });
      return code;
    });
  }

  private static async given(): Promise<Platform> {
    const { OPENFAAS_URL = '', ADMIN_TOKEN = '' } = process.env;
    if (ADMIN_TOKEN === '') throw new Error('set ADMIN_TOKEN to the token of the installation');
    const site = `e2e-${randomUUID()}.example`;
    const dashboard = new URL(`/function/dashboard/?site=${site}`, OPENFAAS_URL).href;
    const platform = new Platform(dashboard, ADMIN_TOKEN, site, async () => {
      await platform.request(
        'DELETE',
        `${platform.function('admin')}v1/sites/${site}?confirm=${site}`,
      );
      return 0;
    });
    await platform.request('POST', `${platform.function('admin')}v1/sites`, {
      domain: site,
      timezone: 'UTC',
    });
    return platform;
  }

  /** The URL of a function, with a trailing slash. */
  function(name: string): string {
    return new URL(`../${name}/`, this.dashboard).href;
  }

  /** Runs a query as the owner. */
  async query(body: unknown): Promise<QueryResult> {
    return (await this.request(
      'POST',
      `${this.function('query')}api/v2/query`,
      body,
    )) as QueryResult;
  }

  /** Creates a key with which servers send events of the site. It is deleted with the site. */
  async createWriteKey(): Promise<string> {
    const created = (await this.request('POST', `${this.function('admin')}v1/keys`, {
      name: 'server',
      scopes: ['write'],
      sites: [this.site],
    })) as { key: string };
    return created.key;
  }

  /** Stores the queued events, and returns the result. */
  async aggregate(): Promise<{ events: number; backlog: number }> {
    return (await this.request('POST', this.function('aggregate'), {})) as {
      events: number;
      backlog: number;
    };
  }

  /** The version of TimescaleDB, or '' on plain PostgreSQL. */
  async timescaledb(): Promise<string> {
    const response = await fetch(`${this.function('admin')}v1/status`, {
      headers: { authorization: `Bearer ${this.token}` },
    });
    const { database } = (await response.json()) as { database: { timescaledb: string } };
    return database.timescaledb;
  }

  private async request(method: string, url: string, body?: unknown): Promise<unknown> {
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Stops the platform as Ctrl-C does, and returns its exit code. */
  async stop(): Promise<number | null> {
    return this.end();
  }
}

/** A website of three pages with the tracker. */
export class Website {
  private constructor(
    readonly url: string,
    private readonly server: Server,
  ) {}

  static async start(platform: Platform): Promise<Website> {
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(`<!doctype html>
<html lang="en">
  <title>A page</title>
  <script defer data-site="${platform.site}" src="${platform.function('track')}script.js"></script>
  <a id="pricing" href="/pricing">Pricing</a>
  <button id="about" onclick="history.pushState({}, '', '/about')">About</button>
  <button id="signup" onclick="analytics('Signup', { props: { plan: 'pro' } })">Sign up</button>
</html>`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new Website(`http://127.0.0.1:${port}`, server);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
