/** The axes of the trend: their labels and positions. */
import { ticks } from 'd3-array';
import type { Metric, TimeDimension } from '../api/types';

const maxSteps = 4;

/** Natural steps between durations, in seconds. */
const durationSteps = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800];

/** Round values from 0 up to the first one that is not below the highest value. */
export function valueTicks(metric: Metric, highest: number): number[] {
  const step = metric === 'visit_duration' ? durationStep(highest) : decimalStep(metric, highest);
  const steps = Math.max(1, Math.ceil(highest / step));
  return Array.from({ length: steps + 1 }, (_, i) => i * step);
}

function durationStep(highest: number): number {
  return durationSteps.find((step) => step * maxSteps >= highest) ?? Math.ceil(highest / maxSteps);
}

function decimalStep(metric: Metric, highest: number): number {
  const [, first = 1] = ticks(0, highest || 1, maxSteps);
  // There is no half visitor.
  return metric === 'views_per_visit' ? first : Math.max(1, first);
}

/** The space that a time label needs along the axis, in pixels. */
const momentWidth = 68;

/** Natural steps between time labels. */
const momentSteps: Readonly<Record<TimeDimension, readonly number[]>> = {
  'time:hour': [1, 2, 3, 4, 6, 12],
  'time:day': [1, 2, 7, 14, 28],
  'time:month': [1, 2, 3, 6, 12],
};

/** The indexes of the time labels that fit into a width, starting with the first. */
export function timeTicks(count: number, width: number, interval: TimeDimension): number[] {
  const fitting = Math.max(1, Math.floor(width / momentWidth));
  const step =
    momentSteps[interval].find((candidate) => count / candidate <= fitting) ??
    Math.ceil(count / fitting);
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
}

/** Maps a value from 0 to `highest` to a position between two positions. */
export function position(value: number, highest: number, start: number, end: number): number {
  return start + (value / highest) * (end - start);
}
