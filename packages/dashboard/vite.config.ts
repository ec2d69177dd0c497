import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig(({ command }) => ({
  // The built page is served under a prefix that only the platform knows. The development server
  // takes the usual one, and leaves everything but the page itself to a platform on port 8080.
  base: command === 'build' ? './' : '/function/dashboard/',
  server: {
    proxy: {
      '^/function/(?!dashboard/(?!session))': { target: 'http://localhost:8080', ws: true },
    },
  },
  plugins: [react()],
  build: {
    // The dashboard function embeds this folder; public/.gitkeep keeps it in a fresh checkout.
    outDir: '../../functions/dashboard/assets',
    emptyOutDir: true,
    assetsDir: 'static',
    // A strict Content-Security-Policy allows no data: addresses.
    assetsInlineLimit: 0,
  },
  test: {
    name: 'dashboard',
    include: ['test/**/*.test.{ts,tsx}'],
    env: { TZ: 'UTC' },
    // Only a test that hangs takes so long, on any machine.
    testTimeout: 10 * 60_000,
    hookTimeout: 10 * 60_000,
    restoreMocks: true,
  },
}));
