import { area, curveMonotoneX, line } from 'd3-shape';
import { useId, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { position, timeTicks, valueTicks } from '../lib/axes';
import { formatMoment, formatTick } from '../lib/format';
import { change, metrics, type OverviewMetric, type Totals } from '../lib/metrics';
import type { Point, Trend } from '../lib/trend';
import { useWidth } from '../lib/useWidth';

interface Props {
  readonly trend: Trend;
  /** The trend of the previous period, drawn point by point behind the other. */
  readonly before: Trend | undefined;
  readonly metric: OverviewMetric;
}

const height = 264;
const margin = { top: 12, right: 12, bottom: 28, left: 48 };

/**
 * A metric over time. The pointer or the arrow keys select a point to show its exact values. The
 * same numbers are in a table for screen readers.
 */
export function TrendChart({ trend, before, metric }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const gradient = useId();
  const [chosen, setChosen] = useState<number>();

  const { points, interval } = trend;
  const past = points.filter(({ state }) => state !== 'to-come');
  const over = points.filter(({ state }) => state === 'over');
  // Periods can differ in length, as February and March do. Points without a counterpart are omitted.
  const pointsBefore = before?.interval === interval ? before.points.slice(0, points.length) : [];
  const valueOf = ({ totals }: Point) => totals[metric];

  const ticks = valueTicks(metric, Math.max(0, ...[...past, ...pointsBefore].map(valueOf)));
  // The running point is incomplete, not a fall, so the line to it looks different.
  const running = lastStep(over, past);
  const highest = ticks.at(-1) ?? 1;
  const last = points.length - 1;
  const [left, right, bottom] = [margin.left, width - margin.right, height - margin.bottom];
  const x = (index: number) => position(index, Math.max(1, last), left, right);
  const y = (value: number) => position(value, highest, bottom, margin.top);
  const drawLine = line<Point>(
    (_, i) => x(i),
    (point) => y(valueOf(point)),
  ).curve(curveMonotoneX);
  const drawArea = area<Point>(
    (_, i) => x(i),
    bottom,
    (point) => y(valueOf(point)),
  ).curve(curveMonotoneX);

  // The range may have become shorter since the point was selected.
  const active = chosen === undefined ? undefined : Math.min(chosen, last);

  const onPointer = ({ clientX, currentTarget }: PointerEvent) => {
    const offset = clientX - currentTarget.getBoundingClientRect().left;
    const index = Math.round(((offset - left) / (right - left)) * last);
    setChosen(Math.min(last, Math.max(0, index)));
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const now = active ?? past.length - 1;
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    setChosen(Math.min(last, Math.max(0, next)));
  };

  const activePoint = active === undefined ? undefined : points[active];
  const activeBefore = active === undefined ? undefined : pointsBefore[active];
  const { name, format, exact } = metrics[metric];
  const exactOf = (point: Point | undefined) =>
    !point || point.state === 'to-come' ? '–' : exact(valueOf(point));
  const moment = (point: Point) => formatMoment(point.at, interval);

  return (
    <div className="chart" ref={box}>
      <div
        className="chart-surface"
        role="slider"
        tabIndex={0}
        aria-label={`${name} over time`}
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={active ?? Math.max(0, past.length - 1)}
        aria-valuetext={describe(activePoint ?? past.at(-1))}
        onPointerMove={onPointer}
        onPointerDown={onPointer}
        onPointerLeave={() => {
          setChosen(undefined);
        }}
        onKeyDown={onKeyDown}
        onFocus={(event) => {
          if (event.currentTarget.matches(':focus-visible')) setChosen(past.length - 1);
        }}
        onBlur={() => {
          setChosen(undefined);
        }}
      >
        <svg width={width} height={height} aria-hidden="true">
          <defs>
            <linearGradient id={gradient} x1="0" y1="0" x2="0" y2="1">
              <stop offset="0" className="area-top" />
              <stop offset="1" className="area-bottom" />
            </linearGradient>
          </defs>
          {ticks.map((tick) => (
            <g key={tick}>
              <line className="grid-line" x1={left} x2={right} y1={y(tick)} y2={y(tick)} />
              <text className="axis" x={left - 10} y={y(tick)} dy="0.35em" textAnchor="end">
                {format(tick)}
              </text>
            </g>
          ))}
          {timeTicks(points.length, right - left, interval).map((i) => (
            <text
              key={i}
              className="axis"
              x={x(i)}
              y={height - 6}
              textAnchor={i === last ? 'end' : 'middle'}
            >
              {formatTick(points[i]?.at ?? '', interval)}
            </text>
          ))}
          <path className="area" d={drawArea(over) ?? ''} fill={`url(#${gradient})`} />
          <path className="line line-before" d={drawLine(pointsBefore) ?? ''} />
          <path className="line" d={drawLine(over) ?? ''} />
          {running && (
            <path
              className="line line-running"
              d={`M${x(over.length - 1)},${y(valueOf(running.from))}L${x(over.length)},${y(valueOf(running.to))}`}
            />
          )}
          {past.length === 1 && past[0] && (
            <circle className="point" r={4} cx={x(0)} cy={y(valueOf(past[0]))} />
          )}
          {active !== undefined && (
            <g>
              <line className="cursor" x1={x(active)} x2={x(active)} y1={margin.top} y2={bottom} />
              {activeBefore && (
                <circle
                  className="point point-before"
                  r={4}
                  cx={x(active)}
                  cy={y(valueOf(activeBefore))}
                />
              )}
              {activePoint && activePoint.state !== 'to-come' && (
                <circle className="point" r={5} cx={x(active)} cy={y(valueOf(activePoint))} />
              )}
            </g>
          )}
        </svg>
        {active !== undefined && activePoint && (
          <div
            className={x(active) > width / 2 ? 'tooltip tooltip-left' : 'tooltip'}
            style={{ left: x(active) }}
            aria-hidden="true"
          >
            <p className="tooltip-title">{name}</p>
            <p className="tooltip-now">
              <span>{moment(activePoint)}</span>
              <strong>{exactOf(activePoint)}</strong>
            </p>
            {activeBefore && (
              <p className="tooltip-before">
                <span>{moment(activeBefore)}</span>
                <strong>{exactOf(activeBefore)}</strong>
              </p>
            )}
            {activeBefore && activePoint.state !== 'to-come' && (
              <Difference metric={metric} now={activePoint.totals} before={activeBefore.totals} />
            )}
          </div>
        )}
      </div>
      <div className="visually-hidden">
        <table>
          <caption>{name} over time</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">{name}</th>
              <th scope="col">Period before</th>
            </tr>
          </thead>
          <tbody>
            {points.map((point, i) => (
              <tr key={point.at}>
                <th scope="row">{moment(point)}</th>
                <td>{exactOf(point)}</td>
                <td>{exactOf(pointsBefore[i])}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );

  function describe(point: Point | undefined): string {
    if (!point) return 'No values';
    const text = `${moment(point)}: ${exactOf(point)}`;
    const counterpart = pointsBefore[points.indexOf(point)];
    return counterpart ? `${text}, before: ${exactOf(counterpart)}` : text;
  }
}

/** The segment from the last complete point to the running one. */
function lastStep(over: readonly Point[], past: readonly Point[]) {
  const from = over.at(-1);
  const to = past[over.length];
  return from && to && { from, to };
}

interface DifferenceProps {
  readonly metric: OverviewMetric;
  readonly now: Totals;
  readonly before: Totals;
}

function Difference({ metric, now, before }: DifferenceProps) {
  const changed = change(metric, now, before);
  if (!changed || changed.direction === 'same') return null;
  const sign = changed.direction === 'up' ? '+' : '−';
  return (
    <p className={`tooltip-change ${changed.good ? 'good' : 'bad'}`}>
      {sign}
      {changed.amount}
    </p>
  );
}
