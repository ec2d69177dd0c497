import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

import { expect, type Page, type Request } from '@playwright/test';

import { testTimeout, Platform, test as base } from './platform.js';

/** An event that the script sends. */
interface SentEvent {
  id: string;
  site: string;
  type: string;
  name?: string;
  url: string;
  referrer: string;
  title: string;
  screen: string;
  tag?: string;
  consent: boolean;
  props?: Record<string, string | number>;
  passive?: boolean;
  engaged?: number;
  scroll?: number;
}

const sentBy = (request: Request) => JSON.parse(request.postData() ?? '{}') as SentEvent;
const isEvent = (request: Request) =>
  request.method() === 'POST' && request.url().includes('/function/track/');

/**
 * Collects the events of a page that track accepts. A rejected event fails the test. The browser
 * reports no responses of a page after leaving it, so wait for its events before.
 */
class Events {
  readonly all: SentEvent[] = [];
  readonly rejected: string[] = [];

  constructor(page: Page) {
    page.context().on('response', (response) => {
      if (!isEvent(response.request())) return;
      if (response.status() === 202) this.all.push(sentBy(response.request()));
      else this.rejected.push(`${response.status()} ${response.request().postData() ?? ''}`);
    });
  }

  of(type: string, name?: string): SentEvent[] {
    return this.all.filter((e) => e.type === type && e.name === name);
  }

  paths(type = 'view'): string[] {
    return this.all.filter((e) => e.type === type).map((e) => new URL(e.url).pathname);
  }

  /** Waits until n events of a type have arrived, and returns them. */
  async wait(n: number, type: string, name?: string): Promise<SentEvent[]> {
    await expect.poll(() => this.of(type, name).length).toBe(n);
    expect(this.rejected).toEqual([]);
    return this.of(type, name);
  }
}

/** A website whose paths begin with the extensions of the script: /outbound.forms/page. */
class Site {
  url = '';
  private readonly server: Server;

