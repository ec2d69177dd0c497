import { Maximize2 } from 'lucide-react';
import { useState } from 'react';
import { useBreakdown } from '../api/queries';
import type { Site } from '../api/types';
import { formatCompact, formatCount, formatPercent } from '../lib/format';
import type { Period } from '../lib/range';
import { labelOf, type Breakdown, type Report } from '../lib/reports';
import { show } from '../lib/view';
import { ErrorNote } from './ErrorNote';
import { Tabs } from './Tabs';

const rowCount = 9;

interface Props {
  readonly report: Report;
  readonly site: Site;
  readonly period: Period;
  /** All visitors of the period, for the share of each row; undefined until known. */
  readonly visitors: number | undefined;
  readonly refetchInterval: number;
}

/** A report: the top values of one of its dimensions. */
export function ReportCard({ report, ...about }: Props) {
  const [selected, setSelected] = useState<string>(report.breakdowns[0].dimension);
  const breakdown =
    report.breakdowns.find(({ dimension }) => dimension === selected) ?? report.breakdowns[0];

  return (
    <section
      className={`card report report-${report.id}`}
      data-testid={`report-${report.id}`}
      aria-label={report.title}
    >
      <Tabs
        label={report.title}
        tabs={report.breakdowns.map(({ dimension, name }) => ({ id: dimension, name }))}
        selected={selected}
        onSelect={setSelected}
        heading={<h2>{report.title}</h2>}
      >
        <Rows breakdown={breakdown} {...about} />
      </Tabs>
      <button
        type="button"
        className="details-button"
        aria-label={`Details of ${breakdown.name.toLowerCase()}`}
        onClick={() => {
          show({ details: breakdown.dimension });
        }}
      >
        <Maximize2 size={13} aria-hidden="true" /> Details
      </button>
    </section>
  );
}

interface RowsProps extends Omit<Props, 'report'> {
  readonly breakdown: Breakdown;
}

function Rows({ breakdown, site, period, visitors, refetchInterval }: RowsProps) {
  const rows = useBreakdown(site, period, breakdown, rowCount, refetchInterval);
  if (!rows.data) {
    return rows.isError ? (
      <ErrorNote error={rows.error} onRetry={rows.refetch} />
    ) : (
      <div className="rows" role="status" aria-label="Loading">
        {Array.from({ length: rowCount }, (_, i) => (
          <div key={i} className="skeleton row-skeleton" style={{ width: `${90 - i * 8}%` }} />
        ))}
      </div>
    );
  }
  if (rows.data.length === 0) return <p className="empty">Nothing in this period</p>;

  const most = Math.max(...rows.data.map((row) => row.visitors), 1);
  return (
    <>
      <div className="rows-head" aria-hidden="true">
        <span>{breakdown.heading}</span>
        <span>Visitors</span>
      </div>
      <ol className="rows" aria-busy={rows.isPlaceholderData}>
        {rows.data.map((row) => {
          const label = labelOf(breakdown, row.value);
          return (
            <li
              key={row.value}
              className="row"
              data-testid="row"
              data-label={label}
              data-value={row.visitors}
            >
              <span className="row-label ellipsis" title={label}>
                <span className="bar" style={{ width: `${(row.visitors / most) * 100}%` }} />
                {breakdown.dimension === 'visit:country' && row.value !== '' && (
                  <span className="country-code" aria-hidden="true">
                    {row.value}
                  </span>
                )}
                {label}
              </span>
              <span className="row-value" title={formatCount(row.visitors)}>
                {formatCompact(row.visitors)}
                <span className="visually-hidden"> visitors, </span>
              </span>
              <span className="row-percent">
                {visitors ? formatPercent((row.visitors / visitors) * 100) : ''}
              </span>
            </li>
          );
        })}
      </ol>
    </>
  );
}
