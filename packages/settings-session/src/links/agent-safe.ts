import type { SensitiveUrl } from './sensitive-url.js'

/** How deep a type is looked into. */
type Depth = readonly [never, 0, 1, 2, 3, 4, 5, 6, 7, 8]
type IsAny<T> = 0 extends 1 & T ? true : false

type Holds<T, D extends number> = [D] extends [never]
  ? false
  : IsAny<T> extends true
    ? true
    : T extends SensitiveUrl
      ? true
      : T extends (...args: never[]) => unknown
        ? false
        : T extends object
          ? { [K in keyof T]-?: Holds<T[K], Depth[D]> }[keyof T]
          : false

/**
 * `T`, when no {@link SensitiveUrl} is anywhere in it (eight levels deep) and nothing in it is untyped; otherwise a type
 * that nothing fits. Give the responses of agent-facing routes this type, and a link among them does not compile.
 *
 * @example
 * response.json(receipt satisfies AgentSafe<typeof receipt>)
 */
export type AgentSafe<T> = true extends Holds<T, 8> ? HoldsSensitiveUrl : T

/** What {@link AgentSafe} makes of a type that an agent must not get. */
export interface HoldsSensitiveUrl {
  readonly 'a SensitiveUrl must not reach an agent': never
}
