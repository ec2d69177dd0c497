/**
 * The current view, stored in the query of the URL, so that reloading, sharing the URL and the back
 * button work.
 */
import { useSyncExternalStore } from 'react';
import type { Dimension } from '@analytics-platform/types';
import { isOverviewMetric, type OverviewMetric } from './metrics';
import { customRange, defaultRange, isRangeName, type Range } from './range';
import { breakdownBy } from './reports';

export interface View {
  /** The domain of the selected site; undefined for the first one. */
  readonly site?: string | undefined;
  readonly range: Range;
  /** The metric in the chart. */
  readonly metric: OverviewMetric;
  /** The dimension whose details are open. */
  readonly details?: Dimension | undefined;
}

const defaultMetric: OverviewMetric = 'visitors';

/** Parses the view of a URL. Invalid values become the default. */
export function parseView(search: string): View {
  const params = new URLSearchParams(search);
  const metric = params.get('metric') ?? '';
  return {
    site: params.get('site') ?? undefined,
    range: parseRange(params),
    metric: isOverviewMetric(metric) ? metric : defaultMetric,
    details: breakdownBy(params.get('details') ?? '')?.dimension,
  };
}

function parseRange(params: URLSearchParams): Range {
  const custom = customRange(params.get('from') ?? '', params.get('to') ?? '');
  const name = params.get('range') ?? '';
  return custom ?? (isRangeName(name) ? name : defaultRange);
}

/** The query of a view's URL, without default values. */
export function formatView({ site, range, metric, details }: View): string {
  const params = new URLSearchParams();
  if (site !== undefined) params.set('site', site);
  if (typeof range === 'object') {
    params.set('from', range.from);
    params.set('to', range.to);
  } else if (range !== defaultRange) {
    params.set('range', range);
  }
  if (metric !== defaultMetric) params.set('metric', metric);
  if (details !== undefined) params.set('details', details);
  return params.size === 0 ? '' : `?${params.toString()}`;
}

const changed = new EventTarget();

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  changed.addEventListener('change', listener);
  return () => {
    window.removeEventListener('popstate', listener);
    changed.removeEventListener('change', listener);
  };
}

/** Changes a part of the view, with a new history entry. */
export function show(change: Partial<View>): void {
  const search = formatView({ ...parseView(window.location.search), ...change });
  if (search === window.location.search) return;
  window.history.pushState(null, '', search === '' ? window.location.pathname : search);
  changed.dispatchEvent(new Event('change'));
}

export function useView(): View {
  return parseView(useSyncExternalStore(subscribe, () => window.location.search));
}
