import type { Clock } from '../clock.js'

/** What one option must be: `expected` completes the sentence "must be …". */
export interface OptionRule<T> {
  readonly expected: string
  readonly isRequired: boolean
  readonly fallback: T | undefined
  readonly isSecret: boolean
  /** The value to use, or undefined when it is not what is expected. */
  readonly accept: (value: unknown) => T | undefined
}

/** The rules of an options object, by option. */
export type OptionRules = Readonly<Record<string, OptionRule<unknown>>>
/** What {@link resolveOptions} makes of rules. */
export type Resolved<S extends OptionRules> = {
  readonly [K in keyof S]: S[K] extends OptionRule<infer T> ? T : never
}

type Accept<T> = (value: unknown) => T | undefined

/** A rule that may still be given a default, or be required. */
export interface RuleBuilder<T> extends OptionRule<T | undefined> {
  /** Left out, it is `value`. */
  default(value: T): OptionRule<T>
  /** Left out, creation throws. */
  required(): OptionRule<T>
  /** Its value is never shown in an error. */
  secret(): RuleBuilder<T>
}

function rule<T>(expected: string, accept: Accept<T>, isSecret = false): RuleBuilder<T> {
  return {
    expected,
    accept,
    isSecret,
    isRequired: false,
    fallback: undefined,
    default: (fallback) => ({ expected, accept, isSecret, isRequired: false, fallback }),
    required: () => ({ expected, accept, isSecret, isRequired: true, fallback: undefined }),
    secret: () => rule(expected, accept, true),
  }
}

const ASYNC = /^\[object (?:Async|Generator|AsyncGenerator)Function\]$/

/** Whether a value is a function that was declared `async`, or a generator: it returns no value that can be used at once. */
export function isAsyncFunction(value: unknown): boolean {
  return typeof value === 'function' && ASYNC.test(Object.prototype.toString.call(value))
}

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whether a value is a GUID, as the ids of Microsoft's tenants are. */
export function isGuid(value: unknown): value is string {
  return typeof value === 'string' && GUID.test(value)
}

function isClock(value: unknown): value is Clock {
  const { now, monotonic } = (typeof value === 'object' ? (value ?? {}) : {}) as Partial<Clock>
  return [now, monotonic].every((method) => typeof method === 'function' && !isAsyncFunction(method))
}

/** The rules that options are described with. Each is optional until `.default(…)` or `.required()` is said. */
export const option: OptionKit = {
  integer: (min, max) =>
    rule(`an integer from ${min} to ${max}`, (value) =>
      Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
        ? (value as number)
        : undefined,
    ),
  seconds: (min, max) =>
    rule(`a number of seconds from ${min} to ${max}`, (value) =>
      typeof value === 'number' && value >= min && value <= max ? value : undefined,
    ),
  boolean: () => rule('true or false', (value) => (typeof value === 'boolean' ? value : undefined)),
  string: (pattern, expected = 'a string that is not empty') =>
    rule(expected, (value) =>
      typeof value === 'string' && value !== '' && (pattern === undefined || pattern.test(value)) ? value : undefined,
    ),
  strings: (pattern, expected = 'a list of strings that are not empty') =>
    rule<readonly string[]>(expected, (value) =>
      Array.isArray(value) &&
      value.every((item) => typeof item === 'string' && item !== '' && (pattern === undefined || pattern.test(item)))
        ? Object.freeze([...(value as string[])])
        : undefined,
    ),
  oneOf: <const V extends string>(...values: readonly V[]) =>
    rule<V>(`one of ${values.map((value) => `'${value}'`).join(', ')}`, (value) =>
      values.includes(value as V) ? (value as V) : undefined,
    ),
  func: <F extends (...args: never[]) => unknown>() =>
    rule('a function', (value) => (typeof value === 'function' ? (value as F) : undefined)),
  syncFunc: <F extends (...args: never[]) => unknown>() =>
    rule('a function that is not async', (value) =>
      typeof value === 'function' && !isAsyncFunction(value) ? (value as F) : undefined,
    ),
  port: <T extends object>(expected: string, ...methods: readonly (keyof T & string)[]) =>
    rule<T>(expected, (value) => {
      if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined
      return methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
        ? (value as T)
        : undefined
    }),
  clock: () => rule<Clock>('a Clock', (value) => (isClock(value) ? value : undefined)),
  custom: (expected, accept) => rule(expected, accept),
}

/** The makers of rules: see {@link option}. */
export interface OptionKit {
  integer(min: number, max: number): RuleBuilder<number>
  /** A number of seconds, fractions allowed: what a protocol calls an age, a lifetime, a window or a tolerance. */
  seconds(min: number, max: number): RuleBuilder<number>
  boolean(): RuleBuilder<boolean>
  string(pattern?: RegExp, expected?: string): RuleBuilder<string>
  strings(pattern?: RegExp, expected?: string): RuleBuilder<readonly string[]>
  oneOf<const V extends string>(...values: readonly V[]): RuleBuilder<V>
  func<F extends (...args: never[]) => unknown>(): RuleBuilder<F>
  /** A function whose result is used at once: a promise in its place would be taken for a value. */
  syncFunc<F extends (...args: never[]) => unknown>(): RuleBuilder<F>
  /** An object that has these methods: a store, a clock, an emitter. */
  port<T extends object>(expected: string, ...methods: readonly (keyof T & string)[]): RuleBuilder<T>
  /** A clock whose methods are not async: a promise is no time, and compares with none. */
  clock(): RuleBuilder<Clock>
  /** Anything that `accept` turns into a value; undefined refuses it. */
  custom<T>(expected: string, accept: (value: unknown) => T | undefined): RuleBuilder<T>
}
