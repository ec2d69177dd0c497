import js from '@eslint/js';
import jsxA11y from 'eslint-plugin-jsx-a11y-x';
import reactHooks from 'eslint-plugin-react-hooks';
import { defineConfig, globalIgnores } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores([
    '**/dist/',
    '**/node_modules/',
    '**/coverage/',
    'functions/dashboard/assets/',
    'packages/types/openapi.d.ts',
    '.data/',
    'bin/',
  ]),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    // The browser tracker is minified by the function that serves it.
    files: ['functions/track/script/*.js'],
    languageOptions: { sourceType: 'script', globals: globals.browser },
  },
  {
    files: ['functions/track/script/*.js'],
    ignores: ['functions/track/script/core.js'],
    languageOptions: { globals: { send: 'readonly', on: 'readonly' } }, // of core.js
  },
  { files: ['infra/lambda/*.js'], languageOptions: { sourceType: 'script' } }, // CloudFront runs it
  {
    files: ['**/*.{js,ts,tsx}'],
    ignores: ['functions/**', 'infra/lambda/**'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A number reads the same in a template as through String().
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    files: ['**/*.{js,mjs,ts}'],
    ignores: ['packages/*/{src,test}/**', 'functions/**', 'infra/lambda/**'],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['packages/dashboard/{src,test}/**/*.{ts,tsx}'],
    extends: [reactHooks.configs.flat['recommended-latest'], jsxA11y.configs.strict],
    languageOptions: { globals: globals.browser },
    rules: {
      // A region that scrolls must be within reach of the keyboard.
      'jsx-a11y-x/no-noninteractive-tabindex': ['error', { tags: [], roles: ['region'] }],
    },
  },
);
