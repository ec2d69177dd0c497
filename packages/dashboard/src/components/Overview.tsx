import type { UseQueryResult } from '@tanstack/react-query';
import { ArrowDownRight, ArrowUpRight, Minus } from 'lucide-react';
import { formatPeriod } from '../lib/format';
import {
  change,
  metrics,
  overviewMetrics,
  type Change,
  type OverviewMetric,
  type Totals,
} from '../lib/metrics';
import type { Period } from '../lib/range';
import type { Trend } from '../lib/trend';
import { show } from '../lib/view';
import { ErrorNote } from './ErrorNote';
import { TrendChart } from './TrendChart';

interface Props {
  /** The metric in the chart. */
  readonly metric: OverviewMetric;
  readonly period: Period;
  /** The period to compare with. */
  readonly before: Period;
  readonly totals: UseQueryResult<Totals>;
  readonly totalsBefore: UseQueryResult<Totals>;
  readonly trend: UseQueryResult<Trend>;
  readonly trendBefore: UseQueryResult<Trend>;
}

/** The metric cards and, below them, the chart of the selected metric. */
export function Overview(props: Props) {
  const { metric, period, before, totals, totalsBefore, trend, trendBefore } = props;
  const failed = [totals, trend].find((query) => query.isError && !query.data);
  const name = metrics[metric].name;

  return (
    <section className="card overview" aria-label="Overview">
      <div className="metrics" aria-busy={totals.isPlaceholderData}>
        {overviewMetrics.map((each) => (
          <MetricCard
            key={each}
            metric={each}
            selected={each === metric}
            failed={totals.isError}
            now={totals.data}
            before={totalsBefore.isPlaceholderData ? undefined : totalsBefore.data}
          />
        ))}
      </div>
      <div className="trend">
        <div className="trend-head">
          <h2>{name}</h2>
          <ul className="legend">
            <li className="legend-now">{formatPeriod(period.from, period.to)}</li>
            <li className="legend-before">{formatPeriod(before.from, before.to)}</li>
          </ul>
        </div>
        {failed ? (
          <ErrorNote
            error={failed.error}
            onRetry={() => Promise.all([totals.refetch(), trend.refetch()])}
          />
        ) : trend.data ? (
          <div aria-busy={trend.isPlaceholderData}>
            <TrendChart
              trend={trend.data}
              before={trendBefore.isPlaceholderData ? undefined : trendBefore.data}
              metric={metric}
            />
          </div>
        ) : (
          <div className="skeleton chart-skeleton" role="status" aria-label="Loading the trend" />
        )}
      </div>
    </section>
  );
}

interface MetricCardProps {
  readonly metric: OverviewMetric;
  readonly selected: boolean;
  readonly failed: boolean;
  readonly now: Totals | undefined;
  readonly before: Totals | undefined;
}

function MetricCard({ metric, selected, failed, now, before }: MetricCardProps) {
  const { name, format, exact } = metrics[metric];
  const value = now?.[metric];
  const changed = now && before && change(metric, now, before);
  return (
    <button
      type="button"
      className="metric"
      aria-pressed={selected}
      data-testid={`metric-${metric}`}
      data-value={value}
      onClick={() => {
        show({ metric });
      }}
    >
      <span className="metric-name">{name}</span>
      {value === undefined ? (
        failed ? (
          <span className="metric-value">–</span>
        ) : (
          <span className="skeleton metric-skeleton" />
        )
      ) : (
        <span className="metric-value" title={exact(value)}>
          {format(value)}
        </span>
      )}
      {changed ? (
        <ChangeMark change={changed} title={`Before: ${exact(before[metric])}`} />
      ) : (
        <span className="change" title="Nothing to compare with">
          {now && before && '–'}
        </span>
      )}
    </button>
  );
}

const arrows = { up: ArrowUpRight, down: ArrowDownRight, same: Minus };
const words = { up: 'up', down: 'down', same: 'unchanged' };

function ChangeMark({ change, title }: { readonly change: Change; readonly title: string }) {
  const { direction, good, amount } = change;
  const Arrow = arrows[direction];
  const verdict = direction === 'same' ? '' : good ? 'good' : 'bad';
  return (
    <span className={`change ${verdict}`} title={title}>
      <Arrow size={15} aria-hidden="true" />
      <span className="visually-hidden">{words[direction]} </span>
      {amount}
    </span>
  );
}