  constructor(platform: Platform) {
    const track = platform.function('track');
    this.server = createServer((request: IncomingMessage, response: ServerResponse) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site.example');
      const [, extensions = 'core', page = ''] = pathname.split('/');
      const name = extensions === 'core' ? '' : `.${extensions}`;
      response.statusCode = page === 'missing' ? 404 : 200;
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(`<!doctype html>
<html lang="en">
  <title>${page}</title>
  <link rel="icon" href="data:," />
  ${searchParams.has('queue') ? `<script>window.analytics=window.analytics||function(){(analytics.q=analytics.q||[]).push(arguments)};analytics('Early',{props:{plan:'free'}})</script>` : ''}
  <script defer data-site="${platform.site}" ${searchParams.has('hash') ? 'data-hash' : ''} ${searchParams.has('tag') ? `data-tag="${searchParams.get('tag')}"` : ''} src="${track}script${name}.js"></script>
  ${searchParams.has('prerender') ? `<script type="speculationrules">{"prerender":[{"source":"list","urls":["/core/ahead"],"eagerness":"immediate"}]}</script>` : ''}
  <a id="next" href="/core/next">Next</a>
  <a id="ahead" href="/core/ahead">Ahead</a>
  <a id="route" href="#/settings?token=secret">Settings</a>
  <a id="out" href="http://localhost:9/elsewhere?token=secret#here">Out</a>
  <a id="file" href="/files/report.pdf?token=secret">Report</a>
  <a id="saved" href="/files/picture" download>Picture</a>
  <button data-analytics-event="Upgrade" data-analytics-prop-plan="pro" data-analytics-prop-plan-term="year"><b id="marked">Upgrade</b></button>
  <form action="/signup?token=secret"><input name="action" value="private" /><button id="submit">Send</button></form>
  <div style="height: 4000px"></div>
  <script>
    for (const id of ['out', 'file', 'saved']) document.getElementById(id).addEventListener('click', (e) => e.preventDefault());
    document.forms[0].addEventListener('submit', (e) => e.preventDefault());
  </script>
</html>`);
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const test = base.extend<{ events: Events }, { platform: Platform; site: Site }>({
  platform: [
    async ({ gateway }, use) => {
      const platform = await Platform.start('plain', gateway);
      await use(platform);
      expect(await platform.stop()).toBe(0);
    },
    { scope: 'worker', timeout: testTimeout },
  ],
  site: [
    async ({ platform }, use) => {
      const site = await new Site(platform).start();
      await use(site);
      await site.stop();
    },
    { scope: 'worker' },
  ],
  events: async ({ page }, use) => {
    const events = new Events(page);
    await use(events);
    expect(events.rejected).toEqual([]);
  },
});

/** Hides the page as if another tab were opened. */
async function hide(page: Page): Promise<void> {
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
}

test('a view has the page and its attributes', async ({ page, platform, site, events }) => {
  const began = Date.now();
  await page.goto(`${site.url}/core/first?utm_source=letter#part`);
  const [view] = await events.wait(1, 'view');
  expect(view).toEqual({
    id: expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    ) as unknown,
    site: platform.site,
    type: 'view',
    url: `${site.url}/core/first?utm_source=letter`,
    referrer: '',
    title: 'first',
    language: 'en-US',
    screen: '1440x1000',
    consent: false,
  });
  const made = parseInt((view?.id ?? '').replace('-', '').slice(0, 12), 16);
  expect(made).toBeGreaterThanOrEqual(began);
  expect(made).toBeLessThanOrEqual(Date.now());
});

test('events have the tag of the page', async ({ page, site, events }) => {
  await page.goto(`${site.url}/core/first?tag=b`);
  const [view] = await events.wait(1, 'view');
  expect(view?.tag).toBe('b');
});

test('a change of the path is a view', async ({ page, site, events }) => {
  // Wait for each view, since concurrent ones may arrive in any order.
  await page.goto(`${site.url}/core/first`);
  await events.wait(1, 'view');
  await page.evaluate(() => {
    history.replaceState({}, '', '?sorted=1'); // the same page
    history.pushState({}, '', '/core/second');
  });
  await events.wait(2, 'view');
  await page.evaluate(() => {
    history.replaceState({}, '', '/core/third');
    history.pushState({}, '', '#part');
  });
  await events.wait(3, 'view');
  await page.goBack(); // from #part
  await page.goBack(); // to the first
  await events.wait(4, 'view');
  expect(events.paths()).toEqual(['/core/first', '/core/second', '/core/third', '/core/first']);
  expect(events.all[1]?.referrer).toBe(`${site.url}/core/first`);
});

test('events have consent once the page sets data-consent', async ({ page, site, events }) => {
  await page.goto(`${site.url}/core/first`);
  await events.wait(1, 'view');
  await page.evaluate(() => {
    document.querySelector('script[data-site]')?.setAttribute('data-consent', '');
    history.pushState({}, '', '/core/second');
  });
  expect((await events.wait(2, 'view')).map((e) => e.consent)).toEqual([false, true]);
});

test('with data-hash, routes after # are pages', async ({ page, site, events }) => {
  await page.goto(`${site.url}/core/app?hash`);
  await page.click('#route');
  await events.wait(2, 'view');
  expect(events.paths()).toEqual(['/core/app/', '/core/app/settings']);
  expect(JSON.stringify(events.all)).not.toContain('secret');
});

test('custom events are queued until the script is loaded', async ({ page, site, events }) => {
  await page.goto(`${site.url}/core/first?queue`);
  const [early] = await events.wait(1, 'conversion', 'Early');
  expect(early?.props).toEqual({ plan: 'free' });
  await page.evaluate(() => {
    const { analytics } = window as unknown as { analytics: (...call: unknown[]) => void };
    analytics('Bought', { value: { amount: 12.5, currency: 'EUR' } });
    analytics('Paid', { type: 'funnel_step', funnel: { id: 'buy', step: 2 } });
  });
  expect(await events.wait(1, 'conversion', 'Bought')).toMatchObject([
    { value: { amount: 12.5, currency: 'EUR' } },
  ]);
  await events.wait(1, 'funnel_step', 'Paid');
});

test('a click on a marked element is an event', async ({ page, site, events }) => {
  await page.goto(`${site.url}/core/first`);
  await page.click('#marked');
  const [click] = await events.wait(1, 'click', 'Upgrade');
  expect(click?.props).toEqual({ plan: 'pro', 'plan-term': 'year' });
});

for (const [name, value] of [
  ['doNotTrack', '1'],
  ['globalPrivacyControl', true],
] as const)
  test(`sends nothing with ${name}`, async ({ page, site }) => {
    await page.addInitScript(([name, value]) => Object.defineProperty(navigator, name, { value }), [
      name,
      value,
    ] as const);
    const sent: string[] = [];
    page.on('request', (request) => {
      if (isEvent(request)) sent.push(request.url());
    });
    await page.goto(`${site.url}/404.downloads.engagement.forms.outbound.vitals/missing?queue`);
    for (const id of ['#marked', '#out', '#file', '#submit']) await page.click(id);
    await page.goto('about:blank', { waitUntil: 'networkidle' });
    expect(sent).toEqual([]);
  });

test('a retry after Retry-After sends the same event', async ({ page, site }) => {
  const tries: { at: number; id: string }[] = [];
  await page.route('**/function/track/', async (route) => {
    tries.push({ at: Date.now(), id: sentBy(route.request()).id });
    if (tries.length === 1) await route.abort('connectionreset');
    else if (tries.length === 2)
      await route.fulfill({
        status: 503,
        headers: {
          'Retry-After': '3',
          'Access-Control-Allow-Origin': '*',
          'Access-Control-Expose-Headers': 'Retry-After',
        },
      });
    else await route.continue();
  });
  const [response] = await Promise.all([
    page.waitForResponse((r) => isEvent(r.request()) && r.status() === 202),
    page.goto(`${site.url}/core/first`),
  ]);
  expect(sentBy(response.request()).id).toBe(tries[0]?.id);
  expect(new Set(tries.map((t) => t.id)).size).toBe(1);
  expect(tries).toHaveLength(3);
  expect((tries[2]?.at ?? 0) - (tries[1]?.at ?? 0)).toBeGreaterThanOrEqual(2900);
});

// Chromium may decide not to prerender the page; the next test does not depend on that.
test('a prerendered page is viewed when it is shown', async ({ page, site, events }) => {
  await page.goto(`${site.url}/core/first?prerender`);
  await events.wait(1, 'view');
  await page.waitForLoadState('networkidle');
  expect(events.paths()).toEqual(['/core/first']);
  await page.click('#ahead');
  await expect.poll(() => events.paths()).toEqual(['/core/first', '/core/ahead']);
});

test('sends nothing before prerenderingchange', async ({ page, site, events }) => {
  await page.addInitScript(() =>
    Object.defineProperty(document, 'prerendering', { value: true, configurable: true }),
  );
  await page.goto(`${site.url}/core/first?queue`, { waitUntil: 'networkidle' });
  expect(events.all).toEqual([]);
  await page.evaluate(() => {
    Object.defineProperty(document, 'prerendering', { value: false });
    document.dispatchEvent(new Event('prerenderingchange'));
  });
  await events.wait(1, 'view');
  await events.wait(1, 'conversion', 'Early');
});

// Playwright disables the back/forward cache, so the test dispatches its event.
test('a page restored from the back/forward cache is viewed again', async ({
  page,
  site,
  events,
}) => {
  await page.goto(`${site.url}/core/first`);
  await events.wait(1, 'view');
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow')));
  await page.evaluate(() =>
    dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })),
  );
  const [, again] = await events.wait(2, 'view');
  expect(again?.url).toBe(`${site.url}/core/first`);
});

