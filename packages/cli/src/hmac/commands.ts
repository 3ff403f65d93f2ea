import type { AnyCommand } from '../command.js'
import { hmacCurl } from './curl.js'
import { hmacDoctor } from './doctor.js'
import { hmacExplain } from './explain.js'
import { hmacGenerate } from './generate.js'
import { hmacImport, hmacMigrate, hmacReencrypt } from './postgres-commands.js'
import { hmacList, hmacRevoke, hmacRotate, hmacSeed } from './secrets.js'
import { hmacSign } from './sign.js'

/** The commands of `hmac`. */
export const hmacCommands: readonly AnyCommand[] = [
  ...[hmacGenerate, hmacMigrate, hmacSeed, hmacRotate, hmacRevoke, hmacList, hmacReencrypt],
  ...[hmacImport, hmacSign, hmacCurl, hmacExplain, hmacDoctor],
]
