import type { Command } from 'commander'
import type { Define } from '../command.js'

/** Adds `doctor`. */
export function addDoctorCommand(program: Command, define: Define): void {
  define(program, {
    usage: 'doctor',
    summary: 'check Node, the environment, the keys, PostgreSQL and Redis',
    details: 'What is not set is left out. Run it where the app runs, with its environment.',
    examples: ['countersign doctor', 'countersign doctor --json | jq ".checks[] | select(.status == \\"fail\\")"'],
    run: async (context, options) => (await import('./doctor.js')).doctor(context, options),
  })
}