test('outbound: a click on a link to another site', async ({ page, site, events }) => {
  await page.goto(`${site.url}/outbound/first`);
  await page.click('#out');
  await page.click('#file');
  const [click] = await events.wait(1, 'click', 'Outbound Link: Click');
  expect(click?.props).toEqual({ url: 'http://localhost:9/elsewhere' });
});

test('downloads: a click on a link to a file', async ({ page, site, events }) => {
  await page.goto(`${site.url}/downloads/first`);
  for (const id of ['#out', '#file', '#saved']) await page.click(id);
  const clicks = await events.wait(2, 'click', 'File Download');
  expect(clicks.map((e) => e.props?.url).sort()).toEqual([
    `${site.url}/files/picture`,
    `${site.url}/files/report.pdf`,
  ]);
});

test('forms: the action of a form without its fields', async ({ page, site, events }) => {
  await page.goto(`${site.url}/forms/first`);
  await page.click('#submit');
  const [submission] = await events.wait(1, 'conversion', 'Form: Submission');
  expect(submission?.props).toEqual({ path: '/signup' });
});

test('404: a missing page', async ({ page, site, events }) => {
  await page.goto(`${site.url}/404/first`);
  await events.wait(1, 'view');
  await page.goto(`${site.url}/404/missing`);
  const [missing] = await events.wait(1, 'conversion', '404');
  expect(missing).toMatchObject({ passive: true, props: { path: '/404/missing' } });
  expect(await events.wait(2, 'view')).toHaveLength(2);
});

test('engagement: time and scroll depth', async ({ page, site, events }) => {
  const began = Date.now();
  await page.goto(`${site.url}/engagement/first`);
  await page.evaluate(() => {
    scrollTo(0, document.documentElement.scrollHeight);
  });
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  await page.evaluate(() => {
    history.pushState({}, '', '/engagement/second');
  });
  const [first] = await events.wait(1, 'engagement');
  expect(first).toMatchObject({ url: `${site.url}/engagement/first`, scroll: 100 });
  expect(first?.engaged).toBeGreaterThan(100);
  expect(first?.engaged).toBeLessThanOrEqual(Date.now() - began);
  await hide(page);
  const [, second] = await events.wait(2, 'engagement');
  expect(second?.url).toBe(`${site.url}/engagement/second`);
  await page.goto('about:blank'); // it was hidden before, so nothing is left to send
  expect(events.of('engagement')).toHaveLength(2);
});

test('vitals: sent once, when the page is hidden', async ({ page, site, events }) => {
  await page.goto(`${site.url}/vitals/first`);
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const observer = new PerformanceObserver(() => {
          resolve();
        });
        observer.observe({ type: 'largest-contentful-paint', buffered: true }); // none is reported after a click
      }),
  );
  await page.click('#marked');
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
  await hide(page);
  await hide(page);
  const [vitals] = await events.wait(1, 'conversion', 'Web Vitals');
  expect(vitals?.passive).toBe(true);
  expect(vitals?.props).toMatchObject({
    LCP: expect.any(Number),
    CLS: expect.any(Number),
    TTFB: expect.any(Number),
  });
});
