/**
 * HTTP requests to the platform's functions, with the session cookie. URLs are relative to the page,
 * so that the dashboard works under any prefix. Every failure is an `ApiError`.
 */
import type { Answer, Question } from '@analytics-platform/types';
import type { NewSite, Problem, Session, Site, SiteList, Status } from './types';

/** A failed request. `status` is 0 if there was no response. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.detail ? `${problem.title}: ${problem.detail}` : problem.title);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
  }
}

/** The URL of a path of a function, for example of `api/v2/query` of `query`. */
export function functionUrl(name: string, path: string): URL {
  return new URL(`../${name}/${path}`, document.baseURI);
}

export function getSession(signal?: AbortSignal): Promise<Session> {
  return answer<Session>(functionUrl('dashboard', 'session'), { signal });
}

export async function signIn(token: string): Promise<void> {
  await send(functionUrl('dashboard', 'session'), { method: 'POST', body: { token } });
}

/** Ends the session of this browser, or all sessions. */
export async function signOut(which: 'here' | 'everywhere'): Promise<void> {
  const path = which === 'here' ? 'session' : 'sessions';
  await send(functionUrl('dashboard', path), { method: 'DELETE' });
}

export async function listSites(signal?: AbortSignal): Promise<readonly Site[]> {
  const { sites } = await answer<SiteList>(functionUrl('admin', 'v1/sites'), { signal });
  return sites;
}

export function createSite(site: NewSite): Promise<Site> {
  return answer<Site>(functionUrl('admin', 'v1/sites'), { method: 'POST', body: site });
}

export function getStatus(signal?: AbortSignal): Promise<Status> {
  return answer<Status>(functionUrl('admin', 'v1/status'), { signal });
}

export function queryStats(query: Question, signal?: AbortSignal): Promise<Answer> {
  return answer<Answer>(functionUrl('query', 'api/v2/query'), {
    method: 'POST',
    body: query,
    signal,
  });
}

interface Options {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

async function send(url: URL, { method = 'GET', body, signal }: Options): Promise<Response> {
  const headers = new Headers({ Accept: 'application/json' });
  const init: RequestInit = {
    method,
    credentials: 'same-origin',
    headers,
    signal: signal ?? null,
  };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    headers.set('Content-Type', 'application/json');
  }
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, {
      title: 'No answer from the server',
      detail: 'Check your connection, and that the platform is running.',
    });
  }
  if (!response.ok) throw new ApiError(response.status, await readProblem(response));
  return response;
}

async function answer<T>(url: URL, options: Options): Promise<T> {
  const response = await send(url, options);
  try {
    return (await response.json()) as T;
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new ApiError(response.status, {
      title: 'The answer is not JSON',
      detail: `${url.pathname} answered with something else: is a proxy in between?`,
    });
  }
}

async function readProblem(response: Response): Promise<Problem> {
  const fallback: Problem = {
    title: `The server answered ${response.status}`,
    detail: response.statusText,
  };
  const body: unknown = await response.json().catch(() => undefined);
  return isProblem(body) ? body : fallback;
}

function isProblem(body: unknown): body is Problem {
  return (
    typeof body === 'object' && body !== null && 'title' in body && typeof body.title === 'string'
  );
}
