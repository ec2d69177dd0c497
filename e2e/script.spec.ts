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

/**
 * A website whose paths begin with the extensions of the script: /outbound.forms/page. The
 * parameter html is added to a page. Events sent to /collect are kept, also those of a page
 * that is left.
 */
class Site {
  url = '';
  readonly collected: SentEvent[] = [];
  private readonly server: Server;

  constructor(platform: Platform) {
    const track = platform.function('track');
    this.server = createServer((request: IncomingMessage, response: ServerResponse) => {
      if (request.method === 'POST') {
        let body = '';
        request.on('data', (part: Buffer) => (body += part.toString()));
        request.on('end', () => {
          this.collected.push(JSON.parse(body) as SentEvent);
          response.writeHead(202).end();
        });
        return;
      }
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
  <script defer data-site="${platform.site}" ${searchParams.has('hash') ? 'data-hash' : ''} ${searchParams.has('tag') ? `data-tag="${searchParams.get('tag')}"` : ''} ${searchParams.has('collect') ? 'data-endpoint="/collect"' : ''} src="${track}script${name}.js"></script>
  ${searchParams.has('prerender') ? `<script type="speculationrules">{"prerender":[{"source":"list","urls":["/core/ahead"],"eagerness":"immediate"}]}</script>` : ''}
  ${searchParams.get('html') ?? ''}
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
  events: async ({ page, site }, use) => {
    const events = new Events(page);
    const thrown: string[] = [];
    page.on('pageerror', (error) => thrown.push(error.message));
    site.collected.length = 0;
    await use(events);
    expect(events.rejected).toEqual([]);
    expect(thrown).toEqual([]); // the script never throws
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
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
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
  const tries: { at: number; id: string; sent: number }[] = [];
  await page.route(/\/function\/track\/\?/, async (route) => {
    const sent = Number(new URL(route.request().url()).searchParams.get('sent_at'));
    tries.push({ at: Date.now(), id: sentBy(route.request()).id, sent });
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
  for (const { at, sent } of tries) expect(sent).toBeLessThanOrEqual(at);
  expect((tries[2]?.sent ?? 0) - (tries[1]?.sent ?? 0)).toBeGreaterThanOrEqual(2900);
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

for (const hours of [-30, -9, 9])
  test(`a clock that is ${hours} hours ahead does not move a view`, async ({
    page,
    platform,
    site,
    events,
  }) => {
    const path = `/core/clock${hours}`;
    await page.clock.setSystemTime(Date.now() + hours * 3_600_000);
    const began = Date.now();
    await page.goto(site.url + path);
    await events.wait(1, 'view');
    await platform.aggregate();
    const around = 5 * 60_000; // corrections have steps
    const { results } = await platform.query({
      site_id: platform.site,
      metrics: ['pageviews'],
      date_range: [began - around, Date.now() + around].map((at) => new Date(at).toISOString()),
      filters: [['is', 'event:page', [path]]],
    });
    expect(results[0]?.metrics).toEqual([1]);
  });

/** The address of a page with html added to it. */
const withHTML = (site: Site, path: string, html: string) =>
  `${site.url}${path}?${new URLSearchParams({ html }).toString()}`;

/** Loads a script as Turbo does: by adding its element again. */
async function load(page: Page, src: string, attributes: Record<string, string>): Promise<void> {
  await page.evaluate(
    ([src, attributes]) =>
      new Promise((resolve) => {
        const script = document.createElement('script');
        for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
        script.addEventListener('load', resolve);
        script.src = src;
        document.head.append(script);
      }),
    [src, attributes] as const,
  );
}

test('a script that is loaded or run again starts once', async ({
  page,
  platform,
  site,
  events,
}) => {
  const track = platform.function('track');
  const again = `<script defer data-site="${platform.site}" src="${track}script.outbound.js"></script>`;
  await page.goto(withHTML(site, '/outbound.engagement/first', again));
  await events.wait(1, 'view');
  for (const name of ['script.js', 'script.downloads.outbound.js'])
    await load(page, track + name, { 'data-site': platform.site });
  await page.evaluate(() => {
    history.pushState({}, '', '/core/second');
    document.title = 'second';
  });
  await events.wait(2, 'view');
  for (const id of ['#out', '#file', '#marked']) await page.click(id);
  await events.wait(1, 'click', 'Upgrade');
  await events.wait(1, 'click', 'Outbound Link: Click');
  await events.wait(1, 'click', 'File Download'); // an extension that was not there before
  await page.waitForLoadState('networkidle');
  expect(events.all.map((e) => e.type).sort()).toEqual([
    'click',
    'click',
    'click',
    'engagement',
    'view',
    'view',
  ]);
});

test('two sites on a page count their own events', async ({ page, platform, site, events }) => {
  const script = `${platform.function('track')}script.outbound.js`;
  await page.goto(`${site.url}/outbound/first`);
  await events.wait(1, 'view');
  const other = { 'data-site': 'other.example', 'data-endpoint': '/collect' };
  await load(page, script, other);
  await load(page, script, other);
  await page.evaluate(() => {
    history.pushState({}, '', '/core/second');
  });
  await page.click('#out');
  await events.wait(2, 'view');
  await events.wait(1, 'click', 'Outbound Link: Click');
  await expect.poll(() => site.collected.length).toBe(3);
  expect(site.collected.map((e) => e.type).sort()).toEqual(['click', 'view', 'view']);
  expect(new Set(site.collected.map((e) => e.site))).toEqual(new Set(['other.example']));
});

test('nothing that a page does makes the script throw', async ({ page, site, events }) => {
  const odd = `<form id="shadow" action="/shadow"><input name="getAttribute"><input name="closest"><input name="hasAttribute"></form>
    <form id="bad" action="http://["></form><form id="code" action="javascript:void 0"></form>
    <form name="title"></form><img name="referrer"><div id="analytics"></div>`;
  await page.goto(withHTML(site, '/downloads.engagement.forms.outbound.vitals/first', odd));
  await events.wait(1, 'view');
  await page.evaluate(() => {
    const text = document.querySelector('#marked')?.firstChild;
    for (const target of [document, window, text, new Text('loose'), document.createComment('')])
      for (const type of ['click', 'auxclick', 'submit', 'scroll', 'focus', 'visibilitychange'])
        target?.dispatchEvent(new Event(type, { bubbles: true }));
    for (const form of document.querySelectorAll('form'))
      for (const type of ['click', 'submit'])
        form.dispatchEvent(new Event(type, { bubbles: true }));
    const analytics = (window as unknown as { analytics: (...call: unknown[]) => void }).analytics;
    const circle: Record<string, unknown> = {};
    circle.props = circle;
    analytics('Circle', circle);
    analytics('Big', { props: { n: 1n } });
    analytics('Null', null);
    analytics(Symbol('s'));
  });
  await events.wait(1, 'conversion', 'Null');
  const forms = await events.wait(5, 'conversion', 'Form: Submission');
  expect(forms.map((e) => e.props?.path).sort()).toEqual([
    '/downloads.engagement.forms.outbound.vitals/first', // no address
    '/downloads.engagement.forms.outbound.vitals/first', // code
    '/downloads.engagement.forms.outbound.vitals/first', // the page itself
    '/shadow',
    '/signup',
  ]);
});

test('a page that a router of the navigation API shows is a view', async ({
  page,
  site,
  events,
}) => {
  await page.goto(`${site.url}/core/first`);
  await events.wait(1, 'view');
  await page.evaluate(async () => {
    const { navigation } = window as unknown as {
      navigation: EventTarget & { navigate(url: string): { finished: Promise<unknown> } };
    };
    navigation.addEventListener('navigate', (event) => {
      const { intercept } = event as Event & { intercept: (this: Event, options: object) => void };
      intercept.call(event, {
        handler: async () => {
          await new Promise((resolve) => setTimeout(resolve)); // as if it were loaded
          document.title = 'routed';
        },
      });
    });
    await navigation.navigate('/core/second').finished;
  });
  const [, view] = await events.wait(2, 'view');
  expect(view).toMatchObject({
    url: `${site.url}/core/second`,
    referrer: `${site.url}/core/first`,
    title: 'routed',
  });
});

test('the title is the one that a router sets after the address', async ({
  page,
  site,
  events,
}) => {
  await page.goto(`${site.url}/core/first?collect`);
  await expect.poll(() => site.collected.length).toBe(1);
  await page.evaluate(() => {
    history.pushState({}, '', '/core/second');
    setTimeout(() => (document.title = '\u{1F600}'.repeat(400)));
  });
  await expect.poll(() => site.collected.length).toBe(2);
  expect(site.collected[1]?.title).toBe('\u{1F600}'.repeat(400)); // track cuts it
  await page.evaluate(() => {
    history.pushState({}, '', '/core/third');
    document.title = 'third';
    location.assign('/core/fourth?collect'); // before the moment is over
  });
  await expect.poll(() => site.collected.length).toBe(4);
  expect(
    site.collected
      .slice(2)
      .map((e) => e.title)
      .sort(),
  ).toEqual(['fourth', 'third']);
  expect(events.all).toEqual([]);
});

test('analytics: a view by name, and nothing without a name', async ({ page, site, events }) => {
  await page.goto(`${site.url}/core/first?tag=b`);
  await events.wait(1, 'view');
  await page.evaluate(() => {
    const analytics = (window as unknown as { analytics: (...call: unknown[]) => void }).analytics;
    analytics();
    analytics('');
    analytics(undefined, { props: { plan: 'pro' } });
    analytics('pageview', { props: { plan: 'pro' } });
    analytics(undefined, { type: 'view', props: { plan: 'free' } }); // as before there was a name
    analytics('Last');
  });
  await events.wait(1, 'conversion', 'Last');
  const views = await events.wait(3, 'view');
  expect(views.map((e) => e.props?.plan).sort()).toEqual(['free', 'pro', undefined]);
  expect(events.all).toHaveLength(4);
});

test('outbound: a click on a link to another site', async ({ page, site, events }) => {
  await page.goto(`${site.url}/outbound/first`);
  await page.click('#out');
  await page.click('#file');
  const [click] = await events.wait(1, 'click', 'Outbound Link: Click');
  expect(click?.props).toEqual({ url: 'http://localhost:9/elsewhere' });
});

test('links in SVG images and areas of image maps', async ({ page, site, events }) => {
  const links = `<svg width="400" height="40">
      <a id="s1" href="http://localhost:9/svg?token=secret"><text y="20">SVG</text></a>
      <a id="s2" xlink:href="../files/drawing.pdf?token=secret"><text x="200" y="20">Old</text></a>
    </svg>
    <map name="m"><area id="a1" shape="rect" coords="0,0,20,20" href="http://localhost:9/area" />
      <area id="a2" shape="rect" coords="20,0,40,20" href="/files/map.zip" /></map>
    <img usemap="#m" width="40" height="20" src="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E" />
    <script>for (const link of document.querySelectorAll('svg a, area')) link.addEventListener('click', (e) => e.preventDefault());</script>`;
  await page.goto(withHTML(site, '/downloads.outbound/first', links));
  await events.wait(1, 'view');
  await page.evaluate(() => {
    for (const id of ['s1', 's2', 'a1', 'a2'])
      document
        .getElementById(id)
        ?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
  });
  const out = await events.wait(2, 'click', 'Outbound Link: Click');
  expect(out.map((e) => e.props?.url).sort()).toEqual([
    'http://localhost:9/area',
    'http://localhost:9/svg',
  ]);
  const files = await events.wait(2, 'click', 'File Download');
  expect(files.map((e) => e.props?.url).sort()).toEqual([
    `${site.url}/files/drawing.pdf`,
    `${site.url}/files/map.zip`,
  ]);
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

test('engagement: leaving a page sends it once', async ({ page, site, events }) => {
  await page.goto(`${site.url}/engagement/first?collect`);
  await expect.poll(() => site.collected.length).toBe(1);
  await page.evaluate(() => {
    addEventListener('pagehide', () => {
      const end = performance.now() + 20; // time passes while the page is left
      while (performance.now() < end);
    });
  });
  await page.goto(`${site.url}/core/next?collect`);
  await expect.poll(() => site.collected.map((e) => e.title)).toContain('next');
  expect(site.collected.map((e) => e.type).sort()).toEqual(['engagement', 'view', 'view']);
  expect(events.all).toEqual([]);
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
