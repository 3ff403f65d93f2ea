import { audit, principalOf } from '@countersign/core'
import express from 'express'
import { memoryDevices, requireDevice } from './require-device.js'

audit.subscribe(({ type, reason, principal }) => console.log(type, reason ?? '-', principal?.id))

const devices = memoryDevices({
  'sensor-7': { secret: 'the-secret-of-sensor-7', rights: ['measure'] },
  'sensor-8': { secret: 'the-secret-of-sensor-8' },
})
const app = express()
app.use(requireDevice({ devices }))
app.get('/status', (request, response) => {
  response.json({ device: principalOf(request, 'device').id })
})
app.post('/measurements', requireDevice({ devices, rights: ['measure'] }), (_request, response) => {
  response.status(204).end()
})
const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on ${server.address().port}`)
})
