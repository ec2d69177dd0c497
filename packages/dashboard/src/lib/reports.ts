/** The reports on the dashboard: which dimensions each breaks visits down by, and how they read. */
import type { Dimension, Filters } from '@analytics-platform/types';
import type { Metric } from '../api/types';
import { formatCountry } from './format';

/** What answers call a value that is not known, of most dimensions. */
const notSet = '(not set)';

export interface Breakdown {
  readonly dimension: Dimension;
  /** Which events count; all do without. */
  readonly filters?: Filters;
  readonly name: string;
  /** What one row is, as the head of the column that names it. */
  readonly heading: string;
  /** What is shown for a value that is not known. */
  readonly unknown: string;
  /** The metrics of its details, the one that the rows are ordered by first. */
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

/** The breakdown by a dimension, by the dimension's name. */
export function breakdownBy(dimension: string): Breakdown | undefined {
  return reports
    .flatMap((report) => report.breakdowns)
    .find((breakdown) => breakdown.dimension === dimension);
}

/** The value of a dimension as a person reads it. */
export function labelOf({ dimension, unknown }: Breakdown, value: string): string {
  if (value === '' || value === notSet) return unknown;
  return dimension === 'visit:country' ? formatCountry(value) : value;
}
