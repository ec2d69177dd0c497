/** Generates `openapi.d.ts` from the document that the function `query` serves. */
import { readFile, writeFile } from 'node:fs/promises';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';

const document = new URL('../../functions/query/openapi.json', import.meta.url);
const types = new URL('openapi.d.ts', import.meta.url);

/** Strings with a pattern that TypeScript can express as a template literal type. */
const templates = new Map([
  ['PropertyDimension', template('event:props:', ts.SyntaxKind.StringKeyword, '')],
  ['LastDays', template('', ts.SyntaxKind.NumberKeyword, 'd')],
  ['LastMonths', template('', ts.SyntaxKind.NumberKeyword, 'mo')],
]);

/**
 * @param {string} before
 * @param {ts.KeywordTypeSyntaxKind} kind
 * @param {string} after
 */
function template(before, kind, after) {
  return ts.factory.createTemplateLiteralType(ts.factory.createTemplateHead(before), [
    ts.factory.createTemplateLiteralTypeSpan(
      ts.factory.createKeywordTypeNode(kind),
      ts.factory.createTemplateTail(after),
    ),
  ]);
}

/** Returns the expected content of `openapi.d.ts`. */
export async function generate() {
  const ast = await openapiTS(document, {
    immutable: true,
    defaultNonNullable: false,
    transform: (_, { path }) => templates.get(path?.split('/').at(-1) ?? ''),
  });
  return `/* Generated from functions/query/openapi.json by generate.js. */\n\n${astToString(ast)}`;
}

/** Returns the current content of `openapi.d.ts`. */
export function generated() {
  return readFile(types, 'utf8');
}

if (argv[1] === fileURLToPath(import.meta.url)) await writeFile(types, await generate());
