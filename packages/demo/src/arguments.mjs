// Plain JavaScript: start.mjs reads it before anything is built.
import { parseArgs } from 'node:util'

const USAGE = 'Options: --once (run every row, print a table, end) and --port <number>'

/**
 * What `npm run demo -- …` says, or what is wrong with it. Port 0 picks any free one.
 *
 * @param {readonly string[]} words
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {{ once: boolean, port: number, complaint?: undefined } | { complaint: string }}
 */
export function readArguments(words, environment) {
  let values
  try {
    values = parseArgs({ args: [...words], options: { once: { type: 'boolean' }, port: { type: 'string' } } }).values
  } catch (error) {
    return { complaint: `${String(/** @type {Error} */ (error).message).split('. ')[0]}. ${USAGE}.` }
  }
  const [name, text] = values.port === undefined ? ['PORT', environment.PORT ?? '0'] : ['--port', values.port]
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) {
    return { complaint: `${name} must be a number from 0 to 65535, and 0 picks any free port; it is '${text}'.` }
  }
  return { once: values.once === true, port }
}
