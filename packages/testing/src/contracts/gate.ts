import type { ContractCase } from './contract.js'
import { decisionCases } from './gate/decisions.js'
import { faultCases } from './gate/faults.js'
import { onDeniedCases } from './gate/on-denied.js'
import type { GateContractOptions } from './gate/subject.js'
import { upgradeCases } from './gate/upgrades.js'

export type {
  ContractOptions,
  ContractRequest,
  GateContractOptions,
  GateSubject,
  MakeContractRequest,
  RefusedRequest,
} from './gate/subject.js'

/**
 * What every gate keeps to, over real HTTP: mounted twice, stores that throw each kind of error, clients that are gone,
 * doubled and malformed credentials, `optional()`, each form of `onDenied`, upgrades, a required sink that fails, one event for a
 * decision, the form of answers, and principals that are frozen and proven.
 *
 * @example
 * const contract = gateContract({
 *   name: 'requireKey',
 *   make: ({ audit, onDenied, breakable }) => ({
 *     gate: requireKey({ audit, onDenied, store: breakable(memoryKeys()) }),
 *     good: () => ({ headers: { 'x-key': 'good' } }),
 *     bad: { malformed: { request: { headers: { 'x-key': '' } }, status: 401, reason: 'malformed' } },
 *   }),
 * })
 * for (const { title, run } of contract) test(title, run)
 */
export function gateContract(options: GateContractOptions): readonly ContractCase[] {
  const cases = { ...decisionCases, ...faultCases, ...onDeniedCases, ...upgradeCases }
  return Object.entries(cases).map(([title, check]) => ({ title, run: () => check(options) }))
}
