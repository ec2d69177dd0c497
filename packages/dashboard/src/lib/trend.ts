/** A trend: the result of a query by time, completed by the points without data. */
import type { Row } from '@analytics-platform/types';
import type { TimeDimension } from '../api/types';
import { addDays, addMonths, hoursOfDay, localTime, startOfMonth, type Day } from './days';
import { numberOf, overviewMetrics, type OverviewMetric, type Totals } from './metrics';
import { intervalOf, type Period } from './range';

export interface Point {
  /** Local time in the format of the query function: `YYYY-MM-DD`, or `YYYY-MM-DD HH:00:00`. */
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

/** The trend of a period, from the rows of a query for `overviewMetrics` by `intervalOf(period)`. */
export function toTrend(period: Period, rows: readonly Row[], timezone: string, now: Date): Trend {
  const interval = intervalOf(period);
  const byMoment = new Map(rows.map((row) => [row.dimensions[0], row]));
  const local = localTime(now, timezone);
  const current = {
    'time:hour': `${local.day} ${local.hour}:00`,
    'time:day': local.day,
    'time:month': startOfMonth(local.day),
  }[interval];
  const points = moments(period, interval, timezone).map((at): Point => ({
    at,
    totals: toTotals(byMoment.get(at)),
    state: at < current ? 'over' : at === current ? 'running' : 'to-come',
  }));
  return { interval, points };
}

function moments({ from, to }: Period, interval: TimeDimension, timezone: string): string[] {
  switch (interval) {
    case 'time:hour':
      return hoursOfDay(from, timezone).map((hour) => `${from} ${hour}:00`);
    case 'time:day':
      return steps(from, to, (day) => addDays(day, 1));
    case 'time:month':
      return steps(startOfMonth(from), to, (day) => addMonths(day, 1));
  }
}

function steps(from: Day, to: Day, next: (day: Day) => Day): Day[] {
  const days: Day[] = [];
  for (let day = from; day <= to; day = next(day)) days.push(day);
  return days;
}
