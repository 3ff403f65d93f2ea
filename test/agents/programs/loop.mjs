// What the programs of the clients without a model have in common. They lie beside the packages that they import.
import { text } from 'node:stream/consumers'

/** What the parent wrote. */
export const told = JSON.parse(await text(process.stdin))

/** Calls the tool for as long as the scripted model says so, and tells what came of each call. */
export async function loop(call) {
  const results = []
  for (;;) {
    const answer = await fetch(`${told.model}/plain`, { method: 'POST', body: JSON.stringify({ results }) })
    if (!(await answer.json()).call) return
    results.push(await call().catch((error) => String(error.message)))
  }
}

/** The text of a result. */
export const textOf = ({ content }) => content.map(({ text }) => text).join('\n')

/** The input of every call. */
export const call = { name: 'preview_open', arguments: { page: 'index.html' } }
