/** Whether a line is oidc-provider's advice to who runs it in production. The demo's runs on one machine, for minutes. */
const isAdvice = (line: unknown) => typeof line === 'string' && /^(\u001b\[[\d;]*m)?oidc-provider /.test(line)

for (const level of ['info', 'warn'] as const) {
  const write = console[level].bind(console)
  console[level] = (...values: unknown[]) => {
    if (!isAdvice(values[0])) write(...values)
  }
}
