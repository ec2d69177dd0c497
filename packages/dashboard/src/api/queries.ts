/** The server's state through TanStack Query: the requests and how often they are repeated. */
import {
  QueryCache,
  QueryClient,
  keepPreviousData,
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from '@tanstack/react-query';
import { numberOf, overviewMetrics } from '../lib/metrics';
import { intervalOf, type Period } from '../lib/range';
import type { Breakdown } from '../lib/reports';
import type { Totals } from '../lib/metrics';
import { zoneOf } from '../lib/timezones';
import { toTotals, toTrend, type Trend } from '../lib/trend';
import {
  ApiError,
  createSite,
  getSession,
  getStatus,
  listSites,
  queryStats,
  signIn,
  signOut,
} from './client';
import type { Drop, Session, Site } from './types';

/** How often a visible page refetches its data, in milliseconds. */
export const refetchIntervals = {
  /** If nothing indicates that the numbers change. */
  quiet: 30_000,
  /** If they change: a live visit appears in the reports within seconds, at most a minute. */
  busy: 5_000,
} as const;

const session = queryOptions<Session | null>({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    try {
      return await getSession(signal);
    } catch (error) {
      if (isUnauthorized(error)) return null;
      throw error;
    }
  },
  staleTime: Infinity,
});

const sites = queryOptions({
  queryKey: ['sites'],
  queryFn: ({ signal }) => listSites(signal),
  staleTime: 300_000,
});

export function createQueryClient(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        if (isUnauthorized(error)) client.setQueryData(session.queryKey, null);
      },
    }),
    defaultOptions: {
      queries: { retry: (failures, error) => failures < 1 && isPassing(error), staleTime: 5_000 },
    },
  });
  return client;
}

/** The session; null if nobody is signed in. */
export function useSession(): UseQueryResult<Session | null> {
  return useQuery(session);
}

/** Refetches the session, for example after a connection was rejected without a reason. */
export function useCheckSession(): () => void {
  const client = useQueryClient();
  return () => {
    void client.invalidateQueries({ queryKey: session.queryKey });
  };
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: signIn,
    onSuccess: () => client.invalidateQueries({ queryKey: session.queryKey }),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: signOut,
    onSuccess: () => {
      client.setQueryData(session.queryKey, null);
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== session.queryKey[0] });
    },
  });
}

export function useSites(): UseQueryResult<readonly Site[]> {
  return useQuery(sites);
}

export function useCreateSite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: createSite,
    onSuccess: (site) => {
      client.setQueryData(sites.queryKey, (known) => [...(known ?? []), site]);
    },
    onError: (error) => {
      if (isUnauthorized(error)) client.setQueryData(session.queryKey, null);
    },
  });
}

/** All metrics of a period. */
export function useTotals(
  site: Site,
  period: Period,
  refetchInterval: number,
): UseQueryResult<Totals> {
  return useQuery({
    queryKey: ['stats', site.id, 'totals', period],
    queryFn: async ({ signal }) => {
      const { results } = await queryStats(
        { site_id: site.domain, metrics: overviewMetrics, date_range: [period.from, period.to] },
        signal,
      );
      return toTotals(results[0]);
    },
    placeholderData: keepPreviousData,
    refetchInterval,
  });
}

/** All metrics of a period over time. */
export function useTrend(
  site: Site,
  period: Period,
  refetchInterval: number,
): UseQueryResult<Trend> {
  const interval = intervalOf(period);
  return useQuery({
    queryKey: ['stats', site.id, 'trend', period],
    queryFn: async ({ signal }) => {
      const { results, meta } = await queryStats(
        {
          site_id: site.domain,
          metrics: overviewMetrics,
          date_range: [period.from, period.to],
          dimensions: [interval],
          include: { time_labels: true },
          pagination: { limit: 1_000, offset: 0 },
        },
        signal,
      );
      const now = new Date();
      return toTrend(period, meta.time_labels ?? [], results, zoneOf(site, now), now);
    },
    placeholderData: keepPreviousData,
    refetchInterval,
  });
}

/** One row of a report: a value of its dimension. */
export interface BreakdownRow {
  readonly value: string;
  readonly visitors: number;
}

/** The values of a dimension with the most visitors. */
export function useBreakdown(
  site: Site,
  period: Period,
  { dimension, filters = [] }: Breakdown,
  limit: number,
  refetchInterval: number,
): UseQueryResult<readonly BreakdownRow[]> {
  return useQuery({
    queryKey: ['stats', site.id, 'breakdown', dimension, period, limit],
    queryFn: async ({ signal }) => {
      const { results } = await queryStats(
        {
          site_id: site.domain,
          metrics: ['visitors'],
          date_range: [period.from, period.to],
          dimensions: [dimension],
          filters,
          order_by: [['visitors', 'desc']],
          pagination: { limit, offset: 0 },
        },
        signal,
      );
      return results.map((row) => ({
        value: row.dimensions[0] ?? '',
        visitors: numberOf(row.metrics[0]),
      }));
    },
    // Rows of another dimension must not be shown meanwhile.
    placeholderData: (rows, query) => (query?.queryKey[3] === dimension ? rows : undefined),
    refetchInterval,
  });
}

export interface DetailRow {
  readonly value: string;
  /** In the order of the breakdown's metrics; undefined if there is no value. */
  readonly metrics: readonly (number | undefined)[];
}

/** The number of detail rows per request. */
export const detailBatch = 500;

/** All values of a dimension, by visitors, in batches of `detailBatch`. */
export function useDetails(
  site: Site,
  period: Period,
  { dimension, filters = [], metrics }: Breakdown,
) {
  return useInfiniteQuery({
    queryKey: ['stats', site.id, 'details', dimension, period],
    queryFn: async ({ pageParam: offset, signal }) => {
      const { results } = await queryStats(
        {
          site_id: site.domain,
          metrics,
          date_range: [period.from, period.to],
          dimensions: [dimension],
          filters,
          order_by: [['visitors', 'desc']],
          pagination: { limit: detailBatch, offset },
        },
        signal,
      );
      return results.map((row): DetailRow => ({
        value: row.dimensions[0] ?? '',
        metrics: metrics.map((_, i) =>
          row.metrics[i] === null ? undefined : numberOf(row.metrics[i]),
        ),
      }));
    },
    initialPageParam: 0,
    getNextPageParam: (last, batches) =>
      last.length === detailBatch ? batches.length * detailBatch : undefined,
  });
}

/** The events dropped or changed in the last 30 days, of the site or of unknown sites. */
export function useDrops(site: Site): UseQueryResult<readonly Drop[]> {
  return useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => getStatus(signal),
    select: ({ drops }) =>
      drops.filter((d) => d.site === site.domain || d.reason === 'unknown_site'),
    refetchInterval: refetchIntervals.quiet,
  });
}

/** Whether the site has ever been visited. Requested only if it seems not to have been. */
export function useEverVisited(site: Site, ask: boolean): UseQueryResult<boolean> {
  return useQuery({
    queryKey: ['stats', site.id, 'ever'],
    queryFn: async ({ signal }) => {
      const { results } = await queryStats(
        { site_id: site.domain, metrics: ['pageviews', 'visitors'], date_range: 'all' },
        signal,
      );
      return results.some((row) => row.metrics.some((value) => numberOf(value) > 0));
    },
    enabled: ask,
    refetchInterval: refetchIntervals.quiet,
  });
}

export function isUnauthorized(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** Whether a retry of the request is likely to succeed. */
function isPassing(error: unknown): boolean {
  return error instanceof ApiError && [0, 502, 503, 504].includes(error.status);
}
