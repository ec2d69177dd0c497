/** The reports of the dashboard: their dimensions and labels. */
import type { Dimension, Filters } from '@analytics-platform/types';
import type { Metric } from '../api/types';
import { formatCountry } from './format';

/** The unknown value in results, for most dimensions. */
const notSet = '(not set)';

export interface Breakdown {
  readonly dimension: Dimension;
  /** Filters of events; all count by default. */
  readonly filters?: Filters;
  readonly name: string;
  /** The heading of the column with the values. */
  readonly heading: string;
  /** The label of an unknown value. */
  readonly unknown: string;
  /** The metrics of the details. Rows are sorted by the first one. */
  readonly metrics: readonly Metric[];
}

const metrics: readonly Metric[] = [
  'visitors',
  'visits',
  'pageviews',
  'bounce_rate',
  'visit_duration',
];

export interface Report {
  readonly id: 'pages' | 'sources' | 'locations' | 'devices' | 'events';
  readonly title: string;
  readonly breakdowns: readonly [Breakdown, ...Breakdown[]];
}

export const reports: readonly Report[] = [
  {
    id: 'pages',
    title: 'Top pages',
    breakdowns: [
      { dimension: 'event:page', name: 'Pages', heading: 'Page', unknown: '(none)', metrics },
      {
        dimension: 'visit:entry_page',
        name: 'Entry pages',
        heading: 'Page',
        unknown: '(none)',
        metrics,
      },
      {
        dimension: 'visit:exit_page',
        name: 'Exit pages',
        heading: 'Page',
        unknown: '(none)',
        metrics,
      },
    ],
  },
  {
    id: 'sources',
    title: 'Sources',
    breakdowns: [
      {
        dimension: 'visit:source',
        name: 'Sources',
        heading: 'Source',
        unknown: 'Direct / None',
        metrics,
      },
      {
        dimension: 'visit:channel',
        name: 'Channels',
        heading: 'Channel',
        unknown: '(none)',
        metrics,
      },
      {
        dimension: 'visit:utm_campaign',
        name: 'Campaigns',
        heading: 'Campaign',
        unknown: 'No campaign',
        filters: [['is_not', 'visit:utm_campaign', [notSet]]],
        metrics,
      },
    ],
  },
  {
    id: 'locations',
    title: 'Locations',
    breakdowns: [
      {
        dimension: 'visit:country',
        name: 'Countries',
        heading: 'Country',
        unknown: 'Unknown',
        metrics,
      },
    ],
  },
  {
    id: 'devices',
    title: 'Devices',
    breakdowns: [
      {
        dimension: 'visit:browser',
        name: 'Browsers',
        heading: 'Browser',
        unknown: 'Unknown',
        metrics,
      },
      {
        dimension: 'visit:os',
        name: 'Systems',
        heading: 'Operating system',
        unknown: 'Unknown',
        metrics,
      },
      {
        dimension: 'visit:device',
        name: 'Devices',
        heading: 'Device',
        unknown: 'Unknown',
        metrics,
      },
    ],
  },
  {
    id: 'events',
    title: 'Custom events',
    breakdowns: [
      {
        dimension: 'event:name',
        filters: [['is_not', 'event:name', ['pageview']]],
        name: 'Events',
        heading: 'Event',
        unknown: '(none)',
        metrics: ['visitors', 'visits', 'events'],
      },
    ],
  },
];

/** The breakdowns, by the names of their dimensions. */
export function breakdownBy(dimension: string): Breakdown | undefined {
  return reports
    .flatMap((report) => report.breakdowns)
    .find((breakdown) => breakdown.dimension === dimension);
}

/** The label of a dimension's value. */
export function labelOf({ dimension, unknown }: Breakdown, value: string): string {
  if (value === '' || value === notSet) return unknown;
  return dimension === 'visit:country' ? formatCountry(value) : value;
}
