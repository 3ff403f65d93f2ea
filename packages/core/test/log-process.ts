// Holds a log until it is killed. Its first message says whether it got it; it appends when it is asked to.
import { openFileLog } from '@countersign/core/file-log'

const [, , file = ''] = process.argv
const codeOf = (error: unknown) => (error as { code?: string }).code
try {
  const log = openFileLog<{ add: string }>({
    file,
    format: 'names/1',
    dependency: 'x',
    fsync: 'never',
    replay: () => true,
    state: () => [],
  })
  process.on('message', () => {
    try {
      log.append([{ add: 'x' }], 'acknowledged')
      process.send?.({ appended: 'yes' })
    } catch (error) {
      process.send?.({ appended: codeOf(error) })
    }
  })
  process.send?.({ ready: 'yes' })
} catch (error) {
  process.send?.({ ready: codeOf(error) })
  process.disconnect?.()
}
