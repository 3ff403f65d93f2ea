import { writePrivateFile } from '@countersign/mcp-credential/private-file'
import { fileError } from './errors.js'

/** Writes a secret to a file in one step: mode 0600, or the mode of the existing file. @throws {CommandError} */
export async function writePrivateText(file: string, text: string): Promise<void> {
  await writePrivateFile(file, text, { keepMode: true }).catch((error: unknown) => {
    throw fileError(file, 'written', error)
  })
}
