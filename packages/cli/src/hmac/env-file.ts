import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from '@countersign/core'
import { usageError } from '../command-error.js'
import { writePrivateFile } from '../private-file.js'

/** The variables of a file of `NAME=value` lines, as `node --env-file` reads them. */
export function readEnvFile(file: string): Environment {
  return parse(readText(file))
}

/** Adds a line. The file is made when there is none. @throws {CommandError} when the variable is there already. */
export function addVariable(file: string, name: string, value: string): void {
  const text = readText(file, '')
  const before = parse(text)
  if (before[name] !== undefined || before[`${name}_FILE`] !== undefined) {
    throw usageError(`${name} is set in ${file} already: a version is never replaced`)
  }
  const start = text === '' || text.endsWith('\n') ? text : `${text}\n`
  write(file, `${start}${name}=${quoted(name, value)}\n`, { ...before, [name]: value })
}

/** Removes a variable's line, if there is one. */
export function removeVariable(file: string, name: string): void {
  const text = readText(file)
  const { [name]: removed, ...rest } = parse(text)
  if (removed === undefined) return
  if (removed.includes('\n')) throw notByLine(file)
  const line = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*(?:\\r?\\n|$)`, 'gm')
  write(file, text.replace(line, ''), rest)
}

/** Only when the file then says exactly what is meant. */
function write(file: string, text: string, meant: Environment): void {
  const got = parse(text)
  const isAsMeant =
    Object.keys(got).length === Object.keys(meant).length &&
    Object.entries(meant).every(([name, value]) => got[name] === value)
  if (!isAsMeant) throw notByLine(file)
  writePrivateFile(file, text)
}

/** A value over several lines would leave its rest behind. */
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

function readText(file: string, absent?: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && absent !== undefined) return absent
    throw usageError(`--dotenv ${file} cannot be read (${code}): correct its name or its permissions`)
  }
}
