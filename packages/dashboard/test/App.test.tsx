// @vitest-environment jsdom
import './dom';
import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../src/api/client';
import { createQueryClient } from '../src/api/queries';
import type { Question, Row } from '@analytics-platform/types';
import type { Metric } from '../src/api/types';
import { App } from '../src/App';
import { addDays, dayAt } from '../src/lib/days';
import { problem, secret, site, startPlatform } from './platform';

const today = dayAt(new Date(), 'UTC');

beforeEach(() => {
  window.history.replaceState(null, '', '/function/dashboard/');
});

function open(search = '', signInError?: unknown) {
  window.history.replaceState(null, '', `/function/dashboard/${search}`);
  render(
    <QueryClientProvider client={createQueryClient()}>
      <App signInError={signInError} />
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

const values: Readonly<Record<Metric, number>> = {
  visitors: 12_345,
  visits: 15_000,
  pageviews: 40_000,
  events: 41_000,
  views_per_visit: 2.67,
  bounce_rate: 40,
  visit_duration: 98,
};

/** The last 28 days have twice the visitors of the previous period, and more bounces. */
function visited(query: Question): Row[] {
  const row = (name: string | undefined, share: number): Row => ({
    dimensions: name === undefined ? [] : [name],
    metrics: query.metrics.map((metric) => {
      const earlier = query.date_range !== 'all' && query.date_range[1] < today;
      if (metric === 'bounce_rate') return earlier ? 36.5 : values.bounce_rate;
      return ((metric in values ? values[metric as Metric] : 0) * share) / (earlier ? 2 : 1);
    }),
  });
  switch (query.dimensions?.[0]) {
    case undefined:
      return [row(undefined, 1)];
    case 'time:day':
      return [row(today, 0.2), row(addDays(today, -1), 0.8)];
    case 'event:page':
      return [row('/', 0.6), row('/pricing', 0.2)];
    case 'visit:entry_page':
      return [row('/welcome', 1)];
    case 'event:name': // without the views
      return JSON.stringify(query.filters) === '[["is_not","event:name",["pageview"]]]'
        ? [row('Signup', 0.1)]
        : [row('pageview', 1), row('Signup', 0.1)];
    case 'visit:country':
      return [row('FR', 0.8), row('', 0.2)];
    default:
      return [];
  }
}

describe('signing in', () => {
  it('rejects a wrong token and accepts the right one', async () => {
    startPlatform({ signedIn: false, answer: visited });
    const user = open();
    await user.type(await screen.findByLabelText('Token'), 'a wrong token');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(await screen.findByRole('alert')).toHaveTextContent(/not the right one/);
    expect(screen.getByLabelText('Token')).toBeInvalid();

    await user.clear(screen.getByLabelText('Token'));
    await user.type(screen.getByLabelText('Token'), secret);
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(
      await screen.findByRole('heading', { name: 'Visits of example.com' }),
    ).toBeInTheDocument();
  });

  it('shows why the token in the URL was rejected', async () => {
    startPlatform({ signedIn: false });
    open('', new ApiError(503, { title: 'Not ready', detail: 'ADMIN_TOKEN is not set' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('ADMIN_TOKEN is not set');
  });

  it('is required again when the session has expired', async () => {
    const platform = startPlatform({ answer: visited });
    const user = open();
    await screen.findByTestId('metric-visitors');
    platform.signedIn = false;
    await user.click(await screen.findByRole('tab', { name: 'Entry pages' }));
    expect(await screen.findByLabelText('Token')).toBeInTheDocument();
  });

  it.each([
    ['Sign out', '/function/dashboard/session'],
    ['Sign out everywhere', '/function/dashboard/sessions'],
  ])('can be undone by: %s', async (name, ended) => {
    const platform = startPlatform({ answer: visited });
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Menu' }));
    await user.click(screen.getByRole('button', { name }));
    expect(await screen.findByLabelText('Token')).toBeInTheDocument();
    expect(platform.signedIn).toBe(false);
    expect(platform.ended).toEqual([ended]);
  });
});

describe('sites', () => {
  it('start with the first one, and its installation', async () => {
    const platform = startPlatform({ sites: [] });
    const user = open();
    const domain = await screen.findByLabelText('Domain');
    expect(screen.getByLabelText('Time zone')).toHaveValue('UTC');

    await user.type(domain, 'nonsense');
    await user.click(screen.getByRole('button', { name: 'Add site' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('domain must be a host name');
    expect(domain).toBeInvalid();

    await user.clear(domain);
    await user.type(domain, 'new.example');
    await user.click(screen.getByRole('button', { name: 'Add site' }));
    expect(await screen.findByRole('heading', { name: 'No visits yet' })).toBeInTheDocument();
    expect(screen.getByTestId('snippet')).toHaveTextContent(
      `<script defer data-site="new.example" src="${window.location.origin}/function/track/script.js"></script>`,
    );
    expect(platform.sites.map(({ domain: each }) => each)).toEqual(['new.example']);
    expect(window.location.search).toBe('?site=new.example');
  });

  it('can be selected', async () => {
    const other = { ...site, id: 's_2', domain: 'other.example' };
    const platform = startPlatform({ sites: [site, other], answer: visited });
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Site: example.com' }));
    await user.click(screen.getByRole('button', { name: 'other.example' }));
    expect(
      await screen.findByRole('heading', { name: 'Visits of other.example' }),
    ).toBeInTheDocument();
    await waitFor(() => {
      expect(platform.queries.at(-1)?.site_id).toBe('other.example');
    });
  });

  it('are not confused if the URL names an unknown one', async () => {
    startPlatform({ answer: visited });
    open('?site=gone.example');
    expect(
      await screen.findByRole('heading', { name: 'There is no site gone.example' }),
    ).toBeVisible();
    expect(screen.queryByTestId('metric-visitors')).not.toBeInTheDocument();
  });
});

describe('the overview', () => {
  it('shows exact values and their changes', async () => {
    startPlatform({ answer: visited });
    open();
    const visitors = await screen.findByTestId('metric-visitors');
    await waitFor(() => {
      expect(visitors).toHaveAttribute('data-value', '12345');
    });
    await waitFor(() => {
      expect(visitors).toHaveTextContent('12.3Kup 100%');
    });
    expect(screen.getByTitle('12,345')).toBeInTheDocument();
    const bounces = screen.getByTestId('metric-bounce_rate');
    expect(bounces).toHaveTextContent('40%up 3.5 pts');
    expect(bounces.querySelector('.change')).toHaveClass('bad');
    expect(screen.getByTestId('metric-visit_duration')).toHaveAttribute('data-value', '98');
  });

  it('requests the range and the previous one', async () => {
    const platform = startPlatform({ answer: visited });
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Range: Last 28 days' }));
    await user.click(screen.getByRole('button', { name: 'Last 7 days' }));
    expect(window.location.search).toBe('?range=7d');
    await waitFor(() => {
      const ranges = platform.queries.map((query) => query.date_range);
      expect(ranges).toContainEqual([addDays(today, -6), today]);
      expect(ranges).toContainEqual([addDays(today, -13), addDays(today, -7)]);
    });
  });

  it('charts the selected metric, with a table and keyboard support', async () => {
    startPlatform({ answer: visited });
    const user = open();
    await user.click(await screen.findByTestId('metric-pageviews'));
    expect(window.location.search).toBe('?metric=pageviews');
    const table = await screen.findByRole('table', { name: 'Pageviews over time' });
    const rows = within(table).getAllByRole('row');
    expect(rows).toHaveLength(29);
    expect(rows[28]).toHaveTextContent('8,000');

    const chart = screen.getByRole('slider', { name: 'Pageviews over time' });
    chart.focus();
    await user.keyboard('{End}{ArrowLeft}');
    expect(chart).toHaveAttribute('aria-valuenow', '26');
    expect(chart).toHaveAttribute('aria-valuetext', expect.stringContaining('32,000'));
    await user.keyboard('{Home}');
    expect(chart).toHaveAttribute('aria-valuenow', '0');
  });

  it('shows the error of the server, and can retry', async () => {
    const platform = startPlatform({
      answer: () => problem(500, 'Broken', 'The database is away'),
    });
    const user = open();
    const [note] = await screen.findAllByRole('alert');
    expect(note).toHaveTextContent('BrokenThe database is away');
    expect(screen.queryByText('No visits yet')).not.toBeInTheDocument();

    platform.answer = visited;
    const overview = screen.getByRole('region', { name: 'Overview' });
    await user.click(within(overview).getByRole('button', { name: 'Try again' }));
    await waitFor(() => {
      expect(screen.getByTestId('metric-visitors')).toHaveAttribute('data-value', '12345');
    });
  });
});

describe('the reports', () => {
  it('show values, bars and shares', async () => {
    startPlatform({ answer: visited });
    open();
    const report = await screen.findByTestId('report-pages');
    const rows = await within(report).findAllByTestId('row');
    expect(rows.map((row) => [row.dataset.label, row.dataset.value])).toEqual([
      ['/', '7407'],
      ['/pricing', '2469'],
    ]);
    await waitFor(() => {
      expect(rows[1]).toHaveTextContent('20%');
    });
    expect(rows[1]?.querySelector<HTMLElement>('.bar')?.style.width).toMatch(/^33\.3/);
    expect(
      within(screen.getByTestId('report-sources')).getByText('Nothing in this period'),
    ).toBeVisible();
  });

  it('name countries', async () => {
    startPlatform({ answer: visited });
    open();
    const report = await screen.findByTestId('report-locations');
    const rows = await within(report).findAllByTestId('row');
    expect(rows.map((row) => row.dataset.label)).toEqual(['France', 'Unknown']);
  });

  it('count custom events', async () => {
    startPlatform({ answer: visited });
    const user = open();
    const report = await screen.findByTestId('report-events');
    const row = await within(report).findByTestId('row');
    expect(row.dataset).toMatchObject({ label: 'Signup', value: '1234.5' });
    await user.click(within(report).getByRole('button', { name: 'Details of events' }));
    const dialog = await screen.findByRole('dialog', { name: 'Events' });
    const details = await within(dialog).findByTestId('details-row');
    expect(details).toHaveTextContent('Signup1,234.51,5004,100');
  });

  it('have tabs with arrow key navigation', async () => {
    startPlatform({ answer: visited });
    const user = open();
    const pages = await screen.findByRole('tab', { name: 'Pages' });
    await user.click(pages);
    await user.keyboard('{ArrowRight}');
    const entryPages = screen.getByRole('tab', { name: 'Entry pages' });
    expect(entryPages).toHaveFocus();
    expect(entryPages).toHaveAttribute('aria-selected', 'true');
    expect(await screen.findByText('/welcome')).toBeInTheDocument();
    await user.keyboard('{ArrowLeft}{ArrowLeft}');
    expect(screen.getByRole('tab', { name: 'Exit pages' })).toHaveFocus();
  });

  it('have details with search and paging beyond the first batch', async () => {
    const all = Array.from({ length: 510 }, (_, i) => `/page-${i + 1}`);
    startPlatform({
      answer: (query) => {
        if (!query.dimensions?.includes('event:page')) return visited(query);
        const { limit = 0, offset = 0 } = query.pagination ?? {};
        return all.slice(offset, offset + limit).map((page) => ({
          dimensions: [page],
          metrics: [5, 4, 3, page === '/page-1' ? null : 50, 61], // no visit began there
        }));
      },
    });
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Details of pages' }));
    expect(window.location.search).toBe('?details=event%3Apage');
    const dialog = await screen.findByRole('dialog', { name: 'Pages' });
    expect(await within(dialog).findAllByTestId('details-row')).toHaveLength(20);
    expect(dialog).toHaveTextContent('1–20 of 500+');
    expect(within(dialog).getAllByTestId('details-row')[0]).toHaveTextContent('/page-1543–1m 1s');
    await user.click(within(dialog).getByRole('button', { name: 'Next' }));
    expect(dialog).toHaveTextContent('21–40 of 500+');

    await user.type(within(dialog).getByRole('searchbox'), 'page-50');
    expect(dialog).toHaveTextContent('1–2 of 2+ (searched the first 500)');
    await user.click(within(dialog).getByRole('button', { name: 'More' }));
    await waitFor(() => {
      expect(dialog).toHaveTextContent('1–11 of 11');
    });
    expect(within(dialog).getByRole('button', { name: 'Next' })).toBeDisabled();

    await user.click(within(dialog).getByRole('button', { name: 'Close' }));
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
    expect(window.location.search).toBe('');
  });
});

describe('live', () => {
  const event = {
    time: new Date().toISOString(),
    type: 'view',
    name: '',
    page: '/pricing',
    source: 'Google',
    country: 'FR',
    browser: 'Chrome',
    os: 'macOS',
    device: 'Desktop',
  };

  it('shows the current visitors and their events', async () => {
    const platform = startPlatform({ answer: visited });
    open();
    const count = await screen.findByTestId('live-visitors');
    await waitFor(() => {
      expect(count).toHaveAttribute('data-status', 'live');
    });
    expect(count).not.toHaveAttribute('data-value');
    platform.send({ type: 'visitors', visitors: 1 });
    await waitFor(() => {
      expect(count).toHaveAttribute('data-value', '1');
    });
    expect(count).toHaveTextContent('1 current visitor');

    for (let i = 0; i < 25; i++) platform.send({ type: 'event', event });
    const items = await screen.findAllByTestId('live-event');
    expect(items).toHaveLength(20);
    expect(items[0]).toHaveTextContent('/pricingGoogle · France · Chrome · macOS');
  });

  it('makes the numbers refetch sooner while there are visitors', async () => {
    const platform = startPlatform();
    open();
    expect(await screen.findByRole('heading', { name: 'No visits yet' })).toBeInTheDocument();
    platform.answer = visited;
    platform.send({ type: 'visitors', visitors: 1 });
    await waitFor(() => {
      expect(screen.getByTestId('metric-visitors')).toHaveAttribute('data-value', '12345');
    });
    expect(screen.queryByRole('heading', { name: 'No visits yet' })).not.toBeInTheDocument();
    expect(await screen.findByText('/pricing')).toBeInTheDocument();
  });

  it('shows that it is disconnected, and can reconnect', async () => {
    const platform = startPlatform({ answer: visited, live: false });
    const user = open();
    const retry = await screen.findByRole('button', { name: 'Retry now' });
    expect(screen.getByTestId('live-visitors')).toHaveTextContent('Live: disconnected');
    platform.live = true;
    await user.click(retry);
    await waitFor(() => {
      expect(screen.getByTestId('live-visitors')).toHaveAttribute('data-status', 'live');
    });
    expect(screen.queryByRole('button', { name: 'Retry now' })).not.toBeInTheDocument();
  });
});

describe('menus', () => {
  it('close with Escape, which restores the focus', async () => {
    startPlatform({ answer: visited });
    const user = open();
    const button = await screen.findByRole('button', { name: 'Menu' });
    await user.click(button);
    expect(button).toHaveAttribute('aria-expanded', 'true');
    await user.tab();
    expect(screen.getByRole('button', { name: 'Add site' })).toHaveFocus();
    await user.keyboard('{Escape}');
    expect(button).toHaveFocus();
    expect(screen.queryByRole('button', { name: 'Add site' })).not.toBeInTheDocument();
  });

  it('show the snippet, which can be copied', async () => {
    startPlatform({ answer: visited });
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Menu' }));
    await user.click(screen.getByRole('button', { name: 'Install snippet' }));
    const copied = vi.spyOn(navigator.clipboard, 'writeText');
    await user.click(screen.getByRole('button', { name: 'Copy' }));
    expect(await screen.findByText('Copied')).toBeInTheDocument();
    expect(copied).toHaveBeenCalledWith(expect.stringContaining('data-site="example.com"'));
  });
});

describe('dropped events', () => {
  it('are shown with their reasons, without those of other sites', async () => {
    startPlatform({
      answer: visited,
      drops: [
        { site: 'example.com', reason: 'consent', events: 12 },
        { site: 'example.com', reason: 'bot_user_agent', events: 1_300 },
        { site: 'other.example', reason: 'consent', events: 9 },
        { site: '', reason: 'unknown_site', events: 2 },
      ],
    });
    const user = open();
    const note = await screen.findByTestId('drops');
    expect(note.querySelector('summary')).toHaveTextContent(
      '1,314 events were left out in the last 30 days',
    );
    await user.click(within(note).getByText(/were left out/));
    expect(
      within(note)
        .getAllByRole('definition')
        .map((d) => d.textContent),
    ).toEqual(['1,300', '12', '2']);
    expect(within(note).getByText(/as its user agent says/)).toBeVisible();
    expect(screen.queryByTestId('changes')).toBeNull();
  });

  it('are told from events that were counted without a part', async () => {
    startPlatform({
      answer: visited,
      drops: [
        { site: 'example.com', reason: 'consent', events: 12 },
        { site: 'example.com', reason: 'masked_email', events: 7 },
        { site: 'example.com', reason: 'masked_card', events: 1_000 },
        { site: 'example.com', reason: 'unproven_sender', events: 3 },
      ],
    });
    const user = open();
    const note = await screen.findByTestId('changes');
    expect(screen.getByTestId('drops').querySelector('summary')).toHaveTextContent(
      '12 events were left out in the last 30 days',
    );
    await user.click(within(note).getByText(/left out of counted events/));
    expect(
      within(note)
        .getAllByRole('definition')
        .map((d) => d.textContent),
    ).toEqual(['1,000', '7', '3']);
    expect(within(note).getByText('An e-mail address')).toBeVisible();
  });
});

it('remembers the selected theme', async () => {
  startPlatform({ signedIn: false });
  const user = open();
  await user.click(await screen.findByRole('button', { name: 'Theme: as the system' }));
  await user.click(screen.getByRole('button', { name: 'Theme: light' }));
  expect(document.documentElement).toHaveAttribute('data-theme', 'dark');
  expect(localStorage.getItem('analytics-theme')).toBe('dark');
});
