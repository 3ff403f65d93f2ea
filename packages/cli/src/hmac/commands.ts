import type { AnyCommand } from '../command.js'
import { hmacCurl } from './curl.js'
import { hmacDoctor } from './doctor.js'
import { hmacExplain } from './explain.js'
import { hmacGenerate } from './generate.js'
import { hmacImport } from './import.js'
import { hmacMigrate, hmacReencrypt } from './postgres-commands.js'
import { hmacList, hmacRevoke, hmacRotate, hmacSeed } from './secrets.js'
import { hmacSign } from './sign.js'
import { hmacForget, hmacSplit } from './split.js'

/** The commands of `hmac`. */
export const hmacCommands: readonly AnyCommand[] = [
  ...[hmacGenerate, hmacMigrate, hmacSeed, hmacSplit, hmacRotate, hmacRevoke, hmacForget, hmacList, hmacReencrypt],
  ...[hmacImport, hmacSign, hmacCurl, hmacExplain, hmacDoctor],
]
