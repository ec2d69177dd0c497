import { expect, test } from 'vitest';
import { generate, generated } from '../generate.js';

test('openapi.d.ts is up to date', async () => {
  expect(await generated()).toBe(await generate());
});
