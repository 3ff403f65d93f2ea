import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import type { Environment } from '@countersign/core'
import { safeString } from '@countersign/core/gate-kit'

/** Where output goes: a terminal, a pipe, a file. */
type Stream = Writable & { readonly isTTY?: boolean }

type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

/** A cell of a table; undefined is shown as `-`. */
export type Cell = string | number | undefined

/** Writes results to stdout and messages to stderr, so that a pipe gets the results alone. */
export class Output {
  readonly #stdout: Stream
  readonly #stderr: Stream
  readonly #isColoured: boolean

  constructor(stdout: Stream, stderr: Stream, env: Environment) {
    this.#stdout = stdout
    this.#stderr = stderr
    const forced = env.FORCE_COLOR
    this.#isColoured =
      forced === undefined || forced === '0' ? stdout.isTTY === true && (env.NO_COLOR ?? '') === '' : true
  }

  /** A line on stdout. */
  line(text = ''): void {
    this.#stdout.write(`${text}\n`)
  }

  /** Bytes on stdout. Resolves when they are written, so that a long answer is not held in memory. */
  async bytes(chunk: Uint8Array): Promise<void> {
    if (this.#stdout.write(chunk)) return
    await new Promise((resolve) => this.#stdout.once('drain', resolve))
  }

  /** A value as one line of JSON on stdout. */
  json(value: unknown): void {
    this.line(JSON.stringify(value))
  }

  /** A result on stdout: the value as JSON, or the text as lines. */
  result(isJson: boolean | undefined, value: unknown, text: string | readonly string[]): void {
    if (isJson) this.json(value)
    else for (const line of [text].flat()) this.line(line)
  }

  /** A table on stdout, with columns as wide as needed. Control characters in cells are removed. */
  table(header: readonly string[], rows: readonly (readonly Cell[])[]): void {
    const lines = [
      header,
      ...rows.map((row) => row.map((cell) => (cell === undefined ? '-' : safeString(String(cell))))),
    ]
    const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
    for (const line of lines) {
      this.line(
        line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
    }
  }

  /** A message on stderr. */
  note(text: string): void {
    this.#stderr.write(`${text}\n`)
  }

  /** Coloured on a terminal, plain in a pipe. `NO_COLOR` and `FORCE_COLOR` override that. */
  style(style: Style, text: string): string {
    // Node would check the process's own stream, which may be another one.
    return this.#isColoured ? styleText(style, text, { validateStream: false }) : text
  }

  /** Progress of long work, on stderr: one line that is overwritten on a terminal, else a line every five seconds. */
  progress(what: string): { report(done: number, total?: number): void; done(): void } {
    const isTerminal = this.#stderr.isTTY === true
    let lastMs = isTerminal ? 0 : performance.now()
    let isOpen = false
    return {
      report: (done, total) => {
        const now = performance.now()
        if (now - lastMs < (isTerminal ? 100 : 5000) && done !== total) return
        if (!isTerminal && now - lastMs < 5000) return
        lastMs = now
        const text = `${what}: ${done}${total === undefined ? '' : ` of ${total}`}`
        if (isTerminal) this.#stderr.write(`\r\u001b[2K${text}`)
        else this.note(text)
        isOpen = isTerminal
      },
      done: () => {
        if (isOpen) this.#stderr.write('\r\u001b[2K')
        isOpen = false
      },
    }
  }
}
