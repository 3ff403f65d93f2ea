import { test } from 'node:test'
import { gateContract } from '@countersign/testing'
import { memoryDevices, requireDevice } from './require-device.js'

const secret = 'the-secret-of-sensor-7'
const key = (value) => ({ headers: { 'X-Device-Key': value } })

const contract = gateContract({
  name: 'requireDevice',
  make({ audit, onDenied, breakable }) {
    const devices = memoryDevices({
      'sensor-7': { secret, rights: ['measure'] },
      'sensor-8': { secret },
      'sensor-9': { secret, isRevoked: true },
    })
    return {
      gate: requireDevice({ devices: breakable(devices), rights: ['measure'], audit, onDenied }),
      good: () => key(`sensor-7.${secret}`),
      bad: {
        'no key at all': { request: key(''), status: 401, reason: 'malformed' },
        'a key without a secret': { request: key('sensor-7.'), status: 401, reason: 'malformed' },
        'a wrong secret': { request: key('sensor-7.another-secret-of-it'), status: 401, reason: 'bad_secret' },
        'an unknown device': { request: key(`sensor-1.${secret}`), status: 401, reason: 'bad_secret' },
        'a device that is revoked': { request: key(`sensor-9.${secret}`), status: 401, reason: 'revoked' },
        'a device without the right': { request: key(`sensor-8.${secret}`), status: 403, reason: 'insufficient_scope' },
      },
      foreign: { 'another credential': { headers: { Authorization: 'Bearer abc' } } },
    }
  },
})

for (const { title, run } of contract) test(title, run)
