import { Readable } from 'node:stream'
import { createAudit } from '@countersign/core'
import { expect, test } from '@jest/globals'
import type { Command } from 'commander'
import { fencesOf, readPages } from '../../../test/docs/markdown.js'
import { Output } from '../src/output.js'
import { createProgram } from '../src/program.js'

/** What was quoted stays one word until it is decoded. */
const quoted = (text: string): string => encodeURIComponent(text).replaceAll(')', '%29')

/** The command lines of the pages' shell blocks, those inside `$(…)` too, with their places. */
const lines = readPages()
  .filter(({ path }) => !path.startsWith('docs/decisions/'))
  .flatMap(fencesOf)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ page, line, code }) =>
    code
      .replaceAll('\\\n', ' ')
      .split('\n')
      .flatMap((text) => commandsOf(text).map((words) => ({ place: `${page}:${line}`, words }))),
  )

/** What a line of a shell starts `countersign` with, as far as the pages quote. */
function commandsOf(text: string): string[][] {
  const starts = text.matchAll(
    /(?:^|[\s;|(=])(?:npx (?:--yes )?(?:@countersign\/cli|countersign)|countersign)(?= [a-z-])/g,
  )
  return Array.from(starts, ({ index, 0: start }) => {
    if (/(^|\s)#/.test(text.slice(0, index))) return []
    const rest = text
      .slice(index + start.length)
      .replaceAll(/'([^']*)'|"([^"]*)"/g, (_all, one, two) => quoted(one ?? two))
    const [end = ''] = rest.split(/\s(?:#|\||>>?|<|&&)|[;)]/)
    return end
      .split(/\s+/)
      .filter(Boolean)
      .map((word) => decodeURIComponent(word))
  }).filter(({ length }) => length > 0)
}

/** The whole command, which reads a line and does nothing. */
async function parse(words: readonly string[]): Promise<void> {
  const sink = { write: () => true, isTTY: false } as unknown as NodeJS.WriteStream
  const output = new Output(sink, sink, {})
  const context = {
    env: {},
    stdin: Readable.from([]),
    output,
    audit: createAudit(),
    signal: new AbortController().signal,
  }
  const hooks = { record: async () => undefined, onEnd: () => undefined }
  const program = await createProgram(context, hooks, words)
  const silence = (command: Command): void => {
    // A group itself does nothing.
    if (command.commands.length === 0) command.action(() => undefined)
    command.commands.forEach(silence)
  }
  program.commands.forEach(silence)
  await program.parseAsync([...words], { from: 'user' })
}

test('every command line of every page is one that the command reads', async () => {
  expect(lines.length).toBeGreaterThan(50)
  const complaints: string[] = []
  for (const { place, words } of lines) {
    await parse(words).catch((error: Error) => complaints.push(`${place}: ${words.join(' ')}: ${error.message}`))
  }
  expect(complaints).toEqual([])
})

test('an unknown command, option or word is found', async () => {
  await expect(parse(['hmac', 'rotat', 'scheduler'])).rejects.toThrow(/unknown command/)
  await expect(parse(['mcp', 'list', '--treads', 't-1'])).rejects.toThrow(/unknown option/)
  await expect(parse(['mcp', 'show', 'a', 'b'])).rejects.toThrow(/too many arguments/)
})
