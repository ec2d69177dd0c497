import { expect, test } from 'vitest';
import { generate, generated } from '../generate.js';

test('openapi.d.ts is what the document makes', async () => {
  expect(await generated()).toBe(await generate());
});
