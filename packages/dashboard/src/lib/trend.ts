/** A trend: the result of a query by time, completed by the points without data. */
import type { Row } from '@analytics-platform/types';
import type { TimeDimension } from '../api/types';
import { addDays, instantOf } from './days';
import { numberOf, overviewMetrics, type OverviewMetric, type Totals } from './metrics';
import { intervalOf, type Period } from './range';

export interface Point {
  /**
   * The label of the query function: `YYYY-MM-DD`, or `YYYY-MM-DD HH:00:00`, with an offset if clocks
   * show it twice.
   */
  readonly at: string;
  readonly totals: Totals;
  /** Whether the point is complete, the running one, or in the future, without values. */
  readonly state: 'over' | 'running' | 'to-come';
}

export interface Trend {
  readonly interval: TimeDimension;
  readonly points: readonly Point[];
}

/** The metrics of a row of a query for `overviewMetrics`. Unknown values count as 0. */
export function toTotals(row: Row | undefined): Totals {
  return Object.fromEntries(
    overviewMetrics.map((metric, i) => [metric, numberOf(row?.metrics[i])]),
  ) as Record<OverviewMetric, number>;
}

/**
 * The trend of a period, from the rows of a query for `overviewMetrics` by `intervalOf(period)` and
 * the labels of all its points in order. No two points have the same label.
 */
export function toTrend(
  period: Period,
  labels: readonly string[],
  rows: readonly Row[],
  timezone: string,
  now: Date,
): Trend {
  const byLabel = new Map(rows.map((row) => [row.dimensions[0], row]));
  const starts = [...labels, addDays(period.to, 1)].map((label) => instantOf(label, timezone));
  const points = labels.map((at, i): Point => {
    const [start = 0, end = 0] = starts.slice(i, i + 2);
    const state = end <= now.getTime() ? 'over' : start <= now.getTime() ? 'running' : 'to-come';
    return { at, totals: toTotals(byLabel.get(at)), state };
  });
  return { interval: intervalOf(period), points };
}
