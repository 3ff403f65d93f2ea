import { OptionError } from '@countersign/core'
import { describeError, isBug, isPromise, option, type RuleBuilder } from '@countersign/core/gate-kit'
import type { SignedTarget } from './format.js'

/** Where the target that was signed comes from, when a proxy changes it on its way. */
export interface TargetOptions {
  /**
   * The start of the path that a proxy in front removes, such as `/billing`: it was signed, and is put back before the
   * signature is checked.
   */
  readonly pathPrefix?: string | undefined
  /**
   * The path with its query that the client sent, where it is not `req.originalUrl`. What it returns is signed in place of
   * what the handler sees: it must not depend on anything that the client can write.
   */
  readonly target?: SignedTarget | undefined
}

/** The rules of {@link TargetOptions}. */
export const targetRules: {
  readonly pathPrefix: RuleBuilder<string>
  readonly target: RuleBuilder<SignedTarget>
} = {
  // What comes behind it starts with a "/".
  pathPrefix: option.string(
    /^(?:\/[!"$-.0->@-~]{1,128}){1,16}$/,
    'the start of a path, such as "/billing", without a "/" at its end',
  ),
  target: option.syncFunc<SignedTarget>(),
}

const asItCame: SignedTarget = (request) => request.originalUrl

/**
 * How a gate finds the target that was signed.
 *
 * @throws {OptionError} when both options are set.
 */
export function resolveTarget(owner: string, { pathPrefix, target }: TargetOptions): SignedTarget {
  if (pathPrefix !== undefined && target !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'target',
      `${owner}: option "target" returns the whole path, so "pathPrefix" has no effect: remove one of them`,
    )
  }
  if (target !== undefined) return checked(owner, target)
  if (pathPrefix === undefined) return asItCame
  // Every other form of a target stays what it is, and is refused.
  return ({ originalUrl }) => (originalUrl.startsWith('/') ? pathPrefix + originalUrl : originalUrl)
}

/** A function that throws, or returns no text, has a bug: that is no mistake of the client, and no store is away. */
function checked(owner: string, target: SignedTarget): SignedTarget {
  return (request) => {
    let found: unknown
    try {
      found = target(request)
    } catch (error) {
      if (isBug(error)) throw error
      const { error: name, at = 'an unknown place' } = describeError(error)
      throw new TypeError(`${owner}: option "target" threw ${name} at ${at}`)
    }
    if (typeof found === 'string') return found
    // What it rejects with must not end the process.
    if (isPromise(found)) found.then(undefined, () => undefined)
    throw new TypeError(`${owner}: option "target" did not return a string`)
  }
}
