import { OptionError } from '@countersign/core'
import { CodedTypeError } from '@countersign/core/gate-kit'
import { assertDpopIsOn, type DpopMode } from '../dpop-options.js'
import { createNetwork, type Network, type ResolvedNetworkOptions } from '../http/network.js'
import { isJsonObject } from '../strict-encoding.js'
import { createIssuer, type GateSettings } from './create-issuer.js'
import type { Issuer } from './issuer.js'
import { type CheckedIssuerOptions, checkIssuerOptions, type IssuerOptions } from './issuer-options.js'
import { createRuntimeIssuers, type FindIssuer, type FindRuntimeIssuer } from './runtime-issuers.js'

/** The issuers of a gate, and the way to them. */
export interface Issuers {
  readonly network: Network
  /** Those of the configuration. */
  readonly issuers: readonly Issuer[]
  /** Finds the others. */
  readonly findIssuer: FindRuntimeIssuer | undefined
}

/** What {@link createIssuers} takes from the gate's options. */
export interface IssuersSetup extends Omit<GateSettings, 'network'> {
  readonly network: ResolvedNetworkOptions
  readonly issuers: readonly CheckedIssuerOptions[]
  readonly findIssuer: FindIssuer | undefined
  readonly issuersTimeoutMs: number
  readonly maxIssuers: number
}

/** @throws {TypeError} with code `ERR_COUNTERSIGN_ISSUERS_RESULT`: a wrong result is a bug in the app, 500. */
function checkResult(
  options: unknown,
  httpOrigins: readonly string[],
  dpopMode: DpopMode | undefined,
): CheckedIssuerOptions {
  try {
    if (isJsonObject(options)) {
      const checked = checkIssuerOptions(options as unknown as IssuerOptions, 'issuers()', httpOrigins)
      if (checked.dpop) assertDpopIsOn('issuers().dpop', dpopMode)
      return checked
    }
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CodedTypeError('ERR_COUNTERSIGN_ISSUERS_RESULT', `issuers returned wrong options. ${error.message}`)
  }
  throw new CodedTypeError(
    'ERR_COUNTERSIGN_ISSUERS_RESULT',
    'issuers must return the options of an issuer, or undefined',
  )
}

/** Makes the issuers of a gate. Sends no request yet. */
export function createIssuers(setup: IssuersSetup): Issuers {
  const network = createNetwork(setup.network)
  const settings: GateSettings = { ...setup, network }
  const { findIssuer: find, issuersTimeoutMs: timeoutMs, maxIssuers, clock } = setup
  const make = (options: IssuerOptions, before: Issuer | undefined) =>
    createIssuer(checkResult(options, network.httpOrigins, settings.dpopMode), settings, before)
  return {
    network,
    issuers: setup.issuers.map((checked) => createIssuer(checked, settings)),
    findIssuer: find && createRuntimeIssuers({ find, timeoutMs, maxIssuers, make, clock }),
  }
}
