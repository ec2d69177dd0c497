// @vitest-environment jsdom
import { act, renderHook } from '@testing-library/react';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { formatView, parseView, show, useView, type View } from '../src/lib/view';

test.each<[string, View]>([
  ['', { range: '28d', metric: 'visitors' }],
  ['?site=example.com', { site: 'example.com', range: '28d', metric: 'visitors' }],
  ['?range=12mo&metric=bounce_rate', { range: '12mo', metric: 'bounce_rate' }],
  [
    '?from=2026-01-01&to=2026-01-31',
    { range: { from: '2026-01-01', to: '2026-01-31' }, metric: 'visitors' },
  ],
  [
    '?site=a.example&range=7d&details=visit%3Asource',
    { site: 'a.example', range: '7d', metric: 'visitors', details: 'visit:source' },
  ],
])('%s', (search, view) => {
  expect(parseView(search)).toEqual(view);
  expect(formatView(view)).toBe(search);
});

it('uses the default for invalid values', () => {
  const view = parseView('?range=toString&metric=constructor&details=x&from=2026-02-01&to=soon');
  expect(view).toEqual({ range: '28d', metric: 'visitors' });
});

describe('useView', () => {
  beforeEach(() => {
    window.history.replaceState(null, '', '/function/dashboard/');
  });

  it('follows changes and the back button', async () => {
    const { result } = renderHook(useView);
    act(() => {
      show({ range: '7d' });
    });
    act(() => {
      show({ site: 'example.com' });
    });
    expect(result.current).toMatchObject({ range: '7d', site: 'example.com' });
    expect(window.location.search).toBe('?site=example.com&range=7d');

    await act(async () => {
      const arrived = new Promise((resolve) => {
        window.addEventListener('popstate', resolve, { once: true });
      });
      window.history.back();
      await arrived;
    });
    expect(result.current).toMatchObject({ range: '7d', site: undefined });
  });

  it('adds no history entry for the same view', () => {
    const length = window.history.length;
    show({ range: '28d' });
    expect(window.history).toHaveLength(length);
  });
});
