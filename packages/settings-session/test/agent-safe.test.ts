import { type AgentSafe, type LinkReceipt, type SensitiveLink, SensitiveUrl } from '@countersign/settings-session'
import { expect, test } from '@jest/globals'

/** Whether `T` is accepted. tsc decides: a verdict that it does not share is an error of the build. */
type IsSafe<T> = [AgentSafe<T>] extends [{ readonly 'a SensitiveUrl must not reach an agent': never }] ? false : true
const isSafe = <T>(verdict: IsSafe<T>): boolean => verdict

type Receipt = LinkReceipt<'settings'>
interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
  readonly parent?: Tree | undefined
}
interface TreeOfLinks {
  readonly children: readonly TreeOfLinks[]
  readonly leaf?: { readonly url?: SensitiveUrl }
}
/** Eight levels. */
interface Deep<T> {
  readonly a: {
    readonly b: { readonly c: { readonly d: { readonly e: { readonly f: { readonly g: { readonly h: T } } } } } }
  }
}
test('[settings-leak] a response type that says all that is in it compiles', () => {
  const verdicts = [
    isSafe<Receipt>(true),
    isSafe<{ receipt: Receipt; notes: string[]; at: Date; where: URL }>(true),
    isSafe<readonly [number, { ok: boolean } | null, 'a' | 'b']>(true),
    isSafe<string[][]>(true),
    isSafe<Record<string, number>>(true),
    isSafe<Record<string, never>>(true),
    isSafe<{ text: string & { readonly brand: 'safe' } }>(true),
    isSafe<{ onSent?: (url: SensitiveUrl) => void; a: 1 }>(true),
    isSafe<{ toJSON(): { ok: true }; state: SensitiveUrl }>(true),
    isSafe<Tree>(true),
    isSafe<Deep<string>>(true),
    isSafe<string | number | undefined>(true),
  ]
  expect(verdicts).not.toContain(false)
})

test('[settings-leak] a response type that holds a SensitiveUrl does not compile', () => {
  const accept = <T>(value: AgentSafe<T>): unknown => value
  const url = new SensitiveUrl('https://app.example.com')
  const verdicts = [
    isSafe<SensitiveUrl>(false),
    isSafe<{ ok: true; url: SensitiveUrl }>(false),
    isSafe<{ url?: SensitiveUrl | undefined }>(false),
    isSafe<{ kind: 'a' } | { kind: 'b'; urls: SensitiveUrl[] }>(false),
    isSafe<{ a: { b: readonly { c: SensitiveUrl }[] } }>(false),
    isSafe<readonly [string, SensitiveUrl]>(false),
    isSafe<Deep<{ url: SensitiveUrl }>>(false),
    // What is too deep to be looked into is not safe.
    isSafe<Deep<Deep<{ a: 1 }>>>(false),
    isSafe<TreeOfLinks>(false),
    isSafe<SensitiveLink<'settings'>>(false),
    isSafe<{ toJSON(): { url: SensitiveUrl } }>(false),
    // @ts-expect-error a link in a member
    accept<{ ok: true; url: SensitiveUrl }>({ ok: true, url }),
  ]
  // @ts-expect-error a string is no SensitiveUrl
  const forged: SensitiveUrl = 'https://app.example.com'
  expect([verdicts.slice(0, -1).includes(true), forged]).toEqual([false, 'https://app.example.com'])
})

/** What a client without types returns. */
type Untyped = ReturnType<typeof JSON.parse>

test('[settings-leak] a response type that may hold anything does not compile', () => {
  const verdicts = [
    isSafe<Untyped>(false),
    isSafe<{ body: Untyped }>(false),
    isSafe<unknown>(false),
    isSafe<{ data: unknown }>(false),
    isSafe<{ data?: unknown }>(false),
    isSafe<unknown[]>(false),
    isSafe<readonly [string, unknown]>(false),
    isSafe<object>(false),
    isSafe<{ data: object | null }>(false),
    // biome-ignore lint/complexity/noBannedTypes: what says nothing of its members
    isSafe<{}>(false),
    isSafe<Record<string, unknown>>(false),
    isSafe<Record<string, object>>(false),
    isSafe<{ ok: true; [name: string]: unknown }>(false),
    isSafe<Map<string, string>>(false),
    isSafe<{ a: ReadonlyMap<string, SensitiveUrl> }>(false),
    isSafe<WeakMap<object, SensitiveUrl>>(false),
    isSafe<Set<string>>(false),
    isSafe<Uint8Array>(false),
    isSafe<{ rows: Iterable<string> }>(false),
    isSafe<IterableIterator<string>>(false),
    isSafe<AsyncIterable<string>>(false),
    isSafe<Promise<Receipt>>(false),
    isSafe<{ receipt: PromiseLike<Receipt> }>(false),
    isSafe<{ toJSON(): unknown }>(false),
  ]
  expect(verdicts).not.toContain(true)
})
