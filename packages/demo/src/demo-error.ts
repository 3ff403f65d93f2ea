/** What keeps the demo from running, in one line for who started it: what happened, and what to do. */
export class DemoError extends Error {
  override readonly name = 'DemoError'
}
