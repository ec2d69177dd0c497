/** A fake platform: it handles `fetch` and sends the live feed. */
import { vi } from 'vitest';
import type { Meta, Question, Row } from '@analytics-platform/types';
import type { Drop, LiveMessage, Site } from '../src/api/types';
import { addDays } from '../src/lib/days';

export const site: Site = {
  id: 's_1',
  domain: 'example.com',
  name: 'Example',
  timezone: 'UTC',
  public: false,
  created_at: '2026-01-01T00:00:00Z',
};

export const secret = 'the right token';

/** Returns the rows of a query, or a problem. */
export type Answer = (query: Question) => readonly Row[] | Response;

export interface Platform {
  signedIn: boolean;
  sites: Site[];
  drops: readonly Drop[];
  answer: Answer;
  readonly queries: Question[];
  /** The paths of requests that ended sessions. */
  readonly ended: string[];
  /** Whether the socket opens. */
  live: boolean;
  /** Sends a message to the page's live feed. */
  readonly send: (message: LiveMessage) => void;
}

export function problem(status: number, title: string, detail = '', field = ''): Response {
  return new Response(
    JSON.stringify({ title, status, ...(detail && { detail }), ...(field && { field }) }),
    {
      status,
      headers: { 'Content-Type': 'application/problem+json' },
    },
  );
}

/** Starts a fake platform that replaces the network. */
export function startPlatform(options: Partial<Platform> = {}): Platform {
  const sockets = new Set<FakeSocket>();
  const platform: Platform = {
    signedIn: true,
    sites: [site],
    drops: [],
    answer: () => [],
    live: true,
    ...options,
    queries: [],
    ended: [],
    send: (message) => {
      for (const socket of sockets) socket.receive(JSON.stringify(message));
    },
  };

  class FakeSocket extends EventTarget {
    constructor() {
      super();
      queueMicrotask(() => {
        if (platform.live) sockets.add(this);
        this.dispatchEvent(new Event(platform.live ? 'open' : 'close'));
      });
    }

    receive(data: string): void {
      this.dispatchEvent(new MessageEvent('message', { data }));
    }

    close(): void {
      sockets.delete(this);
    }
  }

  class RefusedEventSource extends EventTarget {
    static readonly CONNECTING = 0;
    readonly readyState = 2;

    constructor() {
      super();
      queueMicrotask(() => {
        this.dispatchEvent(new Event('error'));
      });
    }

    close(): void {
      // It is never open.
    }
  }

  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('EventSource', RefusedEventSource);
  vi.stubGlobal('fetch', (url: URL, init: RequestInit) =>
    Promise.resolve(handle(platform, url, init)),
  );
  return platform;
}

function handle(platform: Platform, url: URL, { method = 'GET', body }: RequestInit): Response {
  const json = (answer: unknown, status = 200) => new Response(JSON.stringify(answer), { status });
  const input: unknown = typeof body === 'string' ? JSON.parse(body) : undefined;
  const request = `${method} ${url.pathname}`;

  if (request === 'POST /function/dashboard/session') {
    if ((input as { token: string }).token !== secret) return problem(401, 'Wrong token');
    platform.signedIn = true;
    return new Response(null, { status: 204 });
  }
  if (!platform.signedIn) return problem(401, 'Not signed in');
  switch (request) {
    case 'GET /function/dashboard/session':
      return json({ role: 'owner' });
    case 'DELETE /function/dashboard/session':
    case 'DELETE /function/dashboard/sessions':
      platform.signedIn = false;
      platform.ended.push(url.pathname);
      return new Response(null, { status: 204 });
    case 'GET /function/admin/v1/sites':
      return json({ sites: platform.sites });
    case 'GET /function/admin/v1/status':
      return json({ drops: platform.drops });
    case 'POST /function/admin/v1/sites': {
      const wanted = input as Pick<Site, 'domain' | 'timezone'>;
      if (!wanted.domain.includes('.')) {
        return problem(
          422,
          'Bad input',
          'domain must be a host name such as example.com',
          'domain',
        );
      }
      const created: Site = { ...site, ...wanted, id: `s_${platform.sites.length + 1}` };
      platform.sites.push(created);
      return json(created, 201);
    }
    case 'POST /function/query/api/v2/query': {
      const query = input as Question;
      platform.queries.push(query);
      const answer = platform.answer(query);
      return answer instanceof Response ? answer : json({ results: answer, meta: metaOf(query) });
    }
    default:
      return problem(404, 'Not found', request);
  }
}

/** The labels of a question about days in UTC, by hours or by days. */
function metaOf({ date_range: range, dimensions = [], include }: Question): Meta {
  if (!include?.time_labels || typeof range === 'string') return {};
  const [from, to] = range;
  if (dimensions[0] === 'time:hour') {
    const hours = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'));
    return { time_labels: hours.map((hour) => `${from} ${hour}:00:00`) };
  }
  const labels: string[] = [];
  for (let day: string = from; day <= to; day = addDays(day, 1)) labels.push(day);
  return { time_labels: labels };
}
