import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

import { expect } from '@playwright/test';
import { Analytics } from '@segment/analytics-node';

import { testTimeout, Platform, test } from './platform.js';

// Published third-party trackers send events to the platform, and the tests query the results.

const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0';

/** Serves a page with a module script, and Plausible's tracker. */
async function serve(script: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const tracker = await readFile(
    fileURLToPath(import.meta.resolve('@plausible-analytics/tracker')),
  );
  const server = createServer((request, response) => {
    if (request.url === '/plausible.js') {
      response.setHeader('content-type', 'text/javascript; charset=utf-8');
      response.end(tracker);
      return;
    }
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html>
<html lang="en">
  <title>A page</title>
  <script type="module">${script}</script>
  <div style="height: 3000px"></div>
  <button class="plausible-event-name=Tagged plausible-event-plan=pro" style="position: fixed; top: 0">Tagged</button>
</html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test.describe('third-party trackers', () => {
  let platform: Platform;

  test.beforeAll(async ({ gateway }) => {
    platform = await Platform.start('plain', gateway);
  });

  test.afterAll(async () => {
    expect(await platform.stop()).toBe(0);
  });

  /** Stores the queued events, and returns a metric by the values of a dimension. */
  async function counted(dimension: string, metric: string): Promise<Record<string, number>> {
    await platform.aggregate();
    const { results } = await platform.query({
      site_id: platform.site,
      metrics: [metric],
      date_range: 'day',
      dimensions: [dimension],
    });
    return Object.fromEntries(
      results.map((row): [string, number] => [row.dimensions[0] ?? '', row.metrics[0] ?? 0]),
    );
  }

  test('Plausible’s npm package tracks views, events and engagement', async ({ page }) => {
    const website = await serve(`
      import { init, track } from '/plausible.js';
      init({ domain: '${platform.site}', endpoint: '${platform.function('track')}api/event', captureOnLocalhost: true });
      window.order = () => new Promise((callback) =>
        track('Order', { props: { plan: 'pro' }, revenue: { amount: 12.5, currency: 'EUR' }, callback }));
    `);
    const sent: string[] = [];
    const statuses: [number, string | null][] = [];
    page.on('response', (response) => {
      if (!response.url().endsWith('/api/event')) return;
      sent.push((response.request().postDataJSON() as { n: string }).n);
      statuses.push([response.status(), response.headers()['x-plausible-dropped'] ?? null]);
    });
    await page.goto(`${website.url}/plausible`);
    await expect.poll(() => sent).toEqual(['pageview']);
    expect(
      await page.evaluate(() => (window as unknown as { order(): Promise<unknown> }).order()),
    ).toEqual({ status: 202 });
    await page.click('button');
    await page.evaluate(() => {
      window.scrollTo(0, 2000);
      history.pushState({}, '', '/plausible/next');
    });
    await expect.poll(() => sent.filter((name) => name === 'pageview').length).toBe(2);
    await expect // responses may arrive in any order
      .poll(() => new Set(sent))
      .toEqual(new Set(['pageview', 'Order', 'Tagged', 'engagement']));
    expect(new Set(statuses.map(String))).toEqual(new Set(['202,']));
    await website.stop();

    const pages = await counted('event:page', 'pageviews');
    expect([pages['/plausible'], pages['/plausible/next']]).toEqual([1, 1]);
    const names = await counted('event:name', 'events');
    expect([names.Order, names.Tagged]).toEqual([1, 1]);
  });

  test('Umami’s script tracks views and events', async ({ page }) => {
    const website = await serve('');
    await page.goto(`${website.url}/umami`);
    // The request of Umami 3.1, whose script is not on the npm registry.
    const answers = await page.evaluate(
      async ({ endpoint, site }) => {
        let cache: string | undefined;
        const answers: unknown[] = [];
        for (const name of [undefined, 'Umami event']) {
          const response = await fetch(endpoint, {
            keepalive: true,
            method: 'POST',
            body: JSON.stringify({
              type: 'event',
              payload: {
                website: site,
                screen: `${screen.width}x${screen.height}`,
                language: navigator.language,
                title: document.title,
                hostname: location.hostname,
                url: location.href,
                referrer: document.referrer,
                name,
              },
            }),
            headers: {
              'Content-Type': 'application/json',
              ...(cache !== undefined && { 'x-umami-cache': cache }),
            },
            credentials: 'omit',
          });
          const answer = (await response.json()) as { cache: string };
          ({ cache } = answer);
          answers.push(answer);
        }
        return answers;
      },
      { endpoint: `${platform.function('track')}api/send`, site: platform.site },
    );
    expect(answers).toHaveLength(2);
    for (const answer of answers) expect(answer).toHaveProperty('cache', 'none');
    await website.stop();

    expect((await counted('event:page', 'pageviews'))['/umami']).toBe(1);
    expect((await counted('event:name', 'events'))['Umami event']).toBe(1);
  });

  test('pages may send events with credentials', async ({ page }) => {
    const website = await serve('');
    await page.goto(`${website.url}/credentials`);
    const track = platform.function('track');
    const bodies: Record<string, object> = {
      'api/send': {
        type: 'event',
        payload: {
          website: platform.site,
          hostname: 'localhost',
          url: '/credentials',
          name: 'With credentials',
        },
      },
      'api/event': { n: 'With credentials', d: platform.site, u: `${website.url}/credentials` },
      'v1/track': {
        writeKey: platform.site,
        event: 'With credentials',
        context: { page: { url: `${website.url}/credentials` } },
      },
      '': {
        site: platform.site,
        type: 'conversion',
        name: 'With credentials',
        url: `${website.url}/credentials`,
      },
    };
    for (const [path, body] of Object.entries(bodies)) {
      // Umami's script does so with data-fetch-credentials="include".
      const ok = await page.evaluate(
        async ([url, body]) =>
          (
            await fetch(url, {
              method: 'POST',
              headers: { 'Content-Type': 'application/json' },
              credentials: 'include',
              body,
            })
          ).ok,
        [track + path, JSON.stringify(body)] as const,
      );
      expect(ok, path).toBe(true);
    }
    await website.stop();
    const names = await counted('event:name', 'events');
    expect(names['With credentials']).toBe(4);
  });

  test('Segment’s Node.js library tracks on behalf of clients', async () => {
    const track = new URL(platform.function('track'));
    const writeKey = await platform.createWriteKey();
    // track looks for an unknown key at most once a second.
    const headers = {
      authorization: `Basic ${btoa(`${writeKey}:`)}`,
      'content-type': 'application/json',
    };
    await expect
      .poll(async () => {
        const body = JSON.stringify({ userId: 'someone' });
        return (await fetch(`${track}v1/identify`, { method: 'POST', headers, body })).status;
      })
      .toBe(200);
    const analytics = new Analytics({
      writeKey,
      host: track.origin,
      path: `${track.pathname}v1/batch`,
    });
    const failed: unknown[] = [];
    analytics.on('error', (error) => failed.push(error));
    const context = {
      ip: '203.0.113.9',
      userAgent: agent,
      page: { url: 'http://localhost/segment', title: 'Segment' },
    };
    analytics.page({ userId: 'someone', context });
    analytics.track({
      userId: 'someone',
      event: 'Segment event',
      properties: { revenue: 12.5, currency: 'EUR' },
      context,
    });
    analytics.identify({ userId: 'someone', traits: { plan: 'pro' } });
    await analytics.closeAndFlush({ timeout: testTimeout });
    expect(failed).toEqual([]);

    expect((await counted('event:page', 'pageviews'))['/segment']).toBe(1);
    expect((await counted('event:name', 'events'))['Segment event']).toBe(1);
    expect((await counted('visit:browser', 'visitors')).Firefox).toBe(1);
  });
});
