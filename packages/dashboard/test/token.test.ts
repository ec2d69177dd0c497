// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { takeToken } from '../src/lib/token';

test.each([
  ['#token=a%2Bb', 'a+b'],
  ['#token=', undefined],
  ['#other', undefined],
  ['', undefined],
])('the token of %j is %j', (hash, token) => {
  window.history.replaceState(null, '', `/function/dashboard/?range=7d${hash}`);
  expect(takeToken()).toBe(token);
  expect(window.location.search).toBe('?range=7d');
  expect(window.location.hash).not.toContain('token');
});
