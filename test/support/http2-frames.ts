import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { TEST_CERTIFICATE } from './test-certificate.js'

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const END_STREAM = 0x1
const END_HEADERS = 0x4

/** A frame (RFC 9113 §4.1). */
function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A string literal (RFC 7541 §5.2), not compressed. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  const length = [Math.min(bytes.length, 127)]
  if (bytes.length >= 127) {
    let rest = bytes.length - 127
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128)
    length.push(rest)
  }
  return Buffer.concat([Buffer.from(length), bytes])
}

/** A field line. */
export type Line = readonly [name: string, value: string]

/** A client's connection that sends the frames that it is told to, and nothing else. */
export interface FrameClient {
  /** Opens the only stream, with these field lines as they are; `hasEnded` says that no body follows. */
  open(lines: readonly Line[], hasEnded: boolean): void
  data(bytes: Buffer): void
  reset(code: number): void
  /** Resolves when the stream is answered. */
  readonly answered: Promise<void>
  destroy(): void
}

/**
 * Connects as an HTTP/2 client. Node's own sends no field of one value twice, and ends a stream before it resets it.
 */
export async function connectFrames(port: number, isSecure: boolean): Promise<FrameClient> {
  const socket: Socket = isSecure
    ? connectTls({ host: '127.0.0.1', port, ca: TEST_CERTIFICATE, ALPNProtocols: ['h2'] })
    : connect(port, '127.0.0.1')
  await once(socket, isSecure ? 'secureConnect' : 'connect')
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]))
  let received: Buffer = Buffer.alloc(0)
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (typesOf(received).includes(HEADERS)) resolve()
    })
  })
  return {
    open: (lines, hasEnded) => {
      // Each a literal field without indexing, with a new name (RFC 7541 §6.2.2).
      const block = lines.map(([name, value]) =>
        Buffer.concat([Buffer.from([0]), literal(name.toLowerCase()), literal(value)]),
      )
      socket.write(frame(HEADERS, END_HEADERS | (hasEnded ? END_STREAM : 0), 1, Buffer.concat(block)))
    },
    data: (bytes) => socket.write(frame(DATA, 0, 1, bytes)),
    reset: (code) => {
      const payload = Buffer.alloc(4)
      payload.writeUInt32BE(code)
      socket.write(frame(RST_STREAM, 0, 1, payload))
    },
    answered,
    destroy: () => socket.destroy(),
  }
}

/** The types of the frames that have come whole. */
function typesOf(bytes: Buffer): number[] {
  const types: number[] = []
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) types.push(bytes.readUInt8(at + 3))
  return types
}
