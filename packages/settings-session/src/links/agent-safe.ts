import type { SensitiveUrl } from './sensitive-url.js'

type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type IsAmong<T, List extends readonly unknown[]> = List extends readonly [infer First, ...infer Rest]
  ? IsSame<T, First> extends true
    ? true
    : IsAmong<T, Rest>
  : false

/** How deep a type is looked into; what is deeper is not safe. */
type MaxDepth = 12
type Primitive = string | number | bigint | boolean | symbol | null | undefined

/** What a type does not say all of, or what JSON does not show: anything may be in it. */
type Opaque =
  | SensitiveUrl
  | PromiseLike<unknown>
  | Iterable<unknown>
  | AsyncIterable<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | WeakRef<WeakKey>

/** Whether a link may be in a `T`. `Within` are the types that it is a member of: a type within itself adds nothing. */
type MayHoldLink<T, Within extends readonly unknown[]> = unknown extends T
  ? true
  : T extends Primitive
    ? false
    : IsAmong<T, Within> extends true
      ? false
      : Within['length'] extends MaxDepth
        ? true
        : T extends readonly unknown[]
          ? MayHoldLink<T[number], [...Within, T]>
          : T extends Opaque
            ? true
            : T extends { toJSON(...given: never[]): infer Json }
              ? MayHoldLink<Json, [...Within, T]>
              : T extends (...given: never[]) => unknown
                ? false
                : [keyof T] extends [never]
                  ? true
                  : { [K in keyof T]-?: MayHoldLink<T[K], [...Within, T]> }[keyof T]

/**
 * `T`, when its type says all that is in it and no {@link SensitiveUrl} is; otherwise a type that nothing fits. Give the
 * responses of agent-facing routes this type, and a link among them does not compile. Not accepted is what may hold
 * anything: `any`, `unknown`, `object`, `{}`, `Record<string, unknown>`, a `Map`, a `Set` or another iterable that is no
 * array, a promise.
 *
 * @example
 * response.json(receipt satisfies AgentSafe<typeof receipt>)
 */
export type AgentSafe<T> = true extends MayHoldLink<T, []> ? HoldsSensitiveUrl : T

/** What {@link AgentSafe} makes of a type that an agent must not get. */
export interface HoldsSensitiveUrl {
  readonly 'a SensitiveUrl must not reach an agent': never
}
