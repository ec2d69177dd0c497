import { defineConfig } from '@playwright/test';

import { testTimeout, type Options } from './platform.js';

// Tests in Chromium (Debian's, or the program in CHROMIUM) with the whole platform as `make run`
// starts it: with its own gateway, and with one that treats requests as OpenFaaS does. If
// OPENFAAS_URL is set, they run on that installation instead. The tests of a database need only
// one gateway.
const given = process.env.OPENFAAS_URL !== undefined;

export default defineConfig<object, Options>({
  testDir: '.',
  outputDir: '../test-results',
  timeout: testTimeout,
  expect: { timeout: testTimeout / 6 },
  fullyParallel: false,
  workers: 1,
  forbidOnly: true,
  reporter: [['list']],
  projects: given
    ? [{ name: 'given', grepInvert: /on timescaledb/, use: { gateway: 'given' } }]
    : [
        { name: 'direct', use: { gateway: 'direct' } },
        { name: 'openfaas', grepInvert: /on timescaledb/, use: { gateway: 'openfaas' } },
      ],
  use: {
    viewport: { width: 1440, height: 1000 },
    // The default user agent of a headless browser would count as a bot's.
    userAgent:
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
