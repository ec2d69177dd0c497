import { expect, it, test } from 'vitest';
import type { Metric } from '../src/api/types';
import { position, timeTicks, valueTicks } from '../src/lib/axes';

test.each<[Metric, number, number[]]>([
  ['visitors', 0, [0, 1]],
  ['visitors', 1, [0, 1]],
  ['visitors', 3, [0, 1, 2, 3]],
  ['visitors', 1_480, [0, 500, 1_000, 1_500]],
  ['views_per_visit', 1.8, [0, 0.5, 1, 1.5, 2]],
  ['bounce_rate', 100, [0, 20, 40, 60, 80, 100]],
  ['visit_duration', 0, [0, 1]],
  ['visit_duration', 100, [0, 30, 60, 90, 120]],
  ['visit_duration', 200_000, [0, 50_000, 100_000, 150_000, 200_000]],
])('the axis of %s up to %d', (metric, highest, expected) => {
  expect(valueTicks(metric, highest)).toEqual(expected);
});

it('shows as many time labels as fit', () => {
  expect(timeTicks(24, 1_000, 'time:hour')).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]);
  expect(timeTicks(28, 300, 'time:day')).toEqual([0, 7, 14, 21]);
  expect(timeTicks(12, 2_000, 'time:month')).toHaveLength(12);
  expect(timeTicks(500, 136, 'time:month')).toEqual([0, 250]);
  expect(timeTicks(24, 0, 'time:hour')).toHaveLength(1);
});

it('maps values to positions', () => {
  expect(position(5, 10, 200, 100)).toBe(150);
});
