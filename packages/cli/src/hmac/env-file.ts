import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from '@countersign/core'
import { fileError, usageError } from '../errors.js'
import { writePrivateText } from '../private-file.js'

/** The variables of a file of `NAME=value` lines, as `node --env-file` reads them. */
export function readEnvFile(file: string): Environment {
  return parse(readText(file))
}

/** Adds a line, and creates the file when there is none. @throws {CommandError} when the variable is set already. */
export async function addVariable(file: string, name: string, value: string): Promise<void> {
  const text = readText(file, '')
  const before = parse(text)
  if (before[name] !== undefined || before[`${name}_FILE`] !== undefined) {
    throw usageError(`${name} is already set in ${file}: a version is never replaced`)
  }
  const start = text === '' || text.endsWith('\n') ? text : `${text}\n`
  await write(file, `${start}${name}=${quoted(name, value)}\n`, { ...before, [name]: value })
}

/** Removes the line of a variable, if there is one. */
export async function removeVariable(file: string, name: string): Promise<void> {
  const text = readText(file)
  const { [name]: removed, ...rest } = parse(text)
  if (removed === undefined) return
  if (removed.includes('\n')) throw notByLine(file)
  const line = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*(?:\\r?\\n|$)`, 'gm')
  await write(file, text.replace(line, ''), rest)
}

/** Writes the text if it parses to exactly the intended variables. */
async function write(file: string, text: string, intended: Environment): Promise<void> {
  const got = parse(text)
  const isAsIntended =
    Object.keys(got).length === Object.keys(intended).length &&
    Object.entries(intended).every(([name, value]) => got[name] === value)
  if (!isAsIntended) throw notByLine(file)
  await writePrivateText(file, text)
}

function notByLine(file: string) {
  return usageError(`${file} cannot be changed line by line: edit it by hand`)
}

function quoted(name: string, value: string): string {
  if (/^[\x21\x24-\x26\x28-\x5b\x5d-\x5f\x61-\x7e]+$/.test(value)) return value
  const quote = [`'`, '"', '`'].find((candidate) => !value.includes(candidate))
  if (quote === undefined || /[\r\n]/.test(value)) {
    throw usageError(
      `the value of ${name} has line ends or every kind of quote: set it by hand, or through ${name}_FILE`,
    )
  }
  return `${quote}${value}${quote}`
}

function parse(text: string): Environment {
  return parseEnv(text) as Environment
}

function readText(file: string, fallback?: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && fallback !== undefined) return fallback
    throw fileError(`--dotenv ${file}`, 'read', error)
  }
}
