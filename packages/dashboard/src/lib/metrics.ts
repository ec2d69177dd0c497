/** The metrics of the dashboard: their names, formats, and good direction. */
import type { Value } from '@analytics-platform/types';
import type { Metric } from '../api/types';
import {
  formatCompact,
  formatCount,
  formatDuration,
  formatFraction,
  formatPercent,
} from './format';

export interface MetricInfo {
  readonly name: string;
  /** Short form, for cards, axes and tables. */
  readonly format: (value: number) => string;
  /** Exact form, for titles and tooltips. */
  readonly exact: (value: number) => string;
  /** Whether a decrease is good. */
  readonly lowerIsBetter: boolean;
  /** Whether changes are in percentage points, because the value is a percentage. */
  readonly inPoints: boolean;
  /** Whether the value is a mean over visits, which is undefined without visits. */
  readonly mean: boolean;
}

const count = {
  format: formatCompact,
  exact: formatCount,
  lowerIsBetter: false,
  inPoints: false,
  mean: false,
} as const;

export const metrics: Readonly<Record<Metric, MetricInfo>> = {
  visitors: { name: 'Visitors', ...count },
  visits: { name: 'Visits', ...count },
  pageviews: { name: 'Pageviews', ...count },
  events: { name: 'Events', ...count },
  views_per_visit: {
    ...count,
    name: 'Views per visit',
    format: formatFraction,
    exact: formatFraction,
    mean: true,
  },
  bounce_rate: {
    name: 'Bounce rate',
    format: formatPercent,
    exact: formatPercent,
    lowerIsBetter: true,
    inPoints: true,
    mean: true,
  },
  visit_duration: {
    ...count,
    name: 'Visit duration',
    format: formatDuration,
    exact: formatDuration,
    mean: true,
  },
};

/** The metrics with a card and a chart, in order. */
export const overviewMetrics = [
  'visitors',
  'visits',
  'pageviews',
  'views_per_visit',
  'bounce_rate',
  'visit_duration',
] as const satisfies readonly Metric[];

export type OverviewMetric = (typeof overviewMetrics)[number];

export function isOverviewMetric(text: string): text is OverviewMetric {
  return overviewMetrics.some((metric) => metric === text);
}

/** The value of a metric that is not an amount of money. Unknown values count as 0. */
export function numberOf(value: Value | undefined): number {
  return typeof value === 'number' ? value : 0;
}

export interface Change {
  readonly direction: 'up' | 'down' | 'same';
  readonly good: boolean;
  /** For example `12%` or `3.1 pts`, without a sign. */
  readonly amount: string;
}

/** The values of the metrics over one period. */
export type Totals = Readonly<Record<OverviewMetric, number>>;

/** The change of a value between two periods, or undefined if they can't be compared. */
export function change(
  metric: OverviewMetric,
  current: Totals,
  previous: Totals,
): Change | undefined {
  const { inPoints, lowerIsBetter, mean } = metrics[metric];
  const now = current[metric];
  const before = previous[metric];
  if (mean && (current.visits === 0 || previous.visits === 0)) return undefined;
  if (before === 0 && (now === 0 || !inPoints)) return undefined;
  const difference = inPoints ? now - before : ((now - before) / before) * 100;
  const rounded = round(difference);
  const size = Math.abs(rounded);
  return {
    direction: rounded > 0 ? 'up' : rounded < 0 ? 'down' : 'same',
    good: lowerIsBetter ? rounded < 0 : rounded > 0,
    amount: inPoints ? `${formatCount(size)} pts` : `${formatCompact(size)}%`,
  };
}

function round(percent: number): number {
  return Math.abs(percent) < 10 ? Math.round(percent * 10) / 10 : Math.round(percent);
}
