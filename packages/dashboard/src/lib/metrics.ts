/** The metrics on the dashboard: their names, how their values read, and which way is good. */
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
  /** Whether a fall is good news. */
  readonly lowerIsBetter: boolean;
  /** Whether changes are told in percentage points, because the value is itself a percentage. */
  readonly inPoints: boolean;
  /** Whether the value is a mean over visits, which says nothing where there are none. */
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

/** The metrics that have a card and can be charted, in their order. */
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

/** The value of a metric that is no money; what is not known counts as 0. */
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

/** How a value changed from one period to the next, or undefined when there is nothing to compare. */
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
