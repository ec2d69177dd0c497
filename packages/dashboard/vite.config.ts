import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig(({ command }) => ({
  // The built page must work under any prefix. The development server uses the usual prefix, and
  // forwards all other requests to the platform on port 8080.
  base: command === 'build' ? './' : '/function/dashboard/',
  server: {
    proxy: {
      '^/function/(?!dashboard/(?!session))': { target: 'http://localhost:8080', ws: true },
    },
  },
  plugins: [react()],
  build: {
    // The dashboard function embeds this directory; public/.gitkeep keeps it in a fresh checkout.
    outDir: '../../functions/dashboard/assets',
    emptyOutDir: true,
    assetsDir: 'static',
    // The strict Content-Security-Policy forbids data: URLs.
    assetsInlineLimit: 0,
  },
  test: {
    name: 'dashboard',
    include: ['test/**/*.test.{ts,tsx}'],
    env: { TZ: 'UTC' },
    // Only a test that hangs takes this long, on any machine.
    testTimeout: 10 * 60_000,
    hookTimeout: 10 * 60_000,
    restoreMocks: true,
  },
}));
