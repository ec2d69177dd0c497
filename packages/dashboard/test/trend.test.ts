import { describe, expect, it } from 'vitest';
import type { Row } from '@analytics-platform/types';
import { overviewMetrics } from '../src/lib/metrics';
import { toTotals, toTrend } from '../src/lib/trend';

function row(at: string, visitors: number): Row {
  return { dimensions: [at], metrics: [visitors, 0, 0, 0, 0, 0] };
}

describe('toTotals', () => {
  it('returns the values of a row by name', () => {
    const metrics = [12, 15, 40, 2.67, 43.5, 98];
    expect(toTotals({ dimensions: [], metrics })).toEqual({
      visitors: 12,
      visits: 15,
      pageviews: 40,
      views_per_visit: 2.67,
      bounce_rate: 43.5,
      visit_duration: 98,
    });
  });

  it('counts missing values as 0', () => {
    const nothing = Object.fromEntries(overviewMetrics.map((metric) => [metric, 0]));
    expect(toTotals(undefined)).toEqual(nothing);
    expect(toTotals({ dimensions: [], metrics: [0, 0, 0, null, null, null] })).toEqual(nothing);
  });
});

describe('toTrend', () => {
  const now = new Date('2026-03-14T11:20:00Z');

  it('adds the days without data', () => {
    const period = { from: '2026-03-12', to: '2026-03-14' };
    const trend = toTrend(period, [row('2026-03-14', 3), row('2026-03-12', 7)], 'UTC', now);
    expect(trend.interval).toBe('time:day');
    expect(trend.points.map(({ at, totals, state }) => [at, totals.visitors, state])).toEqual([
      ['2026-03-12', 7, 'over'],
      ['2026-03-13', 0, 'over'],
      ['2026-03-14', 3, 'running'],
    ]);
  });

  it('marks the hours that are in the future at the site', () => {
    const period = { from: '2026-03-14', to: '2026-03-14' };
    const { points } = toTrend(period, [row('2026-03-14 12:00:00', 5)], 'Europe/Paris', now);
    expect(points).toHaveLength(24);
    expect(points[12]).toMatchObject({ at: '2026-03-14 12:00:00', state: 'running' });
    expect(points[12]?.totals.visitors).toBe(5);
    expect(points.filter(({ state }) => state === 'over')).toHaveLength(12);
    expect(points.filter(({ state }) => state === 'to-come')).toHaveLength(11);
  });

  it('has whole months even if the period begins inside one', () => {
    const period = { from: '2025-11-20', to: '2026-03-14' };
    const { interval, points } = toTrend(period, [row('2026-02-01', 9)], 'UTC', now);
    expect(interval).toBe('time:month');
    expect(points.map(({ at, totals, state }) => [at, totals.visitors, state])).toEqual([
      ['2025-11-01', 0, 'over'],
      ['2025-12-01', 0, 'over'],
      ['2026-01-01', 0, 'over'],
      ['2026-02-01', 9, 'over'],
      ['2026-03-01', 0, 'running'],
    ]);
  });
});
