import { basename } from 'node:path'
import { type AgentClient, type ClientConfigOptions, toClientConfig } from '@countersign/mcp-credential'
import { expect, test } from '@jest/globals'
import { fencesOf, readPages } from './markdown.js'

const pages = new Map(
  readPages()
    .filter(({ path }) => path.startsWith('docs/recipes/agents/'))
    .map((page) => [basename(page.path, '.md'), page]),
)
const CREDENTIAL = { token: 'the-token', authorizationHeader: 'Bearer the-token' }
const FILE = '/run/user/1000/app/t-1'
const helper = `"/usr/bin/node" "/srv/app/node_modules/@countersign/mcp-credential/dist/clients/print-credential.js"`

/** By page: the client, and what else its configurations are made with, in the page's order. */
const recipes: Readonly<Record<string, readonly [AgentClient, ...Partial<ClientConfigOptions>[]]>> = {
  'claude-code': ['claude-code', { file: `${FILE}.json`, helper }, {}],
  codex: ['codex', { file: `${FILE}.json`, helper }, {}],
  cursor: ['cursor', {}],
  'vs-code': ['vscode', {}],
  opencode: ['opencode', { file: `${FILE}.token` }],
  'gemini-cli': ['gemini', { file: '.gemini/.env' }],
  'qwen-code': ['qwen', { file: '.qwen/.env' }],
}

test('each agent that has a file has a page', () => {
  // Its program is run from the packed tarballs, in test/consumers.
  expect([...pages.keys()].sort()).toEqual([...Object.keys(recipes), 'sdk-clients'].sort())
})

test.each(Object.entries(recipes))('the page for %s has what toClientConfig makes', (name, [client, ...options]) => {
  const page = pages.get(name)
  if (page === undefined) throw new Error(`there is no page ${name}`)
  const shown = fencesOf(page).filter(({ language }) => ['json', 'toml'].includes(language))
  const usual = { url: 'https://app.example.com/mcp', serverName: 'app' }
  const made = options.map((more) => toClientConfig(CREDENTIAL, client, { ...usual, ...more }))
  expect(shown.map(({ code }) => code)).toEqual(made.map(({ text }) => text.trimEnd()))
  for (const { path } of made) expect(page.text).toContain(path)
})
