import { useEffect } from 'react';
import {
  refetchIntervals,
  useCheckSession,
  useEverVisited,
  useTotals,
  useTrend,
} from '../api/queries';
import type { Site } from '../api/types';
import { dayAt } from '../lib/days';
import { includes, previous, resolve } from '../lib/range';
import { breakdownBy, reports } from '../lib/reports';
import { zoneOf } from '../lib/timezones';
import { useNow } from '../lib/useNow';
import { show, type View } from '../lib/view';
import { useLive } from '../live/useLive';
import { DetailsDialog } from './DetailsDialog';
import { Header } from './Header';
import { Install } from './Install';
import { DropsNote } from './DropsNote';
import { LiveCount } from './LiveCount';
import { LivePanel } from './LivePanel';
import { Overview } from './Overview';
import { RangePicker } from './RangePicker';
import { ReportCard } from './ReportCard';

interface Props {
  readonly site: Site;
  readonly sites: readonly Site[];
  readonly view: View;
}

/** The dashboard of a site. */
export function Dashboard({ site, sites, view }: Props) {
  const now = useNow(30_000);
  const today = dayAt(now, zoneOf(site, now));
  const period = resolve(view.range, today);
  const before = previous(view.range, today);
  const live = useLive(site.domain, { onRefused: useCheckSession() });
  const { quiet, busy } = refetchIntervals;
  const refetchInterval = (live.visitors ?? 0) > 0 && includes(period, today) ? busy : quiet;
  const totals = useTotals(site, period, refetchInterval);
  const totalsBefore = useTotals(site, before, quiet);
  const trend = useTrend(site, period, refetchInterval);
  const trendBefore = useTrend(site, before, quiet);
  const nothing = totals.data?.pageviews === 0 && totals.data.visitors === 0;
  const ever = useEverVisited(site, nothing);

  useEffect(() => {
    document.title = `${site.domain} – Analytics`;
  }, [site.domain]);

  const details = view.details && breakdownBy(view.details);

  return (
    <>
      <Header site={site} sites={sites}>
        <LiveCount status={live.status} visitors={live.visitors} />
        <RangePicker range={view.range} today={today} />
      </Header>
      <main className="page">
        <h1 className="visually-hidden">Visits of {site.domain}</h1>
        <Overview
          metric={view.metric}
          period={period}
          before={before}
          totals={totals}
          totalsBefore={totalsBefore}
          trend={trend}
          trendBefore={trendBefore}
        />
        <div className="grid">
          {nothing && ever.data === false ? (
            <section className="card padded install" aria-labelledby="install-title">
              <h2 id="install-title">No visits yet</h2>
              <Install site={site} />
            </section>
          ) : (
            reports.map((report) => (
              <ReportCard
                key={report.id}
                report={report}
                site={site}
                period={period}
                visitors={totals.data?.visitors}
                refetchInterval={refetchInterval}
              />
            ))
          )}
          <LivePanel live={live} />
        </div>
        <DropsNote site={site} />
      </main>
      {details && (
        <DetailsDialog
          key={details.dimension}
          breakdown={details}
          site={site}
          period={period}
          onClose={() => {
            show({ details: undefined });
          }}
        />
      )}
    </>
  );
}
