import { usageError } from './errors.js'

/** Loads a package that is installed beside the command, because few need it. @throws {CommandError} when it is not there. */
export async function loadOptional<T>(name: string, load: () => Promise<T>, what: string): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    if (code !== 'ERR_MODULE_NOT_FOUND' || message?.includes(`'${name}'`) !== true) throw error
    throw usageError(
      `${what} needs the package ${name}, which is not installed: install it where @countersign/cli is, with "npm install --global ${name}", or without --global`,
    )
  }
}
