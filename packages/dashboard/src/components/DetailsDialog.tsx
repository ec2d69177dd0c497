import { ChevronLeft, ChevronRight, Search } from 'lucide-react';
import { useState } from 'react';
import { useDetails, type DetailRow } from '../api/queries';
import type { Site } from '../api/types';
import { formatCount, formatPeriod } from '../lib/format';
import { metrics } from '../lib/metrics';
import type { Period } from '../lib/range';
import { labelOf, type Breakdown } from '../lib/reports';
import { Dialog } from './Dialog';
import { ErrorNote } from './ErrorNote';

const pageSize = 20;

interface Props {
  readonly breakdown: Breakdown;
  readonly site: Site;
  readonly period: Period;
  readonly onClose: () => void;
}

/** All values of a dimension with their metrics, with search and paging. */
export function DetailsDialog({ breakdown, site, period, onClose }: Props) {
  const details = useDetails(site, period, breakdown);
  const [search, setSearch] = useState('');
  const [asked, setPage] = useState(0);

  const rows = details.data?.pages.flat() ?? [];
  const found = rows.filter((row) => matches(labelOf(breakdown, row.value), search));
  const page = Math.min(asked, Math.max(0, Math.ceil(found.length / pageSize) - 1));
  const shown = found.slice(page * pageSize, (page + 1) * pageSize);
  const isLastPage = (page + 1) * pageSize >= found.length;
  const more = details.hasNextPage;

  const onNext = async () => {
    if (isLastPage) await details.fetchNextPage();
    setPage(page + 1);
  };

  return (
    <Dialog title={breakdown.name} wide onClose={onClose}>
      <div className="details-tools">
        <p className="muted">
          {site.domain}, {formatPeriod(period.from, period.to)}
        </p>
        <label className="search">
          <Search size={16} aria-hidden="true" />
          <span className="visually-hidden">Search {breakdown.name.toLowerCase()}</span>
          <input
            type="search"
            placeholder="Search"
            value={search}
            onChange={(event) => {
              setSearch(event.target.value);
              setPage(0);
            }}
          />
        </label>
      </div>
      {details.isError && <ErrorNote error={details.error} onRetry={details.refetch} />}
      {details.isPending && (
        <div className="rows" role="status" aria-label="Loading">
          {Array.from({ length: 10 }, (_, i) => (
            <div key={i} className="skeleton row-skeleton" />
          ))}
        </div>
      )}
      {details.data && (
        <>
          <div
            className="details-table"
            role="region"
            aria-label={breakdown.name}
            tabIndex={0}
            aria-busy={details.isFetchingNextPage}
          >
            <DetailsTable breakdown={breakdown} rows={shown} />
            {found.length === 0 && (
              <p className="empty">{search === '' ? 'Nothing in this period' : 'Nothing found'}</p>
            )}
          </div>
          <footer className="details-foot">
            <p className="muted" aria-live="polite">
              {found.length > 0 &&
                `${formatCount(page * pageSize + 1)}–${formatCount(page * pageSize + shown.length)} of ${formatCount(found.length)}${more ? '+' : ''}`}
              {search !== '' && more && ` (searched the first ${formatCount(rows.length)})`}
            </p>
            <div className="pager">
              <button
                type="button"
                className="button"
                disabled={page === 0}
                onClick={() => {
                  setPage(page - 1);
                }}
              >
                <ChevronLeft size={16} aria-hidden="true" /> Previous
              </button>
              <button
                type="button"
                className="button"
                disabled={(isLastPage && !more) || details.isFetchingNextPage}
                onClick={() => void onNext()}
              >
                {isLastPage && more ? 'More' : 'Next'} <ChevronRight size={16} aria-hidden="true" />
              </button>
            </div>
          </footer>
        </>
      )}
    </Dialog>
  );
}

interface TableProps {
  readonly breakdown: Breakdown;
  readonly rows: readonly DetailRow[];
}

function DetailsTable({ breakdown, rows }: TableProps) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{breakdown.heading}</th>
          {breakdown.metrics.map((metric) => (
            <th key={metric} scope="col">
              {metrics[metric].name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const label = labelOf(breakdown, row.value);
          return (
            <tr key={row.value} data-testid="details-row" data-label={label}>
              <th scope="row" title={label}>
                <span className="ellipsis">{label}</span>
              </th>
              {breakdown.metrics.map((metric, i) => {
                const value = row.metrics[i];
                return (
                  <td key={metric} data-metric={metric} data-value={value}>
                    {value === undefined ? '–' : metrics[metric].exact(value)}
                  </td>
                );
              })}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function matches(label: string, search: string): boolean {
  return label.toLowerCase().includes(search.trim().toLowerCase());
}
