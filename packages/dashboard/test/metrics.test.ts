import { expect, test } from 'vitest';
import { change, type Change, type OverviewMetric, type Totals } from '../src/lib/metrics';

/** The totals of a period with visits and a value for one metric. */
function period(values: Partial<Totals>): Totals {
  return {
    visitors: 1,
    visits: 1,
    pageviews: 1,
    views_per_visit: 1,
    bounce_rate: 1,
    visit_duration: 1,
    ...values,
  };
}

test.each<[string, OverviewMetric, number, number, Change | undefined]>([
  ['a rise', 'visitors', 112, 100, { direction: 'up', good: true, amount: '12%' }],
  ['a fall', 'visitors', 50, 100, { direction: 'down', good: false, amount: '50%' }],
  ['a small change', 'visitors', 1_013, 1_000, { direction: 'up', good: true, amount: '1.3%' }],
  ['no change', 'visitors', 100, 100, { direction: 'same', good: false, amount: '0%' }],
  [
    'next to no change',
    'visitors',
    100_001,
    100_000,
    { direction: 'same', good: false, amount: '0%' },
  ],
  ['a fall to nothing', 'visits', 0, 7, { direction: 'down', good: false, amount: '100%' }],
  ['a rise from nothing', 'visits', 7, 0, undefined],
  ['nothing at all', 'bounce_rate', 0, 0, undefined],
  ['fewer bounces', 'bounce_rate', 40, 43.5, { direction: 'down', good: true, amount: '3.5 pts' }],
  ['more bounces', 'bounce_rate', 60, 40, { direction: 'up', good: false, amount: '20 pts' }],
  ['a longer visit', 'visit_duration', 90, 60, { direction: 'up', good: true, amount: '50%' }],
])('%s', (_, metric, now, before, expected) => {
  expect(
    change(metric, period({ visits: 1, [metric]: now }), period({ visits: 1, [metric]: before })),
  ).toEqual(expected);
});

test('a mean is not compared with that of a period without visits', () => {
  for (const metric of ['bounce_rate', 'views_per_visit', 'visit_duration'] as const) {
    expect(
      change(metric, period({ visits: 9, [metric]: 38 }), period({ visits: 0, [metric]: 0 })),
    ).toBeUndefined();
    expect(
      change(metric, period({ visits: 0, [metric]: 0 }), period({ visits: 9, [metric]: 38 })),
    ).toBeUndefined();
  }
});
