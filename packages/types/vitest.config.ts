import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { name: 'types', testTimeout: 10 * 60_000 } });
