import { defineConfig } from '@playwright/test';

import { patience, type Options } from './platform.js';

// One real browser, Debian's Chromium unless CHROMIUM names another, on the whole
// platform as `make run` starts it: as it is, and behind a gateway that does to requests
// what OpenFaaS does; or, where OPENFAAS_URL says so, on one that runs there.
// Gateways don't see what database it is.
const given = process.env.OPENFAAS_URL !== undefined;

export default defineConfig<object, Options>({
  testDir: '.',
  outputDir: '../test-results',
  timeout: patience,
  expect: { timeout: patience / 6 },
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
    // A headless browser says so in its user agent, and is rightly taken for a program.
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
