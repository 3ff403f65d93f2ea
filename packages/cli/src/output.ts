import { styleText } from 'node:util'
import type { Environment } from '@countersign/core'
import type { Stream } from './context.js'
import { type Cell, formatTable } from './table.js'

type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

/** What is asked for goes to stdout, what is said about it to stderr: a pipe gets the first alone. */
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

  line(text = ''): void {
    this.#stdout.write(`${text}\n`)
  }

  /** Resolves when the bytes are out, so that a long answer is not held in memory. */
  async bytes(chunk: Uint8Array): Promise<void> {
    if (this.#stdout.write(chunk)) return
    await new Promise((resolve) => this.#stdout.once('drain', resolve))
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value))
  }

  table(header: readonly string[], rows: readonly (readonly Cell[])[]): void {
    for (const line of formatTable(header, rows)) this.line(line)
  }

  /** Said to a person, on stderr. */
  note(text: string): void {
    this.#stderr.write(`${text}\n`)
  }

  /** Coloured on a terminal, plain in a pipe; `NO_COLOR` and `FORCE_COLOR` decide otherwise. */
  style(style: Style, text: string): string {
    // Decided here, by the stream that is written to: Node would ask the process's own.
    return this.#isColoured ? styleText(style, text, { validateStream: false }) : text
  }

  /**
   * How far long work is, on stderr: one line that is written over on a terminal, a line every five seconds elsewhere.
   * `done()` ends it.
   */
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
