import { audit, createAudit } from '@countersign/core'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { singleton } from '../src/singleton.js'

const known = (thing: string) => Object.getOwnPropertyDescriptor(globalThis, Symbol.for(`countersign.${thing}`))

let warn: jest.SpiedFunction<typeof process.emitWarning>
beforeEach(() => {
  warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
})
afterEach(() => warn.mockRestore())

describe('what copies of the package share', () => {
  test('[core-singletons] is an own property of globalThis that is neither listed nor replaced', () => {
    expect(known('audit/1')).toMatchObject({ enumerable: false, configurable: false, writable: false })
  })

  test('[core-singletons] is the emitter that gates use, with all that contract 1 has', () => {
    expect(known('audit/1')?.value).toBe(audit)
    expect(Object.keys(audit).sort()).toEqual(['active', 'close', 'emit', 'flush', 'stats', 'subscribe'])
    expect(Object.keys(createAudit())).toEqual(Object.keys(audit))
  })

  test('[core-singletons] is made once, and found by every later copy', () => {
    const made = singleton('test-once', () => ({ count: 1 }))
    expect(singleton('test-once', () => ({ count: 2 }))).toBe(made)
    expect(warn).not.toHaveBeenCalled()
  })

  test('[core-singletons] is not a property that globalThis inherits', () => {
    const key = Symbol.for('countersign.test-inherited/1')
    Object.defineProperty(Object.prototype, key, { value: { planted: true }, configurable: true })
    try {
      expect(singleton('test-inherited', () => ({ planted: false }))).toEqual({ planted: false })
    } finally {
      Reflect.deleteProperty(Object.prototype, key)
    }
  })

  test('[core-singletons] is not shared with another contract: a warning says so once, with the remedy', () => {
    Object.defineProperty(globalThis, Symbol.for('countersign.test-other/2'), { value: {}, configurable: true })
    const made = singleton('test-other', () => ({}))
    expect(singleton('test-other', () => ({}))).toBe(made)
    expect(warn.mock.calls).toEqual([
      [
        'Two incompatible versions of @countersign/core are loaded: their test-other state is not shared. ' +
          'See https://countersign.example/errors/COUNTERSIGN_CONTRACT_MISMATCH',
        {
          code: 'COUNTERSIGN_CONTRACT_MISMATCH',
          detail:
            'Found Symbol(countersign.test-other/2) beside Symbol(countersign.test-other/1). ' +
            'Run "npm ls @countersign/core" and install one version.',
        },
      ],
    ])
  })
})
