import { expect, type Page } from '@playwright/test';

import { Platform, test, Website, type Database } from './platform.js';

const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0';

/** Performs an action, and resolves when track has accepted its event. */
async function accepted(page: Page, act: () => Promise<unknown>): Promise<void> {
  const [response] = await Promise.all([
    page.waitForResponse(
      (r) => r.request().method() === 'POST' && r.url().includes('/function/track/'),
    ),
    act(),
  ]);
  expect(response.status()).toBe(202);
  expect(await response.json()).toEqual({ accepted: 1 });
}

for (const database of ['plain', 'timescaledb'] satisfies Database[]) {
  test.describe(`on ${database}`, () => {
    let platform: Platform;
    let website: Website;

    test.beforeAll(async ({ gateway }) => {
      platform = await Platform.start(database, gateway);
      if (gateway !== 'given')
        expect((await platform.timescaledb()) !== '').toBe(database === 'timescaledb');
      website = await Website.start(platform);
    });

    test.afterAll(async () => {
      await website.stop();
      expect(await platform.stop()).toBe(0);
    });

    test('the dashboard shows a visit in a real browser', async ({ page }) => {
      await accepted(page, () => page.goto(`${website.url}/`));
      await accepted(page, () => page.click('#pricing'));
      await accepted(page, () => page.click('#about'));
      await accepted(page, () => page.click('#signup'));

      await page.goto(platform.dashboard);
      await expect(page.getByRole('heading', { name: /sign in/i })).toBeVisible();
      await page.goto(`${platform.dashboard}#token=${platform.token}`); // changes the fragment only
      const number = (name: string) => page.getByTestId(name);
      await expect(number('metric-pageviews')).toHaveAttribute('data-value', '3');
      await expect(number('metric-visitors')).toHaveAttribute('data-value', '1');
      await expect(number('metric-visits')).toHaveAttribute('data-value', '1');
      await expect(number('metric-bounce_rate')).toHaveAttribute('data-value', '0');
      await expect(number('live-visitors')).toHaveAttribute('data-value', '1');

      const rows = (report: string) =>
        page
          .getByTestId(`report-${report}`)
          .getByTestId('row')
          .evaluateAll((all) => all.map((row) => [row.dataset.label, row.dataset.value]));
      // Each report has its own request, which may be earlier than the last event.
      await expect
        .poll(async () => (await rows('pages')).sort())
        .toEqual([
          ['/', '1'],
          ['/about', '1'],
          ['/pricing', '1'],
        ]);
      await expect.poll(() => rows('sources')).toEqual([['Direct / None', '1']]);
      await expect.poll(() => rows('events')).toEqual([['Signup', '1']]);
      expect(page.url()).not.toContain(platform.token);

      const { results } = await platform.query({
        site_id: platform.site,
        metrics: ['visitors', 'visits', 'pageviews', 'events', 'views_per_visit'],
        date_range: 'day',
      });
      expect(results).toEqual([{ dimensions: [], metrics: [1, 1, 3, 4, 3] }]);
    });

    test('a visitor who asks not to be tracked is not tracked', async ({ browser }) => {
      for (const header of ['DNT', 'Sec-GPC']) {
        const response = await fetch(platform.function('track'), {
          method: 'POST',
          headers: { [header]: '1', 'user-agent': agent },
          body: JSON.stringify({
            site: platform.site,
            type: 'view',
            url: 'http://localhost/refused',
          }),
        });
        expect(response.status).toBe(202);
        expect(await response.json()).toEqual({
          accepted: 0,
          dropped: [{ index: 0, reason: 'consent' }],
        });
      }
      const context = await browser.newContext();
      await context.addInitScript(() => {
        Object.defineProperty(navigator, 'globalPrivacyControl', { value: true });
      });
      const page = await context.newPage();
      const sent: string[] = [];
      page.on('request', (request) => {
        if (request.method() === 'POST') sent.push(request.url());
      });
      await page.goto(`${website.url}/refused`, { waitUntil: 'networkidle' });
      await page.click('#signup');
      await context.close();
      expect(sent).toEqual([]);

      const { events } = await platform.aggregate();
      expect(events).toBe(0);
      const { results } = await platform.query({
        site_id: platform.site,
        metrics: ['events'],
        date_range: 'all',
        dimensions: ['event:page'],
      });
      expect(results.map((row) => row.dimensions[0])).not.toContain('/refused');
    });
  });
}
