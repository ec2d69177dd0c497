import { describe, expect, it } from 'vitest';
import type { Row } from '@analytics-platform/types';
import { overviewMetrics } from '../src/lib/metrics';
import { toTotals, toTrend, type Trend } from '../src/lib/trend';

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
  const hours = (day: string, all: readonly number[]) =>
    all.map((hour) => `${day} ${String(hour).padStart(2, '0')}:00:00`);
  const states = (trend: Trend) => trend.points.map(({ state }) => state);

  it('adds the days without data', () => {
    const labels = ['2026-03-12', '2026-03-13', '2026-03-14'];
    const period = { from: '2026-03-12', to: '2026-03-14' };
    const rows = [row('2026-03-14', 3), row('2026-03-12', 7)];
    const trend = toTrend(period, labels, rows, 'UTC', now);
    expect(trend.interval).toBe('time:day');
    expect(trend.points.map(({ at, totals, state }) => [at, totals.visitors, state])).toEqual([
      ['2026-03-12', 7, 'over'],
      ['2026-03-13', 0, 'over'],
      ['2026-03-14', 3, 'running'],
    ]);
  });

  it('marks the hours that are in the future at the site', () => {
    const period = { from: '2026-03-14', to: '2026-03-14' };
    const labels = hours(period.from, [...Array(24).keys()]);
    const rows = [row('2026-03-14 12:00:00', 5)];
    const { points } = toTrend(period, labels, rows, 'Europe/Paris', now);
    expect(points).toHaveLength(24);
    expect(points[12]).toMatchObject({ at: '2026-03-14 12:00:00', state: 'running' });
    expect(points[12]?.totals.visitors).toBe(5);
    expect(points.filter(({ state }) => state === 'over')).toHaveLength(12);
    expect(points.filter(({ state }) => state === 'to-come')).toHaveLength(11);
  });

  it('has both hours that clocks show twice', () => {
    const period = { from: '2026-10-25', to: '2026-10-25' };
    const [one, first, second, three] = [
      '2026-10-25 01:00:00',
      '2026-10-25 02:00:00+02:00',
      '2026-10-25 02:00:00+01:00',
      '2026-10-25 03:00:00',
    ] as const;
    const rows = [row(one, 1), row(first, 2), row(second, 4), row(three, 8)];
    const labels = [one, first, second, three];
    const between = new Date('2026-10-25T01:10:00Z');
    const trend = toTrend(period, labels, rows, 'Europe/Paris', between);
    expect(trend.points.map(({ totals }) => totals.visitors)).toEqual([1, 2, 4, 8]);
    expect(states(trend)).toEqual(['over', 'over', 'running', 'to-come']);
  });

  it('knows the current half hour', () => {
    const period = { from: '2026-04-05', to: '2026-04-05' };
    const labels = ['01:00:00+11:00', '01:00:00+10:30', '02:00:00'].map(
      (at) => `${period.from} ${at}`,
    );
    const at = (instant: string) =>
      states(toTrend(period, labels, [], 'Australia/Lord_Howe', new Date(instant)));
    expect(at('2026-04-04T14:59:00Z')).toEqual(['running', 'to-come', 'to-come']);
    expect(at('2026-04-04T15:29:00Z')).toEqual(['over', 'running', 'to-come']);
    expect(at('2026-04-04T15:30:00Z')).toEqual(['over', 'over', 'running']);
  });

  it('has whole months even if the period begins inside one', () => {
    const period = { from: '2025-11-20', to: '2026-03-14' };
    const labels = ['2025-11-01', '2025-12-01', '2026-01-01', '2026-02-01', '2026-03-01'];
    const { interval, points } = toTrend(period, labels, [row('2026-02-01', 9)], 'UTC', now);
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
